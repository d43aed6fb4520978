"""``costctl prices`` and ``costctl reprice``."""

from __future__ import annotations

from typing import Annotated

import typer

from costctl.cli.help import Group
from costctl.cli.session import LEDGER, OUTPUT, PRICES, Session, command

app = typer.Typer()

prices = typer.Typer(cls=Group)
app.add_typer(
    prices,
    name="prices",
    help="Look up what models cost, and how a price comes about.",
    epilog="""
costctl prices check
""",
)


@command(prices, "check", OUTPUT, LEDGER, examples="costctl prices check\ncostctl prices check --format json")
def check(session: Session) -> None:
    """List the calls of the ledger that have no price.

    Exits with 4 where there are any.
    """
    from costctl import analysis

    report = analysis.unpriced(session.ledger)
    session.show(report)
    if not report.complete:
        session.say("a prices.yaml can name a price: --prices FILE, then `costctl reprice --unpriced`")
        raise typer.Exit(4)


Unpriced = Annotated[bool, typer.Option("--unpriced", help="Only the calls that have no price yet.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would change, and leave the ledger as it is.")
]


@command(
    app,
    "reprice",
    OUTPUT,
    LEDGER,
    PRICES,
    examples="""
costctl reprice --unpriced
costctl reprice --prices prices.yaml --dry-run
""",
)
def reprice(session: Session, unpriced: Unpriced = False, dry_run: DryRun = False) -> None:
    """Price the calls of the ledger anew.

    Each call gets the price of its own day. Nothing else moves a price that a call has: not a newer costctl,
    nor a changed prices.yaml.
    """
    from costctl import ingest

    session.show(ingest.reprice(session.ledger, session.book, unpriced=unpriced, dry_run=dry_run))
