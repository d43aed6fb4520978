"""How vendors cache, from where on that pays, and the book's example."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from costctl.analysis import QuestionError
from costctl.documents import DocumentError
from costctl.pricing.book import PriceBook
from costctl.report import Report
from costctl.simulate.cache_break_even import pays_from
from costctl.simulate.cache_faq import Faq, faq
from costctl.simulate.cache_profiles import break_even, load, reads_per_hour, said, seconds

ROOT = Path(__file__).parents[2]
NOV = datetime(2024, 11, 1, tzinfo=UTC)
SONNET = "claude-sonnet-4-20250514"


def records(report: Report) -> list[dict[str, Any]]:
    names = [each.name for each in report.columns]
    return [dict(zip(names, row, strict=True)) for row in report.rows]


# Break-even


@pytest.mark.parametrize(
    ("read", "write", "hit_ratio", "reads"),
    [
        # 0.25 / 1.15 = 21.74 %; 0.25 / 0.9 = 0.28 reads a write
        ("0.1", "1.25", Fraction(25, 115), Fraction(25, 90)),
        # 1 / 1.9 = 52.63 %; 1 / 0.9 = 1.11
        ("0.1", "2", Fraction(10, 19), Fraction(10, 9)),
        # 0.25 / 1.2 = 20.83 %; 1 / 1.95 = 51.28 %
        ("0.05", "1.25", Fraction(25, 120), Fraction(25, 95)),
        ("0.05", "2", Fraction(100, 195), Fraction(100, 95)),
    ],
)
def test_from_where_on_caching_pays(read: str, write: str, hit_ratio: Fraction, reads: Fraction) -> None:
    found = break_even(Fraction(read), Fraction(write))
    assert (found.hit_ratio, found.reads_per_write) == (hit_ratio, reads)


def test_without_a_premium_it_never_loses() -> None:
    assert break_even(Fraction("0.1"), Fraction(1)).hit_ratio is None


def test_gemini_2_5_pro_pays_its_storage_from_four_reads_an_hour() -> None:
    """4.50 / (0.9 x 1.25) = 4"""
    assert reads_per_hour(Fraction("4.50"), Fraction("1.25"), Fraction("0.1")) == 4
    report = pays_from(
        load(), profile="gemini-explicit", model="gemini-2.5-pro", book=PriceBook(), at=datetime.now(UTC)
    )
    assert [row["reads_per_hour"] for row in records(report)] == [4]


def test_the_table_of_break_evens() -> None:
    rows = {(row["profile"], row["lifetime"]): row for row in records(pays_from(load()))}
    assert rows["anthropic", "5m"]["hit_ratio"] == Decimal("0.217391")
    assert rows["anthropic", "1h"]["hit_ratio"] == Decimal("0.526316")
    assert rows["openai", "5m"]["hit_ratio"] is None
    assert rows["gemini-explicit", "1h"]["reads_per_hour"] == 4


# Profiles


@pytest.mark.parametrize(
    ("model", "profile", "minimum", "read"),
    [
        (SONNET, "anthropic", 1024, "0.1"),
        ("claude-opus-5-5", "anthropic", 512, "0.05"),
        ("claude-fable-5-2", "anthropic", 512, "0.025"),
        ("claude-opus-5", "anthropic", 512, "0.1"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic", 4096, "0.1"),
        ("claude-opus-4-7", "anthropic", 2048, "0.1"),
        ("gpt-5.4", "openai", 1024, "0.1"),
        ("gpt-4o-mini", "openai", 1024, "0.5"),
        ("openai/o3", "openai", 1024, "0.25"),
        ("o3-mini", "openai", 1024, "0.5"),
        ("gemini-2.5-pro", "gemini", 4096, "0.1"),
    ],
)
def test_the_rules_of_a_model(model: str, profile: str, minimum: int, read: str) -> None:
    found = load().of(model)
    assert found is not None
    rules = found.rules_of(model)
    assert (found.name, rules.minimum, rules.read) == (profile, minimum, Fraction(read))


def test_a_vendor_that_is_not_known_has_no_profile() -> None:
    assert load().of("mistral-large-latest") is None
    assert load().of("gpt-oss-120b") is None


def test_openai_has_steps_and_newer_models_a_price_of_writing() -> None:
    openai = load().named("openai")
    assert openai.rules.increment == 128
    assert [(each.name, each.write) for each in openai.rules.lifetimes] == [("5m", 1), ("24h", 1)]
    (lifetime,) = openai.rules_of("gpt-5.6-sol").lifetimes
    assert (lifetime.seconds, lifetime.write) == (1800, Fraction(5, 4))


@pytest.mark.parametrize(
    ("model", "lifetimes"),
    [
        ("gpt-5.4", ["5m", "24h"]),
        ("gpt-4.1-mini", ["5m", "24h"]),
        ("gpt-4o-mini", ["5m"]),
        ("openai/o3", ["5m"]),
        ("o3-mini", ["5m"]),
    ],
)
def test_openai_keeps_prompts_for_a_day_from_gpt_4_1_on(model: str, lifetimes: list[str]) -> None:
    rules = load().named("openai").rules_of(model)
    assert [each.name for each in rules.lifetimes] == lifetimes


def test_a_file_changes_what_it_states_and_adds(tmp_path: Path) -> None:
    file = tmp_path / "cache.yaml"
    file.write_text(
        """profiles:
  - name: anthropic
    minimum: 300
  - name: house
    models: ["*llama*", "claude-house"]
    read: 0
    lifetimes: [{name: 10m, seconds: 600, write: 1}]
