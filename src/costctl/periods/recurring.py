"""Periods that come again and again, as budgets have them: days, weeks, months from any day of the month on,
quarters, years, and the last N days."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from costctl.periods.calendar import Unit, day_start, shifted, unit_start
from costctl.periods.period import Period, calendar_period
from costctl.periods.zones import PeriodError

MONTHS = {"month": 1, "quarter": 3, "year": 12}


def recurring(kind: str, day: date, zone: ZoneInfo, start_day: int = 1, back: int = 0) -> Period:
    """The period of ``kind`` in ``zone`` that holds ``day``; or the ``back``-th one before it.

    ``kind`` is ``day``, ``week``, ``month``, ``quarter``, ``year``, or days as ``30d``: those that end with
    ``day``. Months begin on ``start_day`` (1 to 31), in a month that is too short on its last day; a quarter
    is three of them, a year twelve, from that of January on. Raises :class:`PeriodError` outside the
    calendar.
    """
    first, after = days(kind, day, start_day, back)
    label = f"{first} to {after - timedelta(days=1)}"
    if start_day == 1 or kind in ("day", "week"):
        for unit in ("day", "week", "month", "quarter", "year"):
            if unit == kind:
                label = calendar_period(unit, first, zone).label
    return Period(day_start(first, zone), day_start(after, zone), zone, label)


def days(kind: str, day: date, start_day: int = 1, back: int = 0) -> tuple[date, date]:
    """The first day of the period that :func:`recurring` gives, and the first day after it."""
    try:
        if kind in ("day", "week"):
            unit: Unit = "day" if kind == "day" else "week"
            first = shifted(unit, unit_start(unit, day), -back)
            return first, shifted(unit, first, 1)
        if kind in MONTHS:
            month = _month(day, start_day)
            month -= month % MONTHS[kind] + back * MONTHS[kind]
            return _first(month, start_day), _first(month + MONTHS[kind], start_day)
        length = timedelta(days=int(kind.removesuffix("d")))
        after = day + timedelta(days=1) - back * length
        return after - length, after
    except (OverflowError, ValueError) as error:
        if isinstance(error, PeriodError):
            raise
        raise PeriodError(f"the {kind} of {day} is outside the calendar") from None


def _month(day: date, start_day: int) -> int:
    """Which month, counted from year 0, ``day`` belongs to."""
    month = day.year * 12 + day.month - 1
    return month if day >= _first(month, start_day) else month - 1


def _first(month: int, start_day: int) -> date:
    year, number = month // 12, month % 12 + 1
    return date(year, number, min(start_day, monthrange(year, number)[1]))
