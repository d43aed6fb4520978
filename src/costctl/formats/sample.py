"""The beginning of a file, as recognition sees it: never more than 64 kB of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SAMPLE_BYTES = 64 * 1024
SAMPLE_LINES = 50

# Texts whole, so that one that is cut leaves its opening mark alone.
_TEXT_OR_MARK = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\],]', re.DOTALL)

Shape = Literal["jsonl", "csv", "parquet", "unknown"]


@dataclass(frozen=True, slots=True)
class Sample:
    """``objects`` are the JSON objects among a JSONL file's first lines; ``names`` a CSV header's or a
    Parquet schema's column names."""

    shape: Shape
    objects: tuple[Mapping[str, Any], ...] = ()
    names: tuple[str, ...] = ()


def of_text(head: bytes) -> Sample:
    """The sample of a file that begins with ``head`` (decompressed, at most :data:`SAMPLE_BYTES`)."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    lines = text.split("\n")  # not at the other line ends of Unicode, which JSON texts may hold
    if len(head) >= SAMPLE_BYTES:
        lines[-1] = _closed(lines[-1])
    objects = []
    for line in lines[:SAMPLE_LINES]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            objects.append(value)
    if objects:
        return Sample("jsonl", objects=tuple(objects))
    first = next((line for line in lines if line.strip()), "")
    if "," in first and not first.lstrip().startswith(("{", "[")):
        return Sample("csv", names=header(first))
    return Sample("unknown")


def header(line: str) -> tuple[str, ...]:
    """The column names of a CSV file's first line."""
    return tuple(name.strip() for name in next(csv.reader(io.StringIO(line)), []))


def _closed(line: str) -> str:
    """A JSON text that the sample's end cut, closed after its last whole member: a single answer may be
    longer than the sample, and says early what it is."""
    open_ends: list[str] = []
    end, closing = 0, ""
    for found in _TEXT_OR_MARK.finditer(line):
        mark = found[0]
        if mark in ("{", "["):
            open_ends.append("}" if mark == "{" else "]")
            end, closing = found.end(), "".join(reversed(open_ends))
        elif mark in ("}", "]") and open_ends:
            open_ends.pop()
        elif mark == ",":
            end, closing = found.start(), "".join(reversed(open_ends))
        elif mark == '"':
            break  # the text that was cut
    return line[:end] + closing if open_ends else line
