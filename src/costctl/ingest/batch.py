"""One batch of files into the ledger: everything of it, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from costctl.ingest import charges, duplicates, lines, rejected
from costctl.ingest.allocated import allocate_new
from costctl.ingest.discover import FULL
from costctl.ingest.insert import insert, last_row
from costctl.ingest.lines import Reading
from costctl.ingest.prices import price_unpriced
from costctl.ingest.relation import judged, take_memory
from costctl.ingest.sources import described, save
from costctl.ingest.tally import Tally
from costctl.ingest.task import Task
from costctl.ingest.task import read as read_file
from costctl.ledger.phases import phase
from costctl.ledger.sources import Source
from costctl.pricing.book import PriceBook

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def add(
    connection: DuckDBPyConnection, tasks: Sequence[Task], book: PriceBook, spill: Path, keep_raw: bool
) -> Tally:
    """Read the files of ``tasks`` into an open transaction, which the caller commits."""
    ids = _ids(connection, tasks)
    tally = Tally(files=len(tasks))
    last = last_row(connection)
    duplicates.note_ages(connection, {ids[task.file.name]: task.file.status.st_mtime_ns for task in tasks})
    phase("insert")
    tally.charges, charged, folded = _insert(connection, tasks, ids, book, spill)

    duplicates.find_known(connection, last)
    tails = [ids[task.file.name] for task in tasks if task.reading and task.reading.start]
    if again := duplicates.known_without_id(connection, tails):
        connection.execute(
            "DELETE FROM stored_calls WHERE rowid > $last "
            "AND source_id IN (SELECT unnest(CAST($again AS INTEGER[])))",
            {"last": last, "again": again},
        )
        whole = [task for task in tasks if ids[task.file.name] in again]
        for task in whole:
            tail = task.reading
            task.reading = read_file(task, spill, whole=True)
            task.reading.goes_on = tail is not None and tail.goes_on
            _discard(tail)
        _insert(connection, whole, ids, book, spill)
        folded = False
        duplicates.find_known(connection, last)

    phase("fold")
    read = _rows_by_source(connection, last)
    read |= {source_id: (each.rows, each.first_us, each.last_us) for source_id, each in charged.items()}
    bad = dict(
        connection.execute(
            "SELECT source_id, count(*) FROM stored_calls WHERE rowid > ? AND grain = 'reject' "
            "GROUP BY source_id",
            [last],
        ).fetchall()
    )
    if bad:
        connection.execute("DELETE FROM stored_calls WHERE rowid > ? AND grain = 'reject'", [last])
    bad |= {source_id: each.bad for source_id, each in charged.items()}
    equal: dict[int, int] = {}
    relabelled = [ids[task.file.name] for task in tasks if task.is_relabelled]
    if not relabelled:
        tally.known = duplicates.drop_copies(connection, last)
    if duplicates.find_doubled(connection, last, folded):
        retimed = [ids[task.file.name] for task in tasks if task.is_retimed]
        folding = duplicates.fold(connection, last, relabelled, retimed)
        equal = duplicates.equal_lines_by_source(connection)
        tally.known += folding.known
        tally.improved = folding.improved
    tally.equal_lines = sum(equal.values())
    if remapped := [ids[task.file.name] for task in tasks if task.is_remapped]:
        tally.withdrawn = duplicates.withdraw(connection, last, remapped)

    price_unpriced(connection, book)

    connection.execute(
        "DELETE FROM rejects WHERE source_id IN (SELECT unnest(CAST($whole AS INTEGER[])))",
        {"whole": [ids[task.file.name] for task in tasks if task.reading and not task.reading.start]},
    )
    noted = []
    for task in tasks:
        source_id = ids[task.file.name]
        reasons = _note_rejects(connection, task, source_id, bad.get(source_id, 0), keep_raw)
        tally.rejected += reasons
        if task.known and task.reading and task.reading.start:
            tally.rejected_before += task.known.rejected
        noted.append(_noted(task, source_id, read.get(source_id), reasons.total(), equal.get(source_id, 0)))
        _discard(task.reading)
    save(connection, noted)
    allocate_new(connection, last)
    count_rows(connection, last, tally)
    return tally


def _ids(connection: DuckDBPyConnection, tasks: Iterable[Task]) -> dict[str, int]:
    """The id of each file's source: its own, or the next free one."""
    (next_id,) = connection.execute("SELECT coalesce(max(source_id), 0) + 1 FROM sources").fetchone() or (1,)
    ids: dict[str, int] = {}
    for task in tasks:
        if task.known is not None:
            ids[task.file.name] = task.known.source_id
        else:
            ids[task.file.name] = next_id
            next_id += 1
    return ids


def _insert(
    connection: DuckDBPyConnection, tasks: Iterable[Task], ids: dict[str, int], book: PriceBook, spill: Path
) -> tuple[int, dict[int, charges.Read], bool]:
    """Insert the rows of some files; how many charges were new, what each file of charges gave, and whether
    all lines that tell of one call by its id were folded."""
    new, charged = 0, dict[int, charges.Read]()
    groups: dict[tuple[object, ...], list[Task]] = {}
    for task in tasks:
        assert task.reading is not None
        # Parquet files are read one by one: their columns may differ.
        alone = task.file.name if task.reading.shape == "parquet" else ""
        key = (task.format.name, task.reading.shape, task.reading.packing, task.file.given.to_json(), alone)
        groups.setdefault(key, []).append(task)
    for group in groups.values():
        readings = [(ids[task.file.name], task.reading) for task in group if task.reading]
        format, given = group[0].format, group[0].file.given
        if format.yields == "charges":
            more, read = charges.insert(connection, format, readings, given)
            new += more
            charged |= read
        else:
            insert(connection, format, readings, given, book, spill)
    return new, charged, len(groups) == 1 and format.repeats


