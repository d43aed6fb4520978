"""Model calls of OpenTelemetry: what every file of spans and log events shares, however it is written.

A format's rows are spans and events with the columns of :func:`told`; :func:`marked` finds out which of them
tell of a call that another one tells better.

What input_tokens includes is not to be relied on: the conventions include all cached tokens, several
instrumentations hand on Anthropic's or Bedrock's own count, which excludes them (traceloop/openllmetry#4449,
pydantic/logfire#1812, strands-agents/harness-sdk#4080). So the numbers decide, then the instrumentation.
"""

from __future__ import annotations

from collections.abc import Mapping

from costctl.formats.fields import Field, amount, count, instant, label, milliseconds, model, moment, text
from costctl.formats.identity import response_id
from costctl.formats.span_attributes import provider

ROLES: tuple[str, ...] = (
    "model", "vendor", "provider", "input", "uncached", "output", "cache_read", "cache_write",
    "cache_write_1h", "reasoning", "thoughts", "tool", "audio_in", "audio_out", "total", "cost",
    "cost_in", "cost_out", "took", "began_text", "response_id", "identity", "scope", "error", "tier",
    "speed", "billing", "project_label", "team_label", "user_label", "agent_label", "session_label",
    "workspace_label", "environment", "department", "cost_center", "service", "query_source", "metadata",
)  # fmt: skip
"""The texts that a row may say."""

RESOURCE: dict[str, tuple[str, ...]] = {
    "project_label": ("openinference.project.name", "service.name"),
    "team_label": ("team.id", "team"),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "department": ("department",),
    "cost_center": ("cost_center",),
}
"""Names of what the resource, the program that was traced, says; those of the last three and of a team are
the documentation's of Claude Code."""

RESOURCE_NAMES = tuple(name for names in RESOURCE.values() for name in names)


def told(said: Mapping[str, str]) -> str:
    """The columns of :data:`ROLES`, NULL where ``said`` has none."""
    return ", ".join(f"{said.get(role, 'CAST(NULL AS VARCHAR)')} AS {role}" for role in ROLES)


HAS_USAGE = "coalesce(input, output, cache_read, cache_write, uncached) IS NOT NULL"

TOOK = "CASE WHEN ended_ns >= began_ns THEN CAST(TRY((ended_ns - began_ns) // 1000000) AS VARCHAR) END"
"""A span's milliseconds; of one that has not ended they are not known."""

CALLS = "has_usage AND is_call IS NOT FALSE AND NOT is_repeated"


_PROVIDER = f"coalesce(provider, CASE WHEN vendor IS NOT NULL THEN {provider('vendor')} END)"

# In the name space of the vendor's own answers; Bedrock's have no id of their own.
_SPACES = {"anthropic": "anthropic", "google": "google", "aws": "otel"}
_ANSWERS = " ".join(
    f"WHEN '{name}' THEN {response_id('response_id', space)}" for name, space in _SPACES.items()
)
ID = f"""coalesce(
    identity,
    CASE coalesce({_PROVIDER}, 'aws') {_ANSWERS} ELSE {response_id("response_id", "openai")} END,
    CASE WHEN trace <> '' AND span <> '' THEN 'otel:' || trace || ':' || span END
)"""
"""An event's own identity; of a span the provider's id of its answer, else the span's."""


