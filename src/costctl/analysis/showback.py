"""What teams cost, with their shares of the costs that they bear together.

Each call's cost is split for itself, exactly to the last pico-dollar, so the figures add up however they are
grouped. What is left of a division depends only on the cost's remainder: calls of one remainder are split at
once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from costctl import filters
from costctl.allocation import Allocation, Shared
from costctl.analysis.calls import Calls, filters_of, merged
from costctl.analysis.dimensions import Dimension, Key, dimensions, title
from costctl.analysis.grain import grain_of
from costctl.analysis.provenance import with_provenance
from costctl.analysis.questions import QuestionError
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.ledger.allocated import rules
from costctl.money import share
from costctl.periods import Period
from costctl.report import Cell, Chart, Column, Report

if TYPE_CHECKING:
    from costctl.ledger import Ledger

_MEASURES = (
    Column("direct_cost", "money"),
    Column("shared_cost", "money"),
    Column("cost", "money"),
    Column("share", "percent"),
)

_NOTE = "only costs are split; requests and tokens stay with the team whose calls they are"


def showback(
    ledger: Ledger,
    by: str | Iterable[str] = ("team",),
    *,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
) -> Report:
    """The costs of the calls of ``period`` by team, and by what else ``by`` names, where the costs that teams
    share (``shared`` of allocation.yaml, as it was applied last) are split over them.

    ``direct_cost`` is of a team's own calls that are not shared, ``shared_cost`` its part of those that are;
    ``cost`` is both. A condition on the team is about the team that bears a cost; all others are about the
    calls. Otherwise as :func:`costctl.analysis.summary`. Raises :class:`QuestionError` where ``by`` has no
    team, and what that raises.
    """
    asked = dimensions(by)
    place = next((number for number, each in enumerate(asked) if each.name == "team"), None)
    if place is None:
        raise QuestionError("a showback is by team", "as in --by team or --by team,month")
    passed = filters_of(where)
    of_team = [each for each in passed if each.column == "team"]
    others = tuple(each for each in passed if each.column != "team")
    with ledger.reading() as engine:
        text = rules(engine)
        shared = Allocation.from_json(text).shared if text else ()
        calls = Calls(engine, period, others, grain_of(grain))
        direct, borne = _costs(calls, asked, place, shared)
        for costs in (direct, borne):
            for key in [key for key in costs if not _passes(of_team, key[place])]:
                del costs[key]
        whole = direct.total() + borne.total()
        found = sorted({*direct, *borne}, key=lambda key: [_ascending(each) for each in key])
        found.sort(key=lambda key: -(direct[key] + borne[key]))
        times = [number for number, each in enumerate(asked) if each.is_time]
        found.sort(key=lambda key: [_ascending(key[number]) for number in times])
        rows = [
            (
                *(each.label(value) for each, value in zip(asked, key, strict=True)),
                *_figures(direct[key], borne[key], whole),
            )
            for key in found
        ]
        notes = (_NOTE,) if shared else ("no costs are shared: allocation.yaml says which are",)
        report = Report(
            command="report",
            title=title("Showback", asked),
            columns=(*(each.column for each in asked), *_MEASURES),
            rows=rows,
            totals=(*(None for _ in asked), *_figures(direct.total(), borne.total(), whole)),
            charts=(Chart("bar", "share"),),
            notes=notes,
        )
        report = with_provenance(report, calls, merged(calls.sums().values()))
        return replace(report, filters=tuple(map(str, passed)))


def _costs(
    calls: Calls, by: Sequence[Dimension], place: int, shared: Sequence[Shared]
) -> tuple[Counter[Key], Counter[Key]]:
    """What groups cost directly, and what they bear of shared costs, in pico-dollars. The team stands at
    ``place`` in a key."""
    engine = calls.engine
    keys, condition, parameters = calls.selection(by)
    which, residue, bound = "-1", "0", list[str]()
    if shared:
        tests = [filters.sql(each.when, tag=(engine.tag(), tag_path)) for each in shared]
        cases = " ".join(f"WHEN {test} THEN {number}" for number, (test, _) in enumerate(tests))
        which = f"CASE {cases} ELSE -1 END"
        bound = [value for _, values in tests for value in values]
        parts = " ".join(f"WHEN {number} THEN cost_pico % {each.whole}" for number, each in enumerate(shared))
        residue = f"CASE shared {parts} ELSE 0 END"
    names = "".join(f"key_{number}, " for number in range(len(by)))
    rows = engine.rows(
        f"WITH picked AS (SELECT {', '.join((f'{which} AS shared', *keys))}, cost_pico "  # noqa: S608
        f"FROM calls WHERE {condition} AND cost_pico IS NOT NULL) "
        f"SELECT {names}shared, {residue} AS residue, CAST(count(*) AS BIGINT), "
        f"{engine.money_sum('cost_pico')} FROM picked GROUP BY ALL",
        [*bound, *parameters],
    )
    direct: Counter[Key] = Counter()
    borne: Counter[Key] = Counter()
    for *key, number, residue_of, count, cost in rows:
        if number < 0:
            direct[tuple(key)] += int(cost)
            continue
        for team, part in shared[number].split_each(count, int(cost), residue_of).items():
            borne[(*key[:place], team, *key[place + 1 :])] += part
    return direct, borne


def _passes(of_team: Iterable[Filter], team: str | int | None) -> bool:
    return all(filters.matches(each, {"team": team}) for each in of_team)


def _figures(direct: int, borne: int, whole: int) -> tuple[Cell, ...]:
    cost = direct + borne
    return direct, borne, cost, share(cost, whole)


def _ascending(value: str | int | None) -> tuple[bool, int, str]:
    """Unknown last."""
    if isinstance(value, str):
        return False, 0, value
    return value is None, value or 0, ""
