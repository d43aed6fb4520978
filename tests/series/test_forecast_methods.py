"""Forecasts by a method that is asked for, of days farther ahead, and of a day in progress."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from costctl.series import METHODS, Forecast, Method, forecast

SUNDAY = date(2024, 10, 27)


def after(last: date, count: int) -> list[date]:
    return [last + timedelta(days=number) for number in range(1, count + 1)]


def value(daily: list[int], *, days: int, method: Method, so_far: int = 0) -> tuple[int, str]:
    found = forecast(daily, SUNDAY, after(SUNDAY, days), method=method, so_far=so_far)
    assert found is not None
    return found.value, found.method


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # Five weeks up to a Sunday: the first cost 1000 a day, the others 100 on Mondays and else 30.
        # The next Monday and Tuesday:
        ("weekday mean", 100 + 30),  # the mean Monday and Tuesday of four weeks
        ("trailing mean", 2 * 40),  # the last seven days: 280 / 7
        ("run rate", 2 * 30),  # the last three days, as said
    ],
)
def test_what_each_method_continues(method: Method, expected: int) -> None:
    daily = [1000] * 7 + [100, *[30] * 6] * 4
    assert value(daily, days=2, method=method, so_far=3) == (expected, method)


def test_the_run_rate_of_a_period_that_begins_is_of_the_last_week() -> None:
    assert value([1000] * 7 + [40] * 7, days=3, method="run rate") == (120, "run rate")


@pytest.mark.parametrize(
    ("days", "used"), [(14, "weekday mean"), (13, "trailing mean"), (7, "trailing mean"), (6, "run rate")]
)
def test_a_method_that_needs_more_history_gives_way(days: int, used: str) -> None:
    assert value([5] * days, days=1, method="weekday mean") == (5, used)


@pytest.mark.parametrize("method", METHODS)
def test_a_steady_series_goes_on_by_every_method(method: Method) -> None:
    found = forecast([100] * 60, SUNDAY, after(SUNDAY, 4), spent=500, method=method, so_far=5)
    assert found == Forecast(900, 900, 900, 60, method)


def test_rough_is_what_knows_no_weekdays() -> None:
    rough = {days: forecast([7] * days, SUNDAY, after(SUNDAY, 3), method="run rate") for days in (13, 14)}
    assert {days: found.is_rough for days, found in rough.items() if found} == {13: True, 14: False}


def test_a_day_in_progress_counts_what_it_has_and_what_usually_comes_after() -> None:
    """100 a day. By now 40 % of a day usually has come, so 60 are to come today, and 100 tomorrow."""
    days = after(SUNDAY, 2)

    def found(begun: int) -> int:
        result = forecast([100] * 20, SUNDAY, days, spent=1000, begun=begun, elapsed=0.4)
        assert result is not None
        return result.value

    assert found(40) == 1000 + 40 + 60 + 100
    assert found(180) == 1000 + 180 + 60 + 100  # a day that began dear goes on as any other
    assert found(0) == 1000 + 0 + 60 + 100


def test_weekdays_far_ahead_are_those_of_their_dates() -> None:
    """Mondays to Fridays 70, weekends nothing. Nothing is known of the next ten days: up to a Wednesday; then
    come Thursday to Sunday."""
    found = forecast(([70] * 5 + [0, 0]) * 8, SUNDAY, after(SUNDAY, 14)[10:])
    assert found is not None
    assert found.value == 2 * 70


def test_the_farther_ahead_the_wider() -> None:
    daily = [100 + 20 * (number * number % 5 - 2) for number in range(56)]
    widths = []
    for ahead in (0, 10, 60):
        found = forecast(daily, SUNDAY, after(SUNDAY, ahead + 14)[ahead:])
        assert found is not None
        widths.append(found.high - found.low)
    assert widths == sorted(widths)
    assert widths[0] < widths[2]
