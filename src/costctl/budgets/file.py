"""Reading a budgets.yaml: its schema first, then what only the whole file can tell."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from costctl.budgets.channel_settings import channels_of
from costctl.budgets.model import Amount, Budget, Budgets, Scope
from costctl.budgets.thresholds import thresholds_of
from costctl.documents import Document, DocumentError, read
from costctl.filters import Filter, FilterError, parse
from costctl.money import to_pico
from costctl.periods import PeriodError, zone

FILE_NAME = "budgets.yaml"

Place = tuple[str | int, ...]

_BOOKS = {"monthly_budget": "month", "daily_budget": "day"}
"""Other names of amounts."""

_LETTERS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SHORTEST_REPEAT = timedelta(minutes=5)


def load(path: str | os.PathLike[str], environment: Mapping[str, str] | None = os.environ) -> Budgets:
    """What the budgets.yaml at ``path`` says.

    ``environment`` fills ``${NAME}`` in the settings of channels; with None they stay as written and nothing
    is looked up, for who sends nothing. Raises :class:`costctl.documents.DocumentError`, which carries every
    fault of the file with its line.
    """
    file = Path(path)
    document = read(file, "budgets", environment)
    reading = _Reading(document)
    budgets = tuple(reading.budgets())
    channels = channels_of(document, reading.faults, resolved=environment is not None)
    reading.check_names(budgets, channels)
    if reading.faults:
        raise DocumentError.of(reading.faults)
    return Budgets(
        path=file,
        budgets=budgets,
        channels=channels,
        fingerprint=hashlib.sha256(file.read_bytes()).hexdigest(),
        mtime_ns=file.stat().st_mtime_ns,
    )


class _Reading:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.entries: Sequence[Mapping[str, Any]] = document.data["budgets"]
        self.faults: list[DocumentError] = []

    def budgets(self) -> Iterator[Budget]:
        for number, entry in enumerate(self.entries):
            place: Place = ("budgets", number)
            amounts = tuple(self._amounts(place, entry))
            budget = Budget(
                name=entry["name"],
                scope=self._scope(place, entry),
                where=self._where(place, entry),
                amounts=amounts,
                zone=self._zone(place, entry),
                start_day=entry.get("start_day", 1),
                thresholds=thresholds_of(self.document, place, entry, amounts, self.faults),
                auto_throttle=entry.get("auto_throttle", True),
                throttle_rate=Decimal(entry.get("throttle_rate", "0.5")),
                channels=tuple(entry.get("channels", ())),
                on_unpriced=entry.get("on_unpriced", "warning"),
                repeat_interval=self._interval(place, entry),
                send_resolved=entry.get("send_resolved", False),
                formerly=entry.get("formerly", ""),
                currency=entry.get("currency", "USD"),
                line=self.document.line(*place),
            )
            if "start_day" in entry and not {"month", "quarter", "year"} & set(budget.kinds):
                kinds = ", ".join(budget.kinds) or "none"
                message = f"{_name(place)}.start_day is for months, quarters and years; its amounts: {kinds}"
                self._fault((*place, "start_day"), message, "leave it out")
            yield budget

    # --- which calls ---------------------------------------------------------------------------------

    def _scope(self, place: Place, entry: Mapping[str, Any]) -> Scope:
        said = [key for key in ("scope", "dimension", "dimension_id") if key in entry]
        name = _name(place)
        match said:
            case ["dimension", "dimension_id"]:
                literal = re.sub(r"[*?\\]", r"\\\g<0>", entry["dimension_id"])
                return Scope(entry["dimension"], (literal,))
            case ["scope"]:
                return self._of_map((*place, "scope"), entry["scope"])
            case []:
                hint = "scope: all is every call, {team: search} those of a team"
                self._fault(place, f"{name} says no scope", hint)
            case ["dimension"]:
                self._fault(place, f"{name} has a dimension without its dimension_id", "name the value")
            case ["dimension_id"]:
                self._fault(
                    place, f"{name} has a dimension_id without its dimension", "as in dimension: team"
                )
            case _:
                hint = "keep one: dimension and dimension_id are another way to say the scope"
                self._fault((*place, said[1]), f"{name} says both scope and {said[1]}", hint)
        return Scope()

    def _of_map(self, place: Place, said: str | Mapping[str, Any]) -> Scope:
        if isinstance(said, str):
            return Scope()
        (column, values), *others = said.items()
        if others:
            hint = f"put the other into where, as in where: {others[0][0]}=…"
            self._fault((*place, others[0][0]), f"{_name(place)} names more than one label", hint)
        if values == "each":
            return Scope(column, each=True)
        return Scope(column, (values,) if isinstance(values, str) else tuple(values))

    def _where(self, place: Place, entry: Mapping[str, Any]) -> tuple[Filter, ...]:
        said = entry.get("where", [])
        found = []
        for number, text in enumerate([said] if isinstance(said, str) else said):
            try:
                found.append(parse(text))
            except FilterError as error:
                self._fault((*place, "where", number), f"{_name(place)}.where: {error}", error.hint)
        return tuple(found)

    # --- how much, when ------------------------------------------------------------------------------

    def _amounts(self, place: Place, entry: Mapping[str, Any]) -> Iterator[Amount]:
        said: dict[str, Place] = {kind: (*place, "amounts", kind) for kind in entry.get("amounts", {})}
        for key, kind in _BOOKS.items():
            if key in entry and kind in said:
                hint = f"keep one: {key} is another name of amounts.{kind}"
                self._fault((*place, key), f"{_name(place)} says what a {kind} may cost twice", hint)
            elif key in entry:
                said[kind] = (*place, key)
        if not said:
            self._fault(
                place, f"{_name(place)} has no amount", "as in monthly_budget: 1000, or amounts: {week: 250}"
            )
        for kind, where in said.items():
            value = entry["amounts"][kind] if "amounts" in where else entry[str(where[-1])]
            if isinstance(value, list):
                yield from self._dated(where, kind, value)
            else:
                yield self._amount(where, kind, value)

    def _dated(self, place: Place, kind: str, steps: Sequence[Mapping[str, Any]]) -> Iterator[Amount]:
        before = None
        for number, step in enumerate(steps):
            since = step.get("from")
            if number and (since is None or (before is not None and since <= before)):
                message = f"{_name(place)}[{number}] must begin after the one before it"
                hint = "each step but the first needs a from, the earliest first"
                self._fault((*place, number), message, hint)
            before = since
            yield self._amount((*place, number, "amount"), kind, step["amount"], since)

    def _amount(self, place: Place, kind: str, value: int | Decimal | str, since: Any = None) -> Amount:
        if isinstance(value, str):
            factor = Decimal(re.sub(r"^last_period *[×x*]? *", "", value) or 1)
            if not factor:
                self._fault(place, f"{_name(place)} must be greater than 0, not {value!r}", "as in × 1.1")
            return Amount(kind, factor_of_last=factor, since=since)
        return Amount(kind, self._pico(place, value), since=since)

    def _pico(self, place: Place, value: int | Decimal) -> int:
        try:
            return to_pico(value)
        except ValueError as error:
            self._fault(place, f"{_name(place)}: {error}", "round it")
            return 1

    def _zone(self, place: Place, entry: Mapping[str, Any]) -> str | None:
        if "tz" not in entry:
            return None
        try:
            return zone(entry["tz"]).key
        except PeriodError as error:
            self._fault((*place, "tz"), f"{_name(place)}.tz: {error}", error.hint)
            return None

    def _interval(self, place: Place, entry: Mapping[str, Any]) -> timedelta | None:
        text = entry.get("repeat_interval")
        if text is None:
            return None
        interval = int(text[:-1]) * _LETTERS[text[-1]]
        if interval < _SHORTEST_REPEAT:
            message = f"{_name(place)}.repeat_interval must be at least 5m, not {text!r}"
            self._fault((*place, "repeat_interval"), message, "4h and 1d are usual")
        return interval

    # --- names ---------------------------------------------------------------------------------------

    def check_names(self, budgets: Sequence[Budget], channels: Collection[str]) -> None:
        """Faults for names that are equal, or of something that there is not."""
        lines: dict[str, int] = {}
        for number, budget in enumerate(budgets):
            place = ("budgets", number)
            if budget.name in lines:
                message = (
                    f"a second budget is called {budget.name!r}; the first is in line {lines[budget.name]}"
                )
                self._fault((*place, "name"), message, "alerts are known by the name: give it another")
            lines.setdefault(budget.name, self.document.line(*place, "name"))
            for index, channel in enumerate(budget.channels):
                self._check_channel((*place, "channels", index), channel, channels)
        for number, budget in enumerate(budgets):
            if budget.formerly in lines:
                message = f"{budget.formerly!r}, as {budget.name!r} was formerly called, is still a budget"
                self._fault(("budgets", number, "formerly"), message, "leave out one of them")

    def _check_channel(self, place: Place, name: str, known: Collection[str]) -> None:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            listed = f"known are {', '.join(known)}" if known else "there is none: add it to channels"
            hint = f"did you mean {near[0]}?" if near else listed
            self._fault(place, f"{_name(place)}: there is no channel {name!r}", hint)

    def _fault(self, place: Place, message: str, hint: str = "") -> None:
        self.faults.append(self.document.error(place, message, hint))


def _name(place: Place) -> str:
    """``budgets[2].amounts.month``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")
