"""One row a call: what the ledger keeps when new rows bring keys that are there already, or come twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costctl.ingest.insert import content_hash, has_no_id, key_of_content, rank, tie

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The new rows stand in a table of their own, so that the engine sees which side of the join is small.
_NEW = """
CREATE OR REPLACE TEMP TABLE new AS
SELECT rowid AS place, call_key, source_id FROM stored_calls WHERE rowid > $last AND grain <> 'reject'
"""

_KNOWN = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT new.place, new.call_key, new.source_id
FROM new SEMI JOIN (SELECT call_key FROM stored_calls WHERE rowid <= $last) AS old USING (call_key)
"""

_NONE_KNOWN = "CREATE OR REPLACE TEMP TABLE known (place BIGINT, call_key UUID, source_id INTEGER)"

_NO_DOUBLED = (
    "CREATE OR REPLACE TEMP TABLE doubled (call_key UUID)",
    "CREATE OR REPLACE TEMP TABLE repeated (place BIGINT)",
)

_DOUBLED = """
INSERT INTO doubled
SELECT call_key FROM stored_calls WHERE rowid > $last AND grain <> 'reject' {which}
GROUP BY call_key HAVING count(*) > 1
"""

_PART = "AND hash(call_key) % $parts = $part"
_WITHOUT_ID = f"AND {has_no_id('call_key')}"

_DOUBLED_AND_KNOWN = """
INSERT INTO doubled
SELECT DISTINCT call_key FROM known WHERE call_key NOT IN (SELECT call_key FROM doubled)
"""

_KEYS_AT_ONCE = 2_000_000
"""So many keys are grouped at once: the memory that it takes does not grow with the file."""

_MANY = 10_000
"""Of fewer known rows a look at all of their columns costs more than it spares."""

# Files that are read again bring mostly what is there. Such rows are dropped by one join, others weighed.
_COPIES = f"""
CREATE OR REPLACE TEMP TABLE copies AS
SELECT new.rowid AS place
FROM stored_calls AS new JOIN stored_calls AS old ON old.call_key = new.call_key
WHERE new.rowid > $last AND old.rowid <= $last AND new.grain NOT IN ('reject', 'bucket')
    AND old.ts = new.ts AND old.version_ts IS NULL AND new.version_ts IS NULL
    AND {content_hash("old")} = {content_hash("new")}
    AND new.call_key NOT IN (
        SELECT call_key FROM stored_calls WHERE rowid > $last GROUP BY call_key HAVING count(*) > 1
    )
"""

_DROP_COPIES = (
    "DELETE FROM stored_calls WHERE rowid IN (SELECT place FROM copies)",
    "DELETE FROM known WHERE place IN (SELECT place FROM copies)",
)

_KNOWN_WITHOUT_ID = f"""
SELECT DISTINCT source_id FROM known
WHERE source_id IN (SELECT unnest(CAST($tails AS INTEGER[]))) AND {has_no_id("call_key")}
"""

# Equal lines without an id are told apart by how many come before them in their file. So of several files the
# one with most of them counts.
_KEYED = f"""
CREATE OR REPLACE TEMP TABLE keyed AS
WITH ordered AS (
    SELECT rowid AS place, source_id, call_key, "grain",
        CASE WHEN {has_no_id("call_key")}
            THEN row_number() OVER (PARTITION BY call_key, source_id ORDER BY rowid) - 1
            ELSE 0
        END AS before
    FROM stored_calls
    WHERE rowid > $last AND grain <> 'reject' AND call_key IN (SELECT call_key FROM doubled)
)
SELECT place, source_id, "grain", before,
    CASE WHEN before = 0 THEN call_key
        ELSE {key_of_content("CAST(call_key AS VARCHAR) || ':' || before")}
    END AS call_key
FROM ordered
"""

# When the file of each source was written: of rows that are there, and of those that are new.
_AGES = """
CREATE OR REPLACE TEMP TABLE ages AS
SELECT source_id, mtime_ns, FALSE AS is_new FROM sources
UNION ALL
SELECT unnest(CAST($sources AS INTEGER[])), unnest(CAST($times AS BIGINT[])), TRUE
"""

