"""simulate-router on TechCorp's October: exact, by its tags, and beside the book's figures."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.analysis.by_hand import USD, Call, at

from costctl import filters, routing
from costctl.analysis import QuestionError
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.report import Report
from costctl.routing import DEFAULT, Complexity
from costctl.simulate.plan import simulate
from costctl.simulate.quality import QualityTable
from costctl.simulate.routed import simulate_router
from costctl.simulate.router import Router, Rule
from costctl.simulate.router_file import by_complexity, never_from, read
from costctl.simulate.scheme import ByPolicy, ByTable, text
from costctl.simulate.sweep import sweep

OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
OCTOBER = at(month="2024-10")

PICO = {OPUS: (15_000_000, 75_000_000), SONNET: (3_000_000, 15_000_000), HAIKU: (250_000, 1_250_000)}
"""The book's prices of a token in and out, in pico-dollars; a cached token is a tenth of one in."""

FIXED = {"simple": HAIKU, "moderate": SONNET, "complex": OPUS}

Made = Callable[..., Ledger]


def by_one(ledger: Ledger) -> tuple[Counter[str], Counter[str]]:
    """Requests and cost by model after the book's fixed mapping, call by call in Python; it shares nothing
    with the lever but the rows."""
    requests: Counter[str] = Counter()
    costs: Counter[str] = Counter()
    with ledger.reading() as engine:
        rows = engine.rows(
            "SELECT tags['complexity'], requests, input_tokens, cache_read_tokens, output_tokens, "
            "cache_write_5m_tokens + cache_write_1h_tokens FROM calls "
            "WHERE ts >= '2024-10-01' AND ts < '2024-11-01'"
        )
    for complexity, count, uncached, cached, out, written in rows:
        assert not written
        model = FIXED[complexity]
        price_in, price_out = PICO[model]
        requests[model] += count
        costs[model] += uncached * price_in + cached * price_in // 10 + out * price_out
    return requests, costs


def cells(report: Report) -> dict[str, dict[str, Any]]:
    names = [column.name for column in report.columns]
    return {str(row[0]): dict(zip(names, row, strict=True)) for row in report.rows}


def totals(report: Report) -> dict[str, Any]:
    assert report.totals is not None
    return dict(zip([column.name for column in report.columns], report.totals, strict=True))


@pytest.fixture(scope="module")
def october(techcorp: Ledger, book: PriceBook) -> Report:
    return simulate_router(techcorp, by_complexity(), book=book, period=OCTOBER)


def test_octobers_router_is_exact_to_the_pico_dollar(october: Report, techcorp: Ledger) -> None:
    requests, costs = by_one(techcorp)
    found = cells(october)
    assert {model: row["requests_after"] for model, row in found.items()} == requests
    assert {model: row["cost_after"] for model, row in found.items()} == costs
    assert totals(october)["cost_before"] == 127_850 * USD
    assert totals(october)["saving"] == 127_850 * USD - sum(costs.values())
    assert october.figures["saving"] == totals(october)["saving"]


def test_the_shift_is_by_requests_and_by_cost(october: Report) -> None:
    """October's requests by model are the README's of sample_data: 560,000, 940,000 and 2,100,000."""
    found = cells(october)
    assert [found[model]["requests_before"] for model in (OPUS, SONNET, HAIKU)] == [
        560_000,
        940_000,
        2_100_000,
    ]
    assert found[OPUS]["share_before"] == Decimal("0.155556")
    assert found[OPUS]["cost_share_before"].quantize(Decimal("0.01")) == Decimal("0.70")
    # The share of cost that is left on Opus is not the share of calls.
    assert found[OPUS]["cost_share_after"] > 10 * found[OPUS]["share_after"]


def test_beside_it_stand_the_books_figures_each_with_its_basis(october: Report) -> None:
    """Of calls: 1 - (0.07 x 60 + 0.48 x 12 + 0.45) / (0.70 x 60 + 0.25 x 12 + 0.05) = 1 - 10.41 / 45.05 =
    76.892 % of 127,850 = 98,306.9. Of the bill: 89,450 / 60 + 32,100 / 12 + 6,300 = 10,465.83 calls at
    Haiku's price; x 10.41 = 108,949.3; 127,850 less that = 18,900.7."""
    assert october.figures["book_printed"] == 52_300 * USD
    assert october.figures["book_by_calls"] == 98_307 * USD
    assert october.figures["book_by_bill"] == 18_901 * USD
    said = " ".join(october.notes)
    for basis in ("$52,300 (40.9 %)", "$98,307 (76.9 %): if", "$18,901 (14.8 %): "):
        assert basis in said
    # No fitting: ours is none of them.
    assert not {52_300, 98_307, 18_901} & {round(int(str(october.figures["saving"])) / USD)}


