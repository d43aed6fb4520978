"""``simulate-router``: what calls would have cost on other models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from costctl import series
from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.dimensions import dimension
from costctl.analysis.grain import grain_of
from costctl.filters import Filter
from costctl.ledger import Ledger
from costctl.money import rounded, share
from costctl.periods import Period
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Column, Report
from costctl.series import Interval
from costctl.series.bootstrap import Day
from costctl.simulate.quality import Judged, QualityTable
from costctl.simulate.router import Router
from costctl.simulate.state import States
from costctl.simulate.techcorp import beside

_DAY_US = 86_400 * 1_000_000
FEW_DAYS = 14
"""Fewer days say little about how sure a saving is."""

_COLUMNS = (
    Column("model", "text"),
    Column("requests_before", "count"),
    Column("requests_after", "count"),
    Column("share_before", "percent", title="of requests"),
    Column("share_after", "percent", title="after"),
    Column("cost_before", "money"),
    Column("cost_after", "money"),
    Column("cost_share_before", "percent", title="of cost"),
    Column("cost_share_after", "percent", title="after"),
    Column("saving", "money", title="less", wide=True),
)
_FIGURES = (
    Column("saving", "money"),
    Column("saving_share", "percent"),
    Column("saving_low", "money", title="saving, 95 % interval from"),
    Column("saving_high", "money", title="to"),
    Column("saving_if_fewer_tokens", "money", title="with 20 % fewer tokens"),
    Column("saving_if_more_tokens", "money", title="with 20 % more tokens"),
    Column("requests_routed", "count"),
    Column("routed_share", "percent"),
    Column("routed_cost_before", "money"),
    Column("routed_cost_after", "money"),
    Column("latency_before", "duration"),
    Column("latency_after", "duration"),
)
_QUALITY_FIGURES = (
    Column("quality_before", "number"),
    Column("quality_after", "number"),
    Column("quality_change", "number"),
    Column("quality_change_low", "number"),
    Column("quality_change_high", "number"),
)


class Group(NamedTuple):
    """Calls with one model before and after, of one task and day, sums of them. Costs in pico-dollars."""

    was_model: str
    model: str
    task: str | None
    day: int
    routed: bool
    """Whether they went to another model, or were tried on one."""
    missed: str | None
    """Why they stayed, where they were to go."""
    tried: str | None
    """The model of a cascade on which they were tried before they were made as before."""
    requests: int
    """An uncounted row is one at least."""
    before: int
    after: int
    paid: int
    """Of ``after``, what the models cost to which they went."""
    cold: int
    """Requests that stayed and lost their cache."""
    latency_before: int
    """Milliseconds, over ``timed`` requests that say how long they took and would have taken."""
    latency_after: int
    timed: int


@dataclass
class Routed:
    """The outcome of one router."""

    states: States
    groups: Sequence[Group]
    quality: QualityTable | None = None

    @property
    def before(self) -> int:
        return sum(group.before for group in self.groups)

    @property
    def after(self) -> int:
        return sum(group.after for group in self.groups)

    @property
    def saving(self) -> int:
        return self.before - self.after

    @property
    def requests(self) -> int:
        return sum(group.requests for group in self.groups)

    @property
    def twice(self) -> int:
        """The requests that are made on two models."""
        return sum(group.requests for group in self.groups if group.tried is not None)

    @property
    def routed(self) -> int:
        return sum(group.requests for group in self.groups if group.routed)

    @property
    def missed(self) -> dict[str, int]:
        """The requests that were to go and stayed, by the reason."""
        found: Counter[str] = Counter()
        for group in self.groups:
            if group.missed is not None:
                found[group.missed] += group.requests
        return dict(sorted(found.items()))

    @property
    def latencies(self) -> tuple[Decimal | None, Decimal | None]:
        """The mean before and after, over the requests of which both are known."""
        timed = sum(group.timed for group in self.groups)
        before, after = (
            sum(getattr(group, name) for group in self.groups) for name in ("latency_before", "latency_after")
        )
        return _mean(before, timed), _mean(after, timed)

    @property
    def judged(self) -> Judged | None:
        """The mean quality before and after; None without a table, or where it says nothing of the calls."""
        if self.quality is None:
            return None
        return self.quality.judge(
            (self.states.book, group.task, group.was_model, group.model, group.day, group.requests)
            for group in self.groups
        )

    @property
    def interval(self) -> Interval | None:
        """Of the saving, over days; None where there are no calls."""
        days = self.days()
        return series.bootstrap(days, lambda sums: sums[0] - sums[1]) if days else None

    def days(self) -> list[Day]:
        """Every day of the span, by its weekday: costs before and after."""
        found: dict[int, list[int]] = {day: [0, 0] for day in self.states.calls.every(dimension("day"))}
        for group in self.groups:
            found[group.day][0] += group.before
            found[group.day][1] += group.after
        return [(weekday(day), (before, after)) for day, (before, after) in sorted(found.items())]


def weekday(day: int) -> int:
    """Of a day's number, as SQL has it: they count from a Monday."""
    return day // _DAY_US % 7


