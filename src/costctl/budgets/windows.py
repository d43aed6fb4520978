"""Which periods of a budget are looked at, and by which days their spend is added up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from costctl.analysis.known import DAY, Known
from costctl.budgets.model import Amount, Budget, is_rolling
from costctl.periods import Period, recurring
from costctl.periods.recurring import days
from costctl.series import MOST_HISTORY

RECENT = timedelta(days=3)
"""For so long after its end the last period is always looked at: it may have been crossed since the last
look."""
LATE = timedelta(days=35)
"""For so long after its end a period is looked at where new calls fell into it."""

MISSING = 10
"""A period of whose days the ledger lacks more than one in so many is not known."""


@dataclass(frozen=True, slots=True)
class Window:
    """A period of ``kind``, the ``back``-th before the current one, with the ``amount`` that holds in it.
    ``first`` is its first day and ``after`` the day after its last, in the budget's zone."""

    kind: str
    back: int
    period: Period
    first: date
    after: date
    amount: Amount
    base: tuple[date, date] | None
    """First day and the day after the last of the period before, of whose spend the amount is a multiple;
    None for a fixed amount, and where the ledger begins too late to know that spend."""


@dataclass(frozen=True)
class Plan:
    """What is asked about a ``budget`` at ``now`` (aware).

    ``known`` says of which days the ledger knows, None where it has no calls: days before and after are not
    known, rather than empty.
    ``changed`` is the time of the first call that has come in late since an earlier look, None without one.
    """

    budget: Budget
    zone: ZoneInfo
    now: datetime
    known: Known | None = None
    changed: datetime | None = None
    forecasts: bool = True

    @cached_property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """By kind, in the budget's order; of each the current period first."""
        return tuple(window for kind in self.budget.kinds for window in self._of_kind(kind))

    def _of_kind(self, kind: str) -> Iterator[Window]:
        back = 0
        while True:
            period, first, after = self._period(kind, back)
            if back and (is_rolling(kind) or self.now - _end(period) > LATE):
                return
            amount = self.budget.amount(kind, self.today if not back else after - DAY)
            if amount is not None and (not back or self._is_late(period, back)):
                base = None if amount.factor_of_last is None else self._base(kind, back + 1)
                yield Window(kind, back, period, first, after, amount, base)
            back += 1

    def _base(self, kind: str, back: int) -> tuple[date, date] | None:
        first, after = days(kind, self.today, self.budget.start_day, back)
        if self.known is None:
            return None
        missing = self.known.first - first
        return None if missing * MISSING > after - first else (first, after)

    def _is_late(self, period: Period, back: int) -> bool:
        recent = back == 1 and self.now - _end(period) <= RECENT
        return recent or (self.changed is not None and _end(period) > self.changed)

    def _period(self, kind: str, back: int) -> tuple[Period, date, date]:
        start_day = self.budget.start_day
        first, after = days(kind, self.today, start_day, back)
        return recurring(kind, self.today, self.zone, start_day, back), first, after

    def before(self, kind: str) -> date:
        """The first day of the period before the current one."""
        return days(kind, self.today, self.budget.start_day, 1)[0]

    @cached_property
    def history(self) -> date | None:
        """From which day on each day is added up for itself; None where nothing is forecast."""
        if self.known is None or not self.forecasts or all(is_rolling(each.kind) for each in self.windows):
            return None
        return self.known.today - MOST_HISTORY * DAY

    @cached_property
    def steps(self) -> tuple[date, ...]:
        """Days at which a new sum begins, ascending; from :attr:`history` on every day is one. The period
        before the current one is always among them: whose spend fell to nothing is still named."""
        steps = {self.history} if self.history else set()
        for window in self.windows:
            steps |= {window.first, *(window.base or ())}
            if not window.back:
                steps.add(self.before(window.kind))
        return tuple(sorted(steps))


def _end(period: Period) -> datetime:
    assert period.end is not None
    return period.end.astimezone(UTC)
