"""The ledger's tables, its view, its version and the steps from older versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from costctl.ledger.allocated import PLAIN, Layout, labelled, layout
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.errors import LedgerError
from costctl.records import CHARGES, COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VERSION = 1

STORED: tuple[tuple[str, str], ...] = (
    *((column.name, "VARCHAR" if column.name == "tags" else column.type) for column in COLUMNS),
    ("version_ts", "TIMESTAMP"),
)
"""Name and type of the columns of ``stored_calls``, in order.

Tags are kept as the text of a JSON object: it is read, written and compressed several times faster than a
MAP, which the view makes of it. ``version_ts`` is the time of the version of a call that stayed, where
another version of it began earlier (``ts`` is then that earlier time); NULL where they are the same.
"""

PRICE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("price_id", "INTEGER"),
    ("content", "UUID"),
    ("provider", "VARCHAR"),
    ("model", "VARCHAR"),
    ("mode", "VARCHAR"),
    ("region", "VARCHAR"),
    ("effective_from", "TIMESTAMP"),
    ("effective_to", "TIMESTAMP"),
    ("window_start", "INTEGER"),
    ("window_end", "INTEGER"),
    ("tier_above", "BIGINT"),
    ("tier_to", "BIGINT"),
    ("input_pico", "BIGINT"),
    ("cache_read_pico", "BIGINT"),
    ("cache_write_5m_pico", "BIGINT"),
    ("cache_write_1h_pico", "BIGINT"),
    ("output_pico", "BIGINT"),
    ("reasoning_pico", "BIGINT"),
    ("request_pico", "BIGINT"),
    ("other_units_pico", "MAP(VARCHAR, BIGINT)"),
    ("source", "VARCHAR"),
)
"""A price row as the ledger keeps it: append-only, one row per ``content``; pico-dollars a token or unit."""


CHARGE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("charge_key", "UUID"),
    *((column.name, column.type) for column in CHARGES),
    ("source_id", "INTEGER"),
)
"""Name and type of the columns of ``charges``, in order."""


def _columns(columns: tuple[tuple[str, str], ...]) -> str:
    return ",\n    ".join(f"{name} {kind}" for name, kind in columns)


TABLES = (
    "CREATE TABLE meta (key VARCHAR, value VARCHAR)",
    f"CREATE TABLE stored_calls (\n    {_columns(STORED)}\n)",
    f"CREATE TABLE prices (\n    {_columns(PRICE_COLUMNS)}\n)",
    f"CREATE TABLE charges (\n    {_columns(CHARGE_COLUMNS)}\n)",
    # What is known of each ingested file. read_to: bytes that are in the ledger. head, tail: hashes of the
    # first 4 kB and of the 4 kB before read_to. given: the flags of its ingest, as JSON.
    """CREATE TABLE sources (
    source_id INTEGER, path VARCHAR, format VARCHAR, given VARCHAR, size BIGINT, mtime_ns BIGINT,
    device BIGINT, inode BIGINT, read_to BIGINT, head VARCHAR, tail VARCHAR, rows BIGINT, rejected BIGINT,
    equal_lines BIGINT, first_ts TIMESTAMP, last_ts TIMESTAMP, ingested_at TIMESTAMP
)""",
    "CREATE TABLE rejects (source_id INTEGER, line BIGINT, reason VARCHAR, raw VARCHAR)",
)

_UNPRICED_UNITS = " || ".join(
    f"CASE WHEN stored_calls.{tokens} > 0 AND p.{price} IS NULL THEN ' {tokens}' ELSE '' END"
    for tokens, price in (
        ("input_tokens", "input_pico"),
        ("cache_read_tokens", "cache_read_pico"),
        ("cache_write_5m_tokens", "cache_write_5m_pico"),
        ("cache_write_1h_tokens", "cache_write_1h_pico"),
        ("output_tokens", "output_pico"),
    )
)
_UNPRICED_OTHER_UNITS = """coalesce(' ' || array_to_string(list_filter(
            map_keys(stored_calls.other_units),
            lambda unit: stored_calls.other_units[unit] > 0 AND p.other_units_pico[unit] IS NULL
        ), ' '), '')"""

_BEYOND = f"a cost above {(2**63 - 1) // 10**12:,} USD"
"""What no BIGINT of pico-dollars holds."""

_PRICES = "SELECT map_from_entries(list((price_id, prices))) FROM prices"
"""A look-up, not a join: a question that does not ask why calls are unpriced pays nothing for it."""


def _tags(text: str) -> str:
    """SQL for the map of tags whose text is the column ``text``. Of two equal names in an object the first
    counts; the quick way knows no such object."""
    names = f"list_sort(list_distinct(json_keys({text})))"
    value = f"{text} ->> ('/' || replace(replace(name, '~', '~0'), '/', '~1'))"
    return f"""coalesce(
        map_from_entries(list_sort(map_entries(from_json({text}, '"MAP(VARCHAR, VARCHAR)"')))),
        CASE WHEN {text} IS NOT NULL THEN map_from_entries(
            list_transform({names}, lambda name: {{'key': name, 'value': {value}}})
        ) END
    )"""


_CALLS = f"""SELECT
    call_key, ts, grain, requests, provider, model, team, project, user_id, user_id AS "user", agent, session,
    api_key, workspace,
    {_tags("tags")} AS tags,
    tags AS tags_json,
    mode, region, context_tier, billing, replay,
    input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    output_tokens, reasoning_tokens, other_units,
    latency_ms, success, error_type, reported_cost_pico, cost_pico,
    CAST(CAST(cost_pico AS DECIMAL(26, 0)) * 0.000000000001 AS DECIMAL(38, 12)) AS cost_usd,
    price_id,
    CASE
        WHEN cost_pico IS NOT NULL THEN NULL
        WHEN price_id IS NULL THEN 'no price for model ' || coalesce(provider || '/', '') || model
            || CASE WHEN coalesce(mode, 'standard') = 'standard' THEN '' ELSE ' in mode ' || mode END
            || coalesce(' in region ' || region, '')
        ELSE coalesce('no price for ' || nullif(trim(list_transform(
            [({_PRICES})[price_id]], lambda p: {_UNPRICED_UNITS} || {_UNPRICED_OTHER_UNITS}
        )[1]), ''), '{_BEYOND}')
    END AS unpriced_reason,
    source_id
