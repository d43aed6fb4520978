"""No value at any place of a line stops an ingest, or keeps the other lines of its file out."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import EXAMPLES, Ingest, example_of, expected, folder_of

from costctl.formats import FORMATS

pytestmark = pytest.mark.heavy  # some hundred thousand records

ODD = [
    None, True, False, 0, -1, 1.5, 1e300, -1e300, 10**12, 10**12 + 1, 2**63 - 1, -(2**63), 2**64, 10**40,
    "", " ", "ten", "1", "-9223372036854775808", "nan", "infinity", "0x1F", "\u0000", "\U0001f600", "{", "[1",
    "}", "'", '"', "2026-02-30", "99999-01-01T00:00:00", "9223372036854775807", [], [1], [[]], [None], ["x"],
    {}, {"a": None}, {"a": {"b": [1]}}, {"type": "compaction"}, [{"type": "compaction"}],
    [{"type": "advisor_message"}, 5],
    "[{\"type\": \"compaction\"", "advisor_message",
]  # fmt: skip


def json_objects(path: Path) -> list[Any]:
    """The objects of a file in JSON, of any shape; none of another file, or of a directory."""
    if path.suffix not in (".jsonl", ".json"):
        return []
    text = path.read_text(encoding="utf-8").strip()
    if text.startswith("["):
        return list(json.loads(text))
    decoder, objects = json.JSONDecoder(), []
    while text:
        value, end = decoder.raw_decode(text)
        objects.append(value)
        text = text[end:].lstrip()
    return objects


def files_of(example: Path) -> list[Path]:
    """The file that an example is, or those in it."""
    return sorted(example.rglob("*.json*")) if example.is_dir() else [example]


SOUND = [
    path
    for path in EXAMPLES
    if not expected(path).rejects and any(json_objects(file) for file in files_of(example_of(path)))
]

IN_CONTEXT = {"codex", "gemini_cli", "otlp", "otel_sdk"}
"""Formats in which what one line says decides what another one is worth."""


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every part of a JSON value below itself."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from places(part, (*path, name))


def changed(line: Any, path: tuple[str | int, ...], value: Any) -> Any:
    line = copy.deepcopy(line)
    parent = line
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return line


@pytest.mark.parametrize("path", SOUND, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_an_odd_value_anywhere_stops_nothing(tmp_path: Path, held: Ingest, path: Path) -> None:
    (format,) = (name for name in FORMATS if folder_of(name) == path.parent.name)
    given = {**expected(path).given, "time": "2026-01-01T00:00:00Z", "format": format}
    good = [each for file in files_of(example_of(path)) for each in json_objects(file)]
    odd = [changed(line, place, value) for line in good for place in places(line) for value in ODD]
    (tmp_path / "good.jsonl").write_text("".join(json.dumps(line) + "\n" for line in good))
    (tmp_path / "odd.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*good, *odd]))
    alone = held(tmp_path / "good.jsonl", **given)
    among = held(tmp_path / "odd.jsonl", **given)
    if path.parent.name not in IN_CONTEXT:
        assert {call["call_key"] for call in alone.calls} <= {call["call_key"] for call in among.calls}
    assert alone.calls or alone.charges
    # Each fault is named by its field, and no line that is JSON is called anything else.
    assert all(": " in reason for _, reason in among.rejects), {reason for _, reason in among.rejects}
