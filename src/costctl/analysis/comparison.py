"""What is compared of the ledger and the bills: cells of one model, time and labels, with their causes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from costctl import filters
from costctl.analysis.billed import LABELS, Bill, Days, Line, Span
from costctl.analysis.causes import OF_KIND, Cell, Factor, begin, explain
from costctl.analysis.grain import Grain
from costctl.analysis.over_days import LEAST, find_moves, find_price, shift_of
from costctl.analysis.used import Key, Rows, Series, Usage, names
from costctl.filters import Filter
from costctl.money import rounded
from costctl.periods.zones import instant_at
from costctl.records import PRICED_TOKENS

if TYPE_CHECKING:
    from costctl.ledger import Engine
    from costctl.periods import Period
    from costctl.pricing.book import PriceBook

WHERE = ("provider", "model", "mode", *LABELS, "kind")
"""What a condition can be about: both sides say it. ``kind`` is that of a bill's line; ours is usage."""


@dataclass
class Comparison:
    """The cells of a question and what there is to say of them."""

    engine: Engine
    beside: Engine | None
    book: PriceBook
    grain: Grain
    where: tuple[Filter, ...]
    bill: Bill
    labels: tuple[bool, ...]
    cells: dict[Key, Cell] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def compare(self) -> None:
        """Fill ``cells`` and name the causes of their differences."""
        self.notes += self.bill.notes
        self.names = names(self.engine, self.book)
        for provider in sorted({line.provider for line in self.bill.lines}):
            lines = [
                line
                for line in self.bill.lines
                if line.provider == provider and self._passes(_described(line))
            ]
            days = self.bill.days.get(provider)
            cells = self._cells(provider, lines, days)
            for cell in cells.values():
                begin(cell)
            series = _series(cells)
            for of_one in series.values():
                find_moves(of_one)
            for cell in cells.values():
                explain(cell)
            for of_one in series.values():
                find_price(list(of_one.values()))
                find_moves(of_one)
            find_price([cell for key, cell in cells.items() if key.item is None])
            for cell in cells.values():
                cell.settle()
            self.cells |= cells

    def not_compared(self, period: Period) -> Iterator[str]:
        """Notes on what our side has of providers that have no charges."""
        missing = Counter[str]()
        for seller, model, cost in self.engine.rows(
            f"SELECT coalesce(c.provider, p.provider), c.model, {self.engine.money_sum('c.cost_pico')} "  # noqa: S608
            f"FROM calls AS c LEFT JOIN prices AS p ON p.price_id = c.price_id WHERE {period.sql('c.ts')} "
            "GROUP BY ALL"
        ):
            provider = next((name for name, known in self.names.items() if (seller, model) in known), "")
            if provider not in self.bill.days and self._passes(
                {"provider": provider, "model": model}, ("provider",)
            ):
                missing[provider] += cost or 0
        if missing:
            listed = ", ".join(
                f"{name or 'unknown providers'} (${rounded(missing[name]):,})" for name in sorted(missing)
            )
            yield f"not compared, as there are no charges of them: {listed}"

    def _passes(self, row: Mapping[str, Any], columns: Sequence[str] = WHERE) -> bool:
        return all(filters.matches(each, row) for each in self.where if each.column in columns)

    def _cells(self, provider: str, lines: Sequence[Line], days: Days | None) -> dict[Key, Cell]:
        theirs: dict[Key, list[Line]] = defaultdict(list)
        labels = self.labels
        whole = {line.span for line in lines if line.kind not in OF_KIND and not (line.model or line.item)}
        if days is None:
            for line in lines:
                theirs[_key_of(line, whole, labels)].append(line)
            return {key: Cell(Usage(), of_one, 1) for key, of_one in theirs.items()}
        rows = self._rows(self.engine, provider, days, labels)
        ours = rows.used()
        labels = self._told(provider, lines, ours)
        if labels != self.labels:
            rows = replace(rows, labels=labels)
            ours = rows.used()
        self._add_copies(rows, ours)
        for line in lines:
            theirs[_key_of(line, whole, labels)].append(line)
        used, reported = _merged(ours, whole), _merged(self._reported(rows), whole)

        def cell(key: Key, usage: Usage) -> Cell:
            return Cell(
                usage,
                theirs.get(key, []),
                days.rounding,
                key.item,
                reported.get(key),
                days.states_modes,
                self._factor(key, days),
            )

        cells = {key: cell(key, used.get(key, Usage())) for key in {**dict.fromkeys(used), **theirs}}
        self._shift(rows, days, whole, cells, cell)
        return {key: cells[key] for key in sorted(cells, key=_order) if cells[key].is_any}

    def _rows(self, engine: Engine, provider: str, days: Days, labels: tuple[bool, ...]) -> Rows:
        known = self.names.get(provider, frozenset()) if engine is self.engine else frozenset[Any]()
        return Rows(engine, self.book, provider, known, days, self.grain, labels, self._passes)

    def _told(self, provider: str, lines: Sequence[Line], ours: Mapping[Key, Usage]) -> tuple[bool, ...]:
        """Which labels are compared: those of conditions, and those of which the two sides share a value."""
        told = list(self.labels)
        for place, name in enumerate(LABELS):
            if told[place] and name not in {each.column for each in self.where}:
                of_theirs = {line.labels[place] for line in lines} - {None}
                of_ours = {key.labels[place] for key in ours} - {None}
                if of_theirs.isdisjoint(of_ours):
                    told[place] = False
                    self.notes.append(f"{provider}: not told apart by {name}, as no name is on both sides")
        return tuple(told)

    def _reported(self, rows: Rows) -> dict[Key, Usage]:
        """The provider's own count of what was used: of what came with the bill, else of the ledger."""
        if self.beside is not None:
            known = names(self.beside, self.book).get(rows.provider, frozenset())
            if known and (found := replace(rows, engine=self.beside, names=known).used(reports=True)):
                return found
        return rows.used(reports=True)

    def _add_copies(self, rows: Rows, ours: Mapping[Key, Usage], shift: int = 0) -> None:
        # Calls that are alike may differ in their modes, of which a condition would see the one alone.
        if all(each.column != "mode" for each in self.where):
            rows.add_copies(ours, shift)

    def _shift(self, rows: Rows, days: Days, whole: set[Span], cells: dict[Key, Cell], cell: Any) -> None:
        """Look for series whose calls happened at other times by the bill, and put them there."""
        if not all(each.is_day for each in days.spans):
            return
        slots: dict[Series, Counter[int]] | None = None
        for (model, labels), of_one in _series(cells).items():
            if sum(not each.agrees for each in of_one.values()) < LEAST:
                continue
            if slots is None:
                slots = _slots(rows, bool(whole))
            keys = {
                day: Key(rows.provider, Span(day, day + 1), model, None, labels)
                for day in range(*days.covered)
            }
            every = {day: of_one.get(day) or cell(key, Usage()) for day, key in keys.items()}
            found = shift_of(slots.get((model, labels), {}), days, every)
            if found is None:
                continue
            shift, why = found
            moved = rows.used(shift)
            self._add_copies(rows, moved, shift)
            moved = _merged(moved, whole)
            for day, key in keys.items():
                after = cell(key, moved.get(key, Usage()))
                after.moved, after.moved_why = every[day].ours.cost - after.ours.cost, why
                cells[key] = after

    def _factor(self, key: Key, days: Days) -> Factor:
        # Slow to import for the reports that need none of it.
        from costctl.pricing import price as prices

        moment = instant_at(days.instant(key.span.first)).replace(tzinfo=None)

        def factor(mode: str, token: str | None) -> Fraction | None:
            if key.model is None:
                return None
            rows = self.book.rows_for([(key.provider, key.model)])[key.provider, key.model]
            standard, other_mode = (
                prices.row_of(rows, prices.Usage(moment, each, grain="bucket")) for each in ("standard", mode)
            )
            kinds = [token] if token else [name.removesuffix("_tokens") for name in PRICED_TOKENS]
            parts = {
                Fraction(getattr(other_mode, kind) or 0, getattr(standard, kind))
                for kind in kinds
                if standard and other_mode and getattr(standard, kind)
            }
            return parts.pop() if len(parts) == 1 else None

        return factor


