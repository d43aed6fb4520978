"""Clients of the ``anthropic`` and ``openai`` packages that log every call.

Nothing of these packages is imported: a client is told by its class, and what it returns is read by name.
Tested with the oldest versions that the extras allow, and the newest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from costctl.sdk.labels import Labels, current
from costctl.sdk.meter import Meter, follow
from costctl.sdk.record import CallRecord
from costctl.sdk.usage import UNKNOWN_COUNTS, Answer, Call, Counts, answer_of, part

if TYPE_CHECKING:
    from costctl.sdk.tracker import CostTracker

Client = TypeVar("Client")

_CALLS = {
    "anthropic": ("/v1/messages",),
    "openai": ("/chat/completions", "/completions", "/responses", "/responses/compact", "/embeddings"),
}
"""The paths of calls that are billed at once, as the packages' resources name them to their client."""

_PROVIDERS = {
    "api.anthropic.com": "anthropic",
    "api.openai.com": "openai",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.x.ai": "x-ai",
    "openrouter.ai": "openrouter",
}
_CLOUDS = {
    "AnthropicBedrockMantle": "aws",
    "AnthropicFoundry": "azure",
    "AnthropicGoogleCloud": "google",
    "AnthropicVertex": "google",
    "AzureOpenAI": "azure",
    "BedrockOpenAI": "aws",
}
"""Clients of those who sell the vendors' models."""

_MARK = "_costctl_logs"
_NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol")

_log = logging.getLogger("costctl.sdk")


def logged(
    client: Client,
    tracker: CostTracker,
    labels: Labels,
    *,
    provider: str | None = None,
    include_usage: bool = False,
    on_record: Callable[[CallRecord], None] | None = None,
) -> Client:
    """A copy of ``client``, of its class and with its connections, that logs every call by ``tracker``.

    One line a call that the application makes, when its outcome is known: a stream's when it has ended,
    however that was. What the package itself tries again is one call: what failed before was not billed.
    Copies (``with_options``) log too. ``labels`` hold where the block that makes the call says no others.
    ``provider`` is whom the prices are of, where neither the answer nor the address tells. ``include_usage``
    asks OpenAI's chat streams for their usage, which they otherwise do not state: then a last chunk without
    choices comes. ``on_record`` gets each record.

    A log that cannot be written never fails a call: that goes to the logger ``costctl.sdk``. Raises TypeError
    for what is no such client, ValueError for one that logs already.
    """
    cls = type(client)
    names = {base.__name__.removeprefix("Async") for base in cls.__mro__}
    packages = {base.__module__.partition(".")[0] for base in cls.__mro__}
    package = next((name for name in _CALLS if name in packages), None)
    if package is None or not names & {"SyncAPIClient", "APIClient"}:
        raise TypeError(f"{cls.__name__} is no client of anthropic or openai")
    if "AnthropicBedrock" in names:
        raise TypeError(
            "the streams of Amazon Bedrock cannot be read here: ingest its invocation logs instead"
        )
    if is_logged(client):
        raise ValueError("this client logs its calls already")
    if provider is None:
        provider = _provider(names, str(client.base_url))  # type: ignore[attr-defined]
    paths = _CALLS[package]

    def watched(options: Any) -> _Watch | None:
        if str(options.method).lower() != "post" or str(options.url).partition("?")[0] not in paths:
            return None
        asked = options.json_data if isinstance(options.json_data, Mapping) else {}
        if include_usage and asked.get("stream") and options.url == "/chat/completions":
            streaming = {**(asked.get("stream_options") or {}), "include_usage": True}
            options.json_data = {**asked, "stream_options": streaming}
        return _Watch(tracker, current().over(labels), provider, asked, on_record)

    def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        watch = watched(options)
        if watch is None:
            return cls.request(self, cast_to, options, *args, **kwargs)  # type: ignore[attr-defined]
        try:
            result = cls.request(self, cast_to, options, *args, **kwargs)  # type: ignore[attr-defined]
        except BaseException as error:
            watch.failed(error)
            raise
        watch.answered(result, bool(kwargs.get("stream")))
        return result

    async def async_request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        watch = watched(options)
        if watch is None:
            return await cls.request(self, cast_to, options, *args, **kwargs)  # type: ignore[attr-defined]
        try:
            result = await cls.request(self, cast_to, options, *args, **kwargs)  # type: ignore[attr-defined]
        except BaseException as error:
            watch.failed(error)
            raise
        watch.answered(result, bool(kwargs.get("stream")))
        return result

    ours = async_request if "APIClient" in names else request
    # The class is what a client's own copies are made of.
    copy: Any = client.copy()  # type: ignore[attr-defined]
    copy.__class__ = type(cls.__name__, (cls,), {"request": ours, _MARK: True, "__module__": cls.__module__})
    logged_client: Client = copy
    return logged_client


