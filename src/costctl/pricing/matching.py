"""Model names: the price book's declared rules, and no guessing.

A rule is a list, as in the catalogue's files: ``["equals", text]``, ``["starts_with", text]``,
``["ends_with", text]``, ``["contains", text]``, ``["regex", pattern]``, ``["and", rule, …]`` or
``["or", rule, …]``. Texts are lower case and are compared with a name in lower case; a regular expression
may match anywhere in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

Rule = Sequence[Any]


def matches(rule: Rule, name: str) -> bool:
    """Whether ``name``, in lower case, satisfies ``rule``. Raises :class:`ValueError` on an unknown rule."""
    kind, first = rule[0], rule[1]
    if kind == "equals":
        return bool(name == first)
    if kind == "or":
        return any(matches(each, name) for each in rule[1:])
    if kind == "contains":
        return first in name
    if kind == "starts_with":
        return name.startswith(first)
    if kind == "ends_with":
        return name.endswith(first)
    if kind == "regex":
        return re.search(first, name) is not None
    if kind == "and":
        return all(matches(each, name) for each in rule[1:])
    raise ValueError(f"{kind!r} is not a rule for model names")


def words(rule: Rule, name: str) -> str:
    """The part of ``rule`` that ``name`` satisfies, for people: ``starts with gpt-4o``."""
    kind, *parts = rule
    if kind == "or":
        return next(words(each, name) for each in parts if matches(each, name))
    if kind == "and":
        return " and ".join(words(each, name) for each in parts)
    return f"{kind.replace('_', ' ')} {parts[0]}"


def texts(rule: Rule) -> Iterator[str]:
    """The texts in ``rule``, regular expressions apart."""
    kind, *parts = rule
    if kind in {"or", "and"}:
        for each in parts:
            yield from texts(each)
    elif kind != "regex":
        yield parts[0]


_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def dashed_date(name: str) -> str:
    """``name`` with its dates written -YYYY-MM-DD where it has -YYYYMMDD, as gateways shorten them."""

    def dashed(found: re.Match[str]) -> str:
        try:
            return f"-{date(int(found[1]), int(found[2]), int(found[3]))}"
        except ValueError:  # such as 31 February
            return found[0]

    return _COMPACT_DATE.sub(dashed, name)
