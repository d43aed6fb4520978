"""Reading what a streamed answer says of its usage, while somebody else reads the answer.

The bytes of a stream are looked at as they go by: server-sent events of Anthropic's Messages and of OpenAI's
two APIs, or one JSON document. What counts is what the vendor had said when the stream ended, however it did.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from costctl.sdk.usage import part

CLOSED = "stream_closed"
"""Why a stream is not whole whose reader stopped reading."""

_RESPONSE_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")

Ended = Callable[[dict[str, Any], str | None], None]
"""Takes the answer as far as it was told, in the shape of one that is not streamed, and why it is not
whole."""


class Meter:
    """Of a body that is a stream of ``events``, or one document. ``ended`` is called once."""

    def __init__(self, events: bool, ended: Ended) -> None:
        self._events = events
        self._ended = ended
        self._content = bytearray()
        self._answer: dict[str, Any] = {}
        self._whole = self._answered = self._over = self._waits = False
        self._error: str | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    def feed(self, content: bytes) -> None:
        """The next bytes of the body, decompressed."""
        if self._over:
            return
        self._content += content
        if self._events and b"\n" in content:
            *lines, rest = bytes(self._content).split(b"\n")
            self._content = bytearray(rest)
            for line in lines:
                self._line(line)

    def end(self, why: str | None = None) -> None:
        """No more bytes come. ``why`` is what broke the stream off, None at its regular end. In a forked
        process, whose end this may be, it is not the stream's."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._over:
                return
            self._over = True
        if self._events:
            self._line(bytes(self._content))
        else:
            self._document(bytes(self._content))
        served = self._whole or (self._answered and why in (None, CLOSED))
        if self._error is None and not served:
            self._error = why or "stream_incomplete"
        self._ended(self._answer, self._error)

    @contextmanager
    def waits(self) -> Iterator[None]:
        """While the next bytes are waited for; a body that is read to its end is closed meanwhile."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def closed(self) -> None:
        """The body was closed."""
        if not self._waits:
            self.end(CLOSED)

    def _document(self, content: bytes) -> None:
        with suppress(ValueError):
            document = json.loads(content)
            if isinstance(document, dict):
                self._answer, self._whole = document, True

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self._whole = True
            return
        with suppress(Exception):  # what cannot be read is the reader's to complain of
            event = json.loads(data)
            if isinstance(event, dict):
                self._event(event)

    def _event(self, event: Mapping[str, Any]) -> None:
        kind, error = event.get("type"), event.get("error")
        if kind == "error" or error:
            if not self._answer:  # refused before it began
                self._answer = {"usage": {"input_tokens": 0, "output_tokens": 0}}
            self._error = part(error, "type") or part(error, "code") or event.get("code") or "error"
        elif kind in ("message_start", "message_delta", "message_stop"):
            self._message(kind, event)
        elif isinstance(kind, str) and kind.startswith("response."):
            if isinstance(event.get("response"), dict):
                self._answer = event["response"]
            self._whole = self._whole or kind in _RESPONSE_ENDS
        elif "choices" in event:
            self._chunk(event)

    def _message(self, kind: str, event: Mapping[str, Any]) -> None:
        if kind == "message_start":
            self._answer = dict(event.get("message") or {}) | {"type": "message"}
        elif kind == "message_stop":
            self._whole = True
        if isinstance(event.get("usage"), dict):
            # Cumulative: the last word holds, of what it says.
            known = self._answer.get("usage") or {}
            said = {name: value for name, value in event["usage"].items() if value is not None}
            self._answer["usage"] = {**known, **said}

    def _chunk(self, chunk: Mapping[str, Any]) -> None:
        for name in ("id", "model", "service_tier", "x_groq"):
            if chunk.get(name):
                self._answer[name] = chunk[name]
        usage = chunk.get("usage") or part(chunk, "x_groq", "usage")
        if usage:
            self._answer["usage"] = usage
        # Some servers end without [DONE], and some readers stop here.
        if any(part(choice, "finish_reason") for choice in chunk.get("choices") or ()):
            self._answered = True


def follow(response: Any, meter: Meter) -> None:
    """Let ``meter`` see the body of ``response`` (of httpx or httpx2) as it is read, and its end. One that is
    neither read nor closed ends when it is forgotten."""
    cls: Any = type(response)
    response._costctl_meter = meter
    response.__class__ = _followed(cls)
    weakref.finalize(response, meter.end, CLOSED)


@cache
def _followed(cls: Any) -> type[Any]:
    class Followed(cls):  # type: ignore[misc]
        _costctl_meter: Meter

        def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
            meter, chunks = self._costctl_meter, super().iter_bytes(chunk_size)
            try:
                while True:
                    with meter.waits():
                        chunk = next(chunks, None)
                    if chunk is None:
                        break
                    meter.feed(chunk)
                    yield chunk
            except BaseException as error:
                meter.end(_why(error))
                raise
            meter.end()

        async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
            meter, chunks = self._costctl_meter, super().aiter_bytes(chunk_size)
            try:
                while True:
                    with meter.waits():
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    meter.feed(chunk)
                    yield chunk
            except BaseException as error:
                meter.end(_why(error))
                raise
            meter.end()

        def close(self) -> None:
            self._costctl_meter.closed()
            super().close()

        async def aclose(self) -> None:
            self._costctl_meter.closed()
            await super().aclose()

    Followed.__name__, Followed.__qualname__ = cls.__name__, cls.__qualname__
    return Followed


def _why(error: BaseException) -> str:
    return CLOSED if isinstance(error, GeneratorExit) else type(error).__name__
