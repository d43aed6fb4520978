"""Files as DuckDB can read them: packed or plain, whole or a tail, and where their lines are.

Nothing here looks at what a line means.
"""

from __future__ import annotations

import array
import gzip
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Literal, cast

from costctl.formats import SAMPLE_BYTES, Sample, of_text
from costctl.formats.sample import SAMPLE_LINES, Shape

Packing = Literal["none", "gzip", "zstd"]

LONGEST_LINE = 64 * 2**20
"""A line of more bytes is rejected."""

LONGEST_DOCUMENT = 128 * 2**20
"""A JSON document that is neither lines nor an array must fit into memory."""

_CHUNK = 2**20
_SMALL_CHUNK = 2**14
BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n\v\f"
"""What a line may hold and still be no line to DuckDB's JSON reader."""

CUT_SHORT = "the compressed data ends too early"
TOO_LONG = "longer than 64 MB"
_DEEPEST = 127
"""What DuckDB's JSON reader takes when it goes on after bad lines; a deeper line ends it."""
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


@dataclass(slots=True)
class Reading:
    """A file made ready: ``path`` is what DuckDB reads (a temporary file where ``original`` would not do).

    Of the original the bytes from ``start`` to ``read_to`` are read. A CSV file's ``shape`` is jsonl.
    ``faults`` are lines that are rejected already: (line, reason, raw). ``numbers``: the line number of each
    record, where records are not lines. ``edges`` are the hashes by which it is known again
    (:func:`costctl.ledger.sources.edges`). ``goes_on``: a line that is no JSON does not end the reading of
    it.
    """

    original: Path
    path: Path
    packing: Packing
    shape: Shape
    read_to: int
    start: int = 0
    faults: list[tuple[int, str, bytes]] = field(default_factory=list)
    numbers: array.array[int] | None = None
    edges: tuple[str, str] = ("", "")
    goes_on: bool = False

    @property
    def is_temporary(self) -> bool:
        return self.path != self.original


def packing_of(path: Path) -> Packing:
    """By the file's first bytes, whatever its name says."""
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if magic == b"\x28\xb5\x2f\xfd" else "none"


@contextmanager
def unpacked(path: Path, packing: Packing) -> Iterator[IO[bytes]]:
    """The file's own bytes. Reading on past a cut raises EOFError."""
    if packing == "gzip":
        with gzip.open(path, "rb") as file:
            yield cast(IO[bytes], _Careful(file.read1))
    elif packing == "zstd":
        import pyarrow

        with pyarrow.OSFile(str(path)) as raw, pyarrow.CompressedInputStream(raw, "zstd") as file:
            yield cast(IO[bytes], _Careful(lambda size: file.read(min(size, _SMALL_CHUNK))))
    else:
        with open(path, "rb") as file:
            yield file


