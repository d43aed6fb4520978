"""What sources themselves say that calls cost, against ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from costctl import filters
from costctl.analysis.calls import filters_of
from costctl.analysis.dimensions import NAMES, TIMES, dimension
from costctl.analysis.provenance import span, stamped
from costctl.analysis.questions import QuestionError, unknown
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.money import share
from costctl.records import PRICED_TOKENS
from costctl.report import Cell, Column, Report, Unpriced

if TYPE_CHECKING:
    from costctl.ledger import Ledger
    from costctl.periods import Period

BY = ("source", "source_format", *(name for name in NAMES if name not in TIMES))
"""What a row can stand for, besides tag:NAME: ``source`` is the file, ``source_format`` its format."""

_OF_FILE = {"source": "s.path", "source_format": "s.format"}


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of rows that state what they cost: calls and both costs of those that also have ours, and those
    without ours."""

    calls: int = 0
    reported: int = 0
    ours: int = 0
    unpriced_calls: int = 0
    unpriced_reported: int = 0
    unpriced_tokens: int = 0

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def values(self) -> tuple[Cell, ...]:
        difference = self.ours - self.reported
        part = share(difference, self.reported)
        return (
            self.calls,
            self.ours,
            self.reported,
            difference,
            part,
            self.unpriced_calls,
            self.unpriced_reported,
        )


_BOTH, _ALONE = "cost_pico IS NOT NULL", "cost_pico IS NULL"
_TOKENS = " + ".join(f"coalesce(calls.{name}, 0)" for name in PRICED_TOKENS)


def _sums(money_sum: Callable[[str], str]) -> str:
    """SQL of the figures of :class:`_Sums`, in their order."""
    figures = (
        f"sum(CASE WHEN {_BOTH} THEN coalesce(requests, 1) END)",
        money_sum(f"CASE WHEN {_BOTH} THEN reported_cost_pico END"),
        money_sum("cost_pico"),
        f"sum(CASE WHEN {_ALONE} THEN coalesce(requests, 1) END)",
        money_sum(f"CASE WHEN {_ALONE} THEN reported_cost_pico END"),
        f"sum(CASE WHEN {_ALONE} THEN {_TOKENS} END)",
    )
    return ", ".join(f"coalesce({each}, 0)" for each in figures)


def reported(
    ledger: Ledger,
    by: str | Iterable[str] = ("source", "model"),
    *,
    period: Period,
    where: Iterable[str | Filter] = (),
) -> Report:
    """The costs that sources state beside ours, of calls and buckets that state one, whichever count.

    Columns: ``by`` (:data:`BY`, ``tag:NAME``); ``calls``, ``ours``, ``reported``, ``difference`` (ours -
    reported) and its ``share`` of the reported, of calls that have both; ``unpriced_calls`` and
    ``unpriced_reported`` of those without a price of ours. The greatest difference comes first. Raises
    :class:`QuestionError`, :class:`costctl.filters.FilterError`, :class:`costctl.ledger.LedgerError`.
    """
    asked = [name.strip() for name in by.split(",")] if isinstance(by, str) else list(by)
    passed = filters_of(where)
    with ledger.reading() as engine:
        keys: list[str] = []
        bound: list[str] = []
        for place, name in enumerate(asked):
            if asked.index(name) < place:
                raise QuestionError(f"dimension {name!r} is asked for twice")
            if name in _OF_FILE:
                keys.append(_OF_FILE[name])
                continue
            if name not in BY and not name.startswith("tag:"):
                raise unknown("dimension", name, (*BY, "tag:NAME"))
            text, more = dimension(name).sql(engine, None, period.zone)
            keys.append(text if name.startswith("tag:") else f"calls.{text}")
            bound += more
        listed = "".join(f"{sql} AS key_{number}, " for number, sql in enumerate(keys))
        passes, parameters = filters.sql(passed, "calls", tag=(engine.tag(), tag_path))
        rows = engine.rows(
            f"SELECT {listed}{_sums(engine.money_sum)} "  # noqa: S608 (names are ours, values are bound)
            "FROM calls LEFT JOIN sources AS s ON s.source_id = calls.source_id "
            f"WHERE reported_cost_pico IS NOT NULL AND {period.sql('ts')} AND {passes} GROUP BY ALL",
            [*bound, *parameters],
        )
        width = len(asked)
        groups = {tuple(row[:width]): _Sums(*map(int, row[width:])) for row in rows}
        total = sum(groups.values(), _Sums())
        ranked = sorted(groups, key=lambda key: (-abs(groups[key].ours - groups[key].reported), str(key)))
        report = Report(
            command="reconcile",
            title="Ours against what sources report",
            columns=(
                *(Column(name, "text", title=name.replace("_", " ")) for name in asked),
                Column("calls", "count"),
                Column("ours", "money"),
                Column("reported", "money"),
                Column("difference", "money"),
                Column("share", "percent"),
                Column("unpriced_calls", "count", wide=not total.unpriced_calls),
                Column("unpriced_reported", "money", wide=not total.unpriced_calls),
            ),
            rows=[(*key, *groups[key].values) for key in ranked if any(groups[key].values)],
            totals=(*(None for _ in asked), *total.values),
            filters=tuple(map(str, passed)),
            calls=total.calls + total.unpriced_calls,
            complete=not total.unpriced_calls,
            unpriced=Unpriced(total.unpriced_calls, total.unpriced_tokens),
        )
        return replace(stamped(report, engine), period=span(period))
