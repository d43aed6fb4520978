"""Usage files as tests write them, and the ledger that they are read into."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from costctl.ingest import Given, Input, ingest
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook

MODEL = "claude-3-5-sonnet-20241022"
"""3 USD a million input tokens, 15 USD a million output tokens."""

CALL_COST = 450_000_000
"""Of :func:`call` as it is, in pico-dollars: 100 × 3 000 000 + 10 × 15 000 000."""

BOOK = PriceBook()


def call(**said: Any) -> str:
    """A line of the call log without an id; ``said`` adds fields, or takes away those that are ``...``."""
    fields: dict[str, Any] = {
        "timestamp": "2024-11-05T10:00:00Z",
        "model": MODEL,
        "input_tokens": 100,
        "output_tokens": 10,
        **said,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not ...})


def turn(id: str, output: int, *, at: str = "10:00:00", session: str = "s1", **said: Any) -> str:
    """An assistant line of a Claude Code transcript: message ``id`` with ``output`` tokens so far."""
    return json.dumps(
        {
            "type": "assistant",
            "uuid": f"{id}-{output}-{session}",
            "sessionId": session,
            "timestamp": f"2024-11-05T{at}.000Z",
            "message": {
                "id": f"msg_{id}",
                "type": "message",
                "model": MODEL,
                "usage": {"input_tokens": 100, "output_tokens": output},
            },
            **said,
        }
    )


def text(*lines: str) -> bytes:
    """Lines with their ends."""
    return "".join(line + "\n" for line in lines).encode()


def packed(name: str, data: bytes) -> bytes:
    """``data`` as a file of that name holds it."""
    if name.endswith(".gz"):
        return gzip.compress(data, mtime=0)
    if name.endswith(".zst"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return bytes(sink.getvalue())
    return data


@dataclass(frozen=True)
class Done:
    """What an ingest says: its figures by name, its notes."""

    figures: dict[str, Any]
    notes: tuple[str, ...]
    failed: bool
    attention: bool

    def __getitem__(self, name: str) -> Any:
        return self.figures[name]

    def told(self, part: str) -> list[str]:
        """The notes that hold ``part``."""
        return [note for note in self.notes if part in note]


class Desk:
    """A directory of files and a ledger beside it."""

    def __init__(self, home: Path) -> None:
        self.files = home / "files"
        self.files.mkdir(parents=True)
        self.ledger = Ledger(home / "ledger" / "ledger.duckdb")

    def write(self, name: str, *lines: str | bytes, end: str = "\n") -> Path:
        """A file of ``lines``; ``end`` follows the last one. Packed as its name says."""
        raw = [line.encode() if isinstance(line, str) else line for line in lines]
        return self.write_bytes(name, packed(name, b"\n".join(raw) + end.encode() if raw else b""))

    def write_bytes(self, name: str, data: bytes) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def append(self, name: str, data: str | bytes) -> None:
        with open(self.files / name, "ab") as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def ingest(self, *paths: str | Path | Input, book: PriceBook = BOOK, **options: Any) -> Done:
        """Ingest paths, relative to :attr:`files`; the whole directory if none is given."""
        inputs = [
            each if isinstance(each, Input) or each == "-" else str(self.files / each)
            for each in paths or (self.files,)
        ]
        done = ingest(self.ledger, inputs, book=book, **options)
        figures = dict(
            zip((column.name for column in done.outcome.columns), done.outcome.values, strict=True)
        )
        return Done(figures, done.outcome.notes, done.failed, done.attention)

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.ledger.reading() as engine:
            return engine.rows(sql, parameters)

    def calls(self, *columns: str) -> list[Any]:
        """Columns of all calls, in order of time and output; of one column its bare values."""
        rows = self.rows(f"SELECT {', '.join(columns)} FROM calls ORDER BY ts, output_tokens, call_key")  # noqa: S608
        return [row[0] for row in rows] if len(columns) == 1 else rows

    def outputs(self) -> list[int]:
        return sorted(self.calls("output_tokens"))

    def everything(self) -> list[tuple[Any, ...]]:
        """Every call with all that is kept of it, but the numbers of its source and price."""
        return self.rows(
            """SELECT * EXCLUDE (source_id, price_id) REPLACE (
                CAST(call_key AS VARCHAR) AS call_key, CAST(ts AS VARCHAR) AS ts,
                CAST(version_ts AS VARCHAR) AS version_ts, CAST(other_units AS VARCHAR) AS other_units
            ) FROM stored_calls ORDER BY call_key"""
        )

    def rejects(self) -> list[tuple[int, str]]:
        """Line and reason of every reject, by file and line."""
        return self.rows(
            "SELECT line, reason FROM rejects JOIN sources USING (source_id) ORDER BY path, line, reason"
        )

    def sources(self) -> list[str]:
        """The paths of all sources, relative to :attr:`files`."""
        paths = self.rows("SELECT path FROM sources ORDER BY path")
        return [path.removeprefix(f"{self.files}/") for (path,) in paths]


__all__ = ["BOOK", "CALL_COST", "MODEL", "Desk", "Done", "Given", "Input", "call", "packed", "text", "turn"]
