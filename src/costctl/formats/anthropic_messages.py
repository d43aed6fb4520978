"""Anthropic's own answers: Messages responses, one a line, bare or wrapped; and batch result files.

A Messages response states no time: the wrapper has to, or ``--time``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats import anthropic, wrapper
from costctl.formats.fields import Field, first_of, moment, text
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import Sample
from costctl.formats.wrapper import either, struct


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.get("type") == "message"
        and isinstance(value.get("usage"), Mapping)
    )


def _claims(sample: Sample) -> str:
    if any(_is_message(line.get("response", line)) for line in sample.objects):
        return 'has type "message" and usage'
    return ""


def _usage(part: str) -> str:
    return either(f"usage.{part}")


_UNREADABLE = "(timestamp IS NULL AND id IS NULL AND type IS NULL AND usage IS NULL AND response IS NULL)"
_BILLED = f"coalesce({_usage('input_tokens')}, {_usage('output_tokens')}) IS NOT NULL"

FORMAT = Format(
    name="anthropic-messages",
    title="Anthropic Messages responses, one a line, bare or wrapped with a timestamp and labels",
    shapes=("jsonl",),
    claims=_claims,
    raw={**anthropic.MESSAGE, "response": struct(anthropic.MESSAGE), **wrapper.LABELS},
    calls=f"{_UNREADABLE} OR {_BILLED}",
    fields=(
        Field("unreadable", "TRUE", ((_UNREADABLE, "unreadable"),)),
        moment("ts", first_of("timestamp", "given_time"), said="timestamp"),
        text("model", either("model"), required=True),
        Field("provider", f"coalesce(provider, {anthropic.provider(either('id'), either('model'))})"),
        *wrapper.fields(),
        *anthropic.usage_fields(_usage),
    ),
    columns={**anthropic.USAGE_COLUMNS, "billing": "'metered'"},
    id=response_id(either("id"), "anthropic"),
    content=("timestamp", either("model"), _usage("input_tokens"), _usage("output_tokens"),
             _usage("cache_read_input_tokens"), _usage("cache_creation_input_tokens"), "user_id", '"user"'),
    repeats=True,
    extra=anthropic.further_calls(_usage),
    further=anthropic.FURTHER,
)  # fmt: skip


def _batch_claims(sample: Sample) -> str:
    for line in sample.objects:
        result = line.get("result")
        if "custom_id" in line and isinstance(result, Mapping) and "type" in result:
            return "has custom_id and result.type"
    return ""


def _of_result(part: str) -> str:
    return f"result.message.usage.{part}"


_NO_RESULT = "(custom_id IS NULL AND result IS NULL)"

BATCH = Format(
    name="anthropic-batch",
    title="result files of Anthropic's Message Batches (batch price)",
    shapes=("jsonl",),
    claims=_batch_claims,
    raw={
        "custom_id": "VARCHAR",
        "result": struct({"type": "VARCHAR", "message": struct(anthropic.MESSAGE)}),
        **wrapper.LABELS,
    },
    # Only what succeeded is billed.
    calls=f"{_NO_RESULT} OR result.type = 'succeeded'",
    fields=(
        Field("unreadable", "TRUE", ((_NO_RESULT, "unreadable"),)),
        moment("ts", first_of("timestamp", "given_time"), said="timestamp"),
        text("model", "result.message.model", required=True),
        Field("provider", anthropic.provider("result.message.id", "result.message.model")),
        *wrapper.fields(),
        *anthropic.usage_fields(_of_result),
    ),
    # Older files say service_tier "standard": the file itself says that it was a batch.
    columns={**anthropic.USAGE_COLUMNS, "mode": "'batch'", "billing": "'metered'"},
    id=response_id("result.message.id", "anthropic"),
    content=(
        "custom_id",
        "timestamp",
        "result.message.model",
        _of_result("input_tokens"),
        _of_result("output_tokens"),
    ),
)
