"""What the ledger could not take in whole: rejected lines, and calls without a price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from costctl.analysis.provenance import stamped
from costctl.ledger.sources import load, named
from costctl.records import PRICED_TOKENS
from costctl.report import Column, Report, Unpriced

if TYPE_CHECKING:
    from costctl.ledger import Engine, Ledger

_REASONS_NAMED = 10


def rejects(ledger: Ledger, *, sources: Iterable[str] = ()) -> Report:
    """The rejected lines with their reasons; of the files ``sources``, as people name them, or of all. Those
    of the last ingested file come first, in the order of their lines.

    ``raw`` is the line itself, where the ingest was told to keep it. The notes count them by reason. Raises
    :class:`costctl.ledger.LedgerError`, also for a file that is not in the ledger.
    """
    names = list(sources)
    with ledger.reading() as engine:
        known = load(engine) if names else {}
        paths = [named(name, known).path for name in names]
        among = f"s.path IN ({', '.join('?' * len(paths))})" if paths else "true"
        # S608: only a number of question marks is put in.
        rows = engine.rows(
            "SELECT s.path, r.line, r.reason, r.raw FROM rejects AS r "  # noqa: S608
            f"JOIN sources AS s ON s.source_id = r.source_id WHERE {among} "
            "ORDER BY epoch_us(s.ingested_at) DESC, s.path, r.line, r.reason, r.raw",
            paths,
        )
        columns = (
            Column("source", "text"),
            Column("line", "count"),
            Column("reason", "text"),
            Column("raw", "text", wide=not any(row[3] for row in rows)),
        )
        report = Report("rejects", "Rejected lines", columns, rows, notes=_by_reason(rows))
        return replace(stamped(report, engine, books=False), rejected_lines=len(rows))


def _by_reason(rows: list[tuple[str, int, str, str | None]]) -> tuple[str, ...]:
    reasons = Counter(row[2] for row in rows)
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    notes = [f"{count:,} × {reason}" for reason, count in ranked[:_REASONS_NAMED]]
    if rest := ranked[_REASONS_NAMED:]:
        notes.append(f"{sum(count for _, count in rest):,} for {len(rest):,} more reasons")
    return tuple(notes)


def unpriced(ledger: Ledger) -> Report:
    """The calls without a price, by provider, model and reason; most tokens first. Without rows all calls
    have one. A row that does not say how many calls it stands for is counted as one.

    Raises :class:`costctl.ledger.LedgerError`.
    """
    with ledger.reading() as engine:
        rows = unpriced_rows(engine)
        columns = (
            Column("provider", "text"),
            Column("model", "text"),
            Column("reason", "text"),
            Column("calls", "count"),
            Column("tokens", "tokens"),
        )
        calls, used = sum(row[3] for row in rows), sum(row[4] for row in rows)
        report = Report(
            "prices check", "Calls without a price", columns, list(rows), (None, None, None, calls, used)
        )
        models = tuple(sorted({row[1] for row in rows}))
        return replace(stamped(report, engine), complete=not rows, unpriced=Unpriced(calls, used, models))


def unpriced_rows(engine: Engine) -> list[tuple[str | None, str, str, int, int]]:
    """Provider, model, reason, calls and tokens of the calls without a price, in the order of the report."""
    tokens = " + ".join(f"coalesce({column}, 0)" for column in PRICED_TOKENS)
    found = engine.rows(
        "SELECT provider, model, unpriced_reason, sum(coalesce(requests, 1)), "  # noqa: S608
        f"sum({tokens}) FROM calls WHERE cost_pico IS NULL GROUP BY ALL"
    )
    rows = [
        (provider, model, reason, int(calls), int(used)) for provider, model, reason, calls, used in found
    ]
    return sorted(rows, key=lambda row: (-row[4], row[1], row[0] or "", row[2]))
