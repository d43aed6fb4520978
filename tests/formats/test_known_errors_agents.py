"""Errors that other programs made with Codex's, Gemini CLI's and Cursor's files, each with the numbers of its
report. How the files are written is said in the modules that read them.

A usage is (input, cached, written, output, reasoning); the total is input + output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import Held, Ingest
from tests.formats.test_known_errors import tokens, written

Usage = tuple[int, int, int, int, int]
NAMES = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens",
         "reasoning_output_tokens")  # fmt: skip
PARENT, CHILD = "019fa149-0000-7000-8000-00000000000a", "019fa164-0000-7000-8000-00000000000b"
OLD_TURN, OWN_TURN = "019fa149-1000-7000-8000-0000000000a1", "019fa164-1000-7000-8000-0000000000b1"


def usage(counts: Usage) -> dict[str, int]:
    return {**dict(zip(NAMES, counts, strict=True)), "total_tokens": counts[0] + counts[3]}


def line(ts: str, kind: str, /, **payload: Any) -> dict[str, Any]:
    return {"timestamp": f"2026-07-27T{ts}Z", "type": kind, "payload": payload}


def meta(ts: str, id: str, **more: Any) -> dict[str, Any]:
    return line(ts, "session_meta", id=id, cwd="/work/shop", **more)


def turn(ts: str, id: str | None = None) -> dict[str, Any]:
    return line(ts, "turn_context", model="gpt-5.6-terra", **({"turn_id": id} if id else {}))


def counted(ts: str, total: Usage, last: Usage) -> dict[str, Any]:
    info = {"total_token_usage": usage(total), "last_token_usage": usage(last)}
    return line(ts, "event_msg", type="token_count", info=info)


def events(times: Sequence[str], steps: Sequence[Usage], before: Usage = (0, 0, 0, 0, 0)) -> list[Any]:
    """An event for each step, which adds to the total."""
    lines, total = [], before
    for ts, step in zip(times, steps, strict=True):
        total = (total[0] + step[0], total[1] + step[1], total[2] + step[2], total[3] + step[3],
                 total[4] + step[4])  # fmt: skip
        lines.append(counted(ts, total, step))
    return lines


def sums(found: Held) -> list[int]:
    """All tokens of each call."""
    columns = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")
    return [sum(call.get(name, 0) for name in columns) for call in found.calls]


Order = Callable[[Ingest, Path, Path], Held]


def together(held: Ingest, parent: Path, child: Path) -> Held:
    return held(parent, child)


def parent_first(held: Ingest, parent: Path, child: Path) -> Held:
    held(parent)
    return held(child)


def child_first(held: Ingest, parent: Path, child: Path) -> Held:
    held(child)
    return held(parent)


@pytest.mark.parametrize("order", [together, parent_first, child_first])
@pytest.mark.parametrize("old", [OLD_TURN, "1", None])
def test_ccusage_897_a_fork_counts_its_own_work_only(
    tmp_path: Path, held: Ingest, order: Order, old: str | None
) -> None:
    # "Session A: 100. Fork, session B: 150, of which 100 are A's. Expected 150, actual 250."
    own = OWN_TURN if old == OLD_TURN else old and "2"
    first: list[Usage] = [(50, 0, 0, 10, 0), (35, 0, 0, 5, 0)]
    parent = written(
        tmp_path / "a.jsonl",
        meta("10:00:00", PARENT),
        turn("10:00:01", old),
        *events(["10:00:09", "10:00:30"], first),
    )
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00.000", CHILD, forked_from_id=PARENT),
        meta("10:30:00.001", PARENT),
        turn("10:30:00.002", old),
        *events(["10:30:00.003", "10:30:00.004"], first),
        turn("10:31:00", own),
        counted("10:31:00.001", (85, 0, 0, 15, 0), (35, 0, 0, 5, 0)),
        *events(["10:31:09"], [(40, 0, 0, 10, 0)], before=(85, 0, 0, 15, 0)),
    )
    found = order(held, parent, child)
    assert sums(found) == [60, 40, 50]
    assert [call["session"] for call in found.calls] == [PARENT, PARENT, CHILD]
    assert [call["ts"][11:19] for call in found.calls] == ["10:00:09", "10:00:30", "10:31:09"]


@pytest.mark.parametrize("order", [together, parent_first, child_first])
def test_ccusage_1460_a_copy_keeps_times_that_are_seconds_apart(
    tmp_path: Path, held: Ingest, order: Order
) -> None:
    # 238,700,000 tokens too many, where two copied events do not share a second.
    times = ["10:00:09", "10:05:00", "10:25:00"]
    copied: list[Usage] = [
        (100_000_000, 0, 0, 0, 0),
        (100_000_000, 0, 0, 0, 0),
        (38_600_000, 0, 0, 100_000, 0),
    ]
    parent = written(tmp_path / "a.jsonl", meta("10:00:00", PARENT), turn("10:00:01"), *events(times, copied))
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00", CHILD, forked_from_id=PARENT),
        turn("10:00:01"),
        *events(times, copied),
        *events(["10:31:00"], [(900, 0, 0, 100, 0)], before=(238_600_000, 0, 0, 100_000, 0)),
    )
    found = order(held, parent, child)
    assert sums(found) == [100_000_000, 100_000_000, 38_700_000, 1000]


def test_ccusage_1460_own_work_in_the_second_of_the_copy_counts(tmp_path: Path, held: Ingest) -> None:
    # "The same heuristic can also discard genuine fork-local work that shares the replay second."
    copied: list[Usage] = [(50, 0, 0, 10, 0)]
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00.000", CHILD, forked_from_id=PARENT),
        turn("10:30:00.001", OLD_TURN),
        *events(["10:30:00.002"], copied),
        turn("10:30:00.003", OWN_TURN),
        *events(["10:30:00.900"], [(7, 0, 0, 1, 0)], before=copied[0]),
    )
    assert sums(held(child)) == [8]


def test_poketokenbar_132_a_slow_copy_is_told_by_its_parent(tmp_path: Path, held: Ingest) -> None:
    # "How many seconds means replay" has no answer: a copy that took long, and own work soon after it.
    steps: list[Usage] = [(50, 0, 0, 10, 0), (35, 0, 0, 5, 0)]
    parent = written(
        tmp_path / "a.jsonl",
        meta("10:00:00", PARENT),
        turn("10:00:01"),
        *events(["10:00:09", "10:00:30"], steps),
    )
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00", CHILD, forked_from_id=PARENT),
        turn("10:30:02"),
        *events(["10:30:02", "10:30:05"], steps),
        turn("10:30:05.100"),
        *events(["10:30:05.900"], [(7, 0, 0, 1, 0)], before=(85, 0, 0, 15, 0)),
    )
    assert sums(held(parent, child)) == [60, 40, 8]


def test_tokscale_679_siblings_copy_once_and_work_twice(tmp_path: Path, held: Ingest) -> None:
    # One day: 88 % of it "the same cumulative vectors repeated across 16-17 sibling files (identical 34-step
    # sequence 40002 -> … -> 5,238,474)", where the child does not hold its parent's session_meta. To key on
    # the vector alone is no way out: "two subagents doing distinct same-size turns share a vector".
    # 40,002 + 32 x 157,529 + 157,544 = 5,238,474
    steps: list[Usage] = [(40_002, 0, 0, 0, 0), *[(157_529, 0, 0, 0, 0)] * 32, (157_544, 0, 0, 0, 0)]
    assert len(steps) == 34
    times = [f"10:{minute:02}:00" for minute in range(34)]
    parent = written(
        tmp_path / "parent.jsonl", meta("09:59:00", PARENT), turn("09:59:01"), *events(times, steps)
    )
    source = {"subagent": {"thread_spawn": {"parent_thread_id": PARENT}}}
    children = [
        written(
            tmp_path / f"child-{number}.jsonl",
            meta("11:00:00", f"thread-{number}", source=source),
            turn("11:00:00.001"),
            *events([f"11:00:00.{place + 100}" for place in range(34)], steps),
            turn("11:00:05"),
            *events(["11:00:30"], [(4_900, 0, 0, 100, 0)], before=(5_238_474, 0, 0, 0, 0)),
        )
        for number in range(16)
    ]
    found = held(parent, *children)
    assert sum(sums(found)[:34]) == 5_238_474
    assert sums(found)[34:] == [5000] * 16
    assert len({call["session"] for call in found.calls[34:]}) == 16


@pytest.mark.parametrize("is_alone", [True, False])
def test_poketokenbar_137_most_sub_agents_copy_nothing(tmp_path: Path, held: Ingest, is_alone: bool) -> None:
    # Codex 0.142.5: parent 69,254, sub-agent 46,353, of which 23,291 were left after its first turn had been
    # taken for a copy. Its session_meta is followed by its parent's.
    parent = written(
        tmp_path / "a.jsonl",
        meta("10:00:00", PARENT),
        turn("10:00:01"),
        *events(["10:00:05"], [(69_000, 0, 0, 254, 0)]),
    )
    child = written(
        tmp_path / "b.jsonl",
        meta("10:01:00", CHILD, session_id=PARENT, forked_from_id=PARENT, parent_thread_id=PARENT),
        meta("10:01:00.001", PARENT),
        turn("10:01:00.010"),
        *events(["10:01:03", "10:01:06"], [(23_000, 0, 0, 62, 0), (23_200, 0, 0, 91, 0)]),
    )
    found = held(child) if is_alone else held(parent, child)
    assert sums(found)[-2:] == [23_062, 23_291]
    assert sum(sums(found)) == 46_353 + (0 if is_alone else 69_254)


@pytest.mark.parametrize("is_alone", [True, False])
def test_cc_switch_5433_a_fork_without_work_costs_nothing(
    tmp_path: Path, held: Ingest, is_alone: bool
) -> None:
    # 23,735 tokens of input, 10,496 of them cached, and 6 of output were the parent's second response.
    first, then = (20_149, 9_984, 0, 5, 0), (23_735, 10_496, 0, 6, 0)
    settings = line("10:30:00.004", "event_msg", type="thread_settings_applied", thread_settings={})
    copied = events(["10:30:00.003", "10:30:00.005"], [first, then])
    parent = written(
        tmp_path / "a.jsonl",
        meta("10:00:00", PARENT),
        turn("10:00:01"),
        *events(["10:00:05", "10:00:55"], [first, then]),
    )
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00", CHILD, forked_from_id=PARENT),
        meta("10:30:00.001", PARENT),
        turn("10:30:00.002"),
        copied[0],
        settings,
        copied[1],
    )
    found = held(child) if is_alone else held(parent, child)
    assert sums(found) == ([] if is_alone else [20_154, 23_741])


@pytest.mark.parametrize("is_alone", [True, False])
def test_codexbar_2108_a_fork_may_copy_the_last_turns_only(
    tmp_path: Path, held: Ingest, is_alone: bool
) -> None:
    # The copy matched its parent's events from number 2,449 on, and took 1.98 seconds to be written.
    steps: list[Usage] = [(1000 + number, 0, 0, 1, 0) for number in range(10)]
    all_events = events([f"10:00:{second:02}" for second in range(10, 20)], steps)
    again = [
        {**event, "timestamp": f"2026-07-27T10:30:0{1 if place else 0}.{98 if place else 10}Z"}
        for place, event in enumerate(all_events[7:9])
    ]
    again.insert(1, {**all_events[7], "timestamp": "2026-07-27T10:30:01.00Z"})
    parent = written(tmp_path / "a.jsonl", meta("10:00:00", PARENT), turn("10:00:01"), *all_events)
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00.00", CHILD, forked_from_id=PARENT),
        *again,
        turn("10:31:00"),
        *events(["10:31:05"], [(70, 0, 0, 7, 0)], before=(9 * 1000 + 36, 0, 0, 9, 0)),
    )
    found = held(child) if is_alone else held(parent, child)
    # 1,001 + 1,002 + … + 1,010 = 10,055
    assert sums(found)[-1] == 77
    assert sum(sums(found)) == 77 + (0 if is_alone else 10_055)


def test_codexbar_3524_a_total_that_was_inherited_is_no_usage(tmp_path: Path, held: Ingest) -> None:
    # The file's last total is 3,158,656,533; its own work 748,286, and 9,035 of the event it opens with.
    before = (3_157_899_212, 0, 0, 0, 0)
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00", CHILD, forked_from_id=PARENT),
        turn("10:30:00.010", OWN_TURN),
        *events(["10:30:09", "10:30:40"], [(9_000, 0, 0, 35, 0), (748_000, 0, 0, 286, 0)], before=before),
    )
    assert sums(held(child)) == [9_035, 748_286]


@pytest.mark.parametrize("order", [together, parent_first, child_first])
def test_codeburn_1383_a_sub_agent_names_its_parent_under_its_source(
    tmp_path: Path, held: Ingest, order: Order
) -> None:
    # Its copy keeps the events at their own times, but not the parent's records.
    def record(ts: str, thread: str, id: str, counts: Usage) -> dict[str, Any]:
        return line(ts, "token_usage_record", thread_id=thread, response_id=id, usage=usage(counts))

    first, then, own = (100, 0, 0, 10, 0), (200, 90, 0, 20, 0), (300, 0, 0, 30, 0)
    copied = events(["10:00:05", "10:00:50"], [first, then])
    parent = written(
        tmp_path / "a.jsonl",
        meta("10:00:00", PARENT),
        turn("10:00:01", OLD_TURN),
        record("10:00:05", PARENT, "resp_1", first),
        copied[0],
        record("10:00:50", PARENT, "resp_2", then),
        copied[1],
    )
    child = written(
        tmp_path / "b.jsonl",
        meta("10:30:00", CHILD, source={"subagent": {"thread_spawn": {"parent_thread_id": PARENT}}}),
        turn("10:00:01", OLD_TURN),
        *copied,
        turn("10:30:01", OWN_TURN),
        *events(["10:30:09"], [own], before=(300, 90, 0, 30, 0)),
        record("10:30:09.001", CHILD, "resp_3", own),
    )
    found = order(held, parent, child)
    assert sums(found) == [110, 220, 330]
    assert [call["session"] for call in found.calls] == [PARENT, PARENT, CHILD]


def test_a_response_in_a_rollout_and_in_a_log_of_responses_is_one_call(tmp_path: Path, held: Ingest) -> None:
    record = line("10:00:05", "token_usage_record", response_id="resp_1", usage=usage((100, 40, 0, 10, 0)))
    rollout = written(tmp_path / "a.jsonl", meta("10:00:00", PARENT), turn("10:00:01"), record)
    details = {"cached_tokens": 40}
    answer = {
        "id": "resp_1", "object": "response", "created_at": 1785146405, "model": "gpt-5.6-terra",
        "usage": {"input_tokens": 100, "input_tokens_details": details, "output_tokens": 10},
    }  # fmt: skip
    found = held(rollout, written(tmp_path / "b.jsonl", answer))
    assert sums(found) == [110]


def test_vibecodingtracker_57_reasoning_is_part_of_the_output(tmp_path: Path, held: Ingest) -> None:
    # In 21,113 of 21,113 events the total is input + output. multica#8416 measured this one: an answer of 12
    # tokens after 2,303 of reasoning; 23,108 in all. Counted again they make 4,618 of output.
    rollout = written(
        tmp_path / "a.jsonl",
        meta("10:00:00", PARENT),
        turn("10:00:01"),
        *events(["10:00:09"], [(20_793, 0, 0, 2_315, 2_303)]),
    )
    found = held(rollout)
    assert tokens(found.calls, "output_tokens", "reasoning_tokens") == [(2_315, 2_303)]
    assert sums(found) == [23_108]
    # gpt-5.6-terra in July 2026: 2.50 in, 15 out. 20,793 x 2.50 + 2,315 x 15 = 86,707.5
    assert found.costs == [86_707_500_000]


def test_ccusage_1784_cache_writes_have_their_own_price(tmp_path: Path, held: Ingest) -> None:
    # ccusage#1617: a session whose last event has these totals, of which the last response is known, cost
    # $0.42832919999999997 with its cache writes at the price of other input.
    total, last = (935_040, 875_306, 57_610, 11_150, 1_141), (58_697, 57_817, 0, 227, 9)
    # 935,040 - 58,697 = 876,343 and so on; no response is so large that it has the price of long ones.
    earlier: list[Usage] = [
        (219_086, 204_372, 14_403, 2_731, 283),
        (219_086, 204_372, 14_403, 2_731, 283),
        (219_086, 204_372, 14_402, 2_731, 283),
        (219_085, 204_373, 14_402, 2_730, 283),
    ]
    times = [f"05:4{minute}:12" for minute in range(5)]
    lines = [meta("05:39:00", PARENT), turn("05:39:01"), *events(times, [*earlier, last])]
    assert lines[-1]["payload"]["info"]["total_token_usage"] == usage(total)
    text = json.dumps(lines).replace("2026-07-27", "2026-08-20")
    found = held(written(tmp_path / "a.jsonl", *json.loads(text)))
    # gpt-5.6-terra: 2 in, 0.20 read, 2.50 written, 12 out. 935,040 - 875,306 - 57,610 = 2,124 are uncached:
    # 2,124 x 2 + 875,306 x 0.20 + 57,610 x 2.50 + 11,150 x 12 = 457,134.2. At 2 each the written ones give
    # the 428,329.2 of the report.
    assert sum(cost or 0 for cost in found.costs) == 457_134_200_000


def test_gitmoot_661_turn_completed_tells_the_threads_total(tmp_path: Path, held: Ingest) -> None:
    # Three turns of one word on one thread, the second and third resumed: input 16,504, 85,681, 103,779 and
    # output 20, 40, 45. Added up they are 205,964 and 105.
    for number, (input, output) in enumerate([(16_504, 20), (85_681, 40), (103_779, 45)]):
        run = written(
            tmp_path / f"run-{number}.jsonl",
            {"type": "thread.started", "thread_id": PARENT},
            {"type": "turn.completed", "usage": {"input_tokens": input, "output_tokens": output}},
        )
        found = held(run, model="gpt-5.3-codex", time=f"2026-07-05T10:0{number}:00Z")
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(103_779, 45)]
    # 1.75 in, 14 out: 103,779 x 1.75 + 45 x 14 = 182,243.25. Calls of unknown sizes have the base price.
    assert found.costs == [182_243_250_000]


def test_codex_events_without_the_last_usage_are_differences(tmp_path: Path, held: Ingest) -> None:
    totals = [(100, 40, 0, 10, 0), (300, 100, 0, 25, 5), (50, 0, 0, 5, 0)]
    lines = [counted(f"10:00:0{place}", total, total) for place, total in enumerate(totals)]
    for each in lines:
        del each["payload"]["info"]["last_token_usage"]
    found = held(written(tmp_path / "a.jsonl", meta("10:00:00", PARENT), turn("10:00:00"), *lines))
    names = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    # 300 - 100 = 200, of which 60 were cached; the third total is smaller, so it began anew.
    assert tokens(found.calls, *names) == [(60, 40, 10, 0), (140, 60, 15, 5), (50, 0, 5, 0)]


def test_a_rollout_that_grows_is_read_on(tmp_path: Path, held: Ingest) -> None:
    steps: list[Usage] = [(100, 40, 0, 10, 0), (200, 60, 0, 15, 5)]
    lines = events(["10:00:09", "10:00:30"], steps)
    rollout = written(tmp_path / "a.jsonl", meta("10:00:00", PARENT), turn("10:00:01"), lines[0])
    assert sums(held(rollout)) == [110]
    with rollout.open("a") as file:
        file.write(json.dumps(lines[0]) + "\n" + json.dumps(lines[1]) + "\n")
    assert sums(held(rollout)) == [110, 215]


def gemini_message(id: str, **counts: int) -> dict[str, Any]:
    return {"id": id, "timestamp": "2026-08-01T10:00:05.000Z", "type": "gemini", "content": "",
            "model": "gemini-2.5-pro", "tokens": counts}  # fmt: skip


SESSION = {"sessionId": "s-1", "projectHash": "ab12", "startTime": "2026-08-01T10:00:00.000Z"}


def test_llm_gemini_75_thoughts_are_billed_beside_the_output(tmp_path: Path, held: Ingest) -> None:
    message = gemini_message("m", input=7000, output=200, cached=6000, thoughts=800, tool=0, total=8000)
    found = held(written(tmp_path / "session-1.jsonl", SESSION, message))
    # gemini-2.5-pro: 1.25 in, 0.125 read, 10 out. 1,000 x 1.25 + 6,000 x 0.125 + 1,000 x 10 = 12,000. Without
    # the thoughts 4,000; with the cached ones at the price of input 18,750.
    assert found.costs == [12_000_000_000]


def test_a_gemini_session_that_was_made_over_as_lines_is_the_same(tmp_path: Path, held: Ingest) -> None:
    # Gemini CLI writes session-1.jsonl beside the session-1.json that it resumes.
    message = gemini_message("m", input=10, output=1, cached=0, thoughts=0, tool=0, total=11)
    old = tmp_path / "session-1.json"
    old.write_text(json.dumps({**SESSION, "messages": [message]}, indent=2))
    further = {**message, "id": "n", "timestamp": "2026-08-01T11:00:00.000Z"}
    new = written(tmp_path / "session-1.jsonl", SESSION, message, {"$set": {"sessionId": "s-1"}}, further)
    assert len(held(old).calls) == 1
    assert tokens(held(new).calls, "input_tokens", "output_tokens") == [(10, 1), (10, 1)]


def cursor_page(*cents: float) -> dict[str, Any]:
    counts = {"inputTokens": 1234, "outputTokens": 567, "cacheWriteTokens": 0, "cacheReadTokens": 8901}
    return {
        "totalUsageEventsCount": len(cents),
        "usageEventsDisplay": [
            {
                "timestamp": str(1748700000000 + number),
                "model": "claude-4.6-opus-high-thinking",
                "kind": "USAGE_EVENT_KIND_USAGE_BASED",
                "tokenUsage": {**counts, "totalCents": each},
                "userEmail": "ana@example.com",
                "cursorTokenFee": 3.32,
                "isChargeable": True,
                "chargedCents": each + 3.32,
            }
            for number, each in enumerate(cents)
        ],
    }


def test_cursors_amounts_are_cents_and_its_fee_is_charged_too(tmp_path: Path, held: Ingest) -> None:
    page = tmp_path / "page.json"
    page.write_text(json.dumps(cursor_page(12.34), indent=2))
    # 12.34 + 3.32 = 15.66 cents, not dollars
    assert tokens(held(page).calls, "reported_cost_pico", "input_tokens", "cache_read_tokens") == [
        (156_600_000_000, 1234, 8901)
    ]


def test_pages_of_cursor_that_overlap_add_nothing_twice(tmp_path: Path, held: Ingest) -> None:
    first, again = tmp_path / "page-1.json", tmp_path / "page-2.json"
    first.write_text(json.dumps(cursor_page(12.34), indent=2))
    again.write_text(json.dumps(cursor_page(12.34, 1.0), indent=2))
    assert len(held(first, again).calls) == 2


def test_tokscale_1154_what_was_written_to_the_cache_is_beside_the_other_input(
    tmp_path: Path, held: Ingest
) -> None:
    # Subtracted from one another they left 200 of the 1,200 that were written, and the amount was replaced by
    # a catalogue's, without Cursor's own fee.
    export = tmp_path / "usage-events.csv"
    export.write_text(
        "Date,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,"
        "Total Tokens,Cost\n"
        '"2026-10-01T10:00:00.000Z","On-Demand","claude-4-sonnet","No","1200","1000","5000","300","7500","0.12"\n'
    )
    found = held(export)
    names = ("input_tokens", "cache_write_5m_tokens", "cache_read_tokens", "output_tokens")
    assert tokens(found.calls, *names) == [(1000, 1200, 5000, 300)]
    assert sums(found) == [7500]
    assert tokens(found.calls, "reported_cost_pico") == [(120_000_000_000,)]
