"""Each cause of a difference: when it is named, and when the evidence is not enough.

Amounts have the sign of ours - theirs. Prices: 3 USD a million tokens in, 15 out, half of it in batch mode.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from bills_by_hand import SONNET, bucket, call, charge, compared

M = 1_000_000
"""Tokens."""


def test_what_agrees_has_no_cause(tmp_path: Path) -> None:
    # 1 M x 3 + 0.1 M x 15 = 4.50
    found = compared(tmp_path, [call(1, M, M // 10)], [charge(1, "4.50")])
    assert [(row["ours"], row["theirs"], row["difference"]) for row in found.rows] == [
        (pytest.approx(4.5), pytest.approx(4.5), 0)
    ]
    assert found.causes == {}
    assert found.evidence == ""


# --- calls that are missing or too many -------------------------------------------------------------------


def test_a_model_and_day_of_the_bill_without_calls_are_missing_calls(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, M)], [charge(1, "3"), charge(2, "5"), charge(1, "7", model="opus")])
    assert found.causes == {"missing_calls": "-12.00"}  # 5 + 7
    assert "no such calls in the ledger" in found.evidence


def test_calls_of_a_day_that_the_bill_covers_without_a_line_are_extra(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, M), call(2, 2 * M), call(3, M)], [charge(1, "3"), charge(3, "3")])
    assert found.causes == {"extra_calls": "6.00"}


def test_days_that_the_bill_does_not_cover_are_not_compared(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, M), call(9, M)], [charge(1, "3")])
    assert found.totals["ours"] == 3
    assert "the bill of anthropic covers 2026-10-01" in found.report.notes


def test_the_same_calls_in_files_of_two_formats_are_duplicates(tmp_path: Path) -> None:
    """A transcript and a gateway's log of one call, with ids that do not meet."""
    calls = [
        call(1, M, source_id=1),
        call(1, M, source_id=2, ts="2026-10-01 12:00:02", provider=None),
        call(1, 2 * M, source_id=1),
    ]
    found = compared(tmp_path, calls, [charge(1, "9")])
    assert found.causes == {"duplicates": "3.00"}  # 3 + 3 + 6 against 3 + 6
    assert "1 call alike in model and tokens" in found.evidence


def test_the_same_call_under_two_ids_is_a_duplicate(tmp_path: Path) -> None:
    found = compared(
        tmp_path, [call(1, M), call(1, M), call(1, M, ts="2026-10-01 13:00:00")], [charge(1, "6")]
    )
    assert found.causes == {"duplicates": "3.00"}


def test_like_calls_are_no_duplicates_where_the_bill_has_them(tmp_path: Path) -> None:
    calls = [call(1, M, source_id=1), call(1, M, source_id=2)]
    assert compared(tmp_path, calls, [charge(1, "6")]).causes == {}
    found = compared(tmp_path, calls, [charge(1, "5")])
    assert found.causes == {"unexplained": "1.00"}, "the duplicate would be 3.00, more than is too much"


def test_the_providers_report_of_usage_tells_how_much_is_missing(tmp_path: Path) -> None:
    """1 M of 3 M tokens are in calls; the bill is 10 % below our price of all 3 M: 9.00 x 0.9 = 8.10."""
    found = compared(tmp_path, [call(1, M), bucket(1, 3 * M)], [charge(1, "8.10")])
    # 3.00 - 8.10 = -6.00 (2 M tokens) + 0.90 (9.00 - 8.10)
    assert found.causes == {"missing_calls": "-6.00", "price": "0.90"}
    assert "3,000,000 tokens in the provider's report of usage, 1,000,000 in calls" in found.evidence


def test_the_providers_report_of_usage_tells_how_much_is_too_much(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, 2 * M), bucket(1, M)], [charge(1, "3.00")])
    assert found.causes == {"extra_calls": "3.00"}


