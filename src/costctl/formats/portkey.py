"""Portkey: its log exports, and the metric files of a private data plane.

Facts: portkey.ai/docs, "Logs Export" (cost: "Cost of the request in cents (USD)"; cache_status), "Private
Cloud", sample metric file; Portkey-AI/gateway, ``providers/anthropic/chatComplete.ts``.

- What was cached is only in ``response.usage``. Of Anthropic's answers Portkey gives prompt_tokens without
  what was cached and a total_tokens with it; of others both with it.
- What Portkey's own cache answered cost nothing.
"""

from __future__ import annotations

from costctl.formats import gateways
from costctl.formats.fields import (
    Field,
    amount,
    api_key,
    count,
    first_of,
    label,
    milliseconds,
    model,
    moment,
)
from costctl.formats.format import Format
from costctl.formats.gateways import parsed, texts
from costctl.formats.identity import NAME_SPACES, response_id
from costctl.formats.sample import JSON, Sample

_RESPONSE = {
    "id": "VARCHAR",
    "usage": {
        **texts(
            "prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens",
            "cache_read_input_tokens", "cache_creation_input_tokens",
        ),
        "prompt_tokens_details": texts("cached_tokens"),
        "input_tokens_details": texts("cached_tokens"),
        "completion_tokens_details": texts("reasoning_tokens"),
        "output_tokens_details": texts("reasoning_tokens"),
    },
}  # fmt: skip

_HIT = "coalesce(regexp_matches(upper(cache_status), '^(SEMANTIC.)?HIT$'), FALSE)"
_STATUS = "TRY_CAST(response_status_code AS DOUBLE)"
_CODE = f"CAST(TRY_CAST({_STATUS} AS BIGINT) AS VARCHAR)"
_SUCCESS = (
    f"coalesce(TRY_CAST(is_success AS DOUBLE) = 1, lower(is_success) = 'true', {_STATUS} BETWEEN 200 AND 299)"
)
_READ = "coalesce(greatest(f_cached, f_cache_read), 0)"
_OF_CACHE = f"({_READ} + coalesce(f_written, 0))"
_INCLUDED = (
    f"CASE WHEN f_request < {_OF_CACHE} OR coalesce(f_total > f_request + f_answer, FALSE) THEN 0 "
    f"ELSE {_OF_CACHE} END"
)
# Two lists of the same length, or an object of their own.
_LISTS = parsed("metadata", {"key": ["VARCHAR"], "value": ["VARCHAR"]})
_ZIPPED = (
    f"CASE WHEN len({_LISTS}.key) > 0 THEN TRY(CAST(to_json(map({_LISTS}.key, {_LISTS}.value)) AS VARCHAR)) "
    f"ELSE {gateways.an_object('metadata')} END"
)
_USER = "json_extract_string(pairs, '$._user')"
_KNOWN = " OR ".join(f"starts_with(answer.id, '{start}')" for start, _ in NAME_SPACES)


def _billed(sql: str, otherwise: str) -> str:
    return f"CASE WHEN f_is_hit THEN {otherwise} ELSE {sql} END"


def _claims(sample: Sample) -> str:
    for names in (*sample.objects, sample.names):
        if {"req_units", "res_units"} <= {*names}:
            return "has req_units and res_units"
    return ""


FORMAT = Format(
    name="portkey",
    title="Portkey's log exports and metric files",
    shapes=(*JSON, "csv"),
    claims=_claims,
    raw=texts(
        "id", "trace_id", "created_at", "ai_org", "ai_model", "req_units", "res_units", "cost",
        "cost_currency", "is_success", "response_status_code", "response_time", "cache_status", "metadata",
        "response", "prompt_slug", "workspace_slug", "api_key_id", "virtual_key", "_user", "_environment",
    ),
    rows=f"(SELECT *, {_ZIPPED} AS pairs, {parsed('response', _RESPONSE)} AS answer FROM raw)",  # noqa: S608
    calls="coalesce(req_units, res_units, '') <> ''",
    fields=(
        moment(first_of("created_at", "given_time"), said="created_at"),
        model("ai_model"),
        Field("provider", gateways.provider("ai_org")),
        label("user_id", "_user", _USER),
        label("session", "trace_id"),
        label("workspace", "workspace_slug"),
        api_key("api_key_id", "virtual_key"),
        milliseconds("latency_ms", "response_time"),
        Field("is_hit", _HIT),
        Field("success", _SUCCESS),
        Field("error_type", f"CASE WHEN NOT {_SUCCESS} THEN {_CODE} END"),
        count("request", "req_units", said="req_units"),
        count("answer", "res_units", said="res_units"),
        count("total", "answer.usage.total_tokens", said="total_tokens"),
        count(
            "cached",
            "coalesce(answer.usage.prompt_tokens_details.cached_tokens, "
            "answer.usage.input_tokens_details.cached_tokens)",
            said="cached_tokens",
        ),
        count("cache_read", "answer.usage.cache_read_input_tokens", said="cache_read_input_tokens"),
        count("written", "answer.usage.cache_creation_input_tokens", said="cache_creation_input_tokens"),
        count(
            "reasoning",
            "coalesce(answer.usage.completion_tokens_details.reasoning_tokens, "
            "answer.usage.output_tokens_details.reasoning_tokens)",
            said="reasoning_tokens",
        ),
        amount("cost", "cost", per_dollar=100),
        Field("currency", first_of("cost_currency")),
        Field(
            "tags",
            gateways.merged(
                gateways.without("pairs", "_user"),
                gateways.tag("environment", "_environment"),
                gateways.tag("prompt_slug", "prompt_slug"),
                f"CASE WHEN {_HIT} THEN '{{\"cache_hit\":\"true\"}}' END",
            ),
        ),
    ),
    columns={
        "input_tokens": _billed(f"coalesce(f_request, 0) - coalesce({_INCLUDED}, 0)", "CAST(0 AS BIGINT)"),
        "cache_read_tokens": _billed("greatest(f_cached, f_cache_read)", "NULL"),
        "cache_write_5m_tokens": _billed("f_written", "NULL"),
        "output_tokens": _billed("coalesce(f_answer, 0)", "CAST(0 AS BIGINT)"),
        "reasoning_tokens": _billed(
            "CASE WHEN f_reasoning IS NOT NULL THEN least(f_reasoning, f_answer) END", "NULL"
        ),
        "billing": "'metered'",
        "reported_cost_pico": _billed(
            "CASE WHEN upper(coalesce(f_currency, 'USD')) = 'USD' THEN f_cost END", "CAST(0 AS BIGINT)"
        ),
    },
    # The provider's own id, if it is there. What the cache answered has the id of the first answer.
    id=f"coalesce(CASE WHEN NOT {_HIT} AND ({_KNOWN}) THEN {response_id('answer.id', 'portkey')} END, "
    "'portkey:' || nullif(id, ''))",
    content=("created_at", "trace_id", "ai_org", "ai_model", "req_units", "res_units"),
)  # fmt: skip

FORMATS = (FORMAT,)
