"""Usage files in, by the command line: what is said, what is shown, what is exited with."""

from __future__ import annotations

import fcntl
import gzip
import json
import signal
import subprocess
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.program import Costctl

HAIKU = "claude-haiku-3-20250307"
"""0.25 USD per million tokens of input and 1.25 of output (the book's chapter on costs, its price table)."""


def line(**fields: Any) -> str:
    """A line of a call log: 1,000,000 tokens in and 400,000 out, so 0.25 + 0.50 = 0.75 USD."""
    call = {
        "timestamp": "2024-10-05T12:00:00Z",
        "team_id": "search",
        "model": HAIKU,
        "input_tokens": 1_000_000,
        "output_tokens": 400_000,
    }
    return json.dumps({**call, **fields}) + "\n"


@pytest.fixture
def usage(costctl: Costctl) -> Path:
    """Two calls of October: 2 x 0.75 = 1.50 USD."""
    path = costctl.cwd / "usage.jsonl"
    path.write_text(line(id="a") + line(id="b", team_id="ads", timestamp="2024-10-06T12:00:00Z"))
    return path


def test_the_summary(costctl: Costctl, usage: Path) -> None:
    run = costctl("ingest", usage, "--format", "json")
    assert (run.code, run.err) == (0, "")
    summary = run.json
    assert summary["command"] == "ingest"
    assert summary["files"] == 1
    assert summary["rows_new"] == 2
    assert (summary["rows_known"], summary["rows_improved"], summary["rows_rejected"]) == (0, 0, 0)
    assert summary["unpriced_calls"] == 0
    assert (summary["first_ts"], summary["last_ts"]) == ("2024-10-05T12:00:00Z", "2024-10-06T12:00:00Z")
    assert summary["cost"] == Decimal("1.50")
    assert costctl.ledger.exists()


