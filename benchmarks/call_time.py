"""Works of application code, which runs once a call: what is measured is one call, not a process."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles

from benchmarks.place import Place, remove, say
from benchmarks.processes import BenchmarkError, script
from benchmarks.results import Result

ALONE = 20_000
"""Calls of one process, one after the other."""
PROCESSES, EACH, PAUSE = 8, 1_000, 0.005
"""Calls of each of several processes, with seconds between them: more often than anybody asks a model, and
rarely enough that the processor's time slices are not what is measured."""
MOST_US, MOST_US_OF_99 = 200, 5_000


def log_usage(place: Place) -> list[Result]:
    say("logging calls …")
    alone = _times(place, 1, ALONE, 0)
    together = _times(place, PROCESSES, EACH, PAUSE)
    return [
        of_calls("log_api_usage, median", percentile(alone, 50), MOST_US),
        of_calls(f"the same, 99 % of {PROCESSES} processes", percentile(together, 99), MOST_US_OF_99),
    ]


def _times(place: Place, processes: int, calls: int, pause: float) -> list[int]:
    """Nanoseconds of each call of ``processes`` that make so many ``calls`` each and log to one directory."""
    directory = place.directory / "application"
    remove(directory)
    arguments = (directory, str(calls), str(pause))
    with ThreadPoolExecutor(processes) as started:
        runs = [
            started.submit(script, "log_usage", *arguments, directory=place.directory)
            for _ in range(processes)
        ]
    lines = sum(len(file.read_bytes().splitlines()) for file in directory.iterdir())
    expected = processes * (calls + 1)
    remove(directory)
    if lines != expected:
        raise BenchmarkError(f"the log holds {lines:,} lines; {expected:,} calls were logged")
    return [int(line) for run in runs for line in run.result().output.split()]


def percentile(nanoseconds: Sequence[int], percent: int) -> float:
    """Microseconds that so many percent of the calls took at most."""
    return quantiles(nanoseconds, n=100, method="inclusive")[percent - 1] / 1000


def of_calls(work: str, microseconds: float, most: float) -> Result:
    """A call that may take ``most`` microseconds."""
    return Result(work, f"{microseconds:.0f} µs", "", "", f"<= {most:,g} µs", microseconds > most)
