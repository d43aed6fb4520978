"""One matcher over the canonical call, the same in SQL and in Python.

``team=search`` · ``team=search,ads`` any of them · ``team!=search`` · ``model~opus`` contains ·
``model~claude-*-4?`` a glob over the whole value · ``model^=claude-`` begins with · ``tag:env=prod``. ``!``
before the operator negates. An empty value is the unknown one: ``team=`` finds calls without a team. Unknown
fits nothing else, so ``team!=search`` and every other negation hold for it. Upper and lower case differ.
A backslash makes a comma, ``*``, ``?``, space or backslash literal, and any character in a tag's name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, get_args

from costctl.records import BY_NAME, BY_PUBLIC, LABELS

COLUMNS: tuple[str, ...] = tuple(
    BY_NAME[name].public
    for name in (*LABELS, "provider", "model", "mode", "region", "billing", "error_type", "grain")
)
"""The public names of what can be filtered, besides ``tag:NAME``."""

Operator = Literal["=", "^=", "~"]


class Wild(Enum):
    """What stands for other characters in a pattern."""

    ANY = "*"
    ONE = "?"


Pattern = tuple[str | Wild, ...]
"""Literal texts and wildcards, in the order of the value: ``("claude-", Wild.ANY)``. ``()`` is unknown."""


class FilterError(ValueError):
    """A filter that cannot be read; ``hint`` says what could be."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Filter:
    """The value of ``column`` (a public name or ``tag:NAME``) fits any of ``patterns``; or, negated, none.

    ``str()`` is a text that :func:`parse` reads as this filter again.
    """

    column: str
    operator: Operator
    patterns: tuple[Pattern, ...]
    negated: bool = False

    def __str__(self) -> str:
        tag, name = ("tag:", self.column[4:]) if self.column.startswith("tag:") else ("", self.column)
        name = re.sub(r"[\\=~!^]|^\s|\s\Z", r"\\\g<0>", name)
        values = ",".join(_written(pattern, self.operator) for pattern in self.patterns)
        return f"{tag}{name}{'!' * self.negated}{self.operator}{values}"


