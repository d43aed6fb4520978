"""``budgets status``: where each budget stands in its current period."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from costctl.analysis.provenance import stamped
from costctl.analysis.questions import QuestionError
from costctl.budgets.model import Budgets
from costctl.budgets.spend import Look, Spent, look
from costctl.money import share
from costctl.periods.zones import instant_at
from costctl.report import Cell, Chart, Column, Report

if TYPE_CHECKING:
    from costctl.currency import Rates
    from costctl.ledger import Ledger

OK, WARNING, CRITICAL, UNKNOWN = "OK", "WARNING", "CRITICAL", "UNKNOWN"

MOST_NOTES = 5
"""Budgets that a note of one kind names; the columns say it of each."""

COLUMNS = (
    Column("budget", "text"),
    Column("scope", "text"),
    Column("period", "text"),
    Column("start", "time", hidden=True),
    Column("end", "time", hidden=True),
    Column("spent", "money"),
    Column("amount", "money", title="budget"),
    Column("share", "percent"),
    Column("forecast", "money"),
    Column("forecast_low", "money", title="at least", wide=True),
    Column("forecast_high", "money", title="at most", wide=True),
    Column("forecast_method", "text", hidden=True),
    Column("days_left", "count", unit="days"),
    Column("safe_daily", "money", title="a day left"),
    Column("status", "text", wide=True),
    Column("threshold", "text", wide=True),
    Column("unpriced_calls", "count", wide=True),
)


def status(
    ledger: Ledger,
    budgets: Budgets,
    now: datetime,
    *,
    zone: ZoneInfo,
    rates: Rates | None = None,
    names: Collection[str] = (),
) -> Report:
    """Spend, amount, forecast and what is left of each budget (or of those called ``names``) as at ``now``.

    ``zone`` is that of budgets that name none. A forecast is of the whole period, in four cases of five
    between low and high; ``days_left`` of a period counts today, and ``safe_daily`` is what may be spent on
    each of them; rolling days have none of these. ``status`` is OK, WARNING, CRITICAL or UNKNOWN, by the
    highest threshold that is reached. Raises :class:`QuestionError` for a name that no budget has, and as
    :func:`costctl.budgets.spend.look`.
    """
    known = [budget.name for budget in budgets.budgets]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise QuestionError(f"there is no budget {name!r}", hint)
    found = look(ledger, budgets, now, zone, rates=rates)
    rows = [each for each in found.spent if not each.late and (not names or each.budget.name in names)]
    # A budget's name says what it is of, unless it is for each of many values.
    hides_scope = not any(each.budget.scope.each for each in rows)
    newest = None if found.newest_us is None else instant_at(found.newest_us).astimezone(zone)
    report = Report(
        command="budgets status",
        title=f"Budgets, {now.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}",
        columns=tuple(
            replace(column, hidden=column.hidden or (column.name == "scope" and hides_scope))
            for column in COLUMNS
        ),
        rows=[_row(each, now) for each in rows],
        complete=not any(each.unpriced_calls for each in rows),
        notes=tuple(_notes(found, rows, newest)),
        charts=(Chart("bar", "share", Decimal(1)),),
        figures={"newest_call": None if newest is None else newest.isoformat(timespec="seconds")},
        figure_columns=(Column("newest_call", "time"),),
    )
    with ledger.reading() as engine:
        return stamped(report, engine)


def standing(spent: Spent) -> tuple[str, str]:
    """How a budget stands, and the highest threshold that it has reached ("" for none)."""
    reached = [
        threshold
        for threshold in spent.budget.thresholds
        if (limit := spent.threshold_pico(threshold)) is not None
        and (value := spent.reached_pico(threshold)) is not None
        and value >= limit
    ]
    name = max(reached, key=lambda each: (each.rank, each.basis == "actual")).name if reached else ""
    if any(threshold.severity == "critical" for threshold in reached):
        return CRITICAL, name
    if spent.unpriced_calls and spent.budget.on_unpriced == "unknown":
        return UNKNOWN, name
    if reached or (spent.unpriced_calls and spent.budget.on_unpriced == "warning"):
        return WARNING, name
    return OK, name


def _row(spent: Spent, now: datetime) -> tuple[Cell, ...]:
    word, threshold = standing(spent)
    forecast = spent.forecast
    days = _days_left(spent, now)
    limit = spent.limit_pico
    safe = None if limit is None or days is None else max(limit - spent.spent_pico, 0) // days
    return (
        spent.budget.name,
        spent.scope_value,
        spent.kind,
        spent.start.isoformat(),
        spent.end.isoformat(),
        spent.spent_pico,
        limit,
        None if limit is None else share(spent.spent_pico, limit),
        None if forecast is None else forecast.value,
        None if forecast is None else forecast.low,
        None if forecast is None else forecast.high,
        None if forecast is None else forecast.method,
        days,
        safe,
        word,
        threshold or None,
        spent.unpriced_calls,
    )


def _days_left(spent: Spent, now: datetime) -> int | None:
    """Days of the period that are left, today included; None of rolling days."""
    if spent.is_rolling:
        return None
    today = now.astimezone(spent.end.tzinfo).date()
    last = (spent.end - timedelta(microseconds=1)).date()
    return (last - today).days + 1


def _notes(found: Look, rows: Sequence[Spent], newest: datetime | None) -> list[str]:
    notes = []
    if newest is None:
        notes.append("the ledger holds no calls")
    elif found.now - newest > timedelta(days=1):
        notes.append(
            f"the newest call is of {newest:%Y-%m-%d %H:%M}: what was spent since is not in the ledger"
        )
    unpriced = [each for each in rows if each.unpriced_calls and each.budget.on_unpriced != "ok"]
    if unpriced:
        what = "calls without a price, so what was spent is a lower bound"
        notes.append(f"{_listed(unpriced)}: {what}")
    if none := [each for each in rows if each.limit_pico is None]:
        notes.append(
            f"{_listed(none)}: no budget, since the period before has no spend, or is not in the ledger"
        )
    if rough := [each for each in rows if each.forecast is not None and each.forecast.is_rough]:
        days = max(each.forecast.days_of_history for each in rough if each.forecast is not None)
        many = "1 day" if days == 1 else f"{days} days"
        notes.append(f"{_listed(rough)}: the forecast is rough, it stands on {many} at most")
    return notes


def _listed(rows: Sequence[Spent]) -> str:
    names = list(dict.fromkeys(" ".join(filter(None, (e.budget.name, e.scope_value))) for e in rows))
    more = f" and {len(names) - MOST_NOTES} more" if len(names) > MOST_NOTES else ""
    return ", ".join(names[:MOST_NOTES]) + more
