"""A user's prices.yaml: the documentation's example, and what is refused. Figures are worked out by hand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.documents import DocumentError
from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.pricing.layers import stacked
from costctl.pricing.price import Usage, cost, row_of
from costctl.pricing.rows import PriceRow, priced

JUNE = datetime(2026, 6, 1)
PAGE = Path(__file__).parents[2] / "docs" / "prices.md"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_text(text: str) -> Path:
        path = tmp_path / "prices.yaml"
        path.write_text(text, "utf-8")
        return path

    return write_text


@pytest.fixture
def example(write: Write) -> PriceBook:
    [text] = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return PriceBook.load(write(text))


@pytest.fixture
def faults(write: Write) -> Callable[[str], list[str]]:
    """What is wrong with a text: each fault as ``line: message``."""

    def of_text(text: str) -> list[str]:
        with pytest.raises(DocumentError) as caught:
            PriceBook.load(write(text))
        return [f"{each.line}: {each.message}" for each in caught.value.errors]

    return of_text


def charge(book: PriceBook, names: tuple[str | None, str], usage: Usage) -> Decimal | None:
    """USD."""
    pico = cost(row_of(book.rows_for([names])[names], usage), usage)
    return None if pico is None else usd(pico)


def a_million(ts: datetime = JUNE, mode: str = "standard", region: str | None = None) -> Usage:
    """Of output, so that no tier is reached."""
    return Usage(ts, mode=mode, region=region, output_tokens=10**6)


# --- the example of the documentation ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # 2.00 + 0.20 + 2.50 + 4.00 USD per million, 50,000 of each; 8.00 of output, 100,000
        (
            Usage(
                JUNE,
                input_tokens=50_000,
                cache_read_tokens=50_000,
                cache_write_5m_tokens=50_000,
                cache_write_1h_tokens=50_000,
                output_tokens=100_000,
            ),
            "1.235",  # 0.10 + 0.01 + 0.125 + 0.20 + 0.80
        ),
        # above 200,000: input 4.00, output 12.00; cached input stays 0.20: 4.00 x 200,000 / 1e6 + 0.0000002
        (Usage(JUNE, input_tokens=200_000, cache_read_tokens=1), "0.8000002"),
        (Usage(JUNE, input_tokens=200_000), "0.40"),  # at the threshold: 2.00 x 0.2
        (Usage(JUNE, input_tokens=200_001, output_tokens=10**6), "12.800004"),
        # 3 searches at 0.01; 1,000 tokens of audio at 32 per million; 1,000 tokens of input at 2.00
        (Usage(JUNE, input_tokens=1_000, other_units={"web_search_requests": 3}), "0.032"),
        (Usage(JUNE, other_units={"input_audio_tokens": 1_000}), "0.032"),
        (a_million(mode="batch"), "4.00"),
        (a_million(region="eu"), "8.80"),
        (a_million(mode="batch", region="eu"), None),
        (a_million(mode="flex"), None),
    ],
)
def test_a_model_of_ones_own(example: PriceBook, usage: Usage, expected: str | None) -> None:
    assert charge(example, ("acme", "ACME-chat"), usage) == (expected and Decimal(expected))


def test_an_entry_with_a_provider_is_for_that_one(example: PriceBook) -> None:
    assert charge(example, ("Acme", "acme-chat"), a_million()) == Decimal("8.00")
    assert charge(example, ("other", "acme-chat"), a_million()) is None
    assert charge(example, (None, "acme-chat"), a_million()) is None
    assert charge(example, ("acme", "acme-chat-2"), a_million()) is None


@pytest.mark.parametrize("provider", [None, "vllm"])
def test_a_beginning_of_a_name_and_a_change_of_price(example: PriceBook, provider: str | None) -> None:
    changes = datetime(2026, 1, 1)
    names = (provider, "local-llama-4")
    assert charge(example, names, a_million(changes - timedelta(microseconds=1))) == 0
    assert charge(example, names, a_million(changes)) == Decimal("0.05")
    assert charge(example, (provider, "my-local-llama"), a_million()) is None


@pytest.mark.parametrize(
    ("model", "ts", "mode", "expected"),
    [
        # Sonnet 4.5: 15.00 x 0.85; in a batch 7.50 x 0.85
        ("claude-sonnet-4-5-20250929", JUNE, "standard", "12.75"),
        ("claude-sonnet-4-5-20250929", JUNE, "batch", "6.375"),
        ("claude-sonnet-4-5-20250929", datetime(2025, 12, 31, 23, 59, 59, 999_999), "standard", "15.00"),
        ("claude-sonnet-4-5-20250929", datetime(2026, 1, 1), "standard", "12.75"),
        ("claude-sonnet-4-5-20250929", datetime(2026, 12, 31, 23, 59, 59, 999_999), "standard", "12.75"),
        ("claude-sonnet-4-5-20250929", datetime(2027, 1, 1), "standard", "15.00"),
        # Opus 4.5, by the catalogue's name, for all its names: 25.00 x 0.80, not x 0.85 x 0.80
        ("claude-opus-4-5", JUNE, "standard", "20.00"),
        ("claude-opus-4-5-20251101", JUNE, "standard", "20.00"),
        ("anthropic/claude-opus-4-5-20251101", JUNE, "standard", "20.00"),
        # not Anthropic's
        ("gpt-4o", JUNE, "standard", "10.00"),
    ],
)
def test_a_contract(example: PriceBook, model: str, ts: datetime, mode: str, expected: str) -> None:
    assert charge(example, (None, model), a_million(ts, mode)) == Decimal(expected)


def test_a_contract_is_with_whom_is_paid(example: PriceBook) -> None:
    """Claude on Google's cloud is paid to Google."""
    names = ("vertex_ai", "claude-sonnet-4-5@20250929")
    assert charge(example, names, a_million()) == Decimal("15.00")


