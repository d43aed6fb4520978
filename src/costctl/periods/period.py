"""What --since, --until, --last and --month mean."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from costctl.periods.calendar import Unit, day_start, instant_of, shifted, unit_start
from costctl.periods.zones import PeriodError


@dataclass(frozen=True, slots=True)
class Period:
    """The instants from ``start`` up to, not including, ``end`` (aware, UTC); None is unbounded. ``label`` is
    what people read, ``zone`` the one in which days and months are counted."""

    start: datetime | None
    end: datetime | None
    zone: ZoneInfo
    label: str

    def sql(self, column: str = "ts") -> str:
        """A condition on a column of UTC timestamps, with literals, so that the engine can skip blocks."""
        bounds = [(">=", self.start), ("<", self.end)]
        return (
            " AND ".join(
                f"{column} {sign} TIMESTAMP '{instant.astimezone(UTC).replace(tzinfo=None).isoformat(' ')}'"
                for sign, instant in bounds
                if instant is not None
            )
            or "true"
        )

    def isoformat(self) -> tuple[str | None, str | None]:
        """Start and end in ISO 8601 with the zone's offset."""
        return _local(self.start, self.zone), _local(self.end, self.zone)


def _local(instant: datetime | None, zone: ZoneInfo) -> str | None:
    return None if instant is None else instant.astimezone(zone).isoformat()


def calendar_period(unit: Unit, day: date, zone: ZoneInfo) -> Period:
    """The day, week, month, quarter or year in ``zone`` that holds ``day``."""
    first = unit_start(unit, day)
    label = {
        "day": first.isoformat(),
        "week": "{:04d}-W{:02d}".format(*first.isocalendar()),
        "month": f"{first:%Y-%m}",
        "quarter": f"{first:%Y}-Q{(first.month + 2) // 3}",
        "year": f"{first:%Y}",
    }[unit]
    return Period(day_start(first, zone), day_start(shifted(unit, first, 1), zone), zone, label)


def period(
    *,
    since: str | None = None,
    until: str | None = None,
    last: str | None = None,
    month: str | None = None,
    zone: ZoneInfo,
    now: datetime,
) -> Period:
    """The period that the options of a command give; without any, all time.

    ``since`` begins with its date's, month's, … first instant, and ``until`` ends with its last; of a
    date-time it is that instant itself. ``last`` is whole units and the present one until ``now`` (aware).
    Raises :class:`PeriodError` for a text that is no period, and for options that contradict each other.
    """
    given = {"--last": last, "--month": month, "--since": since, "--until": until}
    names = [name for name, text in given.items() if text is not None]
    if len(names) > 1 and (last is not None or month is not None):
        raise PeriodError(f"{names[0]} and {names[1]} contradict each other", "give one of them")
    if last is not None:
        return _last(last, zone, now)
    if month is not None:
        return _month(month, zone, now)
    start = _span("--since", since, zone, now)[0] if since is not None else None
    begins, end = _span("--until", until, zone, now) if until is not None else (None, None)
    # The day before --since ends at the very instant at which that begins.
    if start is not None and begins is not None and end is not None and end <= start and begins < start:
        raise PeriodError(f"--until {until} ends before --since {since} begins")
    if since is not None and until is not None:
        label = since if since == until else f"{since} to {until}"
    else:
        label = (
            f"since {since}" if since is not None else f"until {until}" if until is not None else "all time"
        )
    return Period(start, end, zone, label)


_UNITS: dict[str, Unit] = {"d": "day", "w": "week", "m": "month", "y": "year"}
_LAST = re.compile(r"([1-9]\d{0,4})([hdwmy])", re.ASCII)
_CALENDAR = re.compile(r"(\d{4})(?:-(?:(\d\d)(?:-(\d\d))?|W(\d\d)|Q([1-4])))?", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)
_RELATIVE = re.compile(r"(this|last)-(week|month|quarter|year)")
_WORDS = [
    "today",
    "yesterday",
    "now",
    *(f"{a}-{b}" for b in ("week", "month", "quarter", "year") for a in ("this", "last")),
]


def _last(text: str, zone: ZoneInfo, now: datetime) -> Period:
    match = _LAST.fullmatch(text)
    if match is None:
        raise PeriodError(f"--last {text!r} is not a length of time", "as in 24h, 7d, 3w, 2m or 1y")
    count, letter = int(match[1]), match[2]
    local = now.astimezone(zone)
    if letter == "h":
        begun = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        start, name, present = now.astimezone(UTC) - begun - timedelta(hours=count), "hour", "this hour"
    else:
        unit = _UNITS[letter]
        start = day_start(shifted(unit, unit_start(unit, local.date()), -count), zone)
        name, present = unit, "today" if unit == "day" else f"this {unit}"
    label = f"last {count} {name}s" if count > 1 else f"last {name}"
    return Period(start, now.astimezone(UTC), zone, f"{label} and {present} so far")


def _month(text: str, zone: ZoneInfo, now: datetime) -> Period:
    match = _CALENDAR.fullmatch(text)
    if text in ("this-month", "last-month") or (match and match[2] and not match[3]):
        start, _ = _span("--month", text, zone, now)
        return calendar_period("month", start.astimezone(zone).date(), zone)
    raise PeriodError(f"--month {text!r} is not a month", "as in 2024-10, this-month or last-month")


def _span(option: str, text: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """Start and end (not included) of what ``text`` names; of an instant both are the same."""
    today = now.astimezone(zone).date()
    try:
        if _DATE_TIME.fullmatch(text):
            instant = datetime.fromisoformat(text.upper())
            instant = instant_of(instant, zone) if instant.tzinfo is None else instant.astimezone(UTC)
            return instant, instant
        if text == "now":
            return now.astimezone(UTC), now.astimezone(UTC)
        unit, day = _unit_and_day(text, today)
    except (ValueError, OverflowError) as error:
        if isinstance(error, PeriodError):
            raise
        near = difflib.get_close_matches(text.lower(), _WORDS, n=1, cutoff=0.7)
        examples = (
            "as in 2024-10-01, 2024-10-01T13:00, 2024-10, 2024-W40, 2024-Q3, 2024, yesterday, last-month"
        )
        hint = f"did you mean {near[0]}?" if near else examples
        raise PeriodError(f"{option} {text!r} is not a date, a time or a period", hint) from None
    whole = calendar_period(unit, day, zone)
    assert whole.start is not None
    assert whole.end is not None
    return whole.start, whole.end


def _unit_and_day(text: str, today: date) -> tuple[Unit, date]:
    """A unit of the calendar and a day in it. ValueError if ``text`` is neither."""
    if text in ("today", "yesterday"):
        return "day", shifted("day", today, -1 if text == "yesterday" else 0)
    if match := _RELATIVE.fullmatch(text):
        relative: Unit = next(each for each in ("week", "month", "quarter", "year") if each == match[2])
        return relative, shifted(relative, unit_start(relative, today), -1 if match[1] == "last" else 0)
    match = _CALENDAR.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, week, quarter = match.groups()
    if week:
        return "week", date.fromisocalendar(int(year), int(week), 1)
    if quarter:
        return "quarter", date(int(year), int(quarter) * 3, 1)
    return "day" if day else "month" if month else "year", date(int(year), int(month or 1), int(day or 1))
