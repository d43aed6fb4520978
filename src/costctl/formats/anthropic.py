"""What every source of Anthropic's ``usage`` object shares.

Facts: anthropic-sdk-python ``types/usage.py``, ``types/beta/beta_usage.py``; platform.claude.com, "Prompt
caching", "Compaction", "Data residency". input_tokens excludes what was read from or written to the cache;
output_tokens includes thinking.
"""

from __future__ import annotations

from collections.abc import Callable

from costctl.formats.fields import Fault, Field, count, first_of, instant
from costctl.formats.wrapper import struct
from costctl.records import MAX_TOKENS

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

MESSAGE = {"id": "VARCHAR", "model": "VARCHAR", "usage": USAGE}

_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_DETAILS = (
    "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens",
    "server_tool_use.web_search_requests", "service_tier", "speed", "inference_geo",
)  # fmt: skip

_Usage = Callable[[str], str]
"""Gives SQL for a part of a usage object by its path."""


def billed(usage: _Usage) -> str:
    """SQL for whether a row states any count, and so is a call."""
    return f"({' OR '.join(f'{usage(part)} IS NOT NULL' for part in _COUNTS)})"


def content(usage: _Usage) -> tuple[str, ...]:
    """What a usage object adds to the content of a line."""
    return tuple(usage(part) for part in (*_COUNTS, *_DETAILS))


def usage_fields(usage: _Usage) -> tuple[Field, ...]:
    """What a usage object says."""
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
        Field("region", region(usage("inference_geo"))),
    )


def _default_lifetime(total: str, five_minutes: str, one_hour: str) -> str:
    """SQL for the cache writes at the default lifetime. A breakdown may fall short of its total (streamed
    server tools): the rest is theirs."""
    return f"greatest(coalesce({total}, 0) - coalesce({one_hour}, 0), coalesce({five_minutes}, 0))"


USAGE_COLUMNS = {
    "cache_write_5m_tokens": "CASE WHEN coalesce(f_written, f_written_5m, f_written_1h) IS NOT NULL "
    f"THEN {_default_lifetime('f_written', 'f_written_5m', 'f_written_1h')} END",
    "cache_write_1h_tokens": "f_written_1h",
    "other_units": "CASE WHEN f_web_searches > 0 AND f_web_fetches > 0 "
    "THEN MAP {'web_fetch_requests': f_web_fetches, 'web_search_requests': f_web_searches} "
    "WHEN f_web_searches > 0 THEN MAP {'web_search_requests': f_web_searches} "
    "WHEN f_web_fetches > 0 THEN MAP {'web_fetch_requests': f_web_fetches} END",
    # The tier that served the call; "default" is what some gateways write for standard.
    "mode": "CASE WHEN f_speed = 'fast' THEN 'fast' "
    "WHEN coalesce(f_service_tier, '') IN ('', 'default', 'standard') THEN 'standard' "
    "ELSE f_service_tier END",
}


def region(geo: str) -> str:
    """SQL for the region of an ``inference_geo``: "global" and "not_available" are the ordinary price."""
    return f"CASE WHEN {geo} NOT IN ('', 'global', 'not_available') THEN {geo} END"


def reported_mode(tier: str, speed: str) -> str:
    """SQL for the mode of a report's service tier and speed, NULL where it states neither. Priority at demand
    and discounted flex are kinds of those tiers; no page says what they cost."""
    return (
        f"CASE WHEN {speed} = 'fast' THEN 'fast' "
        f"WHEN {tier} = 'priority_on_demand' THEN 'priority' WHEN {tier} = 'flex_discount' THEN 'flex' "
        f"WHEN {tier} <> '' THEN {tier} WHEN {speed} <> '' THEN 'standard' END"
    )


def utc(raw: str) -> str:
    """SQL for a time that is in UTC where it states no zone; a date is its midnight."""
    zoned = f"regexp_matches({raw}, '([A-Za-z]|[+-][0-9]{{2}}:?[0-9]{{2}})$')"
    return f"CASE WHEN {zoned} THEN {instant(raw)} ELSE TRY_CAST({raw} AS TIMESTAMP) END"


def day(raw: str) -> str:
    """SQL for the text of such a time, the same whether midnight is written or not."""
    return f"regexp_replace({raw}, '[T ]00:00(:00([.]0+)?)?(Z|[+]00:?00)?$', '')"


