"""Channels in a budgets.yaml: what is taken, what is refused, and that no secret is ever quoted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from costctl.budgets import Budgets, load
from costctl.documents import DocumentError, Secret

CANARY = "caNary7Qx9Zw"
BUDGET = "budgets: [{name: all, scope: all, amounts: {month: 100}}]\nchannels:\n"


def read(tmp_path: Path, channels: str, environment: Mapping[str, str] | None = None) -> Budgets:
    file = tmp_path / "budgets.yaml"
    file.write_text(BUDGET + channels, encoding="utf-8")
    return load(file, {} if environment is None else environment)


def faults(tmp_path: Path, channels: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """Each fault without the file's name, and its hint."""
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, channels, environment)
    told = [f"{each}|{each.hint}".removeprefix(f"{tmp_path}/budgets.yaml:") for each in caught.value.errors]
    assert CANARY not in "".join(told)
    assert CANARY not in repr(caught.value.__cause__) + repr(caught.value.__context__)
    return told


def test_every_kind_of_channel(tmp_path: Path) -> None:
    every = """\
  slack: {type: slack, url: "${SLACK}", fallback: mail}
  mail:
    type: email
    url: smtp://mail.example:587
    username: costs
    password: ${PW}
    from: Costs <costs@example.com>
    to: [a@example.com, b@example.com]
  ding: {type: dingtalk, url: "${DING}", secret: "${SEC}"}
  teams: {type: teams, url: "${TEAMS}"}
  hook:
    {type: webhook, url: https://alerts.example/x, secret: "${SEC}", headers: {Authorization: "Bearer ${PW}"}}
  page: {type: command, command: [page, --team, ops], environment: {TOKEN: "${PW}", LEVEL: high}}
  out: {type: stdout}
  other: {type: apprise, url: "${OTHER}"}
"""
    environment = {
        "SLACK": "https://hooks.slack.com/services/T0/B0/X",
        "PW": "pw",
        "DING": "https://oapi.dingtalk.com/robot/send?access_token=1",
        "SEC": "SEC1",
        "TEAMS": "https://prod.logic.azure.com/workflows/1?sig=2",
        "OTHER": "discord://1/2",
    }
    channels = read(tmp_path, every, environment).channels
    assert {name: each.type for name, each in channels.items()} == {
        "slack": "slack", "mail": "email", "ding": "dingtalk", "teams": "teams", "hook": "webhook",
        "page": "command", "out": "stdout", "other": "apprise",
    }  # fmt: skip
    assert channels["slack"].settings == {"url": Secret(environment["SLACK"]), "fallback": "mail"}
    assert channels["mail"].settings == {
        "url": Secret("smtp://mail.example:587"),
        "username": "costs",
        "password": Secret("pw"),
        "from": "Costs <costs@example.com>",
        "to": ["a@example.com", "b@example.com"],
    }
    assert channels["hook"].settings["headers"] == {"Authorization": Secret("Bearer pw")}
    assert channels["page"].settings["environment"] == {"TOKEN": Secret("pw"), "LEVEL": Secret("high")}
    assert channels["hook"].line == 13
    shown = repr(channels)
    for value in environment.values():
        assert f"'{value}'" not in shown
        assert value not in shown or len(value) < 5


