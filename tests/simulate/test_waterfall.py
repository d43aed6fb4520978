"""Several levers on the same calls: the published worked example on real rows, and what always holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.by_hand import ALWAYS, USD, Call

from costctl import filters
from costctl.analysis import QuestionError
from costctl.analysis.calls import Calls
from costctl.documents import DocumentError, read
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.simulate.batch import Batch
from costctl.simulate.cache import Cache
from costctl.simulate.cuts import Cut
from costctl.simulate.discount import Discount, Discounted, _of, of_document
from costctl.simulate.plan import simulate
from costctl.simulate.router import Router, Rule
from costctl.simulate.state import Change, Kind, Lever, Setting
from costctl.simulate.trim import Trim, Trimming
from costctl.simulate.waiting import Rule as Waits
from costctl.simulate.waiting import Waiting
from costctl.simulate.waterfall import Attribution, Costs, Waterfall, natural, shapley, waterfall

MILLI = USD // 1000
MILLION = 10**6

PRICES = """
prices:
  - {model: claude-strong, input: 3, output: 15, cache_read: 0.30, cache_write_5m: 3.75}
  - {model: claude-strong, mode: batch, input: 1.50, output: 7.50, cache_read: 0.15, cache_write_5m: 1.875}
  - {model: claude-weak, input: 1, output: 5, cache_read: 0.10, cache_write_5m: 1.25}
  - {model: claude-weak, mode: batch, input: 0.50, output: 2.50, cache_read: 0.05, cache_write_5m: 0.625}
