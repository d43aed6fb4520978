"""The bill of a month, and the cost summary of application code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from by_hand import USD

from costctl.analysis import QuestionError, bill, cost_summary
from costctl.ledger import Ledger
from costctl.periods import PeriodError
from costctl.report import Report, Unpriced

Make = Callable[..., Ledger]

BERLIN = ZoneInfo("Europe/Berlin")

# TechCorp's: October 89,450 + 32,100 + 6,300 = 127,850; September 38,200, of which 24,000 + 11,700 + 2,500.
TECHCORP = [
    {"ts": ts, "model": model, "cost_pico": cost * USD}
    for ts, model, cost in [
        ("2024-09-10 12:00:00", "opus", 24_000),
        ("2024-09-11 12:00:00", "sonnet", 11_700),
        ("2024-09-12 12:00:00", "haiku", 2_500),
        ("2024-10-10 12:00:00", "opus", 80_000),
        ("2024-10-11 12:00:00", "opus", 9_450),
        ("2024-10-12 12:00:00", "sonnet", 32_100),
        ("2024-10-13 12:00:00", "haiku", 6_300),
        ("2024-08-31 12:00:00", "opus", 1_000_000),
        ("2024-11-01 12:00:00", "opus", 1_000_000),
    ]
]


def cells(report: Report, *names: str) -> list[tuple[Any, ...]]:
    places = [[column.name for column in report.columns].index(name) for name in names]
    assert report.totals is not None
    return [tuple(row[place] for place in places) for row in (*report.rows, report.totals)]


def test_the_bill_of_techcorp(ledger_of: Make) -> None:
    report = bill(ledger_of(*TECHCORP), month="2024-10", zone=BERLIN, budget=28_000)
    assert report.command == "bill"
    assert cells(report, "model", "cost", "share", "month_before", "growth") == [
        # 89,450 / 127,850; 89,450 / 24,000 - 1; and so on.
        ("opus", 89_450 * USD, Decimal("0.699648"), 24_000 * USD, Decimal("2.727083")),
        ("sonnet", 32_100 * USD, Decimal("0.251075"), 11_700 * USD, Decimal("1.743590")),
        ("haiku", 6_300 * USD, Decimal("0.049276"), 2_500 * USD, Decimal("1.520000")),
        (None, 127_850 * USD, Decimal(1), 38_200 * USD, Decimal("2.346859")),
    ]
    assert report.figures == {
        "month_before": 38_200 * USD,
        "growth": Decimal("2.346859"),  # (127,850 - 38,200) / 38,200: 234.7 %
        "annualised": 1_534_200 * USD,  # x 12
        "budget": 28_000 * USD,
        "over_budget": 99_850 * USD,  # 127,850 - 28,000
        "overrun": Decimal("3.566071"),  # 99,850 / 28,000: 356.6 %
    }
    assert [column.name for column in report.figure_columns] == list(report.figures)
    assert report.calls == 4
    assert report.period is not None
    assert report.period.start == "2024-10-01T00:00:00+02:00"
    assert report.period.end == "2024-11-01T00:00:00+01:00"
    assert report.complete


def test_without_budget_or_month_before(ledger_of: Make) -> None:
    report = bill(ledger_of(*TECHCORP), month="2024-08", zone=BERLIN)
    assert report.figures == {"month_before": 0, "growth": None, "annualised": 12_000_000 * USD}
    assert cells(report, "month_before", "growth") == [(0, None), (0, None)]


def test_below_the_budget(ledger_of: Make) -> None:
    # 38,200 - 50,000 = -11,800; / 50,000 = -0.236.
    report = bill(ledger_of(*TECHCORP), month="2024-09", zone=BERLIN, budget=Decimal("50000.00"))
    assert report.figures["over_budget"] == -11_800 * USD
    assert report.figures["overrun"] == Decimal("-0.236")


def test_a_model_of_only_one_of_the_months(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"ts": "2024-09-10 12:00:00", "model": "old", "cost_pico": 3},
        {"ts": "2024-10-10 12:00:00", "model": "new", "cost_pico": 6},
    )
    assert cells(bill(ledger, month="2024-10", zone=BERLIN), "model", "cost", "month_before", "growth") == [
        ("new", 6, 0, None),
        ("old", 0, 3, Decimal(-1)),
        (None, 6, 3, Decimal(1)),
    ]


def test_months_are_the_zones(ledger_of: Make) -> None:
    # 00:30 on 1 October in Berlin, and the instant its November begins (winter time).
    ledger = ledger_of(
        {"ts": "2024-09-30 22:30:00", "cost_pico": 1}, {"ts": "2024-10-31 23:00:00", "cost_pico": 2}
    )
    assert bill(ledger, month="2024-10", zone=BERLIN).totals[1] == 1  # type: ignore[index]
    assert bill(ledger, month="2024-10", zone=ZoneInfo("UTC")).totals[1] == 2  # type: ignore[index]
    now = datetime(2024, 11, 1, 0, 0, tzinfo=UTC)
    assert bill(ledger, month="last-month", zone=BERLIN, now=now).totals[1] == 1  # type: ignore[index]


def test_unpriced_calls_of_either_month_make_it_incomplete(ledger_of: Make) -> None:
    gap = {"cost_pico": None, "price_id": None}
    ledger = ledger_of(
        {"ts": "2024-09-10 12:00:00", "model": "x", "requests": 2, "input_tokens": 5, **gap},
        {"ts": "2024-10-10 12:00:00", "model": "y", "output_tokens": 7, **gap},
        {"ts": "2024-11-10 12:00:00", "model": "y", "cost_pico": 1},
    )
    october = bill(ledger, month="2024-10", zone=BERLIN)
    assert (october.complete, october.unpriced) == (False, Unpriced(3, 12, ("x", "y")))
    assert bill(ledger, month="2024-11", zone=BERLIN).unpriced == Unpriced(1, 7, ("y",))
    assert bill(ledger, month="2024-12", zone=BERLIN).complete


def test_where(ledger_of: Make) -> None:
    report = bill(ledger_of(*TECHCORP), month="2024-10", zone=BERLIN, where=["model=haiku"])
    assert report.figures["month_before"] == 2_500 * USD
    assert report.filters == ("model=haiku",)


@pytest.mark.parametrize("budget", [0, -1, Decimal("0.0000000000001"), Decimal("NaN")])
def test_a_budget_that_is_none(ledger_of: Make, budget: Decimal | int) -> None:
    with pytest.raises(QuestionError, match="budget"):
        bill(ledger_of(), month="2024-10", zone=BERLIN, budget=budget)


def test_a_month_that_is_none(ledger_of: Make) -> None:
    with pytest.raises(PeriodError):
        bill(ledger_of(), month="2024-13", zone=BERLIN)


# --- the cost summary --------------------------------------------------------------------------------------

CALLS = [
    {"team": "search", "project": "p", "user_id": "u", "model": "opus", "ts": "2024-10-01 00:00:00"}
    | {"input_tokens": 100, "cache_read_tokens": 300, "output_tokens": 10, "cost_pico": USD // 2}
    | {"latency_ms": 0, "success": True},
    {"team": "search", "project": "q", "model": "haiku", "ts": "2024-10-07 23:59:59.999999", "requests": 3}
    | {"input_tokens": 500, "cache_write_5m_tokens": 100, "output_tokens": 20, "cost_pico": USD // 4}
    | {"latency_ms": 400, "success": False},
    {"team": "search", "model": "haiku", "ts": "2024-10-08 00:00:00", "cost_pico": 100 * USD},  # too late
    {"team": "search", "model": "haiku", "ts": "2024-09-30 23:59:59.999999", "cost_pico": 100 * USD},
    {"team": "ads", "model": "haiku", "ts": "2024-10-02 00:00:00", "cost_pico": 100 * USD},
]
START, END = datetime(2024, 10, 1, tzinfo=UTC), datetime(2024, 10, 8, tzinfo=UTC)


def test_the_structure_of_get_cost_summary(ledger_of: Make) -> None:
    assert cost_summary(ledger_of(*CALLS), "team", "search", START, END) == {
        "summary": {
            "total_cost": Decimal("0.75"),  # 0.50 + 0.25
            "total_requests": 4,  # 1 + 3
            "total_input_tokens": 1000,  # 100 + 300 + 500 + 100
            "total_output_tokens": 30,
            "total_cached_tokens": 300,
            "success_rate": Decimal("0.25"),  # 1 of 4
            "avg_latency_ms": Decimal(300),  # (0 x 1 + 400 x 3) / 4
            "caching_rate": Decimal("0.3"),  # 300 / 1000
            "avg_cost_per_request": Decimal("0.1875"),  # 0.75 / 4
        },
        "by_model": {
            "opus": {"requests": 1, "cost": Decimal("0.50"), "input_tokens": 400, "output_tokens": 10},
            "haiku": {"requests": 3, "cost": Decimal("0.25"), "input_tokens": 600, "output_tokens": 20},
        },
        "period": {"start": "2024-10-01T00:00:00+00:00", "end": "2024-10-08T00:00:00+00:00", "days": 7},
    }


def test_by_project_user_and_tag_and_of_none(ledger_of: Make) -> None:
    ledger = ledger_of(*CALLS, {"tags": {"env": "a,b*"}, "cost_pico": 3, "ts": "2024-10-02 00:00:00"})

    def cost(dimension: str, id: str | None) -> Decimal:
        found: Decimal = cost_summary(ledger, dimension, id, START, END)["summary"]["total_cost"]
        return found

    assert cost("project", "q") == Decimal("0.25")
    assert cost("user", "u") == Decimal("0.50")
    assert cost("tag:env", "a,b*") == Decimal("0.000000000003")
    assert cost("team", None) == Decimal("0.000000000003")
    assert cost("team", "sea*") == 0


def test_no_calls_is_zero_and_unknown_rates(ledger_of: Make) -> None:
    found = cost_summary(ledger_of(*CALLS), "team", "nobody", START, END)
    assert found["summary"]["total_cost"] == 0
    assert found["summary"]["total_requests"] == 0
    assert found["summary"]["success_rate"] is None
    assert found["summary"]["avg_latency_ms"] is None
    assert found["by_model"] == {}


def test_times_without_a_zone_are_utc_and_others_are_converted(ledger_of: Make) -> None:
    ledger = ledger_of(*CALLS)
    naive = cost_summary(ledger, "team", "search", datetime(2024, 10, 1), datetime(2024, 10, 8))
    assert naive == cost_summary(ledger, "team", "search", START, END)
    east = timezone(timedelta(hours=8))
    # 08:00 in the east is midnight UTC.
    same = cost_summary(
        ledger, "team", "search", datetime(2024, 10, 1, 8, tzinfo=east), datetime(2024, 10, 8, 8, tzinfo=east)
    )
    assert same["summary"] == naive["summary"]


@pytest.mark.parametrize("dimension", ["teams", "", "day", "cost", "team' OR 1=1 --"])
def test_an_unknown_dimension_is_an_error(ledger_of: Make, dimension: str) -> None:
    with pytest.raises(QuestionError):
        cost_summary(ledger_of(*CALLS), dimension, "search", START, END)


def test_an_end_before_the_start_is_an_error(ledger_of: Make) -> None:
    with pytest.raises(QuestionError, match="before"):
        cost_summary(ledger_of(), "team", "search", END, START)


@pytest.mark.parametrize("start", [START.date(), "2024-10-01"])
def test_a_date_is_no_time(ledger_of: Make, start: object) -> None:
    with pytest.raises(QuestionError, match="is no datetime"):
        cost_summary(ledger_of(), "team", "search", start, END)  # type: ignore[arg-type]
