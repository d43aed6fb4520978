"""Help: every command has an example that works, every option says what it does, and all of it is quick."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import build_reference
import pytest
from tests.program import Costctl

from costctl.cli import COMMANDS

CONTEXTS = list(build_reference.contexts())
BY_PATH = {context.command_path: context for context in CONTEXTS}
COMMANDS_ONLY = [path for path, context in BY_PATH.items() if not hasattr(context.command, "commands")]


@pytest.mark.parametrize("path", BY_PATH)
def test_help_of_a_command_is_on_standard_output(costctl: Costctl, path: str) -> None:
    run = costctl(*path.split()[1:], "--help")
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith(BY_PATH[path].command.help.splitlines()[0][:40])
    assert f"Usage: {path} " in run.out
    assert "Examples:" in run.out
    assert costctl(*path.split()[1:], "-h").out == run.out


@pytest.mark.parametrize("path", COMMANDS_ONLY)
def test_an_example_shows_the_command_itself(path: str) -> None:
    assert any(line.startswith(path) for line in BY_PATH[path].command.epilog.strip().splitlines())


@pytest.mark.parametrize("path", BY_PATH)
def test_every_example_can_be_typed(path: str) -> None:
    """Its command, options and arguments exist: what is parsed here is not run."""
    root: Any = BY_PATH["costctl"].command
    for line in BY_PATH[path].command.epilog.strip().splitlines():
        if line.startswith("#"):
            continue
        alone = next(part for part in re.split(r" [|<] ", line) if part.startswith("costctl "))
        words = shlex.split(alone)
        assert words.pop(0) == "costctl", line
        command, context = root, root.make_context("costctl", list(words))
        while hasattr(command, "commands") and words:
            name = words.pop(0)
            command = command.commands[name]
            context = command.make_context(name, list(words), parent=context)


@pytest.mark.parametrize("path", BY_PATH)
def test_every_option_and_argument_has_help(path: str) -> None:
    context = BY_PATH[path]
    for param in context.command.get_params(context):
        assert param.help, f"{path} {param.name}"
        assert param.help.endswith((".", "]")), f"{path} {param.name}: a sentence"


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_summary_in_the_list_is_the_first_line_of_the_help(entry: Any) -> None:
    assert BY_PATH[f"costctl {entry.name}"].command.help.splitlines()[0] == entry.summary


def test_every_command_that_is_imported_is_listed() -> None:
    """A command that a family's file holds but the program does not list could never be called."""
    import importlib

    import typer

    for module in {entry.module for entry in COMMANDS}:
        held = typer.main.get_group(importlib.import_module(module).app).commands
        assert set(held) == {entry.name for entry in COMMANDS if entry.module == module}


def test_the_reference_is_current() -> None:
    assert build_reference.REFERENCE.read_text(encoding="utf-8") == build_reference.reference(), (
        "run python scripts/build_reference.py"
    )


def test_version(costctl: Costctl) -> None:
    run = costctl("--version")
    assert (run.code, run.out, run.err) == (0, "costctl 0.1.0\n", "")


# --- colour -----------------------------------------------------------------------------------------------


def test_help_is_coloured_on_a_terminal_only(costctl: Costctl) -> None:
    assert "\x1b[1mExamples:" in costctl.on_a_terminal("--help").out
    assert "\x1b" not in costctl("--help").out


def test_no_color(costctl: Costctl) -> None:
    assert "\x1b" not in costctl.on_a_terminal("--help", env={"NO_COLOR": "1"}).out
    assert "\x1b" not in costctl.on_a_terminal("--help", env={"TERM": "dumb"}).out
    assert "\x1b" not in costctl.on_a_terminal("sources", stream="stderr", env={"NO_COLOR": "1"}).err
    assert "\x1b[1;31merror:" in costctl.on_a_terminal("sources", stream="stderr").err


def test_color_may_be_asked_for(costctl: Costctl) -> None:
    assert "\x1b[1m" in costctl("--help", env={"FORCE_COLOR": "1"}).out


# --- start-up ---------------------------------------------------------------------------------------------

HEAVY = {"duckdb", "pyarrow", "yaml", "pydantic", "platformdirs", "rich.console", "costctl.render"}


def imported(*arguments: str) -> set[str]:
    """The modules that a run of the program loads."""
    program = [sys.executable, "-X", "importtime", "-c", "from costctl.cli import main; main()", *arguments]
    run = subprocess.run(program, capture_output=True, text=True, timeout=60)
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_help_loads_nothing_that_it_does_not_use() -> None:
    modules = imported("--help")
    assert "typer" in modules
    assert modules.isdisjoint(HEAVY)


def test_a_command_loads_only_what_it_uses() -> None:
    modules = imported("formats")
    assert "costctl.formats" in modules
    assert modules.isdisjoint({"duckdb", "pyarrow", "yaml", "pydantic", "rich.console"})


# --- completion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("re", ["rejects", "report", "reconcile", "reprice"]),
        ("prices s", ["show"]),
        ("report --fo", ["--format", "--force"]),
        ("report --format j", ["json"]),
    ],
)
def test_a_shell_is_told_what_could_be_typed(costctl: Costctl, typed: str, offered: list[str]) -> None:
    words = f"costctl {typed}"
    shell = {"_COSTCTL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    run = costctl(env=shell)
    assert (run.code, run.err, run.out.split()) == (0, "", offered)
