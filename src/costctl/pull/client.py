"""One page of a vendor's API: asked for with patience, and with the key going nowhere else."""

from __future__ import annotations

import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from costctl import __version__
from costctl.pull.vendors import Parameters, Vendor

if TYPE_CHECKING:
    import httpx2
    from tenacity import RetryCallState

MOST_BYTES = 64 * 2**20
"""Of a page: what `ingest` takes of one document."""

_ERROR_BYTES = 64 * 2**10
_LONGEST_REASON = 200
_THROTTLED = 429
_TRANSIENT = frozenset({408, 425, _THROTTLED})
_REFUSED = 401

Say = Callable[[str], None]
T = TypeVar("T")


class PullError(Exception):
    """A page that could not be had; ``hint`` is the way out. ``is_final``: nor could any other page."""

    def __init__(self, message: str, hint: str = "", is_final: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.is_final = is_final


class _Passing(Exception):  # noqa: N818 - a fault that may be over at the next try
    """``after``: the seconds that the vendor asks to wait; ``throttled``: it has had too many requests."""

    def __init__(self, message: str, after: float | None = None, throttled: bool = False) -> None:
        super().__init__(message)
        self.after = after
        self.throttled = throttled


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for a connection, for the next bytes, for a whole page; before the first
    new try, and for a vendor that says how long. ``tries``: how often a page is asked for."""

    connect: float = 10.0
    read: float = 60.0
    page: float = 300.0
    first_pause: float = 1.0
    longest_pause: float = 600.0
    tries: int = 6


class Client:
    """Asks ``vendor`` at ``url`` with ``key``. Close it, or use it as a context.

    Raises :class:`PullError` for a key or an address that cannot be one.
    """

    def __init__(
        self, vendor: Vendor, key: str, url: str, say: Say, patience: Patience, verify: bool = True
    ) -> None:
        import httpx2

        self._vendor = vendor
        self._key = checked_key(vendor, key)
        self._url = checked_url(vendor, url)
        self._say = say
        self._patience = patience
        self._http = httpx2.Client(
            headers={**vendor.headers(self._key), "User-Agent": f"costctl/{__version__}"},
            timeout=httpx2.Timeout(patience.read, connect=patience.connect),
            follow_redirects=False,
            trust_env=self._url.startswith("https:"),  # no proxy reads what is for this machine only
            verify=verify,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(
        self, path: str, parameters: Parameters, headers: Mapping[str, str], read: Callable[[bytes], T]
    ) -> T:
        """The page as ``read`` makes it of its bytes, asked for again where that may help: also where
        ``read`` raises ValueError. Raises :class:`PullError`."""
        import tenacity

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            stop=tenacity.stop_after_attempt(self._patience.tries),
            wait=self._pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            page: T = retrying(self._once, path, parameters, headers, read)
            return page
        except _Passing as error:
            raise PullError(self._without_key(str(error)), self._when(error)) from None

    def _once(
        self, path: str, parameters: Parameters, headers: Mapping[str, str], read: Callable[[bytes], T]
    ) -> T:
        import httpx2

        # What goes wrong is told in our own words: an exception of the client's holds the request, and so the
        # key.
        try:
            return read(self._answer(address(self._url, path, parameters), headers))
        except ValueError as error:
            raise _Passing(f"the answer is no page of a report: {error}") from None
        except httpx2.TimeoutException as error:
            told = "connection" if isinstance(error, httpx2.ConnectTimeout) else "answer"
            raise _Passing(f"no {told} in time") from None
        except httpx2.TransportError as error:
            if _is_certificate(error):
                raise PullError(
                    f"the certificate of {self._host} cannot be trusted",
                    "where a proxy stands between, name its certificates with SSL_CERT_FILE",
                    is_final=True,
                ) from None
            raise _Passing(f"no connection to {self._host}: {_short(str(error)) or 'it was cut'}") from None
        except httpx2.HTTPError as error:
            raise PullError(f"{type(error).__name__}: {self._without_key(_short(str(error)))}") from None

    def _answer(self, url: str, headers: Mapping[str, str]) -> bytes:
        deadline = time.monotonic() + self._patience.page
        with self._http.stream("GET", url, headers=dict(headers)) as response:
            most = MOST_BYTES if response.is_success else _ERROR_BYTES
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if time.monotonic() > deadline:
                    raise _Passing("the page did not come to its end in time")
                if len(content) > most:
                    if response.is_success:
                        raise PullError(f"a page larger than {MOST_BYTES // 2**20} MB")
                    break
        if response.is_success:
            return bytes(content)
        raise self._fault(response, bytes(content))

    def _fault(self, response: httpx2.Response, content: bytes) -> PullError | _Passing:
        status = response.status_code
        if response.is_redirect:
            target = urlsplit(response.headers.get("location", "")).hostname or "another address"
            return PullError(
                f"HTTP {status}: redirected to {_short(target)}, where the key is not sent",
                f"see what {self._vendor.url_variable} says",
                is_final=True,
            )
        said = self._without_key(_reason(content))
        message = f"HTTP {status}" + (f": {said}" if said else "")
        if status == _REFUSED:
            hint = f"{self._vendor.key_variable} has to be {self._vendor.kind_of_key}"
            return PullError(message, hint, is_final=True)
        if status in _TRANSIENT or status >= 500:
            return _Passing(message, _seconds_to_wait(response.headers), throttled=status == _THROTTLED)
        return PullError(message)

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, _Passing) and (error.after or 0) <= self._patience.longest_pause

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Passing) and error.after is not None:
            return error.after + random.uniform(0, self._patience.first_pause)
        # Limits are a minute's: who says nothing else is asked again after ten seconds, then twenty, …
        slower = 10 if isinstance(error, _Passing) and error.throttled else 1
        pause = self._patience.first_pause * slower * 2 ** (state.attempt_number - 1)
        return float(min(pause, 60.0) * random.uniform(1.0, 1.25))

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0.0
        self._say(f"{self._vendor.name}: {self._without_key(str(error))}; trying again in {pause:.0f} s")

    def _when(self, error: _Passing) -> str:
        if error.after is not None and error.after > self._patience.longest_pause:
            return f"the vendor asks to wait {error.after:.0f} s: pull again then"
        return "pull again later: what came is kept"

    def _without_key(self, text: str) -> str:
        return _KEY.sub("sk-…", text.replace(self._key, "…"))


_KEY = re.compile(r"\bsk-[A-Za-z0-9_*.-]{4,}")


def checked_key(vendor: Vendor, key: str) -> str:
    """``key``, which can go into a header. Raises :class:`PullError`, which does not show it."""
    key = key.strip()
    if not key:
        raise PullError(
            f"{vendor.key_variable} is not set", f"it has to be {vendor.kind_of_key}", is_final=True
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise PullError(
            f"{vendor.key_variable} is no key: it has spaces, line breaks or other letters in it",
            is_final=True,
        )
    return key


def checked_url(vendor: Vendor, url: str) -> str:
    """``url`` without a slash at its end. Raises :class:`PullError` for one that is not https, except on this
    machine: the key would be readable on its way."""
    parts = urlsplit(url)
    hint = f"as in {vendor.url_variable}={vendor.url}"
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise PullError(f"{vendor.url_variable}: not the address of an API", hint, is_final=True)
    if parts.username or parts.password:
        raise PullError(f"{vendor.url_variable}: an address must not hold a password", hint, is_final=True)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise PullError(f"{vendor.url_variable}: only https, the key would be readable", hint, is_final=True)
    return url.rstrip("/")


def address(url: str, path: str, parameters: Parameters) -> str:
    """The whole address of a request."""
    return f"{url}{path}?{urlencode(parameters, safe='[]:')}"


def _reason(content: bytes) -> str:
    """What a vendor's error says: its message, in one line. Of anything else (a proxy's page), nothing."""
    import json

    try:
        error: Any = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    said = error.get("message") if isinstance(error, dict) else error
    return _short(said) if isinstance(said, str) else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + "…"


def _seconds_to_wait(headers: httpx2.Headers) -> float | None:
    """What Retry-After says (seconds or a date, RFC 9110 10.2.3), else Anthropic's time of reset; None where
    neither does."""
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", said, re.ASCII):
        return float(said)
    for text, read in (
        (said, parsedate_to_datetime),
        (headers.get("anthropic-ratelimit-requests-reset", ""), datetime.fromisoformat),
    ):
        try:
            moment = read(text)
        except (ValueError, TypeError):
            continue
        if moment.tzinfo is not None:
            return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None


def _is_certificate(error: BaseException | None) -> bool:
    """Whether a certificate was refused, somewhere in the chain of causes."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
