"""What is saved a month, read from the JSON of reports."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.documents import DocumentError
from costctl.simulate.saving import read, read_outlook

OCTOBER = {"start": "2024-10-01T00:00:00+00:00", "end": "2024-11-01T00:00:00+00:00", "timezone": "UTC"}


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(**said: Any) -> Path:
        file = tmp_path / "report.json"
        file.write_text(json.dumps({"command": "simulate", "complete": True, "period": OCTOBER, **said}))
        return file

    return write


def test_the_total_of_a_whole_month(written: Any) -> None:
    saving = read(written(totals={"saving": 200.028}))
    assert saving.monthly == Decimal("200.028")
    assert saving.basis == "that of simulate in report.json, $200.028 in a month"
    assert saving.complete


def test_a_figure_at_the_top_counts_before_the_totals(written: Any) -> None:
    assert read(written(saving=10, totals={"saving": 20})).monthly == 10


def test_a_quarter_is_three_months(written: Any) -> None:
    period = {**OCTOBER, "end": "2025-01-01T00:00:00+00:00"}
    assert read(written(saving=30, period=period)).monthly == 10


def test_summer_time_does_not_make_a_month_longer(written: Any) -> None:
    """October in Berlin has 31 days and an hour."""
    period = {"start": "2024-10-01T00:00:00+02:00", "end": "2024-11-01T00:00:00+01:00"}
    assert read(written(saving=30, period=period)).monthly == 30


def test_other_lengths_are_counted_in_days(written: Any) -> None:
    """73 days are 73 / (365 / 12) = 2.4 months."""
    period = {"start": "2024-01-01T00:00:00+00:00", "end": "2024-03-14T00:00:00+00:00"}
    saving = read(written(saving=24, period=period))
    assert f"{saving.monthly:.9f}" == "10.000000000"
    assert "73 days, of which a month has 365/12" in saving.basis


def test_the_interval_comes_along(written: Any) -> None:
    period = {**OCTOBER, "end": "2024-12-01T00:00:00+00:00"}
    saving = read(written(saving=20, saving_low=16, saving_high=22, period=period))
    assert (saving.low, saving.high) == (8, 11)


def test_calls_without_a_price_are_told(written: Any) -> None:
    saving = read(written(saving=20, complete=False))
    assert not saving.complete
    assert saving.basis.endswith("without the calls that have no price")


def test_what_the_calls_cost_without_it(written: Any) -> None:
    period = {**OCTOBER, "end": "2024-12-01T00:00:00+00:00"}
    saving = read(written(totals={"saving": 20, "cost_before": 100}, period=period))
    assert (saving.monthly, saving.cost) == (10, 50)


def test_a_forecast_of_a_month(written: Any) -> None:
    row = {"period": "2024-10", "forecast": 30, "forecast_low": 25, "forecast_high": 40}
    outlook = read_outlook(written(command="forecast", rows=[row]))
    assert (outlook.expected, outlook.low, outlook.high) == (30, 25, 40)
    assert outlook.basis == "report.json ($30.00 in a month)"


def test_a_forecast_by_team_has_it_in_the_totals(written: Any) -> None:
    totals = {"forecast": 30, "forecast_low": 25, "forecast_high": 40}
    period = {**OCTOBER, "end": "2025-01-01T00:00:00+00:00"}
    outlook = read_outlook(written(command="forecast", rows=[{}, {}], totals=totals, period=period))
    assert (outlook.expected, f"{outlook.low:.4f}", f"{outlook.high:.4f}") == (10, "8.3333", "13.3333")


def test_what_is_no_forecast(written: Any) -> None:
    with pytest.raises(DocumentError, match=r"report.json: a report of simulate that forecasts no period"):
        read_outlook(written(saving=1))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"command": "simulate",\n "saving": }', "report.json:2: it is no JSON: Expecting value"),
        ("[1]", "report.json: it is no report of costctl"),
        ('{"command": "report", "totals": {"cost": 1}}', "report.json: a report of report says no saving"),
        (
            '{"command": "simulate", "saving": 1, "period": {"start": null, "end": null}}',
            "report.json: its period has no end",
        ),
    ],
)
def test_what_is_no_saving(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(DocumentError) as raised:
        read(file)
    assert f"{tmp_path}/{fault}" in str(raised.value)
    assert raised.value.hint
