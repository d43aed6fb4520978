"""costctl's own call log: one call a line, under the names of the book's APIUsageLog or our canonical ones.

``cached_tokens`` is the book's word: input_tokens then INCLUDES it. ``cache_read_tokens`` is ours: the token
columns are disjoint. A line with both conventions is rejected. A time without a zone is UTC, as the book's.
"""

from __future__ import annotations

from costctl.formats.fields import (
    count,
    dollars,
    first_of,
    json_object,
    milliseconds,
    moment,
    one_of,
    text,
    truth,
)
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import Sample
from costctl.money import MAX_PICO
from costctl.records import BILLINGS, GRAINS, MODES

_TIMES = ("timestamp", "ts")
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_read_tokens")

# What nearly every line has and, in the second list, what few have. Both are the identity of a line without an
# id, in this order: new names go to the end of the second.
_USUAL = (
    "timestamp", "user_id", "team_id", "project_id", "agent_id", "model", "input_tokens", "output_tokens",
    "cached_tokens", "latency_ms", "success", "error_type", "tags",
)  # fmt: skip
_RARE = (
    "ts", "user", "team", "project", "agent", "session_id", "session", "api_key_id", "api_key", "workspace_id",
    "workspace", "provider", "mode", "region", "context_tier", "billing", "grain", "replay", "requests",
    "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "other_units", "total_cost", "reported_cost_pico",
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
        moment("ts", first_of("timestamp", "ts", "given_time"), said="timestamp"),
        text("model", "model", required=True),
        text("provider", "provider"),
        text("team", "team_id", "team"),
        text("project", "project_id", "project"),
        text("user_id", "user_id", '"user"'),
        text("agent", "agent_id", "agent"),
        text("session", "session_id", '"session"'),
        text("api_key", "api_key_id", "api_key"),
        text("workspace", "workspace_id", "workspace"),
        text("region", "region"),
        text("context_tier", "context_tier"),
        text("error_type", "error_type"),
        one_of("mode", "mode", MODES, "standard"),
        one_of("billing", "billing", BILLINGS, "metered"),
        one_of("grain", '"grain"', GRAINS, "call"),
        truth("replay", "replay"),
        count("requests", "nullif(requests, '')", least=1),
        count("input", "nullif(input_tokens, '')", said="input_tokens", required=True),
        count("output_tokens", "nullif(output_tokens, '')", required=True),
        count("cached", "nullif(cached_tokens, '')", said="cached_tokens"),
        count("cache_read", "nullif(cache_read_tokens, '')", said="cache_read_tokens"),
        count("cache_write", "nullif(cache_write_tokens, '')", said="cache_write_tokens"),
        count("cache_write_5m", "nullif(cache_write_5m_tokens, '')", said="cache_write_5m_tokens"),
        count("cache_write_1h_tokens", "nullif(cache_write_1h_tokens, '')"),
        count("reasoning_tokens", "nullif(reasoning_tokens, '')"),
        json_object("other_units_text", "other_units"),
        milliseconds("latency_ms", "latency_ms"),
        truth("success", "success"),
        dollars("total_cost", "total_cost"),
        count("reported_pico", "nullif(reported_cost_pico, '')", said="reported_cost_pico", most=MAX_PICO),
        json_object("tags", "tags"),
    ),
    columns={
        "requests": "coalesce(f_requests, 1)",
        "input_tokens": "f_input - coalesce(f_cached, 0)",
        "cache_read_tokens": "coalesce(f_cached, f_cache_read)",
        "cache_write_5m_tokens": "coalesce(f_cache_write_5m, f_cache_write)",
        "reported_cost_pico": "coalesce(f_total_cost, f_reported_pico)",
        "other_units": "CASE WHEN f_other_units_text IS NOT NULL THEN map_from_entries(list_sort(map_entries("
        "TRY(CAST(from_json(f_other_units_text, '\"MAP(VARCHAR, BIGINT)\"') AS MAP(VARCHAR, BIGINT)))))) END",
    },
    faults=(
        (
            "f_cached IS NOT NULL AND coalesce(f_cache_read, f_cache_write, f_cache_write_5m, "
            "f_cache_write_1h_tokens) IS NOT NULL",
            "cached_tokens: beside cache_read_tokens or cache_write tokens, whose input_tokens excludes them",
        ),
        (
            "f_cache_write IS NOT NULL AND f_cache_write_5m IS NOT NULL",
            "cache_write_tokens: beside cache_write_5m_tokens, which is the same",
        ),
        ("f_cached > f_input", "cached_tokens: more than input_tokens"),
        ("f_reasoning_tokens > f_output_tokens", "reasoning_tokens: more than output_tokens"),
    ),
    id=response_id("id", "costctl"),
    content=tuple(f'"{name}"' for name in _USUAL),
    rarely={name: f'"{name}"' for name in _RARE},
)
