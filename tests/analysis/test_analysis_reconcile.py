"""What is compared with a bill: days, names, reports, labels, periods, conditions; and that it adds up."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bills_by_hand import BOOK, FORMATS, SONNET, bucket, call, charge, compared, held, put
from by_hand import ALWAYS, at
from hypothesis import given, settings
from hypothesis import strategies as some

from costctl.analysis import QuestionError, reconcile
from costctl.analysis.causes import CAUSES
from costctl.analysis.used import USAGE_REPORTS
from costctl.ledger import Ledger

M = 1_000_000


def notes(found: Any) -> str:
    return " | ".join(found.report.notes)


# --- both sides meet --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "billed", "used"),
    [
        ("anthropic", "Claude Sonnet 4.5", "claude-sonnet-4-5-20250929"),
        ("anthropic", "Claude Haiku 3.5", "claude-3-5-haiku-20241022"),
        ("anthropic", "Claude Sonnet 3.7", "claude-3-7-sonnet-latest"),
        ("anthropic", "Claude Opus 4", "claude-opus-4-20250514"),
        ("anthropic", "Claude Haiku 3", "claude-3-haiku-20240307"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "GPT-4o mini", "gpt-4o-mini-2024-07-18"),
        ("nobody", "Nobody's Model 1.5", "nobody's-model-1-5"),
    ],
)
def test_names_of_bills_and_of_calls_meet(tmp_path: Path, provider: str, billed: str, used: str) -> None:
    lines = [charge(1, "3", provider=provider, model=billed)]
    found = compared(tmp_path, [call(1, M, provider=provider, model=used)], lines)
    assert len(found.rows) == 1
    assert found.totals["difference"] == 0


def test_a_call_that_names_no_provider_is_of_the_one_whose_price_it_has(tmp_path: Path) -> None:
    assert compared(tmp_path, [call(1, M, provider=None)], [charge(1, "3")]).causes == {}


def test_calls_through_another_seller_are_on_its_own_bill(tmp_path: Path) -> None:
    """Amazon bills what is called through Bedrock."""
    found = compared(tmp_path, [call(1, M), call(1, M, provider="aws")], [charge(1, "3")])
    assert found.causes == {}
    assert "not compared, as there are no charges of them: aws ($3.00)" in notes(found)


def test_a_bill_that_tells_no_models_apart_is_compared_as_a_whole(tmp_path: Path) -> None:
    """The Costs API without grouping: 0.895874 USD a day, in a public export."""
    calls = [call(1, 100_000, 10_000), call(1, 200_000, model="x", other_units={"web_search_requests": 1})]
    # 0.3 + 0.15 + 0.6 + 0.01 = 1.06
    found = compared(tmp_path, calls, [charge(1, "0.895874", model=None)])
    assert [row["model"] for row in found.rows] == ["(all models)"]
    assert found.totals["difference"] == Decimal("0.164126")


def test_what_is_no_usd_is_left_out(tmp_path: Path) -> None:
    lines = [charge(1, "3"), charge(1, "20", currency="CNY", provider="deepseek")]
    found = compared(tmp_path, [call(1, M)], lines)
    assert found.totals["theirs"] == 3
    assert "1 charge of deepseek in CNY left out" in notes(found)


def test_of_two_reports_of_a_day_the_exact_one_counts(tmp_path: Path) -> None:
    """The API's, in fractions of cents, and the console's, which is rounded to cents."""
    lines = [charge(1, "3.004"), charge(1, "3.00", source_id=12), charge(2, "6.00", source_id=12)]
    found = compared(tmp_path, [call(1, M), call(2, 2 * M)], lines)
    assert [str(row["theirs"]) for row in found.rows] == ["3.004", "6.00"]
    assert "1 charge of anthropic (anthropic-console-cost) on 1 day left out" in notes(found)


def test_one_report_by_model_and_one_by_project_are_no_two_bills(tmp_path: Path) -> None:
    lines = [
        charge(1, "3", source_id=13, line_item=f"{SONNET}, input"),
        charge(1, "3", source_id=14, model=None, project="proj_1"),
    ]
    found = compared(tmp_path, [call(1, M)], lines)
    assert [(row["model"], row["theirs"]) for row in found.rows] == [(SONNET, 3)]


# --- days -------------------------------------------------------------------------------------------------


def test_days_are_those_of_the_bill(tmp_path: Path) -> None:
    """DeepSeek's begin at midnight in China, 16:00 UTC."""
    times = {"period_start": "2026-09-30 16:00:00", "period_end": "2026-10-01 16:00:00"}
    calls = [
        call(1, M, ts="2026-09-30 16:00:00"),
        call(1, M, ts="2026-10-01 15:59:59"),
        call(1, M, ts="2026-10-01 16:00:00"),
    ]
    found = compared(tmp_path, calls, [charge(1, "6", **times)])
    assert [(row["day"], row["difference"]) for row in found.rows] == [("2026-10-01", 0)]
    assert "its days begin at 16:00 UTC" in notes(found)


