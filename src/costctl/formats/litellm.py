"""LiteLLM: the rows of its table LiteLLM_SpendLogs, and the StandardLoggingPayload that its callbacks write.

Facts: BerriAI/litellm ``proxy/schema.prisma``, ``proxy/spend_tracking/spend_tracking_utils.py``,
``llms/anthropic/chat/transformation.py``; docs.litellm.ai, "StandardLoggingPayload Specification", "Spend
Tracking", "Request Tags".

- ``prompt_tokens`` is OpenAI's: it includes what was read from and written to the provider's cache. Not in
  every version: see :data:`_CACHED_INPUT`.
- ``cache_hit`` is LiteLLM's own cache of answers: the provider was not asked, so nothing was billed. LiteLLM
  writes spend 0 and a request_id of its own (``…_cache_hit1737710446.8``), but the tokens of the old answer.
- The breakdown of cache writes by lifetime may fall short of their total (BerriAI/litellm#42663).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from costctl.formats import gateways
from costctl.formats.fields import (
    Field,
    api_key,
    count,
    dollars,
    epoch,
    first_of,
    instant,
    label,
    model,
    moment,
)
from costctl.formats.format import Format
from costctl.formats.gateways import kind, parsed, texts
from costctl.formats.identity import response_id
from costctl.formats.sample import JSON, Sample

_LIFETIMES = texts("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_USAGE = {
    **texts(
        "prompt_tokens", "completion_tokens", "total_tokens", "cache_read_input_tokens",
        "cache_creation_input_tokens", "service_tier", "speed", "inference_geo",
    ),
    "prompt_tokens_details": {
        **texts("cached_tokens", "cache_creation_tokens", "cache_write_tokens", "audio_tokens"),
        "cache_creation_token_details": _LIFETIMES,
    },
    "cache_creation": _LIFETIMES,
    "completion_tokens_details": texts("reasoning_tokens", "audio_tokens"),
    "server_tool_use": texts("web_search_requests"),
}  # fmt: skip
"""What is read of ``usage_object``: the provider's usage in OpenAI's words, or Anthropic's own."""

_METADATA = {
    "usage_object": _USAGE,
    # Before there was a usage_object.
    "additional_usage_values": _USAGE,
    **texts(
        "user_api_key_hash", "user_api_key_alias", "user_api_key_team_id", "user_api_key_team_alias",
        "user_api_key_project_id", "user_api_key_project_alias", "user_api_key_user_id",
        "user_api_key_user_email", "user_api_key_org_id", "spend_logs_metadata",
    ),
    "error_information": texts("error_class", "error_code"),
}  # fmt: skip


def _either(*parts: str) -> str:
    return f"coalesce({', '.join(f'usage.{part}' for part in parts)})"


def _lifetime(name: str) -> str:
    return _either(f"prompt_tokens_details.cache_creation_token_details.{name}", f"cache_creation.{name}")


_COUNTS = (
    count("prompt", "coalesce(prompt_tokens, usage.prompt_tokens)", said="prompt_tokens", required=True),
    count(
        "completion",
        "coalesce(completion_tokens, usage.completion_tokens)",
        said="completion_tokens",
        required=True,
    ),
    count("total", "coalesce(total_tokens, usage.total_tokens)", said="total_tokens"),
    count("cached", "usage.prompt_tokens_details.cached_tokens", said="cached_tokens"),
    count("cache_read", "usage.cache_read_input_tokens", said="cache_read_input_tokens"),
    count("written", "usage.cache_creation_input_tokens", said="cache_creation_input_tokens"),
    count(
        "written_named",
        _either("prompt_tokens_details.cache_creation_tokens", "prompt_tokens_details.cache_write_tokens"),
        said="cache_creation_tokens",
    ),
    count("written_5m", _lifetime("ephemeral_5m_input_tokens"), said="ephemeral_5m_input_tokens"),
    count("written_1h", _lifetime("ephemeral_1h_input_tokens"), said="ephemeral_1h_input_tokens"),
    count("reasoning", "usage.completion_tokens_details.reasoning_tokens", said="reasoning_tokens"),
    count("audio_in", "usage.prompt_tokens_details.audio_tokens", said="audio_tokens"),
    count("audio_out", "usage.completion_tokens_details.audio_tokens", said="audio_tokens"),
    count("web_searches", "usage.server_tool_use.web_search_requests", said="web_search_requests"),
)

