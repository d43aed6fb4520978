"""The command line: parse options, call one function of a room, render what it returns."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from costctl import __version__
from costctl.cli.help import WIDTH, Entry, Program

USAGE, QUESTIONS, PRICES, MORE = "Usage data", "Questions", "Prices", "More"

COMMANDS = (
    Entry(
        "ingest",
        "costctl.cli.ingest",
        USAGE,
        "Read usage files into the ledger, each call once, at its price.",
    ),
    Entry(
        "pull",
        "costctl.cli.pull",
        USAGE,
        "Fetch usage and cost reports from a vendor's API, and read them into the ledger.",
    ),
    Entry(
        "sources",
        "costctl.cli.sources",
        USAGE,
        "List the files that were read, and the state of each.",
    ),
    Entry(
        "rejects",
        "costctl.cli.sources",
        USAGE,
        "List the lines that could not be read, with the reason of each.",
    ),
    Entry(
        "forget",
        "costctl.cli.sources",
        USAGE,
        "Take files out of the ledger again.",
    ),
    Entry(
        "allocate",
        "costctl.cli.allocate",
        USAGE,
        "Give calls to teams, projects and users by rules, where their source does not say.",
    ),
    Entry("formats", "costctl.cli.formats", USAGE, "List the input formats that ingest understands."),
    Entry(
        "report",
        "costctl.cli.report",
        QUESTIONS,
        "Show what calls cost, by team, user, model, day or any label.",
    ),
    Entry("bill", "costctl.cli.report", QUESTIONS, "Show a month's bill by model, beside the month before."),
    Entry(
        "forecast",
        "costctl.cli.forecast",
        QUESTIONS,
        "Show what a month, or any other period of whole days, will have cost at its end.",
    ),
    Entry(
        "anomalies",
        "costctl.cli.anomalies",
        QUESTIONS,
        "Show days that cost much more than they should have, and who made them so.",
    ),
    Entry(
        "compare",
        "costctl.cli.compare",
        QUESTIONS,
        "Compare two periods: what changed, why, and whether it may be chance.",
    ),
    Entry(
        "reconcile",
        "costctl.cli.reconcile",
        QUESTIONS,
        "Compare our costs with a provider's cost report or invoice export.",
    ),
    Entry(
        "simulate-router",
        "costctl.cli.simulate_router",
        QUESTIONS,
        "Say what calls would have cost on other models.",
    ),
    Entry(
        "simulate-cache",
        "costctl.cli.simulate_cache",
        QUESTIONS,
        "Say what prompt caching would save, net of what writing costs.",
    ),
    Entry(
        "simulate-batch",
        "costctl.cli.simulate_batch",
        QUESTIONS,
        "Say what batches would have saved, within three bounds.",
    ),
    Entry(
        "simulate-trim",
        "costctl.cli.simulate_trim",
        QUESTIONS,
        "Say what shorter prompts or answers would have saved.",
    ),
    Entry(
        "simulate",
        "costctl.cli.simulate",
        QUESTIONS,
        "Say what several levers would have saved together, step by step.",
    ),
    Entry(
        "roi",
        "costctl.cli.roi",
        QUESTIONS,
        "Say whether an investment pays: payback, net present value and return.",
    ),
    Entry(
        "budgets",
        "costctl.cli.budgets",
        QUESTIONS,
        "Say what may be spent, see where it stands, and be told in time.",
    ),
    Entry(
        "guard",
        "costctl.cli.guard",
        QUESTIONS,
        "Ask before spending: exit with 75 if a budget is used up, or run COMMAND and exit with its code.",
    ),
    Entry("sql", "costctl.cli.sql", QUESTIONS, "Ask the ledger in SQL, which cannot change it."),
    Entry(
        "prices",
        "costctl.cli.prices",
        PRICES,
        "Look up what models cost, and how a price comes about.",
    ),
    Entry(
        "reprice",
        "costctl.cli.prices",
        PRICES,
        "Price the calls of the ledger anew.",
    ),
    Entry(
        "doctor",
        "costctl.cli.doctor",
        MORE,
        "Look for what is wrong, or soon will be, with the ledger and what feeds it.",
    ),
    Entry("demo", "costctl.cli.demo", MORE, "Show it at work on an invented company's three months."),
)


class Costctl(Program):
    entries = COMMANDS


app = typer.Typer(
    name="costctl",
    cls=Costctl,
    help="Exact LLM costs by team, project, user and model, from the usage data you already have.",
    epilog="""
costctl demo
costctl ingest --claude-code
costctl report --by team,model --last 7d
""",
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": WIDTH},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"costctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        from costctl.cli import start
        from costctl.cli.session import Session

        start.start(Session.begin({}))


def main() -> None:
    """Run the program with the process's arguments and end it: 0 done, 1 failed, 2 wrong usage, 4 done but
    something needs attention, 130 interrupted."""
    gc.disable()  # a command is over before there is anything to collect; looking for it slows the start
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as in `costctl … >&-`
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    code = _run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)  # all is written and closed; giving back memory piece by piece takes a tenth of the time


def _run(arguments: list[str]) -> int:
    program = typer.main.get_command(app)
    if "_COSTCTL_COMPLETE" in os.environ:  # a shell asks what could be typed next
        program(arguments, prog_name="costctl")
    try:
        with program.make_context("costctl", arguments) as context:
            program.invoke(context)
        return 0
    except typer.Exit as done:
        return done.exit_code
    except (Exception, KeyboardInterrupt) as error:
        from costctl.cli.errors import tell

        return tell(error, arguments)
