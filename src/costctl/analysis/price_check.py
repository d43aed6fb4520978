"""Prices that need attention: calls without one, and prices that cannot be right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from costctl.analysis.gaps import unpriced_rows
from costctl.analysis.provenance import stamped
from costctl.money import rounded
from costctl.pricing.plausible import implausible, of_row
from costctl.records import PRICED_TOKENS
from costctl.report import Cell, Column, Report, Unpriced

if TYPE_CHECKING:
    from costctl.ledger import Engine, Ledger
    from costctl.pricing.book import PriceBook

OLD = timedelta(days=90)
"""Vendors change a price about as often as that."""

FACTOR = 2
"""Our cost and the stated one are no rounding apart from here on: a price is wrong."""

CENT = 10**10
"""Pico-dollars. Sums below it may be all rounding."""

COLUMNS = (
    Column("provider", "text"),
    Column("model", "text"),
    Column("finding", "text"),
    Column("reason", "text"),
    Column("source", "text", wide=True),
    Column("calls", "count"),
    Column("tokens", "tokens"),
)
"""provider, model: as calls name them, or as the user's prices do · finding: ``no price``, ``price`` (one
that cannot be meant) or ``reported cost`` (ours is far from what the sources of the calls say) · reason:
prices in it are USD for a million tokens · source: of the price, null where none is spoken of · calls,
tokens: of the ledger, for which it is so."""

_TOKENS = " + ".join(f"coalesce({column}, 0)" for column in PRICED_TOKENS)
_USED = f"CAST(sum(coalesce(requests, 1)) AS BIGINT), CAST(sum({_TOKENS}) AS BIGINT)"


class _Finding(NamedTuple):
    provider: str | None
    model: str
    finding: str
    reason: str
    source: str | None
    calls: int
    tokens: int


def price_check(ledger: Ledger, book: PriceBook, *, now: datetime) -> Report:
    """What of the ledger's prices, and of the user's in ``book``, needs attention; most tokens first. Without
    rows nothing does. A note tells of a shipped catalogue that is older than :data:`OLD` at ``now``.

    Columns :data:`COLUMNS`. ``complete`` is false where calls have no price. Raises
    :class:`costctl.ledger.LedgerError`.
    """
    with ledger.reading() as engine:
        without = [
            _Finding(provider, model, "no price", reason, None, calls, tokens)
            for provider, model, reason, calls, tokens in unpriced_rows(engine)
        ]
        found = [*without, *_prices(engine, book), *_reported(engine)]
        found.sort(key=lambda each: (-each.tokens, each.model, each.provider or "", each.reason))
        rows: list[tuple[Cell, ...]] = [tuple(each) for each in found]
        report = Report(
            "prices check",
            "Prices that need attention",
            COLUMNS,
            rows,
            complete=not without,
            unpriced=Unpriced(
                sum(each.calls for each in without),
                sum(each.tokens for each in without),
                tuple(sorted({each.model for each in without})),
            ),
            notes=tuple(_age(book, now)),
        )
        # Looked at are the prices of today's books, whichever priced the calls.
        return replace(stamped(report, engine), price_books=book.identifiers)


def _prices(engine: Engine, book: PriceBook) -> Iterator[_Finding]:
    """Of the user's prices: those that calls have, and those that calls will have."""
    # A price of the user's names its file and line.
    used = engine.rows(
        f"""
        SELECT calls.provider, calls.model, input_pico, cache_read_pico, output_pico, source, {_USED},
            CAST(sum(coalesce(output_tokens, 0)) AS BIGINT)
        FROM calls JOIN prices ON prices.price_id = calls.price_id
        WHERE source LIKE '%:%' AND source NOT LIKE 'costctl:%'
        GROUP BY ALL
        """  # noqa: S608 (constants of this module)
    )
    told: set[tuple[str, str]] = set()
    for provider, model, fresh, cached, answer, source, calls, tokens, output in used:
        reasons = list(
            implausible(
                {"input": fresh, "cache_read": cached, "output": answer}, book.listed(provider, model)
            )
        )
        if answer == 0 and fresh and output:
            reasons.append(f"output 0 for {output:,} tokens")
        for reason in reasons:
            told.add((source, reason))
            yield _Finding(provider, model, "price", reason, source, calls, tokens)
    for price in book.own:
        scope = price.scope
        for row in price.rows:
            for reason in implausible(of_row(row), book.listed(scope.provider, scope.model)):
                if (row.source, reason) not in told:
                    told.add((row.source, reason))
                    yield _Finding(scope.provider, row.model, "price", reason, row.source, 0, 0)


def _reported(engine: Engine) -> Iterator[_Finding]:
    """Models whose cost is far from what the sources of their calls say. A subscription's calls, and those on
    one's own key at a gateway, are not paid for at any such price."""
    cost, stated = engine.money_sum("cost_pico"), engine.money_sum("reported_cost_pico")
    rows = engine.rows(
        f"""
        SELECT provider, model, {_USED}, {cost}, {stated} FROM calls
        WHERE cost_pico IS NOT NULL AND reported_cost_pico > 0
            AND coalesce(billing, 'unknown') NOT IN ('subscription', 'byok')
        GROUP BY provider, model
        """  # noqa: S608 (constants of this module)
    )
    for provider, model, calls, tokens, ours, theirs in rows:
        if max(ours, theirs) >= CENT and (ours >= theirs * FACTOR or ours * FACTOR <= theirs):
            reason = f"ours {_dollars(ours)}, stated {_dollars(theirs)}"
            yield _Finding(provider, model, "reported cost", reason, None, calls, tokens)


def _dollars(pico: int) -> str:
    return f"${rounded(pico, 2 if pico >= CENT else 6):,f}"


def _age(book: PriceBook, now: datetime) -> Iterator[str]:
    if book.as_of is None:
        return
    age = now.date() - book.as_of
    if age > OLD:
        yield (
            f"the shipped catalogue is of {book.as_of}, {age.days:,} days old: "
            "a newer costctl has newer prices"
        )
