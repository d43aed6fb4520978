"""Errors that gateways, or programs that read them, made; each with the numbers of its report.

Prices are those of the catalogue in USD per million tokens: claude-sonnet-4-20250514 and claude-sonnet-4-5 3
in, 15 out, 0.30 cache read, 3.75 cache write; claude-opus-4-7 5 in, 25 out, 0.50 and 6.25; gpt-4o 2.50 in, 10
out, 1.25 cached.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import Held, Ingest

from costctl.formats import of_text, recognise
from costctl.ingest import Given, ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook

SONNET, OPUS = "claude-sonnet-4-20250514", "claude-opus-4-7"
INPUT = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens")


def written(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def spend_log(
    model: str, prompt: int, completion: int, details: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A row of LiteLLM's; ``more`` with names of a usage goes there."""
    of_usage = {name: more.pop(name) for name in [*more] if name.endswith("_input_tokens")}
    usage = {"total_tokens": prompt + completion, "prompt_tokens_details": details, **of_usage}
    return {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "spend": 0,
        "startTime": "2026-07-01T10:00:00Z",
        "model": model,
        "custom_llm_provider": "anthropic" if model.startswith("claude") else "openai",
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "metadata": json.dumps({"usage_object": usage}),
        **more,
    }


def generation(model: str, usage: dict[str, int], **more: Any) -> dict[str, Any]:
    """An observation of Langfuse's."""
    return {
        "id": "o1",
        "trace_id": "t1",
        "type": "GENERATION",
        "start_time": "2026-05-01 10:00:00.000000",
        "provided_model_name": model,
        "usage_details": usage,
        **more,
    }


def request(**more: Any) -> dict[str, Any]:
    """One of Helicone's."""
    return {
        "request_id": "r1",
        "request_created_at": "2026-05-01T10:00:00.000Z",
        "provider": "ANTHROPIC",
        "request_model": "claude-sonnet-4-5",
        "prompt_tokens": 100,
        "prompt_cache_read_tokens": 1000,
        "prompt_cache_write_tokens": 200,
        "completion_tokens": 180,
        **more,
    }


def tokens(held: Held, *names: str) -> list[tuple[int | None, ...]]:
    return [tuple(call.get(name) for name in names) for call in held.calls]


def test_litellm_15056_an_older_prompt_is_less_than_what_was_written(tmp_path: Path, held: Ingest) -> None:
    # 31 prompt tokens beside 1,253 written: taken out of the 31, the input would be negative.
    line = spend_log(SONNET, 31, 467, {"cached_tokens": 0}, cache_creation_input_tokens=1253)
    found = held(written(tmp_path / "a.jsonl", line))
    assert tokens(found, *INPUT) == [(31, 0, 1253)]
    # 31 × 3 + 1,253 × 3.75 + 467 × 15 = 11,796.75
    assert found.costs == [11_796_750_000]


def test_litellm_11364_a_prompt_that_was_nearly_all_cached(tmp_path: Path, held: Ingest) -> None:
    # 98,805 prompt tokens, 66,360 read and 32,435 written: 10 are left, not 98,805.
    line = spend_log(
        SONNET,
        98_805,
        5_120,
        {"cached_tokens": 66_360, "cache_creation_tokens": 32_435},
        cache_read_input_tokens=66_360,
        cache_creation_input_tokens=32_435,
    )
    found = held(written(tmp_path / "a.jsonl", line))
    assert tokens(found, *INPUT) == [(10, 66_360, 32_435)]
    # 10 × 3 + 66,360 × 0.30 + 32,435 × 3.75 + 5,120 × 15 = 218,369.25; all of it as input: 373,215.
    assert found.costs == [218_369_250_000]


def test_litellm_23342_an_anthropic_messages_prompt_leaves_out_the_cache(
    tmp_path: Path, held: Ingest
) -> None:
    line = spend_log(SONNET, 12, 30, {"cached_tokens": 2495}, call_type="anthropic_messages")
    assert tokens(held(written(tmp_path / "a.jsonl", line)), *INPUT[:2]) == [(12, 2495)]


