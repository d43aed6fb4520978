"""What is to be done with each file of an ingest: left alone, or read in one of its batches."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from costctl.formats import FORMATS, SAMPLE_BYTES, AmbiguousFile, Format, Sample, recognise
from costctl.formats.sample import Shape
from costctl.ingest import lines
from costctl.ingest.discover import FULL, STREAM, Discovery
from costctl.ingest.lines import Reading
from costctl.ingest.sources import STANDARD_INPUT, Change, Given, change
from costctl.ledger.sources import Source, edges

BATCH_BYTES = 512 * 2**20
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
class Task:
    """A file to read: ``reading`` is made when its batch begins."""

    file: File
    known: Source | None
    change: Change
    format: Format
    shape: Shape
    packing: lines.Packing
    head: bytes
    reading: Reading | None = None

    @property
    def is_relabelled(self) -> bool:
        """Whether the file was read before, with other flags."""
        return self.known is not None and self.known.given != self.file.given.to_json()

    @property
    def is_retimed(self) -> bool:
        """Whether the flags by which it was read before gave its calls other times."""
        if not self.is_relabelled or self.known is None:
            return False
        before, now = Given.from_json(self.known.given), self.file.given
        return (before.time, before.zone) != (now.time, now.zone)


@dataclass(slots=True)
class Skipped:
    """Files that give no calls, as (path, why). What ``failed`` was named by the user."""

    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def note(self, file: File, why: str) -> None:
        """Leave ``file`` out; once is enough."""
        left = self.failed if file.named else self.skipped
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
            yield _of_stream(lines.spooled(sys.stdin.buffer, spill), given)
        elif found.path.is_fifo():
            with open(found.path, "rb") as stream:
                yield _of_stream(lines.spooled(stream, spill), given)
        else:
            yield File(str(found.path), found.path, found.named, given, found.status)


def _of_stream(path: Path, given: Given) -> File:
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


def task(file: File, known: Source | None, state: Change, out: Skipped) -> Task | None:
    """How to read ``file``; None, with a word in ``out``, where that cannot be told."""
    try:
        packing = lines.packing_of(file.path)
        sampled, head = lines.sample(file.path, packing)
    except OSError as error:
        out.note_error(file, error)
        return None
    if not head.strip() and sampled.shape != "parquet":
        out.skipped.append((file.name, "empty"))
        return None
    found: Format | str
    if file.given.format:
        found, sampled = _as_told(FORMATS[file.given.format], sampled)
    elif known is not None and state == "grown" and known.format in FORMATS:
        found = FORMATS[known.format]
    else:
        found, sampled = _recognised(file.path, packing, sampled, head)
    if isinstance(found, str):
        out.note(file, found)
        return None
    return Task(file, known, state, found, sampled.shape, packing, head)


def _as_told(format: Format, sampled: Sample) -> tuple[Format | str, Sample]:
    """``format``, or why the file cannot be of it."""
    if sampled.shape == "unknown" and "jsonl" in format.shapes:
        sampled = replace(sampled, shape="jsonl")  # a beginning of bad lines only
    if sampled.shape in format.shapes:
        return format, sampled
    return f"no {' or '.join(format.shapes)}, which {format.name} is", sampled


def _recognised(
    path: Path, packing: lines.Packing, sampled: Sample, head: bytes
) -> tuple[Format | str, Sample]:
    """The format that claims a file, or why none does."""
    try:
        claim = recognise(sampled)
        if claim is None and len(head) >= SAMPLE_BYTES:
            # Perhaps its first lines are of no use, and so long that nothing else was seen.
            sampled = lines.sample_of_short_lines(path, packing)
            claim = recognise(sampled)
    except AmbiguousFile as error:
        return f"two formats claim it: {error}; choose one with --as NAME", sampled
    if claim is None:
        return "of no format that costctl knows; `costctl formats` lists them", sampled
    return claim[0], sampled


def read(task: Task, spill: Path, whole: bool = False) -> Reading:
    """Make the file of ``task`` ready: what was appended, where its lines stand alone, or all of it. Raises
    :class:`OSError`."""
    path, known = task.file.path, task.known
    appended = task.change == "grown" and task.format.lines_stand_alone and task.packing == "none"
    if appended and known is not None and task.shape == "jsonl" and not whole:
        reading = lines.tail(path, known.read_to, spill)
    else:
        reading = lines.whole(path, task.packing, task.shape, task.head, spill, task.file.is_stream)
    # Now, while it is there: a log may be rotated away before its batch is done.
    reading.edges = edges(path, reading.read_to)
    return reading


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
