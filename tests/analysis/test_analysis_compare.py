"""Two periods beside each other: small ledgers worked out by hand, and TechCorp's October and November."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from by_hand import USD, Call, at

from costctl.analysis import QuestionError, compare
from costctl.ingest import ingest
from costctl.ledger import Ledger
from costctl.periods import Period
from costctl.pricing.book import PriceBook
from costctl.report import Quantity, Report

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
OCTOBER, NOVEMBER = at(month="2024-10"), at(month="2024-11")

LedgerOf = Callable[..., Ledger]


def compared(ledger: Ledger, by: str | Iterable[str] = (), **said: Any) -> Report:
    periods = {"base": OCTOBER, "period": NOVEMBER, "book": PriceBook.load(None)}
    return compare(ledger, by, **{**periods, **said})


def measures(report: Report) -> dict[str, dict[str, Any]]:
    """The rows by their names, the shares of models as ``MODEL``."""
    names = [column.name for column in report.columns]
    rows: list[dict[str, Any]] = [dict(zip(names, map(_value, row), strict=True)) for row in report.rows]
    return {row["model"] or row["name"]: row for row in rows}


def groups(report: Report) -> dict[str, dict[str, Any]]:
    """The rows by their first label, and ``total``."""
    names = [column.name for column in report.columns]
    assert report.totals is not None
    rows = {str(row[0]): dict(zip(names, row, strict=True)) for row in report.rows}
    return {**rows, "total": dict(zip(names, report.totals, strict=True))}


def _value(cell: object) -> object:
    return cell.value if isinstance(cell, Quantity) else cell


def days(month: str, costs: Iterable[int], **said: Any) -> list[Call]:
    """A call at noon of each day from the first on, at so many USD."""
    return [
        {"ts": f"{month}-{day:02d} 12:00:00", "cost_pico": cost * USD, **said}
        for day, cost in enumerate(costs, 1)
    ]


# --- TechCorp ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def techcorp(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("techcorp") / "ledger.duckdb")
    ingest(ledger, [str(SAMPLE_DATA)], book=PriceBook.load(None))
    return ledger


@pytest.fixture(scope="module")
def novembers(techcorp: Ledger) -> Report:
    return compared(techcorp)


def test_the_books_report(novembers: Report) -> None:
    found = measures(novembers)
    told = {name: (row["before"], row["after"], row["change"]) for name, row in found.items()}
    assert told["cost"] == (127_850 * USD, 42_300 * USD, -85_550 * USD)
    assert found["cost"]["change_share"] == Decimal("-0.669144")  # 85,550 / 127,850: 66.9 %
    assert told["annualised"] == (1_534_200 * USD, 507_600 * USD, -1_026_600 * USD)
    assert told["requests"] == (3_600_000, 3_060_000, -540_000)
    # 560,000 of 3,600,000 and 7 %; 48 and 45 % of November's
    assert told[OPUS] == (Decimal("0.155556"), Decimal("0.07"), Decimal("-0.085556"))
    assert [told[SONNET][1], told[HAIKU][1]] == [Decimal("0.48"), Decimal("0.45")]
    assert told["cache_hit_rate"] == (0, Decimal("0.78"), Decimal("0.78"))
    assert told["mean_prompt_tokens"] == (8500, 3200, -5300)
    assert told["mean_latency_ms"] == (1450, 980, -470)
    assert novembers.figures["annualised"] == -1_026_600 * USD
    assert novembers.complete
    assert novembers.calls == 6_660_000


def test_why_the_cost_fell(novembers: Report) -> None:
    found = measures(novembers)
    steps = {name: found[name]["change"] for name in ("volume", "mix", "tokens_per_call", "price")}
    # 540,000 fewer of 3,600,000 requests: 15 % of 127,850
    assert steps["volume"] == -19_177_500_000_000_000
    assert steps["price"] == 0
    assert sum(steps.values()) == -85_550 * USD
    # mix: November's requests at October's cost of each model, less 85 % of October's cost
    models = {OPUS: (560_000, 214_200), SONNET: (940_000, 1_468_800), HAIKU: (2_100_000, 1_377_000)}
    costs = {OPUS: Decimal("89450.00001"), SONNET: Decimal("32100.000003") - Decimal("0.000006")}
    costs[HAIKU] = Decimal(127_850) - costs[OPUS] - costs[SONNET]
    mix = sum(costs[model] / before * after for model, (before, after) in models.items()) - Decimal(
        "108672.5"
    )
    assert steps["mix"] / Decimal(USD) == pytest.approx(mix, abs=Decimal("0.01"))
    assert novembers.figures["saving"] == -(steps["mix"] + steps["tokens_per_call"])


def test_intervals_say_what_is_chance(novembers: Report) -> None:
    found = measures(novembers)
    for name, row in found.items():
        if row["low"] is not None:
            assert row["low"] <= row["change"] <= row["high"], name
    verdicts = {name: row["verdict"] for name, row in found.items()}
    assert verdicts["cost"] == verdicts["tokens_per_call"] == verdicts["mean_latency_ms"] == "significant"
    # 3.89 and 3.83 USD a million tokens
    assert verdicts["cost_per_mtok"] == "not significant"
    assert verdicts["price"] is None, "no draw has another price"
    assert any("seed 20240601" in note for note in novembers.notes)
    assert measures(novembers) == found


def test_two_runs_say_the_same(techcorp: Ledger, novembers: Report) -> None:
    assert compared(techcorp) == novembers
    assert compared(techcorp, seed=7).rows != novembers.rows


@pytest.mark.parametrize("by", ["team", "team,model", "user"])
def test_groups_and_steps_add_up_to_the_pico_dollar(techcorp: Ledger, novembers: Report, by: str) -> None:
    report = compared(techcorp, by)
    names = [column.name for column in report.columns]
    assert report.totals is not None
    rows: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in [*report.rows, report.totals]]
    for row in rows:
        steps = row["volume"] + row["mix"] + row["tokens_per_call"] + row["price"]
        assert steps == row["change"] == row["cost_after"] - row["cost_before"]
    for name in ("cost_before", "cost_after", "change", "volume", "mix", "tokens_per_call", "price"):
        assert sum(row[name] for row in rows[:-1]) == rows[-1][name], name
    # Volume and price are the same however calls are told apart.
    found = measures(novembers)
    whole = rows[-1]
    assert abs(whole["volume"] - found["volume"]["change"]) <= 100, "half a pico-dollar a group"
    assert (whole["low"], whole["high"]) == (found["cost"]["low"], found["cost"]["high"])


def test_the_rest_is_one_row(techcorp: Ledger) -> None:
    every, two = groups(compared(techcorp, "team")), groups(compared(techcorp, "team", top=2))
    assert list(two) == ["support", "engineering", "other (4 rows)", "total"]
    assert two["total"] == every["total"]
    rest = two["other (4 rows)"]
    assert rest["cost_before"] == sum(
        every[team]["cost_before"] for team in ("finance", "marketing", "search", "research")
    )
    assert rest["verdict"] == "significant"
    shares = measures(compared(techcorp, top=1))
    assert shares["requests_share"]["measure"] == "requests: 2 other models"
    assert shares["requests_share"]["after"] == Decimal("0.93")


# --- by hand ----------------------------------------------------------------------------------------------


def test_days_that_are_alike_leave_no_doubt(ledger_of: LedgerOf) -> None:
    ledger = ledger_of(*days("2024-10", [100] * 31), *days("2024-11", [90] * 30))
    cost = measures(compared(ledger))["cost"]
    # 30 x 90 - 31 x 100, in every draw
    assert cost["change"] == cost["low"] == cost["high"] == -400 * USD
    assert cost["verdict"] == "significant"


def test_a_difference_that_chance_explains_is_not_significant(ledger_of: LedgerOf) -> None:
    """Weeks of 100 and 120 a day, then of 105 and 117: the sums differ by 14, less than one day scatters."""
    before, after = at(since="2024-10-07", until="2024-10-20"), at(since="2024-11-04", until="2024-11-17")
    ledger = ledger_of(
        *days("2024-10", [0] * 6 + [100] * 7 + [120] * 7), *days("2024-11", [0] * 3 + [105] * 7 + [117] * 7)
    )
    cost = measures(compared(ledger, base=before, period=after))["cost"]
    assert cost["change"] == 14 * USD
    # Of each weekday one of two days counts twice: the sum before lies between 7 x 200 and 7 x 240, that
    # after between 7 x 210 and 7 x 234.
    assert -210 * USD <= cost["low"] < 0 < cost["high"] <= 238 * USD
    assert cost["verdict"] == "not significant"


def test_few_days(ledger_of: LedgerOf) -> None:
    ledger = ledger_of(*days("2024-10", [5, 7] * 5), *days("2024-11", [6] * 6))
    report = compared(ledger, base=at(since="2024-10-01", until="2024-10-10"))
    assert measures(report)["cost"]["verdict"] is None
    assert "no intervals: 10 and 6 days with data, and 7 of each are the least" in report.notes
    report = compared(
        ledger,
        base=at(since="2024-10-01", until="2024-10-03"),
        period=at(since="2024-10-04", until="2024-10-10"),
    )
    assert measures(report)["cost"]["low"] is None
    ledger = ledger_of(*days("2024-10", [5, 7] * 5), *days("2024-11", [6] * 8))
    report = compared(ledger)
    assert measures(report)["cost"]["low"] is not None
    assert "only 8 days: the intervals are rough, 14 are better" in report.notes
    assert "2024-11: the ledger has no calls after 2024-11-08" in report.notes


@pytest.mark.heavy
def test_many_rows_have_no_intervals(ledger_of: LedgerOf) -> None:
    """Of what is summed up there are some."""
    november = days("2024-11", [2] * 14, user_id="u0")

    def of_users(count: int) -> Report:
        october = [
            {"ts": f"2024-10-{1 + number % 28:02d} 12:00:00", "cost_pico": USD, "user_id": f"u{number}"}
            for number in range(count)
        ]
        return compared(ledger_of(*october, *november), "user")

    for users, rows_are_drawn in ((1000, True), (1001, False)):
        report = of_users(users)
        assert report.figures["saving_low"] is not None
        rows = groups(report)
        assert (rows["u0"]["low"] is not None) is rows_are_drawn, users
        assert rows["total"]["low"] is not None
        assert rows["total"]["change"] == (28 - users) * USD
        # u0's calls grew from 1 to 14, all from users to 14, at 2 in place of 1
        assert rows["u0"]["tokens_per_call"] == 14 * USD
    assert "rows have no intervals where there are more than 1,000" in report.notes


def test_new_and_discontinued_models_are_mix(ledger_of: LedgerOf) -> None:
    """4 calls at 10 and 4 at 1 become 4 at 2 of a new model and 4 at 1: 44 -> 12."""
    ledger = ledger_of(
        *days("2024-10", [10] * 4, model="old"), *days("2024-10", [1] * 4, model="stays"),
        *days("2024-11", [2] * 4, model="new"), *days("2024-11", [1] * 4, model="stays"),
    )  # fmt: skip
    found = measures(compared(ledger))
    steps = {name: found[name]["change"] // USD for name in ("volume", "mix", "tokens_per_call", "price")}
    assert steps == {"volume": 0, "mix": -32, "tokens_per_call": 0, "price": 0}
    assert found["mix_new"]["change"] == 8 * USD
    assert found["mix_discontinued"]["change"] == -40 * USD
    rows = groups(compared(ledger, "model"))
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "old": "discontinued", "new": "new", "stays": None, "total": None,
    }  # fmt: skip
    assert list(rows) == ["old", "new", "stays", "total"], "the greatest change first"


def test_calls_in_batches_are_another_mix(ledger_of: LedgerOf) -> None:
    """The same tokens at half the price, because they could wait: no vendor has changed a price."""
    tokens = {"input_tokens": 1000, "model": "m"}
    ledger = ledger_of(
        *days("2024-10", [10] * 2, **tokens), *days("2024-10", [5], mode="batch", **tokens),
        *days("2024-11", [10], **tokens), *days("2024-11", [5] * 2, mode="batch", **tokens),
    )  # fmt: skip
    found = measures(compared(ledger))
    assert (found["mix"]["change"], found["tokens_per_call"]["change"]) == (-5 * USD, 0)


def test_another_export_of_the_same_calls_is_no_other_mix(ledger_of: LedgerOf) -> None:
    """One that names no provider, and no mode; the price book knows whose model it is."""
    ledger = ledger_of(
        *days("2024-10", [10] * 2, model=OPUS, provider=None, mode=None), *days("2024-11", [30], model=OPUS)
    )
    found = measures(compared(ledger))
    # Half as many at three times the cost: -10, then +20.
    steps = {name: found[name]["change"] // USD for name in ("volume", "mix", "tokens_per_call")}
    assert steps == {"volume": -10, "mix": 0, "tokens_per_call": 20}
    assert "mix_new" not in found


PRICES = """
prices:
  - provider: anthropic
    model: m
    input: 2
    output: 0
    to: 2024-10-16T12:00:00Z
  - provider: anthropic
    model: m
    input: 1
    output: 0
    from: 2024-10-16T12:00:00Z
