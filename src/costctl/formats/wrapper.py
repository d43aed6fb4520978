"""The wrapper around a raw response: who called, when, and how it went.

    {"timestamp": "2026-03-01T10:00:00Z", "team": "search", "latency_ms": 812, "response": { … }}

A bare response is read too; the same names may then stand beside its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from costctl.formats.fields import Field, json_object, milliseconds, text, truth

LABELS: dict[str, str] = dict.fromkeys(
    (
        "timestamp", "provider", "user_id", "user", "team_id", "team", "project_id", "project", "agent_id",
        "agent", "session_id", "session", "api_key", "workspace", "latency_ms", "success", "error_type", "tags",
    ),
    "VARCHAR",
)  # fmt: skip
"""The wrapper's names, beside ``response``."""


def fields() -> tuple[Field, ...]:
    """The labels and facts that a wrapper states."""
    return (
        text("team", "team_id", "team"),
        text("project", "project_id", "project"),
        text("user_id", "user_id", '"user"'),
        text("agent", "agent_id", "agent"),
        text("session", "session_id", '"session"'),
        text("api_key", "api_key"),
        text("workspace", "workspace"),
        text("error_type", "error_type"),
        milliseconds("latency_ms", "latency_ms"),
        truth("success", "success"),
        json_object("tags", "tags"),
    )


def struct(fields: Mapping[str, str]) -> str:
    """The DuckDB type of an object with these fields."""
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in fields.items()) + ")"


def either(path: str) -> str:
    """SQL for the part ``path`` of the response, wrapped or bare."""
    return f"coalesce(response.{path}, {path})"
