"""The end of every change: its number, its time and the price books that were in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from costctl.ledger import late

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from costctl.pricing.book import PriceBook


def commit(
    connection: DuckDBPyConnection, book: PriceBook | None = None, first_us: int | None = None
) -> None:
    """Commit the open transaction and write down in ``meta`` when it was, by which ``book`` it priced, and
    whether it brings late calls: ``first_us`` is when the first of the new ones began."""
    connection.execute(
        "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS VARCHAR) WHERE key = 'commit'"
    )
    _set(connection, "last_commit", "strftime(make_timestamp(epoch_us(now())), '%Y-%m-%dT%H:%M:%S.%fZ')")
    if first_us is not None:
        late.note(connection, first_us)
    if book is not None:
        _set(connection, "price_books", "CAST($value AS VARCHAR)", {"value": books(book)})
    connection.execute("COMMIT")


def books(book: PriceBook) -> str:
    """The identifiers of the price books as ``meta`` keeps them."""
    return json.dumps(list(book.identifiers))


def _set(connection: DuckDBPyConnection, key: str, value: str, bound: dict[str, str] | None = None) -> None:
    connection.execute("DELETE FROM meta WHERE key = $key", {"key": key})
    connection.execute(f"INSERT INTO meta VALUES ($key, {value})", {"key": key, **(bound or {})})
