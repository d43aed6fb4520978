"""The view of the calls under the labels that allocation gives."""

from __future__ import annotations

import pytest
from tests.ledger.processes import Said

from costctl.ledger import schema
from costctl.ledger.allocated import LAYOUT, PLAIN, Layout, layout

LAID = Layout(by=("api_key", "tag:cwd", "source"), fills=("team", "tags"), overrides=True)


def lay(ledger: Said, laid: Layout) -> None:
    with ledger.writing() as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in laid.columns)
        connection.execute(f"CREATE TABLE allocations ({columns})")
        connection.execute("INSERT INTO meta VALUES (?, ?)", [LAYOUT, laid.to_json()])
        connection.execute(schema.view(laid))


@pytest.fixture
def laid(ledger: Said) -> Said:
    with ledger.writing() as connection:
        connection.executemany(
            "INSERT INTO stored_calls (input_tokens, api_key, team, tags, source_id) VALUES (?, ?, ?, ?, ?)",
            [
                [1, "k", None, '{"cwd":"/a"}', 1],
                [2, "k", "own", '{"cwd":"/a","env":"prod"}', 1],
                [3, "k", None, '{"cwd":"/a"}', 2],
                [4, None, "own", None, 1],
                [5, "", "own", None, 1],
            ],
        )
    lay(ledger, LAID)
    with ledger.writing() as connection:
        connection.executemany(
            "INSERT INTO allocations VALUES (?, ?, ?, ?, ?, ?)",
            [
                ["k", "/a", 1, "search", '{"env":"test","floor":"3"}', False],
                ["", "", 1, "ads", None, True],
            ],
        )
    return ledger


def test_a_row_is_found_by_all_of_its_columns(laid: Said) -> None:
    with laid.reading() as engine:
        shown = "SELECT team, CAST(tags AS VARCHAR) FROM calls ORDER BY input_tokens"
        assert engine.rows(shown) == [
            ("search", "{cwd=/a, env=test, floor=3}"),
            ("own", "{cwd=/a, env=prod, floor=3}"),
            (None, "{cwd=/a}"),  # another source
            ("ads", None),  # unknown is unknown, NULL or empty
            ("ads", None),
        ]
        assert engine.rows("SELECT team FROM stored_calls ORDER BY input_tokens")[:2] == [(None,), ("own",)]


def test_a_question_without_labels_joins_nothing(laid: Said) -> None:
    with laid.reading() as engine:

        def plan(question: str) -> str:
            return str(engine.rows(f"EXPLAIN {question}"))

        assert "allocations" in plan("SELECT team, sum(input_tokens) FROM calls GROUP BY team")
        for question in (
            "SELECT min(ts), max(ts) FROM calls",
            "SELECT model, sum(cost_pico) FROM calls GROUP BY 1",
        ):
            assert "allocations" not in plan(question)


def test_without_rules_there_is_no_join_at_all(ledger: Said) -> None:
    with ledger.reading() as engine:
        assert layout(engine) == PLAIN
        ((view,),) = engine.rows("SELECT sql FROM duckdb_views() WHERE view_name = 'calls'")
    assert "JOIN" not in view


def test_a_migration_makes_the_view_anew(laid: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schema.MIGRATIONS, 1, ("ALTER TABLE rejects ADD COLUMN seen BOOLEAN",))
    monkeypatch.setattr(schema, "VERSION", 2)
    with laid.reading() as engine:
        assert layout(engine) == LAID
        assert engine.rows("SELECT team FROM calls WHERE input_tokens = 1") == [("search",)]
        assert engine.rows("SELECT count(seen) FROM rejects") == [(0,)]


def test_the_layout_is_kept_as_text() -> None:
    assert Layout.from_json(LAID.to_json()) == LAID
    assert [kind for _, kind in LAID.columns] == [
        "VARCHAR", "VARCHAR", "INTEGER", "VARCHAR", "VARCHAR", "BOOLEAN",
    ]  # fmt: skip
