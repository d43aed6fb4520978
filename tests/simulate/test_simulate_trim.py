"""The levers trim, summarise in two stages, and eliminate. Prices: Opus 15 / 75, Sonnet 3 / 15 and Haiku
0.25 / 1.25 USD a million tokens in and out, cached input a tenth, writes 1.25 and 2 times input."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.by_hand import ALWAYS, Call, at, fill

from costctl import filters
from costctl.analysis import QuestionError
from costctl.analysis.calls import Calls
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.simulate.cuts import Cut
from costctl.simulate.eliminate import Eliminate
from costctl.simulate.state import Lever, States
from costctl.simulate.summarise import Summarise
from costctl.simulate.trim import Trim, Trimming

OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
MICRO = 10**6
"""Pico-dollars of a millionth of a dollar; a token of 1 USD a million costs this."""

Made = Callable[..., Ledger]


def call(model: str = SONNET, tokens_in: int = 0, out: int = 0, **said: Any) -> Call:
    """A call that is priced as its tokens say where ``said`` has no others."""
    dear = {OPUS: 15_000_000, SONNET: 3_000_000, HAIKU: 250_000}[model]
    pico = tokens_in * dear + out * 5 * dear
    return {"model": model, "input_tokens": tokens_in, "output_tokens": out, "cost_pico": pico, **said}


def rows(ledger: Ledger, book: PriceBook, select: str, *levers: Lever) -> list[tuple[Any, ...]]:
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, levers)
        return states.rows(f"SELECT {select} FROM state ORDER BY call_key")  # noqa: S608


def costs(ledger: Ledger, book: PriceBook, *levers: Lever) -> tuple[int, ...]:
    with ledger.reading() as engine:
        return States.of(Calls(engine, ALWAYS), book, levers).costs()


def trim(prompt: str | None = None, output: str | None = None, *where: str, above: int | None = None) -> Trim:
    cuts = [None if text is None else Cut.parse(text) for text in (prompt, output)]
    return Trim((Trimming(tuple(map(filters.parse, where)), above, *cuts),))


def test_to_a_length(ledger_of: Made, book: PriceBook) -> None:
    """8,500 tokens to 3,200: 5,300 x 3 USD a million less. 3,200 and less stay."""
    ledger = ledger_of(call(tokens_in=8_500, out=100), call(tokens_in=3_200), call(tokens_in=10))
    assert rows(ledger, book, "input_tokens, changed_1", trim("3200")) == [
        (3_200, True),
        (3_200, False),
        (10, False),
    ]
    before, after = costs(ledger, book, trim("3200"))
    assert before - after == 5_300 * 3 * MICRO


def test_a_row_of_several_calls_is_cut_at_so_many_lengths(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(call(tokens_in=10_000, requests=2), call(tokens_in=10_000, requests=4))
    assert rows(ledger, book, "input_tokens", trim("3200")) == [(6_400,), (10_000,)]
    unknown = ledger_of(call(tokens_in=10_000, requests=None, grain="bucket"))
    reason = "rows that do not say how many calls they are have no length"
    assert rows(unknown, book, "input_tokens, missed_1", trim("3200")) == [(10_000, reason)]
    assert rows(unknown, book, "input_tokens", trim("-10%")) == [(9_000,)]


def test_by_a_percentage_to_the_nearest_token(ledger_of: Made, book: PriceBook) -> None:
    """62.35 % of 10,001 are 6,235.6235, so 3,765.3765 are left. Of 7, 2.6355: 3. Half of 5: 2.5, so 3."""
    ledger = ledger_of(call(tokens_in=10_001), call(tokens_in=7), call(tokens_in=5))
    assert rows(ledger, book, "input_tokens", trim("-62.35%")) == [(3_765,), (3,), (2,)]
    assert rows(ledger, book, "input_tokens", trim("-50%")) == [(5_001,), (4,), (3,)]


def test_above_a_percentile(ledger_of: Made, book: PriceBook) -> None:
    """Of 100, 200, … 1,000 tokens the 90th percentile by nearest rank is 900. A row of ten calls with 2,000
    tokens each makes it 20 calls, whose 18th is 2,000."""
    calls = [call(tokens_in=100 * number) for number in range(1, 11)]
    assert rows(ledger_of(*calls), book, "input_tokens", trim("p90"))[-2:] == [(900,), (900,)]
    many = call(tokens_in=20_000, requests=10)
    assert rows(ledger_of(*calls, many), book, "input_tokens", trim("p90"))[-2:] == [(1_000,), (20_000,)]
    assert rows(ledger_of(*calls, many), book, "input_tokens", trim("p50"))[-2:] == [(1_000,), (10_000,)]


def test_to_a_mean_in_one_proportion(ledger_of: Made, book: PriceBook) -> None:
    """Mean (1,000 + 3 x 2,000) / 4 = 1,750, to 700: two fifths are left of each."""
    ledger = ledger_of(call(tokens_in=1_000), call(tokens_in=6_000, requests=3))
    assert rows(ledger, book, "input_tokens", trim("mean:700")) == [(400,), (2_400,)]
    assert rows(ledger, book, "input_tokens", trim("mean:1750")) == [(1_000,), (6_000,)]
    assert rows(ledger, book, "input_tokens", trim("mean:2000")) == [(1_000,), (6_000,)], "nothing grows"


def test_all_parts_of_a_prompt_shrink_alike(ledger_of: Made, book: PriceBook) -> None:
    """100 uncached, 600 read, 200 and 100 written: 1,000 to 333. Ends at 600, 800, 900 and 1,000 thousandths
    of it: 199.8, 266.4, 299.7, 333, cut to whole ones: 199, 67, 33, 34. Costs 199 x 0.30 + 67 x 3.75 +
    33 x 6 + 34 x 3 = 59.7 + 251.25 + 198 + 102 = 610.95 millionths; before 180 + 750 + 600 + 300 = 1,830."""
    parts = {"cache_read_tokens": 600, "cache_write_5m_tokens": 200, "cache_write_1h_tokens": 100}
    ledger = ledger_of({**call(tokens_in=100), **parts, "cost_pico": 1_830 * MICRO})
    select = "cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, input_tokens"
    assert rows(ledger, book, select, trim("333")) == [(199, 67, 33, 34)]
    assert costs(ledger, book, trim("333")) == (1_830 * MICRO, 610_950_000)


def test_answers_and_the_reasoning_in_them(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(call(out=1_000, reasoning_tokens=500), call(out=300, reasoning_tokens=None))
    select = "output_tokens, reasoning_tokens"
    assert rows(ledger, book, select, trim(None, "400")) == [(400, 200), (300, None)]
    before, after = costs(ledger, book, trim(None, "400"))
    assert before - after == 600 * 15 * MICRO


def test_a_prompt_that_is_cut_below_a_tier_costs_its_price(ledger_of: Made, book: PriceBook) -> None:
    """Sonnet 4.5 cost 6 USD a million above 200,000 tokens, 3 below, until 2026-04-30."""
    model = "claude-sonnet-4-5-20250929"
    ledger = ledger_of({**call(), "model": model, "ts": "2026-01-15 12:00:00", "input_tokens": 300_000,
                        "cost_pico": 300_000 * 6 * MICRO})  # fmt: skip
    assert costs(ledger, book, trim("200000")) == (1_800_000 * MICRO, 600_000 * MICRO)


def test_conditions_and_the_first_rule_that_holds(ledger_of: Made, book: PriceBook) -> None:
    search, long, other = (
        call(tokens_in=1_000, team="search"),
        call(tokens_in=9_000, team="ads"),
        call(tokens_in=8_000, team="ads"),
    )
    lever = Trim((
        Trimming((filters.parse("team=search"),), prompt=Cut.parse("-10%")),
        Trimming(above=8_000, prompt=Cut.parse("5000")),
        Trimming((filters.parse("team=search"),), prompt=Cut.parse("1")),
    ))  # fmt: skip
    assert rows(ledger_of(search, long, other), book, "input_tokens", lever) == [(900,), (5_000,), (8_000,)]


def test_what_cuts_nothing_is_refused() -> None:
    for rules in ((), (Trimming(),), (Trimming(prompt=Cut.parse("9")), Trimming(above=9))):
        with pytest.raises(QuestionError, match="nothing says what is cut"):
            Trim(rules)


@pytest.mark.heavy
@settings(max_examples=25)
@given(
    prompts=st.lists(st.tuples(*[st.integers(0, 10**12)] * 4), min_size=1, max_size=20),
    share=st.fractions(Fraction(1, 10_000), Fraction(9_999, 10_000), max_denominator=10_000),
)
def test_parts_always_add_up_and_none_grows(
    tmp_path_factory: pytest.TempPathFactory,
    book: PriceBook,
    prompts: list[tuple[int, ...]],
    share: Fraction,
) -> None:
    """Also where the product of two counts is beyond a BIGINT: there a part may be off by what 2^31 goes into
    the whole, times two."""
    names = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "input_tokens")
    ledger = Ledger(tmp_path_factory.mktemp("parts") / "l.duckdb")
    fill(ledger, [{**call(), **dict(zip(names, parts, strict=True))} for parts in prompts])
    kept = 1 - share
    with ledger.reading() as engine:
        # A cost beyond a BIGINT is no cost, and the call stays: this looks at what was to become of it.
        states = States.of(Calls(engine, ALWAYS), book, [Trim((Trimming(prompt=Cut("percentage", share)),))])
        found = states.rows(f"SELECT {', '.join(names)} FROM tried_1 ORDER BY call_key")  # noqa: S608
    for now, then in zip(found, prompts, strict=True):
        whole = sum(then)
        assert sum(now) == (2 * whole * kept.numerator + kept.denominator) // (2 * kept.denominator)
        near = 4 * (whole // 2**31 + 2)
        assert all(after >= 0 for after in now)
        assert all(abs(after - before * kept) <= near for after, before in zip(now, then, strict=True))


# --- two stages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extract", "pico", "saved"),
    [
        # Haiku reads 50,000 x 0.25 and writes 4,000 x 1.25, Sonnet reads 4,000 x 3, in place of 50,000 x 3:
        # 12,500 + 5,000 + 12,000 = 29,500 of 150,000 millionths.
        (4_000, 29_500 * MICRO, Decimal("-80.3")),
        (2_000, 21_000 * MICRO, Decimal("-86.0")),  # 12,500 + 2,500 + 6,000
        (5_000, 33_750 * MICRO, Decimal("-77.5")),  # 12,500 + 6,250 + 15,000
    ],
)
def test_the_books_document_in_two_stages(
    ledger_of: Made, book: PriceBook, extract: int, pico: int, saved: Decimal
) -> None:
    ledger = ledger_of(call(tokens_in=50_000))
    before, after = costs(ledger, book, Summarise(HAIKU, extract))
    assert (before, after) == (150_000 * MICRO, pico)
    assert (Decimal(after - before) * 100 / before).quantize(Decimal("0.1")) == saved


def test_the_answer_stays_as_long_and_both_are_paid(ledger_of: Made, book: PriceBook) -> None:
    """Two calls of 50,000 in and 1,000 out in one row: twice 29,500 and 15,000 millionths."""
    ledger = ledger_of(call(tokens_in=100_000, out=2_000, requests=2))
    select = "model, input_tokens, output_tokens, requests, cost_pico, added_pico"
    assert rows(ledger, book, select, Summarise(HAIKU, 4_000)) == [
        (SONNET, 8_000, 2_000, 2, (24_000 + 30_000) * MICRO, 35_000 * MICRO)
    ]


def test_the_cheap_model_knows_no_cache(ledger_of: Made, book: PriceBook) -> None:
    """48,000 of 50,000 tokens read from Sonnet's cache cost 14,400 + 6,000 = 20,400; two stages 29,500."""
    ledger = ledger_of({**call(tokens_in=2_000), "cache_read_tokens": 48_000, "cost_pico": 20_400 * MICRO})
    assert costs(ledger, book, Summarise(HAIKU, 4_000)) == (20_400 * MICRO, 29_500 * MICRO)


