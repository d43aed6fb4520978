"""OTLP in JSON: spans and log events, as a collector's file exporter writes them, one export a line.

Facts: opentelemetry-proto (trace.proto, logs.proto and the JSON mapping: times are nanoseconds and, like
64-bit integers, in quotes, or not). What attributes mean: span_attributes.py and telemetry_events.py; which
spans are calls: telemetry.py. One format reads spans and events, since a file may hold both; metrics repeat
them and are not read.
"""

from __future__ import annotations

from costctl.formats import span_attributes, telemetry, telemetry_events
from costctl.formats.format import Format
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct

_SIGNALS = ("resourceSpans", "resourceLogs", "resourceMetrics")


def _claims(sample: Sample) -> str:
    for each in sample.objects:
        for signal in _SIGNALS:
            if isinstance(each.get(signal), list):
                return f"has {signal}"
    return ""


_RECORDED = ("timeUnixNano", "observedTimeUnixNano")
_VALUE = struct(dict.fromkeys(("stringValue", "intValue", "doubleValue", "boolValue"), "VARCHAR"))
_ATTRIBUTES = struct({"key": "VARCHAR", "value": _VALUE}) + "[]"
# A span or a log record: one type, so that they go one way.
_ITEM = struct(
    {
        **dict.fromkeys(("traceId", "spanId", "parentSpanId", "eventName"), "VARCHAR"),
        **dict.fromkeys(("startTimeUnixNano", "endTimeUnixNano", *_RECORDED), "VARCHAR"),
        "body": struct({"stringValue": "VARCHAR"}),
        "status": struct({"code": "VARCHAR"}),
        "attributes": _ATTRIBUTES,
    }
)
_SCOPE = struct({"scope": struct({"name": "VARCHAR"}), "spans": f"{_ITEM}[]", "logRecords": f"{_ITEM}[]"})
_RESOURCE = struct(
    {
        "resource": struct({"attributes": _ATTRIBUTES}),
        "scopeSpans": f"{_SCOPE}[]",
        "scopeLogs": f"{_SCOPE}[]",
    }
)

_GIVEN = "source_id, line, given_time, given_model, nothing"


def _one_by_one(items: str) -> str:
    """SQL that makes a row of each item, and one of none."""
    return f"unnest(coalesce(nullif({items}, []), [NULL]))"


def _listed(attributes: str, name: str) -> str:
    """SQL for the names of some attributes and, beside them, their values: a value is found by its name's
    place, which is much less work than a map."""
    value = ", ".join(f"a.value.{kind}" for kind in ("stringValue", "intValue", "doubleValue", "boolValue"))
    return (
        f"list_transform({attributes}, lambda a: a.key) AS {name}_names, "
        f"list_transform({attributes}, lambda a: coalesce({value})) AS {name}_values"
    )


def _of_resource(name: str) -> str:
    return f"resource_values[list_position(resource_names, '{name}')]"


def _attribute(name: str) -> str:
    return f"item_values[list_position(item_names, '{name}')]"


_NOTHING = " AND ".join(f"{signal} IS NULL" for signal in _SIGNALS)
_RESOURCES = """CASE WHEN resourceLogs IS NULL THEN resourceSpans WHEN resourceSpans IS NULL THEN resourceLogs
    ELSE list_concat(resourceSpans, resourceLogs) END"""
_LABELS = ", ".join(
    f"coalesce({', '.join(_of_resource(name) for name in names)}) AS {role}"
    for role, names in telemetry.RESOURCE.items()
)
_CARRIED = f"{_GIVEN}, is_event, {', '.join(telemetry.RESOURCE)}, service_name"
_ITEMS = f"""
    SELECT *, {_listed("item.attributes", "item")}
    FROM (
        SELECT {_CARRIED}, scope.scope.name AS scope,
            {_one_by_one("coalesce(scope.spans, scope.logRecords)")} AS item
        FROM (
            SELECT {_GIVEN}, {_LABELS}, {_of_resource("service.name")} AS service_name,
                resource.scopeLogs IS NOT NULL AS is_event,
                {_one_by_one("coalesce(resource.scopeSpans, resource.scopeLogs)")} AS scope
            FROM (
                SELECT *, {_listed("resource.resource.attributes", "resource")}
                FROM (
                    SELECT source_id, line, given_time, given_model,
                        {_NOTHING} AS nothing, {_one_by_one(_RESOURCES)} AS resource
                    FROM raw
                )
            )
        )
    )"""  # noqa: S608 (constants of this module)

_EVENT = telemetry_events.event(_attribute, "item.body.stringValue", "item.eventName")
_SPAN_SAID = span_attributes.said(_attribute)
_SPAN = {
    **_SPAN_SAID,
    "began_text": "item.startTimeUnixNano",
    "took": telemetry.TOOK,
    "project_label": "project_label",
}
# Where the time of a record is 0, it is not known but when it was seen.
_RECORD_TIME = "coalesce(nullif(nullif(item.timeUnixNano, '0'), ''), item.observedTimeUnixNano)"
_EVENT_SAID = telemetry_events.said(_attribute, "event", _RECORD_TIME)
_LOG = {
    **_EVENT_SAID,
    "began_text": _RECORD_TIME,
    "service": f"coalesce(service_name, {_EVENT_SAID.pop('tool_name')})",
}
_BOTH = {"scope": "coalesce(scope, '')", **{r: r for r in telemetry.RESOURCE if r != "project_label"}}
_SAID = {
    role: _BOTH.get(role)
    or f"CASE WHEN is_event THEN {_LOG.get(role, 'NULL')} ELSE {_SPAN.get(role, 'NULL')} END"
    for role in telemetry.ROLES
}
_ROWS = telemetry.marked(f"""
    SELECT {_GIVEN}, is_event, {telemetry.told(_SAID)},
        CASE WHEN NOT is_event THEN item.traceId END AS trace,
        CASE WHEN NOT is_event THEN item.spanId END AS span,
        CASE WHEN NOT is_event THEN item.parentSpanId END AS parent,
        CASE WHEN NOT is_event THEN {span_attributes.is_call(_attribute)} END AS is_call,
        began_ns, ended_ns,
        coalesce(item.status.code IN ('2', 'STATUS_CODE_ERROR'), FALSE)
            OR coalesce({_attribute("error.type")}, '') <> '' AS has_failed
    FROM (
        SELECT *, CASE WHEN is_event THEN {_EVENT} END AS event,
            TRY_CAST(CASE WHEN is_event THEN {_RECORD_TIME} ELSE item.startTimeUnixNano END AS BIGINT)
                AS began_ns,
            TRY_CAST(item.endTimeUnixNano AS BIGINT) AS ended_ns
        FROM ({_ITEMS})
    )
    WHERE nothing OR NOT is_event OR event IS NOT NULL""")  # noqa: S608 (constants of this module)

FORMATS = (
    Format(
        name="otlp",
        title="OpenTelemetry in OTLP JSON: spans with GenAI or OpenInference attributes, agents' log events",
        shapes=JSON,
        claims=_claims,
        raw={
            "resourceSpans": f"{_RESOURCE}[]",
            "resourceLogs": f"{_RESOURCE}[]",
            "resourceMetrics": struct({"schemaUrl": "VARCHAR"}) + "[]",
        },
        rows=_ROWS,
        empty="nothing",
        calls=telemetry.CALLS,
        fields=telemetry.FIELDS,
        columns=telemetry.COLUMNS,
        faults=telemetry.FAULTS,
        id=telemetry.ID,
        content=telemetry.CONTENT,
        # A parent ends after its children.
        lines_stand_alone=False,
        repeats=True,
    ),
)
