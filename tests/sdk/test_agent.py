"""An agent under a budget: it asks first, logs afterwards, and may fall back to a cheaper model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.conftest import Brake

from costctl.pricing.book import PriceBook
from costctl.sdk import BudgetAwareAgent, BudgetExceededError, BudgetThrottler, CostTracker, SQLiteStore

SONNET, HAIKU = "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
TEAM = "  - {name: search, scope: {team: search}, daily_budget: 1}\n"


class Vendor:
    """Answers as Anthropic's Messages do; each answer says 100,000 tokens of input, of which 80,000 were read
    from the cache, and 10,000 of output."""

    def __init__(self) -> None:
        self.models: list[str] = []

    def send(self, model: str, prompt: str) -> dict[str, Any]:
        self.models.append(model)
        if prompt == "fail":
            raise TimeoutError("no answer")
        usage = {"input_tokens": 20_000, "cache_read_input_tokens": 80_000, "output_tokens": 10_000}
        return {
            "id": f"msg_{len(self.models)}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "usage": usage,
        }


# Sonnet: 20,000 x 3 + 80,000 x 0.30 + 10,000 x 15 USD a million = 0.06 + 0.024 + 0.15 = 0.234.
# Haiku:  20,000 x 0.25 + 80,000 x 0.025 + 10,000 x 1.25 = 0.005 + 0.002 + 0.0125 = 0.0195.


class Scene:
    def __init__(self, throttler: BudgetThrottler, directory: Path, cheaper: str | None) -> None:
        self.directory = directory / "calls"
        self.vendor = Vendor()
        self.throttler = throttler
        self.agent = BudgetAwareAgent(
            self.vendor.send,
            throttler=throttler,
            tracker=CostTracker(self.directory, ledger=directory / "l.duckdb", prices=PriceBook.load()),
            model=SONNET,
            cheaper_model=cheaper,
        )

    @property
    def logged(self) -> list[dict[str, Any]]:
        files = sorted(self.directory.glob("*"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def settled(self) -> list[tuple[str, int]]:
        found = self.throttler.store.change(lambda tx: tx.settlements())
        return sorted((each.call, each.cost) for each in found)


@pytest.fixture
def scene(brake: Brake, tmp_path: Path) -> Any:
    def make(budgets: str = TEAM, cheaper: str | None = None, **settings: Any) -> Scene:
        return Scene(brake(budgets, team="search", user="ada", **settings), tmp_path, cheaper)

    return make


def test_calls_are_made_logged_and_settled(scene: Any) -> None:
    at = scene()
    assert at.agent.call("hello")["id"] == "msg_1"
    (line,) = at.logged
    assert (line["id"], line["model"], line["team_id"], line["user_id"]) == ("msg_1", SONNET, "search", "ada")
    assert (line["input_tokens"], line["cache_read_tokens"], line["output_tokens"]) == (
        20_000,
        80_000,
        10_000,
    )
    assert line["success"] is True
    assert "latency_ms" in line
    assert at.settled() == [("msg_1", 234_000_000_000)]


def test_it_raises_where_the_budget_is_used_up(scene: Any) -> None:
    at = scene(budgets=TEAM.replace("}\n", ", auto_throttle: false}\n"))
    for _ in range(4):  # 0.936; a fifth begins below 1 and ends at 1.17
        at.agent.call("hello")
    at.agent.call("hello")
    with pytest.raises(
        BudgetExceededError, match=r"budget search: 1.17 spent, of 1.00 USD for the day"
    ) as caught:
        at.agent.call("hello")
    assert caught.value.refusal == "exceeded"
    assert len(at.vendor.models) == len(at.logged) == 5


def test_it_falls_back_where_requests_are_slowed_down(scene: Any) -> None:
    at = scene(cheaper=HAIKU)
    at.throttler.settle(at.throttler.should_allow_request(estimate=0), "0.95")
    at.agent.estimate = 0
    with at.agent.asking() as call:
        assert (call.model, call.reason) == (SONNET, "")
        call.answered(at.vendor.send(call.model, "hello"))
    # 0.95 + 0.234 are above 1: the budget is used up for both.
    with pytest.raises(BudgetExceededError, match=r"1\.18"):
        at.agent.call("hello")

    at = scene(budgets=TEAM.replace("search,", "other,", 1), cheaper=HAIKU)
    at.throttler.settle(at.throttler.should_allow_request(estimate=0), "0.95")
    at.throttler.should_allow_request(estimate=0)
    at.agent.estimate = 0
    with at.agent.asking() as call:
        assert call.model == HAIKU
        assert call.reason == "budget other is critical: requests are slowed down to 0.5 of their rate"
        call.answered(at.vendor.send(call.model, "hello"))
    assert call.record.cost_pico == 19_500_000_000


def test_it_falls_back_where_only_the_model_has_no_budget_left(scene: Any) -> None:
    at = scene(
        budgets=f"  - {{name: sonnet, scope: {{model: {SONNET}}}, daily_budget: 0.2}}\n", cheaper=HAIKU
    )
    assert at.agent.call("hello")["model"] == SONNET
    assert at.agent.call("hello")["model"] == HAIKU
    at.agent.cheaper_model = None
    with pytest.raises(BudgetExceededError, match="budget sonnet"):
        at.agent.call("hello")


def test_a_failed_call_is_logged_and_costs_nothing(scene: Any) -> None:
    at = scene()
    with pytest.raises(TimeoutError):
        at.agent.call("fail")
    (line,) = at.logged
    assert (line["success"], line["error_type"], line["output_tokens"]) == (False, "TimeoutError", 0)
    assert at.settled() == [(line["id"], 0)]


def test_a_log_that_cannot_be_written_loses_no_answer(scene: Any, tmp_path: Path) -> None:
    at = scene()
    (tmp_path / "calls").write_text("a file where the directory should be")
    assert at.agent.call("hello")["id"] == "msg_1"


def test_coroutines(scene: Any) -> None:
    at = scene()

    async def send(model: str, prompt: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        return at.vendor.send(model, prompt)

    at.agent.send = send
    assert asyncio.run(at.agent.acall("hello"))["id"] == "msg_1"
    assert at.settled() == [("msg_1", 234_000_000_000)]
    with pytest.raises(TimeoutError):
        asyncio.run(at.agent.acall("fail"))
    assert len(at.logged) == 2


def test_an_answer_that_says_no_usage_is_logged_and_unpriced(
    scene: Any, caplog: pytest.LogCaptureFixture
) -> None:
    at = scene()
    at.agent.send = lambda *_: "only the answer's text"
    assert at.agent.call("hello") == "only the answer's text"
    (line,) = at.logged
    assert (line["model"], line["success"]) == (SONNET, True)
    assert line["other_units"] == {"calls_without_usage": 1}
    assert "usage cannot be read" in caplog.text
    assert at.settled() == [(line["id"], 0)]


def test_a_call_that_is_cancelled_is_unpriced(scene: Any) -> None:
    """The vendor may have worked on it, and nobody says for how much."""
    at = scene()
    begun = asyncio.Event()

    async def send(*_: str) -> None:
        begun.set()
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(at.agent.acall("hello"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    at.agent.send = send
    asyncio.run(main())
    (line,) = at.logged
    assert (line["error_type"], line["other_units"]) == ("CancelledError", {"calls_without_usage": 1})
    assert at.throttler.should_allow_request(estimate=0).reason == "within budget"
    assert at.settled() == [(line["id"], 0)]  # nothing is held for it any more


def test_nothing_is_sent_where_budgets_cannot_be_looked_at(scene: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite").write_text("no database\n" * 100)
    at = scene(store=SQLiteStore(tmp_path / "broken.sqlite"), on_failure="fail_closed", cheaper=HAIKU)
    with pytest.raises(BudgetExceededError, match="cannot be looked at") as caught:
        at.agent.call("hello")
    assert caught.value.refusal == "unknown"
    assert at.vendor.models == []