def test_which_prompts_are_extracted(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        call(tokens_in=4_000),
        call(tokens_in=4_001),
        call(HAIKU, 50_000),
        call(tokens_in=50_000, team="legal"),
    )
    each = [(False,), (True,), (False,), (True,)]
    assert rows(ledger, book, "changed_1", Summarise(HAIKU, 4_000)) == each
    legal = Summarise(HAIKU, 4_000, (filters.parse("team=legal"),), above=10_000)
    assert rows(ledger, book, "changed_1", legal) == [(False,), (False,), (False,), (True,)]
    unknown = ledger_of(call(tokens_in=50_000, requests=None, grain="bucket"))
    assert rows(unknown, book, "changed_1", Summarise(HAIKU, 4_000)) == [(False,)], "how long is not known"


def test_an_extract_without_a_price_leaves_the_call(ledger_of: Made, book: PriceBook) -> None:
    """Haiku has no price for priority, Opus 4.6 has one for fast."""
    ledger = ledger_of({**call(), "model": "claude-opus-4-6", "input_tokens": 50_000, "mode": "fast",
                        "cost_pico": 1, "ts": "2026-06-01 12:00:00"})  # fmt: skip
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [Summarise(HAIKU, 4_000)])
        assert states.costs() == (1, 1)
        assert states.missed == ({f"no price for {HAIKU} in mode fast": 1},)
    with pytest.raises(QuestionError, match="no price for model unheard-of"):
        costs(ledger, book, Summarise("unheard-of", 4_000))


