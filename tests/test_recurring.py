"""Budget periods: the days on which they begin, said once more in other words, over thirty years."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from costctl.periods import PeriodError, recurring, zone

UTC_ZONE = zone("UTC")
DAYS = st.dates(date(1999, 1, 1), date(2031, 12, 31))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"])
MONTHS_OF = {"month": range(1, 13), "quarter": (1, 4, 7, 10), "year": (1,)}


def begins(kind: str, day: date, start_day: int) -> bool:
    """Whether a period begins on ``day``: on the start day, or on the month's last where it has no such."""
    if kind == "day":
        return True
    if kind == "week":
        return day.strftime("%a") == "Mon"
    last = monthrange(day.year, day.month)[1]
    return day.month in MONTHS_OF[kind] and (day.day == start_day or (day.day == last < start_day))


def days_of(kind: str, day: date, tz: str, start_day: int = 1, back: int = 0) -> tuple[date, date]:
    found = recurring(kind, day, zone(tz), start_day, back)
    assert found.start is not None
    assert found.end is not None
    start, end = (each.astimezone(zone(tz)) for each in (found.start, found.end))
    return start.date(), end.date()


@given(st.sampled_from(["day", "week", "month", "quarter", "year"]), DAYS, st.integers(1, 31))
@example("month", date(2024, 2, 29), 31)
@example("month", date(2023, 2, 28), 29)
@example("month", date(2024, 2, 28), 29)
@example("quarter", date(2024, 1, 30), 31)
@example("year", date(2024, 1, 30), 31)
def test_a_period_begins_on_its_day_and_ends_where_the_next_begins(
    kind: str, day: date, start_day: int
) -> None:
    first, after = days_of(kind, day, "UTC", start_day)
    assert first <= day < after
    assert begins(kind, first, start_day)
    assert begins(kind, after, start_day)
    between = [first + timedelta(days=n) for n in range(1, (after - first).days)]
    assert not any(begins(kind, each, start_day) for each in between)


@given(
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    DAYS,
    ZONES,
    st.integers(1, 31),
    st.integers(1, 5),
)
def test_periods_follow_each_other_without_gap_or_overlap(
    kind: str, day: date, tz: str, start_day: int, back: int
) -> None:
    earlier = recurring(kind, day, zone(tz), start_day, back)
    later = recurring(kind, day, zone(tz), start_day, back - 1)
    assert earlier.end == later.start


@given(st.integers(1, 400), DAYS, st.integers(0, 3))
def test_rolling_days_end_with_today(count: int, day: date, back: int) -> None:
    first, after = days_of(f"{count}d", day, "UTC", 15, back)
    assert after == day + timedelta(days=1 - back * count)
    assert (after - first).days == count


@pytest.mark.parametrize(
    ("kind", "day", "start_day", "first", "after"),
    [
        ("month", "2024-02-29", 31, "2024-02-29", "2024-03-31"),  # February's last day stands for the 31st
        ("month", "2024-02-28", 31, "2024-01-31", "2024-02-29"),
        ("month", "2023-02-28", 30, "2023-02-28", "2023-03-30"),
        ("month", "2024-04-30", 31, "2024-04-30", "2024-05-31"),
        ("month", "2024-01-14", 15, "2023-12-15", "2024-01-15"),
        ("quarter", "2024-01-14", 15, "2023-10-15", "2024-01-15"),
        ("quarter", "2024-05-01", 31, "2024-04-30", "2024-07-31"),
        ("year", "2024-01-14", 15, "2023-01-15", "2024-01-15"),
        ("year", "2024-12-31", 1, "2024-01-01", "2025-01-01"),
        ("week", "2024-03-03", 1, "2024-02-26", "2024-03-04"),
        ("30d", "2024-03-01", 1, "2024-02-01", "2024-03-02"),  # a leap year: 29 days of February and one more
    ],
)
def test_days_of_periods(kind: str, day: str, start_day: int, first: str, after: str) -> None:
    found = days_of(kind, date.fromisoformat(day), "UTC", start_day)
    assert found == (date.fromisoformat(first), date.fromisoformat(after))


def test_days_last_as_long_as_their_zone_says() -> None:
    # Berlin's clocks went back on 2024-10-27 (25 hours) and forward on 2024-03-31 (23).
    for day, hours in ((date(2024, 10, 27), 25), (date(2024, 3, 31), 23), (date(2024, 10, 28), 24)):
        found = recurring("day", day, zone("Europe/Berlin"))
        assert found.start is not None
        assert found.end is not None
        assert found.end - found.start == timedelta(hours=hours)
    month = recurring("month", date(2024, 10, 5), zone("Europe/Berlin"))
    assert month.start == datetime(2024, 9, 30, 22, tzinfo=UTC)
    assert month.end == datetime(2024, 10, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "start_day", "label"),
    [
        ("month", 1, "2024-10"),
        ("quarter", 1, "2024-Q4"),
        ("week", 15, "2024-W43"),
        ("month", 15, "2024-10-15 to 2024-11-14"),
        ("7d", 1, "2024-10-19 to 2024-10-25"),
    ],
)
def test_labels(kind: str, start_day: int, label: str) -> None:
    assert recurring(kind, date(2024, 10, 25), UTC_ZONE, start_day).label == label


def test_the_calendar_has_ends() -> None:
    with pytest.raises(PeriodError, match="outside the calendar"):
        recurring("30d", date(1, 1, 5), UTC_ZONE)
    with pytest.raises(PeriodError, match="outside the calendar"):
        recurring("year", date(9999, 5, 1), UTC_ZONE)
