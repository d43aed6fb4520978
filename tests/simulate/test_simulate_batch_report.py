"""``simulate-batch`` as a report: three bounds, batches, caches."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.analysis.by_hand import ALWAYS, Call, at

from costctl import filters
from costctl.analysis import QuestionError
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.report import Report
from costctl.simulate.batch import Batch
from costctl.simulate.batch_report import simulate_batch
from costctl.simulate.plan import simulate
from costctl.simulate.waiting import Bound, Rule, Waiting

SONNET = "claude-sonnet-4-20250514"
MICRO, USD = 10**6, 10**12

Made = Callable[..., Ledger]


def answers(tokens: int, time: str = "12:00:00", **said: Any) -> Call:
    """On Sonnet, 15 USD a million tokens."""
    cost = tokens * 15 * MICRO
    return {"model": SONNET, "ts": f"2024-10-07 {time}", "output_tokens": tokens, "cost_pico": cost, **said}


def tagged(*conditions: str) -> Waiting:
    return Waiting(tagged=tuple(Rule((filters.parse(each),)) for each in conditions))


def rows(report: Report) -> list[dict[str, Any]]:
    names = [column.name for column in report.columns]
    return [dict(zip(names, row, strict=True)) for row in report.rows]


def test_three_bounds(ledger_of: Made, book: PriceBook) -> None:
    """1,000 tokens tagged, 100 at night alone in their session, 10 by day, 10,000 in a loop: 11,110 x 15 =
    166,650 millionths; half of 15,000, 16,500 and 16,650 is saved."""
    ledger = ledger_of(
        answers(1_000, session="a", tags={"batch": "true"}, requests=5),
        answers(100, "23:00:00", session="b"),
        answers(10, session="c"),
        answers(5_000, session="d"),
        answers(5_000, session="d"),
    )
    report = simulate_batch(ledger, Batch(), book=book, period=ALWAYS)
    found = rows(report)
    assert [row["bound"] for row in found] == ["tagged", "likely", "maximum"]
    assert [row["batched"] for row in found] == [5, 6, 7]
    assert [row["saving"] for row in found] == [each * MICRO for each in (7_500, 8_250, 8_325)]
    assert {row["cost_before"] for row in found} == {166_650 * MICRO}
    assert found[0]["batched_share"] == Decimal("0.555556")  # 5 of 9 calls
    assert report.figures["saving"] == 7_500 * MICRO, "the bound that was asked for: by default what is said"
    likely = simulate_batch(ledger, Batch(bound="likely"), book=book, period=ALWAYS)
    assert likely.figures["saving"] == 8_250 * MICRO
    assert likely.rows == report.rows
    for each in (report, likely):
        said = [note for note in each.notes if note.startswith("batch: a call is alone if no other")]
        assert len(said) == 1, "what the bounds are taken for is said once, whichever is asked for"


def test_by_team_within_a_bound(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(answers(100, team="ads"), answers(1_000, team="search"), answers(1_000, team="web"))
    lever = Batch(tagged("team=ads,search"))
    report = simulate_batch(ledger, lever, "team", book=book, period=ALWAYS)
    assert [(row["team"], row["changed"], row["saving"]) for row in rows(report)] == [
        ("search", 1, 7_500 * MICRO), ("ads", 1, 750 * MICRO), ("web", 0, 0),
    ]  # fmt: skip
    assert report.totals is not None
    assert report.totals[-2] == report.figures["saving"] == 8_250 * MICRO


def test_as_many_batches_as_a_providers_limits_need(ledger_of: Made, book: PriceBook) -> None:
    """Anthropic takes 100,000 requests or 256 MB. On the 7th 100,001 requests: two batches. On the 8th 200 M
    tokens of prompts, about 800 MB: four. On the 9th in Berlin, which begins at 22:00 UTC, one call: one.
    OpenAI takes 50,000 requests: 50,001 are two. A model of a provider whose limits are not known: one."""
    openai = {"provider": "openai", "model": "gpt-4o", "requests": 50_001}
    ledger = ledger_of(
        answers(1, requests=100_001),
        {**answers(1), "ts": "2024-10-08 12:00:00", "input_tokens": 200_000_000, "requests": 2_000},
        {**answers(1), "ts": "2024-10-08 22:00:00"},
        answers(1, **openai),
        {**answers(1), "ts": "2026-10-20 12:00:00", "provider": "groq", "model": "openai/gpt-oss-120b"},
    )
    zone = at("Europe/Berlin")
    report = simulate_batch(ledger, Batch(tagged("grain=call")), book=book, period=zone)
    assert rows(report)[0]["batches"] == 2 + 4 + 1 + 2 + 1
    limits = "anthropic 100,000 requests or 256 MB; groq not known; openai 50,000 requests or 200 MB"
    assert any(limits in note for note in report.notes)


def test_what_depends_on_caches(ledger_of: Made, book: PriceBook) -> None:
    """9,150 millionths (see test_simulate_batch) become 4,575 with hits, 15,000 without and 5,700
    written for an hour."""
    parts = {"input_tokens": 1_000, "cache_read_tokens": 8_000, "cache_write_5m_tokens": 1_000}
    ledger = ledger_of(answers(0, team="ads", **parts, **{"cost_pico": 9_150 * MICRO}))
    figures = simulate_batch(ledger, Batch(tagged("team=ads")), book=book, period=ALWAYS).figures
    assert figures["saving_cache_kept"] == figures["saving"] == 4_575 * MICRO
    assert figures["saving_cache_lost"] == -5_850 * MICRO
    assert figures["saving_cache_hour"] == 3_450 * MICRO
    lost = simulate_batch(ledger, Batch(tagged("team=ads"), cache="lost"), book=book, period=ALWAYS)
    assert lost.figures["saving"] == -5_850 * MICRO
    assert any(note.startswith("batch (tagged) costs more: $0.01") for note in lost.notes)


def test_hits_that_stay_behind_are_counted(ledger_of: Made, book: PriceBook) -> None:
    """A job's call at 12:00 goes, and saves 150; one that reads the same cache a minute later pays 3,450
    more."""
    reads = {"cache_read_tokens": 1_000, "cost_pico": 300 * MICRO}
    ledger = ledger_of(answers(0, user_id="job", **reads), answers(0, "12:01:00", user_id="ada", **reads))
    report = simulate_batch(ledger, Batch(tagged("user=job")), book=book, period=ALWAYS)
    assert (report.figures["lost_hits"], report.figures["lost_hits_cost"]) == (1, 3_450 * MICRO)
    assert report.figures["saving"] == (150 - 3_450) * MICRO
    assert rows(report)[0]["batched"] == 1, "the other is no batched call"


def test_what_the_ledger_does_not_say_is_told(ledger_of: Made, book: PriceBook) -> None:
    bucket = answers(10, grain="bucket", requests=7, provider="openai", model="gpt-4o")
    report = simulate_batch(ledger_of(answers(10), bucket), Batch(), book=book, period=ALWAYS)
    assert "1 call names no session: what follows on them is not known" in report.notes
    assert "7 calls are in buckets of usage reports: only a rule says that they can wait" in report.notes
    assert "batch (tagged): no call is reached, so nothing is saved" in report.notes


@pytest.mark.parametrize("bound", ["tagged", "maximum"])
def test_it_is_a_plan_of_one_lever(techcorp: Ledger, book: PriceBook, bound: Bound) -> None:
    november = at(month="2024-11")
    lever = Batch(tagged("team=finance", "tag:environment=staging"), bound)
    report = simulate_batch(techcorp, lever, "team,model", book=book, period=november)
    plan = simulate(techcorp, [lever], book=book, period=november)
    assert report.totals is not None
    assert report.figures["saving"] == plan.figures["saving"] == report.totals[-2]
    assert sum(int(row["saving"]) for row in rows(report)) == plan.figures["saving"]


def test_techcorps_finance(techcorp: Ledger, book: PriceBook) -> None:
    """18,942.23 USD of October, which nothing was cached in: exactly half of it is saved."""
    lever = Batch(tagged("team=finance"))
    report = simulate_batch(techcorp, lever, book=book, period=at(month="2024-10"))
    with techcorp.reading() as engine:
        ((finance,),) = engine.rows(
            "SELECT CAST(sum(cost_pico) AS BIGINT) FROM calls WHERE team = 'finance' AND month(ts) = 10"
        )
    assert round(Decimal(finance) / USD, 2) == Decimal("18942.23")
    assert report.figures["saving"] == finance // 2
    assert rows(report)[2]["saving"] == 63_925 * USD, "the maximum is half of 127,850"


def test_an_unknown_dimension_is_refused(ledger_of: Made, book: PriceBook) -> None:
    with pytest.raises(QuestionError, match="unknown dimension 'tema'"):
        simulate_batch(ledger_of(), Batch(), "tema", book=book, period=ALWAYS)
