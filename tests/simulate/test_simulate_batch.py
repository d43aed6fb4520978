"""The lever batch: at the prices of batches, never at a half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.analysis.by_hand import ALWAYS, Call, at

from costctl import filters
from costctl.analysis.calls import Calls
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.simulate.batch import Batch
from costctl.simulate.state import States
from costctl.simulate.waiting import Rule, Waiting

SONNET = "claude-sonnet-4-20250514"
"""3 USD a million tokens in, 15 out, 0.30 read from the cache, 3.75 and 6 written to it; half in a batch."""

MICRO = 10**6
"""Pico-dollars of a millionth of a dollar."""

Made = Callable[..., Ledger]

NIGHTLY = Waiting(tagged=(Rule((filters.parse("project=nightly"),)),))


def call(time: str = "12:00:00", **said: Any) -> Call:
    return {"model": SONNET, "ts": f"2024-10-07 {time}", **said}


def answers(tokens: int, **said: Any) -> Call:
    """A call that costs ``tokens`` x 15 millionths of a dollar, and half in a batch."""
    return call(output_tokens=tokens, cost_pico=tokens * 15 * MICRO, **said)


def costs(ledger: Ledger, book: PriceBook, lever: Batch) -> tuple[int, ...]:
    with ledger.reading() as engine:
        return tuple(each // MICRO for each in States.of(Calls(engine, ALWAYS), book, [lever]).costs())


def rows(ledger: Ledger, book: PriceBook, lever: Batch, select: str) -> list[tuple[Any, ...]]:
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [lever])
        return states.rows(f"SELECT {select} FROM state ORDER BY call_key")  # noqa: S608


def test_cached_tokens_and_web_searches_are_not_halved(ledger_of: Made, book: PriceBook) -> None:
    """gpt-4o in 2025: 2.50 USD a million in, 1.25 cached, 10 out, 0.01 a search; in a batch 1.25, 1.25, 5 and
    0.01. 25,000 + 50,000 + 10,000 + 20,000 = 105,000 millionths become 12,500 + 50,000 + 5,000 + 20,000 =
    87,500: a sixth less."""
    gpt = {
        "ts": "2025-06-01 12:00:00",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 10_000,
        "cache_read_tokens": 40_000,
        "output_tokens": 1_000,
        "other_units": {"web_search_requests": 2},
        "cost_pico": 105_000 * MICRO,
        "project": "nightly",
    }
    assert costs(ledger_of(gpt), book, Batch(NIGHTLY)) == (105_000, 87_500)


def test_the_three_bounds_hold_each_other(ledger_of: Made, book: PriceBook) -> None:
    """100 tokens tagged, 20 of a burst of two, 3 alone by day; 1,000 in an agent's loop."""
    from datetime import timedelta

    from costctl.simulate.waiting import Burst

    waiting = Waiting(NIGHTLY.tagged, burst=Burst(2, timedelta(minutes=1)))
    ledger = ledger_of(
        answers(100, project="nightly", session="a"),
        answers(10, project="tags", session="b"),
        answers(10, project="tags", session="c"),
        answers(3, project="chat", session="d"),
        answers(500, project="agent", session="e"),
        answers(500, project="agent", session="e"),
    )
    # 1,123 x 15 = 16,845; half of what goes is saved: 750, 900 and 922.5.
    assert costs(ledger, book, Batch(waiting, "tagged")) == (16_845, 16_095)
    assert costs(ledger, book, Batch(waiting, "likely")) == (16_845, 15_945)
    assert costs(ledger, book, Batch(waiting, "maximum")) == (16_845, 15_922)


def test_what_is_in_a_batch_already_and_subscriptions_stay(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        *(answers(100, project="nightly", mode=mode) for mode in ("batch", "flex", "fast")),
        answers(100, project="nightly", billing="subscription"),
        answers(100, project="nightly", billing="byok"),
    )
    select = "mode, changed_1, missed_1"
    assert rows(ledger, book, Batch(NIGHTLY), select) == [
        ("batch", False, None),
        ("flex", False, None),
        ("batch", True, None),  # said to be able to wait, and paid for speed
        ("standard", False, "a subscription has no batches"),
        ("batch", True, None),
    ]


