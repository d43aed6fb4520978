"""A desk with files on it, and a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from usage_files import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
