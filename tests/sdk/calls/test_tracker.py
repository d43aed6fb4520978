"""CostTracker: what a call costs, what the log says of it, and that the ledger comes to the same money."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdk.calls.conftest import Lines

from costctl import sdk
from costctl.ingest import ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.sdk import CallRecord, CostTracker
from costctl.sdk.usage import UNREPORTED, UsageError

SONNET = "claude-sonnet-4-20250514"
HAIKU = "claude-haiku-3-20250307"
OPUS = "claude-opus-4-20250514"
WHEN = datetime(2025, 10, 1, 12, 0, 0, 250_000)


# The book's parameters and prices: book.md sections 1 and 2.


@pytest.mark.parametrize(
    ("model", "used", "input_cost", "output_cost"),
    [
        # (20,100 − 20,000) × 3.00 + 20,000 × 0.30 = 6,300; 350 × 15.00 = 5,250; all / 1e6
        (SONNET, (20_100, 20_000, 350), "0.0063", "0.00525"),
        # (1,000 − 0) × 15.00 = 15,000; 1,000 × 75.00 = 75,000
        (OPUS, (1_000, 0, 1_000), "0.015", "0.075"),
        # (8 − 8) × 0.25 + 8 × 0.025 = 0.2; 1 × 1.25
        (HAIKU, (8, 8, 1), "0.0000002", "0.00000125"),
        (SONNET, (0, 0, 0), "0", "0"),
    ],
)
def test_a_call_costs_what_the_book_says(
    tracker: CostTracker, model: str, used: tuple[int, int, int], input_cost: str, output_cost: str
) -> None:
    whole, cached, output = used
    record = tracker.log_api_usage(
        model=model, input_tokens=whole, cached_tokens=cached, output_tokens=output, timestamp=WHEN
    )
    assert record.input_cost == Decimal(input_cost)
    assert record.output_cost == Decimal(output_cost)
    assert record.total_cost == Decimal(input_cost) + Decimal(output_cost)
    assert record.unpriced_reason is None
    assert (record.total_input_tokens, record.cached_tokens, record.output_tokens) == used


def test_a_line_of_the_log_says_what_the_call_was(tracker: CostTracker, lines: Lines) -> None:
    record = tracker.log_api_usage(
        user_id="ana",
        team_id="search",
        project_id="answers",
        agent_id="router",
        model=SONNET,
        input_tokens=20_100,
        output_tokens=350,
        cached_tokens=20_000,
        latency_ms=1200.6,
        success=False,
        error_type="overloaded_error",
        tags={"environment": "production", "retry": 2},
        timestamp=WHEN,
    )
    assert lines() == [
        {
            "id": record.id,
            "timestamp": "2025-10-01T12:00:00.250000Z",
            "model": SONNET,
            "input_tokens": 100,
            "cache_read_tokens": 20_000,
            "output_tokens": 350,
            "success": False,
            "user_id": "ana",
            "team_id": "search",
            "project_id": "answers",
            "agent_id": "router",
            "latency_ms": 1201,
            "error_type": "overloaded_error",
            "tags": {"environment": "production", "retry": 2},
        }
    ]


def test_labels_are_all_optional(tracker: CostTracker, lines: Lines) -> None:
    tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1)
    assert lines()[0].keys() == {"id", "timestamp", "model", "input_tokens", "output_tokens", "success"}


def test_a_time_has_any_zone_and_is_written_in_utc(tracker: CostTracker, lines: Lines) -> None:
    taipei = datetime(2025, 10, 1, 20, tzinfo=timezone(timedelta(hours=8)))
    record = tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1, timestamp=taipei)
    assert record.timestamp == datetime(2025, 10, 1, 12, tzinfo=UTC)
    assert lines()[0]["timestamp"] == "2025-10-01T12:00:00.000000Z"


def test_a_call_began_before_it_took_its_time(tracker: CostTracker) -> None:
    before = datetime.now(UTC)
    record = tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1, latency_ms=60_000)
    assert timedelta(0) <= record.timestamp - (before - timedelta(minutes=1)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"input_tokens": 10, "cached_tokens": 11}, "cached_tokens: 11 is more than input_tokens"),
        ({"input_tokens": -1}, "input_tokens: -1 is negative"),
        ({"output_tokens": -1}, "output_tokens: -1 is negative"),
        ({"input_tokens": 1.5}, "input_tokens: 1.5 is no whole number"),
        ({"input_tokens": True}, "input_tokens: True is no whole number"),
        ({"input_tokens": 10**12 + 1}, "input_tokens: 1000000000001 is too large"),
        ({"output_tokens": None}, "input_tokens and output_tokens, or usage: missing"),
        ({"usage": {"input_tokens": 1, "output_tokens": 1}}, "usage: beside"),
        ({"input_tokens": None, "output_tokens": None, "usage": {"total": 1}}, "states no input_tokens and"),
        ({"latency_ms": -1}, "latency_ms: -1 is no duration"),
        ({"latency_ms": 1e18}, "no duration"),
        ({"latency_ms": float("nan")}, "latency_ms: nan is no duration"),
        ({"mode": "cheap"}, "mode: 'cheap' is none of standard, batch"),
        ({"timestamp": datetime(1999, 12, 31)}, "before 2000"),
        ({"model": ""}, "model: missing"),
    ],
)
def test_what_no_call_can_have_is_refused(
    tracker: CostTracker, calls: Path, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        tracker.log_api_usage(**{"model": SONNET, "input_tokens": 1, "output_tokens": 1, **wrong})
    assert not calls.exists()


def test_a_failed_call_may_say_nothing_and_costs_nothing(tracker: CostTracker, lines: Lines) -> None:
    record = tracker.log_api_usage(model=SONNET, success=False, error_type="rate_limit_error")
    assert record.total_cost == 0
    assert lines()[0]["success"] is False


# Unknown models


def test_an_unknown_model_is_unpriced_and_says_so(
    tracker: CostTracker, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        record = tracker.log_api_usage(model="claude-sonnett-4", input_tokens=5, output_tokens=5)
        assert (record.input_cost, record.output_cost, record.total_cost) == (None, None, None)
        assert record.unpriced_reason == "no price for model claude-sonnett-4"
    said = [(each.name, each.levelno, each.getMessage()) for each in caplog.records]
    message = "a call is unpriced: no price for model claude-sonnett-4"
    assert said == [("costctl.sdk", logging.WARNING, message)]  # once


def test_prices_are_those_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prices.yaml").write_text("prices:\n  - model: house-model\n    input: 2\n    output: 4\n")
    monkeypatch.setenv("COSTCTL_PRICES", str(tmp_path / "prices.yaml"))
    monkeypatch.setenv("COSTCTL_DB", str(tmp_path / "ledger.duckdb"))
    record = CostTracker().log_api_usage(model="house-model", input_tokens=100, output_tokens=10)
    assert record.total_cost == Decimal("0.00024")  # (100 × 2 + 10 × 4) / 1e6
    assert [file.parent for file in tmp_path.glob("*/*.jsonl")] == [tmp_path / "calls"]  # beside the ledger


def test_without_prices_calls_are_logged_all_the_same(
    calls: Path, lines: Lines, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that somebody has spoilt costs no line: the ledger prices them later."""
    (tmp_path / "prices.yaml").write_text("prices: [")
    tracker = CostTracker(calls, prices=tmp_path / "prices.yaml")
    for number in range(2):
        record = tracker.log_api_usage(model=SONNET, input_tokens=number, output_tokens=1)
        assert record.total_cost is None
        assert record.unpriced_reason is not None
        assert record.unpriced_reason.startswith("the prices cannot be read: ")
    assert [each["input_tokens"] for each in lines()] == [0, 1]
    assert [each.levelname for each in caplog.records] == ["ERROR"]  # once


