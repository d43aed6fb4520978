"""The book's case beside a simulation of its own bill: three figures for one router, and the basis of each.

The book's report says that its router saved 52,300 of October's 127,850, by moving "70 / 25 / 5 % of use" to
"7 / 48 / 45 %". The bill's 70 / 25 / 5 are shares of its *cost*; what follows from them depends on what they
are taken for, and 52,300 follows from neither reading. Nothing of a simulation is fitted to any of the three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from costctl.money import PICO_PER_USD, rounded
from costctl.report import Cell, Column

_OPUS, _SONNET, _HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
BILL: Mapping[str, int] = {_OPUS: 89_450, _SONNET: 32_100, _HAIKU: 6_300}
"""October's, in whole dollars."""
_MULTIPLIERS = {_OPUS: 60, _SONNET: 12, _HAIKU: 1}
_STATED = {_OPUS: Fraction(70, 100), _SONNET: Fraction(25, 100), _HAIKU: Fraction(5, 100)}
_AFTER = {_OPUS: Fraction(7, 100), _SONNET: Fraction(48, 100), _HAIKU: Fraction(45, 100)}
PRINTED = 52_300

_WHOLE = sum(BILL.values())
_CENT = PICO_PER_USD // 100


@dataclass(frozen=True, slots=True)
class Beside:
    """``by_calls`` and ``by_bill`` in whole dollars; None where the bill is another one."""

    by_calls: int | None = None
    by_bill: int | None = None

    def __bool__(self) -> bool:
        return self.by_calls is not None

    @property
    def figures(self) -> dict[str, Cell]:
        if self.by_calls is None or self.by_bill is None:
            return {}
        return {
            "book_printed": PRINTED * PICO_PER_USD,
            "book_by_calls": self.by_calls * PICO_PER_USD,
            "book_by_bill": self.by_bill * PICO_PER_USD,
        }

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(name, "money") for name in self.figures)

    def notes(self, saving: int) -> tuple[str, ...]:
        """Each figure with its basis, beside ``saving`` (pico-dollars)."""
        if self.by_calls is None or self.by_bill is None:
            return ()
        return (
            f"this is the October bill of the book's TechCorp; ${rounded(saving):,} is what follows from the "
            "calls of these files, re-priced one by one",
            f"the book prints ${PRINTED:,} (40.9 %) for its router, without a method; it follows from "
            "neither of the next two",
            f"${self.by_calls:,} (76.9 %): if 70 / 25 / 5 % were shares of calls of equal size, moved to "
            "7 / 48 / 45 %, at prices of 60 : 12 : 1",
            f"${self.by_bill:,} (14.8 %): 70 / 25 / 5 % being shares of the cost, as in the bill, and the "
            "calls that these pay for, of equal size, moved to 7 / 48 / 45 %",
        )


def beside(costs: Mapping[str, int]) -> Beside:
    """The book's figures, where ``costs`` (pico-dollars by model) are its October bill to the cent."""
    if {model: round(Fraction(cost, _CENT)) for model, cost in costs.items()} != {
        model: usd * 100 for model, usd in BILL.items()
    }:
        return Beside()
    after = sum(share * _MULTIPLIERS[model] for model, share in _AFTER.items())
    before = sum(share * _MULTIPLIERS[model] for model, share in _STATED.items())
    paid_for = sum(Fraction(usd, _MULTIPLIERS[model]) for model, usd in BILL.items())
    return Beside(round(_WHOLE * (1 - after / before)), round(_WHOLE - paid_for * after))
