"""What the command of a lever says is what a plan of that lever alone says, to the pico-dollar."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import pytest
from tests.analysis.by_hand import at

from costctl import filters
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.report import Report
from costctl.simulate.batch import Batch
from costctl.simulate.batch_report import simulate_batch
from costctl.simulate.cache import Cache
from costctl.simulate.cache_of_calls import chosen, of_calls
from costctl.simulate.cuts import Cut
from costctl.simulate.eliminate import Eliminate
from costctl.simulate.plan import simulate
from costctl.simulate.routed import simulate_router
from costctl.simulate.router import Router, Rule
from costctl.simulate.router_file import by_complexity
from costctl.simulate.state import Lever
from costctl.simulate.summarise import Summarise
from costctl.simulate.trim import Trim, Trimming
from costctl.simulate.trim_report import simulate_trim
from costctl.simulate.waiting import Rule as Waits
from costctl.simulate.waiting import Waiting

HAIKU = "claude-haiku-3-20250307"
OPUS = (filters.parse("model~opus"),)

CASES: dict[str, tuple[Lever, Callable[..., Report]]] = {
    "trim": (
        Trim((Trimming(OPUS, prompt=Cut.parse("-33.33%")), Trimming(output=Cut.parse("p90")))),
        simulate_trim,
    ),
    "a mean prompt": (Trim((Trimming(prompt=Cut.parse("mean:3000")),)), simulate_trim),
    "summarise": (Summarise(HAIKU, 2_000, OPUS), simulate_trim),
    "eliminate": (Eliminate(), simulate_trim),
    "batch": (Batch(bound="maximum", cache="lost"), simulate_batch),
    "nightly batches": (
        Batch(Waiting(tagged=(Waits((filters.parse("project=invoice-extraction"),)),))),
        simulate_batch,
    ),
    "route by complexity": (by_complexity(), simulate_router),
    "a cascade": (
        Router(
            (Rule(OPUS, HAIKU, share=Fraction(7, 10), escalate=Fraction(1, 7), token_ratio=Fraction(11, 10)),)
        ),
        simulate_router,
    ),
    "cache": (Cache(), partial(of_calls, seconds=(300,))),
}


def saving(report: Report) -> object:
    """At the top, or the total of the rows: where ``costctl roi`` looks for it."""
    if "saving" in report.figures:
        return report.figures["saving"]
    assert report.totals is not None
    return report.totals[[column.name for column in report.columns].index("saving")]


@pytest.mark.parametrize("month", ["2024-10", pytest.param("2024-11", marks=pytest.mark.heavy)])
@pytest.mark.parametrize("case", CASES)
def test_a_plan_of_one_lever_is_its_command(techcorp: Ledger, book: PriceBook, case: str, month: str) -> None:
    lever, command = CASES[case]
    period = at(month=month)
    alone = command(techcorp, lever, book=book, period=period)
    plan = simulate(techcorp, [lever], book=book, period=period)
    assert saving(alone) == saving(plan)
    assert saving(plan) != 0
    assert alone.complete == plan.complete
    assert alone.calls == plan.calls


def test_the_best_lifetimes_are_a_plan_too(techcorp: Ledger, book: PriceBook) -> None:
    """Of several lifetimes the command takes each project's best, and says the lever that has these."""
    october = at(month="2024-10")
    best = of_calls(techcorp, Cache(), book=book, period=october)
    lever = chosen(Cache(), best)
    assert saving(best) == saving(simulate(techcorp, [lever], book=book, period=october))
    assert lever != Cache()
