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
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from costctl.formats import SAMPLE_BYTES, Sample, of_text

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

    ``read_to``: the bytes of the original that are in the ledger afterwards. ``shape`` is jsonl or parquet.
    ``faults`` are lines that are rejected already: (line, reason, raw). ``numbers``: the line number of each
    record, where records are not lines. ``first_line``: lines of the original before the first one read.
    """

    original: Path
    path: Path
    packing: Packing
    shape: str
    read_to: int
    size: int
    tail: bool = False
    temporary: bool = False
    first_line: int = 0
    faults: list[tuple[int, str, bytes]] = field(default_factory=list)
    numbers: array.array[int] | None = None


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
            yield _Careful(file)  # type: ignore[misc]
    elif packing == "zstd":
        import pyarrow

        with pyarrow.OSFile(str(path)) as raw, pyarrow.CompressedInputStream(raw, "zstd") as file:
            yield _Careful(file)  # type: ignore[misc]
    else:
        with open(path, "rb") as file:
            yield file


class _Careful(io.RawIOBase):
    """A decompressing stream whose every fault is an EOFError."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
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


def whole(path: Path, packing: Packing, sampled: Sample, head: bytes, spill: Path) -> Reading:
    """Make a whole file ready."""
    size = path.stat().st_size
    if sampled.shape == "parquet":
        return Reading(path, path, "none", "parquet", size, size)
    if sampled.shape == "csv":
        return _from_csv(path, packing, spill)
    if head.startswith(_BOM):
        return rewritten(path, packing, spill)
    read_to = last_whole_line(path, size) if packing == "none" else size
    if packing == "zstd" and _is_cut(path, packing):
        # DuckDB would return the first part of it and say nothing.
        return rewritten(path, packing, spill)
    return Reading(path, path, packing, "jsonl", read_to, size)


def _is_cut(path: Path, packing: Packing) -> bool:
    with unpacked(path, packing) as stream:
        try:
            while stream.read(_CHUNK):
                pass
        except EOFError:
            return True
    return False


def tail(path: Path, start: int, spill: Path) -> Reading:
    """Make the lines that were appended after ``start`` ready."""
    size = path.stat().st_size
    end = max(start, last_whole_line(path, size))
    target = _temporary(spill)
    with open(path, "rb") as file, open(target, "wb") as copy:
        file.seek(start)
        for chunk in _chunks(file, end - start):
            copy.write(chunk)
    return Reading(path, target, "none", "jsonl", end, size, tail=True, temporary=True)


def rewritten(path: Path, packing: Packing, spill: Path) -> Reading:
    """Make a file ready that DuckDB cannot read as it is: a byte order mark, a line too long, a cut stream.

    What can be read is copied. A line too long leaves an empty object in its place, so that lines keep their
    numbers.
    """
    size = path.stat().st_size
    target = _temporary(spill)
    read_to = last_whole_line(path, size) if packing == "none" else size
    reading = Reading(path, target, "none", "jsonl", read_to, size, temporary=True)
    number = 0
    with unpacked(path, packing) as stream, open(target, "wb") as copy:
        try:
            for number, line in enumerate(split_lines(stream), start=1):  # noqa: B007
                if number == 1:
                    line = line.removeprefix(_BOM)
                if len(line) > LONGEST_LINE:
                    reading.faults.append((number, TOO_LONG, b""))
                    line = b"0\n"
                copy.write(line)
        except EOFError as error:
            reading.faults.append((number + 1, str(error), b""))
    return reading


def split_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream with their ends; of a line beyond :data:`LONGEST_LINE` its first bytes only."""
    pending: list[bytes] = []
    held = 0
    while chunk := stream.read(_CHUNK):
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
    size = path.stat().st_size
    target = _temporary(spill)
    numbers: array.array[int] = array.array("Q")
    reading = Reading(path, target, "none", "jsonl", size, size, temporary=True, numbers=numbers)
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
        for self.last in self._lines:
            self.lines += 1
            line = self.last.removeprefix(_BOM) if self.lines == 1 else self.last
            yield line.decode("utf-8", errors="surrogateescape")


def numbered(reading: Reading) -> Iterator[tuple[int, bytes]]:
    """(line number, raw line) of each line that DuckDB gives a row, in its order, up to ``read_to``."""
    if reading.numbers is not None:
        with open(reading.path, "rb") as file:
            for number, line in zip(reading.numbers, file, strict=True):
                yield number, line
        return
    before = 0
    if reading.tail:
        with open(reading.original, "rb") as file:
            start = reading.read_to - reading.path.stat().st_size
            before = sum(chunk.count(b"\n") for chunk in _chunks(file, start))
    limit = reading.read_to if reading.path == reading.original and reading.packing == "none" else None
    at = 0
    with unpacked(reading.path, reading.packing) as stream:
        for number, line in enumerate(split_lines(stream), start=before + 1):
            at += len(line)
            if limit is not None and at > limit:
                return
            if line.strip(_BLANK):
                yield number, line


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

    spill.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=spill, prefix="lines-", suffix=".jsonl")
    os.close(descriptor)
    return Path(name)
