"""What a period comes to: of ledgers stated by hand, and of TechCorp's September and October."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from by_hand import USD, Call
from hypothesis import given
from hypothesis import strategies as st

from costctl.analysis import QuestionError, backtest, forecast, summary
from costctl.analysis.calls import Calls
from costctl.analysis.daily import daily
from costctl.analysis.dimensions import dimensions
from costctl.ingest import ingest
from costctl.ledger import Ledger
from costctl.periods import Period, period, zone
from costctl.pricing.book import PriceBook
from costctl.report import Report

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
UTC_ZONE = zone("UTC")


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def month(name: str, tz: str = "UTC") -> Period:
    return period(month=name, zone=zone(tz), now=when("2024-12-01"))


def days(first: str, count: int, usd: float = 10, at: str = "12:00", **labels: Any) -> list[Call]:
    """A call on each of so many days."""
    start = date.fromisoformat(first)
    return [
        {"ts": f"{start + timedelta(days=number)} {at}:00", "cost_pico": round(usd * USD), **labels}
        for number in range(count)
    ]


def rows(report: Report) -> list[dict[str, Any]]:
    names = [column.name for column in report.columns]
    return [dict(zip(names, cells, strict=True)) for cells in report.rows]


def total(report: Report) -> dict[str, Any]:
    assert report.totals is not None
    return dict(zip([column.name for column in report.columns], report.totals, strict=True))


MadeLedger = Callable[..., Ledger]


def test_a_month_in_its_middle(ledger_of: MadeLedger) -> None:
    """10 USD a day from 1 September on. On 15 October, at 9, 14 whole days are spent, 17 are to come."""
    ledger = ledger_of(*days("2024-09-01", 44))
    report = forecast(ledger, period=month("2024-10"), now=when("2024-10-15T09:00"))
    (row,) = rows(report)
    assert row == {
        "period": "2024-10",
        "spent": 140 * USD,
        "forecast": 310 * USD,
        "forecast_low": 310 * USD,
        "forecast_high": 310 * USD,
        "run_rate": 310 * USD,  # 140 / 14 x 31
        "annualised": 3720 * USD,  # x 12, as a bill's
        "method": "weekdays",
        "days_of_history": 44,
        "confidence": "usual",
    }
    assert report.period is not None
    assert (report.period.start, report.period.label) == ("2024-10-01T00:00:00+00:00", "2024-10")


def test_the_day_in_progress_counts_what_it_has_and_the_rest_of_a_usual_one(ledger_of: MadeLedger) -> None:
    """Each day costs 2 USD at 6:00 and 8 at 18:00. Today has cost 5 at 6:00; it is 12:00, and a call at that
    time says that the ledger knows of it. By 12:00 a fifth of a day usually has come: 8 USD are to come."""
    calls = [*days("2024-09-01", 44, 2, "06:00"), *days("2024-09-01", 44, 8, "18:00")]
    calls += [*days("2024-10-15", 1, 5, "06:00"), *days("2024-10-15", 1, 0, "12:00")]
    report = forecast(ledger_of(*calls), period=month("2024-10"), now=when("2024-10-15T12:00"))
    (row,) = rows(report)
    # 14 days of 10, 5 so far, 8 of the rest of today, 16 days of 10.
    assert (row["spent"], row["forecast"]) == (145 * USD, (140 + 5 + 8 + 160) * USD)
    assert row["run_rate"] == 310 * USD  # of whole days
    assert any("20.0% of a day's cost usually has come" in note for note in report.notes)


def test_the_last_day_with_calls_is_whole_once_it_is_over(ledger_of: MadeLedger) -> None:
    ledger = ledger_of(*days("2024-09-01", 44))  # until 14 October, 12:00
    for now in ("2024-10-14T12:00", "2024-10-15T00:00", "2024-10-20T00:00"):
        (row,) = rows(forecast(ledger, period=month("2024-10"), now=when(now)))
        assert (row["spent"], row["forecast"]) == (140 * USD, 310 * USD)
    very_last = {"ts": "2024-10-14 23:59:59.999999", "cost_pico": 10 * USD}
    at_its_very_end = ledger_of(*days("2024-09-01", 43), very_last)
    (row,) = rows(forecast(at_its_very_end, period=month("2024-10"), now=when("2024-10-20T00:00")))
    assert (row["spent"], row["forecast"], row["days_of_history"]) == (140 * USD, 310 * USD, 44)
    late = forecast(ledger, period=month("2024-10"), now=when("2024-10-20T00:00"))
    assert "the last call is of 2024-10-14: of 5 days since then nothing is known" in late.notes


def test_calls_after_the_time_asked_about_do_not_count(ledger_of: MadeLedger) -> None:
    until, beyond = days("2024-09-01", 44), days("2024-10-15", 20, 999)
    now = when("2024-10-15T00:00")
    of_both = forecast(ledger_of(*until, *beyond), period=month("2024-10"), now=now)
    assert rows(of_both) == rows(forecast(ledger_of(*until), period=month("2024-10"), now=now))


def test_a_period_that_is_over_is_what_it_cost(ledger_of: MadeLedger) -> None:
    ledger = ledger_of(*days("2024-09-01", 20, 10), *days("2024-09-21", 20, 35))
    report = forecast(ledger, period=month("2024-09"), now=when("2024-10-10T13:00"))
    (row,) = rows(report)
    cost = (20 * 10 + 10 * 35) * USD
    assert [row[name] for name in ("spent", "forecast", "forecast_low", "forecast_high")] == [cost] * 4
    assert (row["run_rate"], row["annualised"]) == (cost, 12 * cost)
    assert report.notes == ("the period is over: this is what it cost",)
    assert report.calls == 30  # of the period, for it stands on no others


def test_any_period_of_whole_days(ledger_of: MadeLedger) -> None:
    ledger = ledger_of(*days("2024-09-01", 44))

    def asked(since: str, until: str) -> dict[str, Any]:
        now = when("2024-10-15T00:00")
        (row,) = rows(
            forecast(ledger, period=period(since=since, until=until, zone=UTC_ZONE, now=now), now=now)
        )
        return row

    quarter = asked("2024-Q4", "2024-Q4")
    assert (quarter["forecast"], quarter["annualised"]) == (920 * USD, 3680 * USD)  # 92 days; 4 a year
    week = asked("2024-W42", "2024-W42")  # Monday 14 to Sunday 20: one day is known
    assert (week["spent"], week["forecast"]) == (10 * USD, 70 * USD)
    assert week["annualised"] == 3650 * USD  # 70 x 365 / 7
    to_come = asked("2024-10-20", "2024-10-21")
    assert (to_come["spent"], to_come["forecast"], to_come["run_rate"]) == (0, 20 * USD, None)


def test_a_period_without_end_or_of_parts_of_days_is_none(ledger_of: MadeLedger) -> None:
    ledger, now = ledger_of(*days("2024-09-01", 3)), when("2024-10-15")
    for since, until in (("2024-10", None), (None, "2024-10"), ("2024-10-01T07:00", "2024-10")):
        asked = period(since=since, until=until, zone=UTC_ZONE, now=now)
        with pytest.raises(QuestionError, match="a forecast is of"):
            forecast(ledger, period=asked, now=now)


def test_by_team_the_total_is_forecast_by_itself(ledger_of: MadeLedger) -> None:
    """search costs 30 a day for eight weeks; ads began three days ago with 6 a day, which is no weekday's."""
    calls = [*days("2024-08-19", 57, 30, team="search"), *days("2024-10-12", 3, 6, team="ads")]
    report = forecast(ledger_of(*calls), "team", period=month("2024-10"), now=when("2024-10-15"))
    search, ads = rows(report)
    assert (search["team"], search["forecast"], search["method"]) == ("search", 930 * USD, "weekdays")
    assert (ads["team"], ads["spent"], ads["forecast"]) == ("ads", 18 * USD, (18 + 17 * 6) * USD)
    assert (ads["method"], ads["confidence"], ads["days_of_history"]) == ("run rate", "low", 3)
    assert total(report)["spent"] == (14 * 30 + 18) * USD
    assert "the total is forecast by itself: the rows need not add up to it" in report.notes


