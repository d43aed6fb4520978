"""Commands and groups of the Typer app, with help that is quick: plain text in sections, examples at its end.

Typer would draw its help with rich and turn every value of an option over to pydantic; importing those takes
longer than all else that a small command does. Our options are texts and flags, which need neither.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

WIDTH = 100
"""Columns that help takes at most."""


class _AsTyped:
    """Takes a parameter's value as the parser gives it: a text, a flag, or a list of texts."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ARG002 - the shape that Typer calls
        if value is None and (param.multiple or param.nargs == -1):
            return ()
        return value


_AS_TYPED: Any = _AsTyped()


class _Helpful:
    """What our commands and groups share. ``epilog`` are their examples, one a line, with # comments."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            param._runtime_param = _AS_TYPED
        return params

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from costctl.terminal import has_color

        ctx.color = has_color(sys.stdout)
        command: Any = self
        formatter.write_text(command.help or "")
        formatter.write("\n")
        formatter.write_usage(
            ctx.command_path, " ".join(command.collect_usage_pieces(ctx)), _styled("Usage: ", "1")
        )
        for title, rows in command.help_sections(ctx):
            _section(formatter, title, [(_styled(name, "36"), meaning) for name, meaning in rows])
        if command.epilog:
            formatter.write(f"\n{_styled('Examples:', '1')}\n")
            for line in command.epilog.strip().splitlines():
                formatter.write(f"  {_styled(line, '2') if line.startswith('#') else line}\n")

    def help_sections(self, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Title and rows (name, meaning) of each section: arguments, then options by their panel."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                name, meaning = record
                panel = "Options"
                if param.param_type_name == "argument":
                    name, panel = name.partition(" <")[0], "Arguments"  # what follows is Python's type
                sections.setdefault(param.rich_help_panel or panel, []).append((name, meaning))
        yield from sections.items()


class Command(_Helpful, TyperCommand):
    """A command whose ``epilog`` are its examples."""


class Entry(NamedTuple):
    """A command that is imported when it is called: ``module`` has a Typer ``app`` that holds it."""

    name: str
    module: str
    panel: str
    summary: str
    """The first line of the command's own help."""


class Group(_Helpful, TyperGroup):
    """A group of commands in one file, each command's panel given where it is registered."""

    def help_sections(self, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        sections: dict[str, list[tuple[str, str]]] = {}
        for panel, name, summary in self.listed():
            sections.setdefault(panel, []).append((name, summary))
        yield from sections.items()
        yield from super().help_sections(ctx)

    def listed(self) -> Iterable[tuple[str, str, str]]:
        """Panel, name and summary of each command."""
        return [
            (command.rich_help_panel or "Commands", name, command.get_short_help_str(WIDTH))
            for name, command in self.commands.items()
            if isinstance(command, TyperCommand | TyperGroup)
        ]


class _OnDemand(MutableMapping[str, Any]):
    """Commands by name, made when first asked for; the names are known before."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module = importlib.import_module(self._entries[name].module)
            self._made.update(typer.main.get_group(module.app).commands)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Program(Group):
    """The whole program: its commands, from ``entries``, are imported when they are called."""

    entries: tuple[Entry, ...] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _OnDemand(self.entries)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def listed(self) -> Iterable[tuple[str, str, str]]:
        return [(entry.panel, entry.name, entry.summary) for entry in self.entries]


def _section(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
    formatter.write(f"\n{_styled(title + ':', '1')}\n")
    with formatter.indentation():
        formatter.write_dl(rows)


def _styled(text: str, style: str) -> str:
    """``text`` in a Select Graphic Rendition style; Typer takes that out again where there is no colour."""
    return f"\x1b[{style}m{text}\x1b[0m"
