"""Intervals from drawn days: worked out by hand where few days leave few cases, else held against what is
known of the numbers that the days were made of."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.series import Interval, bootstrap, resampled


def test_days_that_are_alike_leave_no_doubt() -> None:
    days = [(weekday, (10, 2)) for weekday in range(7)] * 4
    assert bootstrap(days, lambda sums: sums[0] / sums[1], seed=7) == Interval(5.0, 5.0, 7, 2000)


def test_weekdays_are_no_chance() -> None:
    # Every Monday 700, every Sunday 10: the sum of two weeks is 1420 whatever is drawn.
    assert bootstrap([(0, (700,)), (6, (10,))] * 2, lambda sums: sums[0]) == Interval(
        1420, 1420, 20240601, 2000
    )


def test_of_two_days_one_is_drawn_and_counts_twice() -> None:
    found = Counter(resampled([(0, (10, 1)), (0, (30, 2))], draws=1000))
    assert set(found) == {(20, 2), (60, 4)}
    assert 400 < found[20, 2] < 600


def test_of_three_days_two_are_drawn_and_each_counts_one_and_a_half_times() -> None:
    # (1 + 1) x 1.5 = 3, (1 + 2) x 1.5 = 4.5, rounded down, … (4 + 4) x 1.5 = 12
    found = set(resampled([(0, (1,)), (0, (2,)), (0, (4,))], draws=1000))
    assert found == {(3,), (4,), (6,), (7,), (9,), (12,)}


def test_a_day_whose_weekday_came_once_is_always_there() -> None:
    assert set(resampled([(0, (5,)), (1, (10,)), (1, (30,))], draws=100)) == {(25,), (65,)}


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    days = [(n % 7, (n * n % 31,)) for n in range(28)]
    one, again = (list(resampled(days, draws=20, seed=3)) for _ in range(2))
    assert one == again
    assert one != list(resampled(days, draws=20, seed=4))


def test_two_periods_are_drawn_each_for_itself() -> None:
    days = [(0, (10, 0)), (0, (30, 0)), (7, (0, 1)), (7, (0, 5))]
    assert set(resampled(days, draws=200)) == {(20, 2), (20, 10), (60, 2), (60, 10)}


def test_without_days_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no days"):
        bootstrap([], lambda sums: sums[0])


@given(st.lists(st.tuples(st.integers(0, 6), st.tuples(st.integers(0, 10**17))), min_size=1, max_size=40))
def test_a_draw_lies_between_the_least_and_the_greatest_day(days: list[tuple[int, tuple[int]]]) -> None:
    of_weekday = {number: [value for each, (value,) in days if each == number] for number, _ in days}
    least = sum(len(each) * min(each) for each in of_weekday.values())
    greatest = sum(len(each) * max(each) for each in of_weekday.values())
    assert all(least <= value <= greatest for (value,) in resampled(days, draws=20))


@pytest.mark.parametrize(("weeks", "least"), [(2, 0.85), (4, 0.88), (8, 0.90)])
def test_nineteen_of_twenty_sums_lie_in_the_interval(weeks: int, least: float) -> None:
    """Of 300 series with known weekdays and noise; somewhat fewer where the scatter of seven weekdays has to
    be told from two or four days each. Drawing n of n days would hold three of four in two weeks."""
    noise = random.Random(weeks)
    held = 0
    for _ in range(300):
        week = [noise.uniform(50, 150) for _ in range(7)]
        days = [(n % 7, (round(noise.gauss(1e6 * week[n % 7], 2e7)),)) for n in range(7 * weeks)]
        found = bootstrap(days, lambda sums: sums[0], draws=400)
        held += found.low <= 1e6 * weeks * sum(week) <= found.high
    assert least <= held / 300 <= 0.98
