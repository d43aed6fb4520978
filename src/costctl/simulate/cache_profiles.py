"""How vendors cache prompts, as data: ``cache_profiles.yaml`` beside this module, and a file over it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from costctl.analysis import QuestionError
from costctl.documents import Document, DocumentError, read

SHIPPED = Path(__file__).with_name("cache_profiles.yaml")

PLAIN = "plain"
"""The profile of a trace where none is named."""

BilledAs = Literal["5m", "1h"]

_TTL = re.compile(r"([1-9]\d{0,7})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What is written stays ``seconds`` after its last use. ``write`` is the price of writing as a multiple
    of plain input's; ``billed_as`` says which of the two prices of cache writes it has."""

    name: str
    seconds: int
    write: Fraction
    billed_as: BilledAs = "5m"

    @property
    def column(self) -> str:
        """The canonical column of tokens that are written so."""
        return f"cache_write_{self.billed_as}_tokens"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a model: tokens below which nothing is cached, the step of hits, ``read`` as a multiple
    of the price of plain input, and the lifetimes that can be had, shortest first."""

    minimum: int
    increment: int
    read: Fraction
    lifetimes: tuple[Lifetime, ...]

    def lifetime(self, seconds: int) -> Lifetime | None:
        """The one that lasts ``seconds``, or None."""
        return next((each for each in self.lifetimes if each.seconds == seconds), None)

    def nearest(self, seconds: int) -> Lifetime:
        """The shortest that lasts ``seconds`` at least, else the longest."""
        return next((each for each in self.lifetimes if each.seconds >= seconds), self.lifetimes[-1])


@dataclass(frozen=True, slots=True)
class Profile:
    """A vendor's way. ``isolation`` are columns of calls that share no cache; the model is always one.
    ``storage`` is what keeping a token for an hour costs, in USD, and ``input`` the price of plain input
    that it is held against where no model is named (USD a token)."""

    name: str
    title: str
    models: tuple[str, ...]
    rules: Rules
    exceptions: tuple[tuple[tuple[str, ...], Rules], ...] = ()
    refresh_on_hit: bool = True
    isolation: tuple[str, ...] = ()
    storage: Fraction = field(default_factory=Fraction)
    input: Fraction | None = None

    def rules_of(self, model: str | None) -> Rules:
        """The rules for ``model`` as a source names it; the profile's own for None."""
        if model is not None:
            for globs, rules in self.exceptions:
                if _fits(model, globs):
                    return rules
        return self.rules


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From where on caching pays. None: it always does.

    ``hit_ratio`` is the part of the tokens that has to be read, where all others are written: h with
    1 = r h + w (1 - h). ``reads_per_write`` is how often a written prefix has to be read: w - 1 = n (1 - r).
    """

    hit_ratio: Fraction | None
    reads_per_write: Fraction | None


def break_even(read: Fraction, write: Fraction) -> BreakEven:
    """Of prices as multiples of plain input's. Raises ValueError where reading saves nothing."""
    if read >= 1:
        raise ValueError("reading costs as much as plain input: caching never pays")
    if write <= 1:
        return BreakEven(None, None)
    return BreakEven((write - 1) / (write - read), (write - 1) / (1 - read))


def reads_per_hour(storage: Fraction, input: Fraction, read: Fraction) -> Fraction:
    """How often an hour what is kept has to be read for its storage to pay: ``storage`` and ``input`` are
    prices of a token (an hour), ``read`` a multiple of ``input``."""
    return storage / (input * (1 - read))


@dataclass(frozen=True, slots=True)
class Profiles:
    """The profiles in the order they are tried."""

    all: tuple[Profile, ...]

    def named(self, name: str) -> Profile:
        """Raises :class:`QuestionError`."""
        for each in self.all:
            if each.name == name:
                return each
        names = [each.name for each in self.all]
        near = difflib.get_close_matches(name, names, n=1)
        known = f"there are {', '.join(names)}"
        raise QuestionError(
            f"no cache profile is called {name!r}", f"did you mean {near[0]}? {known}" if near else known
        )

    def of(self, model: str) -> Profile | None:
        """The profile that ``model``, as a source names it, is cached by; None where that is not known."""
        return next((each for each in self.all if _fits(model, each.models)), None)