def test_an_extract_is_shorter_than_the_prompt() -> None:
    with pytest.raises(QuestionError, match=r"an extract of 4,000 tokens of prompts from 3,001 tokens on"):
        Summarise(HAIKU, 4_000, above=3_000)
    with pytest.raises(QuestionError, match="an extract of 0 tokens"):
        Summarise(HAIKU, 0)


# --- eliminate --------------------------------------------------------------------------------------------


def test_failed_calls_are_not_made(ledger_of: Made, book: PriceBook) -> None:
    """What a failed one cost is saved; one that does not say stays."""
    ledger = ledger_of(
        call(tokens_in=1_000, success=False, requests=3),
        call(tokens_in=500, success=True),
        call(tokens_in=400, success=None),
    )
    select = "requests, input_tokens, was_input_tokens, cost_pico"
    assert rows(ledger, book, select, Eliminate(("failed",))) == [
        (0, 0, 1_000, 0),
        (1, 500, 500, 1_500 * MICRO),
        (1, 400, 400, 1_200 * MICRO),
    ]


def repeated(ledger: Ledger, book: PriceBook, lever: Eliminate | None = None) -> list[bool]:
    lever = lever or Eliminate(("repeated",))
    return [changed for (changed,) in rows(ledger, book, "changed_1", lever)]


