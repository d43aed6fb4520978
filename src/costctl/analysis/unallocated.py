"""The calls that belong to no team, by what a rule of allocation could know them by."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from costctl.allocation import Allocation
from costctl.analysis.provenance import stamped
from costctl.ledger.allocated import keys, layout, relation
from costctl.report import Cell, Column, Report

if TYPE_CHECKING:
    from costctl.ledger import Ledger

_SHOWN = ("api_key", "workspace", "user", "project", "agent", "tag:cwd", "source")
"""What tells calls apart that have no team."""


def unallocated(ledger: Ledger, allocation: Allocation) -> Report:
    """The calls whose source says no team and for which no rule of ``allocation`` holds, the greatest cost
    first; a call without a price adds nothing to it.

    Raises :class:`costctl.ledger.LedgerError`.
    """
    by = tuple(dict.fromkeys((*_SHOWN, *allocation.by)))
    calls: Counter[tuple[str | None, ...]] = Counter()
    cost: Counter[tuple[str | None, ...]] = Counter()
    with ledger.reading() as engine:
        given = layout(engine)
        team = "said_team" if "team" in given.fills else "team"
        # S608: names are ours; those of tags are quoted.
        rows = engine.rows(
            f"SELECT {keys(by, given.fills)}, sum(coalesce(requests, 1)), "  # noqa: S608
            f"coalesce({engine.money_sum('cost_pico')}, 0) "
            f"FROM {relation(given)} WHERE coalesce({team}, '') = '' GROUP BY ALL"
        )
        paths: dict[int, str] = dict(engine.rows("SELECT source_id, path FROM sources"))
        for *values, number, amount in rows:
            said = dict(zip(by, values, strict=True))
            said["source"] = paths.get(said["source"])
            tags = {each[4:]: value for each, value in said.items() if each.startswith("tag:")}
            if allocation.rule_of({**said, "tags": tags}) is None:
                group = tuple(said[each] or None for each in _SHOWN)
                calls[group] += int(number)
                cost[group] += int(amount)
        ordered = sorted(
            calls, key=lambda group: (-cost[group], [(each is None, each or "") for each in group])
        )
        table: list[tuple[Cell, ...]] = [(*group, calls[group], cost[group]) for group in ordered]
        columns = (
            *(
                Column(name, "text", title=name, wide=not any(row[number] for row in table))
                for number, name in enumerate(_SHOWN)
            ),
            Column("calls", "count"),
            Column("cost", "money"),
        )
        totals = (*(None for _ in _SHOWN), calls.total(), cost.total())
        report = Report("allocate", "Calls without a team", columns, table, totals, calls=calls.total())
        return stamped(report, engine)
