"""The wrapper around a raw response: who called, when, and how it went.

    {"timestamp": "2026-03-01T10:00:00Z", "team": "search", "latency_ms": 812, "response": { … }}

A bare response is read too; the same names may then stand beside its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats.fields import Field, api_key, label, milliseconds, tags, text, truth

LABELS: dict[str, str] = dict.fromkeys(
    (
        "timestamp", "provider", "user_id", "user", "team_id", "team", "project_id", "project", "agent_id",
        "agent", "session_id", "session", "api_key_id", "api_key", "workspace_id", "workspace", "latency_ms",
        "success", "error_type", "tags",
    ),
    "VARCHAR",
)  # fmt: skip
"""The wrapper's names, beside ``response``."""

CONTENT = tuple(f'"{name}"' for name in LABELS)
"""What a wrapper adds to the content of a line."""

# A raw response is a success unless its wrapper says otherwise.
SUCCESS = "coalesce(f_success, TRUE)"


def fields() -> tuple[Field, ...]:
    """The labels and facts that a wrapper states, but for its time and provider."""
    return (
        label("team", "team_id", "team"),
        label("project", "project_id", "project"),
        label("user_id", "user_id", '"user"'),
        label("agent", "agent_id", "agent"),
        label("session", "session_id", '"session"'),
        api_key("api_key_id", "api_key"),
        label("workspace", "workspace_id", "workspace"),
        text("error_type", "error_type"),
        milliseconds("latency_ms", "latency_ms"),
        truth("success", "success"),
        tags("tags"),
    )


def wrapped(line: Mapping[str, Any]) -> Any:
    """The response that a line holds if it is a wrapper; else the line itself, which may be a bare response.

    Other programs' logs have a ``response`` too, among names of their own: a wrapper states its
    ``timestamp``, or nothing but a wrapper's names.
    """
    if "response" in line and ("timestamp" in line or line.keys() <= {"response", *LABELS}):
        return line["response"]
    return line


def struct(fields: Mapping[str, str]) -> str:
    """The DuckDB type of an object with these fields."""
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in fields.items()) + ")"


def either(path: str) -> str:
    """SQL for the part ``path`` of the response, wrapped or bare."""
    return f"coalesce(response.{path}, {path})"
