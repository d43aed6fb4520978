"""Ours against real exports of bills, by the command line; and against what sources report."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.program import Costctl

SONNET = "claude-sonnet-4-5-20250929"
"""3 USD a million tokens in, 15 out; half of it in batch mode."""

CONSOLE = """usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type
2026-03-01,Claude Sonnet 4.5,Default,shop,message,≤ 200k,input_no_cache,0.30,token
2026-03-01,Claude Sonnet 4.5,Default,shop,message,≤ 200k,output,0.02,token
2026-03-01,,Default,shop,,,,0.05,web_search
2026-03-02,Claude Sonnet 4.5,Default,shop,message,≤ 200k,input_no_cache,0.30,token
"""


def usage(*calls: tuple[str, int, int]) -> str:
    """Lines of the call log: time, tokens in and out of each call."""
    return "".join(
        json.dumps(
            {
                "id": str(number),
                "timestamp": time,
                "provider": "anthropic",
                "model": SONNET,
                "input_tokens": tokens_in,
                "output_tokens": tokens_out,
            }
        )
        + "\n"
        for number, (time, tokens_in, tokens_out) in enumerate(calls)
    )


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """0.30 + 0.0225 on the first day of March, 0.30 on the second; and a console's export beside it."""
    (costctl.cwd / "usage.jsonl").write_text(
        usage(("2026-03-01T10:00:00Z", 100_000, 1_500), ("2026-03-02T10:00:00Z", 100_000, 0))
    )
    (costctl.cwd / "cost.csv").write_text(CONSOLE)
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


def test_an_export_of_the_console(ledger: Costctl) -> None:
    run = ledger("reconcile", "cost.csv", "--format", "json")
    assert (run.code, run.err) == (0, "")
    first, searches, second = sorted(
        run.json["rows"], key=lambda row: (row["day"], row["model"] == "(web search)")
    )
    assert (first["model"], first["ours"], first["theirs"]) == (
        "claude-sonnet-4-5",
        Decimal("0.3225"),
        Decimal("0.32"),
    )
    assert first["rounding"] == first["difference"] == Decimal("0.0025")
    assert searches["non_token_items"] == Decimal("-0.05")
    assert second["difference"] == 0
    assert run.json["totals"]["difference"] == Decimal("-0.0475")
    assert run.json["command"] == "reconcile"


def test_a_file_does_not_enter_the_ledger(ledger: Costctl) -> None:
    before = ledger.ledger.read_bytes()
    assert ledger("reconcile", "cost.csv").code == 0
    assert ledger.ledger.read_bytes() == before
    run = ledger("reconcile")
    assert "Nothing to show." in run.out
    assert run.err.endswith("costctl reconcile FILE compares with a cost report\n")


def test_charges_in_the_ledger(ledger: Costctl) -> None:
    ledger("ingest", "cost.csv")
    run = ledger("reconcile", "--by", "model", "--format", "csv")
    assert run.out.splitlines()[1].startswith('"(web search)",0.00,0.05,-0.05,-1')
    assert ledger("report", "--columns", "cost", "--format", "json").json["totals"]["cost"] == Decimal(
        "0.6225"
    )


def test_a_cost_report_in_cents_and_the_usage_report_beside_it(ledger: Costctl) -> None:
    """The provider counted 300,000 tokens of a day, of which calls have 101,500; the bill is at 90 %."""
    day = {"starting_at": "2026-03-01T00:00:00Z", "ending_at": "2026-03-02T00:00:00Z"}
    cost = {"amount": "81", "currency": "USD", "cost_type": "tokens", "token_type": "uncached_input_tokens",
            "model": SONNET, "service_tier": "standard"}  # fmt: skip
    counted = {
        "uncached_input_tokens": 300_000,
        "output_tokens": 0,
        "model": SONNET,
        "service_tier": "standard",
    }
    for name, results in (("cost.json", cost), ("usage.json", counted)):
        (ledger.cwd / name).write_text(
            json.dumps({"data": [{**day, "results": [results]}], "has_more": False})
        )
    run = ledger("reconcile", "cost.json", "usage.json", "--format", "json")
    assert run.code == 0, run.err
    (row,) = run.json["rows"]
    # 0.3225 - 0.81: 0.90 of tokens at our price, 0.5775 of them missing; 0.09 is the price.
    assert (row["missing_calls"], row["price"], row["unexplained"]) == (
        Decimal("-0.5775"),
        Decimal("0.09"),
        0,
    )


