"""Amounts in another currency, by the command line."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.program import Costctl

RATES = "rates:\n  TWD: {2024-10-01: 31.65, 2024-11-01: 32}\n  JPY: {2024-10-01: 143.25}\n"


@pytest.fixture(autouse=True)
def ledger(costctl: Costctl) -> None:
    """A call of October: 1,000,000 tokens in and 400,000 out at 0.25 and 1.25 USD a million: 0.75 USD."""
    usage = costctl.cwd / "usage.jsonl"
    call = {"model": "claude-haiku-3-20250307", "input_tokens": 1_000_000, "output_tokens": 400_000}
    usage.write_text(json.dumps({"timestamp": "2024-10-05T12:00:00Z", **call}) + "\n")
    assert costctl("ingest", usage).code == 0
    (costctl.cwd / "currency.yaml").write_text(RATES)


@pytest.mark.parametrize(
    ("period", "rate", "day"),
    [
        # The rate of the period's last day, ...
        (("--month", "2024-10"), "31.65", "2024-10-01"),
        (("--until", "2024-11-01"), "32", "2024-11-01"),
        # ... of its last instant, which may be midnight, ...
        (("--until", "2024-11-01T00:00"), "31.65", "2024-10-01"),
        # ... or of today, where it is open, or goes on.
        (("--since", "2024-10-01"), "32", "2024-11-01"),
        (("--now", "2024-10-09"), "31.65", "2024-10-01"),
        (("--until", "2024-12-01", "--now", "2024-10-09"), "31.65", "2024-10-01"),
        ((), "32", "2024-11-01"),
    ],
)
def test_one_rate_holds_for_a_report(costctl: Costctl, period: tuple[str, ...], rate: str, day: str) -> None:
    run = costctl("report", "--currency", "TWD", *period, "--format", "json")
    assert run.code == 0
    assert run.json["conversion"] == {"currency": "TWD", "rate": Decimal(rate), "date": day}
    assert run.json["totals"]["cost"] == Decimal("0.75")
    assert run.json["totals"]["cost_twd"] == Decimal(rate) * Decimal("0.75")


def test_the_last_day_is_one_of_the_zone(costctl: Costctl) -> None:
    """In Taipei, November has begun at 16:00 UTC."""
    until = ("report", "--currency", "TWD", "--until", "2024-10-31T17:00Z", "--format", "json")
    assert costctl(*until).json["conversion"]["date"] == "2024-10-01"
    assert costctl(*until, "--tz", "Asia/Taipei").json["conversion"]["date"] == "2024-11-01"


def test_the_setting_has_an_option_a_variable_and_a_key(costctl: Costctl) -> None:
    (costctl.cwd / "costctl.yaml").write_text("currency: JPY\n")
    month = ("bill", "--month", "2024-10")
    # 0.75 x 143.25 = 107.4375 JPY, 0.75 x 31.65 = 23.7375 TWD
    assert "JPY 107 " in costctl(*month).out
    in_twd = costctl(*month, env={"COSTCTL_CURRENCY": "twd"})
    assert "TWD 23.74 " in in_twd.out
    assert "Amounts are in TWD: 1 USD is 31.65 TWD, the rate of 2024-10-01." in in_twd.out
    in_usd = costctl(*month, "--currency", "USD", env={"COSTCTL_CURRENCY": "TWD"})
    assert "$0.75 " in in_usd.out
    assert "TWD" not in in_usd.out


def test_price_lists_and_what_has_no_money_stay_as_they_are(costctl: Costctl) -> None:
    env = {"COSTCTL_CURRENCY": "TWD"}
    assert "$0.25" in costctl("prices", "list", "haiku-3", env=env).out
    assert costctl("sources", env=env).code == 0
    assert (
        costctl("report", "--currency", "TWD", "--columns", "requests", "--format", "json").json["conversion"]
        is None
    )


def test_another_file_of_rates(costctl: Costctl) -> None:
    (costctl.cwd / "currency.yaml").unlink()
    (costctl.cwd / "rates.yaml").write_text("rates:\n  EUR: {2024-01-01: 0.5}\n")
    (costctl.cwd / "costctl.yaml").write_text("currency_file: rates.yaml\n")
    assert "EUR 0.38" in costctl("report", "--currency", "EUR").out  # 0.375, half-even
    env = {"COSTCTL_CURRENCY_FILE": "nowhere.yaml"}
    missing = costctl("report", "--currency", "EUR", env=env)
    assert (missing.code, missing.out) == (1, "")
    assert "nowhere.yaml: cannot be read" in missing.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--currency", "TWN"), 1, "currency.yaml has no rate of TWN"),
        (("--currency", "TWD", "--until", "2024-09-01"), 1, "has no rate of TWD for 2024-09-01"),
        (("--currency", "N$"), 2, "--currency: 'N$' is no currency"),
    ],
)
def test_what_cannot_be_shown(costctl: Costctl, arguments: tuple[str, ...], code: int, message: str) -> None:
    run = costctl("report", *arguments)
    assert (run.code, run.out) == (code, "")
    assert message in run.err


def test_no_file_of_rates(costctl: Costctl) -> None:
    (costctl.cwd / "currency.yaml").unlink()
    run = costctl("report", "--currency", "TWD", "--format", "json")
    assert (run.code, run.error["code"]) == (1, "not_found")
    assert "no currency.yaml" in run.error["message"]
    # Without a wish for a currency, none is needed.
    assert costctl("report").code == 0


def test_a_fault_in_the_rates_is_told_before_the_work(costctl: Costctl) -> None:
    (costctl.cwd / "currency.yaml").write_text("rates:\n  TWD: {2024-10-01: -1}\n")
    run = costctl("report", "--currency", "TWD", "--db", "no.duckdb", "--format", "json")
    assert (run.code, run.error["line"]) == (1, 2)
    assert run.error["message"].endswith("rates.TWD.2024-10-01 must be greater than 0, not '-1'")