_READ = "coalesce(greatest(f_cached, f_cache_read), 0)"
_WRITTEN = "coalesce(greatest(f_written, f_written_named), 0)"
_NAMES_WRITES = "coalesce(f_written_named, 0) > 0"
_CACHED_INPUT = f"""CASE
    WHEN f_prompt >= {_READ} + {_WRITTEN} AND ({_WRITTEN} = 0 OR {_NAMES_WRITES}) THEN {_READ} + {_WRITTEN}
    WHEN f_prompt >= {_READ} AND NOT ({_NAMES_WRITES}) AND f_call_type <> 'anthropic_messages' THEN {_READ}
    WHEN f_prompt >= {_READ} + {_WRITTEN} THEN {_READ} + {_WRITTEN}
    ELSE 0
END"""
"""SQL for how much of prompt_tokens was read from or written to the cache. Versions that name the writes in
prompt_tokens_details count both in; older ones the reads, not the writes (BerriAI/litellm#15056: 31 beside
1,253). A prompt that is less than its parts holds none of them, as Anthropic means input_tokens."""

_AUDIO_IN = f"least(coalesce(f_audio_in, 0), f_prompt - {_CACHED_INPUT})"
# xAI counts its reasoning beside its completion, which the total then shows.
_OUTPUT = (
    "CASE WHEN f_reasoning > 0 AND f_total = f_prompt + f_completion + f_reasoning "
    "THEN f_completion + f_reasoning ELSE f_completion END"
)
_AUDIO_OUT = "least(coalesce(f_audio_out, 0), f_completion)"
_UNITS = ", ".join(
    f"CASE WHEN {sql} > 0 THEN {{'key': '{name}', 'value': {sql}}} END"
    for name, sql in (
        ("input_audio_tokens", _AUDIO_IN),
        ("output_audio_tokens", _AUDIO_OUT),
        ("web_search_requests", "f_web_searches"),
    )
)


def _billed(sql: str, otherwise: str = "NULL") -> str:
    return f"CASE WHEN f_is_hit THEN {otherwise} ELSE {sql} END"


_IS_BATCH = "f_call_type IN ('aretrieve_batch', 'retrieve_batch')"
_COLUMNS = {
    "requests": f"CASE WHEN NOT ({_IS_BATCH}) THEN CAST(1 AS BIGINT) END",
    "input_tokens": _billed(f"f_prompt - {_CACHED_INPUT} - {_AUDIO_IN}", "CAST(0 AS BIGINT)"),
    "cache_read_tokens": _billed("greatest(f_cached, f_cache_read)"),
    # The rest of the writes is at the default lifetime.
    "cache_write_5m_tokens": _billed(
        "CASE WHEN coalesce(f_written, f_written_named, f_written_5m, f_written_1h) IS NOT NULL "
        f"THEN greatest({_WRITTEN} - coalesce(f_written_1h, 0), coalesce(f_written_5m, 0)) END"
    ),
    "cache_write_1h_tokens": _billed("f_written_1h"),
    "output_tokens": _billed(f"{_OUTPUT} - {_AUDIO_OUT}", "CAST(0 AS BIGINT)"),
    # LiteLLM estimates it where the provider does not say.
    "reasoning_tokens": _billed(f"CASE WHEN f_reasoning IS NOT NULL THEN least(f_reasoning, {_OUTPUT}) END"),
    "other_units": "CASE WHEN NOT f_is_hit AND (f_audio_in > 0 OR f_audio_out > 0 OR f_web_searches > 0) "
    f"THEN map_from_entries(list_filter([{_UNITS}], lambda each: each IS NOT NULL)) END",
    "mode": f"CASE WHEN {_IS_BATCH} THEN 'batch' WHEN f_speed = 'fast' THEN 'fast' "
    "WHEN f_tier IN ('batch', 'flex', 'priority') THEN f_tier ELSE 'standard' END",
    "billing": "'metered'",
}

