"""Why a bill and our costs differ: causes that can be told apart, each with its amount and its evidence.

Amounts have the sign of ours - theirs: what the bill has more is negative. What no evidence explains stays
unexplained; the causes and that rest add up to the difference exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from costctl.analysis.billed import Line, count
from costctl.analysis.used import Usage

MISSING, EXTRA, DUPLICATES = "missing_calls", "extra_calls", "duplicates"
PRICE, TIER, TIME_ZONE, ROUNDING = "price", "tier", "time_zone", "rounding"
CREDITS, TAXES, ITEMS = "credits", "taxes", "non_token_items"
SUBSCRIPTION, UNPRICED, UNEXPLAINED = "subscription", "unpriced", "unexplained"

CAUSES: tuple[str, ...] = (
    UNEXPLAINED,
    MISSING,
    EXTRA,
    DUPLICATES,
    PRICE,
    TIER,
    TIME_ZONE,
    ROUNDING,
    CREDITS,
    TAXES,
    ITEMS,
    SUBSCRIPTION,
    UNPRICED,
)
"""Every cause, in the order of a report's columns: what has none is the first thing to look at."""

OF_KIND: Mapping[str, str] = {"credit": CREDITS, "discount": CREDITS, "tax": TAXES, "fee": TAXES}
"""The cause of a line of a bill that is no usage."""

Side = Mapping[tuple[str, str | None], int]
"""Pico-dollars by mode and kind of token."""

Factor = Callable[[str, str | None], Fraction | None]
"""The price of a kind of token in a mode, as a part of its standard price; None where there is none. Of no
kind it is that of every kind, where they agree."""


class Part(NamedTuple):
    """A part of a difference: its cause, pico-dollars, and the sentence that says why."""

    cause: str
    amount: int
    evidence: str