def test_again_adds_nothing(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    again = costctl("ingest", "usage.jsonl", "--format", "json").json
    assert (again["files"], again["files_unchanged"], again["rows_new"]) == (0, 1, 0)
    packed = costctl.cwd / "copy.jsonl.gz"
    packed.write_bytes(gzip.compress(usage.read_bytes()))
    copied = costctl("ingest", packed, "--format", "json").json
    assert (copied["files"], copied["rows_new"], copied["rows_known"]) == (1, 0, 2)


def test_standard_input(costctl: Costctl) -> None:
    run = costctl("ingest", "-", "--format", "json", input=line(id="a"))
    assert (run.code, run.json["rows_new"]) == (0, 1)
    (source,) = costctl("sources", "--format", "json").json["rows"]
    assert source["source"].startswith("stdin:")
    assert (source["state"], source["waiting"]) == ("stream", None)


def test_flags_fill_what_lines_do_not_say(costctl: Costctl) -> None:
    path = costctl.cwd / "usage.jsonl"
    path.write_text(line(id="a") + line(id="b", team_id=None, timestamp="2024-10-05T00:30:00"))
    flags = [
        "--team",
        "ads",
        "--project",
        "p",
        "--user",
        "ada",
        "--agent",
        "bot",
        "--billing",
        "subscription",
    ]
    flags += ["--tag", "env=prod", "--tag", "tier=a=b", "--assume-tz", "Europe/Berlin"]
    assert costctl("ingest", "usage.jsonl", *flags).code == 0
    rows = costctl(
        "sql",
        "SELECT team, project, user_id, agent, billing, tags_json, CAST(ts AS VARCHAR) "
        "AS ts FROM calls ORDER BY team DESC",
        "--format",
        "json",
    ).json["rows"]
    common = {
        "project": "p",
        "user_id": "ada",
        "agent": "bot",
        "billing": "subscription",
        "tags_json": '{"env":"prod","tier":"a=b"}',
    }
    assert rows == [
        {"team": "search", **common, "ts": "2024-10-05 12:00:00"},
        # Half past midnight in Berlin, summer time (UTC+2), is half past ten of the evening before.
        {"team": "ads", **common, "ts": "2024-10-04 22:30:00"},
    ]


def test_dry_run_leaves_everything_as_it_was(costctl: Costctl, usage: Path) -> None:
    run = costctl("ingest", usage, "--dry-run", "--format", "json")
    assert (run.code, run.json["rows_new"], run.json["cost"]) == (0, 2, Decimal("1.50"))
    assert "dry run" in run.json["notes"][0]
    assert not costctl.ledger.exists()


def test_strict_exits_with_4_where_a_line_is_bad(costctl: Costctl, usage: Path) -> None:
    with usage.open("a") as file:
        file.write("{broken\n")
    run = costctl("ingest", usage)
    assert (run.code, run.err) == (0, "")
    assert "rows rejected" in run.out
    again = costctl("ingest", usage, "--strict", "--format", "json")
    assert (again.code, again.json["files_unchanged"]) == (4, 1)
    assert again.err == "--strict: lines were rejected, or calls have no price\n"
    assert costctl("ingest", usage, "--strict", "--quiet").err == ""


def test_strict_exits_with_4_where_a_call_has_no_price(costctl: Costctl, usage: Path) -> None:
    usage.write_text(line(id="a", model="nobodys-model"))
    assert costctl("ingest", usage, "--strict").code == 4


def test_rejects_name_file_line_and_reason(costctl: Costctl, usage: Path) -> None:
    with usage.open("a") as file:
        file.write("{broken\n")
    costctl("ingest", usage)
    for command in (["rejects"], ["rejects", "usage.jsonl"], ["rejects", usage]):
        (row,) = costctl(*command, "--format", "json").json["rows"]
        assert (row["source"], row["line"], row["raw"]) == (str(usage), 3, None)
        assert row["reason"]
    costctl("ingest", usage, "--full", "--keep-rejects")
    (row,) = costctl("rejects", "--format", "json").json["rows"]
    assert row["raw"] == "{broken"
    unknown = costctl("rejects", "nowhere.jsonl")
    assert (unknown.code, unknown.out) == (1, "")
    assert "nowhere.jsonl is not in the ledger" in unknown.err


def test_a_named_file_that_is_no_usage_is_an_error_after_the_others_are_in(
    costctl: Costctl, usage: Path
) -> None:
    (costctl.cwd / "notes.txt").write_text("a note\n")
    run = costctl("ingest", "notes.txt", usage, "nowhere.jsonl", "--format", "json")
    assert (run.code, run.json["rows_new"]) == (1, 2)
    assert run.error["code"] == "not_read"
    said = " ".join(run.json["notes"])
    assert "notes.txt" in said
    assert "nowhere.jsonl: no such file or directory" in said


@pytest.mark.usefixtures("usage")
def test_files_of_no_format_in_a_directory_are_skipped(costctl: Costctl) -> None:
    (costctl.cwd / "notes.txt").write_text("a note\n")
    run = costctl("ingest", ".", "--format", "json")
    assert (run.code, run.json["files"], run.json["files_skipped"]) == (0, 1, 1)


def test_claude_code_is_found(costctl: Costctl) -> None:
    missing = costctl("ingest", "--claude-code")
    assert (missing.code, missing.out) == (1, "")
    assert "~/.claude/projects" in missing.err

    project = costctl.home / ".claude" / "projects" / "-home-ada-shop"
    project.mkdir(parents=True)
    message = {
        "id": "msg_1",
        "model": "claude-sonnet-4-20250514",
        "role": "assistant",
        "type": "message",
        "usage": {"input_tokens": 1_000_000, "output_tokens": 100_000},
    }
    entry = {
        "type": "assistant",
        "timestamp": "2025-07-01T10:00:00.000Z",
        "sessionId": "s",
        "cwd": "/home/ada/shop",
        "requestId": "req_1",
        "version": "1.0.0",
        "message": message,
    }
    (project / "s.jsonl").write_text(json.dumps(entry) + "\n")
    run = costctl("ingest", "--claude-code", "--format", "json")
    # Sonnet 4 is 3 USD per million in and 15 out: 3 + 1.50.
    assert (run.code, run.json["rows_new"], run.json["cost"]) == (0, 1, Decimal("4.50"))
    assert "Claude Code" not in costctl("report").err


@pytest.mark.usefixtures("usage")
def test_the_sources_of_the_settings(costctl: Costctl) -> None:
    (costctl.cwd / "more").mkdir()
    (costctl.cwd / "more" / "late.jsonl").write_text(line(id="c", team_id=""))
    (costctl.cwd / "costctl.yaml").write_text(
        "sources:\n  - usage.jsonl\n  - path: more/*.jsonl\n    team: night\n    tags: {env: prod}\n"
    )
    run = costctl("ingest", "--format", "json")
    assert (run.code, run.json["files"], run.json["rows_new"]) == (0, 2, 3)
    teams = costctl("report", "--by", "team,tag:env", "--format", "json").json["rows"]
    assert {(row["team"], row["tag:env"]) for row in teams} == {
        ("search", None),
        ("ads", None),
        ("night", "prod"),
    }
    refused = costctl("ingest", "--team", "x")
    assert (refused.code, refused.out) == (2, "")
    assert "stand in costctl.yaml" in refused.err


def test_an_unknown_format_in_the_settings_is_an_error_with_its_line(costctl: Costctl) -> None:
    (costctl.cwd / "costctl.yaml").write_text("sources:\n  - path: logs\n    as: opnai\n")
    run = costctl("ingest")
    assert (run.code, run.out) == (2, "")
    assert "costctl.yaml:3: as: 'opnai' is no format" in run.err.replace("\n", "")


@pytest.mark.usefixtures("usage")
def test_without_transcripts_the_other_sources_are_read(costctl: Costctl) -> None:
    (costctl.cwd / "costctl.yaml").write_text("sources:\n  - claude_code: true\n  - usage.jsonl\n")
    run = costctl("ingest", "--format", "json")
    assert (run.code, run.json["rows_new"]) == (1, 2)
    place = costctl.home / ".claude" / "projects"
    assert f"not read: {place}: no such file or directory" in run.json["notes"]


def test_forget_takes_a_file_out(costctl: Costctl, usage: Path) -> None:
    other = costctl.cwd / "other.jsonl"
    other.write_text(line(id="a") + line(id="c"))
    costctl("ingest", usage, other)
    run = costctl("forget", "usage.jsonl", "--format", "json")
    assert (run.code, run.json["sources"]) == (0, 1)
    # What is left is what other.jsonl tells: a and c, 2 x 0.75.
    report = costctl("report", "--format", "json").json
    assert report["totals"]["requests"] == 2
    assert report["totals"]["cost"] == Decimal("1.50")
    unknown = costctl("forget", "usage.jsonl")
    assert (unknown.code, unknown.out) == (1, "")
    assert "usage.jsonl is not in the ledger" in unknown.err


def test_sources(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    (row,) = costctl("sources", "--format", "json").json["rows"]
    assert (row["source"], row["format"], row["rows"], row["state"]) == (str(usage), "costctl", 2, "current")


def test_a_price_of_the_users_own(costctl: Costctl, usage: Path) -> None:
    usage.write_text(line(id="a", model="house-model"))
    costctl("ingest", usage)
    check = costctl("prices", "check", "--format", "json")
    assert check.code == 4
    assert [row["model"] for row in check.json["rows"]] == ["house-model"]
    (costctl.cwd / "prices.yaml").write_text(
        "prices:\n  - model: house-model\n    input: 2\n    output: 10\n"
    )
    run = costctl("reprice", "--unpriced", "--prices", "prices.yaml", "--format", "json")
    # 1 million tokens in at 2 USD, 0.4 million out at 10: 2 + 4.
    assert (run.code, run.json["calls_repriced"], run.json["cost_after"]) == (0, 1, Decimal("6.00"))
    assert costctl("prices", "check").code == 0


def test_a_ledger_that_is_held_is_waited_for(costctl: Costctl, usage: Path) -> None:
    costctl("ingest", usage)
    with open(f"{costctl.ledger}.lock", "rb+") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        run = costctl("report", "--wait", "0")
        assert (run.code, run.out) == (1, "")
        assert "is held by" in run.err
        assert costctl("report", "--wait", "0", "--format", "json").error["code"] == "ledger_locked"

        waiting = costctl.start("report", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline().startswith(b"waiting for the ledger")
            waiting.send_signal(signal.SIGINT)
            assert waiting.wait(timeout=30) == 130
            assert waiting.stderr.read() == b"error: interrupted\n"

        later = costctl.start("report", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with later:
            assert later.stderr is not None
            later.stderr.readline()
            fcntl.flock(gate, fcntl.LOCK_UN)
            assert later.wait(timeout=30) == 0


@pytest.fixture
def long(costctl: Costctl) -> Path:
    """A file that takes a second or two, long enough for a bar: 200,000 lines, 25 MB."""
    path = costctl.cwd / "long.jsonl"
    with path.open("w") as file:
        for number in range(200_000):
            file.write(line(id=str(number)))
    assert path.stat().st_size > 25 * 10**6
    return path


def test_nothing_but_the_result_is_written_away_from_a_terminal(costctl: Costctl, long: Path) -> None:
    run = costctl("ingest", long)
    assert (run.code, run.err) == (0, "")
    assert "\x1b" not in run.out


def test_a_bar_is_shown_on_a_terminal(costctl: Costctl, long: Path) -> None:
    run = costctl.on_a_terminal("ingest", long, stream="stderr", env={"NO_COLOR": "1"})
    assert run.code == 0
    assert run.out.startswith("files")
    assert "reading" in run.err
    assert "MB" in run.err
    assert "\x1b[3" not in run.err, "no colour"
    quiet = costctl.on_a_terminal("ingest", "--full", "--quiet", long, stream="stderr")
    assert (quiet.code, quiet.err) == (0, "")


def test_control_c_in_the_middle_of_a_statement(costctl: Costctl, long: Path, tmp_path: Path) -> None:
    """DuckDB has the process in its hands then."""
    marks = tmp_path / "marks"
    marks.touch()
    environment = costctl.variables({"COSTCTL_PHASES": str(marks)})
    process = costctl.start("ingest", long, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while "insert" not in marks.read_text() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"error: interrupted\n")
    assert "commit" not in marks.read_text()
    assert costctl("report", "--format", "json").json["rows"] == []
