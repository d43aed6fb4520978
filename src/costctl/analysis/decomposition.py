"""Why a cost is another one: volume, mix, tokens per call and price, in whole pico-dollars that add up.

Calls are told apart in groups (a model in a mode, and what else is asked for). With N calls in all, n of a
group, c its cost, and 0 and 1 for before and after, each group goes from its cost before to its cost after in
four steps:

==================  =====================  ============================================================
volume              to N1 / N0 x c0        all groups grew as the whole did
mix                 to n1 / n0 x c0        the group's own number of calls, at its mean cost before
tokens per call     to c1 - price effect   its own tokens, at the prices before
price               to c1                  the prices after
==================  =====================  ============================================================

Each stage is rounded half-even to a pico-dollar, so the steps of a group add up to its change exactly, and so
do sums over groups. The sum of the first step is (N1 - N0) x the mean cost before. A group that has no calls
before has no mean cost: its whole cost at the prices before is mix, of which ``new`` tells; ``discontinued``
is the mix of groups that have none after. Where nothing at all was before, everything is volume; so is what
rows cost that do not say how many calls they stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from costctl.analysis.measures import quotient


class Used(NamedTuple):
    """Of a group, before or after: how many calls, what they cost (pico-dollars), and what rows cost that do
    not say for how many calls they stand."""

    calls: int = 0
    cost: int = 0
    uncounted: int = 0


class Compared(NamedTuple):
    """A group. ``price`` is what the cost after has more than the same tokens would have cost at the prices
    before, of its calls, and ``uncounted_price`` of the other rows."""

    before: Used = Used()
    after: Used = Used()
    price: int = 0
    uncounted_price: int = 0


class Effects(NamedTuple):
    """In pico-dollars; ``new`` and ``discontinued`` are parts of ``mix``."""

    volume: int = 0
    mix: int = 0
    tokens_per_call: int = 0
    price: int = 0
    new: int = 0
    discontinued: int = 0

    @property
    def saving(self) -> int:
        """What mix and tokens per call took away: other volume and other prices are no one's saving."""
        return -(self.mix + self.tokens_per_call)


def effects(groups: Iterable[Compared]) -> Iterator[Effects]:
    """What changed the cost of each group, where ``groups`` are all there are."""
    groups = list(groups)
    calls_before = sum(each.before.calls for each in groups)
    calls_after = sum(each.after.calls for each in groups)
    for before, after, price, uncounted_price in groups:
        same_prices = after.cost - price
        is_new = not before.calls
        own_calls = same_prices if is_new else _part(before.cost, after.calls, before.calls)
        as_whole = _part(before.cost, calls_after, calls_before) if calls_before else own_calls
        mix = own_calls - as_whole
        yield Effects(
            volume=as_whole - before.cost + after.uncounted - uncounted_price - before.uncounted,
            mix=mix,
            tokens_per_call=same_prices - own_calls,
            price=price + uncounted_price,
            new=mix if is_new else 0,
            discontinued=mix if before.calls and not after.calls else 0,
        )


def added(parts: Iterable[Effects]) -> Effects:
    """The effects of several groups together."""
    return Effects(*map(sum, zip(Effects(), *parts, strict=True)))


def _part(cost: int, part: int, whole: int) -> int:
    share = quotient(cost * part, whole)
    assert share is not None
    return share
