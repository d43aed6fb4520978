"""What levers save together, step by step, each one alone, and the credit of each.

A step is the difference between two sums of one statement over the same calls, so that steps add up to the
joint saving to the pico-dollar. What each lever would save alone does not: it counts dollars that another one
has saved already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from math import factorial
from operator import add
from typing import Literal, get_args

from costctl.analysis import QuestionError
from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import dimension
from costctl.pricing.book import PriceBook
from costctl.series import Interval, bootstrap
from costctl.series.bootstrap import Day
from costctl.simulate.state import KINDS, Lever, States

Attribution = Literal["sequence", "shapley"]
ATTRIBUTIONS: tuple[Attribution, ...] = get_args(Attribution)

Costs = Mapping[tuple[int, ...], int]
"""What the calls cost under some of the levers, by their places, ascending. Pico-dollars."""


FEWEST_DAYS = 14
"""Each weekday twice: fewer say nothing of how sure a saving is."""

_DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True)
class Waterfall:
    """``costs`` after no lever, after the first, and so on; ``alone`` and ``credit`` are savings by lever,
    ``changed`` the calls that each one changed. Amounts are pico-dollars; ``credit`` adds up to the saving.
    ``missed``: by lever, how many calls it was to change and did not, by the reason.
    ``days`` are those of the span, by their weekdays, with the costs before and after.
    """

    states: States
    costs: tuple[int, ...]
    changed: tuple[int, ...]
    alone: tuple[int, ...]
    missed: tuple[dict[str, int], ...]
    credit: tuple[int, ...] | None = None
    days: Sequence[Day] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(before - after for before, after in pairwise(self.costs))

    @property
    def saving(self) -> int:
        return self.costs[0] - self.costs[-1]

    @cached_property
    def interval(self) -> Interval | None:
        """Of the saving, over days; None where they are fewer than :data:`FEWEST_DAYS`."""
        if len(self.days) < FEWEST_DAYS:
            return None
        return bootstrap(self.days, lambda sums: sums[0] - sums[1])


def natural(levers: Iterable[Lever]) -> tuple[Lever, ...]:
    """``levers`` in the order in which they act on a call; of one kind, that of the kind's own name first.
    Raises QuestionError for none, or two of one name: nothing would say which of them acts first."""
    ordered = sorted(
        levers, key=lambda lever: (KINDS.index(lever.kind), lever.name != lever.kind, lever.name)
    )
    if not ordered:
        raise QuestionError("a plan has no lever", f"name one: {', '.join(KINDS)}")
    for one, other in pairwise(ordered):
        if one.name == other.name:
            raise QuestionError(f"a plan has two levers {one.name}", "put their rules into one")
    return tuple(ordered)


def waterfall(
    calls: Calls,
    book: PriceBook,
    levers: Iterable[Lever],
    attribution: Attribution = "sequence",
    progress: Callable[[str], None] = lambda _: None,
) -> Waterfall:
    """``levers`` on ``calls``, in their natural order, each on the state that the one before has left.
    ``progress`` is told what is being priced."""
    ordered = natural(levers)
    places = range(len(ordered))
    progress("pricing the calls under all levers")
    states = States.of(calls, book, ordered)
    days, missed = _by_day(states)
    costs, changed = (tuple(map(sum, zip(*each, strict=True))) for each in zip(*days.values(), strict=True))
    known = {tuple(places[:length]): cost for length, cost in enumerate(costs)}
    wanted = (
        [each for size in reversed(places) for each in combinations(places, size + 1)]
        if attribution == "shapley"
        else [(place,) for place in places]
    )
    for number, chosen in enumerate(wanted, 1):
        if chosen not in known:  # it may be how a longer one begins
            progress(f"pricing the calls under some of the levers: {number} of {len(wanted)}")
            some = States.of(calls, book, [ordered[place] for place in chosen]).costs()
            known |= {chosen[:length]: cost for length, cost in enumerate(some)}
    return Waterfall(
        states,
        costs,
        changed,
        tuple(costs[0] - known[(place,)] for place in places),
        missed,
        shapley(len(ordered), known) if attribution == "shapley" else None,
        [(day // _DAY_US % 7, (spent[0], spent[-1])) for day, (spent, _) in sorted(days.items())]
        if calls.span
        else [],
    )


def _by_day(
    states: States,
) -> tuple[dict[int, tuple[tuple[int, ...], tuple[int, ...]]], tuple[dict[str, int], ...]]:
    """Of every day of the span: the costs after no lever, after the first and so on, and the calls that each
    one changed; and what :attr:`States.missed` says. All in one pass. Days count from a Monday."""
    calls, levers = states.calls, len(states.levers)
    nothing = ((0,) * (levers + 1), (0,) * levers)
    missed: tuple[dict[str, int], ...] = tuple({} for _ in states.levers)
    if calls.span is None:
        return {0: nothing}, missed
    day, _ = dimension("day").sql(calls.engine, calls.span, calls.period.zone)
    reasons = [f"missed_{number}" for number in range(1, levers + 1)]
    sums = [calls.engine.money_sum(f"spent_{number}") for number in range(levers + 1)]
    sums += [
        f"sum(coalesce(was_requests, 1)) FILTER (WHERE changed_{number})" for number in range(1, levers + 1)
    ]
    sums.append("sum(coalesce(was_requests, 1))")
    found = dict.fromkeys(calls.every(dimension("day")), nothing)
    # S608: constants.
    select = f"SELECT {day} AS day, {', '.join((*reasons, *sums))} FROM state GROUP BY ALL ORDER BY ALL"  # noqa: S608
    for of_day, *cells in states.rows(select):
        *values, all_calls = (int(each or 0) for each in cells[levers:])
        spent, changed = found[of_day]
        found[of_day] = (
            tuple(map(add, spent, values[: levers + 1])),
            tuple(map(add, changed, values[levers + 1 :])),
        )
        for each, reason in zip(missed, cells[:levers], strict=True):
            if reason is not None:
                each[reason] = each.get(reason, 0) + all_calls
    return found, missed


def shapley(count: int, costs: Costs) -> tuple[int, ...]:
    """The saving of each of ``count`` levers by Shapley: the mean, over all orders in which they could be
    taken up, of what it saves when its turn comes. ``costs`` has every choice of levers.

    Exact; the pico-dollars that do not divide go one each to the greatest remainders, earlier levers first.
    """
    weighed = [_weighed(place, count, costs) for place in range(count)]
    orders = factorial(count)
    saving = costs[()] - costs[tuple(range(count))]
    shares = [each // orders for each in weighed]
    by_rest = sorted(range(count), key=lambda place: (-(weighed[place] % orders), place))
    for place in by_rest[: saving - sum(shares)]:
        shares[place] += 1
    return tuple(shares)


def _weighed(lever: int, count: int, costs: Costs) -> int:
    """The sum of what ``lever`` saves over all orders: those that begin with the same others are one case."""
    others = [place for place in range(count) if place != lever]
    return sum(
        factorial(size)
        * factorial(count - size - 1)
        * (costs[before] - costs[tuple(sorted((*before, lever)))])
        for size in range(count)
        for before in combinations(others, size)
    )
