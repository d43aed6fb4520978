"""``costctl budgets``: the file, and where each budget stands. Who is told stands in :mod:`.alerts`."""

from __future__ import annotations

import difflib
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli import alerts
from costctl.cli.help import Group
from costctl.cli.session import BUDGETS, LEDGER, MONEY, NOW, OUTPUT, ZONE, CommandError, Session, command

if TYPE_CHECKING:
    from costctl.budgets import Budgets

app = typer.Typer()

budgets = typer.Typer(cls=Group)
app.add_typer(
    budgets,
    name="budgets",
    help="Say what may be spent, see where it stands, and be told in time.",
    epilog="""
costctl budgets validate
costctl budgets status
costctl budgets check --max-age 26h
costctl budgets schema
""",
)
budgets.registered_commands += alerts.app.registered_commands

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these budgets.")]
Channel = Annotated[str, typer.Argument(metavar="NAME", help="A channel of budgets.yaml.")]
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
    from costctl.report import Column, Outcome

    said = session.read_budgets(None if without_secrets else os.environ)
    _check_currencies(session, said)
    untold = [budget.name for budget in said.budgets if not budget.channels]
    session.show(
        Outcome(
            "budgets validate",
            (Column("file", "text"), Column("budgets", "count"), Column("channels", "count")),
            (str(said.path), len(said.budgets), len(said.channels)),
            notes=(f"nobody is told of {', '.join(untold)}: no channels",) if untold else (),
        )
    )


def _check_currencies(session: Session, said: Budgets) -> None:
    """Raises :class:`costctl.documents.DocumentError` where a budget's currency has no rate today: the file
    may be right by itself, but no check could be made of it."""
    from costctl.currency import USD, CurrencyError
    from costctl.documents import DocumentError

    today = session.now.astimezone(session.settings.zone).date()
    faults = []
    for budget in said.budgets:
        if budget.currency != USD:
            try:
                session.rates.on(budget.currency, today)
            except (CurrencyError, CommandError) as error:
                message = f"the budget {budget.name!r} is in {budget.currency}, and {error}"
                faults.append(DocumentError(str(said.path), budget.line, 1, message, error.hint))
    if faults:
        raise DocumentError.of(faults)


@command(
    budgets,
    "schema",
    examples="""
costctl budgets schema
# kept as budgets.schema.json, editors find it by the first line of budgets.yaml:
# yaml-language-server: $schema=budgets.schema.json
""",
)
def schema(session: Session) -> None:  # noqa: ARG001
    """Print the JSON schema of budgets.yaml, the one that it is checked by."""
    from costctl.documents import SCHEMAS
    from costctl.render import closed_pipe_ends_quietly

    with closed_pipe_ends_quietly(sys.stdout):
        sys.stdout.write((SCHEMAS / "budgets.json").read_text(encoding="utf-8"))


@command(
    budgets,
    "test-channel",
    BUDGETS,
    OUTPUT,
    examples="""
costctl budgets test-channel ops-slack
""",
)
def test_channel(session: Session, name: Channel) -> None:
    """Send a message to a channel that says it is a test. Exits with 1 if it did not arrive."""
    from costctl.budgets.channels.trial import trial

    channels = session.read_budgets(os.environ).channels
    if name not in channels:
        near = difflib.get_close_matches(name, channels, n=1)
        known = f"known are {', '.join(channels)}" if channels else "the file has no channels:"
        hint = f"did you mean {near[0]}?" if near else known
        raise CommandError(f"there is no channel {name!r}", hint, "not_found")
    sent, outcome = trial(channels[name])
    if not sent.ok:
        later = "try again later: this may pass"
        hint = "see to its settings in budgets.yaml" if sent.final else later
        raise CommandError(f"channel {name}: {sent.status}", hint, "not_sent")
    session.show(outcome)
