"""Where another price book disagrees with ours. Prices are USD for a million tokens."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.documents import DocumentError
from costctl.pricing.book import PriceBook
from costctl.pricing.catalogue import FILES
from costctl.pricing.difference import OtherBook, difference, read
from costctl.report import Report

LITELLM = Path(__file__).with_name("litellm.json")
JUNE = datetime(2026, 6, 1)
USD = 10**12


@pytest.fixture
def ours(tmp_path: Path) -> PriceBook:
    path = tmp_path / "ours.yaml"
    path.write_text(
        """
prices:
  - {provider: acme, model: chat, input: 2, output: 8, cache_read: 0.5, cache_write_1h: 4}
  - {provider: acme, model: chat, mode: batch, input: 1, output: 4}
  - {provider: acme, model: only-ours, input: 1}
  - {provider: acme, model: local-*, input: 1}
"""
    )
    return PriceBook.load(path)


def other(directory: Path, text: str) -> OtherBook:
    path = directory / "theirs.yaml"
    path.write_text(text)
    return read(path)


def shown(report: Report) -> list[tuple[Any, ...]]:
    """Model, mode, tier, kind, ours and theirs in USD, ratio."""
    names = [column.name for column in report.columns]
    rows = [dict(zip(names, row, strict=True)) for row in report.rows]
    return [
        (
            row["model"],
            row["mode"],
            row["above"],
            row["kind"],
            *(None if row[each] is None else Decimal(row[each]) / USD for each in ("ours", "theirs")),
            row["ratio"],
        )
        for row in rows
    ]


def test_only_what_differs_is_shown(ours: PriceBook, tmp_path: Path) -> None:
    theirs = other(
        tmp_path,
        """
prices:
  - {provider: acme, model: chat, input: 2, output: 12, cache_read: 0.25, cache_write_1h: 4}
""",
    )
    report = difference(ours, theirs, at=JUNE)
    assert shown(report) == [
        ("chat", "standard", None, "cache_read", Decimal("0.5"), Decimal("0.25"), Decimal("0.5")),
        ("chat", "standard", None, "output", 8, 12, Decimal("1.5")),
    ]
    # Input and the writes for an hour are the same; reasoning goes with output and says nothing of its own.
    assert "Both know 1 models; 2 prices of these are the same." in report.notes[0]
    # The batch prices, input and output, are in our book only.
    assert "2 prices of shared ones are in one book only" in report.notes[1]


def test_a_kind_that_only_one_book_prices_apart_is_shown_with_what_the_other_would_charge(
    ours: PriceBook, tmp_path: Path
) -> None:
    theirs = other(tmp_path, "prices:\n  - {provider: acme, model: chat, input: 2, output: 8}\n")
    assert shown(difference(ours, theirs, at=JUNE)) == [
        ("chat", "standard", None, "cache_read", Decimal("0.5"), 2, 4),
        ("chat", "standard", None, "cache_write_1h", 4, 2, Decimal("0.5")),
    ]


def test_a_tier_that_only_one_book_has(ours: PriceBook, tmp_path: Path) -> None:
    theirs = other(
        tmp_path,
        """
prices:
  - provider: acme
    model: chat
    input: 2
    output: 8
    cache_read: 0.5
    cache_write_1h: 4
    tiers:
      - {above: 200000, input: 4}
""",
    )
    assert shown(difference(ours, theirs, at=JUNE)) == [
        ("chat", "standard", 200_000, "input", 2, 4, 2),
    ]


def test_all_shows_what_one_book_alone_has(ours: PriceBook, tmp_path: Path) -> None:
    theirs = other(
        tmp_path,
        """
prices:
  - {provider: acme, model: chat, input: 2, output: 8, cache_read: 0.5, cache_write_1h: 4}
  - {provider: acme, model: only-theirs, input: 3, units: {web_search_requests: 0.01}}
  - {provider: acme, model: local-*, input: 7}
multipliers:
  - {multiplier: 0.5}
""",
    )
    report = difference(ours, theirs, provider="acme", at=JUNE, every=True)
    assert shown(report) == [
        ("chat", "batch", None, "input", 1, None, None),
        ("chat", "batch", None, "output", 4, None, None),
        ("only-theirs", "standard", None, "input", None, 3, None),
        ("only-theirs", "standard", None, "web_search_requests", None, Decimal("0.01"), None),
        ("only-ours", "standard", None, "input", 1, None, None),
    ]
    assert "Only the other book knows 1 models, only ours 1." in report.notes
    assert "Not compared of the other book: a name that stands for several (1); a multiplier (1)." in (
        report.notes
    )


def test_prices_of_one_time_are_compared(ours: PriceBook, tmp_path: Path) -> None:
    theirs = other(
        tmp_path,
        """
prices:
  - {provider: acme, model: only-ours, to: 2026-06-01, input: 1}
  - {provider: acme, model: only-ours, from: 2026-06-01, input: 5}
""",
    )
    assert shown(difference(ours, theirs, at=datetime(2026, 5, 31))) == []
    assert shown(difference(ours, theirs, at=JUNE)) == [("only-ours", "standard", None, "input", 1, 5, 5)]


def test_litellm_beside_the_catalogue() -> None:
    report = difference(PriceBook(), read(LITELLM), provider="anthropic", at=datetime(2026, 11, 1))
    # Haiku 5.5 is the same in both to the last digit, in all tiers and in batches, but for a batch's writes
    # for an hour, which LiteLLM does not state.
    assert report.rows == []
    assert "Both know 1 models" in report.notes[0]
    # And OpenAI's gpt-4o by Azure, for which ours has the maker's prices.
    report = difference(PriceBook(), read(LITELLM), provider="azure", at=datetime(2026, 11, 1))
    assert report.rows == []


def test_a_price_of_0_has_no_ratio(tmp_path: Path, ours: PriceBook) -> None:
    theirs = other(tmp_path, "prices:\n  - {provider: acme, model: only-ours, input: 0}\n")
    assert shown(difference(ours, theirs, at=JUNE)) == [("only-ours", "standard", None, "input", 1, 0, 0)]
    nothing = tmp_path / "nothing.yaml"
    nothing.write_text("prices:\n  - {provider: acme, model: only-ours, input: 0}\n")
    dear = other(tmp_path, "prices:\n  - {provider: acme, model: only-ours, input: 1}\n")
    assert shown(difference(PriceBook.load(nothing), dear, at=JUNE)) == [
        ("only-ours", "standard", None, "input", 0, 1, None)
    ]


def test_a_catalogue_is_the_same_as_itself() -> None:
    for path in (FILES, FILES / "index.json"):
        report = difference(PriceBook(), read(path), provider="anthropic", at=JUNE)
        assert report.rows == []
        assert "Only the other book knows" not in " ".join(report.notes)


def test_a_catalogue_that_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text('{"source": "x", "sha256": "0", "providers": {"acme": {}}}')
    with pytest.raises(DocumentError, match="not a whole catalogue"):
        read(tmp_path)
