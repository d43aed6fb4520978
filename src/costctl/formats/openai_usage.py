"""OpenAI's Usage and Costs APIs: pages of buckets, or the buckets alone.

Facts: openai-openapi f85dbe22, UsageResponse, UsageTimeBucket, Usage…Result, CostsResult. Of completions,
input_tokens INCLUDES cached and cache-write tokens and all modalities; input_audio_tokens and
input_image_tokens are uncached, output_tokens includes those of audio and images. An amount is in dollars, as
a number or a text (steipete/CodexBar#999).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costctl.formats.fields import (
    Fault,
    Field,
    amount,
    api_key,
    count,
    first_of,
    instant,
    label,
    moment,
    text,
    unix,
)
from costctl.formats.format import Format
from costctl.formats.openai import tier, units_of
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct
from costctl.records import MODES

_USAGE, _COSTS = "organization.usage.", "organization.costs.result"

FIGURES: Mapping[str, tuple[str, ...]] = {
    "completions": ("input_tokens", "output_tokens"),
    "embeddings": ("input_tokens",),
    "moderations": ("input_tokens",),
    "images": ("images",),
    "audio_speeches": ("characters",),
    "audio_transcriptions": ("seconds",),
    "vector_stores": ("usage_bytes",),
    "code_interpreter_sessions": ("num_sessions",),
    "file_searches": ("num_requests",),
    "web_searches": ("num_requests",),
}
"""What each kind of usage has to state."""

_WITHOUT_MODEL = ("vector_stores", "code_interpreter_sessions", "file_searches")
_TOLD_BY_COMPLETIONS = (*_WITHOUT_MODEL, "web_searches")
"""Kinds whose requests are those of completions: to count them again would be wrong."""

COUNTS = (
    "input_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens", "input_audio_tokens",
    "input_cached_audio_tokens", "output_audio_tokens", "input_image_tokens", "input_cached_image_tokens",
    "output_image_tokens", "images", "characters", "seconds", "usage_bytes", "num_sessions", "num_requests",
    "num_model_requests",
)  # fmt: skip
DIMENSIONS = (
    "project_id", "project_name", "user_id", "user_email", "api_key_id", "api_key_name", "model", "batch",
    "service_tier", "size", "source", "vector_store_id", "context_level",
)  # fmt: skip
COST_DIMENSIONS = (
    "line_item", "project_id", "project_name", "user_id", "user_email", "api_key_id", "api_key_name",
)  # fmt: skip
TIMES = ("start_time", "end_time", "start_time_iso", "end_time_iso")


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _results(line: Mapping[str, Any]) -> Iterator[Any]:
    """The results of a page, or of a bucket."""
    data = line.get("data")
    for bucket in data if isinstance(data, list) else [line]:
        results = bucket.get("results") if isinstance(bucket, Mapping) else None
        yield from results if isinstance(results, list) else ()


def _kinds(sample: Sample) -> Iterator[str]:
    for line in sample.objects:
        for result in _results(line):
            if isinstance(result, Mapping):
                yield str(result.get("object"))


def _first_bucket(sample: Sample) -> Mapping[str, Any]:
    for line in sample.objects:
        data = line.get("data")
        if line.get("object") in ("page", "list") and isinstance(data, list) and data:
            return data[0] if isinstance(data[0], Mapping) else {}
    return {}


def _claims_usage(sample: Sample) -> str:
    kinds = list(_kinds(sample))
    for kind in kinds:
        if kind.startswith(_USAGE):
            return f'has a result with object "{kind}"'
    first = _first_bucket(sample)
    if "n_context_tokens_total" in first:
        return "has n_context_tokens_total, as the old /v1/usage"
    if not kinds and first.get("object") == "bucket" and "start_time" in first:
        return "is a page of buckets without results"
    return ""


def _claims_costs(sample: Sample) -> str:
    return f'has a result with object "{_COSTS}"' if _COSTS in _kinds(sample) else ""


def _page(result: Mapping[str, str], parts: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The raw columns of a page or bucket, and the relation of their results: ``result`` are the names and
    types of one, ``parts`` the columns to make of it."""
    bucket = {
        "object": "VARCHAR",
        **dict.fromkeys(TIMES, "VARCHAR"),
        "results": f"{struct(result)}[]",
        "n_context_tokens_total": "VARCHAR",
    }
    own = ", ".join(f'"{name}" := "{name}"' for name in bucket)
    columns = ", ".join(f"nullif(result.{path}, '') AS {name}" for name, path in parts.items())
    times = ", ".join(f"nullif(bucket.{name}, '') AS {name}" for name in TIMES)
    # Of the old API's list one row is enough to say what it is.
    rows = f"""(
    SELECT source_id, line, given_time, given_model, holder, is_old, no_data, no_results,
        start_time, end_time, start_time_iso, end_time_iso, result IS NOT NULL AS has_result, {columns}
    FROM (
        SELECT source_id, line, given_time, given_model, holder, {times},
            bucket.n_context_tokens_total IS NOT NULL AS is_old,
            coalesce(holder IN ('page', 'list'), FALSE) AND data IS NULL AS no_data,
            coalesce(bucket.object = 'bucket', FALSE) AND bucket.results IS NULL AS no_results,
            unnest(coalesce(nullif(bucket.results, []), [NULL])) AS result
        FROM (
            SELECT source_id, line, given_time, given_model, "object" AS holder, data,
                unnest(CASE WHEN data IS NULL THEN [CAST(struct_pack({own}) AS {struct(bucket)})]
                    WHEN data[1].n_context_tokens_total IS NOT NULL THEN data[1:1]
                    ELSE coalesce(nullif(data, []), [NULL]) END) AS bucket
            FROM raw
        )
    )
)"""  # noqa: S608 (constants of this module)
    return {**bucket, "data": f"{struct(bucket)}[]"}, rows


