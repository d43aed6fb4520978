"""The reports of Anthropic's Admin and Analytics APIs: token usage and costs in buckets of time, and Claude
Code's analytics. A file holds pages as the API gives them, or their buckets alone.

Facts: platform.claude.com, "Get Messages Usage Report", "Get Cost Report", "Get Claude Code Usage Report",
"Get Token Usage Over Time", "Get Per-User Token Usage", "Usage and Cost Analytics API"; anthropic-sdk-python
``types/beta/organization/beta_analytics_*.py``. uncached_input_tokens excludes what was read from or written
to the cache. Amounts are in cents ("123.45" is $1.23), some of them fractions of one. A dimension that the
report was not grouped by is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costctl.formats.anthropic import day, region, reported_mode, utc
from costctl.formats.fields import (
    Fault,
    Field,
    amount,
    api_key,
    count,
    first_of,
    instant,
    label,
    model,
    moment,
    one_of,
    text,
)
from costctl.formats.format import Format
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct


def _buckets(sample: Sample) -> Iterator[Mapping[str, Any]]:
    """The buckets of a sample's pages, and its objects where they are buckets."""
    for line in sample.objects:
        data = line.get("data")
        yield from (
            each for each in (data if isinstance(data, list) else [line]) if isinstance(each, Mapping)
        )


def _results(sample: Sample, part: str) -> Iterator[Mapping[str, Any]]:
    """What a report's buckets have figures in: their results, their ``part``, or themselves."""
    for bucket in _buckets(sample):
        results = bucket.get("results")
        if "starting_at" in bucket:
            for each in results if isinstance(results, list) else [bucket.get(part), bucket]:
                if isinstance(each, Mapping):
                    yield each


