"""The user's ``prices.yaml``: prices of models, multipliers of the catalogue's prices, aliases of names.

Its shape is ``costctl/schemas/prices.json``. What only we can see (a price finer than a pico-dollar, two
entries that hold at once) is an error with its line here, like every other fault of the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from costctl.money import PICO_PER_USD
from costctl.pricing.catalogue import Catalogue
from costctl.pricing.layers import multiplied, within
from costctl.pricing.rows import NO_LIMIT, NO_TIER, TOKEN_PRICES, PriceRow, priced
from costctl.records import PRICED_TOKENS

if TYPE_CHECKING:
    from costctl.documents import Document, DocumentError

MILLION = 10**6
_OTHER_NAMES = {f"{kind}_tokens": kind for kind in TOKEN_PRICES} | {kind: kind for kind in TOKEN_PRICES}
"""Names that a unit may not have, since these have prices of their own: and what they are to be called."""

assert _OTHER_NAMES.keys() >= set(PRICED_TOKENS)


@dataclass(frozen=True, slots=True)
class Names:
    """What a call's provider and model come to: both as :meth:`Catalogue.names` gives them, and ``listed``,
    the catalogue's own name of the model, in lower case; None where it knows none."""

    provider: str | None
    model: str
    listed: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls an entry is about, and where it stands. ``model``, in lower case, may end in a ``*`` that
    stands for any ending. Of a multiplier, a mode or region of None is every one. Times are naive UTC."""

    place: tuple[str | int, ...]
    where: str
    """For people: ``prices.yaml:12``."""
    line: int
    provider: str | None
    model: str
    mode: str | None = None
    region: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def nearness(self, names: Names) -> tuple[int, ...] | None:
        """How closely this names the model: greater is closer; None if it does not."""
        if self.provider is not None and self.provider != names.provider:
            return None
        by_name = self._fits(names.model)
        if not by_name and (names.listed is None or not self._fits(names.listed)):
            return None
        exact = not self.model.endswith("*")
        stated = (self.provider is not None, self.mode is not None, self.region is not None)
        return (exact and by_name, exact, len(self.model), by_name, *stated)

    def _fits(self, name: str) -> bool:
        return name.startswith(self.model[:-1]) if self.model.endswith("*") else name == self.model

    def meets(self, other: Scope) -> bool:
        """Whether the periods of both have an instant in common."""
        return (self.start is None or other.end is None or self.start < other.end) and (
            other.start is None or self.end is None or other.start < self.end
        )


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """One entry of ``prices:``, and its rows: one a tier."""

    scope: Scope
    rows: tuple[PriceRow, ...]


@dataclass(frozen=True, slots=True)
class Multiplier:
    """One entry of ``multipliers:``."""

    scope: Scope
    factor: Decimal
    only_tokens: bool

    def of(self, listed: Sequence[PriceRow]) -> Iterator[PriceRow]:
        """The rows that the catalogue's rows of one model become. A region that these do not have gets its
        prices from those without a region."""
        scope = self.scope
        rows = [row for row in listed if scope.mode in (None, row.mode)]
        if scope.region is not None:
            own = [row for row in rows if row.region == scope.region]
            rows = own or [_in_region(row, scope.region) for row in rows if row.region is None]
        for row in rows:
            for piece in within(row, scope.start, scope.end):
                yield multiplied(piece, self.factor, only_tokens=self.only_tokens, by=scope.where)


@dataclass(frozen=True, slots=True)
class Alias:
    """One entry of ``aliases:``: calls with this name are priced as ``model`` of ``provider`` (None: of the
    provider that the call states)."""

    scope: Scope
    provider: str | None
    model: str


Entry = TypeVar("Entry", OwnPrice, Multiplier, Alias)


class Entries(tuple[Entry, ...]):
    """Entries of one kind, in the order of their file; there may be thousands of an imported one."""

    @cached_property
    def _by_model(self) -> dict[str, list[Entry]]:
        """Under the whole name, or "*" where it is a beginning."""
        found: dict[str, list[Entry]] = {}
        for each in self:
            model = each.scope.model
            found.setdefault("*" if model.endswith("*") else model, []).append(each)
        return found

    def nearest_first(self, names: Names) -> list[Entry]:
        """Those that name the model of ``names``, the closest first: a name before a beginning of it, a
        longer beginning before a shorter one, an entry that states the provider before one that does not.
        Entries as close as each other never hold at once, which :func:`read` sees to."""
        keys = dict.fromkeys((names.model, names.listed, "*"))
        near = [
            (nearness, each)
            for key in keys
            if key is not None
            for each in self._by_model.get(key, ())
            if (nearness := each.scope.nearness(names)) is not None
        ]
        return [each for _, each in sorted(near, key=lambda pair: pair[0], reverse=True)]


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """A ``prices.yaml``, and the files that it includes. ``identifier`` is its name and the hash of its
    bytes."""

    identifier: str
    prices: Entries[OwnPrice]
    multipliers: Entries[Multiplier]
    aliases: Entries[Alias]
    included: tuple[OwnPrices, ...] = ()

    @property
    def layers(self) -> tuple[OwnPrices, ...]:
        """This file and those that it includes, each standing before the next."""
        return (self, *self.included)


def read(path: Path, catalogue: Catalogue) -> OwnPrices:
    """The prices in ``path``, a ``prices.yaml``, over those of ``catalogue``.

    Raises :class:`costctl.documents.DocumentError` with every fault of the file, or of one that it includes.
    """
    return _read(path, catalogue)


def _read(path: Path, catalogue: Catalogue, within: Document | None = None) -> OwnPrices:
    """``within`` is the document that includes this one."""
    from costctl.documents import DocumentError
    from costctl.documents import read as read_document

    document = read_document(path, "prices")
    faults: list[DocumentError] = []
    reading = _Reading(document, catalogue, faults)
    included = tuple(_read(each, catalogue, document) for each in reading.included(within))
    prices = Entries(reading.prices())
    multipliers = Entries(reading.multipliers())
    aliases = Entries(reading.aliases())
    for entries in (prices, multipliers, aliases):
        faults += _overlaps(document, [each.scope for each in entries])
    faults += _shadowed(document, aliases, prices)
    priced_models = [prices, *(each.prices for each in included)]
    faults += _unknown(document, catalogue, aliases, priced_models)
    if faults:
        raise DocumentError.of(faults)
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return OwnPrices(f"{path.name} sha256:{content[:16]}", prices, multipliers, aliases, included)


class _Reading:
    def __init__(self, document: Document, catalogue: Catalogue, faults: list[DocumentError]) -> None:
        self.document = document
        self.catalogue = catalogue
        self.faults = faults

    def included(self, within: Document | None) -> Iterator[Path]:
        """The files of ``include``. They lie beside this one, or below: an error shows a file's lines."""
        directory = self.document.path.parent
        seen: set[str] = set()
        for number, name in enumerate(self.document.data.get("include", ())):
            place = ("include", number)
            path = directory / name
            real = os.path.realpath(path)
            if within is not None:
                self._fault(place, f"{self.document.path.name} is included itself, so it cannot include")
            elif not Path(real).is_relative_to(os.path.realpath(directory)):
                self._fault(place, f"{name} is not in the directory of this file", "copy it there")
            elif real in seen or real == os.path.realpath(self.document.path):
                self._fault(place, f"{name} is read already", "include it once")
            else:
                seen.add(real)
                yield path

    def prices(self) -> Iterator[OwnPrice]:
        for place, entry in self._entries("prices"):
            scope = self._scope(place, entry)
            base = self._prices(place, entry)
            if not base:
                self._fault(place, f"{_named(place)} states no price", "as in input: 2.50")
            tiers = [(NO_TIER, base)]
            for number, tier in enumerate(entry.get("tiers", ())):
                at = (*place, "tiers", number)
                if tier["above"] <= tiers[-1][0]:
                    line = self.document.line(*place, "tiers", number - 1)
                    message = (
                        f"tiers[{number}] is not above {tiers[-1][0]}, the tier before it, in line {line}"
                    )
                    self._fault((*at, "above"), message, "write the lowest first")
                tiers.append((tier["above"], base | self._prices(at, tier)))
            bounds = [above for above, _ in tiers[1:]]
            rows = tuple(
                priced(
                    prices,
                    provider=scope.provider or "",
                    model=entry["model"],
                    source=scope.where,
                    mode=entry.get("mode", "standard"),
                    region=entry.get("region"),
                    effective_from=scope.start,
                    effective_to=scope.end,
                    tier_above=above,
                    tier_to=up_to,
                )
                for (above, prices), up_to in zip(tiers, [*bounds, NO_LIMIT], strict=True)
            )
            yield OwnPrice(scope, rows)

    def multipliers(self) -> Iterator[Multiplier]:
        for place, entry in self._entries("multipliers"):
            factor = Decimal(entry["multiplier"])
            yield Multiplier(self._scope(place, entry), factor, only_tokens="only" in entry)

    def aliases(self) -> Iterator[Alias]:
        for place, entry in self._entries("aliases"):
            means = entry["means"]
            if isinstance(means, str):
                means = {"model": means}
            yield Alias(self._scope(place, entry), means.get("provider"), means["model"])

    def _entries(self, section: str) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
        for number, entry in enumerate(self.document.data.get(section, ())):
            yield (section, number), entry

    def _scope(self, place: tuple[str | int, ...], entry: Mapping[str, Any]) -> Scope:
        start, end = _instant(entry.get("from")), _instant(entry.get("to"))
        if start is not None and end is not None and start >= end:
            self._fault((*place, "to"), f"{_named(place)} ends before it begins", "to is the first day after")
        line = self.document.line(*place)
        mode = entry.get("mode", "standard" if place[0] == "prices" else None)
        return Scope(
            place=place,
            where=f"{self.document.path.name}:{line}",
            line=line,
            provider=self.catalogue.provider(entry["provider"]) if "provider" in entry else None,
            model=entry.get("model", "*").lower(),
            mode=mode,
            region=entry.get("region"),
            start=start,
            end=end,
        )

    def _prices(self, place: tuple[str | int, ...], entry: Mapping[str, Any]) -> dict[str, int]:
        """Pico-dollars for one token or unit, by kind."""
        found: dict[str, int] = {}
        for kind in (*TOKEN_PRICES, "request"):
            if kind in entry:
                per = 1 if kind == "request" else MILLION
                found[kind] = self._pico((*place, kind), entry[kind], per)
        for unit, price in entry.get("units", {}).items():
            at = (*place, "units", unit)
            if unit in _OTHER_NAMES or unit == "request":
                own = _OTHER_NAMES.get(unit, unit)
                self._fault(at, f"{unit} is not a rare unit", f"write {own} beside units")
            found[unit] = self._pico(at, price, MILLION if unit.endswith("_tokens") else 1)
        return found

    def _pico(self, place: tuple[str | int, ...], price: int | Decimal, per: int) -> int:
        exact = Fraction(price) * PICO_PER_USD / per
        if exact.denominator != 1:
            digits = "six decimal places for a million" if per == MILLION else "twelve decimal places"
            self._fault(place, f"{place[-1]} {price:f} is finer than a pico-dollar", f"at most {digits}")
        return int(exact)

    def _fault(self, place: Sequence[str | int], message: str, hint: str = "") -> None:
        self.faults.append(self.document.error(place, message, hint))


