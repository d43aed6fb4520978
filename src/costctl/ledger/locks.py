"""The gate to the ledger among our own processes: one writer or many readers, by ``flock`` on its own file.

DuckDB locks its file too, but at once or not at all; and its lock is lost as soon as any descriptor of that
file is closed in the process that holds it. So processes of ours queue here first. The kernel drops the lock
of a process that dies.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from costctl.ledger.errors import LedgerError, LedgerLocked
from costctl.ledger.files import Files, Say


class Patience:
    """Waits for a ledger that others hold: ``seconds`` in all, tries 50 ms apart at first, 1 s at last."""

    def __init__(self, files: Files, seconds: float, say: Say) -> None:
        self._files = files
        self._deadline = time.monotonic() + seconds
        self._say = say
        self._pause = 0.05
        self._told = ""

    def wait(self, holder: str) -> None:
        """Pause before the next try, and tell the user once for each holder.

        Raises :class:`LedgerLocked` naming ``holder`` when the time is over.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LedgerLocked(
                f"the ledger {self._files.ledger} is held by {holder}",
                hint="try again later, or wait longer with --wait SECONDS",
                file=self._files.ledger,
            )
        if holder != self._told:
            self._say(f"waiting for the ledger, held by {holder} …")
            self._told = holder
        time.sleep(min(left, self._pause * random.uniform(0.67, 1.33)))
        self._pause = min(self._pause * 2, 1.0)


@contextmanager
def held(files: Files, exclusive: bool, patience: Patience) -> Iterator[None]:
    """Hold the gate for the block: alone, or with other readers.

    Raises :class:`LedgerLocked` naming a holder, and :class:`LedgerError` if the lock file cannot be made.
    """
    try:
        descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(
            f"cannot use the lock file {files.lock}: {error.strerror}",
            hint="its directory must be one that you may write to, also to read the ledger",
            file=files.ledger,
        ) from error
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    ours = str(os.getpid()).encode()
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                patience.wait(_holder(descriptor))
        # The file names the process that entered last, so that others can say for whom they wait. On a full
        # disk it names nobody.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, ours, 0)
        try:
            yield
        finally:
            if os.pread(descriptor, 32, 0) == ours:
                os.ftruncate(descriptor, 0)
    finally:
        # Closing would do, but for a process that another thread has forked meanwhile: it has the file too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    process = os.pread(descriptor, 32, 0).decode(errors="replace")
    return f"process {process}" if process.isdigit() else "another process"
