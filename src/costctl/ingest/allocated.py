"""The labels that rules give to calls, once for each combination of what the rules look at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costctl.allocation import NOTHING, Allocation, Rule
from costctl.ledger.allocated import FILLED, LAYOUT, RULES, Layout, keys, layout, rules
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.schema import view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from costctl.ledger import Engine


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
    paths = paths_of(DuckDBEngine(connection))
    rows = [
        (*values, *_given(allocation.rule_of(row_of(given.by, values, paths)), given)) for values in found
    ]
    columns = {
        name: (kind, [row[number] for row in rows]) for number, (name, kind) in enumerate(given.columns)
    }
    values = ", ".join(f"unnest(CAST(${name} AS {kind}[]))" for name, (kind, _) in columns.items())
    connection.execute(
        f"INSERT INTO allocations SELECT {values}", {name: column for name, (_, column) in columns.items()}
    )


def paths_of(engine: Engine) -> dict[int, str]:
    """The paths of the sources, by their ids."""
    return dict(engine.rows("SELECT source_id, path FROM sources"))


def row_of(by: Sequence[str], values: Sequence[Any], paths: Mapping[int, str]) -> dict[str, Any]:
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
            yield _text(rule.tags) if rule.tags else None
        else:
            yield rule.labels.get(column)
    yield rule is not None and rule.override


def _text(tags: Mapping[str, str]) -> str:
    return json.dumps(dict(sorted(tags.items())), ensure_ascii=False, separators=(",", ":"))
