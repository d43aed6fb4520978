"""OpenAI's own answers: Chat Completions and Responses objects, one a line, bare or wrapped; batch outputs.

Facts: openai-openapi (CreateChatCompletionResponse, Response), openai-python. prompt_tokens and input_tokens
INCLUDE cached, cache-write and audio tokens; completion_tokens and output_tokens include reasoning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costctl.formats import wrapper
from costctl.formats.fields import Field, count, text
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import Sample
from costctl.formats.wrapper import either, struct

_OBJECTS = ("chat.completion", "chat.completion.chunk", "response")

_INPUT_DETAILS = struct(dict.fromkeys(("cached_tokens", "cache_write_tokens", "audio_tokens"), "VARCHAR"))
_OUTPUT_DETAILS = struct(dict.fromkeys(("reasoning_tokens", "audio_tokens"), "VARCHAR"))
_USAGE = struct(
    {
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"), "VARCHAR"),
        "prompt_tokens_details": _INPUT_DETAILS,
        "input_tokens_details": _INPUT_DETAILS,
        "completion_tokens_details": _OUTPUT_DETAILS,
        "output_tokens_details": _OUTPUT_DETAILS,
    }
)
ANSWER = {
    **dict.fromkeys(("id", "object", "created", "created_at", "model", "service_tier", "output"), "VARCHAR"),
    "usage": _USAGE,
}


def _is_answer(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("object") in _OBJECTS


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        answer = line.get("response", line)
        if _is_answer(answer):
            return f'has object "{answer["object"]}"'
    return ""


def _fields(part: Callable[[str], str], time: str) -> tuple[Field, ...]:
    """``part`` gives SQL for a part of the answer by its path; ``time`` is SQL for a stated time, or NULL."""

    def usage(chat: str, responses: str) -> str:
        return f"coalesce({part('usage.' + chat)}, {part('usage.' + responses)})"

    seconds = f"coalesce({part('created')}, {part('created_at')})"
    stated = f"make_timestamp(epoch_us(TRY_CAST({time} AS TIMESTAMPTZ)))"
    created = f"make_timestamp(CAST(floor(TRY_CAST({seconds} AS DOUBLE)) AS BIGINT) * 1000000)"
    moment = f"coalesce({stated}, {created}, make_timestamp(epoch_us(TRY_CAST(given_time AS TIMESTAMPTZ))))"
    searches = f'from_json({part("output")}, \'[{{"type": "VARCHAR"}}]\')'
    return (
        Field(
            "ts",
            moment,
            (
                (f"coalesce({time}, {seconds}, given_time) IS NULL", "created: missing"),
                (f"{moment} IS NULL OR ({time} IS NOT NULL AND {stated} IS NULL)", "created: not a time"),
                (
                    f"{moment} < TIMESTAMP '2000-01-01' OR {moment} >= TIMESTAMP '2100-01-01'",
                    "created: before 2000 or after 2099",
                ),
            ),
        ),
        text("model", part("model"), required=True),
        Field("service_tier", part("service_tier")),
        count("prompt", usage("prompt_tokens", "input_tokens"), said="prompt_tokens", required=True),
        # An embedding has no output.
        count("completion", usage("completion_tokens", "output_tokens"), said="completion_tokens"),
        count("cached", usage("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens"),
              said="cached_tokens"),
        count("written", usage("prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens"),
              said="cache_write_tokens"),
        count("audio_in", usage("prompt_tokens_details.audio_tokens", "input_tokens_details.audio_tokens"),
              said="audio_tokens"),
        count("audio_out", usage("completion_tokens_details.audio_tokens", "output_tokens_details.audio_tokens"),
              said="audio_tokens"),
        count("reasoning_tokens", usage("completion_tokens_details.reasoning_tokens",
                                        "output_tokens_details.reasoning_tokens")),
        Field(
            "web_searches",
            f"CASE WHEN contains({part('output')}, 'web_search_call') THEN "
            f"CAST(len(list_filter({searches}, lambda each: each.type = 'web_search_call')) AS BIGINT) END",
        ),
        *wrapper.fields(),
    )  # fmt: skip


_PAIRS = (
    ("input_audio_tokens", "f_audio_in"),
    ("output_audio_tokens", "f_audio_out"),
    ("web_search_requests", "f_web_searches"),
)
_UNITS = ", ".join(
    f"CASE WHEN {sql} > 0 THEN {{'key': '{name}', 'value': {sql}}} END" for name, sql in _PAIRS
)
_COLUMNS = {
    "input_tokens": "f_prompt - coalesce(f_cached, 0) - coalesce(f_written, 0) - coalesce(f_audio_in, 0)",
    "cache_read_tokens": "f_cached",
    "cache_write_5m_tokens": "f_written",
    "output_tokens": "coalesce(f_completion, 0) - coalesce(f_audio_out, 0)",
    "other_units": f"CASE WHEN coalesce(f_audio_in, 0) + coalesce(f_audio_out, 0) + coalesce(f_web_searches, 0) > 0 "
    f"THEN map_from_entries(list_filter([{_UNITS}], lambda each: each IS NOT NULL)) END",
    # The tier that served the call.
    "mode": "CASE WHEN coalesce(f_service_tier, '') IN ('', 'auto', 'default') THEN 'standard' ELSE f_service_tier END",
    "billing": "'metered'",
}
_FAULTS = (
    (
        "coalesce(f_cached, 0) + coalesce(f_written, 0) + coalesce(f_audio_in, 0) > f_prompt",
        "cached_tokens: more than prompt_tokens",
    ),
    ("coalesce(f_audio_out, 0) > coalesce(f_completion, 0)", "audio_tokens: more than completion_tokens"),
    ("f_reasoning_tokens > coalesce(f_completion, 0)", "reasoning_tokens: more than completion_tokens"),
)
_UNREADABLE = "(id IS NULL AND object IS NULL AND timestamp IS NULL AND response IS NULL)"
_TIME = "nullif(timestamp, '')"

FORMAT = Format(
    name="openai",
    title="OpenAI Chat Completions and Responses objects, one a line, bare or wrapped with labels",
    shapes=("jsonl",),
    claims=_claims,
    raw={**ANSWER, "response": struct(ANSWER), **wrapper.LABELS},
    calls=f"{_UNREADABLE} OR coalesce({either('usage.prompt_tokens')}, {either('usage.input_tokens')}) IS NOT NULL",
    fields=(
        Field("unreadable", "TRUE", ((_UNREADABLE, "unreadable"),)),
        *_fields(either, _TIME),
        Field("provider", "coalesce(nullif(provider, ''), 'openai')"),
    ),
    columns=_COLUMNS,
    faults=_FAULTS,
    id=response_id(either("id"), "openai"),
    content=(either("created"), either("created_at"), "timestamp", either("model"), either("usage.prompt_tokens"),
             either("usage.input_tokens"), either("usage.completion_tokens"), either("usage.output_tokens")),
    repeats=True,
)  # fmt: skip


def _batch_claims(sample: Sample) -> str:
    for line in sample.objects:
        if {"id", "custom_id", "response", "error"} <= line.keys():
            return "has id, custom_id, response and error"
    return ""


def _of_body(path: str) -> str:
    return f"response.body.{path}"


_NO_RESPONSE = "(id IS NULL AND custom_id IS NULL AND response IS NULL)"

BATCH = Format(
    name="openai-batch",
    title="output files of OpenAI's Batch API (batch price)",
    shapes=("jsonl",),
    claims=_batch_claims,
    raw={
        "id": "VARCHAR",
        "custom_id": "VARCHAR",
        "response": struct({"status_code": "VARCHAR", "body": struct(ANSWER)}),
        **wrapper.LABELS,
    },
    calls=f"{_NO_RESPONSE} OR coalesce(response.body.usage.prompt_tokens, response.body.usage.input_tokens) IS NOT NULL",
    fields=(
        Field("unreadable", "TRUE", ((_NO_RESPONSE, "unreadable"),)),
        *_fields(_of_body, _TIME),
        Field("provider", "'openai'"),
    ),
    columns={**_COLUMNS, "mode": "'batch'"},
    faults=_FAULTS,
    id=f"coalesce({response_id('response.body.id', 'openai')}, 'openai:' || nullif(id, ''))",
    content=(
        "custom_id",
        "response.body.created",
        "response.body.model",
        "response.body.usage.prompt_tokens",
    ),
)