"""
"""USD a million tokens: *weak* costs a third of *strong*, a batch half, a read a tenth, a write 1.25."""


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    file = tmp_path_factory.mktemp("prices") / "prices.yaml"
    file.write_text(PRICES)
    return PriceBook.load(file)


@dataclass(frozen=True)
class Stated:
    """A lever that a test states in SQL."""

    name: str
    kind: Kind
    reached: str
    values: dict[str, str]

    def assumptions(self) -> tuple[str, ...]:
        return ()

    def change(self, state: str, number: int, setting: Setting) -> Change:  # noqa: ARG002
        return Change(f"SELECT * FROM {state}", self.reached, self.values)  # noqa: S608


TRIM = Trim((Trimming(prompt=Cut.parse("-10%")),))
ROUTE = Router((Rule((filters.parse("team=routed"),), "claude-weak"),))
CACHE = Cache()
BATCH = Batch(Waiting(tagged=(Waits((filters.parse("project=nightly"),)),)))
LEVERS: tuple[Lever, ...] = (TRIM, ROUTE, CACHE, BATCH)

TURNS = (("01 12:00", 400_000), ("01 12:01", 525_000), ("01 12:02", 525_000),
         ("02 12:00", 525_000), ("02 12:01", 525_000))  # fmt: skip
"""When the five calls of one prefix are made, and their input: 400,000 tokens of each are the prefix, 80 % of
all. The first of each day writes it, the three others read it: 60 % of the prefixes are hit."""


def rows() -> list[Call]:
    """100 M tokens in and 5 M out on *strong*, 375 USD, in 40 prefixes of five calls. 12 prefixes (30 %) may
    be routed, 10 (25 %) may wait, and 3 (30 % of the 25 %) both."""
    return [
        {
            "ts": f"2024-10-{day}:00",
            "model": "claude-strong",
            "team": "routed" if number % 10 < 3 else "other",
            "project": "nightly" if number < 10 else "daily",
            "tags": {"prefix_key": str(number)},
            "input_tokens": tokens,
            "output_tokens": 25_000,
            "cost_pico": 3 * MILLION * tokens + 15 * MILLION * 25_000,
        }
        for number in range(40)
        for day, tokens in TURNS
    ]


Made = Callable[..., Ledger]


def found(
    ledger: Ledger, book: PriceBook, levers: Sequence[Lever], attribution: Attribution = "sequence"
) -> Waterfall:
    with ledger.reading() as engine:
        return waterfall(Calls(engine, ALWAYS), book, levers, attribution)


def test_the_worked_example(ledger_of: Made, own: PriceBook) -> None:
    """100 M in at 3 and 5 M out at 15: 375.

    1. trim 10 % of the input: 300 x 0.1 = 30; 345 are left
    2. route 30 % to a third of the price: 345 x 0.3 x 2/3 = 69; 276 are left, 216 of them input
    3. cache: of 80 % of the input, 60 % save 0.9 and 40 % cost 0.25 more: 216 x 0.8 x (0.54 - 0.10) = 76.032
    4. batch 25 % at half the price: 199.968 x 0.125 = 24.996; 174.972 are left
    """
    done = found(ledger_of(*rows()), own, LEVERS)
    assert done.costs == (375_000 * MILLI, 345_000 * MILLI, 276_000 * MILLI, 199_968 * MILLI, 174_972 * MILLI)
    assert done.steps == (30_000 * MILLI, 69_000 * MILLI, 76_032 * MILLI, 24_996 * MILLI)
    assert done.saving == 200_028 * MILLI


def test_the_savings_alone_are_an_over_claim(ledger_of: Made, own: PriceBook) -> None:
    """Alone: 30; 375 x 0.3 x 2/3 = 75; 300 x 0.8 x 0.44 = 105.60; 375 x 0.125 = 46.875."""
    ledger = ledger_of(*rows())
    done = found(ledger, own, LEVERS)
    assert done.alone == (30_000 * MILLI, 75_000 * MILLI, 105_600 * MILLI, 46_875 * MILLI)
    report = simulate(ledger, LEVERS, book=own, period=ALWAYS)
    assert report.figures["saving_alone"] == 257_475 * MILLI
    # 257.475 / 200.028 - 1 = 0.287195
    assert f"{report.figures['over_claim']:.3f}" == "0.287"
    assert report.totals == (None, None, 200_028 * MILLI, report.figures["saving_share"], 257_475 * MILLI,
                             174_972 * MILLI)  # fmt: skip


def test_shapley_adds_up_to_the_joint_saving(ledger_of: Made, own: PriceBook) -> None:
    """The published shares: trim 21.173, route 58.5205, cache 85.118, batch 35.2165."""
    credit = found(ledger_of(*rows()), own, LEVERS, "shapley").credit
    assert credit is not None
    assert [each / USD for each in credit] == pytest.approx([21.173, 58.5205, 85.118, 35.2165], abs=0.00005)
    assert sum(credit) == 200_028 * MILLI


def test_shapley_of_two_by_hand() -> None:
    """First alone 40, second alone 20, both 51: the first saves 40 or 31, the mean is 35.5, so the half goes
    to the one with the greater remainder; of equal ones to the first."""
    costs: Costs = {(): 100, (0,): 60, (1,): 80, (0, 1): 49}
    assert shapley(2, costs) == (36, 15)  # 35.5 and 15.5


@given(
    st.lists(st.integers(0, 10**15), min_size=16, max_size=16),
)
def test_shapley_is_the_mean_over_all_orders(drawn: list[int]) -> None:
    places = range(4)
    choices = [each for size in range(5) for each in itertools.combinations(places, size)]
    costs = dict(zip(choices, drawn, strict=True))
    means = [Fraction(0)] * 4
    for order in itertools.permutations(places):
        for turn, lever in enumerate(order):
            before, after = sorted(order[:turn]), sorted(order[: turn + 1])
            means[lever] += Fraction(costs[tuple(before)] - costs[tuple(after)], 24)
    credit = shapley(4, costs)
    assert sum(credit) == costs[()] - costs[(0, 1, 2, 3)]
    assert all(abs(each - mean) < 1 for each, mean in zip(credit, means, strict=True))


def test_the_order_in_which_levers_are_named_changes_nothing(ledger_of: Made, own: PriceBook) -> None:
    ledger = ledger_of(*rows())
    reports = [
        simulate(ledger, order, book=own, period=ALWAYS) for order in (LEVERS, (CACHE, BATCH, TRIM, ROUTE))
    ]
    assert reports[0] == reports[1]
    assert [row[0] for row in reports[0].rows] == ["as it was", "trim", "route", "cache", "batch"]


def test_a_plan_of_one_lever(ledger_of: Made, own: PriceBook) -> None:
    report = simulate(ledger_of(*rows()), [ROUTE], book=own, period=ALWAYS, attribution="shapley")
    names = [column.name for column in report.columns]
    assert names == ["step", "calls", "saving", "share", "credit", "alone", "cost"]
    # 12 of 40 prefixes, 60 calls; 75 of 375.
    step = dict(zip(names, report.rows[1], strict=True))
    assert (step["calls"], step["saving"], step["credit"], step["alone"]) == (
        60,
        75 * USD,
        75 * USD,
        75 * USD,
    )
    assert report.figures["over_claim"] == 0


def test_what_costs_more_is_told(ledger_of: Made, own: PriceBook) -> None:
    """Always written and never read: a quarter more for 300 USD of input."""
    written = Stated("cache", "cache", "TRUE", {"cache_write_5m_tokens": "input_tokens", "input_tokens": "0"})
    report = simulate(ledger_of(*rows()), [written], book=own, period=ALWAYS)
    assert report.figures["saving"] == -75 * USD
    assert report.figures["over_claim"] is None
    assert "cache costs more: $75.00" in report.notes


def test_a_lever_that_reaches_nothing_says_so(ledger_of: Made, own: PriceBook) -> None:
    idle = Router((Rule((filters.parse("team=nobody"),), "claude-weak"),))
    report = simulate(ledger_of(*rows()), [idle], book=own, period=ALWAYS)
    assert report.figures["saving"] == 0
    assert "route: no call is reached, so nothing is saved" in report.notes


def test_no_calls_at_all(ledger_of: Made, own: PriceBook) -> None:
    report = simulate(ledger_of(), LEVERS, book=own, period=ALWAYS, attribution="shapley")
    assert (report.figures["saving"], report.figures["saving_share"]) == (0, None)
    assert report.complete


def test_calls_without_a_price_are_left_out_and_told(ledger_of: Made, own: PriceBook) -> None:
    unknown: Call = {"model": "mystery", "input_tokens": 1000, "cost_pico": None, "price_id": None}
    report = simulate(ledger_of(*rows(), unknown), LEVERS, book=own, period=ALWAYS)
    assert report.figures["saving"] == 200_028 * MILLI
    assert (report.complete, report.unpriced.calls, report.unpriced.models) == (False, 1, ("mystery",))


def test_how_sure_the_saving_is(ledger_of: Made, own: PriceBook) -> None:
    """A discount of a half on 10 USD a day, and on 20 USD on one of two Mondays: 75 USD. Of the Mondays one
    is drawn and counts twice: the dear one, and it is 80, or the other, and it is 70."""
    days = [{**rows()[0], "ts": f"2024-10-{day:02d} 12:00:00", "cost_pico": 10 * USD} for day in range(7, 21)]
    half = [Discount((Discounted(Fraction(1, 2)),))]
    dearer = {**days[0], "cost_pico": 20 * USD}  # the 7th is a Monday
    report = simulate(ledger_of(dearer, *days[1:]), half, book=own, period=ALWAYS)
    assert report.figures["saving"] == 75 * USD
    assert (report.figures["saving_low"], report.figures["saving_high"]) == (70 * USD, 80 * USD)
    assert any("95 % interval of the saving" in note and "seed 20240601" in note for note in report.notes)


def test_few_days_give_no_interval(ledger_of: Made, own: PriceBook) -> None:
    report = simulate(ledger_of(*rows()), [ROUTE], book=own, period=ALWAYS)
    assert (report.figures["saving_low"], report.figures["saving_high"]) == (None, None)
    assert "no interval of the saving: it takes 14 days, and these are 2" in report.notes


def test_what_is_no_plan(ledger_of: Made, own: PriceBook) -> None:
    with pytest.raises(QuestionError, match="a plan has no lever"):
        natural([])
    with pytest.raises(QuestionError, match="a plan has two levers trim"):
        natural([TRIM, BATCH, TRIM])
    with pytest.raises(QuestionError, match="unknown attribution 'shaply'") as raised:
        simulate(ledger_of(), LEVERS, book=own, period=ALWAYS, attribution="shaply")  # type: ignore[arg-type]
    assert "did you mean shapley?" in raised.value.hint


# --- discount ---------------------------------------------------------------------------------------------


def test_a_discount_is_taken_off_what_is_left(ledger_of: Made, own: PriceBook) -> None:
    """Of 30 % fewer dollars: 375 - 75 = 300 are left by the router, 10 % of them are 30."""
    done = found(ledger_of(*rows()), own, [Discount((Discounted(Fraction(1, 10)),)), ROUTE])
    assert done.steps == (75 * USD, 30 * USD)


def test_the_first_rule_that_holds_counts(ledger_of: Made, own: PriceBook) -> None:
    """The 12 routed prefixes cost 112.50, of which a half; of the other 262.50 a tenth."""
    rules = (Discounted(Fraction(1, 2), (filters.parse("team=routed"),)), Discounted(Fraction(1, 10)))
    assert found(ledger_of(*rows()), own, [Discount(rules)]).saving == 82_500 * MILLI


@given(
    st.integers(0, 2**63 - 1),
    st.integers(1, 10**6).flatmap(lambda over: st.tuples(st.integers(1, over), st.just(over))),
)
def test_a_discounted_cost_is_the_nearest_pico_dollar(cost: int, by: tuple[int, int]) -> None:
    """Halves up, whatever the amount: no product in between is beyond a BIGINT."""
    left = 1 - Fraction(*by)
    select = f"SELECT {_of('cost', left)} FROM (SELECT CAST(? AS BIGINT) AS cost)"  # noqa: S608
    ((found,),) = duckdb.execute(select, [cost]).fetchall()
    assert found == (cost * left + Fraction(1, 2)) // 1


def test_shares_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "discount.yaml"
    file.write_text("rules:\n  - {where: [provider=anthropic], by: 12.5%}\n  - by: 0.1\n")
    lever = of_document(read(file, "discount"))
    assert [rule.by for rule in lever.rules] == [Fraction(1, 8), Fraction(1, 10)]
    assert str(lever.rules[0]) == "calls with provider=anthropic cost 12.5 % less"
    file.write_text("rules:\n  - by: 101%\n")
    with pytest.raises(DocumentError, match=r"rules\[0\].by must be above 0 and at most 100%") as raised:
        of_document(read(file, "discount"))
    assert raised.value.line == 2


def test_what_is_being_priced_is_told(ledger_of: Made, own: PriceBook) -> None:
    """Two levers by Shapley: both together, which is how the first alone begins, then the second alone."""
    told: list[str] = []
    with ledger_of(*rows()).reading() as engine:
        waterfall(Calls(engine, ALWAYS), own, (TRIM, ROUTE), "shapley", told.append)
    assert told == [
        "pricing the calls under all levers",
        "pricing the calls under some of the levers: 3 of 3",
    ]


def test_calls_that_stay_are_counted_over_all_days(ledger_of: Made, own: PriceBook) -> None:
    """40 prefixes of three calls on the first day and two on the second; nothing has a price in this mode."""
    fast = Stated("fast", "batch", "TRUE", {"mode": "'priority'"})
    done = found(ledger_of(*rows()), own, (TRIM, fast))
    assert done.missed == ({}, {"no price for claude-strong in mode priority": 200})
    assert done.changed == (200, 0)
