"""costctl's own call log: one call a line, under the names of the book's APIUsageLog or our canonical ones.

``cached_tokens`` is the book's word: input_tokens then INCLUDES it. ``cache_read_tokens`` is ours: the token
columns are disjoint. A line with both conventions is rejected. A time without a zone is UTC, as the book's.
"""

from __future__ import annotations

from costctl.formats.fields import (
    api_key,
    count,
    dollars,
    first_of,
    label,
    milliseconds,
    model,
    moment,
    one_of,
    tags,
    text,
    truth,
    units,
)
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import Sample
from costctl.money import MAX_PICO
from costctl.records import BILLINGS, GRAINS, MODES

_TIMES = ("timestamp", "ts")
_TIME = first_of(*_TIMES, "given_time")
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_read_tokens")

# What nearly every line has and, in the second list, what few have. Both are the identity of a line without
# an id, in this order: new names go to the end of the second.
_USUAL = (
    "timestamp", "user_id", "team_id", "project_id", "agent_id", "model", "input_tokens", "output_tokens",
    "cached_tokens", "latency_ms", "success", "error_type", "tags",
)  # fmt: skip
_RARE = (
    "ts", "user", "team", "project", "agent", "session_id", "session", "api_key_id", "api_key",
    "workspace_id", "workspace", "provider", "mode", "region", "context_tier", "billing", "grain", "replay",
    "requests", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "other_units", "total_cost", "input_cost", "output_cost", "reported_cost_pico",
)  # fmt: skip


def _claims(sample: Sample) -> str:
    for names in (*(each.keys() for each in sample.objects), sample.names):
        time = next((name for name in _TIMES if name in names), "")
        tokens = next((name for name in _TOKENS if name in names), "")
        if time and tokens and "model" in names:
            return f"has {time}, model and {tokens}"
    return ""


FORMAT = Format(
    name="costctl",
    title="call log of one call a line, with the book's APIUsageLog fields or costctl's own names",
    shapes=("jsonl", "csv", "parquet"),
    claims=_claims,
    raw={"id": "VARCHAR", **dict.fromkeys((*_USUAL, *_RARE), "VARCHAR")},
    fields=(
        moment(_TIME, said="timestamp"),
        model("model"),
        text("provider", "provider"),
        label("team", "team_id", "team"),
        label("project", "project_id", "project"),
        label("user_id", "user_id", '"user"'),
        label("agent", "agent_id", "agent"),
        label("session", "session_id", '"session"'),
        api_key("api_key_id", "api_key"),
        label("workspace", "workspace_id", "workspace"),
        text("region", "region"),
        text("context_tier", "context_tier"),
        text("error_type", "error_type"),
        one_of("mode", "mode", MODES, "standard"),
        one_of("billing", "billing", BILLINGS, "metered"),
        one_of("grain", '"grain"', GRAINS, "call"),
        truth("replay", "replay"),
        count("requests", "requests", least=1),
        count("input_tokens", "input_tokens", required=True),
        count("output_tokens", "output_tokens", required=True),
        count("cached_tokens", "cached_tokens"),
        count("cache_read_tokens", "cache_read_tokens"),
        count("cache_write_tokens", "cache_write_tokens"),
        count("cache_write_5m_tokens", "cache_write_5m_tokens"),
        count("cache_write_1h_tokens", "cache_write_1h_tokens"),
        count("reasoning_tokens", "reasoning_tokens"),
        units("other_units", "other_units"),
        milliseconds("latency_ms", "latency_ms"),
        truth("success", "success"),
        dollars("total_cost", "total_cost"),
        dollars("input_cost", "input_cost"),
        dollars("output_cost", "output_cost"),
        count("reported_cost_pico", "reported_cost_pico", most=MAX_PICO),
        tags("tags"),
    ),
    columns={
        "requests": "coalesce(f_requests, CASE WHEN f_grain = 'call' THEN CAST(1 AS BIGINT) END)",
        "input_tokens": "f_input_tokens - coalesce(f_cached_tokens, 0)",
        "cache_read_tokens": "coalesce(f_cached_tokens, f_cache_read_tokens)",
        "cache_write_5m_tokens": "coalesce(f_cache_write_5m_tokens, f_cache_write_tokens)",
        "reported_cost_pico": "coalesce(f_total_cost, f_input_cost + f_output_cost, f_reported_cost_pico)",
    },
    faults=(
        (
            "f_cached_tokens IS NOT NULL AND coalesce(f_cache_read_tokens, f_cache_write_tokens, "
            "f_cache_write_5m_tokens, f_cache_write_1h_tokens) IS NOT NULL",
            "cached_tokens: beside cache_read_tokens or cache_write tokens, whose input_tokens excludes them",
        ),
        (
            "f_cache_write_tokens IS NOT NULL AND f_cache_write_5m_tokens IS NOT NULL",
            "cache_write_tokens: beside cache_write_5m_tokens, which is the same",
        ),
        ("f_cached_tokens > f_input_tokens", "cached_tokens: more than input_tokens"),
        ("f_reasoning_tokens > f_output_tokens", "reasoning_tokens: more than output_tokens"),
    ),
    id=response_id("id", "costctl"),
    content=tuple(f'"{name}"' for name in _USUAL),
    rarely={name: f'"{name}"' for name in _RARE},
)

FORMATS = (FORMAT,)
