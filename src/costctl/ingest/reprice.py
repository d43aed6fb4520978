"""`reprice`: the one way by which a priced call gets another price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costctl.ingest.commit import commit
from costctl.ingest.prices import price_again, price_unpriced
from costctl.ingest.tally import subject
from costctl.ledger import Ledger
from costctl.ledger.phases import phase
from costctl.pricing.book import PriceBook
from costctl.report import Column, Outcome

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def reprice(ledger: Ledger, book: PriceBook, *, unpriced: bool = False, dry_run: bool = False) -> Outcome:
    """Price every call by ``book``; or, if ``unpriced``, only those without a price.

    A call that the book cannot price keeps what it had. ``dry_run`` says what would change. Figures:
    ``calls_repriced``, ``cost_before``, ``cost_after`` (pico-dollars), ``unpriced_calls`` that are left.
    Raises :class:`LedgerMissing` and :class:`LedgerError`.
    """
    with ledger.reading():
        pass  # a ledger that is not there is not made
    with ledger.writing() as connection:
        connection.execute("BEGIN")
        before, _ = _costs(connection)
        moved = price_unpriced(connection, book) if unpriced else price_again(connection, book)
        after, left = _costs(connection)
        if dry_run:
            connection.execute("ROLLBACK")
        else:
            phase("commit")
            commit(connection, book)
            ledger.checkpoint_if_due(connection)
    notes = ["dry run: the ledger is as it was"] if dry_run else []
    if left:
        calls = subject(left, "call has", "calls have")
        notes.append(f"{calls} no price: `costctl prices check` says why")
    return Outcome(
        "reprice",
        (
            Column("calls_repriced", "count"),
            Column("cost_before", "money"),
            Column("cost_after", "money"),
            Column("unpriced_calls", "count"),
        ),
        (moved, before, after, left),
        tuple(notes),
    )


def _costs(connection: DuckDBPyConnection) -> tuple[int, int]:
    """The cost of all priced calls, and the number of the others."""
    row = connection.execute(
        "SELECT CAST(coalesce(sum(cost_pico), 0) AS HUGEINT), count(*) FILTER (cost_pico IS NULL) "
        "FROM stored_calls"
    ).fetchone() or (0, 0)
    return int(row[0]), int(row[1])
