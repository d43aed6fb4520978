"""Calls as they are in the ledger and after levers, side by side, by what they had in common before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import Dimension, Key
from costctl.analysis.measures import mean
from costctl.money import rounded, share
from costctl.records import INPUT_TOKENS
from costctl.report import Cell, Column, Kind
from costctl.simulate.state import CHANGEABLE, States
from costctl.simulate.trim import PROMPT

if TYPE_CHECKING:
    from costctl.ledger import Engine

_WAS_PROMPT = " + ".join(f"coalesce(was_{name}, 0)" for name in INPUT_TOKENS)


class Group(NamedTuple):
    """Sums over some calls, exact integers. ``changed`` counts calls as they were; tokens are of the rows
    that say how many calls they are; costs are pico-dollars of calls that have a price."""

    requests_before: int = 0
    requests_after: int = 0
    changed: int = 0
    prompt_before: int = 0
    prompt_after: int = 0
    output_before: int = 0
    output_after: int = 0
    cost_before: int = 0
    cost_after: int = 0
    added: int = 0
    """Of the cost after: what was paid beside the calls."""
    dearer: int = 0
    """Calls that cost more than before."""
    dearer_cost: int = 0
    """How much more."""

    @property
    def saving(self) -> int:
        return self.cost_before - self.cost_after

    def with_(self, other: Group) -> Group:
        """The sums over the calls of both."""
        return Group(*map(sum, zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of figures of a :class:`Group`."""

    name: str
    kind: Kind
    value: Callable[[Group], int | Decimal | None]
    unit: str = ""
    title: str = ""
    wide: bool = False

    @property
    def column(self) -> Column:
        return Column(self.name, self.kind, self.unit, self.title, wide=self.wide)


def _mean(name: str, title: str, tokens: str, requests: str, wide: bool = False) -> Measure:
    return Measure(
        name,
        "number",
        lambda group: mean(getattr(group, tokens), getattr(group, requests)),
        "tokens/call",
        title,
        wide,
    )


MEASURES: dict[str, Measure] = {
    each.name: each
    for each in (
        Measure("requests_before", "count", lambda group: group.requests_before, title="calls before"),
        Measure("requests_after", "count", lambda group: group.requests_after, title="calls after"),
        Measure("changed", "count", lambda group: group.changed, title="calls changed"),
        _mean("mean_prompt_before", "mean prompt before", "prompt_before", "requests_before"),
        _mean("mean_prompt_after", "mean prompt after", "prompt_after", "requests_after"),
        _mean("mean_output_before", "mean answer before", "output_before", "requests_before", wide=True),
        _mean("mean_output_after", "mean answer after", "output_after", "requests_after", wide=True),
        Measure("cost_before", "money", lambda group: group.cost_before),
        Measure("cost_after", "money", lambda group: group.cost_after),
        Measure("added", "money", lambda group: group.added, title="of it beside the calls"),
        Measure("saving", "money", lambda group: group.saving),
        Measure(
            "saving_share", "percent", lambda group: share(group.saving, group.cost_before), title="saved"
        ),
    )
}