def provider(id: str, model: str) -> str:
    """SQL for who served a message: its id tells the clouds apart."""
    return (
        f"CASE WHEN starts_with({id}, 'msg_bdrk_') THEN 'aws' "
        f"WHEN starts_with({id}, 'msg_vrtx_') THEN 'google' "
        f"WHEN starts_with({id}, 'msg') OR starts_with({model}, 'claude') THEN 'anthropic' END"
    )


def further_calls(usage: _Usage) -> str:
    """SQL for the ``iterations`` of a message where they hold calls that its own counts leave out."""
    iterations = usage("iterations")
    return (
        f"CASE WHEN contains({iterations}, 'advisor_message') OR contains({iterations}, 'compaction') "
        f"THEN {iterations} END"
    )


_TYPES = (
    '[{"type": "VARCHAR", "model": "VARCHAR", "input_tokens": "VARCHAR", "output_tokens": "VARCHAR", '
    '"cache_read_input_tokens": "VARCHAR", "cache_creation_input_tokens": "VARCHAR", '
    '"cache_creation": {"ephemeral_5m_input_tokens": "VARCHAR", "ephemeral_1h_input_tokens": "VARCHAR"}}]'
)
_ITEMS = f"TRY(from_json(extra, '{_TYPES}'))"
_IS_CALL = "item.type IN ('advisor_message', 'compaction')"
_NUMBERS = (
    "item.input_tokens", "item.output_tokens", "item.cache_read_input_tokens",
    "item.cache_creation_input_tokens", "item.cache_creation.ephemeral_5m_input_tokens",
    "item.cache_creation.ephemeral_1h_input_tokens",
)  # fmt: skip


def _whole(number: str) -> str:
    in_range = f"TRY_CAST({number} AS BIGINT) <= {MAX_TOKENS}"
    return f"coalesce(regexp_full_match({number}, '[0-9]+') AND {in_range}, FALSE)"


_SOUND = " AND ".join(
    _whole(number) if number in _NUMBERS[:2] else f"({number} IS NULL OR {_whole(number)})"
    for number in _NUMBERS
)

_UNSOUND = f"list_filter({_ITEMS}, lambda item: {_IS_CALL} AND NOT ({_SOUND}))"

FURTHER_FAULT: Fault = (
    f"extra IS NOT NULL AND coalesce(len({_UNSOUND}) > 0, TRUE)",
    "iterations: tokens that are no whole numbers",
)


def _number(name: str) -> str:
    return f"TRY_CAST(item.{name} AS BIGINT)"


_WRITES = [
    _number(name)
    for name in (
        "cache_creation_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
    )
]

FURTHER = f"""
SELECT * EXCLUDE (item, kind, place, line_key) REPLACE (
    extra_id || ':' || kind || ':'
        || (row_number() OVER (PARTITION BY line_key, kind ORDER BY place) - 1) AS extra_id,
    CAST(NULL AS VARCHAR) AS extra,
    {first_of("item.model", "model")} AS model,
    {_number("input_tokens")} AS input_tokens,
    {_number("output_tokens")} AS output_tokens,
    {_number("cache_read_input_tokens")} AS cache_read_tokens,
    {_default_lifetime(*_WRITES)} AS cache_write_5m_tokens,
    {_WRITES[2]} AS cache_write_1h_tokens,
    CAST(NULL AS BIGINT) AS reasoning_tokens,
    CAST(NULL AS MAP(VARCHAR, BIGINT)) AS other_units,
    CAST(NULL AS BIGINT) AS latency_ms,
    CAST(NULL AS BIGINT) AS reported_cost_pico
)
FROM (
    SELECT staged.*, staged.rowid AS line_key, item, place,
        CASE item.type WHEN 'advisor_message' THEN 'advisor' ELSE item.type END AS kind
    FROM staged, unnest({_ITEMS}) WITH ORDINALITY AS items(item, place)
    WHERE extra IS NOT NULL AND reason IS NULL AND {_IS_CALL}
)
"""  # noqa: S608 (constants of this module)
"""Rows for the advisor's and the compaction's own calls: they are billed beside the message's counts, under
their own model or the message's. ``message`` and ``fallback_message`` items are in the counts already."""