def test_an_invoice_for_a_month_is_compared_with_the_month(tmp_path: Path) -> None:
    month = {"period_start": "2026-10-01 00:00:00", "period_end": "2026-11-01 00:00:00"}
    calls = [call(1, M), call(31, M), call(1, M, ts="2026-11-01 00:00:00")]
    found = compared(tmp_path, calls, [charge(1, "6", **month)], by="month,day")
    assert [(row["month"], row["day"], row["difference"]) for row in found.rows] == [
        ("2026-10", "2026-10-01 to 2026-10-31", 0)
    ]


def test_a_monthly_tax_stands_beside_the_days(tmp_path: Path) -> None:
    month = {"period_start": "2026-10-01 00:00:00", "period_end": "2026-11-01 00:00:00"}
    lines = [charge(1, "3"), charge(1, "0.57", kind="tax", model=None, source_id=14, **month)]
    assert compared(tmp_path, [call(1, M)], lines).causes == {"taxes": "-0.57"}


def test_a_period_is_one_of_dates_of_the_bill(tmp_path: Path) -> None:
    calls, lines = [call(1, M), call(2, 2 * M)], [charge(1, "3"), charge(2, "6")]
    for tz in ("UTC", "Asia/Taipei", "America/New_York"):
        found = compared(tmp_path, calls, lines, period=at(tz, since="2026-10-02", until="2026-10-02"))
        assert [(row["day"], row["ours"], row["theirs"]) for row in found.rows] == [("2026-10-02", 6, 6)]


def test_weeks_and_months_add_days_up(tmp_path: Path) -> None:
    calls, lines = [call(1, M), call(5, M)], [charge(1, "3"), charge(5, "4")]
    found = compared(tmp_path, calls, lines, by="week")
    assert [(row["week"], row["theirs"]) for row in found.rows] == [("2026-W40", 3), ("2026-W41", 4)]
    assert compared(tmp_path, calls, lines, by="month").rows[0]["theirs"] == 7


# --- labels, conditions, rows -----------------------------------------------------------------------------


def test_keys_and_workspaces_are_told_apart_where_both_sides_have_them(tmp_path: Path) -> None:
    calls = [call(1, M, workspace="a", api_key="k1"), call(1, 2 * M, workspace="b", api_key="k1")]
    lines = [charge(1, "3", workspace="a", api_key="key_01"), charge(1, "5", workspace="b", api_key="key_01")]
    found = compared(tmp_path, calls, lines, by="workspace,api_key")
    assert {(row["workspace"], row["api_key"]): row["difference"] for row in found.rows} == {
        ("a", None): 0,
        ("b", None): 1,
    }
    assert "anthropic: not told apart by api_key, as no name is on both sides" in notes(found)


def test_conditions_hold_for_both_sides(tmp_path: Path) -> None:
    calls = [call(1, M), call(1, M, model="x"), call(1, M, provider="openai", model="x")]
    lines = [charge(1, "3"), charge(1, "4", model="x"), charge(1, "5", provider="openai", model="x")]
    found = compared(tmp_path, calls, lines, where=["model=x", "provider=anthropic"])
    assert [(row["model"], row["ours"], row["theirs"]) for row in found.rows] == [("x", 3, 4)]
    lines = [charge(1, "3"), charge(1, "-1", kind="credit", model=None)]
    assert compared(tmp_path, [call(1, M)], lines, where=["kind=usage"]).totals["difference"] == 0


def test_what_a_bill_does_not_say_is_no_condition_and_no_group(tmp_path: Path) -> None:
    ledger = held(tmp_path, [], [])
    with pytest.raises(QuestionError, match="does not say team"):
        reconcile(ledger, book=BOOK, period=ALWAYS, where=["team=search"])
    with pytest.raises(QuestionError, match="does not tell users apart"):
        reconcile(ledger, "day,user", book=BOOK, period=ALWAYS)


