"""Whom calls belong to where their source does not say, and who bears the costs that teams share.

The user's ``allocation.yaml``; its shape is ``costctl/schemas/allocation.json``. Of its ``rules``, the first
whose conditions all hold gives a call its labels, and no other one does. Conditions look at the source's own
words, never at what a rule has filled, so the order of rules is all that counts. Of its ``shared`` costs, the
first entry that holds for a call splits its cost; those look at labels as reports show them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costctl.filters import Filter, FilterError, matches, parse
from costctl.records import BY_PUBLIC

if TYPE_CHECKING:
    from costctl.documents import Document, DocumentError

FILE_NAME = "allocation.yaml"

SOURCE = "source"
"""The column of conditions that is the path of a call's file."""

_LABELS = ("team", "project", "user", "agent")
_WHOLE = 10_000
"""All of a cost, in hundredths of a percent."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``labels`` (by the ledger's column) and ``tags`` of the calls for which all of ``when`` hold.

    They fill what the source does not say; with ``override`` they go before what it says. ``line`` is where
    the rule stands in its file, 0 where that is not known.
    """

    when: tuple[Filter, ...]
    labels: Mapping[str, str]
    tags: Mapping[str, str]
    override: bool = False
    line: int = field(default=0, compare=False)

    def label(self, column: str, said: str | None) -> str | None:
        """The label ``column`` (or ``tag:NAME``) of a call of which the source says ``said``."""
        given = self.tags.get(column[4:]) if column.startswith("tag:") else self.labels.get(column)
        return (given or said) if self.override else (said or given)

    @property
    def names(self) -> tuple[str, ...]:
        """What it gives: columns and ``tag:NAME``."""
        return (*self.labels, *(f"tag:{name}" for name in self.tags))


