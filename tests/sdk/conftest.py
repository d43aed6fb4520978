"""What the tests of brakes share: a clock that stands still, budgets, and a store of each kind."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from costctl.sdk import BudgetThrottler, SQLiteStore
from costctl.sdk.store import Store

Brake = Callable[..., BudgetThrottler]


class Clock:
    """Seconds since 1970, set by hand: at first 12:00 UTC on Friday, 15 November 2024."""

    NOON = 1_731_672_000.0

    def __init__(self) -> None:
        self.now = self.NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def listens(path: str) -> bool:
    """Whether somebody answers at the socket: it is there before anybody does."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(path) == 0


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server of our own, on a socket in a directory of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian's package redis-server)")
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/redis.sock"
        command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                while not listens(path):
                    assert server.poll() is None, "redis-server has ended"
                    time.sleep(0.01)
                yield f"unix://{path}"
            finally:
                server.terminate()


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.heavy)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    tmp_path.chmod(0o700)
    opened: Store
    if request.param == "sqlite":
        opened = SQLiteStore(tmp_path / "state.sqlite")
    else:
        from redis import Redis

        from costctl.sdk import RedisStore

        url = request.getfixturevalue("redis_url")
        with Redis.from_url(url) as client:
            client.flushall()
        opened = RedisStore(url, wait=30)
    yield opened
    opened.close()


@pytest.fixture
def brake(tmp_path: Path, clock: Clock, store: Store) -> Brake:
    """Makes a throttler of these budgets (the text of a budgets.yaml below ``budgets:``), without a ledger,
    in UTC, by the clock that stands still."""

    def make(budgets: str, **settings: Any) -> BudgetThrottler:
        path = tmp_path / "budgets.yaml"
        path.write_text(f"budgets:\n{budgets}")
        given = {"ledger": tmp_path / "ledger.duckdb", "zone": "UTC", "clock": clock, "store": store}
        return BudgetThrottler(path, **(given | settings))

    return make
