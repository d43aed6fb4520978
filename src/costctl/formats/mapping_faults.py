"""What is wrong with a mapping that its schema cannot see, each fault at its line."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costctl.formats.mapping import CACHED, COUNTS, UNIX, WORDS, Source
from costctl.formats.paths import places
from costctl.periods import PeriodError, zone

if TYPE_CHECKING:
    from costctl.documents import Document, DocumentError

SPECIFIERS = frozenset("aAbBcdfgGHIjmMnpSuUVwWxXyYzZ%") | {f"-{letter}" for letter in "dHIjmMSy"}
"""What follows a % in the patterns of DuckDB's strptime."""

_SPECIFIER = re.compile(r"%(-?.?)", re.DOTALL)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,13}", re.ASCII)
_NUMBERS = (*COUNTS, "requests")

_Place = tuple[str | int, ...]


def faults(document: Document) -> Iterator[DocumentError]:
    """Every fault of a mapping that agrees with its schema."""
    said: Mapping[str, Any] = document.data
    for place, each in _sources(said):
        for message, hint in _of_source(place, each):
            yield document.error(place, message, hint)
    for number, condition in enumerate(said.get("calls", ())):
        if len(condition.keys() & {"is", "is_not", "known"}) != 1:
            message = f"calls[{number}] must have one of is, is_not and known"
            yield document.error(("calls", number), message, "as in is: completion")
    yield from _of_time(document, Source.of(said["columns"]["ts"]))
    yield from _of_tokens(document, said)
    if said.get("grain") == "bucket" and "id" in said:
        yield document.error(
            ("id",), "a bucket has no id", "it is known by its time and labels: leave the id out"
        )


def lacking(text: str, names: Collection[str]) -> Iterator[str]:
    """What a mapping (:func:`costctl.formats.mapping.read`) names and a file does not have whose columns are
    ``names``, with what it is named for. Of several fields one will do."""
    for place, each in _sources(json.loads(text)):
        source = Source.of(each)
        if source.names and not any(path[0] in names for name in source.names for path in places(name)):
            column = ".".join(str(step) for step in place).removeprefix("columns.")
            yield f"no column {source.words}, which the mapping names for {column}"


def _sources(said: Mapping[str, Any]) -> Iterator[tuple[_Place, Any]]:
    """All that says where something comes from, with its place in the file."""
    for column, each in said["columns"].items():
        yield ("columns", column), each
    for section in ("tags", "other_units"):
        within = said.get(section, {})
        if isinstance(within, Mapping):
            for name, each in within.items():
                yield (section, name), each
        else:
            yield (section,), within
    if "id" in said:
        yield ("id",), said["id"]
    for number, condition in enumerate(said.get("calls", ())):
        yield ("calls", number), {"from": condition["from"]}


def _of_source(place: _Place, said: str | Sequence[str] | Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    source = Source.of(said)
    name = ".".join(str(step) for step in place)
    if bool(source.names) == bool(source.value):
        yield f"{name} must have one of from and value", "from names a field; value is what every record has"
    for text in source.names:
        try:
            places(text)
        except ValueError:
            yield f"{name}: {text!r} is no path", 'as in $.usage.prompt_tokens, $.choices[0].id, $["a.b"]'
    column = str(place[-1])
    for word in (source.value, *source.values.values()):
        if word and place[0] == "columns" and column in WORDS and word not in WORDS[column]:
            yield f"{name}: {word!r} is none", f"use one of {', '.join(WORDS[column])}"
    numbers = place[0] == "other_units" or (place[0] == "columns" and column in _NUMBERS)
    if source.value and numbers and not _WHOLE_NUMBER.fullmatch(source.value):
        yield f"{name}: {source.value!r} is not a whole number", ""


def _of_time(document: Document, source: Source) -> Iterator[DocumentError]:
    place = ("columns", "ts", "format")
    if source.format != "iso" and source.format not in UNIX:
        known = f"iso, {', '.join(UNIX)}, or a pattern as in %d/%m/%Y %H:%M"
        if "%" not in source.format:
            yield document.error(place, f"columns.ts.format: {source.format!r} is none", known)
        for specifier in _SPECIFIER.findall(source.format):
            if specifier not in SPECIFIERS:
                yield document.error(place, f"columns.ts.format: %{specifier} is unknown to strptime", known)
    if source.zone:
        try:
            zone(source.zone)
        except PeriodError as error:
            yield document.error(("columns", "ts", "zone"), str(error), error.hint)


def _of_tokens(document: Document, said: Mapping[str, Any]) -> Iterator[DocumentError]:
    columns = said["columns"]
    cached = [column for column in CACHED if column in columns]
    if not any(column in columns for column in COUNTS) and "other_units" not in said:
        yield document.error(
            ("columns",), "columns has no tokens", "name input_tokens, output_tokens or other_units"
        )
    if cached and "input_tokens" in columns and "input" not in said:
        yield document.error(
            ("columns", cached[0]),
            f"nothing says whether input_tokens includes {' and '.join(cached)}",
            "write input: inclusive if it does, input: exclusive if it does not",
        )
    if missing := [each for each in _listed(said.get("input")) if each not in columns]:
        yield document.error(("input",), f"input names {missing[0]}, which columns does not have")
    if "input" in said and said["input"] != "exclusive" and "input_tokens" not in columns:
        yield document.error(("input",), "input_tokens is not among the columns")
    if "reasoning_tokens" in columns and "output_tokens" in columns and "output" not in said:
        yield document.error(
            ("columns", "reasoning_tokens"),
            "nothing says whether output_tokens includes reasoning_tokens",
            "write output: inclusive if it does, output: exclusive if it does not",
        )


def _listed(said: str | Sequence[str] | None) -> Sequence[str]:
    return () if said is None or isinstance(said, str) else said
