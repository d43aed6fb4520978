"""Counters and the ledger: a call counts once, wherever it is known from."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.sdk.conftest import Brake, Clock

from costctl.ingest import forget, ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.sdk import BudgetThrottler
from costctl.sdk.balance import Base
from costctl.sdk.store import Store, Transaction

TOKENS_PER_USD = 800_000
"""Output of the book's haiku at 1.25 USD a million: 800,000 tokens are 1 USD."""


class Log:
    """A call log and the ledger that it is read into."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "calls.jsonl"
        self.ledger = directory / "ledger.duckdb"

    def call(self, id: str, usd: int, when: datetime, team: str = "search") -> None:
        line = {
            "id": id,
            "timestamp": when.isoformat(),
            "model": "claude-haiku-3-20250307",
            "team_id": team,
            "input_tokens": 0,
            "output_tokens": usd * TOKENS_PER_USD,
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def ingest(self) -> None:
        done = ingest(Ledger(self.ledger), [self.path], book=PriceBook.load(None))
        assert not done.failed


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


NOON = datetime(2024, 11, 15, 12, tzinfo=UTC)
BUDGETS = """\
  - {name: search, scope: {team: search}, daily_budget: 10, monthly_budget: 50, auto_throttle: false}
  - {name: teams, scope: {team: each}, monthly_budget: 30, auto_throttle: false}
