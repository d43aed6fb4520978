"""Claude Code's transcripts: directories of JSONL, a session or sub-agent a file.

One response is written as several lines (one a content block, its output tokens growing) and copied into
resumed, forked and background sessions, so a call's identity is its message's id in the whole ledger and the
most complete line stays, whole. Only lines with a ``usage`` bill.
"""

from __future__ import annotations

from costctl.formats import anthropic
from costctl.formats.fields import Field, dollars, first_of, moment, text
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import Sample
from costctl.formats.wrapper import struct

_LINE_TYPES = frozenset(
    {
        "assistant",
        "user",
        "system",
        "summary",
        "progress",
        "attachment",
        "file-history-snapshot",
        "queue-operation",
    }
)


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        message = line.get("message")
        if (
            "sessionId" in line
            and ("uuid" in line or "parentUuid" in line)
            and line.get("type") in _LINE_TYPES
        ):
            return "has sessionId, uuid and a transcript's type"
        if isinstance(message, dict) and isinstance(message.get("usage"), dict) and "response" not in line:
            return "has message.usage"
        if line.get("type") in ("user", "assistant", "summary") and ("message" in line or "leafUuid" in line):
            return "has a transcript's type and a message"
    return ""


_MESSAGE = struct(anthropic.MESSAGE)
# Sub-agents' progress lines hold the message two levels deeper.
_PROGRESS = struct(
    {
        "message": struct(
            {
                "message": _MESSAGE,
                **dict.fromkeys(("timestamp", "requestId", "costUSD", "isSidechain"), "VARCHAR"),
            }
        )
    }
)


def _of_message(path: str) -> str:
    return f"coalesce(message.{path}, data.message.message.{path})"


_TOKENS = tuple(
    f"coalesce(message.usage.{name}, data.message.message.usage.{name}, {flat})"
    for name, flat in (("input_tokens", "inputTokens"), ("output_tokens", "outputTokens"))
)
_ID = _of_message("id")
_MODEL = _of_message("model")
_UNREADABLE = (
    "(type IS NULL AND timestamp IS NULL AND message IS NULL AND sessionId IS NULL AND uuid IS NULL)"
)


def _usage(part: str) -> str:
    flat = {"input_tokens": "inputTokens", "output_tokens": "outputTokens"}
    flat |= {
        "cache_read_input_tokens": "cacheReadInputTokens",
        "cache_creation_input_tokens": "cacheCreationInputTokens",
    }
    older = f", {flat[part]}" if part in flat else ""
    return f"coalesce(message.usage.{part}, data.message.message.usage.{part}{older})"


FORMAT = Format(
    name="claude-code",
    title="Claude Code's transcripts (~/.claude/projects)",
    shapes=("jsonl",),
    claims=_claims,
    raw={
        **dict.fromkeys(
            ("type", "timestamp", "sessionId", "uuid", "requestId", "cwd", "gitBranch", "isSidechain", "agentId",
             "isApiErrorMessage", "costUSD", "inputTokens", "outputTokens", "cacheReadInputTokens",
             "cacheCreationInputTokens"),
            "VARCHAR",
        ),
        "message": _MESSAGE,
        "data": _PROGRESS,
    },  # fmt: skip
    calls=f"""{_UNREADABLE} OR (
        coalesce(type, 'assistant') IN ('assistant', 'progress')
        AND coalesce({", ".join(_TOKENS)}) IS NOT NULL
        AND NOT (coalesce({_MODEL}, '') = '<synthetic>' AND {_TOKENS[0]} = '0' AND {_TOKENS[1]} = '0')
    )""",
    fields=(
        Field("unreadable", "TRUE", ((_UNREADABLE, "unreadable"),)),
        moment("ts", "coalesce(timestamp, data.message.timestamp, given_time)", said="timestamp"),
        text("model", _MODEL, required=True),
        Field("provider", anthropic.provider(_ID, _MODEL)),
        text("project", "cwd"),
        text("session", "sessionId"),
        text("agent", "agentId"),
        Field("replay", "coalesce(isSidechain, data.message.isSidechain) = 'true'"),
        Field("success", "CASE WHEN isApiErrorMessage = 'true' THEN FALSE END"),
        Field("tags", "CASE WHEN gitBranch <> '' THEN CAST(json_object('git_branch', gitBranch) AS VARCHAR) END"),
        dollars("reported_cost_pico", "coalesce(costUSD, data.message.costUSD)", said="costUSD"),
        *anthropic.usage_fields(_usage),
    ),
    columns=anthropic.USAGE_COLUMNS,
    # A line without a message id is known by its uuid, which copies keep.
    id=f"coalesce({response_id(_ID, 'anthropic')}, 'claude-code:' || nullif(uuid, ''))",
    content=("timestamp", "sessionId", _MODEL, *_TOKENS, _usage("cache_read_input_tokens"),
             _usage("cache_creation_input_tokens")),
    repeats=True,
    extra=anthropic.further_calls(_usage),
    further=anthropic.FURTHER,
)  # fmt: skip
