"""Ledgers in a directory of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ledger.processes import Said


@pytest.fixture
def ledger(tmp_path: Path) -> Said:
    """A new ledger with three rejects; what it says is kept in ``said``."""
    made = Said(tmp_path / "ledger.duckdb")
    with made.writing() as connection:
        connection.execute("INSERT INTO rejects SELECT 1, range, 'not JSON', NULL FROM range(1, 4)")
    return made
