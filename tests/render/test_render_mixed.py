"""Rows that measure different things: each number in its own kind, in every output."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from costctl.analysis import in_currency
from costctl.currency import Rate
from costctl.render.csv import write_csv
from costctl.render.json import write_json
from costctl.render.markdown import write_markdown
from costctl.render.parquet import write_parquet
from costctl.render.table import write_table
from costctl.report import Cell, Column, Quantity, Report

MEASURES = Report(
    command="compare",
    title="Measures",
    columns=(Column("measure", "text"), Column("after", "mixed")),
    rows=[
        ("cost", Quantity("money", 1_500_000_000_000)),
        ("cost per request", Quantity("money", 13_823_529_411, "USD/call")),
        ("cache hits", Quantity("percent", Decimal("0.78"))),
        ("mean latency", Quantity("duration", Decimal("980.125"))),
        ("requests", Quantity("count", 3_060_000)),
        ("success", None),
    ],
)


def test_people_see_each_in_its_own_form() -> None:
    table, md = io.StringIO(), io.StringIO()
    write_table(MEASURES, table, width=80, color=False)
    write_markdown(MEASURES, md)
    shown = ["$1.50", "$0.0138", "78.0%", "980 ms", "3,060,000", "–"]
    assert [line.split("  ")[-1].strip() for line in table.getvalue().splitlines()[-6:]] == shown
    assert [line.split("|")[2].strip() for line in md.getvalue().splitlines()[-6:]] == shown
    assert "| ---: |" in md.getvalue()


def test_programs_read_exact_numbers(tmp_path: Path) -> None:
    exact = ["1.50", "0.013823529411", "0.78", "980.125", "3060000"]
    written = io.StringIO()
    write_csv(MEASURES, written)
    assert [line.split(",")[1] for line in written.getvalue().splitlines()[1:]] == [*exact, ""]
    written = io.StringIO()
    write_json(MEASURES, written)
    rows = json.loads(written.getvalue(), parse_float=Decimal, parse_int=Decimal)["rows"]
    assert [row["after"] for row in rows] == [*map(Decimal, exact), None]
    import pyarrow.parquet as pq

    with (tmp_path / "measures.parquet").open("wb") as stream:
        write_parquet(MEASURES, stream)
    column = pq.read_table(tmp_path / "measures.parquet")["after"]
    assert column.to_pylist() == [*map(Decimal, exact), None]


@pytest.mark.parametrize(
    "cell", [1, Decimal("1.5"), "1", Quantity("money", Decimal("1.5")), Quantity("mixed", 1)]
)
def test_a_number_without_its_kind_is_refused(cell: Cell) -> None:
    report = Report("compare", "t", (Column("after", "mixed"),), [(cell,)])
    for write in (write_csv, write_json, write_markdown):
        with pytest.raises(TypeError):
            write(report, io.StringIO())


def test_a_quantity_needs_a_column_of_mixed_kinds() -> None:
    report = Report("compare", "t", (Column("after", "money"),), [(Quantity("money", 1),)])
    with pytest.raises(TypeError):
        write_json(report, io.StringIO())


def test_in_another_currency_only_money_is_converted() -> None:
    converted = in_currency(MEASURES, Rate("TWD", Decimal(32), date(2024, 10, 1)))
    assert [column.name for column in converted.columns] == ["measure", "after", "after_twd"]
    assert [row[1] for row in converted.rows] == [row[1] for row in MEASURES.rows]
    assert [row[2] for row in converted.rows] == [
        Quantity("money", Decimal("48.0"), "TWD"),
        Quantity("money", Decimal("0.442352941152"), "TWD/call"),
        *(row[1] for row in MEASURES.rows[2:]),
    ]
    table = io.StringIO()
    write_table(converted, table, width=80, color=False)
    assert "TWD 48.00" in table.getvalue()
    assert "$" not in table.getvalue()
