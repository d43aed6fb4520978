"""The calendar of a zone: when a date begins, and the units that hold a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from costctl.periods.zones import PeriodError

Unit = Literal["day", "week", "month", "quarter", "year"]


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) when clocks in ``zone`` first show the naive ``local`` or, where they skip it, the
    instant of the skip."""
    try:
        instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        after = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    except OverflowError:
        raise PeriodError(f"{local} is outside the calendar") from None
    if after >= instant:
        return instant
    # A gap: fold 1 counts with the offset after it and so comes out before the skip, fold 0 after it. Clocks
    # are changed at whole seconds.
    low, high, second = after.replace(microsecond=0), instant.replace(microsecond=0), timedelta(seconds=1)
    while high - low > second:
        middle = low + (high - low) // (2 * second) * second
        if middle.astimezone(zone).replace(tzinfo=None) < local.replace(microsecond=0):
            low = middle
        else:
            high = middle
    return high


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which ``day`` begins in ``zone``."""
    return instant_of(datetime.combine(day, time()), zone)


def unit_start(unit: Unit, day: date) -> date:
    """The first day of the unit that holds ``day``; weeks begin on Monday."""
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)


def shifted(unit: Unit, first: date, count: int) -> date:
    """The first day of the unit ``count`` units after (or before) the one that begins with ``first``."""
    try:
        if unit in ("day", "week"):
            return first + timedelta(days=count * (7 if unit == "week" else 1))
        months = first.year * 12 + first.month - 1 + count * {"month": 1, "quarter": 3, "year": 12}[unit]
        return date(months // 12, months % 12 + 1, 1)
    except (OverflowError, ValueError):
        raise PeriodError(f"{count} {unit}s from {first} is outside the calendar") from None