@pytest.mark.parametrize("format", ["litellm", "litellm-payload"])
def test_litellm_42663_a_breakdown_of_cache_writes_falls_short(
    tmp_path: Path, held: Ingest, format: str
) -> None:
    # 184,457 written, of which the breakdown of a streamed call with server tools knows 31,490.
    details = {
        "cached_tokens": 426_653,
        "cache_creation_tokens": 184_457,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 31_490, "ephemeral_1h_input_tokens": 0},
    }
    line = spend_log(OPUS, 734_311, 1_000, details, cache_creation_input_tokens=184_457)
    if format == "litellm-payload":
        line |= {"id": "chatcmpl-1", "response_cost": 0, "metadata": json.loads(line["metadata"])}
        del line["request_id"], line["spend"]
    found = held(written(tmp_path / "a.jsonl", line))
    assert tokens(found, *INPUT) == [(123_201, 426_653, 184_457)]
    # 123,201 × 5 + 426,653 × 0.50 + 184,457 × 6.25 + 1,000 × 25 = 2,007,187.75; of 31,490 written:
    # 1,051,144
    assert found.costs == [2_007_187_750_000]


def test_what_litellms_own_cache_answered_costs_nothing(tmp_path: Path, held: Ingest) -> None:
    # The row has the tokens of the first answer: billed again, the cache would save nothing.
    hit = spend_log("gpt-4o", 1000, 100, request_id="chatcmpl-1_cache_hit1737710447.5", cache_hit="True")
    found = held(written(tmp_path / "a.jsonl", spend_log("gpt-4o", 1000, 100), hit))
    # 1,000 × 2.50 + 100 × 10 = 3,500
    assert sorted(found.costs, key=str) == [0, 3_500_000_000]
    assert [call.get("requests", 1) for call in found.calls] == [1, 1]


def test_litellms_days_are_refused_in_words(tmp_path: Path) -> None:
    day = {"startTime": "2026-07-01", "spend": 1.5, "users": {"ana": 1.5}, "models": {"gpt-4o": 1.5}}
    path = tmp_path / "spend.json"
    path.write_text(json.dumps([day, day]))
    done = ingest(Ledger(tmp_path / "l.duckdb"), [str(path)], book=PriceBook(), given=Given())
    assert done.failed
    (note,) = (note for note in done.outcome.notes if str(path) in note)
    assert "days of /spend/logs, summed up" in note
    assert "summarize=false" in note


def test_a_call_in_litellm_and_in_the_programs_own_log_is_one(tmp_path: Path, held: Ingest) -> None:
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1782900000, "model": "gpt-4o",
              "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}  # fmt: skip
    one = written(tmp_path / "a.jsonl", spend_log("gpt-4o", 1000, 100))
    assert len(held(one, written(tmp_path / "b.jsonl", answer)).calls) == 1


@pytest.mark.parametrize("gateway_is_first", [True, False])
def test_a_gateway_that_knows_no_lifetime_gives_way_to_a_log_that_does(
    tmp_path: Path, held: Ingest, gateway_is_first: bool
) -> None:
    # The gateway says 2,000 written, the answer says for an hour. Opus 4.5, in millionths of a dollar:
    # 10 x 5 + 30,000 x 0.50 + 2,000 x 10 + 500 x 25 = 47,550; at the gateway's word, 40,050.
    counts = {"cache_read_input_tokens": 30_000, "cache_creation_input_tokens": 2_000}
    row = spend_log("claude-opus-4-5", 10, 500, request_id="msg_1", **counts)
    usage = {"input_tokens": 10, "output_tokens": 500, **counts}
    hour = {"cache_creation": {"ephemeral_1h_input_tokens": 2_000, "ephemeral_5m_input_tokens": 0}}
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-5",
              "timestamp": "2026-07-01T10:00:02Z", "usage": {**usage, **hour}}  # fmt: skip
    paths = [written(tmp_path / "gateway.jsonl", row), written(tmp_path / "answers.jsonl", answer)]
    if not gateway_is_first:
        paths.reverse()
    held(paths[0])
    assert held(paths[1]).costs == [47_550_000_000]


def test_langfuse_10592_the_input_holds_what_was_cached(tmp_path: Path, held: Ingest) -> None:
    # 17,903 in, 17,817 of them cached: Langfuse shows 35,720, and there were 17,903.
    usage = {"input": 17_903, "input_cached_tokens": 17_817, "output": 100, "total": 18_003}
    found = held(written(tmp_path / "a.jsonl", generation("gpt-4o", usage)))
    assert tokens(found, *INPUT[:2]) == [(86, 17_817)]
    # 86 × 2.50 + 17,817 × 1.25 + 100 × 10 = 23,486.25; counted twice: 68,028.75
    assert found.costs == [23_486_250_000]


