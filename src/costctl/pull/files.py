"""Pulled pages as files: their names, that they appear whole, and what they tell of earlier pulls."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

_NAME = re.compile(
    r"(?P<vendor>[a-z]+)-(?P<report>[a-z-]+)(?:\+(?P<group>[a-z_+]+))?"
    r"_(?P<first>\d{4}-\d\d-\d\d)_(?P<last>\d{4}-\d\d-\d\d)(?:_p\d+)?\.json"
)


@dataclass(frozen=True, slots=True)
class PulledFile:
    """A page of a report, and the days that it tells of, both included. ``group`` are the dimensions that
    its user chose to have it grouped by, none if it is grouped as always."""

    path: Path
    vendor: str
    report: str
    group: tuple[str, ...]
    first: date
    last: date


def file_name(vendor: str, report: str, group: tuple[str, ...], first: date, last: date, page: int) -> str:
    """The name of a page's file. Names sort by vendor, report and days."""
    chosen = "".join(f"+{name}" for name in sorted(group))
    number = f"_p{page}" if page > 1 else ""
    return f"{vendor}-{report}{chosen}_{first}_{last}{number}.json"


def pulled_files(directory: Path, vendor: str) -> list[PulledFile]:
    """The pages of ``vendor`` in ``directory``, by name; none where there is no such directory. Raises
    :class:`OSError`."""
    found = []
    if not directory.is_dir():
        return []
    for path in sorted(directory.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None or match["vendor"] != vendor:
            continue
        with suppress(ValueError):  # no day of the calendar: a name that is not ours
            first, last = date.fromisoformat(match["first"]), date.fromisoformat(match["last"])
            group = tuple(match["group"].split("+")) if match["group"] else ()
            found.append(PulledFile(path, vendor, match["report"], group, first, last))
    return found


def write(path: Path, content: bytes) -> None:
    """Put a file in its place, whole or not at all, readable by its owner only. Raises :class:`OSError`."""
    descriptor, name = tempfile.mkstemp(prefix=".pull-", dir=path.parent)  # 0600, and never an existing one
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
