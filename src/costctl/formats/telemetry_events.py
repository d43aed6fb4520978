"""Coding agents' own log events of OpenTelemetry that tell of a model call.

``claude_code.api_request`` (code.claude.com, "Monitoring", API request event): input_tokens excludes what was
read from or written to the cache, numbers may be texts, cost_usd is Claude Code's own estimate.
``gemini_cli.api_response`` (google-gemini/gemini-cli, docs/cli/telemetry.md; packages/core/src/telemetry):
the counts of the API's usageMetadata, so that input includes cached tokens, output excludes thoughts, unless
the total says otherwise, and a tool's tokens stand beside both.

Their metrics (claude_code.token.usage, gemini_cli.token.usage), their spans and Gemini CLI's event
gen_ai.client.inference.operation.details tell of the same calls again and are not read.
"""

from __future__ import annotations

from costctl.formats.span_attributes import Attribute

CLAUDE_CODE, GEMINI_CLI = "claude_code.api_request", "gemini_cli.api_response"

ALL_NAMES: tuple[str, ...] = (
    "event.name", "event.timestamp", "event.sequence", "model", "duration_ms", "session.id", "user.email",
    "user.account_uuid", "user.id", "agent.name", "query_source", "speed", "request_id", "cost_usd",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens",
    "input_token_count", "output_token_count", "cached_content_token_count", "thoughts_token_count",
    "tool_token_count", "total_token_count", "prompt_id", "auth_type",
)  # fmt: skip


def event(attribute: Attribute, *names: str) -> str:
    """SQL for which of the two events it is, NULL for all others; ``names`` are other places of its name."""
    places = ", ".join((attribute("event.name"), *names))
    whens = " ".join(f"WHEN '{each}' IN ({places}) THEN '{each}'" for each in (CLAUDE_CODE, GEMINI_CLI))
    return f"CASE {whens} END"


def said(attribute: Attribute, event: str, time: str) -> dict[str, str]:
    """SQL for the text of each thing that an event says; ``time`` is that of its record, as it is written."""
    claude = f"{event} = '{CLAUDE_CODE}'"
    model = attribute("model")
    session, prompt = attribute("session.id"), attribute("prompt_id")
    return {
        "model": model,
        "provider": f"""CASE WHEN NOT ({claude}) THEN 'google'
            WHEN regexp_matches({model}, '(^|[./:])anthropic[.]') THEN 'aws'
            WHEN contains({model}, '@') THEN 'google'
            WHEN starts_with({model}, 'claude') THEN 'anthropic' END""",
        "uncached": attribute("input_tokens"),
        "input": attribute("input_token_count"),
        "output": f"coalesce({attribute('output_tokens')}, {attribute('output_token_count')})",
        "cache_read": f"coalesce({attribute('cache_read_tokens')}, "
        f"{attribute('cached_content_token_count')})",
        "cache_write": attribute("cache_creation_tokens"),
        "thoughts": attribute("thoughts_token_count"),
        "tool": attribute("tool_token_count"),
        "total": attribute("total_token_count"),
        "cost": attribute("cost_usd"),
        "took": attribute("duration_ms"),
        "session_label": session,
        "user_label": "coalesce("
        + ", ".join(
            f"nullif({attribute(name)}, '')" for name in ("user.email", "user.account_uuid", "user.id")
        )
        + ")",
        "agent_label": attribute("agent.name"),
        "query_source": attribute("query_source"),
        "speed": attribute("speed"),
        "billing": f"""CASE WHEN {attribute("auth_type")} IN ('gemini-api-key', 'vertex-ai') THEN 'metered'
            ELSE 'unknown' END""",
        # A request's id, else its place in the session: of two copies of a record one counts.
        "identity": f"""CASE WHEN {claude} THEN coalesce(
                'anthropic:' || nullif({attribute("request_id")}, ''),
                'claude-code:' || {session} || ':' || {attribute("event.sequence")} || ':' || {time})
            ELSE 'gemini-cli:' || {session} || ':' || {prompt} || ':' || {attribute("event.timestamp")}
            END""",
        "tool_name": f"CASE WHEN {claude} THEN 'claude-code' ELSE 'gemini-cli' END",
    }