"""
    )
    profiles = load(file)
    assert profiles.named("anthropic").rules.minimum == 300
    assert profiles.named("anthropic").rules.read == Fraction(1, 10)
    assert profiles.named("anthropic").rules_of("claude-haiku-4-5").minimum == 4096
    house = profiles.of("claude-house")
    assert house is not None
    assert house.name == "house", "the file's stand before the shipped ones"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("profiles:\n  - name: house\n", 2, "lacks the key read"),
        ("profiles:\n  - name: plain\n    read: 1\n", 3, "reads from the cache at 1 times"),
        ("profiles:\n  - name: plain\n  - name: plain\n", 3, "a second profile is called 'plain'"),
        ("profiles:\n  - name: plain\n    minimun: 1\n", 3, "minimun"),
        (
            "profiles:\n  - name: plain\n    lifetimes:\n"
            "      - {name: 5m, seconds: 300, write: 1.25}\n      - {name: 5m, seconds: 300, write: 2}\n",
            3,
            "lifetimes: 'plain' has two of 300 seconds",
        ),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    file = tmp_path / "cache.yaml"
    file.write_text(text)
    with pytest.raises(DocumentError, match=message) as raised:
        load(file)
    assert (raised.value.file, raised.value.line) == (str(file), line)
    assert raised.value.hint


def test_the_example_is_one() -> None:
    assert load(ROOT / "cache.example.yaml").named("vllm").refresh_on_hit


def test_a_name_that_is_nearly_one() -> None:
    with pytest.raises(QuestionError) as raised:
        load().named("antropic")
    assert raised.value.hint.startswith("did you mean anthropic?")


@pytest.mark.parametrize(("text", "length"), [("300s", 300), ("5m", 300), ("1h", 3600), ("1d", 86_400)])
def test_lifetimes_in_words(text: str, length: int) -> None:
    assert seconds(text) == length
    assert seconds(said(length)) == length


def test_what_is_no_lifetime() -> None:
    with pytest.raises(QuestionError, match="'5' is no lifetime"):
        seconds("5")


# The book's FAQ: 20,000 tokens of FAQ, 100 of query, 5,000 requests a day, 30 days, Sonnet at 3 USD


def of_faq(**changes: int) -> dict[str, dict[str, Any]]:
    report = faq(load(), PriceBook(), model=SONNET, at=NOV, example=Faq(**changes))
    return {row["case"]: row for row in records(report)}


def test_the_books_faq_to_the_cent() -> None:
    cases = of_faq()
    without, cached = cases["without cache"], cases["with cache, the book's"]
    usd = 10**12
    # 20,100 x 5,000 = 100,500,000 tokens; x 3 / 1,000,000
    assert without["effective_tokens_day"] == 100_500_000
    assert (without["cost_day"], without["cost"]) == (301 * usd + usd // 2, 9_045 * usd)
    # 100,000,000 / 10 + 500,000
    assert cached["effective_tokens_day"] == 10_500_000
    assert (cached["cost_day"], cached["cost"]) == (31 * usd + usd // 2, 945 * usd)
    assert cached["saving"] == 8_100 * usd
    assert cached["saving_share"] == Decimal("0.895522")


def test_honestly_the_first_request_writes() -> None:
    """Every 17.28 s one request: written once. 20,000 x (3.75 - 0.30) / 1,000,000 = 0.069 more than 945."""
    cases = of_faq()
    assert [cases[f"with cache, {each}, writes paid"]["writes"] for each in ("5m", "1h")] == [1, 1]
    assert cases["with cache, 5m, writes paid"]["cost"] == 945_069 * 10**9
    # an hour: 20,000 x (6 - 0.30) / 1,000,000 = 0.114
    assert cases["with cache, 1h, writes paid"]["cost"] == 945_114 * 10**9


def test_a_cache_that_empties_at_night_is_written_every_morning() -> None:
    assert of_faq(hours=10)["with cache, 1h, writes paid"]["writes"] == 30


def test_requests_further_apart_than_the_lifetime_only_write() -> None:
    """24 requests a day, one an hour: within an hour, and not within five minutes."""
    cases = of_faq(requests=24)
    short = cases["with cache, 5m, writes paid"]
    assert (short["writes"], short["verdict"]) == (720, "loses money")
    # 720 x 20,000 x 0.75 / 1,000,000 = 10.80 more
    assert short["saving"] == -10_800_000_000_000
    assert cases["with cache, 1h, writes paid"]["writes"] == 1


def test_a_prefix_below_the_minimum_is_not_cached() -> None:
    with pytest.raises(QuestionError, match="needs 1,024 at least"):
        of_faq(static=1000)
