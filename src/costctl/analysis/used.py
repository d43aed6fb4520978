"""Our side of a comparison with a bill: what the rows that count cost, in the days and words of the bill."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from costctl.analysis.billed import DAY, ITEMS, LABELS, Days, Span
from costctl.analysis.grain import Grain, condition
from costctl.periods.zones import instant_at
from costctl.pricing.naming import billed_model, plain_name
from costctl.records import INPUT_TOKENS, PRICED_TOKENS

if TYPE_CHECKING:
    from costctl.ledger import Engine
    from costctl.pricing.book import PriceBook

USAGE_REPORTS = (
    "anthropic-console-tokens",
    "anthropic-usage",
    "deepseek-usage-csv",
    "openai-usage",
    "openai-usage-csv",
)
"""Formats that hold a provider's own count of all that was used of it."""

SLOT = 900 * 1_000_000
"""Microseconds: every zone's offset is a number of quarters of an hour."""


class Key(NamedTuple):
    """What is compared: a time, and a model (None: not told) or an ``item`` beside the tokens."""

    provider: str
    span: Span
    model: str | None
    item: str | None
    labels: tuple[str | None, ...]


Series = tuple[str | None, tuple[str | None, ...]]
"""A model and labels: what stays the same from day to day."""


@dataclass
class Usage:
    """What some rows used. Amounts are of priced rows that are no part of a subscription, in pico-dollars,
    by mode and kind of token (None: what is no token)."""

    amounts: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    """By mode, also without price; those under a subscription are not among them."""
    unpriced: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    unpriced_calls: int = 0
    unpriced_tokens: int = 0
    reported_rows: int = 0
    """Rows of the provider's own report of usage."""
    subscription: int = 0
    subscription_calls: int = 0
    copies: int = 0
    """What calls cost that come more than once, by :meth:`Rows.add_copies`, the first time apart."""
    copied_calls: int = 0
    copied_tokens: int = 0

    def add(self, other: Usage) -> None:
        """Make this the usage of ``other`` too."""
        for each in fields(self):
            mine, more = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, Counter):
                mine.update(more)
            else:
                setattr(self, each.name, mine + more)

    @property
    def metered(self) -> int:
        return sum(self.amounts.values())

    @property
    def cost(self) -> int:
        return self.metered + self.subscription


def names(engine: Engine, book: PriceBook) -> Mapping[str, frozenset[tuple[str | None, str]]]:
    """The provider (None: not stated) and model of the ledger's rows, by the provider that bills them: a row
    that states none is of the one whose price it has."""
    found: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
    for seller, model in engine.rows(
        "SELECT DISTINCT coalesce(c.provider, p.provider), c.model FROM calls AS c "
        "LEFT JOIN prices AS p ON p.price_id = c.price_id"
    ):
        match = None if seller else book.resolve(None, model)
        provider = book.provider(seller) if seller else match.provider if match else ""
        found[provider].add((seller, model))
    return {provider: frozenset(of_one) for provider, of_one in found.items()}


