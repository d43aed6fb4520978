"""costctl guard: a question for scripts, or a command that is run only if there is budget."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from datetime import UTC, datetime

import pytest
from tests.program import Costctl

from costctl.cli.guard import run

BUDGETS = """\
budgets:
  - {name: search, scope: {team: search}, monthly_budget: 2}
  - {name: ads, scope: {team: ads}, monthly_budget: 2}
"""


@pytest.fixture
def desk(costctl: Costctl) -> Costctl:
    """A desk with two budgets of 2 USD, of which search has spent all: 2 M tokens of output at 1.25 a million
    are 2.50."""
    (costctl.cwd / "budgets.yaml").write_text(BUDGETS)
    line = {
        "id": "a",
        "timestamp": datetime.now(UTC).isoformat(),
        "model": "claude-haiku-3-20250307",
        "team": "search",
        "input_tokens": 0,
        "output_tokens": 2_000_000,
    }
    (costctl.cwd / "calls.jsonl").write_text(json.dumps(line) + "\n")
    assert costctl("ingest", "calls.jsonl").code == 0
    return costctl


def test_a_question_is_answered(desk: Costctl) -> None:
    yes = desk("guard", "--team", "ads", "--format", "json")
    assert (yes.code, yes.json["allowed"], yes.json["reason"]) == (0, True, "within budget")
    no = desk("guard", "--team", "search", "--format", "json")
    assert (no.code, no.json["allowed"]) == (75, False)
    assert no.json["reason"] == "budget search: 2.50 spent, of 2.00 USD for the month"
    assert "2.50 spent" in desk("guard", "--team", "search").out
    assert desk("guard").code == 0, "no budget is for calls of nobody"


def test_the_command_has_the_last_word(desk: Costctl) -> None:
    done = desk("guard", "--team", "ads", "--", "sh", "-c", "cat; echo told >&2; exit 7", input="given\n")
    assert (done.code, done.out, done.err) == (7, "given\n", "told\n")
    assert desk("guard", "--team", "ads", "--", "true").code == 0


def test_a_refused_command_is_not_run(desk: Costctl) -> None:
    done = desk("guard", "--team", "search", "--quiet", "--", "touch", "made")
    assert (done.code, done.out) == (75, "")
    assert done.err == "refused: budget search: 2.50 spent, of 2.00 USD for the month\n"
    assert not (desk.cwd / "made").exists()


def test_options_after_the_dashes_are_the_commands(desk: Costctl) -> None:
    assert desk("guard", "--team", "ads", "--", "echo", "--team", "search").out == "--team search\n"


def test_codes_of_commands_that_do_not_run(desk: Costctl) -> None:
    (desk.cwd / "plain").write_text("")
    missing = desk("guard", "--", "./nobody")
    assert (missing.code, missing.err) == (127, "error: cannot run ./nobody: No such file or directory\n")
    assert desk("guard", "--", "./plain").code == 126
    assert desk("guard", "--", "sh", "-c", "kill -KILL $$").code == 137


def test_a_signal_is_passed_on(desk: Costctl) -> None:
    script = "trap 'exit 5' TERM; echo ready; for each in $(seq 600); do sleep 0.05; done"
    with desk.start("guard", "--team", "ads", "--", "sh", "-c", script, stdout=subprocess.PIPE) as guard:
        assert guard.stdout is not None
        assert guard.stdout.readline() == b"ready\n"
        os.kill(guard.pid, signal.SIGTERM)
        assert guard.wait(30) == 5


def test_a_signal_that_comes_while_the_command_starts_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, words: list[str]) -> None:
            super().__init__(words)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    assert run(["sleep", "30"]) == 128 + signal.SIGTERM


def test_an_estimate_is_held_while_the_command_runs(desk: Costctl) -> None:
    running = desk.start(
        "guard", "--team", "ads", "--estimate", "2", "--", "sh", "-c", "echo ready; read line",
        stdout=subprocess.PIPE, stdin=subprocess.PIPE,
    )  # fmt: skip
    with running as guard:
        assert guard.stdout is not None
        assert guard.stdout.readline() == b"ready\n"
        meanwhile = desk("guard", "--team", "ads", "--", "true")
        guard.communicate(b"\n", timeout=30)
        assert guard.returncode == 0
    assert meanwhile.code == 75
    assert "0.00 spent and 2.00 held for calls under way" in meanwhile.err
    assert desk("guard", "--team", "ads", "--", "true").code == 0


def test_counters_that_cannot_be_read(desk: Costctl) -> None:
    state = desk.ledger.with_name("state.sqlite")
    state.write_text("no database\n" * 1000)
    opened = desk("guard", "--team", "search", "--", "echo", "ran")
    assert (opened.code, opened.out) == (0, "ran\n")
    assert "is not costctl's state" in opened.err
    closed = desk("guard", "--team", "search", "--fail-closed", "--", "echo", "ran")
    assert (closed.code, closed.out) == (75, "")
    assert "is not costctl's state" in closed.err


def test_wrong_usage(desk: Costctl) -> None:
    assert desk("guard", "--estimate", "much").code == 2
    assert desk("guard", "--tag", "prod").code == 2
    (desk.cwd / "budgets.yaml").unlink()
    missing = desk("guard", "--", "touch", "made")
    assert missing.code == 1
    assert "there are no budgets" in missing.err
    assert not (desk.cwd / "made").exists()


def test_the_state_is_its_owners(desk: Costctl) -> None:
    desk("guard", "--team", "ads")
    assert stat.S_IMODE(desk.ledger.with_name("state.sqlite").stat().st_mode) == 0o600
