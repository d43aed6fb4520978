"""OpenAI's own answers: Chat Completions and Responses objects, one a line, bare or wrapped; batch outputs.

Facts: openai-openapi (CreateChatCompletionResponse, Response), openai-python. prompt_tokens and input_tokens
INCLUDE cached, cache-write and audio tokens; completion_tokens and output_tokens include reasoning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from costctl.formats import wrapper
from costctl.formats.fields import Field, count, instant, model, moment, unix
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import either, struct

_OBJECTS = ("chat.completion", "chat.completion.chunk", "response")

_INPUT_DETAILS = struct(dict.fromkeys(("cached_tokens", "cache_write_tokens", "audio_tokens"), "VARCHAR"))
_OUTPUT_DETAILS = struct(dict.fromkeys(("reasoning_tokens", "audio_tokens"), "VARCHAR"))
_USAGE = struct(
    {
        **dict.fromkeys(
            (
                "prompt_tokens",
                "completion_tokens",
                "input_tokens",
                "output_tokens",
                "prompt_cache_hit_tokens",
            ),
            "VARCHAR",
        ),
        "prompt_tokens_details": _INPUT_DETAILS,
        "input_tokens_details": _INPUT_DETAILS,
        "completion_tokens_details": _OUTPUT_DETAILS,
        "output_tokens_details": _OUTPUT_DETAILS,
    }
)
ANSWER = {
    **dict.fromkeys(("id", "object", "created", "created_at", "status", "model", "service_tier"), "VARCHAR"),
    "output": struct({"type": "VARCHAR", "action": struct({"type": "VARCHAR"})}) + "[]",
    "usage": _USAGE,
}

_OWN_MODELS = "^(gpt-|chatgpt-|o[1-9]|codex-|computer-use-|text-embedding-|ft:)"
"""OpenAI's names. Many vendors give answers of the same shape, and none of them says whose it is."""

_Part = Callable[[str], str]
"""Gives SQL for a part of an answer by its path."""


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        answer = wrapper.wrapped(line)
        if isinstance(answer, Mapping) and answer.get("object") in _OBJECTS:
            return f'has object "{answer["object"]}"'
    return ""


def _of_usage(part: _Part, chat: str, responses: str) -> str:
    return f"coalesce({part('usage.' + chat)}, {part('usage.' + responses)})"


def _billed(part: _Part) -> str:
    return f"{_of_usage(part, 'prompt_tokens', 'input_tokens')} IS NOT NULL"


def _created(part: _Part) -> str:
    return f"coalesce({part('created')}, {part('created_at')})"


def _moment(part: _Part) -> Field:
    """The wrapper's time is ISO 8601, the answer's own in seconds since 1970."""
    stated, created = "nullif(timestamp, '')", _created(part)
    value = (
        f"CASE WHEN {stated} IS NOT NULL THEN {instant('timestamp')} "
        f"WHEN {created} IS NOT NULL THEN {unix(created)} ELSE {instant('given_time')} END"
    )
    return moment(f"coalesce({stated}, {created}, given_time)", said="timestamp or created", value=value)


def _fields(part: _Part) -> tuple[Field, ...]:
    def of_input(detail: str) -> str:
        return _of_usage(part, f"prompt_tokens_details.{detail}", f"input_tokens_details.{detail}")

    def of_output(detail: str) -> str:
        return _of_usage(part, f"completion_tokens_details.{detail}", f"output_tokens_details.{detail}")

    named = part("model")
    # DeepSeek's word for what it read from its cache.
    cached = f"coalesce({of_input('cached_tokens')}, {part('usage.prompt_cache_hit_tokens')})"
    # Opening and searching a page that was found are no searches.
    searches = (
        "lambda item: item.type = 'web_search_call' AND coalesce(item.action.type, 'search') = 'search'"
    )
    return (
        _moment(part),
        model(named),
        Field(
            "provider",
            f"coalesce(nullif(provider, ''), "
            f"CASE WHEN regexp_matches({named}, '{_OWN_MODELS}') THEN 'openai' END)",
        ),
        Field("service_tier", part("service_tier")),
        Field("status", part("status")),
        count(
            "prompt",
            _of_usage(part, "prompt_tokens", "input_tokens"),
            said="prompt_tokens or input_tokens",
            required=True,
        ),
        # An embedding has no output.
        count(
            "completion",
            _of_usage(part, "completion_tokens", "output_tokens"),
            said="completion_tokens or output_tokens",
        ),
        count("cached", cached, said="cached_tokens"),
        count("written", of_input("cache_write_tokens"), said="cache_write_tokens"),
        count("audio_in", of_input("audio_tokens"), said="audio_tokens"),
        count("audio_out", of_output("audio_tokens"), said="audio_tokens"),
        count("reasoning_tokens", of_output("reasoning_tokens")),
        Field("web_searches", _number_of(part, searches)),
        Field("file_searches", _number_of(part, "lambda item: item.type = 'file_search_call'")),
        *wrapper.fields(),
    )


