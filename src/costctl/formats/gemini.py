"""Answers of Google's Gemini models, of the Gemini API and of Vertex AI, bare or wrapped; batch outputs.

Facts: Google Cloud, GenerateContentResponse.UsageMetadata and its TrafficType; ai.google.dev, "Generating
content" (UsageMetadata), "Batch API", "Pricing"; Vertex AI, "Batch inference from Cloud Storage".
promptTokenCount INCLUDES cachedContentTokenCount; toolUsePromptTokenCount comes on top; candidatesTokenCount
excludes thoughtsTokenCount, but for some servers, which the total tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from costctl.formats import fields, wrapper
from costctl.formats.fields import Field, count, first_of, moment
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct


def _snake(path: str) -> str:
    """As google-genai for Python writes names."""
    return re.sub("([A-Z])", lambda letter: f"_{letter[0].lower()}", path)


def _both(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields under both names."""
    return {name: kind for each, kind in fields.items() for name in (each, _snake(each))}


_COUNTS = {
    "prompt": "promptTokenCount",
    "cached": "cachedContentTokenCount",
    "tools": "toolUsePromptTokenCount",
    "answer": "candidatesTokenCount",
    "thoughts": "thoughtsTokenCount",
    "total": "totalTokenCount",
}
"""Counts of usageMetadata by our own names."""
_DETAILS = {
    "in": ("promptTokensDetails", "the prompt"),
    "cached": ("cacheTokensDetails", "the cached part"),
    "out": ("candidatesTokensDetails", "the candidates"),
}
"""Which modalities the tokens are of. Text is the rest, and documents are text."""
_MODALITIES = ("audio", "image", "video")

_OF_MODALITY = struct(_both({"modality": "VARCHAR", "tokenCount": "VARCHAR"})) + "[]"
_USAGE = {
    **dict.fromkeys((*_COUNTS.values(), "trafficType", "serviceTier"), "VARCHAR"),
    **dict.fromkeys((name for name, _ in _DETAILS.values()), _OF_MODALITY),
}
_CANDIDATE = struct(
    {
        **_both({"finishReason": "VARCHAR"}),
        "groundingMetadata": struct({"webSearchQueries": "VARCHAR[]"}),
        "grounding_metadata": struct({"web_search_queries": "VARCHAR[]"}),
    }
)
_ANSWER = {
    **_both(dict.fromkeys(("responseId", "modelVersion", "createTime"), "VARCHAR")),
    "candidates": _CANDIDATE + "[]",
    "promptFeedback": struct({"blockReason": "VARCHAR"}),
    "prompt_feedback": struct({"block_reason": "VARCHAR"}),
    "usageMetadata": struct(_USAGE),
    "usage_metadata": struct({_snake(name): kind for name, kind in _USAGE.items()}),
}


def _is_answer(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(value.get(name), Mapping) and not value[name].keys().isdisjoint(_both(_USAGE))
        for name in ("usageMetadata", "usage_metadata")
    )


def _batch_key(line: Mapping[str, Any]) -> str:
    """What only a line of a batch's output has beside its response."""
    if "response" not in line or ("timestamp" in line and "processed_time" not in line):
        return ""
    return next((name for name in ("processed_time", "key", "metadata") if name in line), "")


def _claims(sample: Sample) -> str:
    for line in sample.objects:
        if _is_answer(wrapper.wrapped(line)) and not _batch_key(line):
            return "has usageMetadata"
    return ""


def _batch_claims(sample: Sample) -> str:
    for line in sample.objects:
        if (key := _batch_key(line)) and _is_answer(line["response"]):
            return f"has {key} and a response with usageMetadata"
    return ""


