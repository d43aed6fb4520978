"""``costctl budgets test-channel``, against real receivers."""

from __future__ import annotations

import json
import time

import pytest
from tests.budgets.channels.receivers import Answer, MailReceiver, smtp, web
from tests.program import Costctl

CANARY = "caNary7Qx9Zw"
FILE = """\
budgets: [{name: all, scope: all, amounts: {month: 100}, channels: [ops]}]
channels:
  ops: {type: slack, url: "${SLACK_URL}"}
  hook: {type: webhook, url: "${HOOK_URL}", secret: "${SECRET}"}
  mail:
    {type: email, url: "${MAIL_URL}", username: costs, password: "${SECRET}", from: a@b.example, to: c@d.test}
  page: {type: command, command: [sh, -c, "exit 3"]}
  out: {type: stdout}
"""


@pytest.fixture
def program(costctl: Costctl) -> Costctl:
    """With a budgets.yaml in its directory, whose secrets are canaries."""
    (costctl.cwd / "budgets.yaml").write_text(FILE, encoding="utf-8")
    nowhere = f"http://127.0.0.1:9/{CANARY}"
    costctl.environment.update(
        {"SLACK_URL": nowhere, "HOOK_URL": nowhere, "MAIL_URL": "smtp://127.0.0.1:9", "SECRET": CANARY}
    )
    return costctl


def test_a_channel_that_works(program: Costctl) -> None:
    with web(Answer(body=b"ok")) as receiver:
        run = program("budgets", "test-channel", "ops", env={"SLACK_URL": f"{receiver.url}/{CANARY}"})
    assert run.code == 0, run.err
    assert "HTTP 200" in run.out
    (received,) = receiver.received
    assert received.path == f"/{CANARY}"
    assert json.loads(received.body)["text"] == (
        "costctl: test of a channel\nThis is a test. No budget is concerned."
    )


def test_its_outcome_as_json_and_an_id_of_its_own_each_time(program: Costctl) -> None:
    with web(Answer(202)) as receiver:
        runs = [
            program("budgets", "test-channel", "hook", "--format", "json", env={"HOOK_URL": receiver.url})
            for _ in range(2)
        ]
    assert runs[0].json == {
        "schema_version": 1,
        "command": "budgets test-channel",
        "channel": "hook",
        "type": "webhook",
        "sent": True,
        "status": "HTTP 202",
        "retry_after": None,
        "final": False,
        "notes": [],
    }
    first, second = (json.loads(each.body) for each in receiver.received)
    assert (first["test"], first["alerts"]) == (True, [])
    assert first["msg_id"] != second["msg_id"]


def test_mail(program: Costctl) -> None:
    with smtp(MailReceiver(users={"costs": CANARY})) as server:
        run = program("budgets", "test-channel", "mail", env={"MAIL_URL": server.url})
        assert run.code == 0, run.err
    assert server.mails[0]["Subject"] == "costctl: test of a channel"


def test_standard_output(program: Costctl) -> None:
    run = program("budgets", "test-channel", "out")
    assert run.code == 0, run.err
    assert run.out.startswith("costctl: test of a channel\nThis is a test.")


@pytest.mark.parametrize(
    ("answer", "status", "hint"),
    [
        (Answer(404, CANARY.encode()), "HTTP 404", "see to its settings in budgets.yaml"),
        (
            Answer(302, headers={"Location": f"/{CANARY}"}),
            "HTTP 302, a redirect",
            "see to its settings in budgets.yaml",
        ),
        (Answer(503, CANARY.encode()), "HTTP 503", "try again later: this may pass"),
        (Answer(cut=True), "connection lost", "try again later: this may pass"),
        (Answer(200, CANARY.encode()), "HTTP 200, not ok", "see to its settings in budgets.yaml"),
    ],
)
def test_a_channel_that_does_not_work(program: Costctl, answer: Answer, status: str, hint: str) -> None:
    with web(answer) as receiver:
        address = {"SLACK_URL": f"{receiver.url}/{CANARY}"}
        plain = program("budgets", "test-channel", "ops", "--verbose", env=address)
        structured = program("budgets", "test-channel", "ops", "--format", "json", env=address)
    assert (plain.code, plain.out) == (1, "")
    assert f"channel ops: {status}" in plain.err
    assert structured.code == 1
    assert structured.error == {
        "code": "not_sent", "message": f"channel ops: {status}", "file": None, "line": None, "hint": hint,
    }  # fmt: skip
    assert CANARY not in plain.out + plain.err + structured.out + structured.err


def test_a_command_that_fails(program: Costctl) -> None:
    run = program("budgets", "test-channel", "page")
    assert (run.code, run.out) == (1, "")
    assert "channel page: exit 3" in run.err


def test_a_channel_that_there_is_not(program: Costctl) -> None:
    run = program("budgets", "test-channel", "opps", "--format", "json")
    assert run.code == 1
    assert (run.error["code"], run.error["hint"]) == ("not_found", "did you mean ops?")


def test_a_secret_that_is_not_set_or_is_no_address(program: Costctl) -> None:
    unset = program("budgets", "test-channel", "ops", env={"SLACK_URL": None})
    assert unset.code == 1
    assert "budgets.yaml:3: channels.ops.url: the environment variable SLACK_URL is not set" in unset.err
    broken = program("budgets", "test-channel", "ops", env={"SLACK_URL": f"{CANARY}\nx"})
    assert broken.code == 1
    assert "budgets.yaml:3: channels.ops.url must match" in broken.err
    assert CANARY not in broken.err


@pytest.mark.heavy
def test_a_silent_receiver_is_left_after_twenty_seconds(program: Costctl) -> None:
    with web(Answer(silent=True, body=b"ok")) as receiver:
        began = time.monotonic()
        run = program("budgets", "test-channel", "ops", env={"SLACK_URL": receiver.url})
        took = time.monotonic() - began
    assert run.code == 1
    assert "channel ops: no answer in time" in run.err
    assert took >= 20  # and less than the 30 after which the receiver would have said ok
