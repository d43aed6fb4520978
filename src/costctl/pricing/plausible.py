"""Prices that cannot be meant: in the wrong unit, in the wrong column, or half empty.

They are rules for prices that people write. The shipped catalogue is held to them by a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from costctl.money import usd
from costctl.pricing.reports import MILLION
from costctl.pricing.rows import NO_TIER, PriceRow

GREATEST = 1_000 * 10**6
"""Pico-dollars a token, 1,000 USD a million: the dearest model ever sold cost 600."""

LEAST = 10**3
"""0.001 USD a million: the cheapest costs 0.003."""

OUTPUT_PART = 4
"""An answer's token costs as much as a prompt's or more, with few models a little less; a quarter is none."""

OFF = 100
"""From a model's known price by as many times: a unit of a thousand tokens, or of one, is 1,000 times off."""

Prices = Mapping[str, int | None]
"""Pico-dollars for one token, by kind."""


def of_row(row: PriceRow) -> dict[str, int | None]:
    """The prices that are looked at."""
    return {kind: getattr(row, kind) for kind in ("input", "cache_read", "output")}


def implausible(prices: Prices, listed: Sequence[PriceRow] = ()) -> Iterator[str]:
    """What cannot be meant in the prices of one model, for people. ``listed`` are the catalogue's prices of
    it, if it has some."""
    fresh, cached, answer = (prices.get(kind) for kind in ("input", "cache_read", "output"))
    if fresh and cached and cached > fresh:
        yield f"cache_read {_usd(cached)} above input {_usd(fresh)}"
    if fresh and answer and answer * OUTPUT_PART < fresh:
        yield f"output {_usd(answer)} beside input {_usd(fresh)}"
    if fresh == 0 and answer:
        yield f"input 0 beside output {_usd(answer)}"
    for kind, price in (("input", fresh), ("output", answer)):
        known = _standard(listed, kind)
        if price and known:
            if price >= known * OFF or price * OFF <= known:
                yield f"{kind} {_usd(price)}; the catalogue has {_usd(known)}"
        elif price and not LEAST <= price <= GREATEST:
            yield f"{kind} {_usd(price)} for a million tokens"


def _standard(listed: Sequence[PriceRow], kind: str) -> int | None:
    """The first price that the catalogue has in the standard mode."""
    rows = (row for row in listed if (row.mode, row.region, row.tier_above) == ("standard", None, NO_TIER))
    return next((price for row in rows if (price := getattr(row, kind))), None)


def _usd(pico: int) -> str:
    return f"{usd(pico * MILLION):f}"