# The route by which the gateway finds the provider is no part of the provider's own name.
_ROUTE = "custom_llm_provider || '/'"
_MODEL = f"CASE WHEN starts_with(model, {_ROUTE}) THEN substr(model, length({_ROUTE}) + 1) ELSE model END"
_IS_HIT = "coalesce(lower(cache_hit) = 'true', FALSE)"
_TAGS = gateways.merged(
    gateways.an_object("labels.spend_logs_metadata"),
    gateways.labels("request_tags"),
    gateways.tag("end_user", "end_user"),
    f'CASE WHEN {_IS_HIT} THEN \'{{"cache_hit":"true"}}\' END',
)
_GEO = "usage.inference_geo"

_FACTS = (
    Field("provider", gateways.provider("custom_llm_provider")),
    model(_MODEL),
    Field("call_type", "coalesce(call_type, '')"),
    Field("is_hit", _IS_HIT),
    Field("success", "coalesce(status, 'success') <> 'failure'"),
    Field("tier", "usage.service_tier"),
    Field("speed", "usage.speed"),
    Field("region", f"CASE WHEN {_GEO} NOT IN ('', 'global', 'not_available') THEN {_GEO} END"),
    Field("tags", _TAGS),
    *_COUNTS,
)
# Not the tools' own calls, and no administration: files, lists of models, batches that were only made.
_CALLS = (
    "coalesce(call_type, '') <> 'call_mcp_tool' AND NOT (coalesce(model, '') = '' "
    "AND coalesce(prompt_tokens, '0') IN ('', '0') AND coalesce(completion_tokens, '0') IN ('', '0'))"
)


def _span(start: str, end: str) -> str:
    return f"date_diff('millisecond', {start}, {end})"


def _latency(value: str) -> Field:
    return Field("latency_ms", f"CASE WHEN {value} >= 0 THEN {value} END")


def _error(information: str) -> Field:
    return Field("error_type", first_of(f"{information}.error_class", f"{information}.error_code"))


def _is_spend_log(row: Iterable[str]) -> str:
    return "has request_id, call_type and spend" if {"request_id", "call_type", "spend"} <= {*row} else ""


def _claims(sample: Sample) -> str:
    return next((why for row in (*sample.objects, sample.names) if (why := _is_spend_log(row))), "")


# A row of the table has its metadata as an object; what was exported may have its text, or the text of that.
_TEXT = "CASE WHEN starts_with(metadata, '\"') THEN json_extract_string(metadata, '$') ELSE metadata END"

SPEND_LOGS = Format(
    name="litellm",
    title="LiteLLM's spend logs (table LiteLLM_SpendLogs, /spend/logs?summarize=false)",
    shapes=(*JSON, "csv", "parquet"),
    claims=_claims,
    raw=texts(
        "request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens", "completion_tokens",
        "startTime", "endTime", "request_duration_ms", "model", "custom_llm_provider", "user", "team_id",
        "organization_id", "end_user", "agent_id", "session_id", "cache_hit", "request_tags", "status",
        "metadata",
    ),
    rows=f"""(
    SELECT * EXCLUDE (parts), parts AS labels,
        coalesce(parts.usage_object, parts.additional_usage_values) AS usage
    FROM (SELECT *, {parsed(_TEXT, _METADATA)} AS parts FROM raw)
)""",  # noqa: S608 (constants of this module)
    calls=_CALLS,
    fields=(
        moment(first_of('"startTime"', "given_time"), said="startTime"),
        label("team", "labels.user_api_key_team_alias", "team_id"),
        label("project", "labels.user_api_key_project_alias", "labels.user_api_key_project_id"),
        label("user_id", '"user"', "labels.user_api_key_user_id", "end_user"),
        label("agent", "agent_id"),
        label("session", "session_id"),
        api_key("labels.user_api_key_alias", "api_key"),
        label("workspace", "organization_id", "labels.user_api_key_org_id"),
        _error("labels.error_information"),
        # Both times are written alike, so what a cheaper cast makes of their zone does not matter.
        _latency(
            "coalesce(TRY_CAST(request_duration_ms AS BIGINT), "
            + _span('TRY_CAST("startTime" AS TIMESTAMP)', 'TRY_CAST("endTime" AS TIMESTAMP)')
            + ")"
        ),
        dollars("reported_cost_pico", "spend", said="spend"),
        Field("is_read", "metadata IS NULL OR metadata = '' OR labels IS NOT NULL"),
        *_FACTS,
    ),
    columns=_COLUMNS,
    # Without it the cached part of the prompt is not known.
    faults=(("NOT f_is_read", "metadata: not JSON"),),
    id=response_id("request_id", "litellm"),
    content=('"startTime"', '"endTime"', "model", "api_key", '"user"', "team_id",
             "prompt_tokens", "completion_tokens", "spend"),
)  # fmt: skip

