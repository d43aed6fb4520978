"""What answers are worth: a table of quality by task and model, and what of a better model's quality a router
keeps.

With a weak and a strong model, a router that sends a share of the tasks to the strong one has recovered

    PGR = (its quality - the weak model's) / (the strong model's - the weak model's)

of the gap. *APGR* is the mean of PGR over all shares from 0 to 1 (0.5 for tasks drawn by lot), *CPT(x)* the
smallest share with a PGR of x (RouteLLM, lm-sys, benchmarks/README). Here tasks go to the strong model in the
order of what they gain there, which no router that does not know the answers can do: both are upper bounds.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from costctl import series
from costctl.documents import DocumentError
from costctl.pricing.book import PriceBook
from costctl.report import Cell

_DAY_US = 86_400 * 1_000_000
_SCALE = 10**6
MOST_TASKS = 1000

Seen = tuple[PriceBook, str | None, str, str, int, int]
"""Of some calls: the prices, which know what names are of one model; task; model before and after; the day;
how many requests."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Mean quality of the calls whose task and models the table knows: ``judged`` of ``requests``."""

    before: Fraction
    after: Fraction
    judged: int
    requests: int
    interval: series.Interval
    source: str

    def figures(self) -> dict[str, Cell]:
        low, high = self.interval.low, self.interval.high
        change = self.after - self.before
        return {
            "quality_before": _decimal(self.before),
            "quality_after": _decimal(self.after),
            "quality_change": _decimal(change),
            "quality_change_low": _decimal(Fraction(low)),
            "quality_change_high": _decimal(Fraction(high)),
        }

    def notes(self) -> Iterator[str]:
        yield (
            f"quality is what {self.source} says of each task and model; it knows {self.judged:,} of "
            f"{self.requests:,} requests"
        )
        if self.interval.holds_zero:
            yield "the change of quality is not significant: its 95 % interval holds 0"


