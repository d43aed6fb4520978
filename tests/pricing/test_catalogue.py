"""The shipped catalogue: reproducible, quick to open, and right where it is ours."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from costctl.pricing.book import PriceBook
from costctl.pricing.catalogue import FILES, Catalogue
from costctl.pricing.price import Usage, row_of
from costctl.pricing.rows import PriceRow

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_prices.py"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_prices", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_prices"] = module
    spec.loader.exec_module(module)
    return module


def bytes_in(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_two_builds_are_the_shipped_files(
    build: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.main(tmp_path / "one")
    printed = capsys.readouterr().out
    build.main(tmp_path / "two")
    assert bytes_in(tmp_path / "one") == bytes_in(tmp_path / "two") == bytes_in(FILES)
    assert "rounded half-even, float noise: 28\n" in printed
    assert "rounded half-even, per hour: 30\n" in printed


@pytest.mark.parametrize(
    ("usd", "per", "pico"),
    [
        ("3.00", 10**6, 3_000_000),
        ("0.18000000000000002", 10**6, 180_000),
        ("0.0833333333333333", 10**6, 83_333),
        ("0.111", 3600, 30_833_333),  # 0.111 / 3,600 = 0.00003083333…
        ("10", 1000, 10_000_000_000),
    ],
)
def test_a_compiled_price_is_whole(build: ModuleType, usd: str, per: int, pico: int) -> None:
    assert build.Rounding().whole(Decimal(usd), per, "here") == pico


def test_a_price_finer_than_a_pico_dollar_is_refused(build: ModuleType) -> None:
    with pytest.raises(ValueError, match="not a whole number of pico-dollars"):
        build.Rounding().whole(Decimal("0.0000005"), 10**6, "here")


def test_opening_the_book_reads_only_what_is_asked() -> None:
    book = PriceBook()
    book.rows_for([("anthropic", "claude-opus-4-20250514")])
    assert list(book._catalogue._models) == ["anthropic"]


def test_pricing_imports_neither_engine_nor_catalogue_package() -> None:
    modules = "book, explain, price, reports, sql"
    program = (
        f"import sys; from costctl.pricing import {modules}; "
        "print({'duckdb', 'pyarrow', 'genai_prices', 'yaml'} & {name.split('.')[0] for name in sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_the_identifier_names_the_package_and_the_content() -> None:
    index = json.loads((FILES / "index.json").read_text("utf-8"))
    assert PriceBook().identifiers == (f"genai-prices 0.2.3 sha256:{index['sha256'][:16]}",)


def row(model: str, ts: datetime, mode: str = "standard", **usage: int) -> PriceRow:
    rows = PriceBook().rows_for([(None, model)])[None, model]
    found = row_of(rows, Usage(ts, mode=mode, **usage))
    assert found is not None
    return found


def tokens(found: PriceRow) -> tuple[int | None, ...]:
    return (found.input, found.cache_read, found.cache_write_5m, found.cache_write_1h, found.output)


OCTOBER = datetime(2024, 10, 15)

# The book's table, USD per million: input, cached input, output. 15.00 USD per million is 15,000,000 a token.
BOOK = {
    "claude-opus-4-20250514": ("15.00", "1.50", "75.00"),
    "claude-sonnet-4-20250514": ("3.00", "0.30", "15.00"),
    "claude-haiku-3-20250307": ("0.25", "0.025", "1.25"),
}


@pytest.mark.parametrize("model", BOOK)
def test_the_books_models_have_the_books_prices(model: str) -> None:
    found = row(model, OCTOBER)
    expected = tuple(int(Decimal(usd) * 10**6) for usd in BOOK[model])
    assert (found.input, found.cache_read, found.output) == expected


def test_our_own_model_is_not_claude_3_haiku() -> None:
    own = row("claude-haiku-3-20250307", OCTOBER)
    # Cache writes are 1.25 x and 2 x of 0.25 USD per million.
    assert tokens(own) == (250_000, 25_000, 312_500, 500_000, 1_250_000)
    assert own.source.startswith("costctl")
    theirs = row("claude-3-haiku-20240307", OCTOBER)
    assert (own.model, theirs.model) == ("claude-haiku-3-20250307", "claude-3-haiku")
    assert theirs.cache_read == 30_000
    assert PriceBook().resolve(None, "claude-haiku-3") is None


# Batch prices before genai-prices states them. Anthropic: half of every token kind, cache too, of the
# price of the day; web search ($10 per 1,000) is not discounted (its batch pricing page). OpenAI o3: $10 and
# $40 until 2025-06-10, then $2 and $8; batch halves both, cached input ($0.50) is not discounted. GPT-5:
# all halved. Gemini 2.5 Pro above 200,000 tokens: $2.50 and $15, halved; cached input stays $0.25.
@pytest.mark.parametrize(
    ("model", "ts", "size", "expected"),
    [
        ("claude-opus-4-5", datetime(2026, 1, 1), 1, (2_500_000, 250_000, 3_125_000, 5_000_000, 12_500_000)),
        (
            "claude-3-5-sonnet",
            datetime(2024, 12, 1),
            1,
            (1_500_000, 150_000, 1_875_000, 3_000_000, 7_500_000),
        ),
        # Sonnet 4.6 above 200,000 tokens, until its premium ended on 2026-03-13: $6 and $22.50, halved.
        (
            "claude-sonnet-4-6",
            datetime(2026, 3, 12),
            200_001,
            (3_000_000, 300_000, 3_750_000, 6_000_000, 11_250_000),
        ),
        (
            "claude-sonnet-4-6",
            datetime(2026, 3, 13),
            200_001,
            (1_500_000, 150_000, 1_875_000, 3_000_000, 7_500_000),
        ),
        ("o3", datetime(2025, 6, 9), 1, (5_000_000, 500_000, 5_000_000, 5_000_000, 20_000_000)),
        ("o3", datetime(2025, 6, 10), 1, (1_000_000, 500_000, 1_000_000, 1_000_000, 4_000_000)),
        ("gpt-5", datetime(2025, 9, 1), 1, (625_000, 62_500, 625_000, 625_000, 5_000_000)),
        (
            "gemini-2.5-pro",
            datetime(2025, 9, 1),
            200_001,
            (1_250_000, 250_000, 1_250_000, 1_250_000, 7_500_000),
        ),
        ("claude-haiku-3-20250307", OCTOBER, 1, (125_000, 12_500, 156_250, 250_000, 625_000)),
    ],
)
def test_batch_history_is_ours(model: str, ts: datetime, size: int, expected: tuple[int | None, ...]) -> None:
    found = row(model, ts, mode="batch", input_tokens=size)
    assert tokens(found) == expected
    assert found.source.startswith("costctl")


def test_a_web_search_costs_the_same_in_a_batch() -> None:
    # $10 per 1,000 searches is 10,000,000,000 pico-dollars each.
    for day in (datetime(2026, 1, 1), datetime(2026, 11, 1)):
        assert dict(row("claude-opus-4-5", day, mode="batch").other_units)["web_search_requests"] == 10**10


def test_other_modes_have_no_invented_history() -> None:
    rows = PriceBook().rows_for([(None, "o3"), (None, "mistral-large-4"), (None, "chatgpt-4o-latest")])
    for ts, mode, model, known in [
        (datetime(2026, 10, 11, 23, 59, 59), "flex", "o3", False),
        (datetime(2026, 10, 12), "flex", "o3", True),
        (datetime(2026, 10, 13, 23, 59, 59), "batch", "mistral-large-4", False),
        (datetime(2026, 10, 14), "batch", "mistral-large-4", True),
        (datetime(2024, 10, 1), "batch", "chatgpt-4o-latest", False),  # OpenAI never sold it in batches
    ]:
        assert (row_of(rows[None, model], Usage(ts, mode=mode)) is not None) is known


def test_rows_never_overlap() -> None:
    catalogue = Catalogue()
    for provider in catalogue.providers:
        for model in catalogue.models(provider):
            seen: list[PriceRow] = []
            for each in catalogue.rows(provider, model):
                assert not any(overlap(each, other) for other in seen), (provider, model, each)
                seen.append(each)


def overlap(one: PriceRow, two: PriceRow) -> bool:
    first, last = datetime.min, datetime.max
    return (
        (one.mode, one.region) == (two.mode, two.region)
        and (one.effective_from or first) < (two.effective_to or last)
        and (two.effective_from or first) < (one.effective_to or last)
        and max(one.window_start, two.window_start) < min(one.window_end, two.window_end)
        and max(one.tier_above, two.tier_above) < min(one.tier_to, two.tier_to)
    )


def test_content_is_an_identity() -> None:
    rows = PriceBook().rows_for([(None, "claude-sonnet-4-6"), ("anthropic", "claude-sonnet-4-6-20260217")])
    one, two = rows.values()
    assert [each.content for each in one] == [each.content for each in two]
    assert len({each.content for each in one}) == len(one)


def test_context_windows_are_known_by_the_names_that_calls_give() -> None:
    book = PriceBook()
    assert book.context_window("anthropic", "claude-sonnet-4-20250514") == 200_000
    assert book.context_window(None, "gpt-4o") == 128_000
    assert book.context_window("anthropic", "claude-haiku-3-20250307") is None  # our own; nothing states it
    assert book.context_window("anthropic", "unheard-of") is None