@dataclass(frozen=True)
class BeforeAfter:
    """Groups of the calls of some states by ``by``, and all of them together."""

    by: tuple[Dimension, ...]
    groups: dict[Key, Group]
    whole: Group

    @classmethod
    def of(cls, states: States, by: Sequence[Dimension] = ()) -> BeforeAfter:
        """In one pass over the calls. A dimension that levers change is taken as it was."""
        keys, parameters = keys_of(states.calls, by)
        columns = ", ".join((*keys, *sums(states.calls.engine, len(states.levers))))
        select = f"SELECT {columns} FROM state GROUP BY ALL HAVING count(*) > 0"  # noqa: S608 (constants)
        width = len(by)
        groups = {
            tuple(row[:width]): Group(*map(int, row[width:])) for row in states.rows(select, parameters)
        }
        return cls.of_groups(by, groups)

    @classmethod
    def of_groups(cls, by: Sequence[Dimension], groups: dict[Key, Group]) -> BeforeAfter:
        whole = Group(*map(sum, zip(*groups.values(), strict=True))) if groups else Group()
        return cls(tuple(by), groups, whole)

    def columns(self, names: Sequence[str]) -> tuple[Column, ...]:
        return (*(each.column for each in self.by), *(MEASURES[name].column for name in names))

    def rows(self, names: Sequence[str]) -> list[tuple[Cell, ...]]:
        """Units of time ascend; else the greatest saving comes first; equal rows by their names, unknown
        last."""
        keys = sorted(self.groups, key=lambda key: [_ascending(value) for value in key])
        keys.sort(key=lambda key: -self.groups[key].saving)
        times = [place for place, each in enumerate(self.by) if each.is_time]
        keys.sort(key=lambda key: [_ascending(key[place]) for place in times])
        return [(*self._labels(key), *figures(self.groups[key], names)) for key in keys]

    def totals(self, names: Sequence[str]) -> tuple[Cell, ...]:
        return (*(None for _ in self.by), *figures(self.whole, names))

    def _labels(self, key: Key) -> tuple[Cell, ...]:
        return tuple(each.label(value) for each, value in zip(self.by, key, strict=True))


def notes(whole: Group, what: str) -> Iterator[str]:
    """Sentences on a lever, ``what``, that reaches nothing of ``whole``, or with which calls cost more."""
    if not whole.changed:
        yield f"{what}: no call is reached, so nothing is saved"
    elif whole.saving < 0:
        yield f"{what} costs more: ${rounded(-whole.saving):,f}"
    if whole.dearer:
        call = "call costs" if whole.dearer == 1 else "calls cost"
        yield (
            f"{what}: {whole.dearer:,} {call} more than before, ${rounded(whole.dearer_cost):,f} together, "
            "which the saving is net of"
        )


def figures(group: Group, names: Sequence[str]) -> tuple[Cell, ...]:
    """The measures ``names`` of a group."""
    return tuple(MEASURES[name].value(group) for name in names)


def keys_of(calls: Calls, by: Sequence[Dimension]) -> tuple[list[str], list[str]]:
    """SQL for the value of each dimension in a state, as the calls were, and its parameters."""
    keys: list[str] = []
    parameters: list[str] = []
    for number, each in enumerate(by):
        text, bound = each.sql(calls.engine, calls.span if each.is_time else None, calls.period.zone)
        keys.append(f"{f'was_{text}' if text in CHANGEABLE else text} AS key_{number}")
        parameters += bound
    return keys, parameters


def sums(engine: Engine, levers: int) -> list[str]:
    """SQL for each of :class:`Group`, in order, over a state after so many levers."""
    changed = " OR ".join(f"changed_{number}" for number in range(1, levers + 1)) or "FALSE"
    more = f"(spent_{levers} > spent_0)"
    counted = "FILTER (WHERE was_requests IS NOT NULL)"
    by_name = {
        "requests_before": "sum(was_requests)",
        "requests_after": "sum(requests)",
        "changed": f"sum(coalesce(was_requests, 1)) FILTER (WHERE {changed})",
        "prompt_before": f"sum({_WAS_PROMPT}) {counted}",
        "prompt_after": f"sum({PROMPT}) {counted}",
        "output_before": f"sum(was_output_tokens) {counted}",
        "output_after": f"sum(output_tokens) {counted}",
        "cost_before": engine.money_sum("spent_0"),
        "cost_after": engine.money_sum(f"spent_{levers}"),
        "added": engine.money_sum("CASE WHEN spent_0 IS NOT NULL THEN added_pico END"),
        "dearer": f"sum(coalesce(was_requests, 1)) FILTER (WHERE {more})",
        "dearer_cost": f"{engine.money_sum(f'spent_{levers} - spent_0')} FILTER (WHERE {more})",
    }
    return [f"coalesce({by_name[name]}, 0)" for name in Group._fields]


def _ascending(value: int | str | None) -> tuple[bool, int, str]:
    """Unknown last."""
    return (value is None, value if isinstance(value, int) else 0, value if isinstance(value, str) else "")
