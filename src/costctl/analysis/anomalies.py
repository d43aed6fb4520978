"""Days that cost more than they should have, and what made them do so.

Every team, project, model (or what else is asked for) is judged for itself, and all calls together: a total
hides what is up in one place and down in another. Three rules: a series above its usual level
(:mod:`costctl.series.anomalies`), a model whose calls cost many times what they did, and a model, user or API
key that was never seen before and costs much on its first day. The last two need no history of weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from costctl.analysis.calls import Calls, Sums, filters_of
from costctl.analysis.daily import Day, Days, costs, daily, date_of
from costctl.analysis.dimensions import Dimension, Key, dimension, dimensions
from costctl.analysis.grain import grain_of
from costctl.analysis.known import DAY, Known, known
from costctl.analysis.provenance import span, with_provenance
from costctl.analysis.questions import QuestionError
from costctl.filters import Filter
from costctl.money import rounded, share, to_pico
from costctl.periods import Period, day_start
from costctl.report import Cell, Column, Report
from costctl.series import LEAST_HISTORY, PROFILE, judged

if TYPE_CHECKING:
    from costctl.ledger import Ledger

SCOPES = ("team", "project", "model")
LEAST_IMPACT = Decimal(10)
"""USD. What costs less too much is told to nobody."""
UNSEEN = Decimal(50)
"""USD. What was never seen before may cost so much on its first day."""

Rule = Literal["level", "cost per call", "first day"]

_SHARE = Fraction(1, 5)
"""Of what was expected: less too much is no anomaly, however steady a series is."""
_TIMES = 5
"""A model whose calls cost more than so many times what they did is conspicuous."""
_CALLS_OF = 28
"""Days of whose mean costs of a call the median is what they did cost."""
_FEWEST = 3
"""Days with calls, without which that is not known."""
_BEFORE = 14
"""Days whose parts of the cost say what each contributor would have cost."""
_NAMED = 3
_DIGITS = 6
"""Decimal places of a pico-dollar that are not said of what was expected: an estimate has no such digits."""

_MODEL = dimension("model")
_MAY_BE_NEW = tuple(map(dimension, ("model", "user", "api_key")))
_CONTRIBUTORS = tuple(map(dimension, ("team", "project", "model", "user")))

_COLUMNS = (
    Column("day", "time"),
    Column("scope", "text"),
    Column("value", "text"),
    Column("rule", "text"),
    Column("cost", "money"),
    Column("expected", "money"),
    Column("impact", "money"),
    Column("impact_share", "percent", title="over expected"),
    Column("z", "number", wide=True),
    Column("contributors", "text", wide=True),
)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A ``day`` on which the calls that share ``value`` of ``scope`` (None: all calls) cost ``cost`` in the
    place of ``expected``, in pico-dollars."""

    day: date
    scope: Dimension | None
    value: str | None
    rule: Rule
    cost: int
    expected: int
    z: float | None = None

    @property
    def impact(self) -> int:
        return self.cost - self.expected


def anomalies(
    ledger: Ledger,
    by: str | Iterable[str] = SCOPES,
    *,
    period: Period,
    now: datetime,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    least: Decimal | int = LEAST_IMPACT,
    unseen: Decimal | int = UNSEEN,
    top: int | None = None,
) -> Report:
    """The days of ``period`` that cost too much, as at ``now`` (aware), by day, the greatest impact first.

    Each value of each of ``by`` is judged for itself, and all calls together. ``impact`` is what a day cost
    above what was ``expected``: at least ``least`` (USD) and a fifth of it. ``unseen``: how much (USD) a
    model, user or API key may cost on its first day. ``contributors`` are the three that added most.
    ``top``: show the so many with the greatest impact. A day in progress counts as far as it has come.

    Figures: ``days`` (how many were looked at), and of all that was found ``anomalies`` (how many) and
    ``greatest_impact`` (0 without any).
    Raises :class:`QuestionError`, :class:`costctl.filters.FilterError`, :class:`costctl.ledger.LedgerError`.
    """
    asked = dimensions(by)
    for each in asked:
        if each.is_time:
            raise QuestionError(
                f"every {each.name} is looked at anyway", "as in --by team or --by team,model"
            )
    floor, first_day = _amount("least impact", least), _amount("unseen", unseen)
    if top is not None and top < 1:
        raise QuestionError(f"the top {top} anomalies are none", "ask for one at least")
    passed, of_grain = filters_of(where), grain_of(grain)
    with ledger.reading() as engine:
        until = known(engine, now, period.zone)
        days = [] if until is None else _days(period, until)
        if until is None or not days:
            notes = ["there are no calls: nothing is looked at"]
            if until is not None:
                notes = list(_unknown(period, now, until, days))
            nothing = _report([], [], 0, notes)
            return with_provenance(nothing, Calls(engine, period, passed, of_grain), Sums())
        zone = period.zone
        whole = Calls(engine, Period(None, until.until, zone, ""), passed, of_grain)

        def part(first: date, after: date) -> Calls:
            end = min(day_start(after, zone), until.until)
            return replace(whole, period=Period(day_start(first, zone), end, zone, ""))

        scopes: list[tuple[Dimension, ...]] = [(), *((each,) for each in asked)]
        if _MODEL not in asked:
            scopes.append((_MODEL,))
        groups = daily(part(days[0] - PROFILE * DAY, days[-1] + DAY), scopes)
        judges = _Judges(days, floor)
        found = [
            each
            for scope, of_scope in zip(scopes[: len(asked) + 1], groups, strict=False)
            for each in judges.levels(scope[0] if scope else None, of_scope)
        ]
        found += judges.costs_per_call(groups[scopes.index((_MODEL,))])
        found += _new(whole, days, until, first_day)
        shown = sorted(found, key=lambda each: (-each.impact, _order(each)))[:top]
        shown.sort(key=_order)
        causes: dict[tuple[date, Dimension | None], dict[Key, Days]] = {}
        for day, scope in {(each.day, each.scope) for each in shown}:
            (causes[day, scope],) = daily(part(day - _BEFORE * DAY, day + DAY), (_keys(scope),))
        rows = [(each, _contributors(each, causes[each.day, each.scope])) for each in shown]
        notes = [*_told(rows), *judges.notes(), *_unknown(period, now, until, days)]
        scored = part(days[0], days[-1] + DAY)
        report = _report(rows, found, len(days), notes)
        report = with_provenance(report, scored, scored.sums().get((), Sums()))
    return replace(report, period=span(period))


