"""A vendor on the loopback that speaks HTTP as Anthropic and OpenAI do, and knows nothing of our code.

Answers are given in turn, the last one for ever. ``events`` are streamed as server-sent events, chunk by
chunk.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Say:
    """One answer: a JSON ``body``, or a stream of ``events``, each a pair of its name ("" for none) and data.

    ``cut`` ends the connection after the last event without ending the stream; ``waits`` holds the rest back
    after the first ``waits`` events until the reader has gone.
    """

    body: Mapping[str, Any] | None = None
    events: Sequence[tuple[str, object]] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    packed: bool = False
    cut: bool = False
    waits: int = 0
    silent: bool = False


Answer = Say | Callable[[str, dict[str, Any]], Say]


class Vendor:
    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.url = ""
        self.over = threading.Event()

    def next(self) -> Say:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Say) else answer(self.paths[-1], self.asked[-1])


@contextmanager
def vendor(*answers: Answer) -> Iterator[Vendor]:
    served = Vendor(*answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"] or 0)
            served.asked.append(json.loads(self.rfile.read(length)))
            served.paths.append(self.path)
            answer = served.next()
            if answer.silent:
                served.over.wait(PATIENCE_S)
                self.close_connection = True
            elif answer.events:
                self._stream(answer)
            else:
                self._document(answer)

        def _document(self, answer: Say) -> None:
            body = json.dumps(answer.body).encode()
            self._head(answer, "application/json")
            body = gzip.compress(body) if answer.packed else body
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, answer: Say) -> None:
            self._head(answer, "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            texts = [_event(name, data) for name, data in answer.events]
            if answer.packed:
                whole = gzip.compress("".join(texts).encode())
                parts = [whole[:20], whole[20:-3], whole[-3:]]
            else:
                parts = [text.encode() for text in texts]
            try:
                for number, part in enumerate(parts):
                    if answer.waits and number == answer.waits:
                        served.over.wait(PATIENCE_S)
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                    self.wfile.flush()
                if answer.cut:
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")
            except OSError:
                self.close_connection = True

        def _head(self, answer: Say, kind: str) -> None:
            self.send_response(answer.status)
            self.send_header("content-type", kind)
            if answer.packed:
                self.send_header("content-encoding", "gzip")
            for name, value in answer.headers.items():
                self.send_header(name, value)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        served.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _event(name: str, data: object) -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "") + f"data: {text}\n\n"
