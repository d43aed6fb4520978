"""A month as the two whole months before it are straightly continued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from costctl.analysis.daily import Days, cost
from costctl.analysis.known import Known
from costctl.analysis.questions import QuestionError
from costctl.money import rounded, share, to_pico
from costctl.periods import Period, day_start, shifted, unit_start
from costctl.report import Cell, Column

_TENTH = 10
"""A month of whose days the ledger lacks more than a tenth is not known."""
_FARTHEST = 12
"""Months ahead. Two months say nothing of a time beyond a year."""
_BOOKS_CASE = (date(2024, 12, 1), 38_200, 127_850)
BOOKS_FORECAST = Decimal(285_000)
"""What the book behind the sample data states for December, of September and October that cost so many
USD."""


@dataclass(frozen=True, slots=True)
class Window:
    """The days of a period: from ``first`` up to, not including, ``after``."""

    first: date
    after: date

    @classmethod
    def of(cls, period: Period) -> Window:
        """Raises :class:`QuestionError` for a period without end, or of parts of days."""
        if period.start is None or period.end is None:
            raise QuestionError(
                f"{period.label}: a forecast is of a period that ends",
                "as in --month 2024-10, or --since and --until",
            )
        first, after = (each.astimezone(period.zone).date() for each in (period.start, period.end))
        if day_start(first, period.zone) != period.start or day_start(after, period.zone) != period.end:
            raise QuestionError(f"{period.label}: a forecast is of whole days", "as in --since 2024-10-01")
        return cls(first, after)

    @property
    def days(self) -> int:
        return (self.after - self.first).days

    @property
    def months(self) -> int:
        """How many calendar months this is; 0 where it is no whole ones."""
        if self.first.day != 1 or self.after.day != 1:
            return 0
        return (self.after.year - self.first.year) * 12 + self.after.month - self.first.month

    def annualised(self, pico: int) -> int:
        """A year of what costs so much in this time."""
        return round(Fraction(pico * 12, self.months) if self.months else Fraction(pico * 365, self.days))


@dataclass(frozen=True, slots=True)
class Continued:
    """A month as the last two whole months, that cost ``before`` and ``last``, are continued ``steps``
    months."""

    month: date
    before: int
    last: int
    steps: int

    @classmethod
    def of(cls, window: Window, known: Known, days: Days) -> Continued | None:
        """None where the period is no month after them, or the ledger begins too late to know both."""
        this = unit_start("month", known.today)
        last, before = shifted("month", this, -1), shifted("month", this, -2)
        missing = (known.first - before).days
        steps = (window.first.year - last.year) * 12 + window.first.month - last.month
        if window.months != 1 or not 0 < steps <= _FARTHEST or missing * _TENTH > (last - before).days:
            return None
        return cls(last, cost(days, before, last), cost(days, last, this), steps)

    def is_books_case(self, window: Window) -> bool:
        month, before, last = _BOOKS_CASE
        return (window.first, self.before, self.last) == (month, to_pico(before), to_pico(last))

    @property
    def amount(self) -> int:
        return max(0, self.last + self.steps * (self.last - self.before))

    @property
    def rate(self) -> int | None:
        """None where growth has no percentage."""
        return round(self.last * Fraction(self.last, self.before) ** self.steps) if self.before else None

    @property
    def figures(self) -> list[tuple[Column, Cell]]:
        return [
            (Column("continued_level", "money", title=f"at the level of {self.month:%Y-%m}"), self.last),
            (Column("continued_amount", "money", title="growing in USD as it did"), self.amount),
            (Column("continued_rate", "money", title="growing in percent as it did"), self.rate),
        ]

    @property
    def said(self) -> str:
        earlier = shifted("month", self.month, -1)
        growth = share(self.last - self.before, self.before)
        in_percent = "" if growth is None else f", {growth:+.1%}"
        months = f"{self.steps} month{'s' if self.steps > 1 else ''}"
        return (
            f"a straight continuation of {earlier:%Y-%m} (${rounded(self.before):,}) and {self.month:%Y-%m} "
            f"(${rounded(self.last):,}{in_percent}) for {months} gives ${rounded(self.last):,} at one level, "
            f"${rounded(self.amount):,} with the same growth in USD"
            + ("" if self.rate is None else f", ${rounded(self.rate):,} with the same in percent")
        )
