"""Bad lines: their numbers, their reasons and, if wanted, their text. Only a file with some is read again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from costctl.formats import UNREADABLE, Format
from costctl.ingest.lines import Reading, numbered
from costctl.ingest.relation import judged, set_zone, take_memory
from costctl.ingest.sources import Given

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_AT_ONCE = 10_000

Reject = tuple[int, str, bytes]
"""Line number from 1, reason, raw line."""


def rejects(
    connection: DuckDBPyConnection,
    format: Format,
    source_id: int,
    reading: Reading,
    given: Given,
    bad_rows: bool,
) -> Iterator[Reject]:
    """Every bad line of a file, in no particular order. ``bad_rows``: reading it gave rows with a reason."""
    yield from reading.faults
    if not bad_rows:
        return
    set_zone(connection, given)
    take_memory(connection)
    relation = judged(format, [(source_id, reading)], given, numbered=True)
    rows = connection.execute(
        f"SELECT line, reason FROM (\n{relation.sql}\n) WHERE reason IS NOT NULL ORDER BY line",
        dict(relation.parameters),
    ).fetchall()
    faulty = {number for number, _, _ in reading.faults}
    if reading.shape != "jsonl":
        yield from ((line, reason, b"") for line, reason in rows)
        return
    wanted = iter(rows)
    ordinal, reason = next(wanted, (0, ""))
    for count, (number, raw) in enumerate(numbered(reading), start=1):
        while count == ordinal:
            # A record of a CSV file is an object by our own hand.
            why = reason if reading.numbers is not None else why_unreadable(raw) or reason
            # An object without any of the format's names is no call.
            if number not in faulty and why != UNREADABLE:
                yield number, why, raw.rstrip(b"\r\n")
            ordinal, reason = next(wanted, (0, ""))


def why_unreadable(raw: bytes) -> str:
    """What keeps a line from being a JSON object at all; "" if it is one."""
    if b"\0" in raw:
        return "holds a NUL byte"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    text = text.strip(" \t\r\n")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        cut = any(word.startswith(rest) for word in ("true", "false", "null", "-"))
        return "truncated" if cut or "Unterminated" in error.msg else "not JSON"
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(value, dict):
        return "not an object"
    if b"\\u" in raw:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair"
    return ""


def save(
    connection: DuckDBPyConnection, source_id: int, found: Iterator[Reject], keep_raw: bool
) -> Counter[str]:
    """Write the rejects of a source; how many there were of each reason."""
    reasons: Counter[str] = Counter()
    batch: list[Reject] = []

    def flush() -> None:
        connection.execute(
            """INSERT INTO rejects
            SELECT CAST($source AS INTEGER), unnest(CAST($lines AS BIGINT[])),
                unnest(CAST($reasons AS VARCHAR[])), unnest(CAST($raw AS VARCHAR[]))""",
            {
                "source": source_id,
                "lines": [line for line, _, _ in batch],
                "reasons": [reason for _, reason, _ in batch],
                "raw": [_text(raw) if keep_raw else None for _, _, raw in batch],
            },
        )
        batch.clear()

    for reject in found:
        batch.append(reject)
        reasons[reject[1]] += 1
        if len(batch) == _AT_ONCE:
            flush()
    if batch:
        flush()
    return reasons


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")
