"""``costctl simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, PRICES, Session, command

if TYPE_CHECKING:
    from costctl.report import Report
    from costctl.simulate.waterfall import Attribution

app = typer.Typer()

Plan = Annotated[
    str,
    typer.Argument(metavar="PLAN", help="A plan.yaml: levers, and what each does.", show_default=False),
]
AttributionOption = Annotated[
    str,
    typer.Option(
        "--attribution",
        metavar="sequence|shapley",
        help="Who gets the credit: each step for what it saves in its place; by Shapley also for the mean of "
        "what it saves over all orders.",
        rich_help_panel="Shape",
    ),
]


@command(
    app,
    "simulate",
    PERIOD,
    FILTER,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    examples="""
costctl simulate plan.yaml --month 2024-10
costctl simulate plan.yaml --last 30d --where team=search --attribution shapley
costctl simulate plan.yaml --month 2024-10 --format json --out simulated.json
""",
)
def simulate(session: Session, plan: Plan, attribution: AttributionOption = "sequence") -> None:
    """Say what several levers would have saved together, step by step.

    They act in their natural order, whatever the file's: eliminate, trim, route, cache, batch, discount. Each
    step is what its lever saves of the calls as the steps before it left them, so that the steps add up.
    """
    from costctl.cli.report import say_where_calls_are

    answer = of_plan(session, Path(plan).expanduser(), attribution)
    session.show(answer)
    if not answer.calls:
        say_where_calls_are(session, answer)


def of_plan(session: Session, plan: Path, attribution: str = "sequence") -> Report:
    """What ``plan`` saves of the session's calls. Raises :class:`costctl.documents.DocumentError`, and what
    :func:`costctl.simulate.plan.simulate` raises."""
    from costctl.cli.progress import Step
    from costctl.simulate.plan import simulate
    from costctl.simulate.plan_file import read

    levers = read(plan)
    with Step(session.settings.quiet) as step:
        return simulate(
            session.ledger,
            levers,
            book=session.book,
            period=session.period,
            where=session.filters,
            grain=session.grain,
            attribution=cast("Attribution", attribution),
            progress=step.show,
        )