def has_shape(known: str, otherwise: str) -> Field:
    """Whether there is a result at all, and of a kind that is ``known``: no other fault says more."""
    faults: tuple[Fault, ...] = (
        ("is_old", "data: of the old /v1/usage, which /v1/organization/usage replaces"),
        ("no_data", "data: missing"),
        ("no_results", "results: missing"),
        (f"NOT coalesce({known}, FALSE)", otherwise),
    )
    good = f"NOT (is_old OR no_data OR no_results) AND coalesce({known}, FALSE)"
    return Field("shape", "CAST(NULL AS VARCHAR)", good, faults)


IS_RESULT = "has_result OR is_old OR no_data OR no_results"
IS_EMPTY = "NOT has_result AND holder IS NULL AND start_time IS NULL AND start_time_iso IS NULL"

_START, _END = (first_of(name, f"{name}_iso") for name in ("start_time", "end_time"))


def _time(name: str) -> str:
    """Seconds since 1970 leave no doubt about a zone; the text beside them may have none."""
    return f"CASE WHEN {name} IS NOT NULL THEN {unix(name)} ELSE {instant(f'{name}_iso')} END"


def _place(name: str) -> str:
    """A bucket's start or end for its identity: 1761523200 and 1761523200.0 are the same."""
    seconds = f"TRY_CAST(TRY_CAST({name} AS DOUBLE) AS BIGINT)"
    return f"coalesce(CAST({seconds} AS VARCHAR), {name}, {name}_iso)"


PERIOD = (_place("start_time"), _place("end_time"))


def _began() -> Field:
    return moment(_START, said="start_time", value=_time("start_time"))


_TOKENS = {
    "prompt": "input_tokens",
    "completion": "output_tokens",
    "cached": "input_cached_tokens",
    "written": "input_cache_write_tokens",
    "audio_in": "input_audio_tokens",
    "image_in": "input_image_tokens",
    "cached_audio": "input_cached_audio_tokens",
    "cached_image": "input_cached_image_tokens",
    "audio_out": "output_audio_tokens",
    "image_out": "output_image_tokens",
    "images": "images",
    "characters": "characters",
    "seconds": "seconds",
    "sessions": "num_sessions",
    "searches": "num_requests",
}

