"""What calls cost day by day, by one or several ways of grouping them, in one pass over the calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import Dimension, Key, dimension
from costctl.ledger import Engine
from costctl.periods import Period, day_start, instant_of

DAY = timedelta(days=1)
_DAY_US = 86_400 * 1_000_000


class Day(NamedTuple):
    """Of the calls of one day that have a price: what they cost (pico-dollars), and, of those that say how
    many requests they stand for, what these cost and how many they are."""

    cost: int = 0
    counted_cost: int = 0
    requests: int = 0


Days = dict[date, Day]
"""By days that have calls."""


@dataclass(frozen=True, slots=True)
class Known:
    """The days of which the ledger knows, as at a time: whole ones from ``first`` up to, not including,
    ``today``, and of ``today`` the part until ``until``; where that is its very beginning, nothing.

    The day of the last call is whole once it is over by the clock. Calls after the asked time are not looked
    at, but say that all until then is known.
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
    is_over = last < now.astimezone(zone).date()
    return Known(first.date(), last + DAY if is_over else last, until)


def daily(calls: Calls, scopes: Sequence[tuple[Dimension, ...]]) -> list[dict[Key, Days]]:
    """For each of ``scopes`` (labels to group by; none of them is about time) the days of each group."""
    names = list(dict.fromkeys(each for scope in scopes for each in scope))
    keys, condition, parameters = calls.selection((*names, dimension("day")))
    engine = calls.engine
    columns = {each: f"key_{number}" for number, each in enumerate(names)}
    day = f"key_{len(names)}"
    parts = []
    for number, scope in enumerate(scopes):
        values = [
            f"{column if each in scope else 'CAST(NULL AS VARCHAR)'} AS {column}"
            for each, column in columns.items()
        ]
        shown = ", ".join([f"{number} AS scope", *values, f"{day} AS day"])
        sums = ", ".join(engine.money_sum(each) + f" AS {each}" for each in ("cost", "counted_cost"))
        parts.append(
            f"SELECT {shown}, {sums}, CAST(sum(requests) AS BIGINT) AS requests FROM counted GROUP BY ALL"  # noqa: S608
        )
    selected = ",\n        ".join(keys)
    rows = engine.rows(
        f"""WITH counted AS (
    SELECT
        {selected},
        coalesce({engine.money_sum("cost_pico")}, 0) AS cost,
        coalesce({engine.money_sum("cost_pico")} FILTER (WHERE requests IS NOT NULL), 0) AS counted_cost,
        coalesce(sum(requests) FILTER (WHERE cost_pico IS NOT NULL), 0) AS requests
    FROM calls
    WHERE {condition}
    GROUP BY ALL
)
{" UNION ALL ".join(parts)}""",  # noqa: S608 - names are ours, values are bound
        parameters,
    )
    found: list[dict[Key, Days]] = [defaultdict(dict) for _ in scopes]
    for scope_number, *values, day_number, cost, counted_cost, requests in rows:
        scope = scopes[scope_number]
        key = tuple(values[names.index(each)] for each in scope)
        found[scope_number][key][date_of(day_number)] = Day(int(cost), int(counted_cost), int(requests))
    return found


def costs(days: Days, first: date, after: date) -> list[int]:
    """What each day of [first, after) cost, those without calls too."""
    return [days.get(first + number * DAY, Day()).cost for number in range((after - first).days)]


def cost(days: Days, first: date, after: date) -> int:
    """What the days of [first, after) cost."""
    return sum(each.cost for day, each in days.items() if first <= day < after)


def added(parts: Iterable[Days]) -> Days:
    """The days of several groups together."""
    whole: Days = {}
    for days in parts:
        for day, each in days.items():
            whole[day] = Day(*map(sum, zip(whole.get(day, Day()), each, strict=True)))
    return whole


def part_until(calls: Calls, days: Iterable[date], until: datetime) -> float | None:
    """Which part of the cost of ``days`` had come by the time of day of ``until``, in the period's zone; None
    where they cost nothing."""
    zone, clock = calls.period.zone, until.astimezone(calls.period.zone).time()
    begun = [
        Period(day_start(day, zone), instant_of(datetime.combine(day, clock), zone), zone, "") for day in days
    ]
    _, condition, parameters = calls.selection(())
    cost = calls.engine.money_sum("cost_pico")
    # A day that an offset change cuts may have no such time: its part is then empty, and true of no call.
    early = " OR ".join(f"({each.sql()})" for each in begun)
    ((part, whole),) = calls.engine.rows(
        f"SELECT coalesce({cost} FILTER (WHERE {early}), 0), coalesce({cost}, 0) FROM calls "  # noqa: S608
        f"WHERE {condition}",
        parameters,
    )
    return int(part) / int(whole) if whole else None


def date_of(number: int) -> date:
    """The day that a bucket's number stands for."""
    return date.fromordinal(number // _DAY_US + 1)
