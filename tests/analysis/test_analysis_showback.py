"""Costs that teams share, split over them; and calls without a team."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from by_hand import ALWAYS, USD, at

from costctl.allocation import NOTHING, Allocation, read
from costctl.analysis import QuestionError, showback, summary, unallocated
from costctl.ingest import allocate
from costctl.ledger import Ledger

RULES = """\
rules:
  - when: api_key=gateway
    set: { team: platform }
shared:
  - when: [team=platform, model=opus]
    split: { search: 60%, ads: 40% }
  - when: team=platform
    split: { search: 33.33%, ads: 33.33%, labs: 33.34% }
"""


@pytest.fixture
def rules(tmp_path: Path) -> Allocation:
    path = tmp_path / "allocation.yaml"
    path.write_text(RULES)
    return read(path)


@pytest.fixture
def shared(ledger_of: Callable[..., Ledger], rules: Allocation) -> Ledger:
    ledger = ledger_of(
        {"team": "search", "cost_pico": 10 * USD, "input_tokens": 7},
        {"team": "platform", "cost_pico": 7, "ts": "2024-10-01 00:00:00"},
        {"team": "platform", "cost_pico": 4},
        {"api_key": "gateway", "cost_pico": 9},
        {"team": "platform", "model": "haiku", "cost_pico": 100},
        {"team": "platform", "model": "none", "cost_pico": None, "price_id": None},
        {"cost_pico": 5},
    )
    allocate(ledger, rules, apply=True)
    return ledger


# Of opus, each call for itself: 7 is 4.2 and 2.8, so 4 and 3; 4 is 2.4 and 1.6, so 2 and 2; 9 is 5.4 and 3.6,
# so 5 and 4. Together search bears 11, ads 9. Of haiku, 100 is 33.33, 33.33 and 33.34: 33, 33 and 34.
SEARCH, ADS, LABS = 11 + 33, 9 + 33, 34


def test_shared_costs_are_split_over_teams(shared: Ledger) -> None:
    report = showback(shared, period=ALWAYS)
    assert [column.name for column in report.columns] == [
        "team", "direct_cost", "shared_cost", "cost", "share",
    ]  # fmt: skip
    assert [row[:4] for row in report.rows] == [
        ("search", 10 * USD, SEARCH, 10 * USD + SEARCH),
        ("ads", 0, ADS, ADS),
        ("labs", 0, LABS, LABS),
        (None, 5, 0, 5),
    ]
    assert report.totals == (None, 10 * USD + 5, 120, 10 * USD + 125, Decimal("1.000000"))
    assert report.unpriced.calls == 1
    assert not report.complete


def test_nothing_is_lost_or_added(shared: Ledger) -> None:
    whole = summary(shared, (), period=ALWAYS, columns=["cost"]).totals
    assert whole is not None
    for by in ("team", "team,model", "day,team", "team,tag:env"):
        totals = showback(shared, by, period=ALWAYS).totals
        assert totals is not None
        assert totals[-2] == whole[0]


def test_parts_add_up_however_they_are_grouped(shared: Ledger) -> None:
    by_day = showback(shared, "day,team", period=ALWAYS)
    search = [row for row in by_day.rows if row[1] == "search"]
    assert [row[:1] + row[2:4] for row in search] == [
        ("2024-10-01", 0, 4),
        ("2024-10-07", 10 * USD, SEARCH - 4),
    ]


def test_a_condition_on_the_team_is_about_who_bears_the_cost(shared: Ledger) -> None:
    report = showback(shared, period=ALWAYS, where=["team=ads", "model=opus"])
    assert [row[:4] for row in report.rows] == [("ads", 0, 9, 9)]
    assert report.filters == ("team=ads", "model=opus")
    october = showback(shared, period=at(since="2024-10-07"), where=["team=ads", "model=opus"])
    assert [row[3] for row in october.rows] == [6]


def test_without_shared_costs_it_says_so(ledger_of: Callable[..., Ledger]) -> None:
    report = showback(ledger_of({"team": "a", "cost_pico": 3}), period=ALWAYS)
    assert [row[:4] for row in report.rows] == [("a", 3, 0, 3)]
    assert report.notes == ("no costs are shared: allocation.yaml says which are",)


def test_it_is_by_team(shared: Ledger) -> None:
    with pytest.raises(QuestionError, match="by team"):
        showback(shared, "model", period=ALWAYS)


def test_calls_without_a_team_are_listed_by_cost(ledger_of: Callable[..., Ledger], rules: Allocation) -> None:
    ledger = ledger_of(
        {"api_key": "k1", "cost_pico": 3},
        {"api_key": "k1", "cost_pico": 4, "requests": 5, "grain": "bucket"},
        {"api_key": "k2", "cost_pico": 9, "user_id": "ada", "tags": {"cwd": "/shop", "env": "prod"}},
        {"api_key": "gateway", "cost_pico": 100},
        {"api_key": "k1", "team": "own", "cost_pico": 100},
        {"api_key": "k3", "cost_pico": None},
    )
    report = unallocated(ledger, rules)
    assert [column.name for column in report.columns if not column.wide] == [
        "api_key", "user", "tag:cwd", "calls", "cost",
    ]  # fmt: skip
    shown = [row[0:1] + row[2:3] + row[5:6] + row[-2:] for row in report.rows]
    assert shown == [
        ("k2", "ada", "/shop", 1, 9),
        ("k1", None, None, 6, 7),
        ("k3", None, None, 1, 0),
    ]
    # Rules that are applied already count no more than those of the file.
    allocate(ledger, rules, apply=True)
    assert unallocated(ledger, rules).rows == report.rows
    assert ("gateway", 100) in [(row[0], row[-1]) for row in unallocated(ledger, NOTHING).rows]
