"""Counters for the processes of many hosts, in Redis (the optional extra ``redis``)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, WatchError
from redis.retry import Retry

from costctl.sdk.store import (
    Counters,
    Reservation,
    Settlement,
    StoreError,
    Transaction,
    json_of,
    reservation_of,
    settlement_of,
)

T = TypeVar("T")

__all__ = ["RedisStore"]


class RedisStore:
    """The counters in the Redis at ``url`` (``redis://host:6379/0``, with TLS ``rediss://``; no cluster),
    under names that begin with ``prefix``.

    A step reads, and writes all at once if nothing that it has read was changed meanwhile; else it is run
    again, for ``wait`` seconds in all. A Redis that does not answer within ``timeout`` seconds is down.
    """

    def __init__(
        self, url: str, *, prefix: str = "costctl:", wait: float = 1.0, timeout: float = 1.0
    ) -> None:
        self.wait = wait
        self._prefix = prefix.encode()
        self._url = url
        self._timeout = timeout
        self._client = self._connected()
        _stores.add(self)

    def _connected(self) -> Redis:
        return Redis.from_url(
            self._url,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            retry=Retry(NoBackoff(), 1),  # a connection that the server has closed while it was idle
        )

    def change(self, step: Callable[[Transaction], T]) -> T:
        deadline = time.monotonic() + self.wait
        pause = 0.0005
        try:
            while True:
                with self._client.pipeline() as pipeline:
                    transaction = _Redis(pipeline, self._prefix)
                    result = step(transaction)
                    try:
                        transaction.commit()
                    except WatchError:
                        if time.monotonic() >= deadline:
                            raise
                    else:
                        return result
                time.sleep(random.uniform(0, pause))
                pause = min(2 * pause, 0.02)
        except WatchError:
            raise StoreError("other processes change the counters all the time") from None
        except RedisError as error:
            raise StoreError(f"Redis: {error}") from error

    def close(self) -> None:
        self._client.close()

    def forked(self) -> None:
        """Begin anew in a child: a client whose locks other threads held waits for them for ever."""
        _left.append(self._client)
        self._client = self._connected()


_stores: WeakSet[RedisStore] = WeakSet()
_left: list[Redis] = []


def _after_fork_in_child() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(after_in_child=_after_fork_in_child)


class _Redis:
    """A transaction that reads at once, watches what it has read, and writes in the end."""

    def __init__(self, pipeline: Any, prefix: bytes) -> None:
        self._pipeline = pipeline
        self._prefix = prefix
        self._writes: list[Callable[[], object]] = []

    def commit(self) -> None:
        if self._writes:
            self._pipeline.multi()
            for write in self._writes:
                write()
            self._pipeline.execute()

    def counters(self, accounts: Sequence[str]) -> list[Counters]:
        names = [self._account(each) for each in accounts]
        self._pipeline.watch(*names)
        return [
            {field.decode(): value for field, value in self._pipeline.hgetall(name).items()} for name in names
        ]

    def add(self, account: str, counter: str, number: int) -> None:
        self._writes.append(lambda: self._pipeline.hincrby(self._account(account), counter, number))

    def put(self, account: str, counter: str, text: bytes) -> None:
        self._writes.append(lambda: self._pipeline.hset(self._account(account), counter, text))

    def drop(self, account: str, counters: Sequence[str]) -> None:
        self._writes.append(lambda: self._pipeline.hdel(self._account(account), *counters))

    def reservation(self, id: str) -> Reservation | None:
        name = self._reservation(id)
        self._pipeline.watch(name)
        text = self._pipeline.get(name)
        return reservation_of(text) if text else None

    def reserve(self, id: str, reservation: Reservation, now: int, until: int) -> None:
        text, name = json_of(reservation), self._reservation(id)
        self._writes.append(lambda: self._pipeline.set(name, text, px=max((until - now) // 1000, 1)))

    def release(self, id: str) -> None:
        self._writes.append(lambda: self._pipeline.delete(self._reservation(id)))

    def is_settled(self, id: str) -> bool:
        # Not watched, for every call that is settled changes it: its reservation is.
        return bool(self._pipeline.hexists(self._settlements, id))

    def settle(self, settlement: Settlement) -> None:
        text = json_of(settlement)
        self._writes.append(lambda: self._pipeline.hset(self._settlements, settlement.id, text))

    def forget(self, settlements: Sequence[str]) -> None:
        if settlements:
            self._writes.append(lambda: self._pipeline.hdel(self._settlements, *settlements))

    def settlements(self) -> list[Settlement]:
        self._pipeline.watch(self._prefix + b"nothing")  # from the first watch on, commands are run at once
        return [settlement_of(each) for each in self._pipeline.hvals(self._settlements)]

    @property
    def _settlements(self) -> bytes:
        return self._prefix + b"settlements"

    def _account(self, name: str) -> bytes:
        return self._prefix + b"account:" + name.encode()

    def _reservation(self, id: str) -> bytes:
        return self._prefix + b"reservation:" + id.encode()
