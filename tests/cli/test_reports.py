"""Questions by the command line: shapes of answers, formats, and what is said where there is nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

OPUS, HAIKU = "claude-opus-4-20250514", "claude-haiku-3-20250307"
"""Opus: 15 USD per million tokens in, 75 out. Haiku: 0.25 and 1.25 (the book's price table)."""


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """Four calls of 1,000,000 tokens in and none out, in September and October 2024.

    ==========  =======  =====  =======
    time (UTC)  team     model  USD
    ==========  =======  =====  =======
    09-30       search   opus     15.00
    10-05       search   opus     15.00
    10-05       ads      haiku     0.25
    10-31 23 h  (none)   haiku     0.25
    ==========  =======  =====  =======
    """
    calls = [
        ("2024-09-30T12:00:00Z", "search", OPUS),
        ("2024-10-05T12:00:00Z", "search", OPUS),
        ("2024-10-05T13:00:00Z", "ads", HAIKU),
        ("2024-10-31T23:00:00Z", None, HAIKU),
    ]
    with (costctl.cwd / "usage.jsonl").open("w") as file:
        for number, (time, team, model) in enumerate(calls):
            call = {"id": str(number), "timestamp": time, "team": team, "model": model}
            file.write(json.dumps({**call, "input_tokens": 1_000_000, "output_tokens": 0}) + "\n")
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


def costs(costctl: Costctl, *arguments: str) -> list[tuple[object, ...]]:
    """The rows of a report without its other figures: names, then the cost."""
    run = costctl("report", *arguments, "--columns", "cost", "--format", "json")
    assert (run.code, run.err) == (0, "")
    return [tuple(row.values()) for row in run.json["rows"]]


def test_a_report_without_options_is_by_model(ledger: Costctl) -> None:
    run = ledger("report")
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("Cost by model\nall time · UTC · 4 calls")
    assert costs(ledger) == [(OPUS, Decimal(30)), (HAIKU, Decimal("0.50"))]


def test_by_several(ledger: Costctl) -> None:
    assert costs(ledger, "--by", "team,model", "--month", "2024-10") == [
        ("search", OPUS, Decimal(15)),
        ("ads", HAIKU, Decimal("0.25")),
        (None, HAIKU, Decimal("0.25")),
    ]


def test_the_zone_decides_the_month(ledger: Costctl) -> None:
    """11 p.m. UTC on the last of October is November in Taipei."""
    assert costs(ledger, "--by", "month", "--tz", "Asia/Taipei")[-1] == ("2024-11", Decimal("0.25"))
    assert costs(ledger, "--month", "2024-11", "--tz", "Asia/Taipei") == [(HAIKU, Decimal("0.25"))]


def test_last_counts_from_now(ledger: Costctl) -> None:
    rows = costs(ledger, "--last", "1d", "--now", "2024-10-06T09:00Z")
    assert rows == [(OPUS, Decimal(15)), (HAIKU, Decimal("0.25"))]


def test_conditions_add_up(ledger: Costctl) -> None:
    assert costs(ledger, "--where", "team=search", "--where", "model~opus") == [(OPUS, Decimal(30))]
    assert costs(ledger, "--where", "team=") == [(HAIKU, Decimal("0.25"))]


def test_top_and_sort(ledger: Costctl) -> None:
    rows = costs(ledger, "--by", "team", "--top", "1")
    assert rows[0] == ("search", Decimal(30))
    assert rows[1][1] == Decimal("0.50"), "the rest is one row"
    assert len(rows) == 2
    assert costs(ledger, "--by", "team", "--sort", "cost:asc")[-1] == ("search", Decimal(30))


def test_pivot(ledger: Costctl) -> None:
    run = ledger("report", "--by", "month,model", "--pivot", "--format", "json")
    assert (run.code, run.err) == (0, "")
    september, october = run.json["rows"]
    opus, haiku = f"model={OPUS}", f"model={HAIKU}"
    assert (september["month"], september[opus], september[haiku]) == ("2024-09", Decimal(15), Decimal(0))
    assert (october["month"], october[opus], october[haiku]) == ("2024-10", Decimal(15), Decimal("0.50"))


def test_the_formats(ledger: Costctl) -> None:
    assert ledger("report", "--columns", "cost", "--format", "csv").out == (
        f'"model","cost"\r\n"{OPUS}",30.00\r\n"{HAIKU}",0.50\r\n'
    )
    assert f"| {OPUS} |" in ledger("report", "--columns", "cost", "--format", "md").out
    document = ledger("report", "--format", "json").json
    assert document["command"] == "report"
    assert document["totals"]["cost"] == Decimal("30.50")
    assert len(document["columns"]) == 17, "the name and all sixteen measures"


def test_two_runs_are_the_same_to_the_byte(ledger: Costctl) -> None:
    for format in ("table", "json", "csv", "md"):
        arguments = ("report", "--by", "team,model", "--format", format)
        assert ledger(*arguments).out == ledger(*arguments).out


def test_out_as_parquet(ledger: Costctl) -> None:
    import pyarrow.parquet

    run = ledger("report", "--columns", "cost", "--out", "costs.parquet")
    assert (run.code, run.out, run.err) == (0, "", "wrote costs.parquet\n")
    table = pyarrow.parquet.read_table(ledger.cwd / "costs.parquet")
    assert table.column("cost").to_pylist() == [Decimal(30), Decimal("0.5")]


def test_out_never_replaces_the_ledger(ledger: Costctl) -> None:
    ledger("ingest", "usage.jsonl", "--db", "ledger.json")
    run = ledger("report", "--db", "ledger.json", "--out", "ledger.json", "--force")
    assert (run.code, run.out) == (1, "")
    assert "is read by this command" in run.err


def test_what_makes_a_cost_a_lower_bound_is_said_beside_csv(ledger: Costctl) -> None:
    call = {
        "id": "x",
        "timestamp": "2024-10-06T00:00Z",
        "model": "nobodys",
        "input_tokens": 5,
        "output_tokens": 0,
    }
    (ledger.cwd / "more.jsonl").write_text(json.dumps(call) + "\n{broken\n")
    ledger("ingest", "more.jsonl")
    for arguments in (["--format", "csv"], ["--out", "x.csv"]):
        run = ledger("report", *arguments)
        assert "of nobodys has no price: the cost is a lower bound" in run.err
        assert "1 line was rejected" in run.err
    assert ledger("report", "--format", "csv", "--quiet").err == ""
    assert ledger("report", "--format", "json").err == "", "the document itself says it"
    assert ledger("report", "--format", "json").json["complete"] is False


def test_a_terminal_with_room_shows_more(ledger: Costctl) -> None:
    assert "p95" not in ledger("report").out
    assert "p95" in ledger("report", env={"COLUMNS": "240"}).out


def test_a_bill(ledger: Costctl) -> None:
    run = ledger("bill", "--month", "2024-10", "--budget", "10", "--format", "json")
    assert (run.code, run.err) == (0, "")
    bill = run.json
    assert bill["totals"]["cost"] == Decimal("15.50")
    assert bill["month_before"] == Decimal("15.00")
    assert bill["growth"] == Decimal("0.033333")  # 0.50 / 15.00
    assert bill["annualised"] == Decimal("186.00")  # 12 x 15.50
    assert bill["over_budget"] == Decimal("5.50")
    assert bill["overrun"] == Decimal("0.55")  # 5.50 / 10


def test_the_bill_is_by_default_that_of_the_last_whole_month(ledger: Costctl) -> None:
    bill = ledger("bill", "--now", "2024-11-02T09:00", "--format", "json").json
    assert bill["period"]["start"] == "2024-10-01T00:00:00+00:00"
    assert bill["totals"]["cost"] == Decimal("15.50")


def test_sql(ledger: Costctl) -> None:
    question = "SELECT team, count(*) AS calls FROM calls GROUP BY team ORDER BY team NULLS LAST"
    expected = '"team","calls"\r\n"ads",1\r\n"search",2\r\n,1\r\n'
    assert ledger("sql", question, "--format", "csv").out == expected
    assert ledger("sql", "-", "--format", "csv", input=question).out == expected
    limited = ledger("sql", question, "--rows", "1", "--format", "json").json
    assert len(limited["rows"]) == 1
    assert "more" in limited["notes"][0]
    refused = ledger("sql", "DROP TABLE stored_calls", "--format", "json")
    assert (refused.code, refused.out) == (2, "")
    assert refused.error["code"] == "usage"


def test_no_ledger_names_the_next_command(costctl: Costctl) -> None:
    for command in (["report"], ["bill"], ["sources"], ["rejects"], ["sql", "select 1"], ["prices", "check"]):
        run = costctl(*command)
        assert (run.code, run.out) == (1, "")
        assert run.err == (
            f"error: there is no ledger at {costctl.ledger}\n"
            "hint: make one with `costctl ingest PATH`, or name another with --db\n"
        )
    assert not costctl.ledger.parent.exists(), "asking makes nothing"


def test_no_ledger_names_claude_code_where_it_is(costctl: Costctl) -> None:
    transcripts = costctl.home / ".claude" / "projects"
    transcripts.mkdir(parents=True)
    hint = f"hint: costctl ingest --claude-code reads the transcripts in {transcripts}"
    assert hint in costctl("report").err


def test_an_empty_ledger_names_the_next_command(ledger: Costctl) -> None:
    assert ledger("forget", "usage.jsonl").code == 0
    run = ledger("report")
    assert run.code == 0
    assert "Nothing to show." in run.out
    assert run.err == "the ledger is empty: costctl ingest PATH reads usage into it\n"


def test_an_answer_without_calls_says_where_calls_are(ledger: Costctl) -> None:
    run = ledger("report", "--month", "2023-01")
    assert run.code == 0
    assert run.err == "no calls in this period; the ledger has 4 calls from 2024-09 to 2024-10\n"
    run = ledger("report", "--where", "team=nobody", "--quiet")
    assert (run.code, run.err) == (0, "")


# --- costctl alone ----------------------------------------------------------------------------------------


def test_costctl_alone_at_first(costctl: Costctl) -> None:
    run = costctl(env={"COLUMNS": "300"})  # the path of a temporary home may be long
    assert (run.code, run.err) == (0, "")
    assert str(costctl.ledger) in run.out
    assert "costctl ingest PATH" in run.out
    assert "costctl demo" in run.out
    assert "--claude-code" not in run.out
    transcripts = costctl.home / ".claude" / "projects"
    transcripts.mkdir(parents=True)
    step = f"costctl ingest --claude-code reads the transcripts in {transcripts}"
    assert step in costctl(env={"COSTCTL_FORMAT": "json"}).json["notes"]
    assert not costctl.ledger.parent.exists(), "looking makes nothing"


def test_costctl_alone_later(ledger: Costctl) -> None:
    summary = ledger(env={"COSTCTL_FORMAT": "json"}).json
    assert summary["ledger"] == str(ledger.ledger)
    assert summary["calls"] == 4
    assert (summary["first_month"], summary["last_month"]) == ("2024-09", "2024-10")
    assert summary["cost"] == Decimal("30.50")
    assert any(note.startswith("costctl bill --month 2024-10") for note in summary["notes"])


# --- names from data --------------------------------------------------------------------------------------


def test_names_from_data_do_not_reach_the_terminal_as_they_are(costctl: Costctl) -> None:
    call = {
        "id": "x",
        "timestamp": "2024-10-06T00:00Z",
        "model": HAIKU,
        "team": "\x1b[2J\u202e[red]x",
        "input_tokens": 5,
        "output_tokens": 0,
    }
    odd: Path = costctl.cwd / "odd\nname.jsonl"
    odd.write_text(json.dumps(call) + "\n")
    assert "\n\n" not in costctl("ingest", odd).err
    for run in (
        costctl("report", "--by", "team"),
        costctl("report", "--where", "team~red"),
        costctl("sources"),
    ):
        assert run.code == 0
        assert "\x1b" not in run.out + run.err
        assert "\u202e" not in run.out + run.err
    assert r"odd\nname.jsonl" in costctl("sources", env={"COLUMNS": "300"}).out
