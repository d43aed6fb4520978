"""What the same calls would have cost at the prices of an earlier period.

A period's prices are those of its book by date. To a call of the later period belongs the price that held in
the base when as great a part of it was over; times of day stay as they are. So the dates at which prices
change in the base are moved into the later period, and the join is the one that prices every call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import Dimension, Key
from costctl.periods import Period
from costctl.pricing import sql
from costctl.pricing.rows import PriceRow

if TYPE_CHECKING:
    from costctl.pricing.book import PriceBook

Names = tuple[str | None, str]
"""Provider and model as a call names them."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """By what the calls of each group cost more (pico-dollars) than at the prices before: those that say for
    how many calls they stand (True), and the others. ``models`` had other prices before; ``unlike`` counts
    rows of theirs that the ledger has at another price than the book, which are left out."""

    by_group: Mapping[tuple[Key, bool], int]
    models: tuple[str, ...] = ()
    unlike: int = 0


def price_change(
    calls: Calls, base: Period, by: Sequence[Dimension], names: Sequence[Names], book: PriceBook
) -> PriceChange:
    """Of ``calls``; their period and the ``base`` have a start and an end. ``names``: all that they have."""
    period = calls.period
    prices = {each: rows for each, rows in book.rows_for(names).items() if changes(rows, base, period)}
    if not prices:
        return PriceChange({})
    before = {each: tuple(moved(rows, base, period)) for each, rows in prices.items()}
    relation = re.sub(r"\$\w+", "?", sql.relation())
    keys, condition, parameters = calls.selection(by)
    selected = ", ".join(["calls.*", *keys])
    shown = ", ".join(f"key_{number}" for number in range(len(by)))
    of_these = " OR ".join(["(provider IS NOT DISTINCT FROM ? AND model = ?)"] * len(prices))
    difference = calls.engine.money_sum("after - before")
    rows = calls.engine.rows(
        f"""WITH named AS ({relation}),
earlier AS ({relation}),
asked AS (SELECT {selected} FROM calls WHERE {condition} AND cost_pico IS NOT NULL AND ({of_these})),
priced AS (
    SELECT {shown}, c.requests IS NOT NULL AS is_counted, c.cost_pico,
        {sql.cost("c", "p")} AS after, {sql.cost("c", "q")} AS before
    FROM asked AS c
    LEFT JOIN named AS p ON {sql.on("c", "p")}
    LEFT JOIN earlier AS q ON {sql.on("c", "q")}
)
SELECT {shown}, is_counted,
    coalesce({difference} FILTER (WHERE after = cost_pico AND before IS NOT NULL), 0),
    CAST(count(*) FILTER (WHERE after IS DISTINCT FROM cost_pico) AS BIGINT)
FROM priced GROUP BY ALL""",  # noqa: S608 (names are ours, values are bound)
        [
            *sql.parameters(prices).values(),
            *sql.parameters(before).values(),
            *parameters,
            *(part for each in prices for part in each),
        ],
    )
    width = len(by)
    found = {(tuple(row[:width]), bool(row[width])): int(row[width + 1]) for row in rows}
    models = tuple(sorted({model for _, model in prices}))
    return PriceChange(found, models, sum(row[width + 2] for row in rows))


def changes(rows: Sequence[PriceRow], base: Period, period: Period) -> bool:
    """Whether any of a model's prices begins or ends between the first and the last of both periods."""
    starts, ends = zip(_bounds(base), _bounds(period), strict=True)
    first, last = min(starts), max(ends)
    return any(
        bound is not None and first < bound < last
        for row in rows
        for bound in (row.effective_from, row.effective_to)
    )


def moved(rows: Sequence[PriceRow], base: Period, period: Period) -> Iterator[PriceRow]:
    """The prices of ``base`` as if they were those of ``period``."""
    (start, end), (to_start, to_end) = _bounds(base), _bounds(period)
    length, to_length = (end - start) // _MICROSECOND, (to_end - to_start) // _MICROSECOND

    def place(moment: datetime) -> datetime:
        return to_start + (moment - start) // _MICROSECOND * to_length // length * _MICROSECOND

    for row in rows:
        since, until = row.effective_from, row.effective_to
        if (since is None or since < end) and (until is None or until > start):
            yield replace(
                row,
                effective_from=place(since) if since is not None and since > start else None,
                effective_to=place(until) if until is not None and until < end else None,
            )


def _bounds(period: Period) -> tuple[datetime, datetime]:
    """Naive UTC, as prices have them."""
    assert period.start is not None
    assert period.end is not None
    start, end = (each.astimezone(UTC).replace(tzinfo=None) for each in (period.start, period.end))
    return start, end
