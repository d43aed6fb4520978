"""What a prompt cache would save on the requests of a trace; needs no ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from costctl.money import share
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Column, Report
from costctl.simulate.cache_prices import (
    Balance,
    TierPrices,
    balance,
    of_model,
    of_profile,
    rows_at,
    storage_price,
)
from costctl.simulate.cache_profiles import PLAIN, Profile, Profiles, Rules, break_even, said
from costctl.simulate.traces import BLOCK, ONE_TIER, Replay, reading

LOSES = "loses money"

_COUNTS = (
    Column("lifetime", "text"),
    Column("requests", "count"),
    Column("hits", "count"),
    Column("misses", "count"),
    Column("blocks", "count", wide=True),
    Column("hit_blocks", "count", wide=True),
    Column("input_tokens", "tokens"),
    Column("hit_tokens", "tokens"),
    Column("written_tokens", "tokens", wide=True),
    Column("hit_ratio", "percent"),
    Column("break_even", "percent"),
    Column("input_saving", "percent"),
    Column("verdict", "text"),
)
_MONEY = (
    Column("input_cost", "money"),
    Column("read_saving", "money", wide=True),
    Column("write_premium", "money", wide=True),
    Column("storage", "money", wide=True),
    Column("saving", "money"),
)


def of_trace(
    path: Path,
    profiles: Profiles,
    *,
    seconds: Sequence[int] = (),
    profile: str | None = None,
    model: str | None = None,
    book: PriceBook | None = None,
    at: datetime | None = None,
    block: int = BLOCK,
    capacity: int | None = None,
) -> Report:
    """One row for each lifetime in ``seconds``; without any, for each of the profile's.

    ``profile``: by its name; without one that of ``model``, else the plain one. With ``model`` the report has
    money too, at its prices in ``book`` at the time ``at``, and tiers by each request's own prompt; without,
    shares of the cost of input by the profile's ratios. ``capacity``: how many blocks of ``block`` tokens
    fit, the least recently used going first. Raises what :func:`costctl.simulate.traces.reading` raises, and
    :class:`QuestionError`.
    """
    chosen = _chosen(profiles, profile, model)
    rules = chosen.rules_of(model)
    lifetimes = list(dict.fromkeys(seconds)) or [each.seconds for each in rules.lifetimes]
    listed = rows_at(book, model, at) if model and book and at else ()
    tiers = [(row.tier_above, row.tier_to) for row in listed] or ONE_TIER
    kept_price = storage_price(chosen, bool(listed))
    with reading(path, block) as trace:
        replays = trace.replay(
            lifetimes,
            rules,
            tiers=tiers,
            capacity=capacity,
            refresh=chosen.refresh_on_hit,
            storage=kept_price > 0,
        )
    rows: list[tuple[Cell, ...]] = []
    notes = _assumptions(chosen, rules, block, capacity, model, at if listed else None)
    for replay in replays:
        lifetime = rules.nearest(replay.seconds)
        prices = of_model(listed, lifetime) if listed else of_profile(rules.read, lifetime)
        found = balance(
            (
                (each, part.input_tokens, part.hit_tokens, part.written_tokens)
                for each, part in zip(prices, replay.by_tier, strict=True)
            ),
            replay.kept * kept_price,
        )
        rows.append(_row(replay, prices[0], found, is_money=bool(listed)))
        notes += _remarks(replay, lifetime.name, prices[0], found)
    return Report(
        command="simulate-cache",
        title=f"Prompt cache over the trace {path.name}",
        columns=(*_COUNTS[:-1], *(_MONEY if listed else ()), _COUNTS[-1]),
        rows=rows,
        notes=tuple(notes),
        price_books=book.identifiers if listed and book else (),
        calls=replays[0].whole.requests,
    )


def _chosen(profiles: Profiles, name: str | None, model: str | None) -> Profile:
    if name is not None:
        return profiles.named(name)
    return (profiles.of(model) if model else None) or profiles.named(PLAIN)


def _row(replay: Replay, prices: TierPrices, found: Balance, *, is_money: bool) -> tuple[Cell, ...]:
    whole = replay.whole
    money = (found.without, found.read_saving, found.write_premium, found.storage, found.saving)
    least = _least_hit_ratio(prices)
    return (
        said(replay.seconds),
        whole.requests,
        whole.hits,
        whole.requests - whole.hits,
        whole.blocks,
        whole.hit_blocks,
        whole.input_tokens,
        whole.hit_tokens,
        whole.written_tokens,
        share(whole.hit_tokens, whole.input_tokens),
        None if least is None else fraction(least),
        fraction(found.share),
        *(map(round, money) if is_money else ()),
        LOSES if found.saving < 0 else "saves" if found.saving > 0 else "changes nothing",
    )


def fraction(value: Fraction | None) -> Decimal | None:
    """``value`` with six decimal places, as a report has it."""
    return None if value is None else share(value.numerator, value.denominator)


def _least_hit_ratio(prices: TierPrices) -> Fraction | None:
    if not prices.input or prices.read >= prices.input:
        return None
    return break_even(prices.read / prices.input, prices.write / prices.input).hit_ratio


def _assumptions(
    profile: Profile, rules: Rules, block: int, capacity: int | None, model: str | None, at: datetime | None
) -> list[str]:
    renews = "last use" if profile.refresh_on_hit else "writing"
    notes = [
        f"profile {profile.name}: {profile.title}; a block of {block} tokens is there while t - {renews} <= "
        "lifetime, for the next request at once",
    ]
    if rules.minimum or rules.increment > 1:
        notes.append(
            f"prefixes below {rules.minimum:,} tokens are neither written nor read; hits are whole multiples "
            f"of {rules.increment:,}"
        )
    if capacity is None:
        notes.append("capacity: unlimited")
    else:
        notes.append(f"capacity: {capacity:,} blocks; what was used longest ago goes first")
    if at is not None:
        notes.append(
            f"prices of {model} on {at:%Y-%m-%d}, by each request's own prompt; output is in no figure"
        )
    else:
        notes.append(
            f"reading costs {float(rules.read):g} of plain input; all that is not read is written; output is "
            "in no figure"
        )
    return notes


def _remarks(replay: Replay, name: str, prices: TierPrices, found: Balance) -> list[str]:
    """What a reader must know of one lifetime: by which price it writes, what leaving out the price of
    writing would claim, and a loss."""
    lifetime, notes = said(replay.seconds), []
    ratio = prices.write / prices.input if prices.input else Fraction(1)
    same = "" if lifetime == name else f", the price of {name}"
    notes.append(f"lifetime {lifetime}: writing costs {float(ratio):g} of plain input{same}")
    if found.share is None:
        return notes
    if found.write_premium:
        without = found.read_saving / found.without
        notes[-1] += f"; without that premium {float(without):.2%} would be claimed"
    if found.saving < 0:
        needed = _least_hit_ratio(prices)
        part = share(replay.whole.hit_tokens, replay.whole.input_tokens) or Decimal(0)
        below = (
            "" if needed is None else f": {float(part):.2%} are read, {float(needed):.2%} would have to be"
        )
        notes.append(
            f"lifetime {lifetime}: caching LOSES {-float(found.share):.2%} of the cost of input{below}"
        )
    return notes
