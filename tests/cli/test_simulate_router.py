"""``costctl simulate-router`` by the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

pytestmark = pytest.mark.heavy

OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
"""15, 3 and 0.25 USD a million tokens in."""


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """100,000 tokens in on Opus, 1.50 USD each: a simple task on the first of March, a complex one on the
    second, and one that says nothing on the third."""
    lines = (
        {
            "id": f"call {day}",
            "timestamp": f"2026-03-0{day}T10:00:00Z",
            "provider": "anthropic",
            "model": OPUS,
            "team": "faq",
            "input_tokens": 100_000,
            "output_tokens": 0,
            "latency_ms": 2000,
            "tags": tags,
        }
        for day, tags in ((1, {"complexity": "simple"}), (2, {"complexity": "complex"}), (3, {}))
    )
    (costctl.cwd / "usage.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


def file(costctl: Costctl, name: str, text: str) -> Path:
    path = costctl.cwd / name
    path.write_text(text)
    return path


def test_by_the_books_mapping(ledger: Costctl) -> None:
    """The simple one: 0.025 on Haiku, which takes 500 ms by its profile: (500 + 2,000 + 2,000) / 3."""
    run = ledger("simulate-router", "--month", "2026-03", "--format", "json")
    assert (run.code, run.err) == (0, "")
    assert [
        (row["model"], row["requests_before"], row["requests_after"], row["cost_before"], row["cost_after"])
        for row in run.json["rows"]
    ] == [(OPUS, 3, 2, Decimal("4.50"), Decimal("3.00")), (HAIKU, 0, 1, 0, Decimal("0.025"))]
    assert run.json["totals"]["saving"] == run.json["saving"] == Decimal("1.475")
    assert (run.json["latency_before"], run.json["latency_after"]) == (2000, 1500)
    assert run.json["command"] == "simulate-router"
    assert (
        "route: a task's complexity is what tag:complexity says; a call without it stays" in run.json["notes"]
    )


def test_by_score(ledger: Costctl) -> None:
    run = ledger("simulate-router", "--quality-priority", "0.5", "--format", "json")
    assert run.json["saving"] == Decimal("1.20")  # on Sonnet 0.30
    limited = ledger("simulate-router", "--quality-priority", "0.5", "--max-cost", "1", "--format", "json")
    assert limited.json["saving"] == Decimal("2.95")  # the complex one falls back to Haiku too
    quick = ledger("simulate-router", "--max-latency", "800", "--format", "json")
    assert quick.json["saving"] == Decimal("2.95")


def test_by_rules(ledger: Costctl) -> None:
    rules = file(ledger, "router.yaml", f"rules: [{{where: [team=faq], to: {SONNET}}}]\n")
    run = ledger("simulate-router", "--rules", rules, "--format", "json")
    assert run.json["saving"] == Decimal("3.60")
    assert (run.json["saving_if_fewer_tokens"], run.json["saving_if_more_tokens"]) == (
        Decimal("3.78"),
        Decimal("3.42"),
    )
    longer = ledger("simulate-router", "--rules", rules, "--token-ratio", "1.5", "--format", "json")
    assert longer.json["saving"] == Decimal("3.15")


def test_by_a_table_of_quality(ledger: Costctl) -> None:
    table = "task,model,quality\n" + "".join(
        f"{task},{model},{worth}\n"
        for task, worths in (("simple", (9, 10)), ("complex", (2, 10)))
        for model, worth in zip((HAIKU, OPUS), worths, strict=True)
    )
    given = ("--quality", file(ledger, "quality.csv", table), "--format", "json")
    run = ledger("simulate-router", *given, "--quality-priority", "0.6")
    # Simple: Haiku 0.6 x 0.9 + 0.4 x 59/60 = 0.93 against 0.6. Complex: 0.12 + 0.393 against 0.6.
    assert run.json["saving"] == Decimal("1.475")
    assert (run.json["quality_before"], run.json["quality_after"]) == (10, Decimal("9.5"))
    swept = ledger("simulate-router", *given, "--sweep")
    assert [row["saving"] for row in swept.json["rows"]][::20] == [Decimal("2.95"), 0]
    # Gains 8 and 1 of a gap of 4.5 a task: 0 -> 8/9 at half -> 1: (4/9 + 17/18) / 2.
    assert swept.json["apgr"] == Decimal("0.694444")
    judged = ledger("simulate-router", *given, "--policy", policy_of(ledger))
    assert judged.json["quality_after"] == Decimal("9.5")


def policy_of(ledger: Costctl) -> Path:
    assert ledger("simulate-router", "--write-policy", "policy.yaml", "--quiet").code == 0
    return ledger.cwd / "policy.yaml"


def test_a_written_policy(ledger: Costctl) -> None:
    from costctl.routing import DEFAULT, read

    run = ledger("simulate-router", "--write-policy", "policy.yaml", "--format", "json")
    assert (run.code, run.err) == (0, "wrote policy.yaml\n")
    assert read(ledger.cwd / "policy.yaml") == DEFAULT
    again = ledger("simulate-router", "--write-policy", "policy.yaml", "--format", "json")
    assert (again.code, again.out) == (1, "")
    assert again.error["hint"] == "use --force to replace it"
    assert ledger("simulate-router", "--write-policy", "policy.yaml", "--force").code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--quality-priority", "high"), "--quality-priority: 'high' is not a number"),
        (("--quality-priority", "1.5"), "quality_priority must lie between 0 and 1"),
        (("--sweep", "--quality-priority", "0.5"), "--sweep takes every quality priority"),
        (("--token-ratio", "1.2"), "--token-ratio is of rules"),
        (("--rules", "rules.yaml", "--sweep"), "--sweep is of models by complexity or task"),
        (("--rules", "rules.yaml", "--max-cost", "1"), "--max-cost has no meaning beside rules"),
        (("--rules", "rules.yaml", "--token-ratio", "0"), "0 is no ratio of tokens"),
        (("--quality", "none.csv"), "none.csv"),
        (("--quality", "quality.csv", "--task", "day"), "--task: a day is no task"),
        (("--quality", "quality.csv", "--max-latency", "9"), "a table of quality knows no latency"),
        (("--write-policy", "policy.txt"), "no known ending"),
        (("--write-policy", "policy.yaml", "--sweep"), "--sweep chooses no policy"),
        (("--task", "project"), "--task is of a table of quality"),
        (("--rules", "ratio.yaml"), "a token_ratio is of rules"),
        (("--max-cost", "-1"), "--max-cost: '-1' is not a number from 0 on"),
    ],
)
def test_what_is_asked_wrongly(ledger: Costctl, options: tuple[str, ...], says: str) -> None:
    file(ledger, "rules.yaml", f"rules: [{{to: {HAIKU}}}]\n")
    file(ledger, "ratio.yaml", "token_ratio: 2\n")
    file(ledger, "quality.csv", f"task,model,quality\nfaq,{HAIKU},1\n")
    run = ledger("simulate-router", *options, "--format", "json")
    assert (run.code in (1, 2), run.out) == (True, "")
    assert says in run.error["message"]
    assert run.error["hint"]


def test_the_same_as_a_plan_that_routes(ledger: Costctl) -> None:
    file(ledger, "plan.yaml", "route: {}\n")
    plan = ledger("simulate", "plan.yaml", "--format", "json")
    assert plan.json["saving"] == ledger("simulate-router", "--format", "json").json["saving"]


def test_in_every_format(ledger: Costctl) -> None:
    table = ledger("simulate-router").out
    assert "saving" in table
    assert "$1.475" in table or "$1.48" in table
    assert ledger("simulate-router", "--format", "csv").out.splitlines()[1].startswith(f'"{OPUS}",3,2,')
    assert "| model |" in ledger("simulate-router", "--format", "md").out
    assert ledger("simulate-router", "--sweep", "--format", "csv").code == 0
