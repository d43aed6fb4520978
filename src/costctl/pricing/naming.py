"""Which model of the price book a call's names are, in words, and what is near where they are none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costctl.pricing.book import PriceBook
    from costctl.pricing.catalogue import Match


def naming(book: PriceBook, provider: str | None, model: str) -> Iterator[str]:
    """Sentences: which model of the book these names are, and by which rule; where none, what is near."""
    called = book_name(provider, model)
    alias = book.alias(provider, model)
    if alias is not None:
        target = book_name(alias.provider or provider, alias.model)
        yield f"{called} means {target} ({alias.scope.where})."
        called = target
    match = book.resolve(provider, model)
    if match is None:
        found = near(book, provider, model)
        yield f"No price book knows {called}." + (f" Near: {', '.join(found)}." if found else "")
        return
    yield f"{called} is {book_name(match.provider, match.model)} by the rule: {match.rule}."
    if match.borrowed:
        yield f"{match.provider} is not the provider stated: of its prices only the standard ones are taken."
    if not book.rows_for([(provider, model)])[provider, model]:
        yield "The price book has no price of it."


def book_name(provider: str | None, model: str) -> str:
    """``openai/gpt-4o``; the model alone where there is no provider."""
    return f"{provider}/{model}" if provider else model


def near(book: PriceBook, provider: str | None, model: str, most: int = 5) -> list[str]:
    """Models of the book with a name like ``model``, for people to choose from: nothing is priced by it."""
    by_name: dict[str, str] = {}
    for each in book.models(provider):
        for name in each.names:
            by_name.setdefault(name, book_name(each.provider, each.model))
    wanted = model.lower()
    alike = difflib.get_close_matches(wanted, by_name, n=3 * most)
    alike += [name for name in by_name if wanted and wanted in name]
    return list(dict.fromkeys(by_name[name] for name in alike))[:most]


_BLANKS = re.compile(r"\s+")
_DOTS = re.compile(r"[\s.]+")
_VERSION_LAST = re.compile(r"([a-z]+)-([a-z]+)-([0-9]+(?:-[0-9]+)*)")


def billed_model(book: PriceBook, provider: str | None, name: str) -> Match | None:
    """The model of the book that a bill calls ``name``: by its own rules, after the display name has been
    written as models' names are: ``Claude Sonnet 4.5`` is claude-sonnet-4-5, and ``Claude Haiku 3.5``
    claude-3-5-haiku, as the vendor named it then. None if unknown: nothing is guessed."""
    return next((match for each in _spellings(name) if (match := book.resolve(provider, each))), None)


def _spellings(name: str) -> Iterator[str]:
    lower = name.strip().lower()
    yield name
    yield _BLANKS.sub("-", lower)
    yield plain_name(name)
    if version := _VERSION_LAST.fullmatch(plain_name(name)):
        maker, family, number = version.groups()
        yield f"{maker}-{number}-{family}"


def plain_name(name: str) -> str:
    """``name`` in lower case with dashes for blanks and dots: how a name that no book knows is compared."""
    return _DOTS.sub("-", name.strip().lower())
