"""``costctl budgets``: the file, and where each budget stands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from costctl.cli.help import Group
from costctl.cli.session import BUDGETS, LEDGER, MONEY, NOW, OUTPUT, ZONE, Session, command

app = typer.Typer()

budgets = typer.Typer(cls=Group)
app.add_typer(
    budgets,
    name="budgets",
    help="Say what may be spent, see where it stands, and be told in time.",
    epilog="""
costctl budgets validate
costctl budgets status
costctl budgets schema > budgets.schema.json
""",
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these budgets.")]
WithoutSecrets = Annotated[
    bool,
    typer.Option("--without-secrets", help="Do not look up what ${NAME} and ${file:PATH} stand for."),
]


@command(
    budgets,
    "status",
    BUDGETS,
    NOW,
    ZONE,
    OUTPUT,
    MONEY,
    LEDGER,
    examples="""
costctl budgets status
costctl budgets status company search
costctl budgets status --now 2024-10-15 --format json
""",
)
def status(session: Session, names: Names = None) -> None:
    """Show what was spent of each budget, what its period will come to, and what may be spent a day.

    A forecast is of the whole period; in four cases of five the figure comes to lie between "at least" and
    "at most", which a wide terminal shows, and every other format. Days left count today.
    """
    from costctl.budgets.status import status as standing

    said = session.read_budgets(None)
    session.show(
        standing(
            session.ledger,
            said,
            session.now,
            zone=session.settings.zone,
            rates=session.rates_of(said),
            names=names or (),
        )
    )


@command(
    budgets,
    "validate",
    BUDGETS,
    OUTPUT,
    examples="""
costctl budgets validate
costctl budgets validate --budgets budgets.yaml --without-secrets
""",
)
def validate(session: Session, without_secrets: WithoutSecrets = False) -> None:
    """Check a budgets.yaml, and name every fault with its line. Exits with 1 if there is one.

    What channels take from the environment and from files of their own is looked up too, unless
    --without-secrets is given, and never shown.
    """
    import os

    from costctl.report import Column, Outcome

    said = session.read_budgets(None if without_secrets else os.environ)
    untold = [budget.name for budget in said.budgets if not budget.channels]
    session.show(
        Outcome(
            "budgets validate",
            (Column("file", "text"), Column("budgets", "count"), Column("channels", "count")),
            (str(said.path), len(said.budgets), len(said.channels)),
            notes=(f"nobody is told of {', '.join(untold)}: no channels",) if untold else (),
        )
    )


@command(
    budgets,
    "schema",
    examples="""
costctl budgets schema > budgets.schema.json
# then, as the first line of budgets.yaml, for editors:
# yaml-language-server: $schema=budgets.schema.json
""",
)
def schema(session: Session) -> None:  # noqa: ARG001
    """Print the JSON schema of budgets.yaml, the one that it is checked by."""
    from costctl.documents import SCHEMAS
    from costctl.render import closed_pipe_ends_quietly

    with closed_pipe_ends_quietly(sys.stdout):
        sys.stdout.write((SCHEMAS / "budgets.json").read_text(encoding="utf-8"))