def test_a_call_that_comes_again_is_answered_from_the_first(ledger_of: Made, book: PriceBook) -> None:
    """Within 24 hours of the last equal one, to the microsecond."""
    times = ("07 12:00:00", "07 12:00:00", "08 12:00:00", "09 12:00:00.000001")
    ledger = ledger_of(*(call(tokens_in=1_000, out=50, ts=f"2024-10-{time}") for time in times))
    assert repeated(ledger, book) == [False, True, True, False]
    hour = Eliminate(("repeated",), timedelta(hours=1))
    assert repeated(ledger, book, hour) == [False, True, False, False]


@pytest.mark.parametrize(
    "other",
    [
        {"out": 51},
        {"tokens_in": 999},
        {"model": OPUS},
        {"team": "ads"},
        {"user_id": "u"},
        {"tags": {"feature": "x"}},
        {"mode": "batch"},
        {"requests": 2},
        {"success": False},
    ],
)
def test_what_differs_is_no_repetition(ledger_of: Made, book: PriceBook, other: dict[str, Any]) -> None:
    first = {"tokens_in": 1_000, "out": 50}
    assert repeated(ledger_of(call(**first), call(**{**first, **other})), book) == [False, False]


def test_an_answer_after_a_failure_is_no_repetition(ledger_of: Made, book: PriceBook) -> None:
    failed = call(tokens_in=1_000, out=50, success=False)
    again = call(tokens_in=1_000, out=50, ts="2024-10-07 12:00:01")
    assert repeated(ledger_of(failed, again), book) == [False, False]
    assert repeated(ledger_of(failed, again), book, Eliminate()) == [True, False]


