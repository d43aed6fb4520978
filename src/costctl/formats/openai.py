"""Answers of OpenAI's shape, whoever gave them: Chat Completions and Responses objects; batch outputs.

Facts: openai-openapi (CreateChatCompletionResponse, Response), openai-python. prompt_tokens and input_tokens
INCLUDE cached, cache-write and audio tokens; completion_tokens and output_tokens include reasoning.

Of others: openrouter.ai/docs, "Usage Accounting"; docs.x.ai, "Cost Tracking", "Consumption and Rate
Limits" (reasoning is BESIDE completion_tokens in Chat Completions); console.groq.com, "Service Tiers", and
groq-typescript (CompletionUsage); api-docs.deepseek.com, "Context Caching"; platform.kimi.ai, "Chat".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from costctl.formats import wrapper
from costctl.formats.fields import Field, count, dollars, instant, model, moment, truth, unix
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import either, struct
from costctl.money import MAX_PICO
from costctl.records import MAX_TOKENS

_OBJECTS = ("chat.completion", "chat.completion.chunk", "response")

_XAI_TOOLS = {
    "code_interpreter_requests": "code_interpreter_calls",
    "document_search_requests": "document_search_calls",
    "file_search_requests": "file_search_calls",
    "image_generation_requests": "image_generation_calls",
    "web_search_requests": "web_search_calls",
    "x_search_requests": "x_search_calls",
}
"""xAI's tools that are billed by call, by the names of their units."""

_INPUT_DETAILS = struct(dict.fromkeys(("cached_tokens", "cache_write_tokens", "audio_tokens"), "VARCHAR"))
_OUTPUT_DETAILS = struct(dict.fromkeys(("reasoning_tokens", "audio_tokens"), "VARCHAR"))
_COUNTED = {
    "prompt_tokens": "VARCHAR",
    "completion_tokens": "VARCHAR",
    "prompt_tokens_details": _INPUT_DETAILS,
    "completion_tokens_details": _OUTPUT_DETAILS,
}
PICO_PER_TICK = 100
"""xAI's ticks: 10^10 of them are a dollar."""

_USAGE = struct(
    {
        **dict.fromkeys(
            (
                "input_tokens", "output_tokens", "total_tokens", "prompt_cache_hit_tokens", "cached_tokens",
                "cost", "is_byok", "cost_in_usd_ticks", "num_sources_used",
            ),
            "VARCHAR",
        ),
        **_COUNTED,
        "input_tokens_details": _INPUT_DETAILS,
        "output_tokens_details": _OUTPUT_DETAILS,
        "cost_details": struct({"upstream_inference_cost": "VARCHAR"}),
        "server_side_tool_usage_details": struct(dict.fromkeys(_XAI_TOOLS.values(), "VARCHAR")),
    }
)  # fmt: skip
ANSWER = {
    **dict.fromkeys(("id", "object", "created", "created_at", "status", "model", "service_tier"), "VARCHAR"),
    "output": struct({"type": "VARCHAR", "action": struct({"type": "VARCHAR"})}) + "[]",
    "usage": _USAGE,
    "x_groq": struct({"id": "VARCHAR", "usage": struct(_COUNTED)}),
}

_OWN_MODELS = "^(gpt-[^o]|chatgpt-|o[1-9]|codex-|computer-use-|text-embedding-|ft:)"
"""OpenAI's names, but for gpt-oss, which others serve. Many vendors give answers of the same shape, and few
of them say whose it is."""

_Part = Callable[[str], str]
"""Gives SQL for a part of an answer by its path."""


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        answer = wrapper.wrapped(line)
        if isinstance(answer, Mapping) and answer.get("object") in _OBJECTS:
            return f'has object "{answer["object"]}"'
    return ""


def _of_usage(part: _Part, chat: str, responses: str) -> str:
    """Groq has a stream's usage in a place of its own."""
    return f"coalesce({part('usage.' + chat)}, {part('usage.' + responses)}, {part('x_groq.usage.' + chat)})"


def _billed(part: _Part) -> str:
    """A batch's own usage is the sum of its answers'."""
    counts = _of_usage(part, "prompt_tokens", "input_tokens")
    return f"{counts} IS NOT NULL AND coalesce({part('object')}, '') <> 'batch'"


def _provider(part: _Part) -> str:
    """SQL for who gave the answer: what only one vendor says goes before the wrapper's word, which goes
    before the model's name. OpenRouter's own "provider" is whom it asked."""
    id, model = part("id"), part("model")
    return (
        f"CASE WHEN starts_with({id}, 'gen-') THEN 'openrouter' "
        f"WHEN {part('x_groq')} IS NOT NULL THEN 'groq' "
        f"WHEN coalesce({part('usage.cost_in_usd_ticks')}, {part('usage.num_sources_used')}) IS NOT NULL "
        "THEN 'x-ai' WHEN provider <> '' THEN provider "
        f"WHEN {part('usage.prompt_cache_hit_tokens')} IS NOT NULL AND starts_with({model}, 'deepseek-') "
        f"THEN 'deepseek' WHEN regexp_matches({model}, '{_OWN_MODELS}') THEN 'openai' END"
    )


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
    # DeepSeek's word for what it read from its cache, and Kimi's place of it.
    cached = (
        f"coalesce({of_input('cached_tokens')}, {part('usage.prompt_cache_hit_tokens')}, "
        f"{part('usage.cached_tokens')})"
    )
    total = f"TRY_CAST({part('usage.total_tokens')} AS BIGINT)"
    # OpenRouter's credits are dollars; what others mean by a cost, they do not say.
    is_openrouter = f"starts_with({part('id')}, 'gen-') OR lower(provider) = 'openrouter'"
    cost = f"CASE WHEN {is_openrouter} THEN {part('usage.cost')} END"
    # Opening and searching a page that was found are no searches.
    searches = (
        "lambda item: item.type = 'web_search_call' AND coalesce(item.action.type, 'search') = 'search'"
    )
    return (
        _moment(part),
        model(named),
        Field("provider", _provider(part)),
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
        # Not more than a sum can be: it is reckoned with.
        Field("total", f"CASE WHEN {total} BETWEEN 0 AND {2 * MAX_TOKENS} THEN {total} END"),
        dollars("cost", cost),
        dollars(
            "upstream", part("usage.cost_details.upstream_inference_cost"), said="upstream_inference_cost"
        ),
        truth("is_byok", part("usage.is_byok")),
        count(
            "ticks", part("usage.cost_in_usd_ticks"), said="cost_in_usd_ticks", most=MAX_PICO // PICO_PER_TICK
        ),
        *(
            count(unit, part(f"usage.server_side_tool_usage_details.{name}"), said=name)
            for unit, name in _XAI_TOOLS.items()
        ),
        Field("web_searches_seen", _number_of(part, searches)),
        Field("file_searches_seen", _number_of(part, "lambda item: item.type = 'file_search_call'")),
        *wrapper.fields(),
    )