def _unnested(bucket: Mapping[str, str], inside: str, columns: Mapping[str, str]) -> str:
    """A row for each element of the list ``inside`` of each bucket, also of a page that has none and of a
    bucket without any: ``columns`` are SQL over ``bucket``, whose parts have these types, and ``item``."""
    own = ", ".join(f"'{name}': \"{name}\"" for name in bucket)
    nothing = " AND ".join(f'"{name}" IS NULL' for name in ("data", *bucket))
    named = ",\n        ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"""(
    SELECT source_id, line, given_time, given_model, nothing,
        {named}
    FROM (
        SELECT *, unnest(CASE WHEN len(bucket.{inside}) > 0 THEN bucket.{inside} ELSE [NULL] END) AS item
        FROM (
            SELECT source_id, line, given_time, given_model, {nothing} AS nothing,
                unnest(CASE WHEN len(data) > 0 THEN data ELSE [{{{own}}}] END) AS bucket
            FROM raw
        )
    )
)"""  # noqa: S608 (constants of this module)


_GROUPED = (
    "api_key_id", "workspace_id", "account_id", "service_account_id", "model", "service_tier",
    "context_window", "inference_geo", "speed",
)  # fmt: skip
"""What the Admin API groups by."""

_TAGS = (
    "product", "slack_channel_id", "claude_tag_category", "claude_tag_user_id", "deployment_id",
    "environment_id", "user_profile_id",
)  # fmt: skip
_DIMENSIONS = {
    **dict.fromkeys((*_GROUPED, *_TAGS, "agent_id", "session_id", "rbac_group_id"), "VARCHAR"),
    **dict.fromkeys(("cost_type", "token_type", "description"), "VARCHAR"),
    "actor": struct(dict.fromkeys(("email_address", "user_id"), "VARCHAR")),
}
_RARE = {
    "actor": first_of("actor.user_id", "actor.email_address"),
    **{name: name for name in (*_TAGS, "agent_id", "session_id")},
}

# A user in several groups is counted in each of them.
_GROUP_FAULT: Fault = (
    "rbac_group_id <> ''",
    "rbac_group_id: rows of groups overlap",
)
_PERIOD_END = Field(
    "period_end",
    instant("ending_at"),
    "f_period_end IS NOT NULL",
    (("ending_at <> '' AND f_period_end IS NULL", "ending_at: not a time"),),
    unless="ending_at",
)


def _report(figures: Mapping[str, str], part: str) -> tuple[Mapping[str, str], str]:
    """The raw columns of a report, and its rows. The figures are in the bucket's results (the Admin API),
    in its ``part``, with the dimensions in its ``group``, or in itself (the Analytics API)."""
    item = {**_DIMENSIONS, **figures}
    bucket = {
        "starting_at": "VARCHAR",
        "ending_at": "VARCHAR",
        **item,
        "group": struct(_DIMENSIONS),
        part: struct(figures),
        "results": struct(item) + "[]",
    }
    columns = {
        "starting_at": "bucket.starting_at",
        "ending_at": "bucket.ending_at",
        **{name: f'coalesce(item.{name}, bucket."group".{name}, bucket.{name})' for name in _DIMENSIONS},
        **{name: f"coalesce(item.{name}, bucket.{part}.{name}, bucket.{name})" for name in figures},
    }
    return {"data": struct(bucket) + "[]", **bucket}, _unnested(bucket, "results", columns)


def _usage_claims(sample: Sample) -> str:
    if any("uncached_input_tokens" in each for each in _results(sample, "usage")):
        return "has buckets with uncached_input_tokens"
    # A quiet night in minutes is longer than a sample. Costs are by the day, and not so many.
    buckets = [each for each in _buckets(sample) if "results" in each]
    if buckets and all("starting_at" in each and each["results"] == [] for each in buckets):
        return "is a page of buckets without results"
    return ""


_USAGE_RAW, _USAGE_ROWS = _report(
    {
        **dict.fromkeys(
            ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens", "requests"), "VARCHAR"
        ),
        "cache_creation": struct(
            dict.fromkeys(("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"), "VARCHAR")
        ),
        "server_tool_use": struct({"web_search_requests": "VARCHAR"}),
    },
    "usage",
)
_COUNTS = (
    "uncached_input_tokens", "output_tokens", "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens",
    "server_tool_use.web_search_requests",
)  # fmt: skip
_IS_ANY = f"coalesce({', '.join(_COUNTS)}) IS NOT NULL"
_IS_NONE = " AND ".join(f"coalesce({name}, '0') = '0'" for name in _COUNTS)
_ANY_TAG = f"coalesce({', '.join(_TAGS)}) IS NOT NULL"
_TAG_PAIRS = ", ".join(f"'{name}', {name}" for name in _TAGS)

USAGE = Format(
    name="anthropic-usage",
    title="Anthropic's usage reports (Admin API, Analytics API): tokens in buckets of time",
    shapes=JSON,
    claims=_usage_claims,
    raw=_USAGE_RAW,
    rows=_USAGE_ROWS,
    empty="nothing",
    # The Analytics API counts runs of code among the requests: a row of no model, without tokens.
    calls=f"({_IS_ANY} AND NOT (coalesce(model, '') = '' AND {_IS_NONE}))",
    fields=(
        moment(first_of("starting_at", "given_time"), said="starting_at"),
        _PERIOD_END,
        model("model"),
        label("user_id", "account_id", "actor.email_address", "actor.user_id", "service_account_id"),
        label("agent", "agent_id"),
        label("session", "session_id"),
        api_key("api_key_id"),
        label("workspace", "workspace_id"),
        Field("region", region("inference_geo")),
        text("context_tier", "context_window"),
        count("input_tokens", "uncached_input_tokens", said="uncached_input_tokens", required=True),
        count("output_tokens", "output_tokens", required=True),
        count("cache_read_tokens", "cache_read_input_tokens", said="cache_read_input_tokens"),
        count(
            "cache_write_5m_tokens",
            "cache_creation.ephemeral_5m_input_tokens",
            said="ephemeral_5m_input_tokens",
        ),
        count(
            "cache_write_1h_tokens",
            "cache_creation.ephemeral_1h_input_tokens",
            said="ephemeral_1h_input_tokens",
        ),
        count("web_searches", "server_tool_use.web_search_requests", said="web_search_requests"),
        count("requests", "requests"),
    ),
    columns={
        "grain": "'bucket'",
        "provider": "'anthropic'",
        "mode": f"coalesce({reported_mode('service_tier', 'speed')}, 'standard')",
        # What Claude's own products use may be part of a seat.
        "billing": "CASE WHEN product <> '' THEN 'unknown' ELSE 'metered' END",
        "other_units": "CASE WHEN f_web_searches > 0 THEN MAP {'web_search_requests': f_web_searches} END",
        # The patch leaves out what is null.
        "tags": f"CASE WHEN {_ANY_TAG} "
        f"THEN CAST(json_merge_patch('{{}}', json_object({_TAG_PAIRS})) AS VARCHAR) END",
    },
    faults=(_GROUP_FAULT,),
    id="CAST(NULL AS VARCHAR)",
    content=("starting_at", "ending_at", *_GROUPED),
    rarely=_RARE,
    lines_stand_alone=False,
)


def _cost_claims(sample: Sample) -> str:
    for each in _results(sample, "cost"):
        if "currency" in each and isinstance(each.get("amount"), (str, int, float)):
            return "has buckets with amount and currency"
    return ""


_COST_RAW, _COST_ROWS = _report(dict.fromkeys(("amount", "currency"), "VARCHAR"), "cost")

COST = Format(
    name="anthropic-cost",
    title="Anthropic's cost reports (Admin API, Analytics API): charges in cents",
    shapes=JSON,
    claims=_cost_claims,
    yields="charges",
    raw=_COST_RAW,
    rows=_COST_ROWS,
    empty="nothing",
    calls="coalesce(amount, currency) IS NOT NULL",
    fields=(
        moment(first_of("starting_at", "given_time"), said="starting_at"),
        _PERIOD_END,
        text("model", "model"),
        label("workspace", "workspace_id"),
        api_key("api_key_id"),
        text("line_item", "token_type", "nullif(cost_type, 'tokens')", "description", "cost_type"),
        amount("amount_pico", "amount", per_dollar=100, signed=True, said="amount"),
        one_of("currency", "currency", ("USD",), "USD"),
    ),
    columns={
        "provider": "'anthropic'",
        "mode": reported_mode("service_tier", "speed"),
    },
    faults=(("coalesce(amount, '') = ''", "amount: missing"), _GROUP_FAULT),
    id="CAST(NULL AS VARCHAR)",
    content=("starting_at", "ending_at", "cost_type", "token_type", "description", *_GROUPED),
    rarely=_RARE,
    lines_stand_alone=False,
)


def _analytics_claims(sample: Sample) -> str:
    for record in _buckets(sample):
        if "model_breakdown" in record and "date" in record:
            return "has records with date and model_breakdown"
    return ""


_RECORD = {
    **dict.fromkeys(
        ("date", "customer_type", "subscription_type", "terminal_type", "organization_id", "is_remote"),
        "VARCHAR",
    ),
    "actor": struct(dict.fromkeys(("email_address", "api_key_name"), "VARCHAR")),
    "model_breakdown": struct(
        {
            "model": "VARCHAR",
            "tokens": struct(dict.fromkeys(("input", "output", "cache_read", "cache_creation"), "VARCHAR")),
            "estimated_cost": struct(dict.fromkeys(("amount", "currency"), "VARCHAR")),
        }
    )
    + "[]",
}
_OF_RECORD = {name: f"bucket.{name}" for name in _RECORD if name != "model_breakdown"}
_OF_MODEL = {name: f"item.{name}" for name in ("model", "tokens", "estimated_cost")}
_REMOTE = "CASE WHEN is_remote = 'true' THEN is_remote END"

ANALYTICS = Format(
    name="claude-code-analytics",
    title="Claude Code Analytics reports (Admin API): tokens by day, user and model",
    shapes=JSON,
    claims=_analytics_claims,
    raw={"data": struct(_RECORD) + "[]", **_RECORD},
    rows=_unnested(_RECORD, "model_breakdown", {**_OF_RECORD, **_OF_MODEL}),
    empty="nothing",
    calls="coalesce(model, tokens.input, tokens.output, estimated_cost.amount) IS NOT NULL",
    fields=(
        moment(first_of("date", "given_time"), said="date", value=utc(first_of("date", "given_time"))),
        model("model"),
        label("user_id", "actor.email_address"),
        api_key("actor.api_key_name"),
        count("input_tokens", "tokens.input", said="tokens.input", required=True),
        count("output_tokens", "tokens.output", said="tokens.output", required=True),
        count("cache_read_tokens", "tokens.cache_read", said="tokens.cache_read"),
        count("cache_write_5m_tokens", "tokens.cache_creation", said="tokens.cache_creation"),
        amount(
            "reported_cost_pico", "estimated_cost.amount", per_dollar=100, said="estimated_cost.amount"
        ),
        one_of("currency", "estimated_cost.currency", ("USD",), "USD"),
    ),
    columns={
        "grain": "'bucket'",
        "requests": "CAST(NULL AS BIGINT)",
        "provider": "'anthropic'",
        "billing": "CASE customer_type WHEN 'api' THEN 'metered' WHEN 'subscription' THEN 'subscription' "
        "ELSE 'unknown' END",
        "tags": f"CASE WHEN coalesce(terminal_type, subscription_type, {_REMOTE}) IS NOT NULL "
        "THEN CAST(json_merge_patch('{}', json_object('terminal_type', terminal_type, "
        f"'subscription_type', subscription_type, 'is_remote', {_REMOTE})) AS VARCHAR) END",
    },
    id="CAST(NULL AS VARCHAR)",
    content=(day("date"), "actor.email_address", "actor.api_key_name", "organization_id", "customer_type",
             "terminal_type", "model"),
    rarely={"is_remote": _REMOTE},
    lines_stand_alone=False,
)  # fmt: skip

FORMATS = (USAGE, COST, ANALYTICS)
