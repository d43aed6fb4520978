"""``costctl guard``."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.session import BUDGETS, LEDGER, OUTPUT, ZONE, Session, command
from costctl.cli.values import amount, pairs
from costctl.render.printable import printable
from costctl.terminal import say

if TYPE_CHECKING:
    from costctl.sdk.admission import Admission

app = typer.Typer()

REFUSED = 75
"""sysexits.h's EX_TEMPFAIL: try again later."""
NOT_FOUND, NOT_STARTED, KILLED = 127, 126, 128
"""A shell's codes; a signal's number is added to the last."""

WHOSE = "Whose call"

HELD = 24 * 3600.0
"""Seconds for which money is held for a command that neither ends nor lets this program see its end."""


def _whose(name: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--{name}", metavar="NAME", help=f"The {name} of its calls.", rich_help_panel=WHOSE
    )
    return option


Team = Annotated[str | None, _whose("team")]
Project = Annotated[str | None, _whose("project")]
User = Annotated[str | None, _whose("user")]
Agent = Annotated[str | None, _whose("agent")]
Model = Annotated[str | None, _whose("model")]
Provider = Annotated[str | None, _whose("provider")]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="NAME=VALUE", help="A tag of the calls. Repeatable.", rich_help_panel=WHOSE
    ),
]
Estimate = Annotated[
    str,
    typer.Option(
        "--estimate", metavar="USD", help="Hold as much while COMMAND runs; without one, for ten minutes."
    ),
]
FailClosed = Annotated[
    bool,
    typer.Option(
        "--fail-closed", help="Refuse where it cannot be looked up. Default: let it run, and say so."
    ),
]
Words = Annotated[
    list[str] | None, typer.Argument(metavar="-- COMMAND", help="What to run if there is budget.")
]


@command(
    app,
    "guard",
    BUDGETS,
    ZONE,
    OUTPUT,
    LEDGER,
    examples="""
costctl guard --team search && ./evaluate.sh
costctl guard --team search --estimate 5 -- python evaluate.py --model opus
""",
)
def guard(
    session: Session,
    words: Words = None,
    team: Team = None,
    project: Project = None,
    user: User = None,
    agent: Agent = None,
    model: Model = None,
    provider: Provider = None,
    tags: Tags = None,
    estimate: Estimate = "0",
    fail_closed: FailClosed = False,
) -> None:
    """Ask before spending: exit with 75 if a budget is used up, or run COMMAND and exit with its code.

    From a budget's critical threshold on, a part of those who ask is refused, as application code is that
    asks through the Python library; they share their counters.
    """
    from costctl.sdk.throttler import BudgetThrottler

    throttler = BudgetThrottler(
        session.read_budgets(None),
        team=team,
        project=project,
        user=user,
        agent=agent,
        model=model,
        provider=provider,
        tags=pairs("--tag", tags or (), "env=prod"),
        ledger=session.settings.db,
        zone=session.settings.zone,
        hold=HELD if words else 600.0,
        on_failure="fail_closed" if fail_closed else "fail_open",
        reconcile_every=None,
        wait=session.settings.wait,
    )
    throttler.look()
    answer = throttler.should_allow_request(estimate=amount("--estimate", estimate))
    if not words:
        _show(session, answer)
    elif not answer.allowed:
        say(printable(f"refused: {answer.reason}"))
    if not answer.allowed:
        raise typer.Exit(REFUSED)
    if words:
        try:
            code = run(words)
        finally:
            throttler.release(answer)
        raise typer.Exit(code)


def _show(session: Session, answer: Admission) -> None:
    from costctl.report import Column, Outcome

    columns = (Column("allowed", "text"), Column("reason", "text"))
    session.show(Outcome("guard", columns, (answer.allowed, answer.reason)))


def run(words: Sequence[str]) -> int:
    """Run a command with this process's own streams, and return its exit code, as a shell does. Signals that
    end this process are passed on to it: it is the command that decides."""
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # what came while the command was being started: it may run already

    def pass_on(number: int, _: object) -> None:
        # A terminal sends its own to both.
        if number == signal.SIGINT and sys.stdin.isatty():
            return
        if not started:
            early.append(number)
            return
        with suppress(ProcessLookupError):
            started[0].send_signal(number)

    before = {each: signal.signal(each, pass_on) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        started.append(subprocess.Popen(words))
        for number in early:
            pass_on(number, None)
        code = started[0].wait()
    except OSError as error:
        say(printable(f"error: cannot run {words[0]}: {error.strerror}"))
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return code if code >= 0 else KILLED - code
