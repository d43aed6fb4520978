"""Running one process and measuring it whole: its wall and processor time and its peak of memory.

The kernel counts the memory of the process that starts another towards the other's peak. So whatever is large
(DuckDB writing inputs) happens in a process of its own, and the one that measures stays small.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

COSTCTL = str(Path(sys.executable).with_name("costctl"))
SCRIPTS = Path(__file__).parent


class BenchmarkError(Exception):
    """A measured command failed or did not do its work: its time would say nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: ``seconds`` on the clock, ``processor`` seconds of all its threads; ``peak`` is
    its resident memory at most, in bytes."""

    seconds: float
    processor: float
    peak: int
    output: str


def run(*command: str | os.PathLike[str], directory: Path) -> Run:
    """Run ``command`` in ``directory``, which is its home too, so that no user's settings take part.

    Raises :class:`BenchmarkError` with what it wrote to stderr unless it exits with 0.
    """
    personal = ("COSTCTL_", "XDG_", "COLUMNS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(personal)}
    environment["HOME"] = str(directory)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            shown = " ".join(map(str, command))
            raise BenchmarkError(f"{shown}: exit {process.returncode}\n{_text(errors)}")
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Run(seconds, usage.ru_utime + usage.ru_stime, peak, _text(output))


def script(name: str, *arguments: str | os.PathLike[str], directory: Path) -> Run:
    """Run a script of this package by its path from here without ``.py``, as ``floors/imports``."""
    return run(sys.executable, SCRIPTS / f"{name}.py", *arguments, directory=directory)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