def is_logged(client: object) -> bool:
    """Whether :func:`logged` has made ``client``."""
    return hasattr(type(client), _MARK)


class _Watch:
    """One call from its start to the line in the log."""

    def __init__(
        self,
        tracker: CostTracker,
        labels: Labels,
        provider: str | None,
        asked: Mapping[str, Any],
        on_record: Callable[[CallRecord], None] | None,
    ) -> None:
        self._tracker = tracker
        self._labels = labels
        self._provider = provider
        self._model = str(asked.get("model") or "unknown")
        self._on_record = on_record
        self._began = datetime.now(UTC)
        self._started = time.monotonic()

    def answered(self, result: Any, stream: bool) -> None:
        """What the client returned: a parsed answer, a stream, or a raw response of either."""
        try:
            response = getattr(result, "http_response", None)
            if response is None and (stream or hasattr(result, "aiter_bytes")):
                response = result.response if stream else result
            if response is None:
                self._ended(result, None)
            elif response.is_closed:
                meter = Meter(False, self._ended)
                meter.feed(response.content)
                meter.end()
            else:
                follow(
                    response, Meter("event-stream" in response.headers.get("content-type", ""), self._ended)
                )
        except Exception:
            _log.exception("a call could not be logged")

    def failed(self, error: BaseException) -> None:
        """What the client raised after it had tried as often as it does."""
        body = getattr(error, "body", None)
        kind = part(body, "error", "type") or part(body, "type") or part(body, "code")
        counts = UNKNOWN_COUNTS if may_be_billed(error) else Counts()
        kind = kind if isinstance(kind, str) else type(error).__name__
        self._log(Answer(None, None, (Call(self._model, counts),), kind))

    def _ended(self, said: Any, error: str | None) -> None:
        """``said`` is an answer, or what a stream had told of one when it broke off by ``error``."""
        if part(said, "usage") is None and part(said, "status") in ("queued", "in_progress") and not error:
            return  # runs in the background, and is billed by whoever asks for it later
        try:
            answer = answer_of(said)
        except Exception as fault:
            _log.warning("an answer's usage cannot be read: %s", fault)
            answer = Answer(None, None, (Call(None, UNKNOWN_COUNTS),))
        calls = tuple(
            call if call.model else Call(self._model, call.counts, call.suffix) for call in answer.calls
        )
        self._log(Answer(answer.id, answer.provider, calls, error or answer.error_type))

    def _log(self, answer: Answer) -> None:
        provider = self._provider or answer.provider
        try:
            record = self._tracker.log_answer(
                Answer(answer.id, provider, answer.calls, answer.error_type),
                self._labels,
                success=answer.error_type is None,
                latency_ms=(time.monotonic() - self._started) * 1000,
                timestamp=self._began,
            )
        except Exception:
            _log.exception("a call could not be logged")
            return
        if self._on_record is not None:
            try:
                self._on_record(record)
            except Exception:
                _log.exception("on_record failed; the call is logged")


def may_be_billed(error: BaseException) -> bool:
    """Whether the vendor may have worked on a call that failed so: errors that it states are not billed."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status < 400
    if any(base.__name__ == "APIConnectionError" for base in type(error).__mro__):
        return type(error.__cause__).__name__ not in _NOT_SENT
    return not isinstance(error, Exception)  # cancelled, or interrupted


def _provider(names: set[str], address: str) -> str | None:
    """Whom the client asks, if that is known."""
    of_class = next((_CLOUDS[name] for name in names if name in _CLOUDS), None)
    return of_class or _PROVIDERS.get(urlsplit(address).hostname or "")
