"""Until when a ledger knows what was spent, and how much of a day had come by that time on other days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from costctl.analysis.calls import Calls
from costctl.ledger import Engine
from costctl.periods import Period, day_start, time_of_day

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Known:
    """The days of which the ledger knows, as at a time: whole ones from ``first`` up to, not including,
    ``today``, and of ``today`` the part until ``until``; where that is its very beginning, nothing.

    The day of the last call is whole if it was over when something was ingested last: today is then the day
    after it. Calls after the asked time are not looked at, but say that all until then is known.
    """

    first: date
    today: date
    until: datetime

    @property
    def last(self) -> date:
        """The last whole day."""
        return self.today - DAY

    @property
    def has_begun(self) -> bool:
        """Whether anything is known of ``today``."""
        return self.until.date() == self.today and self.until.time() > time(microsecond=1)


def known(engine: Engine, now: datetime, zone: ZoneInfo) -> Known | None:
    """What the ledger knows as at ``now`` (aware); None where it has no call before it."""
    span = Calls(engine, Period(None, now + timedelta(microseconds=1), zone, "")).span
    if span is None:
        return None
    first, until = (each.astimezone(zone) for each in span)
    last = (span[1] - timedelta(microseconds=1)).astimezone(zone).date()
    ((commit,),) = engine.rows("SELECT max(value) FROM meta WHERE key = 'last_commit'")
    looked = min(now, datetime.fromisoformat(commit)) if commit else now
    return Known(first.date(), last + DAY if day_start(last + DAY, zone) <= looked else last, until)


def come_by(engine: Engine, known: Known, start: datetime, end: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """SQL for what the calls of a day had cost by the time of day until which today is known, and for what
    its buckets cost, which do not say when in their time that was. [start, end) must hold every call that
    counts."""
    cost, clock = engine.money_sum("cost_pico"), known.until.time()
    until = (datetime.combine(date.min, clock) - datetime.min) // timedelta(microseconds=1)
    early = f"grain = 'call' AND {time_of_day(start, end, zone)} < {until}"
    return (
        f"coalesce({cost} FILTER (WHERE {early}), 0)",
        f"coalesce({cost} FILTER (WHERE grain = 'bucket'), 0)",
    )
