"""Prices that need attention: calls without one, those that cannot be meant, and costs that sources deny."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from costctl.analysis import price_check
from costctl.ingest import ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.report import Report

NOW = datetime(2026, 12, 1, tzinfo=UTC)
HAIKU = "claude-haiku-3-20250307"
"""0.25 USD per million tokens of input and 1.25 of output."""

Used = Callable[..., Ledger]


@pytest.fixture
def used(tmp_path: Path) -> Used:
    """A ledger with these calls, each of 1,000,000 tokens in and 400,000 out."""

    def made(*calls: dict[str, Any], prices: str = "") -> Ledger:
        ledger = Ledger(tmp_path / "ledger.duckdb")
        log = tmp_path / "log.jsonl"
        call = {
            "timestamp": "2024-10-05T12:00:00Z",
            "model": HAIKU,
            "input_tokens": 1_000_000,
            "output_tokens": 400_000,
        }
        log.write_text("".join(json.dumps(call | said) + "\n" for said in calls))
        ingest(ledger, [str(log)], book=book(tmp_path, prices))
        return ledger

    return made


def book(directory: Path, prices: str = "") -> PriceBook:
    path = directory / "prices.yaml"
    path.write_text(prices)
    return PriceBook.load(path if prices else None)


def findings(report: Report) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in report.rows]


def test_nothing_needs_attention(used: Used, tmp_path: Path) -> None:
    report = price_check(used({}), book(tmp_path), now=NOW)
    assert (report.rows, report.complete, report.notes) == ([], True, ())


def test_calls_without_a_price(used: Used, tmp_path: Path) -> None:
    report = price_check(used({}, {"model": "hal", "provider": "acme"}), book(tmp_path), now=NOW)
    assert findings(report) == [
        ("acme", "hal", "no price", "no price for model acme/hal", None, 1, 1_400_000),
    ]
    assert (report.complete, report.unpriced.models) == (False, ("hal",))


OFF_BY_A_THOUSAND = f"prices:\n  - {{model: {HAIKU}, input: 250, output: 1250}}\n"
"""Of the catalogue's 0.25 and 1.25."""


def test_a_price_that_calls_have(used: Used, tmp_path: Path) -> None:
    ledger = used({}, {"id": "b"}, prices=OFF_BY_A_THOUSAND)
    # It counts once, whether the file still says so or not.
    for prices in (book(tmp_path), book(tmp_path, OFF_BY_A_THOUSAND)):
        report = price_check(ledger, prices, now=NOW)
        assert findings(report) == [
            (
                None,
                HAIKU,
                "price",
                "input 250.00; the catalogue has 0.25",
                "prices.yaml:2",
                2,
                2_800_000,
            ),
            (
                None,
                HAIKU,
                "price",
                "output 1250.00; the catalogue has 1.25",
                "prices.yaml:2",
                2,
                2_800_000,
            ),
        ]
        assert report.complete


def test_the_books_are_those_that_were_looked_at(used: Used, tmp_path: Path) -> None:
    """Not those that priced the calls."""
    ledger = used({})
    now = book(tmp_path, f"prices:\n  - {{ model: {HAIKU}, input: 1, output: 4 }}\n")
    books = price_check(ledger, now, now=NOW).price_books
    assert [each.partition(" ")[0] for each in books] == ["prices.yaml", "genai-prices"]


def test_a_price_that_calls_will_have(used: Used, tmp_path: Path) -> None:
    swapped = book(tmp_path, "prices:\n  - {provider: acme, model: chat, input: 15, output: 3}\n")
    assert findings(price_check(used({}), swapped, now=NOW)) == [
        ("acme", "chat", "price", "output 3.00 beside input 15.00", "prices.yaml:2", 0, 0)
    ]


def test_an_answer_that_costs_nothing(used: Used, tmp_path: Path) -> None:
    said = "prices:\n  - {model: chat, input: 1, output: 0}\n  - {model: local, input: 0, output: 0}\n"
    ledger = used(
        {"model": "chat"},
        {"model": "local"},  # all of it free: that is meant
        {"model": "chat", "id": "e", "output_tokens": 0},
        prices=said,
    )
    assert findings(price_check(ledger, book(tmp_path, said), now=NOW)) == [
        (
            None,
            "chat",
            "price",
            "output 0 for 400,000 tokens",
            "prices.yaml:2",
            2,
            2_400_000,
        )
    ]


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        # Ours is 0.25 + 0.50 = 0.75 USD.
        ("0.75", None),
        ("1.49", None),
        ("1.50", "ours $0.75, stated $1.50"),
        ("0.376", None),
        ("0.375", "ours $0.75, stated $0.38"),
        # 0 is what a source says that does not know.
        ("0", None),
    ],
)
def test_a_cost_that_the_source_denies(used: Used, tmp_path: Path, stated: str, found: str | None) -> None:
    report = price_check(used({"total_cost": stated}), book(tmp_path), now=NOW)
    assert findings(report) == (
        [(None, HAIKU, "reported cost", found, None, 1, 1_400_000)] if found is not None else []
    )


def test_what_is_not_paid_at_such_a_price_is_not_compared(used: Used, tmp_path: Path) -> None:
    ledger = used(*({"total_cost": "9", "billing": how, "id": how} for how in ("subscription", "byok")))
    assert price_check(ledger, book(tmp_path), now=NOW).rows == []


def test_sums_of_less_than_a_cent_are_not_compared(used: Used, tmp_path: Path) -> None:
    tiny = {"input_tokens": 10, "output_tokens": 1, "total_cost": "0.001"}
    assert price_check(used(tiny), book(tmp_path), now=NOW).rows == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        # The catalogue is of 2026-11-09; 90 days later is 2027-02-07.
        (datetime(2027, 2, 7, 23, 59, tzinfo=UTC), False),
        (datetime(2027, 2, 8, tzinfo=UTC), True),
    ],
)
def test_an_old_catalogue_is_told(used: Used, tmp_path: Path, now: datetime, told: bool) -> None:
    report = price_check(used({}), book(tmp_path), now=now)
    assert report.rows == []
    assert report.notes == (
        ("the shipped catalogue is of 2026-11-09, 91 days old: a newer costctl has newer prices",)
        if told
        else ()
    )
