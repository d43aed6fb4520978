"""Processes that are forked off one that is at work, as servers' are that load the application first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

BEGIN = """
import os, sys, threading
from pathlib import Path
from costctl import Ledger, PriceBook
from costctl.sdk import BudgetThrottler, CostTracker, SQLiteStore

place = Path(sys.argv[1])
settings = {"team": "search", "ledger": place / "ledger.duckdb", "zone": "UTC"}
budgets = place / "budgets.yaml"

def forked(work):
    "What the child said in the end: it ends after the work, whatever comes of it."
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writes, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with open(reads) as said:
        text = said.read()
    os.waitpid(child, 0)
    return text
"""

AT_WORK = """
with Ledger(place / "ledger.duckdb").writing() as connection:
    connection.execute("SELECT count(*) FROM range(1000000) AS n(i) WHERE i % 7 = 3").fetchall()
throttler = BudgetThrottler(budgets, **settings, reconcile_every=0.2)
throttler.store.wait = 30

def work():
    while not over.is_set():
        throttler.settle(throttler.should_allow_request(estimate=0), "0.01")

def asked():
    answer = throttler.should_allow_request(estimate=0)
    throttler.settle(answer, "0.01")
    return f"{answer.reason}, looked: {throttler.look()}"

over = threading.Event()
threads = [threading.Thread(target=work) for _ in range(3)]
for each in threads:
    each.start()
answers = [forked(asked) for _ in range(15)]
over.set()
for each in threads:
    each.join()
throttler.close()
assert answers == ["within budget, looked: True"] * 15, answers
"""

FIRST_LOOK = """
class Store(SQLiteStore):
    def change(self, step):
        begun.set()
        return super().change(step)

begun = threading.Event()
with Ledger(place / "ledger.duckdb").writing():
    throttler = BudgetThrottler(budgets, **settings, store=Store(place / "state.sqlite"), wait=1)
    ask = threading.Thread(target=throttler.should_allow_request)
    ask.start()
    assert begun.wait(60)
    print(forked(lambda: throttler.should_allow_request().allowed))
ask.join()
throttler.close()
"""

FIRST_PRICE = """
class SlowBook(PriceBook):
    def rows_for(self, names):
        begun.set()
        assert goes_on.wait(60)
        return super().rows_for(names)

def log():
    return tracker.log_api_usage(model="gpt-4o", input_tokens=1_000_000, output_tokens=0).total_cost

begun, goes_on = threading.Event(), threading.Event()
tracker = CostTracker(place / "calls", prices=SlowBook())
first = threading.Thread(target=log)
first.start()
assert begun.wait(60)
threading.Timer(0.3, goes_on.set).start()
print(forked(log))
first.join()
"""

REDIS = """
from costctl.sdk import RedisStore

store = RedisStore(sys.argv[2])
throttler = BudgetThrottler(budgets, **settings, store=store, on_failure="fail_closed")
throttler.settle(throttler.should_allow_request(), 1)

def hold():
    with store._client.connection_pool._lock:  # as a thread that takes a connection does for a moment
        held.set()
        assert over.wait(60)

held, over = threading.Event(), threading.Event()
thread = threading.Thread(target=hold)
thread.start()
assert held.wait(60)
print(forked(lambda: throttler.should_allow_request().reason))
over.set()
thread.join()
throttler.close()
"""


def output(program: str, place: Path, *arguments: str) -> str:
    """What the program writes; it and its children are killed where they go on for ever."""
    place.chmod(0o700)
    (place / "budgets.yaml").write_text(
        "budgets: [{name: search, scope: {team: search}, daily_budget: 10000}]"
    )
    command = [sys.executable, "-c", BEGIN + program, str(place), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            out, _ = process.communicate(timeout=120)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0
    return out


def test_a_brake_that_is_used_by_threads_while_its_process_forks(tmp_path: Path) -> None:
    output(AT_WORK, tmp_path)


def test_a_fork_while_a_thread_first_looks_at_the_ledger(tmp_path: Path) -> None:
    assert output(FIRST_LOOK, tmp_path) == "True\n"


def test_a_fork_while_a_thread_reads_the_prices(tmp_path: Path) -> None:
    assert output(FIRST_PRICE, tmp_path) == "2.50\n"  # USD for a million tokens


def test_a_fork_while_a_thread_uses_redis(tmp_path: Path, redis_url: str) -> None:
    assert output(REDIS, tmp_path, redis_url) == "within budget\n"
