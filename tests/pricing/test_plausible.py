"""Prices that cannot be meant. They are USD a million tokens here: 1 is 1,000,000 pico-dollars a token."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costctl.pricing.book import PriceBook
from costctl.pricing.catalogue import Catalogue
from costctl.pricing.plausible import implausible, of_row


def prices(**usd: str) -> dict[str, int | None]:
    return {kind: int(Decimal(price) * 10**6) for kind, price in usd.items()}


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ({"input": "3", "output": "15", "cache_read": "0.3"}, []),
        ({"input": "3", "output": "15", "cache_read": "3"}, []),
        ({"input": "3", "cache_read": "3.000001"}, ["cache_read 3.000001 above input 3.00"]),
        # The columns changed over: 15 in, 3 out.
        ({"input": "15", "output": "3"}, ["output 3.00 beside input 15.00"]),
        ({"input": "12", "output": "3"}, []),
        ({"input": "0", "output": "3"}, ["input 0 beside output 3.00"]),
        # A price of 0 that is meant.
        ({"input": "0", "output": "0"}, []),
        # An embedding: its answer costs nothing, and has no tokens.
        ({"input": "0.1", "output": "0"}, []),
        ({"output": "8"}, []),
        # USD for one token, 3e-06, taken for a million.
        (
            {"input": "0.000003", "output": "0.000015"},
            ["input 0.000003 for a million tokens", "output 0.000015 for a million tokens"],
        ),
        ({"input": "0.001", "output": "1000"}, []),
        (
            {"input": "3000", "output": "15000"},
            ["input 3000.00 for a million tokens", "output 15000.00 for a million tokens"],
        ),
    ],
)
def test_what_cannot_be_meant(said: dict[str, str], reasons: list[str]) -> None:
    assert list(implausible(prices(**said))) == reasons


def test_a_known_model_betrays_the_unit() -> None:
    """Sonnet 4 costs 3 and 15; in USD for a thousand tokens that is 0.003 and 0.015."""
    listed = PriceBook().listed("anthropic", "claude-sonnet-4-20250514")
    assert list(implausible(prices(input="0.003", output="0.015"), listed)) == [
        "input 0.003; the catalogue has 3.00",
        "output 0.015; the catalogue has 15.00",
    ]
    assert list(implausible(prices(input="300", output="1499"), listed)) == [
        "input 300.00; the catalogue has 3.00",
    ]
    # A generous discount is none of our business.
    assert list(implausible(prices(input="0.3", output="1.5"), listed)) == []


def test_the_shipped_catalogue_is_looked_at() -> None:
    """The rules find two: a moderation model, which answers in a word, and an average of OpenRouter's."""
    catalogue = Catalogue()
    found = {
        (provider, model)
        for provider in catalogue.providers
        for model in catalogue.models(provider)
        for row in catalogue.rows(provider, model)
        if list(implausible(of_row(row)))
    }
    assert found == {
        ("cloudflare", "@cf/meta/llama-guard-3-8b"),
        ("openrouter", "~deepseek/deepseek-pro-latest"),
    }


def test_the_catalogue_knows_its_day() -> None:
    book = PriceBook()
    assert book.as_of == date(2026, 11, 9)
    catalogue = Catalogue()
    begun = {
        row.effective_from.date()
        for provider in catalogue.providers
        for model in catalogue.models(provider)
        for row in catalogue.rows(provider, model)
        if row.effective_from is not None
    }
    # Later ones are announced: the first of December and of January.
    assert max(day for day in begun if day < date(2026, 12, 1)) == book.as_of
