"""From where on a prompt cache pays, by profile and lifetime, or for one model at its own prices."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from costctl.analysis import QuestionError
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Column, Report
from costctl.simulate.cache_of_trace import fraction
from costctl.simulate.cache_prices import of_model, rows_at
from costctl.simulate.cache_profiles import PLAIN, Lifetime, Profiles, break_even, reads_per_hour

_COLUMNS = (
    Column("profile", "text"),
    Column("lifetime", "text"),
    Column("minimum", "tokens"),
    Column("read", "number", "of input"),
    Column("write", "number", "of input"),
    Column("hit_ratio", "percent"),
    Column("reads_per_write", "number"),
    Column("reads_per_hour", "number", title="reads/hour"),
)


def pays_from(
    profiles: Profiles,
    *,
    profile: str | None = None,
    model: str | None = None,
    book: PriceBook | None = None,
    at: datetime | None = None,
) -> Report:
    """One row a profile (or of one ``profile``) and lifetime; with ``model``, those that it has, at its
    prices in ``book`` at the time ``at`` (its lowest tier). Raises :class:`QuestionError`."""
    notes = [
        "hit ratio: the part of all input tokens that has to be read for a cache to pay, all others being "
        "written; none where writing costs no more than plain input: it cannot lose",
        "reads per write: how often what is written has to be read within its lifetime",
        "reads/hour: how often what is kept has to be read, where keeping it costs storage",
    ]
    rows: list[tuple[Cell, ...]] = []
    if model and book and at:
        chosen = profiles.named(profile) if profile else profiles.of(model) or profiles.named(PLAIN)
        (listed, *_) = rows_at(book, model, at)
        rules = chosen.rules_of(model)
        for each in rules.lifetimes:
            (prices,) = of_model((listed,), each)
            if not prices.input:
                raise QuestionError(f"plain input of {model} costs nothing", "a cache cannot save anything")
            read, write = prices.read / prices.input, prices.write / prices.input
            hourly = reads_per_hour(chosen.storage * 10**12, prices.input, read) if read < 1 else None
            rows.append(_row(chosen.name, each, rules.minimum, read, write, hourly))
        notes.append(f"prices of {model} on {at:%Y-%m-%d}: {listed.source}")
    else:
        for each_profile in [profiles.named(profile)] if profile else profiles.all:
            rules, input = each_profile.rules, each_profile.input
            hourly = reads_per_hour(each_profile.storage, input, rules.read) if input else None
            rows += [
                _row(each_profile.name, each, rules.minimum, rules.read, each.write, hourly)
                for each in rules.lifetimes
            ]
        notes.append("profiles as they are for most models; --model takes one's own prices")
    return Report(
        command="simulate-cache",
        title="From where on a prompt cache pays",
        columns=_COLUMNS,
        rows=rows,
        notes=tuple(notes),
        price_books=book.identifiers if model and book else (),
    )


def _row(
    profile: str, lifetime: Lifetime, minimum: int, read: Fraction, write: Fraction, hourly: Fraction | None
) -> tuple[Cell, ...]:
    least = break_even(read, write) if read < 1 else None
    return (
        profile,
        lifetime.name,
        minimum,
        fraction(read),
        fraction(write),
        fraction(least.hit_ratio) if least else None,
        fraction(least.reads_per_write) if least else None,
        fraction(hourly) if hourly else None,
    )