@dataclass
class Cell:
    """What is compared at once: ``ours`` and the bill's ``lines`` of one model (or item) in one time.

    ``reported`` is the provider's own report of the same usage, where there is one. ``rounding``: what a
    line's amount may be off. ``moved``: how much more ours was before its times were shifted, and
    ``moved_why`` they were.
    """

    ours: Usage
    lines: list[Line]
    rounding: int
    item: str | None = None
    reported: Usage | None = None
    states_modes: bool = False
    factor: Factor = lambda _mode, _token: None
    moved: int = 0
    moved_why: str = ""
    parts: list[Part] = field(default_factory=list)
    side: Side | None = None
    """Ours, as far as no cause has changed it, or the provider's count at our prices; None where neither."""

    @property
    def theirs(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def usage(self) -> list[Line]:
        """The lines that are about usage."""
        return [line for line in self.lines if line.kind not in OF_KIND]

    @property
    def billed(self) -> int:
        return sum(line.amount for line in self.usage)

    @property
    def cost(self) -> int:
        return self.ours.cost + self.moved

    @property
    def difference(self) -> int:
        return self.cost - self.theirs

    @property
    def rest(self) -> int:
        """What no cause has explained yet."""
        return self.difference - sum(part.amount for part in self.parts)

    @property
    def bound(self) -> int:
        """What rounding can hide."""
        return self.rounding * sum(line.lines for line in self.usage)

    @property
    def is_any(self) -> bool:
        """Whether either side has anything."""
        return bool(self.lines or self.ours.calls or self.cost)

    @property
    def agrees(self) -> bool:
        return abs(self.rest) <= self.bound

    def take(self, cause: str, amount: int, evidence: str) -> None:
        if amount:
            self.parts.append(Part(cause, amount, evidence))

    def settle(self) -> None:
        """Name what is left: rounding where it is no more than rounding can hide, else unexplained."""
        if self.agrees:
            self.take(ROUNDING, self.rest, "no more than the last decimal place of the bill's lines can hide")
        else:
            self.take(UNEXPLAINED, self.rest, "nothing in the ledger or on the bill tells why")


def begin(cell: Cell) -> None:
    """Name what is no usage, and the shift that was found."""
    cell.side = cell.ours.amounts
    for line in cell.lines:
        if line.kind in OF_KIND:
            cell.take(OF_KIND[line.kind], -line.amount, f"lines of the kind {line.kind} on the bill")
    cell.take(TIME_ZONE, cell.moved, cell.moved_why)


def explain(cell: Cell) -> None:
    """Name the causes that the cell alone gives evidence of."""
    for step in _STEPS:
        if cell.agrees:
            return
        step(cell)


def _items(cell: Cell) -> None:
    if cell.item is None:
        return
    if not cell.ours.amounts:
        why = f"{cell.item} on the bill, which no call of the ledger states"
    elif not cell.usage:
        why = f"{cell.item} that calls state is not on the bill"
    else:
        why = f"{cell.item} on the bill, at another number or price than calls state"
    cell.take(ITEMS, cell.rest, why)


def _subscription(cell: Cell) -> None:
    """Only where it brings ours nearer to the bill: else these calls were billed."""
    if abs(cell.rest - cell.ours.subscription) < abs(cell.rest):
        calls = count(cell.ours.subscription_calls, "call")
        cell.take(SUBSCRIPTION, cell.ours.subscription, f"{calls} under a subscription, at list price")


def _one_sided(cell: Cell) -> None:
    if not any(cell.ours.rows.values()):
        cell.take(MISSING, cell.rest, "no such calls in the ledger on these days")
    elif not cell.usage:
        _copies(cell)
        cell.take(EXTRA, cell.rest, "the bill has nothing of these models on these days")


def _unpriced(cell: Cell) -> None:
    """What the bill says of a mode of which no call has a price, or of the whole where no call has one."""
    if cell.rest > 0 or not cell.ours.unpriced_calls:
        return
    why = "calls without a price in the ledger"
    modes = {mode for mode, rows in cell.ours.rows.items() if rows and rows == cell.ours.unpriced[mode]}
    if modes == {mode for mode, rows in cell.ours.rows.items() if rows}:
        cell.take(UNPRICED, cell.rest, why)
    elif cell.states_modes:
        amount = -sum(line.amount for line in cell.usage if (line.mode or "standard") in modes)
        if cell.rest <= amount + cell.bound:
            cell.take(UNPRICED, amount, why)


def _copies(cell: Cell) -> None:
    """No more than is too much: like calls may be calls of their own."""
    if 0 < cell.ours.copies <= cell.rest + cell.bound:
        calls = count(cell.ours.copied_calls, "call")
        cell.take(
            DUPLICATES,
            cell.ours.copies,
            f"{calls} alike in model and tokens: at one time, or in files of two formats",
        )
        cell.side = None


def _counted(cell: Cell) -> None:
    """The provider's own report of usage beside the calls: what it counts more or less, at our prices."""
    reported, ours = cell.reported, cell.ours
    if reported is None or reported.unpriced_calls or ours.unpriced_calls or ours.reported_rows:
        return
    copied = any(part.cause == DUPLICATES for part in cell.parts)
    cost = reported.metered - ours.metered + (ours.copies if copied else 0)
    tokens = reported.tokens.total() - ours.tokens.total() + (ours.copied_tokens if copied else 0)
    counted, seen = reported.tokens.total(), ours.tokens.total()
    said = f"{counted:,} tokens in the provider's report of usage, {seen:,} in calls"
    if cost > 0 and tokens > 0:
        cell.take(MISSING, -cost, said)
    elif cost < 0 and tokens < 0:
        cell.take(EXTRA, -cost, said)
    elif cost and not tokens and not copied and +reported.tokens == +ours.tokens:
        cell.take(
            TIER, -cost, "as many tokens of each kind in the provider's report of usage, in other modes"
        )
    elif cost:
        return
    cell.side = reported.amounts


def _modes(cell: Cell) -> None:
    """Both sides by mode: one that ours lacks while the others agree, or the same usage in other modes."""
    if not cell.states_modes or cell.side is None:
        return
    ours, theirs = _by_mode(cell.side), _by_mode(_sides(cell.usage))
    differing = [mode for mode in sorted({*ours, *theirs}) if abs(ours[mode] - theirs[mode]) > cell.bound]
    if len(differing) == 1 and len({*ours, *theirs}) > 1:
        (mode,) = differing
        if not ours[mode]:
            cell.take(MISSING, -theirs[mode], f"no call in mode {mode}, while the other modes agree")
        elif not theirs[mode]:
            cell.take(EXTRA, ours[mode], f"the bill has nothing in mode {mode}, while the other modes agree")
    elif len(differing) > 1:
        used = _at_standard(cell.side, cell.factor)
        billed = _at_standard(_sides(cell.usage), cell.factor)
        if used and billed and abs(used[0] - billed[0]) <= cell.bound * max(used[1], billed[1]):
            cell.take(TIER, cell.rest, "at the standard price both sides are the same: modes differ")


_DIGITS = 4
"""Of an amount with fewer digits to be half of another is no coincidence to speak of."""


def _half(cell: Cell) -> None:
    """Half of ours, which is the price of batch and flex."""
    if cell.side is None or {mode for mode, _ in cell.side} != {"standard"}:
        return
    if cell.factor("batch", None) == Fraction(1, 2) or cell.factor("flex", None) == Fraction(1, 2):
        ours = cell.rest + cell.billed
        digits = len(str(abs(cell.billed)).rstrip("0"))
        if abs(ours - 2 * cell.billed) <= 2 * cell.bound <= abs(cell.rest) // 1000 and digits >= _DIGITS:
            cell.take(
                TIER,
                cell.rest,
                "the bill is half of ours to the last digit, as of batch and flex; ours is standard",
            )


def _priced(cell: Cell) -> None:
    """What is left where the tokens are the provider's own."""
    by_report = cell.reported is not None and cell.side is cell.reported.amounts
    if by_report or (cell.ours.reported_rows and cell.ours.reported_rows == sum(cell.ours.rows.values())):
        cell.take(PRICE, cell.rest, "the tokens are those of the provider's report of usage")


_STEPS: tuple[Callable[[Cell], None], ...] = (
    _items,
    _subscription,
    _one_sided,
    _unpriced,
    _copies,
    _counted,
    _modes,
    _half,
    _priced,
)


def _sides(lines: Iterable[Line]) -> Side:
    found = Counter[tuple[str, str | None]]()
    for line in lines:
        found[line.mode or "standard", line.token] += line.amount
    return found


def _by_mode(side: Side) -> Counter[str]:
    found = Counter[str]()
    for (mode, _), amount in side.items():
        found[mode] += amount
    return found


def _at_standard(side: Side, factor: Factor) -> tuple[Fraction, Fraction] | None:
    """The side at standard prices, and by how much that can enlarge what rounding hides."""
    total, most = Fraction(0), Fraction(1)
    for (mode, token), amount in side.items():
        part = Fraction(1) if mode == "standard" else factor(mode, token)
        if not part:
            return None
        total += amount / part
        most = max(most, 1 / part)
    return total, most
