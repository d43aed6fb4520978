"""The brake: whose budgets a call counts towards, when it is refused, what is held, and what if it fails."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.conftest import Brake, Clock

from costctl.config import SettingError
from costctl.documents import DocumentError
from costctl.sdk import Admission, BudgetThrottler, CallLogError, SQLiteStore

TEAM = (
    "  - {name: search, scope: {team: search}, daily_budget: 10, monthly_budget: 20, auto_throttle: false}\n"
)


def spend(throttler: BudgetThrottler, usd: str, **labels: Any) -> None:
    """Make a call that costs as much, if it is allowed."""
    answer = throttler.should_allow_request(estimate=0, **labels)
    assert answer.allowed, answer.reason
    throttler.settle(answer, usd)


def at(clock: Clock, *when: int) -> None:
    clock.now = datetime(*when, tzinfo=UTC).timestamp()


# --- when it is refused -----------------------------------------------------------------------------------


def test_without_a_budget_everything_is_allowed(brake: Brake) -> None:
    allowed, reason = brake(TEAM, team="ads").should_allow_request()
    assert (allowed, reason) == (True, "no budget applies")


def test_a_budget_is_exceeded_once_it_is_reached(brake: Brake) -> None:
    throttler = brake(TEAM, team="search")
    spend(throttler, "9.999999999999")
    assert throttler.should_allow_request(estimate=0) == (True, "within budget")
    spend(throttler, "0.000000000001")
    answer = throttler.should_allow_request(estimate=0)
    assert answer == (False, "budget search: 10.00 spent, of 10.00 USD for the day")
    assert answer.refusal == "exceeded"


def test_any_period_refuses(brake: Brake, clock: Clock) -> None:
    throttler = brake(TEAM, team="search")
    spend(throttler, "9.50")
    at(clock, 2024, 11, 16)
    spend(throttler, "9.90")
    at(clock, 2024, 11, 17)
    spend(throttler, "0.60")  # of the month 20.00, of the day 0.60
    assert throttler.should_allow_request() == (
        False,
        "budget search: 20.00 spent, of 20.00 USD for the month",
    )
    at(clock, 2024, 11, 30, 23, 59, 59)
    assert not throttler.should_allow_request().allowed
    at(clock, 2024, 12, 1)
    assert throttler.should_allow_request() == (True, "within budget")


def test_a_day_ends_in_the_budgets_zone(brake: Brake, clock: Clock) -> None:
    throttler = brake("  - {name: b, scope: all, daily_budget: 1, tz: Asia/Taipei}\n")
    at(clock, 2024, 11, 15, 15, 59, 59)  # 23:59:59 in Taipei
    spend(throttler, "1")
    assert not throttler.should_allow_request().allowed
    at(clock, 2024, 11, 15, 16)
    assert throttler.should_allow_request().allowed


def test_rolling_days(brake: Brake, clock: Clock) -> None:
    throttler = brake("  - {name: b, scope: all, amounts: {3d: 5}}\n")
    at(clock, 2024, 11, 10)
    spend(throttler, "3")
    at(clock, 2024, 11, 12)
    spend(throttler, "2")
    assert throttler.should_allow_request() == (
        False,
        "budget b: 5.00 spent, of 5.00 USD for the last 3 days",
    )
    at(clock, 2024, 11, 13)  # the 10th is none of the 11th, 12th and 13th
    assert throttler.should_allow_request().allowed


def test_an_amount_holds_from_its_day_on(brake: Brake, clock: Clock) -> None:
    throttler = brake(
        "  - {name: b, scope: all, amounts: {month: [{amount: 5}, {from: 2024-11-15, amount: 8}]}}\n"
    )
    at(clock, 2024, 11, 14)
    spend(throttler, "5")
    assert not throttler.should_allow_request().allowed
    at(clock, 2024, 11, 15)
    assert throttler.should_allow_request().allowed


@pytest.mark.parametrize(
    ("scope", "same", "other"),
    [
        ("{team: search}", {"team": "search"}, {"team": "ads"}),
        ("{project: ranker}", {"project": "ranker", "team": "x"}, {"project": "shop"}),
        ("{user: ada}", {"user": "ada"}, {"user": "bob"}),
        ("{agent: [a, b]}", {"agent": "b"}, {"agent": "c"}),
        ('{model: "claude-opus-*"}', {"model": "claude-opus-4"}, {"model": "claude-haiku-3"}),
        ("{provider: openai}", {"provider": "openai"}, {"provider": "anthropic"}),
        ("{user: each}", {"user": "ada"}, {"user": "bob"}),
        ('{"tag:env": each}', {"tags": {"env": "prod"}}, {"tags": {"env": "test"}}),
    ],
)
def test_scopes(brake: Brake, scope: str, same: dict[str, str], other: dict[str, str]) -> None:
    throttler = brake(f"  - {{name: b, scope: {scope}, daily_budget: 1}}\n")
    spend(throttler, "1", **same)
    assert not throttler.should_allow_request(**same).allowed
    assert throttler.should_allow_request(**other).allowed


def test_where(brake: Brake) -> None:
    throttler = brake(
        "  - {name: b, scope: {team: search}, where: tag:env=prod, daily_budget: 1}\n", team="search"
    )
    spend(throttler, "1", tags={"env": "prod"})
    assert not throttler.should_allow_request(tags={"env": "prod"}).allowed
    assert throttler.should_allow_request(tags={"env": "test"}).allowed


def test_the_value_is_named_where_each_has_a_budget(brake: Brake) -> None:
    throttler = brake("  - {name: people, scope: {user: each}, daily_budget: 1}\n", user="ada")
    spend(throttler, "1")
    assert throttler.should_allow_request().reason == (
        "budget people (user=ada): 1.00 spent, of 1.00 USD for the day"
    )


def test_a_budget_of_another_scope_begins_anew(brake: Brake) -> None:
    spend(brake("  - {name: b, scope: {team: search}, daily_budget: 1}\n", team="search"), "1")
    assert (
        brake("  - {name: b, scope: {team: [search, ads]}, daily_budget: 1}\n", team="search")
        .should_allow_request()
        .allowed
    )
    assert (
        not brake("  - {name: b, scope: {team: search}, daily_budget: 1}\n", team="search")
        .should_allow_request()
        .allowed
    )


# --- what is held -----------------------------------------------------------------------------------------


def test_what_is_held_counts_until_it_is_settled(brake: Brake) -> None:
    throttler = brake(TEAM, team="search")
    first = throttler.should_allow_request(estimate="9.70")
    second = throttler.should_allow_request(estimate="0.30")
    assert throttler.should_allow_request() == (
        False,
        "budget search: 0.00 spent and 10.00 held for calls under way, of 10.00 USD for the day",
    )
    throttler.settle(first, "5")
    throttler.release(second)
    throttler.settle(first, "5")  # told again: nothing changes
    throttler.release(second)
    spend(throttler, "4.99")
    assert throttler.should_allow_request(estimate=0).allowed
    spend(throttler, "0.01")
    assert not throttler.should_allow_request().allowed


def test_a_call_that_asks_again_is_held_for_once(brake: Brake) -> None:
    throttler = brake(TEAM, team="search")
    first = throttler.should_allow_request("call-1", estimate=6)
    assert throttler.should_allow_request("call-1", estimate=6) == (True, "reserved already")
    assert throttler.should_allow_request(estimate=3).allowed
    throttler.settle(first, 6)
    with pytest.raises(ValueError, match="call-1 is settled"):
        throttler.should_allow_request("call-1")


def test_what_nobody_settles_is_held_for_a_time_only(brake: Brake, clock: Clock) -> None:
    throttler = brake(TEAM, team="search", hold=60)
    lost = throttler.should_allow_request(estimate=10)
    clock.now += 59
    assert not throttler.should_allow_request().allowed
    clock.now += 11  # holds end together, with ten seconds
    assert throttler.should_allow_request(estimate=0).allowed
    throttler.settle(lost, 10)  # late, and it counts all the same
    assert not throttler.should_allow_request().allowed


def test_without_an_estimate_it_is_the_usual_cost(brake: Brake) -> None:
    throttler = brake(TEAM, team="search")
    for cost in ("1", "2", "3"):
        spend(throttler, cost)
    assert throttler.should_allow_request().allowed  # holds the mean, 2: of 10, 8
    assert throttler.should_allow_request().allowed
    assert not throttler.should_allow_request().allowed


@pytest.mark.parametrize("estimate", ["0.3", "1"])
def test_fifty_callers_at_once_overshoot_by_one_estimate_at_most(brake: Brake, estimate: str) -> None:
    throttler = brake(TEAM, team="search")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: throttler.should_allow_request(estimate=estimate), range(50)))
        allowed = [answer for answer in answers if answer.allowed]
        # Let through while less than 10 is held: 34 of 0.30 are 10.20, 10 of 1 are 10.
        assert len(allowed) == {"0.3": 34, "1": 10}[estimate]
        list(pool.map(lambda answer: throttler.settle(answer, estimate), allowed))
    spent = len(allowed) * Decimal(estimate)
    assert throttler.should_allow_request() == (
        False,
        f"budget search: {spent:.2f} spent, of 10.00 USD for the day",
    )


@pytest.mark.parametrize("cost", [-1, "NaN", "abc", "Infinity", Decimal("1e30")])
def test_what_is_no_amount_is_refused(brake: Brake, cost: str) -> None:
    throttler = brake(TEAM, team="search")
    with pytest.raises(ValueError, match="estimate"):
        throttler.should_allow_request(estimate=cost)
    with pytest.raises(ValueError, match="cost"):
        throttler.settle("x", cost)


def test_less_than_a_pico_dollar_is_one(brake: Brake) -> None:
    throttler = brake("  - {name: b, scope: all, daily_budget: 0.000000000001}\n")
    spend(throttler, "1e-20")
    assert not throttler.should_allow_request().allowed


def test_a_call_without_a_price_costs_nothing(brake: Brake) -> None:
    throttler = brake(TEAM, team="search")
    throttler.settle(throttler.should_allow_request(estimate=10), None)
    assert throttler.should_allow_request(estimate=0) == (True, "within budget")


def test_an_answer_may_be_asked_with_again(brake: Brake) -> None:
    throttler = brake(TEAM, team="search")
    answer = throttler.should_allow_request(estimate=10)
    assert throttler.should_allow_request(answer) == (True, "reserved already")
    assert throttler.should_allow_request(answer.reservation) == (True, "reserved already")


def test_labels_are_the_texts_that_the_ledger_has(brake: Brake) -> None:
    throttler = brake(
        """\
  - {name: people, scope: {user: each}, daily_budget: 1}
  - {name: first, scope: {"tag:attempt": "1"}, daily_budget: 2}
