"""The beginning of a file, as recognition sees it: never more than 64 kB of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SAMPLE_BYTES = 64 * 1024
SAMPLE_LINES = 50

Shape = Literal["jsonl", "csv", "parquet", "unknown"]


@dataclass(frozen=True, slots=True)
class Sample:
    """``objects`` are the JSON objects among a JSONL file's first lines; ``names`` a CSV header's or a Parquet
    schema's column names."""

    shape: Shape
    objects: tuple[Mapping[str, Any], ...] = ()
    names: tuple[str, ...] = ()


def of_text(head: bytes) -> Sample:
    """The sample of a file that begins with ``head`` (decompressed, at most :data:`SAMPLE_BYTES`)."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    lines = text.splitlines()
    if len(head) >= SAMPLE_BYTES and len(lines) > 1:
        lines.pop()  # the cut one
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