def test_a_threshold_as_a_share_or_an_amount(ledger: Costctl) -> None:
    # The difference is 0.0475 of 0.67: 7.0896 %.
    for limit, code in (("7%", 4), ("7.1%", 0), ("0.04", 4), ("0.0475", 0), ("$1", 0)):
        run = ledger("reconcile", "cost.csv", "--fail-if", limit)
        assert run.code == code, limit
        assert (f"--fail-if {limit}: the difference is -$0.0475 (-7.09%)" in run.err) is (code == 4)
        assert "claude-sonnet-4-5" in run.out
    run = ledger("reconcile", "--fail-if", "100%")
    assert run.code == 4, "with nothing to compare nothing is shown to agree"
    run = ledger("reconcile", "cost.csv", "--fail-if", "a lot")
    assert run.code == 2
    assert "is no condition" in run.err


def test_periods_providers_and_conditions(ledger: Costctl) -> None:
    def rows(*arguments: str) -> list[tuple[str, Decimal]]:
        found = ledger("reconcile", "cost.csv", *arguments, "--by", "day", "--format", "json").json["rows"]
        return [(row["day"], row["difference"]) for row in found]

    assert rows("--since", "2026-03-02") == [("2026-03-02", 0)]
    assert rows("--month", "2026-02") == []
    assert rows("--provider", "openai") == []
    assert rows("--where", "model~sonnet", "--provider", "anthropic") == [
        ("2026-03-01", Decimal("0.0025")),
        ("2026-03-02", 0),
    ]
    assert ledger("reconcile", "cost.csv", "--where", "team=x").code == 2


def test_files_that_are_no_bill(ledger: Costctl) -> None:
    run = ledger("reconcile", "usage.jsonl")
    assert run.code == 0
    assert run.err == "these files hold no charges of this period\n"
    run = ledger("reconcile", "nowhere.csv")
    assert (run.code, run.out) == (1, "")
    assert "nowhere.csv" in run.err


def test_every_output(ledger: Costctl) -> None:
    assert "| 2026-03-01 | claude-sonnet-4-5 |" in ledger("reconcile", "cost.csv", "--format", "md").out
    assert "taxes" not in ledger("reconcile", "cost.csv").out, "what is nothing takes no room"
    run = ledger("reconcile", "cost.csv", "--out", "compared.parquet")
    assert (run.code, run.err) == (0, "wrote compared.parquet\n")
    one, two = (ledger("reconcile", "cost.csv", "--format", "json", "--quiet").out for _ in range(2))
    assert one == two


def test_what_sources_report_against_ours(costctl: Costctl) -> None:
    """A call of 0.30 of which its source says 0.33, and one without a price of ours."""
    calls = [
        {"id": "a", "model": SONNET, "total_cost": 0.33},
        {"id": "b", "model": SONNET},
        {"id": "c", "model": "nobodys", "total_cost": 0.5},
    ]
    with (costctl.cwd / "usage.jsonl").open("w") as file:
        for each in calls:
            tokens = {"input_tokens": 100_000, "output_tokens": 0}
            file.write(json.dumps({"timestamp": "2026-03-01T10:00:00Z", **tokens, **each}) + "\n")
    assert costctl("ingest", "usage.jsonl").code == 0
    run = costctl("reconcile", "--reported", "--format", "json")
    assert (run.code, run.err) == (0, "")
    path = str(costctl.cwd / "usage.jsonl")
    columns = (
        "source",
        "model",
        "calls",
        "ours",
        "reported",
        "difference",
        "unpriced_calls",
        "unpriced_reported",
    )
    assert [tuple(row[name] for name in columns) for row in run.json["rows"]] == [
        (path, SONNET, 1, Decimal("0.30"), Decimal("0.33"), Decimal("-0.03"), 0, 0),
        (path, "nobodys", 0, 0, 0, 0, 1, Decimal("0.50")),
    ]
    assert costctl("reconcile", "--reported", "--fail-if", "9%").code == 4  # 0.03 of 0.33
    assert costctl("reconcile", "--reported", "--fail-if", "0.03").code == 0
    by = costctl("reconcile", "--reported", "--by", "source_format,tag:env", "--format", "json").json["rows"]
    assert [(row["source_format"], row["calls"]) for row in by] == [("costctl", 1)]
    assert costctl("reconcile", "--reported", "--by", "day").code == 2
