"""The spend of many budgets by their days, in one pass over the calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from costctl import filters
from costctl.analysis.grain import condition
from costctl.analysis.known import come_by
from costctl.budgets.windows import Plan
from costctl.ledger import tag_path
from costctl.periods import Period, bucket, day_start
from costctl.records import BY_PUBLIC

if TYPE_CHECKING:
    from costctl.ledger import Engine

_DAY_US = 86_400 * 1_000_000


class Sum(NamedTuple):
    """Pico-dollars of the calls that have a price, how many have none, and, where days are forecast, what had
    come by a time of day, and what buckets cost (:func:`costctl.analysis.known.come_by`)."""

    cost: int = 0
    unpriced: int = 0
    come: int = 0
    untimed: int = 0


Sums = dict[str, dict[date, Sum]]
"""By the value of a scope ("" where it is one for all), by the step that a day belongs to."""


def sums(engine: Engine, plans: Sequence[Plan]) -> list[Sums]:
    """What was spent of each of ``plans``, which have one ``now``, until then.

    Calls are first grouped by day and by all that any budget asks about; then each budget takes what is its
    own from these groups, which are few.
    """
    found: list[Sums] = [defaultdict(dict) for _ in plans]
    asked = [(number, plan) for number, plan in enumerate(plans) if plan.steps]
    if not asked:
        return found
    columns = _columns(plans)
    zones = {plan.zone.key: plan for _, plan in asked}
    days = {key: f"day_{number}" for number, key in enumerate(zones)}
    start = min(day_start(plan.steps[0], plan.zone) for _, plan in asked)
    end = asked[0][1].now + timedelta(microseconds=1)
    keys, parameters = _keys(engine, columns)
    for key, plan in zones.items():
        day, come, untimed = days[key], "0", "0"
        if plan.known is not None and plan.forecasts:
            come, untimed = come_by(engine, plan.known, start, end, plan.zone)
        keys += [f"{bucket('day', start, end, plan.zone)} AS {day}"]
        keys += [f"{come} AS {day}_come", f"{untimed} AS {day}_untimed"]
    parts = []
    for number, plan in asked:
        text, bound = _part(engine, number, plan, columns, days[plan.zone.key])
        parts.append(text)
        parameters += bound
    selected = ",\n        ".join(keys)
    rows = engine.rows(
        f"""WITH counted AS (
    SELECT
        {selected},
        {engine.money_sum("cost_pico")} AS cost,
        sum(coalesce(requests, 1)) FILTER (WHERE cost_pico IS NULL) AS unpriced
    FROM calls
    WHERE {_counts(engine, start, end, asked[0][1])}
    GROUP BY ALL
)
{" UNION ALL ".join(parts)}""",  # noqa: S608 - names are ours, values are bound
        parameters,
    )
    for number, value, step, *sums_of_step in rows:
        found[number][value][date.fromordinal(step // _DAY_US + 1)] = Sum(*map(int, sums_of_step))
    return found


def _counts(engine: Engine, start: datetime, end: datetime, plan: Plan) -> str:
    grain = condition(engine, "auto")
    return Period(start, end, plan.zone, "").sql() + (f" AND {grain}" if grain else "")


def _columns(plans: Sequence[Plan]) -> dict[str, str]:
    """What any budget asks about, public names and ``tag:NAME``, and its name among the groups."""
    names: dict[str, None] = {}
    for plan in plans:
        budget = plan.budget
        for each in (*budget.scope.filters, *budget.where):
            names[each.column] = None
    return {name: f"key_{number}" for number, name in enumerate(names)}


def _keys(engine: Engine, columns: dict[str, str]) -> tuple[list[str], list[str]]:
    keys, parameters = [], []
    for name, key in columns.items():
        if name.startswith("tag:"):
            keys.append(f"{engine.tag()} AS {key}")
            parameters.append(tag_path(name[4:]))
        else:
            keys.append(f"{BY_PUBLIC[name].name} AS {key}")
    return keys, parameters


def _part(
    engine: Engine, number: int, plan: Plan, columns: dict[str, str], day: str
) -> tuple[str, list[str]]:
    """The SELECT of one budget, and its parameters."""
    scope = plan.budget.scope
    value = columns[scope.column] if scope.each else "''"
    conditions, parameters = [f"{day} >= {_number(plan.steps[0])}"], []
    if scope.filters:
        either = []
        for each in scope.filters:
            text, bound = filters.sql((each,), columns=columns)
            either.append(text)
            parameters += bound
        conditions.append(f"({' OR '.join(either)})")
    passes, bound = filters.sql(plan.budget.where, columns=columns)
    cost, come, untimed = (engine.money_sum(each) for each in ("cost", f"{day}_come", f"{day}_untimed"))
    return (
        f"""SELECT {number} AS budget, {value} AS value, {_step(plan, day)} AS step,
    coalesce({cost}, 0) AS cost, CAST(coalesce(sum(unpriced), 0) AS BIGINT) AS unpriced,
    {come} AS come, {untimed} AS untimed
FROM counted
WHERE {" AND ".join((*conditions, passes))}
GROUP BY ALL""",  # noqa: S608
        [*parameters, *bound],
    )


def _step(plan: Plan, day: str) -> str:
    """SQL for the step that a day belongs to, as the day that it begins with."""
    whens = []
    if plan.history is not None:
        whens.append(f"WHEN {day} >= {_number(plan.history)} THEN {day}")
    coarse = [step for step in plan.steps if plan.history is None or step < plan.history]
    if not coarse:
        return day
    whens += [f"WHEN {day} >= {_number(step)} THEN {_number(step)}" for step in reversed(coarse)]
    return f"CASE {' '.join(whens)} END"


def _number(day: date) -> int:
    """The number of a day as :func:`costctl.periods.bucket` gives it."""
    return (day.toordinal() - 1) * _DAY_US
