"""Judged rows into the table of calls: keyed, priced, and folded where many lines tell of one call.

Rows that a batch adds are those above the greatest row number before it. Until the batch is done, a bad line
is a row of grain ``reject`` with its reason as ``error_type``: a second table would cost a second pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.formats import Format
from costctl.ingest.lines import Reading, beginnings
from costctl.ingest.prices import CallNames, name_prices
from costctl.ingest.relation import COLUMNS, Relation, call_names, judged, name_type, set_zone, take_memory
from costctl.ingest.sources import Given
from costctl.ledger.schema import STORED
from costctl.pricing import sql
from costctl.pricing.book import PriceBook
from costctl.records import MAX_TOKENS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ODD = "CAST(1 AS UHUGEINT)"
_EVEN = "CAST(340282366920938463463374607431768211454 AS UHUGEINT)"


def key_of_id(text: str) -> str:
    """SQL for the key of a call whose source gives it an id, in its name space. Such keys are even."""
    return f"CAST(md5_number({text}) & {_EVEN} AS UUID)"


def key_of_content(text: str) -> str:
    """SQL for the key of a line without an id, by its content. Such keys are odd."""
    return f"CAST(md5_number({text}) | {_ODD} AS UUID)"


def has_no_id(key: str) -> str:
    """SQL for whether a call's key is of a line without an id."""
    return f"CAST({key} AS UHUGEINT) & {_ODD} = {_ODD}"


def last_row(connection: DuckDBPyConnection) -> int:
    """The greatest row number of the calls; -1 where there are none."""
    (row,) = connection.execute("SELECT coalesce(max(rowid), -1) FROM stored_calls").fetchone() or (-1,)
    return int(row)


def insert(
    connection: DuckDBPyConnection,
    format: Format,
    readings: Sequence[tuple[int, Reading]],
    given: Given,
    book: PriceBook,
    spill: Path,
) -> None:
    """Add the rows of some files of one format, shape and packing: a row a call, or a row a bad line."""
    set_zone(connection, given)
    name_type(connection, format)
    make_room(connection, format, readings)
    relation = judged(format, readings, given)
    if format.repeats:
        _stage(connection, relation)
        names, tell_of_more = _staged_names(connection)
        if format.further and tell_of_more:
            _stage_further(connection, format)
            names, _ = _staged_names(connection)
        name_prices(connection, book, names)
        connection.execute(
            _INSERT.format(key="c.call_key", ts="c.first_ts", version_ts=_VERSION_TS, rows=_FOLDED)
        )
        connection.execute("DROP TABLE staged")
    else:
        name_prices(connection, book, _names_at_the_beginning(connection, format, readings, given, spill))
        insert_each(connection, relation)


def make_room(
    connection: DuckDBPyConnection, format: Format, readings: Sequence[tuple[int, Reading]]
) -> None:
    """Let DuckDB have the memory for all lines of a batch, for rows in their order, or for large documents,
    of which each becomes many rows."""
    if format.repeats or format.in_order or format.rows != "raw" or readings[0][1].shape != "jsonl":
        take_memory(connection)


def insert_each(connection: DuckDBPyConnection, relation: Relation) -> None:
    """Add each judged row as a call, at the price that the table ``priced`` has for it."""
    key = f"CASE WHEN c.id IS NULL THEN {key_of_content('c.content')} ELSE {key_of_id('c.id')} END"
    statement = _INSERT.format(key=key, ts="c.ts", version_ts="NULL", rows=relation.sql)
    connection.execute(statement, dict(relation.parameters))


def _names_at_the_beginning(
    connection: DuckDBPyConnection,
    format: Format,
    readings: Sequence[tuple[int, Reading]],
    given: Given,
    spill: Path,
) -> list[CallNames]:
    """The models at the beginnings of the files: nearly always all of them. What is left is priced after."""
    lines = readings[0][1].shape == "jsonl" and not format.in_order
    first = beginnings((reading for _, reading in readings), spill) if lines else None
    relation = call_names(format, [(0, first)] if first else readings, given)
    names = connection.execute(
        "SELECT DISTINCT provider, model "
        f"FROM (\n{relation.sql}\nLIMIT {_FIRST_ROWS}) WHERE model IS NOT NULL",
        dict(relation.parameters),
    ).fetchall()
    if first:
        first.path.unlink()
    return [(provider, model) for provider, model in names]


_FIRST_ROWS = 20_000


def _stage(connection: DuckDBPyConnection, relation: Relation) -> None:
    """The table ``staged``: judged rows with their keys."""
    key = f"CASE WHEN id IS NULL THEN {key_of_content('content')} ELSE {key_of_id('id')} END"
    columns = ", ".join(COLUMNS)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE staged AS "
        f"SELECT {key} AS call_key, source_id, reason, extra, "
        "CASE WHEN extra IS NOT NULL THEN coalesce(id, md5(content)) END AS extra_id, "
        f"{columns} "
        f"FROM (\n{relation.sql}\n)",
        dict(relation.parameters),
    )


def _staged_names(connection: DuckDBPyConnection) -> tuple[list[CallNames], bool]:
    """The models of the good rows, and whether a row tells of further calls."""
    found = connection.execute(
        "SELECT provider, model, count(extra) > 0 FROM staged WHERE reason IS NULL GROUP BY provider, model"
    ).fetchall()
    return [(provider, model) for provider, model, _ in found], any(more for _, _, more in found)


