"""The main question: what calls cost, and everything else that is measured of them, by anything.

Order: units of time ascend, within them the greatest cost comes first; equal rows stand in the order of their
names, unknown ones last. Time alone shows empty hours, days, weeks or months too, from the period's start to
its end as far as the ledger has calls: before its first call and after its last nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from costctl.analysis.calls import Calls, Sums, filters_of, merged
from costctl.analysis.dimensions import Dimension, Key, dimensions, other, title
from costctl.analysis.grain import grain_of
from costctl.analysis.measures import BY_NAME, MEASURES, P95, Group, Measure, measures
from costctl.analysis.percentiles import latencies, rest_latency
from costctl.analysis.pivot import pivoted
from costctl.analysis.provenance import with_provenance
from costctl.analysis.questions import QuestionError, unknown
from costctl.filters import Filter
from costctl.periods import Period
from costctl.report import Cell, Chart, Report

if TYPE_CHECKING:
    from costctl.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Order:
    """By which column rows are sorted, a dimension or a measure."""

    column: str
    descending: bool


def summary(
    ledger: Ledger,
    by: str | Iterable[str] = ("team",),
    *,
    period: Period,
    where: Iterable[str | Filter] = (),
    columns: Iterable[str] | None = None,
    omit: Iterable[str] = (),
    top: int | None = None,
    sort: str | None = None,
    pivot: bool = False,
    grain: str = "auto",
) -> Report:
    """The measures of the calls of ``period``, one row for each combination of ``by``; of all, where ``by``
    is empty.

    ``by``: labels, ``tag:NAME``, ``hour``, ``day``, ``week``, ``month`` (in the period's zone); a text has
    them between commas. ``where``: filters that all have to pass (:mod:`costctl.filters`). ``columns``: the
    measures to show, in that order; None is every one but those in ``omit`` (a table without room for
    ``p95_latency_ms`` need not wait for it). ``sort``: a dimension or measure, with ``:asc`` or ``:desc``
    after it; figures descend by themselves, names and times ascend. ``top``: as many rows, the first by
    ``sort`` (by cost, if it is not given), and one more for the rest. ``pivot``: time downwards, the other
    of two dimensions to the right, the one measure of ``columns`` (cost) in the cells. ``grain``: which of
    calls and buckets count (:mod:`costctl.analysis.grain`).

    Shares are of the cost of all rows. Raises :class:`QuestionError`, :class:`costctl.filters.FilterError`,
    :class:`costctl.ledger.LedgerError`.
    """
    asked = dimensions(by)
    passed, of_grain = filters_of(where), grain_of(grain)
    if top is not None and top < 1:
        raise QuestionError(f"the top {top} rows are none", "ask for one at least")
    if pivot:
        if sort is not None:
            raise QuestionError("a pivot cannot be sorted", "its rows are in the order of time")
        cells = measures(columns or ("cost",))
        with ledger.reading() as engine:
            return pivoted(Calls(engine, period, passed, of_grain), asked, cells, top)
    shown = measures(columns) if columns is not None else _all_but(omit)
    order = _order(sort, asked, top)
    with ledger.reading() as engine:
        calls = Calls(engine, period, passed, of_grain)
        return _answer(calls, asked, shown, columns is not None, order, top)


def _all_but(omit: Iterable[str]) -> tuple[Measure, ...]:
    left_out = measures(omit)
    return tuple(measure for measure in MEASURES if measure not in left_out)


def _order(sort: str | None, by: Sequence[Dimension], top: int | None) -> Order | None:
    """What ``sort`` says; None is the order that a report has by itself."""
    if sort is None:
        return None if top is None else Order("cost", descending=True)
    names = {each.name for each in by}
    name, _, direction = sort.rpartition(":")
    if sort in names or sort in BY_NAME or direction not in ("asc", "desc"):
        name, direction = sort, ""
    if name not in names and name not in BY_NAME:
        raise unknown("column", name, [*(each.name for each in by), *BY_NAME])
    return Order(name, direction == "desc" if direction else name not in names)


def _answer(
    calls: Calls,
    by: tuple[Dimension, ...],
    shown: tuple[Measure, ...],
    chosen: bool,
    order: Order | None,
    top: int | None,
) -> Report:
    found = calls.sums(by)
    whole = merged(found.values())
    trend = len(by) == 1 and by[0].is_time
    if trend and top is None:
        found = {(moment,): found.get((moment,), Sums()) for moment in calls.every(by[0])}
    percentile = BY_NAME[P95] in shown or (order is not None and order.column == P95)
    p95 = latencies(calls, by) if percentile else {}
    groups = {key: Group(sums, whole.cost, p95.get(key)) for key, sums in found.items()}
    p95_total = (latencies(calls) if by else p95).get(()) if percentile else None
    total = Group(whole, whole.cost, p95_total)
    keys = _sorted(groups, by, order)
    rest = keys[top:] if top is not None else []
    keys = keys[:top]
    rows = [(*_labels(by, key), *_figures(shown, groups[key])) for key in keys]
    if rest:
        p95_rest = rest_latency(calls, by, keys) if percentile else None
        group = Group(merged(groups[key].sums for key in rest), whole.cost, p95_rest)
        rows.append((*other(len(rest), len(by)), *_figures(shown, group)))
    # A trend is one in the order of time only.
    charts = [Chart("spark", "cost")] if trend and order is None else [Chart("bar", "share")]
    names = {measure.name for measure in shown}
    report = Report(
        command="report",
        title=title("Cost", by),
        columns=(*(each.column for each in by), *(measure.column(chosen) for measure in shown)),
        rows=rows,
        totals=(*(None for _ in by), *_figures(shown, total)),
        charts=tuple(chart for chart in charts if chart.column in names),
    )
    return with_provenance(report, calls, whole)


def _labels(by: Sequence[Dimension], key: Key) -> tuple[Cell, ...]:
    return tuple(dimension.label(value) for dimension, value in zip(by, key, strict=True))


def _figures(shown: Iterable[Measure], group: Group) -> tuple[Cell, ...]:
    return tuple(measure.value(group) for measure in shown)


def _sorted(groups: dict[Key, Group], by: Sequence[Dimension], order: Order | None) -> list[Key]:
    """By names first; each further order keeps what was before it among its equals."""
    keys = sorted(groups, key=lambda key: [_ascending(value) for value in key])
    if order is None:
        keys.sort(key=lambda key: -groups[key].sums.cost)
        times = [index for index, dimension in enumerate(by) if dimension.is_time]
        keys.sort(key=lambda key: [_ascending(key[index]) for index in times])
        return keys
    index = next((number for number, each in enumerate(by) if each.name == order.column), None)

    def cell(key: Key) -> int | Decimal | str | None:
        return BY_NAME[order.column].value(groups[key]) if index is None else key[index]

    # Unknown ones come last either way.
    known = [key for key in keys if cell(key) is not None]
    known.sort(key=lambda key: _ascending(cell(key)), reverse=order.descending)
    return known + [key for key in keys if cell(key) is None]


def _ascending(value: int | Decimal | str | None) -> tuple[bool, int | Decimal, str]:
    """Unknown last."""
    if isinstance(value, str):
        return False, 0, value
    return value is None, value or 0, ""
