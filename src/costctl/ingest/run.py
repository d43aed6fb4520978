"""`ingest`: files in, priced calls in the ledger, a word on everything that is not in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.ingest import mapped, plan
from costctl.ingest.commit import books, commit
from costctl.ingest.discover import Discovery, claude_code_directories, discover
from costctl.ingest.plan import File, Skipped
from costctl.ingest.progress import Progress, watched
from costctl.ingest.sources import Given
from costctl.ingest.tally import Tally, subject
from costctl.ledger import Ledger, LedgerError
from costctl.ledger.phases import phase
from costctl.ledger.sources import Source, load
from costctl.report import Column, Outcome

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from costctl.ingest.task import Task
    from costctl.ledger import Engine
    from costctl.pricing.book import PriceBook


@dataclass(frozen=True, slots=True)
class Input:
    """What the user names: a file, a directory, a glob, ``-`` for standard input; and the flags for it."""

    path: str
    given: Given


@dataclass(frozen=True, slots=True)
class Ingested:
    """The result: ``failed`` if a named file could not be read; ``attention`` if a line of these files was
    rejected, now or when they were read, or a call of them has no price."""

    outcome: Outcome
    failed: bool
    attention: bool


_UNPRICED_BY_SOURCE = """
SELECT source_id, CAST(count(*) AS BIGINT) FROM stored_calls WHERE cost_pico IS NULL GROUP BY source_id
"""

NOTHING = Given()
"""No flags."""


def ingest(
    ledger: Ledger,
    inputs: Sequence[str | Input],
    *,
    book: PriceBook | Callable[[], PriceBook],
    given: Given = NOTHING,
    claude_code: bool = False,
    dry_run: bool = False,
    full: bool = False,
    keep_rejects: bool = False,
    progress: Progress | None = None,
) -> Ingested:
    """Bring what is new in ``inputs`` into ``ledger``; ``given`` are the flags of those that are plain text.
    ``book``, or what gives it, prices them.

    ``claude_code`` adds Claude Code's own directories on this machine. ``dry_run`` leaves the ledger as it
    is. ``full`` reads files again that have not changed. ``keep_rejects`` keeps the text of bad lines. Raises
    :class:`LedgerError`, and :class:`OSError` for a disk that is full.
    """
    named = [each if isinstance(each, Input) else Input(each, given) for each in inputs]
    if claude_code:
        named += [Input(path, given) for path in claude_code_directories(dict(os.environ))]
    never = {*ledger.own_files, ledger.spill_directory}
    with _rehearsal(ledger) if dry_run else nullcontext(ledger) as into:
        if dry_run:
            never.add(into.path.parent)
        run = _Run(into, book, full, keep_rejects, progress)
        with spilling(into) as run.spill:
            run.read(named, never)
    return run.result("dry run: the ledger is as it was" if dry_run else "")


# What reads and prices is imported by the functions that do: where nothing is new, nothing of it is needed.


class _Run:
    """The state of one ingest."""

    def __init__(
        self,
        ledger: Ledger,
        book: PriceBook | Callable[[], PriceBook],
        full: bool,
        keep_rejects: bool,
        progress: Progress | None,
    ) -> None:
        self.ledger = ledger
        self._book = book
        self.full = full
        self.keep_rejects = keep_rejects
        self.progress = progress
        self.spill = ledger.spill_directory
        self.tally = Tally()
        self.left_out = Skipped()
        self.has_written = False
        self.others_wrote = False
        self.unpriced_before = 0

    @cached_property
    def book(self) -> PriceBook:
        """The price book: where nothing is new, nobody looks into it."""
        return self._book() if callable(self._book) else self._book

    def read(self, inputs: Sequence[Input], never: Collection[Path]) -> None:
        """Read ``inputs``, but none of the files and directories ``never``."""
        phase("look")
        files = self._files(inputs, never)
        known, unpriced, needs_prices = self._known()
        files = self._without_names(mapped.with_mappings(files, known), known)
        found = plan.pending(files, known, self.full)
        self._pass_over(found.unchanged)
        ledgers, todo = _apart([file for file, _, _ in found.todo])
        if self.progress and (todo or ledgers):
            self.progress.start(sum(file.status.st_size for file in [*todo, *ledgers]))
        if found.moved:
            self._keep_moved_and_price(found.moved)
        groups = list(plan.batches(todo))
        for group in groups:
            self._read_group(group, found.known, more_comes=group is not groups[-1])
        for file in ledgers:
            self._merge(file)
        if needs_prices and not self.has_written:
            self._keep_moved_and_price([])
        if unpriced or self.others_wrote:
            self.unpriced_before = max(self._unpriced_of(files) - self.tally.unpriced, 0)
        if self.progress:
            self.progress.stop()

    def _pass_over(self, unchanged: Sequence[Source]) -> None:
        self.tally.unchanged += len(unchanged)
        self.tally.rejected_before += sum(source.rejected for source in unchanged)

    def _unpriced_of(self, files: Sequence[File]) -> int:
        """How many calls of ``files`` have no price now."""
        with self.ledger.reading() as engine:
            known, unpriced = load(engine), _counts(engine)
        ids = [known[file.name].source_id for file in files if file.name in known]
        return sum(unpriced.get(source_id, 0) for source_id in ids)

    def _files(self, inputs: Sequence[Input], never: Collection[Path]) -> list[File]:
        files: dict[str, File] = {}
        by_flags: dict[str, list[Input]] = {}
        for each in inputs:
            by_flags.setdefault(each.given.to_json(), []).append(each)
        for same in by_flags.values():
            discovery: Discovery = discover([each.path for each in same], never)
            self.left_out.skipped += discovery.skipped
            self.left_out.failed += discovery.failed
            for file in plan.files(discovery, same[0].given, self.spill):
                files.setdefault(file.name, file)
        return list(files.values())

    @cached_property
    def key(self) -> bytes:
        """The key of pseudonyms. Raises :class:`LedgerError`."""
        from costctl.ledger.key import key_of

        return key_of(self.ledger)

    def _without_names(self, files: Sequence[File], known: Mapping[str, Source]) -> list[File]:
        """``files`` with flags that say no name that is to be a pseudonym. What was read so once is read so
        again, whether this time it was asked for or not."""
        before: dict[object, tuple[str, ...]] = {}
        for source in known.values():
            if names := Given.from_json(source.given).pseudonymize:
                before |= {source.path: names, (source.device, source.inode): names}
        if not before and not any(file.given.pseudonymize for file in files):
            return list(files)
        from costctl.ingest.pseudonyms import of_flags

        result = []
        for file in files:
            same_file = (file.status.st_dev, file.status.st_ino)
            asked = {*file.given.pseudonymize, *before.get(file.name, ()), *before.get(same_file, ())}
            given = replace(file.given, pseudonymize=tuple(sorted(asked)))
            result.append(replace(file, given=of_flags(given, self.key)) if asked else file)
        return result

    def _known(self) -> tuple[dict[str, Source], dict[int, int], bool]:
        """The sources by path, the number of calls without a price by source, and whether these may have one
        in a book that was not tried yet."""
        if not self.ledger.exists:
            return {}, {}, False
        with self.ledger.reading() as engine:
            unpriced = _counts(engine)
            used = engine.rows("SELECT value FROM meta WHERE key = 'price_books'")
            return load(engine), unpriced, bool(unpriced) and used != [(books(self.book),)]

    def _read_group(self, files: Sequence[File], known: Mapping[str, Source], more_comes: bool) -> None:
        from costctl.ingest import batch

        phase("read")
        tasks = self._tasks(files, known)
        if not tasks:
            return
        with self.ledger.writing() as connection:
            now = load_sources(connection)
            if any(now.get(task.file.name) != task.known for task in tasks):
                # Another process has been here since we looked.
                self.others_wrote = True
                files = [task.file for task in tasks]
                self._pass_over(plan.pending(files, now, self.full).unchanged)
                tasks = self._tasks(files, now)
            tally, unreadable = batch.patiently(
                connection, tasks, self.spill, lambda: self._add(connection, tasks)
            )
            for task, why in unreadable:
                self.left_out.note(task.file, why, failed=True)
            self.tally.add(tally)
            self._commit(connection, more_comes, tally.first_us)

    def _merge(self, file: File) -> None:
        from costctl.ingest.merge import ONLY_EMPTY, merge

        if said := file.given.of_calls:
            self.left_out.note(
                file, f"a ledger is merged as it is, without {', '.join(said)}: read its files themselves so"
            )
            return
        other = Ledger(file.path, self.ledger.wait, self.ledger.say)
        with self.ledger.writing() as connection:
            connection.execute("BEGIN")
            try:
                with watched(connection, self.progress, file.status.st_size):
                    tally = merge(connection, other, file.name, self.book)
                self.tally.add(tally)
            except LedgerError as error:
                connection.execute("ROLLBACK")
                self.left_out.note(file, error.message + (f" ({error.hint})" if error.hint else ""))
                return
            if not tally.files:
                self.left_out.skipped.append((file.name, ONLY_EMPTY))
            self._commit(connection, first_us=tally.first_us)

    def _tasks(self, files: Sequence[File], known: Mapping[str, Source]) -> list[Task]:
        from costctl.ingest import task

        tasks: list[Task] = []
        for file, source, state in plan.pending(files, known, self.full).todo:
            try:
                if found := task.task_of(file, source, state, self.left_out):
                    found.reading = task.read(found, self.spill)
                    tasks.append(found)
                    if file.given.map:
                        mapped.note_lacking(found, self.left_out)
            except OSError as error:
                self.left_out.note_error(file, error)
        return tasks

    def _add(self, connection: DuckDBPyConnection, tasks: Sequence[Task]) -> Tally:
        connection.execute("BEGIN")
        from costctl.ingest import batch

        if any(task.file.given.pseudonymize for task in tasks):
            from costctl.ingest.pseudonyms import set_key

            set_key(connection, self.key)

        size = sum(task.file.status.st_size for task in tasks)
        with watched(connection, self.progress, size):
            return batch.add(connection, tasks, self.book, self.spill, self.keep_rejects)

    def _keep_moved_and_price(self, moved: Sequence[Source]) -> None:
        with self.ledger.writing() as connection:
            connection.execute("BEGIN")
            for source in moved:
                connection.execute(
                    "UPDATE sources SET path = ? WHERE source_id = ?", [source.path, source.source_id]
                )
            from costctl.ingest.allocated import allocate_moved
            from costctl.ingest.prices import price_unpriced

            if moved:
                allocate_moved(connection)
            price_unpriced(connection, self.book)
            self._commit(connection)

    def _commit(
        self, connection: DuckDBPyConnection, more_comes: bool = False, first_us: int | None = None
    ) -> None:
        phase("commit")
        commit(connection, self.book, first_us)
        phase("committed")
        self.has_written = True
        self.ledger.checkpoint_if_due(connection, more_comes)

    def result(self, note: str) -> Ingested:
        """What was done; ``note`` goes before all other notes."""
        tally, left_out = self.tally, self.left_out
        figures: list[tuple[Column, object]] = [
            (Column("files", "count"), tally.files),
            (Column("files_unchanged", "count"), tally.unchanged),
            (Column("files_skipped", "count"), len(left_out.skipped)),
            (Column("rows_new", "count"), tally.new),
            (Column("rows_known", "count"), tally.known),
            (Column("rows_improved", "count"), tally.improved),
            (Column("charges_new", "count"), tally.charges),
            (Column("rows_rejected", "count"), tally.rejected.total()),
            (Column("rejects_by_reason", "count"), dict(sorted(tally.rejected.items()))),
            (Column("unpriced_calls", "count"), tally.unpriced),
            (Column("first_ts", "time"), _iso(tally.first_us)),
            (Column("last_ts", "time"), _iso(tally.last_us)),
            (Column("cost", "money"), tally.cost_pico),
        ]
        return Ingested(
            Outcome(
                "ingest",
                tuple(column for column, _ in figures),
                tuple(value for _, value in figures),
                (*([note] if note else []), *self._notes()),
            ),
            failed=bool(left_out.failed),
            attention=bool(tally.rejected or tally.rejected_before or tally.unpriced or self.unpriced_before),
        )

    def _notes(self) -> Iterator[str]:
        tally = self.tally
        for path, why in self.left_out.failed:
            yield f"not read: {path}: {why}"
        for path, why in self.left_out.skipped:
            yield f"skipped: {path}: {why}"
        for what, paths in self.left_out.lacking.items():
            more = f", and {subject(len(paths) - 1, 'more file', 'more files')}" if len(paths) > 1 else ""
            yield f"{paths[0]}{more}: {what}"
        if tally.rejected:
            yield "`costctl rejects` shows the rejected lines"
        if tally.rejected_before:
            lines = subject(tally.rejected_before, "line was", "lines were")
            yield f"{lines} rejected in earlier ingests of these files"
        if tally.equal_lines:
            lines = subject(tally.equal_lines, "line without an id is", "lines without an id are")
            yield f"{lines} equal to an earlier line of the file; each is counted as a call of its own"
        if tally.withdrawn:
            calls = subject(tally.withdrawn, "call is", "calls are")
            yield f"{calls} gone that an earlier reading of these files, by another mapping, had given"
        if tally.unpriced:
            calls = subject(tally.unpriced, "call has", "calls have")
            yield f"{calls} no price: `costctl prices check` says why"
        if self.unpriced_before:
            calls = subject(self.unpriced_before, "call has", "calls have")
            yield f"{calls} no price yet, from earlier ingests of these files"


@contextmanager
def spilling(ledger: Ledger) -> Iterator[Path]:
    """A directory for what is rewritten before it is read; those of processes that died are removed."""
    parent = ledger.spill_directory
    for left in parent.glob("reading-*"):
        if not Path("/proc", left.name.removeprefix("reading-")).exists():
            shutil.rmtree(left, ignore_errors=True)
    spill = parent / f"reading-{os.getpid()}"
    try:
        yield spill
    finally:
        shutil.rmtree(spill, ignore_errors=True)
        with suppress(OSError):
            parent.rmdir()


def _apart(files: Sequence[File]) -> tuple[list[File], list[File]]:
    """Other ledgers among ``files``, and the rest."""
    ledgers: list[File] = []
    others: list[File] = []
    for file in files:
        (ledgers if _is_ledger(file) else others).append(file)
    return ledgers, others


def _is_ledger(file: File) -> bool:
    if not file.named or file.is_stream:
        return False
    from costctl.ingest.merge import is_ledger

    try:
        return is_ledger(file.path)
    except OSError:
        return False


def _counts(engine: Engine) -> dict[int, int]:
    """The number of calls without a price, by source."""
    return dict[int, int](engine.rows(_UNPRICED_BY_SOURCE))


def _rehearsal(ledger: Ledger) -> AbstractContextManager[Ledger]:
    from costctl.ingest.rehearsal import rehearsal

    return rehearsal(ledger)


def load_sources(connection: DuckDBPyConnection) -> dict[str, Source]:
    """The sources, in a connection that may write."""
    from costctl.ledger.engine import DuckDBEngine

    return load(DuckDBEngine(connection))


def _iso(us: int | None) -> str | None:
    if us is None:
        return None
    seconds, rest = divmod(us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return moment.isoformat().replace("+00:00", "Z")