"""


def left(throttler: BudgetThrottler) -> int:
    """How many whole USD may still be spent today: held one by one, and given back."""
    answers = []
    while (answer := throttler.should_allow_request(estimate=1)).allowed:
        answers.append(answer)
        assert len(answers) < 1000
    for each in answers:
        throttler.release(each)
    return len(answers)


def test_what_the_ledger_has_is_spent(brake: Brake, log: Log) -> None:
    log.call("a", 7, NOON - timedelta(hours=1))
    log.call("b", 5, NOON - timedelta(days=3))
    log.call("c", 9, NOON - timedelta(days=15))  # October
    log.call("d", 9, NOON - timedelta(hours=1), team="ads")
    log.ingest()
    throttler = brake(BUDGETS, team="search")  # looks by itself, before its first answer
    assert left(throttler) == 3  # 10 - 7
    assert left(brake(BUDGETS, team="ads")) == 21  # 30 - 9
    assert left(brake(BUDGETS, team="new")) == 30


def test_what_the_ledger_has_no_more_is_not_spent(brake: Brake, log: Log) -> None:
    """Not even where a budget is for each team, and the ledger says nothing of one any more."""
    log.call("a", 9, NOON)
    log.call("b", 8, NOON, team="ads")
    log.ingest()
    throttler = brake("  - {name: teams, scope: {team: each}, daily_budget: 10, auto_throttle: false}\n")
    others = brake("  - {name: other, scope: {team: each}, daily_budget: 20, auto_throttle: false}\n")
    throttler.reconcile()
    others.reconcile()

    def leaves(brakes: BudgetThrottler, team: str) -> int:
        brakes.labels = {"team": team}
        return left(brakes)

    assert (leaves(throttler, "search"), leaves(throttler, "ads"), leaves(others, "ads")) == (1, 2, 12)
    forget(Ledger(log.ledger), [str(log.path)], book=PriceBook.load(None))
    others.reconcile()
    assert (leaves(others, "ads"), leaves(throttler, "ads")) == (20, 2), "each by its own look"
    throttler.reconcile()
    assert (leaves(throttler, "search"), leaves(throttler, "ads")) == (10, 10)


def test_a_call_counts_once_before_and_after_it_is_ingested(brake: Brake, log: Log, store: Store) -> None:
    throttler = brake(BUDGETS, team="search", reconcile_every=None)
    for id, usd in (("a", 2), ("b", 1), ("msg_c", 3)):
        throttler.settle(throttler.should_allow_request(estimate=0), usd, call=id)
    assert left(throttler) == 4
    assert throttler.reconcile() is False, "there is no ledger yet"
    log.call("a", 2, NOON)
    log.call("msg_c", 3, NOON)  # the vendor's own id
    log.ingest()
    assert throttler.reconcile() is True
    assert left(throttler) == 4
    assert [each.call for each in store.change(lambda tx: tx.settlements())] == ["b"]
    log.call("b", 1, NOON)
    log.call("by someone else", 1, NOON)
    log.ingest()
    throttler.reconcile()
    assert left(throttler) == 3
    assert store.change(lambda tx: tx.settlements()) == []


def test_the_ledger_has_the_last_word_on_a_cost(brake: Brake, log: Log) -> None:
    throttler = brake(BUDGETS, team="search", reconcile_every=None)
    throttler.settle(throttler.should_allow_request(estimate=0), 6, call="a")
    log.call("a", 4, NOON)
    log.ingest()
    assert left(throttler) == 4
    throttler.reconcile()
    assert left(throttler) == 6


def test_a_call_without_an_id_is_there_once_a_later_call_is(brake: Brake, log: Log, clock: Clock) -> None:
    throttler = brake(BUDGETS, team="search", reconcile_every=None)
    throttler.settle(throttler.should_allow_request(estimate=0), 2)
    log.call("earlier", 1, NOON - timedelta(minutes=1))
    log.ingest()
    throttler.reconcile()
    assert left(throttler) == 7  # 10 - 2 - 1
    log.call("it", 2, NOON)
    log.call("later", 1, NOON + timedelta(seconds=1))
    log.ingest()
    clock.now += 1
    throttler.reconcile()
    assert left(throttler) == 6  # 10 - 1 - 2 - 1


def test_calls_of_yesterday_that_are_ingested_today(brake: Brake, log: Log, clock: Clock) -> None:
    throttler = brake(BUDGETS, team="search", reconcile_every=None)
    throttler.settle(throttler.should_allow_request(estimate=0), 8, call="a")
    clock.now += 24 * 3600
    assert left(throttler) == 10
    log.call("a", 8, NOON)
    log.ingest()
    throttler.reconcile()
    assert left(throttler) == 10
    for day in (1, 2):
        clock.now += 24 * 3600
        throttler.settle(throttler.should_allow_request(estimate=0), 9, call=f"b{day}")
    clock.now += 24 * 3600
    assert left(throttler) == 4, "of each team's 30 in the month: 8 from the ledger, 18 not ingested yet"


def test_an_amount_that_only_the_ledger_knows(brake: Brake, log: Log) -> None:
    log.call("a", 4, NOON - timedelta(days=1))
    log.call("b", 1, NOON)
    log.ingest()
    throttler = brake("  - {name: b, scope: all, amounts: {day: last_period x 2}}\n")
    assert left(throttler) == 7  # 2 x 4 - 1


def test_rolling_days_are_reconciled_too(brake: Brake, log: Log, clock: Clock) -> None:
    log.call("a", 4, NOON - timedelta(days=2))
    log.ingest()
    budgets = "  - {name: b, scope: all, amounts: {3d: 10}, auto_throttle: false}\n"
    throttler = brake(budgets, reconcile_every=None)
    throttler.reconcile()
    assert left(throttler) == 6
    clock.now += 24 * 3600
    assert left(throttler) == 6, "until it is looked up again, rather too little"
    throttler.reconcile()
    assert left(throttler) == 10


def test_a_ledger_that_cannot_be_read(brake: Brake, log: Log) -> None:
    log.ledger.write_text("no ledger at all\n" * 1000)
    allowed, reason = brake(BUDGETS, team="search").should_allow_request()
    assert allowed
    assert reason.startswith("allowed unseen, for what was spent cannot be looked up: ")
    answer = brake(BUDGETS, team="search", on_failure="fail_closed").should_allow_request()
    assert answer.refusal == "unknown"
    assert answer.reason.startswith("what was spent cannot be looked up: ")


def test_settings_that_cannot_be_read(
    brake: Brake, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name the rates of a budget's currency."""
    log.call("a", 7, NOON)
    log.ingest()
    monkeypatch.chdir(tmp_path)
    throttler = brake("  - {name: b, scope: all, daily_budget: 10, currency: EUR}\n")
    (tmp_path / "costctl.yaml").write_text("db: [1, 2\n")
    answer = throttler.should_allow_request()
    assert answer.allowed
    assert "costctl.yaml" in answer.reason


def looks_end() -> None:
    """Wait for the looks of threads."""
    for thread in threading.enumerate():
        if thread.name == "costctl-reconcile":
            thread.join()


