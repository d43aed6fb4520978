"""Periods, zones and calendar buckets."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from costctl.periods import (
    Period,
    PeriodError,
    Unit,
    bucket,
    bucket_label,
    buckets,
    calendar_period,
    day_start,
    instant_of,
    offset_changes,
    period,
    zone,
    zone_names,
)

BERLIN = zone("Europe/Berlin")
UTC_ZONE = zone("UTC")
# Wednesday, 18:30:15 in Berlin (summer time, UTC+2).
NOW = datetime(2024, 10, 16, 16, 30, 15, 250_000, UTC)


def local(text: str, name: str) -> datetime:
    """The instant of an ISO time that carries its offset, having checked that the zone agrees with it."""
    instant = datetime.fromisoformat(text)
    assert instant.astimezone(zone(name)).isoformat() == text
    return instant


# --- what options mean ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "start", "end", "label"),
    [
        ({}, None, None, "all time"),
        ({"since": "2024-10-01"}, "2024-10-01T00:00:00+02:00", None, "since 2024-10-01"),
        ({"until": "2024-10-31"}, None, "2024-11-01T00:00:00+01:00", "until 2024-10-31"),
        (
            {"since": "2024-10-01", "until": "2024-10-31"},
            "2024-10-01T00:00:00+02:00",
            "2024-11-01T00:00:00+01:00",
            "2024-10-01 to 2024-10-31",
        ),
        (
            {"since": "2024-02-29", "until": "2024-02-29"},
            "2024-02-29T00:00:00+01:00",
            "2024-03-01T00:00:00+01:00",
            "2024-02-29",
        ),
        (
            {"since": "2024-10", "until": "2024-10"},
            "2024-10-01T00:00:00+02:00",
            "2024-11-01T00:00:00+01:00",
            "2024-10",
        ),
        (
            {"since": "2024", "until": "2024"},
            "2024-01-01T00:00:00+01:00",
            "2025-01-01T00:00:00+01:00",
            "2024",
        ),
        (
            {"since": "2024-W40", "until": "2024-W40"},
            "2024-09-30T00:00:00+02:00",
            "2024-10-07T00:00:00+02:00",
            "2024-W40",
        ),
        (
            {"since": "2024-Q3", "until": "2024-Q3"},
            "2024-07-01T00:00:00+02:00",
            "2024-10-01T00:00:00+02:00",
            "2024-Q3",
        ),
        (
            {"since": "2020-W53", "until": "2020-W53"},
            "2020-12-28T00:00:00+01:00",
            "2021-01-04T00:00:00+01:00",
            "2020-W53",
        ),
        (
            {"since": "yesterday", "until": "today"},
            "2024-10-15T00:00:00+02:00",
            "2024-10-17T00:00:00+02:00",
            "yesterday to today",
        ),
        ({"since": "this-week"}, "2024-10-14T00:00:00+02:00", None, "since this-week"),
        ({"until": "last-week"}, None, "2024-10-14T00:00:00+02:00", "until last-week"),
        (
            {"since": "last-quarter", "until": "last-quarter"},
            "2024-07-01T00:00:00+02:00",
            "2024-10-01T00:00:00+02:00",
            "last-quarter",
        ),
        ({"since": "this-year"}, "2024-01-01T00:00:00+01:00", None, "since this-year"),
        ({"since": "2024-10-01T13:00"}, "2024-10-01T13:00:00+02:00", None, "since 2024-10-01T13:00"),
        (
            {"since": "2024-10-01 13:00:00.5"},
            "2024-10-01T13:00:00.500000+02:00",
            None,
            "since 2024-10-01 13:00:00.5",
        ),
        ({"until": "2024-10-01T13:00Z"}, None, "2024-10-01T15:00:00+02:00", "until 2024-10-01T13:00Z"),
        ({"until": "now"}, None, "2024-10-16T18:30:15.250000+02:00", "until now"),
        ({"month": "2024-02"}, "2024-02-01T00:00:00+01:00", "2024-03-01T00:00:00+01:00", "2024-02"),
        ({"month": "this-month"}, "2024-10-01T00:00:00+02:00", "2024-11-01T00:00:00+01:00", "2024-10"),
        ({"month": "last-month"}, "2024-09-01T00:00:00+02:00", "2024-10-01T00:00:00+02:00", "2024-09"),
        (
            {"last": "7d"},
            "2024-10-09T00:00:00+02:00",
            "2024-10-16T18:30:15.250000+02:00",
            "last 7 days and today so far",
        ),
        (
            {"last": "1d"},
            "2024-10-15T00:00:00+02:00",
            "2024-10-16T18:30:15.250000+02:00",
            "last day and today so far",
        ),
        (
            {"last": "24h"},
            "2024-10-15T18:00:00+02:00",
            "2024-10-16T18:30:15.250000+02:00",
            "last 24 hours and this hour so far",
        ),
        (
            {"last": "3w"},
            "2024-09-23T00:00:00+02:00",
            "2024-10-16T18:30:15.250000+02:00",
            "last 3 weeks and this week so far",
        ),
        (
            {"last": "2m"},
            "2024-08-01T00:00:00+02:00",
            "2024-10-16T18:30:15.250000+02:00",
            "last 2 months and this month so far",
        ),
        (
            {"last": "10m"},
            "2023-12-01T00:00:00+01:00",
            "2024-10-16T18:30:15.250000+02:00",
            "last 10 months and this month so far",
        ),
        (
            {"last": "1y"},
            "2023-01-01T00:00:00+01:00",
            "2024-10-16T18:30:15.250000+02:00",
            "last year and this year so far",
        ),
    ],
)
def test_options(options: dict[str, str], start: str | None, end: str | None, label: str) -> None:
    got = period(**options, zone=BERLIN, now=NOW)
    assert (*got.isoformat(), got.label) == (start, end, label)
    assert got.zone is BERLIN


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"last": "7d", "since": "2024"}, "--last and --since contradict each other", "give one of them"),
        (
            {"month": "2024-10", "until": "2024"},
            "--month and --until contradict each other",
            "give one of them",
        ),
        ({"month": "2024-10", "last": "7d"}, "--last and --month contradict each other", "give one of them"),
        (
            {"since": "2024-10-02", "until": "2024-10-01"},
            "--until 2024-10-01 ends before --since 2024-10-02 begins",
            "",
        ),
        (
            {"since": "2024-10-02T08:00", "until": "2024-10-02T07:59"},
            "--until 2024-10-02T07:59 ends before --since 2024-10-02T08:00 begins",
            "",
        ),
        ({"since": "2023-02-29"}, "--since '2023-02-29' is not a date, a time or a period", None),
        ({"since": "2021-W53"}, "--since '2021-W53' is not a date, a time or a period", None),
        ({"since": "2024-W00"}, "--since '2024-W00' is not a date, a time or a period", None),
        ({"since": "2024-Q5"}, "--since '2024-Q5' is not a date, a time or a period", None),
        ({"since": "2024-00"}, "--since '2024-00' is not a date, a time or a period", None),
        ({"since": "0000"}, "--since '0000' is not a date, a time or a period", None),
        ({"since": "10/01/2024"}, "--since '10/01/2024' is not a date, a time or a period", None),
        ({"since": "２０２４"}, "--since '２０２４' is not a date, a time or a period", None),
        (
            {"until": "yesteday"},
            "--until 'yesteday' is not a date, a time or a period",
            "did you mean yesterday?",
        ),
        (
            {"until": "last_month"},
            "--until 'last_month' is not a date, a time or a period",
            "did you mean last-month?",
        ),
        ({"until": ""}, "--until '' is not a date, a time or a period", None),
        ({"since": "2024-10-01T25:00"}, "--since '2024-10-01T25:00' is not a date, a time or a period", None),
        ({"until": "9999"}, "1 years from 9999-01-01 is outside the calendar", ""),
        ({"since": "0001-01-01"}, "0001-01-01 00:00:00 is outside the calendar", ""),
        (
            {"since": "0001-01-01T00:00+10:00"},
            "--since '0001-01-01T00:00+10:00' is not a date, a time or a period",
            None,
        ),
        (
            {"month": "2024-10-01"},
            "--month '2024-10-01' is not a month",
            "as in 2024-10, this-month or last-month",
        ),
        ({"month": "2024-13"}, "--month '2024-13' is not a date, a time or a period", None),
        ({"last": "7"}, "--last '7' is not a length of time", "as in 24h, 7d, 3w, 2m or 1y"),
        ({"last": "0d"}, "--last '0d' is not a length of time", "as in 24h, 7d, 3w, 2m or 1y"),
        ({"last": "99999y"}, "-99999 years from 2024-01-01 is outside the calendar", ""),
    ],
)
def test_refused(options: dict[str, str], message: str, hint: str | None) -> None:
    with pytest.raises(PeriodError) as caught:
        period(**options, zone=BERLIN, now=NOW)
    assert str(caught.value) == message
    assert hint is None or caught.value.hint == hint


def test_today_is_the_zones_today() -> None:
    # 16:30 UTC is already the 17th in Auckland (UTC+13).
    got = period(since="today", zone=zone("Pacific/Auckland"), now=NOW)
    assert got.isoformat() == ("2024-10-17T00:00:00+13:00", None)


def test_the_last_hours_of_a_half_hour_zone_begin_at_its_hour() -> None:
    # 16:30:15 UTC is 22:00:15 in Kolkata.
    got = period(last="2h", zone=zone("Asia/Kolkata"), now=NOW)
    assert got.isoformat()[0] == "2024-10-16T20:00:00+05:30"


def test_condition() -> None:
    assert period(month="2024-10", zone=BERLIN, now=NOW).sql("c.ts") == (
        "c.ts >= TIMESTAMP '2024-09-30 22:00:00' AND c.ts < TIMESTAMP '2024-10-31 23:00:00'"
    )
    assert Period(None, None, BERLIN, "").sql() == "true"
    assert Period(NOW, None, BERLIN, "").sql() == "ts >= TIMESTAMP '2024-10-16 16:30:15.250000'"


# --- the days of zones ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "day", "begins", "hours"),
    [
        # https://data.iana.org/time-zones/tzdb: Chile skips midnight, Cuba repeats it.
        ("America/Santiago", date(2024, 9, 8), "2024-09-08T01:00:00-03:00", 23),
        ("America/Havana", date(2024, 11, 3), "2024-11-03T00:00:00-04:00", 25),
        ("Africa/Cairo", date(2024, 4, 26), "2024-04-26T01:00:00+03:00", 23),
        ("Africa/Cairo", date(2024, 10, 31), "2024-10-31T00:00:00+03:00", 25),
        ("Pacific/Apia", date(2011, 12, 29), "2011-12-29T00:00:00-10:00", 24),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-31T00:00:00+14:00", 0),
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-31T00:00:00+14:00", 24),
        ("Australia/Lord_Howe", date(2024, 4, 7), "2024-04-07T00:00:00+11:00", 24.5),
        ("Asia/Kolkata", date(2024, 2, 29), "2024-02-29T00:00:00+05:30", 24),
        ("Europe/Berlin", date(1945, 5, 24), "1945-05-24T00:00:00+02:00", 23),
        # Toronto put its clocks on at 23:30: the day began at 00:30.
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T00:30:00-04:00", 23.5),
    ],
)
def test_a_day_is_as_long_as_its_zone_made_it(name: str, day: date, begins: str, hours: float) -> None:
    got = calendar_period("day", day, zone(name))
    assert got.isoformat()[0] == begins
    assert got.start is not None
    assert got.end is not None
    assert got.end - got.start == timedelta(hours=hours)


def test_a_time_that_clocks_skip_is_the_instant_of_the_skip() -> None:
    assert instant_of(datetime(2024, 3, 31, 2, 30, 0, 5), BERLIN) == datetime(2024, 3, 31, 1, tzinfo=UTC)


def test_a_time_that_clocks_show_twice_is_the_first() -> None:
    assert instant_of(datetime(2024, 10, 27, 2, 30), BERLIN) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


ZONES = st.sampled_from(sorted(zone_names())).map(zone)
DATES = st.dates(date(1890, 1, 1), date(2090, 12, 31))


@settings(deadline=None)
@given(ZONES, DATES)
@example(zone("Pacific/Kwajalein"), date(1993, 8, 21))
def test_a_day_begins_with_the_first_instant_of_its_date(zone: ZoneInfo, day: date) -> None:
    start = day_start(day, zone)
    assert start.astimezone(zone).date() >= day
    assert (start - timedelta(microseconds=1)).astimezone(zone).date() < day


# --- offsets ----------------------------------------------------------------------------------------------


def transitions(name: str) -> list[tuple[int, int]]:
    """The offset changes in a zone's TZif file (RFC 8536), which ``zoneinfo`` does not give away, as (second
    UTC, new offset in seconds). After the last one stands a rule, which is not read here."""
    content = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()

    def counts(at: int) -> tuple[int, ...]:
        return struct.unpack(">6l", content[at + 20 : at + 44])

    isut, isstd, leaps, times, types, letters = counts(0)
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + isstd + isut
    _, _, _, times, types, _ = counts(second)
    at = second + 44
    when = struct.unpack(f">{times}q", content[at : at + 8 * times])
    kinds = content[at + 8 * times : at + 9 * times]
    at += 9 * times
    offsets = [struct.unpack(">l", content[at + 6 * n : at + 6 * n + 4])[0] for n in range(types)]
    changes: list[tuple[int, int]] = []
    before = offsets[0]
    for second, kind in zip(when, kinds, strict=True):
        if offsets[kind] != before:
            changes.append((second, offsets[kind]))
        before = offsets[kind]
    return changes


@pytest.mark.parametrize(
    "name",
    [
        *("Europe/Berlin", "America/Santiago", "America/Havana", "Africa/Cairo", "Africa/Casablanca"),
        *("Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata", "America/Recife", "America/St_Johns"),
    ],
)
def test_every_change_of_offset_is_found(name: str) -> None:
    start, end = datetime(1900, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    recorded = [(at, to) for at, to in transitions(name) if start.timestamp() < at < end.timestamp()]
    until = recorded[-1][0] + 1
    found = offset_changes(start, datetime.fromtimestamp(until, UTC), zone(name))
    assert [(at // 10**6, to // 10**6) for at, to in found[1:]] == recorded


def test_offsets_of_a_year() -> None:
    # Clocks change at 01:00 UTC on the last Sundays of March and October.
    hour = 3_600_000_000
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    found = offset_changes(begin, datetime(2025, 1, 1, tzinfo=UTC), BERLIN)
    at = [datetime(2024, 1, 1), datetime(2024, 3, 31, 1), datetime(2024, 10, 27, 1)]
    micros = [(each - datetime(1970, 1, 1)) // timedelta(microseconds=1) for each in at]
    assert found == list(zip(micros, [hour, 2 * hour, hour], strict=True))


def test_a_change_at_the_end_is_no_longer_of_the_period() -> None:
    end = datetime(2024, 3, 31, 1, tzinfo=UTC)
    start = end - timedelta(days=1)
    assert len(offset_changes(start, end, BERLIN)) == 1
    assert len(offset_changes(start, end + timedelta(microseconds=1), BERLIN)) == 2
    assert len(offset_changes(end, end, BERLIN)) == 1


# --- buckets ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def labels(
    connection: duckdb.DuckDBPyConnection, unit: Unit, instants: list[datetime], zone: ZoneInfo
) -> list[str]:
    """The label of each instant, through SQL, in the order of the buckets' numbers."""
    number = bucket(unit, min(instants), max(instants) + timedelta(microseconds=1), zone)
    naive = [each.astimezone(UTC).replace(tzinfo=None) for each in instants]
    rows = connection.execute(
        f"SELECT {number} AS n FROM (SELECT unnest(?::TIMESTAMP[]) AS ts) ORDER BY ts",  # noqa: S608
        [naive],
    ).fetchall()
    return [bucket_label(unit, number) for (number,) in rows]


