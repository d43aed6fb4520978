"""Rows as CSV after RFC 4180: lines end in CR LF, every text is quoted, no other cell is.

Unknown is an empty cell without quotes, an empty text is ``""``. Numbers have the canonical form of
:mod:`costctl.render.cells`. Totals and notes are left out, so that a column holds one kind of thing and sums
are not doubled.

A spreadsheet runs a cell that begins with ``= + - @``, a tab or a line break (or their full-width forms, or
after blanks) as a formula, so such a *text* gets an apostrophe before it. Which cells are text is known from
the column, never found by looking: money of ``-5.00`` stays, a team called ``-5.00`` becomes ``'-5.00``. A
text that already begins with apostrophes and such a character gets one more, so taking one away restores
every name.
"""

from __future__ import annotations

import re
from typing import TextIO

from costctl.render.cells import exact, text
from costctl.render.json import plain
from costctl.render.printable import printable
from costctl.report import TEXT_KINDS, Cell, Column, Outcome, Report

_FORMULA = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")


def write_csv(report: Report | Outcome, stream: TextIO, *, defuse: bool = True) -> None:
    """Write a header of column names and one record a row. ``stream`` must not translate line ends.

    ``defuse=False`` writes texts as they are, for programs that are no spreadsheet. Other control characters
    than tab, CR and LF are made visible in either case, for a CSV file is also read on a terminal. Raises
    :class:`TypeError` and :class:`ValueError` where a cell is not of its column's kind.
    """
    rows = as_rows(report)
    stream.write(",".join(_quoted(column.name, defuse) for column in rows.columns) + "\r\n")
    for row in rows.rows:
        cells = (_cell(column, value, defuse) for column, value in zip(rows.columns, row, strict=True))
        stream.write(",".join(cells) + "\r\n")


def defused(cell: str) -> str:
    """``cell`` with an apostrophe before it where a spreadsheet might run it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def restored(cell: str) -> str:
    """The text that :func:`defused` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def as_rows(report: Report | Outcome) -> Report:
    """An outcome as a report of one row; what is no single value in it as JSON text. A report as it is."""
    if isinstance(report, Report):
        return report
    fields = [_field(column, value) for column, value in zip(report.columns, report.values, strict=True)]
    columns = tuple(column for column, _ in fields)
    return Report(
        report.command, report.command, columns, [tuple(value for _, value in fields)], notes=report.notes
    )


def _field(column: Column, value: object) -> tuple[Column, Cell]:
    if column.kind in TEXT_KINDS or isinstance(value, bool | str | dict | list | tuple):
        shown = value if value is None or isinstance(value, str) else plain(value)
        return Column(column.name, "text", title=column.title), shown
    return column, value  # type: ignore[return-value]  # its kind is checked when it is written


def _cell(column: Column, value: Cell, defuse: bool) -> str:
    if value is None:
        return ""
    return _quoted(text(column, value), defuse) if column.kind in TEXT_KINDS else exact(column, value)


def _quoted(cell: str, defuse: bool) -> str:
    shown = printable(cell, keep="\t\r\n")
    shown = defused(shown) if defuse else shown
    return '"' + shown.replace('"', '""') + '"'
