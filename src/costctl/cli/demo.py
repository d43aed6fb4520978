"""``costctl demo``: the sample data in a ledger that is thrown away, and what can be asked of it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import costctl
from costctl.cli.session import CommandError, Session, command

if TYPE_CHECKING:
    from costctl.report import Report

app = typer.Typer()

MONTH = "2024-10"


@command(app, "demo", examples="costctl demo")
def demo(session: Session) -> None:
    """Show it at work on an invented company's three months.

    The sample data is read into a ledger that is thrown away at the end. The figures are of October 2024, in
    UTC.
    """
    from datetime import UTC, datetime

    from costctl import analysis, ingest
    from costctl.ledger import Ledger
    from costctl.periods import period, zone

    october = period(month=MONTH, zone=zone("UTC"), now=datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="costctl-demo-") as directory:
        ledger = Ledger(Path(directory) / "ledger.duckdb", say=session.say)
        ingest.ingest(ledger, [str(sample_data())], book=session.book)
        shown = [
            (f"costctl bill --month {MONTH}", analysis.bill(ledger, month=MONTH, zone=october.zone)),
            (f"costctl report --by team --month {MONTH}", analysis.summary(ledger, "team", period=october)),
            (
                f"costctl report --by day,model --pivot --month {MONTH}",
                analysis.summary(ledger, "day,model", period=october, pivot=True),
            ),
        ]
    _write(shown)


def sample_data() -> Path:
    """The directory of the sample data: in the installed package, or in a checkout. Raises
    :class:`CommandError` where it is in neither."""
    package = Path(costctl.__file__).parent
    for directory in (package / "sample_data", package.parent.parent / "sample_data"):
        if directory.is_dir():
            return directory
    raise CommandError("the sample data is not installed", "install costctl anew")


def _write(shown: list[tuple[str, Report]]) -> None:
    """The answers, each under the command that asks for it."""
    from costctl.ingest.discover import claude_code_directories
    from costctl.render import render
    from costctl.terminal import closed_pipe_ends_quietly

    with closed_pipe_ends_quietly(sys.stdout):
        for line, report in shown:
            print(f"$ {line}\n")
            render(report)
            print()
        print("That was an invented company. With your own usage:\n")
        if claude_code_directories(dict(os.environ)):
            print("  costctl ingest --claude-code")
        print("  costctl ingest PATH")
        print("  costctl report --by team,model --last 7d")
