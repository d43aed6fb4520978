"""Entries for a ``prices.yaml`` from LiteLLM's table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from costctl.money import usd
from costctl.pricing.catalogue import Catalogue
from costctl.pricing.litellm import Entry, Listed, Table
from costctl.pricing.rows import TOKEN_PRICES

_MILLION = 10**6
_NAMED = 5
"""How many names a sentence has."""

_WIDTH = 108


@dataclass(frozen=True, slots=True)
class Imported:
    """``text`` is a ``prices.yaml`` with the prices of ``models`` models; ``notes`` say what it is made of
    and what it leaves out; ``unknown`` are asked names that the table does not have."""

    text: str
    models: int
    notes: tuple[str, ...]
    unknown: tuple[str, ...]


def imported(
    table: Table, catalogue: Catalogue, names: Sequence[str] = (), start: date | None = None
) -> Imported:
    """The prices that ``table`` has of the models called ``names`` (``*`` stands for anything), or else of
    all that ``catalogue`` does not know; they hold from ``start`` on (None: always, for the table has no
    dates).

    A model that is in the table twice is taken once.
    """
    chosen, other_prices = _once(catalogue, _chosen(table, catalogue, names))
    notes = list(_notes(table, chosen, other_prices, names))
    text = "".join(
        [
            *_comment([f"From LiteLLM's table of prices, {table.identifier}.", *notes]),
            "prices:\n" if chosen else "prices: []\n",
            *(line for model in chosen for entry in model.entries for line in _lines(model, entry, start)),
        ]
    )
    known = [model.name for model in table.models]
    known += [name for others in table.left_out.values() for name in others]
    unknown = tuple(each for each in names if not any(_is_named(name, [each]) for name in known))
    return Imported(text, len(chosen), tuple(notes), unknown)


def _chosen(table: Table, catalogue: Catalogue, names: Sequence[str]) -> Iterator[Listed]:
    for model in table.models:
        if names:
            if _is_named(model.name, names):
                yield model
        elif catalogue.resolve(model.provider, model.model) is None:
            yield model


def _is_named(name: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name.lower(), each.lower()) for each in names)


def _once(catalogue: Catalogue, models: Iterable[Listed]) -> tuple[list[Listed], list[str]]:
    """Each model once, and the names under which LiteLLM has one again at other prices."""
    found: dict[tuple[str, str, str | None], Listed] = {}
    others = []
    for model in models:
        key = catalogue.provider(model.provider), model.model.lower(), model.region
        first = found.setdefault(key, model)
        if first.entries != model.entries:
            others.append(model.name)
    return list(found.values()), others


def _notes(
    table: Table, chosen: Sequence[Listed], other_prices: Sequence[str], names: Sequence[str]
) -> Iterator[str]:
    which = "" if names else " that the catalogue does not know"
    yield f"{_counted(len(chosen), 'model')}{which}."
    for reason, left_out in table.left_out.items():
        left_out = tuple(name for name in left_out if not names or _is_named(name, names))
        if left_out:
            yield f"Left out, {reason}: {_some(left_out)}."
    if other_prices:
        yield f"In the table again at other prices, the first taken: {_some(other_prices)}."
    if rounded := [model.name for model in chosen if model.rounded]:
        yield f"Rounded to whole pico-dollars, for the noise in their last digits: {_some(rounded)}."
    keys = Counter(key for model in chosen for key in model.left_out)
    if keys:
        said = ", ".join(f"{key} ({_counted(count, 'model')})" for key, count in keys.most_common())
        yield f"Keys that are not understood and left out: {said}."


def _lines(model: Listed, entry: Entry, start: date | None) -> Iterator[str]:
    said = {"provider": _text(model.provider), "model": _text(model.model)}
    if entry.mode != "standard":
        said["mode"] = entry.mode
    if model.region is not None:
        said["region"] = _text(model.region)
    if start is not None:
        said["from"] = start.isoformat()
    (_, base), *tiers = entry.tiers
    said |= _prices(base)
    if tiers:
        maps = [_map({"above": str(above), **_prices(prices)}) for above, prices in tiers]
        said["tiers"] = f"[{', '.join(maps)}]"
    yield f"  - {_map(said)}\n"


def _prices(prices: Mapping[str, int]) -> dict[str, str]:
    """USD for a million tokens, by the keys of a ``prices.yaml``."""
    said = {kind: _per_million(prices[kind]) for kind in TOKEN_PRICES if kind in prices}
    units = {unit: _per_million(price) for unit, price in prices.items() if unit not in TOKEN_PRICES}
    return said | ({"units": _map(units)} if units else {})


def _per_million(pico: int) -> str:
    return f"{usd(pico * _MILLION):f}"


def _map(said: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{key}: {value}' for key, value in said.items())} }}"


def _text(text: str) -> str:
    """In double quotes, in which YAML reads what JSON writes."""
    return json.dumps(text, ensure_ascii=False)


def _comment(sentences: Iterable[str]) -> Iterator[str]:
    from textwrap import wrap

    for sentence in sentences:
        for line in wrap(sentence, _WIDTH - 2, break_long_words=False, break_on_hyphens=False):
            yield f"# {line}\n"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
