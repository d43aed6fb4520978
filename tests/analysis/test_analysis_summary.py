"""What ``summary`` measures, by what, in which order. Expected figures are worked out by hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from by_hand import ALWAYS, USD, at, fill

from costctl.analysis import QuestionError, summary
from costctl.filters import FilterError
from costctl.ledger import Ledger
from costctl.render import FORMATS, render
from costctl.report import Chart, Report, Unpriced

Make = Callable[..., Ledger]

SEARCH_READ = {
    "team": "search",
    "input_tokens": 100,
    "cache_read_tokens": 900,
    "output_tokens": 50,
    "latency_ms": 0,
    "success": True,
    "cost_pico": 2 * USD,
}
SEARCH_THREE = {
    "team": "search",
    "requests": 3,
    "input_tokens": 600,
    "cache_write_5m_tokens": 200,
    "cache_write_1h_tokens": 100,
    "output_tokens": 300,
    "latency_ms": 200,
    "success": False,
    "cost_pico": 4 * USD,
}
SEARCH_SILENT = {"team": "search", "input_tokens": 1000, "output_tokens": 10, "cost_pico": USD}
ADS_UNCOUNTED = {
    "team": "ads",
    "requests": None,
    "input_tokens": 500,
    "output_tokens": 40,
    "latency_ms": 999,
    "success": True,
    "cost_pico": 3 * USD,
}
ADS_UNPRICED = {
    "team": "ads",
    "model": "mystery",
    "input_tokens": 250,
    "cache_read_tokens": 250,
    "output_tokens": 60,
    "latency_ms": 100,
    "success": True,
    "cost_pico": None,
    "price_id": None,
}
COMPANY = (SEARCH_READ, SEARCH_THREE, SEARCH_SILENT, ADS_UNCOUNTED, ADS_UNPRICED)


def column(report: Report, name: str) -> list[Any]:
    index = [each.name for each in report.columns].index(name)
    return [row[index] for row in report.rows]


def total(report: Report, name: str) -> Any:
    assert report.totals is not None
    return report.totals[[each.name for each in report.columns].index(name)]


def labels(report: Report) -> list[Any]:
    return [row[0] for row in report.rows]


MEASURES = [
    # name, search, ads, total
    ("cost", 7 * USD, 3 * USD, 10 * USD),  # 2 + 4 + 1; the unpriced call adds nothing
    ("share", Decimal("0.7"), Decimal("0.3"), Decimal(1)),
    ("requests", 5, 1, 6),  # 1 + 3 + 1; a row of unknown number counts none
    ("input_tokens", 1700, 750, 2450),  # 100 + 600 + 1000; 500 + 250
    ("cache_read_tokens", 900, 250, 1150),
    ("cache_write_tokens", 300, 0, 300),  # 200 for 5 minutes, 100 for an hour
    ("total_input_tokens", 2900, 1000, 3900),  # 1700 + 900 + 300; 750 + 250
    ("output_tokens", 360, 100, 460),
    # Of the requests that say: 1 of 1 + 3; 1 of 1; together 2 of 5.
    ("success_rate", Decimal("0.25"), Decimal(1), Decimal("0.4")),
    # (0 x 1 + 200 x 3) / 4: a latency of 0 is one. 100 / 1. (600 + 100) / 5.
    ("mean_latency_ms", Decimal(150), Decimal(100), Decimal(140)),
    # Rank 3.8 of 0, 200, 200, 200; of 100; rank 4.75 of 0, 100, 200, 200, 200.
    ("p95_latency_ms", 200, 100, 200),
    (
        "caching_rate",
        Decimal("0.310345"),
        Decimal("0.25"),
        Decimal("0.294872"),
    ),  # 900/2900, 250/1000, 1150/3900
    ("cache_hit_rate", Decimal("0.2"), Decimal(1), Decimal("0.333333")),  # 1 of 5 requests, 1 of 1, 2 of 6
    # 2900 / 5; of the row that is counted 500 / 1; (3900 - 500) / 6.
    ("mean_prompt_tokens", Decimal(580), Decimal(500), Decimal("566.667")),
    # 7 / 5; no row of ads has both a price and a number; of the rows that have, 7 / 5 again.
    ("cost_per_request", 14 * USD // 10, None, 14 * USD // 10),
    # Of priced tokens: 7 / 3260 x 10^6; 3 / 540 x 10^6; 10 / 3800 x 10^6, to the pico-dollar.
    ("cost_per_mtok", 2_147_239_263_803_681, 5_555_555_555_555_556, 2_631_578_947_368_421),
]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Report:
    ledger = Ledger(tmp_path_factory.mktemp("company") / "ledger.duckdb")
    fill(ledger, COMPANY)
    return summary(ledger, "team", period=ALWAYS)


@pytest.mark.parametrize(("name", "search", "ads", "both"), MEASURES)
def test_a_measure(company: Report, name: str, search: Any, ads: Any, both: Any) -> None:
    assert labels(company) == ["search", "ads"]
    assert column(company, name) == [search, ads]
    assert total(company, name) == both


def test_every_measure_is_there_in_the_documented_order(ledger_of: Make) -> None:
    report = summary(ledger_of(*COMPANY), "team", period=ALWAYS)
    assert [each.name for each in report.columns] == ["team", *(name for name, *_ in MEASURES)]
    assert report.command == "report"
    assert report.title == "Cost by team"
    assert report.charts == (Chart("bar", "share"),)


def test_chosen_columns_are_shown_in_their_order_and_omitted_ones_not(ledger_of: Make) -> None:
    ledger = ledger_of(*COMPANY)
    chosen = summary(ledger, "team", period=ALWAYS, columns=["p95_latency_ms", "cost", "cost"])
    assert [each.name for each in chosen.columns] == ["team", "p95_latency_ms", "cost"]
    assert not any(each.wide for each in chosen.columns)
    assert chosen.charts == ()
    omitted = summary(ledger, "team", period=ALWAYS, omit=["p95_latency_ms"])
    assert "p95_latency_ms" not in {each.name for each in omitted.columns}
    assert len(omitted.columns) == len(MEASURES)


def test_the_default_table_fits_100_columns(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"team": "engineering", "model": "claude-sonnet-4-20250514", "cost_pico": 123_456 * USD}
        | {"input_tokens": 1_234_567_890, "output_tokens": 123_456_789, "requests": 1_234_567}
    )
    text = io.StringIO()
    render(summary(ledger, "team,model", period=ALWAYS), "table", stream=text, width=100, color=False)
    assert "engineering" in text.getvalue()
    assert "claude-sonnet-4-20250514" in text.getvalue()
    assert "left out" not in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= 100


# --- by what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        (name, name)
        for name in ("team", "project", "agent", "session", "api_key", "workspace", "mode", "billing")
    ]
    + [("user", "user_id"), ("provider", "provider"), ("model", "model"), ("region", "region")],
)
def test_every_label_groups(ledger_of: Make, name: str, stored: str) -> None:
    ledger = ledger_of(
        {stored: "a", "cost_pico": 1}, {stored: "b", "cost_pico": 5}, {stored: "a", "cost_pico": 2}
    )
    report = summary(ledger, name, period=ALWAYS, columns=["cost"])
    assert report.rows == [("b", 5), ("a", 3)]
    assert report.columns[0].name == name


def test_unknown_labels_are_an_empty_cell_and_count(ledger_of: Make) -> None:
    ledger = ledger_of({"cost_pico": 5}, {"team": "ads", "cost_pico": 1}, {"cost_pico": 2})
    assert summary(ledger, "team", period=ALWAYS, columns=["cost"]).rows == [(None, 7), ("ads", 1)]


@pytest.mark.parametrize(
    "name",
    [
        "env",
        "a/b",
        "~",
        "~1",
        'a"b',
        "a'b",
        "a.b",
        "a b",
        "$",
        "*",
        "[0]",
        "0",
        "客戶",
        "a\\b",
        "?",
        "'); DROP",
        "a:desc",
    ],
)
def test_a_tag_of_any_name_groups(ledger_of: Make, name: str) -> None:
    ledger = ledger_of(
        {"tags": {name: "prod", "other": "x"}, "cost_pico": 4},
        {"tags": {name: "test"}, "cost_pico": 5},
        {"tags": {name: ""}, "cost_pico": 2},
        {"tags": {"other": "prod"}, "cost_pico": 1},
        {"cost_pico": 3},
    )
    report = summary(ledger, [f"tag:{name}"], period=ALWAYS, columns=["cost"])
    # An empty value and none are unknown alike: 2 + 1 + 3.
    assert report.rows == [(None, 6), ("test", 5), ("prod", 4)]
    assert report.columns[0].name == report.columns[0].title == f"tag:{name}"
    assert summary(ledger, [f"tag:{name}"], period=ALWAYS, sort=f"tag:{name}").rows[0][0] == "prod"


def test_a_backslash_takes_a_comma_of_a_tags_name_literally(ledger_of: Make) -> None:
    ledger = ledger_of({"model": "opus", "tags": {"a,b": "1", "c\\": "2"}})
    report = summary(ledger, r"tag:a\,b, model,tag:c\\", period=ALWAYS, columns=["requests"])
    assert [column.name for column in report.columns] == ["tag:a,b", "model", "tag:c\\", "requests"]
    assert report.rows == [("1", "opus", "2", 1)]


def test_a_combination_has_a_row_for_each_pair_that_has_calls(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"team": "a", "model": "x", "cost_pico": 1},
        {"team": "b", "model": "x", "cost_pico": 3},
        {"team": "a", "model": "y", "cost_pico": 2},
        {"team": "a", "model": "x", "cost_pico": 4},
    )
    report = summary(ledger, ["team", "model"], period=ALWAYS, columns=["cost"])
    assert report.rows == [("a", "x", 5), ("b", "x", 3), ("a", "y", 2)]
    assert report.totals == (None, None, 10)
    assert report.title == "Cost by team and model"
    # The same, as people write it.
    assert summary(ledger, "team, model", period=ALWAYS, columns=["cost"]) == report


def test_by_nothing_is_one_row_of_all_calls(ledger_of: Make) -> None:
    report = summary(ledger_of(*COMPANY), (), period=ALWAYS)
    assert len(report.rows) == 1
    assert report.rows[0] == report.totals
    assert column(report, "cost") == [10 * USD]
    assert column(report, "p95_latency_ms") == [200]


def test_an_empty_ledger_and_an_empty_period_give_no_rows_and_totals_of_nothing(ledger_of: Make) -> None:
    for by in ("team", "day", "team,day"):
        for ledger, period in ((ledger_of(), ALWAYS), (ledger_of(*COMPANY), at(month="2023-01"))):
            report = summary(ledger, by, period=period)
            assert report.rows == []
            assert total(report, "cost") == 0
            assert total(report, "share") is None
            assert total(report, "cost_per_request") is None
            assert report.calls == 0
            assert report.complete


@pytest.mark.parametrize(
    ("by", "near"),
    [
        ("teams", "team"),
        ("modell", "model"),
        ("days", "day"),
        ("user_id", "user"),
        ("team; DROP TABLE stored_calls", None),
        ("", None),
        ("input_tokens", None),
    ],
)
def test_an_unknown_dimension_is_an_error_that_says_what_there_is(
    ledger_of: Make, by: str, near: str | None
) -> None:
    with pytest.raises(QuestionError, match="unknown dimension") as error:
        summary(ledger_of(), [by], period=ALWAYS)
    if near:
        assert f"did you mean {near}?" in error.value.hint
    for name in ("team", "api_key", "month", "tag:NAME"):
        assert name in error.value.hint


def test_other_wrong_questions(ledger_of: Make) -> None:
    ledger = ledger_of()
    with pytest.raises(QuestionError, match="'team' is asked for twice"):
        summary(ledger, "team,day,team", period=ALWAYS)
    with pytest.raises(QuestionError, match="tag: needs a name"):
        summary(ledger, "tag:", period=ALWAYS)
    with pytest.raises(QuestionError, match="unknown column 'costs'") as error:
        summary(ledger, "team", period=ALWAYS, columns=["costs"])
    assert error.value.hint.startswith("did you mean cost?")
    with pytest.raises(QuestionError, match="unknown column 'model'"):
        summary(ledger, "team", period=ALWAYS, sort="model")
    with pytest.raises(QuestionError, match="top 0"):
        summary(ledger, "team", period=ALWAYS, top=0)


# --- which calls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "cost"),
    [
        (["team=ads"], 1 + 2),
        (["team!=ads"], 4 + 8),
        (["team="], 8),
        (["team=ads", "model~op"], 1),
        (["team=ads,search"], 1 + 2 + 4),
        (["tag:env=prod"], 1),
        (["tag:env!=prod"], 2 + 4 + 8),
        (["tag:a/b=x"], 4),
        (["team=ads' OR '1'='1"], 0),
        (["tag:') OR 1=1 --=x"], 0),
        ([], 15),
    ],
)
def test_where(ledger_of: Make, where: list[str], cost: int) -> None:
    ledger = ledger_of(
        {"team": "ads", "model": "opus", "tags": {"env": "prod"}, "cost_pico": 1},
        {"team": "ads", "model": "haiku", "tags": {"env": "test"}, "cost_pico": 2},
        {"team": "search", "tags": {"a/b": "x"}, "cost_pico": 4},
        {"cost_pico": 8},
    )
    report = summary(ledger, "team", period=ALWAYS, where=where)
    assert total(report, "cost") == cost
    assert len(report.filters) == len(where)
    # By a tag as well: the parameters of both stand in the right order.
    assert total(summary(ledger, ["tag:env", "day"], period=ALWAYS, where=where), "cost") == cost


def test_a_filter_that_cannot_be_read(ledger_of: Make) -> None:
    with pytest.raises(FilterError):
        summary(ledger_of(), "team", period=ALWAYS, where=["teams=x"])


# --- order, top --------------------------------------------------------------------------------------------

FIVE = (
    {"team": "b", "cost_pico": 5, "requests": 1, "latency_ms": 10},
    {"team": "a", "cost_pico": 5, "requests": 9, "latency_ms": 20},
    {"team": "c", "cost_pico": 7, "requests": 2},
    {"cost_pico": 5, "requests": 4, "latency_ms": 5},
    {"team": "d", "cost_pico": 1, "requests": 4, "latency_ms": 40},
)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (None, ["c", "a", "b", None, "d"]),
        ("cost", ["c", "a", "b", None, "d"]),
        ("cost:desc", ["c", "a", "b", None, "d"]),
        ("cost:asc", ["d", "a", "b", None, "c"]),
        ("requests", ["a", "d", None, "c", "b"]),
        ("team", ["a", "b", "c", "d", None]),
        ("team:desc", ["d", "c", "b", "a", None]),
        ("mean_latency_ms", ["d", "a", "b", None, "c"]),  # unknown comes last
        ("mean_latency_ms:asc", [None, "b", "a", "d", "c"]),
        ("p95_latency_ms", ["d", "a", "b", None, "c"]),
    ],
)
def test_sort(ledger_of: Make, sort: str | None, order: list[str | None]) -> None:
    report = summary(ledger_of(*FIVE), "team", period=ALWAYS, sort=sort, columns=["cost"])
    assert labels(report) == order


def test_top_puts_the_rest_in_one_row_with_its_own_rates(ledger_of: Make) -> None:
    ledger = ledger_of(*COMPANY, {"team": "lab", "cost_pico": 90 * USD, "latency_ms": 1})
    report = summary(ledger, "team", period=ALWAYS, top=1)
    assert labels(report) == ["lab", "other (2 rows)"]
    # What the rest measures is what all of the company above did, its shares apart: 10 of 100.
    rest = dict(zip([each.name for each in report.columns], report.rows[1], strict=True))
    for name, _, _, both in MEASURES:
        assert rest[name] == (Decimal("0.1") if name == "share" else both), name
    assert total(report, "cost") == 100 * USD
    by_two = summary(ledger, "team,model", period=ALWAYS, top=3, columns=["cost"])
    assert by_two.rows[-1] == ("other (1 row)", None, None)  # it has no price, which is not 0


def test_top_follows_the_sort_and_no_more_rows_than_there_are(ledger_of: Make) -> None:
    ledger = ledger_of(*FIVE)
    few = summary(ledger, "team", period=ALWAYS, top=2, sort="requests", columns=["requests"])
    assert few.rows == [("a", 9), ("d", 4), ("other (3 rows)", 7)]
    assert labels(summary(ledger, "team", period=ALWAYS, top=5)) == ["c", "a", "b", None, "d"]
    p95 = summary(ledger, "team", period=ALWAYS, top=1, sort="p95_latency_ms", columns=["p95_latency_ms"])
    # The rest: 10 once, 20 nine times, 5 four times; rank 13.3 of 14.
    assert p95.rows == [("d", 40), ("other (4 rows)", 20)]


def test_top_of_time_is_the_dearest(ledger_of: Make) -> None:
    ledger = ledger_of(
        *({"ts": f"2024-10-0{day} 10:00:00", "cost_pico": day % 3, "latency_ms": day} for day in range(1, 6))
    )
    report = summary(ledger, "day", period=ALWAYS, top=1, columns=["cost", "p95_latency_ms"])
    # Costs 1, 2, 0, 1, 2: the second and fifth are equal, the earlier comes first.
    assert report.rows == [("2024-10-02", 2, 2), ("other (4 rows)", 4, 5)]


# --- what it stands on -------------------------------------------------------------------------------------


def test_unpriced_calls_make_it_a_lower_bound(ledger_of: Make) -> None:
    ledger = ledger_of(*COMPANY)
    report = summary(ledger, "team", period=ALWAYS)
    assert not report.complete
    assert report.unpriced == Unpriced(1, 560, ("mystery",))  # 250 + 250 + 60 tokens
    assert report.calls == 7  # one row does not say how many it stands for
    # Without it in the question, the answer is whole.
    assert summary(ledger, "team", period=ALWAYS, where=["model=opus"]).complete


def test_an_unpriced_unit_is_named(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"model": "opus", "cost_pico": None, "price_id": 7, "output_tokens": 3, "requests": None}
    )
    with ledger.writing() as connection:
        connection.execute("INSERT INTO prices (price_id, model) VALUES (7, 'opus')")
    report = summary(ledger, "team", period=ALWAYS)
    # Its one row does not say how many calls it is: at least one.
    assert report.unpriced == Unpriced(1, 3, ("opus (output_tokens)",))


def test_it_says_period_filters_books_rejects_and_subscriptions(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"billing": "subscription", "requests": 3}, {"billing": "subscription"}, {"billing": "metered"}
    )
    with ledger.writing() as connection:
        connection.execute(
            "INSERT INTO sources (source_id, path, rejected) VALUES (1, '/a', 2), (2, '/b', 3)"
        )
        connection.execute(
            """INSERT INTO meta VALUES
            ('price_books', '["catalogue 2024-10-01", "prices.yaml"]'),
            ('last_commit', '2024-11-02T03:04:05Z')"""
        )
    report = summary(ledger, "team", period=at("Asia/Taipei", month="2024-10"), where=["model=opus"])
    assert report.period is not None
    assert report.period.start == "2024-10-01T00:00:00+08:00"
    assert report.period.end == "2024-11-01T00:00:00+08:00"
    assert report.period.timezone == "Asia/Taipei"
    assert report.period.label == "2024-10"
    assert report.filters == ("model=opus",)
    assert report.price_books == ("catalogue 2024-10-01", "prices.yaml")
    assert report.rejected_lines == 5
    assert report.as_of == "2024-11-02T03:04:05Z"
    assert report.calls == 5
    assert report.notes == ("4 calls under a subscription are counted at list price",)


def test_a_ledger_that_nothing_was_ingested_into_says_so_little(ledger_of: Make) -> None:
    report = summary(ledger_of({}), "team", period=ALWAYS)
    assert (report.price_books, report.as_of, report.rejected_lines, report.notes) == ((), None, 0, ())
    assert report.period is not None
    assert (report.period.start, report.period.end) == (None, None)


def test_the_same_question_gives_the_same_bytes(ledger_of: Make) -> None:
    calls = [
        {"team": f"[red]{number % 7}[/red]", "model": f"m{number % 3}", "cost_pico": 1, "latency_ms": number}
        for number in range(50)
    ]
    outputs = set()
    for ledger in (ledger_of(*calls), ledger_of(*reversed(calls))):
        for _ in range(2):
            for format in FORMATS:
                text = io.StringIO()
                render(
                    summary(ledger, "team,model,day", period=ALWAYS, top=9), format, stream=text, width=100
                )
                outputs.add((format, text.getvalue()))
    assert len(outputs) == len(FORMATS)
    assert "[red]3[/red]" in next(text for format, text in outputs if format == "table")


def test_a_huge_latency_is_left_out_of_the_mean_not_fatal(ledger_of: Make) -> None:
    # 9 x 10^18 ms x 1,000 calls is beyond 64 bits; the other row states 20 ms.
    ledger = ledger_of({"latency_ms": 9 * 10**18, "requests": 1000}, {"latency_ms": 20})
    report = summary(ledger, "team", period=ALWAYS)
    assert column(report, "mean_latency_ms") == [Decimal(20)]


def test_sums_beyond_64_bits_are_exact(ledger_of: Make) -> None:
    # 2 x (2^63 - 1) pico-dollars = 18,446,744,073,709,551,614.
    ledger = ledger_of({"cost_pico": 2**63 - 1}, {"cost_pico": 2**63 - 1})
    assert column(summary(ledger, "team", period=ALWAYS), "cost") == [18_446_744_073_709_551_614]