def routed(
    calls: Calls,
    book: PriceBook,
    router: Router,
    quality: QualityTable | None = None,
) -> Routed:
    """What ``router`` does to ``calls``, in one pass over them."""
    by = [dimension("day"), *([dimension(quality.by)] if quality else [])]
    states = States.of(calls, book, [router], by)
    if calls.span is None:
        return Routed(states, (), quality)
    day, _ = dimension("day").sql(calls.engine, calls.span, calls.period.zone)
    task, of_task = (
        dimension(quality.by).sql(calls.engine, calls.span, calls.period.zone) if quality else ("NULL", [])
    )
    money = calls.engine.money_sum
    goes = (
        "changed_1 AND (added_model IS NOT NULL OR model <> was_model "
        "OR provider IS DISTINCT FROM was_provider)"
    )
    requests = "coalesce(was_requests, 1)"
    takes = "CASE WHEN changed_1 THEN TRY(latency_ms * timed) ELSE took_ms END"
    paid = "CASE WHEN added_model IS NULL THEN cost_pico ELSE added_pico END"
    rows = states.rows(
        f"""routed AS (
    SELECT *, ({goes}) AS goes, {takes} AS takes_ms, {task} AS task, {day} AS day FROM state
    WHERE spent_0 IS NOT NULL
)
SELECT was_model, model, task, day, goes, missed_1, added_model,
    sum({requests}), {money("spent_0")}, {money("spent_1")},
    {money(f"CASE WHEN goes THEN {paid} ELSE 0 END")}, sum({requests}) FILTER (WHERE changed_1 AND NOT goes),
    sum(took_ms) FILTER (WHERE takes_ms IS NOT NULL), sum(takes_ms),
    sum(timed) FILTER (WHERE takes_ms IS NOT NULL)
FROM routed GROUP BY was_model, model, task, day, goes, missed_1, added_model""",  # noqa: S608 (constants; values are bound)
        of_task,
    )
    groups = [Group(*row[:7], *(int(each or 0) for each in row[7:])) for row in rows]
    return Routed(states, sorted(groups, key=lambda each: tuple(map(str, each[:7]))), quality)


def simulate_router(
    ledger: Ledger,
    router: Router,
    *,
    book: PriceBook,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    quality: QualityTable | None = None,
) -> Report:
    """What the calls of ``period`` would have cost if ``router`` had sent them, one row a model, before and
    after. ``quality`` is what answers are worth, by task and model.

    Raises :class:`costctl.analysis.QuestionError`, :class:`costctl.filters.FilterError`,
    :class:`costctl.ledger.LedgerError`.
    """
    passed, of_grain = filters_of(where), grain_of(grain)
    with ledger.reading() as engine:
        found = routed(Calls(engine, period, passed, of_grain), book, router, quality)
        return found.states.told(_report(found), [found.missed])


