"""Reports, outcomes and errors as JSON with exact numbers.

Written by hand over the standard library's string encoder, because ``json.dumps`` knows no exact decimal and
would hold a copy of all rows. Numbers have the canonical form of :mod:`costctl.render.cells`; read them back
with ``json.loads(text, parse_float=Decimal)``. Every key is always there; ``null`` is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TextIO

from costctl.render.cells import exact, text
from costctl.render.printable import UNPRINTABLE
from costctl.report import (
    REPORT_KEYS,
    SCHEMA_VERSION,
    TEXT_KINDS,
    Cell,
    Column,
    Conversion,
    Outcome,
    Report,
)

_PLAIN = Column("value", "number")


def write_json(report: Report | Outcome, stream: TextIO) -> None:
    """Write one JSON document and a newline, row by row. Keys stand in the order of ``REPORT_KEYS``, figures
    last.

    Raises :class:`TypeError` and :class:`ValueError` where a cell is not of its column's kind.
    """
    members = _outcome(report) if isinstance(report, Outcome) else _report(report)
    for number, (key, parts) in enumerate(members):
        stream.write(f"{',' if number else '{'}\n  {string(key)}: ")
        for part in parts:
            stream.write(part)
    stream.write("\n}\n")


def error_document(
    code: str, message: str, *, file: str | None = None, line: int | None = None, hint: str | None = None
) -> str:
    """``{"error": {"code", "message", "file", "line", "hint"}}`` on one line, for standard error."""
    members = {"code": code, "message": message, "file": file, "line": line, "hint": hint}
    return f'{{"error": {plain(members)}}}'


def without_rows(report: Report) -> str:
    """The report's JSON document with ``rows`` empty: what a Parquet file keeps as metadata."""
    members = (
        f"{string(key)}: {'[]' if key == 'rows' else ''.join(parts)}" for key, parts in _report(report)
    )
    return f"{{{', '.join(members)}}}"


def string(value: str) -> str:
    """A JSON string; control, invisible and reordering code points and lone surrogates as ``\\u`` escapes."""
    return UNPRINTABLE.sub(_escaped, encode_basestring(value))


def plain(value: object) -> str:
    """A value of ``None``, ``bool``, ``int``, ``Decimal``, ``str``, or a dict or list of such, in one line.

    Raises :class:`TypeError` for anything else, above all a float.
    """
    return _value(_PLAIN, value)


def _report(report: Report) -> Iterator[tuple[str, Iterable[str]]]:
    span = report.period
    unpriced = report.unpriced
    values: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "command": report.command,
        "title": report.title,
        "period": None if span is None else {"start": span.start, "end": span.end, "timezone": span.timezone},
        "filters": report.filters,
        "currency": "USD",
        "conversion": _conversion(report.conversion),
        "complete": report.complete,
        "unpriced": {"calls": unpriced.calls, "tokens": unpriced.tokens, "models": unpriced.models},
        "rejected_lines": report.rejected_lines,
        "price_books": report.price_books,
        "notes": report.notes,
        "as_of": report.as_of,
    }
    keys = [f"{string(column.name)}: " for column in report.columns]
    for key in REPORT_KEYS:
        if key == "columns":
            columns = ({"name": each.name, "kind": each.kind, "unit": each.unit} for each in report.columns)
            yield key, _lines(plain(column) for column in columns)
        elif key == "rows":
            yield key, _lines(_row(report.columns, keys, row) for row in report.rows)
        elif key == "totals":
            yield key, ["null" if report.totals is None else _row(report.columns, keys, report.totals)]
        else:
            yield key, [plain(values[key])]
    for column in report.figure_columns:
        yield column.name, [_cell(column, report.figures[column.name])]


def _conversion(conversion: Conversion | None) -> dict[str, object] | None:
    if conversion is None:
        return None
    return {"currency": conversion.currency, "rate": conversion.rate, "date": conversion.date}


def _outcome(outcome: Outcome) -> Iterator[tuple[str, Iterable[str]]]:
    yield "schema_version", [plain(SCHEMA_VERSION)]
    yield "command", [plain(outcome.command)]
    for column, value in zip(outcome.columns, outcome.values, strict=True):
        yield column.name, [_value(column, value)]
    yield "notes", [plain(outcome.notes)]


def _lines(items: Iterable[str]) -> Iterator[str]:
    """An array with one item a line."""
    opening = "["
    for item in items:
        yield f"{opening}\n    {item}"
        opening = ","
    yield "[]" if opening == "[" else "\n  ]"


def _row(columns: tuple[Column, ...], keys: list[str], row: tuple[Cell, ...]) -> str:
    cells = (key + _cell(column, value) for key, column, value in zip(keys, columns, row, strict=True))
    return f"{{{', '.join(cells)}}}"


def _cell(column: Column, value: Cell) -> str:
    if value is None:
        return "null"
    return string(text(column, value)) if column.kind in TEXT_KINDS else exact(column, value)


def _value(column: Column, value: object) -> str:
    """A value of an outcome: numbers in it, however deep, are of the column's kind."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return string(value)
    if isinstance(value, dict):
        members = (f"{string(str(key))}: {_value(column, item)}" for key, item in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(column, item) for item in value)}]"
    if isinstance(value, int | Decimal):
        return exact(column, value)
    raise TypeError(f"{column.name} holds {value!r} of type {type(value).__name__}")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
