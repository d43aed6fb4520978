"""The gate to the ledger among our own processes: one writer or many readers, by ``flock`` on a file of its own.

DuckDB locks its file too, but at once or not at all; and its lock is lost as soon as any descriptor of that
file is closed in the process that holds it. So processes of ours queue here first. The kernel drops the lock
of a process that dies.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from costctl.ledger.errors import LedgerError, LedgerLocked

Say = Callable[[str], None]
"""Tells the user something while they wait."""


def lock_file(ledger: Path) -> Path:
    """``NAME.lock`` beside the ledger."""
    return ledger.with_name(ledger.name + ".lock")


def pauses() -> Iterator[float]:
    """Seconds between tries: 50 ms, doubling to 1 s, with a third of jitter."""
    pause = 0.05
    while True:
        yield pause * random.uniform(0.67, 1.33)
        pause = min(pause * 2, 1.0)


@contextmanager
def held(ledger: Path, exclusive: bool, wait: float, say: Say) -> Iterator[None]:
    """Hold the gate of ``ledger`` for the block, waiting up to ``wait`` seconds.

    Raises :class:`LedgerLocked` naming the holder, and :class:`LedgerError` if the lock file cannot be made.
    """
    path = lock_file(ledger)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(f"cannot use the lock file {path}: {error.strerror}", file=ledger) from error
    try:
        _acquire(descriptor, ledger, exclusive, wait, say)
        if exclusive:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, ledger: Path, exclusive: bool, wait: float, say: Say) -> None:
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    deadline = time.monotonic() + wait
    told = False
    for pause in pauses():
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            by = f"process {holder}" if holder else "another process"
        if time.monotonic() >= deadline:
            raise LedgerLocked(
                f"the ledger {ledger} is held by {by}",
                hint="try again later, or wait longer with --wait SECONDS",
                file=ledger,
            )
        if not told:
            say(f"waiting for the ledger, held by {by} …")
            told = True
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
