"""Silences: alerts that nobody is to hear of for a while. They are recorded, and the exit code stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costctl.filters import Filter, matches

if TYPE_CHECKING:
    from costctl.budgets.alerts import Key

COLUMNS = ("budget", "scope", "threshold")
"""What the conditions of a silence can name."""


@dataclass(frozen=True, slots=True)
class Silence:
    """From ``starts`` up to ``ends`` (seconds since 1970) nothing is sent of the alerts that pass all of
    ``match``. ``ended_at`` is when and ``ended_by`` who ended it before its time."""

    id: int
    match: tuple[Filter, ...]
    starts: int
    ends: int
    who: str = ""
    created: int = 0
    reason: str = ""
    ended_at: int | None = None
    ended_by: str = ""

    def holds(self, now: int) -> bool:
        """Whether it is in force at ``now``."""
        return self.starts <= now < (self.ends if self.ended_at is None else min(self.ends, self.ended_at))

    def covers(self, budget: str, scope: str, threshold: str) -> bool:
        """Whether it is for this threshold of the budget of that name."""
        row = {"budget": budget, "scope": scope, "threshold": threshold}
        return all(matches(each, row) for each in self.match)


def silenced_by(silences: Iterable[Silence], budget: str, key: Key, now: int) -> Silence | None:
    """The silence that ends last of those that hold at ``now`` for an alert; None if there is none."""
    found = [each for each in silences if each.holds(now) and each.covers(budget, key.scope, key.threshold)]
    return max(found, key=lambda each: (each.ends, each.id), default=None)