FROM stored_calls"""  # noqa: S608 - constants


def view(layout: Layout = PLAIN) -> str:
    """The statement that makes the view ``calls``, with the labels of the table ``allocations``."""
    calls = _CALLS
    if layout.fills:
        calls = f"""SELECT * REPLACE (user_id AS "user", {_tags("tags_json")} AS tags) FROM (
{labelled(layout, f"({_CALLS}) AS calls", tags="tags_json")}
) AS calls"""  # noqa: S608
    return f"CREATE OR REPLACE VIEW calls AS\n{calls}"


def create(connection: DuckDBPyConnection) -> None:
    """Make every table and the view in an empty database."""
    for statement in (*TABLES, view()):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [["version", str(VERSION)], ["ledger_id", str(uuid4())], ["commit", "0"]],
    )


MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""The statements that lead from a version to the next one, by the version they start at."""


def migrate(connection: DuckDBPyConnection, version: int) -> None:
    """Bring a ledger of an older version to :data:`VERSION`, in one transaction; its view is made anew."""
    connection.execute("BEGIN")
    for step in range(version, VERSION):
        for statement in MIGRATIONS[step]:
            connection.execute(statement)
    connection.execute(view(layout(DuckDBEngine(connection))))
    connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", [str(VERSION)])
    connection.execute("COMMIT")


def version(connection: DuckDBPyConnection, file: Path) -> int:
    """The ledger's schema version. Raises :class:`LedgerError` for a database that is no ledger of ours, or
    is newer than this program; ``file`` is its file."""
    import duckdb

    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        row = None
    if row is None or not str(row[0]).isdigit():
        raise not_a_ledger(file)
    found = int(row[0])
    if found > VERSION:
        raise LedgerError(
            f"the ledger {file} has schema version {found}; this costctl knows up to {VERSION}",
            hint="install a newer costctl, or name another ledger with --db",
            file=file,
        )
    return found


def not_a_ledger(file: Path) -> LedgerError:
    """The error for a file that is something else."""
    return LedgerError(f"{file} is not a costctl ledger", hint="name another file with --db", file=file)


def read_all(connection: DuckDBPyConnection) -> None:
    """Read every block of every table. Raises :class:`duckdb.Error` where one is damaged."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
    for (table,) in tables:
        connection.execute(f'SELECT max(hash(whole)) FROM "{table}" AS whole')  # noqa: S608 - names are ours
