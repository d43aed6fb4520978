"""What a period will come to, beside its run rate and what a straight continuation would give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from costctl.analysis.calls import Calls, Sums, filters_of
from costctl.analysis.continuation import BOOKS_FORECAST, Continued, Window
from costctl.analysis.daily import Days, added, cost, daily
from costctl.analysis.dimensions import Dimension, Key, dimensions, other, title
from costctl.analysis.grain import grain_of
from costctl.analysis.known import DAY, Known, known
from costctl.analysis.measures import quotient
from costctl.analysis.provenance import span, with_provenance
from costctl.analysis.questions import QuestionError, unknown
from costctl.analysis.to_come import part_come, to_come
from costctl.filters import Filter
from costctl.money import rounded, share, to_pico
from costctl.periods import Period, day_start
from costctl.report import Cell, Column, Report
from costctl.series import METHODS, MOST_HISTORY, Forecast, Method

if TYPE_CHECKING:
    from costctl.ledger import Ledger

_COLUMNS = (
    Column("spent", "money"),
    Column("forecast", "money"),
    Column("forecast_low", "money", title="at least"),
    Column("forecast_high", "money", title="at most"),
    Column("run_rate", "money"),
    Column("annualised", "money"),
    Column("method", "text"),
    Column("days_of_history", "count", "days", wide=True),
    Column("confidence", "text", wide=True),
)

_NEAR = Fraction(1, 100)
"""A figure that is stated with three digits is met by one so near."""


def forecast(
    ledger: Ledger,
    by: str | Iterable[str] = (),
    *,
    period: Period,
    now: datetime,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    method: str | None = None,
    top: int | None = None,
    stated: Decimal | int | None = None,
) -> Report:
    """What ``period`` (whole days of its zone) will have cost at its end, as at ``now`` (aware); one row for
    each combination of ``by``, and one for all.

    ``spent`` is known already; ``forecast`` lies between ``forecast_low`` and ``forecast_high`` in four cases
    of five. ``run_rate`` is the period at the mean of its whole days so far (None before the first is over);
    ``annualised`` is the forecast for a year: 12 months of one, or 365 days. ``method`` follows from the
    length of the history (:func:`costctl.series.forecast`), or is the one of :data:`costctl.series.METHODS`
    that is asked for. A day in progress counts what it has, and what usually comes after that time of day.

    Of a calendar month figures say what the last two whole months give, straightly continued:
    ``continued_level``, ``continued_amount`` (the same growth in USD each month), ``continued_rate`` (in
    percent). A forecast that someone has ``stated``, in USD, is held against all of them in a note. ``top``:
    as many rows, those with the greatest forecast, and one for the rest.

    Raises :class:`QuestionError`, :class:`costctl.filters.FilterError`, :class:`costctl.ledger.LedgerError`.
    """
    asked = labels(by)
    window = Window.of(period)
    passed, of_grain, rule = filters_of(where), grain_of(grain), method_of(method)
    if top is not None and top < 1:
        raise QuestionError(f"the top {top} rows are none", "ask for one at least")
    claim = None if stated is None else _claim(stated)
    with ledger.reading() as engine:
        until = known(engine, now, period.zone)
        if until is None:
            empty = Report("forecast", title(f"Forecast of {period.label}", asked), _columns(asked), [])
            return with_provenance(empty, Calls(engine, period, passed, of_grain), Sums())
        start = min(window.first, until.today - MOST_HISTORY * DAY)
        since = Period(day_start(start, period.zone), until.until, period.zone, "")
        calls = Calls(engine, since, passed, of_grain)
        groups = daily(calls, ((), asked) if asked else ((),), until)
        model = _Model(window, until, rule)
        whole = model.row(groups[0].get((), {}))
        rows = _rows(model, asked, groups[1], top) if asked else [(period.label, *whole.cells)]
        continued = Continued.of(window, until, groups[0].get((), {}))
        if claim is None and continued is not None and continued.is_books_case(window):
            claim = _Claim(to_pico(BOOKS_FORECAST), "the book's case states")
        notes = [
            *model.notes(now, whole, asked),
            *(["the total is forecast by itself: the rows need not add up to it"] if asked else []),
            *([] if continued is None else [continued.said]),
            *([] if claim is None else [claim.said(whole, continued)]),
        ]
        figures = [] if continued is None else continued.figures
        report = Report(
            command="forecast",
            title=title(f"Forecast of {period.label}", asked),
            columns=_columns(asked),
            rows=rows,
            totals=(*(None for _ in asked), *whole.cells) if asked else None,
            figures={column.name: value for column, value in figures},
            figure_columns=tuple(column for column, _ in figures),
            notes=tuple(notes),
        )
        stands_on = replace(calls, period=period) if model.is_over else calls
        report = with_provenance(report, stands_on, stands_on.sums().get((), Sums()))
    return replace(report, period=span(period))


def labels(by: str | Iterable[str]) -> tuple[Dimension, ...]:
    """The dimensions called ``by``, none of which is about time. Raises :class:`QuestionError`."""
    asked = dimensions(by)
    for each in asked:
        if each.is_time:
            raise QuestionError(f"a forecast by {each.name} is none", "as in --by team or --by model")
    return asked


def method_of(name: str | None) -> Method | None:
    """The method called ``name``, whose words may stand between hyphens. Raises :class:`QuestionError`."""
    if name is None:
        return None
    for each in METHODS:
        if each == name.replace("-", " "):
            return each
    raise unknown("method", name, [each.replace(" ", "-") for each in METHODS])


def _columns(asked: Sequence[Dimension]) -> tuple[Column, ...]:
    names = tuple(each.column for each in asked) or (Column("period", "text"),)
    return (*names, *_COLUMNS)


@dataclass(frozen=True, slots=True)
class _Row:
    """What is said of some calls; ``found`` is None without any history."""

    spent: int
    found: Forecast | None
    run_rate: int | None
    annualised: int | None
    is_far: bool
    """Whether the period begins after a longer time that nothing is known of than it lasts."""
    part_come: float | None
    """Which part of today's cost usually has come by now; None where today is none of the period's days."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        if self.found is None:
            return (self.spent, None, None, None, self.run_rate, None, None, 0, None)
        return (
            self.spent,
            self.found.value,
            self.found.low,
            self.found.high,
            self.run_rate,
            self.annualised,
            self.found.method,
            self.found.days_of_history,
            "low" if self.found.is_rough or self.is_far else "usual",
        )


