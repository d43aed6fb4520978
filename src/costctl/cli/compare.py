"""``costctl compare``."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.gate import GATE, Condition, Measured, condition, gate
from costctl.cli.session import FILTER, LEDGER, MONEY, NOW, OUTPUT, PRICES, ZONE, Session, command
from costctl.cli.values import count
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.periods import Period
    from costctl.report import Report

app = typer.Typer()

SHAPE, PERIOD = "Shape", "Period"

Base = Annotated[
    str,
    typer.Option(
        "--base",
        metavar="WHEN",
        help="The period before: 2024-10, 2024-W40, last-month, 2024-10-01, or two with .. between them: "
        "2024-10-01..2024-10-14.",
        rich_help_panel=PERIOD,
    ),
]
With = Annotated[
    str,
    typer.Option("--with", metavar="WHEN", help="The period after it, as --base.", rich_help_panel=PERIOD),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="What a row stands for: team, model, project, user, tag:NAME, or several: team,model.",
        show_default="one row a measure",
        rich_help_panel=SHAPE,
    ),
]
Top = Annotated[
    str | None,
    typer.Option(
        "--top",
        metavar="N",
        help="The N rows with the greatest change (without --by: models), and one for the rest.",
        rich_help_panel=SHAPE,
    ),
]
FailIf = Annotated[
    str | None,
    typer.Option(
        "--fail-if",
        metavar="CONDITION",
        help='Exit 4 where this holds of all calls: "cost_per_request > +10%", "cost > +500", '
        '"cache_hit_rate < -5pp", "mean_latency_ms > 2000", "tokens_per_call > +5%" (of the cost before).',
        rich_help_panel=GATE,
    ),
]


@command(
    app,
    "compare",
    FILTER,
    ZONE,
    NOW,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    doing="comparing",
    examples="""
costctl compare --base 2024-10 --with 2024-11
costctl compare --base 2024-10 --with 2024-11 --by team
costctl compare --base last-month --with this-month --where team=search --format md
costctl compare --base 2024-10-01..2024-10-14 --with yesterday --fail-if 'cost_per_request > +10%'
""",
)
def compare(
    session: Session,
    base: Base,
    with_: With,
    by: By = None,
    top: Top = None,
    fail_if: FailIf = None,
) -> None:
    """Compare two periods: what changed, why, and whether it may be chance.

    The change of the cost is taken apart, to the last pico-dollar, into volume (more or fewer requests), mix
    (other models), tokens per call, and price. 95 % intervals come from days drawn again and again.
    """
    from costctl import analysis

    limit = None if fail_if is None else _condition(fail_if)
    answer = analysis.compare(
        session.ledger,
        by or (),
        base=_period("--base", base, session),
        period=_period("--with", with_, session),
        book=session.book,
        where=session.filters,
        grain=session.grain,
        top=None if top is None else count("--top", top),
    )
    if limit is None:
        session.show(answer)
        return
    measured = _measured(answer, limit.name)
    # A comment on a pull request should say it too.
    verdict = {True: "holds", False: "does not hold", None: "is not passed"}[limit.holds(measured)]
    said = measured.said or limit.said(measured)
    session.show(replace(answer, notes=(*answer.notes, f"{limit.text} {verdict}: {said}")))
    gate(session, limit, [measured])


def _period(option: str, text: str, session: Session) -> Period:
    """What ``text`` says; as far as it is over. Raises :class:`costctl.periods.PeriodError`."""
    from costctl.periods import PeriodError, period

    first, dots, last = text.partition("..")
    zone, now = session.settings.zone, session.now
    try:
        found = period(since=first.strip(), until=last.strip() if dots else first.strip(), zone=zone, now=now)
    except PeriodError as error:
        # The period knows the options of reports.
        message = str(error).replace("--since", option).replace("--until", option)
        raise PeriodError(message, error.hint) from None
    assert found.start is not None
    assert found.end is not None
    if found.start >= now:
        raise SettingError(f"{option}: {text!r} has not begun", "give a period that has")
    if found.end > now:
        found = replace(found, end=now, label=f"{text} so far")
    return found


def _condition(text: str) -> Condition:
    from costctl.analysis import MEASURED, STEPS

    kinds = {each.name: each.kind for each in MEASURED}
    found = condition(text, {**kinds, **dict.fromkeys(STEPS, "money")}, against="before")
    if found.name in STEPS and not found.is_change:
        raise SettingError(
            f"--fail-if: {text!r}: {found.name} is a change of the cost",
            f'as in "{found.name} > +5%", of the cost before',
        )
    return found


def _measured(answer: Report, name: str) -> Measured:
    """``name`` of all calls; a step as what the cost would be by it alone, beside the cost before. A period
    without calls is no measure of anything: what was to be compared may be missing."""
    from costctl.analysis import MEASURED, STEPS

    for when in ("before", "after"):
        if not any(_cells(answer, "cost", when) + _cells(answer, "requests", when)):
            return Measured("money", None, said="there are no calls to compare")
    kinds = {each.name: each.kind for each in MEASURED}
    if kinds.get(name, "money") == "money" and not answer.complete:
        calls = answer.unpriced.calls
        some = "1 call has" if calls == 1 else f"{calls:,} calls have"
        return Measured("money", None, said=f"it cannot be told: {some} no price; --where can leave them out")
    if name in STEPS:
        (cost,), (change,) = _cells(answer, "cost", "before"), _cells(answer, name, "change")
        assert isinstance(change, int)
        return Measured("money", None if cost is None else int(cost) + change, cost)
    before, after = _cells(answer, name, "before", "after")
    return Measured(kinds[name], after, before)


def _cells(answer: Report, name: str, *columns: str) -> list[int | Decimal | None]:
    """Of the row of a measure; or of the totals, where rows are groups."""
    from costctl.report import Quantity

    place = {column.name: number for number, column in enumerate(answer.columns)}
    if answer.totals is not None:
        row = answer.totals
        places = [place[name if column == "change" else f"{name}_{column}"] for column in columns]
    else:
        row = next(row for row in answer.rows if row[place["name"]] == name)
        places = [place[column] for column in columns]
    cells = [cell.value if isinstance(cell, Quantity) else cell for cell in (row[each] for each in places)]
    return [None if isinstance(cell, str) else cell for cell in cells]
