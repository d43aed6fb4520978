"""TechCorp's figures, out of the files of sample_data: what the book states, and nothing else.

``tests/test_sample_data.py`` recomputes the same figures from the files without costctl.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from by_hand import at

from costctl.analysis import bill, summary, unpriced
from costctl.ingest import ingest
from costctl.ledger import Ledger
from costctl.money import rounded
from costctl.pricing.book import PriceBook
from costctl.report import Report

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
USD = 10**12


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("techcorp") / "ledger.duckdb")
    ingest(ledger, [str(SAMPLE_DATA)], book=PriceBook.load(None))
    return ledger


def row(report: Report, label: str) -> dict[str, Any]:
    names = [column.name for column in report.columns]
    return next(dict(zip(names, cells, strict=True)) for cells in report.rows if cells[0] == label)


def test_octobers_bill(ledger: Ledger) -> None:
    report = bill(ledger, month="2024-10", zone=ZoneInfo("UTC"), budget=28_000)
    assert report.totals is not None
    assert report.totals[1] == 127_850 * USD
    # To the cent: no whole number of Opus tokens costs 89,450.
    cents = {str(cells[0]): rounded(int(cells[1])) for cells in report.rows}  # type: ignore[arg-type]
    assert cents == {OPUS: Decimal("89450.00"), SONNET: Decimal("32100.00"), HAIKU: Decimal("6300.00")}
    assert list(cents) == [OPUS, SONNET, HAIKU]
    shares = [Decimal(cells[2] or 0).quantize(Decimal("0.01")) for cells in report.rows]
    assert shares == [Decimal("0.70"), Decimal("0.25"), Decimal("0.05")]
    assert report.figures == {
        "month_before": 38_200 * USD,
        "growth": Decimal("2.346859"),  # 89,650 / 38,200: 234.7 %
        "annualised": 1_534_200 * USD,
        "budget": 28_000 * USD,
        "over_budget": 99_850 * USD,
        "overrun": Decimal("3.566071"),  # 356.6 %
    }
    assert report.complete
    assert unpriced(ledger).rows == []


def test_the_three_months(ledger: Ledger) -> None:
    report = summary(ledger, "month", period=at("Asia/Taipei"))
    assert [(cells[0], cells[1]) for cells in report.rows] == [
        ("2024-09", 38_200 * USD),
        ("2024-10", 127_850 * USD),
        ("2024-11", 42_300 * USD),
    ]
    october, november = row(report, "2024-10"), row(report, "2024-11")
    assert (october["cache_hit_rate"], november["cache_hit_rate"]) == (0, Decimal("0.78"))
    assert (october["mean_prompt_tokens"], november["mean_prompt_tokens"]) == (8500, 3200)
    assert (october["mean_latency_ms"], november["mean_latency_ms"]) == (1450, 980)


def test_novembers_mix_of_requests(ledger: Ledger) -> None:
    report = summary(ledger, "model", period=at(month="2024-11"), columns=["requests"])
    # 7, 48 and 45 % of 3,060,000.
    assert dict(report.rows) == {OPUS: 214_200, SONNET: 1_468_800, HAIKU: 1_377_000}


def test_every_grouping_adds_up_to_the_same(ledger: Ledger) -> None:
    for by in ("team", "project", "user", "agent", "tag:feature", "mode", "team,model", "week", "day,user"):
        report = summary(ledger, by, period=at(month="2024-10"), columns=["cost", "requests"])
        assert report.totals is not None
        assert report.totals[-2:] == (127_850 * USD, 3_600_000)
        assert sum(int(cells[-2] or 0) for cells in report.rows) == 127_850 * USD
