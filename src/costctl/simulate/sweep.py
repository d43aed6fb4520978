"""The same calls at every quality priority: what is saved, what quality is left, and what is worth choosing.

A row is *efficient* where no other costs less without being worse, or is better without costing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.dimensions import dimension
from costctl.analysis.grain import grain_of
from costctl.filters import Filter
from costctl.ledger import Ledger
from costctl.money import share
from costctl.periods import Period
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Column, Report
from costctl.simulate.quality import Pair, QualityTable
from costctl.simulate.routed import Routed, routed
from costctl.simulate.router import Router, same_model
from costctl.simulate.scheme import ByPolicy, ByTable, Scheme

PRIORITIES: tuple[Decimal, ...] = tuple(Decimal(each) / 20 for each in range(21))
"""0 to 1 by 0.05."""

_COLUMNS = (
    Column("quality_priority", "number"),
    Column("requests_routed", "count"),
    Column("cost_after", "money"),
    Column("saving", "money"),
    Column("saving_share", "percent"),
    Column("quality", "number"),
    Column("latency_after", "duration", wide=True),
    Column("efficient", "text"),
    Column("routing", "text", wide=True),
)
_PAIR_COLUMNS = (
    Column("weak", "text"),
    Column("strong", "text"),
    Column("quality_weak", "number"),
    Column("quality_strong", "number"),
    Column("apgr", "number", title="APGR, at best"),
    Column("cpt_50", "percent", title="CPT(50 %), at best"),
    Column("cpt_80", "percent", title="CPT(80 %), at best"),
)


class _Point(NamedTuple):
    priority: Decimal
    found: Routed
    quality: Decimal | None


def sweep(
    ledger: Ledger,
    scheme: Scheme,
    *,
    book: PriceBook,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    quality: QualityTable | None = None,
) -> Report:
    """What ``scheme`` saves at each of :data:`PRIORITIES`, and by a table of quality, what share of a
    stronger model's quality its tasks would keep at best. Another scheme is judged by ``quality``.

    Raises :class:`costctl.analysis.QuestionError`, :class:`costctl.filters.FilterError`,
    :class:`costctl.ledger.LedgerError`.
    """
    passed, of_grain = filters_of(where), grain_of(grain)
    table = scheme.table if isinstance(scheme, ByTable) else quality
    with ledger.reading() as engine:
        calls = Calls(engine, period, passed, of_grain)
        done: dict[tuple[str, ...], Routed] = {}
        points = []
        for priority in PRIORITIES:
            router = scheme.router(priority)
            targets = tuple(rule.to for rule in router.rules)
            if targets not in done:
                done[targets] = routed(calls, book, router, table)
            found = done[targets]
            points.append(_Point(priority, found, _quality(found, scheme)))
        report = _report(points, _pair(calls, book, scheme))
        told = points[-1].found.states.told(report, [points[-1].found.missed])
        # What the routers have in common is told once; how they differ is in the rows.
        last, *others = [found.states.levers[0].assumptions() for found in reversed(done.values())]
        differing = {each for each in last if not all(each in other for other in others)}
        return replace(told, notes=tuple(each for each in told.notes if each not in differing))


def _report(points: list[_Point], pair: dict[str, Cell]) -> Report:
    efficient = [_is_efficient(point, points) for point in points]
    rows: list[tuple[Cell, ...]] = [
        (
            point.priority,
            point.found.routed,
            point.found.after,
            point.found.saving,
            share(point.found.saving, point.found.before),
            point.quality,
            point.found.latencies[1],
            "yes" if best else "",
            _routing(point.found.states.levers[0]),
        )
        for point, best in zip(points, efficient, strict=True)
    ]
    return Report(
        command="simulate-router",
        title="What a router would have saved, by quality priority",
        columns=_COLUMNS,
        rows=rows,
        notes=tuple(_notes(points, pair)),
        figures=pair,
        figure_columns=_PAIR_COLUMNS if pair else (),
    )


def _notes(points: list[_Point], pair: dict[str, Cell]) -> Iterator[str]:
    if all(point.found.quality is None for point in points):
        yield (
            "quality is the mean capability that the policy states for the models of the requests "
            "afterwards; nothing here measures it"
        )
    elif judged := points[0].found.judged:
        yield from list(judged.notes())[:1]
    elif table := points[0].found.quality:
        yield f"{table.source} knows of no request its task and its models: no quality is measured"
    if not any(point.found.routed for point in points):
        yield "no call is eligible at any quality priority, so nothing is saved"
    yield "efficient: no other row costs less without being worse, or is better without costing more"
    if pair:
        yield (
            "APGR and CPT are of a router that sends the tasks that gain most to the strong model first; "
            "one that does not know the answers stays below"
        )


def _is_efficient(point: _Point, points: list[_Point]) -> bool:
    if point.quality is None:
        return point.found.after == min(each.found.after for each in points)
    here = (point.found.after, -point.quality)
    others = ((each.found.after, -(each.quality or 0)) for each in points)
    return not any(each != here and each[0] <= here[0] and each[1] <= here[1] for each in others)


def _routing(router: object) -> str:
    assert isinstance(router, Router)
    return "; ".join(f"{' and '.join(map(str, rule.where))}: {rule.to}" for rule in router.rules)


def _quality(found: Routed, scheme: Scheme) -> Decimal | None:
    """The mean quality of the requests afterwards: the table's, or the capability that the policy states."""
    if found.quality is not None:
        judged = found.judged
        return None if judged is None else Decimal(str(judged.figures()["quality_after"]))
    assert isinstance(scheme, ByPolicy)
    capabilities = {profile.model: profile.capability for profile in scheme.base.models}
    known = [
        (capabilities[group.model] * group.requests, group.requests)
        for group in found.groups
        if group.model in capabilities
    ]
    requests = sum(count for _, count in known)
    total = sum((worth for worth, _ in known), Decimal(0))
    return (total / requests).quantize(Decimal("0.0001")) if requests else None


def _pair(calls: Calls, book: PriceBook, scheme: Scheme) -> dict[str, Cell]:
    """Of the cheapest and the best model of the table, over the tasks as often as they are asked."""
    if not isinstance(scheme, ByTable) or calls.span is None:
        return {}
    table = scheme.table
    asked = {key[0]: sums.requests for key, sums in calls.sums([dimension(table.by)]).items()}
    tasks = {task: row for task, row in table.tasks.items() if asked.get(task)}
    models = [model for model in table.models if all(model in row for row in tasks.values())]
    if not tasks or len(models) < 2:
        return {}

    def worth(model: str) -> Fraction:
        return sum((Fraction(row[model]) * asked[task] for task, row in tasks.items()), Fraction(0))

    weak = min(models, key=lambda model: (scheme.multipliers[model], model))
    strong = max(models, key=lambda model: (worth(model), -scheme.multipliers[model]))
    pair = Pair.of((row[weak], row[strong], asked[task]) for task, row in tasks.items())
    if same_model(book, (None, weak), (None, strong)) or pair.strong <= pair.weak:
        return {}
    figures = (pair.weak, pair.strong, pair.apgr, pair.cpt(Fraction(1, 2)), pair.cpt(Fraction(4, 5)))
    return {
        "weak": weak,
        "strong": strong,
        **{column.name: _decimal(figure) for column, figure in zip(_PAIR_COLUMNS[2:], figures, strict=True)},
    }


def _decimal(number: Fraction | None) -> Decimal | None:
    if number is None:
        return None
    return (Decimal(number.numerator) / number.denominator).quantize(Decimal("0.000001"))
