"""Days on which a series is higher than its weekdays and its recent level let expect.

Everything is in logarithms, where growth and weekdays are differences: a day is expected at the level of the
two weeks before it (their median, weekdays taken out), with the growth of the last four weeks, and its
weekday's part (the median of that weekday in eight weeks). What days usually miss the level around them by
(the median absolute deviation) says how unusual a day is. Medians leave past anomalies out by themselves.
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
_GROWTH = 28
"""Days by whose changes from week to week growth is told."""
_NEW = 1.15
"""By how much a new day misses more than those that levels and profile are made of, by trial on drawn
series."""
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
    count = len(logs)
    # Weekdays count back from the day that is judged, which is of the seventh. Each day is held against the
    # whole week around it, so that neither growth nor a jump of the level looks like a weekday's part.
    over = [each - sum(_around(logs, number, 3)) / _WEEK for number, each in enumerate(logs)]
    parts = [_median(over[-back::-_WEEK]) for back in range(1, _WEEK + 1)]
    middle = sum(parts) / _WEEK
    levels = [each - parts[(count - number - 1) % _WEEK] + middle for number, each in enumerate(logs)]
    changes = [each - before for each, before in zip(levels[_WEEK:], levels, strict=False)]
    growth = _median(changes[-_GROWTH:]) / _WEEK
    # The median of two weeks is that of 7.5 days before.
    expected = _median(levels[-_LEVEL:]) + (_LEVEL + 1) / 2 * growth + parts[_WEEK - 1] - middle
    missed = [abs(each - _median(_around(levels, number, 7))) for number, each in enumerate(levels)]
    sigma = max(_NARROWEST, _TO_SIGMA * _median(missed) * _NEW * _for_few(count))
    came = max(math.log(value), nothing) if value > 0 else nothing
    return Verdict(round(math.exp(expected)), (came - expected) / sigma)


def _around(values: Sequence[float], place: int, reach: int) -> Sequence[float]:
    """The values up to ``reach`` before and after a place; at an end as many, from there on."""
    width = min(2 * reach + 1, len(values))
    start = max(0, min(place - reach, len(values) - width))
    return values[start : start + width]


def _for_few(days: int) -> float:
    """How much wider errors are of fewer than eight weeks: a profile of few values of each weekday hides what
    these miss it by, and is itself off by as much."""
    weeks, most = days / _WEEK, PROFILE / _WEEK
    return math.sqrt((weeks + 1) / (weeks - 1) * (most - 1) / (most + 1))


def _median(values: Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
