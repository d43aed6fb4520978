"""Rules fill labels in what reports see, and never in what the sources said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from usage_files import CALL_COST, Desk, Given, call

from costctl.allocation import NOTHING, Allocation, read
from costctl.ingest import allocate

EACH = 15_000_000
"""A token of output, in pico-dollars: 15 USD a million."""


def cost(output: int) -> int:
    """Of a call with that many tokens of output: 100 tokens of input are in it."""
    return CALL_COST + (output - 10) * EACH


def rules(desk: Desk, text: str) -> Allocation:
    path = desk.files.parent / "allocation.yaml"
    path.write_text(text)
    return read(path)


def apply(desk: Desk, text: str) -> None:
    allocate(desk.ledger, rules(desk, text), apply=True)


BY_KEY = """\
rules:
  - when: api_key=k1
    set: { team: search, tags: { cost_center: "4711" } }
  - when: api_key=k2
    set: { team: ads }
    override: true
"""


@pytest.fixture
def filled(desk: Desk) -> Desk:
    desk.write(
        "log.jsonl",
        call(id="1", output_tokens=1, api_key="k1"),
        call(id="2", output_tokens=2, api_key="k1", team="own", tags={"env": "prod", "cost_center": "1"}),
        call(id="3", output_tokens=3, api_key="k2", team="own", tags={"env": "prod"}),
        call(id="4", output_tokens=4),
    )
    desk.ingest()
    return desk


BEFORE = [(None, None), ("own", {"env": "prod", "cost_center": "1"}), ("own", {"env": "prod"}), (None, None)]
AFTER = [
    ("search", {"cost_center": "4711"}),
    ("own", {"env": "prod", "cost_center": "1"}),  # what it says itself goes first
    ("ads", {"env": "prod"}),  # but not where a rule overrides
    (None, None),
]


def labels(desk: Desk, table: str = "calls") -> list[tuple[Any, Any]]:
    column = "tags_json" if table == "calls" else "tags"
    rows = desk.rows(f"SELECT team, {column} FROM {table} ORDER BY output_tokens")  # noqa: S608
    return [(team, None if tags is None else json.loads(tags)) for team, tags in rows]


def test_it_is_shown_before_anything_changes(filled: Desk) -> None:
    report = allocate(filled.ledger, rules(filled, BY_KEY))
    assert [column.name for column in report.columns] == ["rule", "label", "before", "after", "calls", "cost"]
    assert report.rows == [
        ("allocation.yaml:2", "team", None, "search", 1, cost(1)),
        ("allocation.yaml:2", "tag:cost_center", None, "4711", 1, cost(1)),
        ("allocation.yaml:4", "team", "own", "ads", 1, cost(3)),
    ]
    assert report.figures == {"calls_changed": 2, "cost_changed": cost(1) + cost(3)}
    assert report.notes == ("nothing is changed yet: `costctl allocate --apply` changes 2 calls",)
    assert labels(filled) == BEFORE


def test_rules_fill_or_override_and_the_sources_words_stay(filled: Desk) -> None:
    apply(filled, BY_KEY)
    assert labels(filled) == AFTER
    assert labels(filled, "stored_calls") == BEFORE
    report = allocate(filled.ledger, rules(filled, BY_KEY))
    assert (report.rows, report.notes) == ([], ("these rules are applied",))


def test_without_rules_everything_is_as_it_was(filled: Desk) -> None:
    view = "SELECT sql FROM duckdb_views() WHERE view_name = 'calls'"
    plain = filled.rows(view)
    apply(filled, BY_KEY)
    assert filled.rows(view) != plain
    report = allocate(filled.ledger, NOTHING)
    assert [row[:4] for row in report.rows] == [
        (None, "team", "ads", "own"),
        (None, "team", "search", None),
        (None, "tag:cost_center", "4711", None),
    ]
    allocate(filled.ledger, NOTHING, apply=True)
    assert labels(filled) == BEFORE
    assert filled.rows(view) == plain
    assert filled.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'allocations'") == []


def test_changed_rules_are_noticed(filled: Desk) -> None:
    apply(filled, BY_KEY)
    report = allocate(filled.ledger, rules(filled, BY_KEY.replace("search", "labs")))
    assert report.rows == [("allocation.yaml:2", "team", "search", "labs", 1, cost(1))]
    # A comment changes nothing.
    assert allocate(filled.ledger, rules(filled, "# ours\n" + BY_KEY)).notes == ("these rules are applied",)


def test_rules_that_are_for_no_call_are_named(filled: Desk) -> None:
    report = allocate(filled.ledger, rules(filled, "rules: [{when: api_key=nobody, set: {team: a}}]"))
    assert report.rows == []
    assert report.notes == (
        "allocation.yaml:1: no call is like that, or an earlier rule holds for it",
        "no call would change; `costctl allocate --apply` keeps these rules for what comes",
    )


def test_calls_that_come_later_are_allocated_as_they_come(filled: Desk) -> None:
    apply(filled, BY_KEY + "  - when: api_key=k9\n    set: { team: new }\n")
    filled.append("log.jsonl", call(id="5", output_tokens=5, api_key="k9") + "\n")
    filled.write("more.jsonl", call(output_tokens=6, api_key="k1"), call(output_tokens=7, api_key="none"))
    filled.ingest()
    assert [team for team, _ in labels(filled)] == ["search", "own", "ads", None, "new", "search", None]


def test_a_dry_run_shows_no_more_than_it_leaves(filled: Desk) -> None:
    apply(filled, BY_KEY)
    filled.write("more.jsonl", call(output_tokens=6, api_key="k1"))
    assert filled.ingest(dry_run=True)["rows_new"] == 1
    assert labels(filled) == AFTER


def test_other_flags_are_the_sources_words_too(filled: Desk) -> None:
    apply(filled, BY_KEY)
    filled.ingest(given=Given(team="flag"))
    assert [team for team, _ in labels(filled)] == ["flag", "own", "ads", "flag"]


@pytest.mark.parametrize(
    ("condition", "teams"),
    [
        ("user=ada", ["t", None, None]),
        ("team=", ["t", None, "t"]),  # what the source says, not what a rule fills
        ("session^=s", [None, "t", None]),
        ("tag:cwd~/home/*/it''s*", [None, None, "t"]),
        (r"tag:a/b\~c=1", [None, "t", None]),
        ("workspace=w", [None, "t", None]),
        ("model~sonnet", ["t", "t", "t"]),
        ("provider!=openai", ["t", "t", "t"]),
        ("mode=batch", [None, None, None]),
        ("source~*/log.jsonl", ["t", "t", "t"]),
        ("source~*/other.jsonl", [None, None, None]),
    ],
)
def test_conditions_look_at_every_label(desk: Desk, condition: str, teams: list[str | None]) -> None:
    desk.write(
        "log.jsonl",
        call(id="1", output_tokens=1, user_id="ada"),
        call(id="2", output_tokens=2, session="s1", workspace="w", team="x", tags={"a/b~c": "1"}),
        call(id="3", output_tokens=3, tags={"cwd": "/home/u/it's here"}),
    )
    desk.ingest()
    apply(desk, f"rules: [{{when: '{condition}', set: {{team: t, agent: a}}}}]")
    assert desk.calls("agent") == [team and "a" for team in teams]


def test_a_rule_for_every_call(desk: Desk) -> None:
    desk.ledger.path.parent.mkdir()
    with desk.ledger.writing():
        pass
    apply(desk, "rules: [{set: {team: all}}]")
    desk.write("log.jsonl", call(output_tokens=1), call(output_tokens=2, team="own"))
    desk.ingest()
    assert desk.calls("team") == ["all", "own"]


def test_a_file_that_moved_is_found_at_its_new_path(desk: Desk) -> None:
    path = desk.write("a.jsonl", call())
    desk.ingest()
    apply(desk, "rules: [{when: source~*/b.jsonl, set: {team: b}}]")
    assert desk.calls("team") == [None]
    path.rename(path.with_name("b.jsonl"))
    desk.ingest()
    assert desk.calls("team") == ["b"]


def test_user_is_filled_under_both_of_its_names(desk: Desk) -> None:
    desk.write("log.jsonl", call(api_key="k"))
    desk.ingest()
    apply(desk, "rules: [{when: api_key=k, set: {user: ada, project: p, agent: a}}]")
    assert desk.calls("user_id", '"user"', "project", "agent") == [("ada", "ada", "p", "a")]


def test_nothing_else_of_a_call_changes(filled: Desk) -> None:
    before = filled.everything()
    apply(filled, BY_KEY)
    assert filled.everything() == before
    assert filled.rows("SELECT sum(cost_pico) FROM calls") == [(sum(map(cost, (1, 2, 3, 4))),)]
    assert filled.rows("SELECT count(*) FROM calls") == [(4,)]


def test_applied_rules_outlive_their_file(filled: Desk, tmp_path: Path) -> None:
    apply(filled, BY_KEY)
    (tmp_path / "allocation.yaml").unlink()
    filled.write("more.jsonl", call(output_tokens=6, api_key="k2"))
    filled.ingest()
    assert labels(filled)[-1] == ("ads", None)
