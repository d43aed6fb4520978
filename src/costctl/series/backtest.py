"""How good forecasts of whole months would have been, made in past months with what was known then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from costctl.series.forecast import METHODS, MOST_HISTORY, Forecast, Method, forecast

ORIGINS = (3, 7, 10, 15, 20, 25)
"""After so many days of a month its total is forecast."""

_MONTHS = 12
"""Of a longer history the last ones count."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Trial:
    """A ``forecast`` by ``method`` of the month that begins with ``month``, made when ``days`` of it were
    known, and what came of it: ``actual``, in the unit of the series."""

    method: Method
    month: date
    days: int
    forecast: Forecast
    actual: int

    @property
    def error(self) -> int:
        return self.forecast.value - self.actual

    @property
    def is_inside(self) -> bool:
        """Whether the interval held what came."""
        return self.forecast.low <= self.actual <= self.forecast.high

    @property
    def pinball(self) -> int:
        """Thirty times the mean pinball loss of the forecast's quantiles 0.1, 0.5 and 0.9: a whole number."""
        quantiles = ((1, self.forecast.low), (5, self.forecast.value), (9, self.forecast.high))
        losses = ((tenths, self.actual - value) for tenths, value in quantiles)
        return sum(tenths * missed if missed >= 0 else (tenths - 10) * missed for tenths, missed in losses)


def backtest(daily: Sequence[int], first: date, methods: Iterable[Method] = METHODS) -> list[Trial]:
    """Forecasts of the whole months of ``daily``, sums of days without gaps from ``first`` on, by each of
    ``methods`` on each of :data:`ORIGINS`; none where nothing had been spent before. Of more than twelve
    months the last twelve."""
    after = first + len(daily) * _DAY
    trials = []
    for month in _months(first, after)[-_MONTHS:]:
        start, end = (month - first).days, (_next(month) - first).days
        for days in ORIGINS:
            known = start + days
            history = daily[max(0, known - MOST_HISTORY) : known]
            last = month + (days - 1) * _DAY
            to_come = [last + number * _DAY for number in range(1, end - known + 1)]
            spent, actual = sum(daily[start:known]), sum(daily[start:end])
            for method in methods:
                found = forecast(history, last, to_come, spent=spent, method=method, so_far=days)
                if found is not None:
                    trials.append(Trial(method, month, days, found, actual))
    return trials


def _months(first: date, after: date) -> list[date]:
    """The first days of the months that lie within [first, after)."""
    month = first if first.day == 1 else _next(first)
    months = []
    while _next(month) <= after:
        months.append(month)
        month = _next(month)
    return months


def _next(day: date) -> date:
    """The first day of the next month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
