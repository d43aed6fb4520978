"""What the ledger knows of an ingested file, and what has become of the file since."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from costctl.ledger import Engine

EDGE = 4096
"""Bytes at a file's head, and before the end of what was read, that tell whether it only grew."""

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


@dataclass(frozen=True, slots=True)
class Source:
    """A row of the table ``sources``; sizes in bytes, times in nanoseconds since 1970."""

    source_id: int
    path: str
    format: str
    given: str
    size: int
    mtime_ns: int
    device: int
    inode: int
    read_to: int
    head: str
    tail: str
    rejected: int


_COLUMNS = "source_id, path, format, given, size, mtime_ns, device, inode, read_to, head, tail, rejected"


def load(engine: Engine) -> dict[str, Source]:
    """Every source by its path."""
    return {row[1]: Source(*row) for row in engine.rows(f"SELECT {_COLUMNS} FROM sources")}  # noqa: S608


def save(connection: DuckDBPyConnection, source: Source) -> None:
    """Write ``source`` in place of the row of its id."""
    connection.execute("DELETE FROM sources WHERE source_id = ?", [source.source_id])
    connection.execute(
        f"INSERT INTO sources ({_COLUMNS}, ingested_at) "  # noqa: S608
        f"VALUES ({', '.join('?' * 12)}, make_timestamp(epoch_us(now())))",
        list(asdict(source).values()),
    )


def change(path: Path, known: Source | None, given: Given, full: bool) -> Change:
    """What has become of the file at ``path`` since ``known`` was written.

    ``grown``: nothing but appended to, as far as its first 4 kB and the 4 kB before the old end tell.
    """
    if known is None:
        return "new"
    status = path.stat()
    if full or known.given != given.to_json():
        return "changed"
    same = (known.size, known.mtime_ns, known.device, known.inode)
    if same == (status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino):
        return "unchanged"
    if status.st_size > known.read_to > 0 and edges(path, known.read_to) == (known.head, known.tail):
        return "grown"
    return "changed"


def edges(path: Path, read_to: int) -> tuple[str, str]:
    """Hashes of the first 4 kB of a file, and of the 4 kB before ``read_to``, within its first ``read_to``."""
    with open(path, "rb") as file:
        head = file.read(min(EDGE, read_to))
        file.seek(max(0, read_to - EDGE))
        tail = file.read(min(EDGE, read_to))
    return _hash(head), _hash(tail)


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def described(path: Path, source_id: int, format: str, given: Given, read_to: int, rejected: int) -> Source:
    """The source that a file is now, having been read up to ``read_to``."""
    status = os.stat(path)
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
