from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costctl.sdk import CostTracker

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """The directory of the call log."""
    return tmp_path / "calls"


@pytest.fixture
def tracker(calls: Path, tmp_path: Path) -> CostTracker:
    return CostTracker(calls, ledger=tmp_path / "ledger.duckdb", prices=_shipped())


@pytest.fixture
def lines(calls: Path) -> Lines:
    """Reads what the call log holds."""

    def read() -> list[dict[str, Any]]:
        texts = [file.read_text("utf-8") for file in sorted(calls.glob("*"))]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    return read


def _shipped() -> Any:
    from costctl.pricing.book import PriceBook

    return PriceBook.load()
