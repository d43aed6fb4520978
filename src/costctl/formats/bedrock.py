"""Amazon Bedrock's model invocation logs: the records in S3 (a tree of .json.gz), or in CloudWatch Logs.

Facts: Bedrock User Guide, "Monitor model invocation using CloudWatch Logs and Amazon S3"; the record's fields
also in docs.panther.com, AWS.BedrockModelInvocation. inputTokenCount EXCLUDES what was read from or written
to the cache (User Guide, "Prompt caching": total input = inputTokens + cacheReadInputTokens +
cacheWriteInputTokens); the lifetime of a write is in the answer alone (API reference, CacheDetail). Only
ConverseStream of OpenAI's models counts the cache in the input (maximhq/bifrost#6942).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats.fields import Field, count, first_of, label, milliseconds, moment, text
from costctl.formats.format import Format
from costctl.formats.identity import NAME_SPACES, response_id
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct

_TYPE = "ModelInvocationLog"


def _texts(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "VARCHAR")


_RECORD = {
    **_texts("schemaType", "timestamp", "accountId", "region", "inferenceRegion", "requestId", "operation"),
    **_texts("modelId", "errorCode", "requestMetadata"),
    "identity": struct(_texts("arn")),
    "input": struct(
        _texts("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
    ),
    "output": struct(_texts("outputTokenCount", "outputBodyJson")),
    "performanceConfig": struct(_texts("latency")),
}
# How CloudWatch hands records out, as text: filter-log-events and get-log-events, a subscription, one event
# and a row of Logs Insights.
_EVENTS = struct(_texts("message")) + "[]"
_DELIVERED = {"events": _EVENTS, "logEvents": _EVENTS, "message": "VARCHAR", "@message": "VARCHAR"}


def _holds_one(value: Any) -> bool:
    """Whether a part of an event is a record, or the text of one."""
    if isinstance(value, Mapping):
        return value.get("schemaType") == _TYPE
    return isinstance(value, str) and f'"{_TYPE}"' in value


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        if _holds_one(line):
            return f"has schemaType {_TYPE}"
        events = line.get("events") or line.get("logEvents")
        events = [line, *(events if isinstance(events, list) else ())]
        for event in events:
            if isinstance(event, Mapping) and any(map(_holds_one, map(event.get, ("message", "@message")))):
                return f"has a message of schemaType {_TYPE}"
    return ""


# The answer, of which only this is looked at: one object, or the events of a stream.
_USAGE = struct(
    {
        **_texts("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
        **_texts("cache_read_input_tokens", "cache_creation_input_tokens"),
        "cacheDetails": struct(_texts("ttl", "inputTokens")) + "[]",
        "cache_creation": struct(_texts("ephemeral_1h_input_tokens")),
    }
)
_BODY = struct(
    {
        **_texts("id", "model"),
        "usage": _USAGE,
        "message": struct({**_texts("id", "model"), "usage": _USAGE}),
        "metadata": struct({"usage": _USAGE, "metrics": struct(_texts("latencyMs"))}),
        "metrics": struct(_texts("latencyMs")),
        "serviceTier": struct(_texts("type")),
        "amazon-bedrock-invocationMetrics": struct(_texts("invocationLatency")),
    }
)


def _of_json(json: str, kind: str) -> str:
    return f"TRY_CAST(TRY_CAST({json} AS JSON) AS {kind})"


_MESSAGES = (
    "coalesce(list_transform(events, lambda event: event.message), "
    'list_transform(logEvents, lambda event: event.message), [coalesce(message, "@message")])'
)
_IS_WRAPPED = " OR ".join(f'"{name}" IS NOT NULL' for name in _DELIVERED)
_AS_IT_IS = ", ".join(f"'{name}': \"{name}\"" for name in _RECORD)


def _said(*paths: str) -> str:
    """SQL for the first that the answer says of some of its parts."""
    parts = ", ".join(f"item.{path}" for path in paths)
    said = f"list_transform(body, lambda item: coalesce({parts}))"
    return f"list_filter({said}, lambda each: each IS NOT NULL)[1]"


_ANSWER = ",\n        ".join(
    f"{_said(*paths)} AS {name}"
    for name, paths in {
        "answer_id": ("message.id", "id"),
        "answer_model": ("message.model", "model"),
        "usage": ("message.usage", "metadata.usage", "usage"),
        "latency": (
            '"amazon-bedrock-invocationMetrics".invocationLatency',
            "metadata.metrics.latencyMs",
            "metrics.latencyMs",
        ),
        "tier": ("serviceTier.type",),
    }.items()
)
_TEXT = "record.output.outputBodyJson"
_RECORDS = f"list_transform({_MESSAGES}, lambda each: {_of_json('each', struct(_RECORD))})"
_ROWS = f"""(
    SELECT * EXCLUDE (body), {_ANSWER}
    FROM (
        SELECT *, CASE WHEN starts_with(ltrim({_TEXT}), '[') THEN {_of_json(_TEXT, _BODY + "[]")}
            ELSE [{_of_json(_TEXT, _BODY)}] END AS body
        FROM (
            SELECT source_id, line, given_time, given_model, ({_IS_WRAPPED}) AS wrapped,
                unnest(CASE WHEN {_IS_WRAPPED} THEN coalesce(nullif({_RECORDS}, []), [NULL])
                    ELSE [{{{_AS_IT_IS}}}] END) AS record
            FROM raw
        )
    )
)"""  # noqa: S608 (constants of this module)

# Older records do not count the cache; their answers do.
_INPUT = "coalesce(record.input.inputTokenCount, usage.inputTokens)"
_OUTPUT = "coalesce(record.output.outputTokenCount, usage.outputTokens)"
_READ = (
    "coalesce(record.input.cacheReadInputTokenCount, usage.cacheReadInputTokens, "
    "usage.cache_read_input_tokens)"
)
_WRITTEN = (
    "coalesce(record.input.cacheWriteInputTokenCount, usage.cacheWriteInputTokens, "
    "usage.cache_creation_input_tokens)"
)
_COUNTS = (_INPUT, _OUTPUT, _READ, _WRITTEN)
# A profile or a provisioned model has a name that tells no model.
_RESOURCE = "regexp_extract(record.modelId, '^(arn(:[^:]*){4}:)?(.*)$', 3)"
_IS_OPAQUE = (
    "regexp_matches(record.modelId, '^arn:.*:(application-inference-profile|provisioned-model|"
    "custom-model-deployment|imported-model|prompt|default-prompt-router|prompt-router)/')"
)
_MODEL = f"CASE WHEN NOT {_IS_OPAQUE} THEN regexp_extract({_RESOURCE}, '[^/]*$') END"
_TAGS = {
    "identity": "record.identity.arn",
    "inference_profile": "CASE WHEN contains(record.modelId, 'inference-profile/') THEN record.modelId END",
    "inference_region": "record.inferenceRegion",
    "region": "record.region",
}
_OWN_TAGS = ", ".join(f"'{name}', nullif({sql}, '')" for name, sql in _TAGS.items())
_IS_OBJECT = "starts_with(record.requestMetadata, '{') AND json_valid(record.requestMetadata)"
_CACHED = "coalesce(f_cache_read_tokens, 0) + coalesce(f_written, 0)"
# The whole input, where it is counted with its cached part.
_INCLUSIVE = (
    "record.operation = 'ConverseStream' AND contains(record.modelId, 'openai.') "
    f"AND {_CACHED} > 0 AND f_prompt >= {_CACHED}"
)
_FOR_AN_HOUR = "list_filter(usage.cacheDetails, lambda each: each.ttl = '1h')[1].inputTokens"

FORMAT = Format(
    name="bedrock",
    title="Amazon Bedrock's model invocation logs, from S3 or CloudWatch",
    shapes=JSON,
    claims=_claims,
    raw={**_RECORD, **_DELIVERED},
    rows=_ROWS,
    empty="NOT wrapped AND " + " AND ".join(f'record."{name}" IS NULL' for name in _RECORD),
    # What was refused has neither counts nor a price. Image and video models count nothing: that is a fault.
    calls=f"(record.schemaType IS NOT NULL "
    f"AND (record.errorCode IS NULL OR coalesce({', '.join(_COUNTS)}) IS NOT NULL))",
    fields=(
        moment(first_of("record.timestamp", "given_time"), said="timestamp"),
        text("model", _MODEL, "answer_model", "given_model", _RESOURCE, required=True),
        label("user_id", "regexp_extract(record.identity.arn, '[^/:]+$')"),
        label("workspace", "record.accountId"),
        text("error_type", "record.errorCode"),
        Field(
            "tags",
            "record.requestMetadata",
            _IS_OBJECT,
            ((f"f_tags <> '' AND NOT ({_IS_OBJECT})", "requestMetadata: not an object"),),
            # The first patch takes out what is null.
            f"nullif(CAST(json_merge_patch(json_merge_patch('{{}}', json_object({_OWN_TAGS})), "
            f"CASE WHEN {_IS_OBJECT} THEN record.requestMetadata ELSE '{{}}' END) AS VARCHAR), '{{}}')",
            unless="record.requestMetadata",
        ),
        count("prompt", _INPUT, said="inputTokenCount", required=True),
        # An embedding has no output.
        count("completion", _OUTPUT, said="outputTokenCount"),
        count("cache_read_tokens", _READ, said="cacheReadInputTokenCount"),
        count("written", _WRITTEN, said="cacheWriteInputTokenCount"),
        count(
            "written_1h",
            f"coalesce({_FOR_AN_HOUR}, usage.cache_creation.ephemeral_1h_input_tokens)",
            said="cacheDetails",
        ),
        milliseconds("latency_ms", "latency"),
    ),
    columns={
        "provider": "'aws'",
        "input_tokens": f"CASE WHEN {_INCLUSIVE} THEN f_prompt - ({_CACHED}) ELSE f_prompt END",
        "output_tokens": "coalesce(f_completion, 0)",
        "cache_write_5m_tokens": "f_written - coalesce(f_written_1h, 0)",
        "cache_write_1h_tokens": "f_written_1h",
        "mode": "CASE WHEN record.performanceConfig.latency = 'optimized' THEN 'fast' "
        "WHEN coalesce(tier, '') IN ('', 'default', 'reserved') THEN 'standard' ELSE tier END",
        # By the hour or the month, whatever passes through.
        "billing": "CASE WHEN tier = 'reserved' OR contains(record.modelId, ':provisioned-model/') "
        "THEN 'subscription' ELSE 'metered' END",
        "success": "coalesce(record.errorCode, '') = ''",
    },
    faults=(("f_written_1h > coalesce(f_written, 0)", "cacheDetails: more than cacheWriteInputTokenCount"),),
    # Other logs and transcripts have the id of an answer of Anthropic's or OpenAI's too.
    id=f"CASE WHEN regexp_matches(answer_id, '^({'|'.join(start for start, _ in NAME_SPACES)})') "
    f"THEN {response_id('answer_id', 'bedrock')} "
    "WHEN record.requestId <> '' THEN concat('bedrock:', record.accountId, ':', record.requestId) END",
    content=tuple(
        f"record.{path}" for path in ("timestamp", "accountId", "modelId", "operation", "identity.arn")
    )
    + _COUNTS,
)

FORMATS = (FORMAT,)
