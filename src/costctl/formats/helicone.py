"""Helicone: requests, from its export tool, its API or its query language.

Facts: Helicone/helicone, ``valhalla/jawn/src/lib/handlers/HandlerContext.ts`` and ``LoggingHandler.ts`` (what
a row means), ``lib/stores/request/request.ts`` (the API's names), ``packages/cost/costCalc.ts``,
``examples/export/typescript``; docs.helicone.ai, "HQL".

- prompt_tokens leaves out what was read from and written to the cache, and holds audio. completion_tokens
  leaves out reasoning_tokens, where those are stated.
- The API gives cost in USD; the table behind it, which HQL shows, in whole billionths of one.
- What Helicone's own cache answered has no tokens, but still the cost of the first answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from costctl.formats import gateways
from costctl.formats.fields import (
    Field,
    count,
    dollars,
    first_of,
    instant,
    label,
    milliseconds,
    model,
    moment,
)
from costctl.formats.format import Format
from costctl.formats.gateways import texts
from costctl.formats.sample import JSON, Sample

_TIME = first_of("request_created_at", "given_time")
_MODEL = ("model_override", "response_model", "request_model", "model")
_STATUS = first_of("response_status", "status")
_SUCCESS = f"TRY_CAST({_STATUS} AS INTEGER) BETWEEN 200 AND 299"
_PROPERTIES = gateways.an_object("coalesce(request_properties, properties)")
_SESSION = '$."Helicone-Session-Id"'
_HIT = "coalesce(nullif(cache_reference_id, '') <> '00000000-0000-0000-0000-000000000000', FALSE)"
_COST = first_of("cost", '"costUSD"')
# A whole number that would be more than a cent a token is in billionths: no model costs so much, and what a
# call costs is seldom a whole number of dollars.
_TOKENS = "greatest(coalesce(TRY_CAST(prompt_tokens AS DOUBLE), 0) "
_TOKENS += "+ coalesce(TRY_CAST(completion_tokens AS DOUBLE), 0), 1)"
_DOLLARS = (
    f"CASE WHEN regexp_full_match({_COST}, '[0-9]{{1,18}}') "
    f"AND TRY_CAST({_COST} AS DOUBLE) > 0.01 * {_TOKENS} "
    f"THEN CAST(TRY_CAST({_COST} AS DECIMAL(18, 0)) * CAST(0.000000001 AS DECIMAL(9, 9)) AS VARCHAR) "
    f"ELSE {_COST} END"
)
_AUDIO_IN = "CASE WHEN f_audio_in <= f_prompt THEN coalesce(f_audio_in, 0) ELSE 0 END"
_AUDIO_OUT = "CASE WHEN f_audio_out <= f_completion THEN coalesce(f_audio_out, 0) ELSE 0 END"
_UNITS = ", ".join(
    f"CASE WHEN f_{part} > 0 THEN {{'key': '{name}', 'value': f_{part}}} END"
    for part, name in (("audio_in", "input_audio_tokens"), ("audio_out", "output_audio_tokens"))
)


def _is_request(row: Iterable[str]) -> str:
    names = {*row}
    of_call = {"prompt_tokens", "completion_tokens", "response_status", "request_model"}
    return "has request_created_at" if "request_created_at" in names and names & of_call else ""


def _claims(sample: Sample) -> str:
    return next((why for row in (*sample.objects, sample.names) if (why := _is_request(row))), "")


REQUESTS = Format(
    name="helicone",
    title="Helicone's requests (npx @helicone/export, HQL)",
    shapes=(*JSON, "csv", "parquet"),
    claims=_claims,
    raw=texts(
        "request_id", "response_id", "request_created_at", "response_status", "status", "provider",
        "request_model", "response_model", "model_override", "model", "request_user_id", "user_id",
        "request_properties", "properties", "prompt_tokens", "completion_tokens", "reasoning_tokens",
        "prompt_cache_read_tokens", "prompt_cache_write_tokens", "prompt_audio_tokens",
        "completion_audio_tokens", "delay_ms", "latency", "cost", "costUSD", "cache_reference_id",
    ),
    # One that is under way or was cancelled early has no counts.
    calls="coalesce(prompt_tokens, completion_tokens, '') <> ''",
    fields=(
        moment(_TIME, said="request_created_at", value=instant(_TIME)),
        model(*_MODEL),
        Field("provider", gateways.provider("provider")),
        label("user_id", "request_user_id", "user_id"),
        label("session", f"json_extract_string({_PROPERTIES}, '{_SESSION}')"),
        Field("is_hit", _HIT),
        Field("success", _SUCCESS),
        Field("error_type", f"CASE WHEN NOT {_SUCCESS} THEN {_STATUS} END"),
        milliseconds("latency_ms", first_of("delay_ms", "latency")),
        count("prompt", "prompt_tokens", said="prompt_tokens"),
        count("completion", "completion_tokens", said="completion_tokens"),
        count("reasoning_tokens", "reasoning_tokens"),
        count("cache_read_tokens", "prompt_cache_read_tokens", said="prompt_cache_read_tokens"),
        count("cache_write_5m_tokens", "prompt_cache_write_tokens", said="prompt_cache_write_tokens"),
        count("audio_in", "prompt_audio_tokens", said="prompt_audio_tokens"),
        count("audio_out", "completion_audio_tokens", said="completion_audio_tokens"),
        dollars("cost", _DOLLARS),
        Field(
            "tags",
            gateways.merged(
                gateways.without(_PROPERTIES, "Helicone-Session-Id"),
                f"CASE WHEN {_HIT} THEN '{{\"cache_hit\":\"true\"}}' END",
            ),
        ),
    ),
    columns={
        "input_tokens": f"coalesce(f_prompt, 0) - {_AUDIO_IN}",
        "output_tokens": f"coalesce(f_completion, 0) - {_AUDIO_OUT} + coalesce(f_reasoning_tokens, 0)",
        "other_units": "CASE WHEN f_audio_in > 0 OR f_audio_out > 0 "
        f"THEN map_from_entries(list_filter([{_UNITS}], lambda each: each IS NOT NULL)) END",
        "billing": "'metered'",
        "reported_cost_pico": "CASE WHEN f_is_hit THEN 0 ELSE f_cost END",
    },
    # The tool's CSV has no request_id.
    id=f"'helicone:' || {first_of('response_id', 'request_id')}",
    content=("request_created_at", *_MODEL, "request_user_id", "user_id", "prompt_tokens",
             "completion_tokens"),
)  # fmt: skip

PAGES = gateways.paged(
    REQUESTS,
    "helicone-pages",
    "answers of Helicone's API (/v1/request/query-clickhouse)",
    _is_request,
)

FORMATS = (REQUESTS, PAGES)
