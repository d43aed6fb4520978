"""What is measured of a group of calls: every figure from exact integers, divided at last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from costctl.analysis.calls import Sums
from costctl.analysis.questions import unknown
from costctl.money import share
from costctl.report import Column, Kind

MILLION = 10**6


class Group(NamedTuple):
    """Some calls of a question: their sums, the cost of all its calls (pico-dollars), and the 95th percentile
    of the latency, where it was asked for."""

    sums: Sums
    whole: int
    p95: int | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of figures. Its ``value`` is None where no call says."""

    name: str
    kind: Kind
    value: Callable[[Group], int | Decimal | None]
    unit: str = ""
    wide: bool = False
    title: str = ""

    def column(self, chosen: bool) -> Column:
        """``chosen`` columns are always shown, others only where a terminal has room for them."""
        return Column(self.name, self.kind, self.unit, self.title, wide=self.wide and not chosen)


def _is_unpriced(group: Group) -> bool:
    """Whether none of some calls has a price: what they cost is then unknown, which is not 0."""
    return 0 < group.sums.rows == group.sums.unpriced_rows


def quotient(part: int, whole: int) -> int | None:
    """``part / whole`` (not negative), rounded half-even to an integer; None where ``whole`` is 0."""
    if whole == 0:
        return None
    result, rest = divmod(part, whole)
    return result + (rest * 2 > whole or (rest * 2 == whole and result % 2))


def mean(part: int, whole: int) -> Decimal | None:
    """``part / whole`` with three decimal places, half-even; None where ``whole`` is 0."""
    thousandths = quotient(part * 1000, whole)
    return None if thousandths is None else Decimal(thousandths).scaleb(-3)


MEASURES: tuple[Measure, ...] = (
    Measure("cost", "money", lambda group: None if _is_unpriced(group) else group.sums.cost),
    Measure(
        "share",
        "percent",
        lambda group: None if _is_unpriced(group) else share(group.sums.cost, group.whole),
    ),
    Measure("requests", "count", lambda group: group.sums.requests),
    Measure("input_tokens", "tokens", lambda group: group.sums.input_tokens, wide=True),
    Measure("cache_read_tokens", "tokens", lambda group: group.sums.cache_read_tokens, wide=True),
    Measure("cache_write_tokens", "tokens", lambda group: group.sums.cache_write_tokens, wide=True),
    Measure("total_input_tokens", "tokens", lambda group: group.sums.prompt),
    Measure("output_tokens", "tokens", lambda group: group.sums.output_tokens),
    Measure(
        "success_rate", "percent", lambda group: share(group.sums.succeeded, group.sums.judged), wide=True
    ),
    Measure(
        "mean_latency_ms",
        "duration",
        lambda group: mean(group.sums.latency, group.sums.timed),
        wide=True,
        title="mean latency",
    ),
    Measure("p95_latency_ms", "duration", lambda group: group.p95, wide=True, title="p95 latency"),
    Measure(
        "caching_rate",
        "percent",
        lambda group: share(group.sums.cache_read_tokens, group.sums.prompt),
        wide=True,
    ),
    Measure(
        "cache_hit_rate",
        "percent",
        lambda group: share(group.sums.cache_hits, group.sums.requests),
        wide=True,
    ),
    Measure(
        "mean_prompt_tokens",
        "number",
        lambda group: mean(group.sums.prompt - group.sums.uncounted_prompt, group.sums.requests),
        "tokens/call",
        wide=True,
    ),
    Measure(
        "cost_per_request",
        "money",
        lambda group: quotient(
            group.sums.cost - group.sums.uncounted_cost, group.sums.requests - group.sums.unpriced_requests
        ),
        "USD/call",
        wide=True,
    ),
    Measure(
        "cost_per_mtok",
        "money",
        lambda group: quotient(group.sums.cost * MILLION, group.sums.tokens - group.sums.unpriced_tokens),
        "USD/Mtok",
        wide=True,
    ),
)
"""Every measure, in the order of a report's columns."""

BY_NAME: dict[str, Measure] = {measure.name: measure for measure in MEASURES}

P95 = "p95_latency_ms"
"""The measure that takes more passes over the calls: it does not add up."""


def measures(names: Iterable[str]) -> tuple[Measure, ...]:
    """The measures called ``names``, each once. Raises :class:`QuestionError`."""
    found = []
    for name in dict.fromkeys(names):
        if name not in BY_NAME:
            raise unknown("column", name, BY_NAME)
        found.append(BY_NAME[name])
    return tuple(found)
