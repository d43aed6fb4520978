"""Langfuse: observations, from its export to blob storage, its UI or its API.

Facts: langfuse.com, "Blob storage export field reference", "Token & Cost Tracking"; langfuse/langfuse,
``fern/apis/server/definition/commons.yml``.

Usage is tracked on generations and embeddings; agents, spans and traces may repeat the sum of theirs. The
keys of ``usageDetails`` are free, and meant to be disjoint: ``input`` is what no other key counts. Programs
that hand over a provider's numbers as they are make it inclusive (langfuse/langfuse#10592, #12306), which
shows where ``total`` is not the sum. Where Langfuse itself has added up the total, it cannot show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from costctl.formats import gateways
from costctl.formats.fields import Field, dollars, first_of, instant, label, model, moment
from costctl.formats.format import Format
from costctl.formats.gateways import parsed, texts
from costctl.formats.sample import JSON, Sample
from costctl.records import MAX_TOKENS

_DETAILS = first_of('"usageDetails"', "usage_details")
_OLD_UNITS = texts("input", "output", "total")
_OLD = """list_filter([
        {'key': 'input', 'value': coalesce(old.input, "promptTokens", "inputUsage")},
        {'key': 'output', 'value': coalesce(old.output, "completionTokens", "outputUsage")},
        {'key': 'total', 'value': coalesce(old.total, "totalTokens", "totalUsage")}
    ], lambda each: each.value IS NOT NULL)"""

# By the words of its key, what a count is of. What was cached may have been audio: cached goes first.
_PART = """CASE
        WHEN key IN ('input', 'input_tokens', 'prompt_tokens') THEN 'input'
        WHEN key IN ('output', 'output_tokens', 'completion_tokens') THEN 'output'
        WHEN key IN ('total', 'total_tokens') THEN 'total'
        WHEN regexp_matches(key, 'cache') AND regexp_matches(key, 'creation|write') THEN
            CASE WHEN contains(key, '1h') THEN 'written_1h' ELSE 'written' END
        WHEN contains(key, 'cache') THEN 'cached'
        WHEN regexp_matches(key, 'reasoning|thinking|thoughts') THEN 'reasoning'
        WHEN contains(key, 'audio') THEN
            CASE WHEN contains(key, 'output') THEN 'audio_out' ELSE 'audio_in' END
        WHEN regexp_matches(key, '^(input|prompt)') THEN 'other_in'
        WHEN regexp_matches(key, '^(output|completion)') THEN 'other_out'
        WHEN contains(key, 'web_search') THEN 'web_searches'
        ELSE 'unknown'
    END"""
_PARTS = (
    "input", "output", "total", "cached", "written", "written_1h", "reasoning", "audio_in", "audio_out",
    "other_in", "other_out", "web_searches",
)  # fmt: skip


def _sum(part: str) -> str:
    mine = f"list_filter(units, lambda unit: unit.part = '{part}')"
    return f"TRY(CAST(list_sum(list_transform({mine}, lambda unit: unit.amount)) AS BIGINT))"


_ROWS = f"""(
    SELECT * EXCLUDE (units), {", ".join(f"{_sum(part)} AS u_{part}" for part in _PARTS)},
        len(units) > 0 AS has_units,
        units IS NULL OR len(list_filter(units, lambda unit: unit.amount IS NULL)) > 0 AS is_unsound
    FROM (
        SELECT * EXCLUDE (given), list_transform(
            list_filter(given, lambda unit: unit.value IS NOT NULL),
            lambda unit: {{
                'part': {_PART.replace("key", "unit.key")},
                'amount': CASE WHEN regexp_full_match(unit.value, '[0-9]+([.]0+)?')
                    AND TRY_CAST(unit.value AS BIGINT) <= {MAX_TOKENS} THEN TRY_CAST(unit.value AS BIGINT) END
            }}
        ) AS units
        FROM (
            SELECT *, CASE
                WHEN details IS NULL OR details = '{{}}' THEN {_OLD}
                WHEN starts_with(details, '{{') THEN
                    map_entries(TRY(from_json(details, '"MAP(VARCHAR, VARCHAR)"')))
            END AS given
            FROM (SELECT *, {_DETAILS} AS details, {parsed("usage", _OLD_UNITS)} AS old FROM raw)
        )
    )
)"""  # noqa: S608 (constants of this module)

_READ = "coalesce(f_cached, 0)"
_WRITTEN = "(coalesce(f_written, 0) + coalesce(f_written_1h, 0))"
_IN = f"({_READ} + {_WRITTEN} + coalesce(f_audio_in, 0) + coalesce(f_other_in, 0))"
_OUT = "(coalesce(f_reasoning, 0) + coalesce(f_audio_out, 0) + coalesce(f_other_out, 0))"
_INPUT, _OUTPUT = "coalesce(f_input, 0)", "coalesce(f_output, 0)"
# By what the total is less than the sum, that the input or the output holds already.
_TWICE = f"coalesce({_INPUT} + {_OUTPUT} + {_IN} + {_OUT} - f_total, 0)"
_IN_INPUT = (
    f"CASE WHEN {_TWICE} IN (0, {_OUT}) THEN 0 "
    + " ".join(f"WHEN {_TWICE} IN ({part}, {part} + {_OUT}) THEN {part}" for part in (_IN, _WRITTEN, _READ))
    + " ELSE 0 END"
)
_INPUT_INCLUDES = f"CASE WHEN {_INPUT} >= {_IN_INPUT} THEN {_IN_INPUT} ELSE 0 END"
_OUTPUT_INCLUDES = (
    f"({_OUTPUT} >= {_OUT} AND {_TWICE} IN ({_OUT}, {_IN} + {_OUT}, {_WRITTEN} + {_OUT}, {_READ} + {_OUT}))"
)
_UNITS = ", ".join(
    f"CASE WHEN f_{part} > 0 THEN {{'key': '{name}', 'value': f_{part}}} END"
    for part, name in (
        ("audio_in", "input_audio_tokens"),
        ("audio_out", "output_audio_tokens"),
        ("web_searches", "web_search_requests"),
    )
)

_TYPE, _TRACE = "upper(type)", first_of('"traceId"', "trace_id")
_START, _END = first_of('"startTime"', "start_time"), first_of('"endTime"', "end_time")
_MODEL = ('"providedModelName"', "provided_model_name", "model")
_COST = first_of('"totalCost"', "total_cost", '"calculatedTotalCost"')
_COSTS = first_of('"costDetails"', "cost_details")
_PLACE = "CASE WHEN environment <> 'default' THEN environment END"
_SPAN = f"date_diff('millisecond', {instant(_START)}, {instant(_END)})"


def _is_observation(row: Iterable[str]) -> str:
    names = {*row}
    # The prompt may be longer than the sample, and what stands before it differs.
    own = {"usageDetails", "usage_details", "providedModelName", "provided_model_name"}
    own |= {"parentObservationId", "parent_observation_id"}
    if {"id", "type"} <= names and names & {"traceId", "trace_id"} and names & own:
        return "has a type, a trace and an observation's names"
    return ""


def _claims(sample: Sample) -> str:
    return next((why for row in (*sample.objects, sample.names) if (why := _is_observation(row))), "")


OBSERVATIONS = Format(
    name="langfuse",
    title="Langfuse's observations (exports to blob storage and from its UI)",
    shapes=(*JSON, "csv", "parquet"),
    claims=_claims,
    raw=texts(
        "id", "type", "traceId", "trace_id", "projectId", "project_id", "startTime", "start_time", "endTime",
        "end_time", "model", "providedModelName", "provided_model_name", "usageDetails", "usage_details",
        "usage", "promptTokens", "completionTokens", "totalTokens", "inputUsage", "outputUsage", "totalUsage",
        "costDetails", "cost_details", "totalCost", "total_cost", "calculatedTotalCost", "level",
        "environment", "userId", "user_id", "sessionId", "session_id", "traceName", "trace_name", "tags",
    ),
    rows=_ROWS,
    # A failed generation may have none; one of a model that has none either is nobody's.
    calls=f"{_TYPE} IN ('GENERATION', 'EMBEDDING') AND (coalesce(has_units, TRUE) "
    f"OR ({first_of(*_MODEL)} IS NOT NULL AND coalesce(level, '') <> 'ERROR'))",
    fields=(
        moment(f"coalesce({_START}, given_time)", said="startTime"),
        model(*_MODEL),
        label("project", '"projectId"', "project_id"),
        label("user_id", '"userId"', "user_id"),
        label("session", '"sessionId"', "session_id"),
        Field("success", "coalesce(level, '') <> 'ERROR'"),
        Field("latency_ms", f"CASE WHEN {_SPAN} >= 0 THEN {_SPAN} END"),
        Field(
            "tags",
            gateways.merged(
                gateways.labels("tags"),
                gateways.tag("environment", f"({_PLACE})"),
                gateways.tag("trace_name", first_of('"traceName"', "trace_name")),
            ),
        ),
        dollars(
            "reported_cost_pico",
            f"coalesce({_COST}, {parsed(_COSTS, texts('total'))}.total)",
            said="totalCost",
        ),
        *(Field(part, f"u_{part}") for part in _PARTS),
        Field("is_unsound", "is_unsound"),
        Field("has_units", "has_units"),
    ),
    columns={
        "input_tokens": f"{_INPUT} - {_INPUT_INCLUDES} + coalesce(f_other_in, 0)",
        "cache_read_tokens": "f_cached",
        "cache_write_5m_tokens": "f_written",
        "cache_write_1h_tokens": "f_written_1h",
        "output_tokens": f"{_OUTPUT} - coalesce(f_audio_out, 0) * CAST({_OUTPUT_INCLUDES} AS INTEGER) "
        f"+ (coalesce(f_reasoning, 0) + coalesce(f_other_out, 0)) * CAST(NOT {_OUTPUT_INCLUDES} AS INTEGER)",
        "reasoning_tokens": "f_reasoning",
        "other_units": "CASE WHEN f_audio_in > 0 OR f_audio_out > 0 OR f_web_searches > 0 "
        f"THEN map_from_entries(list_filter([{_UNITS}], lambda each: each IS NOT NULL)) END",
    },
    faults=(
        ("f_is_unsound", "usageDetails: not an object of whole numbers"),
        ("NOT f_has_units", "usageDetails: missing"),
    ),
    # An id is unique in its trace: a span's, where it came through OpenTelemetry.
    id=f"CASE WHEN id <> '' THEN 'langfuse:' || coalesce({_TRACE}, '') || ':' || id END",
    content=(_START, first_of(*_MODEL), _DETAILS),
)  # fmt: skip

PAGES = gateways.paged(
    OBSERVATIONS,
    "langfuse-pages",
    "pages of observations from Langfuse's API (/api/public/observations)",
    _is_observation,
)

FORMATS = (OBSERVATIONS, PAGES)


def _is_trace(row: Mapping[str, Any]) -> bool:
    return {"id", "bookmarked", "public"} <= row.keys() and not row.keys() & {"type", "traceId", "trace_id"}


def _are_traces(sample: Sample) -> str:
    for line in sample.objects:
        rows = line.get("data")
        for row in (line, *(rows if isinstance(rows, list) else ())):
            if isinstance(row, Mapping) and _is_trace(row):
                return "Langfuse's traces, whose costs are the sums of their observations"
    if _is_trace(dict.fromkeys(sample.names)):
        return "Langfuse's traces, whose costs are the sums of their observations"
    return ""


REFUSED = ((_are_traces, "export observations instead, best the enriched ones (observations_v2)"),)
"""What holds no calls, and what to do instead."""
