"""Another costctl ledger into this one: several machines' usage in one place.

Calls keep their keys, so a ledger may be merged as often as it grows: what is known is not counted again. Its
calls keep their prices too. Where they came from is kept by format, as one source each; and by when a report
was written, since of a bucket's or a charge's versions the newest report's holds. The rejected lines stay
where their files are: those of a ledger that was merged into the other one are not counted, since two that
merge each other would count their own again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.ingest import charges, duplicates
from costctl.ingest.allocated import allocate_new
from costctl.ingest.batch import count_rows
from costctl.ingest.insert import last_row
from costctl.ingest.prices import price_unpriced
from costctl.ingest.sources import save
from costctl.ingest.tally import Tally
from costctl.ledger import Ledger
from costctl.ledger.schema import CHARGE_COLUMNS, STORED
from costctl.ledger.sources import MERGED, Source, merged_path
from costctl.pricing import sql
from costctl.pricing.book import PriceBook

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from costctl.ledger import Engine

ONLY_EMPTY = "nothing is in it; a ledger is copied together with its log, the file that ends in .wal"
"""Said of a ledger without a source: what was written last stands in the log."""

_SIGNATURE = b"DUCK"
_SIGNATURE_AT = 8


def is_ledger(path: Path) -> bool:
    """Whether a file is a DuckDB database, by its first bytes. Raises :class:`OSError`."""
    with open(path, "rb") as file:
        return file.read(_SIGNATURE_AT + len(_SIGNATURE))[_SIGNATURE_AT:] == _SIGNATURE


@dataclass(frozen=True, slots=True)
class _Part:
    """What another ledger has of one format, or of its reports of one time (``written``, a time in ISO 8601;
    "" for calls). ``their_ids`` are the sources there."""

    format: str
    written: str
    mtime_ns: int
    rejected: int
    their_ids: tuple[int, ...]


_PARTS = f"""
WITH reports AS (
    SELECT source_id FROM stored_calls WHERE grain = 'bucket' UNION SELECT source_id FROM charges
)
SELECT format,
    CASE WHEN source_id IN (SELECT source_id FROM reports)
        THEN strftime(make_timestamp(mtime_ns // 1000), '%Y-%m-%dT%H:%M:%SZ') ELSE '' END AS written,
    max(mtime_ns),
    CAST(coalesce(sum(rejected) FILTER (device <> {MERGED}), 0) AS BIGINT),
    list(source_id ORDER BY source_id)
FROM sources GROUP BY ALL ORDER BY format, written
"""

_PRICE = ", ".join(f"p.{name}" for name, _ in sql.CONTENT)
_PRICES = f"SELECT {_PRICE} FROM prices AS p WHERE price_id IN (SELECT price_id FROM stored_calls)"

_OWN = ("price_id", "source_id")
_CALLS = (
    "SELECT "
    + ", ".join(f"c.{name}" for name, _ in STORED if name not in _OWN)
    + """, CAST(p.content AS VARCHAR) AS price_content, c.source_id AS their_id
FROM stored_calls AS c LEFT JOIN prices AS p ON p.price_id = c.price_id"""
)

_KEEP_PRICES = f"""
INSERT INTO prices (price_id, {", ".join(name for name, _ in sql.CONTENT)})
SELECT (SELECT coalesce(max(price_id), 0) FROM prices) + row_number() OVER (ORDER BY content), {_PRICE}
FROM (SELECT * REPLACE (CAST(content AS UUID) AS content) FROM incoming_prices) AS p
WHERE p.content NOT IN (SELECT content FROM prices)
"""

_TAKEN = {"call_key": "CAST(c.call_key AS UUID)", "price_id": "p.price_id", "source_id": "part.source_id"}
_KEEP_CALLS = f"""
INSERT INTO stored_calls
SELECT {", ".join(_TAKEN.get(name, f"c.{name}") for name, _ in STORED)}
FROM incoming_calls AS c
LEFT JOIN prices AS p ON p.content = CAST(c.price_content AS UUID)
LEFT JOIN parts AS part USING (their_id)
"""

_CHARGES = (
    "SELECT "
    + ", ".join(f"c.{name}" for name, _ in CHARGE_COLUMNS if name != "source_id")
    + ", c.source_id AS their_id FROM charges AS c"
)
_KEYED_CHARGES = """
CREATE OR REPLACE TEMP TABLE keyed_charges AS
SELECT c.* EXCLUDE (their_id) REPLACE (CAST(c.charge_key AS UUID) AS charge_key), part.source_id
FROM incoming_charges AS c LEFT JOIN parts AS part USING (their_id)
"""

_SPANS = """
SELECT source_id, count(*), epoch_us(min(ts)), epoch_us(max(ts))
FROM (
    SELECT source_id, ts FROM stored_calls UNION ALL SELECT source_id, period_start FROM charges
)
WHERE source_id IN (SELECT source_id FROM parts)
GROUP BY source_id
"""


def merge(connection: DuckDBPyConnection, other: Ledger, name: str, book: PriceBook) -> Tally:
    """Bring what the ledger ``other`` (as a source: ``name``) has into an open transaction, which the caller
    commits. A ledger without a source is no file of the tally. Raises :class:`LedgerError` for a file that is
    no ledger of ours."""
    tally = Tally(files=1)
    with other.reading() as engine:
        parts = [
            _Part(format, written, mtime_ns, rejected, tuple(ids))
            for format, written, mtime_ns, rejected, ids in engine.rows(_PARTS)
        ]
        if not parts:
            return Tally()
        ids = _ids(connection, name, parts)
        last = last_row(connection)
        duplicates.note_ages(connection, {ids[part]: part.mtime_ns for part in parts})
        pairs = [(their_id, ids[part]) for part in parts for their_id in part.their_ids]
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE parts AS SELECT "
            "unnest(CAST($theirs AS INTEGER[])) AS their_id, unnest(CAST($ours AS INTEGER[])) AS source_id",
            {"theirs": [theirs for theirs, _ in pairs], "ours": [ours for _, ours in pairs]},
        )
        _copy(connection, engine, "incoming_prices", _PRICES, _KEEP_PRICES)
        _copy(connection, engine, "incoming_calls", _CALLS, _KEEP_CALLS)
        _copy(connection, engine, "incoming_charges", _CHARGES, _KEYED_CHARGES)
    tally.charges = charges.keep(connection)
    duplicates.find_known(connection, last)
    tally.known = duplicates.drop_copies(connection, last)
    if duplicates.find_doubled(connection, last):
        folding = duplicates.fold(connection, last, [], [])
        tally.known += folding.known
        tally.improved = folding.improved
    price_unpriced(connection, book)
    _note(connection, name, parts, ids)
    allocate_new(connection, last)
    count_rows(connection, last, tally)
    return tally


def _ids(connection: DuckDBPyConnection, name: str, parts: list[_Part]) -> dict[_Part, int]:
    """The id of the source that each part is."""
    known = dict(connection.execute("SELECT path, source_id FROM sources").fetchall())
    next_id = max(known.values(), default=0) + 1
    ids: dict[_Part, int] = {}
    for part in parts:
        path = merged_path(name, part.format, part.written)
        if path in known:
            ids[part] = known[path]
        else:
            ids[part] = next_id
            next_id += 1
    return ids


def _copy(connection: DuckDBPyConnection, engine: Engine, name: str, select: str, into: str) -> None:
    """Run ``into`` over the rows of ``select`` in another ledger, as a relation called ``name``."""
    connection.register(name, engine.batches(select))
    try:
        connection.execute(into)
    finally:
        connection.unregister(name)


def _note(connection: DuckDBPyConnection, name: str, parts: list[_Part], ids: dict[_Part, int]) -> None:
    """Write down each part that has something here."""
    spans = {source_id: span for source_id, *span in connection.execute(_SPANS).fetchall()}
    connection.execute("DELETE FROM sources WHERE source_id IN (SELECT source_id FROM parts)")
    sources = []
    for part in parts:
        rows, first, last = spans.get(ids[part], (0, None, None))
        if not rows and not part.rejected:
            continue
        sources.append(
            Source(
                ids[part],
                merged_path(name, part.format, part.written),
                part.format,
                "{}",
                size=0,
                mtime_ns=part.mtime_ns,
                device=MERGED,
                inode=0,
                read_to=0,
                head="",
                tail="",
                rows=rows,
                rejected=part.rejected,
                first_us=first,
                last_us=last,
            )
        )
    if sources:
        save(connection, sources)
