"""What calls cost day by day, by one or several ways of grouping them, in one pass over the calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, Protocol

from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import Dimension, Key, dimension
from costctl.analysis.known import DAY, Known, come_by

_DAY_US = 86_400 * 1_000_000


class Day(NamedTuple):
    """Of the calls of one day that have a price: what they cost (pico-dollars); of those that say how many
    requests they stand for, what these cost; what had come by a time of day, and what buckets cost
    (:func:`costctl.analysis.known.come_by`); and how many requests those are that say so."""

    cost: int = 0
    counted_cost: int = 0
    come: int = 0
    untimed: int = 0
    requests: int = 0


Days = dict[date, Day]
"""By days that have calls."""

_SUMS = ("cost", "counted_cost", "come", "untimed")


class Cost(Protocol):
    """Anything that says what a day cost."""

    @property
    def cost(self) -> int: ...


def daily(
    calls: Calls, scopes: Sequence[tuple[Dimension, ...]], until: Known | None = None
) -> list[dict[Key, Days]]:
    """For each of ``scopes`` (labels to group by; none of them is about time) the days of each group; with
    ``until`` also what had come of each day by the time of day until which today is known."""
    names = list(dict.fromkeys(each for scope in scopes for each in scope))
    keys, condition, parameters = calls.selection((*names, dimension("day")))
    engine = calls.engine
    come, untimed = "0", "0"
    if until is not None and calls.span is not None:
        come, untimed = come_by(engine, until, *calls.span, calls.period.zone)
    columns = {each: f"key_{number}" for number, each in enumerate(names)}
    day = f"key_{len(names)}"
    parts = []
    for number, scope in enumerate(scopes):
        values = [
            f"{column if each in scope else 'CAST(NULL AS VARCHAR)'} AS {column}"
            for each, column in columns.items()
        ]
        shown = ", ".join([f"{number} AS scope", *values, f"{day} AS day"])
        sums = ", ".join(engine.money_sum(each) + f" AS {each}" for each in _SUMS)
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
        {come} AS come,
        {untimed} AS untimed,
        coalesce(sum(requests) FILTER (WHERE cost_pico IS NOT NULL), 0) AS requests
    FROM calls
    WHERE {condition}
    GROUP BY ALL
)
{" UNION ALL ".join(parts)}""",  # noqa: S608 - names are ours, values are bound
        parameters,
    )
    found: list[dict[Key, Days]] = [defaultdict(dict) for _ in scopes]
    places = [[names.index(each) for each in scope] for scope in scopes]
    for scope_number, *row in rows:
        key = tuple(row[place] for place in places[scope_number])
        day_number, *of_day = row[len(names) :]
        found[scope_number][key][date_of(day_number)] = Day(*map(int, of_day))
    return found


def costs(days: Mapping[date, Cost], first: date, after: date) -> list[int]:
    """What each day of [first, after) cost, those without calls too."""
    every = (first + number * DAY for number in range((after - first).days))
    return [days[day].cost if day in days else 0 for day in every]


def cost(days: Mapping[date, Cost], first: date, after: date) -> int:
    """What the days of [first, after) cost."""
    return sum(each.cost for day, each in days.items() if first <= day < after)


def added(parts: Iterable[Days]) -> Days:
    """The days of several groups together."""
    whole: Days = {}
    for days in parts:
        for day, each in days.items():
            whole[day] = Day(*map(sum, zip(whole.get(day, Day()), each, strict=True)))
    return whole


def date_of(number: int) -> date:
    """The day that a bucket's number stands for."""
    return date.fromordinal(number // _DAY_US + 1)
