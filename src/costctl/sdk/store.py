"""Where counters are kept: ``state.sqlite`` for the processes of one host. :mod:`.redis_store` is for many.

A store knows nothing of budgets. It has maps of counters, one for each account; reservations, which end; and
settlements, which stay until the ledger has their calls. All that reads or changes them is a *step*: a
function of a :class:`Transaction`, run so that no other process sees or makes a change in between, and run
again where one did.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock, local
from typing import NamedTuple, Protocol, TypeVar
from weakref import WeakSet

from costctl.state import Part, State, StateError

T = TypeVar("T")

Counters = Mapping[str, int | bytes]
"""Of an account, by name: numbers that are added to, and texts that are put. ``int()`` takes both."""

Place = tuple[str, int]
"""An account and a day's number."""


class StoreError(Exception):
    """The counters cannot be used now."""


class Reservation(NamedTuple):
    """A request that was asked for. ``held`` pico-dollars are kept for it at ``places`` until the hold
    ``ends`` (see :mod:`.balance`; 0: nothing is held). ``asked`` is, by account, in which step of its window
    (:mod:`.window`) the request was counted."""

    held: int
    ends: int
    places: tuple[Place, ...]
    asked: Mapping[str, int]


class Settlement(NamedTuple):
    """A call that was made and is not known to be in the ledger. ``call`` is its id there, "" if it has
    none; ``at`` microseconds since 1970, ``cost`` pico-dollars."""

    id: str
    call: str
    at: int
    cost: int
    places: tuple[Place, ...]


class Transaction(Protocol):
    """What a step may do. Reads come first: nothing that it writes is seen before its end."""

    def counters(self, accounts: Sequence[str]) -> list[Counters]: ...

    def add(self, account: str, counter: str, number: int) -> None: ...

    def put(self, account: str, counter: str, text: bytes) -> None: ...

    def drop(self, account: str, counters: Sequence[str]) -> None: ...

    def reservation(self, id: str) -> Reservation | None: ...

    def reserve(self, id: str, reservation: Reservation, now: int, until: int) -> None:
        """Keep a reservation, in place of an earlier one, until that time (both microseconds)."""
        ...

    def release(self, id: str) -> None: ...

    def is_settled(self, id: str) -> bool: ...

    def settle(self, settlement: Settlement) -> None: ...

    def forget(self, settlements: Sequence[str]) -> None:
        """Drop settlements, by their ids."""
        ...

    def settlements(self) -> list[Settlement]: ...


class Store(Protocol):
    """Counters that processes share. Both raise :class:`StoreError`."""

    def change(self, step: Callable[[Transaction], T]) -> T:
        """What ``step`` returns; all that it wrote is kept, or, where it raises, nothing."""
        ...

    def close(self) -> None: ...


PART = Part(
    "sdk",
    (
        (
            "CREATE TABLE counter (account TEXT, name TEXT, value ANY NOT NULL, PRIMARY KEY (account, name)) "
            "STRICT, WITHOUT ROWID",
            "CREATE TABLE reservation (id TEXT PRIMARY KEY, body TEXT NOT NULL, until INTEGER NOT NULL) "
            "STRICT, WITHOUT ROWID",
            "CREATE INDEX reservation_until ON reservation (until)",
            "CREATE TABLE settlement (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID",
        ),
    ),
)


_LOG_PAGES = 4000
"""How long SQLite's log grows before it is put into the file (16 MB): whose turn that falls in waits for the
disk."""


