"""Ledgers of calls and charges stated by hand, and what a comparison of the two says."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from by_hand import ALWAYS, fill

from costctl.analysis import reconcile
from costctl.analysis.causes import CAUSES
from costctl.ledger import Ledger
from costctl.money import to_pico, usd
from costctl.pricing.book import PriceBook
from costctl.report import Report

BOOK = PriceBook()

SONNET = "claude-sonnet-4-5"
IN, OUT, SEARCH = 3_000_000, 15_000_000, 10**10
"""Pico-dollars of a token in (3 USD a million), out (15 USD a million) and of a web search (10 USD a
thousand), in standard mode; batch is half of it, searches apart."""

FORMATS = {
    1: "claude-code",
    2: "litellm",
    3: "anthropic-usage",
    11: "anthropic-cost",
    12: "anthropic-console-cost",
    13: "openai-costs",
}
"""Formats of the files by their ids."""

_PRICES = [
    (1, "standard", IN, IN // 10, IN * 5 // 4, IN * 2, OUT, OUT),
    (2, "batch", IN // 2, IN // 20, IN * 5 // 8, IN, OUT // 2, OUT // 2),
]


def call(day: int, tokens_in: int = 0, tokens_out: int = 0, **more: Any) -> dict[str, Any]:
    """A call of October 2026 at noon, at the prices above."""
    mode = more.get("mode", "standard")
    part = 2 if mode == "batch" else 1
    searches = (more.get("other_units") or {}).get("web_search_requests", 0)
    return {
        "ts": f"2026-10-{day:02} 12:00:00",
        "model": SONNET,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "cost_pico": (tokens_in * IN + tokens_out * OUT) // part + searches * SEARCH,
        "price_id": 2 if mode == "batch" else 1,
        **more,
    }


def bucket(day: int, tokens_in: int = 0, tokens_out: int = 0, **more: Any) -> dict[str, Any]:
    """A day of the provider's own report of usage."""
    of_report = {"ts": f"2026-10-{day:02} 00:00:00", "grain": "bucket", "requests": None, "source_id": 3}
    return {**call(day, tokens_in, tokens_out, **more), **of_report}


def charge(day: int, amount: str, **more: Any) -> dict[str, Any]:
    """A line of a bill for a day of October 2026, in USD."""
    return {
        "period_start": f"2026-10-{day:02} 00:00:00",
        "period_end": f"2026-10-{day + 1:02} 00:00:00",
        "provider": "anthropic",
        "model": SONNET,
        "amount_pico": to_pico(amount),
        "currency": "USD",
        "kind": "usage",
        "source_id": 11,
        **more,
    }


def held(path: Path, calls: Iterable[Mapping[str, Any]], charges: Iterable[Mapping[str, Any]]) -> Ledger:
    """A new ledger in ``path`` with these rows."""
    ledger = Ledger(path / f"{next(_NUMBERS)}.duckdb")
    with ledger.writing() as connection:
        connection.executemany(
            "INSERT INTO sources (source_id, path, format, rejected) VALUES (?, ?, ?, 0)",
            [[number, f"/{number}", format] for number, format in FORMATS.items()],
        )
        connection.executemany(
            "INSERT INTO prices (price_id, provider, model, mode, input_pico, cache_read_pico, "
            "cache_write_5m_pico, cache_write_1h_pico, output_pico, reasoning_pico, request_pico, "
            "other_units_pico) SELECT $1, 'anthropic', $2, $3, $4, $5, $6, $7, $8, $9, 0, "
            "MAP {'web_search_requests': $10}",
            [[number, SONNET, *rest, SEARCH] for number, *rest in _PRICES],
        )
    put(ledger, calls, charges)
    return ledger


def put(ledger: Ledger, calls: Iterable[Mapping[str, Any]], charges: Iterable[Mapping[str, Any]]) -> None:
    """Put these rows in the place of those in ``ledger``."""
    fill(ledger, calls)
    with ledger.writing() as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM charges")
        for each in charges:
            row = {"charge_key": UUID(int=next(_NUMBERS)), **each}
            connection.execute(
                f"INSERT INTO charges ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
                list(row.values()),
            )
        connection.execute("COMMIT")


_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Compared:
    """A comparison in dollars. ``causes``: those of all rows, without those of nothing."""

    report: Report

    @property
    def totals(self) -> dict[str, Any]:
        return self._named(self.report.totals or ())

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [self._named(row) for row in self.report.rows]

    @property
    def causes(self) -> dict[str, str]:
        return said(self.totals)

    @property
    def evidence(self) -> str:
        return " | ".join(row["evidence"] or "" for row in self.rows)

    def _named(self, row: Iterable[Any]) -> dict[str, Any]:
        return {
            column.name: usd(value) if column.kind == "money" else value
            for column, value in zip(self.report.columns, row, strict=True)
        }


def said(row: Mapping[str, Any]) -> dict[str, str]:
    """The causes of a row and their amounts."""
    return {cause: str(row[cause]) for cause in CAUSES if row[cause] != Decimal(0)}


def compared(
    path: Path,
    calls: Iterable[Mapping[str, Any]],
    charges: Iterable[Mapping[str, Any]],
    by: str = "day,model",
    **more: Any,
) -> Compared:
    return Compared(reconcile(held(path, calls, charges), by, book=BOOK, **{"period": ALWAYS, **more}))
