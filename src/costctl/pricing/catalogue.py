"""The shipped catalogue: one JSON file a provider, read only when a name needs it.

``scripts/build_prices.py`` writes the files. ``index.json`` holds what finds a provider; ``PROVIDER.json``
its models in order, each with its rules and price rows; ``context_windows.json`` the tokens that the context
of a model holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from costctl.pricing.matching import dashed_date, matches, words
from costctl.pricing.rows import DAY_SECONDS, NO_LIMIT, NO_TIER, PriceRow, priced

FILES = Path(__file__).with_name("catalogue")
"""The directory of the shipped catalogue."""


@dataclass(frozen=True, slots=True)
class Match:
    """The model of the price book that a call's names stand for.

    ``borrowed``: found with another provider than the one named (Azure sells OpenAI's models); of such a
    model only the standard prices are known to hold. ``rule`` says what found it.
    """

    provider: str
    model: str
    borrowed: bool = False
    rule: str = field(default="", compare=False)


class Catalogue:
    """The catalogue in ``directory``. Raises :class:`OSError` if that holds none."""

    def __init__(self, directory: Path = FILES) -> None:
        self._directory = directory
        index = json.loads((directory / "index.json").read_text("utf-8"))
        self.source: str = index["source"]
        self.as_of = date.fromisoformat(index["as_of"]) if "as_of" in index else None
        """The day up to which its prices are known."""
        self.identifier: str = f"{index['source']} sha256:{index['sha256'][:16]}"
        self._providers: dict[str, dict[str, Any]] = index["providers"]
        self._models: dict[str, dict[str, dict[str, Any]]] = {}
        self._windows: dict[str, dict[str, int]] | None = None

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers' names, in the catalogue's order."""
        return tuple(self._providers)

    def models(self, provider: str) -> Mapping[str, Mapping[str, Any]]:
        """The models of ``provider`` as the file states them, in order, by name."""
        if provider not in self._models:
            entries = json.loads((self._directory / f"{provider}.json").read_text("utf-8"))
            self._models[provider] = {entry["model"]: entry for entry in entries}
        return self._models[provider]

    def rows(self, provider: str, model: str) -> Iterator[PriceRow]:
        """The price rows of ``provider``'s ``model`` (the catalogue's names)."""
        for entry in self.models(provider)[model]["rows"]:
            yield priced(
                entry["prices"],
                provider=provider,
                model=model,
                source=entry.get("source", self.source),
                mode=entry.get("mode", "standard"),
                region=entry.get("region"),
                effective_from=_time(entry.get("from")),
                effective_to=_time(entry.get("to")),
                window_start=entry.get("window_start", 0),
                window_end=entry.get("window_end", DAY_SECONDS),
                tier_above=entry.get("above", NO_TIER),
                tier_to=entry.get("up_to", NO_LIMIT),
            )

    def context_window(self, provider: str, model: str) -> int | None:
        """How many tokens, of prompt and answer together, the context of ``provider``'s ``model`` (the
        catalogue's names) holds; None where that is not known."""
        if self._windows is None:
            self._windows = json.loads((self._directory / "context_windows.json").read_text("utf-8"))
        return self._windows.get(provider, {}).get(model)

    def resolve(self, provider: str | None, model: str) -> Match | None:
        """The model that a call's ``provider`` (None: not stated) and ``model`` name, or None.

        The rules are genai-prices' own (its ``data_snapshot.py``): the provider by its name, then by its
        rule, or where none is stated by the model's name; then the provider's models in order, the first
        match winning; the same with -YYYYMMDD written -YYYY-MM-DD; and one step to the providers whose
        models it resells. ``provider/model`` is taken apart where nothing else finds it.
        """
        return self.find(*self.names(provider, model))

    def names(self, provider: str | None, model: str) -> tuple[str | None, str]:
        """A call's ``provider`` and ``model`` as the catalogue takes them, in lower case: the provider under
        its one name here, the model without a provider in it. An unknown provider stays what it is; where
        none is stated it is the model's maker, or None."""
        model = model.lower()
        before, slash, after = model.partition("/")
        if provider is not None and provider.strip().lower() != "litellm":
            return self.provider(provider), model
        named = self._provider(before) if slash else None
        if provider is not None and named:
            return named, after
        maker = self._maker(model)
        if provider is None and named and not (maker and self.find(maker, model)):
            return named, after
        return maker, model

    def provider(self, name: str) -> str:
        """The catalogue's name of the provider ``name``; that itself, in lower case, where it has none."""
        return self._provider(name) or name.strip().lower()

    def find(self, seller: str | None, model: str) -> Match | None:
        """The model that :meth:`names` name, or None."""
        if seller not in self._providers:
            return None
        for name in dict.fromkeys((model, dashed_date(model))):
            for maker in (seller, *self._providers[seller].get("resells", ())):
                for entry in self.models(maker).values():
                    if matches(entry["match"], name):
                        rule = words(entry["match"], name)
                        return Match(maker, entry["model"], borrowed=maker != seller, rule=rule)
        return None

    def _provider(self, name: str) -> str | None:
        name = name.strip().lower()
        if name in self._providers:
            return name
        return self._first_provider("match", name)

    def _maker(self, model: str) -> str | None:
        return self._first_provider("model_match", model)

    def _first_provider(self, key: str, text: str) -> str | None:
        return next(
            (name for name, entry in self._providers.items() if key in entry and matches(entry[key], text)),
            None,
        )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
