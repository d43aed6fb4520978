"""Names resolve by the catalogue's declared rules, as in genai-prices' own matcher, never by likeness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.data_snapshot import get_snapshot

from costctl.pricing.book import PriceBook
from costctl.pricing.catalogue import Match

MAKER = {id(model): provider.id for provider in providers for model in provider.models}


def theirs(provider: str | None, name: str) -> Match | None:
    try:
        asked, model = get_snapshot().find_provider_model(name, None, provider, None)
    except LookupError:
        return None
    return Match(MAKER[id(model)], model.id, borrowed=asked.id != MAKER[id(model)])


def texts(clause: Any) -> Iterator[str]:
    """The words in a model's rule, with something appended too: what a prefix is for."""
    for value in vars(clause).values():
        if isinstance(value, str):
            yield value
            yield value + "-20260102"
            yield "x" + value
        else:
            for each in value:
                yield from texts(each)


@pytest.mark.heavy
def test_every_name_in_the_catalogue_resolves_as_in_genai_prices() -> None:
    book = PriceBook()
    ids = rules = 0
    for provider in providers:
        for model in provider.models:
            ids += 1
            for name in {model.id, *texts(model.match)}:
                rules += 1
                for seller in (provider.id, "azure", "vertex_ai", "litellm"):
                    assert book.resolve(seller, name) == theirs(seller, name), (seller, name)
    assert ids == 2_330
    assert rules > 9_000


def test_without_a_provider_names_resolve_as_in_genai_prices() -> None:
    book = PriceBook()
    split = 0
    for provider in providers:
        for model in provider.models:
            for name in {model.id, *texts(model.match)}:
                expected = theirs(None, name)
                if expected is None:  # ours alone: provider/model is taken apart
                    seller, _, rest = name.lower().partition("/")
                    expected = theirs(seller, rest) if rest else None
                    split += expected is not None
                assert book.resolve(None, name) == expected, name
    assert split


@pytest.mark.parametrize("provider", ["Anthropic", " anthropic ", "anthropic.messages"])
def test_a_provider_is_found_by_its_rule(provider: str) -> None:
    assert PriceBook().resolve(provider, "CLAUDE-opus-4-20250514") == Match("anthropic", "claude-opus-4-0")


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        (
            "bedrock",
            "us.anthropic.claude-opus-4-20250514-v1:0",
            "regional.anthropic.claude-opus-4-20250514-v1:0",
        ),
        ("vertex_ai", "claude-sonnet-4@20250514", "claude-4-sonnet"),
        (None, "vertex_ai/gemini-2.5-pro", "gemini-2.5-pro"),
        ("litellm", "openai/gpt-5.2-20251211", "gpt-5.2"),
    ],
)
def test_names_of_resellers(provider: str | None, model: str, expected: str) -> None:
    found = PriceBook().resolve(provider, model)
    assert found is not None
    assert found.model == expected


def test_a_borrowed_model_has_only_standard_prices() -> None:
    """Azure sells OpenAI's models; whether its batch or priority prices are OpenAI's too, no book says."""
    book = PriceBook()
    assert book.resolve("azure", "gpt-4o") == Match("openai", "gpt-4o", borrowed=True)
    assert {row.mode for row in book.rows_for([("azure", "gpt-4o")])["azure", "gpt-4o"]} == {"standard"}


@pytest.mark.parametrize(
    "model", ["gpt-99", "gpt-4-foo", "claude_4_5_haiku", "my-claude-clone", "claude", ""]
)
def test_a_likeness_is_no_match(model: str) -> None:
    assert PriceBook().resolve(None, model) is None


def test_an_unknown_provider_is_no_match() -> None:
    assert PriceBook().resolve("acme", "gpt-4o") is None