def test_a_usage_report_of_someone_elses_is_no_evidence(tmp_path: Path) -> None:
    """Only the provider's own reports count all that was used: not what a client counted of itself."""
    found = compared(tmp_path, [call(1, M), {**bucket(1, 3 * M), "source_id": 1}], [charge(1, "8.10")])
    assert found.causes == {"unexplained": "-5.10"}


# --- price and mode ---------------------------------------------------------------------------------------


def test_the_same_share_of_ours_on_three_days_is_another_price(tmp_path: Path) -> None:
    """A discount of 15 %: 3.00, 6.00 and 9.00 x 0.85."""
    calls = [call(1, M), call(2, 2 * M), call(3, 3 * M)]
    found = compared(tmp_path, calls, [charge(1, "2.55"), charge(2, "5.10"), charge(3, "7.65")])
    assert found.causes == {"price": "2.70"}  # 18 x 0.15
    assert "the bill is 0.85 of ours in 3 cases" in found.evidence


def test_one_or_two_days_are_no_evidence_of_a_price(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, M), call(2, 2 * M)], [charge(1, "2.55"), charge(2, "5.10")])
    assert found.causes == {"unexplained": "1.35"}


def test_a_share_of_a_constant_cost_is_no_evidence_of_a_price(tmp_path: Path) -> None:
    """One of four equal calls that is missing every day looks the same."""
    calls = [call(day, M) for day in (1, 2, 3)]
    found = compared(tmp_path, calls, [charge(day, "2.25") for day in (1, 2, 3)])
    assert found.causes == {"unexplained": "2.25"}


def test_the_price_of_one_kind_of_token(tmp_path: Path) -> None:
    """The bill tells the kinds apart: output is at 12 USD a million instead of 15."""
    calls = [call(day, day * M, day * M) for day in (1, 2, 3)]
    lines = [
        line
        for day in (1, 2, 3)
        for line in (
            charge(day, f"{3 * day}", line_item="uncached_input_tokens"),
            charge(day, f"{12 * day}", line_item="output_tokens"),
        )
    ]
    found = compared(tmp_path, calls, lines)
    assert found.causes == {"price": "18.00"}  # 3 x (1 + 2 + 3)
    assert "output is 0.8 of ours in 3 cases" in found.evidence


def test_one_discount_on_several_models_is_a_price_within_a_day_or_two(tmp_path: Path) -> None:
    calls = [call(1, M), call(1, 2 * M, model="x"), call(1, 4 * M, model="y")]
    lines = [charge(1, "2.7"), charge(1, "5.4", model="x"), charge(1, "10.8", model="y")]
    assert compared(tmp_path, calls, lines).causes == {"price": "2.10"}  # a tenth of 3 + 6 + 12


def test_tokens_of_the_providers_own_report_leave_the_price_only(tmp_path: Path) -> None:
    """Where there are no calls, ours is the usage report at our prices."""
    found = compared(tmp_path, [bucket(1, M)], [charge(1, "2.70")])
    assert found.causes == {"price": "0.30"}


def test_the_same_usage_in_another_mode(tmp_path: Path) -> None:
    """Both are 9.00 at the standard price: of ours nothing is batch, on the bill 4.00 is half of 8.00."""
    lines = [charge(1, "1.00", mode="standard"), charge(1, "4.00", mode="batch")]
    found = compared(tmp_path, [call(1, 3 * M)], lines)
    assert found.causes == {"tier": "4.00"}


def test_a_mode_of_the_bill_that_no_call_has_while_the_others_agree(tmp_path: Path) -> None:
    lines = [charge(1, "3.00", mode="standard"), charge(1, "4.00", mode="batch")]
    found = compared(tmp_path, [call(1, M)], lines)
    assert found.causes == {"missing_calls": "-4.00"}
    assert "no call in mode batch" in found.evidence


