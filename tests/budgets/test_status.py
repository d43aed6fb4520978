"""``costctl budgets status``: figures by hand, and every format."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.analysis.by_hand import USD, fill
from tests.program import Costctl

from costctl.analysis import QuestionError
from costctl.budgets import load
from costctl.budgets.status import status
from costctl.ledger import Ledger
from costctl.periods import zone
from costctl.report import Report

BUDGETS = """
budgets:
  - {name: company, scope: all, monthly_budget: 100, daily_budget: 4}
  - {name: teams, scope: {team: each}, amounts: {month: 40, 7d: 10}}
  - {name: growth, scope: {team: search}, amounts: {month: last_period × 2}, on_unpriced: ok}
"""


@pytest.fixture
def shown(costctl: Costctl) -> Costctl:
    """Since 1 September search spends 2 a day and ads 1; on 11 October at 6 h too. One call of ads, on the
    10th, has no price."""
    (costctl.cwd / "budgets.yaml").write_text(BUDGETS)
    costctl.ledger.parent.mkdir(parents=True)
    days = [datetime(2024, 9, 1, 6) + timedelta(days=number) for number in range(41)]
    calls: list[dict[str, Any]] = [
        {"ts": str(day), "team": team, "cost_pico": usd * USD, "billing": "metered"}
        for day in days
        for team, usd in (("search", 2), ("ads", 1))
    ]
    calls.append({"ts": "2024-10-10 08:00:00", "team": "ads", "model": "new", "cost_pico": None})
    fill(Ledger(costctl.ledger), calls)
    return costctl


def report(costctl: Costctl, now: str = "2024-10-11T12:00", *names: str) -> Report:
    said = load(costctl.cwd / "budgets.yaml", {})
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    return status(Ledger(costctl.ledger), said, moment, zone=zone("UTC"), names=names)


def test_figures_of_each_budget(shown: Costctl) -> None:
    found = report(shown)
    names = [column.name for column in found.columns]
    rows = [dict(zip(names, row, strict=True)) for row in found.rows]
    keys = (
        "budget",
        "scope",
        "period",
        "spent",
        "amount",
        "share",
        "forecast",
        "days_left",
        "safe_daily",
    )
    usd = {"spent", "amount", "forecast", "safe_daily"}
    assert [
        tuple(row[key] if key not in usd or row[key] is None else Decimal(row[key]) / USD for key in keys)
        for row in rows
    ] == [
        # 11 days at 3 of 31; 67 are left for 21 days: 3.190476190476.
        ("company", "", "month", 33, 100, Decimal("0.33"), 93, 21, Decimal("3.190476190476")),
        # Today's 3 of 4, which is all that is expected; 1 is left for today.
        ("company", "", "day", 3, 4, Decimal("0.75"), 3, 1, 1),
        # 29 are left for 21 days: 1.380952380952.
        ("teams", "team=ads", "month", 11, 40, Decimal("0.275"), 31, 21, Decimal("1.380952380952")),
        ("teams", "team=ads", "7d", 7, 10, Decimal("0.7"), None, None, None),
        ("teams", "team=search", "month", 22, 40, Decimal("0.55"), 62, 21, Decimal("0.857142857142")),
        # 14 of 10 in the last seven days: nothing is left, but no day ends them.
        ("teams", "team=search", "7d", 14, 10, Decimal("1.4"), None, None, None),
        # Twice September's 60.
        ("growth", "team=search", "month", 22, 120, Decimal("0.183333"), 62, 21, Decimal("4.666666666666")),
    ]  # fmt: skip
    assert [row["status"] for row in rows] == [
        "WARNING", "OK", "WARNING", "WARNING", "OK", "CRITICAL", "OK"
    ]  # fmt: skip
    assert [row["unpriced_calls"] for row in rows] == [1, 0, 1, 1, 0, 0, 0]
    assert [row["threshold"] for row in rows] == [None, None, None, None, None, "exceeded", None]
    assert not found.complete
    assert "company, teams team=ads: calls without a price, so what was spent is a lower bound" in found.notes
    assert found.figures["newest_call"] == "2024-10-11T06:00:00+00:00"


def test_what_is_exceeded_leaves_nothing_for_a_day(shown: Costctl) -> None:
    found = report(shown, "2024-10-11T12:00", "company")
    assert [row[0] for row in found.rows] == ["company", "company"]
    (shown.cwd / "budgets.yaml").write_text("budgets: [{name: a, scope: all, monthly_budget: 30}]")
    [row] = report(shown).rows
    cells = dict(zip([column.name for column in found.columns], row, strict=True))
    assert (cells["safe_daily"], cells["status"], cells["threshold"]) == (0, "CRITICAL", "exceeded")


def test_what_is_missing_is_said(shown: Costctl) -> None:
    notes = report(shown, "2024-10-20T12:00").notes
    assert "the newest call is of 2024-10-11 06:00: what was spent since is not in the ledger" in notes
    september = report(shown, "2024-09-03T12:00").notes
    assert (
        "growth team=search: no budget, since the period before has no spend, or is not in the ledger"
        in september
    )
    named = "company, teams team=ads, teams team=search, growth team=search"
    assert f"{named}: the forecast is rough, it stands on 2 days at most" in september
    fill(Ledger(shown.ledger), [])
    assert report(shown).notes[0] == "the ledger holds no calls"


def test_unpriced_calls_may_leave_a_budget_unknown(shown: Costctl) -> None:
    for word, expected in (("ok", "OK"), ("warning", "WARNING"), ("unknown", "UNKNOWN")):
        said = f"budgets: [{{name: a, scope: {{team: ads}}, monthly_budget: 40, on_unpriced: {word}}}]"
        (shown.cwd / "budgets.yaml").write_text(said)
        found = report(shown)
        names = [column.name for column in found.columns]
        assert found.rows[0][names.index("status")] == expected
        assert bool(found.notes) == (word != "ok")
    # What is certainly exceeded is not unknown.
    (shown.cwd / "budgets.yaml").write_text(said.replace("40", "10"))
    found = report(shown)
    assert found.rows[0][names.index("status")] == "CRITICAL"


def test_a_name_that_no_budget_has(shown: Costctl) -> None:
    with pytest.raises(QuestionError, match="there is no budget 'compny'") as caught:
        report(shown, "2024-10-11T12:00", "compny")
    assert caught.value.hint == "did you mean company?"
    done = shown("budgets", "status", "compny")
    assert (done.code, done.err.splitlines()[1]) == (2, "hint: did you mean company?")


def test_every_format(shown: Costctl) -> None:
    at = ("budgets", "status", "--now", "2024-10-11T12:00")
    table = shown(*at, env={"COLUMNS": "100"})
    assert (table.code, table.err) == (0, "")
    lines = table.out.splitlines()
    assert lines[0] == "Budgets, 2024-10-11 12:00 UTC"
    company = re.sub(r"[█▏▎▍▌▋▊▉]+", "", next(line for line in lines if line.startswith("company")))
    assert company.split()[:6] == ["company", "month", "$33.00", "$100.00", "33.0%", "$93.00"]
    found = shown(*at, "--format", "json").json
    assert (found["command"], found["complete"], len(found["rows"])) == ("budgets status", False, 7)
    first = found["rows"][0]
    assert (first["budget"], first["spent"], first["amount"]) == (
        "company",
        Decimal("33.00"),
        Decimal("100.00"),
    )
    assert (first["start"], first["end"]) == ("2024-10-01T00:00:00+00:00", "2024-11-01T00:00:00+00:00")
    assert first["forecast_low"] <= first["forecast"] <= first["forecast_high"]
    rows = list(csv.DictReader(io.StringIO(shown(*at, "--format", "csv").out)))
    assert (len(rows), rows[0]["safe_daily"]) == (7, "3.190476190476")
    assert "| company | " in shown(*at, "--format", "md").out
    assert shown(*at, "--out", "status.parquet").code == 0
    assert (shown.cwd / "status.parquet").stat().st_size > 0


def test_bars_are_of_the_whole_budget(shown: Costctl) -> None:
    said = "budgets: [{name: a, scope: all, monthly_budget: 66}, {name: b, scope: all, monthly_budget: 22}]"
    (shown.cwd / "budgets.yaml").write_text(said)
    out = shown("budgets", "status", "--now", "2024-10-11T12:00", env={"COLUMNS": "100"}).out
    bars = {line.split()[0]: line.count("█") for line in out.splitlines() if "█" in line}
    assert bars == {"a": 6, "b": 12}  # half of 12 cells; and no more than all of them


def test_a_status_needs_no_secret(shown: Costctl) -> None:
    said = "budgets: [{name: a, scope: all, monthly_budget: 66, channels: [ops]}]\nchannels:\n"
    (shown.cwd / "budgets.yaml").write_text(said + "  ops: {type: slack, url: '${NOT_SET}'}\n")
    assert shown("budgets", "status").code == 0
    assert shown("budgets", "validate").code == 1


def test_without_a_ledger_it_says_how_to_make_one(costctl: Costctl, tmp_path: Path) -> None:
    (costctl.cwd / "budgets.yaml").write_text(BUDGETS)
    done = costctl("budgets", "status", "--db", tmp_path / "none.duckdb")
    assert done.code == 1
    assert "there is no ledger" in done.err
