"""Forecasts of past months: made with what was known then, and judged by what came."""

from __future__ import annotations

from datetime import date

from costctl.series import METHODS, ORIGINS, Forecast, Trial, backtest


def test_every_whole_month_is_forecast_on_six_days_by_each_method() -> None:
    # From 30 January to 1 April: February (29 days) and March are whole.
    trials = backtest([10] * (2 + 29 + 31 + 1), date(2024, 1, 30))
    assert {(each.month, each.days, each.method) for each in trials} == {
        (month, days, method)
        for month in (date(2024, 2, 1), date(2024, 3, 1))
        for days in (3, 7, 10, 15, 20, 25)
        for method in METHODS
    }
    assert ORIGINS == (3, 7, 10, 15, 20, 25)
    # A steady series is never missed.
    assert {(each.forecast.value, each.actual) for each in trials if each.month.month == 2} == {(290, 290)}
    assert {each.error for each in trials} == {0}
    assert all(each.is_inside for each in trials)


def test_only_what_was_known_counts() -> None:
    """What comes after a forecast's day changes what it is held against, not the forecast."""
    first = date(2024, 2, 1)
    steady, jump = [10] * 29, [10] * 15 + [1000] * 14

    def by_day_15(daily: list[int]) -> list[tuple[int, int]]:
        trials = backtest(daily, first, ["run rate"])
        return [(each.forecast.value, each.actual) for each in trials if each.days == 15]

    assert by_day_15(steady) == [(290, 290)]
    assert by_day_15(jump) == [(290, 150 + 14_000)]


def test_the_run_rate_is_of_the_month_so_far() -> None:
    # January cost 50 a day. On 10 February it has cost 10 x 20: 29 x 20 is its run rate.
    trials = backtest([50] * 31 + [20] * 29, date(2024, 1, 1), ["run rate"])
    assert [each.forecast.value for each in trials if (each.month.month, each.days) == (2, 10)] == [580]


def test_of_more_than_a_year_the_last_twelve_months() -> None:
    trials = backtest([1] * 800, date(2023, 1, 1), ["run rate"])  # until 10 March 2025
    months = sorted({each.month for each in trials})
    assert (months[0], months[-1], len(months)) == (date(2024, 3, 1), date(2025, 2, 1), 12)


def test_without_a_whole_month_or_any_cost_there_is_nothing_to_judge() -> None:
    assert backtest([1] * 40, date(2024, 1, 2)) == []
    assert backtest([0] * 31, date(2024, 1, 1)) == []


def test_the_pinball_loss_of_three_quantiles() -> None:
    """At 0.1, 0.5 and 0.9: (a - f) x q where f is too low, (f - a) x (1 - q) where it is too high."""
    trial = Trial("run rate", date(2024, 1, 1), 3, Forecast(100, 80, 150, 30), actual=110)
    # 0.1 x 30 + 0.5 x 10 + 0.1 x 40 = 12, a third of it on average; times 30: 120.
    assert trial.pinball == 120
    assert trial.is_inside
    above = Trial("run rate", date(2024, 1, 1), 3, Forecast(100, 80, 150, 30), actual=160)
    # 0.1 x 80 + 0.5 x 60 + 0.9 x 10 = 47
    assert (above.pinball, above.is_inside, above.error) == (470, False, -60)
