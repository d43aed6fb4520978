"""`allocate`: what rules would change, and the change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from costctl.allocation import FILE_NAME, Allocation
from costctl.ingest.allocated import applied, paths_of, row_of, set_rules
from costctl.ingest.commit import commit
from costctl.ingest.tally import subject
from costctl.ledger import Ledger, tag_path
from costctl.ledger.allocated import keys, layout, relation
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.phases import phase
from costctl.records import BY_NAME
from costctl.report import Cell, Column, Report

if TYPE_CHECKING:
    from costctl.ledger import Engine

_COLUMNS = (
    Column("rule", "text"),
    Column("label", "text"),
    Column("before", "text"),
    Column("after", "text"),
    Column("calls", "count"),
    Column("cost", "money"),
)
_FIGURES = (Column("calls_changed", "count"), Column("cost_changed", "money"))


def allocate(ledger: Ledger, allocation: Allocation, *, apply: bool = False, file: str = FILE_NAME) -> Report:
    """What ``allocation``, the rules in ``file``, would change: for each rule and label, from what to what,
    of how many calls and at what cost; with ``apply`` it is changed.

    ``rule`` is FILE:LINE, None where no rule holds any more; a call whose team and project change is counted
    in the rows of both, and once in the figures ``calls_changed`` and ``cost_changed``. Raises
    :class:`costctl.ledger.LedgerMissing` and :class:`costctl.ledger.LedgerError`.
    """
    with ledger.reading() as engine:
        if not apply:
            return _report(engine, allocation, file, apply)
    with ledger.writing() as connection:
        engine = DuckDBEngine(connection)
        report = _report(engine, allocation, file, apply)
        if allocation != applied(engine):
            connection.execute("BEGIN")
            set_rules(connection, allocation)
            phase("commit")
            commit(connection)
            ledger.checkpoint_if_due(connection)
    return report


class Change(NamedTuple):
    """A label that calls get in the place of another, by the rule of this number; None where none holds."""

    rule: int | None
    label: str
    before: str | None
    after: str | None


@dataclass
class _Changes:
    calls: Counter[Change] = field(default_factory=Counter)
    cost: Counter[Change] = field(default_factory=Counter)
    all_calls: int = 0
    all_cost: int = 0
    used: set[int] = field(default_factory=set)
    """The numbers of the rules that hold for some call."""


def _report(engine: Engine, allocation: Allocation, file: str, apply: bool) -> Report:
    before = applied(engine)
    changes = _changes(engine, before, allocation)
    names = {label: number for number, label in enumerate(dict.fromkeys((*before.names, *allocation.names)))}
    ordered = sorted(
        changes.calls,
        key=lambda each: (
            each.rule is None,
            each.rule or 0,
            names[each.label],
            -changes.cost[each],
            each.before or "",
            each.after or "",
        ),
    )
    places = [
        f"{file}:{rule.line}" if rule.line else f"rules[{number}]"
        for number, rule in enumerate(allocation.rules)
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            None if each.rule is None else places[each.rule],
            BY_NAME[each.label].public if each.label in BY_NAME else each.label,
            each.before,
            each.after,
            changes.calls[each],
            changes.cost[each],
        )
        for each in ordered
    ]
    notes = [
        f"{place}: no call is like that, or an earlier rule holds for it"
        for number, place in enumerate(places)
        if number not in changes.used
    ]
    if apply:
        notes.append("applied" if allocation != before else "these rules were applied already")
    elif allocation != before and changes.all_calls:
        calls = subject(changes.all_calls, "call", "calls")
        notes.append(f"nothing is changed yet: `costctl allocate --apply` changes {calls}")
    elif allocation != before:
        notes.append("no call would change; `costctl allocate --apply` keeps these rules for what comes")
    else:
        notes.append("these rules are applied")
    ((as_of,),) = engine.rows("SELECT max(value) FROM meta WHERE key = 'last_commit'")
    return Report(
        "allocate",
        "Allocation",
        _COLUMNS,
        rows,
        notes=tuple(notes),
        as_of=as_of,
        figures={"calls_changed": changes.all_calls, "cost_changed": changes.all_cost},
        figure_columns=_FIGURES,
    )


def _changes(engine: Engine, before: Allocation, after: Allocation) -> _Changes:
    """What would be other labels under the rules ``after`` than under ``before``."""
    changes = _Changes()
    labels = tuple(dict.fromkeys((*before.names, *after.names)))
    paths = paths_of(engine)
    width, wide = len(after.by), len(labels)
    for row in _combinations(engine, after.by, labels):
        rule = after.rule_of(row_of(after.by, row, paths))
        number = None if rule is None else after.rules.index(rule)
        if number is not None:
            changes.used.add(number)
        *_, calls, cost = row
        changed = False
        for label, said, now in zip(labels, row[width:], row[width + wide :], strict=False):
            then = rule.label(label, said) if rule else said
            if (then or None) != (now or None):
                changed = True
                change = Change(number, label, now, then)
                changes.calls[change] += calls
                changes.cost[change] += cost
        if changed:
            changes.all_calls += calls
            changes.all_cost += cost
    return changes


def _combinations(engine: Engine, by: Iterable[str], labels: Iterable[str]) -> list[tuple[Any, ...]]:
    """Rows of: what rules look at; ``labels`` in the sources' words; ``labels`` as they are shown now; how
    many calls have all that in common; and their cost, as far as they have a price."""
    given = layout(engine)
    said: list[str] = []
    now: list[str] = []
    tags: list[str] = []
    for label in labels:
        if label.startswith("tag:"):
            tags.append(tag_path(label[4:]))
            said.append(f"json_extract_string({'said_tags' if 'tags' in given.fills else 'tags'}, ?)")
            now.append("json_extract_string(tags, ?)")
        else:
            said.append(f"said_{label}" if label in given.fills else label)
            now.append(label)
    columns = ", ".join(filter(None, (keys(by, given.fills), *said, *now)))
    return engine.rows(
        f"SELECT {f'{columns}, ' if columns else ''}"
        "CAST(sum(coalesce(requests, 1)) AS BIGINT), CAST(coalesce(sum(cost_pico), 0) AS HUGEINT) "
        f"FROM {relation(given)} GROUP BY ALL HAVING count(*) > 0",
        [*tags, *tags],
    )
