"""Small ledgers of rows that a test states itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from by_hand import Call, fill

from costctl.ledger import Ledger


@pytest.fixture
def ledger_of(tmp_path: Path) -> Callable[..., Ledger]:
    """A new ledger with the calls given."""
    numbers = itertools.count()

    def made(*calls: Call) -> Ledger:
        ledger = Ledger(tmp_path / f"{next(numbers)}.duckdb")
        fill(ledger, calls)
        return ledger

    return made