def test_where_a_cache_answered_the_prompt_is_as_long(ledger_of: Made, book: PriceBook) -> None:
    first = {**call(), "cache_write_5m_tokens": 900, "input_tokens": 100}
    again = {**call(), "cache_read_tokens": 900, "input_tokens": 100}
    assert repeated(ledger_of(first, again), book) == [False, True]


def test_a_hash_of_the_prompt_decides_where_calls_have_one(ledger_of: Made, book: PriceBook) -> None:
    same = Eliminate(("repeated",), prompt_tag="prompt")
    ledger = ledger_of(
        call(tokens_in=1_000, out=50, tags={"prompt": "a1"}),
        call(tokens_in=1_000, out=77, tags={"prompt": "a1"}),
        call(tokens_in=1_000, out=50, tags={"prompt": "b2"}),
        call(tokens_in=1_000, out=50),
        call(tokens_in=1_000, out=50),
    )
    assert repeated(ledger, book, same) == [False, True, False, False, False]
    assert "tag prompt" in " ".join(same.assumptions())
    assert "eliminate: of calls without a tag prompt none came again" in same.assumptions()


def test_levers_follow_each_other(ledger_of: Made, book: PriceBook) -> None:
    """Eliminate one of two calls of 8,500, cut the other to 3,200, and 1,000 of that by Haiku:
    51,000 -> 25,500 -> 9,600 -> 3,200 x 0.25 + 1,000 x 1.25 + 1,000 x 3 = 5,050 millionths."""
    ledger = ledger_of(call(tokens_in=8_500), call(tokens_in=8_500))
    levers = (Eliminate(), trim("3200"), Summarise(HAIKU, 1_000))
    assert costs(ledger, book, *levers) == tuple(each * MICRO for each in (51_000, 25_500, 9_600, 5_050))


# --- TechCorp ---------------------------------------------------------------------------------------------


def october(techcorp: Ledger, book: PriceBook, lever: Lever, select: str) -> tuple[Any, ...]:
    with techcorp.reading() as engine:
        states = States.of(Calls(engine, at(month="2024-10")), book, [lever])
        return (*states.costs(), *states.rows(f"SELECT {select} FROM state")[0])  # noqa: S608


def test_the_books_8500_to_3200(techcorp: Ledger, book: PriceBook) -> None:
    """October's mean prompt is 8,500 tokens. 53 of 85 parts go: of Opus' 4,311,999,999 tokens at 15 USD a
    million, Sonnet's 8,083,999,999 at 3 and Haiku's 18,204,000,002 at 0.25, 64,680 + 24,252 + 4,551 = 93,483
    USD, 58,289.40. (The book prints 6,550, after router and cache.)"""
    lever = trim("mean:3200")
    before, after, tokens, requests = october(techcorp, book, lever, "sum(input_tokens), sum(requests)")
    assert before == 127_850 * 10**12
    # Each of the 25,725 rows is half a token off at most; together they are near nothing.
    assert abs(Decimal(before - after) / 10**12 - Decimal("58289.40")) < Decimal("0.005")
    assert requests == 3_600_000
    assert round(Decimal(int(tokens)) / int(requests), 3) == Decimal("3200.000")
    # November's prompts are 3,200 tokens long: nothing is left to cut.
    with techcorp.reading() as engine:
        assert States.of(Calls(engine, at(month="2024-11")), book, [lever]).costs() == (42_300 * 10**12,) * 2


def test_techcorps_failed_calls(techcorp: Ledger, book: PriceBook) -> None:
    """October's failed calls, out of the files: 92,762, of which those that timed out cost 324.993206 USD.
    No two of its single calls are equal."""
    before, after, requests = october(techcorp, book, Eliminate(), "sum(requests)")
    assert before - after == 324_993_206_000_000
    assert requests == 3_600_000 - 92_762
