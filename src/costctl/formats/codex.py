"""OpenAI Codex: its sessions' rollouts ($CODEX_HOME/sessions, archived_sessions), a thread a file, and the
events that ``codex exec --json`` writes.

A ``token_count`` event tells the last response's usage and the thread's total so far. It is written again
whenever something beside it changes, so only one whose total differs from that of the event before is a
call. ``token_usage_record`` lines, of newer versions, are one response each and have its id; from the first
of them on the events tell nothing more. Input INCLUDES what was read from the cache and written to it,
output includes reasoning: total is input + output. The total may begin anew.

A fork, and a sub-agent that is one, begins with a copy of its parent's events, at their own times or at that
of the copying. What is a copy is told, in this order,

1. by the turn that it belongs to: turns and threads have UUIDs of version 7, which begin with their time, and
   a copied turn is older than the thread;
2. by the parent, if it is read in the same batch: the child's events up to the first whose total the parent
   never had;
3. by time: events that are older than the thread, or follow its beginning and each other within a second,
   which is less than a response takes.

Most sub-agents copy no events; none of these takes any from them. Copies are no calls, also where the parent
is not read: it may have been before, or be later.

Facts: openai/codex, codex-rs/core/src/agent/control/spawn.rs (what a fork keeps) and codex-rs/exec/src/
event_processor_with_jsonl_output.rs (turn.completed has the thread's total); what rollouts hold as measured
in ccusage/ccusage#897 and #1460, kenn-io/agentsview#657, chattymin/PokeTokenBar#137,
farion1231/cc-switch#5235, steipete/CodexBar#2108 and getagentseal/codeburn#1383.
"""

from __future__ import annotations

from collections.abc import Mapping

from costctl.formats.fields import Field, count, first_of, instant, label, last_of_path, model, moment
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import Sample
from costctl.formats.wrapper import struct

_LINE_TYPES = (
    "session_meta", "turn_context", "event_msg", "response_item", "compacted", "token_usage_record",
)  # fmt: skip


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        kind = line.get("type")
        if kind in _LINE_TYPES and isinstance(line.get("payload"), Mapping):
            return f'has type "{kind}" and a payload'
        if kind == "thread.started" and "thread_id" in line:
            return 'has type "thread.started"'
        if kind == "turn.completed" and isinstance(line.get("usage"), Mapping):
            return 'has type "turn.completed" and usage'
    return ""


_COUNTS = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens",
           "reasoning_output_tokens")  # fmt: skip
_USAGE = struct(dict.fromkeys(_COUNTS, "VARCHAR"))
_PAYLOAD = struct(
    {
        **dict.fromkeys(
            # Of the session. Where it is a string, source is no parent.
            ("id", "session_id", "cwd", "originator", "model_provider", "forked_from_id", "parent_thread_id",
             "source", "agent_role", "agent_nickname"),
            "VARCHAR",
        ),
        "git": struct({"branch": "VARCHAR"}),
        **dict.fromkeys(("type", "turn_id", "model", "thread_id", "response_id"), "VARCHAR"),
        "info": struct({"model": "VARCHAR", "total_token_usage": _USAGE, "last_token_usage": _USAGE}),
        "usage": _USAGE,
    }
)  # fmt: skip
_SPAWN = struct(
    {"subagent": struct({"thread_spawn": struct(dict.fromkeys(
        ("parent_thread_id", "agent_role", "agent_nickname"), "VARCHAR"))})}
)  # fmt: skip
_IS_EMPTY = "coalesce(timestamp, type, thread_id) IS NULL AND usage IS NULL AND payload IS NULL"


def _state(usage: str) -> str:
    """SQL for the counts of a usage as one text; NULL if there is none. Older versions lack some of them."""
    counts = ", ".join(f"coalesce(nullif({usage}.{name}, ''), '0')" for name in _COUNTS)
    return f"CASE WHEN {usage} IS NOT NULL THEN concat_ws(',', {counts}) END"


def _has_time(uuid: str) -> str:
    """SQL for whether a UUID is of version 7, so that its first 13 characters are a time."""
    return f"regexp_full_match({uuid}, '[0-9a-f]{{8}}-[0-9a-f]{{4}}-7[0-9a-f]{{3}}-[0-9a-f-]{{17}}')"


def _size(usage: str) -> str:
    return f"TRY_CAST({usage}.input_tokens AS DOUBLE) + TRY_CAST({usage}.output_tokens AS DOUBLE)"


