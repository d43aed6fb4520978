"""What every source of Anthropic's ``usage`` object shares.

Facts: anthropic-sdk-python ``types/usage.py``, ``types/beta/beta_usage.py``; platform.claude.com, "Prompt
caching", "Compaction", "Data residency". input_tokens excludes what was read from or written to the cache;
output_tokens includes thinking.
"""

from __future__ import annotations

from collections.abc import Callable

from costctl.formats.fields import Field, count, first_of
from costctl.formats.wrapper import struct

USAGE = struct(
    {
        "input_tokens": "VARCHAR",
        "output_tokens": "VARCHAR",
        "cache_read_input_tokens": "VARCHAR",
        "cache_creation_input_tokens": "VARCHAR",
        "cache_creation": struct(
            dict.fromkeys(("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"), "VARCHAR")
        ),
        "output_tokens_details": struct({"thinking_tokens": "VARCHAR"}),
        "server_tool_use": struct(dict.fromkeys(("web_search_requests", "web_fetch_requests"), "VARCHAR")),
        "service_tier": "VARCHAR",
        "speed": "VARCHAR",
        "inference_geo": "VARCHAR",
        "iterations": "VARCHAR",
    }
)

MESSAGE = {"id": "VARCHAR", "type": "VARCHAR", "model": "VARCHAR", "usage": USAGE}


def usage_fields(usage: Callable[[str], str]) -> tuple[Field, ...]:
    """The counts of a usage object; ``usage`` gives SQL for a part of it by its path."""
    geo = usage("inference_geo")
    return (
        count("input_tokens", usage("input_tokens"), required=True),
        count("output_tokens", usage("output_tokens"), required=True),
        count("cache_read_tokens", usage("cache_read_input_tokens"), said="cache_read_input_tokens"),
        count("written", usage("cache_creation_input_tokens"), said="cache_creation_input_tokens"),
        count(
            "written_5m", usage("cache_creation.ephemeral_5m_input_tokens"), said="ephemeral_5m_input_tokens"
        ),
        count(
            "written_1h", usage("cache_creation.ephemeral_1h_input_tokens"), said="ephemeral_1h_input_tokens"
        ),
        count("reasoning_tokens", usage("output_tokens_details.thinking_tokens"), said="thinking_tokens"),
        count("web_searches", usage("server_tool_use.web_search_requests"), said="web_search_requests"),
        count("web_fetches", usage("server_tool_use.web_fetch_requests"), said="web_fetch_requests"),
        Field("service_tier", usage("service_tier")),
        Field("speed", usage("speed")),
        # "global" and "not_available" are the ordinary price.
        Field("region", f"CASE WHEN {geo} NOT IN ('', 'global', 'not_available') THEN {geo} END"),
    )


USAGE_COLUMNS = {
    # A breakdown may fall short of its total (streamed server tools): the rest has the default lifetime.
    "cache_write_5m_tokens": "CASE WHEN coalesce(f_written, f_written_5m, f_written_1h) IS NOT NULL THEN "
    "greatest(coalesce(f_written, 0) - coalesce(f_written_1h, 0), coalesce(f_written_5m, 0)) END",
    "cache_write_1h_tokens": "f_written_1h",
    "other_units": "CASE WHEN f_web_searches > 0 AND f_web_fetches > 0 "
    "THEN MAP {'web_fetch_requests': f_web_fetches, 'web_search_requests': f_web_searches} "
    "WHEN f_web_searches > 0 THEN MAP {'web_search_requests': f_web_searches} "
    "WHEN f_web_fetches > 0 THEN MAP {'web_fetch_requests': f_web_fetches} END",
    # The tier that served the call; "default" is what some gateways write for standard.
    "mode": "CASE WHEN f_speed = 'fast' THEN 'fast' "
    "WHEN coalesce(f_service_tier, '') IN ('', 'default', 'standard') THEN 'standard' ELSE f_service_tier END",
}


def provider(id: str, model: str) -> str:
    """SQL for who served a message: its id tells the clouds apart."""
    return (
        f"CASE WHEN starts_with({id}, 'msg_bdrk_') THEN 'aws' WHEN starts_with({id}, 'msg_vrtx_') THEN 'google' "
        f"WHEN starts_with({id}, 'msg') OR starts_with({model}, 'claude') THEN 'anthropic' END"
    )


def further_calls(usage: Callable[[str], str]) -> str:
    """SQL for the ``iterations`` of a message where they hold calls that its own counts leave out."""
    iterations = usage("iterations")
    return (
        f"CASE WHEN contains({iterations}, 'advisor_message') OR contains({iterations}, 'compaction') "
        f"THEN {iterations} END"
    )


_ITEM = (
    '[{"type": "VARCHAR", "model": "VARCHAR", "input_tokens": "BIGINT", "output_tokens": "BIGINT", '
    '"cache_read_input_tokens": "BIGINT", "cache_creation_input_tokens": "BIGINT", '
    '"cache_creation": {"ephemeral_1h_input_tokens": "BIGINT"}}]'
)

FURTHER = f"""
SELECT * REPLACE (
    extra_id || ':' || kind || ':' || (row_number() OVER (PARTITION BY source_id, line_key, kind ORDER BY place) - 1) AS extra_id,
    CAST(NULL AS VARCHAR) AS extra,
    {first_of("item.model", "model")} AS model,
    item.input_tokens AS input_tokens,
    item.output_tokens AS output_tokens,
    item.cache_read_input_tokens AS cache_read_tokens,
    coalesce(item.cache_creation_input_tokens, 0) - coalesce(item.cache_creation.ephemeral_1h_input_tokens, 0)
        AS cache_write_5m_tokens,
    item.cache_creation.ephemeral_1h_input_tokens AS cache_write_1h_tokens,
    CAST(NULL AS BIGINT) AS reasoning_tokens,
    CAST(NULL AS MAP(VARCHAR, BIGINT)) AS other_units,
    CAST(NULL AS BIGINT) AS reported_cost_pico
) EXCLUDE (item, kind, place, line_key)
FROM (
    SELECT staged.*, staged.rowid AS line_key, item, place,
        CASE item.type WHEN 'advisor_message' THEN 'advisor' ELSE item.type END AS kind
    FROM staged, unnest(from_json(extra, '{_ITEM}')) WITH ORDINALITY AS items(item, place)
    WHERE extra IS NOT NULL AND item.type IN ('advisor_message', 'compaction')
)
"""
"""Rows for the advisor's and the compaction's own calls: they are billed beside the message's counts, under
their own model or the message's. ``message`` and ``fallback_message`` items are in the counts already."""
