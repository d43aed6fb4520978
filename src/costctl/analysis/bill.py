"""The invoice of a month by model, beside the month before it and against a budget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from costctl.analysis.calls import Calls, Sums, filters_of, merged
from costctl.analysis.dimensions import dimension
from costctl.analysis.grain import grain_of
from costctl.analysis.measures import Group, measures
from costctl.analysis.provenance import unpriced_of, with_provenance
from costctl.analysis.questions import QuestionError
from costctl.filters import Filter
from costctl.money import share, to_pico
from costctl.periods import Period, calendar_period, period
from costctl.report import Cell, Chart, Column, Report, Unpriced

if TYPE_CHECKING:
    from costctl.ledger import Ledger

MONTHS = 12


def bill(
    ledger: Ledger,
    *,
    month: str,
    zone: ZoneInfo,
    now: datetime | None = None,
    where: Iterable[str | Filter] = (),
    budget: Decimal | int | None = None,
    grain: str = "auto",
) -> Report:
    """What each model cost in ``month`` (``2024-10``, ``last-month``; of ``zone``) and in the month before.

    Figures: ``month_before`` (its cost), ``growth`` over it (a fraction, None where it cost nothing),
    ``annualised`` (12 times the month) and, with a ``budget`` in USD, ``budget``, ``over_budget`` (money,
    negative below it) and ``overrun`` (``over_budget`` as a fraction of the budget). A model used in either
    month has a row. What says that calls have no price speaks of both months. ``grain``: which of calls and
    buckets count (:mod:`costctl.analysis.grain`). Raises :class:`QuestionError`
    for a budget that is not above 0, :class:`costctl.periods.PeriodError`,
    :class:`costctl.filters.FilterError`, :class:`costctl.ledger.LedgerError`.
    """
    limit = None if budget is None else _limit(budget)
    this = period(month=month, zone=zone, now=now or datetime.now(UTC))
    last = _before(this)
    by, passed, of_grain = (dimension("model"),), filters_of(where), grain_of(grain)
    with ledger.reading() as engine:
        calls, earlier = (Calls(engine, each, passed, of_grain) for each in (this, last))
        sums = {str(key[0]): each for key, each in calls.sums(by).items()}
        before = {str(key[0]): each for key, each in earlier.sums(by).items()}
        whole, whole_before = merged(sums.values()), merged(before.values())
        figures = _figures(whole.cost, whole_before.cost, limit)
        models = sorted({*sums, *before}, key=lambda model: (-sums.get(model, Sums()).cost, model))
        shown = measures(("cost", "share", "requests", "total_input_tokens", "output_tokens"))

        def row(of: Sums, of_before: Sums) -> tuple[Cell, ...]:
            cost, part, *rest = (measure.value(Group(of, whole.cost)) for measure in shown)
            return cost, part, of_before.cost, _growth(of.cost, of_before.cost), *rest

        cost, part, requests, *tokens = (measure.column(True) for measure in shown)
        report = Report(
            command="bill",
            title="Bill",
            columns=(
                Column("model", "text"),
                cost,
                part,
                Column("month_before", "money", title=last.label),
                Column("growth", "percent"),
                requests,
                *(replace(column, wide=True) for column in tokens),
            ),
            rows=[(model, *row(sums.get(model, Sums()), before.get(model, Sums()))) for model in models],
            totals=(None, *row(whole, whole_before)),
            charts=(Chart("bar", "share"),),
            figures={column.name: value for column, value in figures},
            figure_columns=tuple(column for column, _ in figures),
        )
        report = with_provenance(report, calls, whole)
        unpriced = _both(report.unpriced, unpriced_of(earlier, whole_before))
        return replace(report, unpriced=unpriced, complete=report.complete and not whole_before.unpriced_rows)


def _figures(cost: int, before: int, limit: int | None) -> list[tuple[Column, Cell]]:
    figures: list[tuple[Column, Cell]] = [
        (Column("month_before", "money"), before),
        (Column("growth", "percent"), _growth(cost, before)),
        (Column("annualised", "money"), cost * MONTHS),
    ]
    if limit is not None:
        figures += [
            (Column("budget", "money"), limit),
            (Column("over_budget", "money"), cost - limit),
            (Column("overrun", "percent"), share(cost - limit, limit)),
        ]
    return figures


def _growth(cost: int, before: int) -> Decimal | None:
    return share(cost - before, before)


def _before(month: Period) -> Period:
    assert month.start is not None
    day = month.start.astimezone(month.zone).date() - timedelta(days=1)
    return calendar_period("month", day, month.zone)


def _limit(budget: Decimal | int) -> int:
    try:
        limit = to_pico(budget)
    except ValueError as error:
        raise QuestionError(f"budget: {error}") from None
    if limit <= 0:
        raise QuestionError(f"a budget of {budget} USD is none", "give one above 0")
    return limit


def _both(one: Unpriced, other: Unpriced) -> Unpriced:
    models = tuple(sorted({*one.models, *other.models}))
    return Unpriced(one.calls + other.calls, one.tokens + other.tokens, models)
