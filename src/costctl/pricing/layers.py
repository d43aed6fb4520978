"""Price rows laid over each other: a price that stands before another, and one that is multiplied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from costctl.pricing.rows import TOKEN_PRICES, PriceRow


def stacked(layers: Iterable[Sequence[PriceRow]]) -> tuple[PriceRow, ...]:
    """The rows of the first layer, and of each further one what no layer before it covers.

    A layer covers, in a row's mode and region, the row's whole period: with every tier and time of day.
    """
    found: list[PriceRow] = []
    for layer in layers:
        found += [piece for row in layer for piece in _outside(row, found)]
    return tuple(found)


def within(row: PriceRow, start: datetime | None, end: datetime | None) -> Iterator[PriceRow]:
    """``row`` as far as its period lies in ``[start, end)``, None being unbounded; nothing if it does not."""
    starts = [each for each in (row.effective_from, start) if each is not None]
    ends = [each for each in (row.effective_to, end) if each is not None]
    first, last = max(starts, default=None), min(ends, default=None)
    if first is None or last is None or first < last:
        yield replace(row, effective_from=first, effective_to=last)


def _outside(row: PriceRow, others: Sequence[PriceRow]) -> list[PriceRow]:
    pieces = [row]
    for other in others:
        if (other.mode, other.region) == (row.mode, row.region):
            pieces = [part for piece in pieces for part in _beside(piece, other)]
    return pieces


def _beside(row: PriceRow, other: PriceRow) -> Iterator[PriceRow]:
    if other.effective_from is not None:
        yield from within(row, None, other.effective_from)
    if other.effective_to is not None:
        yield from within(row, other.effective_to, None)


def multiplied(row: PriceRow, factor: Decimal, *, only_tokens: bool, by: str) -> PriceRow:
    """``row`` with its prices times ``factor``, exactly; ``by`` says where the factor stands.

    A product that is no whole number of pico-dollars is rounded half-even, and the row's source says so.
    """
    rounded = False

    def times(price: int) -> int:
        nonlocal rounded
        exact = Fraction(price) * Fraction(factor)
        rounded |= exact.denominator != 1
        return round(exact)

    def applies(unit: str) -> bool:
        return not only_tokens or unit.endswith("_tokens")

    tokens: dict[str, int | None] = {}
    for kind in TOKEN_PRICES:
        price: int | None = getattr(row, kind)
        tokens[kind] = None if price is None else times(price)
    request = row.request if only_tokens else times(row.request)
    units = tuple((unit, times(price) if applies(unit) else price) for unit, price in row.other_units)
    source = f"{row.source} x {factor:f} ({by})" + (", rounded to whole pico-dollars" if rounded else "")
    return replace(row, **tokens, request=request, other_units=units, source=source)  # type: ignore[arg-type]
