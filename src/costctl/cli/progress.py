"""A bar on a terminal while files are read."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHORT = 8 * 2**20
"""Bytes that are read in less time than it takes to load and draw a bar."""


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