def _number_of(part: _Part, which: str) -> str:
    return f"CAST(len(list_filter({part('output')}, {which})) AS BIGINT)"


# How much of the cached part was audio is not said: cached text goes first.
_TEXT_OR_AUDIO = "f_prompt - coalesce(f_cached, 0) - coalesce(f_written, 0)"
_AUDIO = f"least(coalesce(f_audio_in, 0), {_TEXT_OR_AUDIO})"
_PAIRS = (
    ("file_search_requests", "f_file_searches"),
    ("input_audio_tokens", _AUDIO),
    ("output_audio_tokens", "f_audio_out"),
    ("web_search_requests", "f_web_searches"),
)
_UNITS = ", ".join(
    f"CASE WHEN {sql} > 0 THEN {{'key': '{name}', 'value': {sql}}} END" for name, sql in _PAIRS
)
_ANY_UNIT = " OR ".join(f"{sql} > 0" for _, sql in _PAIRS)
_COLUMNS = {
    "input_tokens": f"{_TEXT_OR_AUDIO} - {_AUDIO}",
    "cache_read_tokens": "f_cached",
    "cache_write_5m_tokens": "f_written",
    "output_tokens": "coalesce(f_completion, 0) - coalesce(f_audio_out, 0)",
    "other_units": f"CASE WHEN {_ANY_UNIT} THEN "
    f"map_from_entries(list_filter([{_UNITS}], lambda each: each IS NOT NULL)) END",
    # The tier that served the call.
    "mode": "CASE WHEN coalesce(f_service_tier, '') IN ('', 'auto', 'default') THEN 'standard' "
    "ELSE f_service_tier END",
    "billing": "'metered'",
    "success": "coalesce(f_success, f_status IS NULL OR f_status NOT IN ('failed', 'cancelled'))",
}
_FAULTS = (
    ("coalesce(f_cached, 0) + coalesce(f_written, 0) > f_prompt", "cached_tokens: more than the input"),
    ("f_audio_in > f_prompt", "audio_tokens: more than the input"),
    ("f_audio_out > coalesce(f_completion, 0)", "audio_tokens: more than the output"),
    ("f_reasoning_tokens > coalesce(f_completion, 0)", "reasoning_tokens: more than the output"),
)


def _content(part: _Part) -> tuple[str, ...]:
    named = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")
    details = ("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens")
    return (
        part("created"), part("created_at"), part("model"), part("service_tier"),
        *(part(f"usage.{name}") for name in (*named, *details)),
        *wrapper.CONTENT,
    )  # fmt: skip


FORMAT = Format(
    name="openai",
    title="OpenAI Chat Completions and Responses objects, one a line, bare or wrapped with labels",
    shapes=JSON,
    claims=_claims,
    raw={**ANSWER, "response": struct(ANSWER), **wrapper.LABELS},
    # Of the chunks of a stream only the last counts tokens.
    calls=_billed(either),
    fields=_fields(either),
    columns=_COLUMNS,
    faults=_FAULTS,
    id=response_id(either("id"), "openai"),
    content=_content(either),
    repeats=True,
)


def _batch_claims(sample: Sample) -> str:
    for line in sample.objects:
        if {"id", "custom_id", "response", "error"} <= line.keys():
            return "has id, custom_id, response and error"
    return ""


def _of_body(path: str) -> str:
    return f"response.body.{path}"


BATCH = Format(
    name="openai-batch",
    title="output files of OpenAI's Batch API (batch price)",
    shapes=JSON,
    claims=_batch_claims,
    raw={
        "id": "VARCHAR",
        "custom_id": "VARCHAR",
        "response": struct({"status_code": "VARCHAR", "body": struct(ANSWER)}),
        **wrapper.LABELS,
    },
    # What failed has an error and no usage.
    calls=_billed(_of_body),
    fields=_fields(_of_body),
    columns={**_COLUMNS, "mode": "'batch'"},
    faults=_FAULTS,
    # An embedding has no id but its line's.
    id=f"coalesce({response_id('response.body.id', 'openai')}, 'openai:' || nullif(id, ''))",
    content=("custom_id", *_content(_of_body)),
)

FORMATS = (FORMAT, BATCH)