def _difference() -> str:
    """SQL for what the total has grown by, for versions that do not tell the last response's usage."""
    grown = ", ".join(
        f"'{name}': CAST(TRY(TRY_CAST(total.{name} AS HUGEINT) "
        f"- coalesce(TRY_CAST(before.{name} AS HUGEINT), 0)) AS VARCHAR)"
        for name in _COUNTS
    )
    return f"CASE WHEN is_reset THEN total ELSE {{{grown}}} END"


# Most lines of a rollout are the conversation, and are left at once.
_ROWS = f"""(
    WITH told AS (
        SELECT * FROM raw
        WHERE type IN ('session_meta', 'turn_context', 'token_usage_record')
            OR type IN ('thread.started', 'turn.completed')
            OR (type = 'event_msg' AND payload.type IN ('token_count', 'task_started'))
            OR ({_IS_EMPTY})
    ),
    -- A copy holds its parent's session_meta too: the first one is the file's own.
    files AS (
        SELECT source_id,
            min_by(payload, line) FILTER (type = 'session_meta') AS meta,
            min_by(timestamp, line) FILTER (type = 'session_meta') AS begun,
            min_by(thread_id, line) FILTER (type = 'thread.started') AS started,
            min(line) FILTER (type = 'token_usage_record') AS first_record,
            min_by({_state("payload.usage")}, line) FILTER (type = 'token_usage_record') AS first_usage
        FROM told GROUP BY source_id
    ),
    threads AS (
        SELECT * EXCLUDE (begun), {instant("begun")} AS begun,
            {first_of("meta.id", "meta.session_id", "started")} AS thread,
            {first_of("meta.forked_from_id", "meta.parent_thread_id", "spawn.parent_thread_id")} AS parent
        FROM (
            SELECT *,
                TRY_CAST(TRY_CAST(meta.source AS JSON) AS {_SPAWN}).subagent.thread_spawn AS spawn
            FROM files
        )
    ),
    lines AS (
        SELECT told.*, threads.* EXCLUDE (source_id),
            last_value(CASE WHEN type = 'turn_context' THEN nullif(payload.model, '') END IGNORE NULLS)
                OVER before AS turn_model,
            last_value(CASE WHEN type = 'turn_context' THEN nullif(payload.cwd, '') END IGNORE NULLS)
                OVER before AS turn_cwd,
            last_value(CASE WHEN type IN ('turn_context', 'event_msg') THEN nullif(payload.turn_id, '') END
                IGNORE NULLS) OVER before AS turn
        FROM told JOIN threads USING (source_id)
        WINDOW before AS (PARTITION BY source_id ORDER BY line)
    ),
    events AS (
        SELECT source_id, line, thread, nullif(parent, thread) AS parent, begun, turn,
            first_record, first_usage,
            {instant("timestamp")} AS moment,
            payload.info.total_token_usage AS total,
            payload.info.last_token_usage AS last,
            {_state("payload.info.total_token_usage")} AS state,
            {_state("payload.info.last_token_usage")} AS step
        FROM lines
        WHERE type = 'event_msg' AND coalesce(payload.info.total_token_usage, payload.info.last_token_usage)
            IS NOT NULL
    ),
    followed AS (
        SELECT *, lag(total) OVER before AS before, lag(moment, 1, begun) OVER before AS moment_before,
            state IS NULL OR state IS DISTINCT FROM lag(state) OVER before AS is_new,
            coalesce({_size("total")} < lag({_size("total")}) OVER before, FALSE) AS is_reset
        FROM events
        WINDOW before AS (PARTITION BY source_id ORDER BY line)
    ),
    weighed AS (
        SELECT followed.*, theirs.state IS NOT NULL AS parent_had,
            followed.parent IN (SELECT thread FROM threads WHERE thread IS NOT NULL) AS parent_is_read,
            {_has_time("turn")} AND {_has_time("followed.thread")} AS turn_tells,
            sum(CAST(is_reset AS INTEGER)) OVER (PARTITION BY source_id ORDER BY line) AS resets
        FROM followed
        LEFT JOIN (SELECT DISTINCT thread, state FROM events WHERE state IS NOT NULL) AS theirs
            ON theirs.thread = followed.parent AND theirs.state = followed.state
    ),
    judged AS (
        SELECT source_id, line, state || CASE WHEN resets > 0 THEN ':' || resets ELSE '' END AS place,
            CASE WHEN last IS NOT NULL THEN last ELSE {_difference()} END AS used,
            is_new
            AND NOT (parent IS NOT NULL AND bool_and(coalesce(CASE
                WHEN turn_tells THEN left(turn, 13) < left(thread, 13)
                WHEN parent_is_read THEN parent_had
                ELSE moment < begun OR moment - moment_before < INTERVAL 1 SECOND
            END, FALSE)) OVER (PARTITION BY source_id ORDER BY line))
            -- What an older version wrote of the thread, before it was resumed by one that writes records.
            AND (first_record IS NULL OR (line < first_record AND step IS DISTINCT FROM first_usage))
            AS is_call
        FROM weighed
    )
    SELECT lines.*, place, coalesce(is_call, FALSE) AS is_call,
        CASE type WHEN 'turn.completed' THEN usage WHEN 'token_usage_record' THEN payload.usage ELSE used END
            AS used
    FROM lines LEFT JOIN judged USING (source_id, line)
)"""  # noqa: S608 (constants of this module)

