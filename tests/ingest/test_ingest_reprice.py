"""What a new price list would change is shown before it changes anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from usage_files import BOOK, CALL_COST, MODEL, Desk, call

from costctl.ingest import reprice
from costctl.ledger import LedgerMissing
from costctl.periods import Period
from costctl.pricing.book import PriceBook
from costctl.report import Report

BEFORE = 2 * CALL_COST
"""Two calls at the shipped price: 2 × 0.00045 USD."""

AFTER = 800_000_000
"""One of them at the dearer price below: 100 × 7.00 + 10 × 10.00 USD a million = 0.0008 USD."""


@pytest.fixture
def dearer(tmp_path: Path) -> PriceBook:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "prices:\n"
        f"  - {{model: {MODEL}, input: 7, output: 10}}\n"
        "  - {model: hal-9000, input: 5, output: 10}\n"
    )
    return PriceBook.load(path)


@pytest.fixture
def used(desk: Desk) -> Desk:
    """A call of October, one of November, and two of a model without a price."""
    desk.write(
        "log.jsonl",
        call(timestamp="2024-10-31T23:59:59Z"),
        call(timestamp="2024-11-01T00:00:00Z"),
        call(model="hal-9000"),
        call(model="hal-9000", requests=2, input_tokens=200, output_tokens=20),
    )
    desk.ingest()
    return desk


def costs(desk: Desk) -> list[tuple[str, int | None]]:
    return desk.rows("SELECT model, cost_pico FROM calls ORDER BY ts, input_tokens")


AS_INGESTED = [(MODEL, CALL_COST), (MODEL, CALL_COST), ("hal-9000", None), ("hal-9000", None)]


def told(report: Report, text: str) -> bool:
    return any(text in note for note in report.notes)


def test_what_would_change_is_shown_by_model_and_nothing_changes(used: Desk, dearer: PriceBook) -> None:
    ((commit,),) = used.rows("SELECT value FROM meta WHERE key = 'commit'")
    report = reprice(used.ledger, dearer)
    assert [column.name for column in report.columns] == [
        "provider",
        "model",
        "calls",
        "newly_priced",
        "cost_before",
        "cost_after",
        "difference",
    ]
    assert report.rows == [
        # 100 × 5 + 10 × 10 USD a million = 0.0006 USD, and twice that for the line of two calls.
        (None, "hal-9000", 3, 3, 0, 1_800_000_000, 1_800_000_000),
        (None, MODEL, 2, 0, BEFORE, 2 * AFTER, 700_000_000),
    ]
    assert report.totals == (None, None, 5, 3, BEFORE, 3_400_000_000, 2_500_000_000)
    assert report.figures == {
        "calls_repriced": 5,
        "cost_before": BEFORE,
        "cost_after": 3_400_000_000,
        "unpriced_calls": 0,
    }
    assert told(report, "nothing is changed yet: `costctl reprice --apply`")
    assert report.price_books == dearer.identifiers
    assert costs(used) == AS_INGESTED
    assert used.rows("SELECT value FROM meta WHERE key = 'commit'") == [(commit,)]
    assert used.rows("SELECT count(*) FROM prices WHERE source LIKE 'prices.yaml%'") == [(0,)]


def test_what_is_applied_is_what_was_shown(used: Desk, dearer: PriceBook) -> None:
    shown = reprice(used.ledger, dearer)
    applied = reprice(used.ledger, dearer, apply=True)
    assert (applied.rows, applied.figures) == (shown.rows, shown.figures)
    assert told(applied, "applied")
    assert costs(used) == [
        (MODEL, AFTER),
        (MODEL, AFTER),
        ("hal-9000", 600_000_000),
        ("hal-9000", 1_200_000_000),
    ]
    again = reprice(used.ledger, dearer)
    assert (again.rows, again.figures["calls_repriced"]) == ([], 0)
    assert told(again, "nothing is to be changed")


def test_of_a_period_only(used: Desk, dearer: PriceBook) -> None:
    zone = ZoneInfo("UTC")
    november = Period(datetime(2024, 11, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC), zone, "2024-11")
    report = reprice(used.ledger, dearer, period=november, apply=True)
    assert report.period is not None
    assert report.period.label == "2024-11"
    assert [(row[1], row[2]) for row in report.rows] == [("hal-9000", 3), (MODEL, 1)]
    # The figures are of the period: the call of October is in neither.
    assert (report.figures["cost_before"], report.figures["cost_after"]) == (CALL_COST, 2_600_000_000)
    assert costs(used)[:2] == [(MODEL, CALL_COST), (MODEL, AFTER)]


def test_unpriced_moves_no_price_that_is_there(used: Desk, dearer: PriceBook) -> None:
    report = reprice(used.ledger, dearer, unpriced=True, apply=True)
    assert [row[1] for row in report.rows] == ["hal-9000"]
    assert (report.figures["cost_before"], report.figures["cost_after"]) == (BEFORE, BEFORE + 1_800_000_000)
    assert costs(used)[:2] == [(MODEL, CALL_COST), (MODEL, CALL_COST)]


def test_a_price_that_no_book_has_any_more_stays(used: Desk, dearer: PriceBook) -> None:
    reprice(used.ledger, dearer, apply=True)
    report = reprice(used.ledger, BOOK)
    assert [row[1] for row in report.rows] == [MODEL]
    assert told(report, "3 calls keep their price, for which the price books have none now")
    reprice(used.ledger, BOOK, apply=True)
    assert costs(used)[2:] == [("hal-9000", 600_000_000), ("hal-9000", 1_200_000_000)]


def test_calls_that_stay_without_a_price_are_told(used: Desk) -> None:
    report = reprice(used.ledger, BOOK)
    assert (report.rows, report.complete) == ([], False)
    # Three calls: 2 lines, of 100 + 10 and 200 + 20 tokens.
    assert (report.unpriced.calls, report.unpriced.tokens, report.unpriced.models) == (3, 330, ("hal-9000",))
    assert report.figures["unpriced_calls"] == 3


def test_a_price_of_another_kind_at_the_same_cost_is_told_but_is_no_difference(
    used: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "same.yaml"
    path.write_text(
        f"prices:\n  - {{model: {MODEL}, input: 3, output: 15, cache_read: 0.5, from: 2024-01-01}}\n"
    )
    report = reprice(used.ledger, PriceBook.load(path), apply=True)
    assert report.rows == []
    assert told(report, "2 calls keep their cost, under another price row")
    assert costs(used) == AS_INGESTED
    ((source,),) = used.rows("SELECT DISTINCT p.source FROM calls JOIN prices AS p USING (price_id)")
    assert source == "same.yaml:2"


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for apply in (False, True):
        with pytest.raises(LedgerMissing):
            reprice(desk.ledger, BOOK, apply=apply)
    assert not desk.ledger.path.exists()