@dataclass(frozen=True, slots=True)
class _Model:
    """How days are continued in a ``window``."""

    window: Window
    known: Known
    method: Method | None

    @property
    def is_over(self) -> bool:
        return self.window.after <= self.known.today

    @property
    def counts_today(self) -> bool:
        return self.window.first <= self.known.today < self.window.after

    @property
    def ahead(self) -> int:
        """How many days before the period are not known."""
        return max(0, (self.window.first - self.known.today).days)

    @property
    def so_far(self) -> int:
        """How many whole days of the period are known."""
        first, after = max(self.window.first, self.known.first), min(self.known.today, self.window.after)
        return max(0, (after - first).days)

    @property
    def before(self) -> int:
        """How many days of the period lie before the ledger's first call."""
        return max(0, (min(self.known.first, self.window.after) - self.window.first).days)

    def row(self, days: Days) -> _Row:
        today, window = self.known.today, self.window
        spent = cost(days, window.first, min(today, window.after))
        begun = cost(days, today, today + DAY) if self.counts_today else 0
        found = None
        if self.before < window.days:
            found = to_come(days, self.known, window.first, window.after, self.method)
        return _Row(
            spent + begun,
            found,
            quotient(spent * window.days, self.so_far) if self.so_far else None,
            None if found is None else window.annualised(found.value),
            self.ahead > window.days,
            part_come(days, self.known) if self.counts_today else None,
        )

    def notes(self, now: datetime, whole: _Row, by: Sequence[Dimension]) -> Iterable[str]:
        until, found = self.known.until, whole.found
        last = (until - timedelta(microseconds=1)).date()
        if self.before:
            is_all = self.before == self.window.days
            of = "of the period" if is_all else f"of {_days(self.before)} of the period, before that,"
            yield f"the first call is of {self.known.first}: {of} nothing is known"
            if is_all:
                return
        if found is None:
            yield "there is no whole day with such calls, from which to continue"
            return
        if self.is_over:
            yield "the period is over: this is what it cost"
            return
        yield "in four of five cases it lies between at least and at most, where usage goes on as it was"
        if whole.part_come:
            part = f"{Decimal(whole.part_come).quantize(Decimal('0.001')):.1%}"
            of_rows = " (of each row its own part)" if by else ""
            yield (
                f"{self.known.today} is known until {until:%H:%M}, by when {part} of a day's cost usually "
                f"has come{of_rows}: the rest is added"
            )
        if (gap := (now.astimezone(until.tzinfo).date() - last).days - 1) > 0:
            yield f"the last call is of {last}: of {_days(gap)} since then nothing is known"
        if self.ahead:
            yield (
                f"nothing is known of {_days(self.ahead)} before the period: the interval is the wider for it"
                + (", and the confidence low" if self.ahead > self.window.days else "")
            )
        if found.is_rough:
            days = _days(found.days_of_history)
            yield f"low confidence: {days} of history tell no weekdays; from 14 on they are known"


