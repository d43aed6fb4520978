"""Usage events of Cursor: pages of its Admin API (POST /teams/filtered-usage-events) and of its dashboard, as
they came or one event a line, and the dashboard's CSV export.

Facts: cursor.com/docs/account/teams/admin-api ("Get usage events data") for ``usageEvents``;
kenn-io/agentsview, internal/cursorusage, for ``usageEventsDisplay``; docs.getdx.com, "cursor cost
breakdowns", for what the amounts are. They are cents: ``chargedCents`` is ``totalCents``, for the model,
and Cursor's own ``cursorTokenFee``. The token counts are disjoint. An event has no id.

The export's ``Input (w/ Cache Write)`` is what was written to the cache and ``Input (w/o Cache Write)`` the
other input: ``Total Tokens`` is the sum of all four (junhoyeo/tokscale#1154, pingdotgg/t3code#6046). Its
``Cost`` is in dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.formats import sample
from costctl.formats.fields import Field, amount, count, epoch, label, model, moment, truth
from costctl.formats.format import Format
from costctl.formats.sample import Sample
from costctl.formats.wrapper import struct

_TOKENS = ("inputTokens", "outputTokens", "cacheWriteTokens", "cacheReadTokens")
_EVENT = {
    **dict.fromkeys(
        ("timestamp", "model", "kind", "userId", "userEmail", "maxMode", "isHeadless", "isChargeable",
         "chargedCents", "cursorTokenFee"),
        "VARCHAR",
    ),
    "tokenUsage": struct(dict.fromkeys((*_TOKENS, "totalCents"), "VARCHAR")),
}  # fmt: skip
_LISTS = ("usageEvents", "usageEventsDisplay")


def _is_event(value: Any) -> bool:
    return isinstance(value, Mapping) and {"timestamp", "kind", "tokenUsage"} <= value.keys()


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        for name in _LISTS:
            if name in line:
                return f"has {name}"
        if _is_event(line):
            return "has timestamp, kind and tokenUsage"
    return ""


# A page, or one event that stands alone.
_OWN = "struct_pack(" + ", ".join(f"{name} := {name}" for name in _EVENT) + ")"
_IS_EMPTY = " AND ".join(f'"{name}" IS NULL' for name in (*_EVENT, *_LISTS, "totalUsageEventsCount"))
_ROWS = f"""(
    SELECT source_id, line, given_time, given_model, is_empty, each.*
    FROM (
        SELECT source_id, line, given_time, given_model,
            {_IS_EMPTY} AS is_empty,
            unnest(coalesce(nullif(
                CASE WHEN timestamp IS NOT NULL THEN [{_OWN}]
                    ELSE list_concat(usageEvents, usageEventsDisplay)
                END, []), [NULL])) AS each
        FROM raw
    )
)"""  # noqa: S608 (constants of this module)


def _tags(kind: str, max_mode: str, headless: str) -> str:
    """SQL for the text of an object of those that are not empty."""
    stated = f"""json_object(
        'kind', nullif({kind}, ''), 'max_mode', nullif({max_mode}, ''), 'headless', nullif({headless}, '')
    )"""
    return f"nullif(CAST(json_merge_patch('{{}}', {stated}) AS VARCHAR), '{{}}')"


_IS_INCLUDED = "coalesce(NOT f_isChargeable, contains(lower(kind), 'included'), FALSE)"
_IS_METERED = "coalesce(f_isChargeable, regexp_matches(lower(kind), 'usage.based'), FALSE)"
_SAYS_NO_TOKENS = f"coalesce({', '.join(f'f_{name}' for name in _TOKENS)}) IS NULL"

FORMAT = Format(
    name="cursor",
    title="usage events of Cursor's Admin API and dashboard",
    shapes=sample.JSON,
    claims=_claims,
    raw={
        **_EVENT,
        **dict.fromkeys(_LISTS, struct(_EVENT) + "[]"),
        "totalUsageEventsCount": "VARCHAR",
    },
    rows=_ROWS,
    empty="is_empty",
    calls="coalesce(timestamp, model, kind, tokenUsage.inputTokens, tokenUsage.outputTokens) IS NOT NULL",
    fields=(
        moment("timestamp", said="timestamp", value=epoch("timestamp", 1000)),
        model("model"),
        Field("provider", "'cursor'"),
        label("user_id", "userEmail", "userId"),
        Field("tags", _tags("kind", "maxMode", "isHeadless")),
        truth("isChargeable", "isChargeable"),
        *(count(name, f"tokenUsage.{name}") for name in _TOKENS),
        amount("totalCents", "tokenUsage.totalCents", per_dollar=100),
        amount("chargedCents", "chargedCents", per_dollar=100),
        amount("cursorTokenFee", "cursorTokenFee", per_dollar=100),
    ),
    columns={
        "input_tokens": "f_inputTokens",
        "output_tokens": "f_outputTokens",
        "cache_read_tokens": "f_cacheReadTokens",
        "cache_write_5m_tokens": "f_cacheWriteTokens",
        # A request of a plan that counts requests says nothing of tokens. It has no price here.
        "other_units": f"CASE WHEN {_SAYS_NO_TOKENS} THEN MAP {{'cursor_requests': CAST(1 AS BIGINT)}} END",
        "billing": f"CASE WHEN {_IS_INCLUDED} THEN 'subscription' WHEN {_IS_METERED} THEN 'metered' "
        "ELSE 'unknown' END",
        # What a plan includes is not charged, whatever it is worth.
        "reported_cost_pico": f"coalesce(f_chargedCents, CASE WHEN f_isChargeable = FALSE THEN 0 "
        f"WHEN NOT {_IS_INCLUDED} THEN f_totalCents + coalesce(f_cursorTokenFee, 0) END)",
    },
    id="CAST(NULL AS VARCHAR)",
    content=("timestamp", "model", "kind", "userId", "userEmail", "maxMode", "isHeadless",
             *(f"tokenUsage.{name}" for name in _TOKENS)),
)  # fmt: skip

_COUNTED = {
    "input": "Input (w/o Cache Write)",
    "written": "Input (w/ Cache Write)",
    "read": "Cache Read",
    "output": "Output Tokens",
}
_COLUMNS = (
    "Date",
    "User",
    "Cloud Agent ID",
    "Automation ID",
    "Kind",
    "Model",
    "Max Mode",
    *_COUNTED.values(),
)


def _csv_claims(sample: Sample) -> str:
    if {"Date", "Model", "Input (w/o Cache Write)"} <= set(sample.names):
        return "has Date, Model and Input (w/o Cache Write)"
    return ""


# Beside amounts there are words for none.
_COST = """CASE WHEN lower("Cost") IN ('included', 'free', '-', 'nan') THEN '0' ELSE ltrim("Cost", '$') END"""
_IS_FREE = """regexp_matches(lower(concat_ws(' ', "Kind", "Cost")), 'included|free|no charge')"""

CSV = Format(
    name="cursor-csv",
    title="usage-events-*.csv, the export of Cursor's dashboard",
    shapes=("csv",),
    claims=_csv_claims,
    raw=dict.fromkeys((*_COLUMNS, "Cost"), "VARCHAR"),
    fields=(
        moment("nullif(\"Date\", '')", said="Date"),
        model('"Model"'),
        Field("provider", "'cursor'"),
        label("user_id", '"User"'),
        label("agent", '"Automation ID"', '"Cloud Agent ID"'),
        Field("tags", _tags('"Kind"', '"Max Mode"', "''")),
        *(count(name, f'"{column}"', said=column) for name, column in _COUNTED.items()),
        Field("success", """coalesce(NOT contains(lower("Kind"), 'errored'), TRUE)"""),
        amount("cost", _COST, said="Cost"),
    ),
    columns={
        "input_tokens": "f_input",
        "cache_read_tokens": "f_read",
        "cache_write_5m_tokens": "f_written",
        "output_tokens": "f_output",
        "billing": f"CASE WHEN {_IS_FREE} THEN 'subscription' WHEN f_cost > 0 THEN 'metered' "
        "ELSE 'unknown' END",
        "reported_cost_pico": "f_cost",
    },
    id="CAST(NULL AS VARCHAR)",
    content=tuple(f'"{name}"' for name in _COLUMNS),
)

FORMATS = (FORMAT, CSV)
