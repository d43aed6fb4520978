"""Calls by hour, day, week and month of a zone, and the units that have none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from by_hand import ALWAYS, at

from costctl.analysis import QuestionError, summary
from costctl.ledger import Ledger
from costctl.periods import Period
from costctl.report import Chart, Report

Make = Callable[..., Ledger]


def costs(ledger: Ledger, by: str, period: Period, **asked: object) -> list[tuple[object, ...]]:
    return summary(ledger, by, period=period, columns=["cost"], **asked).rows  # type: ignore[arg-type]


# The clocks of Berlin went back from 03:00 to 02:00 at 01:00 UTC on 27 October 2024.
AROUND_BERLINS_LONG_DAY = [
    {"ts": ts, "cost_pico": 2**number}
    for number, ts in enumerate(
        [
            "2024-10-26 21:59:59.999999",  # 23:59 on the 26th, two hours ahead
            "2024-10-26 22:00:00",  # 00:00 on the 27th
            "2024-10-27 00:30:00",  # 02:30 for the first time
            "2024-10-27 01:30:00",  # 02:30 again, one hour ahead
            "2024-10-27 22:59:59.999999",  # 23:59
            "2024-10-27 23:00:00",  # 00:00 on the 28th
        ]
    )
]


def test_a_day_of_25_hours(ledger_of: Make) -> None:
    ledger = ledger_of(*AROUND_BERLINS_LONG_DAY)
    berlin = costs(ledger, "day", at("Europe/Berlin"))
    assert berlin == [("2024-10-26", 1), ("2024-10-27", 2 + 4 + 8 + 16), ("2024-10-28", 32)]
    assert costs(ledger, "day", at("UTC")) == [("2024-10-26", 1 + 2), ("2024-10-27", 4 + 8 + 16 + 32)]
    hours = costs(ledger, "hour", at("Europe/Berlin", since="2024-10-27", until="2024-10-27"))
    assert len(hours) == 25
    assert [hour for hour in hours if hour[1]] == [
        ("2024-10-27 00:00+02:00", 2),
        ("2024-10-27 02:00+02:00", 4),
        ("2024-10-27 02:00+01:00", 8),
        ("2024-10-27 23:00+01:00", 16),
    ]


def test_a_day_of_23_hours(ledger_of: Make) -> None:
    # Forward from 02:00 to 03:00 at 01:00 UTC on 31 March 2024.
    ledger = ledger_of(
        {"ts": "2024-03-30 23:00:00", "cost_pico": 1},  # 00:00 on the 31st
        {"ts": "2024-03-31 01:00:00", "cost_pico": 2},  # 03:00
        {"ts": "2024-03-31 21:59:59", "cost_pico": 4},  # 23:59
        {"ts": "2024-03-31 22:00:00", "cost_pico": 8},  # 00:00 on 1 April
    )
    assert costs(ledger, "day", at("Europe/Berlin")) == [("2024-03-31", 7), ("2024-04-01", 8)]
    assert costs(ledger, "month", at("Europe/Berlin")) == [("2024-03", 7), ("2024-04", 8)]
    assert costs(ledger, "month", ALWAYS) == [("2024-03", 15)]
    hours = costs(ledger, "hour", at("Europe/Berlin", since="2024-03-31", until="2024-03-31"))
    assert len(hours) == 23
    assert [hour[0] for hour in hours[1:3]] == ["2024-03-31 01:00+01:00", "2024-03-31 03:00+02:00"]


def test_the_month_of_a_zone(ledger_of: Make) -> None:
    # Midnight in Taipei is 16:00 UTC of the day before.
    ledger = ledger_of(
        {"ts": "2024-09-30 15:59:59.999999", "cost_pico": 1},
        {"ts": "2024-09-30 16:00:00", "cost_pico": 2},
        {"ts": "2024-10-31 15:59:59.999999", "cost_pico": 4},
        {"ts": "2024-10-31 16:00:00", "cost_pico": 8},
    )
    taipei = at("Asia/Taipei", month="2024-10")
    assert summary(ledger, (), period=taipei, columns=["cost"]).rows == [(6,)]
    assert costs(ledger, "month", taipei) == [("2024-10", 6)]
    assert costs(ledger, "month", at("Asia/Taipei")) == [("2024-09", 1), ("2024-10", 6), ("2024-11", 8)]
    assert costs(ledger, "month", at("UTC")) == [("2024-09", 3), ("2024-10", 12)]


def test_weeks_begin_on_monday(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"ts": "2024-12-29 23:59:59", "cost_pico": 1},  # a Sunday
        {"ts": "2024-12-30 00:00:00", "cost_pico": 2},  # ISO 8601 counts this Monday to 2025
        {"ts": "2025-01-05 23:59:59", "cost_pico": 4},
    )
    assert costs(ledger, "week", ALWAYS) == [("2024-W52", 1), ("2025-W01", 6)]


def test_time_ascends_and_within_it_the_dearest_comes_first(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"ts": "2024-10-02 01:00:00", "team": "a", "cost_pico": 9},
        {"ts": "2024-10-01 01:00:00", "team": "a", "cost_pico": 1},
        {"ts": "2024-10-01 02:00:00", "team": "b", "cost_pico": 2},
    )
    ordered = [("2024-10-01", "b", 2), ("2024-10-01", "a", 1), ("2024-10-02", "a", 9)]
    assert costs(ledger, "day,team", ALWAYS) == ordered
    assert costs(ledger, "team,day", ALWAYS) == [(team, day, cost) for day, team, cost in ordered]
    assert costs(ledger, "team,day", ALWAYS, sort="cost")[0] == ("a", "2024-10-02", 9)
    assert costs(ledger, "day", ALWAYS, sort="day:desc") == [("2024-10-02", 9), ("2024-10-01", 3)]
    assert costs(ledger, "month,day", ALWAYS) == [("2024-10", "2024-10-01", 3), ("2024-10", "2024-10-02", 9)]


# --- units without calls -----------------------------------------------------------------------------------

SPARSE = [
    {"ts": "2024-10-01 08:00:00", "team": "b", "cost_pico": 1},
    {"ts": "2024-10-03 08:00:00", "team": "a", "cost_pico": 2},
    {"ts": "2024-10-06 08:00:00", "team": "b", "cost_pico": 4},
]


def days(report: Report) -> list[object]:
    return [row[0] for row in report.rows]


def test_a_trend_skips_no_day_that_the_ledger_knows_of(ledger_of: Make) -> None:
    ledger = ledger_of(*SPARSE)
    report = summary(ledger, "day", period=ALWAYS)
    assert days(report) == [f"2024-10-0{day}" for day in range(1, 7)]
    assert report.charts == (Chart("spark", "cost"),)
    empty = dict(zip([column.name for column in report.columns], report.rows[1], strict=True))
    assert empty["cost"] == empty["requests"] == empty["output_tokens"] == 0
    assert empty["share"] == Decimal(0)
    for unknown in ("mean_latency_ms", "p95_latency_ms", "success_rate", "cost_per_request"):
        assert empty[unknown] is None
    # Team a has calls on one day, but on the others the ledger knows that it has none.
    assert len(summary(ledger, "day", period=ALWAYS, where=["team=a"]).rows) == 6


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("2024-10-02", "2024-10-04", 2, 4),
        ("2024-10-04", "2024-10-05", 4, 5),  # no calls at all: zeros, not nothing
        ("2024-09-01", "2024-10-02", 1, 2),  # before the first call nothing is known
        ("2024-10-05", "2024-12-31", 5, 6),  # nor after the last
    ],
)
def test_it_keeps_to_the_period(ledger_of: Make, since: str, until: str, first: int, last: int) -> None:
    report = summary(ledger_of(*SPARSE), "day", period=at(since=since, until=until))
    assert days(report) == [f"2024-10-0{day}" for day in range(first, last + 1)]


def test_combinations_and_the_top_have_only_rows_with_calls(ledger_of: Make) -> None:
    ledger = ledger_of(*SPARSE)
    assert len(summary(ledger, "day,team", period=ALWAYS).rows) == 3
    assert days(summary(ledger, "day", period=ALWAYS, top=2)) == ["2024-10-06", "2024-10-03", "other (1 row)"]


# --- time against another ----------------------------------------------------------------------------------

PIVOT = [
    {"ts": "2024-10-01 08:00:00", "model": "opus", "cost_pico": 10, "cache_read_tokens": 3},
    {"ts": "2024-10-01 09:00:00", "model": "haiku", "cost_pico": 1, "requests": 4, "input_tokens": 1},
    {"ts": "2024-10-03 08:00:00", "model": "haiku", "cost_pico": 2},
    {"ts": "2024-10-03 08:00:00", "model": "sonnet", "cost_pico": 2, "requests": 2},
]


@pytest.mark.parametrize("by", ["day,model", "model,day"])
def test_pivot_has_a_row_a_day_and_a_column_a_model(ledger_of: Make, by: str) -> None:
    report = summary(ledger_of(*PIVOT), by, period=ALWAYS, pivot=True)
    assert [column.name for column in report.columns] == [
        "day",
        "model=opus",
        "model=haiku",
        "model=sonnet",
        "total",
    ]
    assert [column.title for column in report.columns[1:4]] == ["opus", "haiku", "sonnet"]
    assert {column.kind for column in report.columns[1:]} == {"money"}
    # Opus 10, haiku 1 + 2, sonnet 2; nobody called anything on the 2nd.
    assert report.rows == [
        ("2024-10-01", 10, 1, 0, 11),
        ("2024-10-02", 0, 0, 0, 0),
        ("2024-10-03", 0, 2, 2, 4),
    ]
    assert report.totals == (None, 10, 3, 2, 15)
    assert report.title == "Cost by day and model"
    assert report.calls == 8


def test_pivot_of_another_measure_and_of_rates(ledger_of: Make) -> None:
    ledger = ledger_of(*PIVOT)
    requests = summary(ledger, "month,model", period=ALWAYS, pivot=True, columns=["requests"])
    assert requests.rows == [("2024-10", 1, 5, 2, 8)]
    assert requests.title == "Requests by month and model"
    rates = summary(ledger, "day,model", period=ALWAYS, pivot=True, columns=["caching_rate"])
    # 3 of 3 tokens and 0 of 1: 3 of 4 in all. The 3rd has no tokens.
    assert rates.rows[0] == ("2024-10-01", Decimal(1), Decimal(0), None, Decimal("0.75"))
    assert rates.rows[2] == ("2024-10-03", None, None, None, None)
    assert rates.totals == (None, Decimal(1), Decimal(0), None, Decimal("0.75"))


def test_pivot_top_joins_the_other_columns(ledger_of: Make) -> None:
    report = summary(ledger_of(*PIVOT), "day,model", period=ALWAYS, pivot=True, top=1)
    assert [column.name for column in report.columns] == ["day", "model=opus", "other", "total"]
    assert report.columns[2].title == "other (2)"
    assert report.rows == [("2024-10-01", 10, 1, 11), ("2024-10-02", 0, 0, 0), ("2024-10-03", 0, 4, 4)]
    assert len(summary(ledger_of(*PIVOT), "day,model", period=ALWAYS, pivot=True, top=3).columns) == 5


def test_pivot_columns_of_any_name(ledger_of: Make) -> None:
    names = ["day", "total", "other", "unknown", "a=b", "a,b", "*", None]
    calls = [{"team": name, "cost_pico": 100 - number} for number, name in enumerate(names)]
    report = summary(ledger_of(*calls), "day,team", period=ALWAYS, pivot=True)
    assert [column.name for column in report.columns] == [
        "day",
        "team=day",
        "team=total",
        "team=other",
        "team=unknown",
        "team=a=b",
        "team=a\\,b",
        "team=\\*",
        "team=",
        "total",
    ]
    assert report.rows[0][1:-1] == (100, 99, 98, 97, 96, 95, 94, 93)
    assert report.columns[-2].title == "unknown"
    # A column's name is the filter that finds its calls.
    for column, cost in zip(report.columns[1:-1], report.rows[0][1:-1], strict=True):
        found = summary(ledger_of(*calls), (), period=ALWAYS, where=[column.name], columns=["cost"])
        assert found.rows == [(cost,)]


@pytest.mark.parametrize(
    ("by", "asked", "message"),
    [
        ("team,model", {}, "one of them time"),
        ("day,month", {}, "one of them time"),
        ("day", {}, "one of them time"),
        ("day,team,model", {}, "one of them time"),
        ("day,team", {"columns": ["cost", "requests"]}, "one measure"),
        ("day,team", {"columns": ["p95_latency_ms"]}, "p95_latency_ms"),
        ("day,team", {"sort": "cost"}, "sorted"),
    ],
)
def test_what_cannot_be_pivoted(ledger_of: Make, by: str, asked: dict[str, object], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        summary(ledger_of(), by, period=ALWAYS, pivot=True, **asked)  # type: ignore[arg-type]
