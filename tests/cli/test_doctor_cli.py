"""``costctl doctor`` by the command line: what is shown, and exited with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.program import Costctl

HAIKU = "claude-haiku-3-20250307"


def line(**fields: Any) -> str:
    call = {
        "timestamp": datetime.now(UTC).isoformat(),
        "model": HAIKU,
        "input_tokens": 1_000_000,
        "output_tokens": 400_000,
    }
    return json.dumps({**call, **fields}) + "\n"


@pytest.fixture
def usage(costctl: Costctl) -> Path:
    path = costctl.cwd / "usage.jsonl"
    path.write_text(line(id="a"))
    return path


def test_all_is_well(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    run = costctl("doctor", "--format", "json")
    assert (run.code, run.err) == (0, "")
    # The shipped prices grow old by themselves.
    attention = {row["check"] for row in run.json["rows"] if row["state"] != "ok"}
    assert attention <= {"price books"}
    assert costctl("doctor", "--strict").code == (4 if attention else 0)


def test_strict_exits_with_4_where_something_needs_attention(costctl: Costctl, usage: Path) -> None:
    usage.write_text(line(model="unheard-of"))
    costctl("ingest", usage)
    assert costctl("doctor").code == 0
    run = costctl("doctor", "--strict")
    assert run.code == 4
    assert "1 call without one: unheard-of" in run.out
    assert "prices: `costctl prices check` says why" in run.out
    assert run.err == "--strict: something needs attention\n"


def test_without_a_ledger(costctl: Costctl) -> None:
    run = costctl("doctor", "--format", "json")
    assert (run.code, run.err) == (0, "")
    assert {row["check"]: row["state"] for row in run.json["rows"]}["ledger"] == "warning"
    assert costctl("doctor", "--strict").code == 4
    assert not costctl.ledger.exists()


def test_a_ledger_that_cannot_be_read_exits_with_1(costctl: Costctl) -> None:
    costctl.ledger.parent.mkdir(parents=True)
    costctl.ledger.write_text("notes")
    run = costctl("doctor", "--format", "json")
    assert run.code == 1
    assert run.json["rows"][-1]["what"] == f"{costctl.ledger} is not a costctl ledger"
    assert run.error["code"] == "ledger_unreadable"


def test_a_settings_file_at_fault_is_a_row(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    (costctl.cwd / "costctl.yaml").write_text("wait: 5\nformta: json\n")
    run = costctl("doctor", "--format", "json")
    assert run.code == 0
    settings, *_ = run.json["rows"]
    assert (settings["check"], settings["state"]) == ("settings", "problem")
    assert settings["what"].startswith(f"{costctl.cwd / 'costctl.yaml'}:2: ")
    # All else is looked at as if the file were not there.
    assert {row["check"] for row in run.json["rows"]} >= {"ledger", "newest data", "rejects"}


def test_every_format(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    assert costctl("doctor", "--format", "csv").out.startswith('"check","state","what","hint"\r\n')
    assert "| check | state | what | hint |" in costctl("doctor", "--format", "md").out
    out = costctl.cwd / "doctor.parquet"
    assert costctl("doctor", "--out", out).code == 0
    assert out.exists()


def test_as_if_it_were_another_time(costctl: Costctl, usage: Path) -> None:
    usage.write_text(line(timestamp="2024-10-05T12:00:00Z"))
    costctl("ingest", usage)
    rows = costctl("doctor", "--now", "2024-10-06T12:00Z", "--format", "json").json["rows"]
    newest = [row["what"] for row in rows if row["check"] == "newest data"]
    assert newest == ["costctl: 2024-10-05 12:00, 1 day old, in 1 source"]


def test_transcripts_of_this_machine(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    projects = costctl.home / ".claude" / "projects" / "-work"
    projects.mkdir(parents=True)
    (projects / "session.jsonl").write_text("{}\n")
    (costctl.home / ".claude" / "settings.json").write_text('{"cleanupPeriodDays": 5}')
    rows = costctl("doctor", "--format", "json").json["rows"]
    (finding,) = [row for row in rows if row["check"] == "transcripts"]
    assert (finding["state"], finding["what"].split(" in ")[0]) == ("problem", "1 transcript")


def test_wrong_usage_stays_wrong(costctl: Costctl) -> None:
    assert costctl("doctor", "--tz", "Mars").code == 2
    assert costctl("doctor", "--now", "later").code == 2


def test_on_a_terminal_it_says_that_it_looks(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    assert "looking" in costctl.on_a_terminal("doctor", stream="stderr").err
