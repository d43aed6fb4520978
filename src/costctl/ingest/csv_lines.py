"""CSV files as JSON lines: of the CSV readers at hand only Python's own neither drops a field too many nor
loses count of the lines."""

from __future__ import annotations

import array
import csv
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from costctl.formats import delimiter
from costctl.ingest.lines import (
    BOM,
    LONGEST_LINE,
    TOO_LONG,
    Packing,
    Reading,
    split_lines,
    temporary,
    unpacked,
)

MOST_LINES = 1000
"""A quoted field goes on over line ends, so a quote that is never closed would swallow the rest of the file.
A record of more lines is a bad line, and the next one begins after it."""


def from_csv(path: Path, packing: Packing, spill: Path, grows: bool) -> Reading:
    """The records of a CSV file as JSON lines in a temporary file.

    A bad record is one bad line; what it took for its further lines is read again. ``grows``: a last line
    without its end that is no record is still being written, and not read.
    """
    target = temporary(spill)
    numbers: array.array[int] = array.array("Q")
    reading = Reading(path, target, "none", "jsonl", path.stat().st_size, numbers=numbers)
    csv.field_size_limit(LONGEST_LINE)
    names: tuple[str, ...] = ()
    with unpacked(path, packing) as stream:
        first = next(split_lines(stream), b"")
    with unpacked(path, packing) as stream, open(target, "w", encoding="utf-8") as copy:
        lines = _Lines(stream, delimiter(first.removeprefix(BOM).decode("utf-8", errors="replace")))
        try:
            while (record := lines.next_record()) is not None:
                if not record:
                    lines.accept()
                    continue
                fault = record if isinstance(record, str) else _fault(record, names)
                if fault and grows and lines.is_last and not lines.first.endswith(b"\n"):
                    reading.read_to -= len(lines.first)
                    break
                if fault:
                    raw = lines.reject()
                    long = len(raw) > LONGEST_LINE
                    reading.faults.append((lines.number, TOO_LONG if long else fault, b"" if long else raw))
                    continue
                if names:
                    copy.write(json.dumps(dict(zip(names, record, strict=True)), ensure_ascii=False) + "\n")
                    numbers.append(lines.number + 1)
                else:
                    names = tuple(name.strip() for name in record)
                lines.accept()
        except EOFError as error:
            reading.faults.append((lines.number + 1, str(error), b""))
    return reading


def _fault(record: list[str], names: tuple[str, ...]) -> str:
    text = "".join(record)
    if "\0" in text:
        return "holds a NUL byte"
    if not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text):
        return "not UTF-8"
    if names and len(record) != len(names):
        return f"{len(record)} fields under {len(names)} names"
    return ""


class _Lines:
    """The lines of a file, read a record at a time. ``number`` lines are done with, by :meth:`accept` or
    :meth:`reject`; ``taken`` are those of the record at hand."""

    def __init__(self, stream: IO[bytes], delimiter: str) -> None:
        self._unread = split_lines(stream)
        self._delimiter = delimiter
        self._again: deque[bytes] = deque()
        self.number = 0
        self.taken: list[bytes] = []

    def next_record(self) -> list[str] | str | None:
        """The fields of the next record, or what is wrong with it; None at the end. Raises EOFError."""
        try:
            return next(csv.reader(self, strict=True, delimiter=self._delimiter), None)
        except csv.Error as error:
            return f"not CSV: {error}"

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) == MOST_LINES:
            raise csv.Error(f"no end of the record after {MOST_LINES} lines")
        line = self._again.popleft() if self._again else next(self._unread)
        self.taken.append(line)
        if self.number == 0 and len(self.taken) == 1:
            line = line.removeprefix(BOM)
        # Bytes that are no UTF-8 survive as lone surrogates.
        return line.decode("utf-8", errors="surrogateescape")

    @property
    def first(self) -> bytes:
        return self.taken[0]

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after the first line of the record at hand."""
        return len(self.taken) == 1 and not self._again

    def accept(self) -> None:
        self.number += len(self.taken)
        self.taken.clear()

    def reject(self) -> bytes:
        """The first line of the record, which is done with; the others are to be read again."""
        raw, *rest = self.taken
        self._again.extendleft(reversed(rest))
        self.number += 1
        self.taken.clear()
        return raw.rstrip(b"\r\n")
