"""``costctl budgets check``, ``history`` and ``silence``."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.session import BUDGETS, LEDGER, NOW, OUTPUT, ZONE, CommandError, Session, command
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.budgets import Budgets
    from costctl.state import State

app = typer.Typer()

UNKNOWN = 3
"""The exit code of a check that could not be made."""

MaxAge = Annotated[
    str | None,
    typer.Option(
        "--max-age",
        metavar="LENGTH",
        help="With no call newer than this, nothing is known: 90m, 26h, 2d. Default: no limit.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be sent. Write nothing and send nothing.")
]
Acknowledge = Annotated[
    bool, typer.Option("--acknowledge", help="Be silent about messages that were given up.")
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="WHEN", help="The last day, or a time, or for how long: 4h, 2d."),
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why. It is kept.")]
End = Annotated[bool, typer.Option("--end", help="End the budget's silences now.")]
Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A budget.")]
OnlyName = Annotated[str | None, typer.Argument(metavar="NAME", help="Only this budget's.")]


@command(
    app,
    "check",
    BUDGETS,
    NOW,
    ZONE,
    OUTPUT,
    LEDGER,
    examples="""
costctl budgets check --max-age 26h
costctl budgets check --quiet --budgets /etc/costctl/budgets.yaml
costctl budgets check --dry-run --now 2024-10-31T23:00
""",
)
def check(session: Session, max_age: MaxAge = None, dry_run: DryRun = False) -> None:
    """Compare what was spent with every budget, and send the alerts that are due. For cron and monitors.

    Prints one line with performance data, as monitoring plugins do, and exits with 0 OK, 1 WARNING, 2
    CRITICAL or 3 UNKNOWN, which is also every error. Each threshold is told once in a period; what a channel
    does not take is tried again by later runs. --quiet prints only when something new was told or went
    wrong. --now is the only clock: with a time more than a day ago, later alerts are forgotten, so look back
    with --dry-run.
    """
    from costctl.budgets.check import check as checked
    from costctl.render import closed_pipe_ends_quietly, printable
    from costctl.terminal import make_writable, say

    age = None if max_age is None else _length("--max-age", max_age)
    budgets = session.read_budgets(os.environ)
    if not session.ledger.exists:
        with session.ledger.reading():
            pass  # raises: there is none
    with closing(_state(session, rehearsal=dry_run)) as state:
        found = checked(
            session.ledger,
            state,
            budgets,
            session.now,
            zone=session.settings.zone,
            max_age=age,
            rates=session.rates_of(budgets),
            dry_run=dry_run,
        )
    as_report = session.out is not None or session.settings.format != "table"
    if found.is_news or not session.settings.quiet:
        if as_report:
            session.show(found.report)
        else:
            make_writable(sys.stdout)
            with closed_pipe_ends_quietly(sys.stdout):
                print(printable(found.line))
    if not as_report:
        for sentence in found.said:
            say(printable(sentence))
    raise typer.Exit(found.code)


@command(
    app,
    "history",
    ZONE,
    OUTPUT,
    LEDGER,
    examples="""
costctl budgets history
costctl budgets history search --format json
costctl budgets history --acknowledge
""",
)
def history(session: Session, name: OnlyName = None, acknowledge: Acknowledge = False) -> None:
    """List the alerts that were told and to whom, and those that nobody heard of; the newest first.

    A message that was given up is a warning of every check until it is acknowledged here.
    """
    from costctl.budgets import history, outbox

    with closing(_state(session, rehearsal=not acknowledge)) as state:
        if acknowledge:
            with state.transaction() as connection:
                count = outbox.acknowledge(connection)
            lost = "1 message that was" if count == 1 else f"{count} messages that were"
            session.say(f"acknowledged: {lost} given up")
        session.show(history.history(state, session.settings.zone, name))


@command(
    app,
    "silence",
    BUDGETS,
    NOW,
    ZONE,
    OUTPUT,
    LEDGER,
    examples="""
costctl budgets silence search --until 4h --reason "load test"
costctl budgets silence search --until 2024-11-30 --reason "known, the amount is raised in December"
costctl budgets silence search --end
costctl budgets silence
""",
)
def silence(
    session: Session,
    name: Name = None,
    until: Until = None,
    reason: Reason = None,
    end: End = False,
) -> None:
    """Send nothing of a budget for a while; without a NAME, list the silences there were.

    Its alerts are recorded all the same, and check's exit code stays what it is. What still holds when the
    silence ends is told then. It is kept who made a silence, when and why.
    """
    from costctl.budgets import history

    settings = session.settings
    if name is None:
        if until or reason or end:
            raise SettingError("a silence needs a budget", "as in costctl budgets silence search --until 4h")
        with closing(_state(session, rehearsal=True)) as state:
            session.show(history.silences(state, session.now, settings.zone))
        return
    if end and (until or reason):
        raise SettingError("--end ends a silence now", "leave out --until and --reason")
    _known(session.read_budgets(None), name)
    if end:
        with closing(_state(session)) as state:
            if not history.end_silences(state, name, now=session.now, who=_user()):
                raise CommandError(f"the budget {name!r} is not silenced", code="not_found")
            session.show(history.silences(state, session.now, settings.zone))
        return
    if not (until and reason):
        raise SettingError("a silence needs --until and --reason", 'as in --until 4h --reason "load test"')
    ends = _until(session, until)
    with closing(_state(session)) as state:
        history.silence(state, name, ends, now=session.now, who=_user(), reason=reason)
        session.show(history.silences(state, session.now, settings.zone))


def tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Say in a check's own line what went wrong, and return its exit code. Of an error that no command should
    meet only its class and place are told: its text may hold a secret."""
    with suppress(Exception):  # whatever happens, the monitor gets its exit code
        _tell(error, arguments)
    return UNKNOWN


def _tell(error: BaseException, arguments: Sequence[str]) -> None:
    import traceback

    from costctl.cli.errors import explain, format_of, say_json
    from costctl.render import printable
    from costctl.terminal import say

    failures = explain(error)
    if failures and format_of(arguments) == "json":
        say_json(failures[0])
        return
    if failures:
        first, *others = failures
        message, details = first.message, [each.message for each in others]
        details += [f"hint: {each.hint}" for each in failures if each.hint]
    else:
        message = f"internal error: {type(error).__name__}"
        details = [line.rstrip() for line in traceback.format_tb(error.__traceback__)]
    print(f"COSTCTL UNKNOWN: {printable(message.replace('|', '/'))}")
    for line in details:
        say(printable(line, keep="\n"))


def _state(session: Session, rehearsal: bool = False) -> State:
    from costctl.budgets import memory
    from costctl.state import State, beside

    path = beside(session.ledger.path)
    if rehearsal:
        return State.rehearsal(path, memory.PART)
    return State(path, memory.PART, say=session.say)


def _known(budgets: Budgets, name: str) -> None:
    names = [budget.name for budget in budgets.budgets]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        raise SettingError(f"there is no budget {name!r}", hint)


def _until(session: Session, text: str) -> datetime:
    from costctl.periods import period

    if _LENGTH.fullmatch(text):
        return session.now + _length("--until", text)
    end = period(until=text, zone=session.settings.zone, now=session.now).end
    assert end is not None
    if end <= session.now:
        raise SettingError(f"--until: {text!r} is over", "as in --until 4h")
    return end


_LENGTH = re.compile(r"([1-9]\d{0,5})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _length(option: str, text: str) -> timedelta:
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise SettingError(f"{option}: {text!r} is not a length of time", "as in 90m, 26h or 2d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _user() -> str:
    """Who runs this, by the system's own word."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