@dataclass(frozen=True)
class Rows:
    """The rows of ``provider`` in a ledger that is open, in the ``days`` of its bill.

    ``names`` are those of :func:`names`; ``labels`` say which of :data:`LABELS` are told apart; ``passes``
    says of the labels, provider, model, mode and kind of a row whether it is asked for.
    """

    engine: Engine
    book: PriceBook
    provider: str
    names: frozenset[tuple[str | None, str]]
    days: Days
    grain: Grain
    labels: tuple[bool, ...]
    passes: Callable[[Mapping[str, Any]], bool]

    def used(self, shift: int = 0, reports: bool = False) -> dict[Key, Usage]:
        """The usage of each thing that has any. ``shift``: microseconds that are added to the times of calls;
        ``reports``: of the provider's reports of usage alone, whether they count or not."""
        counted = f"{self._counts('bucket')} AND {_REPORTED}" if reports else self._counts(self.grain)
        found: dict[Key, Usage] = defaultdict(Usage)
        for row in self._rows(_figures(self.engine), counted, shift):
            span = self.days.span_of(row["time"] // DAY + self.days.ahead)
            if span is not None:
                self._add(found, span, row)
        return dict(found)

    def slots(self, items: bool) -> dict[Series, Counter[int]]:
        """What metered calls cost by their quarter of an hour (its start in µs), for each model and labels;
        also a day before and after those of the bill. With or without ``items`` beside tokens."""
        found: dict[Series, Counter[int]] = defaultdict(Counter)
        counted = f"{self._counts(self.grain)} AND c.grain = 'call' AND NOT {_SUBSCRIBED}"
        cost = self.engine.money_sum("c.cost_pico" if items else _TOKENS_COST)
        for row in self._rows({"cost": f"coalesce({cost}, 0)"}, counted, unit=SLOT, around=DAY):
            found[self._named(row), self._labels(row)][row["time"] + self.days.offset] += row["cost"]
        return found

    def add_copies(self, found: Mapping[Key, Usage], shift: int = 0) -> None:
        """Note in ``found`` which calls come more than once: of one model with as many tokens in and out, at
        the same instant, or on one day in files of more than one format."""
        labels = "".join(f", c.{name}" if told else ", NULL AS " + name
                         for name, told in zip(LABELS, self.labels, strict=True))  # fmt: skip
        sum_of = self.engine.money_sum
        same = f"{', '.join(LABELS)}, time, prompt, output"
        rows = self.engine.rows(
            f"""WITH alike AS (
    SELECT p.provider AS seller, p.model{labels}, {self._time(shift, DAY)} AS time, c.ts, s.format,
        {_PROMPT} AS prompt, coalesce(c.output_tokens, 0) AS output,
        {sum_of("c.cost_pico")} AS cost, max(c.cost_pico) AS one, count(*) AS calls
    {_FROM}
    WHERE {self._within(abs(shift))} AND {self._counts(self.grain)} AND c.grain = 'call'
        AND c.cost_pico IS NOT NULL AND NOT {_SUBSCRIBED} AND {_PROMPT} + coalesce(c.output_tokens, 0) > 0
    GROUP BY ALL
),
formats AS (
    SELECT seller, model, {same}, {sum_of("cost")} AS cost, {sum_of("one")} AS one, sum(calls) AS calls,
        count(*) AS ones
    FROM alike GROUP BY seller, model, {same}, format
),
copies AS (
    SELECT seller, model, {same}, {sum_of("cost")} AS cost, max(one) AS one,
        CAST(sum(calls) - max(ones) AS BIGINT) AS copied
    FROM formats GROUP BY seller, model, {same} HAVING sum(calls) > max(ones)
)
SELECT seller, model, {", ".join(LABELS)}, time, {sum_of("cost")} - {sum_of("one")},
    CAST(sum(copied) AS BIGINT), CAST(sum(copied * (prompt + output)) AS BIGINT)
FROM copies GROUP BY ALL ORDER BY ALL""",  # noqa: S608 (constants, and names bound)
            self._sellers,
        )
        for seller, model, project, workspace, api_key, time, copies, calls, tokens in rows:
            row = {"seller": seller, "model": model, "project": project, "workspace": workspace,
                   "api_key": api_key}  # fmt: skip
            span = self.days.span_of(time // DAY + self.days.ahead)
            if span is None:
                continue
            usage = found.get(Key(self.provider, span, self._named(row), None, self._labels(row)))
            if usage is not None:
                usage.copies += copies
                usage.copied_calls += calls
                usage.copied_tokens += tokens

    def _rows(
        self, figures: Mapping[str, str], counted: str, shift: int = 0, unit: int = DAY, around: int = 0
    ) -> Iterator[dict[str, Any]]:
        columns = {
            "seller": "coalesce(c.provider, p.provider)",
            "model": "c.model",
            **{name: f"c.{name}" for name in LABELS},
            "mode": "coalesce(c.mode, 'standard')",
            "time": self._time(shift, unit),
            **figures,
        }
        within = self._within(abs(shift) + around)
        listed = ",\n        ".join(f"{sql} AS {name}" for name, sql in columns.items())
        sql = f"SELECT {listed}\n{_FROM}\nWHERE {within} AND {counted}\nGROUP BY ALL ORDER BY ALL"
        for values in self.engine.rows(sql, self._sellers):
            row = dict(zip(columns, values, strict=True))
            described = {**row, "provider": self.provider, "model": self._named(row), "kind": "usage"}
            if (row["seller"], row["model"]) in self.names and self.passes(described):
                yield row

    @cached_property
    def _sellers(self) -> list[str]:
        return sorted({seller or "" for seller, _ in self.names}) or [""]

    def _within(self, around: int) -> str:
        times = (instant_at(self.days.start - around), instant_at(self.days.end + around))
        start, end = (
            f"TIMESTAMP '{each.astimezone(UTC).replace(tzinfo=None).isoformat(' ')}'" for each in times
        )
        sellers = ", ".join("?" * len(self._sellers))
        return f"c.ts >= {start} AND c.ts < {end} AND coalesce(c.provider, p.provider, '') IN ({sellers})"

    def _counts(self, grain: Grain) -> str:
        return condition(self.engine, grain) or "true"

    def _time(self, shift: int, unit: int) -> str:
        moment = f"(epoch_us(c.ts) + CASE WHEN c.grain = 'call' THEN {shift} ELSE 0 END - {self.days.offset})"
        return f"{moment} - {moment} % {unit}"

    def _named(self, row: Mapping[str, Any]) -> str:
        match = billed_model(self.book, row["seller"], row["model"])
        return match.model if match else plain_name(row["model"])

    def _labels(self, row: Mapping[str, Any]) -> tuple[str | None, ...]:
        return tuple(row[name] if told else None for name, told in zip(LABELS, self.labels, strict=True))

    def _add(self, found: dict[Key, Usage], span: Span, row: Mapping[str, Any]) -> None:
        labels, mode = self._labels(row), row["mode"]
        usage = found[Key(self.provider, span, self._named(row), None, labels)]
        usage.calls += row["calls"]
        usage.subscription_calls += row["subscription_calls"]
        usage.subscription += row["subscription"]
        usage.rows[mode] += row["rows"]
        usage.unpriced[mode] += row["unpriced"]
        usage.unpriced_calls += row["unpriced_calls"]
        usage.unpriced_tokens += row["unpriced_tokens"]
        usage.reported_rows += row["reported"]
        rest = row["cost"]
        for name in PRICED_TOKENS:
            kind = name.removesuffix("_tokens")
            usage.tokens[kind] += row[name]
            if row[kind]:
                usage.amounts[mode, kind] += row[kind]
                rest -= row[kind]
        for item, _, unit in ITEMS:
            if row[unit]:
                beside = found[Key(self.provider, span, None, item, labels)]
                beside.amounts[mode, None] += row[unit]
                beside.rows[mode] += row[f"{unit}_rows"]
                rest -= row[unit]
        if rest:
            usage.amounts[mode, None] += rest


_FROM = """FROM calls AS c
LEFT JOIN prices AS p ON p.price_id = c.price_id
LEFT JOIN sources AS s ON s.source_id = c.source_id"""

_SUBSCRIBED = "coalesce(c.billing = 'subscription', FALSE)"
_REPORTED = f"coalesce(s.format IN {USAGE_REPORTS}, FALSE)"
_PROMPT = "(" + " + ".join(f"coalesce(c.{name}, 0)" for name in INPUT_TOKENS) + ")"
_REASONING = "least(coalesce(c.reasoning_tokens, 0), c.output_tokens)"

_PARTS = {
    **{
        name.removesuffix("_tokens"): f"c.{name} * p.{name.removesuffix('_tokens')}_pico"
        for name in INPUT_TOKENS
    },
    "output": f"(c.output_tokens - {_REASONING}) * p.output_pico + {_REASONING} * p.reasoning_pico",
    **{unit: f"c.other_units['{unit}'] * p.other_units_pico['{unit}']" for _, _, unit in ITEMS},
}
"""What a call's cost is made of, by kind of token and by unit of an item."""

# A unit of 0 need not have a price.
_PRICED = {name: f"CASE WHEN c.cost_pico IS NOT NULL THEN coalesce({sql}, 0) ELSE 0 END"
           for name, sql in _PARTS.items()}  # fmt: skip
_TOKENS_COST = "c.cost_pico" + "".join(f" - {_PRICED[unit]}" for _, _, unit in ITEMS)


def _figures(engine: Engine) -> dict[str, str]:
    """SQL of the sums, of what is not under a subscription where nothing else is said."""

    def number(sql: str, where: str = "true") -> str:
        return f"CAST(coalesce(sum({sql}) FILTER ({where}), 0) AS BIGINT)"

    def money(sql: str, where: str) -> str:
        return f"coalesce({engine.money_sum(f'CASE WHEN {where} THEN {sql} END')}, 0)"

    metered, tokens = f"NOT {_SUBSCRIBED}", " + ".join(f"coalesce(c.{name}, 0)" for name in PRICED_TOKENS)
    unpriced = f"{metered} AND c.cost_pico IS NULL"
    return {
        "calls": number("coalesce(c.requests, 1)"),
        "rows": number("1", metered),
        "cost": money("c.cost_pico", metered),
        "subscription": money("c.cost_pico", _SUBSCRIBED),
        "subscription_calls": number("coalesce(c.requests, 1)", _SUBSCRIBED),
        "unpriced": number("1", unpriced),
        "unpriced_calls": number("coalesce(c.requests, 1)", unpriced),
        "unpriced_tokens": number(tokens, unpriced),
        "reported": number("1", f"{metered} AND {_REPORTED}"),
        **{name: number(f"c.{name}", metered) for name in PRICED_TOKENS},
        **{name: money(sql, metered) for name, sql in _PRICED.items()},
        **{f"{unit}_rows": number("1", f"{metered} AND c.other_units['{unit}'] > 0") for _, _, unit in ITEMS},
    }