def test_a_clock_that_was_ahead_keeps_nobody_from_looking(brake: Brake, log: Log, clock: Clock) -> None:
    clock.now += 365 * 24 * 3600
    throttler = brake(BUDGETS, team="search")
    assert throttler.should_allow_request(estimate=0).allowed
    clock.now = Clock.NOON
    log.call("a", 9, NOON)
    log.ingest()
    throttler.should_allow_request(estimate=0)
    looks_end()
    assert left(throttler) == 1
    assert left(brake(BUDGETS, team="search")) == 1


def test_the_ledger_is_looked_at_every_five_minutes(brake: Brake, log: Log, clock: Clock) -> None:
    log.call("a", 1, NOON)
    log.ingest()
    throttler = brake(BUDGETS, team="search")
    assert left(throttler) == 9
    log.call("b", 2, NOON)
    log.ingest()
    clock.now += 299
    assert left(throttler) == 9
    clock.now += 1
    throttler.should_allow_request(estimate=0)  # does not wait for it
    looks_end()
    assert left(throttler) == 7


def test_where_no_thread_can_be_started_the_last_look_counts(
    brake: Brake, log: Log, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the interpreter, or where the system has too many."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    log.call("a", 1, NOON)
    log.ingest()
    throttler = brake(BUDGETS, team="search")
    assert left(throttler) == 9
    clock.now += 300
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert left(throttler) == 9


def test_a_first_look_of_another_process_is_waited_for(
    brake: Brake, store: Store, clock: Clock, log: Log
) -> None:
    log.call("a", 1, NOON - timedelta(days=1))
    log.ingest()
    lease = f"another {int(clock.now * 1_000_000) + 1000}".encode()
    store.change(lambda tx: tx.put("", "lease", lease))
    budgets = "  - {name: b, scope: all, daily_budget: 1}\n"
    found = Base(first=NOON.date().toordinal(), spent=10**12, limit=10**12, critical=10**12).to_bytes()

    def look() -> None:
        account = brake(budgets)._accounts.of({})[0].name

        def apply(tx: Transaction) -> None:
            tx.put(account, "b:day", found)
            tx.put("", "looked", b"1")

        store.change(apply)

    other = threading.Timer(0.2, look)
    other.start()
    assert brake(budgets).should_allow_request().refusal == "exceeded"
    other.join()


def test_a_first_look_that_does_not_end_leaves_the_spend_unknown(
    brake: Brake, log: Log, store: Store, clock: Clock
) -> None:
    """For as long as a lease lasts whose process was killed."""
    log.call("a", 10, NOON)
    log.ingest()
    throttler = brake(BUDGETS, team="search", reconcile_every=None, on_failure="fail_closed")
    lease = f"another {int(clock.now * 1_000_000) + 1000}".encode()
    store.change(lambda tx: tx.put("", "lease", lease))
    assert throttler.look(0.1) is False
    assert throttler.should_allow_request().refusal == "unknown"
    assert throttler.look(0) is False
    assert throttler.should_allow_request().refusal == "unknown"
    clock.now += 1
    assert throttler.look(0) is True
    assert throttler.should_allow_request().refusal == "exceeded"


def test_a_look_of_a_process_that_has_died_is_not_waited_for(
    brake: Brake, log: Log, store: Store, clock: Clock
) -> None:
    log.call("a", 7, NOON)
    log.ingest()
    throttler = brake(BUDGETS, team="search", reconcile_every=None)
    dead = subprocess.Popen(["true"])
    dead.wait()
    host, until = os.uname().nodename, int(clock.now * 1_000_000) + 1000
    for process, looks in ((os.getpid(), False), (dead.pid, True)):
        lease = f"{host}/{process}/token {until}".encode()
        store.change(lambda tx, lease=lease: tx.put("", "lease", lease))
        assert throttler.reconcile() is looks
    assert left(throttler) == 3


def test_only_one_process_looks_at_a_time(brake: Brake, log: Log, store: Store, clock: Clock) -> None:
    log.call("a", 7, NOON)
    log.ingest()
    throttler = brake(BUDGETS, team="search", reconcile_every=None)
    lease = f"another {int(clock.now * 1_000_000) + 1000}".encode()
    store.change(lambda tx: tx.put("", "lease", lease))
    assert throttler.reconcile() is False
    clock.now += 1  # the other one has died: its lease is over
    assert throttler.reconcile() is True
    assert left(throttler) == 3
