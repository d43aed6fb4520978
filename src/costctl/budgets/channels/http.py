"""One POST: bounded in time and size, never redirected, and silent about where it went."""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from costctl import __version__
from costctl.budgets import addresses
from costctl.budgets.channels.deadline import NO_ANSWER, within
from costctl.budgets.channels.sent import Sent

if TYPE_CHECKING:
    import httpx2

MOST_BYTES = 64 * 1024
"""Of an answer; what follows is not read."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_TRANSIENT = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """``content`` is empty unless it was asked for, and cut at :data:`MOST_BYTES`."""

    status: int
    content: bytes = b""
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


Rule = Callable[[Answer], Sent]
"""How a vendor's answer is read."""


def by_status(answer: Answer) -> Sent:
    """The rule of HTTP itself: 2xx is success. Overload, a timeout and a server's own faults may pass; all
    else, redirects too, is most likely a wrong address or key."""
    return Sent(
        answer.accepted,
        f"HTTP {answer.status}" + (", a redirect" if 300 <= answer.status < 400 else ""),
        retry_after=None if answer.accepted else answer.retry_after,
        final=not answer.accepted and answer.status < 500 and answer.status not in _TRANSIENT,
    )


def post(
    url: str, body: bytes, headers: Mapping[str, str], deadline: float, rule: Rule | None = None
) -> Sent:
    """POST ``body``, which is JSON, to ``url`` and judge the answer by ``rule`` (without one by its status
    alone, so that its content is not waited for). Over in ``deadline`` seconds, looking up the name included.

    A proxy of the environment (``HTTPS_PROXY``, ``NO_PROXY``) is used.
    """
    if fault := _fault(url, headers):
        return Sent(False, fault, final=True)
    return within(deadline, partial(_attempt, url, body, headers, deadline, rule))


def _fault(url: str, headers: Mapping[str, str]) -> str:
    """What is wrong with an address or a header, without showing it."""
    if wrong := addresses.fault(url, ("http", "https")):
        return wrong
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            return "a header is not one line of ASCII"
    return ""


def _attempt(url: str, body: bytes, headers: Mapping[str, str], deadline: float, rule: Rule | None) -> Sent:
    import httpx2

    # Below INFO it logs the headers of answers: of a redirect, the whole address once more.
    logging.getLogger("httpcore2").setLevel(logging.INFO)
    # The transport, not a client: a client logs every address in full, and it would keep cookies.
    try:
        request = httpx2.Request(
            "POST",
            url,
            headers={
                **headers,
                "Content-Type": "application/json",
                "User-Agent": f"costctl/{__version__}",
                "Accept-Encoding": "identity",  # 64 KiB could unpack to many megabytes
                "Connection": "close",
            },
            content=body,
            extensions={"timeout": httpx2.Timeout(deadline).as_dict()},
        )
        with httpx2.HTTPTransport(proxy=_proxy(url)) as transport:
            response = transport.handle_request(request)
            try:
                answer = Answer(
                    response.status_code,
                    _content(response) if rule else b"",
                    _seconds_to_wait(response.headers.get("retry-after", "")),
                )
            finally:
                response.close()
    except httpx2.TimeoutException:
        return NO_ANSWER
    except httpx2.TransportError as error:
        return _no_answer(error)
    except httpx2.InvalidURL:
        return Sent(False, "the url is no http or https address", final=True)
    return (rule or by_status)(answer)


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme.lower()) or proxies.get("all")


def _content(response: httpx2.Response) -> bytes:
    content = bytearray()
    for part in response.iter_raw():
        content += part
        if len(content) >= MOST_BYTES:
            break
    return bytes(content[:MOST_BYTES])


def _no_answer(error: BaseException) -> Sent:
    """A connection's fault in words of ours: the client's own hold the address."""
    causes = list(_causes(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return Sent(False, "the certificate is not trusted", final=True)
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return Sent(False, "no TLS connection")
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return Sent(False, "connection refused")
    if any(isinstance(each, socket.gaierror) for each in causes):
        return Sent(False, "the host is not known")
    return Sent(False, "connection lost")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _seconds_to_wait(said: str) -> float | None:
    """What a Retry-After says: seconds, or a date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"\d{1,9}", said.strip(), re.ASCII):
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
