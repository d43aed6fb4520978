"""``state.sqlite``: what has to be remembered between runs and is not in the ledger.

It stands beside the ledger, and apart from it, so that an open notebook or a running ingest stops no alert.
Whatever is in it may be lost without harm to any figure: alerts are then told once more.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "state.sqlite"
LEDGER_NAME = "ledger.duckdb"

APPLICATION_ID = 0x636F7374
"""What SQLite writes into the file's head, to tell it from other programs' files: the letters "cost"."""
LAYOUT = 1
"""Of the file itself (``user_version``): one table that knows the version of every :class:`Part`."""

_PARTS = "CREATE TABLE parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"

_opening = threading.Lock()
"""Closing any descriptor of a database drops the locks that other connections of this process hold on it, so
the file is made and first opened by one thread at a time."""


class StateError(Exception):
    """The state cannot be used: ``message`` says why, ``hint`` the way out; ``file`` is its file."""

    def __init__(self, message: str, hint: str = "", file: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file


@dataclass(frozen=True, slots=True)
class Part:
    """The tables of one room, which owns them: ``steps[n]`` are the statements that lead from their version n
    to n + 1. Those of a released version never change."""

    name: str
    steps: tuple[tuple[str, ...], ...]


def beside(ledger: str | os.PathLike[str]) -> Path:
    """The state of a ledger: ``state.sqlite`` in its directory. A ledger with a name of its own has a state
    with that name, as ``other.state.sqlite``, for there may be several in one directory."""
    path = Path(os.path.realpath(ledger))
    return path.with_name(NAME if path.name == LEDGER_NAME else f"{path.name}.{NAME}")


def files(ledger: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Every file of the state of a ledger."""
    path = beside(ledger)
    return tuple(path.with_name(path.name + ending) for ending in ("", "-wal", "-shm", "-journal"))


def _quiet(_: str) -> None:
    """Say nothing."""


