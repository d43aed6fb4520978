"""The provider's side of a comparison: lines of bills, each once, in whole days, in the words of the book.

Where several reports of one provider (an API's and an export of its console, say) are of one time, one of
them counts: one that tells models apart before one that does not, then the one with more decimal places, then
the one with more lines. Usage and what is no usage (credits, taxes) are chosen apart.

A bill's days are its own: nearly all vendors' begin at midnight UTC, some at another hour.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING, NamedTuple

from costctl.periods.zones import microseconds
from costctl.pricing.naming import billed_model, plain_name

if TYPE_CHECKING:
    from costctl.ledger import Engine
    from costctl.periods import Period
    from costctl.pricing.book import PriceBook

DAY = 86_400 * 1_000_000
"""Microseconds."""

CENT = 10**10
"""Pico-dollars."""

LABELS = ("project", "workspace", "api_key")
"""What both a bill and calls may say."""

ITEMS: tuple[tuple[str, str, str], ...] = (
    ("web search", r"web[ _-]?search", "web_search_requests"),
    ("file search", r"file[ _-]?search", "file_search_requests"),
    ("code execution", r"code[ _-]?(execution|interpreter)", "code_interpreter_sessions"),
    ("storage", r"storage|vector[ _-]?store", "vector_store_bytes"),
)
"""What is billed beside tokens: its name, how bills spell it, and the unit of a call."""

_EPOCH = date(1970, 1, 1).toordinal()


class Span(NamedTuple):
    """A time of a bill, in days since 1970 of that bill: from ``first`` up to, not including, ``end``."""

    first: int
    end: int

    @property
    def is_day(self) -> bool:
        return self.end - self.first == 1

    def __str__(self) -> str:
        first, last = (date.fromordinal(_EPOCH + day).isoformat() for day in (self.first, self.end - 1))
        return first if self.is_day else f"{first} to {last}"


@dataclass(frozen=True, slots=True)
class Line:
    """Equal lines of a bill, added up. ``model`` is the book's, None where it is not told; ``item`` is set
    where no tokens are billed; ``token`` is the kind of token where it is told. ``amount``: pico-dollars."""

    provider: str
    span: Span
    model: str | None
    item: str | None
    mode: str | None
    token: str | None
    kind: str
    labels: tuple[str | None, ...]
    amount: int
    lines: int


@dataclass(frozen=True, slots=True)
class Days:
    """When a provider's bill is of. ``offset``: microseconds after midnight UTC at which its days begin;
    ``spans``: the times of its lines of usage, in order; ``rounding``: pico-dollars that a line's amount may
    be off, half of its last decimal place."""

    offset: int
    spans: tuple[Span, ...]
    rounding: int
    states_models: bool
    states_modes: bool

    @property
    def covered(self) -> Span:
        return Span(self.spans[0].first, max(span.end for span in self.spans))

    @property
    def start(self) -> int:
        """The first instant that is covered, in microseconds since 1970."""
        return self.instant(self.covered.first)

    @property
    def end(self) -> int:
        return self.instant(self.covered.end)

    @property
    def ahead(self) -> int:
        return _ahead(self.offset)

    def instant(self, day: int) -> int:
        return (day - self.ahead) * DAY + self.offset

    def span_of(self, day: int) -> Span | None:
        """The time of the bill that a day is in: within what is covered a day without lines is one itself."""
        place = bisect_right(self.spans, day, key=lambda span: span.first) - 1
        if place >= 0 and day < self.spans[place].end:
            return self.spans[place]
        covered = self.covered
        return Span(day, day + 1) if covered.first <= day < covered.end else None


def _ahead(offset: int) -> int:
    """How many days a bill's day is ahead of the UTC day in which it begins: one, where it begins in the
    evening."""
    return 1 if offset > DAY // 2 else 0


@dataclass(frozen=True, slots=True)
class Bill:
    """``days`` has the providers with usage on it. ``notes`` say what was left out."""

    lines: list[Line]
    days: Mapping[str, Days]
    notes: tuple[str, ...]


class _Report(NamedTuple):
    """What tells one report of a provider from another."""

    format: str
    states_models: bool
    states_projects: bool


class _Row(NamedTuple):
    """What charges have in common, and their sum."""

    provider: str | None
    model: str | None
    mode: str | None
    line_item: str | None
    kind: str | None
    currency: str | None
    project: str | None
    workspace: str | None
    api_key: str | None
    format: str | None
    source_id: int
    start: int
    end: int | None
    amount: int
    lines: int
    decimals: int


def _decimals() -> str:
    """SQL for how many decimal places an amount has, at least two."""
    places = " ".join(f"WHEN c.amount_pico % {10 ** (12 - n)} = 0 THEN {n}" for n in range(2, 12))
    return f"CASE {places} ELSE 12 END"


def bill(engine: Engine, period: Period, book: PriceBook) -> Bill:
    """What the charges of a ledger say of the days that begin in ``period`` (as dates, whatever their zone).
    Currencies other than USD are left out."""
    rows = [
        _Row(*row)
        for row in engine.rows(
            "SELECT c.provider, c.model, c.mode, c.line_item, c.kind, c.currency, c.project, "  # noqa: S608
            "c.workspace, c.api_key, s.format, c.source_id, epoch_us(c.period_start), "
            f"epoch_us(c.period_end), {engine.money_sum('c.amount_pico')}, CAST(count(*) AS BIGINT), "
            f"max({_decimals()}) "
            "FROM charges AS c LEFT JOIN sources AS s ON s.source_id = c.source_id "
            "GROUP BY ALL ORDER BY ALL"
        )
    ]
    foreign = Counter[tuple[str, str]]()
    known: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        provider = book.provider(row.provider) if row.provider else ""
        if row.currency not in (None, "USD"):
            foreign[provider, str(row.currency)] += row.lines
        else:
            known[provider].append(row)
    lines: list[Line] = []
    days: dict[str, Days] = {}
    notes = [f"{count(n, 'charge')} of {provider or 'unknown providers'} in {currency} left out: "
             "only USD is compared" for (provider, currency), n in sorted(foreign.items())]  # fmt: skip
    for provider, of_provider in sorted(known.items()):
        usage = [row for row in of_provider if row.kind in (None, "usage")]
        others = [row for row in of_provider if row.kind not in (None, "usage")]
        offset = _offset(usage or others)
        span = {row: _span(row, offset) for row in of_provider}
        counted: dict[bool, list[_Row]] = {}
        for is_usage, part in ((True, usage), (False, others)):
            asked = [row for row in part if _is_of(span[row], period)]
            counted[is_usage], left_out = _chosen(asked, span)
            notes += [note.format(provider or "unknown providers") for note in left_out]
        read = [_line(row, provider, span[row], book) for part in counted.values() for row in part]
        lines += read
        if used := counted[True]:
            days[provider] = Days(
                offset,
                _apart(span[row] for row in used),
                max(10 ** (12 - max(row.decimals for row in used)) // 2, 1),
                any(line.model for line in read),
                any(line.mode for line in read),
            )
    return Bill(lines, days, tuple(notes))


def _apart(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Those in which calls are sought, in order: not a month beside its days (a line of a fee, say)."""
    taken: set[int] = set()
    apart: list[Span] = []
    for span in sorted({*spans}, key=lambda each: (each.end - each.first, each)):
        if taken.isdisjoint(range(*span)):
            taken.update(range(*span))
            apart.append(span)
    return tuple(sorted(apart))


