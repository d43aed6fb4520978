"""What the ledger knows of an ingested file, and what has become of the file since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from costctl.ledger.sources import COLUMNS, Source, compared, edges, load

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Change", "Given", "Source", "change", "described", "edges", "load", "renamed", "save"]

Change = Literal["new", "unchanged", "grown", "changed"]


@dataclass(frozen=True, slots=True)
class Given:
    """The flags of an ingest: they fill what a file does not say. ``format`` overrides recognition."""

    format: str = ""
    team: str = ""
    project: str = ""
    user: str = ""
    agent: str = ""
    billing: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    time: str = ""
    zone: str = ""

    def to_json(self) -> str:
        """Only what was given, keys sorted: equal flags are equal texts."""
        return json.dumps({key: value for key, value in asdict(self).items() if value}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Given:
        return cls(**json.loads(text))


def save(connection: DuckDBPyConnection, source: Source) -> None:
    """Write ``source`` in place of the row of its id."""
    connection.execute("DELETE FROM sources WHERE source_id = ?", [source.source_id])
    connection.execute(
        f"INSERT INTO sources ({COLUMNS}, ingested_at) "  # noqa: S608
        f"VALUES ({', '.join('?' * 12)}, make_timestamp(epoch_us(now())))",
        list(asdict(source).values()),
    )


def change(path: Path, known: Source | None, given: Given, full: bool) -> Change:
    """What has become of the file at ``path`` since ``known`` was written (:func:`compared`)."""
    if known is None:
        return "new"
    if full or known.given != given.to_json():
        return "changed"
    return compared(path, known)


def described(path: Path, source_id: int, format: str, given: Given, read_to: int, rejected: int) -> Source:
    """The source that a file is now, having been read up to ``read_to``."""
    status = path.stat()
    head, tail = edges(path, read_to)
    return Source(
        source_id,
        str(path),
        format,
        given.to_json(),
        status.st_size,
        status.st_mtime_ns,
        status.st_dev,
        status.st_ino,
        read_to,
        head,
        tail,
        rejected,
    )


def renamed(source: Source, path: str) -> Source:
    """The same source under another path."""
    return replace(source, path=path)