@dataclass(frozen=True, slots=True)
class Shared:
    """The cost of calls for which all of ``when`` hold, split over teams: of ``whole`` parts, each bears as
    many as ``shares`` say, which add up to ``whole`` and stand in the order of the teams' names."""

    when: tuple[Filter, ...]
    shares: tuple[tuple[str, int], ...]
    line: int = field(default=0, compare=False)

    @property
    def whole(self) -> int:
        return sum(parts for _, parts in self.shares)

    def split(self, cost: int) -> dict[str, int]:
        """What each team bears of ``cost`` pico-dollars: together all of it, each within one pico-dollar of
        its share. Those that are left go to the largest remainders, of equal ones to the first name."""
        whole = self.whole
        borne = {team: cost * parts // whole for team, parts in self.shares}
        by_remainder = sorted(self.shares, key=lambda share: -(cost * share[1] % whole))
        for team, _ in by_remainder[: cost - sum(borne.values())]:
            borne[team] += 1
        return borne

    def split_each(self, rows: int, cost: int, residue: int) -> dict[str, int]:
        """What each team bears of ``rows`` calls that cost ``cost`` together, each split for itself; the cost
        of each leaves ``residue`` when divided by :attr:`whole`, and only that part is split unevenly."""
        even = (cost - rows * residue) // self.whole
        odd = self.split(residue)
        return {team: even * parts + rows * odd[team] for team, parts in self.shares}


@dataclass(frozen=True)
class Allocation:
    """The rules and the shared costs of a file, in its order."""

    rules: tuple[Rule, ...] = ()
    shared: tuple[Shared, ...] = ()

    @cached_property
    def by(self) -> tuple[str, ...]:
        """What conditions of rules look at, by public names: labels, ``tag:NAME``, ``source``."""
        return tuple(sorted({each.column for rule in self.rules for each in rule.when}))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What rules give: columns, then ``tag:NAME``."""
        given = {name for rule in self.rules for name in rule.names}
        columns = [BY_PUBLIC[label].name for label in _LABELS]
        return (*(name for name in columns if name in given), *sorted(given.difference(columns)))

    def rule_of(self, row: Mapping[str, Any]) -> Rule | None:
        """The rule that gives a call its labels. ``row`` has the call's values as its source says them, by
        column; ``tags`` is a map."""
        return next((rule for rule in self.rules if all(matches(each, row) for each in rule.when)), None)

    def to_json(self) -> str:
        """The same as a text, from which :meth:`from_json` makes an equal one."""
        return json.dumps(
            {
                "rules": [
                    {
                        "when": [str(each) for each in rule.when],
                        "set": {
                            **{name: rule.labels[column] for name, column in _columns(rule.labels)},
                            **({"tags": dict(rule.tags)} if rule.tags else {}),
                        },
                        "override": rule.override,
                    }
                    for rule in self.rules
                ],
                "shared": [
                    {"when": [str(each) for each in shared.when], "split": dict(shared.shares)}
                    for shared in self.shared
                ],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Allocation:
        said = json.loads(text)
        return cls(
            tuple(
                Rule(_when(rule["when"]), *_given(rule["set"]), override=rule["override"])
                for rule in said["rules"]
            ),
            tuple(Shared(_when(each["when"]), tuple(each["split"].items())) for each in said["shared"]),
        )

    def without_person(self, name: str) -> Allocation:
        """What is left when the person ``name`` is taken out: of the labels and tags that rules give, and of
        the users that conditions name. A rule that then gives nothing, or holds for no one else, goes."""
        rules = []
        for rule in self.rules:
            when = _without(rule.when, name)
            labels = {
                each: value for each, value in rule.labels.items() if (each, value) != ("user_id", name)
            }
            tags = {each: value for each, value in rule.tags.items() if value != name}
            if when is not None and (labels or tags):
                rules.append(replace(rule, when=when, labels=labels, tags=tags))
        shared = []
        for entry in self.shared:
            when = _without(entry.when, name)
            if when is not None:
                shared.append(replace(entry, when=when))
        return Allocation(tuple(rules), tuple(shared))


NOTHING = Allocation()
"""No rules."""


def read(path: Path) -> Allocation:
    """What the file ``path`` says. Raises :class:`costctl.documents.DocumentError` with all its faults."""
    from costctl.documents import DocumentError
    from costctl.documents import read as read_document

    document = read_document(path, "allocation")
    faults: list[DocumentError] = []
    reading = _Reading(document, faults)
    rules, shared = tuple(reading.rules()), tuple(reading.shared())
    if not faults:
        faults += _never_used(document, "rules", [rule.when for rule in rules])
        faults += _never_used(document, "shared", [each.when for each in shared])
    if faults:
        raise DocumentError.of(faults)
    return Allocation(rules, shared)


class _Reading:
    def __init__(self, document: Document, faults: list[DocumentError]) -> None:
        self.document = document
        self.faults = faults

    def rules(self) -> Iterator[Rule]:
        for number, entry in enumerate(self.document.data.get("rules", ())):
            place = ("rules", number)
            yield Rule(
                self._when(place, entry, (SOURCE,)),
                *_given(entry["set"]),
                override=entry.get("override", False),
                line=self.document.line(*place),
            )

    def shared(self) -> Iterator[Shared]:
        for number, entry in enumerate(self.document.data.get("shared", ())):
            place = ("shared", number)
            shares = {team: _hundredths(share) for team, share in entry["split"].items()}
            if nothing := [team for team, share in shares.items() if not share]:
                self._fault((*place, "split", nothing[0]), f"{nothing[0]} bears nothing", "leave it out")
            if (total := sum(shares.values())) != _WHOLE:
                message = f"shared[{number}].split comes to {_percent(total)}, not to 100%"
                self._fault((*place, "split"), message, "it has to be exact, as in 33.33%, 33.33% and 33.34%")
            step = gcd(*shares.values()) or 1
            yield Shared(
                self._when(place, entry, ()),
                tuple((team, share // step) for team, share in sorted(shares.items())),
                line=self.document.line(*place),
            )

    def _when(
        self, place: tuple[str, int], entry: Mapping[str, Any], also: Sequence[str]
    ) -> tuple[Filter, ...]:
        said = entry.get("when", [])
        found = []
        for number, text in enumerate([said] if isinstance(said, str) else said):
            try:
                found.append(parse(text, also))
            except FilterError as error:
                self._fault((*place, "when", number), str(error), error.hint)
        return tuple(found)

    def _fault(self, place: Sequence[str | int], message: str, hint: str = "") -> None:
        self.faults.append(self.document.error(place, message, hint))


def _never_used(
    document: Document, section: str, conditions: Sequence[tuple[Filter, ...]]
) -> Iterator[DocumentError]:
    """Entries for calls that an earlier one takes all of: its conditions are among their own."""
    for number, when in enumerate(conditions):
        for earlier, other in enumerate(conditions[:number]):
            if set(other) <= set(when):
                line = document.line(section, earlier)
                holds = "holds wherever it would" if other else "holds for every call"
                message = f"{section}[{number}] is never used: {section}[{earlier}], in line {line}, {holds}"
                yield document.error((section, number), message, "the first that holds counts")
                break


def _columns(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Public name and column of each of ``labels``."""
    return [(name, BY_PUBLIC[name].name) for name in _LABELS if BY_PUBLIC[name].name in labels]


def _given(said: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Labels by column, and tags."""
    labels = {BY_PUBLIC[name].name: said[name] for name in _LABELS if name in said}
    return labels, dict(said.get("tags", {}))


def _when(texts: Sequence[str]) -> tuple[Filter, ...]:
    return tuple(parse(text, (SOURCE,)) for text in texts)


def _hundredths(percentage: str) -> int:
    """``33.3%`` in hundredths of a percent."""
    whole, _, decimals = percentage.removesuffix("%").partition(".")
    return int(whole + decimals.ljust(2, "0"))


def _percent(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02}".rstrip("0").rstrip(".") + "%"


def _without(when: Sequence[Filter], name: str) -> tuple[Filter, ...] | None:
    """Conditions that no longer name the user ``name``; None where they would hold for no one."""
    left = []
    for each in when:
        if each.column == "user" or each.column.startswith("tag:"):
            patterns = tuple(pattern for pattern in each.patterns if name not in pattern)
            if not patterns and not each.negated:
                return None
            if patterns:
                left.append(replace(each, patterns=patterns))
        else:
            left.append(each)
    return tuple(left)
