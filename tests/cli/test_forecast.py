"""``costctl forecast`` and ``costctl anomalies`` by the command line."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from tests.program import Costctl

pytestmark = pytest.mark.heavy

OPUS = "claude-opus-4-20250514"
"""15 USD per million tokens in (the book's price table)."""


@pytest.fixture
def ledger(costctl: Costctl) -> Costctl:
    """From 1 September to 14 October 2024 search calls once a day, for 15 USD; on 10 October ten times."""
    with (costctl.cwd / "usage.jsonl").open("w") as file:
        for number in range(44):
            day = date(2024, 9, 1) + timedelta(days=number)
            for turn in range(10 if day == date(2024, 10, 10) else 1):
                call = {"id": f"{number}-{turn}", "timestamp": f"{day}T12:00:00Z", "team": "search"}
                call |= {"model": OPUS, "input_tokens": 1_000_000, "output_tokens": 0}
                file.write(json.dumps(call) + "\n")
    assert costctl("ingest", "usage.jsonl").code == 0
    return costctl


NOW = ("--now", "2024-10-15T00:00")


def test_the_month_in_progress(ledger: Costctl) -> None:
    run = ledger("forecast", *NOW, "--format", "json")
    assert (run.code, run.err) == (0, "")
    (row,) = run.json["rows"]
    # 13 days of 15 and one of 150.
    assert (row["period"], row["spent"]) == ("2024-10", Decimal(345))
    assert row["forecast_low"] <= row["forecast"] <= row["forecast_high"]
    # 345 / 14 x 31 = 763.928571..., in whole pico-dollars
    assert row["run_rate"] == Decimal("763.928571428571")
    assert run.json["period"]["start"] == "2024-10-01T00:00:00+00:00"
    assert (run.json["command"], run.json["complete"]) == ("forecast", True)


@pytest.mark.parametrize("format", ["table", "csv", "md"])
def test_every_format(ledger: Costctl, format: str) -> None:
    for command in (
        ("forecast", "--by", "team", *NOW),
        ("forecast", "--backtest", *NOW),
        ("anomalies", *NOW),
    ):
        run = ledger(*command, "--format", format)
        assert run.code == 0
        assert "search" in run.out or "run rate" in run.out


def test_another_period_another_method(ledger: Costctl) -> None:
    arguments = ("--since", "2024-10-15", "--until", "2024-10-21", "--method", "run-rate", *NOW)
    (row,) = ledger("forecast", *arguments, "--format", "json").json["rows"]
    # A run rate of a period that has not begun is that of the last seven days: 6 x 15 + 150.
    assert (row["forecast"], row["method"]) == (Decimal(240), "run rate")


def test_a_stated_forecast(ledger: Costctl) -> None:
    run = ledger("forecast", *NOW, "--stated", "5000", "--format", "json")
    assert any(note.startswith("$5,000.00, which is stated, cannot") for note in run.json["notes"])


def test_a_backtest_is_of_no_period(ledger: Costctl) -> None:
    run = ledger("forecast", "--backtest", "--month", "2024-09", "--format", "json")
    assert run.code == 2
    assert run.error["message"] == "--backtest and --month contradict each other"
    assert "--now says until when" in run.error["hint"]


def test_before_the_first_call_there_is_nothing(ledger: Costctl) -> None:
    run = ledger("forecast", "--now", "2020-01-01")
    assert run.code == 0
    assert "Nothing to show." in run.out
    assert run.err == "no such calls before this time: there is nothing to continue\n"


def test_of_calls_that_are_none_nothing_is_said_but_that(ledger: Costctl) -> None:
    run = ledger("forecast", "--where", "team=nobody", *NOW, "--format", "json")
    assert run.json["notes"] == ["there is no whole day with such calls, from which to continue"]
    run = ledger("forecast", "--backtest", "--where", "team=nobody", *NOW, "--format", "json")
    assert (run.json["rows"], run.err) == ([], "")
    assert run.json["notes"] == [
        "a backtest needs a whole month of the calendar in which such calls cost something"
    ]


def test_anomalies(ledger: Costctl) -> None:
    run = ledger("anomalies", "--by", "team", *NOW, "--format", "json")
    assert run.code == 0
    assert [(row["day"], row["scope"], row["impact"]) for row in run.json["rows"]] == [
        ("2024-10-10", "all", Decimal(135)),
        ("2024-10-10", "team", Decimal(135)),
    ]
    assert (run.json["days"], run.json["anomalies"], run.json["greatest_impact"]) == (44, 2, Decimal(135))


def test_a_gate_for_cron(ledger: Costctl) -> None:
    def code(condition: str, *more: str) -> int:
        return ledger("anomalies", *NOW, "--fail-if", condition, *more).code

    assert code("impact > 134.99") == 4
    assert code("impact > 135") == 0
    assert code("impact_share > 800%") == 4
    assert code("cost >= 150") == 4
    assert code("anomalies > 0", "--since", "2024-10-11") == 0
    run = ledger("anomalies", "--by", "team", *NOW, "--fail-if", "impact > 100")
    assert "--fail-if impact > 100: 2024-10-10, team search: $135.00 above what was expected" in run.err


def test_a_gate_looks_at_what_is_not_shown_too(ledger: Costctl) -> None:
    """Ten times 15 USD are told of all, of the team and of the model."""
    run = ledger("anomalies", *NOW, "--top", "1", "--fail-if", "anomalies > 2", "--format", "json")
    assert (run.code, len(run.json["rows"]), run.json["anomalies"]) == (4, 1, 3)
    assert run.err == "--fail-if anomalies > 2: there are 3\n"


def test_no_gate_is_passed_by_days_of_which_nothing_is_known(ledger: Costctl) -> None:
    """The last call is of 14 October; a month later nothing was ingested."""
    run = ledger("anomalies", "--last", "1d", "--now", "2024-11-14T09:00", "--fail-if", "impact > 100")
    assert run.code == 4
    assert "calls are known until 2024-10-14 12:00: no day after that is looked at" in run.out
    assert run.err == "--fail-if impact > 100: it cannot be told: no day of this period is known\n"


def test_a_condition_that_is_none(ledger: Costctl) -> None:
    run = ledger("anomalies", "--fail-if", "imapct > 100", "--format", "json")
    assert (run.code, run.out) == (2, "")
    assert run.error["hint"].startswith("did you mean impact?")


def test_the_floor_is_an_option(ledger: Costctl) -> None:
    assert ledger("anomalies", *NOW, "--min-impact", "136", "--format", "json").json["rows"] == []
    run = ledger("anomalies", *NOW, "--min-impact", "much", "--format", "json")
    assert run.error["message"] == "--min-impact: 'much' is not an amount in USD"


def test_in_another_currency(ledger: Costctl) -> None:
    (ledger.cwd / "currency.yaml").write_text("rates:\n  TWD:\n    2024-01-01: 32\n")
    run = ledger("forecast", *NOW, "--currency", "TWD", "--format", "json")
    assert (run.code, run.json["rows"][0]["spent_twd"]) == (0, 345 * 32)
