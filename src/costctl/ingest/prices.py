"""Prices for the names at hand, in the ledger and beside the calls that they are for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from costctl.pricing import sql
from costctl.pricing.book import PriceBook

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CallNames = tuple[str | None, str]
"""A call's provider (None: not stated) and model, in its source's words."""

_CONTENT = ", ".join(name for name, _ in sql.CONTENT)

_KEEP_NEW_ROWS = f"""
INSERT INTO prices (price_id, {_CONTENT})
SELECT
    (SELECT coalesce(max(price_id), 0) FROM prices)
        + row_number() OVER (ORDER BY provider, model, content) AS price_id,
    {_CONTENT}
FROM (SELECT DISTINCT ON (content) {_CONTENT} FROM named ORDER BY content)
WHERE content NOT IN (SELECT content FROM prices)
"""

_PRICED = """
CREATE OR REPLACE TEMP TABLE priced AS
SELECT named.*, prices.price_id
FROM named JOIN prices USING (content)
"""

_UNPRICED = "c.cost_pico IS NULL"


def name_prices(connection: DuckDBPyConnection, book: PriceBook, names: Iterable[CallNames]) -> None:
    """Make the temporary table ``priced`` with the price rows of ``names``; ``prices`` keeps each."""
    relation = sql.relation()
    parameters = sql.parameters(book.rows_for(names))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE named AS {relation}", parameters)
    connection.execute(_KEEP_NEW_ROWS)
    connection.execute(_PRICED)


def price_unpriced(connection: DuckDBPyConnection, book: PriceBook, which: str = "TRUE") -> int:
    """Price the calls that had no price, where the book has one now; how many that were. ``which`` is a
    condition on the calls ``c``, made of our own words."""
    which = f"{which} AND {_UNPRICED}"
    names = _names(connection, which)
    if not any(book.resolve(*each) for each in names):
        return 0
    return _price(connection, book, names, which)


def price_again(connection: DuckDBPyConnection, book: PriceBook, which: str = "TRUE") -> int:
    """Price every call as the book says now; how many moved. What the book cannot price stays as it is."""
    return _price(connection, book, _names(connection, which), which)


def _names(connection: DuckDBPyConnection, which: str) -> list[CallNames]:
    names: list[CallNames] = connection.execute(
        f"SELECT DISTINCT provider, model FROM stored_calls AS c WHERE {which}"
    ).fetchall()
    return names


def _price(connection: DuckDBPyConnection, book: PriceBook, names: Iterable[CallNames], which: str) -> int:
    name_prices(connection, book, names)
    update = f"""
        UPDATE stored_calls SET cost_pico = found.cost_pico, price_id = found.price_id
        FROM (
            SELECT c.rowid AS place, p.price_id, {sql.cost("c", "p")} AS cost_pico
            FROM stored_calls AS c JOIN priced AS p ON {sql.on("c", "p")}
            WHERE {which}
        ) AS found
        WHERE stored_calls.rowid = found.place
            AND (found.cost_pico IS NOT NULL OR stored_calls.cost_pico IS NULL)
            AND (stored_calls.cost_pico IS DISTINCT FROM found.cost_pico
                OR stored_calls.price_id IS DISTINCT FROM found.price_id)
    """
    (count,) = connection.execute(update).fetchone() or (0,)
    return int(count)
