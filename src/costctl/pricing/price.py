"""The price of one call in Python: the rule of the pricing join, for application code and for ``explain``.

It shares no code with ``costctl.pricing.sql``; a property test holds the two equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from costctl.money import MAX_PICO
from costctl.pricing.rows import INPUT_TOKEN_UNITS, TOKEN_PRICES, PriceRow


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used: the canonical columns that decide its price. ``ts`` is naive UTC; counts are tokens,
    disjoint except that ``reasoning_tokens`` are part of ``output_tokens``; ``requests`` None is unknown."""

    ts: datetime
    mode: str | None = "standard"
    region: str | None = None
    grain: str = "call"
    context_tier: str | None = None
    requests: int | None = 1
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    other_units: Mapping[str, int] = field(default_factory=dict)

    @property
    def total_input(self) -> int:
        """The tokens of the prompt: cached or not, of any modality."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
            + sum(self.other_units.get(unit, 0) for unit in INPUT_TOKEN_UNITS)
        )


@dataclass(frozen=True, slots=True)
class Term:
    """One product of a cost: ``count`` units of ``kind`` at ``price`` pico-dollars each; None, no price."""

    kind: str
    count: int
    price: int | None

    @property
    def amount(self) -> int | None:
        """Pico-dollars."""
        return None if self.price is None else self.count * self.price


def row_of(rows: Iterable[PriceRow], usage: Usage) -> PriceRow | None:
    """The one of ``rows`` (of one model) that holds for ``usage``, or None: then it has no price.

    Raises :class:`ValueError` if two hold, which a price book never lets happen.
    """
    found = [row for row in rows if _holds(row, usage)]
    if len(found) > 1:
        raise ValueError(f"{found[0].model} has two prices at {usage.ts}")
    return found[0] if found else None


def _holds(row: PriceRow, usage: Usage) -> bool:
    second = usage.ts.hour * 3600 + usage.ts.minute * 60 + usage.ts.second
    return (
        row.mode == (usage.mode or "standard")
        and row.region == usage.region
        and (row.effective_from is None or usage.ts >= row.effective_from)
        and (row.effective_to is None or usage.ts < row.effective_to)
        and row.window_start <= second < row.window_end
        and _above(usage, row.tier_above)
        and not _above(usage, row.tier_to)
    )


def _above(usage: Usage, threshold: int) -> bool:
    """Whether the tier beyond ``threshold`` tokens is reached, strictly: by the call's own total input, by
    the total / N of N like calls (compared as total > threshold x N), by a bucket's stated range."""
    if threshold < 0:
        return True
    if usage.grain == "bucket":
        stated = re.match(r"([0-9]{1,9})k-", usage.context_tier or "")
        return stated is not None and int(stated[1]) * 1000 >= threshold
    return usage.total_input > threshold * max(usage.requests or 1, 1)


def terms(row: PriceRow | None, usage: Usage) -> list[Term]:
    """The products whose sum is the cost, without those of 0 units. Reasoning is taken out of output."""
    reasoning = min(usage.reasoning_tokens, usage.output_tokens)
    counts = {
        "input": usage.input_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write_5m": usage.cache_write_5m_tokens,
        "cache_write_1h": usage.cache_write_1h_tokens,
        "output": usage.output_tokens - reasoning,
        "reasoning": reasoning,
        **dict(sorted(usage.other_units.items())),
    }
    prices: dict[str, int | None] = dict(row.other_units) if row else {}
    prices |= {kind: getattr(row, kind) for kind in TOKEN_PRICES} if row else {}
    found = [Term(kind, count, prices.get(kind)) for kind, count in counts.items() if count]
    if row and row.request:
        # How many calls a row stands for may be unknown; then so is what they cost.
        known = usage.requests is not None
        found.append(Term("request", usage.requests or 0, row.request if known else None))
    return found


def cost(row: PriceRow | None, usage: Usage) -> int | None:
    """The cost in pico-dollars; None if a unit that is not 0 has no price, or if it exceeds a BIGINT."""
    amounts = [term.amount for term in terms(row, usage)]
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total if total <= MAX_PICO else None