@pytest.mark.parametrize(
    ("channel", "line", "said"),
    [
        ("a: {type: slak, url: http://127.0.0.1}", 3, "did you mean slack?"),
        ("a: {url: http://127.0.0.1}", 3, "channels.a lacks the key type"),
        ("a: {type: slack}", 3, "channels.a lacks the key url"),
        ("a: {type: slack, url: http://127.0.0.1, chanel: x}", 3, "unknown key channels.a.chanel"),
        ("a: {type: webhook, url: ftp://h/x}", 3, "as in https://alerts.example/costctl"),
        ("a: {type: webhook, url: http://h:99999/x}", 3, "the url is no http or https address"),
        ("a: {type: webhook, url: http://u:caNary7Qx9Zw@h/x}", 3, "must not hold a user or a password"),
        ("a: {type: webhook, url: http://h/?token=caNary7Qx9Zw}", 3, "channels.a.url holds a key"),
        (
            "a: {type: slack, url: https://hooks.slack.com/services/caNary7Qx9Zw}",
            3,
            "channels.a.url holds a key",
        ),
        ("a: {type: teams, url: https://x.logic.azure.com/caNary7Qx9Zw}", 3, "channels.a.url holds a key"),
        ("a: {type: dingtalk, url: https://oapi.dingtalk.com/caNary7Qx9Zw}", 3, "write ${NAME} and set NAME"),
        (
            "a: {type: dingtalk, url: http://127.0.0.1/, secret: caNary7Qx9Zw}",
            3,
            "must come from the environment",
        ),
        ("a: {type: webhook, url: http://h/, secret: caNary7Qx9Zw}", 3, "must come from the environment"),
        (
            "a: {type: webhook, url: http://h/, headers: {X-Api-Key: caNary7Qx9Zw}}",
            3,
            "headers.X-Api-Key must come",
        ),
        (
            "a: {type: command, command: [x], environment: {TOKEN: caNary7Qx9Zw}}",
            3,
            "environment.TOKEN must come",
        ),
        ("a: {type: apprise, url: json://h/caNary7Qx9Zw}", 3, "must come from the environment"),
        ("a: {type: email, url: smtp://h, from: a@b, to: c@d, password: caNary7Qx9Zw}", 3, "must come from"),
        ("a: {type: email, url: smtp://h, from: a@b, to: c@d, username: x}", 3, "a password go together"),
        ("a: {type: email, url: https://h, from: a@b, to: c@d}", 3, "channels.a.url must match"),
        ("a: {type: email, url: smtp://h, from: nobody, to: c@d}", 3, "as in costs@example.com"),
        ("a: {type: email, url: smtp://h, from: a@b, to: []}", 3, "channels.a.to must"),
        ("a: {type: command, command: []}", 3, "at least 1 entries"),
        ("a: {type: command, command: x --y}", 3, "must be a list"),
        ("a: {type: stdout, fallback: b}", 3, "channels.a.fallback: there is no channel 'b'"),
        ("a: {type: stdout, fallback: a}", 3, "channels.a.fallback is the channel itself"),
    ],
)
def test_a_fault_has_its_line_and_a_way_out(tmp_path: Path, channel: str, line: int, said: str) -> None:
    told = faults(tmp_path, f"  {channel}\n")
    assert told[0].startswith(f"{line}: ")
    assert said in told[0]
    assert not any(each.endswith("|") for each in told)  # a hint follows


@pytest.mark.parametrize(
    "channel",
    [
        "{type: slack, url: http://127.0.0.1:8080/x}",  # a receiver on this machine has no key
        "{type: teams, url: 'http://[::1]:8080/x'}",
        "{type: dingtalk, url: http://localhost:8080/robot/send?access_token=x}",
        "{type: webhook, url: http://alerts.internal:8080/costs?team=a}",
        "{type: webhook, url: http://h/, headers: {X-Team: finops}}",
        "{type: email, url: smtp://localhost, from: a@b, to: c@d}",
    ],
)
def test_an_address_without_a_key_may_stand_in_the_file(tmp_path: Path, channel: str) -> None:
    assert read(tmp_path, f"  a: {channel}\n").channels["a"]


@pytest.mark.parametrize(
    "value",
    [
        f"http://h/{CANARY}\r\nX: y",
        f"http://h/{CANARY} x",
        f"file:///{CANARY}",
        f"http://u:{CANARY}@h",
        CANARY,
    ],
)
@pytest.mark.parametrize("kind", ["slack", "teams", "dingtalk", "webhook"])
def test_what_comes_from_the_environment_is_checked_as_well(tmp_path: Path, kind: str, value: str) -> None:
    (told,) = faults(tmp_path, f'  a: {{type: {kind}, url: "${{U}}"}}\n', {"U": value})
    assert told.startswith("3: channels.a")


def test_a_header_of_two_lines(tmp_path: Path) -> None:
    channel = '  a: {type: webhook, url: http://h/, headers: {X-Key: "${K}"}}\n'
    (told,) = faults(tmp_path, channel, {"K": f"{CANARY}\r\nX: y"})
    assert told.startswith("3: channels.a.headers.X-Key must match")


def test_a_variable_that_is_not_set(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, '  a: {type: slack, url: "${SLACK_URL}"}\n')
    assert told.startswith("3: channels.a.url: the environment variable SLACK_URL is not set")
