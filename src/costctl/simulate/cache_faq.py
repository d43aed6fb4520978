"""The book's example: an FAQ that every question begins with, without and with a cache, and honestly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from costctl.analysis import QuestionError
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Column, Report
from costctl.simulate.cache_of_trace import LOSES, fraction
from costctl.simulate.cache_prices import TierPrices, of_model, rows_at
from costctl.simulate.cache_profiles import PLAIN, Lifetime, Profiles

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Faq:
    """``requests`` a day, of ``static`` tokens that are always the same and ``query`` tokens that are not,
    on ``days`` days, spread evenly over ``hours`` hours of each."""

    static: int = 20_000
    query: int = 100
    requests: int = 5_000
    days: int = 30
    hours: int = 24

    def __post_init__(self) -> None:
        if min(self.static, self.requests, self.days, self.hours) < 1 or self.query < 0 or self.hours > 24:
            raise QuestionError(
                "an example needs static tokens, requests and days, and 1 to 24 hours of a day",
                "as in --book --static 20000 --query 100 --requests 5000 --days 30 --hours 24",
            )

    def writes(self, lifetime: Lifetime) -> int:
        """How often the static part is written: at the first request, and wherever the one before is
        longer ago than the lifetime."""
        last_to_first = DAY - self.hours * 3600
        gap = Fraction(self.hours * 3600, self.requests)
        if gap > lifetime.seconds:
            return self.requests * self.days
        return self.days if last_to_first + gap > lifetime.seconds else 1


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    tokens: Fraction
    """Of a day, worth as much as so many of plain input."""
    cost: Fraction
    """Of all days, pico-dollars."""
    writes: int | None = None


def faq(
    profiles: Profiles, book: PriceBook, *, model: str, at: datetime, example: Faq | None = None
) -> Report:
    """What the input of ``example`` costs: without a cache; with one that costs nothing to fill and never
    empties, as the book has it; and for each lifetime that the model has, with what is written at the price
    of writing. At the prices of ``model`` at the time ``at``. Raises :class:`QuestionError`."""
    example = example or Faq()
    prompt = example.static + example.query
    row = next(each for each in rows_at(book, model, at) if each.tier_above < prompt <= each.tier_to)
    profile = profiles.of(model) or profiles.named(PLAIN)
    rules = profile.rules_of(model)
    if example.static < rules.minimum:
        raise QuestionError(
            f"{example.static:,} static tokens are not cached: {model} needs {rules.minimum:,} at least",
            f"profile {profile.name}; --profiles FILE changes it",
        )
    lifetimes = [(each, of_model((row,), each)[0]) for each in rules.lifetimes]
    cases = list(_cases(example, lifetimes))
    without = cases[0]
    rows = [_row(each, without, example) for each in cases]
    notes = [
        f"{example.requests:,} requests a day of {example.static:,} static and {example.query:,} other "
        f"tokens, spread evenly over {example.hours} hours; input only",
        "the book's figure leaves out what writing costs, and that a cache empties; what is written is in "
        "the rows below it",
        f"prices of {model} on {at:%Y-%m-%d}: {row.source}",
    ]
    notes += [
        f"{each.name}: caching LOSES money, since nothing is read before it is gone"
        for each in cases
        if each.cost > without.cost
    ]
    return Report(
        command="simulate-cache",
        title="Prompt cache of an FAQ, as in the book",
        columns=(
            Column("case", "text"),
            Column("effective_tokens_day", "tokens", title="tokens/day"),
            Column("cost_day", "money", "USD/day", title="cost/day"),
            Column("cost", "money", title=f"cost of {example.days} days"),
            Column("saving", "money"),
            Column("saving_share", "percent", title="share"),
            Column("writes", "count"),
            Column("verdict", "text"),
        ),
        rows=rows,
        notes=tuple(notes),
        price_books=book.identifiers,
    )


def _cases(example: Faq, lifetimes: list[tuple[Lifetime, TierPrices]]) -> Iterator[_Case]:
    static, query = example.static * example.requests, example.query * example.requests
    prices = lifetimes[0][1]
    yield _Case("without cache", Fraction(static + query), (static + query) * prices.input * example.days)
    read = static * prices.read + query * prices.input
    yield _Case("with cache, the book's", read / prices.input, read * example.days, 0)
    for lifetime, each in lifetimes:
        writes = example.writes(lifetime)
        reads = example.requests * example.days - writes
        tokens = example.static * (writes * each.write + reads * each.read)
        cost = tokens + query * each.input * example.days
        yield _Case(
            f"with cache, {lifetime.name}, writes paid", cost / each.input / example.days, cost, writes
        )


def _row(case: _Case, without: _Case, example: Faq) -> tuple[Cell, ...]:
    saving = without.cost - case.cost
    return (
        case.name,
        round(case.tokens),
        round(case.cost / example.days),
        round(case.cost),
        round(saving),
        fraction(saving / without.cost),
        case.writes,
        "" if case is without else LOSES if saving < 0 else "saves",
    )