USAGE_FIELDS = (
    has_shape(f"kind IN ({_listed(tuple(FIGURES))})", "object: no kind of usage"),
    _began(),
    # What has no model goes by its kind, so that it can have a price.
    text(
        "model",
        f"CASE WHEN kind IN ({_listed(_WITHOUT_MODEL)}) THEN kind "
        f"ELSE {first_of('model', 'given_model')} END",
        required=True,
    ),
    label("project", "project_id", "project_name"),
    label("user_id", "user_id", "user_email"),
    api_key("api_key_id", "api_key_name"),
    Field("is_batch", "lower(batch) = 'true'"),
    Field("service_tier", "lower(service_tier)"),
    count("requests", "num_model_requests", said="num_model_requests"),
    *(count(name, raw, said=raw) for name, raw in _TOKENS.items()),
    count("bytes", "usage_bytes", said="usage_bytes", most=10**15),
)

_F = {"usage_bytes": "bytes", **{raw: name for name, raw in _TOKENS.items()}}
"""The field of each figure."""

_UNCACHED = "f_prompt - coalesce(f_cached, 0) - coalesce(f_written, 0)"
# Before 2026 the audio of the input included what of it was cached.
_AUDIO = f"least(coalesce(f_audio_in, 0), {_UNCACHED})"
_IMAGE = f"least(coalesce(f_image_in, 0), {_UNCACHED} - {_AUDIO})"
_CACHED_AUDIO = "least(coalesce(f_cached_audio, 0), coalesce(f_cached, 0))"
_CACHED_IMAGE = f"least(coalesce(f_cached_image, 0), coalesce(f_cached, 0) - {_CACHED_AUDIO})"

USAGE_COLUMNS = {
    "grain": "'bucket'",
    "requests": f"CASE WHEN kind NOT IN ({_listed(_TOLD_BY_COMPLETIONS)}) THEN f_requests END",
    "provider": "'openai'",
    "input_tokens": f"{_UNCACHED} - {_AUDIO} - {_IMAGE}",
    "cache_read_tokens": f"f_cached - {_CACHED_AUDIO} - {_CACHED_IMAGE}",
    "cache_write_5m_tokens": "f_written",
    "output_tokens": "f_completion - coalesce(f_audio_out, 0) - coalesce(f_image_out, 0)",
    "other_units": units_of(
        {
            "cache_audio_read_tokens": _CACHED_AUDIO,
            "cache_image_read_tokens": _CACHED_IMAGE,
            "code_interpreter_sessions": "f_sessions",
            "file_search_requests": "CASE WHEN kind = 'file_searches' THEN f_searches END",
            "images": "f_images",
            "input_audio_seconds": "f_seconds",
            "input_audio_tokens": _AUDIO,
            "input_characters": "f_characters",
            "input_image_tokens": _IMAGE,
            "output_audio_tokens": "f_audio_out",
            "output_image_tokens": "f_image_out",
            "vector_store_bytes": "f_bytes",
            "web_search_requests": "CASE WHEN kind = 'web_searches' THEN f_searches END",
        }
    ),
    "mode": f"CASE WHEN f_is_batch THEN 'batch' ELSE {tier('f_service_tier')} END",
    "billing": "'metered'",
}

USAGE_FAULTS: tuple[Fault, ...] = (
    *(
        (f"kind = '{kind}' AND f_{_F[figure]} IS NULL", f"{figure}: missing")
        for kind, figures in FIGURES.items()
        for figure in figures
    ),
    (
        "coalesce(f_cached, 0) + coalesce(f_written, 0) > f_prompt",
        "input_cached_tokens: with those written more than input_tokens",
    ),
    (
        "coalesce(f_audio_out, 0) + coalesce(f_image_out, 0) > f_completion",
        "output_audio_tokens: with those of images more than output_tokens",
    ),
)

# One thing by its id or, where there is none, its name: reports of the same days give both or one.
_WHOSE = tuple(
    first_of(*names)
    for names in (
        ("project_id", "project_name"),
        ("user_id", "user_email"),
        ("api_key_id", "api_key_name"),
    )
)
USAGE_CONTENT = (
    "kind", *PERIOD, *_WHOSE, "model", "lower(batch)", "lower(service_tier)", "size", '"source"',
    "vector_store_id", "context_level",
)  # fmt: skip