# A vendor's usage object


def test_anthropics_usage_excludes_what_was_cached(tracker: CostTracker) -> None:
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 20_000,
        "cache_creation_input_tokens": 3_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2_000, "ephemeral_1h_input_tokens": 1_000},
        "output_tokens": 350,
    }
    record = tracker.log_api_usage(model=SONNET, usage=usage, timestamp=WHEN)
    # 100 × 3 + 20,000 × 0.3 + 2,000 × 3.75 + 1,000 × 6 = 300 + 6,000 + 7,500 + 6,000 = 19,800; 350 × 15 =
    # 5,250
    assert (record.input_cost, record.output_cost) == (Decimal("0.0198"), Decimal("0.00525"))
    assert record.total_input_tokens == 23_100


def test_openais_usage_includes_what_was_cached(tracker: CostTracker) -> None:
    usage = {
        "prompt_tokens": 1_117,
        "completion_tokens": 46,
        "prompt_tokens_details": {"cached_tokens": 1_024},
    }
    record = tracker.log_api_usage(model="gpt-4o-2024-08-06", usage=usage, timestamp=WHEN)
    # 93 × 2.50 + 1,024 × 1.25 = 232.5 + 1,280 = 1,512.5; 46 × 10 = 460
    assert (record.input_cost, record.output_cost) == (Decimal("0.0015125"), Decimal("0.00046"))


