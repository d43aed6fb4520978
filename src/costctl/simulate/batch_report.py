"""``simulate-batch``: what calls that could have waited would have cost in batches, within three bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.dimensions import Dimension, Key, dimensions, title
from costctl.analysis.grain import grain_of
from costctl.filters import Filter
from costctl.money import share
from costctl.periods import Period, bucket
from costctl.pricing.book import PriceBook
from costctl.records import INPUT_TOKENS
from costctl.report import Cell, Chart, Column, Report
from costctl.simulate.batch import BYTES_PER_TOKEN, CACHES, LIMITS, Batch, Limits
from costctl.simulate.before_after import BeforeAfter, Group, figures, keys_of, notes, sums
from costctl.simulate.state import States
from costctl.simulate.trim import PROMPT
from costctl.simulate.waiting import BOUNDS, Bound

if TYPE_CHECKING:
    from costctl.ledger import Ledger

COMMAND = "simulate-batch"

_COSTS = ("cost_before", "cost_after", "saving", "saving_share")
_BY = ("requests_before", "changed", *_COSTS)
_MEANING = {
    "tagged": "rules say that they can wait",
    "likely": "also bursts and nights, alone in their session",
    "maximum": "also every other call alone in its session",
}


def simulate_batch(
    ledger: Ledger,
    lever: Batch,
    by: str | Iterable[str] = (),
    *,
    book: PriceBook,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
) -> Report:
    """What the calls cost and would have cost in batches: a row for each bound, or, with ``by`` (labels,
    ``tag:NAME``, units of time), a row for each combination within the bound of ``lever``. Figures are of the
    lever's bound: the saving, also if batches read nothing from caches or write them for an hour, and the
    hits that calls lose which stay.

    Raises :class:`QuestionError`, FilterError and LedgerError.
    """
    asked, of_grain = dimensions(by), grain_of(grain)
    with ledger.reading() as engine:
        calls = Calls(engine, period, filters_of(where), of_grain)
        states = States.of(calls, book, [lever])
        found = _Found.of(states, asked)
        report = _by(found.of_groups, lever.bound) if asked else _bounds(states, lever, found)
        said = list(_figures(states, lever, found))
        report = replace(
            report,
            figures={column.name: value for column, value in said},
            figure_columns=tuple(column for column, _ in said),
            notes=(
                *notes(found.whole, f"batch ({lever.bound})"),
                *(report.notes if not asked else _limits(found.providers)),
                *_without_session(calls),
            ),
        )
        return states.told(report, [found.missed])


@dataclass(frozen=True, slots=True)
class _Found:
    """What one pass over a state finds: sums over groups of calls; those that go into batches, into how many
    at least (one or more for each day of the period's zone and each model, by the limits of its provider), of
    which providers, and whether they have cached tokens; hits that calls lose which stay, and what that costs
    (pico-dollars); and why calls were left that were to go."""

    of_groups: BeforeAfter
    batched: int
    batches: int
    providers: frozenset[str]
    cached: bool
    hits: int
    hits_cost: int
    missed: Mapping[str, int]

    @property
    def whole(self) -> Group:
        return self.of_groups.whole

    @classmethod
    def of(cls, states: States, by: Sequence[Dimension] = ()) -> _Found:
        calls = states.calls
        keys, parameters = keys_of(calls, by)
        money, day = calls.engine.money_sum, "0"
        if calls.span:
            day = bucket("day", *calls.span, calls.period.zone)
        goes = "changed_1 AND mode = 'batch' AND coalesce(was_mode, 'standard') <> 'batch'"
        cools = "changed_1 AND coalesce(mode, 'standard') = coalesce(was_mode, 'standard')"
        requests = "coalesce(was_requests, 1)"
        columns = [
            *keys,
            "was_provider",
            "was_model",
            f"{day} AS day",
            "missed_1",
            f"sum({requests}) FILTER (WHERE missed_1 IS NOT NULL)",
            f"sum({requests}) FILTER (WHERE {goes})",
            f"sum({PROMPT}) FILTER (WHERE {goes})",
            f"sum({_CACHED}) FILTER (WHERE {goes})",
            f"sum({requests}) FILTER (WHERE {cools})",
            money(f"CASE WHEN {cools} THEN spent_1 - spent_0 END"),
            *sums(calls.engine, 1),
        ]
        batched, batches, cached, hits, hits_cost = 0, 0, 0, 0, 0
        providers: set[str] = set()
        missed: Counter[str] = Counter()
        groups: dict[Key, Group] = {}
        select = f"SELECT {', '.join(columns)} FROM state GROUP BY ALL ORDER BY ALL"  # noqa: S608 (constants)
        for row in states.rows(select, parameters):
            key, (provider, model, _, reason, left, *figures_of) = tuple(row[: len(by)]), row[len(by) :]
            of_day, tokens, with_cache, cooled, cost = (int(each or 0) for each in figures_of[:5])
            groups[key] = groups.get(key, Group()).with_(Group(*map(int, figures_of[5:])))
            if reason:
                missed[reason] += int(left)
            if of_day:
                seller = _seller(states.book, provider, model)
                providers.add(seller)
                batched += of_day
                batches += _count(LIMITS.get(seller, Limits(None, None)), of_day, tokens)
            cached, hits, hits_cost = cached + with_cache, hits + cooled, hits_cost + cost
        found = BeforeAfter.of_groups(by, groups)
        return cls(found, batched, batches, frozenset(providers), cached > 0, hits, hits_cost, missed)


_CACHED = " + ".join(f"coalesce(was_{name}, 0)" for name in INPUT_TOKENS[1:])


def _count(limits: Limits, requests: int, tokens: int) -> int:
    """How many batches so many requests with so many tokens of prompts take at least."""
    parts = [(requests, limits.requests), (tokens * BYTES_PER_TOKEN, limits.bytes)]
    return max([1, *(-(-count // limit) for count, limit in parts if limit)])


def _by(found: BeforeAfter, bound: Bound) -> Report:
    return Report(
        command=COMMAND,
        title=title(f"What batches would have saved ({bound} calls)", found.by),
        columns=found.columns(_BY),
        rows=found.rows(_BY),
        totals=found.totals(_BY),
        charts=(Chart("bar", "saving"),) if found.whole.saving > 0 else (),
    )


def _bounds(states: States, lever: Batch, of_lever: _Found) -> Report:
    rows: list[tuple[Cell, ...]] = []
    providers: set[str] = set()
    for bound in BOUNDS:
        found = of_lever
        if bound != lever.bound:
            found = _Found.of(States.of(states.calls, states.book, [replace(lever, bound=bound)]))
        providers |= found.providers
        part = share(found.batched, found.whole.requests_before)
        costs = figures(found.whole, _COSTS)
        rows.append((bound, _MEANING[bound], found.batched, part, found.batches, *costs))
    return Report(
        command=COMMAND,
        title="What batches would have saved",
        columns=(
            Column("bound", "text"),
            Column("calls_that", "text", title="calls", wide=True),
            Column("batched", "count", title="calls in batches"),
            Column("batched_share", "percent", title="of all"),
            Column("batches", "count"),
            Column("cost_before", "money"),
            Column("cost_after", "money"),
            Column("saving", "money"),
            Column("saving_share", "percent", title="saved"),
        ),
        rows=rows,
        charts=(Chart("bar", "saving_share", full=1),) if of_lever.whole.cost_before > 0 else (),
        notes=(*_other_bounds(lever), *_limits(providers)),
    )


def _other_bounds(lever: Batch) -> Iterator[str]:
    """What is assumed of the bounds beyond the lever's own, which says that itself."""
    own = lever.waiting.assumptions(lever.bound)
    yield from (f"batch: {each}" for each in lever.waiting.assumptions("maximum") if each not in own)


def _seller(book: PriceBook, provider: str | None, model: str) -> str:
    if provider:
        return book.provider(provider)
    match = book.resolve(None, model)
    return match.provider if match else ""


def _limits(providers: Iterable[str]) -> Iterator[str]:
    said = []
    for name in sorted(providers):
        limits = LIMITS.get(name)
        if limits is None:
            said.append(f"{name or 'unknown providers'} not known")
            continue
        requests = [f"{limits.requests:,} requests"] if limits.requests else []
        size = [f"{limits.bytes // 10**6:,} MB"] if limits.bytes else []
        said.append(f"{name} {' or '.join(requests + size)}")
    if said:
        yield (
            f"batches: at least so many, of one day and model each, by what one may hold ({'; '.join(said)}; "
            f"about {BYTES_PER_TOKEN} bytes a token)"
        )


def _without_session(calls: Calls) -> Iterator[str]:
    _, condition, parameters = calls.selection(())
    counted = "coalesce(sum(coalesce(requests, 1)) FILTER (WHERE {}), 0)"
    counts = [counted.format("grain = 'call' AND session IS NULL"), counted.format("grain = 'bucket'")]
    ((single, buckets),) = calls.engine.rows(
        f"SELECT {', '.join(counts)} FROM calls WHERE {condition}",  # noqa: S608 (constants)
        parameters,
    )
    if single:
        name = "call names" if single == 1 else "calls name"
        yield f"{int(single):,} {name} no session: what follows on them is not known"
    if buckets:
        yield f"{int(buckets):,} calls are in buckets of usage reports: only a rule says that they can wait"


def _figures(states: States, lever: Batch, found: _Found) -> Iterator[tuple[Column, Cell]]:
    whole = found.whole
    yield Column("bound", "text", hidden=True), lever.bound
    yield Column("cost_before", "money", hidden=True), whole.cost_before
    yield Column("cost_after", "money", hidden=True), whole.cost_after
    yield Column("saving", "money", title=f"saving ({lever.bound})"), whole.saving
    titles = {"kept": "if hits are kept", "lost": "if none is hit", "hour": "if written for an hour"}
    for cache in CACHES:
        saving = whole.saving
        if found.cached and cache != lever.cache:
            before, after = States.of(states.calls, states.book, [replace(lever, cache=cache)]).costs()
            saving = before - after
        yield Column(f"saving_cache_{cache}", "money", title=titles[cache], hidden=not found.cached), saving
    unseen = not found.hits
    yield Column("lost_hits", "count", title="hits that calls lose which stay", hidden=unseen), found.hits
    yield Column("lost_hits_cost", "money", title="which costs", hidden=unseen), found.hits_cost