def parse(text: str, also: Collection[str] = ()) -> Filter:
    """The filter that ``text`` says, in the module's grammar. ``also`` are columns that only the caller
    knows. Raises :class:`FilterError`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FilterError("a filter must be valid Unicode text") from None
    form = _FORM.fullmatch(text)
    if form is None or not form[1]:
        hint = "as in team=search, team!=search,ads, model~opus, model^=claude-, tag:env=prod"
        raise FilterError(f"{text!r} is not a filter", hint)
    name, negation, symbol, values = form.groups()
    operator: Operator = next(each for each in get_args(Operator) if each == symbol)
    column = _column(name, (*COLUMNS, *also))
    patterns = [_pattern(value, operator) for value in _split(values)]
    if operator != "=" and () in patterns:
        raise FilterError(f"{text!r} compares with nothing", f"{name}= finds what is unknown")
    return Filter(column, operator, tuple(dict.fromkeys(patterns)), negated=bool(negation))


def matches(filter: Filter, row: Mapping[str, Any]) -> bool:
    """Whether ``row`` passes. Its keys are the ledger's column names or the public ones; an absent one is
    unknown. ``tags`` is a map."""
    value = _value(filter.column, row)
    return any(_fits(pattern, value) for pattern in filter.patterns) is not filter.negated


def sql(
    filters: Iterable[Filter],
    table: str = "",
    tag: tuple[str, Callable[[str], str]] | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> tuple[str, list[str]]:
    """A condition that is true where all ``filters`` pass and false elsewhere (never NULL), and the values of
    its ``?``. ``table`` qualifies the columns, as in ``calls.team``. ``tag`` is how to read a tag where a map
    is too slow: SQL with a ``?``, and what to bind to it, of the tag's name. ``columns`` is SQL for what has
    another name where the condition stands, tags too. Without filters it is ``true``.

    Identifiers come from :data:`COLUMNS` alone; values and names of tags are only ever bound. The text stands
    in the dialect that DuckDB and Spark share (LIKE for a beginning: their functions differ in name).
    """
    conditions: list[str] = []
    parameters: list[str] = []
    for filter in filters:
        if filter.column in columns:
            column, bound = columns[filter.column], []
        elif filter.column.startswith("tag:"):
            text, place = tag or (f"{table}.tags[?]" if table else "tags[?]", str)
            column, bound = text, [place(filter.column[4:])]
        else:
            name = BY_PUBLIC[filter.column].name
            column, bound = f"{table}.{name}" if table else name, []
        alternatives: list[str] = []
        for pattern in filter.patterns:
            text, values = _condition(pattern, column, bound)
            alternatives.append(text)
            parameters.extend(values)
        either = " OR ".join(alternatives)
        conditions.append(f"NOT ({either})" if filter.negated else f"({either})")
    return " AND ".join(conditions) or "true", parameters


# --- reading and writing ----------------------------------------------------------------------------------

_FORM = re.compile(r"[ ]*((?:[^\\]|\\.)*?)[ ]*(!?)(=|~|\^=)(.*)", re.DOTALL)
_PIECE = re.compile(r"\\[,*? \\]|.", re.DOTALL)


def _column(name: str, columns: Collection[str]) -> str:
    if name.startswith("tag:"):
        tag = re.sub(r"\\(.)", r"\1", name[4:], flags=re.DOTALL)
        if not tag:
            raise FilterError("tag: needs a name", "as in tag:env=prod")
        return f"tag:{tag}"
    if name not in columns:
        near = difflib.get_close_matches(name, columns, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(columns)} and tag:NAME"
        raise FilterError(f"unknown column {name!r} in a filter", hint)
    return name


def _split(values: str) -> list[list[str]]:
    """The values between commas, each as its characters, an escaped one with its backslash. Spaces around a
    value do not belong to it."""
    parts: list[list[str]] = [[]]
    for piece in _PIECE.findall(values):
        if piece == ",":
            parts.append([])
        else:
            parts[-1].append(piece)
    for part in parts:
        while part and part[0] == " ":
            del part[0]
        while part and part[-1] == " ":
            del part[-1]
    return parts


def _pattern(pieces: list[str], operator: Operator) -> Pattern:
    if not pieces:
        return ()
    glob = operator == "~" and ("*" in pieces or "?" in pieces)
    pattern: list[str | Wild] = []
    for piece in pieces:
        if glob and piece in "*?":
            if piece == "?" or pattern[-1:] != [Wild.ANY]:
                pattern.append(Wild(piece))
        elif pattern and isinstance(pattern[-1], str):
            pattern[-1] += piece[-1]
        else:
            pattern.append(piece[-1])
    if operator == "^=":
        return (*pattern, Wild.ANY)
    return (Wild.ANY, *pattern, Wild.ANY) if operator == "~" and not glob else tuple(pattern)


def _written(pattern: Pattern, operator: Operator) -> str:
    match pattern:
        case (str(text), Wild.ANY) if operator == "^=":
            pattern = (text,)
        case (Wild.ANY, str(text), Wild.ANY):
            pattern = (text,)
    text = "".join(
        part.value if isinstance(part, Wild) else re.sub(r"[\\,*?]", r"\\\g<0>", part) for part in pattern
    )
    return re.sub(r"^ | \Z", r"\\ ", text)


# --- matching ---------------------------------------------------------------------------------------------


def _value(column: str, row: Mapping[str, Any]) -> str:
    """The row's value, "" where it is unknown."""
    if column.startswith("tag:"):
        value = (row.get("tags") or {}).get(column[4:])
    else:
        known = BY_PUBLIC.get(column)
        value = (known and row.get(known.name)) or row.get(column)
    return value or ""


def _fits(pattern: Pattern, value: str) -> bool:
    if not value or not pattern:
        return not value and not pattern
    return _expression(pattern).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _expression(pattern: Pattern) -> re.Pattern[str]:
    """Atomic groups keep a pattern with many stars from backtracking: the leftmost place where the text
    between two stars fits is as good as any later one."""
    groups: list[str] = [""]
    for part in pattern:
        if part is Wild.ANY:
            groups.append("")
        else:
            groups[-1] += "." if part is Wild.ONE else re.escape(str(part))
    first, *between = groups
    if not between:
        return re.compile(first, re.DOTALL)
    *middle, last = between
    return re.compile(first + "".join(f"(?>.*?{each})" for each in middle) + f".*{last}", re.DOTALL)


def _condition(pattern: Pattern, column: str, bound: list[str]) -> tuple[str, list[str]]:
    """A condition on ``column`` that is never NULL; ``bound`` fills the ``?`` of each mention of it."""
    match pattern:
        case ():
            return f"{column} IS NULL OR {column} = ''", bound * 2
        case (Wild.ANY,):
            return f"{column} IS NOT NULL AND {column} <> ''", bound * 2
        case (str(text),):
            return f"{column} IS NOT NULL AND {column} = ?", [*bound * 2, text]
        case (Wild.ANY, str(text), Wild.ANY):
            return f"{column} IS NOT NULL AND contains({column}, ?)", [*bound * 2, text]
        case _:
            like = "".join(_like(part) for part in pattern)
            return f"{column} IS NOT NULL AND {column} LIKE ? ESCAPE '^'", [*bound * 2, like]


def _like(part: str | Wild) -> str:
    if isinstance(part, str):
        return re.sub(r"[%_^]", r"^\g<0>", part)
    return "%" if part is Wild.ANY else "_"
