"""``costctl sources`` and ``costctl rejects``: what the ledger knows of the files that were read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.session import LEDGER, OUTPUT, ZONE, Session, command

app = typer.Typer()

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", help="Files, as `costctl sources` names them. Default: all."),
]


@command(app, "sources", ZONE, OUTPUT, LEDGER, examples="costctl sources\ncostctl sources --format json")
def sources(session: Session) -> None:
    """List the files that were read, and whether the ledger has all that is in them.

    The state of a file is current, grown, changed, gone or unreadable; the bytes waiting at its end are what
    the next ingest will read.
    """
    from costctl import analysis

    session.show(analysis.sources(session.ledger, zone=session.settings.zone))


@command(app, "rejects", OUTPUT, LEDGER, examples="costctl rejects\ncostctl rejects usage.jsonl --format csv")
def rejects(session: Session, files: Files = None) -> None:
    """List the lines that could not be read, with the reason of each.

    The lines themselves are there only where they were read with --keep-rejects.
    """
    from costctl import analysis

    session.show(analysis.rejects(session.ledger, sources=[source_name(file) for file in files or ()]))


def source_name(file: str) -> str:
    """The name that the ledger has for ``file``: its real path; that of a stream is as it is listed."""
    path = Path(file).expanduser()
    return os.path.realpath(path) if os.path.lexists(path) else file
