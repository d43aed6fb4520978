"""Claude Code's transcripts: directories of JSONL, a session or sub-agent a file.

One response is written as several lines (one a content block, its output tokens growing) and copied into
resumed, forked and background sessions, so a call's identity is its message's id in the whole ledger and the
most complete line stays, whole. Only lines with a ``usage`` bill. The line of a run's result sums up its
messages and is no call.

Facts: ccusage, codeburn and agentsview, and the issues that docs/formats.md names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats import anthropic
from costctl.formats.fields import Field, dollars, first_of, label, last_of_path, model, moment
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import Sample
from costctl.formats.wrapper import struct

_LINE_TYPES = (
    "assistant", "user", "system", "summary", "progress", "attachment", "file-history-snapshot",
    "queue-operation",
)  # fmt: skip


def _has_usage(message: Any) -> bool:
    return isinstance(message, Mapping) and isinstance(message.get("usage"), Mapping)


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        kind = line.get("type")
        if kind in _LINE_TYPES and "sessionId" in line and ("uuid" in line or "parentUuid" in line):
            return "has sessionId, uuid and a transcript's type"
        # Older transcripts, and those that others have shortened. An event of a stream has another type.
        if _has_usage(line.get("message")) and (
            kind == "assistant" or (kind is None and "sessionId" in line)
        ):
            return "has message.usage"
        if kind in ("user", "assistant") and isinstance(line.get("message"), Mapping):
            return "has a transcript's type and a message"
        if kind == "summary" and "leafUuid" in line:
            return "has a summary's leafUuid"
    return ""


# The progress line of a sub-agent holds its message two levels deeper, in ``data``. They are few, so that is
# read as text; lines without it keep their members as they are, uncopied. Other progress may hold anything.
_PROGRESS = struct(
    {
        "message": struct(
            {
                "message": struct(anthropic.MESSAGE),
                **dict.fromkeys(("timestamp", "costUSD", "isSidechain"), "VARCHAR"),
            }
        )
    }
)
_MEMBERS = {
    "message": "coalesce(message, progress.message.message)",
    "timestamp": "coalesce(progress.message.timestamp, timestamp)",
    "costUSD": "coalesce(costUSD, progress.message.costUSD)",
    "isSidechain": "coalesce(isSidechain, progress.message.isSidechain)",
}
_REPLACED = ", ".join(
    f"CASE WHEN data IS NULL THEN {name} ELSE {either} END AS {name}" for name, either in _MEMBERS.items()
)
_ROWS = f"""(
    SELECT * REPLACE ({_REPLACED})
    FROM (
        SELECT *, CASE WHEN data IS NOT NULL AND type = 'progress' AND message IS NULL
            THEN TRY_CAST(TRY_CAST(data AS JSON) AS {_PROGRESS}) END AS progress
        FROM raw
    )
)"""  # noqa: S608 (constants of this module)
# Before version 1 the counts stood beside the message.
_FLAT = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheCreationInputTokens",
}


def _usage(part: str) -> str:
    nested = f"message.usage.{part}"
    if part not in _FLAT:
        return nested
    return f"CASE WHEN {_FLAT[part]} IS NULL THEN {nested} ELSE coalesce({nested}, {_FLAT[part]}) END"


_ID, _MODEL = "message.id", "message.model"
# Stubs that Claude Code itself writes for an error or an interruption.
_STUB = (
    f"{_MODEL} IS NOT DISTINCT FROM '<synthetic>' "
    f"AND coalesce({_usage('input_tokens')}, '0') = '0' AND coalesce({_usage('output_tokens')}, '0') = '0'"
)
_CWD, _BRANCH = "'cwd', cwd", "'git_branch', gitBranch"
_TAGS = f"""CAST(CASE
    WHEN cwd <> '' AND gitBranch <> '' THEN json_object({_CWD}, {_BRANCH})
    WHEN cwd <> '' THEN json_object({_CWD})
    WHEN gitBranch <> '' THEN json_object({_BRANCH})
END AS VARCHAR)"""

FORMAT = Format(
    name="claude-code",
    title="Claude Code's transcripts (~/.claude/projects)",
    shapes=("jsonl",),
    claims=_claims,
    raw={
        **dict.fromkeys(
            ("type", "timestamp", "sessionId", "session_id", "uuid", "cwd", "gitBranch",
             "isSidechain", "agentId", "isApiErrorMessage", "costUSD", *_FLAT.values()),
            "VARCHAR",
        ),
        "message": struct(anthropic.MESSAGE),
        "data": "VARCHAR",
    },
    rows=_ROWS,
    calls=f"""(
        (type = 'assistant' OR type IS NULL OR type = 'progress')
        AND {anthropic.billed(_usage)}
        AND NOT ({_STUB})
    )""",
    fields=(
        moment(first_of("timestamp", "given_time"), said="timestamp"),
        model(_MODEL),
        Field("provider", anthropic.provider(_ID, _MODEL)),
        label("project", last_of_path("cwd")),
        label("session", "sessionId", "session_id"),
        label("agent", "agentId"),
        Field("replay", "coalesce(type = 'progress' OR isSidechain = 'true', FALSE)"),
        Field("success", "coalesce(isApiErrorMessage, 'false') <> 'true'"),
        Field("tags", _TAGS),
        dollars("reported_cost_pico", "costUSD", said="costUSD"),
        *anthropic.usage_fields(_usage),
    ),
    # A cloud meters. Whether Anthropic does, or a subscription pays, no line says.
    columns={
        **anthropic.USAGE_COLUMNS,
        "billing": "CASE WHEN f_provider IN ('aws', 'google') THEN 'metered' ELSE 'unknown' END",
    },
    faults=(anthropic.FURTHER_FAULT,),
    # A line without a message id is known by its uuid, which copies keep.
    id=f"coalesce({response_id(_ID, 'anthropic')}, 'claude-code:' || nullif(uuid, ''))",
    content=("timestamp", "sessionId", "session_id", "agentId", "cwd", "gitBranch",
             "isSidechain", "isApiErrorMessage", "costUSD", _MODEL, *anthropic.content(_usage)),
    repeats=True,
    extra=anthropic.further_calls(_usage),
    further=anthropic.FURTHER,
)  # fmt: skip

FORMATS = (FORMAT,)