@pytest.mark.parametrize(
    ("unit", "name", "times", "expected"),
    [
        ("hour", "Europe/Berlin", ["2024-10-01T13:59:59.999999+02:00"], ["2024-10-01 13:00+02:00"]),
        (
            "hour",
            "Europe/Berlin",
            ["2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00", "2024-10-27T03:00:00+01:00"],
            ["2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00", "2024-10-27 03:00+01:00"],
        ),
        (
            "hour",  # clocks go back by half an hour, at 02:00
            "Australia/Lord_Howe",
            ["2024-04-07T01:10:00+11:00", "2024-04-07T01:40:00+11:00", "2024-04-07T01:40:00+10:30"],
            ["2024-04-07 01:00+11:00", "2024-04-07 01:00+11:00", "2024-04-07 01:00+10:30"],
        ),
        ("hour", "Asia/Kolkata", ["2024-02-29T00:15:00+05:30"], ["2024-02-29 00:00+05:30"]),
        ("hour", "America/St_Johns", ["2024-01-01T00:15:00-03:30"], ["2024-01-01 00:00-03:30"]),
        # Brussels kept its own mean time until 1892.
        ("hour", "Europe/Brussels", ["1890-01-01T00:15:00+00:17:30"], ["1890-01-01 00:00+00:17:30"]),
        (
            "day",
            "America/Havana",
            ["2024-11-03T00:30:00-04:00", "2024-11-03T00:30:00-05:00", "2024-11-03T23:59:59-05:00"],
            ["2024-11-03"] * 3,
        ),
        (
            "day",
            "America/Santiago",
            ["2024-09-07T23:59:59.999999-04:00", "2024-09-08T01:00:00-03:00"],
            ["2024-09-07", "2024-09-08"],
        ),
        (
            "day",
            "Pacific/Apia",
            ["2011-12-29T23:59:59-10:00", "2011-12-31T00:00:00+14:00"],
            ["2011-12-29", "2011-12-31"],
        ),
        ("day", "Europe/Berlin", ["1969-12-31T23:59:59+01:00"], ["1969-12-31"]),
        (
            "week",
            "Europe/Berlin",
            ["2020-12-31T12:00:00+01:00", "2021-01-03T23:59:59+01:00", "2021-01-04T00:00:00+01:00"],
            ["2020-W53", "2020-W53", "2021-W01"],
        ),
        (
            "month",
            "Europe/Berlin",
            ["2024-02-29T23:59:59.999999+01:00", "2024-03-01T00:00:00+01:00", "2024-11-01T00:00:00+01:00"],
            ["2024-02", "2024-03", "2024-11"],
        ),
        (
            "quarter",
            "Europe/Berlin",
            ["2023-12-31T23:59:59+01:00", "2024-01-01T00:00:00+01:00", "2024-06-30T23:59:59+02:00"],
            ["2023-Q4", "2024-Q1", "2024-Q2"],
        ),
        ("year", "Asia/Tokyo", ["1969-12-31T23:59:59+09:00", "1970-01-01T00:00:00+09:00"], ["1969", "1970"]),
    ],
)
def test_buckets(
    connection: duckdb.DuckDBPyConnection, unit: Unit, name: str, times: list[str], expected: list[str]
) -> None:
    instants = [datetime.fromisoformat(each) for each in times]
    assert [each.astimezone(zone(name)).isoformat() for each in instants] == times
    assert labels(connection, unit, instants, zone(name)) == expected