class SQLiteStore:
    """The counters in the ``state.sqlite`` at ``path``, opened when they are first needed.

    ``wait`` is how many seconds to wait for other processes. Threads take turns. A fork waits for whose turn
    it is, and parent and child then open the file anew: SQLite keeps in the process which locks it has, and a
    child that inherits that relies on locks that it does not have, or waits for ones that nobody gives back.
    """

    def __init__(self, path: str | os.PathLike[str], wait: float = 1.0) -> None:
        self.path = path
        self.wait = wait
        self._state: State | None = None
        self._turn = Lock()
        _stores.add(self)

    def change(self, step: Callable[[Transaction], T]) -> T:
        deadline = time.monotonic() + self.wait
        if not self._turn.acquire(timeout=max(self.wait, 0)):
            raise StoreError("other threads take too long with the counters")
        try:
            state = self._opened()
            while True:
                try:
                    with state.transaction() as connection:
                        return step(_SQLite(connection))
                except StateError as error:
                    if not _is_busy(error) or time.monotonic() >= deadline:
                        raise
                # SQLite's own way of waiting goes up to a tenth of a second at a time; a step takes as long
                # as a ten-thousandth.
                time.sleep(random.uniform(0.0001, 0.0006))
        except StateError as error:
            raise StoreError(error.message) from error
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error
        finally:
            self._turn.release()

    def close(self) -> None:
        with self._turn:
            if self._state is not None:
                self._state.close()
            self._state = None

    def _opened(self) -> State:
        if self._state is None:
            self._state = State(self.path, PART, wait=self.wait, durable=False, one_thread=False)
            self._state.rows("PRAGMA busy_timeout = 0")
            self._state.rows(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        return self._state

    def pause(self) -> bool:
        """Close the file, and let nobody open it again before :meth:`go_on`. Returns False where somebody
        does not come to an end with it."""
        if not self._turn.acquire(timeout=max(self.wait, 0) + 1):
            return False
        if self._state is not None:
            with suppress(sqlite3.Error):
                self._state.close()
        self._state = None
        return True

    def go_on(self) -> None:
        """What :meth:`pause` has stopped."""
        self._turn.release()

    def forked(self) -> None:
        """Begin anew in a child. A connection that could not be closed before is left to the parent: one that
        is closed here may end a log that it uses."""
        _left.append(self._state)
        self._state = None
        self._turn = Lock()


_stores: WeakSet[SQLiteStore] = WeakSet()
_left: list[State | None] = []
_paused = local()


def _before_fork() -> None:
    _paused.stores = [store for store in sorted(_stores, key=id) if store.pause()]


def _after_fork_in_parent() -> None:
    for store in _paused.stores:
        store.go_on()
    del _paused.stores


def _after_fork_in_child() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)


def _is_busy(error: StateError) -> bool:
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class _SQLite:
    """A transaction that is alone in the file from its beginning."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany

    def counters(self, accounts: Sequence[str]) -> list[Counters]:
        select = "SELECT name, value FROM counter WHERE account = ?"
        return [dict(self._execute(select, (account,)).fetchall()) for account in accounts]

    def add(self, account: str, counter: str, number: int) -> None:
        self._execute(
            "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            (account, counter, number),
        )

    def put(self, account: str, counter: str, text: bytes) -> None:
        self._execute("REPLACE INTO counter VALUES (?, ?, ?)", (account, counter, text))

    def drop(self, account: str, counters: Sequence[str]) -> None:
        self._executemany(
            "DELETE FROM counter WHERE account = ? AND name = ?", [(account, each) for each in counters]
        )

    def reservation(self, id: str) -> Reservation | None:
        row = self._execute("SELECT body FROM reservation WHERE id = ?", (id,)).fetchone()
        return reservation_of(row[0]) if row else None

    def reserve(self, id: str, reservation: Reservation, now: int, until: int) -> None:
        self._execute("REPLACE INTO reservation VALUES (?, ?, ?)", (id, json_of(reservation), until))
        # One comes, two that are over go: they never become many, and none is looked for in vain.
        self._execute(
            "DELETE FROM reservation WHERE id IN (SELECT id FROM reservation WHERE until <= ? LIMIT 2)",
            (now,),
        )

    def release(self, id: str) -> None:
        self._execute("DELETE FROM reservation WHERE id = ?", (id,))

    def is_settled(self, id: str) -> bool:
        return self._execute("SELECT 1 FROM settlement WHERE id = ?", (id,)).fetchone() is not None

    def settle(self, settlement: Settlement) -> None:
        self._execute("INSERT INTO settlement VALUES (?, ?)", (settlement.id, json_of(settlement)))

    def forget(self, settlements: Iterable[str]) -> None:
        self._executemany("DELETE FROM settlement WHERE id = ?", [(each,) for each in settlements])

    def settlements(self) -> list[Settlement]:
        return [settlement_of(body) for (body,) in self._execute("SELECT body FROM settlement").fetchall()]


def json_of(value: Reservation | Settlement) -> str:
    """The text that a store keeps."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def reservation_of(text: str | bytes) -> Reservation:
    held, ends, places, asked = json.loads(text)
    return Reservation(held, ends, _places(places), asked)


def settlement_of(text: str | bytes) -> Settlement:
    id, call, at, cost, places = json.loads(text)
    return Settlement(id, call, at, cost, _places(places))


def _places(said: Iterable[Sequence[object]]) -> tuple[Place, ...]:
    return tuple((str(account), int(str(day))) for account, day in said)
