"""What a terminal shows while something takes long."""

from __future__ import annotations

import os
import sys
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.status import Status

SHORT = 8 * 2**20
"""Bytes that are read in less time than it takes to load and draw a bar."""

PATIENCE_S = 1.0
"""How long an answer may take before something is said."""


class Bar:
    """Shows bytes and rows on standard error where that is a terminal; nothing anywhere else."""

    def __init__(self, quiet: bool = False) -> None:
        self._shown = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._rows = 0

    def start(self, total_bytes: int) -> None:
        if not self._shown or total_bytes < SHORT:
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("reading"),
            BarColumn(),
            DownloadColumn(binary_units=False),
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=total_bytes, rows="")
        self._progress.start()

    def advance(self, bytes: int, rows: int) -> None:
        self._rows += rows
        if self._progress is not None and self._task is not None:
            shown = f"{self._rows:,} rows" if self._rows else ""
            self._progress.update(self._task, advance=bytes, rows=shown)

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class Step:
    """A line that says what is being waited for, on standard error where that is a terminal; nothing anywhere
    else. A context."""

    def __init__(self, quiet: bool = False) -> None:
        self.is_shown = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._status: Status | None = None

    def __enter__(self) -> Step:
        return self

    def show(self, text: str) -> None:
        if not self.is_shown:
            return
        from rich.console import Console
        from rich.text import Text

        if self._status is None:
            self._status = Console(stderr=True).status(Text(text))
            self._status.start()
        self._status.update(Text(text))

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()


class Patience:
    """A :class:`Step` that is there once an answer has taken a second, and gone when the answer comes."""

    def __init__(self, quiet: bool = False) -> None:
        self._step = Step(quiet)
        self._timer: Timer | None = None

    def start(self, text: str) -> None:
        if self._step.is_shown:
            self._timer = Timer(PATIENCE_S, self._step.show, [text])
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Also where nothing was started, or it has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()  # it may just be showing
            self._timer = None
            self._step.__exit__()
