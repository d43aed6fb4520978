"""``costctl allocate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.session import ALLOCATION, LEDGER, MONEY, OUTPUT, CommandError, Session, command
from costctl.config import ALLOCATION_NAME, SettingError

if TYPE_CHECKING:
    from costctl.allocation import Allocation

app = typer.Typer()

Apply = Annotated[bool, typer.Option("--apply", help="Change the ledger. Without it, only show what would.")]
Unallocated = Annotated[
    bool,
    typer.Option("--unallocated", help="List the calls that no rule is for and that have no team, by cost."),
]


@command(
    app,
    "allocate",
    ALLOCATION,
    OUTPUT,
    MONEY,
    LEDGER,
    examples="""
costctl allocate --unallocated
costctl allocate
costctl allocate --apply
""",
)
def allocate(session: Session, apply: Apply = False, unallocated: Unallocated = False) -> None:
    """Give calls to teams, projects and users by rules, where their source does not say.

    The rules stand in an allocation.yaml. It is shown what they would change; --apply changes it, for the
    calls that are there and for all that come. The sources' own words are kept: without a rule, a call has
    its own labels again.
    """
    from costctl import analysis, ingest
    from costctl.allocation import NOTHING

    rules = _rules(session)
    if unallocated:
        if apply:
            raise SettingError("--unallocated changes nothing", "leave out --apply")
        session.show(analysis.unallocated(session.ledger, rules or NOTHING))
        return
    if rules is None:
        raise CommandError(
            f"there are no rules: no {ALLOCATION_NAME} beside costctl.yaml, or here",
            "name one with --allocation; `costctl allocate --unallocated` lists the calls without a team",
            "not_found",
        )
    assert session.settings.allocation is not None
    file = session.settings.allocation.name
    session.show(ingest.allocate(session.ledger, rules, apply=apply, file=file))


def _rules(session: Session) -> Allocation | None:
    """What the allocation.yaml says; None where there is none."""
    from costctl.allocation import read

    return read(session.settings.allocation) if session.settings.allocation else None
