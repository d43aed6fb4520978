"""``costctl doctor``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from costctl import config
from costctl.cli.session import LEDGER, NOW, OUTPUT, PRICES, ZONE, CommandError, Options, Session, command

app = typer.Typer()

Strict = Annotated[bool, typer.Option("--strict", help="Exit with 4 where something needs attention.")]


def _begin(given: Options) -> Session:
    """The session; where costctl.yaml is at fault, without it."""
    from costctl.documents import DocumentError

    try:
        return Session.begin(given)
    except DocumentError:
        os.environ["COSTCTL_CONFIG"] = os.devnull  # an empty one; the fault is told in its place
        session = Session.begin(given)
        return replace(session, settings=session.settings._replace(file=None))


def _fault() -> str:
    """What is wrong with the costctl.yaml that holds; "" if nothing is."""
    from costctl.documents import DocumentError

    try:
        config.load(_ENVIRONMENT)
    except DocumentError as error:
        return "; ".join(str(each) for each in error.errors)
    except config.SettingError:
        pass  # in a variable: that has ended the command before
    return ""


_ENVIRONMENT = dict(os.environ)
"""As it was when the program began."""


@command(
    app,
    "doctor",
    {**ZONE, **NOW},
    OUTPUT,
    LEDGER,
    PRICES,
    begin=_begin,
    examples="""
costctl doctor
costctl doctor --strict --quiet --format json
""",
)
def doctor(session: Session, strict: Strict = False) -> None:
    """Look for what is wrong, or soon will be, with the ledger and what feeds it.

    Nothing is changed. The exit code is 1 only where there is a ledger that cannot be read.
    """
    from costctl.cli.progress import Step
    from costctl.doctor import Case
    from costctl.doctor import doctor as examine
    from costctl.ingest.discover import claude_code_directories

    case = Case(
        session.ledger,
        session.settings,
        session.now,
        _fault(),
        tuple(Path(each) for each in claude_code_directories(_ENVIRONMENT)),
    )
    with Step(session.settings.quiet) as step:
        step.show("looking")
        done = examine(case)
    written = session.out.suffix.lower() if session.out else f".{session.settings.format}"
    session.show(done.report(narrow=written in (".table", ".txt")))
    if done.unreadable:
        raise CommandError("the ledger cannot be read", "the row of the ledger says why", "ledger_unreadable")
    if strict and done.attention:
        session.say("--strict: something needs attention")
        raise typer.Exit(4)
