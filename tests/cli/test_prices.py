"""Prices that change, by the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

HAIKU = "claude-haiku-3-20250307"
"""0.25 USD per million tokens of input and 1.25 of output."""


@pytest.fixture
def ledger(costctl: Costctl) -> Path:
    """A call of October and one of November, 1,000,000 tokens in and 400,000 out: 0.25 + 0.50 USD each."""
    call = {"model": HAIKU, "input_tokens": 1_000_000, "output_tokens": 400_000}
    usage = costctl.cwd / "usage.jsonl"
    usage.write_text(
        "".join(
            json.dumps({"id": day, "timestamp": f"{day}T12:00:00Z", **call}) + "\n"
            for day in ("2024-10-05", "2024-11-05")
        )
    )
    assert costctl("ingest", usage).code == 0
    (costctl.cwd / "prices.yaml").write_text(f"prices:\n  - {{model: {HAIKU}, input: 1, output: 5}}\n")
    return costctl.ledger


# --- reprice ----------------------------------------------------------------------------------------------


def total(costctl: Costctl) -> Decimal:
    answer: Decimal = costctl("report", "--format", "json").json["totals"]["cost"]
    return answer


@pytest.mark.usefixtures("ledger")
def test_reprice_shows_and_then_applies(costctl: Costctl) -> None:
    own = ("--prices", "prices.yaml")
    for flags in ((), ("--dry-run",), ("--unpriced", "--dry-run")):
        run = costctl("reprice", *own, *flags, "--format", "json")
        assert run.code == 0
        assert total(costctl) == Decimal("1.50")
    run = costctl("reprice", *own)
    assert "nothing is changed yet: `costctl reprice --apply`" in run.out
    run = costctl("reprice", *own, "--since", "2024-11-01", "--apply", "--format", "json")
    # 1,000,000 at 1 USD + 400,000 at 5 = 1 + 2.
    assert (run.code, run.json["calls_repriced"], run.json["cost_after"]) == (0, 1, Decimal("3.00"))
    assert total(costctl) == Decimal("3.75")
    assert costctl("reprice", *own, "--apply").code == 0
    assert total(costctl) == Decimal("6.00")


@pytest.mark.usefixtures("ledger")
def test_reprice_unpriced_applies_at_once_and_leaves_prices_alone(costctl: Costctl) -> None:
    run = costctl("reprice", "--unpriced", "--prices", "prices.yaml")
    assert (run.code, total(costctl)) == (0, Decimal("1.50"))
    assert "nothing was to be changed" in run.out


@pytest.mark.usefixtures("ledger")
def test_reprice_cannot_both_show_and_apply(costctl: Costctl) -> None:
    run = costctl("reprice", "--apply", "--dry-run")
    assert (run.code, run.out) == (2, "")
    assert "--apply and --dry-run contradict each other" in run.err
