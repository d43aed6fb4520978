"""What a budgets.yaml says, as plain values: who may spend how much in which periods, and who is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from costctl.documents import Secret
from costctl.filters import Filter, Pattern, Wild, matches

__all__ = [
    "Amount",
    "Basis",
    "Budget",
    "Budgets",
    "ChannelSettings",
    "OnUnpriced",
    "Scope",
    "Secret",
    "Severity",
    "Threshold",
    "is_rolling",
]

Basis = Literal["actual", "forecast"]
OnUnpriced = Literal["ok", "warning", "unknown"]
Severity = Literal["warning", "critical"]


@dataclass(frozen=True, slots=True)
class Scope:
    """The calls of a budget: those whose ``column`` (a public name or ``tag:NAME``; "" is every call) has one
    of ``values``, together. A value may be a glob, a backslash makes its ``*`` or ``?`` literal, and "" is
    the unknown one. With ``each`` instead, every value that occurs has the budget for itself; calls without
    a value belong to none of these.
    """

    column: str = ""
    values: tuple[str, ...] = ()
    each: bool = False

    @property
    def filters(self) -> tuple[Filter, ...]:
        """A call is in scope if it passes any of these."""
        if not self.column:
            return ()
        if self.each:
            return (Filter(self.column, "=", ((),), negated=True),)
        patterns = [_pattern(value) for value in self.values]
        exact = tuple(each for each in patterns if not any(isinstance(part, Wild) for part in each))
        globs = tuple(each for each in patterns if each not in exact)
        found = (Filter(self.column, "=", exact), Filter(self.column, "~", globs))
        return tuple(each for each in found if each.patterns)

    @property
    def label(self) -> str:
        """``team=search``, ``team=search,ads``; "" for every call and for ``each``, whose values say it."""
        return "" if self.each or not self.column else f"{self.column}={','.join(self.values)}"

    def admits(self, call: Mapping[str, Any]) -> bool:
        """Whether ``call`` (see :func:`costctl.filters.matches`) is in scope."""
        return not self.column or any(matches(each, call) for each in self.filters)


@dataclass(frozen=True, slots=True)
class Amount:
    """What may be spent in a period: ``pico`` pico-units of the budget's currency, or ``factor_of_last``
    times what was spent in the period before; one of the two is None. Of several amounts of one kind, the
    latest whose ``since`` has come holds; None is from ever.
    """

    kind: str
    """``day``, ``week``, ``month``, ``quarter``, ``year``, or rolling days as ``30d``: those until today."""
    pico: int | None = None
    factor_of_last: Decimal | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit that speaks when the spend (or its forecast, by ``basis``) reaches it: ``share`` of the amount,
    or ``pico`` pico-units of the budget's currency; one of the two is None.

    ``rank`` orders a budget's thresholds, from 0 for the lowest; two that lie at the same limit, one on
    actual spend and one on the forecast, have the same. A forecast speaks only once it stands on
    ``min_history_days``.
    """

    name: str
    rank: int
    share: Decimal | None = None
    pico: int | None = None
    basis: Basis = "actual"
    min_history_days: int = 0
    severity: Severity = "warning"

    def limit_pico(self, amount_pico: int) -> int:
        """Where it lies for an amount, in the same pico-units: the spend has reached it at this or more."""
        if self.pico is not None:
            return self.pico
        assert self.share is not None
        above, below = self.share.as_integer_ratio()
        return -(-amount_pico * above // below)


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as written. ``zone`` None is the report's own; ``line`` is where its entry begins."""

    name: str
    scope: Scope
    where: tuple[Filter, ...] = ()
    """Conditions that calls in scope have to pass as well."""
    amounts: tuple[Amount, ...] = ()
    zone: str | None = None
    start_day: int = 1
    """On which day of the month its months (and so quarters and years) begin; in a month that is too short,
    on its last."""
    thresholds: tuple[Threshold, ...] = ()
    """By rank, ascending."""
    auto_throttle: bool = True
    throttle_rate: Decimal = Decimal("0.5")
    channels: tuple[str, ...] = ()
    on_unpriced: OnUnpriced = "warning"
    """What calls in scope without a price mean, which make the spend a lower bound: nothing, a warning, or
    that the budget's state is unknown."""
    repeat_interval: timedelta | None = None
    send_resolved: bool = False
    formerly: str = ""
    """A name that it had before, under which its alerts are known."""
    currency: str = "USD"
    line: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its amounts, each once, in the file's order."""
        return tuple(dict.fromkeys(amount.kind for amount in self.amounts))

    def amount(self, kind: str, day: date) -> Amount | None:
        """The amount of that kind that holds on ``day``; None where none does yet."""
        begun = [a for a in self.amounts if a.kind == kind and (a.since is None or a.since <= day)]
        return max(begun, key=lambda each: each.since or date.min, default=None)

    def admits(self, call: Mapping[str, Any]) -> bool:
        """Whether ``call`` (see :func:`costctl.filters.matches`) counts towards it."""
        return self.scope.admits(call) and all(matches(each, call) for each in self.where)


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """A channel as written: ``settings`` are its keys but ``type``; those that are secret are
    :class:`Secret`."""

    name: str
    type: str
    settings: Mapping[str, object] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Budgets:
    """What the file ``path`` says. ``fingerprint`` is a hash of its bytes, ``mtime_ns`` when it was last
    changed."""

    path: Path
    budgets: tuple[Budget, ...]
    channels: Mapping[str, ChannelSettings] = field(default_factory=dict)
    fingerprint: str = ""
    mtime_ns: int = 0

    def budget(self, name: str) -> Budget | None:
        """The budget of that name."""
        return next((each for each in self.budgets if each.name == name), None)


def is_rolling(kind: str) -> bool:
    """Whether periods of this kind are the last N days, which begin anew with every day and never end."""
    return kind[:1].isdigit()


_PIECE = re.compile(r"\\[*?\\]|.", re.DOTALL)


def _pattern(value: str) -> Pattern:
    parts: list[str | Wild] = []
    for piece in _PIECE.findall(value):
        if piece in ("*", "?"):
            if piece == "?" or parts[-1:] != [Wild.ANY]:
                parts.append(Wild(piece))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += piece[-1]
        else:
            parts.append(piece[-1])
    return tuple(parts)
