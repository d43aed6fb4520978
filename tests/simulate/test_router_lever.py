"""The lever route: which calls go where, and what they then cost, by hand."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from tests.analysis.by_hand import ALWAYS, Call

from costctl import filters
from costctl.analysis.calls import Calls
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.simulate.router import Router, Rule
from costctl.simulate.state import States

OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
"""15 / 75, 3 / 15 and 0.25 / 1.25 USD a million tokens, cached input a tenth, written cache 1.25 x input."""

MILLION = 10**6
MILLI = 10**9
"""Pico-dollars of a thousandth of a dollar."""

Made = Callable[..., Ledger]


def rule(*where: str, to: str = SONNET, **more: Any) -> Rule:
    return Rule(tuple(map(filters.parse, where)), to, **more)


def call(model: str = OPUS, *, milli: int, **said: Any) -> Call:
    """A call that cost ``milli`` thousandths of a dollar."""
    return {"model": model, "cost_pico": milli * MILLI, **said}


BIG = call(milli=22_500, input_tokens=MILLION, output_tokens=MILLION // 10, requests=10)
"""Ten calls. 15 + 7.50 on Opus; 3 + 1.50 on Sonnet; 0.25 + 0.125 on Haiku."""


def rows(ledger: Ledger, book: PriceBook, select: str, *rules: Rule, **more: Any) -> list[tuple[Any, ...]]:
    with ledger.reading() as engine:
        return States.of(Calls(engine, ALWAYS), book, [Router(rules, **more)]).rows(select)


def spent(ledger: Ledger, book: PriceBook, *rules: Rule, **more: Any) -> list[int]:
    """Thousandths of a dollar of each call after the router, in their order."""
    select = "SELECT spent_1 FROM state ORDER BY call_key"
    return [pico // MILLI for (pico,) in rows(ledger, book, select, *rules, **more)]


def test_the_first_rule_that_fits_is_a_calls_own(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        {**BIG, "team": "search", "tags": {"complexity": "simple"}},
        {**BIG, "team": "search"},
        {**BIG, "team": "ads"},
    )
    rules = (rule("tag:complexity=simple", to=HAIKU), rule("team=search", to=SONNET))
    assert spent(ledger, book, *rules) == [375, 4_500, 22_500]


def test_a_call_that_is_there_already_is_not_routed(ledger_of: Made, book: PriceBook) -> None:
    # claude-opus-4-0 is a name of the same model; a price of a contract, 7, stays what it was.
    ledger = ledger_of(call(milli=7, input_tokens=1000), call("claude-opus-4-0", milli=8, input_tokens=1000))
    assert spent(ledger, book, rule(to=OPUS, token_ratio=Fraction(2))) == [7, 8]


def test_calls_of_another_provider_go_to_the_models_maker(ledger_of: Made, book: PriceBook) -> None:
    openai = call("gpt-4-turbo", milli=13_000, provider="openai", input_tokens=MILLION, requests=10)
    select = "SELECT was_provider, provider, model, spent_1 FROM state"
    assert rows(ledger_of(openai), book, select, rule()) == [("openai", "anthropic", SONNET, 3_000 * MILLI)]


def test_a_provider_that_sells_the_model_keeps_the_call(ledger_of: Made, book: PriceBook) -> None:
    aws = call(
        "anthropic.claude-3-opus-20240229-v1:0",
        milli=15_000,
        provider="aws",
        input_tokens=MILLION,
        requests=10,
    )
    to = "anthropic.claude-3-haiku-20240307-v1:0"
    select = "SELECT provider, model, spent_1 FROM state"
    assert rows(ledger_of(aws), book, select, rule(to=to)) == [("aws", to, 250 * MILLI)]


def test_a_share_goes_and_the_rest_stays(techcorp: Ledger, book: PriceBook) -> None:
    select = "SELECT count(*) FROM state GROUP BY changed_1 ORDER BY changed_1"
    first, again = (rows(techcorp, book, select, rule("model~opus", share=Fraction(1, 4))) for _ in range(2))
    opus = sum(count for (count,) in first) * 1.0
    assert first == again
    with techcorp.reading() as engine:
        ((opus,),) = engine.rows("SELECT count(*) FROM calls WHERE contains(model, 'opus')")
    # A quarter of n rows, within three standard deviations.
    assert abs(first[1][0] - opus / 4) < 3 * (opus * 3 / 16) ** 0.5
    other = rows(techcorp, book, "SELECT sum(spent_1) FROM state", rule(share=Fraction(1, 4)), seed=2)
    assert other != rows(techcorp, book, "SELECT sum(spent_1) FROM state", rule(share=Fraction(1, 4)))


def test_another_models_tokens(ledger_of: Made, book: PriceBook) -> None:
    # 1.2 x 4.50; reasoning is part of the output.
    ledger = ledger_of({**BIG, "reasoning_tokens": 15})
    select = "SELECT input_tokens, output_tokens, reasoning_tokens, spent_1 FROM state"
    assert rows(ledger, book, select, rule(token_ratio=Fraction(6, 5))) == [
        (1_200_000, 120_000, 18, 5_400 * MILLI)
    ]


def test_a_ratio_holds_for_routed_calls_of_its_rule_only(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(BIG, {**BIG, "team": "ads"}, {**BIG, "team": "law"})
    rules = (rule("team=ads", token_ratio=Fraction(1, 2)), rule("team=law"))
    assert spent(ledger, book, *rules) == [22_500, 2_250, 4_500]


def test_a_cascade_pays_both_models_where_it_escalates(ledger_of: Made, book: PriceBook) -> None:
    select = "SELECT model, spent_1, latency_ms FROM state"
    ledger = ledger_of({**BIG, "latency_ms": 2_000})
    always = rule(to=HAIKU, escalate=Fraction(1), latency_ms=500)
    assert rows(ledger, book, select, always) == [(OPUS, 22_875 * MILLI, 2_500)]
    never = rule(to=HAIKU, escalate=Fraction(0), latency_ms=500)
    assert rows(ledger, book, select, never) == [(HAIKU, 375 * MILLI, 500)]


def test_a_share_of_a_cascade_escalates(techcorp: Ledger, book: PriceBook) -> None:
    select = "SELECT model, count(*) FROM state WHERE changed_1 GROUP BY model ORDER BY model"
    found = dict(rows(techcorp, book, select, rule("model~opus", to=HAIKU, escalate=Fraction(1, 5))))
    everything = sum(found.values())
    assert abs(found[OPUS] - everything / 5) < 3 * (everything * 4 / 25) ** 0.5


def test_a_call_longer_than_the_context_stays_and_is_told(ledger_of: Made, book: PriceBook) -> None:
    # The catalogue: 200,000 tokens for Sonnet 4. One call of 200,001; two of 300,000 together, which fit.
    long = call(milli=3_000, input_tokens=200_000, output_tokens=1)
    two = call(milli=4_500, input_tokens=300_000, requests=2)
    ledger = ledger_of(long, two)
    assert spent(ledger, book, rule()) == [3_000, 900]
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [Router((rule(),))])
        assert states.missed == ({f"longer than the context of {SONNET}": 1},)
    assert spent(ledger, book, rule(context_window=200_001)) == [600_015 // 1000, 900]
    # With more tokens on the new model the two do not fit either: 150,000 x 1.5.
    assert spent(ledger, book, rule(token_ratio=Fraction(3, 2))) == [3_000, 4_500]


READ = call(milli=1_500, cache_read_tokens=MILLION, requests=10)
"""Ten calls. 1.50 on Opus, or, written anew, 18.75. On Sonnet 0.30 or 3.75; on Haiku 0.025 or 0.3125."""


def in_session(second: int, **more: Any) -> Call:
    return {**READ, "session": "s", "ts": f"2024-10-07 12:00:{second:02d}", **more}


def test_the_first_routed_call_of_a_session_finds_no_cache(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(in_session(0), in_session(1), in_session(2, session="t"))
    assert spent(ledger, book, rule()) == [3_750, 300, 3_750]
    select = "SELECT input_tokens, cache_read_tokens, cache_write_5m_tokens FROM state ORDER BY call_key"
    assert rows(ledger, book, select, rule())[:2] == [(0, 0, MILLION), (0, MILLION, 0)]


def test_a_session_that_comes_back_finds_no_cache_either(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        in_session(0),
        in_session(1, tags={"go": "yes"}),
        in_session(2),
        in_session(3),
        in_session(4, model=HAIKU),
    )
    # The first stays and is the first; the second has gone; the third wrote for a cache that has not grown,
    # and pays 18.75; the fourth finds it. The fifth changed its model before too.
    assert spent(ledger, book, rule("tag:go=yes")) == [1_500, 3_750, 18_750, 1_500, 1_500]


def test_calls_without_a_session_keep_their_hits(ledger_of: Made, book: PriceBook) -> None:
    assert spent(ledger_of(READ), book, rule()) == [300]


def test_where_the_book_is_followed_reads_stay_reads(ledger_of: Made, book: PriceBook) -> None:
    assert spent(ledger_of(in_session(0)), book, rule(), cache="kept") == [300]


def test_a_routed_call_takes_as_long_as_its_new_models_calls(ledger_of: Made, book: PriceBook) -> None:
    # Of two rows of Sonnet, 3 calls of 1,000 ms and one of 2,000: 1,250.
    ledger = ledger_of(
        {**BIG, "latency_ms": 2_000},
        call(SONNET, milli=0, requests=3, latency_ms=1_000),
        call(SONNET, milli=0, latency_ms=2_000),
    )
    select = "SELECT latency_ms FROM state ORDER BY call_key LIMIT 1"
    assert rows(ledger, book, select, rule(usual_latency_ms=7)) == [(1_250,)]
    assert rows(ledger, book, select, rule(latency_ms=7)) == [(7,)]
    assert rows(ledger, book, select, rule(to=HAIKU, usual_latency_ms=7)) == [(7,)]
    assert rows(ledger, book, select, rule(to=HAIKU)) == [(None,)]


def test_a_model_without_a_price_leaves_calls_where_they_are(ledger_of: Made, book: PriceBook) -> None:
    assert spent(ledger_of(BIG), book, rule(to="unheard-of")) == [22_500]


def test_rules_that_fit_nothing_change_nothing(ledger_of: Made, book: PriceBook) -> None:
    assert spent(ledger_of(BIG), book, rule("team=nobody")) == [22_500]
    assert spent(ledger_of(BIG), book) == [22_500]


@pytest.mark.parametrize("words", ["x' OR '1'='1", "q'); --", '"'])
def test_what_people_type_is_never_sql(ledger_of: Made, book: PriceBook, words: str) -> None:
    assert spent(ledger_of(BIG), book, rule(f"team={words}")) == [22_500]
    assert spent(ledger_of(BIG), book, rule(to=words)) == [22_500]


def test_what_a_rule_says() -> None:
    assert str(rule("model~opus", "team=ads")) == f"calls with model~opus and team=ads go to {SONNET}"
    assert (
        str(rule(share=Fraction(3, 10), escalate=Fraction(1, 8), token_ratio=Fraction(11, 10)))
        == f"30 % of calls go to {SONNET}, with 1.1 times the tokens, "
        "12.5 % of which are then made as before too"
    )