def test_a_contract_is_for_searches_too(example: PriceBook) -> None:
    # 10 USD per 1,000, x 0.85
    usage = Usage(JUNE, other_units={"web_search_requests": 1_000})
    assert charge(example, ("anthropic", "claude-sonnet-4-5"), usage) == Decimal("8.50")


def test_a_region_from_the_price_without_one(example: PriceBook) -> None:
    names = ("anthropic", "claude-opus-4-6-20260205")
    # 25.00 x 1.1, and in a batch 12.50 x 1.1; the contract of 0.85 is not multiplied with it
    assert charge(example, names, a_million(region="us")) == Decimal("27.50")
    assert charge(example, names, a_million(mode="batch", region="us")) == Decimal("13.75")
    assert charge(example, names, a_million()) == Decimal("21.25")  # 25.00 x 0.85
    assert charge(example, names, a_million(region="eu")) is None
    searches = Usage(JUNE, region="us", other_units={"web_search_requests": 1_000})
    assert charge(example, names, searches) == Decimal("10.00")  # only: tokens


def test_aliases(example: PriceBook) -> None:
    assert charge(example, (None, "Prod-Chat"), a_million()) == Decimal("10.00")  # GPT-4o
    assert charge(example, ("openai", "prod-chat"), a_million()) == Decimal("10.00")
    assert charge(example, ("acme", "prod-chat"), a_million()) is None  # acme has no GPT-4o
    assert charge(example, ("azure", "my-deployment"), a_million()) == Decimal("8.00")  # GPT-4.1
    assert charge(example, ("openai", "my-deployment"), a_million()) is None


def test_each_price_says_where_it_is_from(example: PriceBook) -> None:
    def source(names: tuple[str | None, str]) -> str:
        row = row_of(example.rows_for([names])[names], Usage(JUNE))
        assert row is not None
        return row.source

    assert source(("acme", "acme-chat")) == "prices.yaml:4"
    assert source((None, "claude-opus-4-5")) == "genai-prices 0.2.3 x 0.80 (prices.yaml:31)"
    assert source((None, "gpt-4o")) == "genai-prices 0.2.3"


def test_the_identifiers_are_the_file_and_the_catalogue(write: Write) -> None:
    path = write("prices: [{model: a, input: 1}]\n")
    content = hashlib.sha256(b"prices: [{model: a, input: 1}]\n").hexdigest()
    catalogue = PriceBook().identifiers
    assert PriceBook.load(path).identifiers == (f"prices.yaml sha256:{content[:16]}", *catalogue)
    assert PriceBook.load(None).identifiers == catalogue


# --- which entry holds ------------------------------------------------------------------------------------


