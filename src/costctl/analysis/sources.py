"""The ingested files, and whether the ledger has all that is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from costctl.analysis.provenance import stamped
from costctl.ledger.sources import Source, compared, load
from costctl.periods.zones import instant_at
from costctl.report import Cell, Column, Report

if TYPE_CHECKING:
    from costctl.ledger import Ledger

_COLUMNS = (
    Column("source", "text"),
    Column("format", "text"),
    Column("rows", "count"),
    Column("rejected", "count"),
    Column("first_ts", "time", title="first call", wide=True),
    Column("last_ts", "time", title="last call", wide=True),
    Column("read_to", "count", "bytes", wide=True),
    Column("state", "text"),
    Column("waiting", "count", "bytes"),
)


def sources(ledger: Ledger, *, zone: ZoneInfo | None = None) -> Report:
    """Every ingested file, by its path; times in ``zone`` (UTC).

    ``state`` is the file's, now: ``current``; ``grown``, only appended to; ``changed`` otherwise; ``gone``;
    ``unreadable``; of standard input ``stream``; of another ledger ``merged``. ``waiting``: bytes at its end
    that the next ingest will read, or that wait for the end of their line; None where that is not known.
    Raises :class:`costctl.ledger.LedgerError`.
    """
    zone = zone or ZoneInfo("UTC")
    with ledger.reading() as engine:
        known = load(engine)
        report = stamped(Report("sources", "Sources", _COLUMNS, []), engine, books=False)
    # Only now, with the ledger closed, is a file looked at.
    for path in sorted(known):
        report.rows.append(_row(known[path], zone))
    return report


def _row(source: Source, zone: ZoneInfo) -> tuple[Cell, ...]:
    state, waiting = _state(source)
    first, last = _time(source.first_us, zone), _time(source.last_us, zone)
    return (
        source.path,
        source.format,
        source.rows,
        source.rejected,
        first,
        last,
        source.read_to,
        state,
        waiting,
    )


def _state(source: Source) -> tuple[str, int | None]:
    if source.is_stream:
        return "stream", None
    if source.is_merged:
        return "merged", None
    path = Path(source.path)
    try:
        found = compared(path, source)
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return "gone", None
    except OSError:
        return "unreadable", None
    if found == "changed":
        return found, None
    return ("current" if found == "unchanged" else found), size - source.read_to


def _time(microseconds: int | None, zone: ZoneInfo) -> str | None:
    return None if microseconds is None else instant_at(microseconds).astimezone(zone).isoformat()
