"""``costctl simulate-trim`` and ``costctl simulate-batch`` by the command line."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.program import Costctl

pytestmark = pytest.mark.heavy

SONNET, HAIKU = "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
"""3 and 15 USD a million tokens in and out, half in a batch; 0.25 and 1.25."""


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """Four calls on Sonnet in October 2024.

    =======  =========  =======  ======  =================================
    team     in         out      USD
    =======  =========  =======  ======  =================================
    search   1,000,000  100,000    4.50
    search     100,000        0    0.30  failed
    ads        500,000        0    1.50  tag batch=true
    ads        500,000        0    1.50  tag batch=true, an hour later
    =======  =========  =======  ======  =================================
    """
    lines: list[dict[str, object]] = [
        {"team": "search", "input_tokens": 1_000_000, "output_tokens": 100_000},
        {"team": "search", "input_tokens": 100_000, "success": False},
        {"team": "ads", "input_tokens": 500_000, "tags": {"batch": "true"}},
        {"team": "ads", "input_tokens": 500_000, "tags": {"batch": "true"}},
    ]
    with (costctl.cwd / "usage.jsonl").open("w") as file:
        for number, line in enumerate(lines):
            usual = {"id": str(number), "timestamp": f"2024-10-05T1{number}:00:00Z", "model": SONNET}
            file.write(json.dumps({**usual, "output_tokens": 0, **line}) + "\n")
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


def total(costctl: Costctl, *arguments: str) -> dict[str, object]:
    run = costctl(*arguments, "--format", "json")
    assert (run.code, run.err) == (0, "")
    found: dict[str, object] = run.json["totals"]
    return found


def test_prompts_are_cut(ledger: Costctl) -> None:
    """700,000 tokens fewer at most 300,000 a call: 2.10, and two times 0.60."""
    found = total(ledger, "simulate-trim", "--prompt", "300000", "--by", "team")
    assert found["saving"] == Decimal("3.30")
    assert total(ledger, "simulate-trim", "--prompt", "-50%", "--where", "team=ads")["saving"] == Decimal(
        "1.50"
    )
    assert total(ledger, "simulate-trim", "--output", "40000")["saving"] == Decimal("0.90")
    long = total(ledger, "simulate-trim", "--prompt", "300000", "--above", "600000")
    assert long["saving"] == Decimal("2.10")


def test_every_format(ledger: Costctl) -> None:
    cut = ("simulate-trim", "--prompt", "mean:262500", "--month", "2024-10")
    table = ledger(*cut)
    assert table.out.startswith("What shorter prompts and answers would have saved by model\n2024-10 (")
    assert "their mean is 262,500 tokens a call" in table.out
    assert "| $7.80 | $4.65 | $3.15 |" in ledger(*cut, "--format", "md").out.replace("**", "")
    csv = ledger(*cut, "--format", "csv")
    assert csv.out.splitlines()[1].startswith(f'"{SONNET}",4,4,525000.000,262500.000,')
    assert "their mean is 262,500 tokens a call" in csv.err, "CSV has no room for it"
    assert ledger(*cut, "--format", "json").json["period"]["timezone"] == "UTC"


def test_rules_of_a_file(ledger: Costctl) -> None:
    rules = "rules:\n  - where: [team=ads]\n    prompt: -10%\n  - output: -50%\n"
    (ledger.cwd / "trim.yaml").write_text(rules)
    found = total(ledger, "simulate-trim", "--rules", "trim.yaml")
    assert found["saving"] == Decimal("0.30") + Decimal("0.75")
    (ledger.cwd / "trim.yaml").write_text("rules:\n  - prompt: 10%\n")
    run = ledger("simulate-trim", "--rules", "trim.yaml", "--format", "json")
    assert run.code == 1
    assert (run.error["file"].endswith("trim.yaml"), run.error["line"]) == (True, 2)
    assert run.error["hint"] == "by: -10%"


def test_two_stages(ledger: Costctl) -> None:
    """Haiku reads 1,000,000 and writes 4,000: 0.25 + 0.005; Sonnet reads 4,000: 0.012; for 3 USD. Of 500,000
    each: 0.125 + 0.005 + 0.012 for 1.50, of 100,000 0.025 + 0.005 + 0.012 for 0.30."""
    run = ledger("simulate-trim", "--summarise-with", HAIKU, "--extract", "4000", "--format", "json")
    assert run.json["reading_before"] == Decimal("6.30")
    assert run.json["reading_after"] == Decimal("0.267") + 2 * Decimal("0.142") + Decimal("0.042")
    assert run.json["totals"]["saving"] == Decimal("6.30") - Decimal("0.593")


def test_a_document_needs_no_ledger(costctl: Costctl) -> None:
    """The book's: -86 % with an extract of 2,000 tokens, -80.3 % with 4,000, -77.5 % with 5,000."""
    of = ("--document", "50000", "--model", SONNET, "--summarise-with", HAIKU, "--extract", "2000,4000,5000")
    run = costctl("simulate-trim", *of, "--now", "2024-10-01T00:00Z", "--format", "json")
    assert (run.code, run.err) == (0, "")
    assert [(row["extract"], row["two_stages"], row["change"]) for row in run.json["rows"]] == [
        (2_000, 21, Decimal("-0.86")),
        (4_000, Decimal("29.50"), Decimal("-0.803333")),
        (5_000, Decimal("33.75"), Decimal("-0.775")),
    ]
    assert not costctl.ledger.exists()


