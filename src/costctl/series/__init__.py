"""Daily series in plain Python: what a period will come to, and how sure a figure of past days is."""

from costctl.series.anomalies import LEAST_HISTORY, PROFILE, UNUSUAL, Verdict, judged
from costctl.series.backtest import ORIGINS, Trial, backtest
from costctl.series.bootstrap import DRAWS, SEED, Interval, bootstrap, interval, resampled
from costctl.series.forecast import METHODS, MOST_HISTORY, Forecast, Method, forecast

__all__ = [
    "DRAWS",
    "LEAST_HISTORY",
    "METHODS",
    "MOST_HISTORY",
    "ORIGINS",
    "PROFILE",
    "SEED",
    "UNUSUAL",
    "Forecast",
    "Interval",
    "Method",
    "Trial",
    "Verdict",
    "backtest",
    "bootstrap",
    "forecast",
    "interval",
    "judged",
    "resampled",
]
