"""The price of one stated call, term by term, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.pricing.naming import naming
from costctl.pricing.price import Usage, cost, row_of, terms
from costctl.pricing.reports import MILLION, PER_MILLION, hours, moment, said
from costctl.pricing.rows import NO_LIMIT, NO_TIER, PriceRow
from costctl.report import Column, Report, Unpriced

COLUMNS = (
    Column("term", "text"),
    Column("units", "count"),
    Column("price_per_million", "money", PER_MILLION, "per million"),
    Column("price_pico", "count", "pico-USD/unit", "pico-USD each", wide=True),
    Column("amount", "money"),
)
"""One row a term that is not 0 · term: ``input``, ``cache_read``, ``cache_write_5m``, ``cache_write_1h``,
``output`` (without reasoning), ``reasoning``, a rare unit, or ``request`` · units: tokens, or how many ·
price_per_million: USD for a million of them, null without a price · price_pico: the exact price of one, in
1e-12 USD · amount: USD, units x price."""


def explained(book: PriceBook, model: str, usage: Usage, *, provider: str | None = None) -> Report:
    """``costctl prices explain MODEL``: what a call that names ``model`` (and ``provider``) costs, term by
    term, as ingest would price it. Columns :data:`COLUMNS`; the total is the cost.

    The notes name the model of the book and the rule that found it, the price row's source, dates, mode,
    region, tier and hours. A call that cannot be priced has no total, is not ``complete``, and a note says
    why and what is near.
    """
    rows = book.rows_for([(provider, model)])[provider, model]
    row = row_of(rows, usage)
    total = cost(row, usage)
    found = terms(row, usage)
    notes = [*naming(book, provider, model), *(_row(row, usage) if row else _no_row(rows, usage))]
    if total is not None:
        notes.append(f"The cost is {usd(total):f} USD, exactly.")
    for term in found:
        if row and term.price is None:
            notes.append(f"{term.kind} has no price there, so the call has none.")
    if row and total is None and all(term.price is not None for term in found):
        notes.append("The cost is beyond what one call can cost.")
    tokens = usage.total_input + usage.output_tokens
    return Report(
        command="prices explain",
        title=f"One call of {model}, {said(usage.ts)} UTC",
        columns=COLUMNS,
        rows=[
            (
                term.kind,
                term.count,
                None if term.price is None else term.price * MILLION,
                term.price,
                term.amount,
            )
            for term in found
        ],
        totals=(None, None, None, None, total),
        complete=total is not None,
        unpriced=Unpriced() if total is not None else Unpriced(usage.requests or 1, tokens, (model,)),
        price_books=book.identifiers,
        notes=tuple(notes),
    )


def _row(row: PriceRow, usage: Usage) -> Iterator[str]:
    yield f"Price row: {_place(row.mode, row.region)}, {period(row)}, {tier(row)}{_hours(row)}."
    yield f"Source: {row.source}."
    if row.tier_above != NO_TIER or row.tier_to != NO_LIMIT:
        yield f"The prompt has {usage.total_input:,} tokens, which decides the tier of the whole call."


def _no_row(rows: Sequence[PriceRow], usage: Usage) -> Iterator[str]:
    """Why none of ``rows`` holds, by the first of place, time and size that fits none, and what there is."""
    if not rows:
        return
    mode = usage.mode or "standard"
    here = [row for row in rows if (row.mode, row.region) == (mode, usage.region)]
    if not here:
        others = dict.fromkeys(_place(row.mode, row.region) for row in rows)
        yield f"There is no price for {_place(mode, usage.region)}. There is one for: {'; '.join(others)}."
        return
    periods = dict.fromkeys(period(row) + _hours(row) for row in here)
    yield (
        f"There is no price for {_place(mode, usage.region)} at {said(usage.ts)} UTC. "
        f"There is one: {'; '.join(periods)}."
    )


def _place(mode: str, region: str | None) -> str:
    return f"{mode} mode, " + (f"region {region}" if region else "no region stated")


def period(row: PriceRow) -> str:
    """``from 2025-12-02 to before 2026-03-13``, one of the two, or ``undated``."""
    start = row.effective_from and moment(row.effective_from)
    end = row.effective_to and moment(row.effective_to)
    if start and end:
        return f"from {start} to before {end}"
    return f"from {start} on" if start else f"before {end}" if end else "undated"


def tier(row: PriceRow) -> str:
    """``prompts above 200,000 tokens`` and so on; ``any prompt`` where the row has no tiers beside it."""
    above = f"above {row.tier_above:,}" if row.tier_above != NO_TIER else ""
    up_to = f"up to {row.tier_to:,}" if row.tier_to != NO_LIMIT else ""
    return f"prompts {' and '.join(filter(None, (above, up_to)))} tokens" if above or up_to else "any prompt"


def _hours(row: PriceRow) -> str:
    return f", {hours(row)} UTC" if hours(row) else ""
