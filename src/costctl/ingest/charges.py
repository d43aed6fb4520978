"""Lines of bills into the table of charges: each once, the newer report's instead of the older's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costctl.formats import Format
from costctl.ingest.insert import key_of_content, key_of_id, make_room
from costctl.ingest.lines import Reading
from costctl.ingest.relation import judged, name_type, set_zone
from costctl.ingest.sources import Given
from costctl.ledger.schema import CHARGE_COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Read:
    """What a file gave: good rows with their first and last time in µs (None without any), and bad rows."""

    rows: int
    first_us: int | None
    last_us: int | None
    bad: int


_STAGED = "CREATE OR REPLACE TEMP TABLE staged_charges AS SELECT * FROM (\n{rows}\n)"

_READ = """
SELECT source_id, count(*) FILTER (reason IS NULL),
    epoch_us(min(period_start) FILTER (reason IS NULL)), epoch_us(max(period_start) FILTER (reason IS NULL)),
    count(*) FILTER (reason IS NOT NULL)
FROM staged_charges GROUP BY source_id
"""

# Equal lines of one file are told apart by how many come before, as lines without an id are.
_KEYED = f"""
CREATE OR REPLACE TEMP TABLE keyed_charges AS
WITH keyed AS (
    SELECT * EXCLUDE (id, content, reason, extra, line), rowid AS place,
        CASE WHEN id IS NULL THEN {key_of_content("content")} ELSE {key_of_id("id")} END AS own_key
    FROM staged_charges WHERE reason IS NULL
),
ordered AS (
    SELECT *, row_number() OVER (PARTITION BY own_key, source_id ORDER BY place) - 1 AS before FROM keyed
)
SELECT * EXCLUDE (place, own_key, before),
    CASE WHEN before = 0 THEN own_key
        ELSE {key_of_content("CAST(own_key AS VARCHAR) || ':' || before")}
    END AS charge_key
FROM ordered
"""

_COLUMNS = ", ".join(name for name, _ in CHARGE_COLUMNS)

# The report that was written last is right; of two of one time the one that was read last.
_NEWEST = f"""
CREATE OR REPLACE TEMP TABLE newest_charges AS
WITH versions AS (
    SELECT {_COLUMNS}, TRUE AS is_new FROM keyed_charges
    UNION ALL
    SELECT {_COLUMNS}, FALSE FROM charges WHERE charge_key IN (SELECT charge_key FROM keyed_charges)
)
SELECT {_COLUMNS}
FROM (
    SELECT versions.*, row_number() OVER (
        PARTITION BY charge_key ORDER BY age.mtime_ns DESC NULLS LAST, is_new DESC, amount_pico DESC
    ) AS rank
    FROM versions LEFT JOIN ages AS age USING (source_id, is_new)
)
WHERE rank = 1
"""

_NEW = """
SELECT count(*) FROM newest_charges
WHERE charge_key NOT IN (SELECT charge_key FROM charges)
"""

_DROP = "DELETE FROM charges WHERE charge_key IN (SELECT charge_key FROM newest_charges)"
_INSERT = f"INSERT INTO charges SELECT {_COLUMNS} FROM newest_charges"


def insert(
    connection: DuckDBPyConnection,
    format: Format,
    readings: Sequence[tuple[int, Reading]],
    given: Given,
) -> tuple[int, Mapping[int, Read]]:
    """Add the charges of some files of one format and shape. How many were not known, and what each source
    gave. The table ``ages`` says when each source's file was written (:func:`duplicates.note_ages`)."""
    set_zone(connection, given)
    name_type(connection, format)
    make_room(connection, format, readings)
    relation = judged(format, readings, given)
    connection.execute(_STAGED.format(rows=relation.sql), dict(relation.parameters))
    read = {source_id: Read(*figures) for source_id, *figures in connection.execute(_READ).fetchall()}
    connection.execute(_KEYED)
    return keep(connection), read


def keep(connection: DuckDBPyConnection) -> int:
    """Keep the charges of the table ``keyed_charges``, where no newer report has them; how many are new."""
    connection.execute(_NEWEST)
    (new,) = connection.execute(_NEW).fetchone() or (0,)
    for statement in (_DROP, _INSERT):
        connection.execute(statement)
    return int(new)
