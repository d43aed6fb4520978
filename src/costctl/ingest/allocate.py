"""`allocate`: rules applied to the calls, once for each combination of what the rules look at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from costctl.allocation import FILE_NAME, NOTHING, Allocation, Rule
from costctl.ingest.commit import commit
from costctl.ingest.tally import subject
from costctl.ledger import Ledger, tag_path
from costctl.ledger.allocated import FILLED, LAYOUT, RULES, Layout, keys, layout, relation, rules
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.phases import phase
from costctl.ledger.schema import view
from costctl.records import BY_NAME
from costctl.report import Cell, Column, Report

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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


def applied(engine: Engine) -> Allocation:
    """The rules that were applied last."""
    text = rules(engine)
    return NOTHING if text is None else Allocation.from_json(text)


def set_rules(connection: DuckDBPyConnection, allocation: Allocation) -> None:
    """Put the labels that ``allocation`` gives in the place of those given before, in an open transaction."""
    connection.execute("DELETE FROM meta WHERE key IN (?, ?)", [RULES, LAYOUT])
    connection.execute("DROP VIEW calls")
    connection.execute("DROP TABLE IF EXISTS allocations")
    given = _layout(allocation)
    if allocation != NOTHING:
        connection.execute("INSERT INTO meta VALUES (?, ?)", [RULES, allocation.to_json()])
    if given.fills:
        connection.execute("INSERT INTO meta VALUES (?, ?)", [LAYOUT, given.to_json()])
        columns = ", ".join(f"{name} {kind}" for name, kind in given.columns)
        connection.execute(f"CREATE TABLE allocations ({columns})")
        _add_combinations(connection, allocation, given, -1)
    connection.execute(view(given))


def allocate_new(connection: DuckDBPyConnection, last: int) -> None:
    """Give their labels to combinations that only rows since row ``last`` have, in an open transaction."""
    given = layout(DuckDBEngine(connection))
    if given.fills:
        _add_combinations(connection, applied(DuckDBEngine(connection)), given, last)


def allocate_moved(connection: DuckDBPyConnection) -> None:
    """Give calls their labels anew where rules look at the paths of files, some of which have changed."""
    if "source" in layout(DuckDBEngine(connection)).by:
        set_rules(connection, applied(DuckDBEngine(connection)))


def _layout(allocation: Allocation) -> Layout:
    given = {name.partition(":")[0] for name in allocation.names}
    fills = tuple(column for column in FILLED if (column if column != "tags" else "tag") in given)
    return Layout(allocation.by, fills, any(rule.override for rule in allocation.rules))


def _add_combinations(
    connection: DuckDBPyConnection, allocation: Allocation, given: Layout, last: int
) -> None:
    """Write down what the rules give to the combinations of the rows since row ``last``."""
    found: list[tuple[Any, ...]] = [()]  # of rules without any condition, there is one for all calls
    if given.by:
        found = connection.execute(
            f"SELECT {keys(given.by)} FROM stored_calls WHERE rowid > $last "
            f"EXCEPT SELECT {', '.join(given.keys)} FROM allocations",
            {"last": last},
        ).fetchall()
    elif connection.execute("SELECT 1 FROM allocations").fetchone():
        return
    if not found:
        return
    paths = _paths(DuckDBEngine(connection))
    rows = [(*values, *_given(allocation.rule_of(_row(given.by, values, paths)), given)) for values in found]
    columns = {
        name: (kind, [row[number] for row in rows]) for number, (name, kind) in enumerate(given.columns)
    }
    values = ", ".join(f"unnest(CAST(${name} AS {kind}[]))" for name, (kind, _) in columns.items())
    connection.execute(
        f"INSERT INTO allocations SELECT {values}", {name: column for name, (_, column) in columns.items()}
    )


def _paths(engine: Engine) -> dict[int, str]:
    return dict(engine.rows("SELECT source_id, path FROM sources"))


def _row(by: Sequence[str], values: Sequence[Any], paths: Mapping[int, str]) -> dict[str, Any]:
    """A combination as conditions look at it."""
    row: dict[str, Any] = {"tags": {}}
    for each, value in zip(by, values, strict=False):
        if each.startswith("tag:"):
            row["tags"][each[4:]] = value
        else:
            row[each] = paths.get(value) if each == "source" else value
    return row


def _given(rule: Rule | None, given: Layout) -> Iterator[str | bool | None]:
    """What ``rule`` fills, in the order of the table's columns."""
    for column in given.fills:
        if rule is None:
            yield None
        elif column == "tags":
            yield json.dumps(dict(sorted(rule.tags.items())), ensure_ascii=False) if rule.tags else None
        else:
            yield rule.labels.get(column)
    yield rule is not None and rule.override


# --- what would change --------------------------------------------------------------------------------------


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
    elif allocation != before:
        calls = subject(changes.all_calls, "call", "calls")
        notes.append(f"nothing is changed yet: `costctl allocate --apply` changes {calls}")
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
    paths = _paths(engine)
    width, wide = len(after.by), len(labels)
    for row in _combinations(engine, after.by, labels):
        rule = after.rule_of(_row(after.by, row, paths))
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
