"""A report as a table for the terminal.

The lines are laid out here and not by rich, which takes 0.3 s per thousand rows; of rich come the cell
widths.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TextIO

from costctl.render.captions import figures, header, outcome_figures, remarks, warnings
from costctl.render.cells import display
from costctl.render.layout import GAP, Layout, Place, lay_out
from costctl.render.pictures import bar, shade, sparkline
from costctl.render.printable import printable
from costctl.render.width import measure, pad, shorten, wrap
from costctl.report import TEXT_KINDS, Cell, Column, Outcome, Report

_STYLES = {"title": "1", "head": "1", "total": "1", "faint": "2", "bar": "36", "warning": "33"}
"""Select Graphic Rendition parameters, of the 16 colours that every theme sets."""

_NAMED_LEFT_OUT = 3
_MAX_TITLE_LINES = 3
_NAME_WIDTH = 40
"""Names in header and footer are shortened to this."""


def write_table(report: Report | Outcome, stream: TextIO, *, width: int, color: bool) -> None:
    """Write header, table, totals, figures, sparklines and footer in lines of at most ``width`` cells (at
    least 20).

    Raises :class:`TypeError` and :class:`ValueError` where a cell is not of its column's kind.
    """
    lines = _outcome(report, width, color) if isinstance(report, Outcome) else _report(report, width, color)
    for line in lines:
        stream.write(line.rstrip() + "\n")


def _report(report: Report, width: int, color: bool) -> Iterator[str]:
    layout = lay_out(report, width)
    for number, sentence in enumerate(header(report, _NAME_WIDTH)):
        yield from _wrapped(sentence, width, "faint" if number else "title", color)
    yield ""
    if report.rows and layout.places:
        yield from _rows(report, layout, color)
    else:
        yield "Nothing to show."
    for block in (_sparklines(report, width, color), _pairs(figures(report), width)):
        if lines := list(block):
            yield ""
            yield from lines
    footer = [
        *((warning, "warning") for warning in warnings(report, _NAME_WIDTH)),
        *((note, "") for note in _notes(report, layout)),
    ]
    if footer:
        yield ""
        for sentence, style in footer:
            yield from _wrapped(sentence, width, style, color)


def _outcome(outcome: Outcome, width: int, color: bool) -> Iterator[str]:
    yield from _pairs(outcome_figures(outcome), width)
    for note in remarks(outcome):
        yield from _wrapped(note, width, "", color)


def _notes(report: Report, layout: Layout) -> list[str]:
    notes = [printable(note) for note in report.notes]
    if layout.left_out:
        titles = [shorten(printable(column.title), 20) for column in layout.left_out[:_NAMED_LEFT_OUT]]
        if len(layout.left_out) > _NAMED_LEFT_OUT:
            titles.append("…")
        count = len(layout.left_out)
        are = "column is" if count == 1 else "columns are"
        notes.append(f"{count:,} {are} left out for want of room ({', '.join(titles)}); --format csv has all")
    return notes


def _rows(report: Report, layout: Layout, color: bool) -> Iterator[str]:
    places = layout.places
    titles = [_title(place) for place in places]
    height = max(map(len, titles))
    for level in range(height):
        # Titles stand on the rule: a short one is blank above, not below.
        line = [title[level - height] if height - level <= len(title) else "" for title in titles]
        yield _paint(_line(places, line, [""] * len(places)), "head", color)
    rule = _paint("─" * (sum(_breadth(place) for place in places) + GAP * (len(places) - 1)), "faint", color)
    yield rule
    bars = [_bars(report, place) for place in places]
    for number in range(len(report.rows)):
        pictures = [column[number] if column else "" for column in bars]
        yield _line(places, [place.texts[number] for place in places], pictures, color)
    if report.totals is not None:
        yield rule
        yield _paint(_line(places, [place.total for place in places], [""] * len(places)), "total", color)


def _line(places: tuple[Place, ...], texts: list[str], pictures: list[str], color: bool = False) -> str:
    parts = []
    for place, text, picture in zip(places, texts, pictures, strict=True):
        parts.append(pad(text, place.width, right=place.column.kind not in TEXT_KINDS))
        if place.bar:
            parts.append(_paint(picture, "bar", color) + " " * (place.bar - measure(picture)))
    return (" " * GAP).join(parts).rstrip()


def _title(place: Place) -> list[str]:
    lines = wrap(place.title, place.width)
    if len(lines) > _MAX_TITLE_LINES:
        lines = [*lines[: _MAX_TITLE_LINES - 1], " ".join(lines[_MAX_TITLE_LINES - 1 :])]
    return [shorten(line, place.width) for line in lines]


def _breadth(place: Place) -> int:
    return place.width + (GAP + place.bar if place.bar else 0)


def _bars(report: Report, place: Place) -> list[str]:
    if not place.bar:
        return []
    values = [_amount(row[place.index]) for row in report.rows]
    chart = next(each for each in report.charts if (each.form, each.column) == ("bar", place.column.name))
    greatest = max((value for value in values if value is not None), default=0)
    full = greatest if chart.full is None else chart.full
    bars = [bar(value, full, place.bar) for value in values]
    if chart.gone is None:
        return bars
    index = next(number for number, column in enumerate(report.columns) if column.name == chart.gone)
    gone = [_amount(row[index]) for row in report.rows]
    return [
        each + shade(value, lost, full, place.bar)
        for each, value, lost in zip(bars, values, gone, strict=True)
    ]


def _sparklines(report: Report, width: int, color: bool) -> Iterator[str]:
    """One line a trend: title, blocks, least and greatest value."""
    for chart in report.charts:
        index = next(number for number, column in enumerate(report.columns) if column.name == chart.column)
        column = report.columns[index]
        values = [_amount(row[index]) for row in report.rows]
        known = [value for value in values if value is not None]
        if chart.form != "spark" or not known:
            continue
        title = shorten(printable(column.title), width // 3)
        span = f"{_short(column, min(known))} to {_short(column, max(known))}"
        room = width - measure(title) - measure(span) - 2 * GAP
        if room > 0:
            blocks = _paint(sparkline(values, room), "bar", color)
            yield (" " * GAP).join((title, blocks, span))


def _short(column: Column, value: int | Decimal) -> str:
    return display(column, value, compact=True)


def _amount(value: Cell) -> int | Decimal | None:
    return value if isinstance(value, int | Decimal) else None


def _pairs(pairs: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Titles and values in two columns; a value that is too long goes on in lines of its own."""
    if not pairs:
        return
    room = width - GAP - max(measure(value) for _, value in pairs)
    column = min(max(measure(title) for title, _ in pairs), max(room, width // 3))
    for title, value in pairs:
        first, *rest = wrap(value, width - column - GAP)
        yield f"{pad(shorten(title, column), column)}{' ' * GAP}{first}"
        for line in rest:
            yield " " * (column + GAP) + line


def _wrapped(sentence: str, width: int, style: str, color: bool) -> Iterator[str]:
    for line in wrap(sentence, width):
        yield _paint(line, style, color)


def _paint(text: str, style: str, color: bool) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color and style and text.strip() else text
