"""Calls by hour, day, week, month, quarter or year: an integer in SQL, a label in Python.

The engines' own zone arithmetic is slow (and Spark's and DuckDB's differ), so the few offsets that a zone had
in the period become a CASE over microseconds. The text is made of integers that we computed and runs in
DuckDB and Spark alike, which share no integer division: a local time is cut to its unit by its remainder.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from costctl.periods import calendar
from costctl.periods.calendar import day_start, shifted, unit_start
from costctl.periods.zones import SECOND, microseconds, offset_changes

Unit = Literal["hour", "day", "week", "month", "quarter", "year"]

_HOUR, _DAY, _WEEK = 3600 * SECOND, 86400 * SECOND, 7 * 86400 * SECOND
_YEAR_1 = 719_162 * _DAY
"""From 0001-01-01, a Monday, to 1970-01-01. Counted from there no time is negative, and weeks are whole."""
_OFFSET_BASE = 100_000
"""Seconds, more than any offset has."""


def bucket(
    unit: Unit, start: datetime, end: datetime, zone: ZoneInfo, microseconds_utc: str = "epoch_us(ts)"
) -> str:
    """An SQL expression: the number of the bucket of a call, for :func:`bucket_label`.

    ``microseconds_utc`` is the engine's expression for the call's time. [start, end) must hold every call
    that counts: offsets outside it are not looked up. Numbers are BIGINT and grow with time.
    """
    if unit in ("month", "quarter", "year"):
        return _by_boundaries(unit, start, end, zone, microseconds_utc)
    offsets = offset_changes(start, end, zone)
    local = _local(offsets, microseconds_utc)
    size = {"hour": _HOUR, "day": _DAY, "week": _WEEK}[unit]
    cut = f"{local} - {local} % {size}"
    if unit != "hour":
        return cut
    # When clocks go back an hour comes twice: the offset tells the two apart, the greater being the earlier.
    return f"{cut} + {_case(microseconds_utc, [(at, _OFFSET_BASE - o // SECOND) for at, o in offsets])}"


def time_of_day(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """An SQL expression: the microseconds that a clock shows at a call since midnight. As for :func:`bucket`,
    [start, end) must hold every call that counts."""
    return f"{_local(offset_changes(start, end, zone), 'epoch_us(ts)')} % {_DAY}"


def buckets(unit: Unit, start: datetime, end: datetime, zone: ZoneInfo) -> list[int]:
    """The number of every bucket that [start, end) touches, as :func:`bucket` gives it, ascending."""
    if start >= end:
        return []
    if unit in ("month", "quarter", "year"):
        return [number for _, number in _boundaries(unit, start, end, zone)]
    size = {"hour": _HOUR, "day": _DAY, "week": _WEEK}[unit]
    steps = offset_changes(start, end, zone)
    numbers: set[int] = set()
    for (first, offset), (after, _) in pairwise([*steps, (microseconds(end), 0)]):
        begun = first + offset + _YEAR_1
        mark = _OFFSET_BASE - offset // SECOND if unit == "hour" else 0
        cuts = range(begun - begun % size, after + offset + _YEAR_1, size)
        numbers.update(cut + mark for cut in cuts)
    return sorted(numbers)


def bucket_label(unit: Unit, number: int) -> str:
    """``2024-10-27 02:00+02:00``, ``2024-10-27``, ``2024-W43``, ``2024-10``, ``2024-Q4`` or ``2024``."""
    match unit:
        case "month":
            return f"{number // 12:04d}-{number % 12 + 1:02d}"
        case "quarter":
            return f"{number // 12:04d}-Q{number % 12 // 3 + 1}"
        case "year":
            return f"{number // 12:04d}"
    first = datetime.min + timedelta(microseconds=number - number % _HOUR)
    match unit:
        case "hour":
            sign, seconds = "+", _OFFSET_BASE - number % _HOUR
            if seconds < 0:
                sign, seconds = "-", -seconds
            odd = f":{seconds % 60:02d}" if seconds % 60 else ""  # local mean time, before zones were agreed
            return f"{first:%Y-%m-%d %H:%M}{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}{odd}"
        case "day":
            return first.date().isoformat()
        case _:
            return "{:04d}-W{:02d}".format(*first.isocalendar())


def _local(offsets: list[tuple[int, int]], microseconds_utc: str) -> str:
    """What a clock shows at a call, in microseconds since 0001-01-01."""
    return f"({microseconds_utc} + {_case(microseconds_utc, [(at, o + _YEAR_1) for at, o in offsets])})"


def _case(value: str, steps: list[tuple[int, int]]) -> str:
    """The result of the last step that ``value`` has reached; the first one's also before it."""
    whens = [f"WHEN {value} < {at} THEN {result}" for (_, result), (at, _) in pairwise(steps)]
    return f"CASE {' '.join(whens)} ELSE {steps[-1][1]} END" if whens else str(steps[-1][1])


def _by_boundaries(unit: calendar.Unit, start: datetime, end: datetime, zone: ZoneInfo, value: str) -> str:
    """The months from year 0 to the unit's first: found by halving, as months differ in length."""
    steps = _boundaries(unit, start, end, zone)

    def halved(low: int, high: int) -> str:
        if high - low == 1:
            return str(steps[low][1])
        middle = (low + high) // 2
        below, above = halved(low, middle), halved(middle, high)
        return f"CASE WHEN {value} < {steps[middle][0]} THEN {below} ELSE {above} END"

    return halved(0, len(steps))


def _boundaries(unit: calendar.Unit, start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Where each unit that [start, end) touches begins, in microseconds, and its number."""
    steps: list[tuple[int, int]] = []
    first = unit_start(unit, start.astimezone(zone).date())
    while not steps or day_start(first, zone) < end:
        steps.append((microseconds(day_start(first, zone)), first.year * 12 + first.month - 1))
        first = shifted(unit, first, 1)
    return steps
