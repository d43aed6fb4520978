"""Days on which a series is higher than its weekdays and its recent level let expect.

Everything is in logarithms, where growth and weekdays are differences: a day is expected at the level of the
two weeks before it (their median, weekdays taken out) and its weekday's part (the median of that weekday in
eight weeks). What days usually miss this by (the median absolute deviation) says how unusual a day is.
Medians leave past anomalies out of what is expected by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_HISTORY = 14
"""Days of history without which there is no verdict."""
UNUSUAL = 4.0
"""Above how many standard deviations a day is unusual."""

PROFILE = 56
"""Days of history that a verdict looks at."""
_LEVEL = 14
_WEEK = 7
_NARROWEST = 0.05
"""The least standard deviation, in logarithms: a twentieth more or less is usual of the steadiest series."""
_TO_SIGMA = 1.4826
"""A normal distribution's standard deviation as a multiple of its median absolute deviation."""
_NOTHING = 0.01
"""A day without anything stands for this part of the usual one: nothing has no logarithm."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was ``expected`` of a day, in the unit of its series, and by how many standard deviations (``z``)
    it is higher; negative where it is lower."""

    expected: int
    z: float

    @property
    def is_unusual(self) -> bool:
        return self.z > UNUSUAL


def judged(daily: Sequence[int], value: int) -> Verdict | None:
    """How unusual ``value`` is as the day after ``daily``, sums of whole days without gaps; days with nothing
    at the beginning are no history. None where that is shorter than :data:`LEAST_HISTORY`.
    """
    started = next((number for number, each in enumerate(daily) if each), len(daily))
    history = daily[started:][-PROFILE:]
    if len(history) < LEAST_HISTORY:
        return None
    nothing = math.log(max(_NOTHING * _median([each for each in history if each]), 1))
    logs = [max(math.log(each), nothing) if each else nothing for each in history]
    # Weekdays count back from the day that is judged; growth is taken out before they are compared, for the
    # days of one are a little older than those of the next.
    count = len(logs)
    growth = _median([each - before for each, before in zip(logs[_WEEK:], logs, strict=False)]) / _WEEK
    even = [each + growth * (count - number) for number, each in enumerate(logs)]
    middle = _median(even)
    parts = [_median(even[-back::-_WEEK]) - middle for back in range(1, _WEEK + 1)]
    levels = [each - parts[(count - number - 1) % _WEEK] for number, each in enumerate(logs)]
    missed = [
        levels[number] - _median(levels[max(0, number - _LEVEL) : number]) for number in range(_WEEK, count)
    ]
    # The level lags behind what grows or falls: by as much as it usually did.
    lag = _median(missed)
    expected = _median(levels[-_LEVEL:]) + parts[_WEEK - 1] + lag
    sigma = _TO_SIGMA * _median([abs(each - lag) for each in missed]) * _for_few(count)
    sigma = max(_NARROWEST, sigma)
    came = max(math.log(value), nothing) if value > 0 else nothing
    return Verdict(round(math.exp(expected)), (came - expected) / sigma)


def _for_few(days: int) -> float:
    """How much wider errors are of fewer than eight weeks. A profile of few values of each weekday hides what
    they miss it by, and is itself off by as much; and few residuals may all be small by chance (a twentieth
    for each week that is not there, by trial on drawn series)."""
    weeks, most = days / _WEEK, PROFILE / _WEEK
    wider = (weeks + 1) / (weeks - 1) * (most - 1) / (most + 1)
    return math.sqrt(wider) * (1 + (most - weeks) / 20)


def _median(values: Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
