"""Errors that other programs made with the clouds' formats, each with the numbers of its report.

Prices are those of the catalogue in USD per million tokens: us.anthropic.claude-sonnet-4 on Bedrock 3 in, 15
out, 0.30 cache read, 3.75 cache write; …-sonnet-4-5 there 3.30, 4.125 (5 minutes) and 6.60 (1 hour);
gemini-2.5-pro 1.25 in, 10 out, 0.125 cached, half of in and out in batches, and 2.50, 15 and 0.25 above
200,000 tokens; gemini-2.5-flash 0.30 in, 1.00 audio, 2.50 out, 0.10 cached audio.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import Ingest

from costctl.ingest import Given, ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook

CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
CLAUDE_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def written(path: Path, *lines: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def record(model: str, tokens: dict[str, int], answered: int, **more: Any) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-05-02T08:00:00Z",
        "accountId": "123456789012",
        "requestId": "r-1",
        "operation": "Converse",
        "modelId": model,
        "input": tokens,
        "output": {"outputTokenCount": answered},
        **more,
    }


def answer(usage: dict[str, Any], model: str = "gemini-2.5-pro", **more: Any) -> dict[str, Any]:
    return {
        "responseId": "g-1",
        "modelVersion": model,
        "createTime": "2026-05-01T10:00:00Z",
        "usageMetadata": usage,
        **more,
    }


def test_ruby_llm_832_bedrocks_input_has_no_cached_tokens_in_it(tmp_path: Path, held: Ingest) -> None:
    # The usual turn: a small new input after a large cached one. Subtracted, it was floored to 0.
    tokens = {"inputTokenCount": 35, "cacheReadInputTokenCount": 1200, "cacheWriteInputTokenCount": 300}
    found = held(written(tmp_path / "a.jsonl", record(CLAUDE, tokens, 446)))
    assert found.calls[0]["input_tokens"] == 35
    # 35 × 3 + 1,200 × 0.30 + 300 × 3.75 + 446 × 15 = 8,280 dollars per million.
    assert found.costs == [8_280_000_000]


@pytest.mark.parametrize(("operation", "input"), [("ConverseStream", 4995), ("Converse", 2)])
def test_bifrost_6942_a_stream_of_openais_models_counts_the_cache_in_its_input(
    tmp_path: Path, held: Ingest, operation: str, input: int
) -> None:
    # The same prompt, measured both ways: 4,993 tokens written to the cache, and 2 more.
    tokens = {"inputTokenCount": input, "cacheWriteInputTokenCount": 4993}
    line = record("openai.gpt-5.6-sol", tokens, 19, operation=operation)
    found = held(written(tmp_path / "a.jsonl", line))
    assert [(call["input_tokens"], call["cache_write_5m_tokens"]) for call in found.calls] == [(2, 4993)]


def test_a_stream_of_another_vendors_model_is_taken_at_its_word(tmp_path: Path, held: Ingest) -> None:
    tokens = {"inputTokenCount": 4995, "cacheReadInputTokenCount": 100}
    found = held(written(tmp_path / "a.jsonl", record(CLAUDE, tokens, 19, operation="ConverseStream")))
    assert found.calls[0]["input_tokens"] == 4995


def test_ccusage_899_writes_for_an_hour_are_told_by_the_answer_alone(tmp_path: Path, held: Ingest) -> None:
    # 200 of 300 written tokens live an hour. At the price of five minutes they cost 37.5 % too little.
    usage = {"cacheDetails": [{"ttl": "5m", "inputTokens": 100}, {"ttl": "1h", "inputTokens": 200}]}
    output = {"outputTokenCount": 0, "outputBodyJson": {"usage": usage}}
    tokens = {"inputTokenCount": 0, "cacheWriteInputTokenCount": 300}
    found = held(written(tmp_path / "a.jsonl", record(CLAUDE_45, tokens, 0, output=output)))
    # 100 × 4.125 + 200 × 6.60 = 1,732.50 dollars per million.
    assert found.costs == [1_732_500_000]


def test_older_records_count_the_cache_in_the_answer_alone(tmp_path: Path, held: Ingest) -> None:
    usage = {"input_tokens": 12, "cache_read_input_tokens": 1200, "cache_creation_input_tokens": 300}
    output = {"outputTokenCount": 5, "outputBodyJson": {"model": "claude-sonnet-4-20250514", "usage": usage}}
    found = held(written(tmp_path / "a.jsonl", record(CLAUDE, {"inputTokenCount": 12}, 5, output=output)))
    call = found.calls[0]
    assert (call["input_tokens"], call["cache_read_tokens"], call["cache_write_5m_tokens"]) == (12, 1200, 300)


def test_a_transcript_and_the_log_tell_of_one_call(tmp_path: Path, held: Ingest) -> None:
    usage = {"input_tokens": 12, "output_tokens": 446}
    message = {"id": "msg_bdrk_1", "type": "message", "model": CLAUDE, "usage": usage}
    line = {"type": "assistant", "sessionId": "s", "uuid": "u", "timestamp": "2026-05-02T08:00:00Z"}
    output = {"outputTokenCount": 446, "outputBodyJson": {"id": "msg_bdrk_1", "usage": usage}}
    found = held(
        written(tmp_path / "session.jsonl", {**line, "message": message}),
        written(tmp_path / "log.jsonl", record(CLAUDE, {"inputTokenCount": 12}, 446, output=output)),
    )
    assert len(found.calls) == 1


def test_a_tree_of_s3_is_read_as_it_was_copied(tmp_path: Path, held: Ingest) -> None:
    hours = tmp_path / "AWSLogs" / "123456789012" / "BedrockModelInvocationLogs" / "us-east-1" / "2026" / "05"
    for hour, lines in (("08", 2), ("09", 1)):
        (hours / "02" / hour).mkdir(parents=True)
        text = "".join(
            json.dumps(record(CLAUDE, {"inputTokenCount": 1}, 1, requestId=f"{hour}-{number}")) + "\n"
            for number in range(lines)
        )
        (hours / "02" / hour / f"20260502T{hour}_a.json.gz").write_bytes(gzip.compress(text.encode()))
    (hours.parents[1] / "amazon-bedrock-logs-permission-check").write_text("Permissions are correctly set.")
    assert len(held(tmp_path).calls) == 3


def test_what_was_said_is_kept_nowhere(tmp_path: Path, held: Ingest) -> None:
    line = record(CLAUDE, {"inputTokenCount": 1}, 1)
    line["input"] |= {"inputBodyJson": {"messages": [{"content": "a secret prompt"}]}}
    line["output"] |= {"outputBodyJson": {"content": [{"text": "a secret answer"}]}}
    assert "secret" not in str(held(written(tmp_path / "a.jsonl", line)))


def test_vercel_ai_6082_thoughts_are_output_beside_the_candidates(tmp_path: Path, held: Ingest) -> None:
    # 9,537 of 11,476 tokens were counted: the 1,939 of the thoughts were left out.
    usage = {
        "promptTokenCount": 7477,
        "candidatesTokenCount": 2060,
        "thoughtsTokenCount": 1939,
        "totalTokenCount": 11476,
    }
    found = held(written(tmp_path / "a.jsonl", answer(usage)))
    assert (found.calls[0]["output_tokens"], found.calls[0]["reasoning_tokens"]) == (3999, 1939)
    # 7,477 × 1.25 + 3,999 × 10 = 49,336.25 dollars per million.
    assert found.costs == [49_336_250_000]


def test_thoughts_within_the_candidates_are_counted_once(tmp_path: Path, held: Ingest) -> None:
    # As some servers count; the total tells. Added up they would be 5,938.
    usage = {
        "promptTokenCount": 7477,
        "candidatesTokenCount": 3999,
        "thoughtsTokenCount": 1939,
        "totalTokenCount": 11476,
    }
    assert held(written(tmp_path / "a.jsonl", answer(usage))).costs == [49_336_250_000]


def test_langfuse_10592_cached_tokens_are_part_of_geminis_prompt(tmp_path: Path, held: Ingest) -> None:
    usage = {"promptTokenCount": 100_000, "cachedContentTokenCount": 90_000, "totalTokenCount": 100_000}
    found = held(written(tmp_path / "a.jsonl", answer(usage)))
    # 10,000 × 1.25 + 90,000 × 0.125 = 23,750 dollars per million; counted twice, 136,250.
    assert found.costs == [23_750_000_000]


def test_litellm_14834_the_whole_prompt_chooses_the_tier(tmp_path: Path, held: Ingest) -> None:
    usage = {"promptTokenCount": 200_001, "cachedContentTokenCount": 150_000, "totalTokenCount": 200_001}
    found = held(written(tmp_path / "a.jsonl", answer(usage)))
    # 50,001 × 2.50 + 150,000 × 0.25, all of it at the higher price.
    assert found.costs == [162_502_500_000]


def test_litellm_37077_a_batch_costs_half(tmp_path: Path, held: Ingest) -> None:
    # Vertex says ON_DEMAND in the lines of a batch. It was priced at 0.
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}
    line = {"status": "", "processed_time": "2026-05-01T12:00:00.000+00:00", "request": {}}
    response = answer({**usage, "trafficType": "ON_DEMAND"})
    found = held(written(tmp_path / "a.jsonl", {**line, "response": response}))
    # 1,000 × 0.625 + 100 × 5
    assert (found.calls[0]["mode"], found.costs) == ("batch", [1_125_000_000])


def test_audio_has_its_own_price_and_its_own_cached_price(tmp_path: Path, held: Ingest) -> None:
    usage = {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 300,
        "totalTokenCount": 1000,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 600},
            {"modality": "TEXT", "tokenCount": 400},
        ],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 300}],
    }
    found = held(written(tmp_path / "a.jsonl", answer(usage, "gemini-2.5-flash")))
    # 400 × 0.30 + 300 × 1.00 + 300 × 0.10
    assert found.costs == [450_000_000]


@pytest.mark.parametrize("with_cached", [True, False])
def test_details_may_be_of_the_whole_prompt_or_of_its_uncached_part(
    tmp_path: Path, held: Ingest, with_cached: bool
) -> None:
    audio, text = (600, 400) if with_cached else (500, 200)
    usage = {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 300,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": audio},
            {"modality": "TEXT", "tokenCount": text},
        ],
        "cacheTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 100},
            {"modality": "TEXT", "tokenCount": 200},
        ],
    }
    call = held(written(tmp_path / "a.jsonl", answer(usage, "gemini-2.5-flash"))).calls[0]
    assert call["other_units"] == {"cache_audio_read_tokens": 100, "input_audio_tokens": 500}
    assert (call["input_tokens"], call["cache_read_tokens"]) == (200, 200)


def test_a_log_with_metadata_of_its_own_is_no_batch(tmp_path: Path, held: Ingest) -> None:
    # Half the price would be wrong.
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6}
    line = {"timestamp": "2026-05-01T10:00:00Z", "metadata": {"key": "x"}, "response": answer(usage)}
    assert held(written(tmp_path / "a.jsonl", line)).calls[0]["mode"] == "standard"


def test_azures_diagnostics_hold_no_tokens_and_are_refused_in_words(tmp_path: Path) -> None:
    line = {
        "time": "2026-05-01T10:00:00.0000000Z",
        "category": "RequestResponse",
        "operationName": "ChatCompletions_Create",
        "properties": json.dumps({"modelName": "gpt-4o", "requestLength": 512}),
    }
    path = written(tmp_path / "PT1H.json", line)
    done = ingest(Ledger(tmp_path / "l.duckdb"), [str(path)], book=PriceBook(), given=Given())
    assert done.failed
    assert (
        f"not read: {path}: Azure OpenAI's diagnostics of the category RequestResponse, which have no tokens"
        "; export ApiManagementGatewayLlmLog of the API Management before it, or log the answers themselves"
    ) in done.outcome.notes


def test_a_trace_may_be_read_for_two_models(tmp_path: Path, held: Ingest) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,1000,100\n"
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(text)
    held(tmp_path / "a.csv", model="gpt-4o")
    found = held(tmp_path / "b.csv", model="gpt-4o-mini")
    assert sorted(call["model"] for call in found.calls) == ["gpt-4o", "gpt-4o-mini"]


def test_columns_of_burstgpt_are_known_by_name_not_by_place(tmp_path: Path, held: Ingest) -> None:
    # The third release puts two columns between the first and the second.
    (tmp_path / "a.csv").write_text(
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,s-1,2.5,GPT-4,472,18,490,Conversation log\n"
    )
    call = held(tmp_path / "a.csv", time="2024-03-01").calls[0]
    assert (call["model"], call["input_tokens"], call["output_tokens"]) == ("GPT-4", 472, 18)
