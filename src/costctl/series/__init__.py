"""Daily series in plain Python: what a period will come to, and how sure a figure of past days is."""

from costctl.series.bootstrap import DRAWS, SEED, Interval, bootstrap, interval, resampled
from costctl.series.forecast import MOST_HISTORY, Forecast, Method, forecast

__all__ = [
    "DRAWS",
    "MOST_HISTORY",
    "SEED",
    "Forecast",
    "Interval",
    "Method",
    "bootstrap",
    "forecast",
    "interval",
    "resampled",
]
