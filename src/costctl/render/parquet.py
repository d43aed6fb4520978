"""Rows as a Parquet file, through PyArrow.

Types: money ``decimal128(38, 12)`` in USD, exact; ``count`` and ``tokens`` ``int64``; ``percent``, ``number``
and ``duration`` ``decimal128(38, 12)`` too, rounded half-even to 12 places, so that a column has the same
type in every file; ``text`` and ``time`` ``string``. The report's JSON document without its rows stands in
the schema's metadata under ``costctl``; kind and unit of each column in that of its field.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, BinaryIO

from costctl.render.cells import exact, text
from costctl.render.csv import as_rows
from costctl.render.json import without_rows
from costctl.report import TEXT_KINDS, Cell, Column, Outcome, Report

if TYPE_CHECKING:
    import pyarrow as pa

_PLACES = Decimal("1E-12")
_DIGITS = Context(prec=400, rounding=ROUND_HALF_EVEN)


def write_parquet(report: Report | Outcome, stream: BinaryIO) -> None:
    """Write the file to ``stream``. The same report gives the same bytes with the same PyArrow.

    Raises :class:`TypeError` where a cell is not of its column's kind, :class:`ValueError` (Arrow's own
    errors are such) where a number does not fit the column's type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = as_rows(report)
    arrays = [_array(rows, index) for index in range(len(rows.columns))]
    fields = [
        pa.field(
            _encodable(column.name),
            array.type,
            metadata={"kind": column.kind, "unit": _encodable(column.unit)},
        )
        for column, array in zip(rows.columns, arrays, strict=True)
    ]
    schema = pa.schema(fields, metadata={"costctl": without_rows(rows)})
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), stream, compression="zstd")


def _array(report: Report, index: int) -> pa.Array:
    import pyarrow as pa

    column = report.columns[index]
    cells = (_cell(column, row[index]) for row in report.rows)
    if column.kind in TEXT_KINDS:
        return pa.array(cells, pa.string())
    integers = column.kind in {"count", "tokens"}
    return pa.array(cells, pa.int64() if integers else pa.decimal128(38, 12))


def _cell(column: Column, value: Cell) -> Cell:
    if value is None:
        return None
    if column.kind in TEXT_KINDS:
        return _encodable(text(column, value))
    digits = exact(column, value)
    if column.kind in {"count", "tokens"}:
        return value
    return Decimal(digits).quantize(_PLACES, context=_DIGITS)


def _encodable(value: str) -> str:
    """``value`` with lone surrogates, which UTF-8 cannot hold, shown as ``\\ud800``."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
