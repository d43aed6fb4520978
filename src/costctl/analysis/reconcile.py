"""Ours against the providers' bills, by day, model and label, with the causes of what differs.

Days are those of the bill. What is compared are the days that a provider's bill covers; calls of providers
without a bill are named, not compared. Causes: :mod:`costctl.analysis.causes`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from costctl import filters
from costctl.analysis.billed import CENT, DAY, LABELS, Bill, Span, bill
from costctl.analysis.causes import CAUSES, Cell, Part
from costctl.analysis.comparison import WHERE, Comparison
from costctl.analysis.dimensions import Dimension, dimensions, other, title
from costctl.analysis.grain import grain_of, left_out, note
from costctl.analysis.provenance import span, stamped
from costctl.analysis.questions import QuestionError
from costctl.analysis.used import Key
from costctl.filters import Filter
from costctl.money import rounded, share, usd
from costctl.periods import bucket_label, buckets
from costctl.periods.zones import instant_at
from costctl.report import Cell as Value
from costctl.report import Column, Report, Unpriced

if TYPE_CHECKING:
    from costctl.ledger import Ledger
    from costctl.periods import Period
    from costctl.pricing.book import PriceBook

_UTC = ZoneInfo("UTC")

BY = ("day", "week", "month", "provider", "model", *LABELS)
"""What a row can stand for."""


def reconcile(
    ledger: Ledger,
    by: str | Iterable[str] = ("day", "model"),
    *,
    book: PriceBook,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    top: int | None = None,
    bills: Ledger | None = None,
) -> Report:
    """Ours, theirs, the difference, and its causes: one row for each combination of ``by``.

    Columns: ``by``; ``ours``, ``theirs`` and ``difference`` (ours - theirs) in pico-dollars, ``share`` of
    theirs; one for each of :data:`costctl.analysis.causes.CAUSES`, which add up to the difference; and
    ``evidence``. ``bills`` holds the charges, and maybe the provider's own reports of usage, where they are
    not in ``ledger`` itself. ``period`` is meant as dates of the bill. ``top``: as many rows, the first by
    their difference, and one for the rest. A report without rows has no charges to compare with.

    Raises :class:`QuestionError`, :class:`costctl.filters.FilterError`, :class:`costctl.ledger.LedgerError`.
    """
    asked, passed, of_grain = _by(by), _where(where), grain_of(grain)
    if top is not None and top < 1:
        raise QuestionError(f"the top {top} rows are none", "ask for one at least")
    told = {each.name for each in asked} | {each.column for each in passed}
    labels = tuple(name in told for name in LABELS)
    with ExitStack() as stack:
        engine = stack.enter_context(ledger.reading())
        beside = stack.enter_context(bills.reading()) if bills else None
        found = bill(beside or engine, period, book)
        comparison = Comparison(engine, beside, book, of_grain, passed, found, labels)
        comparison.compare()
        report = _report(asked, comparison, top)
        aside = [
            note(each) for each in left_out(engine, of_grain, period.sql(), []) if each.provider in found.days
        ]
        notes = (*report.notes, *aside, *comparison.not_compared(period))
        report = replace(stamped(report, engine), notes=notes)
    return replace(report, period=span(period), filters=tuple(map(str, passed)))


def _by(by: str | Iterable[str]) -> tuple[Dimension, ...]:
    asked = dimensions(by)
    for each in asked:
        if each.name not in BY:
            raise QuestionError(f"a bill does not tell {each.name}s apart", f"known are {', '.join(BY)}")
    return asked


def _where(where: Iterable[str | Filter]) -> tuple[Filter, ...]:
    read = [each if isinstance(each, Filter) else filters.parse(each, also=("kind",)) for each in where]
    for each in read:
        if each.column not in WHERE:
            raise QuestionError(f"a bill does not say {each.column}", f"known are {', '.join(WHERE)}")
    return tuple(read)


@dataclass
class _Row:
    """Cells of one row, added up."""

    ours: int = 0
    theirs: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    evidence: dict[str, None] = field(default_factory=dict)

    def add(self, cell: Cell) -> None:
        self.ours += cell.cost
        self.theirs += cell.theirs
        for part in cell.parts:
            self.causes[part.cause] += part.amount
            self.evidence[f"{part.cause.replace('_', ' ')}: {part.evidence}"] = None

    def merge(self, row: _Row) -> None:
        self.ours += row.ours
        self.theirs += row.theirs
        self.causes.update(row.causes)
        self.evidence |= row.evidence

    @property
    def difference(self) -> int:
        return self.ours - self.theirs

    def values(self) -> tuple[Value, ...]:
        evidence = "; ".join(list(self.evidence)[:_MOST_SAID])
        if len(self.evidence) > _MOST_SAID:
            evidence += f"; and {len(self.evidence) - _MOST_SAID:,} more"
        figures = (self.ours, self.theirs, self.difference, share(self.difference, self.theirs))
        return (*figures, *(self.causes[cause] for cause in CAUSES), evidence or None)


_MOST_SAID = 8
"""Sentences of evidence in one row."""


def _report(by: tuple[Dimension, ...], comparison: Comparison, top: int | None) -> Report:
    rows: dict[tuple[Value, ...], _Row] = defaultdict(_Row)
    total = _Row()
    for key, cell in comparison.cells.items():
        rows[tuple(_label(each, key) for each in by)].add(cell)
        total.add(cell)
    times = [place for place, each in enumerate(by) if each.is_time]

    def order(labels: tuple[Value, ...]) -> tuple[object, ...]:
        first = () if top else tuple(str(labels[place]) for place in times)
        return first, -abs(rows[labels].difference), tuple((value is None, str(value)) for value in labels)

    ranked = sorted(rows, key=order)
    listed: list[tuple[Value, ...]] = [(*labels, *rows[labels].values()) for labels in ranked[:top]]
    if top is not None and ranked[top:]:
        rest = _Row()
        for labels in ranked[top:]:
            rest.merge(rows[labels])
        listed.append((*other(len(ranked) - top, len(by)), *rest.values()))
    found = {cause for row in rows.values() for cause, amount in row.causes.items() if amount}
    usages = [(key, cell.ours) for key, cell in comparison.cells.items()]
    unpriced = sum(usage.unpriced_calls for _, usage in usages)
    return Report(
        command="reconcile",
        title=title("Ours against the bill", by),
        columns=(
            *(each.column for each in by),
            Column("ours", "money"),
            Column("theirs", "money"),
            Column("difference", "money"),
            Column("share", "percent"),
            *(Column(cause, "money", wide=cause not in found) for cause in CAUSES),
            Column("evidence", "text", wide=True),
        ),
        rows=listed,
        totals=(*(None for _ in by), *total.values()[:-1], None),
        calls=sum(usage.calls for _, usage in usages),
        complete=not unpriced,
        unpriced=Unpriced(
            unpriced,
            sum(usage.unpriced_tokens for _, usage in usages),
            tuple(sorted({key.model or "unknown" for key, usage in usages if usage.unpriced_calls})),
        ),
        notes=(*_told_causes(comparison.cells.values()), *comparison.notes, *_told_days(comparison.bill)),
    )


def _label(dimension: Dimension, key: Key) -> Value:
    match dimension.name:
        case "provider":
            return key.provider or None
        case "model":
            return key.model or f"({key.item or 'all models'})"
        case "day":
            return str(key.span)
        case "week" | "month" as unit:
            return _unit(unit, key.span)
        case name:
            return key.labels[LABELS.index(name)]


def _unit(unit: Literal["week", "month"], time: Span) -> str:
    """The week or month of a time of a bill; the time itself where it is of several."""
    start, end = (instant_at(day * DAY) for day in time)
    found = buckets(unit, start, end, _UTC)
    return bucket_label(unit, found[0]) if len(found) == 1 else str(time)


def _told_causes(cells: Iterable[Cell]) -> Iterator[str]:
    """A sentence a cause: its amount, where, and the commonest evidence."""
    parts: dict[str, list[Part]] = defaultdict(list)
    for cell in cells:
        for part in cell.parts:
            parts[part.cause].append(part)
    for cause in CAUSES:
        if not parts[cause]:
            continue
        said = Counter(part.evidence for part in parts[cause])
        evidence, times = min(said.items(), key=lambda item: (-item[1], item[0]))
        others = len(parts[cause]) - times
        rest = f"; {others:,} more by evidence of their own" if others else ""
        amount = _amount([part.amount for part in parts[cause]])
        yield f"{cause.replace('_', ' ')} {amount} ({times:,} x): {evidence}{rest}"


def _amount(amounts: list[int]) -> str:
    """The sum of some parts; of those that cancel out, what has moved."""
    total, sign = sum(amounts), ""
    if total == 0:
        total, sign = sum(map(abs, amounts)) // 2, "±"
    elif total < 0:
        total, sign = -total, "-"
    return f"{sign}${rounded(total) if total >= CENT else usd(total):,f}"


def _told_days(found: Bill) -> Iterator[str]:
    for provider, days in sorted(found.days.items()):
        minutes = days.offset // 60_000_000
        begins = f", its days begin at {minutes // 60:02d}:{minutes % 60:02d} UTC" if minutes else ""
        yield f"the bill of {provider or 'unknown providers'} covers {days.covered}{begins}"
