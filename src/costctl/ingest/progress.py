"""How far an ingest is, told while one statement reads hundreds of megabytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SECONDS = 0.2


class Progress(Protocol):
    """Told of bytes of input, as they are on disk, and of rows."""

    def start(self, total_bytes: int) -> None: ...

    def advance(self, bytes: int, rows: int) -> None: ...

    def stop(self) -> None: ...


@contextmanager
def watched(connection: DuckDBPyConnection, progress: Progress | None, size: int) -> Iterator[None]:
    """Tell ``progress`` of the ``size`` bytes that the block reads: in parts as far as DuckDB says, and the
    rest at its end."""
    if progress is None:
        yield
        return
    done = threading.Event()
    told = 0

    def watch() -> None:
        nonlocal told
        while not done.wait(_SECONDS):
            part = int(size * max(connection.query_progress(), 0.0) / 100)
            if part > told:
                progress.advance(part - told, 0)
                told = part

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    progress.advance(size - told, 0)