# Of the versions of a call one stays; of those of a bucket the one of the newest report. An old one goes
# before an equal new one, so that a copy changes nothing; but not if the new one's file was read before with
# other flags. The old row of that same file counts no more, nor does its time, unless it is another file's.
_VERSIONS = f"""
CREATE OR REPLACE TEMP TABLE versions AS
WITH places AS (
    SELECT place, call_key, TRUE AS is_new FROM keyed
    UNION ALL
    SELECT rowid, call_key, FALSE FROM stored_calls
    WHERE rowid <= $last AND call_key IN (SELECT call_key FROM keyed)
),
marked AS (
    SELECT places.place, places.call_key, places.is_new, s.* EXCLUDE (call_key, ts),
        coalesce(s.version_ts, s.ts) AS ts, s.ts AS told_ts,
        places.is_new AND s.source_id IN (SELECT unnest(CAST($relabelled AS INTEGER[]))) AS is_relabelled,
        s.source_id IN (SELECT unnest(CAST($retimed AS INTEGER[]))) AS is_retimed
    FROM places JOIN stored_calls AS s ON s.rowid = places.place
),
versions AS (
    SELECT *,
        NOT is_new AND bool_or(is_relabelled) OVER (PARTITION BY call_key, source_id) AS is_replaced
    FROM marked
)
SELECT v.place, v.call_key, v.is_new, v.ts AS own_ts, v.told_ts,
    min(v.told_ts) FILTER (NOT v.is_replaced OR (v.version_ts IS NOT NULL AND NOT v.is_retimed))
        OVER (PARTITION BY v.call_key) AS first_ts,
    bool_or(NOT v.is_new) OVER (PARTITION BY v.call_key) AS was_known,
    row_number() OVER (
        PARTITION BY v.call_key
        ORDER BY v.is_replaced,
            CASE WHEN v.grain = 'bucket' THEN age.mtime_ns END DESC, v.grain = 'bucket' AND v.is_new DESC,
            {rank("v")}, v.is_relabelled DESC, {tie("v")}, v.is_new, v.place
    ) = 1 AS stays,
    v.grain = 'bucket' AND {content_hash("v")} IN (
        min({content_hash("v")}) FILTER (NOT v.is_new) OVER (PARTITION BY v.call_key)
    ) AS is_same
FROM versions AS v LEFT JOIN ages AS age USING (source_id, is_new)
"""

_BILLED = """provider, model, mode, region, context_tier, "grain", requests, input_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, other_units"""

# A call that was priced keeps its price, whatever the book says now, as long as nothing billed has changed.
_KEEP_PRICE = f"""
UPDATE stored_calls SET cost_pico = old.cost_pico, price_id = old.price_id
FROM (
    SELECT v.place, c.cost_pico, c.price_id, row({_BILLED}) AS billed
    FROM versions AS v
    JOIN versions AS o ON o.call_key = v.call_key AND NOT o.is_new
    JOIN stored_calls AS c ON c.rowid = o.place
    WHERE v.stays AND v.is_new AND c.cost_pico IS NOT NULL
) AS old
WHERE stored_calls.rowid = old.place AND row({_BILLED}) IS NOT DISTINCT FROM old.billed
"""

_KEEP_EARLIEST_TIME = """
UPDATE stored_calls SET ts = v.first_ts, version_ts = CASE WHEN v.own_ts <> v.first_ts THEN v.own_ts END
FROM versions AS v
WHERE stored_calls.rowid = v.place AND v.stays AND v.told_ts <> v.first_ts
"""

# Priced again by what held at that time, as if all versions had come at once.
_DROP_PRICE_OF_ANOTHER_TIME = """
UPDATE stored_calls SET cost_pico = NULL, price_id = NULL
FROM versions AS v, prices AS p
WHERE stored_calls.rowid = v.place AND v.stays AND stored_calls.price_id = p.price_id
    AND NOT (
        stored_calls.ts >= p.effective_from AND stored_calls.ts < p.effective_to
        AND epoch_us(stored_calls.ts) // 1000000 % 86400 >= p.window_start
        AND epoch_us(stored_calls.ts) // 1000000 % 86400 < p.window_end
    )
"""

# Of a bucket that was known as it is, the new row stays too, for its report's age; but it is nothing new.
_REPEATED = "INSERT INTO repeated SELECT place FROM versions WHERE stays AND is_new AND is_same"

_DROP = "DELETE FROM stored_calls WHERE rowid IN (SELECT place FROM versions WHERE NOT stays)"

_KEY_EQUAL = """
UPDATE stored_calls SET call_key = keyed.call_key
FROM keyed
WHERE stored_calls.rowid = keyed.place AND keyed.before > 0
"""


@dataclass(frozen=True, slots=True)
class Folding:
    """What became of the rows of a batch, in calls: ``known`` were there already and stay as they were,
    ``improved`` were there in a lesser version, or under other labels."""

    known: int = 0
    improved: int = 0


