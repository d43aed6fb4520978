"""What ``prices list``, ``show`` and ``explain`` say; figures are the vendors' prices, worked out by hand.

Amounts in a report are pico-dollars: 1 USD is 1,000,000,000,000.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from costctl.pricing.book import PriceBook
from costctl.pricing.explain import explained
from costctl.pricing.price import Usage
from costctl.pricing.reports import listed, shown
from costctl.render import render
from costctl.report import Report

JUNE = datetime(2026, 6, 1, 12)
USD = 10**12


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook()


@pytest.fixture
def own(tmp_path: Path) -> PriceBook:
    path = tmp_path / "prices.yaml"
    path.write_text(
        """
prices:
  - {provider: acme, model: acme-chat, output: 8}
  - {model: local-*, output: 0.05}
  - {model: claude-opus-4-5, provider: anthropic, from: 2026-05-01, output: 7}
aliases:
  - {model: prod-chat, means: {provider: openai, model: gpt-4o}}
"""
    )
    return PriceBook.load(path)


def records(report: Report) -> list[dict[str, Any]]:
    names = [column.name for column in report.columns]
    return [dict(zip(names, row, strict=True)) for row in report.rows]


# --- explain ----------------------------------------------------------------------------------------------


def test_a_call_is_explained_term_by_term(book: PriceBook) -> None:
    usage = Usage(
        JUNE,
        input_tokens=200_001,
        cache_read_tokens=5,
        output_tokens=1_000,
        other_units={"web_search_requests": 3},
    )
    report = explained(book, "claude-sonnet-4-5-20250929", usage)
    assert [column.name for column in report.columns] == [
        "term",
        "units",
        "price_per_million",
        "price_pico",
        "amount",
    ]
    # Sonnet 4.5 above 200,000 tokens: $6 in, $0.60 cached, $22.50 out; searches $10 per 1,000
    assert report.rows == [
        ("input", 200_001, 6 * USD, 6_000_000, 1_200_006_000_000),
        ("cache_read", 5, USD * 6 // 10, 600_000, 3_000_000),
        ("output", 1_000, USD * 45 // 2, 22_500_000, 22_500_000_000),
        ("web_search_requests", 3, 10_000 * USD, 10_000_000_000, 30_000_000_000),
    ]
    # 1.200006 + 0.000003 + 0.0225 + 0.03
    assert report.totals == (None, None, None, None, 1_252_509_000_000)
    assert report.complete
    assert report.notes == (
        "claude-sonnet-4-5-20250929 is anthropic/claude-sonnet-4-5 by the rule: "
        "starts with claude-sonnet-4-5.",
        "Price row: standard mode, no region stated, undated, prompts above 200,000 tokens.",
        "Source: genai-prices 0.2.3.",
        "The prompt has 200,006 tokens, which decides the tier of the whole call.",
        "The cost is 1.252509 USD, exactly.",
    )
    assert report.price_books == book.identifiers


@pytest.mark.parametrize(
    ("model", "usage", "row"),
    [
        (
            "claude-sonnet-4-6",
            Usage(datetime(2026, 3, 12), input_tokens=1),
            "standard mode, no region stated, before 2026-03-13, prompts up to 200,000 tokens",
        ),
        (
            "claude-sonnet-4-6",
            Usage(datetime(2026, 3, 13), mode="batch", input_tokens=1),
            "batch mode, no region stated, from 2026-03-13 to before 2026-10-14, any prompt",
        ),
        (
            "o3",
            Usage(JUNE, input_tokens=1),
            "standard mode, no region stated, from 2025-06-10 on, any prompt",
        ),
        (
            "deepseek-reasoner",
            Usage(JUNE, input_tokens=1),
            "standard mode, no region stated, undated, any prompt, 00:30-16:30 UTC",
        ),
    ],
)
def test_the_row_is_named(book: PriceBook, model: str, usage: Usage, row: str) -> None:
    assert f"Price row: {row}." in explained(book, model, usage).notes


def unpriced_notes(report: Report) -> tuple[str, ...]:
    assert not report.complete
    assert report.unpriced.calls == 1
    assert report.totals == (None,) * len(report.columns)
    return report.notes


def test_an_unknown_model_is_told_with_what_is_near(book: PriceBook) -> None:
    report = explained(book, "claude-oups-4-5", Usage(JUNE, input_tokens=7), provider="anthropic")
    [note] = unpriced_notes(report)
    assert note.startswith("No price book knows anthropic/claude-oups-4-5. Near: ")
    assert "anthropic/claude-opus-4-5" in note
    assert report.rows == [("input", 7, None, None, None)]
    assert report.unpriced.tokens == 7
    report = explained(book, "zzz", Usage(JUNE, input_tokens=1))
    assert unpriced_notes(report) == ("No price book knows zzz.",)


def test_a_mode_or_region_without_a_price_is_told_with_those_that_have_one(book: PriceBook) -> None:
    assert unpriced_notes(explained(book, "claude-opus-4-6", Usage(JUNE, region="us", input_tokens=1)))[
        1:
    ] == (
        "There is no price for standard mode, region us. "
        "There is one for: standard mode, no region stated; batch mode, no region stated.",
    )


def test_a_time_without_a_price_is_told_with_the_times_that_have_one(book: PriceBook) -> None:
    assert unpriced_notes(explained(book, "o3", Usage(JUNE, mode="flex", input_tokens=1)))[1:] == (
        "There is no price for flex mode, no region stated at 2026-06-01 12:00 UTC. "
        "There is one: from 2026-10-12 on.",
    )


def test_a_unit_without_a_price_is_told(book: PriceBook) -> None:
    report = explained(book, "o3", Usage(JUNE, input_tokens=1, other_units={"images": 2}))
    assert unpriced_notes(report)[-1] == "images has no price there, so the call has none."
    assert report.rows[1] == ("images", 2, None, None, None)


def test_a_model_that_the_book_knows_without_a_price_is_told(book: PriceBook) -> None:
    report = explained(book, "gpt-4o", Usage(JUNE, input_tokens=1), provider="github-copilot")
    assert unpriced_notes(report)[-1] == "The price book has no price of it."


def test_borrowed_prices_and_aliases_are_told(own: PriceBook) -> None:
    assert explained(own, "gpt-4o", Usage(JUNE, input_tokens=1), provider="azure").notes[:2] == (
        "azure/gpt-4o is openai/gpt-4o by the rule: equals gpt-4o.",
        "openai is not the provider stated: of its prices only the standard ones are taken.",
    )
    assert explained(own, "prod-chat", Usage(JUNE, input_tokens=1)).notes[:2] == (
        "prod-chat means openai/gpt-4o (prices.yaml:7).",
        "openai/gpt-4o is openai/gpt-4o by the rule: equals gpt-4o.",
    )
    report = explained(own, "local-llama", Usage(JUNE, output_tokens=10**6))
    assert report.totals is not None
    assert report.totals[-1] == USD // 20
    assert report.notes[0] == "local-llama is local-* by the rule: model local-* in prices.yaml:4."
    assert report.notes[2] == "Source: prices.yaml:4."


# --- list -------------------------------------------------------------------------------------------------

NAMES = [
    *("provider", "model", "mode", "region", "above", "hours"),
    *("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "request", "units"),
    *("from", "to", "source"),
]


def test_the_columns_are_always_the_same(book: PriceBook) -> None:
    for report in (
        listed(book, containing="o3", at=JUNE),
        listed(book, containing="o3", all_rows=True),
        shown(book, "o3"),
        shown(book, "nonesuch"),
    ):
        assert [column.name for column in report.columns] == NAMES


def test_the_list_has_the_standard_price_of_the_day(book: PriceBook) -> None:
    # Sonnet 4.6: $3, $15, cached $0.30, writes $3.75 and $6
    for at in (datetime(2026, 3, 13), datetime(2026, 3, 13, 1, tzinfo=UTC)):
        [found] = records(listed(book, provider="anthropic", containing="Sonnet-4-6", at=at))
        assert found == {
            "provider": "anthropic",
            "model": "claude-sonnet-4-6",
            "mode": "standard",
            "region": None,
            "above": None,
            "hours": None,
            "input": 3 * USD,
            "output": 15 * USD,
            "cache_read": 3 * USD // 10,
            "cache_write_5m": 15 * USD // 4,
            "cache_write_1h": 6 * USD,
            "reasoning": 15 * USD,
            "request": 0,
            "units": "web_search_requests 0.01",
            "from": "2026-03-13",
            "to": None,
            "source": "genai-prices 0.2.3",
        }


def test_the_list_has_every_model_with_a_price_once(book: PriceBook) -> None:
    rows = records(listed(book, at=datetime(2026, 11, 24)))
    names = [(row["provider"], row["model"]) for row in rows]
    assert len(set(names)) == len(names) == 2_152  # of 2,331; 179 have no price
    assert {row["mode"] for row in rows} == {"standard"}


def test_all_rows_are_those_that_show_has(book: PriceBook) -> None:
    everything = listed(book, provider="anthropic", containing="claude-sonnet-4-6", all_rows=True)
    assert everything.rows == shown(book, "claude-sonnet-4-6").rows
    assert len(everything.rows) == 7


def test_a_name_of_calls_finds_the_model(book: PriceBook) -> None:
    found = records(listed(book, containing="claude-opus-4-20250514", at=JUNE))
    assert ("anthropic", "claude-opus-4-0") in [(row["provider"], row["model"]) for row in found]


def test_a_list_of_nothing_says_what_is_near(book: PriceBook) -> None:
    report = listed(book, containing="claude-sonet-4-6", provider="anthropic")
    assert report.rows == []
    [note] = report.notes
    assert "anthropic/claude-sonnet-4-6" in note


def test_own_models_stand_first(own: PriceBook) -> None:
    rows = records(listed(own, at=JUNE))
    assert [(row["provider"], row["model"], row["output"]) for row in rows[:3]] == [
        ("acme", "acme-chat", 8 * USD),
        (None, "local-*", USD // 20),
        ("anthropic", "claude-opus-4-5", 7 * USD),
    ]
    assert sum(row["model"] == "claude-opus-4-5" and row["provider"] == "anthropic" for row in rows) == 1


# --- show -------------------------------------------------------------------------------------------------


def test_show_has_every_row_with_dates_tiers_modes_and_hours(book: PriceBook) -> None:
    keys = ("mode", "above", "output", "from", "to")
    # Sonnet 4.6 lost its premium above 200,000 tokens ($22.50) on 2026-03-13; batch is half
    assert [tuple(row[key] for key in keys) for row in records(shown(book, "claude-sonnet-4-6"))] == [
        ("standard", None, 15 * USD, None, "2026-03-13"),
        ("standard", 200_000, USD * 45 // 2, None, "2026-03-13"),
        ("standard", None, 15 * USD, "2026-03-13", None),
        ("batch", None, USD * 15 // 2, None, "2026-03-13"),
        ("batch", 200_000, USD * 45 // 4, None, "2026-03-13"),
        ("batch", None, USD * 15 // 2, "2026-03-13", "2026-10-14"),
        ("batch", None, USD * 15 // 2, "2026-10-14", None),
    ]
    assert [row["hours"] for row in records(shown(book, "deepseek-reasoner"))] == [
        "00:00-00:30",
        "00:30-16:30",
        "16:30-24:00",
    ]


def test_show_has_own_prices_before_the_catalogues(own: PriceBook) -> None:
    rows = records(shown(own, "claude-opus-4-5-20251101"))
    assert [(row["mode"], row["output"], row["from"], row["to"], row["source"]) for row in rows[:2]] == [
        ("standard", 7 * USD, "2026-05-01", None, "prices.yaml:5"),
        ("standard", 25 * USD, None, "2026-05-01", "genai-prices 0.2.3"),
    ]


def test_show_of_an_unknown_model_says_what_is_near(book: PriceBook) -> None:
    report = shown(book, "gpt-4-o", provider="openai")
    assert report.rows == []
    [note] = report.notes
    assert note.startswith("No price book knows openai/gpt-4-o. Near: ")
    assert "openai/gpt-4o" in note


@pytest.mark.parametrize("format", ["table", "json", "csv", "md"])
def test_every_format_renders_them(own: PriceBook, format: Any) -> None:
    for report in (
        listed(own, provider="anthropic", all_rows=True),
        shown(own, "claude-opus-4-5"),
        explained(own, "o3", Usage(JUNE, input_tokens=1, other_units={"images": 2})),
    ):
        stream = io.StringIO()
        render(report, format, stream=stream)
        assert stream.getvalue()
