"""What is compared of two periods, and how a change is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from costctl.analysis.measures import BY_NAME, Group, Measure, quotient
from costctl.analysis.two_periods import Pair, TwoPeriods
from costctl.periods import Period
from costctl.report import Kind
from costctl.series import Interval

MEASURED: tuple[Measure, ...] = tuple(
    BY_NAME[name]
    for name in (
        "cost",
        "requests",
        "cost_per_request",
        "cost_per_mtok",
        "mean_prompt_tokens",
        "caching_rate",
        "cache_hit_rate",
        "mean_latency_ms",
        "success_rate",
    )
)
"""The measures that are compared, by the names that reports have for them."""

STEPS: tuple[str, ...] = ("volume", "mix", "tokens_per_call", "price")
"""What adds up to the change of the cost, exactly."""

MICROSECOND = timedelta(microseconds=1)

_YEAR = timedelta(days=365)
_MONTHS = 12


def beside(measure: Measure, pair: Pair) -> tuple[int | Decimal | None, int | Decimal | None]:
    before, after = (measure.value(Group(sums, sums.cost)) for sums in pair)
    return before, after


def cost_is_known(pair: Pair) -> bool:
    """Whether each period has a cost: one whose calls all have no price has none, which is not 0."""
    return None not in beside(BY_NAME["cost"], pair)


def a_year(both: TwoPeriods) -> tuple[int, int] | None:
    """What a year like each of the periods costs: 12 months where both are whole months, else 365 days. None
    where a cost is unknown."""
    if not cost_is_known(both.whole):
        return None
    periods = both.before.period, both.after.period
    months = [_months(each) for each in periods]
    costs = []
    for sums, period, count in zip(both.whole, periods, months, strict=True):
        if all(months):
            cost = quotient(sums.cost * _MONTHS, count)
        else:
            cost = quotient(sums.cost * (_YEAR // MICROSECOND), length(period) // MICROSECOND)
        assert cost is not None
        costs.append(cost)
    return costs[0], costs[1]


def _months(period: Period) -> int:
    """How many whole months of the calendar it is; 0 where it is anything else."""
    start, end = (each.astimezone(period.zone) for each in bounds(period))
    is_whole = all(each.day == 1 and each.time() == each.min.time() for each in (start, end))
    return (end.year - start.year) * _MONTHS + end.month - start.month if is_whole else 0


def length(period: Period) -> timedelta:
    """By the clocks of its zone: a day is a day, also where it has 23 or 25 hours. Of a period too short for
    that, the time that has passed."""
    start, end = bounds(period)
    by_clock = [each.astimezone(period.zone).replace(tzinfo=None) for each in (start, end)]
    found = by_clock[1] - by_clock[0]
    return found if found >= timedelta(days=1) else end - start


def ends(interval: Interval | None, kind: Kind) -> tuple[int | Decimal | None, int | Decimal | None]:
    if interval is None:
        return None, None
    return _of_kind(interval.low, kind), _of_kind(interval.high, kind)


def _of_kind(value: float, kind: Kind) -> int | Decimal:
    if kind in ("money", "count", "tokens"):
        return round(value)
    return round(Decimal(value), 6 if kind == "percent" else 3)


def verdict(interval: Interval | None) -> str | None:
    """What is said of a change; nothing where there is none in any draw."""
    if interval is None or interval.low == interval.high == 0:
        return None
    return "not significant" if interval.holds_zero else "significant"


def bounds(period: Period) -> tuple[datetime, datetime]:
    """The start and the end of a period that has both."""
    assert period.start is not None
    assert period.end is not None
    return period.start, period.end
