"""costctl: exact LLM costs from the usage data you already have.

From Python, every command is one call of a room; what most programs need stands here, and is imported when it
is asked for:

    from costctl import Ledger, PriceBook, cost_summary, period, summary
    from costctl.ingest import ingest
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costctl.analysis.bill import bill
    from costctl.analysis.costs import cost_summary
    from costctl.analysis.summary import summary
    from costctl.ledger import Ledger
    from costctl.periods import Period, period
    from costctl.pricing.book import PriceBook
    from costctl.report import Report

__version__ = "0.1.0"

__all__ = ["Ledger", "Period", "PriceBook", "Report", "bill", "cost_summary", "period", "summary"]

_ROOMS = {
    "Ledger": "costctl.ledger",
    "Period": "costctl.periods",
    "PriceBook": "costctl.pricing.book",
    "Report": "costctl.report",
    "bill": "costctl.analysis",
    "cost_summary": "costctl.analysis",
    "period": "costctl.periods",
    "summary": "costctl.analysis",
}


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