def test_the_closest_entry_holds(write: Write) -> None:
    book = PriceBook.load(
        write(
            """
            prices:
              - {model: m*, output: 1}
              - {model: m-long*, output: 2}
              - {model: m-long*, provider: acme, output: 3}
              - {model: m-long-name, output: 4}
            """
        )
    )
    assert charge(book, (None, "m"), a_million()) == 1
    assert charge(book, (None, "m-longer"), a_million()) == 2
    assert charge(book, ("acme", "m-longer"), a_million()) == 3
    assert charge(book, ("acme", "m-long-name"), a_million()) == 4


def test_an_own_price_replaces_tiers_and_hours_in_its_mode_and_period_only(write: Write) -> None:
    book = PriceBook.load(
        write(
            """
            prices:
              - {model: claude-sonnet-4-5, from: 2026-05-01, to: 2026-07-01T02:00:00+02:00, input: 1}
              - {model: deepseek-reasoner, from: 2026-05-01, output: 2}
            """
        )
    )
    names = (None, "claude-sonnet-4-5-20250929")
    long = {"input_tokens": 200_001}
    assert charge(book, names, Usage(JUNE, **long)) == Decimal("0.200001")
    assert charge(book, names, Usage(datetime(2026, 4, 30), **long)) == Decimal("1.200006")  # at 6.00
    assert charge(book, names, Usage(datetime(2026, 7, 1), **long)) == Decimal("1.200006")
    assert charge(book, names, a_million(mode="batch")) == Decimal("7.50")
    night = datetime(2026, 6, 1, 17)
    assert charge(book, (None, "deepseek-reasoner"), a_million(night)) == 2
    assert charge(book, (None, "deepseek-reasoner"), a_million(night.replace(month=4))) == Decimal("0.55")


def test_own_prices_are_not_multiplied(write: Write) -> None:
    book = PriceBook.load(
        write(
            """
            prices: [{model: gpt-4o, from: 2026-06-01, output: 7}]
            multipliers: [{multiplier: 0.5}]
            """
        )
    )
    assert charge(book, (None, "gpt-4o"), a_million(JUNE)) == 7
    assert charge(book, (None, "gpt-4o"), a_million(JUNE - timedelta(days=1))) == 5  # 10.00 x 0.5


def test_a_multiplied_price_is_rounded_half_even_and_says_so(write: Write) -> None:
    # GPT-4o: 10,000,000 pico-dollars a token of output, 2,500,000 of input.
    # x 0.00000005 = 0.5 and 0.125: to 0 and 0; x 0.00000015 = 1.5 and 0.375: to 2 and 0
    for factor, output in (("0.00000005", 0), ("0.00000015", 2)):
        book = PriceBook.load(write(f"multipliers: [{{model: gpt-4o, multiplier: {factor}}}]"))
        row = row_of(book.rows_for([(None, "gpt-4o")])[None, "gpt-4o"], Usage(JUNE))
        assert row is not None
        assert (row.output, row.input) == (output, 0)
        where = f"genai-prices 0.2.3 x {factor} (prices.yaml:1), rounded to whole pico-dollars"
        assert row.source == where


def test_an_empty_file_changes_nothing(write: Write) -> None:
    book = PriceBook.load(write("# nothing yet\n"))
    names = (None, "claude-opus-4-20250514")
    assert book.rows_for([names]) == PriceBook().rows_for([names])


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price: []", ["1: unknown key price"]),
        (
            "prices: [{model: a, inputs: 3}]",
            ["1: unknown key prices[0].inputs", "1: prices[0] states no price"],
        ),
        ("prices: [{input: 3}]", ["1: prices[0] lacks the key model"]),
        ("prices:\n- model: a\n  input: -1", ["3: prices[0].input must be at least 0, not '-1'"]),
        ("prices:\n- model: a\n  input: '3'", ["3: prices[0].input must be a number, not '3'"]),
        (
            "prices:\n- model: a\n  mode: bulk\n  input: 3",
            ["3: prices[0].mode must be one of standard, batch, flex, priority, fast, not 'bulk'"],
        ),
        ("prices:\n- model: a*b\n  input: 3", ["2: prices[0].model must match ^[^*]*[*]?$, not 'a*b'"]),
        ("multipliers:\n- multiplier: 85", ["2: multipliers[0].multiplier must be at most 10, not '85'"]),
        (
            "prices:\n- model: a\n  input: 1\n  input: 2",
            ["4: the key 'input' is given twice, in lines 3 and 4"],
        ),
    ],
)
def test_what_the_schema_refuses(faults: Callable[[str], list[str]], text: str, expected: list[str]) -> None:
    assert faults(text) == expected[:1]


