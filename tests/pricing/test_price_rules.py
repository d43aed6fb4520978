"""The commonest ways to misprice a call, each with a figure worked out by hand.

Prices are the vendors' (USD per million tokens), as the catalogue has them; 1 USD per million is 1,000,000
pico-dollars a token.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.pricing.price import Usage, cost, row_of

JUNE = datetime(2026, 6, 1)


def charge(model: str, usage: Usage, provider: str | None = None) -> Decimal | None:
    """USD."""
    rows = PriceBook().rows_for([(provider, model)])[provider, model]
    pico = cost(row_of(rows, usage), usage)
    return None if pico is None else usd(pico)


def test_cached_tokens_are_counted_once() -> None:
    # Sonnet 4: 1,000 uncached at $3 + 9,000 read at $0.30 = 0.003 + 0.0027
    assert charge(
        "claude-sonnet-4-20250514", Usage(JUNE, input_tokens=1_000, cache_read_tokens=9_000)
    ) == Decimal("0.0057")


def test_one_hour_cache_writes_cost_more_than_five_minute_ones() -> None:
    # Opus 4.5: 100,000 at $6.25 = 0.625; at $10 = 1.00
    assert charge("claude-opus-4-5", Usage(JUNE, cache_write_5m_tokens=100_000)) == Decimal("0.625")
    assert charge("claude-opus-4-5", Usage(JUNE, cache_write_1h_tokens=100_000)) == Decimal("1.00")


def test_a_kind_without_a_price_carries_its_ancestors() -> None:
    # GPT-4.1 ($2) charges nothing apart for cache writes: they are input. 1,000,000 at $2
    assert charge("gpt-4.1", Usage(JUNE, cache_write_5m_tokens=10**6)) == Decimal("2.00")


def test_an_unknown_model_is_not_free() -> None:
    assert charge("claude-nonesuch-9", Usage(JUNE, input_tokens=1)) is None


def test_a_mini_is_not_its_big_sister() -> None:
    # GPT-4o mini $0.15, GPT-4o $2.50; 1,000,000 tokens of each
    assert charge("gpt-4o-mini", Usage(JUNE, input_tokens=10**6)) == Decimal("0.15")
    assert charge("gpt-4o", Usage(JUNE, input_tokens=10**6)) == Decimal("2.50")
    # GPT-5.4 mini $0.75
    assert charge("gpt-5.4-mini", Usage(JUNE, input_tokens=10**6)) == Decimal("0.75")


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        # Sonnet 4.5: $3 in, $15 out up to 200,000 tokens; above, $6 and $22.50 for the whole request
        ({"input_tokens": 200_000}, "0.615"),  # 0.6 + 1,000 x 15 / 1e6
        ({"input_tokens": 200_001}, "1.222506"),  # 1.200006 + 1,000 x 22.5 / 1e6
        # cached tokens count towards the threshold: 1 x 6 + 200,000 x 0.60, in millionths, + 0.0225
        ({"input_tokens": 1, "cache_read_tokens": 200_000}, "0.142506"),
    ],
)
def test_a_long_prompt_is_repriced_whole(tokens: dict[str, int], expected: str) -> None:
    assert charge("claude-sonnet-4-5", Usage(JUNE, output_tokens=1_000, **tokens)) == Decimal(expected)


def test_output_does_not_lengthen_the_prompt() -> None:
    # 1,000 x 3 + 300,000 x 15, in millionths
    assert charge("claude-sonnet-4-5", Usage(JUNE, input_tokens=1_000, output_tokens=300_000)) == Decimal(
        "4.503"
    )


def test_a_batch_is_not_charged_in_full() -> None:
    usage = Usage(JUNE, mode="batch", input_tokens=10**6, cache_write_1h_tokens=100_000, output_tokens=10**5)
    # Opus 4.5 in a batch: 2.50 + 100,000 x $5 + 100,000 x $12.50 = 2.50 + 0.50 + 1.25
    assert charge("claude-opus-4-5", usage) == Decimal("4.25")


def test_a_mode_without_a_price_is_unpriced() -> None:
    assert charge("claude-opus-4-5", Usage(JUNE, mode="priority", input_tokens=1)) is None
    assert charge("gpt-4o", Usage(JUNE, mode="batch", input_tokens=1), provider="azure") is None


def test_a_region_without_a_price_is_unpriced() -> None:
    assert charge("claude-opus-4-6", Usage(JUNE, region="us", input_tokens=1)) is None


def test_reasoning_is_part_of_the_output() -> None:
    # Gemini 2.5 Pro, $10 out: 1,000 tokens of which 800 reasoning
    assert charge("gemini-2.5-pro", Usage(JUNE, output_tokens=1_000, reasoning_tokens=800)) == Decimal("0.01")


def test_reasoning_priced_apart() -> None:
    # Sonar Deep Research: $8 out, $3 reasoning: 200 x 8 + 800 x 3, in millionths
    usage = Usage(JUNE, output_tokens=1_000, reasoning_tokens=800)
    assert charge("sonar-deep-research", usage, provider="perplexity") == Decimal("0.004")


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        (datetime(2025, 6, 9, 23, 59, 59, 999_999), "10.00"),
        (datetime(2025, 6, 10), "2.00"),
    ],
)
def test_history_keeps_its_price(ts: datetime, expected: str) -> None:
    """o3 fell from $10 to $2 on 2025-06-10; the boundary belongs to the new price."""
    assert charge("o3", Usage(ts, input_tokens=10**6)) == Decimal(expected)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        # DeepSeek R1 by day (00:30 to 16:30 UTC) $0.55, at night $0.135: the night wraps midnight
        ((0, 29, 59, 999_999), "0.135"),
        ((0, 30), "0.55"),
        ((16, 29, 59, 999_999), "0.55"),
        ((16, 30), "0.135"),
        ((23, 59, 59, 999_999), "0.135"),
        ((0, 0), "0.135"),
    ],
)
def test_night_rates(clock: tuple[int, ...], expected: str) -> None:
    ts = datetime(2026, 6, 1, *clock)
    assert charge("deepseek-reasoner", Usage(ts, input_tokens=10**6)) == Decimal(expected)


def test_web_searches_and_requests() -> None:
    # Opus 4.5: 3 searches at $10 per 1,000. Sonar: 2 requests at $12 per 1,000 and 1,000 tokens at $1.
    assert charge("claude-opus-4-5", Usage(JUNE, other_units={"web_search_requests": 3})) == Decimal("0.03")
    assert charge("sonar", Usage(JUNE, requests=2, input_tokens=1_000), provider="perplexity") == Decimal(
        "0.025"
    )
