"""The beginning of a file, as recognition sees it: never more than 64 kB of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

SAMPLE_BYTES = 64 * 1024
SAMPLE_LINES = 50
FEW_LINES = 4
"""Nearly always these say enough, in a fraction of the time: directories hold thousands of files."""

# Texts whole, so that one that is cut leaves its opening mark alone.
_TEXT_OR_MARK = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\],]', re.DOTALL)

Shape = Literal["jsonl", "array", "document", "csv", "parquet", "unknown"]
"""How a file is written. jsonl: a JSON object a line. array: one JSON array of objects. document: JSON
objects one after the other, over as many lines as they like. csv: names in the first line, then records, with
commas, semicolons or tabs."""

JSON: tuple[Shape, ...] = ("jsonl", "array", "document")
"""What an export may be, whose vendor gives JSON: people keep it as it came, or put it on lines."""

DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Sample:
    """``objects`` are the first JSON objects of a file; ``names`` a CSV header's or a Parquet schema's column
    names."""

    shape: Shape
    objects: tuple[Mapping[str, Any], ...] = ()
    names: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether these are pages of an API without anything on them, or with buckets without results."""
        return bool(self.objects) and all(_is_empty_page(each) for each in self.objects)


def of_text(head: bytes, most: int = SAMPLE_LINES) -> Sample:
    """The sample of a file that begins with ``head`` (decompressed, at most :data:`SAMPLE_BYTES`). Of lines
    the first ``most`` are looked at, more only where none of these is an object."""
    head, is_cut = head.removeprefix(b"\xef\xbb\xbf"), len(head) >= SAMPLE_BYTES
    if objects := _first_lines(head, most):
        return Sample("jsonl", objects=objects)
    text = head.decode("utf-8", errors="replace")
    if objects := _elements(text, is_cut):
        return Sample("array", objects=objects)
    if objects := _documents(text, is_cut):
        return Sample("document", objects=objects)
    lines = text.split("\n")  # not at the other line ends of Unicode, which JSON texts may hold
    if len(lines) > most and (objects := _objects(lines[:most])):
        return Sample("jsonl", objects=objects)
    if is_cut:
        lines[-1] = _closed(lines[-1])
    if objects := _objects(lines[:SAMPLE_LINES]):
        return Sample("jsonl", objects=objects)
    first = next((line for line in lines if line.strip()), "")
    names = header(first)
    if len(names) > 1 and not first.lstrip().startswith(("{", "[")):
        return Sample("csv", names=names)
    return Sample("unknown")


def _is_empty_page(value: Mapping[str, Any]) -> bool:
    data = value.get("data")
    return isinstance(data, list) and all(
        isinstance(each, dict) and each.get("results") == [] for each in data
    )


def header(line: str) -> tuple[str, ...]:
    """The column names of a CSV file's first line."""
    return tuple(name.strip() for name in _record(line, delimiter(line)))


def delimiter(line: str) -> str:
    """What stands between the names of a CSV file's first line: what makes most of them."""
    return max(DELIMITERS, key=lambda each: len(_record(line, each)))


def _record(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error:  # a carriage return in the middle: a log of a progress bar, say
        return []


def _parsed(text: str) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _objects(lines: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    """The JSON objects among ``lines``."""
    return tuple(value for line in lines if isinstance(value := _parsed(line), dict))


def _first_lines(head: bytes, most: int) -> tuple[Mapping[str, Any], ...]:
    """The objects among the first ``most`` lines of a text that has more, where the first line is one: then
    no array or document begins here, and the rest need not be decoded."""
    lines = head.split(b"\n", most)
    if len(lines) <= most:
        return ()
    values = [_parsed(line.decode("utf-8", errors="replace")) for line in lines[:-1]]
    return tuple(each for each in values if isinstance(each, dict)) if isinstance(values[0], dict) else ()


def _elements(text: str, is_cut: bool) -> tuple[Mapping[str, Any], ...]:
    """The first objects of a text that is one JSON array."""
    if not text.lstrip().startswith("["):
        return ()
    value = _parsed(text) or (_parsed(_closed(text)) if is_cut or _begins_a_document(text) else None)
    if not isinstance(value, list):
        return ()
    return tuple(each for each in value[:SAMPLE_LINES] if isinstance(each, dict))


def _begins_a_document(text: str) -> bool:
    """Whether the first line only opens something. Then what cannot be parsed was cut off."""
    return text.lstrip().partition("\n")[0].strip() in ("{", "[")


def _documents(text: str, is_cut: bool) -> tuple[Mapping[str, Any], ...]:
    """The first objects of a text of JSON objects, the first of which takes more than one line."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest or isinstance(_parsed(first), dict):
        return ()
    objects: list[Mapping[str, Any]] = []
    decoder = json.JSONDecoder()
    rest = text.lstrip()
    while rest and len(objects) < SAMPLE_LINES:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            may_go_on = is_cut or _begins_a_document(rest)
            value, end = _parsed(_closed(rest)) if may_go_on else None, len(rest)
        if not isinstance(value, dict):
            break
        objects.append(value)
        rest = rest[end:].lstrip()
    return tuple(objects)


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
