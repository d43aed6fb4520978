"""What reading and writing a cache costs beside plain input, by the price book or as multiples of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from costctl.analysis import QuestionError
from costctl.pricing.book import PriceBook
from costctl.pricing.rows import PriceRow
from costctl.simulate.cache_profiles import Lifetime, Profile

MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class TierPrices:
    """Prices of a token, for prompts of more than ``above`` and at most ``to`` tokens: pico-dollars, or
    multiples of plain input's."""

    above: int
    to: int
    input: Fraction
    read: Fraction
    write: Fraction


@dataclass(frozen=True, slots=True)
class Balance:
    """What a cache does to the cost of input, in the unit of the prices: ``without`` it, what reading saves,
    what writing costs beyond plain input, and what keeping costs."""

    without: Fraction
    read_saving: Fraction
    write_premium: Fraction
    storage: Fraction

    @property
    def saving(self) -> Fraction:
        """Negative where the cache costs more than it saves."""
        return self.read_saving - self.write_premium - self.storage

    @property
    def share(self) -> Fraction | None:
        """The saving as a part of what input costs without a cache."""
        return self.saving / self.without if self.without else None


def balance(parts: Iterable[tuple[TierPrices, int, int, int]], storage: Fraction = Fraction()) -> Balance:
    """Of parts with their prices, tokens of input, and how many of them are read and written."""
    without = read_saving = premium = Fraction()
    for prices, tokens, read, written in parts:
        without += tokens * prices.input
        read_saving += read * (prices.input - prices.read)
        premium += written * (prices.write - prices.input)
    return Balance(without, read_saving, premium, storage)


def rows_at(book: PriceBook, model: str, at: datetime, mode: str = "standard") -> tuple[PriceRow, ...]:
    """The prices of ``model`` at the time ``at``, by tier, lowest first. Raises :class:`QuestionError` where
    it has none."""
    moment = at.astimezone(UTC).replace(tzinfo=None)
    second = moment.hour * 3600 + moment.minute * 60 + moment.second
    found = [
        row
        for row in book.rows_for([(None, model)])[(None, model)]
        if row.mode == mode
        and row.region is None
        and (row.effective_from is None or row.effective_from <= moment)
        and (row.effective_to is None or moment < row.effective_to)
        and row.window_start <= second < row.window_end
        and row.input is not None
    ]
    if not found:
        raise QuestionError(f"there is no price for {model} on {moment:%Y-%m-%d}", "see costctl prices list")
    return tuple(sorted(found, key=lambda row: row.tier_above))


def of_model(rows: Iterable[PriceRow], lifetime: Lifetime) -> tuple[TierPrices, ...]:
    """Pico-dollars a token. A kind without a price costs what plain input does."""
    return tuple(
        TierPrices(
            row.tier_above,
            row.tier_to,
            Fraction(row.input or 0),
            Fraction(_or(row.cache_read, row.input)),
            Fraction(_or(getattr(row, lifetime.column.replace("_tokens", "")), row.input)),
        )
        for row in rows
    )


def of_profile(read: Fraction, lifetime: Lifetime) -> tuple[TierPrices, ...]:
    """Multiples of plain input's price."""
    return (TierPrices(-1, 2**63 - 1, Fraction(1), read, lifetime.write),)


def storage_price(profile: Profile, is_money: bool) -> Fraction:
    """Of keeping a token for a millisecond: pico-dollars, or a multiple of plain input's price. Raises
    :class:`QuestionError` where a multiple of what is not known."""
    if not profile.storage:
        return Fraction()
    if is_money:
        return profile.storage * 10**12 / MS_PER_HOUR
    if profile.input is None:
        raise QuestionError(
            f"the cache profile {profile.name} has a price of storage, and none of input beside it",
            "name a model with --model, or give the profile input_usd_per_mtok",
        )
    return profile.storage / profile.input / MS_PER_HOUR


def _or(price: int | None, other: int | None) -> int:
    return next((each for each in (price, other) if each is not None), 0)