def test_a_model_that_has_no_batches_stays(ledger_of: Made, book: PriceBook) -> None:
    groq = call(provider="groq", model="llama-3.3-70b-versatile", input_tokens=1_000, cost_pico=590 * MICRO)
    (book_rows,) = book.rows_for([("groq", "llama-3.3-70b-versatile")]).values()
    assert {row.mode for row in book_rows} == {"standard"}
    lever = Batch(NIGHTLY)
    ledger = ledger_of({**groq, "project": "nightly", "requests": 4})
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [lever])
        assert states.costs() == (590 * MICRO,) * 2
        assert states.missed == ({"no price for llama-3.3-70b-versatile in mode batch": 4},)


@pytest.mark.parametrize(
    ("cache", "after"),
    [
        # 1,000 in, 8,000 read, 1,000 written: 3,000 + 2,400 + 3,750 = 9,150 millionths.
        ("kept", 4_575),  # half of each
        ("lost", 15_000),  # 10,000 x 1.50: more than before
        ("hour", 5_700),  # 1,500 + 1,200 + 1,000 x 3
    ],
)
def test_what_becomes_of_the_cache_in_a_batch(
    ledger_of: Made, book: PriceBook, cache: Any, after: int
) -> None:
    parts = {"input_tokens": 1_000, "cache_read_tokens": 8_000, "cache_write_5m_tokens": 1_000}
    ledger = ledger_of(call(**parts, cost_pico=9_150 * MICRO, project="nightly"))
    assert costs(ledger, book, Batch(NIGHTLY, cache=cache)) == (9_150, after)


def reading(time: str, **said: Any) -> Call:
    """A call that reads 1,000 tokens from a cache: 300 millionths; writing them costs 3,750."""
    return call(time, cache_read_tokens=1_000, cost_pico=300 * MICRO, **said)


def test_calls_that_stay_may_lose_the_hits_that_batched_ones_gave_them(
    ledger_of: Made, book: PriceBook
) -> None:
    """One agent's calls at 12:00 (goes), 12:05 (stays, its cache was kept warm by the one that goes), 12:08
    (stays, kept warm by the one before). Half of 300 is saved, 3,750 - 300 is lost."""
    lever = Batch(Waiting(tagged=(Rule((filters.parse("user=job"),)),)))
    goes = reading("12:00:00", user_id="job")
    stays = reading("12:05:00", user_id="ada"), reading("12:08:00", user_id="ada")
    assert costs(ledger_of(goes, *stays), book, lever) == (900, 150 + 3_750 + 300)
    moved = "mode, cache_read_tokens, cache_write_5m_tokens"
    assert rows(ledger_of(goes, *stays), book, lever, moved) == [
        ("batch", 1_000, 0), ("standard", 0, 1_000), ("standard", 1_000, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "stays",
    [
        reading("12:05:00.000001", user_id="ada"),  # the cache was cold: its hit has another cause
        reading("12:01:00", user_id="ada", agent="other"),  # another cache
        reading("12:01:00", user_id="ada", requests=2, tags={}),  # keeps its own warm
    ],
)
def test_other_hits_are_left_alone(ledger_of: Made, book: PriceBook, stays: Call) -> None:
    lever = Batch(Waiting(tagged=(Rule((filters.parse("user=job"),)),)))
    goes = reading("12:00:00", user_id="job")
    assert costs(ledger_of(goes, stays), book, lever) == (600, 450)


def test_a_model_without_batches_keeps_caches_warm(ledger_of: Made, book: PriceBook) -> None:
    groq = {"provider": "groq", "model": "llama-3.3-70b-versatile"}
    lever = Batch(Waiting(tagged=(Rule((filters.parse("user=job"),)),)))
    ledger = ledger_of(reading("12:00:00", user_id="job", **groq), reading("12:01:00", user_id="ada", **groq))
    assert rows(ledger, book, lever, "changed_1") == [(False,), (False,)]


def test_techcorps_october(techcorp: Ledger, book: PriceBook) -> None:
    """Every price of the three models is half in a batch, and nothing was cached in October. No call of
    TechCorp names a session or is said to be able to wait: only the maximum knows of any, which is all."""
    with techcorp.reading() as engine:
        calls = Calls(engine, at(month="2024-10"))
        found = [
            States.of(calls, book, [Batch(bound=bound)]).costs() for bound in ("tagged", "likely", "maximum")
        ]
    whole = 127_850 * 10**12
    assert found == [(whole, whole), (whole, whole), (whole, whole // 2)]
