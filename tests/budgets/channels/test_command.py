"""A command on its standard input, and standard output."""

from __future__ import annotations

import json
import os
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from tests.budgets.channels.messages import alert, message, send_to

from costctl.budgets.channels import Sent
from costctl.documents import Secret


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def test_a_command_gets_the_alert_on_its_standard_input(tmp_path: Path) -> None:
    got = tmp_path / "got.json"
    code = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    evil = "$(touch /tmp/evil); `id` \x1b[2J"
    sent = send_to("command", {"command": python(code, str(got))}, message(alert(budget=evil)))
    assert sent == Sent(True, "exit 0")
    text = got.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    read = json.loads(text, parse_float=Decimal)
    assert read["msg_id"] == "0123456789abcdef0123456789abcdef"
    assert read["alerts"][0]["budget"] == evil
    assert read["alerts"][0]["spent"] == Decimal("96.200000000001")
    assert "\x1b" not in text


def test_nothing_of_an_alert_is_among_its_arguments_or_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_URL", "https://hooks.slack.com/services/CANARY")
    got = tmp_path / "got.json"
    code = "import sys, os, json; json.dump([sys.argv[2:], dict(os.environ)], open(sys.argv[1], 'w'))"
    settings = {
        "command": python(code, str(got), "$HOME", "*", "a b"),
        "environment": {"PAGER_TOKEN": Secret("T0"), "TZ": Secret("Asia/Taipei")},
    }
    assert send_to("command", settings).ok
    arguments, environment = json.loads(got.read_text())
    assert arguments == ["$HOME", "*", "a b"]  # no shell was there to read them
    assert environment["PAGER_TOKEN"] == "T0"
    assert environment["TZ"] == "Asia/Taipei"
    assert environment["PATH"] == os.environ["PATH"]
    assert "SLACK_URL" not in environment
    assert not [value for value in environment.values() if "search" in value]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", Sent(False, "exit 3")),
        ("import os; os.kill(os.getpid(), 15)", Sent(False, "ended by signal 15")),
        ("import os; os.close(0)", Sent(True, "exit 0")),  # it need not read what it is given
    ],
)
def test_its_exit_code_is_the_outcome(code: str, expected: Sent) -> None:
    assert send_to("command", {"command": python(code)}) == expected


def test_a_command_that_is_not_there_or_may_not_be_run(tmp_path: Path) -> None:
    missing = send_to("command", {"command": [str(tmp_path / "missing")]})
    assert missing == Sent(False, "the command is not there", final=True)
    plain = tmp_path / "plain"
    plain.write_text("no program")
    refused = send_to("command", {"command": [str(plain)]})
    assert refused == Sent(False, "the command cannot be started: PermissionError", final=True)
    nul = send_to("command", {"command": ["a\0b"]})
    assert nul == Sent(False, "the command cannot be started: ValueError", final=True)


def test_what_it_prints_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print('CANARY'); print('CANARY', file=sys.stderr)"
    assert send_to("command", {"command": python(code)}).ok
    assert capfd.readouterr() == ("", "")


def test_a_command_without_an_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """Its child would write a file two seconds later."""
    late, started = tmp_path / "late", tmp_path / "started"
    child = f"import time; open({str(started)!r}, 'w'); time.sleep(2); open({str(late)!r}, 'w')"
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(60)"
    )
    sent = send_to("command", {"command": python(code, child)}, deadline=1.0)
    assert sent == Sent(False, "no answer in time")
    time.sleep(2.5)
    assert not late.exists()


def test_a_large_message_to_a_command_that_does_not_read() -> None:
    many = message(*[alert(event_id=str(n)) for n in range(2_000)])  # more than a pipe holds
    code = "import time; time.sleep(60)"
    assert send_to("command", {"command": python(code)}, many, deadline=0.5) == Sent(
        False, "no answer in time"
    )


def test_standard_output_gets_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert send_to("stdout", {}, message(alert(budget="a\x1b[2J"))) == Sent(True, "written")
    out, err = capsys.readouterr()
    assert out.startswith(r"costctl: critical: budget a\x1b[2J (team=search), 2026-11-01 to")
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert err == ""


def test_a_full_disk_behind_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        sent = send_to("stdout", {})
        monkeypatch.undo()
        assert sent == Sent(False, "standard output cannot be written to: OSError")
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, full.fileno())  # so that closing it has where to write
        os.close(null)
