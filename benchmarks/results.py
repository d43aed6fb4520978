"""What was measured against what, whether the goal was met, and the table of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.processes import Run

MISSED = 4
"""Exit code: done, but a goal was missed."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Runs of a floor and of costctl, taken in turns: what slows the machine down slows both."""

    floors: Sequence[Run]
    ours: Sequence[Run]

    @property
    def ratio(self) -> float:
        """The quickest run against the quickest floor: the least disturbed of each."""
        return min(run.seconds for run in self.ours) / min(run.seconds for run in self.floors)

    @property
    def processor_ratio(self) -> float:
        """The same of processor time, which other work on the machine disturbs less."""
        return min(run.processor for run in self.ours) / min(run.processor for run in self.floors)

    @property
    def median_ratio(self) -> float:
        return median(
            ours.seconds / floor.seconds for floor, ours in zip(self.floors, self.ours, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table, as it is shown."""

    work: str
    measured: str
    floor: str
    ratio: str
    goal: str
    missed: bool


def of_pairs(work: str, pairs: Pairs, most: float) -> Result:
    """A work that may take ``most`` times its floor."""
    return Result(
        work,
        seconds(min(run.seconds for run in pairs.ours)),
        seconds(min(run.seconds for run in pairs.floors)),
        f"{pairs.ratio:.2f} × (median {pairs.median_ratio:.2f}, processor {pairs.processor_ratio:.2f})",
        f"<= {most:g} ×",
        pairs.ratio > most,
    )


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def megabytes(value: float) -> str:
    return f"{value / 1e6:.0f} MB"


def table(results: Iterable[Result]) -> str:
    """The results in columns; a missed goal says so at the end of its line."""
    lines = [("work", "measured", "floor", "ratio", "goal", "")]
    lines += [
        (each.work, each.measured, each.floor, each.ratio, each.goal, "MISSED" if each.missed else "")
        for each in results
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def exit_code(results: Iterable[Result]) -> int:
    """0, or 4 if a goal was missed."""
    return MISSED if any(each.missed for each in results) else 0
