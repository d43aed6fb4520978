"""`forget`: an ingest undone, without what other files tell of the same calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.ingest import batch, task
from costctl.ingest.commit import commit
from costctl.ingest.plan import File, Skipped
from costctl.ingest.pseudonyms import set_key
from costctl.ingest.run import load_sources, spilling
from costctl.ingest.sources import Given
from costctl.ingest.task import Task
from costctl.ledger import Ledger
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.errors import LedgerError
from costctl.ledger.key import key_in
from costctl.ledger.phases import phase
from costctl.ledger.sources import Source, merged_path, named
from costctl.pricing.book import PriceBook
from costctl.report import Column, Outcome

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DAY_US = 86_400 * 1_000_000
"""Versions of one call may differ in time; none is a day apart."""

_FORGET = (
    "DELETE FROM stored_calls WHERE source_id IN (SELECT unnest(CAST($ids AS INTEGER[])))",
    "DELETE FROM charges WHERE source_id IN (SELECT unnest(CAST($ids AS INTEGER[])))",
    "DELETE FROM rejects WHERE source_id IN (SELECT unnest(CAST($ids AS INTEGER[])))",
    "DELETE FROM sources WHERE source_id IN (SELECT unnest(CAST($ids AS INTEGER[])))",
)

# A call stands at the earliest time of any of its versions, which may have been one that is forgotten now.
_OWN_TIMES = """
UPDATE stored_calls SET ts = version_ts, version_ts = NULL
WHERE version_ts IS NOT NULL AND source_id IN (SELECT unnest(CAST($ids AS INTEGER[])))
"""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Sources to forget, to read again, and those that would be but whose file is gone."""

    forgotten: list[Source]
    again: list[Source]
    gone: list[Source]


def forget(ledger: Ledger, names: Sequence[str], *, book: PriceBook, keep_rejects: bool = False) -> Outcome:
    """Take the sources ``names`` (paths as `sources` shows them, or as they were typed) out of the ledger.

    Every other file whose calls lie in the same days is read again in the same transaction, since one call
    may be told by several files. Figures: ``sources``, ``rows_removed``, ``files_read_again`` and
    ``rows_restored``. Raises :class:`LedgerError` for a name that is no source, :class:`LedgerMissing`.
    """
    with ledger.reading():
        pass  # a ledger that is not there is not made
    with spilling(ledger) as spill, ledger.writing() as connection:
        parts = _parts(names, load_sources(connection))
        tasks = _tasks(parts.again, spill)
        has_names = any(task.file.given.pseudonymize for task in tasks)
        key = key_in(ledger, DuckDBEngine(connection)) if has_names else None
        (removed, restored), unreadable = batch.patiently(
            connection,
            tasks,
            spill,
            lambda: _replace(connection, parts, tasks, book, spill, keep_rejects, key),
        )
        for broken, why in unreadable:
            connection.execute("ROLLBACK")
            raise LedgerError(f"{broken.file.name} cannot be read again: {why}")
        phase("commit")
        commit(connection)
        phase("committed")
        ledger.checkpoint_if_due(connection)
    return Outcome(
        "forget",
        (
            Column("sources", "count"),
            Column("rows_removed", "count"),
            Column("files_read_again", "count"),
            Column("rows_restored", "count"),
        ),
        (len(parts.forgotten), removed, len(tasks), restored),
        tuple(
            f"{source.path} is {'of another ledger' if source.is_merged else 'gone'}: its own calls stay, "
            "those that it shared with a forgotten file are lost"
            for source in parts.gone
        ),
    )


def _parts(names: Sequence[str], sources: dict[str, Source]) -> _Parts:
    forgotten = {source.path: source for name in names for source in _named(name, sources)}
    others = [
        source
        for path, source in sources.items()
        if path not in forgotten and any(_overlap(source, each) for each in forgotten.values())
    ]
    there = [source for source in others if not source.is_merged and Path(source.path).is_file()]
    return _Parts(list(forgotten.values()), there, [source for source in others if source not in there])


def _named(name: str, sources: dict[str, Source]) -> list[Source]:
    """The source ``name``, or all that a ledger of that name brought. Raises :class:`LedgerError`."""
    ledger = merged_path(os.path.realpath(Path(name).expanduser()), "")
    parts = [source for path, source in sources.items() if source.is_merged and path.startswith(ledger)]
    return parts or [named(name, sources)]


def _overlap(one: Source, other: Source) -> bool:
    if one.first_us is None or one.last_us is None or other.first_us is None or other.last_us is None:
        return False
    return one.first_us <= other.last_us + _DAY_US and other.first_us <= one.last_us + _DAY_US


def _tasks(sources: Sequence[Source], spill: Path) -> list[Task]:
    tasks = []
    for source in sources:
        path = Path(source.path)
        file = File(source.path, path, False, Given.from_json(source.given), path.stat())
        if found := task.task_of(file, source, "changed", Skipped()):
            found.reading = task.read(found, spill)
            tasks.append(found)
    return tasks


def _replace(
    connection: DuckDBPyConnection,
    parts: _Parts,
    tasks: Sequence[Task],
    book: PriceBook,
    spill: Path,
    keep_rejects: bool,
    key: bytes | None,
) -> tuple[int, int]:
    """Rows removed for good, and rows that other files brought back."""
    connection.execute("BEGIN")
    if key is not None:
        set_key(connection, key)
    rows = _rows(connection)
    for statement in _FORGET:
        connection.execute(statement, {"ids": [source.source_id for source in parts.forgotten]})
    connection.execute(_OWN_TIMES, {"ids": [source.source_id for source in parts.again]})
    removed = rows - _rows(connection)
    restored = batch.add(connection, tasks, book, spill, keep_rejects).new if tasks else 0
    return removed - restored, restored


def _rows(connection: DuckDBPyConnection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM stored_calls").fetchone() or (0,)
    return int(count)
