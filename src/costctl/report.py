"""A report is a plain value: typed columns, rows, totals, where they come from. Renderers turn it to text."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Kind = Literal["text", "time", "count", "tokens", "money", "percent", "number", "duration", "mixed"]
"""What a column holds.

``money`` integer pico-dollars, or in another currency the exact amount as Decimal · ``tokens`` and ``count``
integers · ``percent`` a fraction as Decimal (0.25 is 25 %) · ``number`` Decimal · ``duration`` milliseconds,
int or Decimal · ``time`` ISO 8601 text · ``text`` · ``mixed`` a :class:`Quantity`, for rows that measure
different things.
"""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that brings its ``kind``, one of those above, and its unit."""

    kind: Kind
    value: int | Decimal
    unit: str = ""


Cell = int | Decimal | str | Quantity | None
"""None is unknown, which is not 0. A ``bool`` is written as the texts "true" and "false"."""

TEXT_KINDS: frozenset[Kind] = frozenset({"text", "time"})
"""The kinds whose cells are ``str``; the cells of all others are numbers."""

UNITS: dict[Kind, str] = {"money": "USD", "tokens": "tokens", "duration": "ms", "percent": "fraction"}
"""The unit of a column that names none."""

SCHEMA_VERSION = 1
"""Of the JSON of every report, outcome and error. Keys are only ever added to it."""

REPORT_KEYS: tuple[str, ...] = (
    "schema_version",
    "command",
    "title",
    "period",
    "filters",
    "currency",
    "conversion",
    "columns",
    "rows",
    "totals",
    "complete",
    "unpriced",
    "rejected_lines",
    "price_books",
    "notes",
    "as_of",
)
"""The top-level keys of a report's JSON, in order; its figures follow. No figure may have one of these names.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """``name`` is the stable key in JSON and CSV; ``title`` heads the table. ``wide`` columns are shown in a
    table only where the terminal has room; every other output always has them.

    ``unit`` defaults to that of the kind (:data:`UNITS`). Money in another currency has its code as unit
    (``TWD``): an integer counts 1e-12 of it, a Decimal is the amount; a unit cost names what it is a cost of
    (``USD/call``). ``hidden`` columns are for programs: people see another that says the same.
    """

    name: str
    kind: Kind
    unit: str = ""
    title: str = ""
    wide: bool = False
    hidden: bool = False

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " "))
        if not self.unit:
            object.__setattr__(self, "unit", UNITS.get(self.kind, ""))


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
    """How a table shows a column as a picture: ``bar`` of each row's share of ``full``, by default the
    column's greatest value, or ``spark``, one line of the column's values in row order. ``column`` names a
    column of the report, and so does ``gone``: a bar goes on in a lighter tone by what that one says, as the
    steps of a waterfall do by what each has taken away."""

    form: Literal["bar", "spark"]
    column: str
    full: int | Decimal | None = None
    gone: str | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """The rate by which amounts in USD stand in another currency too: how much of ``currency`` one USD is,
    and since which day (ISO 8601)."""

    currency: str
    rate: Decimal
    date: str


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of one question. ``rows`` are tuples as long as ``columns``; ``totals`` likewise or None.

    Raises :class:`ValueError` where names repeat or parts do not fit each other; rows are checked when
    rendered.
    """

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
    conversion: Conversion | None = None
    """Of the columns in another currency, where there are some."""

    def __post_init__(self) -> None:
        names = _distinct(self.columns)
        figures = _distinct(self.figure_columns)
        if self.totals is not None and len(self.totals) != len(names):
            raise ValueError(f"{len(self.totals)} totals for {len(names)} columns")
        charted = {name for chart in self.charts for name in (chart.column, chart.gone) if name is not None}
        if unknown := charted - names:
            raise ValueError(f"charts of unknown columns: {sorted(unknown)}")
        if figures != self.figures.keys():
            raise ValueError(f"figures without column or value: {sorted(figures ^ self.figures.keys())}")
        if taken := figures.intersection(REPORT_KEYS):
            raise ValueError(f"figures named as a report's own keys: {sorted(taken)}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did: figures for the top level of JSON, in order, and sentences for people.

    ``columns`` gives name, kind and unit of each figure; a value may also be a dict or list of plain values.
    """

    command: str
    columns: tuple[Column, ...]
    values: tuple[object, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _distinct(self.columns)
        if len(self.values) != len(self.columns):
            raise ValueError(f"{len(self.values)} values for {len(self.columns)} columns")


def _distinct(columns: tuple[Column, ...]) -> set[str]:
    """The columns' names. Raises :class:`ValueError` where two are the same: JSON objects could not hold
    both.
    """
    names = {column.name for column in columns}
    if len(names) < len(columns):
        raise ValueError(f"repeated column names: {[column.name for column in columns]}")
    return names