def test_another_bill_has_no_book_beside_it(techcorp: Ledger, book: PriceBook) -> None:
    report = simulate_router(techcorp, by_complexity(), book=book, period=at(month="2024-11"))
    assert not [name for name in report.figures if name.startswith("book")]


def test_it_is_the_tags_that_decide(techcorp: Ledger, book: PriceBook, tmp_path: Path) -> None:
    """The same tags dealt out to other calls: as many of each, another outcome, and that one exact too."""
    shuffled = Ledger(tmp_path / "shuffled.duckdb")
    shutil.copyfile(techcorp.path, shuffled.path)
    for log in techcorp.path.parent.glob("ledger.duckdb.wal"):
        shutil.copyfile(log, tmp_path / "shuffled.duckdb.wal")
    with shuffled.writing() as connection:
        connection.execute("""
            CREATE TEMP TABLE dealt AS
            WITH numbered AS (
                SELECT call_key, tags, row_number() OVER (ORDER BY call_key) AS place,
                    row_number() OVER (ORDER BY md5(CAST(call_key AS VARCHAR))) AS other
                FROM stored_calls
            )
            SELECT one.call_key, two.tags FROM numbered AS one JOIN numbered AS two ON one.place = two.other
        """)
        connection.execute("""
            UPDATE stored_calls SET tags = dealt.tags FROM dealt WHERE dealt.call_key = stored_calls.call_key
        """)
    report = simulate_router(shuffled, by_complexity(), book=book, period=OCTOBER)
    _, costs = by_one(shuffled)
    assert totals(report)["saving"] == 127_850 * USD - sum(costs.values())
    original = simulate_router(techcorp, by_complexity(), book=book, period=OCTOBER)
    assert abs(totals(report)["saving"] - totals(original)["saving"]) > 10_000 * USD


def test_a_router_that_finds_no_call_says_so_and_saves_nothing(ledger_of: Made, book: PriceBook) -> None:
    untagged: Call = {"model": OPUS, "input_tokens": 1000, "cost_pico": 15 * 10**9}
    report = simulate_router(ledger_of(untagged), by_complexity(), book=book, period=at())
    assert totals(report)["saving"] == report.figures["saving"] == 0
    assert report.figures["requests_routed"] == 0
    assert report.notes[0].startswith("no call is eligible")


def test_the_same_dollars_as_a_plan_of_one_lever(october: Report, techcorp: Ledger, book: PriceBook) -> None:
    plan = simulate(techcorp, [by_complexity()], book=book, period=OCTOBER)
    assert plan.figures["saving"] == october.figures["saving"]
    example = read(Path(__file__).parents[2] / "router.example.yaml")
    report = simulate_router(techcorp, example, book=book, period=OCTOBER)
    assert (
        simulate(techcorp, [example], book=book, period=OCTOBER).figures["saving"] == report.figures["saving"]
    )


@pytest.mark.heavy
def test_twenty_percent_more_tokens_cost_as_much_more(techcorp: Ledger, book: PriceBook) -> None:
    """Against the same simulation at 1.2 and 0.8 times the tokens; those are rounded call by call."""
    rules = (Rule((filters.parse("model~opus"), filters.parse("tag:complexity=simple")), HAIKU),)
    usual, more, fewer = (
        simulate_router(
            techcorp,
            Router(tuple(Rule(r.where, r.to, token_ratio=ratio) for r in rules)),
            book=book,
            period=OCTOBER,
        ).figures
        for ratio in (Fraction(1), Fraction(6, 5), Fraction(4, 5))
    )
    assert abs(int(str(usual["saving_if_more_tokens"])) - int(str(more["saving"]))) < USD // 100
    assert abs(int(str(usual["saving_if_fewer_tokens"])) - int(str(fewer["saving"]))) < USD // 100


def test_the_interval_holds_the_saving_and_says_its_seed(october: Report) -> None:
    low, high = october.figures["saving_low"], october.figures["saving_high"]
    assert int(str(low)) < int(str(october.figures["saving"])) < int(str(high))
    assert any("2,000 draws, seed 20240601" in note for note in october.notes)


