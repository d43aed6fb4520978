"""JSON that is not on lines, and CSV without commas: the same calls."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import HERE, Expected, Ingest, compare, expected
from tests.program import Costctl

from costctl.formats import SAMPLE_BYTES, of_text

ANSWERS = [json.loads(line) for line in (HERE / "openai" / "answers.jsonl").read_text().splitlines()]
WHAT = expected(HERE / "openai" / "answers.expected.json")


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("array", json.dumps(ANSWERS)),
        ("array", json.dumps(ANSWERS, indent=2)),
        ("array", "[\n" + ",\n".join(json.dumps(answer) for answer in ANSWERS) + "\n]\n"),
        ("document", "\n".join(json.dumps(answer, indent=2) for answer in ANSWERS)),
        ("document", "\ufeff\n" + "\n".join(json.dumps(answer, indent=2) for answer in ANSWERS)),
        ("jsonl", "\n".join(json.dumps(answer) for answer in ANSWERS)),
    ],
)
def test_answers_in_any_shape_of_json_are_the_same_calls(
    tmp_path: Path, held: Ingest, shape: str, text: str
) -> None:
    assert of_text(text.encode()).shape == shape
    (tmp_path / "answers.json").write_text(text, encoding="utf-8")
    (tmp_path / "answers.json.gz").write_bytes(gzip.compress(text.encode()))
    compare(held(tmp_path / "answers.json", **WHAT.given), WHAT)
    # Its packed copy adds nothing to them.
    assert held(tmp_path / "answers.json.gz", **WHAT.given).calls == held(tmp_path / "answers.json").calls


def test_of_a_document_longer_than_the_sample_the_beginning_tells() -> None:
    answer = {**ANSWERS[0], "choices": [{"message": {"content": "x" * 300}}] * 1000}
    for text, shape in (
        (json.dumps([answer], indent=1), "array"),
        (json.dumps(answer, indent=1), "document"),
    ):
        sample = of_text(text.encode()[:SAMPLE_BYTES])
        assert sample.shape == shape
        assert sample.objects[0]["object"] == ANSWERS[0]["object"]


def test_a_bad_record_of_a_document_is_named_by_its_place(tmp_path: Path, held: Ingest) -> None:
    bad: dict[str, Any] = {**ANSWERS[0], "id": "chatcmpl-bad", "usage": {"prompt_tokens": 1.5}}
    (tmp_path / "answers.json").write_text(json.dumps([*ANSWERS, bad], indent=1))
    found = held(tmp_path / "answers.json", **WHAT.given)
    compare(
        found,
        Expected(
            WHAT.calls,
            [*WHAT.rejects, [len(ANSWERS) + 1, "prompt_tokens or input_tokens: not a whole number"]],
        ),
    )


def test_a_document_that_is_cut_is_an_error_that_names_it(tmp_path: Path, costctl: Costctl) -> None:
    text = json.dumps(ANSWERS, indent=1)
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "cut.json").write_text(text[: len(text) // 2])
    (folder / "whole.json").write_text(text)
    run = costctl("ingest", folder, "--format", "json")
    assert run.code == 1
    note, *_ = run.json["notes"]
    assert note.startswith(f"not read: {folder / 'cut.json'}: ")
    assert run.json["rows_new"] == len(WHAT.calls)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_may_have_semicolons_or_tabs(tmp_path: Path, held: Ingest, delimiter: str) -> None:
    rows = [
        ("timestamp", "model", "input_tokens", "output_tokens", "team"),
        ("2026-01-01T00:00:00Z", "gpt-4o", "10", "2", "a,b"),
    ]
    (tmp_path / "calls.csv").write_text("".join(delimiter.join(row) + "\n" for row in rows))
    (call,) = held(tmp_path / "calls.csv").calls
    assert (call["team"], call["input_tokens"]) == ("a,b", 10)
