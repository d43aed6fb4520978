"""Errors that other programs made with these formats, each with the numbers of its report.

Prices are those of the catalogue in USD per million tokens: claude-sonnet-4-20250514 3 in, 15 out, 0.30 cache
read, 3.75 and 6 cache writes (5 minutes, 1 hour); claude-opus-4-7 5 in, 25 out, 6.25 and 10; gpt-4o 2.50 in,
10 out, 1.25 cached.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import Ingest

SONNET = "claude-sonnet-4-20250514"
SESSION = {"sessionId": "s", "uuid": "u", "type": "assistant", "cwd": "/work/shop"}


def written(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def transcript_line(id: str, ts: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {"id": id, "type": "message", "role": "assistant", "model": SONNET, "usage": usage}
    return {**SESSION, "timestamp": ts, "requestId": "req_1", "message": message, **more}


def tokens(calls: Sequence[dict[str, Any]], *names: str) -> list[tuple[int | None, ...]]:
    return [tuple(call.get(name) for name in names) for call in calls]


def test_ccusage_19_each_content_block_of_one_answer_is_a_line(tmp_path: Path, held: Ingest) -> None:
    # titeya/dms-claudecode#52: one answer, three lines, its output growing. Summed: 262 out and 3 times the
    # input.
    usage = {"input_tokens": 2, "cache_read_input_tokens": 15030}
    found = held(
        written(
            tmp_path / "a.jsonl",
            transcript_line("msg_A", "2026-03-01T23:59:59.100Z", {**usage, "output_tokens": 1}),
            transcript_line("msg_A", "2026-03-01T23:59:59.900Z", {**usage, "output_tokens": 1}),
            transcript_line("msg_A", "2026-03-02T00:00:01.500Z", {**usage, "output_tokens": 260}),
        )
    )
    assert tokens(found.calls, "input_tokens", "cache_read_tokens", "output_tokens") == [(2, 15030, 260)]
    # It counts on the day on which it began.
    assert found.calls[0]["ts"] == "2026-03-01 23:59:59.1"
    # 2 × 3 + 15,030 × 0.30 + 260 × 15 = 8,415 dollars per million; the first line alone gives 4,530.
    assert found.costs == [8_415_000_000]


def test_ccusage_994_1728_a_reply_of_many_blocks_is_one_call(tmp_path: Path, held: Ingest) -> None:
    # A block of thinking and 18 calls of a tool are 19 lines: $83.78 for a session of $12.84. Counts are of
    # #994. Opus 4.7: 6 x 5 + 384 x 25 + 11,352 x 6.25 + 22,076 x 0.50 = 91,618 dollars per million.
    usage = {
        "input_tokens": 6,
        "output_tokens": 384,
        "cache_creation_input_tokens": 11_352,
        "cache_read_input_tokens": 22_076,
    }
    lines = [transcript_line("msg_A", f"2026-05-14T07:47:{20 + n}.123Z", usage) for n in range(19)]
    for line in lines:
        line["message"]["model"] = "claude-opus-4-7"
    assert held(written(tmp_path / "a.jsonl", *lines)).costs == [91_618_000_000]


def test_omarchy_10606_the_last_line_counts_not_the_first(tmp_path: Path, held: Ingest) -> None:
    # The most complete line stays, in whatever order the lines stand.
    usage = {"input_tokens": 2}
    found = held(
        written(
            tmp_path / "a.jsonl",
            transcript_line("msg_A", "2026-03-01T10:00:02Z", {**usage, "output_tokens": 601}),
            transcript_line("msg_A", "2026-03-01T10:00:01Z", {**usage, "output_tokens": 390}),
        )
    )
    assert tokens(found.calls, "output_tokens") == [(601,)]


def test_omarchy_10606_a_fallback_to_another_model_is_taken_whole(tmp_path: Path, held: Ingest) -> None:
    # Lines of one message with different models and caches: no column from one and another from the other.
    first = transcript_line(
        "msg_A",
        "2026-03-01T10:00:00Z",
        {"input_tokens": 900, "cache_read_input_tokens": 9, "output_tokens": 1},
    )
    then = transcript_line("msg_A", "2026-03-01T10:00:05Z", {"input_tokens": 3, "output_tokens": 80})
    then["message"]["model"] = "claude-opus-4-7"
    found = held(written(tmp_path / "a.jsonl", first, then))
    assert tokens(found.calls, "input_tokens", "cache_read_tokens", "output_tokens") == [(3, None, 80)]
    assert found.calls[0]["model"] == "claude-opus-4-7"


def test_agentsview_1373_a_resumed_session_copies_its_past(tmp_path: Path, held: Ingest) -> None:
    # Copies are equal but for sessionId and sessionKind, in another file. Counting by session doubles them.
    line = transcript_line("msg_A", "2026-03-01T10:00:00Z", {"input_tokens": 5, "output_tokens": 7})
    one = written(tmp_path / "one.jsonl", line)
    copied = {**line, "sessionId": "t", "sessionKind": "bg"}
    other = written(
        tmp_path / "other.jsonl",
        copied,
        transcript_line(
            "msg_B", "2026-03-02T10:00:00Z", {"input_tokens": 1, "output_tokens": 1}, sessionId="t"
        ),
    )
    found = held(one, other)
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(5, 7), (1, 1)]
    assert [call["session"] for call in found.calls] == ["s", "t"]


def test_ccusage_913_a_question_on_the_side_replays_its_parent(tmp_path: Path, held: Ingest) -> None:
    # The same message under another requestId, isSidechain, and even one token longer: the parent's stays.
    found = held(
        written(
            tmp_path / "a.jsonl",
            transcript_line(
                "msg_P",
                "2026-03-01T11:00:00Z",
                {"input_tokens": 10, "cache_read_input_tokens": 700, "output_tokens": 31},
                requestId="req_2",
                isSidechain=True,
            ),
            transcript_line(
                "msg_P",
                "2026-03-01T10:00:00Z",
                {"input_tokens": 10, "cache_read_input_tokens": 700, "output_tokens": 30},
            ),
        )
    )
    assert tokens(found.calls, "input_tokens", "cache_read_tokens", "output_tokens") == [(10, 700, 30)]


def test_ccusage_985_a_gateway_gives_no_request_id(tmp_path: Path, held: Ingest) -> None:
    # Without the rule: + 44.3 %.
    line = transcript_line(
        "chatcmpl-gw1", "2026-03-01T10:00:00Z", {"input_tokens": 500, "output_tokens": 20}, requestId=None
    )
    found = held(written(tmp_path / "a.jsonl", line, {**line, "uuid": "v"}))
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(500, 20)]


def test_ccusage_1115_the_advisors_tokens_are_beside_the_messages(tmp_path: Path, held: Ingest) -> None:
    usage = {
        "input_tokens": 2,
        "output_tokens": 491,
        "cache_read_input_tokens": 226584,
        "cache_creation_input_tokens": 7853,
        "iterations": [
            {"type": "message", "input_tokens": 1, "output_tokens": 45},
            {
                "type": "advisor_message",
                "model": "claude-opus-4-7",
                "input_tokens": 159419,
                "output_tokens": 7805,
            },
            {"type": "message", "input_tokens": 1, "output_tokens": 446},
        ],
    }
    found = held(written(tmp_path / "a.jsonl", transcript_line("msg_B", "2026-03-01T10:00:00Z", usage)))
    assert [call["model"] for call in found.calls] == [SONNET, "claude-opus-4-7"]
    # 2 × 3 + 491 × 15 + 226,584 × 0.30 + 7,853 × 3.75 = 104,794.95
    # 159,419 × 5 + 7,805 × 25 = 992,220: nine tenths of the bill.
    assert found.costs == [104_794_950_000, 992_220_000_000]


def test_the_same_advisor_in_a_copied_line_is_one_call(tmp_path: Path, held: Ingest) -> None:
    item = {"type": "advisor_message", "model": "claude-opus-4-7", "input_tokens": 9, "output_tokens": 8}
    usage = {"input_tokens": 2, "output_tokens": 4, "iterations": [item, item]}
    line = transcript_line("msg_B", "2026-03-01T10:00:00Z", usage)
    files = [
        written(tmp_path / f"{name}.jsonl", {**line, "sessionId": name}, {**line, "sessionId": name})
        for name in "ab"
    ]
    found = held(*files)
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(2, 4), (9, 8), (9, 8)]


def test_compaction_is_billed_beside_the_message(tmp_path: Path, held: Ingest) -> None:
    # platform.claude.com, "Compaction": the top level says 23,000 and 1,000; billed are 203,000 and 4,500.
    response = {
        "id": "msg_compacted",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-7",
        "usage": {
            "input_tokens": 23000,
            "output_tokens": 1000,
            "iterations": [
                {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
                {"type": "message", "input_tokens": 23000, "output_tokens": 1000},
            ],
        },
    }
    found = held(written(tmp_path / "a.jsonl", {"timestamp": "2026-03-01T10:00:00Z", "response": response}))
    assert sum(call["input_tokens"] for call in found.calls) == 203_000
    assert sum(call["output_tokens"] for call in found.calls) == 4_500
    assert {call["model"] for call in found.calls} == {"claude-opus-4-7"}


def test_litellm_42663_a_breakdown_of_cache_writes_falls_short(tmp_path: Path, held: Ingest) -> None:
    # 184,457 written, of which the breakdown knows 31,490: the rest has the default lifetime too.
    response = {
        "id": "msg_short",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-7",
        "usage": {
            "input_tokens": 123201,
            "cache_read_input_tokens": 426653,
            "cache_creation_input_tokens": 184457,
            "cache_creation": {"ephemeral_5m_input_tokens": 31490, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1000,
        },
    }
    found = held(written(tmp_path / "a.jsonl", {"timestamp": "2026-03-01T10:00:00Z", "response": response}))
    call = found.calls[0]
    assert call["cache_write_5m_tokens"] == 184_457
    # The prompt's parts add up to what the report says: 734,311.
    parts = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    assert sum(call[part] for part in parts) == 734_311


@pytest.mark.parametrize(
    ("total", "five", "hour", "kept"),
    [
        (100, 60, 40, (60, 40)),
        (100, 0, 40, (60, 40)),  # the rest is at the default lifetime
        (100, None, None, (100, None)),
        (0, 60, 40, (60, 40)),  # a total that is less than its parts is not believed
    ],
)
def test_cache_writes_of_two_lifetimes(
    tmp_path: Path, held: Ingest, total: int, five: int | None, hour: int | None, kept: tuple[int, int | None]
) -> None:
    usage: dict[str, Any] = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": total}
    if hour is not None:
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}
    found = held(written(tmp_path / "a.jsonl", transcript_line("msg_A", "2026-03-01T10:00:00Z", usage)))
    assert tokens(found.calls, "cache_write_5m_tokens", "cache_write_1h_tokens") == [kept]


def test_ccusage_899_an_hours_cache_writes_cost_twice_the_input(tmp_path: Path, held: Ingest) -> None:
    usage = {
        "input_tokens": 2,
        "output_tokens": 260,
        "cache_read_input_tokens": 15030,
        "cache_creation_input_tokens": 8655,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 8655},
    }
    found = held(written(tmp_path / "a.jsonl", transcript_line("msg_A", "2026-03-01T10:00:00Z", usage)))
    # 2 × 3 + 260 × 15 + 15,030 × 0.30 + 8,655 × 6 = 60,345; at the price of 5 minutes 40,871.25.
    assert found.costs == [60_345_000_000]


def test_langfuse_10592_anthropics_input_excludes_what_was_cached(tmp_path: Path, held: Ingest) -> None:
    # BerriAI/litellm#20293: 3 input tokens beside 5,424 written. Inclusive reading: fewer than none.
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 5424, "output_tokens": 42}
    found = held(written(tmp_path / "a.jsonl", transcript_line("msg_A", "2026-03-01T10:00:00Z", usage)))
    assert tokens(found.calls, "input_tokens", "cache_write_5m_tokens") == [(3, 5424)]


def test_litellm_6575_openais_input_includes_what_was_cached(tmp_path: Path, held: Ingest) -> None:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1741570283,
        "model": "gpt-4o",
        "usage": {
            "prompt_tokens": 1117,
            "completion_tokens": 46,
            "prompt_tokens_details": {"cached_tokens": 1024},
        },
    }
    found = held(written(tmp_path / "a.jsonl", answer))
    assert tokens(found.calls, "input_tokens", "cache_read_tokens") == [(93, 1024)]
    # 93 × 2.50 + 1,024 × 1.25 + 46 × 10 = 1,972.50; cached tokens counted twice: 4,532.50.
    assert found.costs == [1_972_500_000]


def test_a_call_log_says_by_a_name_whether_input_includes_what_was_cached(
    tmp_path: Path, held: Ingest
) -> None:
    # The FAQ agent of the worked example: 20,000 of 20,100 input tokens come from the cache.
    line = {"timestamp": "2026-01-01T00:00:00", "model": SONNET, "output_tokens": 0}
    found = held(
        written(
            tmp_path / "a.jsonl",
            {**line, "input_tokens": 20_100, "cached_tokens": 20_000},
            {**line, "input_tokens": 100, "cache_read_tokens": 20_000},
        )
    )
    assert tokens(found.calls, "input_tokens", "cache_read_tokens") == [(100, 20_000)] * 2
    # 100 × 3 + 20,000 × 0.30 = 6,300 each; the wrong reading of the first gives 66,300.
    assert found.costs == [6_300_000_000] * 2


def test_openais_reasoning_is_inside_its_output(tmp_path: Path, held: Ingest) -> None:
    # deepeval#2943, litellm#35925: billed twice elsewhere.
    answer = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1741476777,
        "model": "gpt-4o",
        "usage": {
            "input_tokens": 328,
            "output_tokens": 52,
            "output_tokens_details": {"reasoning_tokens": 40},
        },
    }
    found = held(written(tmp_path / "a.jsonl", answer))
    assert tokens(found.calls, "output_tokens", "reasoning_tokens") == [(52, 40)]
    # 328 × 2.50 + 52 × 10 = 1,340; with 40 more of output 1,740.
    assert found.costs == [1_340_000_000]


def test_langfuse_13780_the_tier_that_served_counts(tmp_path: Path, held: Ingest) -> None:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1793491200,
        "model": "gpt-5",
        "service_tier": "flex",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    }
    other = {**answer, "id": "chatcmpl-2", "service_tier": "default", "created": 1793491201}
    found = held(written(tmp_path / "a.jsonl", answer, other))
    assert [call["mode"] for call in found.calls] == ["flex", "standard"]
    # gpt-5: 1.25 in, 10 out; flex is half (the catalogue has it since October 2026).
    # 1,000 × 1.25 + 100 × 10 = 2,250
    assert found.costs == [1_125_000_000, 2_250_000_000]


def test_litellm_37077_a_batch_costs_half_whatever_its_lines_say(tmp_path: Path, held: Ingest) -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": SONNET,
        "usage": {"input_tokens": 1000, "output_tokens": 100, "service_tier": "standard"},
    }
    line = {"custom_id": "a", "result": {"type": "succeeded", "message": message}}
    found = held(written(tmp_path / "a.jsonl", line), time="2026-01-01T00:00:00Z")
    # 1,000 × 1.50 + 100 × 7.50 = 2,250
    assert found.costs == [2_250_000_000]


def test_ccusage_drops_lines_with_null_ids_in_silence(tmp_path: Path, held: Ingest) -> None:
    usage = {"input_tokens": 5, "output_tokens": 7}
    without_ids = transcript_line("x", "2026-03-01T10:00:00Z", usage, requestId=None, uuid=None)
    without_ids["message"]["id"] = None
    without_model = transcript_line("msg_A", "2026-03-01T10:00:00Z", usage)
    without_model["message"]["model"] = None
    found = held(written(tmp_path / "a.jsonl", without_ids, without_model))
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(5, 7)]
    assert found.rejects == [[2, "model: missing"]]


def test_a_runs_result_sums_up_and_is_no_call(tmp_path: Path, held: Ingest) -> None:
    usage = {"input_tokens": 5, "output_tokens": 7}
    result = {
        **SESSION,
        "type": "result",
        "timestamp": "2026-03-01T10:01:00Z",
        "total_cost_usd": 1,
        "usage": usage,
    }
    line = transcript_line("msg_A", "2026-03-01T10:00:00Z", usage)
    found = held(written(tmp_path / "a.jsonl", line, result))
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(5, 7)]
    assert found.rejects == []


def test_one_call_in_a_transcript_and_in_a_log_of_responses_is_one(tmp_path: Path, held: Ingest) -> None:
    line = transcript_line("msg_A", "2026-03-01T10:00:00Z", {"input_tokens": 5, "output_tokens": 7})
    transcript = written(tmp_path / "a.jsonl", line)
    log = written(tmp_path / "b.jsonl", {"timestamp": "2026-03-01T10:00:00Z", "response": line["message"]})
    found = held(transcript, log)
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(5, 7)]


@pytest.mark.parametrize(
    "data", ["plain text", "", {"message": "text"}, {"message": {"message": 5}}, [1], 7, None]
)
def test_progress_of_any_other_kind_is_no_call(tmp_path: Path, held: Ingest, data: Any) -> None:
    line = transcript_line("msg_A", "2026-03-01T10:00:00Z", {"input_tokens": 5, "output_tokens": 7})
    progress = {**SESSION, "type": "progress", "timestamp": "2026-03-01T10:00:00Z", "data": data}
    found = held(written(tmp_path / "a.jsonl", progress, line))
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(5, 7)]
    assert found.rejects == []


def test_a_field_of_another_kind_than_expected_loses_no_other_line(tmp_path: Path, held: Ingest) -> None:
    line = transcript_line("msg_A", "2026-03-01T10:00:00Z", {"input_tokens": 5, "output_tokens": 7})
    odd = [
        {**SESSION, "message": "interrupted", "timestamp": "2026-03-01T10:00:00Z"},
        {**SESSION, "message": {"usage": "none"}, "timestamp": "2026-03-01T10:00:00Z"},
        {**SESSION, "type": ["assistant"], "message": {"usage": {}}},
    ]
    found = held(written(tmp_path / "a.jsonl", *odd, line))
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(5, 7)]
    assert found.rejects == []


def test_of_two_equal_names_in_one_object_the_first_counts(tmp_path: Path, held: Ingest) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"timestamp": "2026-01-01T00:00:00", "model": "gpt-4o", "model": "gpt-5", "input_tokens": 5, '
        '"input_tokens": 6, "output_tokens": 1, "tags": {"env": "a", "env": "b", "b": null}, '
        '"other_units": {"images": 1}}\n'
    )
    found = held(path)
    (call,) = found.calls
    assert (call["model"], call["input_tokens"], call["tags"]) == ("gpt-4o", 5, {"b": None, "env": "a"})


def test_cached_tokens_in_an_openai_batch_are_counted_once(tmp_path: Path, held: Ingest) -> None:
    # litellm#38341. gpt-5 in a batch: 0.625 in, 0.0625 cached, 5 out.
    usage = {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 7}
    body = {"id": "resp_1", "object": "response", "created_at": 1741476777, "model": "gpt-5", "usage": usage}
    line = {
        "id": "batch_req_1",
        "custom_id": "a",
        "response": {"status_code": 200, "body": body},
        "error": None,
    }
    found = held(written(tmp_path / "a.jsonl", line))
    # 20 × 0.625 + 10 × 0.0625 + 7 × 5 = 48.125; the cached ones counted twice: 54.375.
    assert found.costs == [48_125_000]


def test_cached_tokens_in_an_anthropic_batch_are_beside_its_input(tmp_path: Path, held: Ingest) -> None:
    usage = {"input_tokens": 41, "cache_read_input_tokens": 40, "output_tokens": 36}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": SONNET, "usage": usage}
    line = {"custom_id": "a", "result": {"type": "succeeded", "message": message}}
    found = held(written(tmp_path / "a.jsonl", line), time="2026-01-01T00:00:00Z")
    # 41 × 1.50 + 40 × 0.15 + 36 × 7.50 = 337.5; with the cached ones taken out of the input: 277.5.
    assert found.costs == [337_500_000]
