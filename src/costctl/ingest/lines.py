"""Files as DuckDB can read them: packed or plain, whole or a tail, and where their lines are.

Nothing here looks at what a line means. A CSV file becomes JSON lines first: of the CSV readers at hand only
Python's own neither drops a field too many nor loses count of the lines.
"""

from __future__ import annotations

import array
import csv
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal, cast

from costctl.formats import SAMPLE_BYTES, Sample, of_text
from costctl.formats.sample import Shape

Packing = Literal["none", "gzip", "zstd"]

LONGEST_LINE = 64 * 2**20
"""A line of more bytes is rejected."""

_CHUNK = 2**20
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n\v\f"
"""What a line may hold and still be no line to DuckDB's JSON reader."""

CUT_SHORT = "the compressed data ends too early"
TOO_LONG = "longer than 64 MB"


@dataclass(slots=True)
class Reading:
    """A file made ready: ``path`` is what DuckDB reads (a temporary file where ``original`` would not do).

    Of the original the bytes from ``start`` to ``read_to`` are read. ``shape`` is jsonl or parquet. ``faults``
    are lines that are rejected already: (line, reason, raw). ``numbers``: the line number of each record, where
    records are not lines.
    """

    original: Path
    path: Path
    packing: Packing
    shape: str
    read_to: int
    start: int = 0
    faults: list[tuple[int, str, bytes]] = field(default_factory=list)
    numbers: array.array[int] | None = None

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
            yield cast(IO[bytes], _Careful(file))
    elif packing == "zstd":
        import pyarrow

        with pyarrow.OSFile(str(path)) as raw, pyarrow.CompressedInputStream(raw, "zstd") as file:
            yield cast(IO[bytes], _Careful(file))
    else:
        with open(path, "rb") as file:
            yield file


