"""What is to be done with each file of an ingest: left alone, or read in one of its batches."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from costctl.formats import FORMATS, AmbiguousFile, Format, recognise
from costctl.formats.sample import Shape
from costctl.ingest import lines
from costctl.ingest.discover import STREAM, Discovery, Found
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


def files(discovery: Discovery, given: Given, spill: Path) -> Iterator[File]:
    """The files that were found. What is no file (standard input, a pipe) is copied to one first."""
    for found in discovery.found:
        if found.path == STREAM:
            yield _of_stream(lines.spooled(sys.stdin.buffer, spill), given)
        elif found.path.is_fifo():
            with open(found.path, "rb") as stream:
                yield _of_stream(lines.spooled(stream, spill), given)
        else:
            yield _of_file(found, given)


def _of_file(found: Found, given: Given) -> File:
    return File(str(found.path), found.path, found.named, given, found.path.stat())


def _of_stream(path: Path, given: Given) -> File:
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return File(STANDARD_INPUT + content[:16], path, True, given, path.stat())


@dataclass(slots=True)
class Pending:
    """What is known of the files of an ingest. ``moved`` are known under another path, which is gone."""

    todo: list[tuple[File, Source | None, Change]] = field(default_factory=list)
    unchanged: list[Source] = field(default_factory=list)
    moved: list[Source] = field(default_factory=list)


def pending(found: Iterable[File], known: Mapping[str, Source], full: bool) -> Pending:
    """Compare files with what the ledger knows of them."""
    result = Pending()
    left = dict(known)
    ordered = list(found)
    for moved in _moved(ordered, known):
        result.moved.append(moved)
        left = {name: source for name, source in left.items() if source.source_id != moved.source_id}
        left[moved.path] = moved
    for file in ordered:
        source = left.get(file.name)
        state = change(file.path, source, file.given, full)
        if source is not None and state == "unchanged":
            result.unchanged.append(source)
        else:
            result.todo.append((file, source, state))
    return result


def _moved(found: Iterable[File], known: Mapping[str, Source]) -> Iterator[Source]:
    """Known sources whose file is now at one of the paths found, and no longer at its own: rotated logs."""
    by_file = {(source.device, source.inode): source for source in known.values()}
    for file in found:
        source = by_file.get((file.status.st_dev, file.status.st_ino))
        if file.name in known or source is None or source.read_to > file.status.st_size:
            continue
        try:
            there = Path(source.path).stat()
            stays = (there.st_dev, there.st_ino) == (source.device, source.inode)
        except OSError:
            stays = False
        if not stays and edges(file.path, source.read_to) == (source.head, source.tail):
            yield replace(source, path=file.name)


def task(file: File, known: Source | None, state: Change, out: Skipped) -> Task | None:
    """How to read ``file``; None, with a word in ``out``, where that cannot be told."""
    try:
        packing = lines.packing_of(file.path)
        sampled, head = lines.sample(file.path, packing)
    except OSError as error:
        (out.failed if file.named else out.skipped).append((file.name, error.strerror or str(error)))
        return None
    if file.given.format:
        format = FORMATS[file.given.format]
        if sampled.shape in format.shapes:
            return Task(file, known, state, format, sampled.shape, packing, head)
        if file.status.st_size and head.strip():
            why = f"no {' or '.join(format.shapes)}, which {format.name} is"
            (out.failed if file.named else out.skipped).append((file.name, why))
            return None
    if known is not None and state == "grown" and known.format in FORMATS:
        return Task(file, known, state, FORMATS[known.format], sampled.shape, packing, head)
    try:
        claim = recognise(sampled)
    except AmbiguousFile as error:
        why = f"two formats claim it: {error}; choose one with --as NAME"
        (out.failed if file.named else out.skipped).append((file.name, why))
        return None
    if claim is None:
        if not head.strip() and sampled.shape != "parquet":
            out.skipped.append((file.name, "empty"))
        else:
            why = "of no format that costctl knows; `costctl formats` lists them"
            (out.failed if file.named else out.skipped).append((file.name, why))
        return None
    return Task(file, known, state, claim[0], sampled.shape, packing, head)


def read(task: Task, spill: Path, whole: bool = False) -> Reading:
    """Make the file of ``task`` ready: what was appended, where its lines stand alone, or all of it."""
    path, known = task.file.path, task.known
    appended = task.change == "grown" and task.format.lines_stand_alone and task.packing == "none"
    if appended and known is not None and task.shape == "jsonl" and not whole:
        return lines.tail(path, known.read_to, spill)
    return lines.whole(path, task.packing, task.shape, task.head, spill)


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