def test_a_whole_answer_says_model_id_and_tier_itself(tracker: CostTracker, lines: Lines) -> None:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-5-2025-08-07",
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 100},
        "service_tier": "flex",
    }
    record = tracker.log_response(answer, team_id="search", timestamp=datetime(2026, 11, 1))
    # flex is half of 1.25 and 10: 1,000 × 0.625 + 100 × 5 = 625 + 500
    assert record.total_cost == Decimal("0.001125")
    assert (lines()[0]["id"], lines()[0]["mode"]) == ("chatcmpl-1", "flex")


def test_a_tier_that_nobody_knows_leaves_a_call_unpriced(tracker: CostTracker, lines: Lines) -> None:
    answer = {
        "model": "gpt-5",
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        "service_tier": "scale",
    }
    assert tracker.log_response(answer).unpriced_reason == "no price for calls_in_unknown_tier"
    assert lines()[0]["other_units"] == {"calls_in_unknown_tier": 1}


def test_calls_that_the_vendor_makes_for_a_call_are_lines_of_their_own(
    tracker: CostTracker, lines: Lines
) -> None:
    """Anthropic's advisor is billed beside the message's own counts, at its own model's price."""
    usage = {
        "input_tokens": 100,
        "output_tokens": 10,
        "iterations": [
            {"type": "message", "input_tokens": 100, "output_tokens": 10},
            {"type": "advisor_message", "model": OPUS, "input_tokens": 200, "output_tokens": 20},
        ],
    }
    answer = {"id": "msg_1", "type": "message", "model": SONNET, "usage": usage}
    record = tracker.log_response(answer, timestamp=WHEN)
    assert [(line["id"], line["model"], line["input_tokens"]) for line in lines()] == [
        ("msg_1", SONNET, 100),
        ("msg_1:advisor:0", OPUS, 200),
    ]
    # 100 × 3 + 10 × 15 = 450; 200 × 15 + 20 × 75 = 4,500
    assert record.further[0].total_cost == Decimal("0.0045")
    assert record.total_cost == Decimal("0.00495")


# Labels of a block


def test_a_block_gives_its_labels_to_calls_that_say_no_others(tracker: CostTracker, lines: Lines) -> None:
    with (
        tracker.labels(team_id="search", user_id="ana", tags={"a": "1", "b": "1"}),
        tracker.labels(user_id="ben", tags={"b": "2"}),
    ):
        tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1, agent_id="x", tags={"c": "3"})
    tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1)
    inside, outside = lines()
    assert (inside["team_id"], inside["user_id"], inside["agent_id"]) == ("search", "ben", "x")
    assert inside["tags"] == {"a": "1", "b": "2", "c": "3"}
    assert "team_id" not in outside


