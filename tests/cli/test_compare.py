"""``costctl compare``: periods as they are typed, a gate for CI, a comment for a pull request."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """Two weeks in June of a call a day: 100,000 tokens of Sonnet, 0.30 USD; then two weeks of 120,000."""
    lines = [
        {
            "id": str(number),
            "timestamp": f"{date(2026, 6, 1) + timedelta(days=number)}T10:00:00Z",
            "provider": "anthropic",
            "model": "claude-sonnet-4-5-20250929",
            "team": "search",
            "input_tokens": 100_000 if number < 14 else 120_000,
            "output_tokens": 0,
        }
        for number in range(28)
    ]
    (costctl.cwd / "usage.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


TWO_WEEKS = ("compare", "--base", "2026-06-01..2026-06-14", "--with", "2026-06-15..2026-06-28")


def test_two_weeks_beside_two_weeks(ledger: Costctl) -> None:
    run = ledger(*TWO_WEEKS, "--format", "json")
    assert (run.code, run.err) == (0, "")
    rows = {row["name"]: row for row in run.json["rows"]}
    # 14 x 0.30 and 14 x 0.36, the same in every draw
    assert [rows["cost"][name] for name in ("before", "after", "change")] == [
        Decimal("4.2"),
        Decimal("5.04"),
        Decimal("0.84"),
    ]
    assert rows["cost"]["low"] == rows["cost"]["high"] == rows["tokens_per_call"]["change"] == Decimal("0.84")
    assert rows["cost"]["verdict"] == "significant"
    # 0.84 in 14 days: 21.9 in 365
    assert run.json["annualised"] == Decimal("21.9")
    assert run.json["saving"] == Decimal("-0.84")
    assert run.json["period"]["start"] == "2026-06-15T00:00:00+00:00"
    assert run.json["base_start"] == "2026-06-01T00:00:00+00:00"
    assert run.json["title"] == "2026-06-15 to 2026-06-28 against 2026-06-01 to 2026-06-14"


def test_a_gate(ledger: Costctl) -> None:
    for condition, code, by in (
        ("cost_per_request > +10%", 4, ()),
        ("cost_per_request > +20%", 0, ("--by", "team")),
        ("tokens_per_call > +19%", 4, ()),
        ("tokens_per_call > +0.8", 4, ("--by", "team")),
    ):
        run = ledger(*TWO_WEEKS, *by, "--fail-if", condition)
        assert run.code == code, condition
        assert (f"--fail-if {condition}: it is" in run.err) is (code == 4)
        assert f"{condition} {'holds' if code else 'does not hold'}" in " ".join(run.out.split())
    # What is missing passes no gate.
    run = ledger("compare", "--base", "2026-04", "--with", "2026-06", "--fail-if", "cost > +10%")
    assert run.code == 4
    assert "there are no calls to compare" in run.err


def test_calls_without_a_price_pass_no_gate_of_money(ledger: Costctl) -> None:
    """A model whose price nobody knows makes the known cost fall: that is no reason to pass."""
    line = {
        "id": "unknown",
        "timestamp": "2026-06-20T10:00:00Z",
        "provider": "anthropic",
        "model": "mystery-9",
        "team": "unknown",
        "input_tokens": 10**6,
        "output_tokens": 0,
    }
    (ledger.cwd / "more.jsonl").write_text(json.dumps(line) + "\n")
    assert ledger("ingest", "more.jsonl").code == 0
    for condition in ("cost > +50%", "cost_per_request > +50%", "volume > +50%"):
        run = ledger(*TWO_WEEKS, "--fail-if", condition)
        assert run.code == 4, condition
        assert f"--fail-if {condition}: it cannot be told: 1 call has no price" in run.err
        assert f"{condition} is not passed: it cannot be told: 1 call has no price" in " ".join(
            run.out.split()
        )
        # 5.04 is 20 % more than 4.20.
        run = ledger(*TWO_WEEKS, "--where", "team=search", "--fail-if", condition)
        assert run.code == 0, condition
    # 15 requests after 14: prices have nothing to do with that.
    assert ledger(*TWO_WEEKS, "--fail-if", "requests > +50%").code == 0


def test_prices_that_are_not_at_hand_are_told(ledger: Costctl) -> None:
    """The ledger's own prices halve in the middle; who forgets them would take that for a saving."""
    price = "  - {provider: anthropic, model: claude-sonnet-4-5-20250929, output: 15, "
    (ledger.cwd / "own.yaml").write_text(
        f"prices:\n{price}input: 3, to: 2026-06-15T00:00:00Z}}\n"
        f"{price}input: 1.5, from: 2026-06-15T00:00:00Z}}\n"
    )
    assert ledger("ingest", "--full", "--prices", "own.yaml", "usage.jsonl").code == 0
    assert ledger("reprice", "--prices", "own.yaml", "--apply").code == 0
    # 14 x 0.36 at 3 USD a million; 14 x 0.18 at 1.50: the price took 2.52.
    run = ledger(*TWO_WEEKS, "--prices", "own.yaml", "--format", "json")
    rows = {row["name"]: row for row in run.json["rows"]}
    assert [rows[name]["change"] for name in ("tokens_per_call", "price")] == [
        Decimal("0.84"),
        Decimal("-2.52"),
    ]
    assert "the ledger is priced by" not in run.out
    run = ledger(*TWO_WEEKS)
    assert "the ledger is priced by own.yaml" in " ".join(run.out.split())