def _number_of(part: _Part, which: str) -> str:
    return f"CAST(len(list_filter({part('output')}, {which})) AS BIGINT)"


# How much of the cached part was audio is not said: cached text goes first.
_TEXT_OR_AUDIO = "f_prompt - coalesce(f_cached, 0) - coalesce(f_written, 0)"
_AUDIO = f"least(coalesce(f_audio_in, 0), {_TEXT_OR_AUDIO})"


def units_of(amounts: Mapping[str, str]) -> str:
    """SQL: the map of those units of which there are some. ``amounts`` is SQL for how many, by their names,
    which are in order."""
    some = ", ".join(
        f"CASE WHEN {sql} > 0 THEN {{'key': '{name}', 'value': {sql}}} END" for name, sql in amounts.items()
    )
    is_any = " OR ".join(f"{sql} > 0" for sql in amounts.values())
    return (
        f"CASE WHEN {is_any} THEN map_from_entries(list_filter([{some}], lambda each: each IS NOT NULL)) END"
    )


def tier(raw: str) -> str:
    """SQL for the mode that a service tier stands for; on_demand is Groq's word."""
    usual = "'', 'auto', 'default', 'on_demand'"
    return f"CASE WHEN coalesce({raw}, '') IN ({usual}) THEN 'standard' ELSE {raw} END"


_UNITS = {
    **{unit: f"f_{unit}" for unit in _XAI_TOOLS},
    # What was billed, where it is said; else what is seen.
    "file_search_requests": "coalesce(f_file_search_requests, f_file_searches_seen)",
    "web_search_requests": "coalesce(f_web_search_requests, f_web_searches_seen)",
    "input_audio_tokens": _AUDIO,
    "output_audio_tokens": "f_audio_out",
}

# All that was billed is in the total. xAI's chat leaves reasoning out of completion_tokens, Google's answers
# of this shape the thoughts, of which they say nothing else.
_BEYOND = "f_total - f_prompt - coalesce(f_completion, 0)"
_BESIDE = (
    f"CASE WHEN f_reasoning_tokens > 0 AND {_BEYOND} = f_reasoning_tokens THEN f_reasoning_tokens "
    f"WHEN f_reasoning_tokens IS NULL AND starts_with(f_model, 'gemini-') THEN greatest({_BEYOND}, 0) "
    "ELSE 0 END"
)
_OUTPUT = f"coalesce(f_completion, 0) + coalesce({_BESIDE}, 0)"

# Who brings a key pays the model's vendor, and OpenRouter a fee. Before it said so, upstream_inference_cost
# was only there for them; since then it repeats the cost of all others.
_IS_BYOK = "coalesce(f_is_byok, f_upstream > 0 AND f_upstream <> f_cost, FALSE)"

_COLUMNS = {
    "input_tokens": f"{_TEXT_OR_AUDIO} - {_AUDIO}",
    "cache_read_tokens": "f_cached",
    "cache_write_5m_tokens": "f_written",
    "output_tokens": f"{_OUTPUT} - coalesce(f_audio_out, 0)",
    "reasoning_tokens": f"coalesce(f_reasoning_tokens, nullif({_BESIDE}, 0))",
    "other_units": units_of(dict(sorted(_UNITS.items()))),
    # The tier that served the call.
    "mode": tier("f_service_tier"),
    "billing": f"CASE WHEN {_IS_BYOK} THEN 'byok' ELSE 'metered' END",
    "reported_cost_pico": f"coalesce(f_ticks * {PICO_PER_TICK}, "
    f"f_cost + CASE WHEN {_IS_BYOK} THEN coalesce(f_upstream, 0) ELSE 0 END)",
    "success": "coalesce(f_success, f_status IS NULL OR f_status NOT IN ('failed', 'cancelled'))",
}
_FAULTS = (
    ("coalesce(f_cached, 0) + coalesce(f_written, 0) > f_prompt", "cached_tokens: more than the input"),
    ("f_audio_in > f_prompt", "audio_tokens: more than the input"),
    ("f_audio_out > coalesce(f_completion, 0)", "audio_tokens: more than the output"),
    (f"f_reasoning_tokens > {_OUTPUT}", "reasoning_tokens: more than the output"),
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
    title="answers of OpenAI's shape, Chat Completions or Responses, bare or wrapped with labels",
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
