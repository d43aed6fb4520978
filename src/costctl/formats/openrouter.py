"""OpenRouter: its activity by day and its log of generations, as CSV and from its API.

Facts: openrouter.ai/docs, "Get user activity grouped by endpoint" (usage: total cost in USD, credits spent;
byok_usage_inference: external credits spent), "Get request & usage metadata for a generation", "Usage
Accounting" (tokens of the model's own tokenizer; upstream_inference_cost only where the key is one's own);
the header of the log from public programs that read it.

- Prompt tokens include what was read from the cache, completion tokens the reasoning. Activity does not say
  what was cached, so costctl's own figure for it is too high where much was; what was billed is reported.
- With a key of one's own OpenRouter bills a fee, and the provider the rest: the reported cost is both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats import gateways
from costctl.formats.fields import (
    Field,
    api_key,
    count,
    dollars,
    first_of,
    label,
    milliseconds,
    model,
    moment,
)
from costctl.formats.format import Format
from costctl.formats.gateways import texts
from costctl.formats.identity import response_id
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct

_OF_BUCKETS = {
    "grain": "'bucket'",
    "requests": "f_requests",
    "provider": "'openrouter'",
    "input_tokens": "f_prompt",
    "output_tokens": "f_completion",
    "billing": "CASE WHEN f_byok > coalesce(f_usage, 0) THEN 'byok' ELSE 'metered' END",
    "reported_cost_pico": "f_usage + coalesce(f_byok, 0)",
}
_NO_ID = "CAST(NULL AS VARCHAR)"


def _claims_days(sample: Sample) -> str:
    named = {"Date", "Slug", "Usage", "Prompt Tokens"} <= {*sample.names}
    return "has Date, Slug, Usage and Prompt Tokens" if named else ""


ACTIVITY = Format(
    name="openrouter-activity",
    title="OpenRouter's activity by day and model (CSV of openrouter.ai/activity)",
    shapes=("csv",),
    claims=_claims_days,
    raw=texts(
        "Date", "Slug", "Usage", "BYOK Usage", "Requests", "Prompt Tokens", "Completion Tokens",
        "Reasoning Tokens",
    ),
    fields=(
        moment('"Date"', said="Date"),
        model('"Slug"'),
        dollars("usage", '"Usage"', said="Usage"),
        dollars("byok", '"BYOK Usage"', said="BYOK Usage"),
        count("requests", '"Requests"', said="Requests"),
        count("prompt", '"Prompt Tokens"', said="Prompt Tokens", required=True),
        count("completion", '"Completion Tokens"', said="Completion Tokens", required=True),
        count("reasoning_tokens", '"Reasoning Tokens"', said="Reasoning Tokens"),
    ),
    columns=_OF_BUCKETS,
    id=_NO_ID,
    content=("'day'", '"Date"', '"Slug"'),
    lines_stand_alone=False,
)  # fmt: skip


def _is_item(row: Mapping[str, Any]) -> str:
    return "has model_permaslug and requests" if {"date", "model_permaslug", "requests"} <= row.keys() else ""


_ITEMS = Format(
    name="",
    title="",
    shapes=(),
    claims=lambda _: "",
    raw=texts(
        "date", "model", "model_permaslug", "endpoint_id", "provider_name", "usage", "byok_usage_inference",
        "requests", "prompt_tokens", "completion_tokens", "reasoning_tokens", "workspace_id",
    ),
    fields=(
        moment('"date"', said="date"),
        model("model", "model_permaslug"),
        label("workspace", "workspace_id"),
        dollars("usage", '"usage"'),
        dollars("byok", "byok_usage_inference", said="byok_usage_inference"),
        count("requests", "requests"),
        count("prompt", "prompt_tokens", said="prompt_tokens", required=True),
        count("completion", "completion_tokens", said="completion_tokens", required=True),
        count("reasoning_tokens", "reasoning_tokens"),
        Field("tags", gateways.tag("provider_name", "provider_name")),
    ),
    columns=_OF_BUCKETS,
    id=_NO_ID,
    content=("'day'", '"date"', "model", "model_permaslug", "endpoint_id", "provider_name", "workspace_id"),
    lines_stand_alone=False,
)  # fmt: skip

ACTIVITY_API = gateways.paged(
    _ITEMS, "openrouter-activity-api", "OpenRouter's activity from its API (/api/v1/activity)", _is_item
)

_GENERATION = texts(
    "generation_id", "id", "created_at", "cost_total", "total_cost", "byok_usage_inference",
    "upstream_inference_cost", "is_byok", "tokens_prompt", "tokens_completion", "tokens_reasoning",
    "tokens_cached", "native_tokens_prompt", "native_tokens_completion", "native_tokens_reasoning",
    "native_tokens_cached", "model", "model_permaslug", "variant", "provider_name", "user", "external_user",
    "api_key_name", "app_name", "generation_time_ms", "generation_time", "finish_reason_normalized",
    "finish_reason", "service_tier",
)  # fmt: skip


def _part(name: str) -> str:
    """The API wraps the one generation that was asked for."""
    return f'coalesce(data."{name}", "{name}")'


def _parts(*names: str) -> str:
    return first_of(*(_part(name) for name in names))


# A permaslug is the slug and the day of its version, which price lists leave out.
_SLUG = f"regexp_replace({_part('model_permaslug')}, '-20[0-9]{{6}}$', '')"
_VARIANT = f"CASE WHEN {_part('variant')} NOT IN ('', 'standard') THEN ':' || {_part('variant')} ELSE '' END"
_NAME = f"coalesce(nullif({_part('model')}, ''), {_SLUG} || coalesce({_VARIANT}, ''))"
_BYOK = f"coalesce(lower({_part('is_byok')}) = 'true', FALSE)"
_FAILED = f"coalesce({_parts('finish_reason_normalized', 'finish_reason')} = 'error', FALSE)"


def _claims_generations(sample: Sample) -> str:
    for line in (*sample.objects, dict.fromkeys(sample.names)):
        wrapped = line.get("data")
        found = wrapped if isinstance(wrapped, Mapping) else line
        if {"generation_id", "cost_total", "tokens_prompt"} <= found.keys():
            return "has generation_id, cost_total and tokens_prompt"
        # Other gateways have copied the names, not the id's beginning.
        is_own = str(found.get("id")).startswith("gen-")
        if is_own and {"total_cost", "native_tokens_prompt"} <= found.keys():
            return "has total_cost and native_tokens_prompt"
    return ""


GENERATIONS = Format(
    name="openrouter-generations",
    title="OpenRouter's generations (its export of single calls as CSV, objects of /api/v1/generation)",
    shapes=(*JSON, "csv"),
    claims=_claims_generations,
    raw={**_GENERATION, "data": struct(_GENERATION)},
    calls=f"{_parts('generation_id', 'id')} IS NOT NULL OR {_part('created_at')} IS NOT NULL",
    fields=(
        moment(f"coalesce({_parts('created_at')}, given_time)", said="created_at"),
        model(_NAME),
        label("user_id", _part("user"), _part("external_user")),
        api_key(_part("api_key_name")),
        milliseconds("latency_ms", _parts("generation_time_ms", "generation_time")),
        Field("success", f"NOT {_FAILED}"),
        Field("error_type", f"CASE WHEN {_FAILED} THEN 'error' END"),
        Field("tier", _part("service_tier")),
        # The API's tokens_prompt is by a tokenizer of its own; billed are the native ones.
        count("prompt", _parts("native_tokens_prompt", "tokens_prompt"), said="tokens_prompt", required=True),
        count(
            "completion",
            _parts("native_tokens_completion", "tokens_completion"),
            said="tokens_completion",
            required=True,
        ),
        count(
            "reasoning_tokens", _parts("native_tokens_reasoning", "tokens_reasoning"), said="tokens_reasoning"
        ),
        count("cached", _parts("native_tokens_cached", "tokens_cached"), said="tokens_cached"),
        dollars("cost", _parts("cost_total", "total_cost"), said="cost_total"),
        dollars("byok", _part("byok_usage_inference"), said="byok_usage_inference"),
        dollars(
            "upstream",
            f"CASE WHEN {_BYOK} THEN {_part('upstream_inference_cost')} END",
            said="upstream_inference_cost",
        ),
        Field("is_byok", _BYOK),
        Field(
            "tags",
            gateways.merged(
                gateways.tag("app", _part("app_name")), gateways.tag("provider_name", _part("provider_name"))
            ),
        ),
    ),
    columns={
        "provider": "'openrouter'",
        "input_tokens": "f_prompt - coalesce(f_cached, 0)",
        "cache_read_tokens": "f_cached",
        "output_tokens": "f_completion",
        "mode": "CASE WHEN f_tier IN ('batch', 'flex', 'priority') THEN f_tier ELSE 'standard' END",
        "billing": "CASE WHEN f_is_byok OR f_byok > 0 THEN 'byok' ELSE 'metered' END",
        "reported_cost_pico": "f_cost + coalesce(f_byok, 0) + coalesce(f_upstream, 0)",
    },
    faults=(("f_cached > f_prompt", "tokens_cached: more than tokens_prompt"),),
    id=response_id(_parts("generation_id", "id"), "openrouter"),
    content=(_part("created_at"), _NAME, _part("user"), _part("api_key_name")),
)

FORMATS = (ACTIVITY, ACTIVITY_API, GENERATIONS)