def test_calls_that_need_not_be_made(ledger: Costctl) -> None:
    """The failed one, and the second of the two equal ones."""
    assert total(ledger, "simulate-trim", "--eliminate", "failed")["saving"] == Decimal("0.30")
    both = total(ledger, "simulate-trim", "--eliminate", "failed,repeated")
    assert (both["saving"], both["requests_after"]) == (Decimal("1.80"), 2)
    soon = total(ledger, "simulate-trim", "--eliminate", "repeated", "--within", "30m")
    assert soon["saving"] == 0


def test_batches(ledger: Costctl) -> None:
    """Half of 3 USD that tags say can wait; half of all 7.80 at most, for no call names a session."""
    run = ledger("simulate-batch", "--format", "json")
    assert (run.code, run.err) == (0, "")
    assert [(row["bound"], row["batched"], row["saving"]) for row in run.json["rows"]] == [
        ("tagged", 2, Decimal("1.50")),
        ("likely", 2, Decimal("1.50")),
        ("maximum", 4, Decimal("3.90")),
    ]
    assert run.json["saving"] == Decimal("1.50")
    by = ledger("simulate-batch", "--tagged", "team=search", "--never", "tag:batch=true", "--by", "team",
                "--bound", "maximum", "--format", "json")  # fmt: skip
    assert [(row["team"], row["saving"]) for row in by.json["rows"]] == [
        ("search", Decimal("2.40")),
        ("ads", 0),
    ]
    assert by.json["totals"]["saving"] == Decimal("2.40")
    table = ledger("simulate-batch").out
    assert "saving (tagged)  $1.50" in table
    assert "4 calls name no session" in table


def test_bursts_nights_and_rules_of_a_file(ledger: Costctl) -> None:
    (ledger.cwd / "batch.yaml").write_text("tagged: [{where: [team=search], hours: 10-11}]\nbound: likely\n")
    run = ledger("simulate-batch", "--rules", "batch.yaml", "--format", "json")
    assert run.json["saving"] == Decimal("2.25"), "the call at 10, not the one at 11"
    assert run.json["bound"] == "likely"
    other = ledger("simulate-batch", "--rules", "batch.yaml", "--bound", "maximum", "--format", "json")
    assert other.json["saving"] == Decimal("3.90")
    found = ledger(
        "simulate-batch", "--burst", "2/2h", "--night", "none", "--answer-within", "1h", "--format", "json"
    )
    assert [row["batched"] for row in found.json["rows"]] == [2, 2, 4], "no call names its user"


