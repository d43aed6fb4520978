"""``python -m benchmarks [WORK …] [--scale 0.1] [--keep DIR]``: the table of works, floors and goals."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.place import place
from benchmarks.processes import BenchmarkError
from benchmarks.results import Result, exit_code, table
from benchmarks.works import WORKS, Work


def main(arguments: Sequence[str] | None = None, works: Mapping[str, Work] = WORKS) -> int:
    """Exit code 0, 1 when a command failed, 2 on wrong usage, 4 when a goal was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="costctl against the least that the same work can take. Exit 4: a goal was missed.",
    )
    parser.add_argument(
        "works", nargs="*", metavar="WORK", help=f"of {', '.join(works)}; all if none is named"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="part of the full amount of input (default 1)"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in DIR and leave the inputs there")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.works if name not in works]:
        parser.error(f"no work is called {unknown[0]}; there are {', '.join(works)}")
    if not 0 < given.scale <= 10:
        parser.error("--scale is more than 0 and at most 10")
    results: list[Result] = []
    failure: BenchmarkError | None = None
    try:
        with place(given.keep, given.scale) as where:
            for name in works:
                if name in (given.works or works):
                    results += works[name](where)
    except BenchmarkError as error:
        failure = error
    if results:
        print(table(results))
    if failure:
        print(f"benchmarks: {failure}", file=sys.stderr)
        return 1
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
