"""Which budgets a call counts towards, and where their limits lie on a day.

An account is a budget for one value of its scope: a budget of ``{team: each}`` has one for every team.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from costctl.budgets.model import Budget, Threshold, is_rolling
from costctl.currency import USD
from costctl.periods import zone as zone_of
from costctl.periods.recurring import days
from costctl.records import BY_PUBLIC

CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Account:
    """``name`` is under which it is counted: another scope or zone makes another. ``label`` is its scope and
    value, ``team=search``, or ""."""

    name: str
    budget: Budget
    label: str
    zone: ZoneInfo

    @property
    def title(self) -> str:
        """For people: the budget, and the value where the budget is for each."""
        return f"{self.budget.name} ({self.label})" if self.budget.scope.each else self.budget.name


class Span(NamedTuple):
    """A period of ``kind`` with the numbers of its first day and of the day after its last, as
    :meth:`datetime.date.toordinal` gives them. Limits are pico-dollars; None is not known here."""

    kind: str
    first: int
    after: int
    limit: int | None
    critical: int | None
    fixed: bool
    """Whether the amount stands in the file, in USD: then the limits are known without the ledger."""

    @property
    def is_rolling(self) -> bool:
        return is_rolling(self.kind)


class Accounts:
    """The accounts of some budgets. ``zone`` is that of budgets that name none."""

    def __init__(self, budgets: tuple[Budget, ...], zone: ZoneInfo) -> None:
        self.budgets = budgets
        self.zone = zone
        self._defined = {budget.name: _definition(budget, zone) for budget in budgets}
        self._spans: dict[tuple[str, int], tuple[Span, ...]] = {}

    def of(self, call: Mapping[str, Any]) -> tuple[Account, ...]:
        """Those that a call counts towards, in the file's order. ``call`` has labels by their public names,
        and ``tags``, a map."""
        return tuple(
            self.account(budget, _label(budget, call)) for budget in self.budgets if budget.admits(call)
        )

    def account(self, budget: Budget, label: str) -> Account:
        """The account of a budget for the scope value ``label``."""
        zone = zone_of(budget.zone) if budget.zone else self.zone
        return Account(f"{budget.name}\n{self._defined[budget.name]}\n{label}", budget, label, zone)

    def has(self, name: str) -> bool:
        """Whether the account of that name is of one of these budgets."""
        budget, defined, _ = name.split("\n", 2)
        return self._defined.get(budget) == defined

    def spans(self, budget: Budget, day: int) -> tuple[Span, ...]:
        """The periods of a budget's amounts that hold the day of that number."""
        key = (budget.name, day)
        if key not in self._spans:
            if len(self._spans) > 4 * len(self.budgets):
                self._spans.clear()  # days that are over
            self._spans[key] = tuple(_spans(budget, date.fromordinal(day)))
        return self._spans[key]


def call_of(
    team: str | None = None,
    project: str | None = None,
    user: str | None = None,
    agent: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    tags: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """What is said of a call, by the public names of its labels, in the texts that the ledger has of them."""
    said = {
        "team": team,
        "project": project,
        "user": user,
        "agent": agent,
        "model": model,
        "provider": provider,
    }
    call: dict[str, Any] = {name: _text(value) for name, value in said.items() if value is not None}
    if tags:
        call["tags"] = {name: _text(value) for name, value in tags.items() if value is not None}
    return call


def _text(value: object) -> str:
    """A label as the call log and the ledger have it: no half characters, and 42 is "42"."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def critical(budget: Budget) -> Threshold | None:
    """The threshold of actual spend from which on a budget slows down: the one of that name, else the lowest
    that is critical."""
    actual = [each for each in budget.thresholds if each.basis == "actual"]
    named = [each for each in actual if each.name == CRITICAL]
    return next(iter(named or [each for each in actual if each.severity == CRITICAL]), None)


def _spans(budget: Budget, day: date) -> list[Span]:
    found = []
    for kind in budget.kinds:
        amount = budget.amount(kind, day)
        if amount is None:
            continue
        first, after = days(kind, day, budget.start_day)
        fixed = amount.pico is not None and budget.currency == USD
        threshold = critical(budget)
        limit = amount.pico if fixed else None
        slow = threshold.limit_pico(limit) if threshold and limit is not None else None
        found.append(Span(kind, first.toordinal(), after.toordinal(), limit, slow, fixed))
    return found


def _label(budget: Budget, call: Mapping[str, Any]) -> str:
    if not budget.scope.each:
        return budget.scope.label
    column = budget.scope.column
    if column.startswith("tag:"):
        value = call["tags"][column[4:]]
    else:
        value = call.get(column) or call[BY_PUBLIC[column].name]
    return f"{column}={value}"


def _definition(budget: Budget, zone: ZoneInfo) -> str:
    """What tells apart budgets of one name that count other calls or other days."""
    parts = [
        repr((budget.scope.column, budget.scope.values, budget.scope.each)),
        *(str(each) for each in budget.where),
        budget.zone or zone.key,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
