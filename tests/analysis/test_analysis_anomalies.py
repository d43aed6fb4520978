"""Days that cost too much: each rule on a ledger stated by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from by_hand import USD, Call, at

from costctl.analysis import QuestionError, anomalies
from costctl.ledger import Ledger
from costctl.periods import period, zone
from costctl.report import Report

MadeLedger = Callable[..., Ledger]

NOW = datetime(2024, 12, 1, tzinfo=UTC)


def days(first: str, count: int, usd: float = 100, **labels: Any) -> list[Call]:
    """A row at noon on each of so many days, of calls that cost 1 USD each."""
    start = date.fromisoformat(first)
    said = {"cost_pico": round(usd * USD), "requests": max(1, round(usd)), **labels}
    return [{"ts": f"{start + timedelta(days=number)} 12:00:00", **said} for number in range(count)]


def rows(report: Report) -> list[dict[str, Any]]:
    names = [column.name for column in report.columns]
    return [dict(zip(names, cells, strict=True)) for cells in report.rows]


def found(report: Report, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows(report)]


# --- above the usual level --------------------------------------------------------------------------------


def test_a_spike_of_a_team_is_told_of_the_team_and_of_all(ledger_of: MadeLedger) -> None:
    """search and ads cost 100 a day each; on 10 October search costs 400. Of all, 200 are expected."""
    calls = [*days("2024-09-01", 45, team="ads"), *days("2024-09-01", 45, team="search")]
    calls += days("2024-10-10", 1, 300, team="search")
    report = anomalies(ledger_of(*calls), "team", period=at(), now=NOW)
    assert found(report, "day", "scope", "value", "rule", "cost", "expected", "impact", "impact_share") == [
        ("2024-10-10", "all", None, "level", 500 * USD, 200 * USD, 300 * USD, Decimal("1.5")),
        ("2024-10-10", "team", "search", "level", 400 * USD, 100 * USD, 300 * USD, Decimal(3)),
    ]
    assert report.figures == {"days": 45, "anomalies": 2, "greatest_impact": 300 * USD}
    assert report.totals is None  # the same money twice


def test_what_moves_from_one_to_the_other_is_up_there(ledger_of: MadeLedger) -> None:
    """A total hides opposite moves: search falls by as much as ads rises."""
    steady = [*days("2024-09-01", 40, team="ads"), *days("2024-09-01", 40, team="search")]
    moved = [*days("2024-10-11", 1, 190, team="ads"), *days("2024-10-11", 1, 10, team="search")]
    report = anomalies(ledger_of(*steady, *moved), "team", period=at(), now=NOW)
    assert found(report, "day", "scope", "value") == [("2024-10-11", "team", "ads")]


def test_a_label_that_no_call_has_is_not_told_beside_all(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 40), *days("2024-10-10", 1, 300)]
    report = anomalies(ledger_of(*calls), "team", period=at(), now=NOW)
    assert found(report, "scope", "value") == [("all", None)]
    some = [*calls, *days("2024-09-01", 1, 300, team="search")]
    report = anomalies(ledger_of(*some), "team", period=at(), now=NOW)
    assert found(report, "scope", "value") == [("all", None), ("team", None)]


def test_weekdays_are_held_against_their_like(ledger_of: MadeLedger) -> None:
    """Weekends cost 20, other days 100, from Monday 19 August on. A Saturday of 100 stands out, no Monday."""
    calls: list[Call] = []
    for number in range(62):
        day = date(2024, 8, 19) + timedelta(days=number)
        is_dear = day.weekday() < 5 or day == date(2024, 10, 12)
        calls += days(day.isoformat(), 1, 100 if is_dear else 20)
    report = anomalies(ledger_of(*calls), (), period=at(), now=NOW)
    assert found(report, "day", "cost", "expected") == [("2024-10-12", 100 * USD, 20 * USD)]


def test_an_impact_has_to_reach_a_floor_and_a_fifth_of_what_was_expected(ledger_of: MadeLedger) -> None:
    def told(usd: float, spike: float, least: int = 10) -> int:
        calls = [*days("2024-09-01", 40, usd), *days("2024-10-11", 1, spike)]
        return len(anomalies(ledger_of(*calls), (), period=at(), now=NOW, least=least).rows)

    assert told(5, 14) == 0  # 9 above 5
    assert told(5, 15) == 1
    assert told(5, 14, least=9) == 1
    # Steady as this is, a twentieth is one standard deviation, four of them 22 %: above a fifth already.
    assert told(1000, 1200) == 0
    assert told(1000, 1300) == 1


def test_without_two_weeks_of_history_there_is_no_verdict(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 13), *days("2024-09-14", 1, 5000), *days("2024-09-15", 1, 5000)]
    report = anomalies(ledger_of(*calls), (), period=at(), now=NOW)
    # On the 14th there are 13 days of history, on the 15th 14: the one spike in them is no level.
    assert found(report, "day", "rule") == [("2024-09-15", "level")]
    assert any("1 of 1 series had less than 14 days of history" in note for note in report.notes)


def test_only_days_of_the_period_are_judged_by_all_that_was_before(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 61), *days("2024-10-10", 1, 900), *days("2024-10-20", 1, 900)]
    report = anomalies(ledger_of(*calls), (), period=at(since="2024-10-15", until="2024-10-31"), now=NOW)
    assert found(report, "day") == [("2024-10-20",)]
    assert report.calls == 17 * 100 + 900  # of 15 to 31 October, at 1 USD each
    assert report.period is not None
    assert report.period.start == "2024-10-15T00:00:00+00:00"


def test_a_day_in_progress_counts_as_far_as_it_has_come(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 40), *days("2024-10-11", 1, 900)]
    now = datetime(2024, 10, 11, 13, tzinfo=UTC)
    report = anomalies(ledger_of(*calls), (), period=period(last="1d", zone=zone("UTC"), now=now), now=now)
    assert found(report, "day", "impact") == [("2024-10-11", 800 * USD)]
    assert "2024-10-11 counts as far as it has come: until 12:00" in report.notes
    before = datetime(2024, 10, 11, 11, tzinfo=UTC)
    assert anomalies(ledger_of(*calls), (), period=at(), now=before).rows == []


def test_the_top_are_those_with_the_greatest_impact_in_the_order_of_time(ledger_of: MadeLedger) -> None:
    spikes = [("2024-10-10", 900), ("2024-10-12", 300), ("2024-10-14", 500)]
    calls = days("2024-09-01", 50)
    for day, usd in spikes:
        calls += days(day, 1, usd)
    report = anomalies(ledger_of(*calls), (), period=at(), now=NOW, top=2)
    assert found(report, "day") == [("2024-10-10",), ("2024-10-14",)]
    assert report.figures["anomalies"] == 3  # whatever is shown


def test_days_that_the_ledger_does_not_know_are_told(ledger_of: MadeLedger) -> None:
    """Calls are known from 1 September to 10 October. What was not looked at is not said to be as usual."""
    ledger = ledger_of(*days("2024-09-01", 40))

    def asked(**said: str) -> tuple[object, tuple[str, ...]]:
        report = anomalies(ledger, (), period=at(**said), now=NOW)
        return report.figures["days"], report.notes

    short = "1 of 1 series had less than 14 days of history on some of these days: no verdict on their level"
    until = "calls are known until 2024-10-10 12:00: no day after that is looked at"
    assert asked(month="2024-11") == (0, (until,))
    assert asked(since="2024-10-01", until="2024-10-31") == (10, (until,))
    assert asked(since="2024-10-01", until="2024-10-11") == (10, ())  # the 11th may yet come
    assert asked(month="2023-01") == (0, ("the first call is of 2024-09-01: of these days nothing is known",))
    assert asked() == (40, (f"{short} then",))
    cut = "each day that the period touches is looked at as a whole"
    assert asked(since="2024-10-01T06:00", until="2024-10-05T06:00") == (5, (cut,))
    ledger = ledger_of()
    assert asked(month="2024-10") == (0, ("there are no calls: nothing is looked at",))


# --- rules that need no history of weeks ------------------------------------------------------------------


def test_a_model_whose_calls_cost_more_than_five_times_what_they_did(ledger_of: MadeLedger) -> None:
    """10 calls of 1 USD a day on four days; then 10 of 5.00 each, which is five times, then 10 of 6."""
    calls = [call for _ in range(10) for call in days("2024-10-01", 4, 1)]
    calls += days("2024-10-05", 1, 50, requests=10)
    calls += days("2024-10-06", 1, 60, requests=10)
    report = anomalies(ledger_of(*calls), (), period=at(), now=NOW)
    assert found(report, "day", "scope", "value", "rule", "cost", "expected") == [
        ("2024-10-06", "model", "opus", "cost per call", 60 * USD, 10 * USD)
    ]


def test_requests_count_and_not_rows(ledger_of: MadeLedger) -> None:
    """A row of 1,000 requests for 1,000 USD is no dearer a call; a row that does not say how many is none."""
    calls = [*days("2024-10-01", 4, 1), *days("2024-10-05", 1, 1000, requests=1000)]
    calls += days("2024-10-05", 1, 1000, requests=None)
    report = anomalies(ledger_of(*calls), (), period=at(), now=NOW)
    assert "cost per call" not in [row["rule"] for row in rows(report)]


def test_what_was_never_seen_before_may_not_cost_much_on_its_first_day(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-10-01", 10, 60, user_id="ada", api_key="k1")]  # on the ledger's first day all is new
    calls += days("2024-10-05", 1, 60, user_id="eve", api_key="k1")
    calls += days("2024-10-06", 1, 50, user_id="bob", api_key="k1")  # may cost 50
    calls += days("2024-10-07", 1, 70, user_id="ada", api_key="k2", model="new")
    calls += days("2024-10-08", 1, 999, user_id="eve", api_key="k2", model="new")
    report = anomalies(ledger_of(*calls), (), period=at(), now=NOW)
    assert found(report, "day", "scope", "value", "rule", "cost", "impact_share") == [
        ("2024-10-05", "user", "eve", "first day", 60 * USD, None),
        ("2024-10-07", "api_key", "k2", "first day", 70 * USD, None),
        ("2024-10-07", "model", "new", "first day", 70 * USD, None),
        # The 8th is no first day.
    ]


def test_how_much_the_unseen_may_cost_can_be_said(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-10-01", 3, 1, user_id="ada"), *days("2024-10-02", 1, 20, user_id="eve")]
    ledger = ledger_of(*calls)
    assert [len(anomalies(ledger, (), period=at(), now=NOW, unseen=usd).rows) for usd in (19, 20)] == [1, 0]


# --- who made them so -------------------------------------------------------------------------------------


def test_contributors_are_held_against_their_part_of_what_was_expected(ledger_of: MadeLedger) -> None:
    """search costs 100 a day: 75 in bot, 25 in index. On 11 October it costs 400: bot 75, index 45, and 280
    in a project that is new. index would have cost 25 of the 100 that were expected: it added 20."""
    calls = [*days("2024-09-01", 41, 75, team="search", project="bot", user_id="ada")]
    calls += days("2024-09-01", 40, 25, team="search", project="index")
    calls += days("2024-10-11", 1, 45, team="search", project="index")
    calls += days("2024-10-11", 1, 280, team="search", project="crawl", user_id="eve", model="sonnet")
    report = anomalies(ledger_of(*calls), "team", period=at(), now=NOW)
    (of_team,) = [row for row in rows(report) if row["scope"] == "team"]
    assert (of_team["impact"], of_team["expected"]) == (300 * USD, 100 * USD)
    assert of_team["contributors"] == (
        "project crawl, model sonnet, user eve +$280.00 (93%); project index, model opus +$20.00 (7%)"
    )
    assert f"2024-10-11 team search: {of_team['contributors']}" in report.notes


def test_three_contributors_are_named_at_most(ledger_of: MadeLedger) -> None:
    calls = days("2024-09-01", 41, 10, user_id="ada")
    for number in range(5):
        calls += days("2024-10-11", 1, 100 + number, user_id=f"u{number}")
    report = anomalies(ledger_of(*calls), (), period=at(), now=NOW, unseen=1000)
    (row,) = rows(report)
    assert row["contributors"] == (
        "model opus, user u4 +$104.00 (20%); model opus, user u3 +$103.00 (20%); "
        "model opus, user u2 +$102.00 (20%)"
    )


def test_a_tag_can_be_asked_for(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 40, tags={"env": "prod"}), *days("2024-10-11", 1, 900, tags={"env": "prod"})]
    report = anomalies(ledger_of(*calls), "tag:env", period=at(), now=NOW)
    assert ("tag:env", "prod", "model opus +$800.00 (100%)") in found(
        report, "scope", "value", "contributors"
    )


# --- what else is told ------------------------------------------------------------------------------------


def test_conditions_choose_calls(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 41, team="ads"), *days("2024-09-01", 41, team="search")]
    calls += days("2024-10-10", 1, 300, team="search")
    ledger = ledger_of(*calls)
    assert anomalies(ledger, "team", period=at(), now=NOW, where=["team=ads"]).rows == []
    assert len(anomalies(ledger, "team", period=at(), now=NOW, where=["team=search"]).rows) == 2


def test_an_empty_ledger_and_a_period_without_calls_have_none(ledger_of: MadeLedger) -> None:
    for ledger, asked in ((ledger_of(), at()), (ledger_of(*days("2024-09-01", 3)), at(month="2024-11"))):
        report = anomalies(ledger, period=asked, now=NOW)
        assert report.rows == []
        assert report.figures == {"days": 0, "anomalies": 0, "greatest_impact": 0}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"by": "team,day"}, "every day is looked at anyway"),
        ({"top": 0}, "the top 0 anomalies are none"),
        ({"least": -1}, "least impact: -1 USD is less than nothing"),
        ({"by": "taem"}, "unknown dimension 'taem'"),
    ],
)
def test_what_cannot_be_asked(ledger_of: MadeLedger, said: dict[str, Any], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        anomalies(ledger_of(), period=at(), now=NOW, **said)