def expected_label(unit: Unit, instant: datetime) -> str:
    """By the standard library alone; ``instant`` in its zone."""
    match unit:
        case "hour":
            return instant.replace(minute=0, second=0, microsecond=0, tzinfo=None).isoformat(" ")[:16] + (
                instant.isoformat()[26:] if instant.microsecond else instant.isoformat()[19:]
            )
        case "day":
            return str(instant.date())
        case "week":
            return instant.strftime("%G-W%V")
        case "month":
            return instant.strftime("%Y-%m")
        case "quarter":
            return f"{instant.year}-Q{-(-instant.month // 3)}"
        case "year":
            return str(instant.year)


@pytest.mark.heavy
def test_buckets_agree_with_the_standard_library(connection: duckdb.DuckDBPyConnection) -> None:
    @settings(deadline=None)
    @given(
        unit=st.sampled_from(["hour", "day", "week", "month", "quarter", "year"]),
        zone=ZONES,
        instants=st.lists(
            st.datetimes(datetime(1890, 1, 1), datetime(2090, 12, 31)).map(
                lambda each: each.replace(tzinfo=UTC)
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def agree(unit: Unit, zone: ZoneInfo, instants: list[datetime]) -> None:
        ordered = [each.astimezone(zone) for each in sorted(instants)]
        assert labels(connection, unit, instants, zone) == [expected_label(unit, each) for each in ordered]

    agree()


def test_the_numbers_of_buckets_grow_with_time(connection: duckdb.DuckDBPyConnection) -> None:
    """A report sorts by them. (Shown for 2024; a clock put back by a day, as on Kwajalein, would end it.)"""

    @settings(deadline=None)
    @given(ZONES, st.integers(0, 400), st.integers(0, 86_399))
    def grow(zone: ZoneInfo, day: int, second: int) -> None:
        first = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)
        instants = [first + timedelta(hours=n) for n in range(5)]
        assert len(set(labels(connection, "hour", instants, zone))) == 5
        number = bucket("hour", instants[0], instants[-1], zone)
        ordered = connection.execute(
            f"SELECT list({number} ORDER BY ts) FROM (SELECT unnest(?::TIMESTAMP[]) AS ts)",  # noqa: S608
            [[each.replace(tzinfo=None) for each in instants]],
        )
        numbers = ordered.fetchall()[0][0]
        assert numbers == sorted(numbers)

    grow()


def test_the_text_of_a_bucket_asks_nothing_of_the_engine_but_integers() -> None:
    text = bucket("day", datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC), BERLIN, "us")
    # 719,162 days of 86,400 s lie between 0001-01-01 and 1970-01-01; the offsets are 1 h and 2 h.
    local = "(us + CASE WHEN us < 1711846800000000 THEN 62135600400000000 ELSE 62135604000000000 END)"
    assert text == f"{local} - {local} % 86400000000"


@pytest.mark.parametrize(
    ("unit", "name", "start", "end", "expected"),
    [
        (
            "day",
            "UTC",
            "2024-10-01T00:00:00+00:00",
            "2024-10-03T00:00:00+00:00",
            ["2024-10-01", "2024-10-02"],
        ),
        # The last microsecond before midnight, and the first after it.
        (
            "day",
            "Europe/Berlin",
            "2024-10-26T23:59:59.999999+02:00",
            "2024-10-28T00:00:00.000001+01:00",
            ["2024-10-26", "2024-10-27", "2024-10-28"],
        ),
        # Samoa had no 30 December 2011.
        (
            "day",
            "Pacific/Apia",
            "2011-12-29T12:00:00-10:00",
            "2011-12-31T12:00:00+14:00",
            ["2011-12-29", "2011-12-31"],
        ),
        (
            "hour",
            "Europe/Berlin",
            "2024-10-27T01:30:00+02:00",
            "2024-10-27T03:00:00+01:00",
            ["2024-10-27 01:00+02:00", "2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00"],
        ),
        ("week", "UTC", "2024-12-29T00:00:00+00:00", "2024-12-30T00:00:01+00:00", ["2024-W52", "2025-W01"]),
        ("month", "UTC", "2024-12-31T00:00:00+00:00", "2025-02-01T00:00:00+00:00", ["2024-12", "2025-01"]),
        ("day", "UTC", "2024-10-01T00:00:00+00:00", "2024-10-01T00:00:00+00:00", []),
    ],
)
def test_every_bucket_of_a_period(unit: Unit, name: str, start: str, end: str, expected: list[str]) -> None:
    numbers = buckets(unit, datetime.fromisoformat(start), datetime.fromisoformat(end), zone(name))
    assert [bucket_label(unit, number) for number in numbers] == expected


def test_every_bucket_of_a_period_and_no_other(connection: duckdb.DuckDBPyConnection) -> None:
    @settings(deadline=None, max_examples=50)
    @given(
        unit=st.sampled_from(["hour", "day", "week", "month"]),
        zone=ZONES,
        start=st.datetimes(datetime(1970, 1, 1), datetime(2090, 12, 31)),
        steps=st.integers(1, 300),
    )
    def agree(unit: Unit, zone: ZoneInfo, start: datetime, steps: int) -> None:
        # A quarter of an hour apart, so that every hour of any zone has an instant.
        first = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
        instants = [first + timedelta(minutes=15 * n) for n in range(steps)]
        numbers = buckets(unit, first, instants[-1] + timedelta(minutes=15), zone)
        assert [bucket_label(unit, number) for number in numbers] == list(
            dict.fromkeys(labels(connection, unit, instants, zone))
        )

    agree()


# --- which zone -------------------------------------------------------------------------------------------


def test_a_named_zone() -> None:
    assert zone("Europe/Berlin", {"TZ": "Asia/Tokyo"}).key == "Europe/Berlin"


def test_the_machines_own_rules_count_for_nothing(tmp_path: Path) -> None:
    """A machine whose Berlin keeps Tokyo's time."""
    (tmp_path / "Europe").mkdir()
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo)
    code = (
        "from datetime import UTC, datetime; from zoneinfo import ZoneInfo; "
        "from costctl.periods import zone; "
        "noon = datetime(2024, 1, 1, 12, tzinfo=UTC); "
        "print(*(noon.astimezone(each('Europe/Berlin')).hour for each in (ZoneInfo, zone)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "21 13\n"  # UTC+9 by the machine, UTC+1 by us


def test_a_zone_is_one_object() -> None:
    """Times of two objects of one zone would be compared and subtracted by other rules than those of one."""
    assert zone("Europe/Berlin") is zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Belrin", "did you mean Europe/Berlin?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York?"),
        ("../../etc/passwd", "as in Europe/Berlin or UTC"),
        ("/etc/localtime", "as in Europe/Berlin or UTC"),
        ("Europe", None),
        ("+02:00", "as in Europe/Berlin or UTC"),
        ("", "as in Europe/Berlin or UTC"),
        ("a\0b", "as in Europe/Berlin or UTC"),
    ],
)
def test_an_unknown_zone(name: str, hint: str | None) -> None:
    with pytest.raises(PeriodError, match=r"^unknown time zone ") as caught:
        zone(name)
    assert hint is None or caught.value.hint == hint


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Asia/Tokyo", "Asia/Tokyo"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("", "UTC"),
    ],
)
def test_the_machines_zone_by_tz(said: str, name: str, tmp_path: Path) -> None:
    assert zone(None, {"TZ": said}, tmp_path).key == name


def test_the_machines_zone_by_its_files(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    assert zone(None, {}, tmp_path).key == "UTC"
    (etc / "localtime").write_bytes(b"TZif")
    with pytest.raises(PeriodError, match="does not say the zone's name"):
        zone(None, {}, tmp_path)
    (etc / "timezone").write_text("Asia/Kolkata\n")
    assert zone(None, {}, tmp_path).key == "Asia/Kolkata"
    (etc / "localtime").unlink()
    (etc / "localtime").symlink_to("/usr/share/zoneinfo/posix/America/Santiago")
    assert zone(None, {}, tmp_path).key == "America/Santiago"


def test_a_wrong_tz_says_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(PeriodError, match=r"^the environment's TZ: unknown time zone '<\+03>-3'$"):
        zone(None, {"TZ": "<+03>-3"}, tmp_path)


def test_importing_is_cheap() -> None:
    code = "import sys, costctl.periods, costctl.filters; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