def load(path: Path | None = None) -> Profiles:
    """The shipped profiles, changed and added to by the file ``path``: an entry whose name is shipped
    replaces what it states, others stand before the shipped ones.

    Raises :class:`costctl.documents.DocumentError` with every fault of the file.
    """
    shipped = {each["name"]: each for each in read(SHIPPED, "cache_profiles", None).data["profiles"]}
    if path is None:
        return Profiles(tuple(map(_profile, shipped.values())))
    document = read(path, "cache_profiles", None)
    if faults := list(_faults(document, shipped)):
        raise DocumentError.of(faults)
    own = {each["name"]: shipped.get(each["name"], {}) | each for each in document.data["profiles"]}
    new = [each for name, each in own.items() if name not in shipped]
    changed = [own.get(name, each) for name, each in shipped.items()]
    return Profiles(tuple(map(_profile, [*new, *changed])))


def seconds(text: str) -> int:
    """The time that ``300s``, ``5m``, ``1h`` or ``1d`` says. Raises :class:`QuestionError`."""
    found = _TTL.fullmatch(text.strip())
    if found is None:
        raise QuestionError(f"{text!r} is no lifetime", "as in 300s, 5m, 1h or 24h")
    return int(found[1]) * _SECONDS[found[2]]


def said(seconds: int) -> str:
    """``seconds`` as :func:`seconds` reads it: 5m, 24h."""
    whole = [unit for unit, one in _SECONDS.items() if unit != "d" and not seconds % one]
    return f"{seconds // _SECONDS[whole[-1]]}{whole[-1]}"


def _fits(model: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(model.lower(), each.lower()) for each in globs)


def _faults(document: Document, shipped: Mapping[str, Any]) -> Iterable[DocumentError]:
    names: list[str] = []
    for number, entry in enumerate(document.data["profiles"]):
        name = entry["name"]
        if name in names:
            message = f"a second profile is called {name!r}"
            yield document.error(("profiles", number, "name"), message, "leave one of them out")
        names.append(name)
        whole = shipped.get(name, {}) | entry
        if missing := [each for each in ("read", "lifetimes") if each not in whole]:
            yield document.error(
                ("profiles", number),
                f"the new profile {name!r} lacks the key {missing[0]}",
                f"only a shipped profile has one already: {', '.join(shipped)}",
            )
            continue
        for exception, entry in enumerate([whole, *whole.get("exceptions", [])]):
            rules = _rules(whole | entry)
            place = ("exceptions", exception - 1) if exception else ()
            lengths = [each["seconds"] for each in entry.get("lifetimes", ())]
            if twice := next((each for each in lengths if lengths.count(each) > 1), None):
                yield document.error(
                    ("profiles", number, *place, "lifetimes"),
                    f"lifetimes: {name!r} has two of {twice:,} seconds",
                    "leave one of them out",
                )
            if rules.read >= 1:
                yield document.error(
                    ("profiles", number, *place, "read"),
                    f"read: {name!r} reads from the cache at {float(rules.read):g} times plain input's price",
                    "below 1, as in 0.1",
                )


def _profile(entry: Mapping[str, Any]) -> Profile:
    exceptions = entry.get("exceptions", [])
    price = entry.get("input_usd_per_mtok")
    return Profile(
        name=entry["name"],
        title=entry.get("title", entry["name"]),
        models=tuple(entry.get("models", ())),
        rules=_rules(entry),
        exceptions=tuple((tuple(each["models"]), _rules({**entry, **each})) for each in exceptions),
        refresh_on_hit=entry.get("refresh_on_hit", True),
        isolation=tuple(entry.get("isolation", ())),
        storage=Fraction(entry.get("storage_usd_per_mtok_hour", 0)) / 10**6,
        input=None if price is None else Fraction(price) / 10**6,
    )


def _rules(entry: Mapping[str, Any]) -> Rules:
    lifetimes = [
        Lifetime(each["name"], each["seconds"], Fraction(Decimal(each["write"])), each.get("billed_as", "5m"))
        for each in entry["lifetimes"]
    ]
    return Rules(
        entry.get("minimum", 0),
        entry.get("increment", 1),
        Fraction(Decimal(entry["read"])),
        tuple(sorted(lifetimes, key=lambda each: each.seconds)),
    )
