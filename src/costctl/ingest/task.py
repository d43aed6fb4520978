"""How a file is read: its format, and whether all of it or its tail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from costctl.formats import (
    FORMATS,
    SAMPLE_BYTES,
    AmbiguousFile,
    Format,
    Sample,
    of_text,
    recognise,
    refused,
)
from costctl.formats.mapping import format_of
from costctl.formats.sample import FEW_LINES, SAMPLE_LINES, Shape
from costctl.ingest import lines
from costctl.ingest.csv_lines import from_csv
from costctl.ingest.lines import Reading
from costctl.ingest.plan import File, Skipped
from costctl.ingest.sources import Change, Given
from costctl.ledger.sources import Source, edges


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
    def is_remapped(self) -> bool:
        """Whether the file was read before by another mapping, or by none; or, the same as it is now, in
        another format than its user now names."""
        if self.known is None:
            return False
        before, now = Given.from_json(self.known.given), self.file.given
        is_same = (self.file.status.st_size, self.file.status.st_mtime_ns) == (
            self.known.size,
            self.known.mtime_ns,
        )
        return before.map != now.map or (
            before.format != now.format and self.known.format != self.format.name and is_same
        )

    @property
    def is_retimed(self) -> bool:
        """Whether the flags by which it was read before gave its calls other times."""
        if not self.is_relabelled or self.known is None:
            return False
        before, now = Given.from_json(self.known.given), self.file.given
        return (before.time, before.zone, before.map) != (now.time, now.zone, now.map)


def task_of(file: File, known: Source | None, state: Change, out: Skipped) -> Task | None:
    """How to read ``file``; None, with a word in ``out``, where that cannot be told."""
    try:
        packing = lines.packing_of(file.path)
        is_told = bool(file.given.map or file.given.format)
        sampled, head = lines.sample(file.path, packing, SAMPLE_LINES if is_told else FEW_LINES)
    except OSError as error:
        out.note_error(file, error)
        return None
    if not head.strip() and sampled.shape != "parquet":
        out.skipped.append((file.name, "empty"))
        return None
    found: Format | str
    if file.given.map:
        found, sampled = _as_told(format_of(file.given.map), sampled)
    elif file.given.format:
        found, sampled = _as_told(FORMATS[file.given.format], sampled)
    elif known is not None and state == "grown" and known.format in FORMATS:
        found = FORMATS[known.format]
    else:
        try:
            found, sampled = _recognised(file.path, packing, sampled, head)
        except AmbiguousFile as error:
            # Calls may be in it: that it was only found, not named, makes it no trifle.
            out.note(file, f"two formats claim it: {error}; choose one with --as NAME", failed=True)
            return None
    if isinstance(found, str):
        if _holds_nothing(sampled, head):
            out.skipped.append((file.name, "empty"))
        else:
            out.note(file, found)
        return None
    return Task(file, known, state, found, sampled.shape, packing, head)


def _holds_nothing(sampled: Sample, head: bytes) -> bool:
    """Whether a file, seen whole, is an empty list or empty pages: of which vendor does not matter."""
    is_whole = len(head) < SAMPLE_BYTES and len(sampled.objects) < SAMPLE_LINES
    return is_whole and (sampled.is_empty or head.split() in ([b"[]"], [b"[", b"]"]))


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
    """The format that claims a file, or why none does. Raises :class:`AmbiguousFile`."""
    claim = recognise(sampled)
    if claim is None and sampled.shape == "jsonl":
        sampled = of_text(head)
        claim = recognise(sampled)
    if claim is None and len(head) >= SAMPLE_BYTES:
        # Perhaps its first lines are of no use, and so long that nothing else was seen.
        sampled = lines.sample_of_short_lines(path, packing)
        claim = recognise(sampled)
    if claim is None:
        unknown = "of no format that costctl knows: `costctl ingest --explain` says what is near"
        return refused(sampled) or unknown, sampled
    return claim[0], sampled


def read(task: Task, spill: Path, whole: bool = False) -> Reading:
    """Make the file of ``task`` ready: what was appended, where its lines stand alone, or all of it. Raises
    :class:`OSError`."""
    path, known = task.file.path, task.known
    appended = task.change == "grown" and task.format.lines_stand_alone and task.packing == "none"
    if appended and known is not None and task.shape == "jsonl" and not whole:
        reading = lines.tail(path, known.read_to, spill)
    else:
        # Nothing more is going to be written at the end of a compressed file, or of standard input.
        grows = task.packing == "none" and not task.file.is_stream
        if task.shape == "csv":
            reading = from_csv(path, task.packing, spill, grows)
        else:
            reading = lines.whole(path, task.packing, task.shape, task.head, spill, grows)
    # Now, while it is there: a log may be rotated away before its batch is done.
    reading.edges = edges(path, reading.read_to)
    return reading