def _order(anomaly: Anomaly) -> tuple[date, int, str, str, str]:
    scope = "" if anomaly.scope is None else anomaly.scope.name
    return anomaly.day, -anomaly.impact, scope, anomaly.value or "", anomaly.rule


def _days(period: Period, until: Known) -> list[date]:
    """The days that ``period`` touches and the ledger knows of."""
    first, last = until.first, until.today if until.has_begun else until.last
    if period.start is not None:
        first = max(first, period.start.astimezone(period.zone).date())
    if period.end is not None:
        last = min(last, (period.end - timedelta(microseconds=1)).astimezone(period.zone).date())
    return [first + number * DAY for number in range((last - first).days + 1)]


def _unknown(period: Period, now: datetime, until: Known, days: Sequence[date]) -> Iterator[str]:
    """What of the period was not looked at, and what otherwise than asked."""
    zone, last = period.zone, until.until - timedelta(microseconds=1)
    end = now if period.end is None else min(now, period.end)
    asked = (end - timedelta(microseconds=1)).astimezone(zone).date()
    if not days and asked < until.first:
        yield f"the first call is of {until.first}: of these days nothing is known"
    elif not days or (period.end is not None and asked - days[-1] > DAY):
        yield f"calls are known until {last:%Y-%m-%d %H:%M}: no day after that is looked at"
    if days and days[-1] == until.today:
        yield f"{until.today} counts as far as it has come: until {last:%H:%M}"
    if days and any(
        each is not None and each < last and each != day_start(each.astimezone(zone).date(), zone)
        for each in (period.start, period.end)
    ):
        yield "each day that the period touches is looked at as a whole"


def _amount(name: str, usd: Decimal | int) -> int:
    try:
        amount = to_pico(usd)
    except ValueError as error:
        raise QuestionError(f"{name}: {error}") from None
    if amount < 0:
        raise QuestionError(f"{name}: {usd} USD is less than nothing", "give an amount of 0 or more")
    return amount