def count(number: int, name: str) -> str:
    """``1 charge``, ``1,200 charges``."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _offset(rows: Iterable[_Row]) -> int:
    starts = Counter[int]()
    for row in rows:
        starts[row.start % DAY] += row.lines
    return min(starts, key=lambda start: (-starts[start], start))


def _span(row: _Row, offset: int) -> Span:
    first = (row.start - offset) // DAY + _ahead(offset)
    length = 1 if row.end is None else -((row.start - row.end) // DAY)
    return Span(first, first + max(length, 1))


def _is_of(span: Span, period: Period) -> bool:
    start, end = (
        None if each is None else microseconds(each.astimezone(period.zone).replace(tzinfo=UTC))
        for each in (period.start, period.end)
    )
    return (start is None or span.first * DAY >= start) and (end is None or span.first * DAY < end)


def _chosen(rows: Sequence[_Row], span: Mapping[_Row, Span]) -> tuple[list[_Row], Iterator[str]]:
    """The rows that count, and notes on the reports that do not, with a place for the provider's name."""
    of_source: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        of_source[row.source_id].append(row)
    reports: dict[_Report, list[_Row]] = defaultdict(list)
    for of_one in of_source.values():
        report = _Report(
            of_one[0].format or "unknown",
            any(row.model or row.line_item for row in of_one),
            any(row.project for row in of_one),
        )
        reports[report] += of_one
    ranked = sorted(
        reports,
        key=lambda report: (
            not report.states_models,
            -max(row.decimals for row in reports[report]),
            -sum(row.lines for row in reports[report]),
            report,
        ),
    )
    counted: list[_Row] = []
    left_out: dict[str, list[_Row]] = defaultdict(list)
    taken: set[int] = set()
    for report in ranked:
        free = [row for row in reports[report] if taken.isdisjoint(range(*span[row]))]
        counted += free
        if len(free) < len(reports[report]):
            left_out[report.format] += [row for row in reports[report] if row not in {*free}]
        taken.update(day for row in free for day in range(*span[row]))
    return counted, (
        f"{count(sum(row.lines for row in of_one), 'charge')} of {{}} ({format}) on "
        f"{count(len({span[row] for row in of_one}), 'day')} left out: another report tells of them"
        for format, of_one in sorted(left_out.items())
    )


def _line(row: _Row, provider: str, span: Span, book: PriceBook) -> Line:
    kind = row.kind or "usage"
    token = _token(row)
    model = None
    if row.model:
        match = billed_model(book, row.provider, row.model)
        model = match.model if match else plain_name(row.model)
    item = None
    if kind == "usage" and model is None and row.line_item and token is None:
        item = _item(row.line_item)
    labels = (row.project, row.workspace, row.api_key)
    return Line(provider, span, model, item, row.mode, token, kind, labels, row.amount, row.lines)


def _item(words: str) -> str:
    return next((name for name, pattern, _ in ITEMS if re.search(pattern, words, re.IGNORECASE)), words)


def _token(row: _Row) -> str | None:
    """The kind of token of a line: ``cache_creation.ephemeral_1h_input_tokens`` (Anthropic's API),
    ``input_cache_write_1h`` (its Console), ``gpt-4o-2024-08-06, cached input`` (OpenAI)."""
    words = (row.line_item or "").lower()
    if row.model:
        words = words.rpartition(f"{row.model.lower()}")[2]
    if not re.search(r"input|output", words) or re.search(r"audio|image|second|character|search", words):
        return None
    if re.search(r"creation|write", words):
        return "cache_write_1h" if "1h" in words else "cache_write_5m"
    if "output" in words:
        return "output"
    is_cached = re.search(r"cache", words) and not re.search(r"uncached|no_cache", words)
    return "cache_read" if is_cached else "input"
