"""``simulate-trim`` as a report: what it shows, by what, and that it is a plan of one lever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.analysis.by_hand import ALWAYS, Call, at

from costctl.analysis import QuestionError
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.report import Report
from costctl.simulate.cuts import Cut
from costctl.simulate.eliminate import Eliminate
from costctl.simulate.plan import simulate
from costctl.simulate.summarise import Summarise
from costctl.simulate.trim import Trim, Trimming
from costctl.simulate.trim_report import simulate_document, simulate_trim

OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
MICRO = 10**6

Made = Callable[..., Ledger]


def call(tokens_in: int, out: int = 0, **said: Any) -> Call:
    """On Sonnet: 3 USD a million tokens in, 15 out."""
    pico = (tokens_in * 3 + out * 15) * MICRO
    return {"model": SONNET, "input_tokens": tokens_in, "output_tokens": out, "cost_pico": pico, **said}


def trim(prompt: str | None = None, output: str | None = None) -> Trim:
    return Trim(
        (Trimming((), None, *(None if text is None else Cut.parse(text) for text in (prompt, output))),)
    )


def cells(report: Report, label: object) -> dict[str, Any]:
    names = [column.name for column in report.columns]
    rows = [dict(zip(names, row, strict=True)) for row in report.rows]
    if label == "total":
        assert report.totals is not None
        return dict(zip(names, report.totals, strict=True))
    return next(row for row in rows if row[names[0]] == label)


def test_before_and_after_by_team(ledger_of: Made, book: PriceBook) -> None:
    """Search: 10,000 tokens to 4,000 in one call, 3,000 stay in another: 13,000 to 7,000, mean 6,500 to
    3,500, 39,000 millionths to 21,000. Ads: two calls of 5,000 in one row to 4,000 each."""
    ledger = ledger_of(
        call(10_000, team="search"),
        call(3_000, team="search"),
        call(10_000, team="ads", requests=2),
    )
    report = simulate_trim(ledger, trim("4000"), "team", book=book, period=ALWAYS)
    assert [row[0] for row in report.rows] == ["search", "ads"], "the greatest saving comes first"
    search = cells(report, "search")
    assert (search["requests_before"], search["changed"]) == (2, 1)
    assert (search["mean_prompt_before"], search["mean_prompt_after"]) == (Decimal(6_500), Decimal(3_500))
    assert (search["cost_before"], search["cost_after"]) == (39_000 * MICRO, 21_000 * MICRO)
    assert (search["saving"], search["saving_share"]) == (18_000 * MICRO, Decimal("0.461538"))
    ads = cells(report, "ads")
    assert (ads["requests_before"], ads["changed"], ads["mean_prompt_after"]) == (2, 2, Decimal(4_000))
    assert cells(report, "total")["saving"] == 24_000 * MICRO


def test_the_assumptions_stand_under_it(ledger_of: Made, book: PriceBook) -> None:
    notes = simulate_trim(ledger_of(call(9)), trim("4"), book=book, period=ALWAYS).notes
    assert "trim: prompts are cut to at most 4 tokens a call" in notes
    assert any("cut in one proportion" in note for note in notes)


def test_a_cut_that_reaches_nothing_says_so(ledger_of: Made, book: PriceBook) -> None:
    report = simulate_trim(ledger_of(call(9)), trim("4000"), book=book, period=ALWAYS)
    assert "trim: no call is reached, so nothing is saved" in report.notes
    assert cells(report, "total")["saving"] == 0


def test_calls_without_a_price_are_left_out_and_told(ledger_of: Made, book: PriceBook) -> None:
    unpriced = {**call(9_000), "model": "unheard-of", "cost_pico": None, "price_id": None}
    report = simulate_trim(ledger_of(call(9_000), unpriced), trim("-50%"), book=book, period=ALWAYS)
    assert not report.complete
    assert report.unpriced.models == ("unheard-of",)
    assert cells(report, "total")["saving"] == 4_500 * 3 * MICRO


def test_an_empty_period(ledger_of: Made, book: PriceBook) -> None:
    report = simulate_trim(ledger_of(call(9)), trim("-50%"), book=book, period=at(month="2020-01"))
    assert (report.rows, report.calls) == ([], 0)
    assert cells(report, "total")["saving"] == 0


@pytest.mark.parametrize(
    "lever", [trim("mean:3200"), trim("p90", "-10%"), Eliminate(), Summarise(HAIKU, 2_000, above=10_000)]
)
def test_it_is_a_plan_of_one_lever(techcorp: Ledger, book: PriceBook, lever: Any) -> None:
    """To the pico-dollar, whatever it is looked at by."""
    october = at(month="2024-10")
    report = simulate_trim(techcorp, lever, "model,day", book=book, period=october)
    plan = simulate(techcorp, [lever], book=book, period=october)
    total = cells(report, "total")
    assert total["saving"] == plan.figures["saving"]
    assert total["cost_before"] == 127_850 * 10**12
    names = [column.name for column in report.columns]
    for name in ("cost_before", "cost_after", "saving", "requests_before"):
        place = names.index(name)
        assert sum(row[place] for row in report.rows) == total[name]  # type: ignore[misc]


def test_the_books_mean_prompt(techcorp: Ledger, book: PriceBook) -> None:
    """8,500 to 3,200 tokens; 58,289.40 of 127,850 USD on the bill's own tokens, see test_simulate_trim. The
    book's 6,550 stands beside it, and beside no other question."""
    lever = trim("mean:3200")
    report = simulate_trim(techcorp, lever, book=book, period=at(month="2024-10"))
    total = cells(report, "total")
    assert (total["mean_prompt_before"], total["mean_prompt_after"]) == (Decimal(8_500), Decimal(3_200))
    assert round(Decimal(total["saving"]) / 10**12, 2) == Decimal("58289.40")
    assert total["saving_share"] == Decimal("0.455920")  # 53 / 85 of what input costs, 93,483 of 127,850
    (note,) = [note for note in report.notes if "the book's TechCorp" in note]
    assert "$58,289.40 is what follows" in note
    assert "prints $6,550" in note
    for other, month in ((lever, "2024-09"), (trim("mean:3000"), "2024-10")):
        notes = simulate_trim(techcorp, other, book=book, period=at(month=month)).notes
        assert not any("TechCorp" in note for note in notes)


