"""What gateways and tracing platforms have in common: their names of the providers, labels as lists of words,
and their APIs' pages, which hold many rows in ``data``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from costctl.formats.format import Format
from costctl.formats.sample import JSON, Sample
from costctl.formats.wrapper import struct

Parts = Mapping[str, Any]
"""The parts of an object that are read: a name and "VARCHAR", or a name and the parts below it."""


def kind(parts: Parts) -> str:
    """The DuckDB type of an object with these parts."""
    return struct({name: each if isinstance(each, str) else kind(each) for name, each in parts.items()})


def parsed(text: str, parts: Parts) -> str:
    """SQL for the parts of an object in JSON text; NULL where it is no JSON."""
    return f"TRY(from_json({text}, '{json.dumps(parts)}'))"


def texts(*names: str) -> dict[str, str]:
    """Columns or parts that are read as text."""
    return dict.fromkeys(names, "VARCHAR")


_PROVIDERS = {
    "anthropic": ("anthropic-text",),
    "aws": ("bedrock", "bedrock-converse", "sagemaker"),
    "azure": ("azure-ai", "azure-openai", "azure-text"),
    "cohere": ("cohere-chat",),
    "fireworks": ("fireworks-ai",),
    "google": ("gemini", "google-ai-studio", "palm", "vertex", "vertex-ai", "vertex-ai-beta"),
    "meta": ("meta-llama",),
    "mistral": ("codestral", "mistral-ai"),
    "moonshotai": ("moonshot",),
    "novita": ("novita-ai",),
    "openai": ("text-completion-openai",),
    "perplexity": ("perplexity-ai",),
    "together": ("together-ai", "togetherai"),
    "voyageai": ("voyage",),
    "x-ai": ("x", "xai"),
}
"""Gateways' names of a provider, by the name that price books have for it."""


def provider(name: str) -> str:
    """SQL for the provider that a gateway calls ``name``; any case, hyphens or underscores."""
    plain = f"lower(replace({name}, '_', '-'))"
    known = " ".join(
        f"WHEN {plain} IN ({', '.join(repr(each) for each in names)}) THEN '{called}'"
        for called, names in _PROVIDERS.items()
    )
    return f"CASE {known} WHEN {plain} <> 'custom' THEN nullif({plain}, '') END"


def labels(words: str) -> str:
    """SQL for tags from a JSON list of words. ``name:value`` is a tag of that name; any other word has the
    value true. Of two with one name the first stays."""
    listed = f"TRY(from_json({words}, '[\"VARCHAR\"]'))"
    entry = (
        "CASE WHEN regexp_matches(word, '^[^:]+:.') "
        "THEN {'key': trim(split_part(word, ':', 1)), 'value': trim(word[instr(word, ':') + 1:])} "
        "ELSE {'key': word, 'value': 'true'} END"
    )
    entries = f"list_transform(list_filter({listed}, lambda word: word <> ''), lambda word: {entry})"
    first = (
        "list_filter(entries, lambda each, place: "
        "list_position(list_transform(entries, lambda other: other.key), each.key) = place)"
    )
    # In a list of their own, so that the entries are made once, not once for each of them.
    tags = f"list_transform([{entries}], lambda entries: map_from_entries({first}))[1]"
    return (
        f"CASE WHEN starts_with({words}, '[') AND {words} <> '[]' "
        f"THEN TRY(CAST(to_json({tags}) AS VARCHAR)) END"
    )


def an_object(text: str) -> str:
    """SQL: a text if it is that of a JSON object with anything in it."""
    return f"CASE WHEN starts_with({text}, '{{') AND {text} <> '{{}}' AND json_valid({text}) THEN {text} END"


def without(object: str, name: str) -> str:
    """SQL for a JSON object without one of its members; NULL where nothing is left."""
    left = an_object(f"""CAST(json_merge_patch({object}, '{{"{name}":null}}') AS VARCHAR)""")
    return f"CASE WHEN {object} IS NOT NULL THEN {left} END"


def merged(*objects: str) -> str:
    """SQL for the JSON object of several, any of which may be NULL; NULL if all are. The last goes first."""
    # Each is in it once, since what stands in a CASE twice is worked out twice.
    return (
        f"list_reduce([{', '.join(objects)}], lambda one, other: CASE WHEN other IS NULL THEN one "
        "WHEN one IS NULL THEN other ELSE CAST(json_merge_patch(one, other) AS VARCHAR) END)"
    )


def tag(name: str, value: str) -> str:
    """SQL for a JSON object of one tag; NULL where the value is NULL or empty."""
    return f"CASE WHEN {value} <> '' THEN CAST(json_object('{name}', {value}) AS VARCHAR) END"


def paged(format: Format, name: str, title: str, claims: Callable[[Mapping[str, Any]], str]) -> Format:
    """``format`` as its API gives it: pages with many of its rows in ``data``. ``claims`` judges a row."""

    def claims_pages(sample: Sample) -> str:
        for page in sample.objects:
            rows = page.get("data")
            first = next((row for row in rows if isinstance(row, dict)), {}) if isinstance(rows, list) else {}
            if why := claims(first):
                return f"is a page whose data {why}"
        return ""

    rows = f"""(
    WITH items AS (
        SELECT source_id, line, given_time, given_model, data IS NULL AS is_unread,
            unnest(coalesce(nullif(data, []), [NULL])) AS item
        FROM raw
    ),
    of_pages AS (
        SELECT source_id, line, given_time, given_model, is_unread, item IS NOT NULL AS is_row, item.*
        FROM items
    )
    SELECT * FROM {format.rows.replace("FROM raw", "FROM of_pages") if format.rows != "raw" else "of_pages"}
)"""  # noqa: S608 (constants of the formats)
    return replace(
        format,
        name=name,
        title=title,
        shapes=JSON,
        claims=claims_pages,
        raw={"data": struct(format.raw) + "[]"},
        rows=rows,
        empty="is_unread",
        calls=f"is_row AND ({format.calls})",
    )