def test_labels_of_one_thread_are_not_anothers(tracker: CostTracker) -> None:
    seen: list[CallRecord] = []

    def call() -> None:
        seen.append(tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1))

    with tracker.labels(team_id="search"):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert seen[0].team_id is None


@pytest.mark.parametrize("labels", [{"user_id": uuid.uuid4()}, {"tags": {"share": float("nan")}}])
def test_labels_that_no_line_can_hold_are_refused_at_once(
    tracker: CostTracker, labels: dict[str, Any]
) -> None:
    """And not when the calls that they are for have been made."""
    with pytest.raises((TypeError, ValueError), match="JSON"):
        tracker.labels(**labels)
    with pytest.raises((TypeError, ValueError), match="JSON"):
        tracker.wrap(object(), **labels)


# From the log into the ledger

TEXTS = st.text(max_size=20)
TAGS = st.dictionaries(
    st.text(min_size=1, max_size=8), st.one_of(TEXTS, st.integers(-5, 5), st.booleans()), max_size=3
)
COUNTS = st.integers(0, 10**7)
UNITS = st.dictionaries(
    st.sampled_from(["web_search_requests", "web_fetch_requests", UNREPORTED]), st.integers(1, 9)
)
MODELS = st.sampled_from([SONNET, OPUS, HAIKU, "gpt-4o", "gemini-2.5-pro", "nobody-knows"])


@st.composite
def anthropic_usages(draw: st.DrawFn) -> dict[str, Any]:
    five, hour = draw(COUNTS), draw(COUNTS)
    return {
        "input_tokens": draw(COUNTS),
        "output_tokens": draw(COUNTS),
        "cache_read_input_tokens": draw(COUNTS),
        "cache_creation_input_tokens": five + hour,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
        "server_tool_use": {"web_search_requests": draw(st.integers(0, 3))},
        "service_tier": draw(st.sampled_from(["standard", "priority", "batch", None])),
    }


CALLS = st.fixed_dictionaries(
    {
        "model": MODELS,
        "usage": anthropic_usages(),
        "timestamp": st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)),
        "success": st.booleans(),
    },
    optional={
        "user_id": TEXTS,
        "team_id": TEXTS,
        "error_type": TEXTS,
        "tags": TAGS,
        "latency_ms": st.floats(0, 1e6),
    },
)


def rows(ledger: Ledger, query: str) -> list[Any]:
    with ledger.reading() as engine:
        return list(engine.rows(query, []))


@settings(max_examples=10)
@given(st.lists(CALLS, min_size=1, max_size=20))
def test_the_ledger_comes_to_the_money_that_was_returned(made: list[dict[str, Any]]) -> None:
    """Exactly, call by call and in sum; nothing is rejected, and what is unpriced is so for the same
    reason."""
    with tempfile.TemporaryDirectory() as directory:
        book = PriceBook.load()
        tracker = CostTracker(Path(directory) / "calls", prices=book)
        records = {each.id: each for each in (tracker.log_api_usage(**call) for call in made)}
        tracker.call_log.close()
        ledger = Ledger(Path(directory) / "ledger.duckdb")
        ingest(ledger, [str(tracker.call_log.directory)], book=book)
        found = rows(ledger, "SELECT cost_pico, unpriced_reason FROM calls ORDER BY ALL")
        expected = [(each.cost_pico, each.unpriced_reason) for each in records.values()]
        assert Counter(found) == Counter(expected)
        (total,) = rows(ledger, "SELECT CAST(coalesce(sum(cost_pico), 0) AS VARCHAR) FROM calls")[0]
        assert int(total) == sum(each.cost_pico or 0 for each in records.values())


