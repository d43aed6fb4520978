"""An answer in another currency: each amount beside itself in USD."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from costctl.currency import USD, Rate
from costctl.report import Cell, Chart, Column, Conversion, Kind, Quantity, Report


def in_currency(report: Report, rate: Rate) -> Report:
    """``report`` with a second column (or figure) after each one of money in USD: ``cost_twd`` after
    ``cost``, the exact product of the amount and ``rate``. People are shown the second one only; a note gives
    the rate and its day. All amounts are converted at this one rate. A report without money stays as it is.
    """
    converted = _twins(rate, report.columns)
    figures = _twins(rate, report.figure_columns)
    if not any((*converted, *figures)):
        return report
    twins = {
        column.name: twin.name
        for column, twin in zip(report.columns, converted, strict=True)
        if twin is not None
    }
    values: dict[str, Cell] = {}
    for column, twin in zip(report.figure_columns, figures, strict=True):
        values[column.name] = report.figures[column.name]
        if twin is not None:
            values[twin.name] = _amount(rate, report.figures[column.name])
    source = f" ({rate.source})" if rate.source else ""
    return replace(
        report,
        columns=tuple(_beside(report.columns, converted)),
        rows=[_row(rate, row, converted) for row in report.rows],
        totals=None if report.totals is None else _row(rate, report.totals, converted),
        charts=tuple(_chart(rate, chart, twins) for chart in report.charts),
        figures=values,
        figure_columns=tuple(_beside(report.figure_columns, figures)),
        conversion=Conversion(rate.currency, rate.per_usd, rate.day.isoformat()),
        notes=(
            *report.notes,
            f"Amounts are in {rate.currency}: 1 USD is {rate.per_usd:f} {rate.currency}, the rate of "
            f"{rate.day.isoformat()}{source}.",
        ),
    )


def _twins(rate: Rate, columns: Sequence[Column]) -> list[Column | None]:
    """The column beside each one, under a name that no other has; None where that has no money in USD."""
    names = {column.name for column in columns}
    twins: list[Column | None] = []
    for column in columns:
        unit = _unit(rate, column.kind, column.unit)
        if unit is None and column.kind != "mixed":
            twins.append(None)
            continue
        name = f"{column.name}_{rate.currency.lower()}"
        while name in names:  # a pivot has a column for each model, whatever that is called
            name += "_"
        names.add(name)
        twins.append(replace(column, name=name, unit=unit or ""))
    return twins


def _unit(rate: Rate, kind: Kind, unit: str) -> str | None:
    """``TWD/call`` for ``USD/call``; None for what is no money in USD."""
    currency, slash, per = unit.partition("/")
    return f"{rate.currency}{slash}{per}" if kind == "money" and currency in {USD, ""} else None


def _beside(columns: Iterable[Column], twins: Iterable[Column | None]) -> Iterable[Column]:
    for column, twin in zip(columns, twins, strict=True):
        yield column if twin is None else replace(column, hidden=True)
        if twin is not None:
            yield twin


def _chart(rate: Rate, chart: Chart, twins: Mapping[str, str]) -> Chart:
    if chart.column not in twins:
        return chart
    full = rate.of(chart.full) if isinstance(chart.full, int) else chart.full
    gone = None if chart.gone is None else twins.get(chart.gone)
    return replace(chart, column=twins[chart.column], full=full, gone=gone)


def _row(rate: Rate, row: Sequence[Cell], twins: Sequence[Column | None]) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for value, twin in zip(row, twins, strict=True):
        cells.append(value)
        if twin is not None:
            cells.append(_amount(rate, value))
    return tuple(cells)


def _amount(rate: Rate, value: Cell) -> Cell:
    if isinstance(value, Quantity):  # what is no money stands in both columns: people see the second only
        unit = _unit(rate, value.kind, value.unit)
        if unit is None or not isinstance(value.value, int):
            return value
        return Quantity("money", rate.of(value.value), unit)
    return rate.of(value) if isinstance(value, int) else None
