"""The commands that README.md and docs/ show, and what they print.

    python scripts/docs_outputs.py [FILE.md ...]

runs them and writes what they print into the files; ``tests/test_docs.py`` runs them and compares. So no
output is ever typed by hand. Which commands are run, and how, is said in CONTRIBUTING.md.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

HOME = "/home/ada"
"""How the temporary home is shown. Its real path is as long, so that tables keep their widths."""

SKIPPED = "…"
"""A line that stands for any number of lines of output."""

_FENCE = re.compile(r"^```(\w*)$")


@dataclass(slots=True)
class Command:
    """A command and the output shown under it, up to line ``end`` of its page (from 0, not included).

    ``text`` may be a whole script; ``shown`` is None where its output is not.
    """

    line: int
    text: str
    shown: list[str] | None = None
    end: int = 0


@dataclass(slots=True)
class Page:
    """A Markdown file: its lines, and its commands in order."""

    path: Path
    lines: list[str]
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    output: list[str]
    status: int


def read(path: Path) -> Page:
    """The commands of a page: each ``$`` line of a console block, and each sh block that mentions costctl but
    makes no virtual environment."""
    page = Page(path, path.read_text(encoding="utf-8").splitlines())
    language, start = None, 0
    for number, line in enumerate(page.lines):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if language is None:
            language, start = fence[1], number + 1
            continue
        block = page.lines[start:number]
        if language == "console":
            page.commands += _console(block, start)
        elif language == "sh" and "costctl" in " ".join(block) and "venv" not in " ".join(block):
            page.commands.append(Command(start, "\n".join(block)))
        language = None
    return page


def _console(block: list[str], start: int) -> Iterator[Command]:
    starts = [number for number, line in enumerate(block) if line.startswith("$ ")]
    for first, following in pairwise([*starts, len(block)]):
        after = first + 1
        while block[after - 1].endswith("\\"):
            after += 1
        text = "\n".join([block[first].removeprefix("$ "), *block[first + 1 : after]])
        yield Command(start + first, text, _trimmed(block[after:following]), start + following)


def _trimmed(lines: list[str]) -> list[str]:
    """Without blank lines at both ends and blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in lines).strip("\n").splitlines()


def run(page: Page) -> list[Result]:
    """What the page's commands print, in order, in one shell that starts in ~/costctl beside sample_data."""
    with _home() as home:
        mark = f"--{random.randbytes(8).hex()}--"
        steps = [
            # `(exit $status)` gives each command the status of the one before it, for `echo $?`.
            f'(exit "$status")\n{command.text}\nstatus=$?\nprintf "\\n%s %s\\n" {mark} "$status"'
            for command in page.commands
        ]
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", "status=0\n" + "\n".join(steps)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=home / "costctl",
            env={
                "HOME": str(home),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "LANG": "C.UTF-8",
                "COLUMNS": "100",
                "COSTCTL_TZ": "UTC",
                "NO_COLOR": "1",
            },
        )
        text = done.stdout.replace(str(home), HOME)
    *parts, rest = re.split(rf"\n{mark} (\d+)\n", text)
    if len(parts) != 2 * len(steps) or rest:
        raise RuntimeError(f"{page.path.name}: the shell ended early: {text[-2000:]}")
    return [
        Result(_trimmed(output.splitlines()), int(status))
        for output, status in zip(parts[::2], parts[1::2], strict=True)
    ]


@contextmanager
def _home() -> Iterator[Path]:
    """A new directory under /tmp whose path is as long as :data:`HOME`, with the sample data in costctl/."""
    while True:
        name = "".join(random.choices(string.ascii_lowercase, k=len(HOME) - len("/tmp/")))
        home = Path("/tmp") / name
        try:
            home.mkdir(mode=0o700)
            break
        except FileExistsError:
            continue
    try:
        shutil.copytree(ROOT / "sample_data", home / "costctl" / "sample_data")
        yield home
    finally:
        shutil.rmtree(home)


def agrees(shown: list[str], output: list[str]) -> bool:
    """Whether ``output`` is what is shown, where one line ``…`` stands for any number of lines."""
    if SKIPPED not in shown:
        return shown == output
    at = shown.index(SKIPPED)
    head, tail = shown[:at], shown[at + 1 :]
    fits = len(head) + len(tail) <= len(output)
    return fits and output[: len(head)] == head and output[len(output) - len(tail) :] == tail


def renewed(shown: list[str], output: list[str]) -> list[str]:
    """``output`` with as many lines before and after ``…`` as are shown now."""
    if SKIPPED not in shown:
        return output
    at = shown.index(SKIPPED)
    return [*output[:at], SKIPPED, *output[max(at, len(output) - (len(shown) - at - 1)) :]]


def rewrite(page: Page) -> bool:
    """Put what the commands print into the page; True if that changed it."""
    before = list(page.lines)
    for command, result in reversed(list(zip(page.commands, run(page), strict=True))):
        if command.shown is None or agrees(command.shown, result.output):
            continue
        first = command.line + command.text.count("\n") + 1
        last = page.lines[command.end] == "```"
        page.lines[first : command.end] = [*renewed(command.shown, result.output), *([] if last else [""])]
    if page.lines != before:
        page.path.write_text("\n".join(page.lines) + "\n", encoding="utf-8")
    return page.lines != before


def main() -> None:
    for path in [Path(name) for name in sys.argv[1:]] or PAGES:
        if rewrite(read(path)):
            print(f"{path}: rewritten")


if __name__ == "__main__":
    main()
