"""Name spaces of the ids that providers give to their responses."""

from __future__ import annotations

NAME_SPACES: tuple[tuple[str, str], ...] = (
    ("msg_", "anthropic"),
    ("chatcmpl-", "openai"),
    ("resp_", "openai"),
    ("gen-", "openrouter"),
)
"""How a response's id begins, and its provider. One call that is seen in a provider's log, in a transcript
and in a call log has the same id, so it is one row."""


def response_id(raw: str, otherwise: str) -> str:
    """SQL for a response's id in its name space; ``otherwise`` is that of ids of unknown origin."""
    known = " ".join(f"WHEN starts_with({raw}, '{start}') THEN '{space}:'" for start, space in NAME_SPACES)
    return f"CASE WHEN {raw} <> '' THEN CASE {known} ELSE '{otherwise}:' END || {raw} END"
