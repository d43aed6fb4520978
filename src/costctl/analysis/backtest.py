"""How good forecasts would have been in the months that the ledger knows, and which method is the best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from costctl.analysis.calls import Calls, Sums, filters_of
from costctl.analysis.daily import Days, costs, daily
from costctl.analysis.dimensions import title
from costctl.analysis.forecast import labels
from costctl.analysis.grain import grain_of
from costctl.analysis.known import DAY, known
from costctl.analysis.provenance import with_provenance
from costctl.analysis.questions import QuestionError
from costctl.filters import Filter
from costctl.money import share
from costctl.periods import Period, day_start
from costctl.report import Cell, Column, Report
from costctl.series import METHODS, MOST_HISTORY, ORIGINS, Trial
from costctl.series import backtest as backtest_series

if TYPE_CHECKING:
    from costctl.ledger import Ledger

_YEAR = 366

_COLUMNS = (
    Column("method", "text"),
    Column("best", "text"),
    *(Column(f"wape_day_{days}", "percent", title=f"day {days}") for days in ORIGINS),
    Column("wape", "percent", title="all days"),
    Column("bias", "percent"),
    Column("coverage", "percent"),
    Column("pinball", "percent", wide=True),
    Column("forecasts", "count", wide=True),
)

_NOTES = (
    "day 3 to all days: by how much forecasts of a month's total missed, made when so many of its days were "
    "known: the sum of what they missed by as a share of the sum of the totals (WAPE)",
    "bias: the same with its sign, above 0 where forecasts were too high; coverage: how many totals lay "
    "between at least and at most (meant are 80 %); best: the least pinball loss of the quantiles 0.1, "
    "0.5 and 0.9, and --method takes it",
)

_NO_MONTH = ("a backtest needs a whole month of the calendar in which such calls cost something",)


def backtest(
    ledger: Ledger,
    by: str | Iterable[str] = (),
    *,
    zone: ZoneInfo,
    now: datetime,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    top: int | None = None,
) -> Report:
    """Forecasts of the last twelve whole months (of ``zone``) until ``now`` (aware), by each method of
    :data:`costctl.series.METHODS`, one row each, for each combination of ``by``.

    ``wape_day_3`` and so on: of those made when three days of the month were known; ``wape`` of all of them,
    as are ``bias``, ``coverage`` and ``pinball``, and ``forecasts``, how many. They stand on what was known
    on those days. ``best`` is "true" for the method with the least pinball loss. ``top``: the so many
    combinations that cost most. Raises :class:`QuestionError`, :class:`costctl.filters.FilterError`,
    :class:`costctl.ledger.LedgerError`.
    """
    asked, passed, of_grain = labels(by), filters_of(where), grain_of(grain)
    if top is not None and top < 1:
        raise QuestionError(f"the top {top} are none", "ask for one at least")
    with ledger.reading() as engine:
        until = known(engine, now, zone)
        first = None if until is None else max(until.first, until.today - (_YEAR + MOST_HISTORY) * DAY)
        start = None if first is None else day_start(first, zone)
        end = None if until is None else day_start(until.today, zone)
        calls = Calls(engine, Period(start, end, zone, "" if until else "all time"), passed, of_grain)
        rows: list[tuple[Cell, ...]] = []
        if until is not None and first is not None and first < until.today:
            (groups,) = daily(calls, (asked,))
            keys = sorted(groups, key=lambda key: (-_total(groups[key]), str(key)))
            for key in keys[:top]:
                names = [each.label(value) for each, value in zip(asked, key, strict=True)]
                trials = backtest_series(costs(groups[key], first, until.today), first)
                rows += ((*names, *cells) for cells in _scored(trials))
        report = Report(
            command="forecast",
            title=title("Backtest of forecasts", asked),
            columns=(*(each.column for each in asked), *_COLUMNS),
            rows=rows,
            notes=_NOTES if rows else _NO_MONTH,
        )
        return with_provenance(report, calls, calls.sums().get((), Sums()))


def _scored(trials: Sequence[Trial]) -> Iterable[tuple[Cell, ...]]:
    """A row of each method that has trials."""
    found = []
    for method in METHODS:
        of_method = [each for each in trials if each.method == method]
        actual = sum(each.actual for each in of_method)
        if not actual:
            continue
        wapes = [_wape([each for each in of_method if each.days == days]) for days in ORIGINS]
        bias = share(sum(each.error for each in of_method), actual)
        coverage = share(sum(each.is_inside for each in of_method), len(of_method))
        pinball = share(sum(each.pinball for each in of_method), 30 * actual)
        figures = (*wapes, _wape(of_method), bias, coverage, pinball, len(of_method))
        found.append((method, figures, pinball or Decimal(0)))
    best = min(found, key=lambda each: each[2], default=None)
    for each in found:
        yield (each[0], "true" if each is best else "false", *each[1])


def _wape(trials: Sequence[Trial]) -> Decimal | None:
    return share(sum(abs(each.error) for each in trials), sum(each.actual for each in trials))


def _total(days: Days) -> int:
    return sum(each.cost for each in days.values())