class _Careful(io.RawIOBase):
    """A decompressing stream whose every fault is an EOFError. ``read`` gives few bytes at once: what it has
    in hand when it meets the fault is lost."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self._read(size))
        except (EOFError, OSError, zlib.error) as error:
            raise EOFError(CUT_SHORT) from error


def sample(path: Path, packing: Packing, most: int = SAMPLE_LINES) -> tuple[Sample, bytes]:
    """The beginning of a file for recognition, of lines the first ``most``, and its raw text. Raises
    :class:`OSError`."""
    with open(path, "rb") as file:
        if file.read(4) == b"PAR1":
            import pyarrow
            import pyarrow.parquet

            try:
                return Sample("parquet", names=tuple(pyarrow.parquet.read_schema(path).names)), b""
            except pyarrow.ArrowException as error:
                raise OSError(f"no whole Parquet file: {error}") from error
    head = b""
    with unpacked(path, packing) as stream:
        try:
            while len(head) < SAMPLE_BYTES and (more := stream.read(SAMPLE_BYTES - len(head))):
                head += more
        except EOFError as error:
            if not head:
                raise OSError(str(error)) from error
    return of_text(head, most), head


def sample_of_short_lines(path: Path, packing: Packing) -> Sample:
    """The same of a file's first lines that are not as long as a sample themselves: the first line of a
    transcript may hold an image."""
    text, read = b"", 0
    with suppress(EOFError), unpacked(path, packing) as stream:
        for line in split_lines(stream):
            read += len(line)
            if len(line) < SAMPLE_BYTES:
                text += line
            if len(text) >= SAMPLE_BYTES or read > 2 * LONGEST_LINE:
                break
    return of_text(text)


def last_whole_line(path: Path, size: int) -> int:
    """Bytes up to which a plain file holds whole lines: all, if its last line is whole JSON by itself."""
    with open(path, "rb") as file:
        end, rest, step = size, b"", _SMALL_CHUNK
        while end > 0:
            start = max(0, end - step)
            step *= 2  # a last line is short, or all of the file
            file.seek(start)
            chunk = file.read(end - start)
            at = chunk.rfind(b"\n")
            if at >= 0:
                whole, rest = start + at + 1, chunk[at + 1 :] + rest
                break
            end, rest = start, chunk + rest
            if len(rest) > LONGEST_LINE:
                return size
        else:
            whole = 0
    if not rest.strip(_BLANK):
        return size
    try:
        json.loads(rest)
    except (ValueError, RecursionError):
        return whole
    return size


def whole(path: Path, packing: Packing, shape: Shape, head: bytes, spill: Path, grows: bool) -> Reading:
    """Make a whole file of JSON or Parquet ready. Of lines that still grow (``grows``) a last one that is not
    whole yet is left alone. Raises :class:`OSError`, also for a document that is too large."""
    size = path.stat().st_size
    if shape == "parquet":
        return Reading(path, path, "none", "parquet", size)
    if shape in ("array", "document"):
        return _document(Reading(path, path, packing, shape, size), head, spill)
    read_to = last_whole_line(path, size) if grows else size
    reading = Reading(path, path, packing, "jsonl", read_to)
    if head.startswith(BOM) or _must_be_rewritten(reading):
        return rewritten(reading, spill)
    return reading


def _document(reading: Reading, head: bytes, spill: Path) -> Reading:
    """Make a file ready that is no lines. DuckDB holds a document whole, so its size must be known."""
    if reading.packing != "none" or head.startswith(BOM):
        target = temporary(spill)
        with unpacked(reading.path, reading.packing) as stream, open(target, "wb") as copy:
            try:
                copy.write(stream.read(len(BOM)).removeprefix(BOM))
                while chunk := stream.read(_CHUNK):
                    copy.write(chunk)
            except EOFError as error:
                raise OSError(str(error)) from error
        reading = replace(reading, path=target, packing="none")
    if reading.shape == "document" and reading.path.stat().st_size > LONGEST_DOCUMENT:
        raise OSError("a JSON document of more than 128 MB; put its records on lines (jq -c)")
    return reading


def _must_be_rewritten(reading: Reading) -> bool:
    """Whether DuckDB would not fail but say something else than we do: of a cut stream of zstd it returns the
    first part, and a line that is too long it may take or not. (Of gzip it refuses the one, and the other is
    left to it.)"""
    if reading.packing == "none":
        return _may_have_long_lines(reading.path) and _is_cut_or_too_long(reading)
    return reading.packing == "zstd" and _is_cut_or_too_long(reading)


def _may_have_long_lines(path: Path) -> bool:
    """Whether there may be a line longer than :data:`LONGEST_LINE`: it covers one of a few places whole."""
    size = path.stat().st_size
    if size <= LONGEST_LINE:
        return False
    with open(path, "rb") as file:
        for place in range(0, size - LONGEST_LINE // 2, LONGEST_LINE // 2):
            file.seek(place)
            if b"\n" not in file.read(SAMPLE_BYTES):
                return True
    return False


def _is_cut_or_too_long(reading: Reading) -> bool:
    held = 0
    with unpacked(reading.path, reading.packing) as stream:
        try:
            while chunk := stream.read(_CHUNK):
                first = chunk.find(b"\n")
                if held + (first if first >= 0 else len(chunk)) > LONGEST_LINE:
                    return True
                held = held + len(chunk) if first < 0 else len(chunk) - chunk.rfind(b"\n") - 1
        except EOFError:
            return True
    return held > LONGEST_LINE


def tail(path: Path, start: int, spill: Path) -> Reading:
    """Make the lines that were appended after ``start`` ready."""
    end = max(start, last_whole_line(path, path.stat().st_size))
    target = temporary(spill)
    with open(path, "rb") as file, open(target, "wb") as copy:
        file.seek(start)
        for chunk in _chunks(file, end - start):
            copy.write(chunk)
    reading = Reading(path, target, "none", "jsonl", end, start)
    return rewritten(reading, spill) if _must_be_rewritten(reading) else reading


def rewritten(reading: Reading, spill: Path) -> Reading:
    """Make a file ready that DuckDB cannot read as it is: a byte order mark, a line too long or too deep, a
    cut stream.

    What can be read is copied. A line too long leaves a number in its place, so that lines keep their
    places, and depths leave a null: no field that bills is there.
    """
    target = temporary(spill)
    result = replace(reading, path=target, packing="none")
    number = lines_before = _lines_before(reading)
    most = reading.read_to - reading.start if reading.packing == "none" else None
    with unpacked(reading.path, reading.packing) as stream, open(target, "wb") as copy:
        try:
            for number, line in enumerate(split_lines(stream, most), start=lines_before + 1):
                if number == 1:
                    line = line.removeprefix(BOM)
                if len(line) > LONGEST_LINE:
                    result.faults.append((number, TOO_LONG, b""))
                    line = b"0\n"
                copy.write(_without_depths(line))
        except EOFError as error:
            result.faults.append((number + 1, str(error), b""))
    return result


def _without_depths(line: bytes) -> bytes:
    if line.count(b"{") + line.count(b"[") <= _DEEPEST:
        return line
    kept: list[bytes] = []
    depth = done = 0
    for found in _STRING_OR_BRACKET.finditer(line):
        if found[0] in (b"{", b"["):
            depth += 1
            if depth == _DEEPEST + 1:
                kept += (line[done : found.start()], b"null")
        elif found[0] in (b"}", b"]"):
            if depth == _DEEPEST + 1:
                done = found.end()
            depth -= 1
    return b"".join((*kept, line[done:])) if depth == 0 else line


def beginnings(readings: Iterable[Reading], spill: Path) -> Reading:
    """The first whole lines of some files, 64 kB of each, as one file."""
    target = temporary(spill)
    with open(target, "wb") as copy:
        for reading in readings:
            with suppress(EOFError), unpacked(reading.path, reading.packing) as stream:
                head = stream.read(SAMPLE_BYTES)
                copy.write(head[: head.rfind(b"\n") + 1] or head)
    return Reading(target, target, "none", "jsonl", target.stat().st_size, goes_on=True)


def split_lines(stream: IO[bytes], most: int | None = None) -> Iterator[bytes]:
    """The lines of a stream's first ``most`` bytes with their ends; of a line beyond :data:`LONGEST_LINE` its
    first bytes only."""
    pending: list[bytes] = []
    held = 0
    for chunk in _chunks(stream, sys.maxsize if most is None else most):
        start = 0
        while (at := chunk.find(b"\n", start)) >= 0:
            pending.append(chunk[start : at + 1])
            yield b"".join(pending)
            pending, held, start = [], 0, at + 1
        if held <= LONGEST_LINE:
            pending.append(chunk[start:])
            held += len(chunk) - start
    if rest := b"".join(pending):
        yield rest


def numbered(reading: Reading) -> Iterator[tuple[int, bytes]]:
    """(line number, raw line) of each line that DuckDB gives a row, in its order, up to ``read_to``."""
    if reading.numbers is not None:
        yield from _beginnings_of_records(reading, reading.numbers)
        return
    # What follows read_to, a line that is still being written, was read by DuckDB but is not judged.
    most = None if reading.is_temporary or reading.packing != "none" else reading.read_to
    with unpacked(reading.path, reading.packing) as stream:
        for number, line in enumerate(split_lines(stream, most), start=_lines_before(reading) + 1):
            if line.strip(_BLANK):
                yield number, line


def _beginnings_of_records(reading: Reading, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """(line number, that line) of each record of a CSV file: nearly always all of it."""
    wanted = iter(numbers)
    number = next(wanted, 0)
    with suppress(EOFError), unpacked(reading.original, packing_of(reading.original)) as stream:
        for place, line in enumerate(split_lines(stream), start=1):
            if place == number:
                yield number, line
                number = next(wanted, 0)


def _lines_before(reading: Reading) -> int:
    if not reading.start:
        return 0
    with open(reading.original, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in _chunks(file, reading.start))


def spooled(stream: IO[bytes], spill: Path) -> Path:
    """A temporary file with all that ``stream`` (standard input, a pipe) yields."""
    target = temporary(spill)
    with open(target, "wb") as copy:
        while chunk := stream.read(_CHUNK):
            copy.write(chunk)
    return target


def _chunks(file: IO[bytes], count: int) -> Iterator[bytes]:
    while count > 0 and (chunk := file.read(min(count, _CHUNK))):
        count -= len(chunk)
        yield chunk


def temporary(spill: Path) -> Path:
    """A new file among those that go when the ingest is done."""
    import tempfile

    for directory in (spill.parent.parent, spill.parent, spill):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=spill, prefix="lines-", suffix=".jsonl")
    os.close(descriptor)
    return Path(name)
