"""``costctl roi`` by the command line."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

pytestmark = pytest.mark.heavy

EXAMPLE = Path(__file__).parents[2] / "roi.example.yaml"

TECHCORP = (
    "--investment",
    "970000",
    "--investment-currency",
    "TWD",
    "--rate",
    "32.0065",
    "--saving",
    "85550",
)


def test_the_published_case(costctl: Costctl) -> None:
    run = costctl("roi", *TECHCORP, "--format", "json")
    assert (run.code, run.err) == (0, "")
    stated = run.json["rows"][0]
    assert (stated["payback_months"], stated["payback_days"]) == (Decimal("0.354253"), Decimal("10.6276"))
    assert (stated["annual_roi_gross"], stated["annual_roi_net"]) == (
        Decimal("33.874096"),
        Decimal("32.874096"),
    )
    assert run.json["monthly_saving_twd"] == Decimal("2738156.075")


def test_a_file_says_the_same(costctl: Costctl) -> None:
    shutil.copy(EXAMPLE, costctl.cwd / "roi.yaml")
    run = costctl("roi", "--plan", "roi.yaml", "--format", "json")
    assert run.json["rows"] == costctl("roi", *TECHCORP, "--format", "json").json["rows"]
    assert "3,385% is claimed" in run.json["notes"][-1]
    rate = costctl("roi", "--plan", "roi.yaml", "--rate", "32", "--format", "json")
    assert rate.json["investment"] == Decimal("30312.50")  # 970,000 / 32
    other = costctl("roi", "--plan", "roi.yaml", "--saving", "6000", "--format", "json")
    assert other.json["monthly_saving"] == 6000


def test_the_rate_is_looked_up(costctl: Costctl) -> None:
    (costctl.cwd / "currency.yaml").write_text("rates: {TWD: {2024-11-01: 32}}\n")
    case = ("roi", "--investment", "320", "--investment-currency", "TWD", "--saving", "1")
    assert costctl(*case, "--format", "json").json["investment"] == 10
    shown = costctl(*case, "--currency", "TWD", "--now", "2024-11-30", "--format", "json").json
    assert (shown["investment_twd"], "investment_twd_" in shown) == (320, False)
    early = costctl(*case, "--now", "2024-10-01")
    assert (early.code, "no rate of TWD for 2024-10-01" in early.err) == (1, True)


def test_a_saving_that_a_report_tells(costctl: Costctl) -> None:
    period = {"start": "2024-10-01T00:00:00+00:00", "end": "2024-11-01T00:00:00+00:00"}
    report = {"command": "simulate", "complete": True, "period": period, "totals": {"saving": 200.028}}
    (costctl.cwd / "simulated.json").write_text(json.dumps(report))
    run = costctl("roi", "--investment", "100", "--saving", "simulated.json", "--format", "json")
    assert run.json["monthly_saving"] == Decimal("200.028")


def test_a_saving_that_a_comparison_tells(costctl: Costctl) -> None:
    """One call of Sonnet a month, of 2 M tokens and then of 1 M, at 3 USD a million: 3 USD less a month, and
    all of it by tokens per call."""
    lines = (
        {"id": str(month), "timestamp": f"2026-0{month}-01T10:00:00Z", "provider": "anthropic",
         "model": "claude-sonnet-4-20250514", "input_tokens": tokens, "output_tokens": 0}
        for month, tokens in ((1, 2_000_000), (2, 1_000_000))
    )  # fmt: skip
    (costctl.cwd / "usage.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    costctl("ingest", "usage.jsonl")
    costctl("compare", "--base", "2026-01", "--with", "2026-02", "--out", "compared.json")
    run = costctl("roi", "--investment", "30", "--saving", "compared.json", "--format", "json")
    assert (run.json["monthly_saving"], run.json["rows"][0]["payback_months"]) == (3, 10)
    assert any("by mix and tokens per call" in note for note in run.json["notes"])


@pytest.mark.parametrize(
    ("options", "fault", "hint"),
    [
        (("--saving", "5"), "nothing is invested", "--investment"),
        (("--investment", "0", "--saving", "5"), "nothing is invested", "--investment"),
        (("--investment", "5"), "nothing says what is saved", "--saving 6000"),
        (("--investment", "5", "--saving", "much"), "--saving: 'much' is not an amount", "as in"),
        (("--investment", "5", "--saving", "5", "--price-decay", "100%"), "not from 0% to 100%", "as in"),
        (("--investment", "5", "--saving", "5", "--volume=-101%"), "no fewer calls than none", "as in"),
        (("--investment", "5", "--saving", "5", "--months", "0"), "no months from 1 to 1,200", "as in"),
        (
            ("--investment", "5", "--saving", "5", "--rate", "32"),
            "--rate is that of one other",
            "add --investment-cur",
        ),
        (("--saving", "5", "--investment-currency", "TWD"), "what --investment is in", "add --investment"),
    ],
)
def test_what_is_asked_wrongly(costctl: Costctl, options: tuple[str, ...], fault: str, hint: str) -> None:
    run = costctl("roi", *options)
    assert (run.code, run.out) == (2, "")
    assert fault in run.err
    assert hint in run.err


def test_in_every_format(costctl: Costctl) -> None:
    for format, word in (("table", "ROI net"), ("csv", "annual_roi_net"), ("md", "| ROI net")):
        assert word in costctl("roi", *TECHCORP, "--format", format).out
