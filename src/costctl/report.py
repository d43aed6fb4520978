"""A report is a plain value: typed columns, rows, totals and where they come from. Renderers turn it to text."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Kind = Literal["text", "time", "count", "tokens", "money", "percent", "number", "duration"]
"""What a column holds.

``money`` integer pico-dollars · ``tokens`` and ``count`` integers · ``percent`` a fraction as Decimal (0.25 is
25 %) · ``number`` Decimal · ``duration`` milliseconds, int or Decimal · ``time`` ISO 8601 text · ``text``.
"""

Cell = int | Decimal | str | None
"""None is unknown, which is not 0. A ``bool`` is written as the texts "true" and "false"."""


@dataclass(frozen=True, slots=True)
class Column:
    """``name`` is the stable key in JSON and CSV; ``title`` heads the table. ``wide`` columns are shown in a
    table only where the terminal has room; every other output always has them."""

    name: str
    kind: Kind
    unit: str = ""
    title: str = ""
    wide: bool = False

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " "))


@dataclass(frozen=True, slots=True)
class Span:
    """The half-open period a report speaks of, in ISO 8601 with offset; None is unbounded."""

    start: str | None
    end: str | None
    timezone: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Calls without a price: their number, their tokens, and the models (or units) that lack one."""

    calls: int = 0
    tokens: int = 0
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """How a table shows a column as a picture: ``bar`` of each row's share of the column's greatest value, or
    ``spark``, one line of the column's values in row order. ``column`` names a column of the report."""

    form: Literal["bar", "spark"]
    column: str


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of one question. ``rows`` are tuples as long as ``columns``; ``totals`` likewise or None."""

    command: str
    title: str
    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]
    totals: tuple[Cell, ...] | None = None
    period: Span | None = None
    filters: tuple[str, ...] = ()
    complete: bool = True
    unpriced: Unpriced = field(default_factory=Unpriced)
    rejected_lines: int = 0
    price_books: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences for people: shown under a table, given in JSON."""
    as_of: str | None = None
    calls: int | None = None
    """How many calls the answer stands on; shown in the header."""
    charts: tuple[Chart, ...] = ()
    figures: dict[str, Cell] = field(default_factory=dict)
    """Single values beside the rows (a bill's growth, a budget's overrun), put at the top level of JSON."""
    figure_columns: tuple[Column, ...] = ()
    """Name, kind and unit of each of ``figures``, in order."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did: figures for the top level of JSON, in order, and sentences for people.

    ``columns`` gives name, kind and unit of each figure; a value may also be a dict or list of plain values.
    """

    command: str
    columns: tuple[Column, ...]
    values: tuple[object, ...]
    notes: tuple[str, ...] = ()
