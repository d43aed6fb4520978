"""What a command says when it fails, and the code it exits with."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from costctl import config

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in words for its user. ``code`` is the word that programs match."""

    code: str
    message: str
    exit: int = FAILED
    hint: str = ""
    file: str | None = None
    line: int | None = None


def tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Say on standard error what went wrong, as JSON where that is the output's format, and return the exit
    code. An error that no command should meet is raised again, for its traceback."""
    from costctl.render import printable
    from costctl.terminal import closed_pipe_ends_quietly, discard, has_color, say

    if tuple(arguments[:2]) == ("budgets", "check") and not isinstance(error, KeyboardInterrupt):
        from costctl.cli import alerts

        return alerts.tell(error, arguments)
    if isinstance(error, BrokenPipeError):
        with closed_pipe_ends_quietly(sys.stdout):
            raise error
        return 0
    failures = explain(error)
    if failures is None:
        raise error
    for failure in failures:
        if format_of(arguments) == "json":
            say_json(failure)
            break  # one document; the first fault is the file's first
        bold, plain = ("\x1b[1;31m", "\x1b[0m") if has_color(sys.stderr) else ("", "")
        say(f"{bold}error:{plain} {printable(failure.message)}")
        if failure.hint:
            say(f"hint: {printable(failure.hint)}")
    if isinstance(error, OSError):
        try:
            sys.stdout.flush()
        except OSError:  # a full disk: what is left is not tried again at the end
            discard(sys.stdout)
    return failures[0].exit


def say_json(failure: Failure) -> None:
    """Say ``failure`` on standard error as JSON."""
    from costctl.render import error_document
    from costctl.terminal import say

    say(
        error_document(
            failure.code,
            failure.message,
            file=failure.file,
            line=failure.line or None,
            hint=failure.hint or None,
        )
    )


def explain(error: BaseException) -> list[Failure] | None:
    """``error`` in words, one :class:`Failure` a fault; None for an error that is a fault of the program."""
    from costctl.analysis.questions import QuestionError
    from costctl.cli.session import CommandError
    from costctl.currency import CurrencyError
    from costctl.documents import DocumentError
    from costctl.filters import FilterError
    from costctl.ledger import LedgerError
    from costctl.periods import PeriodError
    from costctl.render import OutputError
    from costctl.state import StateError

    match error:
        case KeyboardInterrupt() | typer.Abort():
            return [Failure("interrupted", "interrupted", INTERRUPTED)]
        case typer.TyperException():
            return [_usage(error)]
        case CommandError():
            return [Failure(error.code, str(error), FAILED, error.hint)]
        case config.SettingError() | PeriodError() | FilterError() | QuestionError():
            return [Failure("usage", str(error), WRONG_USAGE, error.hint)]
        case CurrencyError():
            return [Failure("currency", str(error), FAILED, error.hint)]
        case DocumentError():
            return [
                Failure("document", str(each), FAILED, each.hint, each.file, each.line)
                for each in error.errors
            ]
        case LedgerError():
            from costctl.cli.start import claude_code_hint

            code = type(error).__name__.removeprefix("Ledger").lower()
            hints = (
                claude_code_hint() if code == "missing" else "",
                error.hint,
                _chosen_by(error.file) if error.file else "",
            )
            return [
                Failure(
                    "ledger" if code == "error" else f"ledger_{code}",
                    error.message,
                    FAILED,
                    "; ".join(filter(None, hints)),
                    str(error.file) if error.file else None,
                )
            ]
        case StateError():
            file = str(error.file) if error.file else None
            return [Failure("state", error.message, FAILED, error.hint, file)]
        case OutputError():
            exit = WRONG_USAGE if error.is_usage else FAILED
            return [Failure("output", str(error), exit, error.hint, str(error.path))]
        case RuntimeError() if str(error) == "Query interrupted":  # DuckDB's word for Ctrl-C in a query
            return [Failure("interrupted", "interrupted", INTERRUPTED)]
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            file = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
            return [Failure("system", f"{where}{error.strerror or error}", FAILED, "", file)]
    return _of_duckdb(error)


def _of_duckdb(error: BaseException) -> list[Failure] | None:
    """Memory or disk that ran out in the middle of a statement; other errors of DuckDB are faults of ours."""
    duckdb = sys.modules.get("duckdb")
    if duckdb and isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
        return [Failure("system", str(error).splitlines()[0])]
    return None


def _chosen_by(ledger: Path) -> str:
    """Which settings file names ``ledger``, if it is one that does."""
    with suppress(Exception):  # this only adds to an error
        settings = config.load({name: text for name, text in os.environ.items() if name != "COSTCTL_DB"})
        if settings.file and settings.db != config.default_ledger():
            return f"the ledger is named in {settings.file}" if settings.db.resolve() == ledger else ""
    return ""


def _usage(error: typer.TyperException) -> Failure:
    """An option, argument or command that Typer does not know, in our form."""
    context = getattr(error, "ctx", None)
    hint = f"see {context.command_path} --help" if context is not None else ""
    possible = getattr(error, "possibilities", None)
    message, _, near = (error.message if possible else error.format_message()).partition(" Did you mean ")
    if possible:
        near = difflib.get_close_matches(getattr(error, "option_name", ""), possible, n=1)[0]
    if near:
        hint = f"did you mean {near.replace(chr(39), '').removesuffix('?')}?"
    message = message.rstrip(".")
    return Failure("usage", message[:1].lower() + message[1:], WRONG_USAGE, hint)


def format_of(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """The output's format as far as it can be told of a command that may have failed while it was read: the
    last ``--format``, else the setting, else table."""
    found = None
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument.startswith("--format="):
            found = argument.partition("=")[2]
        elif argument == "--format" and number + 1 < len(arguments):
            found = arguments[number + 1]
    if found is None:
        with suppress(Exception):  # the settings themselves may be what is wrong
            found = config.load(environment).format
    return found or environment.get("COSTCTL_FORMAT") or "table"