class State:
    """The state in the file ``path`` with the tables of ``parts``, made where they are missing.

    ``wait`` is how many seconds to wait for other processes. ``durable``: what was committed outlives a power
    cut, not only the process. ``say`` tells the user of a mode that was mended. A connection belongs to one
    thread, but with ``one_thread`` False to any that take turns. Raises :class:`StateError`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *parts: Part,
        wait: float = 30.0,
        durable: bool = True,
        say: Callable[[str], None] = _quiet,
        one_thread: bool = True,
    ) -> None:
        self.path = Path(path).absolute()
        with _opening:
            self._make_private(say)
            self._connection = self._connect(str(self.path), wait, one_thread)
        with self._closed_on_failure(), self._faults_explained():
            self._use_log(wait)
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._require(parts)

    @classmethod
    def rehearsal(cls, path: str | os.PathLike[str], *parts: Part, wait: float = 30.0) -> State:
        """A copy in memory of the state in ``path``, of an empty one where there is none: changes to it are
        forgotten, and the file stays as it is. Raises :class:`StateError`."""
        state = cls.__new__(cls)
        state.path = Path(path).absolute()
        state._connection = state._connect(":memory:", wait)
        with state._closed_on_failure(), state._faults_explained():
            if state.path.exists():
                original = sqlite3.connect(f"{state.path.as_uri()}?mode=ro", uri=True, timeout=wait)
                try:
                    original.backup(state._connection)
                finally:
                    original.close()
            state._require(parts)
        return state

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Read and change for the block, alone; all of it is there afterwards, or nothing where the block
        raises. Keep it short: others wait. Raises :class:`StateError`."""
        with self._faults_explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a SELECT, as last committed."""
        with self._faults_explained():
            return self._connection.execute(sql, parameters).fetchall()

    # --- opening ------------------------------------------------------------------------------------------

    def _make_private(self, say: Callable[[str], None]) -> None:
        """Have a file that only its owner can read, in a place where nobody else can put another: SQLite
        follows links, and gives its log the modes of the file."""
        directory = self.path.parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            where = directory.stat()
        except OSError as error:
            raise StateError(
                f"cannot use the directory {directory}: {error.strerror}", file=self.path
            ) from error
        open_to_all = where.st_mode & stat.S_IWOTH and not where.st_mode & stat.S_ISVTX
        if open_to_all or (os.geteuid() != 0 and where.st_uid not in (0, os.geteuid())):
            raise StateError(
                f"other users could replace files in {directory}",
                "keep the ledger in a directory of your own",
                self.path,
            )
        if not os.path.lexists(self.path):
            try:
                with suppress(FileExistsError):
                    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                    os.close(os.open(self.path, flags, 0o600))
            except OSError as error:
                raise StateError(f"cannot make {self.path}: {error.strerror}", file=self.path) from error
        for path in (self.path, self._beside("-wal"), self._beside("-shm")):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode):
                raise StateError(
                    f"{path} is a link or no file at all", "see what it is, then remove it", self.path
                )
            if status.st_uid != os.geteuid():
                raise StateError(
                    f"{path} belongs to another user (uid {status.st_uid})",
                    "run costctl as that user",
                    self.path,
                )
            if status.st_mode & 0o077:
                path.chmod(0o600)
                say(f"{path} was open to other users: its mode is now 0600")

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    def _connect(self, name: str, wait: float, one_thread: bool = True) -> sqlite3.Connection:
        # No isolation level: Python's sqlite3 would begin transactions of its own, and not IMMEDIATE ones.
        return sqlite3.connect(name, timeout=wait, isolation_level=None, check_same_thread=one_thread)

    def _use_log(self, wait: float) -> None:
        """Switch to the write-ahead log, with which readers and a writer do not wait for each other. The
        first switch of a new file does not heed the timeout, so it waits by itself."""
        deadline = time.monotonic() + wait
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    def _require(self, parts: Sequence[Part]) -> None:
        """Make or migrate the tables that are not of this program's version."""
        if self._lacking(parts):
            with self.transaction() as connection:
                if not self._layout():
                    connection.execute(_PARTS)
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {LAYOUT}")
                for part, version in self._lacking(parts):
                    for step in part.steps[version:]:
                        for statement in step:
                            connection.execute(statement)
                    connection.execute("REPLACE INTO parts VALUES (?, ?)", [part.name, len(part.steps)])

    def _lacking(self, parts: Sequence[Part]) -> list[tuple[Part, int]]:
        """Which of ``parts`` are of an older version, or not there (0), and that version."""
        if not self._layout():
            return [(part, 0) for part in parts]
        versions = dict(self._connection.execute("SELECT name, version FROM parts").fetchall())
        if newer := [part.name for part in parts if versions.get(part.name, 0) > len(part.steps)]:
            raise self._too_new(f"its {newer[0]} are")
        return [
            (part, version) for part in parts if (version := versions.get(part.name, 0)) < len(part.steps)
        ]

    def _layout(self) -> int:
        """The version of the file's layout, 0 where it is empty.

        The tables are counted first: another process may make them, and the file ours, between two questions.
        """
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (layout,) = self._connection.execute("PRAGMA user_version").fetchone()
        if application == APPLICATION_ID:
            if layout > LAYOUT:
                raise self._too_new("it is")
            return int(layout)
        if application or tables:
            raise self._not_ours()
        return 0

    # --- what can go wrong --------------------------------------------------------------------------------

    def _too_new(self, what: str) -> StateError:
        return StateError(
            f"{self.path} was made by a newer costctl: {what} of a version that this one does not know",
            "install a newer costctl",
            self.path,
        )

    def _not_ours(self) -> StateError:
        return StateError(
            f"{self.path} is not costctl's state",
            "move it away: a new one is made, and alerts are then told once more",
            self.path,
        )

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def _faults_explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            match getattr(error, "sqlite_errorcode", 0) & 0xFF:
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    raise StateError(
                        f"{self.path} is held by another process", "try again later", self.path
                    ) from error
                case sqlite3.SQLITE_FULL:
                    raise StateError(
                        f"no space is left on the disk of {self.path.parent}",
                        "free some space, then run the same command again",
                        self.path,
                    ) from error
                case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                    raise self._not_ours() from error
                case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR:
                    raise StateError(f"cannot use {self.path}: {error}", file=self.path) from error
            raise