def _rows(*places: str) -> str:
    """The raw rows, and what they say of an answer that stands in any of ``places``."""

    def said(path: str) -> str:
        names = [f"{place}{name}" for place in places for name in (path, _snake(path))]
        return f"coalesce({', '.join(names)})"

    def tokens_of(details: str, modality: str) -> str:
        listed = said(f"usageMetadata.{details}")
        those = f"list_filter({listed}, lambda each: each.modality = '{modality}')[1]"
        return f"coalesce({those}.tokenCount, {those}.token_count)"

    candidates = f"coalesce({', '.join(f'{place}candidates' for place in places)})"
    columns = {
        "answer_id": said("responseId"),
        "answer_model": said("modelVersion"),
        "answer_time": said("createTime"),
        "block_reason": said("promptFeedback.blockReason"),
        "traffic": said("usageMetadata.trafficType"),
        "tier": said("usageMetadata.serviceTier"),
        **{f"{ours}_count": said(f"usageMetadata.{name}") for ours, name in _COUNTS.items()},
        **{
            f"{modality}_{part}": tokens_of(details, modality.upper())
            for part, (details, _) in _DETAILS.items()
            for modality in _MODALITIES
        },
        # Whether the cached tokens are among the details, their sum tells.
        "detailed": f"list_sum(list_transform({said('usageMetadata.promptTokensDetails')}, lambda each: "
        "TRY_CAST(coalesce(each.tokenCount, each.token_count) AS BIGINT)))",
        "queries": f"list_sum(list_transform({candidates}, lambda each: len(coalesce("
        "each.groundingMetadata.webSearchQueries, each.grounding_metadata.web_search_queries))))",
        "goes_on": f"len({candidates}) > 0 AND len(list_filter({candidates}, lambda each: "
        "coalesce(each.finishReason, each.finish_reason) IS NOT NULL)) = 0",
    }
    selected = ",\n        ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"(\n    SELECT *, {selected}\n    FROM raw\n)"  # noqa: S608 (constants of this module)


def _sum(*names: str) -> str:
    return " + ".join(f"coalesce(f_{name}, 0)" for name in names)


def _of(part: str) -> tuple[str, ...]:
    return tuple(f"{modality}_{part}" for modality in _MODALITIES)


_UNCACHED = "(f_prompt - coalesce(f_cached, 0))"


def _uncached(modality: str) -> str:
    """SQL for the input tokens of a modality that were not cached. Where it is not said which ones were,
    text goes first."""
    stated = f"coalesce(f_{modality}_in, 0)"
    rest = f"greatest({stated} - coalesce(f_{modality}_cached, 0), 0)"
    before = [f" - {_uncached(each)}" for each in _MODALITIES[: _MODALITIES.index(modality)]]
    free = _UNCACHED + "".join(before)
    return f"least(CASE WHEN f_detailed > {_UNCACHED} THEN {rest} ELSE {stated} END, {free})"


def _total_is(*names: str) -> str:
    """SQL for whether the total is that of these counts; some servers leave the tools out of it."""
    return f"f_total IN ({_sum(*names)}, {_sum(*names, 'tools')})"


_IS_INCLUSIVE = (
    f"{_total_is('prompt', 'answer')} AND NOT {_total_is('prompt', 'answer', 'thoughts')} "
    "AND f_thoughts <= f_answer"
)

_UNITS = {
    **{f"cache_{modality}_read_tokens": f"f_{modality}_cached" for modality in _MODALITIES},
    **{f"input_{modality}_tokens": _uncached(modality) for modality in _MODALITIES},
    **{f"output_{modality}_tokens": f"f_{modality}_out" for modality in _MODALITIES},
    # Before Gemini 3 a prompt is one search, whatever it looked up.
    "web_search_requests": "CASE WHEN regexp_matches(f_model, '^gemini-[12][.]') "
    "THEN least(coalesce(f_queries, 0), 1) ELSE f_queries END",
}
_PAIRS = ", ".join(
    f"CASE WHEN {sql} > 0 THEN {{'key': '{name}', 'value': CAST({sql} AS BIGINT)}} END"
    for name, sql in sorted(_UNITS.items())
)
_ANY_UNIT = " OR ".join(f"f_{name} > 0" for name in (*_of("in"), *_of("cached"), *_of("out"), "queries"))

