"""The files of a ledger: their names, and that nobody else can read, plant or swap them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from costctl.ledger.errors import LedgerError

Say = Callable[[str], None]
"""Tells the user something that is neither result nor error."""


@dataclass(frozen=True, slots=True)
class Files:
    """The ledger's own file, and what stands beside it under the same name with another ending."""

    ledger: Path

    def _beside(self, ending: str) -> Path:
        return self.ledger.with_name(self.ledger.name + ending)

    @property
    def lock(self) -> Path:
        """The gate among our own processes. It is never removed."""
        return self._beside(".lock")

    @property
    def log(self) -> Path:
        """DuckDB's write-ahead log: commits that are not in the ledger's file yet."""
        return self._beside(".wal")

    @property
    def backup(self) -> Path:
        """The ledger's file as it was when the checkpoint began that is not done yet."""
        return self._beside(".bak")

    @property
    def partial_backup(self) -> Path:
        return self._beside(".bak.partial")

    @property
    def damaged(self) -> Path:
        """A file that an unfinished checkpoint left unreadable, set aside."""
        return self._beside(".damaged")

    @property
    def new(self) -> Path:
        """A ledger that is being made."""
        return self._beside(".new")

    @property
    def new_log(self) -> Path:
        return self._beside(".new.wal")

    @property
    def key(self) -> Path:
        """The key of the ledger's pseudonyms, where it has any."""
        return self._beside(".key")

    @property
    def spill(self) -> Path:
        """The directory for what does not fit in memory."""
        return self._beside(".tmp")

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, the ledger first; not the directory."""
        return (
            self.ledger,
            self.lock,
            self.log,
            self.backup,
            self.partial_backup,
            self.damaged,
            self.new,
            self.new_log,
            self.key,
        )

    def refuse_foreign(self) -> None:
        """Raise :class:`LedgerError` for a link, another user's file, or a directory where others could put
        either. (The ledger itself may be named through a link: its name is resolved by then.)"""
        directory = self.ledger.parent.stat()
        writable_by_all = directory.st_mode & stat.S_IWOTH and not directory.st_mode & stat.S_ISVTX
        foreign = os.geteuid() != 0 and directory.st_uid not in (0, os.geteuid())
        if writable_by_all or foreign:
            raise LedgerError(
                f"other users could replace files in {self.ledger.parent}",
                hint="keep the ledger in a directory of your own; name one with --db",
                file=self.ledger,
            )
        for path in (*self.all, self.spill):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISLNK(status.st_mode):
                raise LedgerError(
                    f"{path} is a link, which the ledger's own files never are",
                    hint="see where it leads, then remove it",
                    file=self.ledger,
                )
            if status.st_uid != os.geteuid():
                raise LedgerError(
                    f"{path} belongs to another user (uid {status.st_uid})",
                    hint="run costctl as that user, or name a ledger of your own with --db",
                    file=self.ledger,
                )

    def protect(self, say: Say) -> None:
        """Take away what others may do with the files, with a word for each that they could have read."""
        for path in (*self.all, self.spill):
            try:
                mode = stat.S_IMODE(path.stat().st_mode)
            except FileNotFoundError:
                continue
            if mode & 0o077:
                path.chmod(mode & 0o700)
                say(f"{path} was open to other users: its mode is now {mode & 0o700:04o}")


@contextmanager
def private() -> Iterator[None]:
    """What is created in the block can be read by its owner only, whatever the umask was."""
    previous = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(previous)


def sync(path: Path) -> None:
    """Have the disk hold a file's content, or a directory's names. Never for the open ledger: closing the
    descriptor would drop DuckDB's lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
