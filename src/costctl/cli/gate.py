"""``--fail-if``: a condition on what a command shows; where it holds, the command exits with 4.

``NAME > 100``      what is measured itself, in USD, ms, tokens; of a share also ``70%``
``NAME > +10%``     how much it changed, as a part of what it was; ``-10%`` of a fall
``NAME > +0.02``    how much it changed, in its own unit; of a share in points: ``+2pp``
``NAME > 0.5%``     of what is no share: as a part of what it is measured against, where there is such a thing

The signs are ``>``, ``>=``, ``<`` and ``<=``. A command that measures one thing takes the number alone.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import typer

from costctl.config import SettingError
from costctl.money import PICO_PER_USD

if TYPE_CHECKING:
    from costctl.cli.session import Session
    from costctl.report import Kind

GATE = "Gate"
"""The section of a command's help."""

ATTENTION = 4
"""The exit code: done, but something needs attention."""

Against = Literal["before", "whole", "nothing"]

_SIGNS: Mapping[str, Callable[[Fraction, Fraction], bool]] = MappingProxyType(
    {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
)
_CONDITION = re.compile(
    rf"(?:([a-z][a-z0-9_]*)\s*({'|'.join(_SIGNS)})\s*)?([+-]?)\s*\$?(\d{{1,15}}(?:\.\d{{1,12}})?)\s*(%|pp)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a condition is held against: a ``value`` of ``kind`` (money in pico-dollars), what it was
    ``before``, and the ``whole`` that it is a part of; None where that is unknown or there is no such thing.
    ``said`` is how people are told; a command that measures several things says what this one is of."""

    kind: Kind
    value: int | Decimal | None
    before: int | Decimal | None = None
    whole: int | Decimal | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """``limit`` is in whole units (USD, ms, 0.1 for 10 %). ``is_change``: it is one of the value;
    ``is_part``: it is a part of what was before, or of a whole."""

    text: str
    name: str
    sign: str
    limit: Fraction
    is_change: bool
    is_part: bool

    def holds(self, measured: Measured) -> bool | None:
        """None: it cannot be told."""
        found = self.found(measured)
        return None if found is None else _SIGNS[self.sign](found, self.limit)

    def found(self, measured: Measured) -> Fraction | None:
        """What the limit is compared with."""
        if measured.value is None:
            return None
        value, whole = Fraction(measured.value), measured.whole
        if self.is_change:
            if measured.before is None:
                return None
            value, whole = value - Fraction(measured.before), measured.before
        if not self.is_part:
            return value / PICO_PER_USD if measured.kind == "money" else value
        return value / abs(Fraction(whole)) if whole else None if value else Fraction(0)

    def said(self, measured: Measured) -> str:
        """What was found, for people, in the terms of the condition."""
        found = self.found(measured)
        if found is None:
            return "it cannot be told"
        sign = "-" if found < 0 else "+" if self.is_change else ""
        if self.is_part or measured.kind == "percent":
            unit = "pp" if self.is_change and not self.is_part else "%"
            return f"it is {sign}{_digits(abs(found) * 100)}{unit}"
        return f"it is {sign}{'$' if measured.kind == 'money' else ''}{_digits(abs(found))}"


def condition(
    text: str, kinds: Mapping[str, Kind], *, against: Against = "nothing", alone: str | None = None
) -> Condition:
    """The condition that ``text`` says of one of the names of ``kinds``; a number without name is one of
    ``alone`` and means *more than*. ``against`` says what :class:`Measured` will have beside its value.

    Raises :class:`SettingError`.
    """
    found = _CONDITION.fullmatch(text.strip())
    example = f"as in --fail-if {_example(kinds, against, alone)}"
    if found is None or (found[1] is None and alone is None):
        raise SettingError(f"--fail-if: {text!r} is no condition", example)
    name, sign = found[1] or alone or "", found[2] or ">"
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, n=1)
        known = f"known are {', '.join(kinds)}"
        raise SettingError(
            f"--fail-if: nothing called {name!r} is measured",
            f"did you mean {near[0]}? {known}" if near else known,
        )
    is_share, is_change = kinds[name] == "percent", bool(found[3])
    if is_change and against != "before":
        raise SettingError(f"--fail-if: {text!r}: {name} is no change, so it has no sign", example)
    if found[5] == "pp" and not (is_share and is_change):
        hint = f'as in "{name} {sign} {found[3] or "+"}{found[4]}%"'
        raise SettingError(f"--fail-if: {text!r}: only a share changes by points", hint)
    is_part = found[5] == "%" and (is_change or not is_share)
    if is_part and not is_change and against != "whole":
        hint = f'a change has a sign: "{name} {sign} +{found[4]}%"' if against == "before" else example
        raise SettingError(f"--fail-if: {text!r}: {found[4]}% of what is not said", hint)
    limit = Fraction(found[4]) / (100 if found[5] else 1)
    return Condition(text, name, sign, -limit if found[3] == "-" else limit, is_change, is_part)


def gate(session: Session, asked: Condition, measured: Iterable[Measured]) -> None:
    """Say what ``asked`` holds for, and end the command with 4, where it does. What cannot be told passes no
    gate."""
    found = [each for each in measured if asked.holds(each) is not False]
    for each in found:
        session.say(f"--fail-if {asked.text}: {each.said or asked.said(each)}")
    if found:
        raise typer.Exit(ATTENTION)


def _digits(number: Fraction) -> str:
    """Two decimal places, or two significant digits below one."""
    value = Decimal(number.numerator) / Decimal(number.denominator)
    places = 2 if value >= 1 or not value else max(2, 1 - value.adjusted())
    return f"{round(value, places):,f}"


def _example(kinds: Mapping[str, Kind], against: Against, alone: str | None) -> str:
    if alone is not None:
        return '"0.5%" or 1.00'
    return f'"{next(iter(kinds))} > {"+10%" if against == "before" else "100"}"'