def marked(rows: str) -> str:
    """A relation of ``rows`` with the column ``is_repeated``: whether another span tells of the same call.

    ``rows`` is a SELECT of source_id, line, given_time, given_model, nothing, trace, span, parent (NULL for
    events), is_call, began_ns and ended_ns (BIGINT), and :func:`told`.

    A span gives way to one inside it that has usage too, through spans without: it sums up calls, or both
    are instrumentors of one call. So does one without a response's id to one beside it of another
    instrumentor, with that model and as much output, if one lasts all the time that the other does. Two that
    name different answers are two calls.
    """
    return f"""(
    WITH RECURSIVE told AS MATERIALIZED (SELECT *, {HAS_USAGE} AS has_usage FROM ({rows})),
    counted AS MATERIALIZED (
        SELECT trace, span, coalesce(parent, '') AS parent, response_id, scope, model, output,
            began_ns, ended_ns
        FROM told WHERE has_usage AND is_call IS NOT FALSE AND trace <> '' AND span <> ''
    ),
    inside AS (
        SELECT o.trace, o.span AS outer_span, o.response_id AS outer_id,
            i.span, i.response_id, i.has_usage AND i.is_call IS NOT FALSE AS counts
        FROM told AS i JOIN counted AS o ON o.trace = i.trace AND o.span = i.parent
        WHERE i.span <> o.span
        UNION
        SELECT o.trace, o.outer_span, o.outer_id,
            i.span, i.response_id, i.has_usage AND i.is_call IS NOT FALSE
        FROM inside AS o JOIN told AS i ON o.trace = i.trace AND o.span = i.parent
        WHERE NOT o.counts AND o.span <> '' AND i.span <> o.outer_span
    ),
    repeated AS (
        SELECT trace, outer_span AS span FROM inside
        WHERE counts AND coalesce(outer_id = response_id, TRUE)
        UNION
        SELECT a.trace, a.span
        FROM (SELECT * FROM counted WHERE response_id IS NULL) AS a
        JOIN (SELECT * FROM counted WHERE (SELECT count(DISTINCT scope) > 1 FROM counted)) AS b
            ON a.trace = b.trace AND a.parent = b.parent AND a.output = b.output
        WHERE a.scope <> b.scope AND (b.response_id IS NOT NULL OR b.span < a.span)
            AND (starts_with(a.model, b.model) OR starts_with(b.model, a.model))
            AND (a.began_ns <= b.began_ns AND b.ended_ns <= a.ended_ns
                OR b.began_ns <= a.began_ns AND a.ended_ns <= b.ended_ns)
    )
    SELECT told.*,
        coalesce((told.trace, told.span) IN (SELECT (trace, span) FROM repeated), FALSE) AS is_repeated
    FROM told
)"""  # noqa: S608 (constants of this module)


def _fields() -> tuple[Field, ...]:
    given = instant("given_time")
    began = f"CASE WHEN began_text IS NULL THEN {given} ELSE TRY(make_timestamp(began_ns // 1000)) END"
    return (
        moment("coalesce(began_text, given_time)", said="start time", value=began),
        model("model"),
        Field("provider", _PROVIDER),
        count("input", "input", said="input_tokens"),
        count("uncached", "uncached", said="input_tokens"),
        count("output", "output", said="output_tokens"),
        count("cache_read", "cache_read"),
        count("cache_write", "cache_write", said="cache_creation"),
        count("cache_write_1h", "cache_write_1h", said="ephemeral_1h_input_tokens"),
        count("reasoning_tokens", "coalesce(reasoning, thoughts)", said="reasoning"),
        count("thoughts", "thoughts"),
        count("tool", "tool", said="tool_token_count"),
        count("audio_in", "audio_in", said="audio tokens"),
        count("audio_out", "audio_out", said="audio tokens"),
        count("total", "total", said="total_tokens"),
        amount("cost", "cost"),
        amount("cost_in", "cost_in", said="cost.prompt"),
        amount("cost_out", "cost_out", said="cost.completion"),
        milliseconds("latency_ms", "took"),
        label("project", "project_label"),
        label("team", "team_label"),
        label("user_id", "user_label"),
        label("agent", "agent_label"),
        label("session", "session_label"),
        label("workspace", "workspace_label"),
        text("error_type", "error"),
        Field("tags", _TAGS),
    )


