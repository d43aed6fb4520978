"""Gemini CLI's chat recordings (~/.gemini/tmp/PROJECT/chats): one JSON document a session until version 0.2x,
JSONL that is only ever appended to since.

Facts: google-gemini/gemini-cli, packages/core/src/services/chatRecordingTypes.ts and chatRecordingService.ts
(read at 5411f113). In JSONL the first line says whose session it is; a message is appended again, under its
id, whenever it changes; ``$set`` changes the session, and may hold all messages anew; ``$rewindTo`` takes
messages back that were billed all the same. ``tokens`` are the response's usageMetadata: ``input`` is
promptTokenCount, which INCLUDES ``cached``; ``output`` is candidatesTokenCount, without ``thoughts``;
``tool`` is toolUsePromptTokenCount, which is not in ``input``.
"""

from __future__ import annotations

from costctl.formats import sample
from costctl.formats.fields import Field, count, first_of, label, model, moment
from costctl.formats.format import Format
from costctl.formats.sample import Sample
from costctl.formats.wrapper import struct

_TOKENS = ("input", "output", "cached", "thoughts", "tool", "total")
_MESSAGE = {
    **dict.fromkeys(("id", "timestamp", "type", "model"), "VARCHAR"),
    "tokens": struct(dict.fromkeys(_TOKENS, "VARCHAR")),
}
_MESSAGES = struct(_MESSAGE) + "[]"


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        if "sessionId" in line and "projectHash" in line:
            return "has sessionId and projectHash"
    return ""


_OWN = "struct_pack(" + ", ".join(f"{name} := {name}" for name in _MESSAGE) + ")"
# Of the records of a message that count tokens the last one counts.
_ROWS = f"""(
    WITH sessions AS (
        SELECT source_id, line, given_time, given_model, messages, "$set".messages AS checkpoint,
            coalesce(sessionId, projectHash, id, timestamp, type, model, "$rewindTo") IS NULL
                AND tokens IS NULL AND messages IS NULL AND "$set" IS NULL AS is_empty,
            last_value(nullif(coalesce(sessionId, "$set".sessionId), '') IGNORE NULLS) OVER before AS session,
            last_value(nullif(projectHash, '') IGNORE NULLS) OVER before AS project,
            CASE WHEN coalesce(id, type) IS NOT NULL OR tokens IS NOT NULL THEN [{_OWN}] END AS own
        FROM raw
        WINDOW before AS (PARTITION BY source_id ORDER BY line)
    ),
    listed AS (
        SELECT * EXCLUDE (own, messages, checkpoint),
            coalesce(nullif(list_concat(own, messages, checkpoint), []), [NULL]) AS messages
        FROM sessions
    ),
    told AS (
        SELECT * EXCLUDE (messages, each), each.*
        FROM (SELECT *, unnest(messages) AS each, generate_subscripts(messages, 1) AS place FROM listed)
    )
    SELECT *,
        id IS NULL OR tokens IS NULL OR row_number() OVER (
            PARTITION BY source_id, session, id, tokens IS NULL ORDER BY line DESC, place DESC
        ) = 1 AS is_last
    FROM told
)"""  # noqa: S608 (constants of this module)

# Not every server keeps thoughts apart; the total tells.
_THOUGHTS = """CASE
    WHEN f_total = f_input + f_output + coalesce(f_tool, 0) THEN 0 ELSE coalesce(f_thoughts, 0)
END"""

FORMAT = Format(
    name="gemini-cli",
    title="Gemini CLI's chat recordings (~/.gemini/tmp)",
    shapes=sample.JSON,
    claims=_claims,
    raw={
        **dict.fromkeys(("sessionId", "projectHash", "$rewindTo"), "VARCHAR"),
        **_MESSAGE,
        "messages": _MESSAGES,
        "$set": struct({"sessionId": "VARCHAR", "messages": _MESSAGES}),
    },
    rows=_ROWS,
    empty="is_empty",
    # What failed or was cancelled counts no tokens.
    calls="type = 'gemini' AND tokens IS NOT NULL AND is_last",
    fields=(
        moment(first_of("timestamp", "given_time"), said="timestamp"),
        model("model"),
        Field("provider", "'google'"),
        label("project", "project"),
        label("session", '"session"'),
        *(count(name, f"tokens.{name}", required=name in ("input", "output")) for name in _TOKENS),
    ),
    columns={
        "input_tokens": "f_input - coalesce(f_cached, 0) + coalesce(f_tool, 0)",
        "cache_read_tokens": "f_cached",
        "output_tokens": f"f_output + {_THOUGHTS}",
        "reasoning_tokens": "f_thoughts",
    },
    faults=(
        ("f_cached > f_input", "cached: more than input"),
        (f"f_thoughts > f_output + {_THOUGHTS}", "thoughts: more than output"),
    ),
    id="CASE WHEN \"session\" <> '' AND id <> '' THEN 'gemini-cli:' || \"session\" || ':' || id END",
    content=("timestamp", '"session"', "id", "model", *(f"tokens.{name}" for name in _TOKENS)),
    lines_stand_alone=False,
    in_order=True,
    repeats=True,
)

FORMATS = (FORMAT,)
