"""``costctl report`` and ``costctl bill``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, MONTH, OUTPUT, PERIOD, Session, command
from costctl.cli.values import amount, count
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.report import Report

app = typer.Typer()

SHAPE = "Shape"

By = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="What a row stands for: model, provider, team, project, user, agent, session, api_key, "
        "workspace, mode, region, billing, error_type, tag:NAME, hour, day, week, month, or several: "
        "team,model.",
        rich_help_panel=SHAPE,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAMES",
        help="The figures to show, in this order: cost, share, requests, input_tokens, cache_read_tokens, "
        "cache_write_tokens, total_input_tokens, output_tokens, success_rate, mean_latency_ms, "
        "p95_latency_ms, caching_rate, cache_hit_rate, mean_prompt_tokens, cost_per_request, cost_per_mtok.",
        rich_help_panel=SHAPE,
    ),
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="NAME",
        help="Order the rows by this name or figure; :asc or :desc after it turns the order round.",
        rich_help_panel=SHAPE,
    ),
]
Top = Annotated[
    str | None,
    typer.Option("--top", metavar="N", help="The first N rows, and one for the rest.", rich_help_panel=SHAPE),
]
Pivot = Annotated[
    bool,
    typer.Option(
        "--pivot",
        help="Of a time and another name: time downwards, the other to the right.",
        rich_help_panel=SHAPE,
    ),
]

Showback = Annotated[
    bool,
    typer.Option(
        "--showback",
        help="Split the costs that teams share, as allocation.yaml says. Needs team in --by.",
        rich_help_panel=SHAPE,
    ),
]

ROOM_FOR_ALL = 160
"""Columns of a terminal below which a table does not show every figure."""


@command(
    app,
    "report",
    FILTER,
    PERIOD,
    OUTPUT,
    MONEY,
    LEDGER,
    doing="adding up the calls",
    examples="""
costctl report
costctl report --by team,model --last 7d
costctl report --by day --month 2024-10 --where team=search
costctl report --by day,model --pivot --last 2w
costctl report --by tag:env --where 'model~opus' --columns cost,requests --sort requests
costctl report --by user --top 10 --out users.csv
costctl report --by team --showback --month 2024-10
""",
)
def report(
    session: Session,
    by: By = "model",
    columns: Columns = None,
    sort: Sort = None,
    top: Top = None,
    pivot: Pivot = False,
    showback: Showback = False,
) -> None:
    """Show what calls cost, by team, user, model, day or any label.

    The table shows the figures that fit; JSON and CSV hold all of them. The costs are exact: each call at the
    price that held when it was made.
    """
    from costctl import analysis

    if showback:
        if columns or sort or top or pivot:
            raise SettingError(
                "--showback has columns of its own", "without --columns, --sort, --top, --pivot"
            )
        session.show(
            analysis.showback(
                session.ledger, by, period=session.period, where=session.filters, grain=session.grain
            )
        )
        return
    answer = analysis.summary(
        session.ledger,
        by,
        period=session.period,
        where=session.filters,
        grain=session.grain,
        columns=_names(columns),
        omit=() if _has_room(session) else (analysis.P95,),
        top=None if top is None else count("--top", top),
        sort=sort,
        pivot=pivot,
    )
    session.show(answer)
    if not answer.calls:
        say_where_calls_are(session, answer)


Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="USD",
        help="Compare the month with this amount.",
    ),
]


@command(
    app,
    "bill",
    FILTER,
    MONTH,
    OUTPUT,
    MONEY,
    LEDGER,
    doing="adding up the calls",
    examples="""
costctl bill --month 2024-10
costctl bill --month 2024-10 --budget 50000
costctl bill --month last-month --where team=search --format json
costctl bill --month 2024-10 --currency TWD
""",
)
def bill(session: Session, budget: Budget = None) -> None:
    """Show a month's bill by model, beside the month before.

    Without --month it is the last whole month's.
    """
    from costctl import analysis

    answer = analysis.bill(
        session.ledger,
        month=session.given["month"] or "last-month",
        zone=session.settings.zone,
        now=session.now,
        where=session.filters,
        grain=session.grain,
        budget=None if budget is None else amount("--budget", budget),
    )
    session.show(answer)
    if not answer.calls:
        say_where_calls_are(session, answer)


def _has_room(session: Session) -> bool:
    """Whether every figure will be shown: the slow ones need not be found for a narrow table."""
    from costctl.terminal import width_of

    return (
        session.settings.format != "table" or session.out is not None or width_of(sys.stdout) >= ROOM_FOR_ALL
    )


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def say_where_calls_are(session: Session, answer: Report) -> None:
    """An answer without calls may be a period or a condition that was meant otherwise, or an empty ledger."""
    from costctl.analysis import summary
    from costctl.periods import Period

    ever = Period(None, None, session.settings.zone, "all time")
    months = summary(session.ledger, "month", period=ever, columns=["requests"])
    if not months.calls:
        session.say("the ledger is empty: costctl ingest PATH reads usage into it")
        return
    first, last = months.rows[0][0], months.rows[-1][0]
    asked = "such calls" if answer.filters else "calls"
    session.say(f"no {asked} in this period; the ledger has {months.calls:,} calls from {first} to {last}")