def test_a_price_finer_than_a_pico_dollar_is_refused(faults: Callable[[str], list[str]]) -> None:
    text = """
prices:
  - model: a
    input: 0.000001
    output: 0.0000001
    request: 0.000000000001
    units:
      images: 0.0000000000001
      input_audio_tokens: 0.0000005
"""
    assert faults(text) == [
        "5: output 0.0000001 is finer than a pico-dollar",
        "8: images 0.0000000000001 is finer than a pico-dollar",
        "9: input_audio_tokens 0.0000005 is finer than a pico-dollar",
    ]


def test_entries_that_hold_at_once_are_refused_with_both_lines(faults: Callable[[str], list[str]]) -> None:
    text = """
prices:
  - {model: Acme, to: 2026-03-01, input: 1}
  - {model: acme, from: 2026-03-01, input: 1}
  - {model: acme, mode: batch, input: 1}
  - {model: acme, mode: standard, from: 2026-02-28T23:59:59Z, to: 2026-03-01, input: 2}
multipliers:
  - {provider: vertex_ai, multiplier: 0.9}
  - {provider: google, multiplier: 0.8}
aliases:
  - {model: x, means: gpt-4o}
  - {model: X, means: gpt-4.1}
"""
    assert faults(text) == [
        "6: prices[3] and prices[0], in lines 6 and 3, hold for the same calls",
        "9: multipliers[1] and multipliers[0], in lines 9 and 8, hold for the same calls",
        "12: aliases[1] and aliases[0], in lines 12 and 11, hold for the same calls",
    ]


def test_what_would_have_no_effect_is_refused(faults: Callable[[str], list[str]]) -> None:
    text = """
prices:
  - {model: a, from: 2026-03-01, to: 2026-03-01, input: 1}
  - {model: b}
  - {model: x, input: 1}
  - model: c
    units: {input_tokens: 1}
  - model: d
    input: 1
    tiers:
      - {above: 1000, input: 2}
      - {above: 1000, input: 3}
aliases:
  - {model: x, means: gpt-4o}
  - {model: y, means: gpt-4-oh}
"""
    assert faults(text) == [
        "3: prices[0] ends before it begins",
        "4: prices[1] states no price",
        "5: prices[2] is never used: aliases[0], in line 14, makes its calls another model's",
        "7: input_tokens is not a rare unit",
        "12: tiers[1] is not above 1000, the tier before it, in line 11",
        "15: aliases[1] means 'gpt-4-oh', a model that no price book knows",
    ]


def test_an_alias_may_mean_an_own_model(write: Write) -> None:
    text = """
prices: [{provider: acme, model: a-*, output: 3}]
aliases: [{model: x, provider: acme, means: a-1}]
"""
    book = PriceBook.load(write(text))
    assert charge(book, ("acme", "x"), a_million()) == 3


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"nowhere\.yaml: cannot be read"):
        PriceBook.load(tmp_path / "nowhere.yaml")


# --- layers -----------------------------------------------------------------------------------------------

FIRST = datetime(2026, 1, 1)


@st.composite
def layer(draw: st.DrawFn, price: int) -> list[PriceRow]:
    """One or two rows of one mode, each with a period of its own."""
    days = draw(st.lists(st.integers(0, 8), min_size=2, max_size=3, unique=True).map(sorted))
    bounds: list[datetime | None] = [FIRST + timedelta(days=day) for day in days]
    if draw(st.booleans()):
        bounds[0] = None
    if draw(st.booleans()):
        bounds[-1] = None
    mode = draw(st.sampled_from(["standard", "batch"]))
    return [
        priced(
            {"output": price},
            provider="p",
            model="m",
            source="test",
            mode=mode,
            effective_from=start,
            effective_to=end,
        )
        for start, end in pairwise(bounds)
    ]


@given(st.tuples(layer(1), layer(2), layer(3)), st.integers(-1, 9), st.sampled_from(["standard", "batch"]))
def test_at_every_instant_the_first_layer_with_a_price_holds(
    layers: tuple[list[PriceRow], ...], day: int, mode: str
) -> None:
    usage = Usage(FIRST + timedelta(days=day), mode=mode, output_tokens=1)
    expected = next((cost(row, usage) for rows in layers if (row := row_of(rows, usage))), None)
    assert cost(row_of(stacked(layers), usage), usage) == expected