def test_it_is_a_plan_of_one_lever(ledger: Costctl) -> None:
    plans = {
        "trim: {rules: [{prompt: 300000}]}": ("simulate-trim", "--prompt", "300000"),
        f"summarise: {{model: {HAIKU}, extract: 4000}}": (
            "simulate-trim", "--summarise-with", HAIKU, "--extract", "4000",
        ),
        "eliminate: {}": ("simulate-trim", "--eliminate", "failed,repeated"),
        "batch: {}": ("simulate-batch", "--by", "model"),
    }  # fmt: skip
    for text, arguments in plans.items():
        (ledger.cwd / "plan.yaml").write_text(text)
        plan = ledger("simulate", "plan.yaml", "--format", "json").json
        assert total(ledger, *arguments)["saving"] == plan["saving"] > 0


DOCUMENT = (
    *("simulate-trim", "--document", "50000", "--model", SONNET),
    *("--summarise-with", HAIKU, "--extract", "4000"),
)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("simulate-trim",), "nothing says what is cut", "as in --prompt 3200"),
        (("simulate-trim", "--prompt", "62%"), "--prompt: '62%' does not say", "by: -62%"),
        (
            ("simulate-trim", "--prompt", "9", "--eliminate", "failed"),
            "one at a time",
            "costctl simulate PLAN",
        ),
        (("simulate-trim", "--prompt", "9", "--rules", "x"), "--rules says how far", "leave out"),
        (("simulate-trim", "--summarise-with", HAIKU), "how long the extract is", "--extract 4000"),
        (("simulate-trim", "--extract", "9"), "who makes the extract", "--summarise-with"),
        (("simulate-trim", "--document", "9", "--extract", "4"), "belong together", "--model"),
        ((*DOCUMENT, "--month", "2024-10"), "asks nothing of the ledger", "leave out --month"),
        ((*DOCUMENT, "--where", "team=a"), "asks nothing of the ledger", "leave out --where"),
        ((*DOCUMENT, "--above", "5"), "asks nothing of the ledger", "leave out --above"),
        ((*DOCUMENT, "--by", "team"), "asks nothing of the ledger", "leave out --by"),
        (("simulate-trim", "--eliminate", "failed", "--within", "1h"), "come again", "failed,repeated"),
        (("simulate-trim", "--eliminate", "failed", "--prompt-tag", "h"), "come again", "failed,repeated"),
        (("simulate-trim", "--eliminate", "broken"), "'broken' is none of", "failed,repeated"),
        (("simulate-trim", "--eliminate", "repeated", "--within", "1w"), "--within: '1w'", "30m"),
        (("simulate-trim", "--prompt", "9", "--by", "tema"), "unknown dimension 'tema'", "team"),
        (("simulate-batch", "--bound", "all"), "--bound: 'all' is none of", "tagged"),
        (("simulate-batch", "--burst", "1/1m"), "--burst: '1/1m' is no burst", "20/1m"),
        (("simulate-batch", "--night", "25-6"), "--night: '25-6' are no hours", "22-06"),
        (("simulate-batch", "--rules", "x", "--never", "team=a"), "--rules says which", "leave out"),
        (("simulate-batch", "--tagged", "tema=a"), "unknown column 'tema'", "did you mean team?"),
    ],
)
def test_wrong_usage_has_a_way_out(
    ledger: Costctl, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    run = ledger(*arguments, "--format", "json")
    assert (run.code, run.out) == (2, "")
    assert message in run.error["message"]
    assert hint in run.error["hint"]


def test_an_empty_period_says_where_calls_are(ledger: Costctl) -> None:
    for arguments in (("simulate-trim", "--prompt", "9"), ("simulate-batch",)):
        run = ledger(*arguments, "--month", "2020-01")
        assert run.code == 0
        assert "the ledger has 4 calls" in run.err