def test_the_top_and_one_row_for_the_rest(ledger_of: MadeLedger) -> None:
    calls = [call for team in "abcd" for call in days("2024-09-01", 44, ord(team) - 96, team=team)]
    report = forecast(ledger_of(*calls), "team", period=month("2024-10"), now=when("2024-10-15"), top=1)
    assert [(row["team"], row["forecast"]) for row in rows(report)] == [
        ("d", 4 * 31 * USD),
        ("other (3 rows)", (1 + 2 + 3) * 31 * USD),
    ]


def test_a_zone_decides_what_a_day_is(ledger_of: MadeLedger) -> None:
    """At 20:00 UTC it is tomorrow in Taipei: the call of 30 September belongs to October."""
    ledger = ledger_of(*days("2024-09-01", 44, at="20:00"))
    (row,) = rows(forecast(ledger, period=month("2024-10", "Asia/Taipei"), now=when("2024-10-15T00:00")))
    # In Taipei it is 8:00 on the 15th, on which one call has been: 14 + 1 days are spent, 16 to come.
    assert (row["spent"], row["forecast"]) == (150 * USD, 310 * USD)


def test_a_time_of_day_is_the_zones_own_on_either_side_of_a_clock_change(ledger_of: MadeLedger) -> None:
    """In Berlin each day costs 3 USD at 6:00 and 7 at 18:00; clocks went back on 27 October. By noon of 8
    November 30 % of a day usually have come: 3 so far, and 7 of the rest of the day."""
    berlin = zone("Europe/Berlin")
    calls = []
    for number in range(39):
        day = date(2024, 10, 1) + timedelta(days=number)
        for hour, usd in ((6, 3), (18, 7)):
            local = datetime(day.year, day.month, day.day, hour, tzinfo=berlin)
            calls.append({"ts": f"{local.astimezone(UTC):%Y-%m-%d %H:%M:%S}", "cost_pico": usd * USD})
    noon = datetime(2024, 11, 8, 12, tzinfo=berlin)
    report = forecast(ledger_of(*calls), period=month("2024-11", "Europe/Berlin"), now=noon)
    (row,) = rows(report)
    assert (row["spent"], row["forecast"]) == (73 * USD, 300 * USD)
    assert any("30.0% of a day's cost" in note for note in report.notes)


