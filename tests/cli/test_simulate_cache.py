"""``costctl simulate-cache``, as it is typed."""

from __future__ import annotations

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