class _Careful(io.RawIOBase):
    """A decompressing stream whose every fault is an EOFError."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except (EOFError, OSError, zlib.error) as error:
            raise EOFError(CUT_SHORT) from error


def sample(path: Path, packing: Packing) -> tuple[Sample, bytes]:
    """The beginning of a file for recognition, and its raw text."""
    with open(path, "rb") as file:
        if file.read(4) == b"PAR1":
            import pyarrow.parquet

            return Sample("parquet", names=tuple(pyarrow.parquet.read_schema(path).names)), b""
    head = b""
    with unpacked(path, packing) as stream:
        try:
            while len(head) < SAMPLE_BYTES and (more := stream.read(SAMPLE_BYTES - len(head))):
                head += more
        except EOFError:
            pass
    return of_text(head), head


def last_whole_line(path: Path, size: int) -> int:
    """Bytes up to which a plain file holds whole lines: all, if its last line is whole JSON by itself."""
    with open(path, "rb") as file:
        end, rest = size, b""
        while end > 0:
            start = max(0, end - _CHUNK)
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


def whole(path: Path, packing: Packing, shape: Shape, head: bytes, spill: Path) -> Reading:
    """Make a whole file ready."""
    size = path.stat().st_size
    if shape == "parquet":
        return Reading(path, path, "none", "parquet", size)
    if shape == "csv":
        return _from_csv(path, packing, spill)
    read_to = last_whole_line(path, size) if packing == "none" else size
    reading = Reading(path, path, packing, "jsonl", read_to)
    # Of a cut stream of zstd DuckDB would return the first part and say nothing.
    if head.startswith(_BOM) or (packing == "zstd" and is_unreadable(reading)):
        return rewritten(reading, spill)
    return reading


def is_unreadable(reading: Reading) -> bool:
    """Whether DuckDB cannot read the file: it ends in the middle of a compressed stream, or has a line too long."""
    if reading.shape != "jsonl":
        return False
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
    target = _temporary(spill)
    with open(path, "rb") as file, open(target, "wb") as copy:
        file.seek(start)
        for chunk in _chunks(file, end - start):
            copy.write(chunk)
    return Reading(path, target, "none", "jsonl", end, start)


def rewritten(reading: Reading, spill: Path) -> Reading:
    """Make a file ready that DuckDB cannot read as it is: a byte order mark, a line too long, a cut stream.

    What can be read is copied. A line too long leaves a number in its place, so that lines keep their places.
    """
    target = _temporary(spill)
    result = replace(reading, path=target, packing="none")
    number = lines_before = _lines_before(reading)
    most = reading.read_to - reading.start if reading.packing == "none" else None
    with unpacked(reading.path, reading.packing) as stream, open(target, "wb") as copy:
        try:
            for number, line in enumerate(split_lines(stream, most), start=lines_before + 1):
                if number == 1:
                    line = line.removeprefix(_BOM)
                if len(line) > LONGEST_LINE:
                    result.faults.append((number, TOO_LONG, b""))
                    line = b"0\n"
                copy.write(line)
        except EOFError as error:
            result.faults.append((number + 1, str(error), b""))
    return result


def beginnings(readings: Iterable[Reading], spill: Path) -> Reading:
    """The first whole lines of some files, 64 kB of each, as one file."""
    target = _temporary(spill)
    with open(target, "wb") as copy:
        for reading in readings:
            with suppress(EOFError), unpacked(reading.path, reading.packing) as stream:
                head = stream.read(SAMPLE_BYTES)
                copy.write(head[: head.rfind(b"\n") + 1] or head)
    return Reading(target, target, "none", "jsonl", target.stat().st_size)


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


def _from_csv(path: Path, packing: Packing, spill: Path) -> Reading:
    target = _temporary(spill)
    numbers: array.array[int] = array.array("Q")
    reading = Reading(path, target, "none", "jsonl", path.stat().st_size, numbers=numbers)
    line = 0
    with unpacked(path, packing) as stream, open(target, "w", encoding="utf-8") as copy:
        counted = _CountedLines(stream)
        records = csv.reader(counted, strict=True)
        names: tuple[str, ...] = ()
        while True:
            line = counted.lines + 1
            try:
                record = next(records, None)
            except csv.Error as error:
                reading.faults.append((line, f"not CSV: {error}", counted.last))
                continue
            except EOFError as error:
                reading.faults.append((counted.lines + 1, str(error), b""))
                break
            if record is None:
                break
            if not record:
                continue
            text = "".join(record)
            if not names:
                names = tuple(name.strip() for name in record)
            elif "\0" in text:
                reading.faults.append((line, "holds a NUL byte", counted.last))
            elif any("\udc80" <= letter <= "\udcff" for letter in text):
                reading.faults.append((line, "not UTF-8", counted.last))
            elif len(record) != len(names):
                reading.faults.append((line, f"{len(record)} fields under {len(names)} names", counted.last))
            else:
                copy.write(json.dumps(dict(zip(names, record, strict=True)), ensure_ascii=False) + "\n")
                numbers.append(line)
    return reading


class _CountedLines:
    """Lines of text for the CSV reader; bytes that are no UTF-8 survive as lone surrogates."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines = split_lines(stream)
        self.lines = 0
        self.last = b""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.last = line
            self.lines += 1
            whole = line.removeprefix(_BOM) if self.lines == 1 else line
            yield whole.decode("utf-8", errors="surrogateescape")


def numbered(reading: Reading) -> Iterator[tuple[int, bytes]]:
    """(line number, raw line) of each line that DuckDB gives a row, in its order, up to ``read_to``."""
    if reading.numbers is not None:
        with open(reading.path, "rb") as file:
            for number, line in zip(reading.numbers, file, strict=True):
                yield number, line
        return
    # What follows read_to, a line that is still being written, was read by DuckDB but is not judged.
    most = None if reading.is_temporary or reading.packing != "none" else reading.read_to
    with unpacked(reading.path, reading.packing) as stream:
        for number, line in enumerate(split_lines(stream, most), start=_lines_before(reading) + 1):
            if line.strip(_BLANK):
                yield number, line


def _lines_before(reading: Reading) -> int:
    if not reading.start:
        return 0
    with open(reading.original, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in _chunks(file, reading.start))


def spooled(stream: IO[bytes], spill: Path) -> Path:
    """A temporary file with all that ``stream`` (standard input, a pipe) yields."""
    target = _temporary(spill)
    with open(target, "wb") as copy:
        while chunk := stream.read(_CHUNK):
            copy.write(chunk)
    return target


def _chunks(file: IO[bytes], count: int) -> Iterator[bytes]:
    while count > 0 and (chunk := file.read(min(count, _CHUNK))):
        count -= len(chunk)
        yield chunk


def _temporary(spill: Path) -> Path:
    import tempfile

    for directory in (spill.parent.parent, spill.parent, spill):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=spill, prefix="lines-", suffix=".jsonl")
    os.close(descriptor)
    return Path(name)
