"""OpenTelemetry as SDKs write it themselves, without an OTLP envelope: spans, log records, bare attributes.

Facts: opentelemetry-python, sdk/trace ``ReadableSpan.to_json`` (context, parent_id, start_time, resource),
which its console exporter writes; opentelemetry-js, ``ReadableSpan`` and ``ReadableLogRecord`` (spanContext,
startTime and hrTime as [seconds, nanoseconds]); google-gemini/gemini-cli,
packages/core/src/telemetry/file-exporters.ts: its telemetry file is such spans, log records and metrics, one
pretty JSON object after the other. What attributes mean: span_attributes.py and telemetry_events.py; which
spans are calls: telemetry.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats import span_attributes, telemetry, telemetry_events
from costctl.formats.fields import instant
from costctl.formats.format import Format
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct

_CONTEXTS = ("spanContext", "_spanContext", "context")
_RECORD = frozenset({"hrTime", "hrTimeObserved"})
_ATTRIBUTES = frozenset(span_attributes.ALL_NAMES)


def _claims(sample: Sample) -> str:
    for each in sample.objects:
        attributes = each.get("attributes")
        if isinstance(attributes, Mapping):
            if any(_is_context(each.get(name)) for name in _CONTEXTS):
                return "has a span's context and attributes"
            if each.keys() >= _RECORD or _is_event(attributes.get("event.name")):
                return "has a log record's attributes"
        elif dotted := next((name for name in each if "." in name and name in _ATTRIBUTES), ""):
            return f"has the attribute {dotted}"
    return ""


def _is_context(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value.keys() & {"traceId", "trace_id"})


def _is_event(name: Any) -> bool:
    return isinstance(name, str) and name.startswith(("gemini_cli.", "claude_code."))


_NAMES = tuple(dict.fromkeys((*span_attributes.ALL_NAMES, *telemetry_events.ALL_NAMES)))
_BARE = span_attributes.ALL_NAMES
_CONTEXT = struct(dict.fromkeys(("traceId", "spanId", "trace_id", "span_id"), "VARCHAR"))
_TEXTS = (
    "parentSpanId", "parent_id", "start_time", "startTime", "end_time", "endTime", "hrTime", "_body", "body",
)  # fmt: skip
_STRUCTS = {
    **dict.fromkeys((*_CONTEXTS, "parentSpanContext"), _CONTEXT),
    "status": struct(dict.fromkeys(("code", "status_code"), "VARCHAR")),
    "resource": struct({"attributes": struct(dict.fromkeys(telemetry.RESOURCE_NAMES, "VARCHAR"))}),
    **dict.fromkeys(("instrumentationScope", "instrumentationLibrary"), struct({"name": "VARCHAR"})),
    "attributes": struct(dict.fromkeys(_NAMES, "VARCHAR")),
}
_ALL_TEXTS = ", ".join(f'"{name}"' for name in (*_TEXTS, *_BARE))
_NOTHING = " AND ".join((f"coalesce({_ALL_TEXTS}) IS NULL", *(f'"{name}" IS NULL' for name in _STRUCTS)))


def _attribute(name: str) -> str:
    nested = f'attributes."{name}"'
    return f'coalesce({nested}, "{name}")' if name in _BARE else nested


def _id(*texts: str) -> str:
    """SQL for a hexadecimal id, without Python's 0x."""
    return f"regexp_replace(coalesce({', '.join(texts)}), '^0x', '')"


def _of_context(*names: str) -> str:
    return _id(*(f'"{context}"."{name}"' for context in _CONTEXTS for name in names))


def _nanoseconds(text: str) -> str:
    """SQL for a time in nanoseconds since 1970, of ISO 8601 or of JavaScript's [seconds, nanoseconds]."""
    seconds, rest = (
        f"TRY_CAST(regexp_extract({text}, '^\\[ *(\\d+) *, *(\\d+) *\\]$', {n}) AS BIGINT)" for n in (1, 2)
    )
    return (
        f"CASE WHEN starts_with({text}, '[') THEN TRY({seconds} * 1000000000 + {rest}) "
        f"ELSE TRY(epoch_us({instant(text)}) * 1000) END"
    )


_RESOURCE = {
    role: "coalesce(" + ", ".join(f'resource.attributes."{name}"' for name in names) + ")"
    for role, names in telemetry.RESOURCE.items()
}
_EVENT = telemetry_events.event(_attribute)
_EVENT_SAID = telemetry_events.said(_attribute, "event", "began_text")
_EVENT_SAID["service"] = f'coalesce(resource.attributes."service.name", {_EVENT_SAID.pop("tool_name")})'
_SPAN_SAID = span_attributes.said(_attribute)
_SPAN_SAID["took"] = telemetry.TOOK
_BOTH = {
    "began_text": "began_text",
    "scope": "coalesce(instrumentationScope.name, instrumentationLibrary.name, '')",
    **{role: text for role, text in _RESOURCE.items() if role != "project_label"},
}
_SPAN_SAID["project_label"] = _RESOURCE["project_label"]
_SAID = {
    role: _BOTH.get(role)
    or f"CASE WHEN event IS NULL THEN {_SPAN_SAID.get(role, 'NULL')} ELSE {_EVENT_SAID.get(role, 'NULL')} END"
    for role in telemetry.ROLES
}
_ROWS = telemetry.marked(f"""
    SELECT source_id, line, given_time, given_model, nothing, {telemetry.told(_SAID)},
        trace, span, parent, began_ns, ended_ns,
        CASE WHEN event IS NULL THEN {span_attributes.is_call(_attribute)} END AS is_call,
        coalesce(status.code = '2' OR status.status_code = 'ERROR', FALSE)
            OR coalesce({_attribute("error.type")}, '') <> '' AS has_failed
    FROM (
        SELECT *, {_nanoseconds("began_text")} AS began_ns, {_nanoseconds("ended_text")} AS ended_ns
        FROM (
            SELECT *, {_EVENT} AS event, {_NOTHING} AS nothing,
                CASE WHEN hrTime IS NULL THEN {_of_context("traceId", "trace_id")} END AS trace,
                CASE WHEN hrTime IS NULL THEN {_of_context("spanId", "span_id")} END AS span,
                {_id("parentSpanId", "parent_id", "parentSpanContext.spanId")} AS parent,
                coalesce(attributes."event.timestamp", start_time, startTime, hrTime) AS began_text,
                coalesce(end_time, endTime) AS ended_text
            FROM raw
        )
    )""")  # noqa: S608 (constants of this module)

FORMATS = (
    Format(
        name="otel-sdk",
        title="OpenTelemetry's spans as SDKs print them, bare span attributes, Gemini CLI's telemetry file",
        shapes=JSON,
        claims=_claims,
        raw={**dict.fromkeys((*_TEXTS, *_BARE), "VARCHAR"), **_STRUCTS},
        rows=_ROWS,
        empty="nothing",
        calls=telemetry.CALLS,
        fields=telemetry.FIELDS,
        columns=telemetry.COLUMNS,
        faults=telemetry.FAULTS,
        id=telemetry.ID,
        content=telemetry.CONTENT,
        lines_stand_alone=False,
        repeats=True,
    ),
)
