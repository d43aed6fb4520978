"""The CSV exports of the Claude Console: tokens and costs by day, model, key and workspace.

No page of the vendor's describes them. The headers are those of exports that people show: axigatelabs/
axigate-finops (cost, summer 2026), and others' of 2025 and spring 2026, which have fewer columns at the end.
Days are UTC. ``context_window`` is ``≤ 200k`` or ``> 200k``, ``model`` of the costs a display name, and costs
are in dollars rounded to cents.
"""

from __future__ import annotations

from costctl.formats.anthropic import day, region, reported_mode, utc
from costctl.formats.fields import Field, amount, api_key, count, first_of, label, model, moment, text
from costctl.formats.format import Format
from costctl.formats.sample import Sample

_DATE = "usage_date_utc"
# Whatever a spreadsheet has made of the ≤.
_TIER = (
    "CASE WHEN contains(context_window, '>') THEN '200k-1M' "
    "WHEN regexp_full_match(context_window, '[^0-9>]*200k') THEN '0-200k' ELSE nullif(context_window, '') END"
)
_MODE = reported_mode("CASE usage_type WHEN 'message' THEN 'standard' ELSE usage_type END", "speed")
_MOMENT = moment(first_of(_DATE, "given_time"), said=_DATE, value=utc(first_of(_DATE, "given_time")))
_USUAL = dict.fromkeys(
    (_DATE, "workspace", "api_key", "api_key_id", "usage_type", "context_window", "inference_geo", "speed"),
    "VARCHAR",
)
# Newer headers have columns that older ones lack: a day has the same identity in both.
_CONTENT = (
    day(_DATE), "workspace", "api_key", _TIER, _MODE, region("inference_geo"),
)  # fmt: skip


def _tokens_claims(sample: Sample) -> str:
    known = {_DATE, "usage_input_tokens_no_cache", "usage_output_tokens"}
    return "has usage_date_utc and usage_input_tokens_no_cache" if known <= {*sample.names} else ""


TOKENS = Format(
    name="anthropic-console-tokens",
    title="token exports of the Claude Console (CSV)",
    shapes=("csv",),
    claims=_tokens_claims,
    raw={
        **_USUAL,
        **dict.fromkeys(
            (
                "model_version",
                "usage_input_tokens_no_cache",
                "usage_input_tokens_cache_write",
                "usage_input_tokens_cache_write_5m",
                "usage_input_tokens_cache_write_1h",
                "usage_input_tokens_cache_read",
                "usage_output_tokens",
                "web_search_count",
            ),
            "VARCHAR",
        ),
    },
    fields=(
        _MOMENT,
        model("model_version"),
        api_key("api_key", "api_key_id"),
        label("workspace", "workspace"),
        Field("region", region("inference_geo")),
        Field("context_tier", _TIER),
        count(
            "input_tokens", "usage_input_tokens_no_cache", said="usage_input_tokens_no_cache", required=True
        ),
        count("output_tokens", "usage_output_tokens", said="usage_output_tokens", required=True),
        count("cache_read_tokens", "usage_input_tokens_cache_read", said="usage_input_tokens_cache_read"),
        count(
            "cache_write_5m_tokens",
            "coalesce(usage_input_tokens_cache_write_5m, usage_input_tokens_cache_write)",
            said="usage_input_tokens_cache_write",
        ),
        count(
            "cache_write_1h_tokens",
            "usage_input_tokens_cache_write_1h",
            said="usage_input_tokens_cache_write_1h",
        ),
        count("web_searches", "web_search_count", said="web_search_count"),
    ),
    columns={
        "grain": "'bucket'",
        "requests": "CAST(NULL AS BIGINT)",
        "provider": "'anthropic'",
        "mode": f"coalesce({_MODE}, 'standard')",
        "billing": "'metered'",
        "other_units": "CASE WHEN f_web_searches > 0 THEN MAP {'web_search_requests': f_web_searches} END",
    },
    id="CAST(NULL AS VARCHAR)",
    content=(*_CONTENT, "model_version"),
    lines_stand_alone=False,
)


def _cost_claims(sample: Sample) -> str:
    known = {_DATE, "token_type", "cost_usd"}
    return "has usage_date_utc, token_type and cost_usd" if known <= {*sample.names} else ""


COST = Format(
    name="anthropic-console-cost",
    title="cost exports of the Claude Console (CSV)",
    shapes=("csv",),
    claims=_cost_claims,
    yields="charges",
    raw={**_USUAL, **dict.fromkeys(("model", "token_type", "cost_usd", "cost_type"), "VARCHAR")},
    fields=(
        _MOMENT,
        text("model", "model"),
        api_key("api_key", "api_key_id"),
        label("workspace", "workspace"),
        text("line_item", "token_type", "cost_type"),
        amount("amount_pico", "cost_usd", signed=True, said="cost_usd"),
    ),
    columns={
        "provider": "'anthropic'",
        "mode": _MODE,
        "period_end": "f_ts + INTERVAL 1 DAY",
    },
    faults=(("coalesce(cost_usd, '') = ''", "cost_usd: missing"),),
    id="CAST(NULL AS VARCHAR)",
    content=(*_CONTENT, "model", "token_type", "nullif(cost_type, 'token')"),
    lines_stand_alone=False,
)

FORMATS = (TOKENS, COST)
