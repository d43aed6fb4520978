"""States and levers: what is changed is priced again, all else stays, and every step adds up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.by_hand import ALWAYS, Call, at

from costctl.analysis.calls import Calls
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.report import Column, Report
from costctl.simulate.state import Change, Kind, Setting, States, drawn, of_share

OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
"""15 / 75, 3 / 15 and 0.25 / 1.25 USD a million tokens, cached input a tenth."""

MILLION = 10**6


@dataclass(frozen=True)
class Given:
    """A lever that a test states in SQL."""

    values: dict[str, str]
    reached: str = "TRUE"
    beside: str = "FALSE"
    cost: str | None = None
    names: tuple[tuple[str | None, str], ...] = ()
    name: str = "given"
    kind: Kind = "route"
    said: tuple[str, ...] = field(default=())

    def assumptions(self) -> tuple[str, ...]:
        return self.said

    def change(self, state: str, number: int, setting: Setting) -> Change:  # noqa: ARG002
        return Change(
            f"SELECT * FROM {state}",  # noqa: S608
            self.reached,
            self.values,
            self.beside,
            self.cost,
            names=self.names,
        )


def to(model: str, **said: Any) -> Given:
    return Given({"model": f"'{model}'"}, names=(("anthropic", model),), **said)


def call(model: str, tokens_in: int = 0, tokens_out: int = 0, *, pico: int, **said: Any) -> Call:
    return {
        "model": model,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "cost_pico": pico,
        **said,
    }


def costs(ledger: Ledger, book: PriceBook, *levers: Given) -> tuple[int, ...]:
    with ledger.reading() as engine:
        return States.of(Calls(engine, ALWAYS), book, levers).costs()


def rows(ledger: Ledger, book: PriceBook, select: str, *levers: Given) -> list[tuple[Any, ...]]:
    with ledger.reading() as engine:
        return States.of(Calls(engine, ALWAYS), book, levers).rows(select)


Made = Callable[..., Ledger]

USD = 10**12

# 1 M in and 0.1 M out on Opus: 15 + 7.50 = 22.50. On Sonnet: 3 + 1.50 = 4.50. On Haiku: 0.25 + 0.125 = 0.375.
BIG = call(OPUS, MILLION, MILLION // 10, pico=22_500 * USD // 1000)


def test_without_levers_the_state_is_the_ledger(ledger_of: Made, book: PriceBook) -> None:
    assert costs(ledger_of(BIG), book) == (22_500 * USD // 1000,)


def test_a_changed_call_costs_what_its_new_price_says(ledger_of: Made, book: PriceBook) -> None:
    assert costs(ledger_of(BIG), book, to(SONNET)) == (22_500 * USD // 1000, 4_500 * USD // 1000)


def test_calls_that_no_lever_reaches_keep_the_ledgers_cost(ledger_of: Made, book: PriceBook) -> None:
    # A cost of 7 that no price book says, as of a contract that has ended.
    odd = call(OPUS, MILLION, pico=7 * USD)
    lever = to(SONNET, reached="output_tokens > 0")
    assert costs(ledger_of(BIG, odd), book, lever) == (29_500 * USD // 1000, 11_500 * USD // 1000)


def test_steps_follow_each_other_on_the_state_that_is_left(ledger_of: Made, book: PriceBook) -> None:
    # Half of the input: 7.50 + 7.50 = 15. Then to Sonnet: 1.50 + 1.50 = 3. Then a tenth off: 2.70.
    trim = Given({"input_tokens": "input_tokens // 2"}, kind="trim")
    discount = Given({}, cost="cost_pico * 9 // 10", kind="discount")
    usd = [each * 10 // USD for each in costs(ledger_of(BIG), book, trim, to(SONNET), discount)]
    assert usd == [225, 150, 30, 27]


def test_before_and_after_are_columns_of_one_row(ledger_of: Made, book: PriceBook) -> None:
    select = "SELECT was_model, model, was_input_tokens, input_tokens, spent_0, spent_1, changed_1 FROM state"
    assert rows(ledger_of(BIG), book, select, to(HAIKU)) == [
        (OPUS, HAIKU, MILLION, MILLION, 22_500 * USD // 1000, 375 * USD // 1000, True)
    ]


def test_a_call_without_a_price_to_move_to_stays_and_is_told(ledger_of: Made, book: PriceBook) -> None:
    # Opus, by the catalogue, is served in standard and batch; "priority" has no price.
    lever = Given({"mode": "'priority'"}, name="hurry")
    ledger = ledger_of({**BIG, "requests": 3})
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [lever])
        assert states.costs() == (22_500 * USD // 1000,) * 2
        assert states.rows("SELECT mode, changed_1 FROM state") == [("standard", False)]
        assert states.missed == ({f"no price for {OPUS} in mode priority": 3},)
        report = states.told(Report("x", "x", (Column("cost", "money"),), []))
    assert f"hurry: no price for {OPUS} in mode priority; 3 calls stay as before" in report.notes


def test_calls_without_a_price_are_reached_by_no_lever(ledger_of: Made, book: PriceBook) -> None:
    unpriced = {**call("unheard-of", MILLION, pico=0), "cost_pico": None, "price_id": None}
    ledger = ledger_of(BIG, unpriced)
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [to(SONNET)])
        assert states.costs() == (22_500 * USD // 1000, 4_500 * USD // 1000)
        assert states.rows("SELECT model, spent_1 FROM state WHERE NOT changed_1") == [("unheard-of", None)]
        report = states.told(Report("x", "x", (Column("cost", "money"),), []))
    assert not report.complete
    assert (report.unpriced.calls, report.unpriced.models) == (1, ("unheard-of",))
    assert report.price_books[-1].startswith("genai-prices")


def test_an_eliminated_call_stays_as_a_row_that_costs_nothing(ledger_of: Made, book: PriceBook) -> None:
    nothing = dict.fromkeys(("requests", "input_tokens", "output_tokens", "reasoning_tokens"), "0")
    ledger = ledger_of(BIG, call(OPUS, MILLION, pico=15 * USD, ts="2024-10-08 12:00:00"))
    lever = Given(nothing, reached="output_tokens > 0", kind="eliminate")
    select = "SELECT requests, input_tokens, spent_1 FROM state ORDER BY ts"
    assert rows(ledger, book, select, lever) == [(0, 0, 0), (1, MILLION, 15 * USD)]


def test_a_first_try_is_paid_beside_the_call(ledger_of: Made, book: PriceBook) -> None:
    # 0.375 for the try on Haiku that did not do, and 22.50 for Opus, as before.
    values = {"provider": "NULL", "model": f"'{HAIKU}'", "latency_ms": "latency_ms + 500"}
    cascade = Given(values, beside="TRUE", names=((None, HAIKU),))
    select = "SELECT provider, model, cost_pico, added_pico, spent_1, latency_ms FROM state"
    assert rows(ledger_of({**BIG, "latency_ms": 2000}), book, select, cascade) == [
        ("anthropic", OPUS, 22_500 * USD // 1000, 375 * USD // 1000, 22_875 * USD // 1000, 2500)
    ]


def test_what_was_paid_beside_stays_when_a_later_lever_changes_the_call(
    ledger_of: Made, book: PriceBook
) -> None:
    # 22.50 -> + 0.375 beside -> 4.50 + 0.375 on Sonnet.
    cascade = to(HAIKU, beside="TRUE")
    milli = [each * 1000 // USD for each in costs(ledger_of(BIG), book, cascade, to(SONNET))]
    assert milli == [22_500, 22_875, 4_875]


def test_the_price_is_that_of_the_calls_own_date(ledger_of: Made, book: PriceBook) -> None:
    # The catalogue knows o3 at 10 / 40 a million until 2025-06-10, and at 2 / 8 from then on.
    before, after = (
        call("gpt-4-turbo", MILLION, pico=10 * USD, provider="openai", ts=f"{day} 12:00:00")
        for day in ("2025-06-01", "2025-06-20")
    )
    lever = Given({"model": "'o3'"}, names=(("openai", "o3"),))
    select = "SELECT spent_1 FROM state ORDER BY ts"
    assert rows(ledger_of(before, after), book, select, lever) == [(10 * USD,), (2 * USD,)]


def test_only_the_calls_of_the_question_are_in_a_state(ledger_of: Made, book: PriceBook) -> None:
    november = {**BIG, "ts": "2024-11-02 00:00:00"}
    with ledger_of(BIG, november).reading() as engine:
        states = States.of(Calls(engine, at(month="2024-11")), book, [to(SONNET)])
        assert states.costs() == (22_500 * USD // 1000, 4_500 * USD // 1000)


def test_a_changed_cost_beyond_a_bigint_is_no_cost(ledger_of: Made, book: PriceBook) -> None:
    # 10^12 tokens x 75 pico-dollars x 10^6 are more than 2^63 - 1 pico-dollars.
    big = call(HAIKU, 0, 10**12, pico=1_250_000 * USD)
    assert costs(ledger_of(big), book, to(OPUS)) == (1_250_000 * USD,) * 2


def test_a_share_is_the_same_calls_in_every_run(techcorp: Ledger) -> None:
    with techcorp.reading() as engine:
        condition = drawn(Fraction(3, 10), "route")
        first, again = (
            engine.rows(f"SELECT call_key FROM calls WHERE {condition} ORDER BY call_key")  # noqa: S608
            for _ in range(2)
        )
        ((other,),) = engine.rows(
            f"SELECT count(*) FROM calls WHERE {condition} AND {drawn(Fraction(3, 10), 'batch')}"  # noqa: S608
        )
    assert first == again
    # 59,409 rows: 17,823 +- 3 x 112; of two levers' draws 9 % have both: 5,347 +- 3 x 70.
    assert abs(len(first) - 17_823) < 336
    assert abs(other - 5_347) < 210


def test_a_share_of_calls_is_what_is_said(ledger_of: Made) -> None:
    """By hand, in Python: seed 1 and the name "route"."""
    import hashlib

    digest = hashlib.sha256(b"1 route").digest()
    m, b = int.from_bytes(digest[:3], "big") * 2 + 1, int.from_bytes(digest[3:7], "big")
    keys = [UUID(int=number * 7_919_123) for number in range(1, 200)]
    expected = [str(key) for key in keys if (int(key.hex[-8:], 16) * m + b) % 2**32 < 2**32 // 4]
    ledger = ledger_of(*({**BIG, "call_key": key} for key in keys))
    with ledger.reading() as engine:
        found = engine.rows(
            f"SELECT CAST(call_key AS VARCHAR) FROM calls WHERE {drawn(Fraction(1, 4), 'route')} ORDER BY ALL"  # noqa: S608
        )
    assert [key for (key,) in found] == sorted(expected)
    assert drawn(Fraction(1), "route") == "TRUE"
    assert drawn(Fraction(0), "route") == "FALSE"


@given(st.integers(0, 10**12), st.fractions(0, 5, max_denominator=1000))
def test_a_share_of_tokens_is_exact_and_rounded_half_up(tokens: int, share: Fraction) -> None:
    import duckdb

    ((found,),) = duckdb.sql(f"SELECT {of_share(str(tokens), share)}").fetchall()
    assert found == (tokens * share + Fraction(1, 2)).__floor__()