SPEND_LOG_PAGES = gateways.paged(
    SPEND_LOGS,
    "litellm-pages",
    "pages of LiteLLM's /spend/logs/v2",
    _is_spend_log,
)


def _claims_payloads(sample: Sample) -> str:
    for line in sample.objects:
        if {"id", "call_type", "response_cost", "startTime"} <= line.keys():
            return "has call_type and response_cost"
    return ""


def _when(time: str) -> str:
    """SQL for a time in seconds since 1970, or in ISO 8601, as older payloads have it."""
    return f"CASE WHEN TRY_CAST({time} AS DOUBLE) IS NULL THEN {instant(time)} ELSE {epoch(time, 1)} END"


_START = first_of('"startTime"', "given_time")

PAYLOADS = Format(
    name="litellm-payload",
    title="LiteLLM's StandardLoggingPayload, as its callbacks write it (S3, GCS, generic API)",
    shapes=JSON,
    claims=_claims_payloads,
    raw={
        **texts(
            "id", "trace_id", "session_id", "call_type", "response_cost", "status", "total_tokens",
            "prompt_tokens", "completion_tokens", "startTime", "endTime", "model", "custom_llm_provider",
            "cache_hit", "request_tags", "end_user", "response",
        ),
        "metadata": kind(_METADATA),
        "error_information": kind(texts("error_class", "error_code")),
    },
    rows=f"""(
    SELECT *, metadata AS labels,
        coalesce(metadata.usage_object, {parsed("response", {"usage": _USAGE})}.usage) AS usage
    FROM raw
)""",  # noqa: S608 (constants of this module)
    calls=_CALLS,
    fields=(
        moment(_START, said="startTime", value=_when(_START)),
        label("team", "labels.user_api_key_team_alias", "labels.user_api_key_team_id"),
        label("project", "labels.user_api_key_project_alias", "labels.user_api_key_project_id"),
        label("user_id", "labels.user_api_key_user_id", "labels.user_api_key_user_email", "end_user"),
        label("session", "session_id", "trace_id"),
        api_key("labels.user_api_key_alias", "labels.user_api_key_hash"),
        label("workspace", "labels.user_api_key_org_id"),
        _error("error_information"),
        _latency(_span(_when('"startTime"'), _when('"endTime"'))),
        dollars("reported_cost_pico", "response_cost", said="response_cost"),
        *_FACTS,
    ),
    columns=_COLUMNS,
    id=response_id("id", "litellm"),
    content=('"startTime"', '"endTime"', "model", "labels.user_api_key_hash", "labels.user_api_key_user_id",
             "labels.user_api_key_team_id", "prompt_tokens", "completion_tokens", "response_cost"),
)  # fmt: skip

FORMATS = (SPEND_LOGS, SPEND_LOG_PAGES, PAYLOADS)


def _is_summary(sample: Sample) -> str:
    for line in sample.objects:
        if isinstance(line.get("users"), Mapping) and {"startTime", "spend", "models"} <= line.keys():
            return "days of /spend/logs, summed up"
        totals = line.get("metadata")
        if isinstance(line.get("results"), list) and isinstance(totals, Mapping) and "total_spend" in totals:
            return "days of /user/daily/activity, summed up"
    return ""


REFUSED = (
    (
        _is_summary,
        "ask LiteLLM for the calls: /spend/logs?summarize=false&start_date=…&end_date=…, or /spend/logs/v2",
    ),
)
"""What holds no calls, and what to do instead."""