_USAGE_RAW, _USAGE_RESULTS = _page(
    dict.fromkeys(("object", *COUNTS, *DIMENSIONS), "VARCHAR"),
    {f'"{name}"': f'"{name}"' for name in ("object", *COUNTS, *DIMENSIONS)},
)

_KIND = "'^organization[.]usage[.]([a-z_]+)[.]result$'"

USAGE = Format(
    name="openai-usage",
    title="pages of OpenAI's Usage API (completions and all other kinds), as buckets",
    shapes=JSON,
    claims=_claims_usage,
    raw=_USAGE_RAW,
    rows=f'(SELECT *, regexp_extract("object", {_KIND}, 1) AS kind FROM {_USAGE_RESULTS})',  # noqa: S608
    empty=IS_EMPTY,
    calls=IS_RESULT,
    fields=USAGE_FIELDS,
    columns=USAGE_COLUMNS,
    faults=USAGE_FAULTS,
    id="CAST(NULL AS VARCHAR)",
    content=USAGE_CONTENT,
    lines_stand_alone=False,
)

_TIER_BEFORE = "'^([a-z]+) [|] '"
_MODEL_BEFORE = "'^(?:[a-z]+ [|] )?([A-Za-z0-9][A-Za-z0-9._:-]*)(?: (?:text|audio|image))?, '"
"""In a line item such as "priority | gpt-5.6-sol, output, long context" or "gpt-image-1 image, output"."""


def cost_fields(is_cost: str, said: str) -> tuple[Field, ...]:
    """Those of a result of the Costs API; ``said`` is what the source calls the amount."""
    return (
        has_shape(is_cost, "object: no cost"),
        _began(),
        Field(
            "end",
            _time("end_time"),
            "f_end IS NOT NULL",
            ((f"{_END} IS NOT NULL AND f_end IS NULL", "end_time: not a time"),),
            unless=_END,
        ),
        amount("amount", "amount_value", signed=True, said=said),
        Field("line_item", "line_item"),
        Field("tier", f"regexp_extract(line_item, {_TIER_BEFORE}, 1)"),
        Field("model", f"nullif(regexp_extract(line_item, {_MODEL_BEFORE}, 1), '')"),
        label("project", "project_id", "project_name"),
        api_key("api_key_id", "api_key_name"),
    )


COST_COLUMNS = {
    "period_end": "f_end",
    "provider": "'openai'",
    "mode": f"CASE WHEN f_tier IN ({_listed(MODES)}) THEN f_tier END",
    "amount_pico": "f_amount",
    "currency": "upper(coalesce(amount_currency, 'usd'))",
    "kind": "CASE WHEN f_amount < 0 THEN 'credit' ELSE 'usage' END",
}
COST_CONTENT = ("'costs'", *PERIOD, *_WHOSE, "line_item")

_COST_NAMES = ("object", *COST_DIMENSIONS)
_COSTS_RAW, _COSTS_RESULTS = _page(
    {
        **dict.fromkeys(_COST_NAMES, "VARCHAR"),
        "amount": struct(dict.fromkeys(("value", "currency"), "VARCHAR")),
    },
    {
        **{f'"{name}"': f'"{name}"' for name in _COST_NAMES},
        "amount_value": "amount.value",
        "amount_currency": "amount.currency",
    },
)

COSTS = Format(
    name="openai-costs",
    title="pages of OpenAI's Costs API, as charges",
    shapes=JSON,
    claims=_claims_costs,
    raw=_COSTS_RAW,
    rows=_COSTS_RESULTS,
    empty=IS_EMPTY,
    calls=IS_RESULT,
    yields="charges",
    fields=cost_fields(f"\"object\" = '{_COSTS}'", "amount.value"),
    columns=COST_COLUMNS,
    faults=(("f_amount IS NULL", "amount.value: missing"),),
    id="CAST(NULL AS VARCHAR)",
    content=COST_CONTENT,
    lines_stand_alone=False,
)

FORMATS = (USAGE, COSTS)