def _described(line: Line) -> dict[str, str | None]:
    return {"provider": line.provider, "model": line.model, "mode": line.mode, "kind": line.kind,
            **dict(zip(LABELS, line.labels, strict=True))}  # fmt: skip


def _key_of(line: Line, whole: set[Span], labels: tuple[bool, ...]) -> Key:
    told = tuple(value if is_told else None for value, is_told in zip(line.labels, labels, strict=True))
    if line.kind in OF_KIND and line.model is None:
        return Key(line.provider, line.span, None, line.kind, told)
    if line.span in whole:
        return Key(line.provider, line.span, None, None, told)
    return Key(line.provider, line.span, line.model, line.item, told)


def _merged(ours: Mapping[Key, Usage], whole: set[Span]) -> dict[Key, Usage]:
    """``ours`` with nothing told apart in the times of which the bill states a whole."""
    found: dict[Key, Usage] = defaultdict(Usage)
    for key, usage in ours.items():
        found[key._replace(model=None, item=None) if key.span in whole else key].add(usage)
    return dict(found)


def _slots(rows: Rows, whole: bool) -> dict[Series, Counter[int]]:
    found = rows.slots(items=whole)
    if not whole:
        return found
    merged: dict[Series, Counter[int]] = defaultdict(Counter)
    for (_, labels), slots in found.items():
        merged[None, labels].update(slots)
    return merged


def _series(cells: Mapping[Key, Cell]) -> dict[Series, dict[int, Cell]]:
    """The cells of each model and labels by day, items apart."""
    found: dict[Series, dict[int, Cell]] = defaultdict(dict)
    for key, cell in cells.items():
        if key.item is None and key.span.is_day:
            found[key.model, key.labels][key.span.first] = cell
    return found


def _order(key: Key) -> tuple[object, ...]:
    return key.span, key.model or "", key.item or "", tuple(each or "" for each in key.labels)
