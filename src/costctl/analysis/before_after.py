"""The before/after report: one row a measure, each in its own kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from costctl.analysis.changes import MEASURED, STEPS, a_year, beside, cost_is_known, ends, verdict
from costctl.analysis.decomposition import Effects, added
from costctl.analysis.measures import Measure
from costctl.analysis.two_periods import Pair, TwoPeriods, together
from costctl.money import share
from costctl.report import Cell, Column, Kind, Quantity, Report
from costctl.series import Interval

_OF_STEP = {
    "volume": "cost: volume",
    "mix": "cost: mix",
    "new": "cost: mix, new",
    "discontinued": "cost: mix, discontinued",
    "tokens_per_call": "cost: tokens per call",
    "price": "cost: price",
}


@dataclass(frozen=True, slots=True)
class _Line:
    """A measure. A step of the cost is a change without a before and an after; ``of`` is then the cost."""

    name: str
    text: str
    kind: Kind
    unit: str
    before: int | Decimal | None
    after: int | Decimal | None
    change: int | Decimal | None
    of: int | Decimal | None
    interval: Interval | None = None
    model: str | None = None

    def row(self) -> tuple[Cell, ...]:
        part = None
        if self.change is not None and self.of:
            part = _fraction(self.change, self.of)
        return (
            self.text,
            self.name,
            self.model,
            self.unit,
            *map(self._quantity, (self.before, self.after, self.change)),
            part,
            *map(self._quantity, ends(self.interval, self.kind)),
            verdict(self.interval),
        )

    def _quantity(self, value: int | Decimal | None) -> Quantity | None:
        return None if value is None else Quantity(self.kind, value, self.unit)


def before_after(both: TwoPeriods, top: int | None) -> Report:
    drawn = both.can_be_drawn
    intervals = both.figure_intervals(_changes) if drawn else [None] * len(MEASURED)
    lines = {
        each.name: _measured(each, both.whole, sure) for each, sure in zip(MEASURED, intervals, strict=True)
    }
    cost, requests = lines.pop("cost"), lines.pop("requests")
    ordered = [cost, *_steps(both), _annualised(both), requests, *_shares(both, top), *lines.values()]
    return Report(
        command="compare",
        title=f"{both.after.period.label} against {both.before.period.label}",
        columns=(
            Column("measure", "text"),
            Column("name", "text", hidden=True),
            Column("model", "text", hidden=True),
            Column("unit", "text", hidden=True),
            Column("before", "mixed", title=both.before.period.label),
            Column("after", "mixed", title=both.after.period.label),
            Column("change", "mixed"),
            Column("change_share", "percent", title="change %"),
            Column("low", "mixed", title="95% from", wide=True),
            Column("high", "mixed", title="95% to", wide=True),
            Column("verdict", "text"),
        ),
        rows=[each.row() for each in ordered],
    )


def _measured(measure: Measure, pair: Pair, interval: Interval | None) -> _Line:
    column = measure.column(True)
    before, after = beside(measure, pair)
    change = None if before is None or after is None else after - before
    return _Line(
        measure.name, column.title, column.kind, column.unit, before, after, change, before, interval
    )


def _changes(pair: Pair) -> list[float | None]:
    """Of each of :data:`MEASURED`."""
    return [_change(*beside(measure, pair)) for measure in MEASURED]


def _change(before: int | Decimal | None, after: int | Decimal | None) -> float | None:
    if before is None or after is None:
        return None
    change = after - before
    return change if isinstance(change, int) else float(change)


def _steps(both: TwoPeriods) -> Iterator[_Line]:
    found = added(both.effects.values())
    if not cost_is_known(both.whole):
        for name in STEPS:
            yield _Line(name, _OF_STEP[name], "money", "USD", None, None, None, None)
        return
    names = [name for name in _OF_STEP if name in STEPS or getattr(found, name)]
    intervals = dict(zip(Effects._fields, both.effect_intervals() or (), strict=False))
    for name in names:
        line = f"mix_{name}" if name not in STEPS else name
        change, sure = getattr(found, name), intervals.get(name)
        yield _Line(line, _OF_STEP[name], "money", "USD", None, None, change, both.whole.before.cost, sure)


def _annualised(both: TwoPeriods) -> _Line:
    name, text = "annualised", "cost a year"
    if (costs := a_year(both)) is None:
        return _Line(name, text, "money", "USD", None, None, None, None)
    before, after = costs
    return _Line(name, text, "money", "USD", before, after, after - before, before)


def _shares(both: TwoPeriods, top: int | None) -> Iterator[_Line]:
    """Which part of the requests each model has, those with the greatest cost first."""
    models = sorted(both.models, key=lambda name: (-sum(each.cost for each in both.models[name]), name))
    shown = models[:top]
    intervals = both.share_intervals(shown) if both.can_be_drawn else [None] * len(shown)
    groups: list[tuple[str, str | None, Pair, Interval | None]] = [
        (model, model, both.models[model], sure) for model, sure in zip(shown, intervals, strict=True)
    ]
    if rest := models[len(shown) :]:
        many = f"{len(rest):,} other model{'' if len(rest) == 1 else 's'}"
        groups.append((many, None, together(both.models[model] for model in rest), None))
    whole = both.whole
    for text, model, pair, sure in groups:
        before = share(pair.before.requests, whole.before.requests)
        after = share(pair.after.requests, whole.after.requests)
        change = None if before is None or after is None else after - before
        title = f"requests: {text}"
        yield _Line(
            "requests_share", title, "percent", "fraction", before, after, change, before, sure, model
        )


def _fraction(part: int | Decimal, whole: int | Decimal) -> Decimal:
    return round(Decimal(part) / Decimal(whole), 6)
