"""``costctl allocate``, and what it changes for other commands."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.program import Costctl


def call(**said: object) -> str:
    return json.dumps(
        {
            "timestamp": "2024-10-07T12:00:00Z",
            "model": "claude-3-5-sonnet-20241022",
            "input_tokens": 1_000_000,
        }
        | {"output_tokens": 0}
        | said
    )


@pytest.fixture
def filled(costctl: Costctl) -> Costctl:
    """Three calls of 3 USD each: two of a key, one without."""
    lines = [call(id="1", api_key="k"), call(id="2", api_key="k", user_id="ada"), call(id="3")]
    (costctl.cwd / "log.jsonl").write_text("\n".join(lines) + "\n")
    assert costctl("ingest", "log.jsonl").code == 0
    return costctl


RULES = "rules:\n  - when: api_key=k\n    set: { team: search }\n"
SHARED = "shared:\n  - when: team=search\n    split: { search: 50%, ads: 50% }\n"


def test_it_shows_then_applies(filled: Costctl) -> None:
    (filled.cwd / "allocation.yaml").write_text(RULES)
    shown = filled("allocate", "--format", "json").json
    assert shown["rows"] == [
        {
            "rule": "allocation.yaml:2",
            "label": "team",
            "before": None,
            "after": "search",
            "calls": 2,
            "cost": Decimal("6.00"),
        }
    ]
    assert (shown["calls_changed"], shown["cost_changed"]) == (2, Decimal("6.00"))
    by_team = ("report", "--by", "team", "--columns", "cost", "--format", "csv")
    assert filled(*by_team).out.splitlines() == ['"team","cost"', ",9.00"]
    assert "applied" in filled("allocate", "--apply").out
    assert filled(*by_team).out.splitlines() == ['"team","cost"', '"search",6.00', ",3.00"]
    asked = filled("sql", "SELECT team, cost_usd FROM calls ORDER BY 1", "--format", "json").json["rows"]
    assert [row["team"] for row in asked] == ["search", "search", None]
    report = filled("report", "--by", "user", "--where", "team=search", "--format", "json").json
    assert report["totals"]["cost"] == Decimal("6.00")


def test_every_output(filled: Costctl) -> None:
    (filled.cwd / "allocation.yaml").write_text(RULES)
    assert filled("allocate", "--format", "csv").out.splitlines() == [
        '"rule","label","before","after","calls","cost"',
        '"allocation.yaml:2","team",,"search",2,6.00',
    ]
    assert "| allocation.yaml:2 | team" in filled("allocate", "--format", "md").out
    assert filled("allocate", "--out", "changes.parquet").code == 0


def test_unallocated(filled: Costctl) -> None:
    (filled.cwd / "allocation.yaml").write_text(RULES)
    report = filled("allocate", "--unallocated", "--format", "json").json
    assert [(row["api_key"], row["calls"], row["cost"]) for row in report["rows"]] == [
        (None, 1, Decimal("3.00"))
    ]
    (filled.cwd / "allocation.yaml").unlink()
    report = filled("allocate", "--unallocated", "--format", "json").json
    # All cost the same: then they stand in the order of their names, unknown ones last.
    assert [(row["api_key"], row["user"]) for row in report["rows"]] == [
        ("k", "ada"),
        ("k", None),
        (None, None),
    ]


def test_showback(filled: Costctl) -> None:
    (filled.cwd / "allocation.yaml").write_text(RULES + SHARED)
    filled("allocate", "--apply")
    assert filled("report", "--by", "team", "--showback", "--format", "csv").out.splitlines() == [
        '"team","direct_cost","shared_cost","cost","share"',
        '"ads",0.00,3.00,3.00,0.333333',
        '"search",0.00,3.00,3.00,0.333333',
        ",3.00,0.00,3.00,0.333333",
    ]
    refused = filled("report", "--by", "team", "--showback", "--pivot")
    assert (refused.code, "columns of its own" in refused.err) == (2, True)


def test_the_rules_are_where_settings_say(filled: Costctl) -> None:
    (filled.cwd / "rules.yaml").write_text(RULES)
    (filled.cwd / "costctl.yaml").write_text("allocation: rules.yaml\n")
    assert filled("allocate", "--format", "json").json["rows"][0]["rule"] == "rules.yaml:2"
    named = filled("allocate", "--allocation", "nowhere.yaml")
    assert (named.code, "nowhere.yaml: cannot be read" in named.err) == (1, True)


def test_without_rules(filled: Costctl) -> None:
    done = filled("allocate")
    assert (done.code, "there are no rules" in done.err) == (1, True)
    both = filled("allocate", "--unallocated", "--apply")
    assert both.code == 2


def test_a_fault_has_its_line(filled: Costctl) -> None:
    (filled.cwd / "allocation.yaml").write_text("rules:\n  - when: teem=a\n    set: { team: b }\n")
    error = filled("allocate", "--format", "json").error
    assert (error["line"], error["hint"]) == (2, "did you mean team?")


def test_pseudonyms_and_a_forgotten_person(filled: Costctl) -> None:
    (filled.cwd / "more.jsonl").write_text(call(id="4", user_id="bob") + "\n")
    assert filled("ingest", "--pseudonymize", "user,tag:owner", "more.jsonl").code == 0
    users = filled("report", "--by", "user", "--format", "json").json["rows"]
    assert {str(row["user"])[:7] for row in users} == {"None", "ada", "person-"}
    assert filled("forget", "--user", "ada", "--format", "json").json["calls"] == 1
    assert filled("forget", "--user", "bob", "--format", "json").json["calls"] == 1
    assert filled("forget", "--user", "ada").code == 1
    assert filled("forget").code == 2
    assert filled("forget", "log.jsonl", "--user", "ada").code == 2
    wrong = filled("ingest", "--pseudonymize", "usr", "more.jsonl")
    assert (wrong.code, "did you mean user?" in wrong.err) == (2, True)


def test_pseudonyms_of_configured_sources(costctl: Costctl) -> None:
    (costctl.cwd / "log.jsonl").write_text(call(id="1", user_id="ada") + "\n")
    (costctl.cwd / "costctl.yaml").write_text("sources:\n  - path: log.jsonl\n    pseudonymize: [user]\n")
    assert costctl("ingest").code == 0
    assert '"person-' in costctl("report", "--by", "user", "--format", "csv").out
