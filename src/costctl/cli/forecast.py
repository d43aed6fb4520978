"""``costctl forecast``."""

from __future__ import annotations

from typing import Annotated

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, Session, command
from costctl.cli.values import amount, count
from costctl.config import SettingError

app = typer.Typer()

SHAPE, METHOD = "Shape", "Method"

By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="What a row stands for, besides the whole: model, provider, team, project, user, tag:NAME, any "
        "other label, or several: team,model.",
        rich_help_panel=SHAPE,
    ),
]
Top = Annotated[
    str | None,
    typer.Option(
        "--top",
        metavar="N",
        help="The N rows with the greatest forecast, and one for the rest; of a backtest those that cost "
        "most.",
        rich_help_panel=SHAPE,
    ),
]
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="NAME",
        help="How days to come are told: weekdays (a smoothed level and the profile of the weekdays), "
        "weekday-mean (of four weeks), trailing-mean (of seven days), run-rate (of the period so far). "
        "Default: weekdays from 14 days of history on, trailing-mean from 7, else run-rate.",
        rich_help_panel=METHOD,
    ),
]
Backtest = Annotated[
    bool,
    typer.Option(
        "--backtest",
        help="Show how good each method would have been in the last twelve whole months.",
        rich_help_panel=METHOD,
    ),
]
Stated = Annotated[
    str | None,
    typer.Option(
        "--stated",
        metavar="USD",
        help="Hold this forecast, which someone states, against what the calls give.",
        rich_help_panel=METHOD,
    ),
]

# The last days up to now are nothing to forecast.
_DATES = {name: option for name, option in PERIOD.items() if name != "last"}


@command(
    app,
    "forecast",
    FILTER,
    _DATES,
    OUTPUT,
    MONEY,
    LEDGER,
    doing="looking at past days",
    examples="""
costctl forecast
costctl forecast --by team --month 2024-10 --now 2024-10-15T12:00
costctl forecast --since 2024-Q4 --until 2024-Q4 --now 2024-11-01
costctl forecast --month 2024-12 --now 2024-11-01 --stated 285000
costctl forecast --backtest --by team --top 3
""",
)
def forecast(
    session: Session,
    by: By = None,
    top: Top = None,
    method: MethodName = None,
    backtest: Backtest = False,
    stated: Stated = None,
) -> None:
    """Show what a month, or any other period of whole days, will have cost at its end.

    Without a period it is this month. In four of five cases the figure comes to lie between "at least" and
    "at most". Beside it: what is spent, the run rate (the mean of the period's days so far), the forecast for
    a year, and what the last two whole months give if they are straightly continued.
    """
    from costctl import analysis

    rows = None if top is None else count("--top", top)
    dates = [name for name in ("since", "until", "month") if session.given[name] is not None]
    if backtest:
        if taken := [f"--{name}" for name in dates] or [
            name for name, value in (("--method", method), ("--stated", stated)) if value is not None
        ]:
            raise SettingError(
                f"--backtest and {taken[0]} contradict each other",
                "it is of the last twelve whole months, by every method; --now says until when",
            )
        answer = analysis.backtest(
            session.ledger,
            by or (),
            zone=session.settings.zone,
            now=session.now,
            where=session.filters,
            grain=session.grain,
            top=rows,
        )
    else:
        from costctl.periods import period

        answer = analysis.forecast(
            session.ledger,
            by or (),
            period=period(
                **({name: session.given[name] for name in dates} or {"month": "this-month"}),
                zone=session.settings.zone,
                now=session.now,
            ),
            now=session.now,
            where=session.filters,
            grain=session.grain,
            method=method,
            top=rows,
            stated=None if stated is None else amount("--stated", stated),
        )
    session.show(answer)
    if not (answer.rows or backtest):
        session.say("no such calls before this time: there is nothing to continue")