# --- two stages -------------------------------------------------------------------------------------------


def test_two_stages_say_what_reading_costs(ledger_of: Made, book: PriceBook) -> None:
    """50,000 tokens in and 1,000 out, the answer (15,000 millionths) the same both ways: reading costs
    150,000 in one stage and 29,500 in two, of which 17,500 beside the call. A short call is not reached."""
    ledger = ledger_of(call(50_000, 1_000), call(100, 100))
    report = simulate_trim(ledger, Summarise(HAIKU, 4_000), book=book, period=ALWAYS)
    assert report.figures == {
        "reading_before": 150_000 * MICRO,
        "reading_after": 29_500 * MICRO,
        "reading_change": Decimal("-0.803333"),
    }
    total = cells(report, "total")
    assert (total["changed"], total["added"]) == (1, 17_500 * MICRO)
    assert total["saving"] == 120_500 * MICRO
    assert any("extract of 4,000 tokens" in note for note in report.notes)


def test_two_stages_that_cost_more_say_so(ledger_of: Made, book: PriceBook) -> None:
    """4,200 tokens with an extract of 4,000: 1,050 + 5,000 + 12,000 = 18,050 millionths for 12,600."""
    report = simulate_trim(ledger_of(call(4_200)), Summarise(HAIKU, 4_000), book=book, period=ALWAYS)
    assert cells(report, "total")["saving"] == -5_450 * MICRO
    assert any(note.startswith("summarise costs more: $0.01") for note in report.notes)
    assert any(note.startswith("summarise: 1 call costs more than before") for note in report.notes)


def test_the_books_document_by_the_length_of_its_extract(book: PriceBook) -> None:
    """1,000 documents of 50,000 tokens: 150 USD on Sonnet; see test_simulate_trim for the arithmetic."""
    report = simulate_document(
        book,
        model=SONNET,
        extract_model=HAIKU,
        document=50_000,
        extracts=(4_000, 2_000, 5_000),
        at=datetime(2024, 10, 1),
    )
    usd = 10**12
    assert report.rows == [
        (4_000, 150 * usd, 17_500 * usd // 1000, 12 * usd, 29_500 * usd // 1000, 120_500 * usd // 1000,
         Decimal("-0.803333")),
        (2_000, 150 * usd, 15 * usd, 6 * usd, 21 * usd, 129 * usd, Decimal("-0.860000")),
        (5_000, 150 * usd, 18_750 * usd // 1000, 15 * usd, 33_750 * usd // 1000, 116_250 * usd // 1000,
         Decimal("-0.775000")),
    ]  # fmt: skip


def test_a_document_that_cannot_be_priced_or_extracted(book: PriceBook) -> None:
    asked: dict[str, Any] = {
        "model": SONNET,
        "extract_model": HAIKU,
        "document": 50_000,
        "extracts": (4_000,),
    }
    moment = datetime(2024, 10, 1)
    with pytest.raises(QuestionError, match="no price for model unheard-of"):
        simulate_document(book, **{**asked, "model": "unheard-of"}, at=moment)
    for extracts in ((0,), (50_000,), (4_000, 60_000)):
        with pytest.raises(QuestionError, match="extracts of"):
            simulate_document(book, **{**asked, "extracts": extracts}, at=moment)


# --- eliminate --------------------------------------------------------------------------------------------


def test_eliminated_calls_leave_no_trace_but_their_cost(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        call(1_000, team="search", success=False, requests=3),
        call(2_000, team="search"),
        call(500, team="ads"),
    )
    report = simulate_trim(ledger, Eliminate(("failed",)), "team", book=book, period=ALWAYS)
    search = cells(report, "search")
    assert (search["requests_before"], search["requests_after"]) == (4, 1)
    assert (search["cost_before"], search["cost_after"]) == (9_000 * MICRO, 6_000 * MICRO)
    assert cells(report, "ads")["saving"] == 0


def test_techcorps_failed_calls_by_month(techcorp: Ledger, book: PriceBook) -> None:
    """What calls that timed out cost in each month, out of the files."""
    report = simulate_trim(techcorp, Eliminate(), "month", book=book, period=ALWAYS)
    found = {row[0]: Decimal(cells(report, row[0])["saving"]) / 10**12 for row in report.rows}
    assert found == {
        "2024-09": Decimal("72.828349"),
        "2024-10": Decimal("324.993206"),
        "2024-11": Decimal("81.14367375"),
    }
