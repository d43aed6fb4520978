"""LiteLLM's table of prices, read and turned into a prices.yaml.

``litellm.json`` is written by hand in the shape of LiteLLM's ``model_prices_and_context_window.json``; its
names and figures are those of LiteLLM 1.106.2, USD for one token. 1e-06 USD is 1,000,000 pico-dollars.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.documents import DocumentError
from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.pricing.catalogue import Catalogue
from costctl.pricing.imported import Imported, imported
from costctl.pricing.litellm import Listed, Table, read
from costctl.pricing.price import Usage, cost, row_of

FILE = Path(__file__).with_name("litellm.json")
JUNE = datetime(2026, 6, 1)


@pytest.fixture(scope="module")
def table() -> Table:
    return read(FILE)


def listed(table: Table, name: str) -> Listed:
    return next(each for each in table.models if each.name == name)


def write(directory: Path, **models: dict[str, Any]) -> Path:
    path = directory / "table.json"
    path.write_text(json.dumps({name: {"litellm_provider": "acme", **said} for name, said in models.items()}))
    return path


def charge(book: PriceBook, provider: str, model: str, usage: Usage) -> Decimal | None:
    """USD."""
    pico = cost(row_of(book.rows_for([(provider, model)])[provider, model], usage), usage)
    return None if pico is None else usd(pico)


# --- reading ----------------------------------------------------------------------------------------------


def test_the_entry_that_explains_the_others_is_no_model(table: Table) -> None:
    names = [each.name for each in table.models] + [n for names in table.left_out.values() for n in names]
    assert "sample_spec" not in names


def test_what_is_left_out_is_named_with_the_reason(table: Table) -> None:
    assert table.left_out == {
        "0 for every token, which may mean unknown": ("gemini/gemma-3-27b-it",),
        "tiered_pricing, which is not understood": ("dashscope/qwen-flash",),
        "no price per token": ("1024-x-1024/dall-e-2",),
        "a name that stands for several": ("bedrock/*/1-month-commitment/cohere.command-text-v14",),
    }


@pytest.mark.parametrize(
    ("name", "provider", "model", "region"),
    [
        ("claude-haiku-5-5", "anthropic", "claude-haiku-5-5", None),
        ("azure/gpt-4o", "azure", "gpt-4o", None),
        ("azure/us/gpt-4o-2024-08-06", "azure", "gpt-4o-2024-08-06", "us"),
        ("bedrock/us-east-1/anthropic.claude-v1", "bedrock", "anthropic.claude-v1", "us-east-1"),
        (
            "anthropic.claude-sonnet-4-20250514-v1:0",
            "bedrock",
            "anthropic.claude-sonnet-4-20250514-v1:0",
            None,
        ),
        ("novita/deepseek/deepseek_v3", "novita", "deepseek/deepseek_v3", None),
    ],
)
def test_the_provider_in_a_name_is_taken_off(
    table: Table, name: str, provider: str, model: str, region: str | None
) -> None:
    found = listed(table, name)
    assert (found.provider, found.model, found.region) == (provider, model, region)


def test_claude_on_vertex_is_not_anthropics(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        **{
            "vertex_ai/claude-opus-4-6": {
                "litellm_provider": "vertex_ai-anthropic_models",
                "input_cost_per_token": 5e-06,
            }
        },
    )
    (found,) = read(path).models
    assert (found.provider, found.model) == ("vertex_ai", "claude-opus-4-6")


def test_tiers_and_both_lifetimes_of_cache_writes(table: Table) -> None:
    standard, batch = listed(table, "claude-haiku-5-5").entries
    assert standard.mode == "standard"
    assert standard.tiers == (
        (
            -1,
            {
                "input": 100_000,
                "output": 500_000,
                "cache_read": 10_000,
                "cache_write_5m": 125_000,
                "cache_write_1h": 200_000,
            },
        ),
        (
            100_000,
            {
                "input": 500_000,
                "output": 2_500_000,
                "cache_read": 50_000,
                "cache_write_5m": 625_000,
                "cache_write_1h": 1_000_000,
            },
        ),
    )
    assert batch.mode == "batch"
    # A batch's writes for an hour are not stated: they cost what they cost in the standard mode, not what
    # those for 5 minutes cost in a batch.
    assert batch.tiers[0][1]["cache_write_1h"] == 200_000
    assert batch.tiers[1] == (
        100_000,
        {
            "input": 250_000,
            "output": 1_250_000,
            "cache_read": 25_000,
            "cache_write_5m": 312_500,
            "cache_write_1h": 1_000_000,
        },
    )
    assert batch.borrowed == {(-1, "cache_write_1h"), (100_000, "cache_write_1h")}


def test_the_tier_of_a_mode_that_is_not_stated_is_the_standard_one(table: Table) -> None:
    standard, priority = listed(table, "gpt-5.4").entries
    assert priority.mode == "priority"
    assert priority.tiers[0][1]["output"] == 30_000_000
    assert priority.tiers[1] == standard.tiers[1]


def test_a_kind_that_costs_what_its_wider_kind_costs_goes_with_it(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        thinker={
            "input_cost_per_token": 1e-06,
            "output_cost_per_token": 1e-05,
            "output_cost_per_reasoning_token": 1e-05,
            "output_cost_per_token_above_200k_tokens": 1.5e-05,
            "input_cost_per_token_batches": 5e-07,
            "output_cost_per_token_batches": 5e-06,
        },
    )
    (found,) = read(path).models
    prices = {(row.mode, row.tier_above): (row.output, row.reasoning) for row in found.rows("here")}
    assert prices == {
        ("standard", -1): (10_000_000, 10_000_000),
        ("standard", 200_000): (15_000_000, 15_000_000),
        ("batch", -1): (5_000_000, 5_000_000),
    }


def test_xais_tiers_begin_at_the_threshold(tmp_path: Path) -> None:
    """And the others' above it, which is LiteLLM's rule too."""
    said = {"input_cost_per_token": 1e-06, "input_cost_per_token_above_200k_tokens": 2e-06}
    path = write(tmp_path, grok={"litellm_provider": "xai", **said}, other=said)
    grok, other = read(path).models
    assert grok.entries[0].tiers[1][0] == 199_999
    assert other.entries[0].tiers[1][0] == 200_000


def test_a_write_of_0_is_a_price_and_the_same_in_other_words_is_understood(table: Table) -> None:
    deepseek = listed(table, "deepseek/deepseek-chat")
    (entry,) = deepseek.entries
    assert entry.tiers[0][1]["cache_write_5m"] == 0
    assert deepseek.left_out == ()


def test_keys_that_are_not_understood_are_named(table: Table) -> None:
    haiku = listed(table, "claude-haiku-5-5")
    assert haiku.left_out == ("provider_specific_entry", "search_context_cost_per_query")
    assert listed(table, "gpt-5.4").left_out == ("regional_processing_uplift_multiplier_eu",)


def test_noise_in_the_last_digit_is_rounded_and_told(table: Table) -> None:
    found = listed(table, "novita/deepseek/deepseek_v3")
    assert found.entries[0].tiers == ((-1, {"input": 890_000, "output": 890_000}),)
    assert found.rounded == ("input_cost_per_token", "output_cost_per_token")


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("1.5e-13", "a price finer than a pico-dollar"),
        ("1e-99999999", "a price finer than a pico-dollar"),
        ("-1e-06", "a price that is none"),
        ("3.0", "a price that is none"),
        ("1e999999999", "a price that is none"),
    ],
)
def test_a_price_that_cannot_be_one_leaves_its_model_out(tmp_path: Path, price: str, reason: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(f'{{"odd": {{"litellm_provider": "acme", "input_cost_per_token": {price}}}}}')
    table = read(path)
    assert (table.models, table.left_out) == ((), {reason: ("odd",)})


@given(st.integers(1, 10**9))
def test_every_digit_of_a_price_is_kept(tmp_path_factory: pytest.TempPathFactory, pico: int) -> None:
    """As Python writes the float: 3e-06 is 3,000,000 pico-dollars, 1.25e-07 is 125,000."""
    path = tmp_path_factory.mktemp("table") / "table.json"
    path.write_text(f'{{"m": {{"litellm_provider": "acme", "input_cost_per_token": {pico / 10**12!r}}}}}')
    (found,) = read(path).models
    assert found.entries[0].tiers == ((-1, {"input": pico}),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is not JSON: Expecting property name enclosed in double quotes"),
        ("[" * 100_000, "this is not JSON"),
        ('{"prices": []}', "this is not LiteLLM's table of prices: no entry has a litellm_provider"),
        ("[1]", "this is not LiteLLM's table of prices: no entry has a litellm_provider"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        read(path)
    assert caught.value.message == message
    assert caught.value.file == str(path)


# --- a prices.yaml of it ----------------------------------------------------------------------------------


def book_of(found: Imported, directory: Path) -> PriceBook:
    (directory / "litellm.yaml").write_text(found.text, "utf-8")
    (directory / "prices.yaml").write_text("include: [litellm.yaml]\n")
    return PriceBook.load(directory / "prices.yaml")


def test_what_the_catalogue_lacks_is_imported(table: Table) -> None:
    found = imported(table, Catalogue())
    assert found.models == found.text.count("\n  - ") == 1
    # Azure's gpt-4o is in the catalogue, Bedrock's old Claude in one region is not.
    assert 'provider: "bedrock", model: "anthropic.claude-v1", region: "us-east-1", input: 8.00' in found.text
    assert '"gpt-4o"' not in found.text
    assert found.notes[0] == "1 model that the catalogue does not know."


def test_imported_prices_charge_what_litellm_says(table: Table, tmp_path: Path) -> None:
    found = imported(table, Catalogue(), ["claude-haiku-5-5", "AZURE/*", "*claude-v1"])
    assert (found.models, found.unknown) == (4, ())
    book = book_of(found, tmp_path)
    # A short prompt: 1,000 at 0.10 + 1,000 read at 0.01 + 1,000 written for an hour at 0.20 + 1,000 out at
    # 0.50, in USD a million.
    usage = Usage(
        JUNE,
        input_tokens=1_000,
        cache_read_tokens=1_000,
        cache_write_1h_tokens=1_000,
        output_tokens=1_000,
    )
    assert charge(book, "anthropic", "claude-haiku-5-5", usage) == Decimal("0.00081")
    # A long one, all at the prices above 100,000 tokens: 100,000 at 0.50 + 1 read at 0.05.
    long = Usage(JUNE, input_tokens=100_000, cache_read_tokens=1)
    assert charge(book, "anthropic", "claude-haiku-5-5", long) == Decimal("0.05000005")
    # In a batch above 100,000 tokens: 200,000 at 0.25 + 1,000 out at 1.25.
    batch = Usage(JUNE, mode="batch", input_tokens=200_000, output_tokens=1_000)
    assert charge(book, "anthropic", "claude-haiku-5-5", batch) == Decimal("0.05125")
    # The price of a region is for calls that state it.
    region = Usage(JUNE, region="us", input_tokens=1_000_000)
    assert charge(book, "azure", "gpt-4o-2024-08-06", region) == Decimal("2.75")
    assert [each.partition(" ")[0] for each in book.identifiers[:2]] == ["prices.yaml", "litellm.yaml"]


def test_imported_prices_may_begin_on_a_day(table: Table, tmp_path: Path) -> None:
    found = imported(table, Catalogue(), ["gpt-5.4"], start=date(2026, 11, 1))
    assert found.text.count("from: 2026-11-01") == 2
    book = book_of(found, tmp_path)
    # Before that day the catalogue's prices stay.
    rows = book.rows_for([("openai", "gpt-5.4")])["openai", "gpt-5.4"]
    own = [row for row in rows if row.source.startswith("litellm.yaml:")]
    assert {row.effective_from for row in own} == {datetime(2026, 11, 1)}
    assert any(row.effective_to == datetime(2026, 11, 1) for row in rows if row not in own)


def test_a_model_that_is_stated_twice_is_imported_once(tmp_path: Path) -> None:
    same, other = {"input_cost_per_token": 1e-06}, {"input_cost_per_token": 2e-06}
    path = write(tmp_path, **{"m": same, "acme/m": same, "n": same, "acme/n": other})
    found = imported(read(path), Catalogue())
    assert found.models == 2
    assert "In the table again at other prices, the first taken: acme/n." in found.notes
    assert [line for line in found.text.splitlines() if "  - " in line] == [
        '  - { provider: "acme", model: "m", input: 1.00 }',
        '  - { provider: "acme", model: "n", input: 1.00 }',
    ]


def test_what_was_left_out_is_said_in_the_file(table: Table) -> None:
    found = imported(table, Catalogue(), ["claude-haiku-5-5", "dashscope/*", "no-such"])
    assert found.unknown == ("no-such",)
    assert found.notes == (
        "1 model.",
        "Left out, tiered_pricing, which is not understood: dashscope/qwen-flash.",
        "Keys that are not understood and left out: provider_specific_entry (1 model), "
        "search_context_cost_per_query (1 model).",
    )
    comments = " ".join(line[2:] for line in found.text.splitlines() if line.startswith("# "))
    assert f"From LiteLLM's table of prices, {table.identifier}." in comments
    assert all(note in comments for note in found.notes)


def test_a_name_is_text_whatever_it_looks_like(tmp_path: Path) -> None:
    path = write(tmp_path, **{'null: "a\\b", é': {"input_cost_per_token": 1e-06}})
    found = imported(read(path), Catalogue())
    book = book_of(found, tmp_path)
    name = 'null: "a\\b", é'
    assert charge(book, "acme", name, Usage(JUNE, input_tokens=1_000_000)) == Decimal("1.00")
