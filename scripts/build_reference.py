"""Write docs/commands.md, the reference of every command and option, from the program itself.

python scripts/build_reference.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from costctl.cli import app

REFERENCE = Path(__file__).parent.parent / "docs" / "commands.md"

INTRODUCTION = """\
# Commands

Made from the program's own help by `scripts/build_reference.py`.

Results go to standard output, everything else to standard error. Colour and progress appear on a terminal
only; `NO_COLOR` turns colour off.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage |
| 4 | done, but something needs attention |
| 75 | refused, by `costctl guard` |
| 130 | interrupted |
"""


def contexts() -> Iterator[Any]:
    """A Typer context of each command, in the order of the help; of groups before their commands."""
    root = typer.Context(typer.main.get_command(app), info_name="costctl")
    yield root
    yield from _below(root)


def _below(context: Any) -> Iterator[Any]:
    for name, command in getattr(context.command, "commands", {}).items():
        child = typer.Context(command, info_name=name, parent=context)
        yield child
        yield from _below(child)


def section(context: Any) -> str:
    """One command's part of the reference."""
    command = context.command
    parts = [f"## {context.command_path}", command.help.strip()]
    parts.append(f"    {context.command_path} {' '.join(command.collect_usage_pieces(context))}")
    for title, rows in command.help_sections(context):
        lines = [f"| {title} | |", "|---|---|"]
        lines += [f"| `{_cell(name)}` | {_cell(meaning)} |" for name, meaning in rows]
        parts.append("\n".join(lines))
    if command.epilog:
        parts.append("Examples:")
        parts.append("\n".join(f"    {line}" for line in command.epilog.strip().splitlines()))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def reference() -> str:
    return "\n".join([INTRODUCTION, *map(section, contexts())])


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
