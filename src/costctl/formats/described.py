"""Formats in words: which fields of a file each canonical column is made of, and which formats are near."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from costctl.formats.format import Format
from costctl.formats.quoting import identifier, literal
from costctl.formats.sample import Sample

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_PATH = re.compile(r'(?<![\w."])((?:"[^"]+"|[A-Za-z_]\w*)(?:\.(?:"[^"]+"|[A-Za-z_]\w*))*)(?![\w"]|\s*\()')
_FIELD = re.compile(r"\bf_(\w+)")
_WORD = re.compile(r"\b\w+\b")
_LAMBDA = re.compile(r"lambda (\w+(?:, \w+)*):")

CONSTANT = "the value "
"""How the note begins of what every record has."""

GIVEN = {"given_time": "--time", "given_model": "--model"}
"""Columns of every relation of rows that flags fill."""


@dataclass(frozen=True, slots=True)
class Made:
    """Of what a canonical column is made: ``parts`` are paths into the format's rows, as SQL; ``rule`` is
    SQL for its value. A column that the format says nothing of has neither."""

    column: str
    parts: tuple[str, ...]
    rule: str


def made(format: Format) -> Iterator[Made]:
    """Of what each canonical column of a format is made, in order."""
    fields = {each.name: each.value for each in format.fields}
    for column, _ in format.canonical:
        rule = format.columns.get(column, fields.get(column, ""))
        if (renamed := _FIELD.fullmatch(rule)) and renamed[1] in fields:
            rule = fields[renamed[1]]
        parts = dict.fromkeys(
            part for sql in (rule, *(fields[name] for name in _used(rule, fields))) for part in paths(sql)
        )
        yield Made(column, tuple(parts), rule)


def _used(rule: str, fields: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name in dict.fromkeys(_FIELD.findall(rule)) if name in fields)


def paths(sql: str) -> Iterator[str]:
    """The paths in an expression: neither its texts, functions and fields, nor SQL's words, which are in
    capitals."""
    own = {name for names in _LAMBDA.findall(sql) for name in names.split(", ")}
    for path in _PATH.findall(_LITERAL.sub("''", sql)):
        first = path.split(".")[0]
        is_word = first.isupper() or first == "lambda" or first.startswith("f_")
        if not is_word and first not in own:
            yield path


def in_words(format: Format, sql: str) -> str:
    """A rule for people: fields without their mark, the rows' columns by their names in the file."""
    text = _FIELD.sub(r"\1", " ".join(sql.split()))
    return _WORD.sub(lambda found: _quoted(format, found[0]), text)


def _quoted(format: Format, name: str) -> str:
    if words := format.words.get(name):
        return identifier(words)
    value = format.notes.get(name, "").removeprefix(CONSTANT)
    return literal(value) if value != format.notes.get(name, "") else name.removeprefix("raw_")


def word_of(format: Format, part: str) -> str:
    """What a part is called in the file; "" where it is not of the file."""
    return format.words.get(part, part.replace('"', ""))


def noted(format: Format, part: str) -> str:
    """The same, with what is done to it on the way."""
    word, note = word_of(format, part), format.notes.get(part, "")
    return f"{word} ({note})" if word and note else word or note


@dataclass(frozen=True, slots=True)
class Near:
    """A format that does not claim a file: ``shared`` are names that it knows and the file has; ``why`` it
    would claim the file, were it not for its shape."""

    format: Format
    shared: tuple[str, ...]
    why: str


def nearest(sample: Sample, formats: Iterable[Format], most: int = 3) -> list[Near]:
    """The formats that have most in common with a file that none of them claims."""
    names = set(sample.names).union(*(_names(each) for each in sample.objects))
    found = []
    for format in formats:
        is_other = sample.shape not in format.shapes
        why = format.claims(sample) if is_other else ""
        shared = tuple(sorted(names & _known(format)))
        if why or (len(shared) > 1 and not is_other):
            found.append(Near(format, shared, why))
    return sorted(found, key=lambda each: (not each.why, -len(each.shared), each.format.name))[:most]


def _known(format: Format) -> set[str]:
    return {*format.raw, *(name for kind in format.raw.values() for name in re.findall(r'"([^"]+)" ', kind))}


def _names(value: Any, depth: int = 3) -> set[str]:
    if isinstance(value, Mapping) and depth:
        return set(value).union(*(_names(each, depth - 1) for each in value.values()))
    if isinstance(value, list) and value and depth:
        return _names(value[0], depth)
    return set()
