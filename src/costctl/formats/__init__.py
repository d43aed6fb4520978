"""Input formats: one small module each. Recognition reads a file's beginning and never guesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from costctl.formats.format import CANONICAL, UNREADABLE, Format
from costctl.formats.sample import SAMPLE_BYTES, Sample, delimiter, header, of_text

__all__ = [
    "CANONICAL",
    "FORMATS",
    "SAMPLE_BYTES",
    "UNREADABLE",
    "AmbiguousFile",
    "Format",
    "Sample",
    "claims",
    "delimiter",
    "header",
    "of_text",
    "recognise",
    "refused",
]


def _of_modules(name: str) -> Iterator[Any]:
    """What the modules of this package have in tuples of that name."""
    for module in iter_modules(__path__):
        yield from getattr(import_module(f"{__name__}.{module.name}"), name, ())


FORMATS: dict[str, Format] = {each.name: each for each in _of_modules("FORMATS")}

REFUSED: tuple[tuple[Callable[[Sample], str], str], ...] = tuple(_of_modules("REFUSED"))
"""Exports that hold no calls: what says in a few words that a sample is of one, and what to read instead."""


class AmbiguousFile(Exception):  # noqa: N818 - a fact about a file, caught by that name
    """Several formats claim a file: ``claims`` are their names and reasons."""

    def __init__(self, claims: dict[str, str]) -> None:
        super().__init__(" and ".join(f"{name} ({why})" for name, why in claims.items()))
        self.claims = claims


def recognise(sample: Sample) -> tuple[Format, str] | None:
    """The one format that claims ``sample`` and why; None if none does.

    Raises :class:`AmbiguousFile` if several do.
    """
    found = claims(sample)
    if len(found) > 1:
        raise AmbiguousFile(found)
    for name, why in found.items():
        return FORMATS[name], why
    return None


def claims(sample: Sample) -> dict[str, str]:
    """The formats that claim ``sample``, and why."""
    return {
        each.name: why
        for each in FORMATS.values()
        if sample.shape in each.shapes and (why := each.claims(sample))
    }


def refused(sample: Sample) -> str:
    """What a file is that holds no calls, and what to read instead; "" where nothing is known of it."""
    return next((f"{what}; {instead}" for claims, instead in REFUSED if (what := claims(sample))), "")
