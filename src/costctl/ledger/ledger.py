"""Opening the ledger: late, for one purpose, and never longer than needed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.ledger import checkpoint, schema
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.errors import LedgerError, LedgerLocked, LedgerMissing
from costctl.ledger.locks import Say, held, lock_file, pauses

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "600MB"
"""DuckDB's own limit. The process takes more: results, buffers of the JSON reader, Python (1 GB promised)."""

BLOCK_SIZE = 65536
"""A quarter of DuckDB's default: columns of a row group end in a partly filled block, so small blocks save a
tenth of the file."""

READING_THREADS = 4
"""More threads do not read a file faster, but each takes buffers of twice the longest line."""


def quiet(_: str) -> None:
    """Say nothing."""


class Ledger:
    """The ledger in the file ``path``. Nothing is opened until it is asked something.

    ``wait`` is how many seconds to wait for another process; ``say`` tells the user that we do.
    """

    def __init__(self, path: str | os.PathLike[str], wait: float = 30.0, say: Say = quiet) -> None:
        self.path = Path(os.path.realpath(path))
        self.wait = wait
        self.say = say

    @property
    def exists(self) -> bool:
        return self.path.exists()

    @property
    def own_files(self) -> tuple[Path, ...]:
        """Every file that belongs to the ledger; none is ever read as input or overwritten by output."""
        return (
            self.path,
            lock_file(self.path),
            checkpoint.log_file(self.path),
            checkpoint.backup_file(self.path),
        )

    @property
    def spill_directory(self) -> Path:
        """Where a large ingest puts what does not fit in memory."""
        return self.path.with_name(self.path.name + ".tmp")

    @contextmanager
    def reading(self) -> Iterator[DuckDBEngine]:
        """Read for the block. Raises :class:`LedgerMissing`, :class:`LedgerLocked`, :class:`LedgerError`."""
        if not self.exists:
            raise LedgerMissing(
                f"there is no ledger at {self.path}",
                hint="make one with `costctl ingest PATH`, or name another with --db",
                file=self.path,
            )
        with held(self.path, exclusive=False, wait=self.wait, say=self.say):
            connection = self._connect(read_only=True)
            outdated = schema.version(connection) < schema.VERSION
            if not outdated:
                try:
                    yield DuckDBEngine(connection)
                finally:
                    connection.close()
                return
            connection.close()
        with self.writing() as writer:
            yield DuckDBEngine(writer)

    @contextmanager
    def writing(self) -> Iterator[DuckDBPyConnection]:
        """Change the ledger for the block; a new one is made if there is none.

        The block commits its own transactions. Raises :class:`LedgerLocked`, :class:`LedgerError`.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        previous = os.umask(0o077)
        try:
            with held(self.path, exclusive=True, wait=self.wait, say=self.say):
                if not self.exists:
                    self._create()
                self._protect()
                connection = self._connect(read_only=False)
                try:
                    found = schema.version(connection)
                    if found < schema.VERSION:
                        schema.migrate(connection, found)
                    yield connection
                finally:
                    connection.close()
        finally:
            os.umask(previous)

    def checkpoint_if_due(self, connection: DuckDBPyConnection) -> None:
        """Write a long log into the file; a full disk only puts that off, with a word to the user."""
        if checkpoint.is_due(self.path):
            try:
                checkpoint.checkpoint(connection, self.path)
            except LedgerError as error:
                self.say(error.message)

    def _create(self) -> None:
        # A file that is cut short while DuckDB first writes it can never be opened: it gets its name when
        # it is whole.
        import duckdb

        new = self.path.with_name(self.path.name + ".new")
        for file in (new, checkpoint.log_file(new)):
            file.unlink(missing_ok=True)
        with duckdb.connect(config=_configuration(read_only=False)) as connection:
            connection.execute(f"ATTACH {_quoted(new)} AS ledger (BLOCK_SIZE {BLOCK_SIZE})")
            connection.execute("USE ledger")
            schema.create(connection)
            connection.execute("CHECKPOINT ledger")
            connection.execute("USE memory")
            connection.execute("DETACH ledger")
        descriptor = os.open(new, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(new, self.path)

    def _protect(self) -> None:
        for file in self.own_files:
            if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
                self.say(f"{file} could be read by others: its mode is now 0600")
                file.chmod(0o600)

    def _connect(self, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        configuration = _configuration(read_only, self.spill_directory)
        deadline = time.monotonic() + self.wait
        told = False
        for pause in pauses():
            try:
                connection = duckdb.connect(str(self.path), read_only=read_only, config=configuration)
                break
            except duckdb.Error as error:
                message = str(error)
                if "lock on file" not in message:
                    self._recover(message)
                    continue
                holder = message.partition("held in ")[2].partition(". ")[0] or "another program"
                if time.monotonic() >= deadline:
                    raise LedgerLocked(
                        f"the ledger {self.path} is held by {holder}",
                        hint="close it there, or wait longer with --wait SECONDS",
                        file=self.path,
                    ) from None
                if not told:
                    self.say(f"waiting for the ledger, held by {holder} …")
                    told = True
                time.sleep(pause)
        connection.execute("SET TimeZone = 'UTC'")
        if not read_only:
            connection.execute("SET checkpoint_threshold = '1TB'")
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        return connection

    def _recover(self, message: str) -> None:
        """Put the copy of an unfinished checkpoint in place, or raise what is wrong in our words."""
        if "checksum" in message.lower() or "corrupt" in message.lower():
            if "replaying WAL" in message and not checkpoint.backup_file(self.path).exists():
                raise LedgerError(f"the ledger's log is damaged: {message}", file=self.path)
            aside = checkpoint.restore(self.path)
            self.say(
                f"the last checkpoint of {self.path} was cut short: its copy and log are in use, nothing is lost "
                f"(the damaged file is kept as {aside.name})"
            )
            return
        if "not a valid DuckDB database file" in message:
            raise LedgerError(
                f"{self.path} is not a costctl ledger", hint="name another file with --db", file=self.path
            )
        raise LedgerError(f"cannot open the ledger {self.path}: {message}", file=self.path)


def _configuration(
    read_only: bool, spill: Path | None = None
) -> dict[str, str | bool | int | float | list[str]]:
    configuration: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "threads": min(os.cpu_count() or 1, READING_THREADS),
    }
    if not read_only:
        configuration["preserve_insertion_order"] = False
    if spill is not None:
        configuration["temp_directory"] = str(spill)
    return configuration


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
