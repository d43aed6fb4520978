"""Errors that other programs made with OpenTelemetry's spans and events, each with the numbers of its report.

Prices are those of the catalogue in USD per million tokens: claude-sonnet-4-5 3 in, 15 out, 0.30 cache read,
3.75 cache write (5 minutes); gpt-4o-mini 0.15 in, 0.60 out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import Ingest

TRACE = "7" * 32
SONNET = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
          "gen_ai.request.model": "claude-sonnet-4-5"}  # fmt: skip
EVENT = {
    "event.name": "api_request", "session.id": "s", "model": "claude-sonnet-4-5", "input_tokens": "12",
    "output_tokens": "40", "cache_read_tokens": "1000", "cache_creation_tokens": "0",
}  # fmt: skip


def attributes(named: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {int: "intValue", float: "doubleValue", str: "stringValue"}
    return [{"key": name, "value": {kinds[type(value)]: value}} for name, value in named.items()]


def span(id: str, named: dict[str, Any], parent: str = "") -> dict[str, Any]:
    return {
        "traceId": TRACE, "spanId": id, "parentSpanId": parent, "attributes": attributes(named),
        "startTimeUnixNano": "1772359200000000000", "endTimeUnixNano": "1772359201000000000",
    }  # fmt: skip


def traces(*spans: dict[str, Any], scope: str = "app") -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def events(*records: dict[str, Any]) -> dict[str, Any]:
    told = [
        {"timeUnixNano": "1772359200000000000", "body": {"stringValue": "claude_code.api_request"},
         "attributes": attributes(record)}
        for record in records
    ]  # fmt: skip
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": told}]}]}


def written(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def tokens(calls: Sequence[dict[str, Any]]) -> list[tuple[int | None, ...]]:
    """Uncached input, cache read, cache write, output."""
    names = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")
    return [tuple(call.get(name) for name in names) for call in calls]


@pytest.mark.parametrize(
    ("scope", "input"),
    [("opentelemetry.instrumentation.anthropic", 1012), ("opentelemetry.instrumentation.bedrock", 12)],
)
def test_openllmetry_4449_two_packages_tell_of_one_usage_in_two_ways(
    tmp_path: Path, held: Ingest, scope: str, input: int
) -> None:
    usage = {"gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": 40,
             "gen_ai.usage.cache_read.input_tokens": 1000,
             "gen_ai.usage.cache_creation.input_tokens": 0}  # fmt: skip
    found = held(written(tmp_path / "a.jsonl", traces(span("1" * 16, {**SONNET, **usage}), scope=scope)))
    assert tokens(found.calls) == [(12, 1000, 0, 40)]
    # 12 × 3 + 1,000 × 0.30 + 40 × 15 = 936 dollars per million; 1,012 taken for uncached gives 3,936.
    assert found.costs == [936_000_000]


def test_pydantic_ai_5360_cached_input_under_a_name_of_its_own(tmp_path: Path, held: Ingest) -> None:
    usage = {"gen_ai.usage.input_tokens": 9637, "gen_ai.usage.output_tokens": 1,
             "gen_ai.usage.details.cache_read_tokens": 4352}  # fmt: skip
    found = held(written(tmp_path / "a.jsonl", traces(span("1" * 16, {**SONNET, **usage}))))
    # 9,637 - 4,352 = 5,285.
    assert tokens(found.calls) == [(5285, 4352, None, 1)]


def test_traceroot_1206_a_wrapper_with_usage_doubles_its_trace(tmp_path: Path, held: Ingest) -> None:
    # 57,172 tokens instead of 28,586.
    usage = {"ai.model.id": "gpt-4o-mini", "ai.model.provider": "openai.chat",
             "ai.usage.inputTokens": 28466, "ai.usage.outputTokens": 120}  # fmt: skip
    wrapper = span("1" * 16, {"ai.operationId": "ai.generateText", **usage})
    call = span("2" * 16, {"ai.operationId": "ai.generateText.doGenerate", **usage}, parent="1" * 16)
    found = held(written(tmp_path / "a.jsonl", traces(wrapper, call)))
    assert tokens(found.calls) == [(28466, None, None, 120)]
    # 28,466 × 0.15 + 120 × 0.60 = 4,341.9 dollars per million.
    assert found.costs == [4_341_900_000]


@pytest.mark.parametrize("parent_in", ["the same line", "another line", "another file"])
def test_a_parent_without_a_word_of_what_it_is_gives_way_wherever_it_stands(
    tmp_path: Path, held: Ingest, parent_in: str
) -> None:
    # crewAI, LangChain and others: the usage of a step stands on its span too.
    usage = {"gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 97,
             "gen_ai.usage.output_tokens": 52}  # fmt: skip
    outer, between = span("1" * 16, usage), span("2" * 16, {}, parent="1" * 16)
    call = span("3" * 16, {**SONNET, **usage}, parent="2" * 16)
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    if parent_in == "the same line":
        paths = [written(a, traces(call, between, outer))]
    elif parent_in == "another line":
        paths = [written(a, traces(call), traces(between), traces(outer))]
    else:
        paths = [written(a, traces(call)), written(b, traces(between, outer))]
    assert tokens(held(*paths).calls) == [(97, None, None, 52)]


def test_calls_of_two_models_at_once_are_two(tmp_path: Path, held: Ingest) -> None:
    usage = {"gen_ai.usage.input_tokens": 97, "gen_ai.usage.output_tokens": 52}
    anthropic = traces(span("1" * 16, {**SONNET, **usage}, parent="9" * 16), scope="anthropic")
    openai = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", **usage}
    path = written(tmp_path / "a.jsonl", anthropic, traces(span("2" * 16, openai, parent="9" * 16)))
    assert len(held(path).calls) == 2


def test_a_span_that_names_itself_as_its_parent_is_a_call(tmp_path: Path, held: Ingest) -> None:
    usage = {"gen_ai.usage.input_tokens": 97, "gen_ai.usage.output_tokens": 52}
    call = span("1" * 16, {**SONNET, **usage}, parent="1" * 16)
    assert len(held(written(tmp_path / "a.jsonl", traces(call))).calls) == 1


def test_a_span_that_has_not_ended_is_a_call_all_the_same(tmp_path: Path, held: Ingest) -> None:
    usage = {"gen_ai.usage.input_tokens": 97, "gen_ai.usage.output_tokens": 52}
    begun = {**span("1" * 16, {**SONNET, **usage}), "endTimeUnixNano": "0"}
    found = held(written(tmp_path / "a.jsonl", traces(begun)))
    assert tokens(found.calls) == [(97, None, None, 52)]
    assert "latency_ms" not in found.calls[0]


def test_a_parent_that_a_growing_file_tells_later_gives_way_too(tmp_path: Path, held: Ingest) -> None:
    usage = {"gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 97,
             "gen_ai.usage.output_tokens": 52}  # fmt: skip
    call = traces(span("2" * 16, {**SONNET, **usage}, parent="1" * 16))
    path = written(tmp_path / "a.jsonl", call)
    assert len(held(path).calls) == 1
    assert len(held(written(path, call, traces(span("1" * 16, usage)))).calls) == 1


def test_convex_agent_191_cache_writes_are_in_the_provider_metadata_alone(
    tmp_path: Path, held: Ingest
) -> None:
    usage = {"cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 46209},
             "cache_creation_input_tokens": 46209, "cache_read_input_tokens": 0, "input_tokens": 337,
             "output_tokens": 342}  # fmt: skip
    found = held(
        written(
            tmp_path / "a.jsonl",
            traces(
                span(
                    "1" * 16,
                    {
                        "ai.operationId": "ai.streamText.doStream",
                        "ai.model.id": "claude-sonnet-4-5",
                        "ai.model.provider": "anthropic.messages",
                        "ai.usage.promptTokens": 337,
                        "ai.usage.completionTokens": 342,
                        "ai.response.providerMetadata": json.dumps({"anthropic": {"usage": usage}}),
                    },
                )
            ),
        )
    )
    assert tokens(found.calls) == [(337, 0, 46209, 342)]
    # 337 × 3 + 46,209 × 3.75 + 342 × 15 = 179,424.75 dollars per million; without the writes 6,141.
    assert found.costs == [179_424_750_000]


def test_openinference_1429_prompt_tokens_include_what_was_cached(tmp_path: Path, held: Ingest) -> None:
    # langfuse#5568 and others added both: 20,100 + 20,000.
    found = held(
        written(
            tmp_path / "a.jsonl",
            traces(
                span(
                    "1" * 16,
                    {
                        "openinference.span.kind": "LLM",
                        "llm.model_name": "claude-sonnet-4-5",
                        "llm.system": "anthropic",
                        "llm.token_count.prompt": 20100,
                        "llm.token_count.prompt_details.cache_read": 20000,
                        "llm.token_count.completion": 350,
                    },
                )
            ),
        )
    )
    assert tokens(found.calls) == [(100, 20000, None, 350)]
    # 100 × 3 + 20,000 × 0.30 + 350 × 15 = 11,550 dollars per million.
    assert found.costs == [11_550_000_000]


def test_claude_code_50776_its_spans_repeat_its_events_under_names_of_their_own(
    tmp_path: Path, held: Ingest
) -> None:
    flat = {name: EVENT[name] for name in ("model", "input_tokens", "output_tokens", "cache_read_tokens")}
    llm_request = span(
        "1" * 16, {"gen_ai.system": "anthropic", "gen_ai.request.model": EVENT["model"], **flat}
    )
    found = held(written(tmp_path / "a.jsonl", traces(llm_request), events({**EVENT, "request_id": "req_1"})))
    assert tokens(found.calls) == [(12, 1000, 0, 40)]


def test_claude_code_56098_an_event_without_its_cost_is_a_call(tmp_path: Path, held: Ingest) -> None:
    found = held(written(tmp_path / "a.jsonl", events({**EVENT, "request_id": "req_1"})))
    assert found.costs == [936_000_000]
    assert "reported_cost_pico" not in found.calls[0]


@pytest.mark.parametrize("identity", [{"request_id": "req_1"}, {"event.sequence": 4}])
def test_a_record_that_was_exported_again_is_one_call(
    tmp_path: Path, held: Ingest, identity: dict[str, Any]
) -> None:
    line = events({**EVENT, **identity})
    assert len(held(written(tmp_path / "a.jsonl", line, line)).calls) == 1
    # Two requests of one session are two.
    other = {name: f"{value}2" for name, value in identity.items()}
    assert len(held(written(tmp_path / "b.jsonl", events({**EVENT, **other}))).calls) == 2
