"""Real servers on the loopback to send alerts to: HTTP and SMTP, well-behaved or not.

They know nothing of the code that sends to them.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

PATIENCE_S = 30.0
"""After which a silent or dripping server gives up, and answers well: who waits for it is caught by that."""


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    """By name in lower case; equal ones together."""
    body: bytes


@dataclass
class Answer:
    """``silent`` says nothing at all; ``drip_head`` and ``drip_body`` send a byte every tenth of a second;
    ``megabytes`` of zeros follow the body; ``cut`` closes the connection without an answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    drip_head: bool = False
    drip_body: bool = False
    megabytes: int = 0
    cut: bool = False


class WebReceiver:
    """``answers`` are given in turn, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [Answer()]
        self.received: list[Received] = []
        self.megabytes_taken = 0
        self.over = threading.Event()
        self.url = ""
        self.lock = threading.Lock()

    def respond(self, web: BaseHTTPRequestHandler) -> None:
        body = web.rfile.read(int(web.headers.get("content-length", 0)))
        headers = {name.lower(): ", ".join(web.headers.get_all(name, [])) for name in web.headers}
        with self.lock:
            self.received.append(Received(web.path, headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        web.close_connection = True
        if answer.cut:
            return
        if answer.silent:
            self.over.wait(PATIENCE_S)
        head = f"HTTP/1.1 {answer.status} Said\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        with suppress(OSError):  # the sender has gone
            self._write(web, f"{head}\r\n".encode(), answer.drip_head)
            self._write(web, answer.body, answer.drip_body)
            for _ in range(answer.megabytes):
                web.wfile.write(bytes(2**20))
                self.megabytes_taken += 1

    def _write(self, web: BaseHTTPRequestHandler, content: bytes, drip: bool) -> None:
        if not drip:
            web.wfile.write(content)
            return
        end = time.monotonic() + PATIENCE_S
        for place in range(len(content)):
            web.wfile.write(content[place : place + 1])
            if time.monotonic() < end:
                self.over.wait(0.1)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, address: Any) -> None:
        """A connection that the sender dropped is no fault of the test."""


@contextmanager
def web(*answers: Answer, certificate: Any = None) -> Iterator[WebReceiver]:
    """A running receiver; over TLS with a ``certificate`` of trustme."""
    receiver = WebReceiver(*answers)

    class Web(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.respond(self)

        def do_GET(self) -> None:
            receiver.respond(self)

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Web)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        # The handshake is the connection's own thread's: one that stays away keeps no one else waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    receiver.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# --- mail ---------------------------------------------------------------------------------------------


@dataclass
class MailReceiver:
    """``at_rcpt`` and ``at_data`` are its answers; ``refused`` are those to whom it takes no mail."""

    at_rcpt: str = "250 OK"
    at_data: str = "250 OK"
    refused: tuple[str, ...] = ()
    users: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    url: str = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _: Any) -> str:  # noqa: N802
        if address in self.refused:
            return "550 no such user"
        if self.at_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_rcpt

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.at_data.startswith("250"):
            mail = BytesParser(_class=EmailMessage, policy=SMTP).parsebytes(envelope.content)
            self.mails.append(mail)
            self.receivers.append(list(envelope.rcpt_tos))
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return self.at_data

    def admit(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        known = self.users.get(given.login.decode()) == given.password.decode()
        return AuthResult(success=known, handled=False)


@contextmanager
def smtp(
    receiver: MailReceiver, certificate: Any = None, *, implicit: bool = False
) -> Iterator[MailReceiver]:
    """A running mail server: with a ``certificate`` it offers STARTTLS, or is ``implicit`` TLS."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
    options: dict[str, Any] = {"auth_require_tls": False, "authenticator": receiver.admit}
    if context is not None and not implicit:
        options["tls_context"] = context
    port = closed_port()
    controller = Controller(
        receiver,
        hostname="127.0.0.1",
        port=port,
        ssl_context=context if implicit else None,
        **options,
    )
    controller.start()
    receiver.url = f"{'smtps' if implicit else 'smtp'}://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        controller.stop()


@contextmanager
def mute_port(first: bytes = b"", drip: Callable[[], bytes] | None = None) -> Iterator[int]:
    """A port that takes connections, says ``first``, then what ``drip`` gives every tenth of a second, or
    nothing."""
    over = threading.Event()

    class Mute(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(first)
                end = time.monotonic() + PATIENCE_S
                while not over.wait(0.1) and time.monotonic() < end:
                    if drip is not None:
                        self.request.sendall(drip())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Mute)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
