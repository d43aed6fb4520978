"""Recognition reads the beginning of a file and never guesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import HERE, folder_of
from tests.formats.test_odd_values import changed, places

from costctl.formats import FORMATS, SAMPLE_BYTES, AmbiguousFile, of_text, recognise
from costctl.formats.sample import Sample

FOLDERS = {folder_of(name): name for name in FORMATS}
FILES = sorted(
    path
    for ending in ("jsonl", "json", "csv", "tsv")
    for path in HERE.glob(f"*/**/*.{ending}")
    if not path.name.endswith(".expected.json")
)


def claims(sample: Sample) -> set[str]:
    """The formats that claim a sample."""
    return {each.name for each in FORMATS.values() if sample.shape in each.shapes and each.claims(sample)}


def lines(*objects: Any) -> Sample:
    return of_text("\n".join(json.dumps(each) for each in objects).encode())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_every_example_is_claimed_by_its_own_format_alone(path: Path) -> None:
    sample = of_text(path.read_bytes()[:SAMPLE_BYTES])
    assert claims(sample) == {FOLDERS[path.relative_to(HERE).parts[0]]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_every_line_of_every_example_is_claimed_by_one_format_at_most(path: Path) -> None:
    for line in path.read_bytes().splitlines():
        assert len(claims(of_text(line))) <= 1, line


@pytest.mark.parametrize("odd", [None, True, 5, "x", [], [5], {}, {"a": []}], ids=json.dumps)
def test_a_value_of_another_kind_stops_no_recognition(odd: Any) -> None:
    for path in FILES:
        for line in of_text(path.read_bytes()[:SAMPLE_BYTES]).objects:
            for place in places(line):
                if len(place) <= 3:
                    claims(Sample("jsonl", objects=(changed(line, place, odd),)))


CALL = {"timestamp": "2026-01-01T00:00:00Z", "model": "m", "input_tokens": 1, "output_tokens": 1}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": {"input_tokens": 1}}
ANSWER = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": None}


def test_two_claims_are_an_error_that_names_both() -> None:
    with pytest.raises(AmbiguousFile, match=r"costctl .*has timestamp.* and openai .*chat\.completion"):
        recognise(lines(CALL, ANSWER))


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("an event of a stream", {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}),
        ("a page of another kind", {"object": "page", "data": [{"id": "b", "results": []}]}),
        ("a gateway's log of answers", {"trace_id": "t", "ai_org": "openai", "response": ANSWER}),
        ("a call without tokens", {"timestamp": "2026-01-01", "model": "m"}),
        ("a file of anything", {"name": "x", "value": 1}),
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_claimed_by_none(kind: str, line: dict[str, Any]) -> None:
    assert recognise(lines(line)) is None, kind


def test_first_lines_that_say_nothing_do_not_decide() -> None:
    empty = [{"type": "file-history-snapshot", "messageId": "m"}] * 10
    found = recognise(lines(*empty, {"type": "user", "sessionId": "s", "uuid": "u", "message": {}}))
    assert found is not None
    assert found[0].name == "claude-code"


@pytest.mark.parametrize(
    ("answer", "format"),
    [
        ({**MESSAGE, "content": [{"type": "text", "text": 'a "b" {c' * 20_000}]}, "anthropic-messages"),
        ({**ANSWER, "choices": [{"message": {"content": "\\" * 200_000}}]}, "openai"),
        ({"timestamp": "2026-01-01T00:00:00Z", "response": {**ANSWER, "x": ["y"] * 40_000}}, "openai"),
        ({**ANSWER, "x": [[[]]] * 40_000}, "openai"),
    ],
)
def test_one_line_longer_than_the_sample_is_recognised(answer: dict[str, Any], format: str) -> None:
    ordered = {key: answer[key] for key in sorted(answer, key=lambda key: key in ("usage", "choices"))}
    text = json.dumps(ordered).encode()
    assert len(text) > 2 * SAMPLE_BYTES
    found = recognise(of_text(text[:SAMPLE_BYTES]))
    assert found is not None
    assert found[0].name == format


def test_a_line_end_of_unicode_inside_a_text_ends_no_line() -> None:
    line = json.dumps({**CALL, "team": "a\u2028b\x85c"}, ensure_ascii=False)
    assert claims(of_text(line.encode())) == {"costctl"}


def test_byte_order_mark_and_carriage_returns_do_not_matter() -> None:
    text = "timestamp,model,input_tokens,output_tokens\r\n2026-01-01T00:00:00Z,m,1,1\r\n"
    assert claims(of_text(text.encode("utf-8-sig"))) == {"costctl"}
    assert claims(of_text((json.dumps(CALL) + "\r\n").encode("utf-8-sig"))) == {"costctl"}


def test_a_carriage_return_in_a_first_line_stops_nothing() -> None:
    assert claims(of_text(b"10 %\r20 %\rdone, all\r")) == set()
    assert claims(of_text(b"timestamp,model,input_tokens\r2026-01-01,m,1\r")) == set()


def test_of_a_page_whose_first_night_was_quiet_the_empty_buckets_tell() -> None:
    bucket = {"starting_at": "2026-01-01T00:00:00Z", "ending_at": "2026-01-01T00:01:00Z", "results": []}
    page = json.dumps({"data": [bucket] * 1440})
    assert len(page) > SAMPLE_BYTES
    assert claims(of_text(page.encode()[:SAMPLE_BYTES])) == {"anthropic-usage"}


def test_a_parquet_file_is_known_by_its_columns() -> None:
    assert claims(Sample("parquet", names=("ts", "model", "input_tokens", "output_tokens"))) == {"costctl"}
    assert claims(Sample("parquet", names=("ts", "model"))) == set()