def test_a_call_that_is_told_twice_is_one_call(tracker: CostTracker, calls: Path, tmp_path: Path) -> None:
    for _ in range(2):
        tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1, id="msg_1")
    for _ in range(2):
        tracker.log_api_usage(model=SONNET, input_tokens=1, output_tokens=1, timestamp=WHEN)
    ledger = Ledger(tmp_path / "ledger.duckdb")
    ingest(ledger, [str(calls)], book=PriceBook.load())
    assert rows(ledger, "SELECT CAST(count(*) AS BIGINT) FROM calls") == [(3,)]


def test_a_call_that_the_vendors_own_answers_tell_too_is_one_call(
    tracker: CostTracker, calls: Path, tmp_path: Path
) -> None:
    usage = {"input_tokens": 100, "output_tokens": 10, "service_tier": "standard"}
    answer = {"id": "msg_1", "type": "message", "model": SONNET, "usage": usage}
    tracker.log_response(answer, timestamp=WHEN)
    (tmp_path / "answers.jsonl").write_text(json.dumps({"timestamp": f"{WHEN}Z", "response": answer}) + "\n")
    ledger = Ledger(tmp_path / "ledger.duckdb")
    ingest(ledger, [str(calls), str(tmp_path / "answers.jsonl")], book=PriceBook.load())
    assert rows(ledger, "SELECT CAST(count(*) AS BIGINT), CAST(sum(cost_pico) AS BIGINT) FROM calls") == [
        (1, 450 * 10**6)  # 100 × 3 + 10 × 15 = 450 / 1e6
    ]


def test_the_summary_is_the_ledgers(tracker: CostTracker, calls: Path, tmp_path: Path) -> None:
    """book.md section 4: sums, rates over what says so, and the period without its end."""
    for team, success, latency in [("search", True, 1000), ("search", False, 2000), ("sales", True, 10)]:
        tracker.log_api_usage(
            team_id=team, model=SONNET, input_tokens=1_000, cached_tokens=400, output_tokens=100,
            latency_ms=latency, success=success, timestamp=WHEN,
        )  # fmt: skip
    ingest(Ledger(tmp_path / "ledger.duckdb"), [str(calls)], book=PriceBook.load())
    found = tracker.get_cost_summary("team", "search", datetime(2025, 10, 1), datetime(2025, 10, 2))
    # a call: 600 × 3 + 400 × 0.3 + 100 × 15 = 1,800 + 120 + 1,500 = 3,420 / 1e6
    assert found["summary"] == {
        "total_cost": Decimal("0.00684"),
        "total_requests": 2,
        "total_input_tokens": 2_000,
        "total_output_tokens": 200,
        "total_cached_tokens": 800,
        "success_rate": Decimal("0.5"),
        "avg_latency_ms": 1500,
        "caching_rate": Decimal("0.4"),
        "avg_cost_per_request": Decimal("0.00342"),
    }
    assert list(found["by_model"]) == [SONNET]
    assert found["period"]["days"] == 1


# What it costs to import


def test_a_call_needs_neither_duckdb_nor_yaml(tmp_path: Path) -> None:
    script = """
import sys
from costctl.sdk import CostTracker
CostTracker(sys.argv[1]).log_api_usage(model="claude-sonnet-4-20250514", input_tokens=1, output_tokens=1)
print(sorted({"duckdb", "pyarrow", "yaml", "httpx2", "typer", "rich"} & sys.modules.keys()))
"""
    found = subprocess.check_output(
        [sys.executable, "-c", script, str(tmp_path / "calls")], cwd=tmp_path, text=True
    )
    assert found == "[]\n"


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    script = (
        "import costctl.sdk, sys; print([name for name in sys.modules if name.startswith('costctl.sdk.')])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


def test_every_public_name_is_there() -> None:
    for name in sdk.__all__:
        assert getattr(sdk, name).__name__ == name
    with pytest.raises(AttributeError, match="'helper'"):
        sdk.helper  # noqa: B018
