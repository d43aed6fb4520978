"""What a price book holds, as reports: the models with their prices, and all prices of one model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal

from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.pricing.naming import book_name, naming, near
from costctl.pricing.price import Usage, row_of
from costctl.pricing.rows import ANCESTORS, DAY_SECONDS, NO_TIER, TOKEN_PRICES, PriceRow
from costctl.records import FREE_UNITS
from costctl.report import Cell, Column, Report

MILLION = 10**6
PER_MILLION = "USD/million"
"""The unit of a price: it is shown with all its digits."""


def listed(
    book: PriceBook,
    *,
    provider: str | None = None,
    containing: str | None = None,
    at: datetime | None = None,
    all_rows: bool = False,
) -> Report:
    """``costctl prices list``: each model's price at ``at`` (aware, or naive UTC; by default now): the
    standard one, for prompts of the base tier, without a region. With ``all_rows`` every row of every model.

    ``provider`` is a provider as calls name it; ``containing`` a part of a model's name, either the book's or
    one that calls have for it. Columns as :func:`columns`.
    """
    now = utc(at)
    part = (containing or "").lower()
    rows = [
        cells(model.provider, model.model, row)
        for model in book.models(provider)
        if any(part in name for name in model.names)
        for row in (model.rows if all_rows else [row_of(model.rows, Usage(now))])
        if row is not None
    ]
    notes = [] if all_rows else [f"Standard prices at {said(now)} UTC; --all shows every price."]
    if not rows:
        found = near(book, provider, containing or "")
        notes = ["No model is named so." + (f" Near: {', '.join(found)}." if found else "")]
    title = "Prices" + (f" of {provider}" if provider else "") + ", USD per million tokens"
    return Report(
        command="prices list",
        title=title,
        columns=columns(narrow=() if not all_rows else ("mode", "region", "above", "hours", "to")),
        rows=rows,
        filters=(f"model contains {containing}",) if containing else (),
        price_books=book.identifiers,
        notes=tuple(notes),
    )


def shown(book: PriceBook, model: str, *, provider: str | None = None) -> Report:
    """``costctl prices show MODEL``: every price row of the model that calls name ``model`` (and
    ``provider``), the standard ones first; no rows, and a note what is near, where no book knows it.

    Columns as :func:`columns`.
    """
    match = book.resolve(provider, model)
    rows = book.rows_for([(provider, model)])[provider, model]
    name = book_name(match.provider, match.model) if match else model
    return Report(
        command="prices show",
        title=f"Prices of {name}, USD per million tokens",
        columns=columns(narrow=("mode", "region", "above", "hours", "to"), wide=("provider", "model")),
        rows=[cells(match.provider, match.model, row) for row in rows] if match else [],
        price_books=book.identifiers,
        notes=tuple(naming(book, provider, model)),
    )


_TITLES = {
    "above": "prompt above",
    "hours": "hours UTC",
    "cache_write_5m": "write 5m",
    "cache_write_1h": "write 1h",
}


def columns(narrow: Iterable[str] = (), wide: Iterable[str] = ()) -> tuple[Column, ...]:
    """The columns of both reports, always these and in this order; ``narrow`` and ``wide`` say which a table
    shows at any width, and which only where it has room.

    - provider, model: the price book's names; of an entry of yours without a provider, provider is null
    - mode; region: null where none is stated
    - above: the tier's threshold in tokens of the whole prompt, null in the base tier
    - hours: of the UTC day, null for all of it
    - input, output, cache_read, cache_write_5m, cache_write_1h, reasoning: USD per million tokens, null
      without a price
    - request: USD each; units: the rare units that have prices of their own, as text
    - from, to: ISO 8601 in UTC, half-open, null where unbounded
    - source: where the prices are from
    """
    extra = {"mode", "region", "above", "hours", "to", "reasoning", "request", "units", "source"}
    hidden = (extra - set(narrow)) | set(wide)

    def text(name: str) -> Column:
        return Column(name, "text", title=_TITLES.get(name, ""), wide=name in hidden)

    prices = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning")
    return (
        text("provider"),
        text("model"),
        text("mode"),
        text("region"),
        Column("above", "tokens", title=_TITLES["above"], wide="above" in hidden),
        text("hours"),
        *(Column(each, "money", PER_MILLION, _TITLES.get(each, ""), each in hidden) for each in prices),
        Column("request", "money", "USD/call", wide="request" in hidden),
        text("units"),
        *(Column(each, "time", wide=each in hidden) for each in ("from", "to")),
        text("source"),
    )


def cells(provider: str, model: str, row: PriceRow) -> tuple[Cell, ...]:
    """A price row in :func:`columns`."""
    per_million = [
        None if price is None else price * MILLION
        for price in (
            row.input,
            row.output,
            row.cache_read,
            row.cache_write_5m,
            row.cache_write_1h,
            row.reasoning,
        )
    ]
    return (
        provider or None,
        model,
        row.mode,
        row.region,
        None if row.tier_above == NO_TIER else row.tier_above,
        hours(row) or None,
        *per_million,
        row.request,
        units(row) or None,
        None if row.effective_from is None else moment(row.effective_from),
        None if row.effective_to is None else moment(row.effective_to),
        row.source,
    )


def hours(row: PriceRow) -> str:
    """``16:30-24:00``, the part of the UTC day for which the row holds; empty for all of it."""
    if (row.window_start, row.window_end) == (0, DAY_SECONDS):
        return ""
    return f"{_clock(row.window_start)}-{_clock(row.window_end)}"


def units(row: PriceRow) -> str:
    """The rare units that do not merely carry an ancestor's price: ``web_search_requests 0.01``, in USD each,
    of tokens per million."""
    known = dict(row.other_units) | {kind: getattr(row, kind) for kind in TOKEN_PRICES}
    return ", ".join(
        f"{unit} {price_of(unit, price)}"
        for unit, price in row.other_units
        if unit not in FREE_UNITS and price not in [known.get(each) for each in ANCESTORS.get(unit, ())]
    )


def price_of(unit: str, pico: int) -> Decimal:
    """USD for one unit, or for a million where the unit is a token."""
    return usd(pico * MILLION if unit.endswith("_tokens") else pico)


def moment(ts: datetime) -> str:
    """``2026-03-13``, with the time of day where it is not midnight."""
    return ts.date().isoformat() if ts.time() == time() else ts.isoformat()


def said(ts: datetime) -> str:
    """``2026-03-13 12:00``, for people, with as much of the time as there is."""
    return ts.isoformat(" ", "auto" if ts.second or ts.microsecond else "minutes")


def utc(at: datetime | None) -> datetime:
    """``at`` as naive UTC, to the second; now where it is None."""
    at = datetime.now(UTC) if at is None else at
    naive = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return naive.replace(microsecond=0)


def _clock(second: int) -> str:
    hour, minute = divmod(second // 60, 60)
    return f"{hour:02}:{minute:02}"
