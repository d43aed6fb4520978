"""The few things that engines spell differently, on the ledger's own engine."""

from __future__ import annotations

import math
from collections import defaultdict

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.processes import Said

from costctl.ledger import tag_path
from costctl.ledger.engine import DuckDBEngine


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return DuckDBEngine(duckdb.connect())


def values(*rows: tuple[str, int | None, int | None]) -> str:
    """A relation of (team, value, weight)."""
    listed = ", ".join(
        f"('{team}', {'NULL' if value is None else value}, {'NULL' if weight is None else weight})"
        for team, value, weight in rows
    )
    return f"(SELECT * FROM (VALUES {listed}) AS given (team, value, weight))"  # noqa: S608


def percentiles(engine: DuckDBEngine, relation: str, percent: int) -> dict[str, int]:
    return dict(engine.rows(engine.percentile(relation, ["team"], percent)))


def test_row_of_many_calls_counts_that_many_times(engine: DuckDBEngine) -> None:
    # Of search's 100 calls, 94 took 10 ms, 6 took 500 ms: the 95th in order took 500. Of chat's 100, 95 took
    # 10 ms: the 95th took 10.
    relation = values(("search", 10, 94), ("search", 500, 6), ("chat", 10, 95), ("chat", 500, 5))
    assert percentiles(engine, relation, 95) == {"search": 500, "chat": 10}


def test_percentile_is_the_nearest_rank(engine: DuckDBEngine) -> None:
    # Of ten calls of 1 to 10 ms: the 50th percentile is the 5th, the 51st the 6th, and the 95th the 10th: 95
    # % of 10 is 9.5, and the 10th call is the first beyond it.
    ten = values(*(("a", value, 1) for value in range(1, 11)))
    found = {percent: percentiles(engine, ten, percent)["a"] for percent in (1, 50, 51, 95, 100)}
    assert found == {1: 1, 50: 5, 51: 6, 95: 10, 100: 10}


def test_unknown_values_and_weights_do_not_count(engine: DuckDBEngine) -> None:
    relation = values(("a", 7, 1), ("a", None, 1000), ("a", 9, None), ("b", None, 3))
    assert percentiles(engine, relation, 95) == {"a": 7}


def test_without_groups_there_is_one_row(engine: DuckDBEngine) -> None:
    assert engine.rows(engine.percentile(values(("a", 7, 1), ("b", 8, 1)), [], 95)) == [(8,)]
    assert engine.rows(engine.percentile(values(("a", None, 1)), [], 95)) == [(None,)]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 9)), min_size=1, max_size=30
    ),
    st.integers(1, 100),
)
def test_percentile_equals_counting_the_calls_one_by_one(
    engine: DuckDBEngine, rows: list[tuple[str, int, int]], percent: int
) -> None:
    calls = defaultdict(list)
    for team, value, weight in rows:
        calls[team].extend([value] * weight)
    expected = {
        team: sorted(values)[math.ceil(len(values) * percent / 100) - 1] for team, values in calls.items()
    }
    assert percentiles(engine, values(*rows), percent) == expected


def test_money_is_summed_beyond_a_bigint(engine: DuckDBEngine) -> None:
    # 3 x (2^63 - 1)
    total_cost = engine.money_sum("cost")
    [(total,)] = engine.rows(f"SELECT {total_cost} FROM (SELECT {2**63 - 1} AS cost FROM range(3))")  # noqa: S608
    assert total == 27_670_116_110_564_327_421
    assert isinstance(total, int)


@pytest.mark.parametrize(
    "name", ["env", "a/b", "a~b", "~1", "", 'say "hi"', "$.env", "[0]", "naïve ☃", "'; --"]
)
def test_tag_is_found_under_any_name(ledger: Said, name: str) -> None:
    with ledger.writing() as connection:
        connection.execute(
            "INSERT INTO stored_calls (model, tags) VALUES ('m', json_object(?, 'found', 'other', 'x'))",
            [name],
        )
    with ledger.reading() as engine:
        sql = f"SELECT {engine.tag()} FROM calls"  # noqa: S608
        assert engine.rows(sql, [tag_path(name)]) == [("found",)]
        assert engine.rows(sql, [tag_path(name + "?")]) == [(None,)]


def test_calls_show_cost_in_exact_dollars_and_tags_as_a_map(ledger: Said) -> None:
    with ledger.writing() as connection:
        connection.execute(
            """INSERT INTO stored_calls (model, user_id, tags, cost_pico)
            VALUES ('m', 'ann', '{"b": "2", "a": "1"}', 9223372036854775807), ('m', NULL, NULL, 1)"""
        )
    with ledger.reading() as engine:
        rows = engine.rows(
            'SELECT "user", tags, CAST(cost_usd AS VARCHAR) FROM calls ORDER BY cost_pico DESC'
        )
    assert rows == [
        ("ann", {"a": "1", "b": "2"}, "9223372.036854775807"),
        (None, None, "0.000000000001"),
    ]
