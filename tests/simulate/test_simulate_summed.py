"""Calls added up before they are priced cost what they cost one by one, to the pico-dollar."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.by_hand import at, fill

from costctl import filters
from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import dimension
from costctl.ingest import reprice
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.simulate import summed
from costctl.simulate.router import Router, Rule
from costctl.simulate.state import States

pytestmark = pytest.mark.heavy

TIERED, DATED, DAILY = "gemini-2.5-pro", "o3", "deepseek-chat"
"""A second tier above 200,000 tokens; cheaper from 2025-06-10 on; cheaper at some hours of the day."""
PLAIN, BLIND = "claude-sonnet-4-20250514", "text-embedding-3-small"
"""A context of 200,000 tokens; and no price for tokens out."""

TOKENS = st.sampled_from([0, 1, 999, 100_000, 199_999, 200_000, 200_001, 500_000])

CALLS = st.fixed_dictionaries(
    {
        "ts": st.sampled_from(
            [
                f"2025-0{month}-{day} {time}"
                for month, day in ((6, "09"), (6, "10"), (6, "11"), (8, "20"))
                for time in ("00:15:00", "00:45:00", "16:29:59", "16:30:00", "23:59:59")
            ]
        ),
        "model": st.sampled_from([TIERED, DATED, DAILY, PLAIN, BLIND, "unheard-of"]),
        "mode": st.sampled_from(["standard", "standard", "batch"]),
        "grain": st.sampled_from(["call", "call", "call", "bucket"]),
        "requests": st.sampled_from([1, 1, 1, 3, 0, None]),
        "team": st.sampled_from(["a", "b", None]),
        "tags": st.sampled_from([{"complexity": "simple", "x": "1"}, {"complexity": "simple", "x": "2"}, {}]),
        "input_tokens": TOKENS,
        "cache_read_tokens": TOKENS,
        "output_tokens": st.sampled_from([0, 1, 700]),
        "reasoning_tokens": st.sampled_from([0, 5, 900, None]),
        "other_units": st.sampled_from([None, None, None, {"web_search_requests": 2}]),
        "latency_ms": st.sampled_from([None, 10, 333]),
    }
)

PROVIDERS = {TIERED: "google", DATED: "openai", DAILY: "deepseek", PLAIN: "anthropic", BLIND: "openai"}

SUMS = """SELECT was_model, model, team, changed_1, missed_1, count(DISTINCT team), sum(was_requests),
    sum(spent_0), sum(spent_1), sum(added_pico), sum(input_tokens), sum(cache_read_tokens),
    sum(output_tokens), sum(took_ms), sum(timed), max(CASE WHEN changed_1 THEN latency_ms END)
FROM state GROUP BY was_model, model, team, changed_1, missed_1
ORDER BY was_model, model, team, changed_1, missed_1"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("summed") / "ledger.duckdb")


def both(ledger: Ledger, book: PriceBook, router: Router, by: str) -> tuple[list[Any], list[Any], int]:
    """The sums of calls one by one and of calls added up, and in how many rows these were."""
    dimensions = [dimension("day"), dimension(by)]
    with ledger.reading() as engine:
        calls = Calls(engine, at("Europe/Berlin"))
        one = States.of(calls, book, [router])
        many = States.of(calls, book, [router], dimensions)
        assert "summed" in many.relations
        ((rows,),) = many.rows("SELECT count(*) FROM state")
        return one.rows(SUMS), many.rows(SUMS), int(rows)


@settings(max_examples=40)
@given(st.lists(CALLS, min_size=1, max_size=40), st.sampled_from([TIERED, DATED, DAILY, PLAIN, BLIND]))
def test_added_up_or_one_by_one(
    ledger: Ledger, book: PriceBook, drawn: list[dict[str, Any]], target: str
) -> None:
    fill(
        ledger,
        (
            {**each, "provider": PROVIDERS.get(each["model"]), "cost_pico": None, "price_id": None}
            for each in drawn
        ),
    )
    reprice(ledger, book, apply=True)
    rules = (
        Rule((filters.parse("tag:complexity=simple"),), target, share=Fraction(2, 3), latency_ms=7),
        Rule((), PLAIN),
    )
    one, many, _ = both(ledger, book, Router(rules, cache="kept"), "team")
    assert one == many


def test_calls_that_are_alike_are_one_row(ledger: Ledger, book: PriceBook) -> None:
    """Two days; on the first three calls whose other tags nobody looks at, and one above Sonnet's context."""
    call = {"model": DATED, "provider": "openai", "ts": "2025-06-20 10:00:00", "input_tokens": 1000,
            "cost_pico": 2 * 10**9, "team": "a"}  # fmt: skip
    fill(
        ledger,
        (
            {**call, "tags": {"complexity": "simple", "x": "1"}},
            {**call, "tags": {"complexity": "simple", "x": "2"}},
            {**call, "tags": {"complexity": "simple"}, "ts": "2025-06-20 11:00:00"},
            {**call, "tags": {"complexity": "simple"}, "input_tokens": 200_001},
            {**call, "tags": {"complexity": "simple"}, "ts": "2025-06-21 11:00:00"},
        ),
    )
    rules = (Rule((filters.parse("tag:complexity=simple"),), PLAIN),)
    one, many, rows = both(ledger, book, Router(rules, cache="kept"), "team")
    assert one == many
    assert rows == 3


def test_where_labels_tell_nearly_all_calls_apart_they_are_not_added_up(
    ledger: Ledger, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summed, "MOST_KINDS", 2)
    fill(ledger, ({"model": PLAIN, "user_id": f"u{number}"} for number in range(3)))
    rules = (Rule((filters.parse("user=u1"),), DATED),)
    with ledger.reading() as engine:
        states = States.of(Calls(engine, at()), book, [Router(rules, cache="kept")], [])
    assert "summed" not in states.relations


@pytest.mark.parametrize(
    "router",
    [
        Router((Rule((), DATED, escalate=Fraction(1, 2)),)),
        Router((Rule((), DATED, token_ratio=Fraction(2)),)),
    ],
)
def test_what_looks_at_each_call_is_not_added_up(ledger: Ledger, book: PriceBook, router: Router) -> None:
    fill(ledger, [{"model": PLAIN}])
    with ledger.reading() as engine:
        assert "summed" not in States.of(Calls(engine, at()), book, [router], []).relations


def test_a_session_that_reads_from_a_cache_is_looked_at_call_by_call(ledger: Ledger, book: PriceBook) -> None:
    fill(ledger, [{"model": PLAIN, "session": "s", "cache_read_tokens": 1}])
    with ledger.reading() as engine:
        assert (
            "summed" not in States.of(Calls(engine, at()), book, [Router((Rule((), DATED),))], []).relations
        )
