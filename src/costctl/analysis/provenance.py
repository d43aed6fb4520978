"""What an answer stands on: its period, filters, price books, and what it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace

from costctl.analysis.calls import Calls, Sums
from costctl.analysis.grain import doubt, doubtful, left_out, note
from costctl.ledger import Engine
from costctl.periods import Period
from costctl.report import Report, Span, Unpriced


def with_provenance(report: Report, calls: Calls, sums: Sums) -> Report:
    """``report``, an answer about ``calls`` whose sums are ``sums``, with what it stands on."""
    of = (calls.engine, calls.grain, *calls.asked)
    notes = (*report.notes, *map(note, left_out(*of)), *map(doubt, doubtful(*of)))
    if sums.buckets:
        are = "row is a bucket" if sums.buckets == 1 else "rows are buckets"
        notes = (
            *notes,
            f"{sums.buckets:,} {are} of a usage report, at the tier that it states, else the base one",
        )
    if sums.subscribed:
        are = "call under a subscription is" if sums.subscribed == 1 else "calls under a subscription are"
        notes = (*notes, f"{sums.subscribed:,} {are} counted at list price")
    return replace(
        stamped(report, calls.engine),
        period=span(calls.period),
        filters=tuple(map(str, calls.where)),
        calls=sums.requests + sums.uncounted,
        complete=not sums.unpriced_rows,
        unpriced=unpriced_of(calls, sums),
        notes=notes,
    )


def stamped(report: Report, engine: Engine, books: bool = True) -> Report:
    """``report`` with what is true of the whole ledger: rejected lines, the last change, and, for an answer
    about costs, the price ``books``."""
    meta: dict[str, str] = dict(
        engine.rows("SELECT key, value FROM meta WHERE key IN ('price_books', 'last_commit')")
    )
    ((rejected,),) = engine.rows("SELECT coalesce(sum(rejected), 0) FROM sources")
    return replace(
        report,
        rejected_lines=int(rejected),
        price_books=tuple(json.loads(meta.get("price_books") or "[]")) if books else (),
        as_of=meta.get("last_commit"),
    )


def span(period: Period) -> Span:
    """The period as a report has it."""
    start, end = period.isoformat()
    return Span(start, end, period.zone.key, period.label)


def unpriced_of(calls: Calls, sums: Sums) -> Unpriced:
    """Those of ``calls`` that have no price. Where a model has one, the reason is named too."""
    if not sums.unpriced_rows:
        return Unpriced()
    _, condition, parameters = calls.selection(())
    rows = calls.engine.rows(
        "SELECT DISTINCT model, price_id IS NULL AS whole, unpriced_reason FROM calls "  # noqa: S608
        f"WHERE {condition} AND cost_pico IS NULL",
        parameters,
    )
    names = {
        model if whole else f"{model} ({reason.removeprefix('no price for ')})"
        for model, whole, reason in rows
    }
    return Unpriced(sums.unpriced_calls, sums.unpriced_tokens, tuple(sorted(names)))
