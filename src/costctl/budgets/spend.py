"""What was spent of each budget: always asked of the ledger, never counted up beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from costctl.analysis.known import known as known_of
from costctl.analysis.to_come import to_come
from costctl.budgets.model import Budget, Budgets, Threshold, is_rolling
from costctl.budgets.sums import Sum, sums
from costctl.budgets.windows import Plan, Window
from costctl.currency import USD, CurrencyError, Rates
from costctl.ledger import late
from costctl.periods import zone as zone_of
from costctl.periods.zones import instant_at, microseconds
from costctl.series import Forecast

if TYPE_CHECKING:
    from costctl.ledger import Engine, Ledger

__all__ = ["Look", "Spent", "look"]


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
    which nothing was spent, or which is not in the ledger."""
    forecast: Forecast | None = None
    """Of the whole period. None for a late one, rolling days, and without any whole day of history."""
    unpriced_calls: int = 0
    late: bool = False
    per_usd: Decimal = Decimal(1)
    """What one USD is of the budget's currency: the rate of the period's first day."""

    @property
    def is_rolling(self) -> bool:
        """Whether this is the last N days: it begins anew with each day, but is one and the same period for
        alerts, which end only when the spend falls below."""
        return is_rolling(self.kind)

    def threshold_pico(self, threshold: Threshold) -> int | None:
        """Where ``threshold`` lies; None where a share of an unknown amount is meant."""
        if self.limit_pico is None and threshold.pico is None:
            return None
        if threshold.pico is not None:
            return _in_usd(threshold.pico, self.per_usd)
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


def look(
    ledger: Ledger,
    budgets: Budgets,
    now: datetime,
    zone: ZoneInfo | None = None,
    *,
    rates: Rates | None = None,
    forecasts: bool = True,
    known: datetime | None = None,
) -> Look:
    """What was spent of each budget until ``now`` (aware), in one pass over the ledger.

    Of each kind of period the current one, and the one before it for three days after its end; with
    ``known``, the time of the commit that an earlier look saw (its ``as_of``), also those of the last 35
    days into which late calls may have come since. Calls and buckets count as in every report
    (:mod:`costctl.analysis.grain`). ``zone`` is that of budgets that name none, by default the machine's;
    ``rates`` are needed for budgets in another currency than USD. Raises
    :class:`costctl.ledger.LedgerError`, :class:`costctl.currency.CurrencyError`,
    :class:`costctl.periods.PeriodError`.
    """
    zone = zone or zone_of()
    with ledger.reading() as engine:
        meta: dict[str, str] = dict(engine.rows("SELECT key, value FROM meta"))
        newest = _newest(engine, now)
        first = None if known is None else late.since(engine, known)
        changed = None if first is None else instant_at(first)
        zones = [zone_of(each.zone) if each.zone else zone for each in budgets.budgets]
        until = {each.key: known_of(engine, now, each) for each in zones}
        plans = [
            Plan(budget, each, now, until[each.key], changed, forecasts)
            for budget, each in zip(budgets.budgets, zones, strict=True)
        ]
        found = sums(engine, plans)
    spent = [
        spent
        for plan, of_values in zip(plans, found, strict=True)
        for spent in _spent(plan, of_values, rates)
    ]
    return Look(
        str(meta["ledger_id"]), int(meta["commit"]), newest, meta.get("last_commit"), now, tuple(spent)
    )


def _newest(engine: Engine, now: datetime) -> int | None:
    """When the last call began until ``now``."""
    ((last,),) = engine.rows(
        "SELECT epoch_us(max(ts)) FROM calls WHERE epoch_us(ts) <= ?", [microseconds(now)]
    )
    return None if last is None else int(last)


def _spent(plan: Plan, of_values: Mapping[str, Mapping[date, Sum]], rates: Rates | None) -> Iterator[Spent]:
    budget = plan.budget
    values = sorted(of_values) if budget.scope.each else [""]
    for value in values:
        days = of_values.get(value, {})
        label = f"{budget.scope.column}={value}" if budget.scope.each else budget.scope.label
        for window in plan.windows:
            if budget.scope.each and not _is_named(plan, window, days):
                continue
            whole = _added(days, window.first, window.after)
            per_usd = _rate(budget, window, rates)
            assert window.period.start is not None
            assert window.period.end is not None
            yield Spent(
                budget=budget,
                scope_value=label,
                kind=window.kind,
                start=window.period.start.astimezone(plan.zone),
                end=window.period.end.astimezone(plan.zone),
                spent_pico=whole.cost,
                limit_pico=_limit(window, days, per_usd),
                forecast=None if window.back else _forecast(plan, window, days),
                unpriced_calls=whole.unpriced,
                late=bool(window.back),
                per_usd=per_usd,
            )


def _is_named(plan: Plan, window: Window, days: Mapping[date, Sum]) -> bool:
    """Whether a value has calls in the period; for the current one, or in the one before it."""
    first = window.first
    if not window.back:
        first = plan.before(window.kind)
    return any(first <= day < window.after for day in days)


def _added(days: Mapping[date, Sum], first: date, after: date) -> Sum:
    within = [each for day, each in days.items() if first <= day < after]
    return Sum(sum(each.cost for each in within), sum(each.unpriced for each in within))


def _limit(window: Window, days: Mapping[date, Sum], per_usd: Decimal) -> int | None:
    if window.amount.pico is not None:
        return _in_usd(window.amount.pico, per_usd)
    if window.base is None or window.amount.factor_of_last is None:
        return None
    last = _added(days, *window.base).cost
    return round(last * Fraction(window.amount.factor_of_last)) or None


def _forecast(plan: Plan, window: Window, days: Mapping[date, Sum]) -> Forecast | None:
    if plan.known is None or plan.history is None or is_rolling(window.kind):
        return None
    return to_come(days, plan.known, window.first, window.after)


def _rate(budget: Budget, window: Window, rates: Rates | None) -> Decimal:
    if budget.currency == USD:
        return Decimal(1)
    if rates is None:
        message = f"the budget {budget.name!r} is in {budget.currency}, and there are no rates"
        raise CurrencyError(message, "they stand in a currency.yaml beside costctl.yaml")
    return rates.on(budget.currency, window.first).per_usd


def _in_usd(pico: int, per_usd: Decimal) -> int:
    return round(Fraction(pico) / Fraction(per_usd))
