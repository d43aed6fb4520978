"""Opening the ledger: late, for one purpose, and never longer than needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.ledger import checkpoint, schema
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.errors import LedgerDamaged, LedgerError, LedgerMissing
from costctl.ledger.files import Files, Say, private, sync
from costctl.ledger.locks import Patience, held

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READING_MEMORY, WRITING_MEMORY = "600MB", "280MB"
"""DuckDB's own limits. The process takes more: results, buffers of the JSON reader, Python (1 GB promised).
With more than the smaller one writing is no faster."""

BLOCK_SIZE = 65536
"""A quarter of DuckDB's default: columns of a row group end in a partly filled block, so small blocks save a
tenth of the file."""

READING_THREADS = 4
"""More threads do not read a file faster, but each takes buffers of twice the longest line."""


def quiet(_: str) -> None:
    """Say nothing."""


class Ledger:
    """The ledger in the file ``path``. Nothing is opened until it is asked something.

    ``wait`` is how many seconds to wait for other processes; ``say`` tells the user that we do.
    """

    def __init__(self, path: str | os.PathLike[str], wait: float = 30.0, say: Say = quiet) -> None:
        self.path = Path(os.path.realpath(path))
        self.files = Files(self.path)
        self.wait = wait
        self.say = say

    @property
    def exists(self) -> bool:
        try:
            return self.path.exists() or self.files.backup.exists()
        except PermissionError as error:
            raise LedgerError(f"cannot look for {self.path}: {error.strerror}", file=self.path) from error

    @property
    def own_files(self) -> tuple[Path, ...]:
        """Every file that belongs to the ledger; none is ever read as input or overwritten by output."""
        from costctl.state import files

        return (*self.files.all, *files(self.path))

    @property
    def spill_directory(self) -> Path:
        """Where a large ingest puts what does not fit in memory."""
        return self.files.spill

    @contextmanager
    def reading(self) -> Iterator[DuckDBEngine]:
        """Read for the block. Raises :class:`LedgerMissing`, :class:`LedgerLocked`, :class:`LedgerError`."""
        if not self.exists:
            raise LedgerMissing(
                f"there is no ledger at {self.path}",
                hint="make one with `costctl ingest PATH`, or name another with --db",
                file=self.path,
            )
        while True:
            with self._gate(exclusive=False) as patience:
                # A copy beside it: a checkpoint was cut short, and only a writer may put that right.
                if not self.files.backup.exists():
                    with closing(self._connect(patience, read_only=True)) as connection:
                        if schema.version(connection, self.path) == schema.VERSION:
                            self.files.protect(self.say)
                            with self._faults_explained():
                                yield DuckDBEngine(connection)
                            return
            with self.writing():
                pass  # settles what was cut short, and migrates

    @contextmanager
    def writing(self) -> Iterator[DuckDBPyConnection]:
        """Change the ledger for the block; a new one is made if there is none.

        The block commits its own transactions. Raises :class:`LedgerLocked`, :class:`LedgerError`.
        """
        try:
            with private():
                self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"cannot make the directory {self.path.parent}: {error.strerror}", file=self.path
            ) from error
        with self._gate(exclusive=True) as patience, self._faults_explained():
            if not self.exists:
                self._create()
            self.files.partial_backup.unlink(missing_ok=True)
            if self.files.backup.exists():
                self._settle(patience)
            with closing(self._connect(patience, read_only=False)) as connection:
                found = schema.version(connection, self.path)
                self.files.protect(self.say)
                if found < schema.VERSION:
                    schema.migrate(connection, found)
                yield connection

    def read_through(self) -> None:
        """Read every block of the ledger, which is there and settled. Raises :class:`LedgerDamaged` where one
        cannot be read."""
        import duckdb

        with (
            self._gate(exclusive=False) as patience,
            closing(self._connect(patience, read_only=True)) as connection,
        ):
            try:
                schema.read_all(connection)
            except duckdb.Error as error:
                raise self._unopened(str(error).splitlines()[0]) from None

    def checkpoint_if_due(self, connection: DuckDBPyConnection, more_comes: bool = False) -> None:
        """Write a long log into the file; a full disk only puts that off, with a word to the user.

        ``more_comes``: the command will ask again, after further transactions.
        """
        if checkpoint.is_due(self.files, more_comes):
            try:
                checkpoint.checkpoint(connection, self.files)
            except LedgerError as error:
                self.say(f"{error.message} ({error.hint})")

    @contextmanager
    def _gate(self, exclusive: bool) -> Iterator[Patience]:
        patience = Patience(self.files, self.wait, self.say)
        self.files.refuse_foreign()
        with private(), held(self.files, exclusive, patience):
            yield patience

    def _create(self) -> None:
        # A file that is cut short while DuckDB first writes it can never be opened: it gets its name when
        # it is whole.
        import duckdb

        new = self.files.new
        if self.files.log.exists():
            raise LedgerError(
                f"there is a log {self.files.log} without its ledger",
                hint="put the ledger back beside it, or remove the log to begin anew",
                file=self.path,
            )
        for file in (new, self.files.new_log):
            file.unlink(missing_ok=True)
        with duckdb.connect(config=_configuration()) as connection:
            connection.execute(f"ATTACH {_quoted(new)} AS ledger (BLOCK_SIZE {BLOCK_SIZE})")
            connection.execute("USE ledger")
            schema.create(connection)
            connection.execute("CHECKPOINT ledger")
            connection.execute("USE memory")
            connection.execute("DETACH ledger")
        sync(new)
        new.rename(self.path)
        sync(self.path.parent)

    def _settle(self, patience: Patience) -> None:
        """Put right what an unfinished checkpoint has left: the copy goes, or takes the ledger's place."""
        if self.path.exists() and self._is_sound(patience):
            self.files.backup.unlink()
            return
        checkpoint.restore(self.files)
        self.say(
            f"the last checkpoint of {self.path} was cut short: its copy and log are used instead, nothing "
            f"is lost (the unreadable file is kept as {self.files.damaged.name})"
        )

    def _is_sound(self, patience: Patience) -> bool:
        import duckdb

        try:
            with closing(self._connect(patience, read_only=True)) as connection:
                schema.read_all(connection)
        except (duckdb.Error, LedgerDamaged) as error:
            # The log goes last. Without it the checkpoint was complete, and its copy would take back commits.
            if _is_corruption(str(error)) and self.files.log.exists():
                return False
            raise
        return True

    def _connect(self, patience: Patience, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        while True:
            try:
                # The prefix keeps DuckDB from showing a CSV or JSON file of that name as a database.
                connection = duckdb.connect(
                    f"duckdb:{self.path}", read_only, _configuration(read_only, self.files.spill)
                )
                break
            except duckdb.Error as error:
                message = str(error)
            if "lock on file" not in message:
                raise self._unopened(message)
            patience.wait(message.partition("held in ")[2].partition(". ")[0] or "another program")
        connection.execute("SET TimeZone = 'UTC'")
        if not read_only:
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        return connection

    def _unopened(self, message: str) -> LedgerError:
        if "Corrupt WAL" in message:
            return LedgerError(
                f"the ledger's log {self.files.log} is damaged: {message}",
                hint="move it away: the ledger is then as at its last checkpoint; ingest later files again",
                file=self.path,
            )
        if _is_corruption(message) or "Could not read enough bytes" in message:  # of a file that was cut
            return LedgerDamaged(
                f"the ledger {self.path} is damaged: {message}",
                hint="restore it from your own backup, or move it and its log away and ingest again",
                file=self.path,
            )
        if "not a valid DuckDB database file" in message:
            return schema.not_a_ledger(self.path)
        return LedgerError(f"cannot open the ledger {self.path}: {message}", file=self.path)

    @contextmanager
    def _faults_explained(self) -> Iterator[None]:
        """Say what a full disk or a broken connection means for the ledger."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            full = "No space left on device" in str(error)
            if not full and not isinstance(error, duckdb.FatalException):
                raise
            reason = f"no space is left on the disk of {self.path.parent}" if full else str(error)
            raise LedgerError(
                f"the ledger could not be written: {reason}",
                hint=("free some space, then r" if full else "r")
                + "un the same command again: what was committed is safe, and nothing is counted twice",
                file=self.path,
            ) from error


def _is_corruption(message: str) -> bool:
    return "corrupt database file" in message.lower()


def _configuration(
    read_only: bool = False, spill: Path | None = None
) -> dict[str, str | bool | int | float | list[str]]:
    configuration: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": READING_MEMORY if read_only else WRITING_MEMORY,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "threads": min(os.cpu_count() or 1, READING_THREADS),
    }
    if not read_only:
        configuration["preserve_insertion_order"] = False
        # Never at DuckDB's own pleasure: see checkpoint.py.
        configuration["checkpoint_threshold"] = "1TB"
    if spill is not None:
        configuration["temp_directory"] = str(spill)
    return configuration


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
