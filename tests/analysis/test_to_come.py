"""A day in progress: until when it is known, what of it is still to come, and that budgets say the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from by_hand import USD, Call

from costctl.analysis import forecast
from costctl.budgets.model import Amount, Budget, Budgets, Scope
from costctl.budgets.spend import look
from costctl.ledger import Ledger
from costctl.periods import period, zone
from costctl.report import Report

MadeLedger = Callable[..., Ledger]


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(first: str, count: int, usd: float, at: str, **labels: Any) -> list[Call]:
    """A call on each of so many days."""
    start = date.fromisoformat(first)
    return [
        {"ts": f"{start + timedelta(days=number)} {at}:00", "cost_pico": round(usd * USD), **labels}
        for number in range(count)
    ]


def asked(ledger: Ledger, by: str = "", *, now: str, month: str = "2024-10", tz: str = "UTC") -> Report:
    return forecast(ledger, by or (), period=period(month=month, zone=zone(tz), now=when(now)), now=when(now))


def rows(report: Report) -> list[dict[str, Any]]:
    names = [column.name for column in report.columns]
    return [dict(zip(names, cells, strict=True)) for cells in report.rows]


def ingested(ledger: Ledger, at: str) -> Ledger:
    with ledger.writing() as connection:
        connection.execute("INSERT INTO meta VALUES ('last_commit', ?)", [at])
    return ledger


def test_each_row_has_its_own_hours(ledger_of: MadeLedger) -> None:
    """nightly costs 10 a day at 2:00, office 10 at 18:00. At noon of the 15th nothing more of nightly is to
    come, and 10 of office; of both together half."""
    calls = [*days("2024-09-01", 45, 10, "02:00", team="nightly")]
    calls += days("2024-09-01", 44, 10, "18:00", team="office")
    calls += days("2024-10-15", 1, 0, "12:00", team="office")
    report = asked(ledger_of(*calls), "team", now="2024-10-15T12:00")
    assert {row["team"]: row["forecast"] for row in rows(report)} == {
        "nightly": (140 + 10 + 0 + 160) * USD,
        "office": (140 + 0 + 10 + 160) * USD,
    }
    assert report.totals is not None
    assert report.totals[2] == (280 + 10 + 10 + 320) * USD
    assert (
        "2024-10-15 is known until 12:00, by when 50.0% of a day's cost usually has come (of each row its "
        "own part): the rest is added"
    ) in report.notes


def test_a_bucket_does_not_say_when_in_its_day_it_was_spent(ledger_of: MadeLedger) -> None:
    """A report of each day stands at midnight, 10 USD, and today's says 3 so far: the day counts as a usual
    one, neither as 3 nor as 13. The calls of another team say that the ledger knows until noon."""
    report = {"grain": "bucket", "provider": "openai", "team": "reported", "input_tokens": 1}
    calls = [*days("2024-09-01", 44, 10, "00:00", **report), *days("2024-10-15", 1, 3, "00:00", **report)]
    calls += days("2024-09-01", 45, 10, "12:00", team="called")
    found = asked(ledger_of(*calls), "team", now="2024-10-15T12:00")
    assert {row["team"]: (row["spent"], row["forecast"]) for row in rows(found)} == {
        "reported": (143 * USD, 310 * USD),
        "called": (150 * USD, 310 * USD),
    }
    assert found.totals is not None
    assert found.totals[2] == 620 * USD
    assert not any("is known until" in note for note in found.notes)


def test_a_day_whose_evening_was_never_ingested_is_not_whole(ledger_of: MadeLedger) -> None:
    """Each day costs 2 USD at 6:00 and 8 at 18:00. The 14th was ingested at noon: its evening is to come even
    when it is over, and its 2 USD are no level to go on from. Ingested after midnight it was a day of 2."""
    calls = [*days("2024-09-01", 44, 2, "06:00"), *days("2024-09-01", 43, 8, "18:00")]
    for now in ("2024-10-14T12:00", "2024-10-15T09:00"):
        report = asked(ingested(ledger_of(*calls), "2024-10-14T12:00:00Z"), now=now)
        (row,) = rows(report)
        # 13 days of 10, 2 so far, 8 of the rest, 17 days of 10
        assert (row["spent"], row["forecast"], row["run_rate"]) == (132 * USD, 310 * USD, 310 * USD)
        assert any(note.startswith("2024-10-14 is known until 06:00, by when 20.0%") for note in report.notes)
        assert not any("the last call" in note for note in report.notes)
    late = asked(ingested(ledger_of(*calls), "2024-10-14T12:00:00Z"), now="2024-10-17T09:00")
    assert "the last call is of 2024-10-14: of 2 days since then nothing is known" in late.notes
    (row,) = rows(asked(ingested(ledger_of(*calls), "2024-10-15T00:00:00Z"), now="2024-10-15T09:00"))
    assert (row["spent"], row["run_rate"]) == (132 * USD, round(132 * USD * 31 / 14))
    assert row["forecast"] < 310 * USD


def test_of_days_before_the_first_call_nothing_is_known(ledger_of: MadeLedger) -> None:
    """10 USD a day since 11 October, as at the 15th: 4 whole days are the run rate's, not 14. The month costs
    40 so far and 17 times 10; what was before the ledger is nobody's guess, and the report says so."""
    ledger = ledger_of(*days("2024-10-11", 4, 10, "12:00"))
    report = asked(ledger, now="2024-10-15T00:00")
    (row,) = rows(report)
    assert (row["spent"], row["run_rate"], row["forecast"]) == (40 * USD, 310 * USD, 210 * USD)
    assert (
        "the first call is of 2024-10-11: of 10 days of the period, before that, nothing is known"
    ) in report.notes
    report = asked(ledger, now="2024-10-15T00:00", month="2024-09")
    (row,) = rows(report)
    assert (row["spent"], row["forecast"], row["run_rate"], row["confidence"]) == (0, None, None, None)
    assert report.notes == ("the first call is of 2024-10-11: of the period nothing is known",)