def _report(found: Routed) -> Report:
    requests: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    costs: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for group in found.groups:
        requests[0][group.was_model] += group.requests
        requests[1][group.model] += group.requests
        costs[0][group.was_model] += group.before
        costs[1][group.model] += group.after
        if group.tried is not None:
            requests[1][group.tried] += group.requests
            costs[1][group.tried] += group.paid
            costs[1][group.model] -= group.paid
    models = sorted({*requests[0], *requests[1]}, key=lambda each: (-costs[0][each], -costs[1][each], each))
    rows = [
        _row(
            model,
            (requests[0][model], requests[1][model]),
            (costs[0][model], costs[1][model]),
            found,
        )
        for model in models
    ]
    total = _row("", (found.requests, found.requests + found.twice), (found.before, found.after), found)
    interval, judged = found.interval, found.judged
    figures = _figures(found, interval)
    columns: tuple[Column, ...] = _FIGURES
    if judged is not None:
        columns = (*columns, *_QUALITY_FIGURES)
        figures |= judged.figures()
    case = beside(costs[0])
    return Report(
        command="simulate-router",
        title="What a router would have saved",
        columns=_COLUMNS,
        rows=rows,
        totals=(None, *total[1:]),
        notes=tuple(_notes(found, interval, judged, bool(case))) + case.notes(found.saving),
        figures=figures | case.figures,
        figure_columns=(*columns, *case.columns),
    )


def _row(model: str, requests: tuple[int, int], costs: tuple[int, int], found: Routed) -> tuple[Cell, ...]:
    return (
        model,
        *requests,
        share(requests[0], found.requests),
        share(requests[1], found.requests + found.twice),
        *costs,
        share(costs[0], found.before),
        share(costs[1], found.after),
        costs[0] - costs[1],
    )


def _figures(found: Routed, interval: Interval | None) -> dict[str, Cell]:
    paid = sum(group.paid for group in found.groups)
    fifth = (2 * paid + 5) // 10
    before, after = found.latencies
    return {
        "saving": found.saving,
        "saving_share": share(found.saving, found.before),
        "saving_low": None if interval is None else round(interval.low),
        "saving_high": None if interval is None else round(interval.high),
        "saving_if_fewer_tokens": found.saving + fifth,
        "saving_if_more_tokens": found.saving - fifth,
        "requests_routed": found.routed,
        "routed_share": share(found.routed, found.requests),
        "routed_cost_before": sum(group.before for group in found.groups if group.routed),
        "routed_cost_after": sum(group.after for group in found.groups if group.routed),
        "latency_before": before,
        "latency_after": after,
    }


def _notes(found: Routed, interval: Interval | None, judged: Judged | None, is_case: bool) -> Iterator[str]:
    if found.missed and not found.routed:
        yield "no call is eligible: those that rules fit cannot go, as is said below, so nothing is saved"
    elif not found.routed:
        yield "no call is eligible: no rule fits one that is not on its model already, so nothing is saved"
    else:
        before = sum(group.before for group in found.groups if group.routed)
        after = sum(group.after for group in found.groups if group.routed)
        yield (
            f"{found.routed:,} of {found.requests:,} requests are routed; they cost ${rounded(before):,} and "
            f"would cost ${rounded(after):,}; the saving is in dollars of these calls, not in shares of them"
        )
        yield (
            "if the new models used 20 % fewer or more tokens than is taken, prompts and answers alike, the "
            "routed calls would cost that much less or more"
        )
    if found.twice:
        yield (
            f"requests that are made twice, on the model that is tried and on their own: {found.twice:,}; "
            "both are counted and paid there"
        )
    if cold := sum(group.cold for group in found.groups):
        stay = (
            "request stays on its model, but finds" if cold == 1 else "requests stay on their model, but find"
        )
        lost = sum(group.after - group.before for group in found.groups if not group.routed)
        yield f"{cold:,} {stay} no cache any more, which costs ${rounded(lost):,}"
    if interval is not None and found.routed:
        days = len(found.days())
        yield (
            f"95 % interval of the saving: days drawn again within their weekday, {interval.draws:,} draws, "
            f"seed {interval.seed}"
        )
        if days < FEW_DAYS:
            few = "1 day is" if days == 1 else f"{days} days are"
            yield f"{few} few: the interval says little"
        if interval.holds_zero:
            yield "the interval holds 0: the saving is not significant"
    if found.saving < 0:
        yield f"this router costs more: ${rounded(-found.saving):,}"
    if judged is not None:
        yield from judged.notes()
    elif found.quality is not None:
        yield f"{found.quality.source} knows of no request its task and its models: no quality is measured"
    elif found.routed and not is_case:
        yield "nothing here measures quality: a table of it is given by --quality"


def _mean(total: int, count: int) -> Decimal | None:
    return Decimal(total) / count if count else None
