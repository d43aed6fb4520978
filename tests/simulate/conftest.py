"""Ledgers to simulate on: of rows that a test states itself, and TechCorp's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.analysis.by_hand import Call, fill

from costctl.ingest import ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.load(None)


@pytest.fixture
def ledger_of(tmp_path: Path) -> Callable[..., Ledger]:
    """A new ledger with the calls given."""
    numbers = itertools.count()

    def made(*calls: Call) -> Ledger:
        ledger = Ledger(tmp_path / f"{next(numbers)}.duckdb")
        fill(ledger, calls)
        return ledger

    return made


@pytest.fixture(scope="session")
def techcorp(tmp_path_factory: pytest.TempPathFactory, book: PriceBook) -> Ledger:
    """September to November 2024 of sample_data."""
    ledger = Ledger(tmp_path_factory.mktemp("techcorp") / "ledger.duckdb")
    ingest(ledger, [str(SAMPLE_DATA)], book=book)
    return ledger
