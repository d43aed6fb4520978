"""What servers do, and what is made of it: every behaviour that a library was seen to get wrong."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Thread

import pytest
import trustme
from tests.budgets.channels.messages import send_to
from tests.budgets.channels.receivers import Answer, closed_port, web

from costctl.budgets.channels import Sent
from costctl.documents import Secret

OK = {"slack": b"ok", "dingtalk": b'{"errcode":0,"errmsg":"ok"}', "teams": b"", "webhook": b""}
WEB = sorted(OK)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_2xx_is_success_for_a_webhook(status: int) -> None:
    with web(Answer(status)) as receiver:
        assert send_to("webhook", {"url": Secret(receiver.url)}) == Sent(True, f"HTTP {status}")
        assert len(receiver.received) == 1


@pytest.mark.parametrize("kind", WEB)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_its_target_is_never_asked(kind: str, status: int) -> None:
    with web() as target, web(Answer(status, headers={"Location": f"{target.url}/target"})) as receiver:
        sent = send_to(kind, {"url": Secret(receiver.url)})
        assert sent == Sent(False, f"HTTP {status}, a redirect", final=True)
        assert len(receiver.received) == 1
        assert target.received == []


@pytest.mark.parametrize("kind", WEB)
@pytest.mark.parametrize(
    ("status", "final"),
    [
        *((status, True) for status in (400, 401, 403, 404, 410, 413)),
        *((status, False) for status in (408, 425, 429, 500, 502, 503)),
    ],
)
def test_refusals_are_final_where_only_the_settings_can_help(kind: str, status: int, final: bool) -> None:
    with web(Answer(status, b"some words")) as receiver:
        assert send_to(kind, {"url": Secret(receiver.url)}) == Sent(False, f"HTTP {status}", final=final)
        assert len(receiver.received) == 1  # tried again on a later run, not here


@pytest.mark.parametrize("kind", WEB)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_told(kind: str, status: int) -> None:
    with web(Answer(status, headers={"Retry-After": "30"})) as receiver:
        sent = send_to(kind, {"url": Secret(receiver.url)})
    assert sent == Sent(False, f"HTTP {status}", retry_after=30.0)


@pytest.mark.parametrize("said", ["-5", "1e3", "soon", "", "Wed, 99 Foo 2026", "3.5"])
def test_a_retry_after_that_says_nothing(said: str) -> None:
    with web(Answer(429, headers={"Retry-After": said})) as receiver:
        assert send_to("webhook", {"url": Secret(receiver.url)}).retry_after is None


def test_retry_after_may_be_a_date() -> None:
    past, far = (format_datetime(datetime.now(UTC) + timedelta(hours=h), usegmt=True) for h in (-1, 2))
    with web(
        Answer(429, headers={"Retry-After": past}), Answer(429, headers={"Retry-After": far})
    ) as receiver:
        assert send_to("webhook", {"url": Secret(receiver.url)}).retry_after == 0
        later = send_to("webhook", {"url": Secret(receiver.url)}).retry_after
    assert later is not None
    assert 3600 < later <= 7200


@pytest.mark.parametrize("kind", WEB)
def test_a_port_that_refuses(kind: str) -> None:
    sent = send_to(kind, {"url": Secret(f"http://127.0.0.1:{closed_port()}/hook")})
    assert sent == Sent(False, "connection refused")


@pytest.mark.parametrize("kind", WEB)
def test_a_silent_server_is_left_at_the_deadline(kind: str) -> None:
    with web(Answer(silent=True, body=OK[kind])) as receiver:
        assert send_to(kind, {"url": Secret(receiver.url)}, deadline=0.5) == Sent(False, "no answer in time")


@pytest.mark.parametrize("kind", WEB)
def test_a_head_that_drips_is_left_at_the_deadline(kind: str) -> None:
    # A byte every tenth of a second: no single wait is long, all together have no end.
    with web(Answer(drip_head=True, body=OK[kind])) as receiver:
        assert send_to(kind, {"url": Secret(receiver.url)}, deadline=0.5) == Sent(False, "no answer in time")


@pytest.mark.parametrize("kind", ["slack", "dingtalk", "teams"])
def test_a_body_that_drips_is_left_at_the_deadline_where_it_decides(kind: str) -> None:
    with web(Answer(drip_body=True, body=b" " * 40 + OK[kind])) as receiver:
        assert send_to(kind, {"url": Secret(receiver.url)}, deadline=0.5) == Sent(False, "no answer in time")


def test_a_webhook_has_answered_with_its_status() -> None:
    with web(Answer(202, drip_body=True, body=b" " * 1000)) as receiver:
        assert send_to("webhook", {"url": Secret(receiver.url)}) == Sent(True, "HTTP 202")


@pytest.mark.parametrize("kind", WEB)
def test_of_a_huge_answer_64_kib_are_read(kind: str) -> None:
    with web(Answer(200, megabytes=300)) as receiver:
        sent = send_to(kind, {"url": Secret(receiver.url)})
        taken = receiver.megabytes_taken
    assert sent.ok is (kind in ("teams", "webhook"))
    assert taken < 30  # what the system's buffers hold


def test_a_packed_answer_is_neither_asked_for_nor_unpacked() -> None:
    with web(Answer(200, b"\x1f\x8b not gzip at all", {"Content-Encoding": "gzip"})) as receiver:
        assert send_to("slack", {"url": Secret(receiver.url)}).status == "HTTP 200, not ok"
        assert receiver.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("kind", WEB)
def test_a_connection_that_is_cut(kind: str) -> None:
    with web(Answer(cut=True)) as receiver:
        assert send_to(kind, {"url": Secret(receiver.url)}) == Sent(False, "connection lost")


def test_what_is_no_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port = server.getsockname()[1]

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = Thread(target=answer)
        thread.start()
        assert send_to("webhook", {"url": Secret(f"http://127.0.0.1:{port}/")}).status == "connection lost"
        thread.join()


def test_a_host_that_nobody_knows() -> None:
    sent = send_to("webhook", {"url": Secret("http://no-such-host.invalid/hook")})
    assert not sent.ok
    assert not sent.final
    assert sent.status in ("the host is not known", "no answer in time")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "data:text/plain,x",
        "127.0.0.1/x",
        "http://",
        "http:///x",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX-Evil: 1",
        "http://127.0.0.1/\n",
        "http://127.0.0.1/\x00",
        "http://127.0.0.1/ü",
        "",
    ],
)
@pytest.mark.parametrize("kind", WEB)
def test_only_http_addresses_of_one_line(kind: str, url: str) -> None:
    assert send_to(kind, {"url": Secret(url)}) == Sent(
        False, "the url is no http or https address", final=True
    )


def test_an_address_with_a_password_is_refused() -> None:
    sent = send_to("webhook", {"url": Secret("http://user:pw@127.0.0.1/x")})
    assert sent == Sent(False, "the url must not hold a user or a password", final=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nX-Evil: 1"),
        ("X-A", "a\nb"),
        ("X-A", ""),
        ("X-A", "ü"),
        ("X A", "b"),
        ("X-A\r\nB", "c"),
        ("", "d"),
    ],
)
def test_a_header_is_one_line(name: str, value: str) -> None:
    with web() as receiver:
        sent = send_to("webhook", {"url": Secret(receiver.url), "headers": {name: Secret(value)}})
        assert sent == Sent(False, "a header is not one line of ASCII", final=True)
        assert receiver.received == []


def test_https_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    with web(certificate=authority.issue_cert("127.0.0.1")) as receiver:
        settings = {"url": Secret(receiver.url)}
        assert send_to("webhook", settings) == Sent(False, "the certificate is not trusted", final=True)
        assert receiver.received == []
        file = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(file))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert send_to("webhook", settings) == Sent(True, "HTTP 200")


def test_plain_http_where_tls_was_meant() -> None:
    with web() as receiver:
        sent = send_to("webhook", {"url": Secret(receiver.url.replace("http:", "https:"))})
    assert sent == Sent(False, "no TLS connection")


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with web() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert send_to("webhook", {"url": Secret("http://alerts.invalid/hook")}) == Sent(True, "HTTP 200")
        assert proxy.received[0].path == "http://alerts.invalid/hook"
        with web() as direct:
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            assert send_to("webhook", {"url": Secret(direct.url)}).ok
            assert len(direct.received) == 1
        assert len(proxy.received) == 1
