"""The calls that a question is about, summed by what they have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from costctl import filters
from costctl.analysis.dimensions import Dimension, Key
from costctl.analysis.grain import Grain, condition
from costctl.filters import Filter
from costctl.ledger import Engine, tag_path
from costctl.periods import Period, buckets
from costctl.periods.zones import instant_at
from costctl.records import INPUT_TOKENS, PRICED_TOKENS

CACHE_WRITES = ("cache_write_5m_tokens", "cache_write_1h_tokens")


class Sums(NamedTuple):
    """Sums over some calls: exact integers, from which every measure follows. Sums of disjoint calls add up.

    A row stands for ``requests`` calls; where it does not say for how many, it counts none. What a row does
    not state is left out of the rate on both sides of the fraction: that is what the last eight are for.
    """

    rows: int = 0
    buckets: int = 0
    """Rows that are lines of a usage report."""
    requests: int = 0
    cost: int = 0
    """Pico-dollars, of the calls that have a price."""
    input_tokens: int = 0
    """The uncached part."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cache_hits: int = 0
    """Requests that read from the cache."""
    succeeded: int = 0
    judged: int = 0
    """Requests that say whether they succeeded."""
    latency: int = 0
    """Milliseconds."""
    timed: int = 0
    """Requests that say how long they took."""
    subscribed: int = 0
    """Calls under a subscription."""
    uncounted: int = 0
    """Rows that do not say how many calls they are."""
    uncounted_prompt: int = 0
    """Tokens of the prompts of rows that do not say how many calls they are."""
    uncounted_cost: int = 0
    unpriced_rows: int = 0
    unpriced_requests: int = 0
    unpriced_calls: int = 0
    """As ``unpriced_requests``, but an uncounted row is one call at least."""
    unpriced_tokens: int = 0

    @property
    def prompt(self) -> int:
        """All tokens that went in."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.prompt + self.output_tokens


def filters_of(where: Iterable[str | Filter]) -> tuple[Filter, ...]:
    """Filters as they are or as texts. Raises :class:`costctl.filters.FilterError`."""
    return tuple(each if isinstance(each, Filter) else filters.parse(each) for each in where)


def merged(parts: Iterable[Sums]) -> Sums:
    """The sums over all calls of ``parts``."""
    return Sums(*map(sum, zip(*parts, strict=True)))


def _expressions(engine: Engine, of: Collection[str]) -> tuple[str, ...]:
    """SQL for each of :class:`Sums`, in order; 0 for those that are not among ``of``."""
    prompt, tokens = _added(INPUT_TOKENS), _added(PRICED_TOKENS)
    cost = engine.money_sum("cost_pico")
    # A latency x requests beyond a BIGINT is no latency: the row is then left out.
    latency = "TRY(latency_ms * requests)"
    by_name = {
        "rows": "count(*)",
        "buckets": "count(*) FILTER (WHERE grain = 'bucket')",
        "requests": "sum(requests)",
        "cost": cost,
        "input_tokens": "sum(input_tokens)",
        "cache_read_tokens": "sum(cache_read_tokens)",
        "cache_write_tokens": f"sum({_added(CACHE_WRITES)})",
        "output_tokens": "sum(output_tokens)",
        "cache_hits": "sum(requests) FILTER (WHERE cache_read_tokens > 0)",
        "succeeded": "sum(requests) FILTER (WHERE success)",
        "judged": "sum(requests) FILTER (WHERE success IS NOT NULL)",
        "latency": f"sum({latency})",
        "timed": f"sum(requests) FILTER (WHERE {latency} IS NOT NULL)",
        "subscribed": "sum(coalesce(requests, 1)) FILTER (WHERE billing = 'subscription')",
        "uncounted": "count(*) FILTER (WHERE requests IS NULL)",
        "uncounted_prompt": f"sum({prompt}) FILTER (WHERE requests IS NULL)",
        "uncounted_cost": f"{cost} FILTER (WHERE requests IS NULL)",
        "unpriced_rows": "count(*) FILTER (WHERE cost_pico IS NULL)",
        "unpriced_requests": "sum(requests) FILTER (WHERE cost_pico IS NULL)",
        "unpriced_calls": "sum(coalesce(requests, 1)) FILTER (WHERE cost_pico IS NULL)",
        "unpriced_tokens": f"sum({tokens}) FILTER (WHERE cost_pico IS NULL)",
    }
    return tuple(f"coalesce({by_name[name]}, 0)" if name in of else "0" for name in Sums._fields)


def _added(columns: Sequence[str]) -> str:
    return " + ".join(f"coalesce({column}, 0)" for column in columns)


@dataclass(frozen=True)
class Calls:
    """The calls of ``period`` that pass ``where``, in a ledger that is open; ``grain`` says whether buckets
    count."""

    engine: Engine
    period: Period
    where: tuple[Filter, ...] = ()
    grain: Grain = "auto"

    @cached_property
    def span(self) -> tuple[datetime, datetime] | None:
        """The part of the period that the ledger knows of: from its first call to its last, whatever
        ``where`` says. None where there is none."""
        ((first, last),) = self.engine.rows("SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM calls")
        if first is None:
            return None
        start, end = instant_at(first), instant_at(last) + timedelta(microseconds=1)
        start = max(start, self.period.start or start)
        end = min(end, self.period.end or end)
        return (start, end) if start < end else None

    def every(self, time: Dimension) -> list[int]:
        """Every hour, day, week or month of the :attr:`span`, empty ones too."""
        assert time.unit is not None
        return buckets(time.unit, *self.span, self.period.zone) if self.span else []

    def selection(self, by: Sequence[Dimension]) -> tuple[list[str], str, list[str]]:
        """SQL for the value of each dimension, called ``key_0`` and so on; the condition for a call to count;
        and the parameters of both, in this order."""
        keys: list[str] = []
        parameters: list[str] = []
        for number, dimension in enumerate(by):
            span = self.span if dimension.is_time else None
            text, bound = dimension.sql(self.engine, span, self.period.zone)
            keys.append(f"{text} AS key_{number}")
            parameters += bound
        asked, bound = self.asked
        counted = f" AND {self._grain}" if self._grain else ""
        return keys, asked + counted, [*parameters, *bound]

    @property
    def asked(self) -> tuple[str, list[str]]:
        """SQL for whether a row is of the period and passes the filters, and its parameters."""
        passes, bound = filters.sql(self.where, tag=(self.engine.tag(), tag_path))
        return f"{self.period.sql()} AND {passes}", list(bound)

    @cached_property
    def _grain(self) -> str:
        return condition(self.engine, self.grain)

    def sums(self, by: Sequence[Dimension] = (), of: Collection[str] = Sums._fields) -> dict[Key, Sums]:
        """The sums of each group that has calls, in one pass over them. ``of``: those that are asked for,
        ``rows`` among them; the others stay 0."""
        keys, condition, parameters = self.selection(by)
        columns = ",\n    ".join((*keys, *_expressions(self.engine, of)))
        rows = self.engine.rows(
            f"SELECT\n    {columns}\nFROM calls\nWHERE {condition}\nGROUP BY ALL",
            parameters,
        )
        width = len(by)
        groups = ((tuple(row[:width]), Sums(*map(int, row[width:]))) for row in rows)
        return {key: sums for key, sums in groups if sums.rows}
