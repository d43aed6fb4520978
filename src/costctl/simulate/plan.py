"""``simulate``: several levers on the same calls, as a waterfall whose steps add up to the joint saving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.grain import grain_of
from costctl.analysis.questions import unknown
from costctl.filters import Filter
from costctl.ledger import Ledger
from costctl.money import rounded, share
from costctl.periods import Period
from costctl.pricing.book import PriceBook
from costctl.report import Cell, Chart, Column, Report
from costctl.simulate.state import Lever
from costctl.simulate.waterfall import ATTRIBUTIONS, FEWEST_DAYS, Attribution, Waterfall, waterfall

AS_IT_WAS = "as it was"


def simulate(
    ledger: Ledger,
    levers: Iterable[Lever],
    *,
    book: PriceBook,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
    attribution: Attribution = "sequence",
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """What the calls would have cost under ``levers``, taken in their natural order whatever their own: what
    each one saves of what the former has left, and what it would have saved alone. ``progress`` is told what
    is being waited for.

    Raises :class:`QuestionError` for no lever or two of a kind, FilterError and LedgerError.
    """
    if attribution not in ATTRIBUTIONS:
        raise unknown("attribution", attribution, ATTRIBUTIONS)
    conditions, of_grain = filters_of(where), grain_of(grain)
    with ledger.reading() as engine:
        found = waterfall(Calls(engine, period, conditions, of_grain), book, levers, attribution, progress)
        return found.states.told(_report(found), found.missed)


def _report(found: Waterfall) -> Report:
    before, after = found.costs[0], found.costs[-1]
    credited, single = found.credit is not None, len(found.steps) == 1
    columns = (
        Column("step", "text"),
        Column("calls", "count", title="calls changed"),
        Column("saving", "money"),
        Column("share", "percent", title="of the cost"),
        *((Column("credit", "money"),) if credited else ()),
        Column("alone", "money", title="saving alone", hidden=single),
        Column("cost", "money", title="cost left"),
    )
    blank: tuple[Cell, ...] = (None,) * (len(columns) - 2)
    rows: list[tuple[Cell, ...]] = [(AS_IT_WAS, *blank, before)]
    for place, lever in enumerate(found.states.levers):
        step = found.steps[place]
        credit = (found.credit[place],) if found.credit is not None else ()
        rows.append(
            (
                lever.name,
                found.changed[place],
                step,
                share(step, before),
                *credit,
                found.alone[place],
                found.costs[place + 1],
            )
        )
    alone, interval = sum(found.alone), found.interval
    joint: tuple[Cell, ...] = (found.saving,) if credited else ()
    return Report(
        command="simulate",
        title=f"What would have been saved: {', '.join(lever.name for lever in found.states.levers)}",
        columns=columns,
        rows=rows,
        totals=(None, None, found.saving, share(found.saving, before), *joint, alone, after),
        charts=(Chart("bar", "cost", full=max(found.costs), gone="saving"),) if before > 0 else (),
        notes=tuple(_notes(found, alone, single)),
        figures={
            "cost_before": before,
            "cost_after": after,
            "saving": found.saving,
            "saving_share": share(found.saving, before),
            "saving_low": None if interval is None else round(interval.low),
            "saving_high": None if interval is None else round(interval.high),
            "saving_alone": alone,
            "over_claim": _over(alone, found.saving),
        },
        figure_columns=(
            Column("cost_before", "money", hidden=True),
            Column("cost_after", "money", hidden=True),
            Column("saving", "money", title="joint saving"),
            Column("saving_share", "percent", hidden=True),
            Column("saving_low", "money", title="at least (95 %)"),
            Column("saving_high", "money", title="at most (95 %)"),
            Column("saving_alone", "money", title="sum of savings alone", hidden=single),
            Column("over_claim", "percent", title="over-claim of that sum", hidden=single),
        ),
    )


def _over(alone: int, saving: int) -> Decimal | None:
    """By which share of ``saving`` the sum of the savings ``alone`` is more than it; None where none is."""
    return share(alone - saving, saving) if saving > 0 else None


def _notes(found: Waterfall, alone: int, single: bool) -> Iterator[str]:
    if not single:
        yield (
            "each step is what its lever saves of the calls as the steps before it left them; the savings "
            "alone are of the calls as they were, and count some dollars twice: their sum is no saving"
        )
    if found.credit is not None:
        yield (
            "the credit is by Shapley: the mean saving of a lever over all orders in which they could be "
            "taken up, to the whole pico-dollar"
        )
    if found.interval is not None:
        yield (
            "at least and at most: a 95 % interval of the saving, from days drawn again within their weekday "
            f"({found.interval.draws:,} draws, seed {found.interval.seed})"
        )
        if found.saving and found.interval.holds_zero:
            yield "the interval holds 0: the saving is not significant"
    elif found.days:
        days = len(found.days)
        yield f"no interval of the saving: it takes {FEWEST_DAYS} days, and these are {days}"
    for lever, step, changed in zip(found.states.levers, found.steps, found.changed, strict=True):
        if not changed:
            yield f"{lever.name}: no call is reached, so nothing is saved"
        elif step < 0:
            yield f"{lever.name} costs more: ${rounded(-step):,f}"
    if alone < found.saving:
        yield "together the levers save more than each alone"
