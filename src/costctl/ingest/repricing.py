"""`reprice`: the one way by which a priced call gets another price, shown before it is done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from costctl.ingest.commit import commit
from costctl.ingest.prices import CallNames, price_again, price_unpriced
from costctl.ingest.tally import subject
from costctl.ledger import Ledger
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.phases import phase
from costctl.pricing import sql
from costctl.pricing.book import PriceBook
from costctl.records import PRICED_TOKENS
from costctl.report import Cell, Column, Report, Span, Unpriced

if TYPE_CHECKING:
    from costctl.ledger import Engine
    from costctl.periods import Period

_COLUMNS = (
    Column("provider", "text"),
    Column("model", "text"),
    Column("calls", "count"),
    Column("newly_priced", "count"),
    Column("cost_before", "money"),
    Column("cost_after", "money"),
    Column("difference", "money"),
)
_FIGURES = (
    Column("calls_repriced", "count"),
    Column("cost_before", "money"),
    Column("cost_after", "money"),
    Column("unpriced_calls", "count"),
)


def reprice(
    ledger: Ledger,
    book: PriceBook,
    *,
    period: Period | None = None,
    unpriced: bool = False,
    apply: bool = False,
) -> Report:
    """What it would change to price the calls of ``period`` (all) by ``book``; or, if ``unpriced``, only
    those without a price. With ``apply`` it is changed.

    One row a provider and model of which calls would cost something else: how many ``calls``, how many of
    them had no price (``newly_priced``), what they cost together before, those counted as 0, and after.
    Greatest difference first. A call that the book cannot price keeps what it had. Figures:
    ``calls_repriced``; ``cost_before`` and ``cost_after`` of all calls of the period; the ``unpriced_calls``
    that are left. Money is in pico-dollars. Raises :class:`costctl.ledger.LedgerMissing` and
    :class:`costctl.ledger.LedgerError`.
    """
    asked = period.sql("c.ts") if period else "TRUE"
    with ledger.reading() as engine:  # a ledger that is not there is not made
        if not apply:
            return _report(engine, book, period, asked, unpriced, apply)
    with ledger.writing() as connection:
        connection.execute("BEGIN")
        report = _report(DuckDBEngine(connection), book, period, asked, unpriced, apply)
        if unpriced:
            price_unpriced(connection, book, asked)
        else:
            price_again(connection, book, asked)
        phase("commit")
        commit(connection, book)
        ledger.checkpoint_if_due(connection)
    return report


class _Change(NamedTuple):
    """What becomes of the calls of one provider and model. Costs are in pico-dollars."""

    provider: str | None
    model: str
    calls: int
    """Those whose cost changes."""
    newly_priced: int
    before: int
    after: int
    relabelled: int
    """Those that keep their cost, under another price row."""
    lost: int
    """Those that keep their price although the book has none for them."""
    unpriced: int
    unpriced_tokens: int

    @property
    def difference(self) -> int:
        return self.after - self.before


_CALLS = "coalesce(c.requests, 1)"
_TOKENS = " + ".join(f"coalesce(c.{column}, 0)" for column in PRICED_TOKENS)
_FIGURE_OF = {
    "calls": "sum(calls) FILTER (WHERE moves)",
    "newly_priced": "sum(calls) FILTER (WHERE moves AND before IS NULL)",
    "before": "sum(before) FILTER (WHERE moves)",
    "after": "sum(after) FILTER (WHERE moves)",
    "relabelled": "sum(calls) FILTER (WHERE after = before AND row_after IS DISTINCT FROM row_before)",
    "lost": "sum(calls) FILTER (WHERE after IS NULL AND before IS NOT NULL)",
    "unpriced": "sum(calls) FILTER (WHERE after IS NULL AND before IS NULL)",
    "unpriced_tokens": "sum(tokens) FILTER (WHERE after IS NULL AND before IS NULL)",
}


def _changes(engine: Engine, book: PriceBook, which: str) -> list[_Change]:
    """What pricing the calls ``c`` of the condition ``which`` by ``book`` does, as the update in
    :mod:`costctl.ingest.prices` will do it."""
    names: list[CallNames] = engine.rows(
        f"SELECT DISTINCT provider, model FROM stored_calls AS c WHERE {which}"
    )
    bound = sql.parameters(book.rows_for(names))
    # An engine's parameters have places, not names; those of both are in the order of the columns.
    relation = re.sub(r"\$\w+", "?", sql.relation())
    figures = ",\n".join(f"CAST(coalesce({each}, 0) AS HUGEINT)" for each in _FIGURE_OF.values())
    rows = engine.rows(
        f"""
        WITH named AS ({relation}),
        priced AS (
            SELECT c.provider, c.model, {_CALLS} AS calls, {_TOKENS} AS tokens,
                c.cost_pico AS before, c.price_id, {sql.cost("c", "p")} AS after, p.content AS row_after
            FROM stored_calls AS c LEFT JOIN named AS p ON {sql.on("c", "p")}
            WHERE {which}
        ),
        compared AS (
            SELECT priced.*, q.content AS row_before,
                after IS NOT NULL AND after IS DISTINCT FROM before AS moves
            FROM priced LEFT JOIN prices AS q ON q.price_id = priced.price_id
        )
        SELECT provider, model, {figures} FROM compared GROUP BY provider, model
        """,
        list(bound.values()),
    )
    changes = [_Change(provider, model, *map(int, counts)) for provider, model, *counts in rows]
    return sorted(changes, key=lambda each: (-abs(each.difference), each.model, each.provider or ""))


def _report(
    engine: Engine, book: PriceBook, period: Period | None, asked: str, unpriced: bool, apply: bool
) -> Report:
    ((before,),) = engine.rows(
        f"SELECT CAST(coalesce(sum(cost_pico), 0) AS HUGEINT) FROM stored_calls AS c WHERE {asked}"
    )
    changes = _changes(engine, book, f"{asked} AND c.cost_pico IS NULL" if unpriced else asked)
    rows: list[tuple[Cell, ...]] = [
        (
            each.provider,
            each.model,
            each.calls,
            each.newly_priced,
            each.before,
            each.after,
            each.difference,
        )
        for each in changes
        if each.calls
    ]
    moved = sum(each.calls for each in changes)
    left = [each for each in changes if each.unpriced]
    figures = (
        moved,
        before,
        before + sum(each.difference for each in changes),
        sum(each.unpriced for each in left),
    )
    ((as_of,),) = engine.rows("SELECT max(value) FROM meta WHERE key = 'last_commit'")
    return Report(
        "reprice",
        "New prices by model" if not unpriced else "Prices for calls that had none",
        _COLUMNS,
        rows,
        totals=(
            None,
            None,
            moved,
            *(
                sum(getattr(each, name) for each in changes)
                for name in ("newly_priced", "before", "after", "difference")
            ),
        ),
        period=Span(*period.isoformat(), period.zone.key, period.label) if period else None,
        complete=not left,
        unpriced=Unpriced(
            sum(each.unpriced for each in left),
            sum(each.unpriced_tokens for each in left),
            tuple(sorted({each.model for each in left})),
        ),
        price_books=book.identifiers,
        notes=_notes(changes, unpriced, apply),
        as_of=as_of,
        figures={column.name: value for column, value in zip(_FIGURES, figures, strict=True)},
        figure_columns=_FIGURES,
    )


def _notes(changes: Sequence[_Change], unpriced: bool, apply: bool) -> tuple[str, ...]:
    notes = []
    moved, relabelled, lost, left = (
        sum(getattr(each, name) for each in changes) for name in ("calls", "relabelled", "lost", "unpriced")
    )
    if lost:
        keep = subject(lost, "call keeps its price, for which", "calls keep their price, for which")
        notes.append(f"{keep} the price books have none now")
    if relabelled:
        keep = subject(relabelled, "call keeps its cost", "calls keep their cost")
        notes.append(f"{keep}, under another price row")
    if left:
        notes.append("`costctl prices check` says why calls have no price")
    calls = subject(moved + relabelled, "call", "calls")
    if apply:
        notes.append("applied" if moved or relabelled else "nothing was to be changed")
    elif moved or relabelled:
        how = "reprice --unpriced" if unpriced else "reprice --apply"
        notes.append(f"nothing is changed yet: `costctl {how}`, with the same options, changes {calls}")
    else:
        notes.append("nothing is to be changed")
    return tuple(notes)