def test_a_comment_for_a_pull_request(ledger: Costctl) -> None:
    run = ledger(*TWO_WEEKS, "--fail-if", "cost_per_request > +10%", "--out", "comment.md")
    assert run.code == 4
    lines = Path(ledger.cwd / "comment.md").read_text().splitlines()
    assert lines[0] == "**2026-06-15 to 2026-06-28 against 2026-06-01 to 2026-06-14**"
    assert "| cost | $4.20 | $5.04 | $0.84 | 20.0% | $0.84 | $0.84 | significant |" in lines
    assert r"- cost\_per\_request \> +10% holds: it is +20.00%" in lines


def test_what_is_no_condition(ledger: Costctl) -> None:
    run = ledger(*TWO_WEEKS, "--fail-if", "price > 5")
    assert (run.code, run.out) == (2, "")
    assert 'price is a change of the cost\nhint: as in "price > +5%", of the cost before' in run.err
    run = ledger(*TWO_WEEKS, "--fail-if", "costs > +5%")
    assert run.code == 2
    assert "did you mean cost?" in run.err


def test_periods_as_they_are_typed(ledger: Costctl) -> None:
    def title(*arguments: str) -> str:
        run = ledger("compare", *arguments, "--now", "2026-06-17T12:00", "--format", "json")
        assert run.code == 0, run.err
        return str(run.json["title"])

    assert title("--base", "last-week", "--with", "this-week") == "this-week so far against last-week"
    assert title("--base", "2026-W23", "--with", "2026-06-15") == "2026-06-15 against 2026-W23"
    for wrong, message in (
        ("2026-13", "--with '2026-13' is not a date, a time or a period"),
        ("2026-07", "--with: '2026-07' has not begun"),
        ("2026-06-10..2026-06-05", "--with 2026-06-05 ends before"),
        ("2026-06-10..", "--with '' is not a date"),
        ("2026-05", "have days in common"),
    ):
        run = ledger("compare", "--base", "2026-05", "--with", wrong, "--now", "2026-06-17T12:00")
        assert run.code == 2, wrong
        assert message in run.err, wrong
    assert ledger("compare", "--base", "2026-06").code == 2


def test_in_another_currency(ledger: Costctl) -> None:
    (ledger.cwd / "currency.yaml").write_text("rates:\n  TWD:\n    2026-01-01: 30\n")
    run = ledger(*TWO_WEEKS, "--currency", "TWD", "--format", "json")
    assert run.code == 0, run.err
    rows = {row["name"]: row for row in run.json["rows"]}
    assert (rows["cost"]["before"], rows["cost"]["before_twd"]) == (Decimal("4.2"), Decimal(126))
    assert rows["requests"]["before_twd"] == 14
    assert "TWD 126.00" in ledger(*TWO_WEEKS, "--currency", "TWD").out
