"""Which model of the price book a call's names are, in words, and what is near where they are none."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from costctl.pricing.book import PriceBook


def naming(book: PriceBook, provider: str | None, model: str) -> Iterator[str]:
    """Sentences: which model of the book these names are, and by which rule; where none, what is near."""
    called = f"{provider}/{model}" if provider else model
    alias = book.alias(provider, model)
    if alias is not None:
        target = f"{alias.provider}/{alias.model}" if alias.provider else alias.model
        yield f"{called} means {target} ({alias.scope.where})."
    match = book.resolve(provider, model)
    if match is None:
        found = near(book, provider, model)
        yield f"No price book knows {called}." + (f" Near: {', '.join(found)}." if found else "")
        return
    name = f"{match.provider}/{match.model}".removeprefix("/")
    yield f"{called} is {name} by the rule: {match.rule}."
    if match.borrowed:
        yield f"{match.provider} is not the provider stated: of its prices only the standard ones are taken."


def near(book: PriceBook, provider: str | None, model: str, most: int = 5) -> list[str]:
    """Models of the book with a name like ``model``, for people to choose from: nothing is priced by it."""
    by_name: dict[str, str] = {}
    for each in book.models(provider):
        for name in each.names:
            by_name.setdefault(name, f"{each.provider}/{each.model}".removeprefix("/"))
    wanted = model.lower()
    alike = difflib.get_close_matches(wanted, by_name, n=3 * most)
    alike += [name for name in by_name if wanted and wanted in name]
    return list(dict.fromkeys(by_name[name] for name in alike))[:most]