_TAGS = """nullif(CAST(json_merge_patch('{}', json_object(
    'cwd', nullif(coalesce(meta.cwd, turn_cwd), ''), 'git_branch', nullif(meta.git.branch, ''),
    'originator', nullif(meta.originator, '')
)) AS VARCHAR), '{}')"""
_IS_NOTHING = " AND ".join(
    f"coalesce(nullif(used.{name}, ''), '0') = '0'" for name in ("input_tokens", "output_tokens")
)

FORMAT = Format(
    name="codex",
    title="OpenAI Codex's rollouts (~/.codex/sessions) and codex exec --json",
    shapes=("jsonl",),
    claims=_claims,
    raw={
        **dict.fromkeys(("timestamp", "type", "thread_id"), "VARCHAR"),
        "usage": _USAGE,
        "payload": _PAYLOAD,
    },
    rows=_ROWS,
    # A compaction counts nothing but a total.
    calls=f"""(
        type = 'token_usage_record' OR (type = 'turn.completed' AND usage IS NOT NULL)
        OR (is_call AND NOT ({_IS_NOTHING}))
    )""",
    fields=(
        moment(first_of("timestamp", "given_time"), said="timestamp"),
        model("payload.info.model", "payload.model", "turn_model"),
        # Codex's own provider is OpenAI; others have the names that its user gave them.
        Field("provider", "coalesce(nullif(meta.model_provider, ''), 'openai')"),
        label("project", last_of_path("coalesce(meta.cwd, turn_cwd)")),
        label("session", "payload.thread_id", "thread"),
        label("agent", "meta.agent_role", "spawn.agent_role", "meta.agent_nickname", "spawn.agent_nickname"),
        Field("replay", "coalesce(payload.thread_id <> thread, FALSE)"),
        Field("tags", _TAGS),
        count("input", "used.input_tokens", said="input_tokens", required=True),
        count("cached", "used.cached_input_tokens", said="cached_input_tokens"),
        count("written", "used.cache_write_input_tokens", said="cache_write_input_tokens"),
        count("output_tokens", "used.output_tokens", required=True),
        count("reasoning_tokens", "used.reasoning_output_tokens", said="reasoning_output_tokens"),
    ),
    columns={
        # A thread's total, which later ones replace, of calls of unknown number and sizes.
        "grain": "CASE WHEN type = 'turn.completed' THEN 'bucket' ELSE 'call' END",
        "requests": "CASE WHEN type <> 'turn.completed' THEN CAST(1 AS BIGINT) END",
        "input_tokens": "f_input - coalesce(f_cached, 0) - coalesce(f_written, 0)",
        "cache_read_tokens": "f_cached",
        "cache_write_5m_tokens": "f_written",
    },
    faults=(
        ("coalesce(f_cached, 0) + coalesce(f_written, 0) > f_input",
         "cached_input_tokens: more than input_tokens"),
        ("f_reasoning_tokens > f_output_tokens", "reasoning_output_tokens: more than output_tokens"),
    ),
    id=f"""CASE type
        WHEN 'turn.completed' THEN 'codex-exec:' || thread
        WHEN 'token_usage_record' THEN {response_id("payload.response_id", "codex")}
        ELSE 'codex:' || thread || ':' || place
    END""",
    content=("timestamp", "thread", "payload.thread_id", *(f"used.{name}" for name in _COUNTS)),
    lines_stand_alone=False,
    in_order=True,
    repeats=True,
)  # fmt: skip

FORMATS = (FORMAT,)
