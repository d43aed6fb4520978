"""Errors that other programs made in pricing a call, each with the numbers of its report.

Prices are those of the catalogue in USD per million tokens. What was wrong with what a file says is tested in
tests/formats/, beside each format.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.pricing.price import Usage, cost, row_of

JUNE, NOVEMBER = datetime(2026, 6, 1), datetime(2026, 11, 1)


def charge(model: str, usage: Usage, provider: str | None = None) -> Decimal | None:
    """USD."""
    rows = PriceBook().rows_for([(provider, model)])[provider, model]
    pico = cost(row_of(rows, usage), usage)
    return None if pico is None else usd(pico)


def test_ccusage_948_a_new_model_is_no_free_model() -> None:
    # A table without claude-opus-4-7 showed a day of it as $0.00; a newer one as $88.6403310000001.
    # 148,807 x 5 + 899,339 x 25 + 5,147,194 x 6.25 + 66,485,717 x 0.50 = 88,640,331
    day = Usage(
        JUNE,
        input_tokens=148_807,
        output_tokens=899_339,
        cache_write_5m_tokens=5_147_194,
        cache_read_tokens=66_485_717,
    )
    assert charge("claude-opus-4-7", day) == Decimal("88.640331")
    assert charge("claude-opus-99-7", day) is None


def test_ccusage_945_a_name_in_another_order_is_not_free() -> None:
    # Some $500 of anthropic/claude-4.6-opus-20260205, which is Opus 4.6 at $5, were shown as $0.
    million = Usage(JUNE, input_tokens=10**6)
    assert charge("anthropic/claude-4.6-opus-20260205", million) == Decimal(5)
    assert charge("anthropic/claude-4.6-octopus-20260205", million) is None


def test_ccusage_934_a_mini_is_not_priced_by_the_beginning_of_its_name() -> None:
    # gpt-5 (1.25, 10) is a part of gpt-5.4-mini (0.75, 4.50): $11.25 for $5.25.
    million = Usage(JUNE, input_tokens=10**6, output_tokens=10**6)
    assert charge("gpt-5.4-mini", million) == Decimal("5.25")
    # defog#273, of 1,000 in and out: 1.125 cents for gpt-5.4, which is 2.50 and 15, so 1.75 cents.
    assert charge("gpt-5.4", Usage(JUNE, input_tokens=1_000, output_tokens=1_000)) == Decimal("0.0175")


def test_clawmetry_2515_of_two_names_that_fit_the_longer_one_holds() -> None:
    # gpt-4o stood before gpt-4o-mini in a table: 2.50 for 0.15, 16.7 times as much.
    assert charge("gpt-4o-mini", Usage(JUNE, input_tokens=10**6)) == Decimal("0.15")
    assert charge("gpt-4o-mini-2024-07-18", Usage(JUNE, input_tokens=10**6)) == Decimal("0.15")


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        # Sonnet 4.5 with 150,000 uncached tokens, 100,000 read and 10,000 out. The whole request at 6, 0.60
        # and 22.50: 0.90 + 0.06 + 0.225. Each kind of token by itself is below 200,000: 0.45 + 0.03 + 0.15.
        (100_000, "1.185"),
        # Exactly 200,000 are not above: 0.45 + 50,000 x 0.30 + 0.15.
        (50_000, "0.615"),
    ],
)
def test_tokscale_862_openusage_885_a_long_prompt_is_no_sum_of_two_tiers(read: int, expected: str) -> None:
    usage = Usage(JUNE, input_tokens=150_000, cache_read_tokens=read, output_tokens=10_000)
    assert charge("claude-sonnet-4-5", usage) == Decimal(expected)


def test_ccusage_reprices_what_is_above_200_000_only() -> None:
    # 300,000 in: 200,000 x 3 + 100,000 x 6 = 1.20 by its rule, 300,000 x 6 = 1.80 by Anthropic's.
    assert charge("claude-sonnet-4-5", Usage(JUNE, input_tokens=300_000)) == Decimal("1.80")


def test_litellm_39861_a_batch_above_272_000_has_the_long_contexts_batch_price() -> None:
    # gpt-5.6-luna, 300,083 in and 17 out: 0.20 and 0.90, half of 0.40 and 1.80: 60,016.6 + 15.3.
    usage = Usage(NOVEMBER, mode="batch", input_tokens=300_083, output_tokens=17)
    assert charge("gpt-5.6-luna", usage) == Decimal("0.0600319")


def test_litellm_13810_flex_is_not_charged_in_full() -> None:
    # gpt-5-nano, 0.05 and 0.40: LiteLLM said twice what OpenAI charged. 1,000,000 x 0.025 + 100,000 x 0.20
    usage = Usage(NOVEMBER, mode="flex", input_tokens=10**6, output_tokens=10**5)
    assert charge("gpt-5-nano", usage) == Decimal("0.045")


def test_ccusage_1636_a_closed_week_keeps_its_cost() -> None:
    # One week was $2,472.81, and $1,923.92 later, at the prices of that day. Sonnet 4.6 lost its dearer tier
    # on 13 March 2026: 300,000 tokens cost 6 a million before, and cost so still; 3 since.
    long = {"input_tokens": 300_000}
    assert charge("claude-sonnet-4-6", Usage(datetime(2026, 3, 12, 23, 59, 59), **long)) == Decimal("1.80")
    assert charge("claude-sonnet-4-6", Usage(datetime(2026, 3, 13), **long)) == Decimal("0.90")


def test_langfuse_14249_cache_writes_are_part_of_the_cost() -> None:
    # Sonnet 4.6: 15,460 x 3 + 10,370 x 15 + 19,810 x 3.75 = 276,217.5, $0.28; without the writes $0.20.
    usage = Usage(JUNE, input_tokens=15_460, output_tokens=10_370, cache_write_5m_tokens=19_810)
    assert charge("claude-sonnet-4-6", usage) == Decimal("0.2762175")


def test_claude_observability_plugin_34_an_hours_writes_are_dearer() -> None:
    # claude-fable-5, 37,175 written: $0.4646875 at 12.50 was shown, $0.7435 at 20 is charged.
    assert charge("claude-fable-5", Usage(NOVEMBER, cache_write_1h_tokens=37_175)) == Decimal("0.7435")
    assert charge("claude-fable-5", Usage(NOVEMBER, cache_write_5m_tokens=37_175)) == Decimal("0.4646875")
