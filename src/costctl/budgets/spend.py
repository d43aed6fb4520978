"""What was spent of each budget: always asked of the ledger, never counted up beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from costctl.budgets.model import Budget, Threshold, is_rolling
from costctl.series import Forecast

__all__ = ["Look", "Spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent of a ``budget`` in a period of ``kind``, [start, end) (aware), up to the look's time.

    ``scope_value`` is ``team=search``, or "" for every call. ``late`` is a period that was over by then.
    Money is in pico-dollars.
    """

    budget: Budget
    scope_value: str
    kind: str
    start: datetime
    end: datetime
    spent_pico: int
    """Of the calls that have a price: with ``unpriced_calls`` a lower bound."""
    limit_pico: int | None
    """The amount for the whole period; None where there is none: it is a multiple of the period before, in
    which nothing was spent."""
    forecast: Forecast | None = None
    """Of the whole period. None for a late one, rolling days, and without any whole day of history."""
    unpriced_calls: int = 0
    late: bool = False

    @property
    def is_rolling(self) -> bool:
        """Whether this is the last N days: it begins anew with each day, but is one and the same period for
        alerts, which end only when the spend falls below."""
        return is_rolling(self.kind)

    def threshold_pico(self, threshold: Threshold) -> int | None:
        """Where ``threshold`` lies; None where a share of an unknown amount is meant."""
        if self.limit_pico is None and threshold.pico is None:
            return None
        return threshold.limit_pico(self.limit_pico or 0)

    def reached_pico(self, threshold: Threshold) -> int | None:
        """What ``threshold`` looks at: the spend, or its forecast; None where there is no forecast, or it
        stands on too short a history."""
        if threshold.basis == "actual":
            return self.spent_pico
        if self.forecast is None or self.forecast.days_of_history < threshold.min_history_days:
            return None
        return self.forecast.value


@dataclass(frozen=True, slots=True)
class Look:
    """All budgets at one moment and one state of the ledger, in the file's order; of a budget the values of
    its scope by name, of each its kinds, of each the periods from the current one back."""

    ledger_id: str
    commit: int
    """The number of the ledger's last commit: a look at a lower one is older."""
    newest_us: int | None
    """When the newest call began, in microseconds since 1970 (UTC); None where there is none. Calls after
    the look's time do not count."""
    as_of: str | None
    """The time of the ledger's last commit, in ISO 8601."""
    now: datetime
    spent: tuple[Spent, ...]
