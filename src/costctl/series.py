"""Daily series in plain Python: what a period will come to, and how sure that is.

The level of a series is smoothed (simple exponential smoothing) after the profile of its weekdays has been
taken out; each day to come has the level times its weekday's part. In backtests this is as good as models
that take a thousand times as long and another 300 MB of libraries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Method = Literal["weekdays", "trailing mean", "run rate"]

MOST_HISTORY = 112
"""Days that a forecast looks at: eight weeks for the profile, and as many for its backtest."""

_PROFILE = 56
"""Days of which the profile of the weekdays is made."""
_FULL_WEEKS = 14
"""Days by which every weekday has come twice."""
_WEEK = 7
_ALPHA = 0.2
"""How much of each day goes into the level."""
_ENOUGH_ERRORS = 20
_MOST_ERRORS = 28
_TAIL = 0.1
"""Below and above the interval: it holds four cases of five."""
_Z = 1.2816
"""The normal distribution's standard deviations that leave a tail of 0.1."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a period will come to, in the unit of its series (pico-dollars), between ``low`` and ``high`` in
    four cases of five. ``method`` follows from the length of the history, in whole days."""

    value: int
    low: int
    high: int
    days_of_history: int
    method: Method = "weekdays"

    @property
    def is_rough(self) -> bool:
        """Whether the history was too short to know weekdays."""
        return self.method != "weekdays"


def forecast(
    daily: Sequence[int], last: date, to_come: Sequence[date], *, spent: int = 0, begun: int = 0
) -> Forecast | None:
    """What a period comes to of which ``spent`` is known already and the days ``to_come`` are left.

    ``daily`` are sums of whole days without gaps, the last one being that of ``last``; days with nothing at
    the beginning are no history. ``begun`` is what is known of the first day to come, which counts at least
    that much. The interval is that of the errors that the same method made over as many days in the past or,
    with too few of those, follows from how days scatter. None without any history.
    """
    started = next((number for number, value in enumerate(daily) if value), len(daily))
    history = list(daily[started:])[-MOST_HISTORY:]
    if not history:
        return None
    method: Method = (
        "weekdays"
        if len(history) >= _FULL_WEEKS
        else "trailing mean"
        if len(history) >= _WEEK
        else "run rate"
    )
    known = spent + begun
    if not to_come:
        return Forecast(known, known, known, len(history), method)
    expected = _expected(history, last, to_come)
    rest = max(float(begun), expected[0]) + sum(expected[1:])
    below, above = _errors(history, last, len(to_come))
    value = spent + max(begun, round(rest))
    return Forecast(
        value,
        min(value, max(known, spent + round(rest * (1 + below)))),
        max(value, spent + round(rest * (1 + above))),
        len(history),
        method,
    )


def _expected(history: Sequence[int], last: date, days: Sequence[date]) -> list[float]:
    """What each of ``days`` is expected to come to. ``history`` has at least one day."""
    if len(history) < _FULL_WEEKS:
        recent = history[-_WEEK:]
        return [sum(recent) / len(recent)] * len(days)
    recent = history[-_PROFILE:]
    first = (last - timedelta(days=len(recent) - 1)).weekday()
    profile = _profile(recent, first)
    # A weekday on which nothing is ever spent says nothing of the level.
    levels = [
        value / share for number, value in enumerate(recent) if (share := profile[(first + number) % _WEEK])
    ]
    if not levels:
        return [0.0] * len(days)
    level = sum(levels[:_WEEK]) / len(levels[:_WEEK])
    for each in levels:
        level += _ALPHA * (each - level)
    return [level * profile[day.weekday()] for day in days]


def _profile(values: Sequence[int], first: int) -> list[float]:
    """How much of the mean day each weekday (0 is Monday) has; ``first`` is that of the first value."""
    mean = sum(values) / len(values)
    if not mean:
        return [0.0] * _WEEK
    of_weekday = [values[(weekday - first) % _WEEK :: _WEEK] for weekday in range(_WEEK)]
    return [sum(each) / len(each) / mean for each in of_weekday]


def _errors(history: Sequence[int], last: date, horizon: int) -> tuple[float, float]:
    """By which fractions of its own the sum over ``horizon`` days is likely to miss: below, above."""
    backtest: list[float] = []
    for end in range(len(history) - horizon, _FULL_WEEKS - 1, -1):
        if len(backtest) == _MOST_ERRORS:
            break
        day = last - timedelta(days=len(history) - end)
        days = [day + timedelta(days=number) for number in range(1, horizon + 1)]
        expected = sum(_expected(history[:end], day, days))
        if expected:
            backtest.append(sum(history[end : end + horizon]) / expected - 1)
    if len(backtest) >= _ENOUGH_ERRORS:
        return _quantile(backtest, _TAIL), _quantile(backtest, 1 - _TAIL)
    wide = _Z * _scatter(history, last) / math.sqrt(horizon)
    return -wide, wide


def _scatter(history: Sequence[int], last: date) -> float:
    """The standard deviation of a day as a fraction of what it was expected to be; 1 of too few days."""
    if len(history) < 3:
        return 1.0
    first = last - timedelta(days=len(history) - 1)
    days = [first + timedelta(days=number) for number in range(len(history))]
    expected = _expected(history, last, days)
    ratios = [value / each - 1 for value, each in zip(history, expected, strict=True) if each]
    if len(ratios) < 2:
        return 1.0
    mean = sum(ratios) / len(ratios)
    return math.sqrt(sum((each - mean) ** 2 for each in ratios) / (len(ratios) - 1))


def _quantile(values: Sequence[float], part: float) -> float:
    """The quantile between the two nearest values; ``values`` is not empty."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
