"""The brake among many processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from costctl.sdk import BudgetThrottler, RedisStore
from costctl.sdk.store import Store

pytestmark = pytest.mark.heavy

BUDGETS = """\
budgets:
  - {name: search, scope: {team: search}, daily_budget: 10, auto_throttle: false}
  - {name: company, scope: all, monthly_budget: 1000, auto_throttle: false}
"""

CALLER = """
import sys
from costctl.sdk import BudgetThrottler, RedisStore
directory, url, cost = sys.argv[1:]
throttler = BudgetThrottler(
    f"{directory}/budgets.yaml",
    team="search",
    ledger=f"{directory}/ledger.duckdb",
    zone="UTC",
    store=RedisStore(url, wait=30) if url else None,
    on_failure="fail_closed",
)
throttler.store.wait = 30
print("ready", flush=True)
sys.stdin.readline()
while True:
    answer = throttler.should_allow_request(estimate=cost)
    if not answer.allowed:
        assert answer.refusal == "exceeded", answer
        break
    print("asked", flush=True)
    throttler.settle(answer, cost)
    print("settled", flush=True)
"""


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the counters are: "" for the file beside the ledger."""
    if request.param == "sqlite":
        return ""
    from redis import Redis

    found: str = request.getfixturevalue("redis_url")
    with Redis.from_url(found) as client:
        client.flushall()
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    return tmp_path


@contextmanager
def callers(place: Path, url: str, count: int, cost: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that spend until the budget is used up, begun together."""
    command = [sys.executable, "-c", CALLER, str(place), url, cost]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in started:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        yield started
    finally:
        for each in started:
            each.kill()
            each.communicate()


def spent(place: Path, url: str) -> Decimal:
    """What the counters say, in USD: the budget of 10, and what is over."""
    store: Store | None = RedisStore(url) if url else None
    throttler = BudgetThrottler(
        place / "budgets.yaml", team="search", ledger=place / "ledger.duckdb", zone="UTC", store=store
    )
    try:
        settlements = throttler.store.change(lambda tx: tx.settlements())
        return Decimal(sum(each.cost for each in settlements)).scaleb(-12)
    finally:
        throttler.close()


def test_eight_processes_spend_a_budget_and_not_more(place: Path, url: str) -> None:
    with callers(place, url, 8, "0.01") as started:
        outputs = [each.communicate(timeout=120)[0] for each in started]
        assert [each.returncode for each in started] == [0] * 8
    assert sum(output.count("settled") for output in outputs) == 1000  # of 0.01, exactly 10
    assert spent(place, url) == 10


def test_killed_processes_leave_the_rest_at_work(place: Path, url: str) -> None:
    with callers(place, url, 6, "0.01") as started:
        for victim in started[:3]:
            time.sleep(0.05)
            os.kill(victim.pid, signal.SIGKILL)
        outputs = [each.communicate(timeout=120)[0] for each in started]
        assert [each.returncode for each in started[3:]] == [0] * 3
    settled = sum(output.count("settled") for output in outputs)
    asked = sum(output.count("asked") for output in outputs)
    # A victim may die in a settlement that is done and not told, or with a call that is held and not made.
    found = spent(place, url) * 100
    assert settled <= found <= settled + 3
    assert 1000 - 3 <= found <= asked + 3
    assert found <= 1000
    if not url:
        with sqlite3.connect(place / "state.sqlite") as state:
            assert state.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        state.close()


def test_a_forked_process_goes_on_by_itself(place: Path, url: str) -> None:
    store: Store | None = RedisStore(url) if url else None
    throttler = BudgetThrottler(
        place / "budgets.yaml", team="search", ledger=place / "ledger.duckdb", zone="UTC", store=store
    )
    throttler.settle(throttler.should_allow_request(estimate=0), 4)
    child = os.fork()
    if not child:
        try:
            signal.alarm(60)  # one that hangs is killed
            throttler.settle(throttler.should_allow_request(estimate=0), 6)
        finally:
            os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
    assert throttler.should_allow_request().reason == "budget search: 10.00 spent, of 10.00 USD for the day"
    throttler.close()


def test_a_redis_that_is_down(place: Path) -> None:
    throttler = BudgetThrottler(
        place / "budgets.yaml",
        team="search",
        ledger=place / "ledger.duckdb",
        zone="UTC",
        store=RedisStore(f"unix://{place}/nobody.sock"),
    )
    assert throttler.should_allow_request().reason.startswith("allowed unseen")
    throttler.on_failure = "fail_closed"
    assert throttler.should_allow_request().refusal == "unknown"
    throttler.close()
