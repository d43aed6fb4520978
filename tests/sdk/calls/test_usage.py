"""What is read of a vendor's answer, against what the formats' tests say by hand of the same answers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from costctl.sdk.usage import UNKNOWN_COUNTS, UNREPORTED, UsageError, answer_of, counts_of

FORMATS = Path(__file__).parents[2] / "formats"
NUMBERS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)


def told(format: str, name: str) -> list[Any]:
    """Each answer of a file of examples, with the calls that its expected file lists under its id."""
    directory = FORMATS / format
    expected: dict[str, dict[str, Any]] = {}
    for call in json.loads((directory / f"{name}.expected.json").read_text("utf-8"))["calls"]:
        expected[call["id"].partition(":")[2]] = call
    found = []
    for line in (directory / f"{name}.jsonl").read_text("utf-8").splitlines():
        document = json.loads(line)
        answer = document.get("response", document)
        if answer.get("id") in expected and (answer.get("usage") or answer.get("x_groq")):
            own = {id: call for id, call in expected.items() if id.partition(":")[0] == answer["id"]}
            found.append(pytest.param(answer, own, id=f"{format}-{answer['id']}"))
    return found


def as_object(value: Any) -> Any:
    """As an SDK gives it: attributes, which lists and mappings have not."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(part) for name, part in value.items()})
    return [as_object(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        *told("anthropic_messages", "responses"),
        *told("openai", "answers"),
        *told("openai", "vendors"),
    ],
)
@pytest.mark.parametrize("kind", [dict, as_object])
def test_an_answer_is_read_as_ingest_reads_it(said: Any, expected: dict[str, Any], kind: Any) -> None:
    answer = answer_of(kind(said))
    assert {f"{answer.id}{call.suffix}" for call in answer.calls} == set(expected)
    for call in answer.calls:
        wanted = expected[f"{answer.id}{call.suffix}"]
        counts = call.counts
        assert {name: getattr(counts, name) for name in NUMBERS} == {
            name: wanted.get(name) or 0 for name in NUMBERS
        }
        assert counts.other_units == wanted.get("other_units", {})
        assert (call.model, counts.mode, counts.region) == (
            wanted["model"],
            wanted["mode"],
            wanted.get("region"),
        )
        # Where an answer's own word is missing, the wrapper of a client or the caller has another.
        assert answer.provider in (None, wanted.get("provider"))


def test_the_examples_are_there() -> None:
    assert len(told("anthropic_messages", "responses")) == 5
    assert len(told("openai", "answers")) == 6
    assert len(told("openai", "vendors")) == 11


def test_a_failed_response_says_why() -> None:
    failed = {"id": "resp_1", "object": "response", "status": "failed", "error": {"code": "server_error"}}
    assert answer_of(failed).error_type == "server_error"
    assert answer_of({"status": "cancelled"}).error_type == "cancelled"
    assert answer_of({"status": "incomplete"}).error_type is None


def test_an_answer_without_usage_is_no_free_call() -> None:
    (call,) = answer_of({"id": "chatcmpl-1", "model": "gpt-4o"}).calls
    assert call.counts == UNKNOWN_COUNTS
    assert call.counts.other_units == {UNREPORTED: 1}


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        ({}, "states no input_tokens and output_tokens"),
        ({"input_tokens": 5}, "states no input_tokens and output_tokens"),
        ({"input_tokens": "5", "output_tokens": 1}, "input_tokens: '5' is no whole number"),
        ({"input_tokens": 5, "output_tokens": -1}, "output_tokens: -1 is negative"),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}}, "cached_tokens: more than"),
        ({"prompt_tokens": 5, "completion_tokens_details": {"audio_tokens": 6}}, "audio_tokens: more than"),
    ],
)
def test_counts_that_no_call_can_have(usage: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        counts_of(usage)
