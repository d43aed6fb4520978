"""``costctl`` alone: what is there, and what to type next."""

from __future__ import annotations

import os

from costctl.cli.session import Session
from costctl.report import Column, Outcome


def start(session: Session) -> None:
    """Say what the ledger holds, or what could be read into it, and the next commands."""
    session.show(_contents(session) or _first_steps(session))


def claude_code_hint() -> str:
    """The command that reads Claude Code's transcripts, where this machine has some; else an empty text."""
    from costctl.ingest.discover import claude_code_directories

    found = claude_code_directories(dict(os.environ))
    return f"costctl ingest --claude-code reads the transcripts in {' and '.join(found)}" if found else ""


def _first_steps(session: Session) -> Outcome:
    here = "holds no calls yet" if session.ledger.exists else "is not there yet: the first ingest makes it"
    steps = (
        claude_code_hint(),
        "costctl ingest PATH reads usage of your own: a file, a directory or a glob",
        "costctl formats lists what it understands",
        "costctl demo shows an invented company's three months, and leaves nothing behind",
    )
    return Outcome(
        "costctl",
        (Column("ledger", "text"), Column("calls", "count")),
        (str(session.ledger.path), 0),
        (f"The ledger {here}.", "Next:", *(step for step in steps if step)),
    )


def _contents(session: Session) -> Outcome | None:
    """The ledger's calls, their time and cost; None where it has none."""
    if not session.ledger.exists:
        return None
    from costctl.analysis import summary
    from costctl.periods import Period

    ever = Period(None, None, session.settings.zone, "all time")
    months = summary(session.ledger, "month", period=ever, columns=["cost", "requests"])
    if not months.rows or months.totals is None:
        return None
    first, last = months.rows[0][0], months.rows[-1][0]
    _, cost, requests = months.totals
    return Outcome(
        "costctl",
        (
            Column("ledger", "text"),
            Column("calls", "count"),
            Column("first_month", "time"),
            Column("last_month", "time"),
            Column("cost", "money"),
            Column("complete", "text"),
        ),
        (str(session.ledger.path), requests, first, last, cost, months.complete),
        (
            "Next:",
            "costctl report --by team,model --last 7d shows what calls cost, by anything",
            f"costctl bill --month {last} is one month's bill",
            "costctl ingest PATH adds what is new",
            "costctl --help lists the rest",
        ),
    )
