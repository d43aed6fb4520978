"""Which files of an ingest have something new, and which of them are read together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from costctl.ingest.discover import FULL, STREAM, Discovery
from costctl.ingest.sources import Change, Given, change
from costctl.ledger.sources import STANDARD_INPUT, Source, edges

BATCH_BYTES = 2 * 2**30
"""Whole files up to this size together are one transaction; a larger file is one of its own."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of an ingest. ``name`` is its source's path; ``path`` is where its bytes are. ``status`` is of
    before it was read."""

    name: str
    path: Path
    named: bool
    given: Given
    status: os.stat_result

    @property
    def is_stream(self) -> bool:
        """Whether it is a copy of what standard input or a pipe has said, which never goes on."""
        return self.name.startswith(STANDARD_INPUT)


@dataclass(slots=True)
class Skipped:
    """Files that give no calls, as (path, why). What ``failed`` was named by the user, or is theirs to
    decide. ``lacking`` are files that are read but do not have all that they should, by what it is."""

    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    lacking: dict[str, list[str]] = field(default_factory=dict)

    def note(self, file: File, why: str, *, failed: bool = False) -> None:
        """Leave ``file`` out; once is enough."""
        left = self.failed if file.named or failed else self.skipped
        if (file.name, why) not in left:
            left.append((file.name, why))

    def note_error(self, file: File, error: OSError) -> None:
        """Leave out a file that cannot be read. Raises ``error`` if it is our own disk that is full."""
        if error.errno in FULL:
            raise error
        self.note(file, error.strerror or str(error))


def files(discovery: Discovery, given: Given, spill: Path) -> Iterator[File]:
    """The files that were found. What is no file (standard input, a pipe) is copied to one first."""
    for found in discovery.found:
        if found.path == STREAM:
            yield _of_stream(sys.stdin.buffer, given, spill)
        elif found.path.is_fifo():
            with open(found.path, "rb") as stream:
                yield _of_stream(stream, given, spill)
        else:
            yield File(str(found.path), found.path, found.named, given, found.status)


def _of_stream(stream: IO[bytes], given: Given, spill: Path) -> File:
    import hashlib

    from costctl.ingest.lines import spooled

    path = spooled(stream, spill)
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return File(STANDARD_INPUT + content[:16], path, True, given, path.stat())


@dataclass(slots=True)
class Pending:
    """What is known of the files of an ingest. ``moved`` were known under another path; ``known`` are all
    sources by the paths that they have now."""

    known: dict[str, Source]
    moved: list[Source]
    todo: list[tuple[File, Source | None, Change]] = field(default_factory=list)
    unchanged: list[Source] = field(default_factory=list)


def pending(found: Iterable[File], known: Mapping[str, Source], full: bool) -> Pending:
    """Compare files with what the ledger knows of them."""
    ordered = list(found)
    moved = _moved(ordered, known)
    ids = {source.source_id for source in moved}
    now = {name: source for name, source in known.items() if source.source_id not in ids}
    now |= {source.path: source for source in moved}
    result = Pending(now, moved)
    for file in ordered:
        source = now.get(file.name)
        try:
            state = change(file.path, source, file.given, full)
        except OSError:
            state = "changed"  # it is gone since it was found, which reading it will tell
        if source is not None and state == "unchanged":
            result.unchanged.append(source)
        else:
            result.todo.append((file, source, state))
    return result


def _moved(found: Iterable[File], known: Mapping[str, Source]) -> list[Source]:
    """Known sources whose file is now at one of the paths found, and no longer at its own: rotated logs."""
    by_file = {(source.device, source.inode): source for source in known.values()}
    moves: dict[str, Source] = {}
    for file in found:
        source = by_file.get((file.status.st_dev, file.status.st_ino))
        if source is None or source.path in (file.name, *moves) or source.read_to > file.status.st_size:
            continue
        try:
            there = Path(source.path).stat()
            stays = (there.st_dev, there.st_ino) == (source.device, source.inode)
        except OSError:
            stays = False
        with suppress(OSError):
            if not stays and edges(file.path, source.read_to) == (source.head, source.tail):
                moves[source.path] = replace(source, path=file.name)
    # A whole row of files moves up at once, but none to the path of a source that stays.
    while blocked := [path for path, source in moves.items() if source.path in known.keys() - moves.keys()]:
        for path in blocked:
            del moves[path]
    return list(moves.values())


def batches(files: Iterable[File]) -> Iterator[list[File]]:
    """Files in groups of up to :data:`BATCH_BYTES`, in order."""
    batch: list[File] = []
    size = 0
    for file in files:
        if batch and size + file.status.st_size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.status.st_size
    if batch:
        yield batch