def _stage_further(connection: DuckDBPyConnection, format: Format) -> None:
    """Add the further calls that staged rows tell of."""
    connection.execute(
        f"INSERT INTO staged SELECT * REPLACE ({key_of_id('extra_id')} AS call_key) FROM ({format.further})"
    )


_Terms = tuple[tuple[str, str], ...]
"""What rows are ordered by: SQL, and its direction in words of DuckDB's."""

_UP, _DOWN, _UP_FROM_NULL = "ASC NULLS LAST", "DESC NULLS LAST", "ASC NULLS FIRST"


def _rank(row: str) -> _Terms:
    total = " + ".join(
        f"coalesce({row}.{column}, 0)"
        for column in ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    )
    return (
        (f"coalesce({row}.replay, FALSE)", _UP),
        (f"{row}.output_tokens", _DOWN),
        (f"{total} + coalesce({row}.output_tokens, 0)", _DOWN),
        (f"coalesce({row}.cache_write_1h_tokens, 0)", _DOWN),
        (f"{row}.ts", _UP),
        (f"{row}.session", _UP_FROM_NULL),
    )


def _tie(row: str) -> _Terms:
    labels = ("team", "project", "user_id", "agent", "tags", "billing")
    return (*((f"{row}.{name}", _UP) for name in labels), (content_hash(row), _UP))


def _order_by(terms: _Terms) -> str:
    return ", ".join(f"{term} {direction}" for term, direction in terms)


def rank(row: str) -> str:
    """ORDER BY terms that put the version of a call that stays first, if :func:`tie` follows them. Only
    content counts, never arrival. Of equal counts those are more complete that tell which of what was written
    to the cache lasts an hour: a gateway may not know."""
    return _order_by(_rank(row))


def tie(row: str) -> str:
    """ORDER BY terms for versions of one :func:`rank`: of equal files that were read with different flags one
    gives all the labels, the one that has some."""
    return _order_by(_tie(row))


def _place_in_order(row: str) -> str:
    """SQL for one value that is least for the version that :func:`rank` and :func:`tie` put first."""
    terms = (*_rank(row), *_tie(row), (f"{row}.rowid", _UP))
    directed = ", ".join(f"{term}, '{direction}'" for term, direction in terms)
    return f"create_sort_key({directed})"


_HASHED = tuple(column for column in COLUMNS if column != "ts")


def content_hash(row: str) -> str:
    """SQL for a hash of all that a version says, its time apart."""
    return f"hash({', '.join(f'{row}.{column}' for column in _HASHED)})"


_SCORE = f"coalesce(s.output_tokens, -1) - CASE WHEN s.replay THEN {2 * MAX_TOKENS} ELSE 0 END"
"""The first two terms of :func:`rank` as one number: the greatest of a group is found without sorting."""

# Of the lines of one call the first version in rank stays, whole, at the earliest time of any. Lines without
# an id and bad lines are left to be. Nearly always the score tells which stays; ties are ranked in full.
_FOLDED = f"""
    WITH
    scored AS (
        SELECT s.rowid AS place, s.call_key, s.ts, {_SCORE} AS score
        FROM staged AS s
        WHERE s.reason IS NULL AND NOT {has_no_id("s.call_key")}
    ),
    best AS (
        SELECT call_key, min(ts) AS first_ts, max(score) AS score FROM scored GROUP BY call_key
    ),
    candidates AS (
        SELECT scored.place, scored.call_key, best.first_ts FROM scored JOIN best USING (call_key, score)
    ),
    leaders AS (
        SELECT call_key, min(place) AS place, min(first_ts) AS first_ts, count(*) > 1 AS is_contested
        FROM candidates GROUP BY call_key
    ),
    contested AS (
        SELECT arg_min(s.rowid, {_place_in_order("s")}) AS place, min(leaders.first_ts) AS first_ts
        FROM candidates
        JOIN leaders ON leaders.call_key = candidates.call_key AND leaders.is_contested
        JOIN staged AS s ON s.rowid = candidates.place
        GROUP BY candidates.call_key
    ),
    stays AS (
        SELECT place, first_ts FROM leaders WHERE NOT is_contested
        UNION ALL
        SELECT place, first_ts FROM contested
    )
    SELECT staged.*, coalesce(stays.first_ts, staged.ts) AS first_ts
    FROM staged LEFT JOIN stays ON staged.rowid = stays.place
    WHERE stays.place IS NOT NULL OR staged.reason IS NOT NULL OR {has_no_id("staged.call_key")}
"""

_VERSION_TS = "CASE WHEN c.ts <> c.first_ts THEN c.ts END"


def _stored(name: str) -> str:
    special = {
        "call_key": "{key}",
        "ts": "{ts}",
        "version_ts": "{version_ts}",
        "grain": "CASE WHEN c.reason IS NULL THEN c.grain ELSE 'reject' END",
        "error_type": "CASE WHEN c.reason IS NULL THEN c.error_type ELSE c.reason END",
        "cost_pico": sql.cost("c", "p").replace("{", "{{").replace("}", "}}"),
        "price_id": "p.price_id",
    }
    return special.get(name, f"c.{name}")


_INSERT = f"""
INSERT INTO stored_calls
SELECT
    {("," + chr(10) + "    ").join(_stored(name) for name, _ in STORED)}
FROM (
{{rows}}
) AS c LEFT JOIN priced AS p ON {sql.on("c", "p").replace("{", "{{").replace("}", "}}")}
"""
