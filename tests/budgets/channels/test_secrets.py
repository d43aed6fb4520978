"""A secret is in no outcome, no output, no log and no exception: every channel, every way to fail."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme
from tests.budgets.channels.messages import message, send_to
from tests.budgets.channels.receivers import Answer, MailReceiver, closed_port, mute_port, smtp, web

from costctl.budgets.channels import TYPES
from costctl.budgets.channels.settings import Settings
from costctl.budgets.model import ChannelSettings
from costctl.documents import Secret

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's own

CANARY = "caNary7Qx9Zw"

FAILURES: dict[str, Answer | None] = {
    "refused": None,
    "not_tls": Answer(),
    "cut": Answer(cut=True),
    "silent": Answer(silent=True),
    "dripping_head": Answer(drip_head=True),
    "dripping_body": Answer(drip_body=True, body=b" " * 500),
    "redirect": Answer(302, headers={"Location": f"http://127.0.0.1:1/{CANARY}"}),
    "echo": Answer(200, f'{{"errcode": "{CANARY}", "said": "{CANARY}"}}'.encode()),
    "echo_400": Answer(400, CANARY.encode(), {"X-Said": CANARY, "Retry-After": CANARY}),
    "unauthorized": Answer(401, CANARY.encode(), {"WWW-Authenticate": f"Basic realm={CANARY}"}),
    "throttled": Answer(429, CANARY.encode(), {"Retry-After": "3"}),
    "failing": Answer(500, CANARY.encode()),
    "huge": Answer(200, CANARY.encode(), megabytes=3),
    "well": Answer(200, b"ok"),
}
WEB_CHANNELS = ("slack", "dingtalk", "teams", "webhook", "apprise")


class Everything(logging.Handler):
    """All that anybody logs, however unimportant, with what is in the records' exceptions."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{record.name} {record.levelname} {record.getMessage()}\n"
        if record.exc_info:
            self.text += "".join(traceback.format_exception(*record.exc_info))


@pytest.fixture
def logged() -> Iterator[Everything]:
    """A program that logs at the most talkative level."""
    everything, root = Everything(), logging.getLogger()
    level = root.level
    root.addHandler(everything)
    root.setLevel(1)
    yield everything
    root.removeHandler(everything)
    root.setLevel(level)


def settings(kind: str, url: str) -> dict[str, object]:
    """A canary wherever a secret can stand."""
    if kind == "apprise":
        return {"url": Secret(f"{url.replace('http', 'json', 1)}/{CANARY}?+X-Key={CANARY}&:k={CANARY}")}
    where = f"{url}/{CANARY}?access_token={CANARY}"
    headers = {"X-Api-Key": Secret(CANARY)}
    return {"url": Secret(where), "secret": Secret(CANARY), "headers": headers}


def check(logged: Everything, capfd: pytest.CaptureFixture[str], sent: object, given: object) -> None:
    out, err = capfd.readouterr()
    shown = "\n".join((repr(sent), str(sent), out, err, logged.text, repr(given), str(given)))
    assert CANARY not in shown


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", WEB_CHANNELS)
def test_no_channel_of_the_web_tells(
    kind: str, failure: str, logged: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = FAILURES[failure]
    with ExitStack() as stack:
        if answer is None:
            url = f"http://127.0.0.1:{closed_port()}"
        else:
            receiver = stack.enter_context(web(answer))
            url = receiver.url.replace("http:", "https:") if failure == "not_tls" else receiver.url
        given = settings(kind, url)
        sent = send_to(kind, given, deadline=1.0)
        check(logged, capfd, sent, ChannelSettings("ops", kind, given))
        if answer is not None and failure != "not_tls":
            assert CANARY in receiver.received[0].path  # it was on its way, and nowhere else


def test_nor_with_a_certificate_that_is_not_trusted(
    logged: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    with web(certificate=trustme.CA().issue_cert("127.0.0.1")) as receiver:
        for kind in WEB_CHANNELS:
            given = settings(kind, receiver.url)
            check(logged, capfd, send_to(kind, given, deadline=5.0), given)


@pytest.mark.parametrize("kind", [*WEB_CHANNELS, "email"])
@pytest.mark.parametrize(
    "url",
    [
        f"http://{CANARY}.invalid/",
        f"{CANARY}://x",
        f"http://x/{CANARY}\r\nA: b",
        f"http://[{CANARY}",
        f"http://u:{CANARY}@h/",
    ],
)
def test_nor_an_address_that_is_none(
    kind: str, url: str, logged: Everything, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {"url": Secret(url), "from": "a@example.com", "to": ["b@example.com"]}
    sent = send_to(kind, given, deadline=3.0)
    assert not sent.ok
    check(logged, capfd, sent, given)


@pytest.mark.parametrize(
    "receiver",
    [
        MailReceiver(at_rcpt=f"550 {CANARY}"),
        MailReceiver(at_rcpt=f"451 {CANARY}"),
        MailReceiver(at_data=f"554 {CANARY}"),
        MailReceiver(users={"costs": CANARY}),
    ],
)
def test_nor_does_mail(receiver: MailReceiver, logged: Everything, capfd: pytest.CaptureFixture[str]) -> None:
    receiver.users.setdefault("costs", CANARY)
    with smtp(receiver) as server:
        given = {
            "url": Secret(server.url),
            "from": "a@example.com",
            "to": ["b@example.com"],
            "username": "costs",
            "password": Secret(CANARY),
        }
        wrong = {**given, "password": Secret(f"{CANARY}2")}
        for each in (given, wrong):
            sent = send_to("email", each)
            out, err = capfd.readouterr()
            ours = "".join(line for line in logged.text.splitlines() if not line.startswith("mail."))
            assert CANARY not in f"{sent}{out}{err}{ours}{each}"


def test_nor_does_mail_without_an_answer(logged: Everything, capfd: pytest.CaptureFixture[str]) -> None:
    with mute_port(first=f"220 {CANARY}\r\n".encode()) as port:
        for given in (f"smtp://127.0.0.1:{port}", f"smtps://127.0.0.1:{port}"):
            settings = {"url": Secret(given), "from": "a@b.example", "to": ["c@d.example"]}
            check(logged, capfd, send_to("email", settings, deadline=1.0), settings)


def test_nor_does_a_command(logged: Everything, capfd: pytest.CaptureFixture[str]) -> None:
    for command in (["/bin/sh", "-c", "echo $TOKEN; echo $TOKEN >&2; exit 9"], [f"/{CANARY}"]):
        given = {"command": command, "environment": {"TOKEN": Secret(CANARY)}}
        sent = send_to("command", given)
        out, err = capfd.readouterr()
        assert CANARY not in f"{sent}{out}{err}{logged.text}"


@pytest.mark.parametrize("kind", TYPES)
def test_an_error_that_nobody_thought_of_is_told_by_its_class(
    kind: str, logged: Everything, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError(f"something about {CANARY}")

    for method in ("text", "texts", "list"):
        monkeypatch.setattr(Settings, method, fail)
    monkeypatch.setattr("costctl.budgets.channels.stdout.text", fail)
    sent = send_to(kind, {}, message())
    assert (sent.ok, sent.status) == (False, "not sent: RuntimeError")
    check(logged, capfd, sent, {})


def test_settings_do_not_show_what_they_hold() -> None:
    shown: Callable[[object], str]
    for shown in (repr, str):
        assert CANARY not in shown(Settings({"url": Secret(CANARY), "to": CANARY}))