_OWN_TAGS = ("cost_center", "department", "environment", "query_source", "service")
_RARE_TAGS = ", ".join(tag for tag in (*_OWN_TAGS, "metadata") if tag != "environment")
_OBJECT = ", ".join(f"'{tag}', {tag}" for tag in _OWN_TAGS)
# Free metadata may be anything; null takes a name out of an object.
_TAGS = f"""CASE
    WHEN coalesce({_RARE_TAGS}) IS NOT NULL THEN CAST(nullif(json_merge_patch(
        '{{}}',
        CASE WHEN starts_with(metadata, '{{') AND json_valid(metadata) THEN metadata ELSE '{{}}' END,
        json_merge_patch('{{}}', json_object({_OBJECT}))
    ), '{{}}') AS VARCHAR)
    WHEN environment IS NOT NULL THEN CAST(json_object('environment', environment) AS VARCHAR)
END"""

# Only events say how they are billed. What their counts include is known.
_IS_SPAN = "billing IS NULL"
_CACHED = "(coalesce(f_cache_read, 0) + coalesce(f_cache_write, 0))"
_EXCLUSIVE_SCOPES = ("opentelemetry.instrumentation.bedrock",)
"""Instrumentations whose input_tokens exclude what was cached even where the numbers do not tell."""

_EXCLUDES = f"""({_IS_SPAN} AND (f_input < {_CACHED}
    OR ({_CACHED} > 0 AND f_total = f_input + {_CACHED} + coalesce(f_output, 0))
    OR scope IN ({", ".join(f"'{scope}'" for scope in _EXCLUSIVE_SCOPES)})))"""
_UNCACHED = f"""(coalesce(f_uncached, CASE WHEN {_EXCLUDES} THEN f_input ELSE f_input - {_CACHED} END)
    + coalesce(f_tool, 0))"""
_AUDIO = f"least(coalesce(f_audio_in, 0), {_UNCACHED})"
# Of Gemini the total tells whether the thoughts are in the output.
_OUTPUT = """(coalesce(f_output, 0) + CASE
    WHEN f_total - f_input - coalesce(f_tool, 0) = f_output THEN 0 ELSE coalesce(f_thoughts, 0) END)"""

COLUMNS = {
    "input_tokens": f"{_UNCACHED} - {_AUDIO}",
    "cache_read_tokens": "f_cache_read",
    "cache_write_5m_tokens": "f_cache_write - coalesce(f_cache_write_1h, 0)",
    "cache_write_1h_tokens": "f_cache_write_1h",
    "output_tokens": f"{_OUTPUT} - coalesce(f_audio_out, 0)",
    "other_units": f"""CASE WHEN {_AUDIO} > 0 AND f_audio_out > 0
            THEN MAP {{'input_audio_tokens': {_AUDIO}, 'output_audio_tokens': f_audio_out}}
        WHEN {_AUDIO} > 0 THEN MAP {{'input_audio_tokens': {_AUDIO}}}
        WHEN f_audio_out > 0 THEN MAP {{'output_audio_tokens': f_audio_out}} END""",
    "mode": """CASE WHEN speed = 'fast' THEN 'fast'
        WHEN coalesce(tier, '') IN ('', 'auto', 'default', 'standard') THEN 'standard' ELSE tier END""",
    "billing": "coalesce(billing, 'metered')",
    "success": "NOT has_failed",
    "reported_cost_pico": "coalesce(f_cost, f_cost_in + f_cost_out)",
}

FAULTS = (
    ("coalesce(f_input, f_uncached) IS NULL", "input_tokens: missing"),
    (f"NOT ({_IS_SPAN}) AND f_cache_read > f_input", "cache_read: more than input_tokens"),
    ("f_cache_write_1h > f_cache_write", "ephemeral_1h_input_tokens: more than cache_creation"),
    (
        "thoughts IS NULL AND f_reasoning_tokens > coalesce(f_output, 0)",
        "reasoning: more than output_tokens",
    ),
    ("f_audio_in > coalesce(f_input, f_uncached)", "audio tokens: more than input_tokens"),
    ("f_audio_out > coalesce(f_output, 0)", "audio tokens: more than output_tokens"),
)

FIELDS = _fields()

CONTENT = (
    "began_text", "model", "vendor", "provider", "input", "uncached", "output", "cache_read", "cache_write",
    "cost", "session_label", "user_label", "agent_label", "project_label",
)  # fmt: skip
