"""What only several days or models together tell of a bill and our costs: another zone, another price."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import NamedTuple

from costctl.analysis.billed import DAY, Days
from costctl.analysis.causes import PRICE, TIER, TIME_ZONE, Cell
from costctl.analysis.used import SLOT
from costctl.money import share

LEAST = 3
"""Fewer cases are no evidence of what holds in every one."""

_HOUR = 3600 * 1_000_000
_FAR = 14 * _HOUR
"""The farthest that a zone is from UTC."""

_CLEAR = 10
"""How many times as much as rounding can hide has to move, for a move to be told from it."""


def shift_of(slots: Mapping[int, int], days: Days, cells: Mapping[int, Cell]) -> tuple[int, str] | None:
    """By how many microseconds later the calls of one model happened, by the bill's days, and the evidence;
    None where no shift is found.

    ``slots``: what calls cost by their quarter of an hour; ``cells`` by day. A shift is found where at least
    three of the days that differ agree with it, two thirds of them, and none that agreed differs with it.
    """
    differing = [day for day, cell in cells.items() if not cell.agrees]
    if len(differing) < LEAST:
        return None
    times = sorted(slots)
    sums = [0, *accumulate(slots[time] for time in times)]

    def cost(day: int, shift: int) -> int:
        start = days.instant(day) - shift
        return sums[bisect_left(times, start + DAY)] - sums[bisect_left(times, start)]

    def fits(day: int, shift: int) -> bool:
        return abs(cells[day].rest + cost(day, shift) - cost(day, 0)) <= cells[day].bound

    agreeing = [day for day in cells if day not in {*differing}]
    fitting: dict[int, int] = {}
    for shift in range(-_FAR, _FAR + SLOT, SLOT):
        if all(cost(day, shift) == cost(day, 0) or fits(day, shift) for day in agreeing):
            fitting[shift] = sum(fits(day, shift) for day in differing)
    number = max(fitting.values(), default=0)
    if number < max(LEAST, -(-2 * len(differing) // 3)):
        return None
    # Days without calls around midnight leave some shifts open: whole hours are the likely ones.
    best = min(
        (shift for shift in fitting if fitting[shift] == number),
        key=lambda shift: (shift % _HOUR != 0, abs(shift), shift),
    )
    by = f"{_clock(best)} h {'later' if best > 0 else 'earlier'}"
    return best, f"with calls {by}, {number} of {len(differing)} days agree that did not"


def _clock(shift: int) -> str:
    minutes = abs(shift) // 60_000_000
    return f"{minutes // 60}:{minutes % 60:02d}"


class _Pair(NamedTuple):
    """Ours and theirs of one kind of token (None: of the whole) in the cell of this place in a list, and what
    rounding can hide."""

    place: int
    token: str | None
    ours: int
    theirs: int
    bound: int

    @property
    def differs(self) -> bool:
        return abs(self.ours - self.theirs) > self.bound


def find_price(cells: Sequence[Cell]) -> None:
    """Name the price where the bill is one share of ours in at least three cells, and in two thirds of those
    that differ. Where the bill tells kinds of tokens apart, each is looked at by itself, then all together.
    """
    left = [cell for cell in cells if not cell.agrees and cell.usage and any(cell.ours.rows.values())]
    if left and all(_states_tokens(cell) for cell in left):
        pairs = [pair for place, cell in enumerate(left) for pair in _of_tokens(place, cell)]
        tokens = sorted({pair.token or "" for pair in pairs if pair.differs})
        by_token = [_alike([pair for pair in pairs if (pair.token or "") == token]) for token in tokens]
        if all(by_token):
            _take(left, pairs, [each for each in by_token if each])
        elif fitting := _alike(pairs):
            _take(left, pairs, [fitting])
        return
    pairs = [
        _Pair(place, None, cell.rest + cell.billed, cell.billed, cell.bound)
        for place, cell in enumerate(left)
    ]
    if fitting := _alike(pairs):
        _take(left, pairs, [fitting])


def _take(
    cells: Sequence[Cell], pairs: Sequence[_Pair], fitting: Sequence[tuple[Fraction, list[_Pair]]]
) -> None:
    """Name the price in the cells of which everything that differs fits."""
    fits = {pair for _, of_one in fitting for pair in of_one}
    unfit = {pair.place for pair in pairs if pair.differs and pair not in fits}
    for ratio, of_one in fitting:
        tokens = {pair.token for pair in of_one}
        for pair in of_one:
            if pair.place not in unfit:
                cell = cells[pair.place]
                cell.take(_cause(ratio, cell), pair.ours - pair.theirs, _said(tokens, ratio, len(of_one)))


def _states_tokens(cell: Cell) -> bool:
    """Whether ours is still what the calls say, and the bill tells what each line is for."""
    return cell.side is not None and not cell.parts and all(line.token for line in cell.usage)


def _of_tokens(place: int, cell: Cell) -> Iterator[_Pair]:
    ours, theirs, lines = Counter[str | None](), Counter[str | None](), Counter[str | None]()
    for (_, token), amount in (cell.side or {}).items():
        ours[token] += amount
    for line in cell.usage:
        theirs[line.token] += line.amount
        lines[line.token] += line.lines
    for token in sorted({*ours, *theirs}, key=str):
        yield _Pair(place, token, ours[token], theirs[token], cell.rounding * lines[token])


def _alike(pairs: Sequence[_Pair]) -> tuple[Fraction, list[_Pair]] | None:
    """The ratio of theirs to ours that holds for enough of the pairs, and those. Rounding has to leave the
    ratio clear, and ours has to vary: of one constant cost any cause has one ratio."""
    clear = [
        pair
        for pair in pairs
        if pair.differs
        and min(pair.ours, pair.theirs) > 0
        and abs(pair.ours - pair.theirs) >= _CLEAR * pair.bound
    ]
    if not clear:
        return None
    ratios = sorted(Fraction(pair.theirs, pair.ours) for pair in clear)
    ratio = ratios[len(ratios) // 2].limit_denominator(10_000)
    fitting = [pair for pair in clear if abs(pair.theirs - ratio * pair.ours) <= max(pair.bound, 1)]
    least = max(LEAST, -(-2 * sum(pair.differs for pair in pairs) // 3))
    if len(fitting) < least:
        return None
    costs = [pair.ours for pair in fitting]
    return (ratio, fitting) if max(costs) * 10 >= min(costs) * 11 else None


def _cause(ratio: Fraction, cell: Cell) -> str:
    """Half or twice is the price of another mode, where ours is in one mode only."""
    modes = {mode for mode, _ in cell.side or {}}
    halves = any(cell.factor(mode, None) == Fraction(1, 2) for mode in ("batch", "flex"))
    is_tier = halves and (
        (ratio == Fraction(1, 2) and modes == {"standard"}) or (ratio == 2 and modes <= {"batch", "flex"})
    )
    return TIER if is_tier else PRICE


def _said(tokens: set[str | None], ratio: Fraction, times: int) -> str:
    what = "the bill" if len(tokens) > 1 or None in tokens else str(*tokens).replace("_", " ")
    part = share(ratio.numerator, ratio.denominator)
    assert part is not None
    return f"{what} is {part.normalize():f} of ours in {times:,} cases"


def find_moves(cells: Mapping[int, Cell]) -> None:
    """Name what moves over midnight: neighbouring days that differ and whose sum agrees.

    What moves goes one way, is no more than the day it comes from has, and well above what rounding can hide.
    """
    run: list[int] = []
    for day in sorted(cells):
        if cells[day].agrees or (run and run[-1] != day - 1):
            run = []
        if cells[day].agrees:
            continue
        run.append(day)
        for first in range(len(run) - 2, -1, -1):
            days = [cells[each] for each in run[first:]]
            if _moves(days):
                run = []
                break


def _moves(cells: Sequence[Cell]) -> bool:
    """Whether these days explain each other, and have been explained."""
    moved = list(accumulate(cell.rest for cell in cells))
    bound = sum(cell.bound for cell in cells)
    one_way = all(amount > 0 for amount in moved[:-1]) or all(amount < 0 for amount in moved[:-1])
    has_it = all(
        abs(amount) <= (cell.ours.cost if amount > 0 else after.ours.cost)
        for amount, (cell, after) in zip(moved, pairwise(cells), strict=False)
    )
    if abs(moved[-1]) > bound or not one_way or not has_it or min(map(abs, moved[:-1])) < _CLEAR * bound:
        return False
    rests = [cell.rest for cell in cells]
    # What the sum is off is rounding, not a move.
    rests[-1] -= moved[-1]
    for cell, amount in zip(cells, rests, strict=True):
        cell.take(TIME_ZONE, amount, f"{len(cells)} neighbouring days differ, and their sum agrees")
    return True
