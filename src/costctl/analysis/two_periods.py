"""The calls of two periods beside each other: their sums, why their costs differ, and how sure that is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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

MOST_GROUPS = 500
"""Above which no interval is made of their effects: each takes some milliseconds."""

_Daily = Mapping[int, Sequence[int]]
"""Figures by the number of their day."""

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
    pairs = list(pairs)
    return Pair(
        merged([Sums(), *(each.before for each in pairs)]), merged([Sums(), *(each.after for each in pairs)])
    )


@dataclass(frozen=True)
class TwoPeriods:
    """Calls ``before`` and ``after`` in a ledger that is open, told apart ``by`` labels. Both periods have a
    start and an end. ``seed`` is that of the drawn days."""

    before: Calls
    after: Calls
    by: tuple[Dimension, ...]
    book: PriceBook
    seed: int = SEED

    @cached_property
    def _dimensions(self) -> tuple[Dimension, ...]:
        names = {each.name for each in self.by}
        return (*self.by, *(dimension(name) for name in GROUP if name not in names), _DAY)

    def _place(self, name: str) -> int:
        return next(number for number, each in enumerate(self._dimensions) if each.name == name)

    def read(self) -> None:
        """Ask the ledger for all there is to know; it may then be closed."""
        _ = self.prices, self.days

    @cached_property
    def _as_stated(self) -> tuple[dict[Key, Sums], dict[Key, Sums]]:
        """The sums of each group and day, the day being the last part of the key."""
        return self.before.sums(self._dimensions), self.after.sums(self._dimensions)

    @cached_property
    def _daily(self) -> tuple[dict[Key, Sums], dict[Key, Sums]]:
        """The same by :meth:`_usual` keys."""
        found = []
        for stated in self._as_stated:
            parts: dict[Key, list[Sums]] = defaultdict(list)
            for key, sums in stated.items():
                parts[self._usual(key)].append(sums)
            found.append({key: merged(each) for key, each in parts.items()})
        return found[0], found[1]

    def _usual(self, key: Key) -> Key:
        """A call that states no mode has the standard one, and one that states no provider is of the one that
        the price book finds: another export of the same calls is no other mix. Labels that were asked for
        stay as they are."""
        asked, group = key[: len(self.by)], list(key[len(self.by) :])
        places = {each.name: number for number, each in enumerate(self._dimensions[len(self.by) :])}
        if "mode" in places and group[places["mode"]] is None:
            group[places["mode"]] = "standard"
        if "provider" in places:
            provider, model = (key[self._place(name)] for name in ("provider", "model"))
            group[places["provider"]] = self._seller(provider, model)
        return (*asked, *group)

    def _seller(self, provider: Value, model: Value) -> str | None:
        if provider is not None:
            return self.book.provider(str(provider))
        match = self.book.resolve(None, str(model))
        return match.provider if match else None

    def _merged(self, key_of: Callable[[Key], Key]) -> dict[Key, Pair]:
        parts: dict[Key, tuple[list[Sums], list[Sums]]] = defaultdict(lambda: ([Sums()], [Sums()]))
        for side, daily in enumerate(self._daily):
            for key, sums in daily.items():
                parts[key_of(key)][side].append(sums)
        return {key: Pair(merged(before), merged(after)) for key, (before, after) in parts.items()}

    @cached_property
    def rows(self) -> dict[Key, Pair]:
        """By the labels that were asked for."""
        return self._merged(lambda key: key[: len(self.by)])

    @cached_property
    def models(self) -> dict[str, Pair]:
        place = self._place("model")
        return {str(key[0]): pair for key, pair in self._merged(lambda key: (key[place],)).items()}

    @cached_property
    def whole(self) -> Pair:
        return together(self.rows.values())

    # --- why ----------------------------------------------------------------------------------------------

    @cached_property
    def prices(self) -> PriceChange:
        """What became dearer or cheaper, by group and day."""
        provider, model = self._place("provider"), self._place("model")
        names = {(key[provider], key[model]) for key in self._as_stated[1]}
        named = [(None if seller is None else str(seller), str(name)) for seller, name in names]
        by_name = sorted(named, key=lambda each: (each[0] or "", each[1]))
        return price_change(self.after, self.before.period, self._dimensions, by_name, self.book)

    @cached_property
    def _compared(self) -> tuple[list[Key], dict[int, list[int]], dict[int, list[int]]]:
        """The groups, and by day what :class:`Compared` has of each of them: three figures before, five
        after."""
        groups = list(dict.fromkeys(key[:-1] for daily in self._daily for key in daily))
        number = {key: index for index, key in enumerate(groups)}
        price: Counter[tuple[Key, bool]] = Counter()
        for (key, is_counted), more in self.prices.by_group.items():
            price[self._usual(key), is_counted] += more
        before: dict[int, list[int]] = defaultdict(lambda: [0] * (3 * len(groups)))
        after: dict[int, list[int]] = defaultdict(lambda: [0] * (5 * len(groups)))
        for key, sums in self._daily[0].items():
            place = 3 * number[key[:-1]]
            before[_day(key)][place : place + 3] = _used(sums)
        for key, sums in self._daily[1].items():
            place = 5 * number[key[:-1]]
            after[_day(key)][place : place + 5] = [*_used(sums), price[key, True], price[key, False]]
        return groups, before, after

    @cached_property
    def effects(self) -> dict[Key, Effects]:
        """Why the cost of each row changed."""
        groups, before, after = self._compared
        found: dict[Key, list[Effects]] = defaultdict(list)
        sums = [
            *_column_sums(before.values(), 3 * len(groups)),
            *_column_sums(after.values(), 5 * len(groups)),
        ]
        for key, each in zip(groups, effects(_of_figures(sums)), strict=True):
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
    def _effects_can_be_drawn(self) -> bool:
        return self.can_be_drawn and len(self._compared[0]) <= MOST_GROUPS

    @cached_property
    def _drawn_effects(self) -> list[Effects]:
        groups, before, after = self._compared
        widths = 3 * len(groups), 5 * len(groups)
        return [added(effects(_of_figures(sums))) for sums in self._drawn(widths, before, after)]

    def effect_intervals(self) -> list[Interval] | None:
        """Of each part of the sum of all :class:`Effects`, in their order; None where drawing takes long."""
        if not self._effects_can_be_drawn:
            return None
        return [interval(values, seed=self.seed) for values in zip(*self._drawn_effects, strict=True)]

    def saving_interval(self) -> Interval | None:
        """Of what mix and tokens per call saved."""
        if not self._effects_can_be_drawn:
            return None
        return interval([each.saving for each in self._drawn_effects], seed=self.seed)

    def change_intervals(self, groups: Sequence[Sequence[Key]]) -> list[Interval]:
        """Of the change of the cost of each of ``groups``, which are rows taken together."""
        number = {key: index for index, keys in enumerate(groups) for key in keys}
        width = len(groups)

        def costs(daily: Mapping[Key, Sums]) -> _Daily:
            found: dict[int, list[int]] = defaultdict(lambda: [0] * width)
            for key, sums in daily.items():
                if (index := number.get(key[: len(self.by)])) is not None:
                    found[_day(key)][index] += sums.cost
            return found

        drawn = [
            [after - before for before, after in zip(sums[:width], sums[width:], strict=True)]
            for sums in self._drawn((width, width), *map(costs, self._daily))
        ]
        return [interval(values, seed=self.seed) for values in zip(*drawn, strict=True)]

    def figure_intervals(self, figures: Callable[[Pair], Sequence[float | None]]) -> list[Interval | None]:
        """Of each of ``figures`` of all calls; None where a drawn set of days does not say."""
        width = len(Sums._fields)

        def by_day(daily: Mapping[Key, Sums]) -> _Daily:
            parts: dict[int, list[Sums]] = defaultdict(list)
            for key, sums in daily.items():
                parts[_day(key)].append(sums)
            return {day: merged(each) for day, each in parts.items()}

        drawn = [
            figures(Pair(Sums(*sums[:width]), Sums(*sums[width:])))
            for sums in self._drawn((width, width), *map(by_day, self._daily))
        ]
        return [_interval(values, self.seed) for values in zip(*drawn, strict=True)]

    def share_intervals(self, models: Sequence[str]) -> list[Interval | None]:
        """Of the change of the share of the requests that each of ``models`` has (a fraction)."""
        place, number = self._place("model"), {model: index for index, model in enumerate(models)}
        width = len(models) + 1

        def requests(daily: Mapping[Key, Sums]) -> _Daily:
            found: dict[int, list[int]] = defaultdict(lambda: [0] * width)
            for key, sums in daily.items():
                found[_day(key)][number.get(str(key[place]), len(models))] += sums.requests
            return found

        drawn = []
        for sums in self._drawn((width, width), *map(requests, self._daily)):
            before, after = sum(sums[:width]), sum(sums[width:])
            known = bool(before and after)
            parts = zip(sums[: width - 1], sums[width:-1], strict=True)
            drawn.append([now / after - then / before if known else None for then, now in parts])
        return [_interval(values, self.seed) for values in zip(*drawn, strict=True)]

    def _drawn(self, widths: tuple[int, int], before: _Daily, after: _Daily) -> Iterable[tuple[int, ...]]:
        """The sums of drawn days of both periods: so many figures of before, then so many of after."""
        days = []
        zeros = [(0,) * width for width in widths]
        for side, (numbers, figures) in enumerate(zip(self.days, (before, after), strict=True)):
            is_pooled = min(Counter(map(_weekday, numbers)).values()) < 2  # too few of each to draw within
            for number in numbers:
                values = tuple(figures.get(number, zeros[side]))
                stratum = side * _WEEK + (0 if is_pooled else _weekday(number))
                days.append((stratum, (*zeros[0], *values) if side else (*values, *zeros[1])))
        return resampled(days, seed=self.seed)


def _day(key: Key) -> int:
    number = key[-1]
    assert isinstance(number, int)
    return number


def _weekday(number: int) -> int:
    return number // _DAY_US % _WEEK  # days are counted from a Monday


def _used(sums: Sums) -> Used:
    return Used(sums.requests - sums.unpriced_requests, sums.cost - sums.uncounted_cost, sums.uncounted_cost)


def _column_sums(rows: Iterable[Sequence[int]], width: int) -> list[int]:
    return [sum(column) for column in zip([0] * width, *rows, strict=True)]


def _of_figures(figures: Sequence[int]) -> list[Compared]:
    """Of all groups: three figures each of before, then five each of after."""
    count = len(figures) // 8
    return [
        Compared(
            Used(*figures[3 * number : 3 * number + 3]),
            Used(*figures[3 * count + 5 * number : 3 * count + 5 * number + 3]),
            *figures[3 * count + 5 * number + 3 : 3 * count + 5 * number + 5],
        )
        for number in range(count)
    ]


def _interval(values: Sequence[float | None], seed: int) -> Interval | None:
    known = [each for each in values if each is not None]
    return interval(known, seed=seed) if len(known) == len(values) else None