_FIELDS = (
    Field("detailed", "detailed"),
    Field("queries", "queries"),
    *(count(name, f"{name}_count", said=said, required=name == "prompt") for name, said in _COUNTS.items()),
    *(
        count(f"{modality}_{part}", f"{modality}_{part}", said=said)
        for part, (said, _) in _DETAILS.items()
        for modality in _MODALITIES
    ),
)
_FAULTS = (
    ("f_cached > f_prompt", "cachedContentTokenCount: more than the prompt"),
    *(
        (f"{_sum(*_of(part))} > {_sum(whole)}", f"{said}: more than {words}")
        for (part, (said, words)), whole in zip(_DETAILS.items(), ("prompt", "cached", "answer"), strict=True)
    ),
)
_COLUMNS = {
    "input_tokens": f"{_UNCACHED} - {' - '.join(_uncached(each) for each in _MODALITIES)} + {_sum('tools')}",
    "cache_read_tokens": f"f_cached - ({_sum(*_of('cached'))})",
    "output_tokens": f"CASE WHEN {_IS_INCLUSIVE} THEN {_sum('answer')} ELSE {_sum('answer', 'thoughts')} END "
    f"- ({_sum(*_of('out'))})",
    "reasoning_tokens": "f_thoughts",
    "other_units": f"CASE WHEN {_ANY_UNIT} THEN nullif(map_from_entries(list_filter([{_PAIRS}], "
    "lambda each: each IS NOT NULL)), MAP {}) END",
    "mode": "CASE WHEN traffic = 'ON_DEMAND_FLEX' OR lower(tier) = 'flex' THEN 'flex' "
    "WHEN traffic = 'ON_DEMAND_PRIORITY' OR lower(tier) = 'priority' THEN 'priority' ELSE 'standard' END",
    # Throughput is paid for by the month, whatever passes through.
    "billing": "CASE WHEN traffic = 'PROVISIONED_THROUGHPUT' THEN 'subscription' ELSE 'metered' END",
    "success": "coalesce(f_success, coalesce(block_reason, '') = '')",
    "error_type": "coalesce(f_error_type, nullif(block_reason, ''))",
}


def _model(*texts: str) -> Field:
    """The model by its bare name: "models/" stands before it in requests, "@default" after it on Vertex."""
    bare = "regexp_extract({}, '^(.*models/)?(.*?)(@default)?$', 2)"
    return fields.model(*(bare.format(each) for each in texts))


_CONTENT = ("answer_time", "answer_model", *(f"{name}_count" for name in _COUNTS), *wrapper.CONTENT)
_IS_BILLED = "coalesce(prompt_count, answer_count, total_count) IS NOT NULL"

FORMAT = Format(
    name="gemini",
    title="answers of Gemini models, of the Gemini API or Vertex AI, bare or wrapped with labels",
    shapes=JSON,
    claims=_claims,
    raw={**_ANSWER, "response": struct(_ANSWER), "model": "VARCHAR", **wrapper.LABELS},
    rows=_rows("response.", ""),
    # Every part of a stream counts what there was so far. Where no id tells that they belong together, the
    # one with a finishReason stands for them.
    calls=f"({_IS_BILLED} AND NOT coalesce(coalesce(answer_id, '') = '' AND goes_on, FALSE))",
    fields=(
        moment(first_of("timestamp", "answer_time", "given_time"), said="timestamp or createTime"),
        _model("answer_model", "model"),
        Field("provider", "coalesce(nullif(provider, ''), 'google')"),
        *_FIELDS,
        *wrapper.fields(),
    ),
    columns=_COLUMNS,
    faults=_FAULTS,
    id=response_id("answer_id", "google"),
    content=_CONTENT,
    repeats=True,
)

BATCH = Format(
    name="gemini-batch",
    title="output files of Gemini batches, of the Gemini API or Vertex AI (batch price)",
    shapes=JSON,
    claims=_batch_claims,
    raw={
        **dict.fromkeys(("key", "processed_time", "model"), "VARCHAR"),
        "response": struct(_ANSWER),
        **wrapper.LABELS,
    },
    rows=_rows("response."),
    # What failed has an error and no usage.
    calls=f"({_IS_BILLED})",
    fields=(
        moment(
            first_of("timestamp", "answer_time", "processed_time", "given_time"),
            said="timestamp, createTime or processed_time",
        ),
        _model("answer_model", "model"),
        Field("provider", "coalesce(nullif(provider, ''), 'google')"),
        *_FIELDS,
        *wrapper.fields(),
    ),
    columns={**_COLUMNS, "mode": "'batch'", "billing": "'metered'"},
    faults=_FAULTS,
    id=response_id("answer_id", "google"),
    content=("key", "processed_time", *_CONTENT),
)

FORMATS = (FORMAT, BATCH)