@dataclass(frozen=True, slots=True)
class QualityTable:
    """``tasks``: quality by task and model, on any one scale, higher being better. ``by`` is the name of the
    label that tells a call's task."""

    tasks: Mapping[str, Mapping[str, Decimal]]
    by: str
    source: str

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for row in self.tasks.values() for model in row))

    def judge(self, seen: Iterable[Seen]) -> Judged | None:
        """The mean quality before and after; None where the table knows nothing of these calls."""
        days: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        requests = 0
        for book, task, was_model, model, day, count in seen:
            requests += count
            row = self.tasks.get(task or "", {})
            was, now = (_of(row, each, book) for each in (was_model, model))
            if was is None or now is None:
                continue
            sums = days[day]
            sums[0] += int(was * _SCALE) * count
            sums[1] += int(now * _SCALE) * count
            sums[2] += count
        judged = sum(sums[2] for sums in days.values())
        if not judged:
            return None
        interval = series.bootstrap(
            [(day // _DAY_US % 7, tuple(sums)) for day, sums in sorted(days.items())],
            lambda sums: (sums[1] - sums[0]) / (sums[2] * _SCALE) if sums[2] else 0.0,
        )
        before, after = (
            Fraction(sum(sums[place] for sums in days.values()), judged * _SCALE) for place in (0, 1)
        )
        return Judged(before, after, judged, requests, interval, self.source)


def read(path: Path, by: str) -> QualityTable:
    """The table in a CSV file with the columns task, model and quality, a row for each task and model.

    Raises :class:`costctl.documents.DocumentError`, with the line of the fault.
    """
    file = str(path)
    tasks: dict[str, dict[str, Decimal]] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            names = [name.strip() for name in reader.fieldnames or ()]
            if missing := [name for name in ("task", "model", "quality") if name not in names]:
                hint = "its first line is: task,model,quality"
                raise DocumentError(file, 1, 1, f"it has no column {missing[0]}", hint)
            reader.fieldnames = names
            for row in reader:
                line = reader.line_num
                task, model = ((row[name] or "").strip() for name in ("task", "model"))
                if not (task and model):
                    raise DocumentError(
                        file, line, 1, "a row needs a task and a model", "leave no field empty"
                    )
                if model in tasks.setdefault(task, {}):
                    hint = "leave one of them out"
                    raise DocumentError(file, line, 1, f"a second row for {task} on {model}", hint)
                tasks[task][model] = _quality(file, line, row["quality"])
    except OSError as error:
        message = f"it cannot be read: {error.strerror}"
        raise DocumentError(file, 0, 0, message, "name a CSV file of task, model, quality") from None
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"it is no CSV in UTF-8: {error}"
        raise DocumentError(file, 1, 1, message, "its columns are task,model,quality") from None
    if not tasks:
        raise DocumentError(file, 1, 1, "it has no rows", "a row has a task, a model and its quality")
    if len(tasks) > MOST_TASKS:
        message = f"it has {len(tasks):,} tasks; the most are {MOST_TASKS:,}"
        raise DocumentError(file, 1, 1, message, "name coarser tasks")
    return QualityTable(tasks, by, path.name)


def _quality(file: str, line: int, text: str | None) -> Decimal:
    try:
        quality = Decimal((text or "").strip())
    except InvalidOperation:
        quality = Decimal("NaN")
    if not quality.is_finite() or not 0 <= quality <= 10**6:
        hint = "a number from 0 to 1,000,000, higher being better"
        raise DocumentError(file, line, 1, f"quality {text!r} is no number of that kind", hint)
    return quality


def _of(row: Mapping[str, Decimal], model: str, book: PriceBook) -> Decimal | None:
    """The quality of ``model``, by its own name or another one of the same model."""
    if model in row:
        return row[model]
    found = book.resolve(None, model)
    return next((row[each] for each in row if found is not None and book.resolve(None, each) == found), None)


def _decimal(number: Fraction) -> Decimal:
    return (Decimal(number.numerator) / number.denominator).quantize(Decimal("0.000001"))


# --- a weak and a strong model ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """A weak and a strong model on the same tasks: mean qualities, that of the better of the two for each
    task, and the share of tasks for which the strong one is better. ``steps`` are what shares of the tasks
    gain on the strong model, the greatest gain first: a share, and the gain of each of its tasks."""

    weak: Fraction
    strong: Fraction
    oracle: Fraction
    better: Fraction
    steps: tuple[tuple[Fraction, Fraction], ...]

    @classmethod
    def of(cls, tasks: Iterable[tuple[Decimal, Decimal, int]]) -> Pair:
        """Of the tasks' qualities on the weak and the strong model, and how often each is asked."""
        gains: dict[Fraction, int] = defaultdict(int)
        weak = strong = oracle = Fraction(0)
        count = 0
        for low, high, times in tasks:
            weak += Fraction(low) * times
            strong += Fraction(high) * times
            oracle += Fraction(max(low, high)) * times
            gains[Fraction(high) - Fraction(low)] += times
            count += times
        if not count:
            raise ValueError("no tasks")
        better = sum(times for gain, times in gains.items() if gain > 0)
        steps = tuple((Fraction(gains[gain], count), gain) for gain in sorted(gains, reverse=True))
        return cls(weak / count, strong / count, oracle / count, Fraction(better, count), steps)

    def recovered(self) -> Iterator[tuple[Fraction, Fraction]]:
        """Share of tasks on the strong model and PGR, where the line between them bends."""
        share = gained = Fraction(0)
        yield share, gained
        for part, gain in self.steps:
            share += part
            gained += part * gain / (self.strong - self.weak)
            yield share, gained

    @property
    def apgr(self) -> Fraction | None:
        """None where the strong model is not stronger."""
        if self.strong <= self.weak:
            return None
        points = list(self.recovered())
        return sum(
            ((right - left) * (low + high) / 2 for (left, low), (right, high) in pairwise(points)),
            Fraction(0),
        )

    def cpt(self, recovered: Fraction) -> Fraction | None:
        """The smallest share on the strong model with a PGR of ``recovered``."""
        if self.strong <= self.weak:
            return None
        points = list(self.recovered())
        for (left, low), (right, high) in pairwise(points):
            if high >= recovered > low:
                return left + (right - left) * (recovered - low) / (high - low)
        return Fraction(0)
