"""From what the user named to the files to read: files, directories, globs, standard input, Claude Code's own."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DATA_ENDINGS = (".jsonl", ".json", ".ndjson", ".csv", ".parquet", ".log", ".txt")
PACKED_ENDINGS = (".gz", ".zst")


STREAM = Path("-")
"""Standard input."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read: ``path`` is absolute, or :data:`STREAM`. ``named``: the user named it, rather than a directory or glob."""

    path: Path
    named: bool


@dataclass(slots=True)
class Discovery:
    """``skipped`` and ``failed`` are (path, why). What failed was named by the user and cannot be read."""

    found: list[Found] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def discover(paths: Iterable[str], own: Collection[Path]) -> Discovery:
    """The files that ``paths`` lead to, each once, in order. ``own`` (the ledger's files) are never read."""
    result = Discovery()
    never = {os.path.realpath(path) for path in own}
    seen: set[str] = set()

    def add(path: str, named: bool) -> None:
        real = os.path.realpath(path)
        if real in never or real in seen:
            return
        seen.add(real)
        try:
            mode = os.stat(real).st_mode
            if stat.S_ISREG(mode):
                with open(real, "rb"):
                    pass
        except OSError as error:
            (result.failed if named else result.skipped).append((path, error.strerror or str(error)))
            return
        if stat.S_ISREG(mode) or (named and stat.S_ISFIFO(mode)):
            result.found.append(Found(Path(real), named))
        elif named:
            result.failed.append((path, "neither a file nor a directory"))

    for given in paths:
        if given == str(STREAM):
            result.found.append(Found(STREAM, named=True))
            continue
        path = os.path.expanduser(given)
        if os.path.isdir(path):
            for file in _walk(path, result):
                add(file, named=False)
        elif os.path.lexists(path):
            add(path, named=True)
        elif glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                result.failed.append((given, "no file matches this pattern"))
            for match in matches:
                if os.path.isdir(match):
                    for file in _walk(match, result):
                        add(file, named=False)
                else:
                    add(match, named=False)
        else:
            result.failed.append((given, "no such file or directory"))
    return result


def _walk(top: str, result: Discovery) -> Iterator[str]:
    """Data files below ``top``, by name; links are followed, each directory entered once."""
    entered: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        result.skipped.append((error.filename, error.strerror or str(error)))

    for directory, directories, files in os.walk(top, followlinks=True, onerror=unreadable):
        status = os.stat(directory)
        if (status.st_dev, status.st_ino) in entered:
            directories.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        yield from (os.path.join(directory, name) for name in sorted(files) if is_data(name))


def is_data(name: str) -> bool:
    """Whether a walk looks at a file of this name: programs, notes and hidden files are passed over."""
    base = name.lower()
    for ending in PACKED_ENDINGS:
        base = base.removesuffix(ending)
    return not name.startswith(".") and base.endswith(DATA_ENDINGS)


def claude_code_directories(environment: dict[str, str]) -> list[str]:
    """Where Claude Code keeps transcripts on this machine: every place that exists.

    ``CLAUDE_CONFIG_DIR`` (a comma-separated list) takes the place of both defaults.
    """
    configured = environment.get("CLAUDE_CONFIG_DIR", "")
    if configured:
        roots = [part.strip() for part in configured.split(",") if part.strip()]
    else:
        configuration = environment.get("XDG_CONFIG_HOME") or "~/.config"
        roots = [f"{configuration}/claude", "~/.claude"]
    projects = [os.path.expanduser(os.path.join(root, "projects")) for root in roots]
    return [path for path in projects if os.path.isdir(path)]