_Span = tuple[int, int | None, int | None]


def _rows_by_source(connection: DuckDBPyConnection, last: int) -> dict[int, _Span]:
    """Good rows since ``last``, by source: their number, first and last time in µs."""
    return {
        source_id: (rows, first, final)
        for source_id, rows, first, final in connection.execute(
            "SELECT source_id, count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM stored_calls "
            "WHERE rowid > ? AND grain <> 'reject' GROUP BY source_id",
            [last],
        ).fetchall()
    }


def _note_rejects(
    connection: DuckDBPyConnection, task: Task, source_id: int, bad_rows: int, keep_raw: bool
) -> Counter[str]:
    """Write down the bad lines of a file, where it has some; how many of each reason."""
    assert task.reading is not None
    if not bad_rows and not task.reading.faults:
        return Counter()
    given = task.file.given
    keep_raw = keep_raw and not given.pseudonymize  # the text holds the names
    found = rejected.rejects(connection, task.format, source_id, task.reading, given, bad_rows > 0)
    return rejected.save(connection, source_id, found, keep_raw)


def _noted(task: Task, source_id: int, read: _Span | None, rejects: int, equal_lines: int) -> Source:
    """What is known of a file now; of one whose tail was read, together with what was known before."""
    reading, file = task.reading, task.file
    assert reading is not None
    rows, first, final = read or (0, None, None)
    now = replace(
        described(
            file.name,
            source_id,
            task.format.name,
            file.given,
            reading.read_to,
            reading.edges,
            file.status,
        ),
        rows=rows,
        rejected=rejects,
        equal_lines=equal_lines,
        first_us=first,
        last_us=final,
    )
    before = task.known
    if not reading.start or before is None:
        return now
    return replace(
        now,
        rows=before.rows + rows,
        rejected=before.rejected + rejects,
        equal_lines=before.equal_lines + equal_lines,
        first_us=min((us for us in (before.first_us, first) if us is not None), default=None),
        last_us=max((us for us in (before.last_us, final) if us is not None), default=None),
    )


def count_rows(connection: DuckDBPyConnection, last: int, tally: Tally) -> None:
    """Put the figures of the rows since row ``last`` into ``tally``."""
    row: tuple[Any, ...] = connection.execute(
        "SELECT count(*), count(*) FILTER (cost_pico IS NULL), epoch_us(min(ts)), epoch_us(max(ts)), "
        "CAST(coalesce(sum(cost_pico), 0) AS HUGEINT) FROM stored_calls "
        "WHERE rowid > ? AND rowid NOT IN (SELECT place FROM repeated)",
        [last],
    ).fetchone() or (0, 0, None, None, 0)
    rows, tally.unpriced, tally.first_us, tally.last_us, tally.cost_pico = row
    tally.new = rows - tally.improved


T = TypeVar("T")


def patiently(
    connection: DuckDBPyConnection, tasks: list[Task], spill: Path, read: Callable[[], T]
) -> tuple[T, list[tuple[Task, str]]]:
    """The result of ``read``, which begins a transaction and reads the files of ``tasks``; and those that it
    could not read, with the reason: they are no longer in ``tasks``.

    Most files have no bad line, and are read faster by a reader that stops at one. Only where it stops they
    are read by one that goes on, and only where that stops too they are looked at one by one.
    """
    import duckdb

    try:
        return read(), []
    except duckdb.Error as error:
        connection.execute("ROLLBACK")
        if _is_of_the_disk(error):
            raise
    take_memory(connection)
    for task in tasks:
        if task.reading is not None:
            task.reading.goes_on = True
    try:
        return read(), []
    except duckdb.Error as error:
        connection.execute("ROLLBACK")
        unreadable = None if _is_of_the_disk(error) else _mend(connection, tasks, spill)
        if unreadable is None:
            raise
    for task, _ in unreadable:
        tasks.remove(task)
    return read(), unreadable


def _is_of_the_disk(error: Exception) -> bool:
    return "No space left" in str(error)


def _mend(
    connection: DuckDBPyConnection, tasks: Sequence[Task], spill: Path
) -> list[tuple[Task, str]] | None:
    """After an error: rewrite the files that DuckDB cannot read, and name those that cannot be mended, with
    the reason. None if all can be read: then the error is of another kind."""
    mended, unreadable = 0, []
    for task in tasks:
        broken = task.reading
        if broken is None or not (why := _why_unreadable(connection, task)):
            continue
        try:
            if broken.shape == "jsonl":
                task.reading = lines.rewritten(broken, spill)
                _discard(broken)
                mended += 1
                why = _why_unreadable(connection, task)
        except OSError as error:
            if error.errno in FULL:
                raise
            why = error.strerror or str(error)
        if why:
            unreadable.append((task, why))
    return unreadable if mended or unreadable else None


def _why_unreadable(connection: DuckDBPyConnection, task: Task) -> str:
    """What DuckDB has against a file when it reads all of it; "" if nothing."""
    import duckdb

    assert task.reading is not None
    try:
        relation = judged(task.format, [(0, task.reading)], task.file.given)
        connection.execute(
            f"SELECT max(content), count(reason) FROM (\n{relation.sql}\n)", dict(relation.parameters)
        ).fetchall()
    except duckdb.Error as error:
        return str(error).partition("\n")[0]
    return ""


def _discard(reading: Reading | None) -> None:
    if reading is not None and reading.is_temporary:
        reading.path.unlink(missing_ok=True)
