"""Mail, to real servers that take it, refuse it, put it off, or say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.budgets.channels.messages import alert, message, send_to
from tests.budgets.channels.receivers import MailReceiver, closed_port, mute_port, smtp

from costctl.budgets.channels import Sent
from costctl.budgets.channels import mail as mails
from costctl.budgets.channels.settings import Settings
from costctl.documents import Secret

BASE: dict[str, Any] = {"from": "Costs <costs@example.com>", "to": ["a@example.com", "b@example.com"]}


def to(url: str, **more: Any) -> dict[str, Any]:
    return {**BASE, "url": Secret(url), **more}


def test_a_mail_arrives_with_an_id_that_repeats_have_too() -> None:
    with smtp(MailReceiver()) as server:
        for _ in range(2):
            assert send_to("email", to(server.url)) == Sent(True, "SMTP 250")
    first, again = server.mails
    assert server.receivers == [["a@example.com", "b@example.com"]] * 2
    assert first["Message-ID"] == again["Message-ID"] == "<0123456789abcdef0123456789abcdef@costctl>"
    assert first["Subject"] == "costctl: critical: budget search (team=search), $96.20 of $100.00"
    assert first["From"] == "Costs <costs@example.com>"
    assert first["To"] == "a@example.com, b@example.com"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"]
    assert first.get_content_type() == "text/plain"
    assert "$96.20 spent of $100.00 (96.2%)" in first.get_content()


def test_one_address_may_stand_alone() -> None:
    with smtp(MailReceiver()) as server:
        assert send_to("email", {**to(server.url), "to": "a@example.com"}).ok
    assert server.receivers == [["a@example.com"]]


def test_names_forge_no_header() -> None:
    evil = alert(budget="a\r\nBcc: evil@example.com", scope="", threshold="x\n\nbody")
    with smtp(MailReceiver()) as server:
        assert send_to("email", to(server.url), message(evil)).ok
    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert mail["Subject"].strip() == (
        r"costctl: x\n\nbody: budget a\r\nBcc: evil@example.com, $96.20 of $100.00"
    )
    assert server.receivers == [["a@example.com", "b@example.com"]]


def test_names_of_any_script() -> None:
    with smtp(MailReceiver()) as server:
        assert send_to("email", to(server.url), message(alert(budget="預算" * 60))).ok
    (mail,) = server.mails
    assert "預算" * 60 in mail["Subject"]
    assert "預算" * 60 in mail.get_content()


@pytest.mark.parametrize(
    ("at_rcpt", "at_data", "expected"),
    [
        ("550 no such user SECRET", "250 OK", Sent(False, "SMTP 550 at RCPT", final=True)),
        ("451 try later SECRET", "250 OK", Sent(False, "SMTP 451 at RCPT")),
        ("421 closing", "250 OK", Sent(False, "SMTP 421 at RCPT")),
        ("250 OK", "451 try later SECRET", Sent(False, "SMTP 451 at DATA")),
        ("250 OK", "554 spam SECRET", Sent(False, "SMTP 554 at DATA", final=True)),
    ],
)
def test_refusals_by_their_class(at_rcpt: str, at_data: str, expected: Sent) -> None:
    with smtp(MailReceiver(at_rcpt, at_data)) as server:
        assert send_to("email", to(server.url)) == expected
    assert server.mails == []


def test_who_took_it_does_not_get_it_again_and_who_did_not_is_told_of() -> None:
    with smtp(MailReceiver(refused=("b@example.com",))) as server:
        sent = send_to("email", to(server.url))
    assert sent == Sent(True, "SMTP 250, but 1 of the receivers refused with 550", incomplete=True)
    assert server.receivers == [["a@example.com"]]


def test_a_port_that_refuses() -> None:
    sent = send_to("email", to(f"smtp://127.0.0.1:{closed_port()}"))
    assert sent == Sent(False, "connection refused")


def test_a_silent_server_is_left_at_the_deadline() -> None:
    with mute_port() as port:
        sent = send_to("email", to(f"smtp://127.0.0.1:{port}"), deadline=0.5)
    assert sent == Sent(False, "no answer in time")


def test_silence_is_told_from_a_connection_that_was_lost() -> None:
    # The library gives up by itself, at the same time as who waits for it: it must not matter who is first.
    with mute_port() as port:
        settings = Settings(to(f"smtp://127.0.0.1:{port}"))
        assert mails._attempt(
            settings, mails.compose(message(), "a@example.com", ["b@example.com"]), 0.2
        ) == (Sent(False, "no answer in time"))


def test_a_greeting_without_an_end_is_left_at_the_deadline() -> None:
    # 220- says that more lines follow: each comes in time, all together have no end.
    with mute_port(drip=lambda: b"220-more\r\n") as port:
        sent = send_to("email", to(f"smtp://127.0.0.1:{port}"), deadline=0.5)
    assert sent == Sent(False, "no answer in time")


def test_what_is_no_mail_server() -> None:
    with mute_port(first=b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        sent = send_to("email", to(f"smtp://127.0.0.1:{port}"), deadline=5)
    assert not sent.ok
    assert sent.status in ("connection lost", "SMTP -1")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "127.0.0.1:25",
        "smtp://",
        "smtp://127.0.0.1:0",
        "smtp://h\r\nRSET",
        "smtp://h:25\n",
        "",
    ],
)
def test_only_smtp_addresses_of_one_line(url: str) -> None:
    assert send_to("email", to(url)) == Sent(False, "the url is no smtp or smtps address", final=True)


def test_an_address_with_a_password_is_refused() -> None:
    sent = send_to("email", to("smtp://user:pw@127.0.0.1"))
    assert sent == Sent(False, "the url must not hold a user or a password", final=True)


@pytest.mark.parametrize(
    ("sender", "receiver"),
    [("a@example.com\r\nBcc: e@example.com", "b@example.com"), ("a@example.com", "b@example.com\nX: y")],
)
def test_an_address_of_two_lines_forges_no_header(sender: str, receiver: str) -> None:
    with smtp(MailReceiver()) as server:
        sent = send_to("email", {"url": Secret(server.url), "from": sender, "to": [receiver]})
    assert sent == Sent(False, "an address of the mail is none", final=True)
    assert server.mails == []


# --- TLS and passwords --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.mark.usefixtures("trusted")
def test_smtps_is_tls_from_the_start(authority: trustme.CA) -> None:
    with smtp(MailReceiver(), authority.issue_cert("127.0.0.1"), implicit=True) as server:
        assert send_to("email", to(server.url)) == Sent(True, "SMTP 250")
    assert server.encrypted == [True]


def test_smtps_checks_the_certificate(authority: trustme.CA) -> None:
    with smtp(MailReceiver(), authority.issue_cert("127.0.0.1"), implicit=True) as server:
        assert send_to("email", to(server.url)) == Sent(False, "the certificate is not trusted", final=True)
    assert server.mails == []


def test_without_a_password_it_is_encrypted_where_that_is_offered(authority: trustme.CA) -> None:
    with smtp(MailReceiver(), authority.issue_cert("elsewhere.example")) as server:
        assert send_to("email", to(server.url)).ok
    assert server.encrypted == [True]
    with smtp(MailReceiver()) as server:
        assert send_to("email", to(server.url)).ok
    assert server.encrypted == [False]


def test_a_password_opens_the_server() -> None:
    with smtp(MailReceiver(users={"costs": "PW"})) as server:
        settings = to(server.url, username="costs", password=Secret("PW"))
        assert send_to("email", settings) == Sent(True, "SMTP 250")
        wrong = {**settings, "password": Secret("other")}
        assert send_to("email", wrong) == Sent(False, "SMTP 535 at AUTH", final=True)
    assert len(server.mails) == 1


def test_a_password_leaves_this_machine_only_under_tls(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server is on this machine, but for once counts as one that is not.
    monkeypatch.setattr("costctl.budgets.channels.mail.is_here", lambda _: False)
    with smtp(MailReceiver(users={"costs": "PW"})) as server:
        settings = to(server.url, username="costs", password=Secret("PW"))
        expected = "the mail server offers no TLS, and a password must not go without"
        assert send_to("email", settings) == Sent(False, expected, final=True)
    with smtp(MailReceiver(users={"costs": "PW"}), authority.issue_cert("127.0.0.1")) as server:
        settings = to(server.url, username="costs", password=Secret("PW"))
        assert send_to("email", settings) == Sent(False, "the certificate is not trusted", final=True)
    assert server.mails == []


@pytest.mark.usefixtures("trusted")
def test_a_password_under_tls(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costctl.budgets.channels.mail.is_here", lambda _: False)
    with smtp(MailReceiver(users={"costs": "PW"}), authority.issue_cert("127.0.0.1")) as server:
        settings = to(server.url, username="costs", password=Secret("PW"))
        assert send_to("email", settings) == Sent(True, "SMTP 250")
    assert server.encrypted == [True]
