"""The calls of two periods beside each other: their sums, why their costs differ, and how sure that is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from costctl.analysis.calls import Calls, Sums, merged
from costctl.analysis.decomposition import Compared, Effects, Used, added, effects
from costctl.analysis.dimensions import Dimension, Key, Value, dimension
from costctl.analysis.price_change import PriceChange, price_change
from costctl.series import SEED, Interval, interval, resampled

if TYPE_CHECKING:
    from costctl.pricing.book import PriceBook

GROUP = ("provider", "model", "mode", "region")
"""What calls are told apart by besides what is asked: calls of one such group have one price list."""

FEWEST_DAYS = 7
"""On either side, below which there are no intervals."""

MOST_GROUPS = 200
"""Above which the steps have no intervals: each group takes some milliseconds."""
MOST_ROWS = 1000
"""Above which the changes of single rows have none."""

_Sums = tuple[dict[Key, Sums], dict[Key, Sums]]
"""Before and after."""
_DAY = dimension("day")
_DAY_US = 86_400 * 1_000_000
_WEEK = 7


class Pair(NamedTuple):
    """The sums over the calls of a group in both periods."""

    before: Sums = Sums()
    after: Sums = Sums()

    @property
    def change(self) -> int:
        """Of the cost, in pico-dollars."""
        return self.after.cost - self.before.cost


def together(pairs: Iterable[Pair]) -> Pair:
    """The sums over the calls of several groups."""
    before, after = zip(Pair(), *pairs, strict=True)
    return Pair(merged(before), merged(after))


@dataclass(frozen=True)
class TwoPeriods:
    """Calls ``before`` and ``after`` in a ledger that is open, told apart ``by`` labels. Both periods have a
    start and an end. The days before are drawn with ``seed``, those after with the next one."""

    before: Calls
    after: Calls
    by: tuple[Dimension, ...]
    book: PriceBook
    seed: int = SEED

    def read(self) -> None:
        """Ask the ledger for all there is to know; it may then be closed."""
        _ = self.prices, self.days, self._daily

    # --- what ---------------------------------------------------------------------------------------------

    @cached_property
    def _dimensions(self) -> tuple[Dimension, ...]:
        """What is asked for, and then what else tells groups apart."""
        names = {each.name for each in self.by}
        return (*self.by, *(dimension(name) for name in GROUP if name not in names))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {each.name: number for number, each in enumerate(self._dimensions)}

    @cached_property
    def _stated(self) -> _Sums:
        """By group, in the words of the calls."""
        if not self.by:
            before, after = self._daily
            return _without_days(before), _without_days(after)
        return self.before.sums(self._dimensions), self.after.sums(self._dimensions)

    @cached_property
    def groups(self) -> dict[Key, Pair]:
        """By group."""
        return _paired(self._stated, self._usual)

    @cached_property
    def rows(self) -> dict[Key, Pair]:
        """By the labels that are asked for."""
        return self._united(lambda key: key[: len(self.by)])

    @cached_property
    def models(self) -> dict[str, Pair]:
        place = self._places["model"]
        return {str(key[0]): pair for key, pair in self._united(lambda key: (key[place],)).items()}

    @cached_property
    def whole(self) -> Pair:
        return together(self.rows.values())

    def _united(self, key_of: Callable[[Key], Key]) -> dict[Key, Pair]:
        parts: dict[Key, list[Pair]] = defaultdict(list)
        for key, pair in self.groups.items():
            parts[key_of(key)].append(pair)
        return {key: together(pairs) for key, pairs in parts.items()}

    def _usual(self, key: Key) -> Key:
        """A call that states no mode has the standard one, and one that states no provider is of the one that
        the price book finds: another export of the same calls is no other mix. Labels that are asked for stay
        as they are."""
        found, asked = list(key), len(self.by)
        mode, provider = self._places["mode"], self._places["provider"]
        if mode >= asked and found[mode] is None:
            found[mode] = "standard"
        if provider >= asked:
            found[provider] = self._seller(key[provider], key[self._places["model"]])
        return tuple(found)

    def _seller(self, provider: Value, model: Value) -> str | None:
        if provider is not None:
            return self.book.provider(str(provider))
        match = self.book.resolve(None, str(model))
        return match.provider if match else None

    # --- why ----------------------------------------------------------------------------------------------

    @cached_property
    def prices(self) -> PriceChange:
        """What became dearer or cheaper, by group and day."""
        provider, model = self._places["provider"], self._places["model"]
        stated = {(key[provider], key[model]) for key in self._stated[1]}
        names = [(None if seller is None else str(seller), str(name)) for seller, name in stated]
        names.sort(key=lambda each: (each[0] or "", each[1]))
        return price_change(self.after, self.before.period, (*self._dimensions, _DAY), names, self.book)

    @cached_property
    def effects(self) -> dict[Key, Effects]:
        """Why the cost of each row changed."""
        price: Counter[tuple[Key, bool]] = Counter()
        for (key, is_counted), more in self.prices.by_group.items():
            price[self._usual(key[:-1]), is_counted] += more
        compared = (
            Compared(_used(before), _used(after), price[key, True], price[key, False])
            for key, (before, after) in self.groups.items()
        )
        found: dict[Key, list[Effects]] = defaultdict(list)
        for key, each in zip(self.groups, effects(compared), strict=True):
            found[key[: len(self.by)]].append(each)
        return {key: added(parts) for key, parts in found.items()}

    # --- how sure -----------------------------------------------------------------------------------------

    @cached_property
    def days(self) -> tuple[list[int], list[int]]:
        """The days of which the ledger knows, by number."""
        return self.before.every(_DAY), self.after.every(_DAY)

    @property
    def can_be_drawn(self) -> bool:
        return min(map(len, self.days)) >= FEWEST_DAYS

    @property
    def has_few_rows(self) -> bool:
        return len(self.rows) <= MOST_ROWS

    @cached_property
    def _daily(self) -> _Sums:
        """By day, the last part of the key: of the groups where nothing else is asked for, else of the rows;
        where these are many of all calls."""
        by = self._dimensions if not self.by else self.by if self.has_few_rows else ()
        return self.before.sums((*by, _DAY)), self.after.sums((*by, _DAY))

    def effect_intervals(self) -> list[Interval] | None:
        """Of each part of the sum of all :class:`Effects`, in their order; None where days are few or groups
        many, or where these are no models alone."""
        if self.by or not self.can_be_drawn or len(self.groups) > MOST_GROUPS:
            return None
        number = {key: 3 * index for index, key in enumerate(self.groups)}
        before, after = (
            _by_day(daily, 3 * len(number), lambda key: number[self._usual(key[:-1])], _used)
            for daily in self._daily
        )
        prices = _Figures(2 * len(number) if self.prices.by_group else 0)
        for (key, is_counted), more in self.prices.by_group.items():
            place = 2 * number[self._usual(key[:-1])] // 3 + (0 if is_counted else 1)
            prices.add(_day(key), place, (more,))
        drawn = (added(effects(_compared(*sums))) for sums in self._drawn(before, after.beside(prices)))
        return [interval(values, seed=self.seed) for values in zip(*drawn, strict=True)]

    def saving_interval(self) -> Interval | None:
        """Of what mix and tokens per call saved. Groups need not be told apart for it: as many calls at the
        mean cost before, less what they cost at the prices before."""
        if not self.can_be_drawn:
            return None
        before, after = (_by_day(daily, 3, lambda _: 0, _used) for daily in self._daily)
        prices = _Figures(2)
        for (key, is_counted), more in self.prices.by_group.items():
            prices.add(_day(key), 0 if is_counted else 1, (more,))
        drawn = (added(effects(_compared(*sums))) for sums in self._drawn(before, after.beside(prices)))
        return interval([each.saving for each in drawn], seed=self.seed)

    def change_intervals(self, groups: Sequence[Sequence[Key]]) -> list[Interval]:
        """Of the change of the cost of each of ``groups``, which are rows taken together."""
        number = {key: index for index, keys in enumerate(groups) for key in keys}
        costs = (
            _by_day(
                daily, len(groups), lambda key: number.get(key[: len(self.by)]), lambda sums: (sums.cost,)
            )
            for daily in self._daily
        )
        changes = ([now - then for then, now in zip(*sums, strict=True)] for sums in self._drawn(*costs))
        return [interval(values, seed=self.seed) for values in zip(*changes, strict=True)]

    def figure_intervals(self, figures: Callable[[Pair], Sequence[float | None]]) -> list[Interval | None]:
        """Of each of ``figures`` of all calls; None where a drawn set of days does not say."""
        width = len(Sums._fields)
        sums_of_days = (_by_day(daily, width, lambda _: 0, lambda sums: sums) for daily in self._daily)
        drawn = (figures(Pair(Sums(*then), Sums(*now))) for then, now in self._drawn(*sums_of_days))
        return [_interval(values, self.seed) for values in zip(*drawn, strict=True)]

    def share_intervals(self, models: Sequence[str]) -> list[Interval | None]:
        """Of the change of the share of the requests that each of ``models`` has (a fraction)."""
        place, number = self._places["model"], {model: index for index, model in enumerate(models)}
        rest = len(models)
        requests = (
            _by_day(
                daily,
                rest + 1,
                lambda key: number.get(str(key[place]), rest),
                lambda sums: (sums.requests,),
            )
            for daily in self._daily
        )
        drawn = []
        for then, now in self._drawn(*requests):
            before, after = sum(then), sum(now)
            known = bool(before and after)
            parts = zip(then[:-1], now[:-1], strict=True)
            drawn.append([new / after - old / before if known else None for old, new in parts])
        return [_interval(values, self.seed) for values in zip(*drawn, strict=True)]

    def _drawn(self, before: _Figures, after: _Figures) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """The sums of drawn days of each period."""
        sides = []
        for side, (numbers, figures) in enumerate(zip(self.days, (before, after), strict=True)):
            is_pooled = min(Counter(map(_weekday, numbers)).values()) < 2  # too few of each to draw within
            days = [(0 if is_pooled else _weekday(number), figures.of(number)) for number in numbers]
            sides.append(resampled(days, seed=self.seed + side))
        return zip(*sides, strict=True)


@dataclass(frozen=True)
class _Figures:
    """``width`` figures of each day."""

    width: int
    by_day: dict[int, list[int]] = field(default_factory=dict)

    def add(self, day: int, place: int, values: Iterable[int]) -> None:
        """Add ``values`` to the figures from ``place`` on."""
        figures = self.by_day.setdefault(day, [0] * self.width)
        for number, value in enumerate(values, place):
            figures[number] += value

    def of(self, day: int) -> tuple[int, ...]:
        return tuple(self.by_day.get(day) or [0] * self.width)

    def beside(self, others: _Figures) -> _Figures:
        """With the figures of ``others`` after these."""
        days = {*self.by_day, *others.by_day}
        return _Figures(self.width + others.width, {day: [*self.of(day), *others.of(day)] for day in days})


def _by_day(
    daily: Mapping[Key, Sums],
    width: int,
    place_of: Callable[[Key], int | None],
    values_of: Callable[[Sums], Iterable[int]],
) -> _Figures:
    """What ``values_of`` gives, from the place of each key on; None has no place."""
    figures = _Figures(width)
    for key, sums in daily.items():
        if (place := place_of(key)) is not None:
            figures.add(_day(key), place, values_of(sums))
    return figures


def _without_days(daily: Mapping[Key, Sums]) -> dict[Key, Sums]:
    parts: dict[Key, list[Sums]] = defaultdict(list)
    for key, sums in daily.items():
        parts[key[:-1]].append(sums)
    return {key: merged(each) for key, each in parts.items()}


def _paired(sums: _Sums, usual: Callable[[Key], Key]) -> dict[Key, Pair]:
    sides: dict[Key, tuple[list[Sums], list[Sums]]] = defaultdict(lambda: ([Sums()], [Sums()]))
    for side, of_keys in enumerate(sums):
        for key, each in of_keys.items():
            sides[usual(key)][side].append(each)
    return {key: Pair(merged(before), merged(after)) for key, (before, after) in sides.items()}


def _day(key: Key) -> int:
    number = key[-1]
    assert isinstance(number, int)
    return number


def _weekday(number: int) -> int:
    return number // _DAY_US % _WEEK  # days are counted from a Monday


def _used(sums: Sums) -> Used:
    return Used(sums.requests - sums.unpriced_requests, sums.cost - sums.uncounted_cost, sums.uncounted_cost)


def _compared(before: Sequence[int], after: Sequence[int]) -> list[Compared]:
    """Of all groups: three figures each, before and after; then two each of prices, if any changed."""
    width = len(before)
    prices = after[width:] or (0,) * (width // 3 * 2)
    return [
        Compared(
            Used(*before[place : place + 3]),
            Used(*after[place : place + 3]),
            *prices[place // 3 * 2 : place // 3 * 2 + 2],
        )
        for place in range(0, width, 3)
    ]


def _interval(values: Sequence[float | None], seed: int) -> Interval | None:
    known = [each for each in values if each is not None]
    return interval(known, seed=seed) if len(known) == len(values) else None