def test_a_first_day_in_progress_is_no_history(ledger_of: MadeLedger) -> None:
    report = asked(ledger_of(*days("2024-10-11", 1, 10, "12:00")), now="2024-10-11T18:00")
    (row,) = rows(report)
    assert (row["spent"], row["forecast"], row["run_rate"]) == (10 * USD, None, None)
    assert report.notes == (
        "the first call is of 2024-10-11: of 10 days of the period, before that, nothing is known",
        "there is no whole day with such calls, from which to continue",
    )


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("now", ["2024-10-15T12:00", "2024-10-27T01:30", "2024-11-03T07:15", "2024-11-09"])
@pytest.mark.heavy
def test_a_budget_is_forecast_as_a_report_is(ledger_of: MadeLedger, tz: str, now: str) -> None:
    """Three teams with hours and weekdays of their own, at any time of day, where clocks change too: a budget
    of a team's month comes to what the forecast of that team says, to the pico-dollar."""
    calls: list[Call] = []
    for number in range(2000):
        moment = datetime(2024, 8, 20) + timedelta(minutes=number * 61 + number * number % 131)
        is_quiet = moment.weekday() > 4 and number % 3 > 0
        cost = number * 7919 % 997 * USD // (500 if is_quiet else 100)
        calls.append({"ts": str(moment), "team": "abc"[moment.hour * number % 3], "cost_pico": cost})
    ledger = ledger_of(*calls)
    amounts = (Amount("month", USD), Amount("week", USD))
    budgets = tuple(Budget("b", scope, amounts=amounts) for scope in (Scope("team", each=True), Scope()))
    spent = look(ledger, Budgets(Path("budgets.yaml"), budgets), when(now), zone(tz)).spent
    months = [each for each in spent if each.kind == "month" and not each.late]
    report = asked(ledger, "team", now=now, month=f"{months[0].start:%Y-%m}", tz=tz)
    expected = {f"team={row[0]}": tuple(row[1:5]) for row in report.rows}
    assert report.totals is not None
    expected["all"] = tuple(report.totals[1:5])
    assert {
        each.scope_value or "all": (each.spent_pico, found.value, found.low, found.high)
        for each in months
        if (found := each.forecast)
    } == expected
