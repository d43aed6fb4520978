"""The price book: the shipped catalogue under the user's ``prices.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from costctl.pricing import own as own_prices
from costctl.pricing.catalogue import Catalogue, Match
from costctl.pricing.layers import stacked
from costctl.pricing.matching import texts
from costctl.pricing.own import Alias, Names, OwnPrice, OwnPrices
from costctl.pricing.rows import PriceRow

CallNames = tuple[str | None, str]
"""A call's provider (None: not stated) and model, as its source names them."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the price book, under the names of the book, and all its price rows.

    ``names`` are names that calls may have for it, in lower case, as far as its rule spells them out.
    """

    provider: str
    model: str
    rows: tuple[PriceRow, ...]
    names: tuple[str, ...]


class PriceBook:
    """What every model costs. ``catalogue`` is by default the shipped one; ``own`` stands before it."""

    def __init__(self, catalogue: Catalogue | None = None, own: OwnPrices | None = None) -> None:
        self._catalogue = catalogue or Catalogue()
        self._own = own.layers if own else ()
        self._resolved: dict[CallNames, Match | None] = {}

    @classmethod
    def load(cls, path: Path | None = None) -> PriceBook:
        """The catalogue under the ``prices.yaml`` in ``path``; without a path the catalogue alone.

        Raises :class:`costctl.documents.DocumentError` with every fault of that file.
        """
        catalogue = Catalogue()
        return cls(catalogue, None if path is None else own_prices.read(path, catalogue))

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Each book with the hash of its content, the first standing before the others:
        ``prices.yaml sha256:…``, ``genai-prices 0.2.3 sha256:…``."""
        return (*(each.identifier for each in self._own), self._catalogue.identifier)

    @property
    def as_of(self) -> date | None:
        """The day up to which the shipped catalogue's prices are known."""
        return self._catalogue.as_of

    @property
    def own(self) -> Iterator[OwnPrice]:
        """The prices of the user's file, and of those that it includes."""
        return (each for own in self._own for each in own.prices)

    def listed(self, provider: str | None, model: str) -> Sequence[PriceRow]:
        """The shipped catalogue's own prices of a name, whatever the user's file says of it."""
        match = self._catalogue.resolve(provider, model)
        return () if match is None else tuple(self._catalogue.rows(match.provider, match.model))

    def resolve(self, provider: str | None, model: str) -> Match | None:
        """The book's model that ``provider`` and ``model`` name, by declared rules only; None if unknown."""
        names = (provider, model)
        if names not in self._resolved:
            self._resolved[names] = self._match(provider, model)
        return self._resolved[names]

    def context_window(self, provider: str | None, model: str) -> int | None:
        """How many tokens, of prompt and answer together, the model of these names can have in its context;
        None where that is not known."""
        match = self.resolve(provider, model)
        return None if match is None else self._catalogue.context_window(match.provider, match.model)

    def provider(self, name: str) -> str:
        """The book's name of the provider ``name``; that itself, in lower case, where it has none."""
        return self._catalogue.provider(name)

    def rows_for(self, names: Iterable[CallNames]) -> dict[CallNames, Sequence[PriceRow]]:
        """The price rows of each (provider, model) as a source names it; none for a name that is unknown.

        The rows of one name never overlap: at any instant at most one holds.
        """
        return {each: self._rows(*each) for each in dict.fromkeys(names)}

    def alias(self, provider: str | None, model: str) -> Alias | None:
        """The entry of the user's file that gives these names another meaning, if there is one."""
        if not self._own:
            return None
        names = Names(*self._catalogue.names(provider, model))
        return next((each for own in self._own for each in own.aliases.nearest_first(names)), None)

    def models(self, provider: str | None = None) -> Iterator[Model]:
        """Every model, or those of one ``provider``, the user's first, with the prices that hold for a call
        that names it as the book does."""
        wanted = None if provider is None else self._catalogue.provider(provider)
        shown: set[tuple[str, str]] = set()
        for each in self._own_models():
            if wanted in (None, each.provider):
                shown.add((each.provider, each.model.lower()))
                yield each
        for seller in self._catalogue.providers:
            if wanted not in (None, seller):
                continue
            for model, entry in self._catalogue.models(seller).items():
                names = Names(seller, model.lower(), model.lower())
                if (seller, names.model) not in shown:
                    rows = self._stacked(names, tuple(self._catalogue.rows(seller, model)))
                    yield Model(seller, model, rows, (names.model, *texts(entry["match"])))

    def _own_models(self) -> Iterator[Model]:
        entries: dict[tuple[str | None, str], list[OwnPrice]] = {}
        for each in self.own:
            entries.setdefault((each.scope.provider, each.scope.model), []).append(each)
        for (provider, name), alike in entries.items():
            if name.endswith("*"):  # no name that a call could have: only what these entries say
                rows = tuple(row for each in alike for row in each.rows)
            else:
                rows = self._rows(provider, name)
            yield Model(provider or "", alike[0].rows[0].model, rows, (name,))

    def _names(self, provider: str | None, model: str) -> tuple[Names, Match | None]:
        alias = self.alias(provider, model)
        if alias is not None:
            provider, model = alias.provider or provider, alias.model
        seller, name = self._catalogue.names(provider, model)
        match = self._catalogue.find(seller, name)
        return Names(seller, name, match.model.lower() if match else None), match

    def _match(self, provider: str | None, model: str) -> Match | None:
        names, match = self._names(provider, model)
        if match is None:
            for each in self._prices(names):
                model = each.rows[0].model
                return Match(each.scope.provider or "", model, rule=f"model {model} in {each.scope.where}")
        return match

    def _rows(self, provider: str | None, model: str) -> tuple[PriceRow, ...]:
        names, match = self._names(provider, model)
        listed: tuple[PriceRow, ...] = ()
        if match is not None:
            listed = tuple(
                row
                for row in self._catalogue.rows(match.provider, match.model)
                if not match.borrowed or (row.mode == "standard" and row.region is None)
            )
        return self._stacked(names, listed)

    def _stacked(self, names: Names, listed: tuple[PriceRow, ...]) -> tuple[PriceRow, ...]:
        if not self._own:
            return listed
        prices = [each.rows for each in self._prices(names)]
        factors = [
            tuple(each.of(listed)) for own in self._own for each in own.multipliers.nearest_first(names)
        ]
        return stacked([*prices, *factors, listed])

    def _prices(self, names: Names) -> Iterator[OwnPrice]:
        """The user's entries for a model, those of a file before those of the files that it includes."""
        for own in self._own:
            yield from own.prices.nearest_first(names)