def test_the_greatest_difference_comes_first(tmp_path: Path) -> None:
    calls = [call(day, M) for day in (1, 2, 3)]
    lines = [charge(1, "3"), charge(2, "1"), charge(3, "9")]
    found = compared(tmp_path, calls, lines, by="day", top=1)
    assert [(row["day"], row["difference"]) for row in found.rows] == [
        ("2026-10-03", -6),
        ("other (2 rows)", 2),
    ]
    assert found.totals["difference"] == -4


def test_which_rows_count_is_the_grain(tmp_path: Path) -> None:
    calls, lines = [call(1, M), bucket(1, 2 * M), bucket(2, M)], [charge(1, "6"), charge(2, "3")]
    found = compared(tmp_path, calls, lines)
    assert found.totals["ours"] == 6
    assert "1 bucket of anthropic (anthropic-usage, $6.00) on 1 day left out: calls tell of them" in notes(
        found
    )
    assert compared(tmp_path, calls, lines, grain="bucket").causes == {}
    assert compared(tmp_path, calls, lines, grain="call").totals["ours"] == 3


def test_without_charges_there_are_no_rows(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, M)], [])
    assert found.rows == []
    assert "no charges of them: anthropic ($3.00)" in notes(found)


def test_usage_reports_are_known_formats() -> None:
    from costctl.formats import FORMATS as KNOWN

    assert {*USAGE_REPORTS, *FORMATS.values()} <= {*KNOWN}


# --- it adds up -------------------------------------------------------------------------------------------

DAYS = range(1, 6)
MODELS = (SONNET, "x")

CALLS = some.builds(
    lambda day, grain, tokens, hour, **more: {
        **(bucket if grain == "bucket" else call)(day, *tokens, **more),
        **({"ts": f"2026-10-{day:02} {hour:02}:30:00"} if grain == "call" else {}),
    },
    day=some.sampled_from(DAYS),
    grain=some.sampled_from(["call", "call", "bucket"]),
    tokens=some.tuples(some.integers(0, 9) | some.integers(0, M), some.integers(0, 5000)),
    hour=some.integers(0, 23),
    model=some.sampled_from(MODELS),
    mode=some.sampled_from(["standard", "batch"]),
    billing=some.sampled_from(["metered", "subscription"]),
    source_id=some.sampled_from([1, 2]),
    other_units=some.sampled_from([None, {"web_search_requests": 3}]),
)
CHARGES = some.builds(
    lambda day, cents, places, **more: charge(day, str(Decimal(cents).scaleb(-places)), **more),
    day=some.sampled_from(DAYS),
    cents=some.integers(-300, 5000),
    places=some.sampled_from([2, 4]),
    model=some.sampled_from([*MODELS, None]),
    mode=some.sampled_from([None, "standard", "batch"]),
    line_item=some.sampled_from([None, "uncached_input_tokens", "output_tokens", "web_search"]),
    kind=some.sampled_from(["usage", "usage", "usage", "credit", "tax"]),
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return held(tmp_path_factory.mktemp("bills"), [], [])


@settings(max_examples=40, deadline=None)
@given(
    calls=some.lists(CALLS, max_size=12),
    charges=some.lists(CHARGES, max_size=12),
    unpriced=some.integers(0, 3),
)
def test_causes_add_up_to_the_difference_and_nothing_is_lost(
    ledger: Ledger, calls: list[dict[str, Any]], charges: list[dict[str, Any]], unpriced: int
) -> None:
    for each in calls[:unpriced]:
        each |= {"cost_pico": None, "price_id": None}
    put(ledger, calls, charges)
    report = reconcile(ledger, book=BOOK, period=ALWAYS)
    columns = [column.name for column in report.columns]
    for row in [*report.rows, report.totals or ()]:
        named: dict[str, Any] = dict(zip(columns, row, strict=True))
        assert sum(named[cause] for cause in CAUSES) == named["difference"] == named["ours"] - named["theirs"]
    ours, theirs = (sum(row[columns.index(name)] for row in report.rows) for name in ("ours", "theirs"))  # type: ignore[misc]
    assert theirs == sum(each["amount_pico"] for each in charges)
    # Of the days from the first line of usage to the last: calls, and buckets of days without calls that are
    # paid in the same way.
    billed = [each["period_start"][:10] for each in charges if each["kind"] == "usage"]
    with_calls = {(each["ts"][:10], each["billing"]) for each in calls if "grain" not in each}
    assert ours == sum(
        each["cost_pico"] or 0
        for each in calls
        if billed
        and min(billed) <= each["ts"][:10] <= max(billed)
        and ("grain" not in each or (each["ts"][:10], each["billing"]) not in with_calls)
    )
