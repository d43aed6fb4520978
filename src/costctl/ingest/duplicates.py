"""One row a call: what the ledger keeps when new rows bring keys that are there already, or come twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costctl.ingest.insert import has_no_id, key_of_content, rank

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FIND = """
CREATE OR REPLACE TEMP TABLE doubled AS
SELECT call_key FROM stored_calls WHERE rowid > $last AND grain <> 'reject'
GROUP BY call_key HAVING count(*) > 1
UNION
SELECT new.call_key
FROM (SELECT call_key FROM stored_calls WHERE rowid > $last AND grain <> 'reject') AS new
SEMI JOIN (SELECT call_key FROM stored_calls WHERE rowid <= $last) AS old USING (call_key)
"""

_WITHOUT_ID_BUT_KNOWN = f"""
SELECT DISTINCT source_id FROM stored_calls
WHERE rowid > $last AND grain <> 'reject' AND source_id IN (SELECT unnest(CAST($tails AS INTEGER[])))
    AND {has_no_id("call_key")}
    AND call_key IN (SELECT call_key FROM stored_calls WHERE rowid <= $last)
"""

# Of the versions of a call with an id one stays. An old one goes before an equal new one, so that a copy
# changes nothing; and after one of its own file, which was read with other flags.
_VERSIONS = f"""
CREATE OR REPLACE TEMP TABLE versions AS
WITH versions AS (
    SELECT s.rowid AS place, s.rowid > $last AS is_new, s.* EXCLUDE (ts), coalesce(s.version_ts, s.ts) AS ts,
        s.ts AS told_ts
    FROM stored_calls AS s
    WHERE call_key IN (SELECT call_key FROM doubled) AND NOT {has_no_id("call_key")} AND grain <> 'reject'
),
relabelled AS (
    SELECT old.place FROM versions AS old
    WHERE NOT old.is_new AND old.source_id IN (SELECT unnest(CAST($relabelled AS INTEGER[])))
        AND EXISTS (
            SELECT 1 FROM versions AS new
            WHERE new.is_new AND new.call_key = old.call_key AND new.source_id = old.source_id
        )
)
SELECT v.place, v.call_key, v.is_new, v.ts AS own_ts, v.told_ts,
    min(v.told_ts) OVER (PARTITION BY v.call_key) AS first_ts,
    max(CASE WHEN v.is_new THEN 0 ELSE 1 END) OVER (PARTITION BY v.call_key) = 1 AS was_known,
    row_number() OVER (
        PARTITION BY v.call_key ORDER BY relabelled.place IS NOT NULL, {rank("v")}, v.is_new, v.place
    ) = 1 AS stays
FROM versions AS v LEFT JOIN relabelled USING (place)
"""

_KEEP_EARLIEST_TIME = """
UPDATE stored_calls SET ts = v.first_ts, version_ts = CASE WHEN v.own_ts <> v.first_ts THEN v.own_ts END
FROM versions AS v
WHERE stored_calls.rowid = v.place AND v.stays AND v.told_ts <> v.first_ts
"""

_DROP = "DELETE FROM stored_calls WHERE rowid IN (SELECT place FROM versions WHERE NOT stays)"

# Equal lines without an id are told apart by how many come before them in their file. Of several files the one
# with most of them counts.
_EQUAL_LINES = f"""
CREATE OR REPLACE TEMP TABLE equal_lines AS
WITH ordered AS (
    SELECT rowid AS place, source_id, call_key,
        row_number() OVER (PARTITION BY call_key, source_id ORDER BY rowid) - 1 AS before
    FROM stored_calls
    WHERE rowid > $last AND grain <> 'reject'
        AND call_key IN (SELECT call_key FROM doubled) AND {has_no_id("call_key")}
),
keyed AS (
    SELECT place, source_id, before,
        CASE WHEN before = 0 THEN call_key
            ELSE {key_of_content("CAST(call_key AS VARCHAR) || ':' || before")} END AS call_key
    FROM ordered
)
SELECT keyed.*, known.call_key IS NOT NULL AS is_known, known.place AS known_place,
    known.source_id = keyed.source_id AS is_own,
    row_number() OVER (PARTITION BY keyed.call_key ORDER BY keyed.place) > 1 AS is_copy
FROM keyed LEFT JOIN (
    SELECT call_key, rowid AS place, source_id FROM stored_calls WHERE rowid <= $last
) AS known USING (call_key)
"""

_DROP_RELABELLED = """
DELETE FROM stored_calls WHERE rowid IN (
    SELECT known_place FROM equal_lines
    WHERE is_known AND is_own AND source_id IN (SELECT unnest(CAST($relabelled AS INTEGER[])))
)
"""

_DROP_EQUAL = """
DELETE FROM stored_calls WHERE rowid IN (
    SELECT place FROM equal_lines
    WHERE is_copy OR (is_known AND NOT (is_own AND source_id IN (SELECT unnest(CAST($relabelled AS INTEGER[])))))
)
"""

_KEY_EQUAL = """
UPDATE stored_calls SET call_key = e.call_key
FROM equal_lines AS e
WHERE stored_calls.rowid = e.place AND stored_calls.call_key <> e.call_key
"""


@dataclass(frozen=True, slots=True)
class Folding:
    """What became of the rows of a batch, in calls: ``known`` were there already and stay as they were,
    ``improved`` were there in a lesser version."""

    known: int = 0
    improved: int = 0


def find(connection: DuckDBPyConnection, last: int) -> bool:
    """Make the table ``doubled`` of the keys that several rows have since row ``last``; whether there are any."""
    connection.execute(_FIND, {"last": last})
    return connection.execute("SELECT 1 FROM doubled LIMIT 1").fetchone() is not None


def known_without_id(connection: DuckDBPyConnection, last: int, tails: list[int]) -> list[int]:
    """Which of the sources ``tails``, read from the middle on, brought an id-less line that is known: how many
    equal ones come before it only the whole file tells."""
    if not tails:
        return []
    rows = connection.execute(_WITHOUT_ID_BUT_KNOWN, {"last": last, "tails": tails}).fetchall()
    return [row[0] for row in rows]


def fold(connection: DuckDBPyConnection, last: int, relabelled: list[int]) -> Folding:
    """Leave one row for each key of ``doubled``. Of the sources ``relabelled`` the new rows go before their old."""
    bound = {"last": last, "relabelled": relabelled}
    connection.execute(_VERSIONS, bound)
    (known, improved) = connection.execute(
        "SELECT count(*) FILTER (NOT is_new), count(*) FILTER (is_new) FROM versions WHERE stays AND was_known"
    ).fetchone() or (0, 0)
    connection.execute(_KEEP_EARLIEST_TIME)
    connection.execute(_DROP)
    connection.execute(_EQUAL_LINES, {"last": last})
    (equal_known,) = connection.execute(
        "SELECT count(DISTINCT call_key) FROM equal_lines WHERE is_known"
    ).fetchone() or (0,)
    connection.execute(_DROP_RELABELLED, {"relabelled": relabelled})
    connection.execute(_DROP_EQUAL, {"relabelled": relabelled})
    connection.execute(_KEY_EQUAL)
    return Folding(known + equal_known, improved)


def equal_lines_by_source(connection: DuckDBPyConnection) -> dict[int, int]:
    """How many lines without an id were the same as an earlier one of their file, after :func:`fold`."""
    return dict(
        connection.execute(
            "SELECT source_id, count(*) FROM equal_lines WHERE before > 0 GROUP BY source_id"
        ).fetchall()
    )
