"""Payback, net present value and return, against figures worked out by hand and the published cases."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from costctl.currency import Rate
from costctl.documents import DocumentError
from costctl.report import Report
from costctl.simulate import roi_file
from costctl.simulate.roi import Terms, appraise, benefits, roundest
from costctl.simulate.roi_report import Case, Item, roi
from costctl.simulate.saving import Outlook, Saving

EXAMPLE = Path(__file__).parents[2] / "roi.example.yaml"

REFERENCE = Terms(Decimal(50_000), Decimal(6_000), Decimal(500), Decimal("0.10"))
"""50,000 invested, 6,000 saved and 500 spent a month, money at 10 % a year."""


def figure(value: Decimal | None, places: int) -> str:
    assert value is not None
    return f"{value:.{places}f}"


def row(report: Report, case: str = "as stated") -> dict[str, object]:
    names = [column.name for column in report.columns]
    return next(dict(zip(names, each, strict=True)) for each in report.rows if each[0] == case)


def test_the_reference_case() -> None:
    found = appraise(REFERENCE, (12, 24))
    assert figure(found.payback, 4) == "9.0909"  # 50,000 / 5,500
    assert figure(found.discounted_payback, 4) == "9.4758"
    assert figure(found.npv[0], 2) == "12702.68"
    assert figure(found.npv[1], 2) == "69705.12"
    assert figure(found.gross, 4) == "1.3200"  # 12 x 5,500 / 50,000
    assert figure(found.net, 4) == "0.3200"
    # (69,705.12 + 50,000) / 50,000
    assert figure(found.benefit_cost_ratio, 4) == "2.3941"


def test_a_year_of_a_month_less_than_the_investment_has_a_negative_irr() -> None:
    """100 for 45 and 45: 45/(1+i) + 45/(1+i)^2 = 100 has i = (45 + sqrt(45^2 + 4 x 100 x 45)) / 200 - 1."""
    found = appraise(Terms(Decimal(100), Decimal(45)), (2,))
    assert figure(found.irr, 6) == "-0.067451"  # (45 + 141.5097...) / 200 - 1
    assert found.payback is not None  # in the third month: 2 + 10 / 45
    assert figure(found.payback, 4) == "2.2222"


def test_what_costs_more_than_it_saves_never_pays_back() -> None:
    found = appraise(Terms(Decimal(100), Decimal(10), Decimal(10)), (12,))
    assert (found.payback, found.discounted_payback, found.irr) == (None, None, None)
    assert (found.npv, found.gross, found.net) == ((-100,), 0, -1)


def test_falling_prices_make_the_saving_smaller() -> None:
    """At -75 % a year the 13th month saves a quarter, the 7th a half: sqrt(0.25) is 0.5."""
    terms = Terms(Decimal(1_000), Decimal(80), Decimal(10), price_decay=Decimal("0.75"))
    months = list(benefits(terms, 13))
    assert [figure(months[number], 6) for number in (0, 6, 12)] == ["70.000000", "30.000000", "10.000000"]


def test_a_saving_that_falls_below_the_cost_to_run_never_pays_back() -> None:
    """70 in the first month, 10 in the 13th and less than 0 from the 19th on: never 1,000."""
    terms = Terms(Decimal(1_000), Decimal(80), Decimal(10), price_decay=Decimal("0.75"))
    found = appraise(terms, (24,))
    assert (found.payback, found.irr) == (None, None)  # the flows turn negative again


def test_the_roundest_number_between_two() -> None:
    assert roundest(Decimal(85_477), Decimal(85_503)) == 85_500
    assert roundest(Decimal(85_549), Decimal(85_551)) == 85_550
    assert roundest(Decimal("0.12"), Decimal("0.14")) == Decimal("0.12")


def techcorp(claimed: str = "33.85") -> Report:
    """970,000 TWD invested, 85,550 USD saved a month, at 32.0065 TWD a dollar."""
    items = (Item(Decimal(850_000), "building", "TWD"), Item(Decimal(120_000), "training", "TWD"))
    rate = Rate("TWD", Decimal("32.0065"), date(2024, 11, 30), "as given")
    saving = Saving(Decimal(85_550), "85,550 USD a month, as stated")
    return roi(Case(items, saving, rates={"TWD": rate}, claimed=Decimal(claimed)))


def test_techcorp_pays_back_in_a_third_of_a_month() -> None:
    report = techcorp()
    found = row(report)
    # 970,000 / 32.0065 = 30,306.344023870151...; / 85,550 = 0.354253; x 30 = 10.6276
    assert report.figures["investment"] == 30_306_344023870151
    assert (found["payback_months"], found["payback_days"]) == (Decimal("0.354253"), Decimal("10.6276"))
    assert found["payback"] == "0.35 months (10.6 days)"
    assert report.figures["investment_twd"] == 970_000
    assert report.figures["monthly_saving_twd"] == Decimal("2738156.075")  # 85,550 x 32.0065
    assert report.figures["annual_saving"] == 1_026_600 * 10**12
    # 12 x 85,550 / 30,306.344 = 33.874096
    assert found["annual_roi_gross"] == Decimal("33.874096")
    assert found["annual_roi_net"] == Decimal("32.874096")


def test_why_a_return_of_3385_percent_is_printed() -> None:
    """85,500 instead of 85,550 a month gives 12 x 85,500 x 32.0065 / 970,000 = 33.8543, printed 3,385 %."""
    assert techcorp().notes[-1] == (
        "3,385% is claimed, but gross 3,387%, net 3,287% come out; it is nearest to the gross return, and is "
        "what a saving of $85,500 a month would give, instead of $85,550.00"
    )
    assert techcorp("32.87").notes[-1] == (
        "3,287% is claimed: that is the net return (gross 3,387%, net 3,287%)"
    )


def test_more_and_fewer_calls() -> None:
    case = Case(
        (Item(Decimal(50_000)),), Saving(Decimal(6_000), "stated"), (Item(Decimal(500)),), months=(12,)
    )
    report = roi(case)
    assert [each[0] for each in report.rows] == ["as stated", "volume -50%", "volume +50%"]
    # 6,000 x 0.5 - 500 and 6,000 x 1.5 - 500: what it costs to run does not depend on calls
    assert row(report, "volume -50%")["monthly_benefit"] == 2_500 * 10**12
    assert row(report, "volume +50%")["monthly_benefit"] == 8_500 * 10**12
    assert row(report, "volume -50%")["annual_roi_net"] == Decimal("-0.4")  # 30,000 / 50,000 - 1


def test_the_ends_of_an_interval_and_stable_prices_have_rows_of_their_own() -> None:
    saving = Saving(Decimal(6_000), "stated", low=Decimal(4_000), high=Decimal(7_000))
    report = roi(Case((Item(Decimal(50_000)),), saving, price_decay=Decimal("0.2"), volumes=()))
    assert [each[0] for each in report.rows] == [
        "as stated",
        "saving at its lower end",
        "saving at its upper end",
        "prices as they are",
    ]
    assert row(report, "saving at its lower end")["monthly_benefit"] == 4_000 * 10**12
    assert row(report, "prices as they are")["annual_roi_gross"] == Decimal("1.44")  # 72,000 / 50,000


def test_the_saving_moves_as_calls_are_forecast() -> None:
    """6,000 of 20,000 are saved, 30 %; of the 30,000 that are forecast, 9,000, of 25,000 to 40,000 then 7,500
    to 12,000."""
    saving = Saving(Decimal(6_000), "stated", cost=Decimal(20_000))
    outlook = Outlook(Decimal(30_000), Decimal(25_000), Decimal(40_000), "a forecast")
    report = roi(Case((Item(Decimal(50_000)),), saving, volumes=(), outlook=outlook))
    assert [(each[0], each[1]) for each in report.rows] == [
        ("as stated", 6_000 * 10**12),
        ("forecast", 9_000 * 10**12),
        ("forecast, at least", 7_500 * 10**12),
        ("forecast, at most", 12_000 * 10**12),
    ]


def test_never_is_said_in_words() -> None:
    report = roi(Case((Item(Decimal(100)),), Saving(Decimal(0), "nothing"), volumes=()))
    assert row(report)["payback"] == row(report)["discounted_payback"] == "never"
    assert row(report)["payback_months"] is None


def test_the_example_is_techcorp() -> None:
    stated = roi_file.read(EXAMPLE)
    assert sum(item.amount for item in stated.investment) == 970_000
    assert stated.currencies == ("TWD",)
    assert stated.rates == {"TWD": Decimal("32.0065")}
    assert stated.saving == Item(Decimal(85_550))
    assert (stated.discount_rate, stated.price_decay) == (Decimal("0.10"), 0)
    assert (stated.months, stated.volumes) == ((12, 24, 36), (Decimal("-0.50"), Decimal("0.50")))
    assert stated.claimed == Decimal("33.85")


def test_files_are_looked_for_beside_the_file_that_names_them(tmp_path: Path) -> None:
    file = tmp_path / "roi.yaml"
    file.write_text("saving: simulated.json\ninvestment: 100\n")
    assert roi_file.read(file).saving == tmp_path / "simulated.json"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("investment: [{amount: 1, currency: NT}]", "must match ^[A-Z]{3}$"),
        ("investment: 0", "investment must be greater than 0"),
        ("rates: {USD: 1}", "USD has no rate: results are in USD"),
        ("discount_rate: ten", "discount_rate must match"),
        ("price_decay: 1", "price_decay must be less than 1"),
        ("months: [0]", "months[0] must be at least 1"),
        ("volume: [much]", "volume[0] must match"),
        ("volume: [-101%]", "volume[0]: there are no fewer calls than none"),
        ("claimed: 3385", "claimed must match"),
        ("invest: 5", "unknown key invest"),
    ],
)
def test_faults_of_the_file(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "roi.yaml"
    file.write_text(f"# a case\n{text}\n")
    with pytest.raises(DocumentError) as raised:
        roi_file.read(file)
    assert fault in str(raised.value)
    assert raised.value.line == 2
    assert raised.value.hint
