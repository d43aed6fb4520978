"""A report refuses parts that do not fit each other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costctl.report import Chart, Column, Outcome, Report

COLUMNS = (Column("team", "text"), Column("mean_latency_ms", "duration"))


def test_columns_have_the_title_and_unit_of_their_name_and_kind() -> None:
    assert Column("mean_latency_ms", "duration").title == "mean latency ms"
    assert [
        Column("x", kind).unit for kind in ("money", "tokens", "duration", "percent", "count", "text")
    ] == [
        "USD",
        "tokens",
        "ms",
        "fraction",
        "",
        "",
    ]
    assert Column("cost_twd", "money", "TWD").unit == "TWD"


def test_repeated_names_are_refused() -> None:
    with pytest.raises(ValueError, match="repeated"):
        Report("report", "", (*COLUMNS, Column("team", "text")), [])
    with pytest.raises(ValueError, match="repeated"):
        Outcome("ingest", (Column("files", "count"), Column("files", "count")), (1, 2))


def test_totals_and_values_are_as_many_as_columns() -> None:
    with pytest.raises(ValueError, match="1 totals for 2 columns"):
        Report("report", "", COLUMNS, [], totals=(None,))
    with pytest.raises(ValueError, match="0 values for 1 columns"):
        Outcome("ingest", (Column("files", "count"),), ())


def test_charts_name_columns() -> None:
    with pytest.raises(ValueError, match="cost"):
        Report("report", "", COLUMNS, [], charts=(Chart("bar", "cost"),))


def test_figures_have_columns_and_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="growth"):
        Report("bill", "", COLUMNS, [], figures={"growth": Decimal(1)})
    with pytest.raises(ValueError, match="growth"):
        Report("bill", "", COLUMNS, [], figure_columns=(Column("growth", "percent"),))
    with pytest.raises(ValueError, match="own keys"):
        Report("bill", "", COLUMNS, [], figures={"totals": 1}, figure_columns=(Column("totals", "count"),))
