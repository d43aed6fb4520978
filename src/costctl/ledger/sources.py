"""What the ledger knows of each ingested file, and how the file compares with that now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from costctl.ledger.errors import LedgerError

if TYPE_CHECKING:
    from costctl.ledger.engine import Engine

EDGE = 4096
"""Bytes at a file's head, and before the end of what was read, that tell whether it only grew."""


STANDARD_INPUT = "stdin:"
"""How the path of a source begins that is no file (standard input, a pipe); a hash of its content follows."""


MERGED = -1
"""The device of a source that is what another ledger has of one format."""


def merged_path(ledger: str, format: str, written: str = "") -> str:
    """The path of the source that is what ``ledger`` has of one format; of reports, of those ``written`` at
    that time."""
    return f"{ledger}#{format}" + (f"@{written}" if written else "")


@dataclass(frozen=True, slots=True)
class Source:
    """A row of the table ``sources``; sizes in bytes, times in nanoseconds since 1970, except that
    ``first_us`` and ``last_us``, the span of the file's calls, are microseconds.

    ``rows`` counts the good lines that were read, ``equal_lines`` those among them that had no id and were
    the same as an earlier one.
    """

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
    rows: int = 0
    rejected: int = 0
    equal_lines: int = 0
    first_us: int | None = None
    last_us: int | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it was standard input or a pipe, which nobody can read again."""
        return self.path.startswith(STANDARD_INPUT)

    @property
    def is_merged(self) -> bool:
        """Whether it came from another ledger: its files are there, not here."""
        return self.device == MERGED


_COLUMNS = """source_id, path, format, given, size, mtime_ns, device, inode, read_to, head, tail, rows,
    rejected, equal_lines, epoch_us(first_ts), epoch_us(last_ts)"""


def load(engine: Engine) -> dict[str, Source]:
    """Every source by its path."""
    return {row[1]: Source(*row) for row in engine.rows(f"SELECT {_COLUMNS} FROM sources")}  # noqa: S608


def named(name: str, sources: Mapping[str, Source]) -> Source:
    """The source that people call ``name``: its path as it is listed, or any path of the same file. Raises
    :class:`LedgerError` where there is none."""
    path = name if name in sources else os.path.realpath(Path(name).expanduser())
    if path in sources:
        return sources[path]
    import difflib

    near = difflib.get_close_matches(path, sources, n=1)
    raise LedgerError(
        f"{name} is not in the ledger",
        hint=f"did you mean {near[0]}?" if near else "`costctl sources` lists what is",
    )


def compared(path: Path, known: Source) -> Literal["unchanged", "grown", "changed"]:
    """What has become of the file at ``path`` since ``known`` was written. Raises :class:`OSError`.

    ``grown``: nothing but appended to, as far as its first 4 kB and the 4 kB before the old end tell.
    """
    status = path.stat()
    same = (known.size, known.mtime_ns, known.device, known.inode)
    if same == (status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino):
        return "unchanged"
    if status.st_size > known.read_to > 0 and edges(path, known.read_to) == (known.head, known.tail):
        return "grown"
    return "changed"


def is_of(path: Path, source: Source) -> bool:
    """Whether the file at ``path`` begins with what was read of ``source``, as far as its edges tell."""
    try:
        is_long_enough = path.stat().st_size >= source.read_to
        return is_long_enough and edges(path, source.read_to) == (source.head, source.tail)
    except OSError:
        return False


def edges(path: Path, read_to: int) -> tuple[str, str]:
    """Hashes of the first and of the last 4 kB of a file's first ``read_to`` bytes."""
    with open(path, "rb") as file:
        head = file.read(min(EDGE, read_to))
        file.seek(max(0, read_to - EDGE))
        tail = file.read(min(EDGE, read_to))
    return _hash(head), _hash(tail)


def _hash(data: bytes) -> str:
    import hashlib

    return hashlib.blake2b(data, digest_size=16).hexdigest()