def test_langfuse_12306_disjoint_numbers_stay_as_they_are(tmp_path: Path, held: Ingest) -> None:
    # What Anthropic says: 5 beside 128,955 read and 1,253 written, 130,213 in all.
    usage = {
        "input": 5,
        "cache_read_input_tokens": 128_955,
        "cache_creation_input_tokens": 1_253,
        "output": 10,
        "total": 130_223,
    }
    found = held(written(tmp_path / "a.jsonl", generation(SONNET, usage)))
    assert tokens(found, *INPUT) == [(5, 128_955, 1_253)]
    # And what pydantic-ai hands over with the provider's own total.
    inclusive = {**usage, "input": 130_213}
    found = held(written(tmp_path / "b.jsonl", generation(SONNET, inclusive, id="o2")))
    assert tokens(found, *INPUT) == [(5, 128_955, 1_253)] * 2


def test_litellm_26919_only_the_writes_are_in_langfuses_input(tmp_path: Path, held: Ingest) -> None:
    # LiteLLM takes the reads out of the input it hands to Langfuse, not the writes: 1,258 for 5.
    usage = {
        "input": 1_258,
        "cache_read_input_tokens": 128_955,
        "cache_creation_input_tokens": 1_253,
        "output": 10,
        "total": 130_223,
    }
    found = held(written(tmp_path / "a.jsonl", generation(SONNET, usage)))
    assert tokens(found, *INPUT) == [(5, 128_955, 1_253)]


def test_langfuse_14249_16187_cache_writes_under_any_name_are_billed(tmp_path: Path, held: Ingest) -> None:
    # 15,460 in, 10,370 out and 19,810 written, of Sonnet 4.6: $0.28, shown as $0.20. In millionths of a
    # dollar 15,460 x 3 + 10,370 x 15 + 19,810 x 3.75 = 276,217.5.
    for name in ("input_cache_creation", "input_cache_write_tokens", "cache_creation_input_tokens"):
        usage = {"input": 15_460, "output": 10_370, name: 19_810}
        path = written(tmp_path / f"{name}.jsonl", generation("claude-sonnet-4-6", usage))
        assert held(path).costs == [276_217_500_000]


def test_langfuse_16321_reasoning_beside_the_output_is_billed(tmp_path: Path, held: Ingest) -> None:
    usage = {"input": 20, "output": 30, "output_reasoning_tokens": 70, "total": 120}
    inside = {**usage, "output": 100}
    found = held(
        written(tmp_path / "a.jsonl", generation("gpt-5", usage), generation("gpt-5", inside, id="o2"))
    )
    assert tokens(found, "output_tokens", "reasoning_tokens") == [(100, 70), (100, 70)]


def test_a_parent_that_sums_up_its_generations_is_not_counted(tmp_path: Path, held: Ingest) -> None:
    usage = {"input": 100, "output": 10, "total": 110}
    child = generation("gpt-4o", usage, parent_observation_id="a1")
    parent = generation("gpt-4o", usage, id="a1", type="AGENT", total_cost=0.00035)
    assert tokens(held(written(tmp_path / "a.jsonl", parent, child)), "input_tokens") == [(100,)]


def test_langfuses_traces_are_refused_in_words(tmp_path: Path) -> None:
    trace = {"id": "t1", "timestamp": "2026-05-01 10:00:00.000000", "name": "ask", "bookmarked": False,
             "public": False, "user_id": "ana", "session_id": None, "tags": []}  # fmt: skip
    path = written(tmp_path / "traces.jsonl", trace, trace)
    done = ingest(Ledger(tmp_path / "l.duckdb"), [str(path)], book=PriceBook(), given=Given())
    assert done.failed
    (note,) = (note for note in done.outcome.notes if str(path) in note)
    assert "export observations instead" in note


def test_helicone_keeps_its_costs_in_billionths(tmp_path: Path, held: Ingest) -> None:
    # COST_PRECISION_MULTIPLIER is 1,000,000,000: 4,050,000 is $0.00405, not four million dollars.
    lines = [request(cost=4_050_000), request(cost=0.00405, request_id="r2")]
    found = held(written(tmp_path / "a.jsonl", *lines))
    assert [call["reported_cost_pico"] for call in found.calls] == [4_050_000_000] * 2
    # 100 × 3 + 1,000 × 0.30 + 200 × 3.75 + 180 × 15 = 4,050
    assert found.costs == [4_050_000_000] * 2