def _days(count: int) -> str:
    return f"{count:,} day{'' if count == 1 else 's'}"


def _rows(
    model: _Model, asked: Sequence[Dimension], groups: dict[Key, Days], top: int | None
) -> list[tuple[Cell, ...]]:
    rows = {key: model.row(days) for key, days in groups.items()}
    # What had calls long before the period only, and will cost nothing, is not named.
    rows = {key: row for key, row in rows.items() if row.spent or (row.found and row.found.value)}

    def order(key: Key) -> tuple[int, list[tuple[bool, str]]]:
        row = rows[key]
        value = row.spent if row.found is None else row.found.value
        return -value, [(each is None, str(each)) for each in key]

    keys = sorted(rows, key=order)
    rest = keys[top:] if top is not None else []
    shown: list[tuple[Cell, ...]] = [
        (*(each.label(value) for each, value in zip(asked, key, strict=True)), *rows[key].cells)
        for key in keys[:top]
    ]
    if rest:
        row = model.row(added(groups[key] for key in rest))
        shown.append((*other(len(rest), len(asked)), *row.cells))
    return shown


@dataclass(frozen=True, slots=True)
class _Claim:
    """A forecast that someone else states, in pico-dollars."""

    pico: int
    states: str

    def said(self, whole: _Row, continued: Continued | None) -> str:
        """Whether anything here gives that figure."""
        found = [
            ("the forecast", whole.found.value if whole.found else None),
            ("the run rate", whole.run_rate),
        ]
        if continued is not None:
            found += [
                (f"the level of {continued.month:%Y-%m}", continued.last),
                ("the same growth in USD", continued.amount),
                ("the same growth in percent", continued.rate),
            ]
        known = [(name, value) for name, value in found if value is not None]
        said = f"${rounded(self.pico):,}, which {self.states},"
        if not known:
            return f"{said} cannot be derived: there is no history"
        name, nearest = min(known, key=lambda each: abs(each[1] - self.pico))
        off = share(nearest - self.pico, self.pico)
        value = f"${rounded(nearest):,} ({off:+.1%})"
        if abs(nearest - self.pico) <= _NEAR * self.pico:
            return f"{said} agrees with {name}, {value}"
        inside = whole.found is not None and whole.found.low <= self.pico <= whole.found.high
        return (
            f"{said} cannot be derived from these calls: nearest comes {name}, {value}; it lies "
            f"{'inside' if inside else 'outside'} the interval of the forecast"
        )


def _claim(stated: Decimal | int) -> _Claim:
    try:
        pico = to_pico(stated)
    except ValueError as error:
        raise QuestionError(f"stated: {error}") from None
    if pico <= 0:
        raise QuestionError(f"a stated forecast of {stated} USD is none", "give one above 0")
    return _Claim(pico, "is stated")
