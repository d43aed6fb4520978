"""Anthropic's own answers: Messages responses, one a line, bare or wrapped; and batch result files.

A Messages response states no time: the wrapper has to, or ``--time``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats import anthropic, wrapper
from costctl.formats.fields import Field, first_of, model, moment
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import either, struct

_TIME = first_of("timestamp", "given_time")


def _is_message(value: Any) -> bool:
    # The counts may stand behind a text that is longer than the sample.
    return (
        isinstance(value, Mapping)
        and value.get("type") == "message"
        and (value.get("role") == "assistant" or isinstance(value.get("usage"), Mapping))
    )


def _claims(sample: Sample) -> str:
    if any(_is_message(wrapper.wrapped(line)) for line in sample.objects):
        return "is a message of an assistant's"
    return ""


def _usage(part: str) -> str:
    return either(f"usage.{part}")


_ID, _MODEL = either("id"), either("model")

FORMAT = Format(
    name="anthropic-messages",
    title="Anthropic Messages responses, one a line, bare or wrapped with a timestamp and labels",
    shapes=JSON,
    claims=_claims,
    raw={**anthropic.MESSAGE, "response": struct(anthropic.MESSAGE), **wrapper.LABELS},
    calls=anthropic.billed(_usage),
    fields=(
        moment(_TIME, said="timestamp"),
        model(_MODEL),
        Field("provider", f"coalesce(nullif(provider, ''), {anthropic.provider(_ID, _MODEL)})"),
        *wrapper.fields(),
        *anthropic.usage_fields(_usage),
    ),
    columns={**anthropic.USAGE_COLUMNS, "billing": "'metered'", "success": wrapper.SUCCESS},
    faults=(anthropic.FURTHER_FAULT,),
    id=response_id(_ID, "anthropic"),
    content=(_MODEL, *anthropic.content(_usage), *wrapper.CONTENT),
    repeats=True,
    extra=anthropic.further_calls(_usage),
    further=anthropic.FURTHER,
)


def _batch_claims(sample: Sample) -> str:
    for line in sample.objects:
        result = line.get("result")
        if "custom_id" in line and isinstance(result, Mapping) and "type" in result:
            return "has custom_id and result.type"
    return ""


def _of_result(part: str) -> str:
    return f"result.message.usage.{part}"


_RESULT_ID, _RESULT_MODEL = "result.message.id", "result.message.model"

BATCH = Format(
    name="anthropic-batch",
    title="result files of Anthropic's Message Batches (batch price)",
    shapes=JSON,
    claims=_batch_claims,
    raw={
        "custom_id": "VARCHAR",
        "result": struct({"type": "VARCHAR", "message": struct(anthropic.MESSAGE)}),
        **wrapper.LABELS,
    },
    # Only what succeeded is billed.
    calls="coalesce(result.type = 'succeeded', FALSE)",
    fields=(
        moment(_TIME, said="timestamp"),
        model(_RESULT_MODEL),
        Field("provider", f"coalesce(nullif(provider, ''), {anthropic.provider(_RESULT_ID, _RESULT_MODEL)})"),
        *wrapper.fields(),
        *anthropic.usage_fields(_of_result),
    ),
    # Older files say service_tier "standard": the file itself says that it was a batch.
    columns={
        **anthropic.USAGE_COLUMNS,
        "mode": "'batch'",
        "billing": "'metered'",
        "success": wrapper.SUCCESS,
    },
    faults=(anthropic.FURTHER_FAULT,),
    id=response_id(_RESULT_ID, "anthropic"),
    content=("custom_id", _RESULT_MODEL, *anthropic.content(_of_result), *wrapper.CONTENT),
    repeats=True,
    extra=anthropic.further_calls(_of_result),
    further=anthropic.FURTHER,
)

FORMATS = (FORMAT, BATCH)
