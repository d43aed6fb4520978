"""A report in another currency: amounts stand beside those in USD, and people see them instead."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.analysis import in_currency
from costctl.currency import Rate
from costctl.render import Format, render
from costctl.report import Chart, Column, Conversion, Report

TWD = Rate("TWD", Decimal("31.65"), date(2024, 10, 1), "our bank")
JPY = Rate("JPY", Decimal("143.25"), date(2024, 10, 1))
USD = 10**12


def report(**changes: Any) -> Report:
    said: dict[str, Any] = {
        "columns": (
            Column("team", "text"),
            Column("cost", "money"),
            Column("share", "percent"),
            Column("cost_per_request", "money", "USD/call", wide=True),
        ),
        # 100 and 1 USD, at 0.01 and 0.25 USD a call.
        "rows": [("search", 100 * USD, Decimal("0.990099"), USD // 100), ("ads", USD, None, USD // 4)],
        "totals": (None, 101 * USD, Decimal(1), None),
        "charts": (Chart("bar", "share"), Chart("spark", "cost")),
        "figures": {"cost": 12 * USD, "growth": Decimal("0.5")},
        "figure_columns": (Column("cost", "money"), Column("growth", "percent")),
        "notes": ("as it is",),
    }
    return Report("report", "Cost by team", **(said | changes))


def rendered(answer: Report, format: Format) -> str:
    stream = io.StringIO()
    render(answer, format, stream=stream, width=100, color=False)
    return stream.getvalue()


def test_a_bar_of_money_stays_what_it_is() -> None:
    answer = in_currency(report(charts=(Chart("bar", "cost", 200 * USD, gone="cost_per_request"),)), TWD)
    # 200 x 31.65
    assert answer.charts == (Chart("bar", "cost_twd", Decimal(6330), gone="cost_per_request_twd"),)


def test_each_amount_in_usd_has_another_beside_it() -> None:
    answer = in_currency(report(), TWD)
    assert [(each.name, each.unit, each.hidden) for each in answer.columns] == [
        ("team", "", False),
        ("cost", "USD", True),
        ("cost_twd", "TWD", False),
        ("share", "fraction", False),
        ("cost_per_request", "USD/call", True),
        ("cost_per_request_twd", "TWD/call", False),
    ]
    # 100 x 31.65, 0.01 x 31.65; 1 x 31.65, 0.25 x 31.65; 101 x 31.65.
    assert answer.rows == [
        ("search", 100 * USD, Decimal("3165"), Decimal("0.990099"), USD // 100, Decimal("0.3165")),
        ("ads", USD, Decimal("31.65"), None, USD // 4, Decimal("7.9125")),
    ]
    assert answer.totals == (None, 101 * USD, Decimal("3196.65"), Decimal(1), None, None)
    # 12 x 31.65
    assert answer.figures == {"cost": 12 * USD, "cost_twd": Decimal("379.80"), "growth": Decimal("0.5")}
    assert [each.column for each in answer.charts] == ["share", "cost_twd"]
    assert answer.conversion == Conversion("TWD", Decimal("31.65"), "2024-10-01")
    assert answer.notes == (
        "as it is",
        "Amounts are in TWD: 1 USD is 31.65 TWD, the rate of 2024-10-01 (our bank).",
    )


def test_programs_get_both_exactly() -> None:
    document = json.loads(rendered(in_currency(report(), TWD), "json"), parse_float=Decimal)
    assert document["currency"] == "USD"
    assert document["conversion"] == {"currency": "TWD", "rate": Decimal("31.65"), "date": "2024-10-01"}
    row = document["rows"][1]
    assert (row["cost"], row["cost_twd"], row["cost_per_request_twd"]) == (
        Decimal("1.00"),
        Decimal("31.65"),
        Decimal("7.9125"),
    )
    assert rendered(in_currency(report(), TWD), "csv").splitlines()[1] == (
        '"search",100.00,3165.00,0.990099,0.01,0.3165'
    )


def test_without_a_currency_the_key_is_null() -> None:
    assert json.loads(rendered(report(), "json"))["conversion"] is None


@pytest.mark.parametrize("format", ["table", "md"])
def test_people_see_the_other_currency_only(format: Format) -> None:
    text = rendered(in_currency(report(), TWD), format)
    assert "$" not in text
    assert "TWD 3,165.00" in text
    assert "TWD 3,196.65" in text
    assert "TWD 379.80" in text
    assert "cost twd" not in text


def test_a_currency_without_decimal_places_has_none() -> None:
    text = rendered(in_currency(report(), JPY), "table")
    # 100 x 143.25 = 14,325; 1 x 143.25; 101 x 143.25 = 14,468.25
    assert "JPY 14,325 " in text
    assert "JPY 143 " in text
    assert "JPY 14,468 " in text


@given(st.integers(-(10**18), 10**18), st.decimals(min_value="0.0001", max_value=10**5, places=8))
def test_what_is_shown_is_the_exact_amount_rounded_half_even(pico: int, per_usd: Decimal) -> None:
    rate = Rate("TWD", per_usd, date(2024, 10, 1))
    answer = in_currency(report(rows=[("search", pico, None, None)]), rate)
    exact = answer.rows[0][2]
    assert isinstance(exact, Decimal)
    if abs(exact) >= Decimal("0.01"):
        shown = rendered(answer, "md").split("| search | ")[1].split(" |")[0]
        assert Decimal(shown.replace("TWD ", "").replace(",", "")) == round(exact, 2)


def test_money_in_other_currencies_and_none_at_all_stay() -> None:
    invoice = report(
        columns=(Column("item", "text"), Column("amount", "money", "EUR")),
        rows=[("support", 5 * USD)],
        totals=None,
        charts=(),
        figures={},
        figure_columns=(),
    )
    assert in_currency(invoice, TWD) is invoice


def test_a_name_that_is_taken_is_left_to_its_owner() -> None:
    pivot = report(
        columns=(Column("day", "time"), Column("m", "money"), Column("m_twd", "money")),
        rows=[("2024-10-01", USD, 2 * USD)],
        totals=None,
        charts=(),
    )
    answer = in_currency(pivot, TWD)
    assert [each.name for each in answer.columns] == ["day", "m", "m_twd_", "m_twd", "m_twd_twd"]
    assert answer.rows == [("2024-10-01", USD, Decimal("31.65"), 2 * USD, Decimal("63.30"))]
