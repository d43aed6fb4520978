"""From what the user named to the files to read: files, directories, globs, standard input, Claude Code's."""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

DATA_ENDINGS = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".log", ".txt")
PACKED_ENDINGS = (".gz", ".zst")
_ROTATED = re.compile(r"[.-][0-9][0-9._-]*$")
"""What rotation appends to a name: ``.1``, ``-20241001``, ``.2024-10-01_12``."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors that no input is to blame for."""

STREAM = Path("-")
"""Standard input."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read: ``path`` is absolute, or :data:`STREAM`. ``named``: the user named it, rather than a
    directory or glob. ``status`` is of now."""

    path: Path
    named: bool
    status: os.stat_result


@dataclass(slots=True)
class Discovery:
    """``skipped`` and ``failed`` are (path, why). What failed was named by the user and cannot be read."""

    found: list[Found] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def discover(paths: Iterable[str], never: Collection[Path]) -> Discovery:
    """The files that ``paths`` lead to, each once, in order. ``never`` (the ledger's own files and
    directories) are passed over."""
    result = Discovery()
    own = {os.path.realpath(path) for path in never}
    seen: set[str] = set()

    def add(path: str, named: bool) -> None:
        real = os.path.realpath(path)
        if real in seen:
            return
        seen.add(real)
        left_out = result.failed if named else result.skipped
        if real in own:
            left_out.append((path, "the ledger's own file"))
            return
        try:
            real.encode()
            status = os.stat(path)
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb"):
                    pass
                result.found.append(Found(Path(real), named, status))
            elif named and stat.S_ISFIFO(status.st_mode):
                # As it was named: a pipe behind /dev/fd has no other path.
                result.found.append(Found(Path(path).absolute(), named, status))
            elif named:
                left_out.append((path, "neither a file nor a directory"))
        except UnicodeEncodeError:
            left_out.append((os.fsencode(path).decode(errors="backslashreplace"), "its name is not UTF-8"))
        except OSError as error:
            left_out.append((path, error.strerror or str(error)))

    for given in paths:
        if given == str(STREAM):
            result.found.append(Found(STREAM, True, os.stat(os.devnull)))
            continue
        path = os.path.expanduser(given)
        if os.path.isdir(path):
            for file in _walk(path, own, result.failed, result.skipped):
                add(file, named=False)
        elif os.path.lexists(path):
            add(path, named=True)
        elif glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                result.failed.append((given, "no file matches this pattern"))
            for match in matches:
                if os.path.isdir(match):
                    for file in _walk(match, own, result.skipped, result.skipped):
                        add(file, named=False)
                else:
                    add(match, named=False)
        else:
            result.failed.append((given, "no such file or directory"))
    return result


_LeftOut = list[tuple[str, str]]


def _walk(top: str, own: Collection[str], top_unreadable: _LeftOut, unreadable: _LeftOut) -> Iterator[str]:
    """Data files below ``top``, by name; links are followed, each directory entered once."""
    entered: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        left_out = top_unreadable if error.filename == top else unreadable
        left_out.append((error.filename, error.strerror or str(error)))

    for directory, directories, files in os.walk(top, followlinks=True, onerror=note):
        status = os.stat(directory)
        if (status.st_dev, status.st_ino) in entered or os.path.realpath(directory) in own:
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
    base = _ROTATED.sub("", base)
    return not name.startswith(".") and base.endswith(DATA_ENDINGS)


def claude_code_places(environment: Mapping[str, str]) -> list[str]:
    """Where Claude Code may keep transcripts on this machine.

    ``CLAUDE_CONFIG_DIR`` (a comma-separated list) takes the place of both defaults.
    """
    configured = environment.get("CLAUDE_CONFIG_DIR", "")
    if configured:
        roots = [part.strip() for part in configured.split(",") if part.strip()]
    else:
        configuration = environment.get("XDG_CONFIG_HOME") or "~/.config"
        roots = [f"{configuration}/claude", "~/.claude"]
    return [os.path.expanduser(os.path.join(root, "projects")) for root in roots]


def claude_code_directories(environment: Mapping[str, str]) -> list[str]:
    """Where Claude Code keeps transcripts on this machine: every place that exists."""
    return [path for path in claude_code_places(environment) if os.path.isdir(path)]
