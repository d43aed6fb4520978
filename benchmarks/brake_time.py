"""The work of a brake: what an answer takes, alone and among processes that share its counters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from benchmarks.call_time import of_calls, percentile
from benchmarks.place import Place, remove, say
from benchmarks.processes import script
from benchmarks.results import Result

ALONE = 5_000
"""Calls of one process, one after the other."""
PROCESSES, EACH, PAUSE = 8, 1_000, 0.02
"""Calls of each of several processes, with seconds between them: 400 answers and 400 settlements a second."""
MOST_US, MOST_US_OF_99 = 300, 5_000

BUDGETS = """\
budgets:
  - {name: company, scope: all, monthly_budget: 1000000}
  - {name: search, scope: {team: search}, daily_budget: 100000, monthly_budget: 1000000}
  - {name: people, scope: {user: each}, daily_budget: 10000}
"""


def ask_budget(place: Place) -> list[Result]:
    say("asking budgets …")
    alone = _times(place, 1, ALONE, 0)
    together = _times(place, PROCESSES, EACH, PAUSE)
    return [
        of_calls("should_allow_request, median", percentile(alone, 50), MOST_US),
        of_calls(f"the same, 99 % of {PROCESSES} processes", percentile(together, 99), MOST_US_OF_99),
    ]


def _times(place: Place, processes: int, calls: int, pause: float) -> list[int]:
    """Nanoseconds of each answer to ``processes`` that ask so many times each."""
    directory = place.directory / "brake"
    remove(directory)
    directory.mkdir(mode=0o700)
    (directory / "budgets.yaml").write_text(BUDGETS)
    arguments = (directory, str(calls), str(pause))
    with ThreadPoolExecutor(processes) as started:
        runs = [
            started.submit(script, "ask_budget", *arguments, directory=place.directory)
            for _ in range(processes)
        ]
    remove(directory)
    return [int(line) for run in runs for line in run.result().output.split()]