def test_exactly_half_of_ours_is_batch_or_flex(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, M, 12_345)], [charge(1, "1.5925875")])
    # 3 + 12,345 x 0.000015 = 3.185175; half of it 1.5925875
    assert found.causes == {"tier": "1.5925875"}
    found = compared(tmp_path, [call(1, M, 12_345)], [charge(1, "1.59")])
    assert found.causes == {"unexplained": "1.595175"}, "to the cent it is no half"


# --- days -------------------------------------------------------------------------------------------------

HOURS = (1, 5, 9, 14, 20, 23)
"""When calls happen, by the bill; each hour of each day has its own number of tokens."""


def hourly(hours_off: int) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Calls of six days with times that are ``hours_off`` too late, and the true bill of the middle four."""
    calls, of_day = [], dict.fromkeys(range(1, 7), 0)
    for day in of_day:
        for hour in HOURS:
            tokens = 1000 * (day * 100 + hour * hour)
            of_day[day] += tokens
            days, clock = divmod(hour + hours_off, 24)
            if 1 <= day + days <= 30:
                calls.append(call(1, tokens, ts=f"2026-10-{day + days:02} {clock:02}:00:00"))
    return calls, [charge(day, str(of_day[day] * 3 / 10**6)) for day in (2, 3, 4, 5)]


def test_calls_in_another_zone_than_the_bill(tmp_path: Path) -> None:
    """Times of Taipei read as UTC: what was used at 20:00 UTC stands on the next day, at 04:00."""
    calls, lines = hourly(8)
    found = compared(tmp_path, calls, lines)
    # Into the first day came what was used on the day before at 20:00 and 23:00, 1000 x (100 + 400) and
    # 1000 x (100 + 529); out of the last one went 1000 x (500 + 400) and 1000 x (500 + 529), in tokens of
    # 3 USD a million: 1,129,000 - 1,929,000 = -800,000 tokens.
    assert found.causes == {"time_zone": "-2.40"}
    assert "8:00 h earlier, 4 of 4 days agree that did not" in found.evidence
    assert [row["time_zone"] == row["difference"] for row in found.rows] == [True] * 4


def test_calls_in_the_bills_zone_are_not_moved(tmp_path: Path) -> None:
    calls, lines = hourly(0)
    assert compared(tmp_path, calls, lines).causes == {}


def test_what_is_missing_beside_another_zone_is_missing(tmp_path: Path) -> None:
    calls, lines = hourly(8)
    found = compared(tmp_path, calls, [*lines, charge(3, "5", model="opus")])
    assert found.causes == {"missing_calls": "-5.00", "time_zone": "-2.40"}


def test_a_call_booked_on_the_next_day(tmp_path: Path) -> None:
    """It began before midnight and ended after it."""
    calls = [call(1, M), call(1, M, ts="2026-10-01 23:59:59"), call(2, M), call(3, M)]
    found = compared(tmp_path, calls, [charge(1, "3"), charge(2, "6"), charge(3, "3")])
    assert [(row["day"], str(row["time_zone"])) for row in found.rows if row["time_zone"]] == [
        ("2026-10-01", "3.00"),
        ("2026-10-02", "-3.00"),
    ]
    assert found.causes == {}, "the sum over the days agrees"


def test_days_that_are_no_neighbours_do_not_explain_each_other(tmp_path: Path) -> None:
    calls = [call(1, 2 * M), call(2, M), call(3, M)]
    found = compared(tmp_path, calls, [charge(1, "3"), charge(2, "3"), charge(3, "6")])
    assert [str(row["unexplained"]) for row in found.rows] == ["3.00", "0.00", "-3.00"]


def test_a_round_half_may_be_chance(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, 2 * M)], [charge(1, "3")])
    assert found.causes == {"unexplained": "3.00"}


# --- rounding ---------------------------------------------------------------------------------------------


def test_half_a_cent_a_line_is_rounding(tmp_path: Path) -> None:
    """0.0030 and 0.0045 are written as 0.00: half a cent a line may hide 0.01 in two."""
    lines = [charge(1, "0.00", line_item="input_no_cache"), charge(1, "0.00", line_item="output")]
    found = compared(tmp_path, [call(1, 1000, 300)], lines)
    assert found.causes == {"rounding": "0.0075"}


def test_more_than_half_a_cent_a_line_is_not(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, 2000)], [charge(1, "0.00")])
    assert found.causes == {"unexplained": "0.006"}


def test_a_bill_with_more_decimal_places_hides_less(tmp_path: Path) -> None:
    found = compared(tmp_path, [call(1, 1000)], [charge(1, "0.0021"), charge(2, "0.0000001")])
    assert found.rows[0]["rounding"] == 0


# --- beside usage -----------------------------------------------------------------------------------------


def test_credits_discounts_taxes_and_fees_are_known_by_their_kind(tmp_path: Path) -> None:
    lines = [
        charge(1, "3"),
        charge(1, "-2", kind="credit", model=None, line_item="promotional credit"),
        charge(1, "-0.5", kind="discount", model=None),
        charge(1, "0.4", kind="tax", model=None, line_item="VAT"),
        charge(1, "0.1", kind="fee", model=None),
    ]
    found = compared(tmp_path, [call(1, M)], lines)
    assert found.totals["difference"] == 2  # 3 - (3 - 2 - 0.5 + 0.4 + 0.1)
    assert found.causes == {"credits": "2.50", "taxes": "-0.50"}
    assert {row["model"] for row in found.rows} == {SONNET, "(credit)", "(discount)", "(tax)", "(fee)"}


def test_items_beside_tokens_are_compared_with_what_calls_state(tmp_path: Path) -> None:
    """30 searches of ours are 0.30; the bill has 0.40 of them, and code execution."""
    lines = [
        charge(1, "3.00"),
        charge(1, "0.40", model=None, line_item="web_search"),
        charge(1, "0.05", model=None, line_item="code_execution"),
    ]
    found = compared(tmp_path, [call(1, M, other_units={"web_search_requests": 30})], lines)
    assert {row["model"]: said for row in found.rows if (said := str(row["non_token_items"])) != "0.00"} == {
        "(web search)": "-0.10",
        "(code execution)": "-0.05",
    }
    assert found.causes == {"non_token_items": "-0.15"}
    found = compared(tmp_path, [call(1, M, other_units={"web_search_requests": 40})], lines[:2])
    assert found.causes == {}


def test_calls_under_a_subscription_are_not_on_the_bill(tmp_path: Path) -> None:
    calls = [call(1, M), call(1, 5 * M, billing="subscription")]
    found = compared(tmp_path, calls, [charge(1, "3")])
    assert found.causes == {"subscription": "15.00"}
    assert "1 call under a subscription, at list price" in found.evidence


def test_calls_under_a_subscription_that_are_on_the_bill_explain_nothing(tmp_path: Path) -> None:
    calls = [call(1, M), call(1, 5 * M, billing="subscription")]
    found = compared(tmp_path, calls, [charge(1, "17")])
    assert found.causes == {"unexplained": "1.00"}


def test_calls_without_a_price(tmp_path: Path) -> None:
    unpriced = call(1, M, cost_pico=None, price_id=None)
    found = compared(tmp_path, [unpriced], [charge(1, "4")])
    assert found.causes == {"unpriced": "-4.00"}
    assert not found.report.complete
    assert found.report.unpriced.models == (SONNET,)


def test_calls_without_a_price_beside_others_that_have_one(tmp_path: Path) -> None:
    """How much of the bill is theirs is known only where they have a mode of their own."""
    calls = [call(1, M), call(1, M, mode="priority", cost_pico=None, price_id=None)]
    assert compared(tmp_path, calls, [charge(1, "4")]).causes == {"unexplained": "-1.00"}
    lines = [charge(1, "3", mode="standard"), charge(1, "4", mode="priority")]
    assert compared(tmp_path, calls, lines).causes == {"unpriced": "-4.00"}
