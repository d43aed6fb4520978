"""The price book: the shipped catalogue under the user's ``prices.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from costctl.pricing.catalogue import Catalogue, Match
from costctl.pricing.rows import PriceRow

Names = tuple[str | None, str]
"""A call's provider (None: not stated) and model, as its source names them."""


class PriceBook:
    """What every model costs. ``identifiers`` names the books for a report's provenance."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = catalogue or Catalogue()
        self._resolved: dict[Names, Match | None] = {}

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Each book with the hash of its content, e.g. ``genai-prices 0.2.3 sha256:…``."""
        return (self._catalogue.identifier,)

    def resolve(self, provider: str | None, model: str) -> Match | None:
        """The book's model that ``provider`` and ``model`` name, by declared rules only; None if unknown."""
        names = (provider, model)
        if names not in self._resolved:
            self._resolved[names] = self._catalogue.resolve(provider, model)
        return self._resolved[names]

    def rows_for(self, names: Iterable[Names]) -> dict[Names, Sequence[PriceRow]]:
        """The price rows of each (provider, model) as a source names it; none for a name that is unknown."""
        return {each: self._rows(self.resolve(*each)) for each in dict.fromkeys(names)}

    def _rows(self, match: Match | None) -> Sequence[PriceRow]:
        if match is None:
            return ()
        return tuple(
            row
            for row in self._catalogue.rows(match.provider, match.model)
            if not match.borrowed or (row.mode == "standard" and row.region is None)
        )
