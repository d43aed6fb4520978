"""``costctl simulate`` by the command line, and a saving of it that ``costctl roi`` weighs."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

pytestmark = pytest.mark.heavy

SONNET = "claude-sonnet-4-20250514"
"""3 USD a million tokens in, 15 out; half of it in batches."""

PLAN = """
discount: {rules: [{by: 10%}]}
batch: {tagged: [{where: [team=nightly]}]}
trim: {rules: [{prompt: 500000}]}
"""


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """Two calls of a million tokens in and none out, 3 USD each, of which one can wait."""
    lines = (
        {
            "id": team,
            "timestamp": f"2026-03-0{day}T10:00:00Z",
            "provider": "anthropic",
            "model": SONNET,
            "team": team,
            "input_tokens": 1_000_000,
            "output_tokens": 0,
        }
        for day, team in ((1, "nightly"), (2, "chat"))
    )
    (costctl.cwd / "usage.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (costctl.cwd / "plan.yaml").write_text(PLAN)
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


def test_the_waterfall(ledger: Costctl) -> None:
    """6 USD; half as long 3; one of two in a batch 2.25; a tenth off 2.025. Alone 3, 1.50 and 0.60."""
    run = ledger("simulate", "plan.yaml", "--month", "2026-03", "--format", "json")
    assert (run.code, run.err) == (0, "")
    steps = [(row["step"], row["saving"], row["alone"], row["cost"]) for row in run.json["rows"]]
    assert steps == [
        ("as it was", None, None, 6),
        ("trim", 3, 3, 3),
        ("batch", Decimal("0.75"), Decimal("1.50"), Decimal("2.25")),
        ("discount", Decimal("0.225"), Decimal("0.60"), Decimal("2.025")),
    ]
    assert run.json["totals"]["saving"] == run.json["saving"] == Decimal("3.975")
    assert run.json["saving_alone"] == Decimal("5.10")
    assert run.json["over_claim"] == Decimal("0.283019")  # 5.10 / 3.975 - 1
    assert run.json["command"] == "simulate"


def test_bars_show_what_each_step_takes_away(ledger: Costctl) -> None:
    run = ledger("simulate", "plan.yaml", "--month", "2026-03")
    assert [line.split()[-1] for line in run.out.splitlines() if line.startswith(("as it", "trim "))] == [
        "████████████",
        "██████░░░░░░",
    ]


def test_credit_by_shapley(ledger: Costctl) -> None:
    run = ledger(
        "simulate", "plan.yaml", "--month", "2026-03", "--attribution", "shapley", "--format", "json"
    )
    assert (
        sum(row["credit"] for row in run.json["rows"][1:]) == run.json["totals"]["credit"] == Decimal("3.975")
    )


def test_only_some_calls(ledger: Costctl) -> None:
    run = ledger("simulate", "plan.yaml", "--where", "team=chat", "--format", "json")
    assert [row["saving"] for row in run.json["rows"][1:]] == [Decimal("1.50"), 0, Decimal("0.15")]
    assert "batch: no call is reached, so nothing is saved" in run.json["notes"]


def test_where_there_are_no_calls(ledger: Costctl) -> None:
    run = ledger("simulate", "plan.yaml", "--month", "2026-04")
    assert (run.code, "no calls in this period; the ledger has 2 calls" in run.err) == (0, True)


def test_in_every_format(ledger: Costctl) -> None:
    for format, word in (("csv", '"saving"'), ("md", "| saving alone |"), ("table", "joint saving")):
        assert word in ledger("simulate", "plan.yaml", "--format", format).out


def test_roi_weighs_a_plan_and_its_result(ledger: Costctl) -> None:
    when = ("--month", "2026-03")
    ledger("simulate", "plan.yaml", *when, "--out", "simulated.json", "--format", "json")
    case = ("roi", "--investment", "39.75", "--format", "json")
    by_result = ledger(*case, "--saving", "simulated.json").json
    by_plan = ledger(*case, "--saving", "plan.yaml", *when).json
    assert by_result["monthly_saving"] == by_plan["monthly_saving"] == Decimal("3.975")
    assert by_plan["rows"][0]["payback_months"] == 10
    assert by_plan["rows"] == by_result["rows"]


def test_roi_with_a_forecast_of_the_calls(ledger: Costctl) -> None:
    """3.975 of 6 USD are saved: of twice as many calls twice as much."""
    row = {"forecast": 12, "forecast_low": 6, "forecast_high": 18}
    period = {"start": "2026-04-01T00:00:00+00:00", "end": "2026-05-01T00:00:00+00:00"}
    (ledger.cwd / "forecast.json").write_text(
        json.dumps({"command": "forecast", "period": period, "rows": [row], "totals": None})
    )
    case = ("roi", "--investment", "5", "--forecast", "forecast.json", "--month", "2026-03")
    run = ledger(*case, "--saving", "plan.yaml", "--format", "json")
    benefits = {each["case"]: each["monthly_benefit"] for each in run.json["rows"]}
    assert benefits["forecast"] == Decimal("7.95")
    assert benefits["forecast, at least"] == Decimal("3.975")
    stated = ledger(*case, "--saving", "5")
    assert (stated.code, "nothing says what the calls cost" in stated.err) == (2, True)


def test_roi_of_a_plan_of_all_time_says_what_is_missing(ledger: Costctl) -> None:
    run = ledger("roi", "--investment", "5", "--saving", "plan.yaml")
    assert (run.code, "as in --month 2024-10" in run.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "fault", "hint"),
    [
        ("trims: {}", "plan.yaml:1: unknown key trims", "did you mean trim?"),
        ("trim:\n  rules:\n    - prompt: far", "plan.yaml:3: rules[0].prompt: 'far' says no cut", "3200"),
        ("batch: other.yaml", "other.yaml: cannot be read", ""),
    ],
)
def test_faults_of_the_plan(costctl: Costctl, text: str, fault: str, hint: str) -> None:
    (costctl.cwd / "plan.yaml").write_text(text)
    run = costctl("simulate", "plan.yaml")
    assert run.code == 1
    assert fault in run.err
    assert hint in run.err


def test_an_unknown_attribution(ledger: Costctl) -> None:
    run = ledger("simulate", "plan.yaml", "--attribution", "shaply")
    assert (run.code, "did you mean shapley?" in run.err) == (2, True)


def test_the_example(ledger: Costctl) -> None:
    example = Path(__file__).parents[2] / "plan.example.yaml"
    run = ledger("simulate", example, "--month", "2026-03", "--format", "json")
    assert run.code == 0, run.err
    steps = [row["step"] for row in run.json["rows"]]
    assert steps == [
        "as it was", "eliminate", "trim", "summarise", "route", "cache", "batch", "discount",
    ]  # fmt: skip