def _overlaps(document: Document, scopes: Sequence[Scope]) -> Iterator[DocumentError]:
    """Of entries for the same calls, those that hold at the same time."""
    alike: dict[tuple[str | None, ...], list[Scope]] = {}
    for scope in scopes:
        before = alike.setdefault((scope.provider, scope.model, scope.mode, scope.region), [])
        for other in before:
            if scope.meets(other):
                message = (
                    f"{_named(scope.place)} and {_named(other.place)}, in lines {scope.line} and "
                    f"{other.line}, hold for the same calls"
                )
                alias = scope.place[0] == "aliases"
                hint = "keep one of them" if alias else "give them from and to that do not meet"
                yield document.error(scope.place, message, hint)
        before.append(scope)


def _shadowed(
    document: Document, aliases: Sequence[Alias], prices: Sequence[OwnPrice]
) -> Iterator[DocumentError]:
    """Prices of a name that an alias sends elsewhere: they would never be used."""
    sent = {(each.scope.provider, each.scope.model): each.scope for each in aliases}
    for each in prices:
        alias = sent.get((each.scope.provider, each.scope.model))
        if alias is not None:
            message = (
                f"{_named(each.scope.place)} is never used: {_named(alias.place)}, in line {alias.line}, "
                "makes its calls another model's"
            )
            yield document.error(each.scope.place, message, "keep one of them")


def _unknown(
    document: Document,
    catalogue: Catalogue,
    aliases: Sequence[Alias],
    prices: Sequence[Entries[OwnPrice]],
) -> Iterator[DocumentError]:
    """Aliases of models that nothing prices."""
    for each in aliases:
        names = Names(*catalogue.names(each.provider or each.scope.provider, each.model))
        is_own = any(entries.nearest_first(names) for entries in prices)
        if not is_own and catalogue.find(names.provider, names.model) is None:
            message = f"{_named(each.scope.place)} means {each.model!r}, a model that no price book knows"
            hint = "state its provider, as in means: {provider: openai, model: gpt-4o}, or add its price"
            yield document.error((*each.scope.place, "means"), message, hint)


def _instant(stated: date | datetime | None) -> datetime | None:
    """Naive UTC."""
    if isinstance(stated, datetime):
        return stated.astimezone(UTC).replace(tzinfo=None)
    return None if stated is None else datetime.combine(stated, time())


def _in_region(row: PriceRow, region: str) -> PriceRow:
    return replace(row, region=region)


def _named(place: Sequence[str | int]) -> str:
    return f"{place[0]}[{place[1]}]"
