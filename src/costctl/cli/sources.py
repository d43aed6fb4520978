"""``costctl sources`` and ``costctl rejects``: what the ledger knows of the files that were read."""

from __future__ import annotations

from typing import Annotated

import typer

from costctl.cli.session import LEDGER, OUTPUT, PRICES, ZONE, Session, command
from costctl.config import SettingError

app = typer.Typer()

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", help="Files, as `costctl sources` names them. Default: all."),
]
Forgotten = Annotated[
    list[str] | None, typer.Argument(metavar="SOURCE", help="Files, as `costctl sources` names them.")
]
Person = Annotated[
    str,
    typer.Option(
        "--user",
        metavar="NAME",
        help="Instead of files: a person's name, wherever it stands. Their calls stay, without it.",
        show_default=False,
    ),
]
KeepRejects = Annotated[
    bool, typer.Option("--keep-rejects", help="Keep the text of rejected lines of files that are read again.")
]


@command(app, "sources", ZONE, OUTPUT, LEDGER, examples="costctl sources\ncostctl sources --format json")
def sources(session: Session) -> None:
    """List the files that were read, and the state of each.

    The state of a file is current, grown, changed, gone or unreadable; standard input is a stream. The bytes
    waiting at the end of a file are what the next ingest will read.
    """
    from costctl import analysis

    session.show(analysis.sources(session.ledger, zone=session.settings.zone))


@command(app, "rejects", OUTPUT, LEDGER, examples="costctl rejects\ncostctl rejects usage.jsonl --format csv")
def rejects(session: Session, files: Files = None) -> None:
    """List the lines that could not be read, with the reason of each.

    The lines themselves are there only where they were read with --keep-rejects.
    """
    from costctl import analysis

    session.show(analysis.rejects(session.ledger, sources=files or ()))


@command(
    app,
    "forget",
    OUTPUT,
    LEDGER,
    PRICES,
    examples="""
costctl forget usage.jsonl
costctl forget /var/log/llm/usage.jsonl /var/log/llm/usage.jsonl.1
costctl forget --user ada
""",
)
def forget(
    session: Session, sources: Forgotten = None, user: Person = "", keep_rejects: KeepRejects = False
) -> None:
    """Take files out of the ledger again.

    The calls that only they tell of go with them. Other files that tell of the same days are read again, so
    that no call is lost that is also told by them.
    """
    from costctl import ingest

    if bool(sources) == bool(user):
        raise SettingError("forget takes either files or one --user NAME", "as in costctl forget usage.jsonl")
    if user:
        session.show(ingest.forget_person(session.ledger, user))
        return
    assert sources is not None
    session.show(ingest.forget(session.ledger, sources, book=session.book, keep_rejects=keep_rejects))
