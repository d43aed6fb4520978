"""A server on the loopback that speaks the vendors' documented protocols, and can be told to fail.

Written from the descriptions that src/costctl/pull/vendors.py names: paths, headers, parameters and their
limits, envelopes, page tokens, bodies of errors. It knows nothing of the code that asks it.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ANTHROPIC_KEY = "sk-ant-admin01-loopback-key-7Qx"
OPENAI_KEY = "sk-admin-loopback-key-9Zw"


@dataclass
class Request:
    path: str
    parameters: list[tuple[str, str]]
    headers: dict[str, str]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.parameters if key == name]

    def one(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) < 2, f"{name} twice in {self.parameters}"
        return found[0] if found else None


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    """Seconds between bytes."""
    cut_after: int | None = None
    """Bytes of the body after which the connection is cut."""


def answer(document: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"content-type": "application/json", **headers})


def anthropic_error(status: int, kind: str, message: str, **headers: str) -> Answer:
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CSHo"}
    return answer(error, status, **headers)


def openai_error(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return answer({"error": error}, status, **headers)


Fault = Callable[[Request], Answer | None]
"""Instead of the right answer; None for that."""


GROUPS = {
    "/v1/organizations/usage_report/messages": {
        "account_id", "api_key_id", "context_window", "inference_geo", "model", "service_account_id",
        "service_tier", "speed", "workspace_id",
    },
    "/v1/organizations/cost_report": {"workspace_id", "description"},
}  # fmt: skip
"""What Anthropic's reports are grouped by."""


class VendorServer:
    """``today``: the last day that has buckets. ``page_size``: buckets on a page at most, below the limit
    that was asked for. ``faults`` are taken one a request; ``broken`` is asked before every answer."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.page_size = 31
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.broken: Fault = lambda _: None
        self.results: dict[str, Callable[[date, Request], list[dict[str, Any]]]] = {}
        self.url = ""

    def of(self, path_end: str) -> list[Request]:
        return [each for each in self.requests if each.path.endswith(path_end)]

    def respond(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.faults and (fault := self.faults.pop(0)(request)) is not None:
            return fault
        if (fault := self.broken(request)) is not None:
            return fault
        if request.path.startswith("/v1/organizations/"):
            return self._anthropic(request)
        if request.path.startswith("/v1/organization/"):
            return self._openai(request)
        return answer({}, 404)

    # --- Anthropic ----------------------------------------------------------------------------------------

    def _anthropic(self, request: Request) -> Answer:
        if request.headers.get("x-api-key") != ANTHROPIC_KEY:
            return anthropic_error(401, "authentication_error", "invalid x-api-key")
        if request.headers.get("anthropic-version") != "2023-06-01":
            return anthropic_error(400, "invalid_request_error", "anthropic-version: header is required")
        if request.path.endswith("/usage_report/claude_code"):
            return self._claude_code(request)
        groups = request.all("group_by[]")
        allowed = GROUPS.get(request.path)
        if allowed is None:
            return anthropic_error(404, "not_found_error", "Not found")
        if not set(groups) <= allowed:
            return anthropic_error(400, "invalid_request_error", "group_by[]: Input should be …")
        if len(groups) > 5:
            said = "Cannot specify more than 5 group_by[] dimensions."
            return anthropic_error(400, "invalid_request_error", said)
        if "speed" in groups and request.headers.get("anthropic-beta") != "fast-mode-2026-02-01":
            return anthropic_error(400, "invalid_request_error", "group_by[]: speed requires a beta header")
        if request.one("bucket_width") != "1d" or not 1 <= int(request.one("limit") or 7) <= 31:
            return anthropic_error(400, "invalid_request_error", "limit: Input should be less than 32")
        start = self._page_start(request) or _day(request.one("starting_at") or "")
        asked_end = request.one("ending_at")
        end = _day(asked_end) if asked_end else self.today + timedelta(days=1)
        buckets, more = self._buckets(request, start, min(end, self.today + timedelta(days=1)))
        data = [
            {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
             "results": results}
            for day, results in buckets
        ]  # fmt: skip
        return answer({"data": data, "has_more": more is not None, "next_page": more})

    def _claude_code(self, request: Request) -> Answer:
        """A day's records, as many a page as ``page_size`` says."""
        day = date.fromisoformat(request.one("starting_at") or "")
        assert 1 <= int(request.one("limit") or 20) <= 1000
        records = self.results.get(request.path, lambda *_: [])(day, request)
        place = int(_unpacked(request.one("page") or _packed("0")))
        upto = place + self.page_size
        more = _packed(str(upto)) if upto < len(records) else None
        return answer({"data": records[place:upto], "has_more": more is not None, "next_page": more})

    # --- OpenAI -------------------------------------------------------------------------------------------

    def _openai(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {OPENAI_KEY}":
            # OpenAI's error quotes a part of the key.
            return openai_error(401, "Incorrect API key provided: sk-admin-*****9Zw.", "invalid_api_key")
        most = 180 if request.path.endswith("/costs") else 31
        if request.one("bucket_width") != "1d" or not 1 <= int(request.one("limit") or 7) <= most:
            return openai_error(400, f"limit must be at most {most}")
        start = self._page_start(request) or _day_of(request.one("start_time"))
        end = _day_of(request.one("end_time"))
        buckets, more = self._buckets(request, start, min(end, self.today + timedelta(days=1)))
        data = [
            {"object": "bucket", "start_time": _seconds(day), "end_time": _seconds(day + timedelta(days=1)),
             "results": results}
            for day, results in buckets
        ]  # fmt: skip
        return answer({"object": "page", "data": data, "has_more": more is not None, "next_page": more})

    def _page_start(self, request: Request) -> date | None:
        page = request.one("page")
        return date.fromisoformat(_unpacked(page)) if page else None

    def _buckets(
        self, request: Request, start: date, end: date
    ) -> tuple[list[tuple[date, list[dict[str, Any]]]], str | None]:
        days = [start + timedelta(days=n) for n in range((end - start).days)]
        page = days[: min(self.page_size, int(request.one("limit") or 7))]
        make = self.results.get(request.path, lambda *_: [])
        more = _packed((page[-1] + timedelta(days=1)).isoformat()) if len(page) < len(days) else None
        return [(day, make(day, request)) for day in page], more


def _packed(text: str) -> str:
    return "page_" + base64.b64encode(text.encode()).decode()


def _unpacked(page: str) -> str:
    return base64.b64decode(page.removeprefix("page_")).decode()


def _day(text: str) -> date:
    return datetime.fromisoformat(text).astimezone(UTC).date()


def _day_of(seconds: str | None) -> date:
    return datetime.fromtimestamp(int(seconds or ""), UTC).date()


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@contextmanager
def serving(vendor: VendorServer, context: ssl.SSLContext | None = None) -> Iterator[VendorServer]:
    """Let ``vendor`` answer on a free port of the loopback; its ``url`` says where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                parts.path,
                parse_qsl(parts.query, keep_blank_values=True),
                {name.lower(): value for name, value in self.headers.items()},
            )
            given = vendor.respond(request)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(given.body)))
            self.end_headers()
            try:
                if given.drip:
                    for number in range(len(given.body)):
                        self.wfile.write(given.body[number : number + 1])
                        self.wfile.flush()
                        time.sleep(given.drip)
                else:
                    self.wfile.write(given.body[: given.cut_after])
            except (BrokenPipeError, ConnectionResetError):
                pass
            if given.drip or given.cut_after is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    vendor.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
