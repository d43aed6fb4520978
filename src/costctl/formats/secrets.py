"""Labels that are really secrets: usage data is full of API keys, and a ledger is no place for one."""

from __future__ import annotations

_BEGINNINGS = ("sk-", "AIza", "AKIA", "ghp_", "xox", "Bearer")
_LONG = "[A-Za-z0-9]{32}"
"""A name has a shorter run of letters and digits, and so has a UUID, whose hyphens break it."""


def _begins(text: str, beginning: str) -> str:
    """SQL for whether ``text`` begins so; the two comparisons take half as long as any search."""
    after = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    return f"({text} >= '{beginning}' AND {text} < '{after}')"


def _begins_like_one(text: str) -> str:
    return " OR ".join(_begins(text, beginning) for beginning in _BEGINNINGS)


def _shortened(text: str) -> str:
    return f"'…' || right({text}, 4) || '#' || left(sha256({text}), 8)"


def label(text: str) -> str:
    """SQL: ``text``, but of one that begins like a secret the last four characters and a hash."""
    return f"CASE WHEN {_begins_like_one(text)} THEN {_shortened(text)} ELSE {text} END"


def api_key(text: str) -> str:
    """SQL: the same for an API key, where any long mixture of letters and digits is taken for a secret."""
    mixed = " AND ".join(f"regexp_matches({text}, '{part}')" for part in (_LONG, "[A-Za-z]", "[0-9]"))
    return f"CASE WHEN {_begins_like_one(text)} OR ({mixed}) THEN {_shortened(text)} ELSE {text} END"
