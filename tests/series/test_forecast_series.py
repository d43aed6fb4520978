"""Forecasts: worked out by hand for series without noise, and held against what came for series with it."""

from __future__ import annotations

import math
import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.series import MOST_HISTORY, Forecast, forecast

SUNDAY = date(2024, 10, 27)


def after(last: date, count: int) -> list[date]:
    return [last + timedelta(days=number) for number in range(1, count + 1)]


def test_a_steady_series_goes_on_as_it_was() -> None:
    # 20 days of 100; 4 more come, 500 of the period are spent: 500 + 4 x 100. It never missed.
    assert forecast([100] * 20, SUNDAY, after(SUNDAY, 4), spent=500) == Forecast(
        900, 900, 900, 20, "weekdays"
    )


def test_weekdays_are_known_after_two_weeks() -> None:
    # Mondays to Fridays 70, weekends nothing, for 8 weeks up to a Sunday. Monday to Sunday bring 5 x 70.
    weeks = ([70] * 5 + [0, 0]) * 8
    assert forecast(weeks, SUNDAY, after(SUNDAY, 7)) == Forecast(350, 350, 350, 56, "weekdays")
    # Up to a Friday: Saturday, Sunday, Monday bring one working day.
    friday = SUNDAY - timedelta(days=2)
    found = forecast(weeks[:-2], friday, after(friday, 3))
    assert found is not None
    assert (found.value, found.days_of_history) == (70, 54)


def test_the_level_follows_a_step_by_a_fifth_a_day() -> None:
    # 14 days of 100, then 1 of 200, a Monday. The profile: mean 1600 / 15 = 106.67; Mondays (100 + 100 +
    # 200) / 3 = 133.33, 1.25 of it; other days 100, 0.9375 of it. So the levels are 80 on two Mondays, 106.67
    # on the other 12 days, 160 on the last. Smoothing begins with the mean of the first seven, 102.86, goes a
    # fifth of the way to each day in turn, and ends at 115.846. Tuesday: 115.846 x 0.9375 = 108.606.
    monday = SUNDAY + timedelta(days=1)
    found = forecast([100_000] * 14 + [200_000], monday, after(monday, 1))
    assert found is not None
    assert found.value == 108_606


@pytest.mark.parametrize(
    ("daily", "value", "method"),
    [
        ([10, 20, 30], 200, "run rate"),  # 60 + 7 x 20
        ([1000, 10, 20, 30, 40, 50, 60, 70], 60 + 7 * 40, "trailing mean"),  # the last seven: 280 / 7
        ([0, 0, 10, 20, 30], 200, "run rate"),  # nothing before the first call is no history
    ],
)
def test_a_short_history_is_said_to_be_rough(daily: list[int], value: int, method: str) -> None:
    found = forecast(daily, SUNDAY, after(SUNDAY, 7), spent=60)
    assert found is not None
    assert (found.value, found.method, found.is_rough) == (value, method, True)


def test_without_history_there_is_no_forecast() -> None:
    assert forecast([], SUNDAY, after(SUNDAY, 7), spent=5) is None
    assert forecast([0, 0], SUNDAY, after(SUNDAY, 7), begun=5) is None


def test_what_is_there_of_today_counts_at_least() -> None:
    # Expected 100 today and 100 tomorrow. 30 so far change nothing; 180 do.
    assert forecast([100] * 20, SUNDAY, after(SUNDAY, 2), begun=30) == Forecast(200, 200, 200, 20)
    found = forecast([100] * 20, SUNDAY, after(SUNDAY, 2), begun=180)
    assert found is not None
    assert found.value == 280


def test_of_a_period_that_is_over_nothing_is_guessed() -> None:
    assert forecast([7] * 30, SUNDAY, [], spent=210, begun=1) == Forecast(211, 211, 211, 30)


def test_the_profile_is_of_eight_weeks() -> None:
    def tomorrow(*oldest: int, days: int) -> int:
        found = forecast([*oldest, *[100_000] * (days - len(oldest))], SUNDAY, after(SUNDAY, 1))
        assert found is not None
        return found.value

    assert tomorrow(700_000, days=57) == 100_000  # 57 days ago
    assert tomorrow(700_000, days=56) != 100_000  # 56 days ago, a Monday as tomorrow is


def test_history_beyond_the_most_changes_nothing() -> None:
    noise = random.Random(5)
    daily = [noise.randrange(1, 1000) for _ in range(MOST_HISTORY)]
    days = after(SUNDAY, 10)
    assert forecast([1] * 200 + daily, SUNDAY, days) == forecast(daily, SUNDAY, days)


@given(
    st.lists(st.integers(0, 10**16), max_size=150),
    st.integers(0, 31),
    st.integers(0, 10**17),
    st.integers(0, 10**16),
)
def test_a_forecast_lies_in_its_interval_and_never_below_what_is_known(
    daily: list[int], left: int, spent: int, begun: int
) -> None:
    found = forecast(daily, SUNDAY, after(SUNDAY, left), spent=spent, begun=begun)
    if found is None:
        assert not any(daily)
    else:
        assert spent + begun <= found.low <= found.value <= found.high


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60), st.integers(1, 31))
def test_money_in_another_unit_is_forecast_alike(daily: list[int], left: int) -> None:
    one = forecast(daily, SUNDAY, after(SUNDAY, left))
    thousand = forecast([1000 * each for each in daily], SUNDAY, after(SUNDAY, left))
    assert one is not None
    assert thousand is not None
    assert math.isclose(thousand.value, 1000 * one.value, rel_tol=1e-9, abs_tol=1001)


@pytest.mark.parametrize("left", [1, 12, 25])
@pytest.mark.parametrize("days", [MOST_HISTORY, 40, 20, 5])
def test_four_of_five_lie_in_the_interval(days: int, left: int) -> None:
    """Of 200 series with a profile of weekdays and noise of a quarter. Of 200 draws at 0.8 between 0.72 and
    0.88 come true in 99.5 % of all cases; a short history may be off by a little more."""
    noise = random.Random(1000 * days + left)
    inside = 0
    for _ in range(200):
        week = [noise.uniform(0.6, 1.2) for _ in range(7)]
        came = [round(1e12 * week[n % 7] * noise.lognormvariate(0, 0.25)) for n in range(days + left)]
        last = date(2024, 1, 1) + timedelta(days=days - 1)
        found = forecast(came[:days], last, after(last, left))
        assert found is not None
        inside += found.low <= sum(came[days:]) <= found.high
    assert 0.68 <= inside / 200 <= 0.92
