"""What changed between two periods: the before/after report, why the cost changed, and how sure that is.

Two forms. Without ``by``, a row is a measure, and each cell brings its own kind
(:class:`costctl.report.Quantity`). With ``by``, a row is a group of calls, and the steps of
:mod:`costctl.analysis.decomposition` are columns. Intervals are of drawn days (:mod:`costctl.series`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from costctl.analysis.before_after import before_after
from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.changes import (
    MEASURED,
    MICROSECOND,
    STEPS,
    a_year,
    beside,
    bounds,
    cost_is_known,
    ends,
    length,
    verdict,
)
from costctl.analysis.decomposition import added
from costctl.analysis.dimensions import Dimension, Key, dimensions, other, title
from costctl.analysis.grain import grain_of
from costctl.analysis.provenance import with_provenance
from costctl.analysis.questions import QuestionError
from costctl.analysis.two_periods import FEWEST_DAYS, MOST_GROUPS, MOST_ROWS, TwoPeriods, together
from costctl.filters import Filter
from costctl.money import share
from costctl.periods import Period
from costctl.report import Cell, Column, Report, Unpriced
from costctl.series import DRAWS, SEED, Interval

if TYPE_CHECKING:
    from costctl.ledger import Ledger
    from costctl.pricing.book import PriceBook

_SURE_DAYS = 14
_DAY = timedelta(days=1)


def compare(
    ledger: Ledger,
    by: str | Iterable[str] = (),
    *,
    base: Period,
    period: Period,
    book: PriceBook,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    top: int | None = None,
    seed: int = SEED,
) -> Report:
    """What changed from ``base`` to ``period``, each with a start and an end, and neither in the other.

    Without ``by`` one row a measure: ``measure`` (for people), ``name``, ``model`` (where it is the share of
    the requests of one), ``unit``; ``before``, ``after``, ``change`` (of shares in points), ``change_share``
    (as a part of before; of a step, of the cost before); ``low`` and ``high``, between which the change lies
    in 95 % of drawn days; ``verdict``: "significant", or "not significant" where 0 is between them. The
    steps ``volume``, ``mix``, ``tokens_per_call`` and ``price`` add up to the change of the cost exactly.

    With ``by`` (labels) one row a group, greatest change of the cost first: ``cost_before``, ``cost_after``,
    ``change``, ``change_share``, the steps, ``low``, ``high``, ``verdict`` (also "new" and "discontinued"),
    and every other measure before and after. ``top``: as many rows (without ``by``: shares of models), and
    one for the rest.

    Figures: ``saving``, what mix and tokens per call saved (other volume and other prices are no one's
    saving), with ``saving_low`` and ``saving_high``; ``change``, ``change_share`` and ``annualised`` (the
    change of the cost in a year: 12 months like these, or 365 days); ``base_start``, ``base_end``. The
    report's period is the later one; ``complete`` and what says that calls have no price speak of both.

    ``book`` says what the same tokens would have cost at the prices of the base. Raises
    :class:`QuestionError`, :class:`costctl.filters.FilterError`, :class:`costctl.ledger.LedgerError`.
    """
    asked = dimensions(by)
    _check(asked, base, period, top)
    passed, of_grain = filters_of(where), grain_of(grain)
    with ledger.reading() as engine:
        calls = [Calls(engine, each, passed, of_grain) for each in (base, period)]
        both = TwoPeriods(calls[0], calls[1], asked, book, seed)
        both.read()
        stands_on = _provenance(both)
    report = _groups(both, top) if asked else before_after(both, top)
    # The year is a row of measures.
    report = _with_figures(report, both, hidden=() if asked else ("annualised",))
    return replace(
        stands_on,
        title=report.title,
        columns=report.columns,
        rows=report.rows,
        totals=report.totals,
        figures=report.figures,
        figure_columns=report.figure_columns,
        notes=(*_notes(both, bool(asked)), *_of_books(stands_on, book), *stands_on.notes),
    )


def _check(by: Sequence[Dimension], base: Period, period: Period, top: int | None) -> None:
    if times := [each.name for each in by if each.is_time]:
        raise QuestionError(f"two periods have no {times[0]} in common", "give --by labels, as in --by team")
    if top is not None and top < 1:
        raise QuestionError(f"the top {top} rows are none", "ask for one at least")
    for each in (base, period):
        if each.start is None or each.end is None or each.start >= each.end:
            raise QuestionError(
                f"{each.label} is no period with a beginning and an end",
                "as in 2024-10, or 2024-10-01..2024-10-14",
            )
    (base_start, base_end), (start, end) = bounds(base), bounds(period)
    if base_start < end and start < base_end:
        raise QuestionError(
            f"{base.label} and {period.label} have days in common", "give periods that do not"
        )


# --- one row a group --------------------------------------------------------------------------------------


def _groups(both: TwoPeriods, top: int | None) -> Report:
    keys = sorted(both.rows, key=lambda key: [(value is None, str(value or "")) for value in key])
    keys.sort(key=lambda key: -abs(both.rows[key].change))
    shown = [[key] for key in keys[:top]]
    labels: list[Sequence[Cell]] = [_labels(both.by, key) for (key,) in shown]
    if rest := keys[len(shown) :]:
        shown.append(rest)
        labels.append(other(len(rest), len(both.by)))
    intervals: Sequence[Interval | None] = [None] * len(shown)
    if both.can_be_drawn and both.has_few_rows:
        intervals = both.change_intervals(shown)
    of_all = both.figure_intervals(lambda pair: [pair.change])[0] if both.can_be_drawn else None
    rows = [
        (*label, *_group(both, group, interval))
        for label, group, interval in zip(labels, shown, intervals, strict=True)
    ]
    before, after = both.before.period.label, both.after.period.label
    pairs = [
        replace(
            measure.column(False),
            name=f"{measure.name}_{when}",
            title=f"{measure.column(False).title} {label}",
            wide=True,
        )
        for measure in MEASURED[1:]
        for when, label in (("before", before), ("after", after))
    ]
    return Report(
        command="compare",
        title=f"{title('Cost', both.by)}: {after} against {before}",
        columns=(
            *(each.column for each in both.by),
            Column("cost_before", "money", title=before),
            Column("cost_after", "money", title=after),
            Column("change", "money"),
            Column("change_share", "percent", title="change %", wide=True),
            *(Column(name, "money", wide=name == "price" and not both.prices.models) for name in STEPS),
            Column("low", "money", title="95% from", wide=True),
            Column("high", "money", title="95% to", wide=True),
            Column("verdict", "text"),
            *pairs,
        ),
        rows=rows,
        totals=(*(None for _ in both.by), *_group(both, keys, of_all)),
    )


def _labels(by: Sequence[Dimension], key: Key) -> list[Cell]:
    return [each.label(value) for each, value in zip(by, key, strict=True)]


def _group(both: TwoPeriods, keys: Sequence[Key], interval: Interval | None) -> list[Cell]:
    pair = together(both.rows[key] for key in keys)
    found = added(both.effects[key] for key in keys)
    cost, *others = (beside(measure, pair) for measure in MEASURED)
    is_known = cost_is_known(pair)
    interval = interval if is_known else None
    told = verdict(interval)
    if pair.before.rows and not pair.after.rows:
        told = "discontinued"
    elif pair.after.rows and not pair.before.rows:
        told = "new"
    return [
        *cost,
        *((pair.change, share(pair.change, pair.before.cost)) if is_known else (None, None)),
        *(getattr(found, name) if is_known else None for name in STEPS),
        *ends(interval, "money"),
        told,
        *(value for pair_of_one in others for value in pair_of_one),
    ]


# --- both -------------------------------------------------------------------------------------------------


def _with_figures(report: Report, both: TwoPeriods, hidden: Sequence[str]) -> Report:
    """``report`` with its figures, of which people do not see those that are ``hidden``."""
    change = change_share = annualised = saving = low = high = None
    if costs := a_year(both):
        change, annualised = both.whole.change, costs[1] - costs[0]
        change_share = share(change, both.whole.before.cost)
        saving = added(both.effects.values()).saving
        low, high = ends(both.saving_interval(), "money")
    start, end = both.before.period.isoformat()
    figures: list[tuple[Column, Cell]] = [
        (Column("change", "money", hidden=True), change),
        (Column("change_share", "percent", hidden=True), change_share),
        (Column("annualised", "money", title="change in a year"), annualised),
        (Column("saving", "money", title="saved by mix and tokens per call"), saving),
        (Column("saving_low", "money", title="95% from", hidden=low is None), low),
        (Column("saving_high", "money", title="95% to", hidden=high is None), high),
        (Column("base_start", "time", hidden=True), start),
        (Column("base_end", "time", hidden=True), end),
    ]
    return replace(
        report,
        figures={column.name: value for column, value in figures},
        figure_columns=tuple(
            replace(column, hidden=column.hidden or column.name in hidden) for column, _ in figures
        ),
    )


def _notes(both: TwoPeriods, by_groups: bool) -> Iterator[str]:
    before, after = both.before.period, both.after.period
    yield f"base: {_dates(before)}"
    groups = ", and other groups" if by_groups else ""
    yield (
        "volume: more or fewer requests, at the base's mean cost of one. mix: other models, modes or regions"
        f"{groups}, new and discontinued ones too. price: the same tokens at the base's prices and at these. "
        "tokens per call: the rest. They add up exactly"
    )
    models = both.prices.models
    yield (
        f"other prices than in the base: {', '.join(models)}"
        if models
        else "no price changed between the periods"
    )
    if both.prices.unlike:
        yield (
            "calls of these whose cost is not that of the price book are left out of price: "
            f"{both.prices.unlike:,}; costctl reprice gives them its own"
        )
    if any(each.unpriced_rows for each in both.whole):
        yield (
            "calls without a price are in no step, as if nobody had made them: volume and mix may be of those"
        )
    if uncounted := both.whole.before.uncounted + both.whole.after.uncounted:
        yield f"rows that do not say how many requests they are: {uncounted:,}; what they cost is volume"
    lengths = [length(each) for each in (before, after)]
    if lengths[0] != lengths[1]:
        days = [f"{each / _DAY:.4g}" for each in lengths]
        yield f"the base has {days[0]} days and {after.label} {days[1]}: volume is of both as they are"
    yield from _of_days(both)


def _of_books(stands_on: Report, book: PriceBook) -> Iterator[str]:
    if foreign := [each for each in stands_on.price_books if each not in book.identifiers]:
        yield (
            f"the ledger is priced by {', '.join(foreign)} too, which price knows nothing of: "
            "a price that changed there counts as tokens per call; --prices names it"
        )


def _of_days(both: TwoPeriods) -> Iterator[str]:
    for calls, sums in zip((both.before, both.after), both.whole, strict=True):
        period, span = calls.period, calls.span
        if not sums.rows:
            yield f"{period.label}: there are no{' such' if calls.where else ''} calls"
            continue
        if span is None:
            continue
        start, end = bounds(period)
        if span[0] >= start + _DAY:
            yield f"{period.label}: the ledger has no calls before {_date(span[0], period)}"
        if span[1] <= end - _DAY:
            yield f"{period.label}: the ledger has no calls after {_date(span[1] - MICROSECOND, period)}"
    counts = [len(days) for days in both.days]
    if not both.can_be_drawn:
        days = f"{counts[0]} and {counts[1]} days with data"
        yield f"no intervals: {days}, and {FEWEST_DAYS} of each are the least"
        return
    yield (
        f"from and to: 95 % of {DRAWS:,} draws of days, within weekdays, seed {both.seed}; not significant: "
        "0 is between them"
    )
    if not both.by and len(both.groups) > MOST_GROUPS:
        yield (
            f"the steps have no intervals where there are more than {MOST_GROUPS:,} models, modes and regions"
        )
    if not both.has_few_rows:
        yield f"rows have no intervals where there are more than {MOST_ROWS:,}"
    if min(counts) < _SURE_DAYS:
        yield f"only {min(counts)} days: the intervals are rough, {_SURE_DAYS} are better"


def _dates(period: Period) -> str:
    start, end = bounds(period)
    first, last = _date(start, period), _date(end - MICROSECOND, period)
    return first if first == last else f"{first} to {last}"


def _date(moment: datetime, period: Period) -> str:
    return moment.astimezone(period.zone).date().isoformat()


def _provenance(both: TwoPeriods) -> Report:
    """A report without rows, and what it stands on. What is said of calls without a price, and of buckets, is
    of both periods."""
    empty = Report("compare", "", (), [])
    base = with_provenance(empty, both.before, both.whole.before)
    found = with_provenance(empty, both.after, both.whole.after)
    unpriced = base.unpriced, found.unpriced
    return replace(
        found,
        calls=(found.calls or 0) + (base.calls or 0),
        complete=found.complete and base.complete,
        unpriced=Unpriced(
            sum(each.calls for each in unpriced),
            sum(each.tokens for each in unpriced),
            tuple(sorted({model for each in unpriced for model in each.models})),
        ),
        notes=(*found.notes, *(f"base: {each}" for each in base.notes)),
    )
