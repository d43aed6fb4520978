"""A lock that a forked process can have.

Only the thread that forks goes on in the child. What another one has locked at that moment would stay locked
there, so the child begins with new locks. They are for what is whole at any moment; for what is not (imports,
the connections to SQLite in :mod:`.store`, DuckDB in :mod:`.reconcile`) a fork waits.
"""

from __future__ import annotations

import os
import threading
import weakref


class Lock:
    """As :class:`threading.Lock`. ``waits`` is for how many seconds a fork waits for who holds it."""

    def __init__(self, waits: float = 0) -> None:
        self._lock = threading.Lock()
        self.waits = waits
        _locks.add(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Be free, whoever held it."""
        self._lock = threading.Lock()


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()
_fork = threading.local()


def _before_fork() -> None:
    waited = sorted((lock for lock in _locks if lock.waits), key=id)
    _fork.held = [lock for lock in waited if lock.acquire(timeout=lock.waits)]


def _after_fork_in_parent() -> None:
    for lock in _fork.held:
        lock.release()
    del _fork.held


def _after_fork_in_child() -> None:
    for lock in list(_locks):
        lock.renew()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
