"""``simulate-batch``: what calls that could have waited would have cost in batches, within three bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.dimensions import Dimension, dimensions, title
from costctl.analysis.grain import grain_of
from costctl.filters import Filter
from costctl.money import share
from costctl.periods import Period, bucket
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Chart, Column, Report
from costctl.simulate.batch import BYTES_PER_TOKEN, CACHES, LIMITS, Batch, Limits
from costctl.simulate.before_after import BeforeAfter, figures
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
        found = BeforeAfter.of(states, asked)
        report = _by(found, asked, lever.bound) if asked else _bounds(states, lever, found)
        said = list(_figures(states, lever, found))
        return states.told(
            replace(
                report,
                figures={column.name: value for column, value in said},
                figure_columns=tuple(column for column, _ in said),
                notes=(*found.notes(f"batch ({lever.bound})"), *report.notes, *_without_session(states)),
            )
        )


def _by(found: BeforeAfter, by: tuple[Dimension, ...], bound: Bound) -> Report:
    return Report(
        command=COMMAND,
        title=title(f"What batches would have saved ({bound} calls)", by),
        columns=found.columns(_BY),
        rows=found.rows(_BY),
        totals=found.totals(_BY),
        charts=(Chart("bar", "saving"),) if found.whole.saving > 0 else (),
    )


def _bounds(states: States, lever: Batch, found: BeforeAfter) -> Report:
    rows: list[tuple[Cell, ...]] = []
    providers: set[str] = set()
    for bound in BOUNDS:
        if bound != lever.bound:
            its = States.of(states.calls, states.book, [replace(lever, bound=bound)])
            whole = BeforeAfter.of(its).whole
        else:
            its, whole = states, found.whole
        requests, batches, of = _batches(its)
        providers |= of
        part = share(requests, whole.requests_before)
        rows.append((bound, _MEANING[bound], requests, part, batches, *figures(whole, _COSTS)))
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
        charts=(Chart("bar", "saving_share", full=1),) if found.whole.cost_before > 0 else (),
        notes=tuple(_limits(providers)),
    )


def _batches(states: States) -> tuple[int, int, set[str]]:
    """How many calls go into batches, into how many at least (one or more for each day of the period's zone
    and model, by the limits of its provider), and of which providers."""
    calls = states.calls
    day = bucket("day", *calls.span, calls.period.zone) if calls.span else "0"
    rows = states.rows(
        f"SELECT was_provider, was_model, {day} AS day, sum(coalesce(was_requests, 1)), sum({PROMPT})\n"
        "FROM state WHERE changed_1 AND mode = 'batch' AND coalesce(was_mode, 'standard') <> 'batch'\n"
        "GROUP BY ALL"
    )
    requests, batches, providers = 0, 0, Counter[str]()
    for provider, model, _, of_day, tokens in rows:
        seller = _seller(states.book, provider, model)
        limits = LIMITS.get(seller, Limits(None, None))
        parts = [(int(of_day), limits.requests), (int(tokens) * BYTES_PER_TOKEN, limits.bytes)]
        batches += max([1, *(-(-count // limit) for count, limit in parts if limit)])
        requests += int(of_day)
        providers[seller] += int(of_day)
    return requests, batches, set(providers)


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


def _without_session(states: States) -> Iterator[str]:
    counted = "sum(coalesce(was_requests, 1)) FILTER (WHERE {})"
    session, bucketed = "grain = 'call' AND session IS NULL", "grain = 'bucket'"
    ((calls, buckets),) = states.rows(
        f"SELECT coalesce({counted.format(session)}, 0), coalesce({counted.format(bucketed)}, 0) FROM state"  # noqa: S608
    )
    if calls:
        are = "call names" if calls == 1 else "calls name"
        yield f"{int(calls):,} {are} no session: what follows on them is not known"
    if buckets:
        yield f"{int(buckets):,} calls are in buckets of usage reports: only a rule says that they can wait"


def _figures(states: States, lever: Batch, found: BeforeAfter) -> Iterator[tuple[Column, Cell]]:
    whole = found.whole
    yield Column("bound", "text", hidden=True), lever.bound
    yield Column("cost_before", "money", hidden=True), whole.cost_before
    yield Column("cost_after", "money", hidden=True), whole.cost_after
    yield Column("saving", "money", title=f"saving ({lever.bound})"), whole.saving
    cached = bool(
        states.rows(
            "SELECT 1 FROM state WHERE changed_1 AND mode = 'batch' AND coalesce(was_cache_read_tokens, 0) "
            "+ coalesce(was_cache_write_5m_tokens, 0) + coalesce(was_cache_write_1h_tokens, 0) > 0 LIMIT 1"
        )
    )
    titles = {"kept": "if hits are kept", "lost": "if none is hit", "hour": "if written for an hour"}
    for cache in CACHES:
        saving = whole.saving
        if cached and cache != lever.cache:
            before, after = States.of(states.calls, states.book, [replace(lever, cache=cache)]).costs()
            saving = before - after
        yield Column(f"saving_cache_{cache}", "money", title=titles[cache], hidden=not cached), saving
    money = states.calls.engine.money_sum
    cooled = "changed_1 AND coalesce(mode, 'standard') = coalesce(was_mode, 'standard')"
    ((hits, cost),) = states.rows(
        f"SELECT coalesce(sum(coalesce(was_requests, 1)) FILTER (WHERE {cooled}), 0), "  # noqa: S608 (constants)
        f"coalesce({money(f'CASE WHEN {cooled} THEN spent_1 - spent_0 END')}, 0) FROM state"
    )
    yield Column("lost_hits", "count", title="hits that calls lose which stay", hidden=not hits), int(hits)
    yield Column("lost_hits_cost", "money", title="which costs", hidden=not hits), int(cost)
