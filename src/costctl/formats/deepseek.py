"""DeepSeek's usage export: the files amount-*.csv (tokens) and cost-*.csv (money) of its ZIP archive.

Facts: the platform's exports of May to September 2026 as public programs read them. amount-*.csv has a row
for each type of a day, model, key and price: since August 2026 one for each of the peak and the off-peak
price. Days are those of the account's zone, with an offset; before August 2026 they were UTC, as utc_date.
Hit and miss add up to the prompt. cost-*.csv knows no keys, and its currency is the account's: USD or CNY.
"""

from __future__ import annotations

from dataclasses import replace

from costctl.formats.fields import (
    WHOLE,
    Field,
    amount,
    api_key,
    count,
    first_of,
    instant,
    label,
    model,
    moment,
    text,
)
from costctl.formats.format import Format
from costctl.formats.sample import Sample

_DAYS = ("start_time_iso", "end_time_iso", "utc_date")
_WHOSE = ("user_id", "model", "api_key_name", "api_key")
_TYPES = ("request_count", "input_cache_hit_tokens", "input_cache_miss_tokens", "output_tokens")


def _claims(sample: Sample, *names: str) -> str:
    day = next((name for name in ("start_time_iso", "utc_date") if name in sample.names), "")
    return f"has {day}, {' and '.join(names)}" if day and {*names} <= {*sample.names} else ""


_UTC_DATE = "try_strptime(utc_date, ['%Y-%m-%d', '%Y%m%d'])"
_BEGIN = f"CASE WHEN start_time_iso <> '' THEN {instant('start_time_iso')} ELSE {_UTC_DATE} END"
_END = f"CASE WHEN start_time_iso <> '' THEN {instant('end_time_iso')} ELSE {_UTC_DATE} + INTERVAL 1 DAY END"


def _began() -> Field:
    return moment(first_of("start_time_iso", "utc_date"), said="start_time_iso or utc_date", value=_BEGIN)


_PARTS = ", ".join(f'nullif("{name}", \'\') AS "{name}"' for name in (*_DAYS, *_WHOSE))
_SUMS = ",\n        ".join(
    f"CAST(sum(TRY_CAST(amount AS BIGINT)) FILTER (type = '{name}') AS VARCHAR) AS {name}" for name in _TYPES
)
_KNOWN_TYPE = f"coalesce(type IN ({', '.join(repr(name) for name in _TYPES)}), FALSE)"
_SOUND_AMOUNT = f"coalesce(regexp_full_match(amount, '{WHOLE}'), FALSE)"
_SOUND = f"{_KNOWN_TYPE} AND {_SOUND_AMOUNT} AND ({_BEGIN}) IS NOT NULL AND model <> ''"

# The rows of one key's day are one bucket. A faulty one stays alone, to be rejected by its line.
_BUCKETS = f"""(
    SELECT source_id, min(line) AS line, given_time, given_model, {", ".join((*_DAYS, *_WHOSE))},
        known_type, sound_amount, is_stated,
        {_SUMS}
    FROM (
        SELECT source_id, line, given_time, given_model, {_PARTS}, type, amount,
            {_KNOWN_TYPE} AS known_type, {_SOUND_AMOUNT} AS sound_amount,
            coalesce(type, amount, model, start_time_iso, utc_date) IS NOT NULL AS is_stated,
            CASE WHEN NOT coalesce({_SOUND}, FALSE) THEN line END AS faulty_line
        FROM raw
    )
    GROUP BY source_id, given_time, given_model, {", ".join((*_DAYS, *_WHOSE))}, known_type, sound_amount,
        is_stated, faulty_line
)"""  # noqa: S608 (constants of this module)

USAGE = Format(
    name="deepseek-usage-csv",
    title="DeepSeek's amount-*.csv (tokens by day, model and key), as buckets",
    shapes=("csv",),
    claims=lambda sample: _claims(sample, "type", "price", "amount"),
    raw=dict.fromkeys((*_DAYS, *_WHOSE, "type", "amount"), "VARCHAR"),
    rows=_BUCKETS,
    empty="NOT is_stated",
    calls="is_stated",
    fields=(
        Field("type", "CAST(NULL AS VARCHAR)", "known_type", (("NOT known_type", "type: not a known one"),)),
        Field(
            "amount",
            "CAST(NULL AS VARCHAR)",
            "sound_amount",
            (("NOT sound_amount", "amount: not a whole number"),),
        ),
        _began(),
        model("model"),
        label("workspace", "user_id"),
        api_key("api_key_name", "api_key"),
        count("requests", "request_count", said="request_count"),
        count("missed", "input_cache_miss_tokens", said="input_cache_miss_tokens"),
        count("cache_read_tokens", "input_cache_hit_tokens", said="input_cache_hit_tokens"),
        count("output_tokens", "output_tokens"),
    ),
    columns={
        "grain": "'bucket'",
        "requests": "f_requests",
        "provider": "'deepseek'",
        "input_tokens": "f_missed",
        "billing": "'metered'",
    },
    id="CAST(NULL AS VARCHAR)",
    content=("'amount'", *_DAYS, *_WHOSE),
    lines_stand_alone=False,
    # A faulty row is known by its line.
    in_order=True,
)

_COST = amount("amount", "cost", signed=True, said="cost")

COSTS = Format(
    name="deepseek-costs-csv",
    title="DeepSeek's cost-*.csv (money by day, model and wallet), as charges",
    shapes=("csv",),
    claims=lambda sample: _claims(sample, "wallet_type", "cost", "currency"),
    raw=dict.fromkeys((*_DAYS, "user_id", "model", "wallet_type", "cost", "currency"), "VARCHAR"),
    yields="charges",
    fields=(
        _began(),
        Field(
            "end",
            _END,
            "f_end IS NOT NULL",
            (("end_time_iso <> '' AND f_end IS NULL", "end_time_iso: not a time"),),
            unless="end_time_iso",
        ),
        model("model"),
        label("workspace", "user_id"),
        text("line_item", "wallet_type"),
        text("currency", "upper(currency)", required=True),
        # It need not be USD.
        replace(_COST, faults=(("cost <> '' AND f_amount IS NULL", "cost: not an amount"),)),
    ),
    columns={
        "period_end": "f_end",
        "provider": "'deepseek'",
        "amount_pico": "f_amount",
        "kind": "CASE WHEN f_amount < 0 THEN 'credit' ELSE 'usage' END",
    },
    faults=(("f_amount IS NULL", "cost: missing"),),
    id="CAST(NULL AS VARCHAR)",
    content=("'cost'", *_DAYS, "user_id", "model", "wallet_type", "currency"),
    lines_stand_alone=False,
)

FORMATS = (USAGE, COSTS)
