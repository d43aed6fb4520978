"""The call log: a directory with one JSONL file a day (UTC), to which many processes and threads append.

A line reaches its file whole and apart from all others. One of up to :data:`ATOMIC` bytes is a single write
to a file opened with O_APPEND, under a shared lock; a longer one may take several writes, and keeps everybody
out meanwhile. What a process that died in the middle of a write has left is closed by the next line with a
newline, and stays for the ingest to reject and count. Lines are not synced to the disk one by one: they
outlive the process, not the machine's power.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from costctl.sdk.forks import Lock

ATOMIC = 4096
"""Bytes. A file system appends one write apart from all others; that of a longer line might come in parts."""

_DAY_SECONDS = 86_400
_OPENING = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class CallLogError(Exception):
    """A line could not be appended; ``file`` is where."""

    def __init__(self, message: str, file: Path) -> None:
        super().__init__(message)
        self.file = file

    def __reduce__(self) -> tuple[type[CallLogError], tuple[str, Path]]:
        return type(self), (str(self), self.file)


class CallLog:
    """The files ``calls-YYYY-MM-DD.jsonl`` in ``directory``, which is made when the first line is written;
    both are for their owner only. ``clock`` gives seconds since 1970. A file that is removed meanwhile is
    begun anew."""

    def __init__(self, directory: str | os.PathLike[str], clock: Callable[[], float] = time.time) -> None:
        self._day = self._descriptor = -1
        self._lock = Lock()
        self.directory = Path(directory)
        self._clock = clock
        _LOGS.add(self)

    def append(self, line: Mapping[str, object]) -> None:
        """Write ``line`` as JSON. Raises :class:`CallLogError`; ValueError and TypeError for what is no
        JSON."""
        text = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Half of a surrogate pair is no character, and no reader would take the line.
        content = text.encode("utf-8", "replace") + b"\n"
        with self._lock:
            try:
                self._write(content)
            except OSError as error:
                file = self.file(self._day)
                raise CallLogError(f"cannot append to {file}: {error.strerror}", file) from error

    def file(self, day: int) -> Path:
        """The file of the lines written on ``day``, counted from 1970-01-01."""
        date = datetime.fromtimestamp(day * _DAY_SECONDS, UTC).date()
        return self.directory / f"calls-{date.isoformat()}.jsonl"

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        with self._lock:
            self._close()

    def _write(self, content: bytes) -> None:
        day = int(self._clock()) // _DAY_SECONDS
        if day != self._day:
            self._open(day)
        lock = fcntl.LOCK_SH if len(content) <= ATOMIC else fcntl.LOCK_EX
        try:
            while True:
                fcntl.flock(self._descriptor, lock)
                status = os.fstat(self._descriptor)
                if not status.st_nlink:  # removed; closing it gives its lock back
                    self._open(day)
                elif not status.st_size or os.pread(self._descriptor, 1, status.st_size - 1) == b"\n":
                    break
                elif lock == fcntl.LOCK_EX:
                    content = b"\n" + content
                    break
                else:  # half a line: of somebody who writes just now, or of somebody who died
                    lock = fcntl.LOCK_EX
            while content:
                content = content[os.write(self._descriptor, content) :]
        finally:
            if self._descriptor >= 0:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _open(self, day: int) -> None:
        self._close()
        self._day = day
        file = self.file(day)
        try:
            self._descriptor = os.open(file, _OPENING, 0o600)
        except FileNotFoundError:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(file, _OPENING, 0o600)

    def _close(self) -> None:
        descriptor, self._descriptor, self._day = self._descriptor, -1, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    def _forked(self) -> None:
        # A lock belongs to the open file, which parent and child share; so the child opens one of its own.
        self._close()

    def __del__(self) -> None:
        self._close()


_LOGS: weakref.WeakSet[CallLog] = weakref.WeakSet()


def _after_fork() -> None:
    for log in _LOGS:
        log._forked()


os.register_at_fork(after_in_child=_after_fork)
