"""No value at any place of a line stops an ingest, or keeps the other lines of its file out."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import HERE, Ingest

ODD = [
    None, True, False, 0, -1, 1.5, 1e300, -1e300, 10**12, 10**12 + 1, 2**63 - 1, -(2**63), 2**64, 10**40,
    "", " ", "ten", "1", "-9223372036854775808", "nan", "infinity", "0x1F", "\u0000", "\U0001f600", "{", "[1",
    "}", "'", '"', "2026-02-30", "99999-01-01T00:00:00", "9223372036854775807", [], [1], [[]], [None], ["x"],
    {}, {"a": None}, {"a": {"b": [1]}}, {"type": "compaction"}, [{"type": "compaction"}],
    [{"type": "advisor_message"}, 5],
    "[{\"type\": \"compaction\"", "advisor_message",
]  # fmt: skip

EXAMPLES = {
    "call_log": ("book_names.jsonl", "our_names.jsonl"),
    "claude_code": ("sessions/-work-shop/11111111-1111-4111-8111-111111111111.jsonl",),
    "anthropic_messages": ("responses.jsonl",),
    "anthropic_batch": ("results.jsonl",),
    "openai": ("answers.jsonl",),
    "openai_batch": ("output.jsonl",),
}


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


@pytest.mark.parametrize("folder", EXAMPLES)
def test_an_odd_value_anywhere_stops_nothing(tmp_path: Path, held: Ingest, folder: str) -> None:
    good: list[Any] = []
    for name in EXAMPLES[folder]:
        good += [json.loads(line) for line in (HERE / folder / name).read_text().splitlines()]
    odd = [changed(line, path, value) for line in good for path in places(line) for value in ODD]
    (tmp_path / "good.jsonl").write_text("".join(json.dumps(line) + "\n" for line in good))
    (tmp_path / "odd.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*good, *odd]))
    alone = held(tmp_path / "good.jsonl", time="2026-01-01T00:00:00Z")
    among = held(tmp_path / "odd.jsonl", time="2026-01-01T00:00:00Z")
    assert {call["call_key"] for call in alone.calls} <= {call["call_key"] for call in among.calls}
    # Each fault is named by its field, and no line that is JSON is called anything else.
    assert all(": " in reason for _, reason in among.rejects), {reason for _, reason in among.rejects}