"""


def test_a_price_that_fell(ledger_of: LedgerOf, tmp_path: Path) -> None:
    """In the middle of October the price of a token falls from 2 to 1 USD a million. November's first half
    would have cost twice as much at October's prices, its second half the same."""
    (tmp_path / "prices.yaml").write_text(PRICES)
    book = PriceBook.load(tmp_path / "prices.yaml")
    ledger = ledger_of(
        {"ts": "2024-10-03 12:00:00", "model": "m", "input_tokens": 10**6, "cost_pico": 2 * USD},
        {"ts": "2024-10-20 12:00:00", "model": "m", "input_tokens": 10**6, "cost_pico": USD},
        {"ts": "2024-11-15 23:59:59", "model": "m", "input_tokens": 10**6, "cost_pico": USD},
        {"ts": "2024-11-16 00:00:00", "model": "m", "input_tokens": 3 * 10**6, "cost_pico": 3 * USD},
    )
    report = compared(ledger, book=book)
    found = measures(report)
    steps = {name: found[name]["change"] // USD for name in ("volume", "mix", "tokens_per_call", "price")}
    # 3 -> 4; at October's prices 2 + 3 = 5
    assert steps == {"volume": 0, "mix": 0, "tokens_per_call": 2, "price": -1}
    assert "other prices than in the base: m" in report.notes
    # The other way round: October at November's price is 1 + 1.
    back = measures(compared(ledger, book=book, base=NOVEMBER, period=OCTOBER))
    assert (back["price"]["change"], back["tokens_per_call"]["change"]) == (USD, -2 * USD)


def test_a_cost_that_is_not_the_books_says_nothing_of_prices(ledger_of: LedgerOf, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(PRICES)
    ledger = ledger_of(
        {"ts": "2024-10-03 12:00:00", "model": "m", "input_tokens": 10**6, "cost_pico": 2 * USD},
        {"ts": "2024-11-03 12:00:00", "model": "m", "input_tokens": 10**6, "cost_pico": 7 * USD},
    )
    report = compared(ledger, book=PriceBook.load(tmp_path / "prices.yaml"))
    assert measures(report)["price"]["change"] == 0
    assert any("left out of price: 1; costctl reprice" in note for note in report.notes)


def test_calls_without_a_price_count_in_no_step(ledger_of: LedgerOf) -> None:
    """Nobody knows what they cost; the report says so of both periods."""
    unpriced = {"cost_pico": None, "price_id": None}
    ledger = ledger_of(
        *days("2024-10", [10] * 2), {"ts": "2024-10-05 12:00:00", "input_tokens": 7, **unpriced},
        *days("2024-11", [10] * 2), {"ts": "2024-11-05 12:00:00", "model": "x", **unpriced},
        {"ts": "2024-11-06 12:00:00", "model": "x", **unpriced},
    )  # fmt: skip
    report = compared(ledger)
    found = measures(report)
    assert [found[name]["change"] for name in ("cost", "volume", "mix", "tokens_per_call")] == [0, 0, 0, 0]
    assert not report.complete
    assert (report.unpriced.calls, report.unpriced.tokens, report.unpriced.models) == (3, 7, ("opus", "x"))


@pytest.mark.parametrize("months", [("2024-10", "2024-11"), ("2024-11", "2024-10")])
def test_a_cost_that_nobody_knows_has_no_change(ledger_of: LedgerOf, months: tuple[str, str]) -> None:
    """A period whose calls all have no price does not cost 0, so nothing is known to have become dearer."""
    known, unknown = months
    unpriced = {"cost_pico": None, "price_id": None, "model": "x", "team": "new"}
    ledger = ledger_of(*days(known, [3] * 8, team="old"), *days(unknown, [0] * 8, **unpriced))
    report = compared(ledger)
    found = measures(report)
    for name in ("cost", "volume", "mix", "tokens_per_call", "price", "annualised"):
        assert (found[name]["change"], found[name]["low"], found[name]["verdict"]) == (None, None, None), name
    assert found["requests"]["change"] == 0
    for name in ("change", "change_share", "annualised", "saving", "saving_low", "saving_high"):
        assert report.figures[name] is None, name
    assert any(note.startswith("calls without a price are in no step") for note in report.notes)
    rows = groups(compared(ledger, "team"))
    assert [rows["total"][name] for name in ("change", "volume", "low")] == [None, None, None]
    assert rows["new"]["mix"] is None
    assert rows["new"]["verdict"] in ("new", "discontinued")


def test_a_ledger_that_begins_or_ends_within_a_period(ledger_of: LedgerOf) -> None:
    """Three times October's cost in November is then no growth."""
    late = [{"ts": f"2024-10-{day} 12:00:00", "cost_pico": USD} for day in range(22, 32)]
    report = compared(ledger_of(*late, *days("2024-11", [1] * 30)))
    assert "2024-10: the ledger has no calls before 2024-10-22" in report.notes
    assert not any("2024-11: the ledger has no calls" in note for note in report.notes)
    report = compared(ledger_of(*late, *days("2024-11", [1] * 20)))
    assert "2024-11: the ledger has no calls after 2024-11-20" in report.notes


def test_many_models_leave_the_steps_without_intervals(ledger_of: LedgerOf) -> None:
    note = "the steps have no intervals where there are more than 200 models, modes and regions"
    november = days("2024-11", [1] * 8, model="m0")

    def of_models(count: int) -> Report:
        calls = [
            {"ts": f"2024-10-{1 + number % 8:02d} 12:00:00", "cost_pico": USD, "model": f"m{number}"}
            for number in range(count)
        ]
        return compared(ledger_of(*calls, *november))

    few, many = of_models(200), of_models(201)
    assert measures(few)["mix"]["low"] is not None
    assert note not in few.notes
    assert measures(many)["mix"]["low"] is None
    assert note in many.notes


def test_rows_that_do_not_say_how_many_calls_they_are(ledger_of: LedgerOf) -> None:
    ledger = ledger_of(
        *days("2024-10", [10] * 2), {"ts": "2024-10-05 12:00:00", "requests": None, "cost_pico": 4 * USD},
        *days("2024-11", [10] * 2), {"ts": "2024-11-05 12:00:00", "requests": None, "cost_pico": 9 * USD},
    )  # fmt: skip
    report = compared(ledger)
    assert measures(report)["volume"]["change"] == 5 * USD
    assert "rows that do not say how many requests they are: 2; what they cost is volume" in report.notes


def test_a_year_of_days(ledger_of: LedgerOf) -> None:
    """Two weeks of 1 a day and ten days of 3: 365 and 1095 a year."""
    ledger = ledger_of(*days("2024-10", [1] * 14), *days("2024-11", [3] * 10))
    two_weeks = at(since="2024-10-01", until="2024-10-14")
    ten_days = at(since="2024-11-01", until="2024-11-10")
    row = measures(compared(ledger, base=two_weeks, period=ten_days))["annualised"]
    assert (row["before"], row["after"], row["change"]) == (365 * USD, 1095 * USD, 730 * USD)
    # A quarter is three months.
    quarter = measures(
        compared(
            ledger, base=at(since="2024-07", until="2024-09"), period=at(since="2024-Q4", until="2024-Q4")
        )
    )
    assert quarter["annualised"]["after"] == 44 * 4 * USD


def test_a_day_is_a_day_where_the_clocks_are_turned_back(ledger_of: LedgerOf) -> None:
    """In Berlin the last week of October 2024 has 169 hours, and seven days."""
    ledger = ledger_of(*days("2024-10", [1] * 31), *days("2024-11", [1] * 30))
    weeks = [at("Europe/Berlin", since=week, until=week) for week in ("2024-W43", "2024-W44")]
    report = compared(ledger, base=weeks[0], period=weeks[1])
    row = measures(report)["annualised"]
    # 7 USD in 7 days
    assert (row["before"], row["after"]) == (365 * USD, 365 * USD)
    assert not any(note.startswith("the base has") for note in report.notes)
    report = compared(
        ledger, base=at("Europe/Berlin", month="2024-10"), period=at("Europe/Berlin", month="2024-11")
    )
    assert "the base has 31 days and 2024-11 30: volume is of both as they are" in report.notes


def test_a_period_without_calls(ledger_of: LedgerOf) -> None:
    report = compared(ledger_of(*days("2024-11", [3] * 10)))
    found = measures(report)
    assert (found["cost"]["change"], found["volume"]["change"], found["mix"]["change"]) == (
        30 * USD,
        30 * USD,
        0,
    )
    assert found["cost"]["change_share"] is None
    assert found["cost_per_request"]["change"] is None
    assert "2024-10: there are no calls" in report.notes


def test_only_some_calls(ledger_of: LedgerOf) -> None:
    ledger = ledger_of(
        *days("2024-10", [3] * 8, team="a"), *days("2024-10", [5] * 8, team="b"),
        *days("2024-11", [4] * 8, team="a"), *days("2024-11", [5] * 8, team="b"),
    )  # fmt: skip
    report = compared(ledger, where=["team=a"])
    assert measures(report)["cost"]["change"] == 8 * USD
    assert report.filters == ("team=a",)


def test_what_cannot_be_compared(ledger_of: LedgerOf) -> None:
    ledger = ledger_of(*days("2024-10", [3]))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"by": "team,day"}, "two periods have no day in common"),
        ({"base": at(since="2024-10-31", until="2024-11-01")}, "have days in common"),
        (
            {"base": Period(None, OCTOBER.end, OCTOBER.zone, "until then")},
            "until then is no period with a beginning",
        ),
        ({"top": 0}, "the top 0 rows are none"),
        ({"by": "teams"}, "unknown dimension 'teams'"),
    ]
    for said, message in wrong:
        with pytest.raises(QuestionError, match=message):
            compared(ledger, **said)


def test_what_was_saved_is_neither_volume_nor_price(novembers: Report, ledger_of: LedgerOf) -> None:
    figures = novembers.figures
    assert figures["saving_low"] < figures["saving"] < figures["saving_high"]  # type: ignore[operator]
    # 31 calls at 10 become 15 at 8: 310 -> 120. At 10 each they would have been 150.
    ledger = ledger_of(*days("2024-10", [10] * 31), *days("2024-11", [8] * 15))
    figures = compared(ledger).figures
    assert figures["saving"] == figures["saving_low"] == figures["saving_high"] == 30 * USD
    assert figures["change"] == -190 * USD
    assert figures["base_start"] == "2024-10-01T00:00:00+00:00"