def test_a_cascade_says_what_is_paid_to_which_model(ledger_of: Made, book: PriceBook) -> None:
    """A million tokens in: 15 on Opus, 0.25 on Haiku, ten requests each. Team a is tried on Haiku and made on
    Opus too; team b goes to Haiku; team c stays."""
    big: Call = {"model": OPUS, "cost_pico": 15 * USD, "input_tokens": 10**6, "requests": 10}
    ledger = ledger_of(*({**big, "team": team} for team in "abc"))
    rules = (
        Rule((filters.parse("team=a"),), HAIKU, escalate=Fraction(1)),
        Rule((filters.parse("team=b"),), HAIKU),
    )
    report = simulate_router(ledger, Router(rules), book=book, period=at())
    found = cells(report)
    assert [(found[each]["requests_before"], found[each]["requests_after"]) for each in (OPUS, HAIKU)] == [
        (30, 20),
        (0, 20),
    ]
    assert [found[each]["cost_after"] for each in (OPUS, HAIKU)] == [30 * USD, USD // 2]
    whole = totals(report)
    assert (whole["requests_before"], whole["requests_after"]) == (30, 40)
    assert (whole["share_after"], found[HAIKU]["share_after"]) == (1, Decimal("0.5"))
    # 45 before; 30.50 after.
    assert (whole["cost_after"], whole["saving"]) == (61 * USD // 2, 29 * USD // 2)
    assert report.figures["requests_routed"] == 20
    said = "requests that are made twice, on the model that is tried and on their own: 10; both are"
    assert [note for note in report.notes if note.startswith(said)]


def test_what_a_lost_cache_costs_is_told(ledger_of: Made, book: PriceBook) -> None:
    """The first call of a session goes to Haiku; the second, of ten million tokens read at 1.50, stays and
    writes them anew at 18.75: 172.50 more."""
    first: Call = {"model": OPUS, "session": "s", "team": "a", "ts": "2024-10-07 12:00:01"}
    stays: Call = {"model": OPUS, "session": "s", "ts": "2024-10-07 12:00:02", "requests": 100}
    stays |= {"cache_read_tokens": 10**7, "cost_pico": 15 * USD}
    router = Router((Rule((filters.parse("team=a"),), HAIKU),))
    report = simulate_router(ledger_of(first, stays), router, book=book, period=at())
    said = "100 requests stay on their model, but find no cache any more, which costs $172.50"
    assert (report.figures["saving"], said in report.notes) == (-172_500_000_000_000, True)
    assert "1 day is few: the interval says little" in report.notes


def test_few_days_are_told(techcorp: Ledger, book: PriceBook) -> None:
    report = simulate_router(
        techcorp, by_complexity(), book=book, period=at(since="2024-10-07", until="2024-10-09")
    )
    assert "3 days are few: the interval says little" in report.notes


def test_latency_before_and_after(ledger_of: Made, book: PriceBook) -> None:
    """2,000 and 400 ms: a mean of 1,200; both on Haiku, whose calls take 400. One that says nothing is left
    out."""
    simple = {"tags": {"complexity": "simple"}}
    ledger = ledger_of(
        {"model": OPUS, "latency_ms": 2_000, **simple},
        {"model": HAIKU, "latency_ms": 400, **simple},
        {"model": OPUS, **simple},
    )
    report = simulate_router(ledger, by_complexity(), book=book, period=at())
    assert (report.figures["latency_before"], report.figures["latency_after"]) == (1_200, 400)


def test_by_score_no_simple_call_reaches_haiku_from_027_on(ledger_of: Made, book: PriceBook) -> None:
    """Haiku 1/3 q + (1 - q) 59/60, Sonnet 2.5/3 q + (1 - q) 48/60: equal at q = 11/41 = 0.26829."""
    assert never_from(DEFAULT, Complexity.SIMPLE) == (HAIKU, Fraction(11, 41))
    # Below Sonnet's multiplier, or its latency, Haiku is the only one, at any quality priority.
    assert never_from(DEFAULT, Complexity.SIMPLE, 11) is None
    assert never_from(DEFAULT, Complexity.SIMPLE, None, 1199) is None
    told = by_complexity(quality_priority=Decimal("0.9"), max_cost=1).assumptions()
    assert not [each for each in told if "no simple call reaches" in each]
    fallen = "within the limits no model is suitable for moderate and complex tasks: they go to the policy's"
    assert f"route: {fallen} fallback, {HAIKU}" in told
    assert never_from(DEFAULT, Complexity.COMPLEX) is None
    simple: Call = {"model": OPUS, "input_tokens": 1000, "cost_pico": 1, "tags": {"complexity": "simple"}}
    for priority, model in (("0.26", HAIKU), ("0.27", SONNET)):
        router = by_complexity(quality_priority=Decimal(priority))
        report = simulate_router(ledger_of(simple), router, book=book, period=at())
        assert cells(report)[model]["requests_after"] == 1
        assert any(f"from quality priority 0.27 on no simple call reaches {HAIKU}" in n for n in report.notes)


def test_limits_of_the_score() -> None:
    def targets(**limits: Any) -> list[str]:
        return [rule.to for rule in by_complexity(**limits).rules]

    assert targets(max_cost=1) == [HAIKU, HAIKU, HAIKU]  # the fallback
    assert targets(max_cost=12) == [SONNET, SONNET, HAIKU]
    assert targets(max_cost=60) == [SONNET, SONNET, OPUS]
    assert targets(max_latency_ms=800) == [HAIKU, HAIKU, HAIKU]
    with pytest.raises(QuestionError, match="between 0 and 1"):
        by_complexity(quality_priority=2)


def test_complexity_told_by_rules(ledger_of: Made, book: PriceBook, tmp_path: Path) -> None:
    file = tmp_path / "router.yaml"
    file.write_text("complexity:\n  - where: [team=faq]\n    is: simple\n")
    ledger = ledger_of({"model": OPUS, "team": "faq"}, {"model": OPUS, "tags": {"complexity": "simple"}})
    report = simulate_router(ledger, read(file), book=book, period=at())
    assert {model: row["requests_after"] for model, row in cells(report).items()} == {HAIKU: 1, OPUS: 1}


def test_rules_whose_calls_cannot_go_say_so(ledger_of: Made, book: PriceBook) -> None:
    report = simulate_router(
        ledger_of({"model": OPUS, "input_tokens": 1000, "cost_pico": USD}),
        Router((Rule((), "no-such-model"),)),
        book=book,
        period=at(),
    )
    assert report.figures["saving"] == 0
    assert report.notes[0].startswith("no call is eligible: those that rules fit cannot go")
    assert "route: no price for no-such-model; 1 call stays as before" in report.notes


def test_a_policy_that_is_swept_is_judged_by_a_table(ledger_of: Made, book: PriceBook) -> None:
    """One simple call on Opus: to Haiku at 0, worth 9, and to Sonnet at 1, worth 10."""
    ledger = ledger_of({"model": OPUS, "tags": {"complexity": "simple"}})
    report = sweep(ledger, ByPolicy(), book=book, period=at(), quality=TABLE)
    place = [column.name for column in report.columns].index("quality")
    assert (report.rows[0][place], report.rows[-1][place]) == (9, 10)
    assert not any("capability that the policy states" in note for note in report.notes)
    # A table of other tasks measures nothing, which is said.
    other = QualityTable({"faq": {HAIKU: Decimal(1)}}, "project", "q.csv")
    for said in (
        sweep(ledger, ByPolicy(), book=book, period=at(), quality=other),
        simulate_router(ledger, by_complexity(), book=book, period=at(), quality=other),
    ):
        assert "q.csv knows of no request its task and its models: no quality is measured" in said.notes


QUALITY = {
    "simple": {HAIKU: Decimal(9), SONNET: Decimal(10), OPUS: Decimal(10)},
    "moderate": {HAIKU: Decimal(5), SONNET: Decimal(9), OPUS: Decimal(10)},
    "complex": {HAIKU: Decimal(2), SONNET: Decimal(6), OPUS: Decimal(10)},
}
TABLE = QualityTable(QUALITY, "tag:complexity", "quality.csv")
MULTIPLIERS = {HAIKU: Fraction(1), SONNET: Fraction(12), OPUS: Fraction(60)}


def test_a_table_chooses_by_the_same_score(book: PriceBook) -> None:
    """At q = 0.5: simple: Haiku 0.5 x 9/10 + 0.5 x 59/60 = 0.942, Sonnet 0.9, Opus 0.5. Moderate: 0.742,
    0.85, 0.5. Complex: 0.592, 0.7, 0.5. At q = 0.9 for complex: Haiku 0.278, Sonnet 0.62, Opus 0.9."""
    scheme = ByTable.of(TABLE, book, datetime_of_october())
    assert scheme.multipliers == MULTIPLIERS
    assert scheme.choices() == {"simple": HAIKU, "moderate": SONNET, "complex": SONNET}
    assert scheme.choices(Decimal("0.9"))["complex"] == OPUS
    assert ByTable(TABLE, MULTIPLIERS, max_cost=1).choices(1) == dict.fromkeys(QUALITY, HAIKU)


def datetime_of_october() -> Any:
    assert OCTOBER.start is not None
    return OCTOBER.start


def test_a_table_of_models_without_a_price_is_refused(book: PriceBook) -> None:
    table = QualityTable({"faq": {"unheard-of": Decimal(1)}}, "project", "q.csv")
    with pytest.raises(QuestionError, match=r"q\.csv: 'unheard-of' has no price"):
        ByTable.of(table, book, datetime_of_october())


def test_quality_before_and_after(ledger_of: Made, book: PriceBook) -> None:
    """Three simple requests from Opus (10) to Haiku (9), one complex that stays (10): 10 -> 9.25."""
    ledger = ledger_of(
        {"model": OPUS, "requests": 3, "tags": {"complexity": "simple"}},
        {"model": OPUS, "tags": {"complexity": "complex"}},
    )
    report = simulate_router(ledger, by_complexity(), book=book, period=at(), quality=TABLE)
    assert report.figures["quality_before"] == 10
    assert report.figures["quality_after"] == Decimal("9.25")
    assert report.figures["quality_change"] == Decimal("-0.75")


@pytest.mark.heavy
def test_a_sweep_shows_what_is_worth_choosing(techcorp: Ledger, book: PriceBook) -> None:
    report = sweep(techcorp, ByTable(TABLE, MULTIPLIERS), book=book, period=OCTOBER)
    names = [column.name for column in report.columns]
    rows = [dict(zip(names, row, strict=True)) for row in report.rows]
    assert [row["quality_priority"] for row in rows] == [Decimal(each) / 20 for each in range(21)]
    # At 0 all is on Haiku, the worst and cheapest; at 1 on a best model for each task.
    assert rows[0]["cost_after"] == min(row["cost_after"] for row in rows)
    assert rows[-1]["quality"] == 10
    assert rows[0]["efficient"] == rows[-1]["efficient"] == "yes"
    for one in rows:
        worse = [
            other
            for other in rows
            if (other["cost_after"], -other["quality"]) != (one["cost_after"], -one["quality"])
            and other["cost_after"] <= one["cost_after"]
            and other["quality"] >= one["quality"]
        ]
        assert one["efficient"] == ("" if worse else "yes")
    # By the requests of each complexity: simple gain 1, moderate 5, complex 8 on Opus.
    with techcorp.reading() as engine:
        asked = dict(
            engine.rows(
                "SELECT tags['complexity'], CAST(sum(requests) AS BIGINT) FROM calls "
                "WHERE ts >= '2024-10-01' AND ts < '2024-11-01' GROUP BY ALL"
            )
        )
    whole = Fraction(sum(asked.values()))
    gains = [
        (Fraction(asked[name]) / whole, gain)
        for name, gain in (("complex", 8), ("moderate", 5), ("simple", 1))
    ]
    gap = sum(part * gain for part, gain in gains)
    area = share = recovered = Fraction(0)
    for part, gain in gains:
        area += part * (recovered + part * gain / gap / 2)
        share, recovered = share + part, recovered + part * gain / gap
    assert report.figures["apgr"] == Decimal(f"{float(area):.6f}")
    assert (report.figures["weak"], report.figures["strong"]) == (HAIKU, OPUS)


@pytest.mark.heavy
def test_a_sweep_of_a_policy(techcorp: Ledger, book: PriceBook) -> None:
    report = sweep(techcorp, ByPolicy(), book=book, period=OCTOBER)
    costs = [row[2] for row in report.rows]
    # It changes its mind at 0.268 and at 0.828, so between rows 5 and 6 and between 16 and 17.
    assert [place for place in range(1, 21) if costs[place] != costs[place - 1]] == [6, 17]
    single = simulate_router(techcorp, by_complexity(quality_priority=0), book=book, period=OCTOBER)
    assert report.rows[0][3] == single.figures["saving"]
    assert any("capability that the policy states" in note for note in report.notes)


def test_a_written_policy_is_read_as_what_was_chosen(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    for scheme, priority in (
        (ByPolicy(), None),
        (ByPolicy(), Decimal("0.9")),
        (ByTable(TABLE, MULTIPLIERS), None),
    ):
        file.write_text(text(scheme.policy(priority), "Written by a test."))
        found = routing.read(file)
        rules = scheme.router(priority).rules
        assert [found.auto[each] for each in Complexity] == [rule.to for rule in rules]
        assert found == scheme.policy(priority)
    other = QualityTable({"faq": {HAIKU: Decimal(1)}}, "project", "q.csv")
    with pytest.raises(QuestionError, match="other tasks than a policy"):
        ByTable(other, MULTIPLIERS).policy()