def note_ages(connection: DuckDBPyConnection, new: Mapping[int, int]) -> None:
    """Make the table ``ages`` of when the file of each source was written, in ns since 1970; ``new`` are the
    files that are read now."""
    connection.execute(_AGES, {"sources": list(new), "times": list(new.values())})


def find_known(connection: DuckDBPyConnection, last: int) -> None:
    """Make the table ``known`` of the rows since row ``last`` whose key an older row has."""
    if last < 0:
        connection.execute(_NONE_KNOWN)
        return
    connection.execute(_NEW, {"last": last})
    connection.execute(_KNOWN, {"last": last})
    connection.execute("DROP TABLE new")


def known_without_id(connection: DuckDBPyConnection, tails: list[int]) -> list[int]:
    """Which of the sources ``tails``, read from the middle on, brought an id-less line that is known: how
    many equal ones come before it only the whole file tells."""
    if not tails:
        return []
    return [row[0] for row in connection.execute(_KNOWN_WITHOUT_ID, {"tails": tails}).fetchall()]


def drop_copies(connection: DuckDBPyConnection, last: int) -> int:
    """Delete the rows of ``known`` that repeat an older row in everything, if they are many; how many they
    were."""
    (known,) = connection.execute("SELECT count(*) FROM known").fetchone() or (0,)
    if known < _MANY:
        return 0
    connection.execute(_COPIES, {"last": last})
    (count,) = connection.execute("SELECT count(*) FROM copies").fetchone() or (0,)
    for statement in _DROP_COPIES if count else ():
        connection.execute(statement)
    return int(count)


def find_doubled(connection: DuckDBPyConnection, last: int, folded: bool = False) -> bool:
    """Make the table ``doubled`` of the keys that several rows have, some since row ``last``; whether there
    are any. ``folded``: of these no two with an id have one key. ``repeated``, the rows that :func:`fold`
    finds to be nothing new, is empty then."""
    counted = connection.execute("SELECT count(*) FROM stored_calls WHERE rowid > ?", [last]).fetchone()
    parts = -(-(counted or (0,))[0] // _KEYS_AT_ONCE)
    for statement in _NO_DOUBLED:
        connection.execute(statement)
    if folded or parts <= 1:
        connection.execute(_DOUBLED.format(which=_WITHOUT_ID if folded else ""), {"last": last})
    else:
        for part in range(parts):
            connection.execute(_DOUBLED.format(which=_PART), {"last": last, "parts": parts, "part": part})
    connection.execute(_DOUBLED_AND_KNOWN)
    return connection.execute("SELECT 1 FROM doubled LIMIT 1").fetchone() is not None


def fold(
    connection: DuckDBPyConnection, last: int, relabelled: Sequence[int], retimed: Sequence[int]
) -> Folding:
    """Leave one row for each key of ``doubled``. The sources ``relabelled`` were read before with other
    flags, those ``retimed`` with other flags of time."""
    connection.execute(_KEYED, {"last": last})
    connection.execute(_VERSIONS, {"last": last, "relabelled": relabelled, "retimed": retimed})
    (known, improved) = connection.execute(
        "SELECT count(*) FILTER (NOT is_new OR is_same), count(*) FILTER (is_new AND NOT is_same) "
        "FROM versions WHERE stays AND was_known"
    ).fetchone() or (0, 0)
    if known or improved:
        connection.execute(_KEEP_PRICE)
    connection.execute(_KEEP_EARLIEST_TIME)
    connection.execute(_DROP_PRICE_OF_ANOTHER_TIME)
    connection.execute(_REPEATED)
    connection.execute(_DROP)
    connection.execute(_KEY_EQUAL)
    return Folding(known, improved)


def withdraw(connection: DuckDBPyConnection, last: int, sources: Sequence[int]) -> int:
    """Take out what ``sources``, read whole again, gave up to row ``last`` and give no more; how much that
    was. To be asked after :func:`fold`, which has taken out what they still give."""
    (count,) = connection.execute(
        "DELETE FROM stored_calls WHERE rowid <= $last "
        "AND source_id IN (SELECT unnest(CAST($sources AS INTEGER[])))",
        {"last": last, "sources": sources},
    ).fetchone() or (0,)
    return int(count)


def equal_lines_by_source(connection: DuckDBPyConnection) -> dict[int, int]:
    """How many lines without an id were the same as an earlier one of their file, after :func:`fold`."""
    return dict(
        connection.execute(
            "SELECT source_id, count(*) FROM keyed WHERE before > 0 AND grain = 'call' GROUP BY source_id"
        ).fetchall()
    )
