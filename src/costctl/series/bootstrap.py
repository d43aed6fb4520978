"""How sure a figure of past days is: the days are drawn again, and the figure is seen to move.

Days are drawn, not calls: the calls of a session hang together, and intervals from drawn calls are far too
narrow. They are drawn within their weekday, since the difference of Sundays and Mondays is no chance. Of n
days of a weekday n - 1 are drawn, with repetition, and each counts n / (n - 1) times: drawing n would make
the scatter too small by a fraction of 1 / n, which is a quarter for the four Mondays of a month (Rao and Wu,
"Resampling inference with complex survey data", 1988).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

DRAWS = 2000
SEED = 20240601
"""Any number does; it is fixed, and said beside each interval, so that all runs give the same one."""

Day = tuple[int, tuple[int, ...]]
"""The weekday (or any other number: days of different numbers never replace each other), and the sums."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies but for chance, from ``draws`` resamples that ``seed`` began."""

    low: float
    high: float
    seed: int
    draws: int

    @property
    def holds_zero(self) -> bool:
        """Whether a difference of nothing is among what chance explains."""
        return self.low <= 0 <= self.high


def bootstrap(
    days: Sequence[Day],
    statistic: Callable[[tuple[int, ...]], float],
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Interval:
    """The interval of ``statistic``, a figure made of the sums of all days' values.

    ``days`` are whole days, at least one, all with as many values. To compare two periods, give the days of
    the second other numbers than those of the first, and zeros in the places of its values.
    """
    values = [statistic(sums) for sums in resampled(days, draws=draws, seed=seed)]
    return interval(values, level=level, seed=seed)


def resampled(days: Sequence[Day], *, draws: int = DRAWS, seed: int = SEED) -> Iterator[tuple[int, ...]]:
    """The sums of all values in one drawn set of days after the other, rounded down to whole numbers.

    A number that only one day has cannot be drawn within; such a day is always there as it is.
    """
    if not days:
        raise ValueError("no days to draw from")
    strata: dict[int, list[tuple[int, ...]]] = {}
    for number, values in days:
        strata.setdefault(number, []).append(values)
    # In whole numbers throughout: each day's weight n / (n - 1) as a multiple of 1 / scale.
    scale = math.lcm(*(len(each) - 1 or 1 for each in strata.values()))
    alone = [tuple(scale * value for value in each[0]) for each in strata.values() if len(each) == 1]
    drawn = []
    for each in strata.values():
        if (rest := len(each) - 1) > 0:
            weight = len(each) * scale // rest
            drawn.append(([tuple(weight * value for value in values) for values in each], rest))
    chance = Random(seed).random  # the one of its methods that gives the same in every version of Python
    for _ in range(draws):
        chosen = [weighed[int(chance() * (rest + 1))] for weighed, rest in drawn for _ in range(rest)]
        yield tuple(sum(column) // scale for column in zip(*alone, *chosen, strict=True))


def interval(values: Sequence[float], *, level: float = 0.95, seed: int = SEED) -> Interval:
    """What lies between equal tails of ``values``, of which there is at least one."""
    ordered = sorted(values)
    out = int((1 - level) / 2 * len(ordered))
    return Interval(ordered[out], ordered[-1 - out], seed, len(ordered))
