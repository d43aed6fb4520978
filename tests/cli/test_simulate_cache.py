"""``costctl simulate-cache``, as it is typed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

MOONCAKE = Path(__file__).parents[1] / "simulate" / "mooncake_2k.jsonl"


def test_a_trace_needs_no_ledger(costctl: Costctl) -> None:
    run = costctl("simulate-cache", "--trace", MOONCAKE, "--ttl", "300s", "--format", "json")
    assert (run.code, run.err) == (0, "")
    (row,) = run.json["rows"]
    assert (row["hit_tokens"], row["input_tokens"]) == (7_527_700, 27_441_774)
    assert row["input_saving"] == Decimal("0.065463")
    assert not costctl.ledger.exists()


def test_the_books_example_needs_no_ledger(costctl: Costctl) -> None:
    run = costctl("simulate-cache", "--book")
    assert (run.code, run.err) == (0, "")
    for figure in ("100,500,000", "$301.50", "$9,045.00", "10,500,000", "$31.50", "$945.00", "$8,100.00"):
        assert figure in run.out


def test_a_fault_of_a_trace_is_told_with_its_line(costctl: Costctl) -> None:
    (costctl.cwd / "trace.jsonl").write_text('{"timestamp": 1, "input_length": 5}\n')
    run = costctl("simulate-cache", "--trace", "trace.jsonl", "--format", "json")
    assert (run.code, run.out) == (1, "")
    assert (run.error["file"], run.error["line"]) == ("trace.jsonl", 1)
    assert run.error["message"] == "trace.jsonl:1: hash_ids is missing"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--book", "--break-even"), "different questions"),
        (("--break-even", "--static", "5"), "--static is a part of --book"),
        (("--trace", "t.jsonl", "--where", "team=a"), "asks nothing of the ledger"),
        (("--trace", "t.jsonl", "--ttl", "5"), "'5' is no lifetime"),
        (("--trace", "t.jsonl", "--profile", "gemeni"), "did you mean gemini?"),
        (("--book", "--model", "no-such-model"), "there is no price for no-such-model"),
        (("--book", "--hours", "25"), "1 to 24 hours"),
    ],
)
def test_wrong_usage(costctl: Costctl, arguments: tuple[str, ...], said: str) -> None:
    (costctl.cwd / "t.jsonl").write_text("")
    run = costctl("simulate-cache", *arguments)
    assert run.code == 2
    assert said in run.err


# Of the ledger's calls

SONNET = "claude-sonnet-4-20250514"
"""3 USD a million tokens in, 0.30 read from the cache, 3.75 written to it for five minutes, 6 for an hour."""


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """chat: five prompts of 2,000 tokens in one session, ten minutes apart; once: one that never comes again,
    and one that read 1,000,000 tokens from the cache."""
    calls = [
        {"id": f"c{turn}", "timestamp": f"2024-10-05T12:{turn}0:00Z", "session": "s", "project": "chat"}
        for turn in range(5)
    ]
    calls.append({"id": "o", "timestamp": "2024-10-05T13:00:00Z", "session": "t", "project": "once"})
    with (costctl.cwd / "usage.jsonl").open("w") as file:
        for each in calls:
            file.write(json.dumps({**each, "model": SONNET, "input_tokens": 2000, "output_tokens": 0}) + "\n")
        read = {"id": "r", "timestamp": "2024-10-05T14:00:00Z", "project": "once", "team": "search"}
        read |= {"model": SONNET, "input_tokens": 1_000_000, "cached_tokens": 1_000_000, "output_tokens": 0}
        file.write(json.dumps(read) + "\n")
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


def test_the_best_lifetime_by_project(ledger: Costctl) -> None:
    run = ledger("simulate-cache", "--month", "2024-10", "--format", "json")
    assert (run.code, run.err) == (0, "")
    rows = {(row["project"], row["lifetime"]): row for row in run.json["rows"]}
    # Written once and read four times: 8,000 x 2.70 - 2,000 x 3 = 15,600 millionths of a dollar.
    assert rows["chat", "1h"]["saving"] == Decimal("0.0156")
    assert [rows["chat", each]["verdict"] for each in ("5m", "1h")] == ["loses money", "best"]
    assert rows["once", "5m"]["verdict"] == rows["once", "1h"]["verdict"] == "loses money"
    # Six prompts of 2,000 tokens at 3 USD, and 1,000,000 read ones at 0.30.
    assert (run.json["cost_before"], run.json["saving"]) == (Decimal("0.336"), Decimal("0.0156"))
    notes = " ".join(run.json["notes"])
    assert "project once: caching would LOSE money at every lifetime, $0.0015 at the least" in notes
    assert "1 call uses the cache already and stays as it is" in notes


def test_it_is_a_plan_of_one_lever(ledger: Costctl) -> None:
    (ledger.cwd / "plan.yaml").write_text("cache: {ttl: 1h}\n")
    one = ledger("simulate-cache", "--ttl", "1h", "--format", "json").json
    plan = ledger("simulate", "plan.yaml", "--format", "json").json
    assert (one["cost_before"], one["cost_after"]) == (plan["cost_before"], plan["cost_after"])
    # once writes 2,000 tokens for nothing: 15,600 - 6,000
    assert one["saving"] == plan["saving"] == Decimal("0.0096")


def test_what_was_really_saved(ledger: Costctl) -> None:
    run = ledger("simulate-cache", "--actual", "--by", "team", "--format", "json")
    assert (run.code, run.err) == (0, "")
    (row,) = run.json["rows"]
    assert (row["team"], row["saving"], row["write_premium"]) == ("search", Decimal("2.70"), 0)


@pytest.mark.heavy
def test_every_format(ledger: Costctl) -> None:
    for question in ((), ("--actual",), ("--trace", MOONCAKE), ("--book",), ("--break-even",)):
        for format in ("table", "csv", "md"):
            run = ledger("simulate-cache", *question, "--format", format)
            assert run.code == 0
            assert run.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", SONNET), "--model is a part of --trace and --book and --break-even"),
        (("--actual", "--anew"), "--anew is a part of the simulation of the ledger's calls"),
        (("--by", "team"), "--by is a part of --actual"),
        (("--capacity", "5"), "--capacity is a part of --trace"),
        (("--stable", "many"), "--stable: 'many' is not a number"),
        (("--book", "--ttl", "5m"), "--ttl is a part of"),
    ],
)
def test_options_of_other_questions(ledger: Costctl, arguments: tuple[str, ...], said: str) -> None:
    run = ledger("simulate-cache", *arguments)
    assert (run.code, run.out) == (2, "")
    assert said in run.err