"""
    )
    spend(throttler, 1, user=42)
    assert throttler.should_allow_request(user="42").reason.startswith("budget people (user=42): 1.00 spent")
    spend(throttler, 2, tags={"attempt": 1})
    assert not throttler.should_allow_request(tags={"attempt": "1"}).allowed
    spend(throttler, 1, user="a\ud800")  # half a character, as JSON may hold it
    assert not throttler.should_allow_request(user="a?").allowed


# --- when it fails ----------------------------------------------------------------------------------------


def broken(path: Path, **settings: str) -> BudgetThrottler:
    """A throttler whose store is no database."""
    path.chmod(0o700)
    (path / "budgets.yaml").write_text(f"budgets:\n{TEAM}")
    (path / "state.sqlite").write_text("not a database\n" * 100)
    return BudgetThrottler(
        path / "budgets.yaml",
        team="search",
        ledger=path / "ledger.duckdb",
        zone="UTC",
        **settings,
    )


def test_open_by_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    throttler = broken(tmp_path)
    answer = throttler.should_allow_request()
    assert answer.allowed
    assert answer.reason.startswith("allowed unseen, for budgets cannot be looked at: ")
    throttler.settle(answer, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_closed_if_asked_to(tmp_path: Path) -> None:
    answer = broken(tmp_path, on_failure="fail_closed").should_allow_request()
    assert not answer.allowed
    assert answer.refusal == "unknown"
    assert "is not costctl's state" in answer.reason


def test_no_other_way_to_fail(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither fail_open nor fail_closed"):
        broken(tmp_path, on_failure="open")


def test_a_store_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "budgets.yaml").write_text(f"budgets:\n{TEAM}")
    holder = SQLiteStore(tmp_path / "state.sqlite")
    impatient = BudgetThrottler(
        tmp_path / "budgets.yaml",
        team="search",
        ledger=tmp_path / "ledger.duckdb",
        zone="UTC",
        store=SQLiteStore(tmp_path / "state.sqlite", wait=0.05),
        on_failure="fail_closed",
    )
    assert impatient.should_allow_request().allowed
    answer = holder.change(lambda _: impatient.should_allow_request())
    assert answer.refusal == "unknown"
    assert "held by another process" in answer.reason
    assert impatient.should_allow_request().allowed
    holder.close()
    impatient.close()


# --- where it comes from ----------------------------------------------------------------------------------


def test_faults_go_from_process_to_process(tmp_path: Path) -> None:
    """From a pool's worker, which makes a throttler of its own, to who started it."""
    (tmp_path / "budgets.yaml").write_text("budgets:\n  - {nam: a}\n  - {name: b, scop: all}\n")
    with pytest.raises(DocumentError) as caught:
        BudgetThrottler(tmp_path / "budgets.yaml")
    told = pickle.loads(pickle.dumps(caught.value))
    assert [(str(each), each.hint) for each in told.errors] == [
        (str(each), each.hint) for each in caught.value.errors
    ]
    assert len(told.errors) > 1
    fault = CallLogError("cannot append", tmp_path)
    assert pickle.loads(pickle.dumps(fault)).file == tmp_path


def test_settings_name_the_file_and_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COSTCTL_DB", str(tmp_path / "usage.duckdb"))
    monkeypatch.setenv("COSTCTL_TZ", "UTC")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(SettingError, match="there are no budgets"):
        BudgetThrottler(team="search")
    (tmp_path / "budgets.yaml").write_text(f"budgets:\n{TEAM}")
    throttler = BudgetThrottler(team="search")
    assert throttler.should_allow_request().allowed
    throttler.close()
    assert (tmp_path / "usage.duckdb.state.sqlite").exists()


def test_an_answer_is_true_if_it_is_allowed() -> None:
    assert Admission(True, "within budget")
    assert not Admission(False, "why")


def test_an_answer_goes_from_process_to_process() -> None:
    answer = pickle.loads(pickle.dumps(Admission(False, "why", "id", "slowed")))
    assert (answer, answer.reservation, answer.refusal) == ((False, "why"), "id", "slowed")


def test_an_answer_is_a_pair() -> None:
    answer = Admission(False, "why", "id", "slowed")
    allowed, reason = answer
    assert (allowed, reason) == (False, "why") == answer
    assert (answer.allowed, answer.reason, answer.reservation, answer.refusal) == (
        False,
        "why",
        "id",
        "slowed",
    )