class _Judges:
    """The rules that look at daily sums, and how many series had too short a history for a verdict."""

    def __init__(self, days: Sequence[date], floor: int) -> None:
        self._days = days
        self._floor = floor
        self._series = 0
        self._unjudged = 0

    def levels(self, scope: Dimension | None, groups: Mapping[Key, Days]) -> Iterator[Anomaly]:
        if scope is not None and groups.keys() == {(None,)}:
            return  # no call has such a label: these are all calls
        start = self._days[0] - PROFILE * DAY
        for key, days in groups.items():
            every = costs(days, start, self._days[-1] + DAY)
            is_short = False
            for number, day in enumerate(self._days):
                cost = every[PROFILE + number]
                if cost < max(self._floor, 1):
                    continue
                verdict = judged(every[number : PROFILE + number], cost)
                if verdict is None:
                    is_short = True
                    continue
                expected = round(verdict.expected, -_DIGITS)
                if verdict.is_unusual and self._matters(cost - expected, expected):
                    value = scope.label(key[0]) if scope else None
                    yield Anomaly(day, scope, value, "level", cost, expected, verdict.z)
            self._series += 1
            self._unjudged += is_short

    def _matters(self, impact: int, expected: int) -> bool:
        return impact >= self._floor and impact >= _SHARE * expected

    def costs_per_call(self, models: Mapping[Key, Days]) -> Iterator[Anomaly]:
        for key, days in models.items():
            for day in self._days:
                of_day = days.get(day, Day())
                if of_day.counted_cost < max(self._floor, 1):
                    continue
                before = [days.get(day - back * DAY, Day()) for back in range(1, _CALLS_OF + 1)]
                means = [Fraction(each.counted_cost, each.requests) for each in before if each.requests]
                if len(means) < _FEWEST or not of_day.requests:
                    continue
                usual = sorted(means)[len(means) // 2]
                expected = round(usual * of_day.requests)
                impact = of_day.counted_cost - expected
                if of_day.counted_cost > _TIMES * usual * of_day.requests and impact >= max(self._floor, 1):
                    value = _MODEL.label(key[0])
                    yield Anomaly(day, _MODEL, value, "cost per call", of_day.counted_cost, expected)

    def notes(self) -> list[str]:
        if not self._unjudged:
            return []
        return [
            f"{self._unjudged:,} of {self._series:,} series had less than {LEAST_HISTORY} days of history on "
            "some of these days: no verdict on their level then"
        ]


def _new(whole: Calls, days: Sequence[date], until: Known, floor: int) -> Iterator[Anomaly]:
    """What is first seen in ``days``, and not on the ledger's first day, when everything is."""
    engine = whole.engine
    for scope in _MAY_BE_NEW:
        keys, condition, parameters = whole.selection((scope, dimension("day")))
        cost = engine.money_sum("cost_pico")
        rows = engine.rows(
            f"""WITH asked AS (
    SELECT {", ".join(keys)}, coalesce({cost}, 0) AS cost_pico
    FROM calls
    WHERE {condition}
    GROUP BY ALL
),
firsts AS (SELECT key_0, min(key_1) AS key_1 FROM asked WHERE key_0 IS NOT NULL GROUP BY key_0)
SELECT asked.key_0, asked.key_1, asked.cost_pico
FROM asked JOIN firsts ON firsts.key_0 = asked.key_0 AND firsts.key_1 = asked.key_1""",  # noqa: S608
            parameters,
        )
        for value, number, pico in rows:
            day = date_of(number)
            if days[0] <= day <= days[-1] and day > until.first and pico > floor:
                yield Anomaly(day, scope, scope.label(value), "first day", int(pico), 0)


def _keys(scope: Dimension | None) -> tuple[Dimension, ...]:
    """By what contributors are told apart; a ``scope`` comes first."""
    others = tuple(each for each in _CONTRIBUTORS if each != scope)
    return others if scope is None else (scope, *others)


def _contributors(anomaly: Anomaly, groups: Mapping[Key, Days]) -> str:
    """Those that cost most above what they would have, had each kept its part in the last two weeks' cost;
    ``groups`` are by :func:`_keys`."""
    names = _keys(anomaly.scope)
    before: dict[Key, int] = {}
    cost: dict[Key, int] = {}
    for key, days in groups.items():
        if anomaly.scope is None or key[0] == anomaly.value:
            cost[key] = days.get(anomaly.day, Day()).cost
            before[key] = sum(each.cost for day, each in days.items() if day < anomaly.day)
    whole = sum(before.values())
    # Where nothing was before, all of it is added by who there is now.
    added = {
        key: cost[key] - (round(Fraction(anomaly.expected * before[key], whole)) if whole else 0)
        for key in cost
    }
    named = sorted((key for key in added if added[key] > 0), key=lambda key: (-added[key], str(key)))
    said = []
    for key in named[:_NAMED]:
        labels = [
            f"{name.name} {value}"
            for name, value in zip(names, key, strict=True)
            if value is not None and name != anomaly.scope
        ]
        part = share(added[key], anomaly.impact) or 0
        said.append(f"{', '.join(labels) or 'no label'} +${rounded(added[key]):,} ({part:.0%})")
    return "; ".join(said)


def _told(rows: Sequence[tuple[Anomaly, str]]) -> Iterator[str]:
    """Who the greatest come from: a table has no room for it."""
    for each, contributors in sorted(rows, key=lambda row: (-row[0].impact, _order(row[0])))[:_NAMED]:
        whose = "all" if each.scope is None else f"{each.scope.name} {each.value or '(none)'}"
        if contributors:
            yield f"{each.day} {whose}: {contributors}"


def _report(
    rows: Sequence[tuple[Anomaly, str]], found: Sequence[Anomaly], days: int, notes: Iterable[str]
) -> Report:
    cells: list[tuple[Cell, ...]] = [
        (
            each.day.isoformat(),
            "all" if each.scope is None else each.scope.name,
            each.value,
            each.rule,
            each.cost,
            each.expected,
            each.impact,
            share(each.impact, each.expected),
            None if each.z is None else Decimal(each.z).quantize(Decimal("0.1")),
            contributors,
        )
        for each, contributors in rows
    ]
    return Report(
        command="anomalies",
        title="Anomalies",
        columns=_COLUMNS,
        rows=cells,
        figures={
            "days": days,
            "anomalies": len(found),
            "greatest_impact": max((each.impact for each in found), default=0),
        },
        figure_columns=(
            Column("days", "count", title="days looked at"),
            Column("anomalies", "count"),
            Column("greatest_impact", "money"),
        ),
        notes=tuple(notes),
    )