def test_conditions_choose_calls(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 44, 30, team="search"), *days("2024-09-01", 44, 6, team="ads")]
    report = forecast(ledger_of(*calls), period=month("2024-10"), now=when("2024-10-15"), where=["team=ads"])
    assert rows(report)[0]["forecast"] == 186 * USD
    assert report.filters == ("team=ads",)


def test_unpriced_calls_are_told(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-09-01", 44), *days("2024-10-02", 1, model="secret")]
    calls[-1] = {**calls[-1], "cost_pico": None, "price_id": None}
    report = forecast(ledger_of(*calls), period=month("2024-10"), now=when("2024-10-15"))
    assert (report.complete, report.unpriced.calls, report.unpriced.models) == (False, 1, ("secret",))


def test_an_empty_ledger_forecasts_nothing(ledger_of: MadeLedger) -> None:
    for answer in (
        forecast(ledger_of(), period=month("2024-10"), now=when("2024-10-15")),
        forecast(ledger_of(), "team", period=month("2024-10"), now=when("2024-10-15")),
        backtest(ledger_of(), zone=UTC_ZONE, now=when("2024-10-15")),
    ):
        assert answer.rows == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"by": "day"}, "a forecast by day is none"),
        ({"method": "wekdays"}, "unknown method 'wekdays'"),
        ({"top": 0}, "the top 0 rows are none"),
        ({"stated": -1}, "a stated forecast of -1 USD is none"),
        ({"stated": Decimal("1e-13")}, "more than 12 decimal places"),
    ],
)
def test_what_cannot_be_asked(ledger_of: MadeLedger, said: dict[str, Any], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        forecast(ledger_of(), period=month("2024-10"), now=when("2024-10-15"), **said)


def test_a_method_may_be_asked_for(ledger_of: MadeLedger) -> None:
    """10 a day in September, 20 in the seven days of October: the run rate is October's."""
    ledger = ledger_of(*days("2024-09-01", 30, 10), *days("2024-10-01", 7, 20))
    (row,) = rows(forecast(ledger, period=month("2024-10"), now=when("2024-10-08"), method="run-rate"))
    assert (row["forecast"], row["run_rate"], row["method"]) == (620 * USD, 620 * USD, "run rate")


# --- two months, straightly continued ---------------------------------------------------------------------


def test_two_months_are_continued_in_three_ways(ledger_of: MadeLedger) -> None:
    """August cost 100 USD, September 150. In October: 150 at one level; 200 with 50 more each month; 225 with
    half as much again. In November: 150, 250, 337.50. A free call on 30 September says that it is over."""
    dear = [*days("2024-08-10", 1, 100), *days("2024-09-10", 1, 150)]
    ledger = ledger_of(*days("2024-08-01", 1, 0), *dear, *days("2024-09-30", 1, 0))
    now = when("2024-10-01T00:00")
    for name, expected in (("2024-10", (150, 200, 225)), ("2024-11", (150, 250, Decimal("337.5")))):
        figures = forecast(ledger, period=month(name), now=now).figures
        names = ("continued_level", "continued_amount", "continued_rate")
        assert [figures[each] for each in names] == [each * USD for each in expected]


def test_what_falls_does_not_fall_below_nothing(ledger_of: MadeLedger) -> None:
    ledger = ledger_of(*days("2024-08-01", 1, 100), *days("2024-09-01", 30, 1))
    figures = forecast(ledger, period=month("2024-11"), now=when("2024-10-01")).figures
    assert figures["continued_amount"] == 0  # 30 - 2 x 70
    assert figures["continued_rate"] == round(2.7 * USD)  # 30 x 0.3 x 0.3


def test_half_a_month_is_not_continued(ledger_of: MadeLedger) -> None:
    """The ledger begins on 6 August: more than a tenth of the month is missing. All of October is there."""
    ledger = ledger_of(*days("2024-08-06", 87))
    assert forecast(ledger, period=month("2024-10"), now=when("2024-10-01")).figures == {}
    assert forecast(ledger, period=month("2024-11"), now=when("2024-11-01")).figures != {}


def claim(report: Report) -> str:
    (said,) = [note for note in report.notes if "stated" in note or "states" in note]
    return said


def test_a_stated_forecast_is_held_against_all_of_them(ledger_of: MadeLedger) -> None:
    ledger = ledger_of(*days("2024-08-01", 31, 10), *days("2024-09-01", 30, 20))

    def said(usd: int) -> str:
        return claim(forecast(ledger, period=month("2024-10"), now=when("2024-10-01"), stated=usd))

    # August 310, September 600. In USD: 890. In percent: 600 x 600 / 310 = 1,161.29.
    assert said(890) == "$890.00, which is stated, agrees with the same growth in USD, $890.00 (+0.0%)"
    assert (
        said(1150) == "$1,150.00, which is stated, agrees with the same growth in percent, $1,161.29 (+1.0%)"
    )
    assert "$2,000.00, which is stated, cannot be derived from these calls: nearest comes" in said(2000)
    assert said(2000).endswith("$1,161.29 (-41.9%); it lies outside the interval of the forecast")


@pytest.fixture(scope="module")
def techcorp(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("techcorp") / "ledger.duckdb")
    ingest(ledger, [str(SAMPLE_DATA)], book=PriceBook.load(None))
    return ledger


def test_the_books_285_000_cannot_be_derived(techcorp: Ledger) -> None:
    """Of September (38,200) and October (127,850) the book states 285,000 for December. Straightly continued:
    127,850 at one level; 127,850 + 2 x 89,650 = 307,150 with the same growth in USD; 127,850 x (127,850 /
    38,200)^2 = 1,432,107.01 with the same in percent."""
    report = forecast(techcorp, period=month("2024-12"), now=when("2024-11-01"))
    assert report.figures["continued_level"] == 127_850 * USD
    assert report.figures["continued_amount"] == 307_150 * USD
    rate = report.figures["continued_rate"]
    assert isinstance(rate, int)
    assert round(Decimal(rate) / USD, 2) == Decimal("1432107.01")
    assert (
        "a straight continuation of 2024-09 ($38,200.00) and 2024-10 ($127,850.00, +234.7%) for 2 months "
        "gives $127,850.00 at one level, $307,150.00 with the same growth in USD, $1,432,107.01 with the "
        "same in percent"
    ) in report.notes
    assert claim(report) == (
        "$285,000.00, which the book's case states, cannot be derived from these calls: nearest comes the "
        "same growth in USD, $307,150.00 (+7.8%); it lies outside the interval of the forecast"
    )


def test_the_books_figure_is_said_of_its_own_case_only(techcorp: Ledger) -> None:
    for name, now in (("2024-11", "2024-11-01"), ("2024-12", "2024-12-01"), ("2024-10", "2024-10-15")):
        notes = forecast(techcorp, period=month(name), now=when(now)).notes
        assert not any("285,000" in note for note in notes)


def test_october_when_it_is_over_is_the_bill(techcorp: Ledger) -> None:
    (row,) = rows(forecast(techcorp, period=month("2024-10"), now=when("2024-12-01")))
    assert (row["forecast"], row["annualised"]) == (127_850 * USD, 1_534_200 * USD)


def test_daily_sums_are_a_reports(techcorp: Ledger) -> None:
    """The days of each team and model, in one pass, are what a report by day, team and model has."""
    by = dimensions("team,model")
    asked = Period(None, None, zone("Asia/Taipei"), "")
    with techcorp.reading() as engine:
        whole, groups = daily(Calls(engine, asked), ((), by))
    report = summary(techcorp, "day,team,model", period=asked, columns=["cost", "requests"])
    told = {
        (day.isoformat(), *key): (each.cost, each.requests)
        for key, of_key in groups.items()
        for day, each in of_key.items()
    }
    assert told == {tuple(cells[:3]): tuple(cells[3:]) for cells in report.rows}
    assert sum(each.cost for each in whole[()].values()) == 208_350 * USD


# --- backtest ---------------------------------------------------------------------------------------------


def test_a_backtest_by_hand(ledger_of: MadeLedger) -> None:
    """September (30 days) costs 10 a day until the 15th, and 30 after: 600. The run rate said 300 on days 3,
    7, 10 and 15, on day 20 (150 + 150) / 20 x 30 = 450, on day 25 (150 + 300) / 25 x 30 = 540."""
    ledger = ledger_of(*days("2024-09-01", 15, 10), *days("2024-09-16", 15, 30), *days("2024-10-01", 1, 30))
    report = backtest(ledger, zone=UTC_ZONE, now=when("2024-10-02"))
    found = {row["method"]: row for row in rows(report)}
    assert list(found) == ["weekdays", "weekday mean", "trailing mean", "run rate"]
    run_rate = found["run rate"]
    wapes = [run_rate[f"wape_day_{day}"] for day in (3, 7, 10, 15, 20, 25)]
    assert wapes == [*[Decimal("0.5")] * 4, Decimal("0.25"), Decimal("0.1")]
    # 4 x 300 + 150 + 60 = 1410 of 6 x 600
    assert run_rate["wape"] == Decimal("0.391667")
    assert run_rate["bias"] == Decimal("-0.391667")
    assert run_rate["forecasts"] == 6
    # The last seven days are all of 30 on day 25: 450 + 5 x 30 = 600.
    assert found["trailing mean"]["wape_day_25"] == 0
    assert [row["method"] for row in rows(report) if row["best"] == "true"] == [
        min(found, key=lambda name: found[name]["pinball"])
    ]


def test_a_backtest_of_what_never_changes(ledger_of: MadeLedger) -> None:
    report = backtest(ledger_of(*days("2024-08-01", 62)), zone=UTC_ZONE, now=when("2024-10-02"))
    for row in rows(report):
        assert (row["wape"], row["bias"], row["coverage"], row["pinball"]) == (0, 0, 1, 0)
        assert row["forecasts"] == 12


def test_a_backtest_by_team(ledger_of: MadeLedger) -> None:
    calls = [*days("2024-08-01", 62, 10, team="a"), *days("2024-08-01", 62, 20, team="b")]
    report = backtest(ledger_of(*calls), "team", zone=UTC_ZONE, now=when("2024-10-02"), top=1)
    assert [row["team"] for row in rows(report)] == ["b"] * 4


def test_a_backtest_needs_a_whole_month(ledger_of: MadeLedger) -> None:
    report = backtest(ledger_of(*days("2024-09-02", 40)), zone=UTC_ZONE, now=when("2024-10-12"))
    assert report.rows == []
    assert report.notes == (
        "a backtest needs a whole month of the calendar in which such calls cost something",
    )


@given(
    st.lists(st.integers(0, 10**14), min_size=1, max_size=60),
    st.integers(0, 40),
    st.sampled_from(["2024-09", "2024-10"]),
)
@pytest.mark.heavy
def test_a_forecast_holds_what_is_spent(
    tmp_path_factory: pytest.TempPathFactory, costs: Iterable[int], later: int, name: str
) -> None:
    """Whatever the series: spent <= low <= forecast <= high, and a period that is over has no interval."""
    from by_hand import fill

    ledger = Ledger(tmp_path_factory.mktemp("drawn") / "ledger.duckdb")
    calls = [
        {"ts": f"{date(2024, 8, 20) + timedelta(days=number)} 12:00:00", "cost_pico": each}
        for number, each in enumerate(costs)
    ]
    fill(ledger, calls)
    now = when("2024-09-01") + timedelta(days=later, hours=13)
    for row in rows(forecast(ledger, period=month(name), now=now)):
        if row["forecast"] is not None:
            assert row["spent"] <= row["forecast_low"] <= row["forecast"] <= row["forecast_high"]