@pytest.mark.parametrize(
    ("cost", "pico"), [(1, 1_000), (0, 0), (2_000_000_000, 2 * 10**12), (0.5, 5 * 10**11)]
)
def test_a_helicone_cost_of_any_size(tmp_path: Path, held: Ingest, cost: float, pico: int) -> None:
    # Of 1 token more than a cent is never the price, so 1 is a billionth; half a dollar is no whole number.
    line = request(cost=cost, prompt_tokens=1, completion_tokens=0)
    assert held(written(tmp_path / "a.jsonl", line)).calls[0]["reported_cost_pico"] == pico


def test_portkeys_cost_is_in_cents(tmp_path: Path, held: Ingest) -> None:
    # 150 × 2.50 + 200 × 10 = 2,375 per million: $0.002375, which Portkey writes as 0.2375.
    line = {"id": "p1", "created_at": "2026-03-01T10:00:00.000Z", "ai_org": "openai", "ai_model": "gpt-4o",
            "req_units": 150.0, "res_units": 200.0, "cost": 0.2375, "cost_currency": "USD"}  # fmt: skip
    found = held(written(tmp_path / "a.jsonl", line))
    assert found.calls[0]["reported_cost_pico"] == 2_375_000_000
    assert found.costs == [2_375_000_000]


def test_openrouters_cache_discount_is_in_the_total_already(tmp_path: Path, held: Ingest) -> None:
    text = (
        "generation_id,created_at,cost_total,cost_cache,tokens_prompt,tokens_completion,tokens_cached,"
        "model_permaslug\n"
        "gen-1,2026-06-28 03:46:57.713,0.0123,-0.004,10389,137,8000,openai/gpt-4o\n"
    )
    (tmp_path / "log.csv").write_text(text)
    call = held(tmp_path / "log.csv").calls[0]
    assert call["reported_cost_pico"] == 12_300_000_000
    assert (call["input_tokens"], call["cache_read_tokens"]) == (2_389, 8_000)


def test_a_newer_day_of_openrouters_activity_takes_the_place_of_the_older(
    tmp_path: Path, held: Ingest
) -> None:
    import os

    head = "Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens\n"
    row = '"2026-03-01 00:00:00","openai/gpt-4o","{}","0","{}","{}","10","0"\n'
    (tmp_path / "a.csv").write_text(head + row.format("0.05", 10, 300))
    (tmp_path / "b.csv").write_text(head + row.format("0.07", 14, 420))
    os.utime(tmp_path / "a.csv", (1_000_000_000, 1_000_000_000))
    found = held(tmp_path / "a.csv", tmp_path / "b.csv")
    assert tokens(found, "requests", "input_tokens", "reported_cost_pico") == [(14, 420, 70_000_000_000)]


def test_langfuses_parquet_says_the_same(tmp_path: Path, held: Ingest) -> None:
    # What its export to blob storage writes if nothing else is chosen.
    import pyarrow as pa
    import pyarrow.parquet as pq

    usage = [("input", 100), ("input_cached_tokens", 1000), ("output", 180), ("total", 1280)]
    columns = {
        "id": pa.array(["o1"]),
        "trace_id": pa.array(["t1"]),
        "type": pa.array(["GENERATION"]),
        "start_time": pa.array([1_777_629_600_000_000], pa.timestamp("us", "UTC")),
        "provided_model_name": pa.array(["gpt-4o"]),
        "usage_details": pa.array([usage], pa.map_(pa.string(), pa.uint64())),
        "total_cost": pa.array([0.00405]),
        "tags": pa.array([["team:search"]]),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    call = held(tmp_path / "a.parquet").calls[0]
    assert (call["ts"], call["input_tokens"], call["cache_read_tokens"]) == ("2026-05-01 10:00:00", 100, 1000)
    assert (call["tags"], call["reported_cost_pico"]) == ({"team": "search"}, 4_050_000_000)


def test_another_gateways_generation_is_not_openrouters() -> None:
    # Vercel's gateway answers in the same words, and its calls are not at OpenRouter's prices.
    generation = {"id": "gen_01", "total_cost": 0.1, "native_tokens_prompt": 5, "model": "openai/gpt-4o"}
    assert recognise(of_text(json.dumps({"data": generation}).encode())) is None
    found = recognise(of_text(json.dumps({"data": {**generation, "id": "gen-01"}}).encode()))
    assert found is not None
    assert found[0].name == "openrouter-generations"
