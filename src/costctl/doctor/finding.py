"""What is looked at, and what is found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from costctl.config import Settings
    from costctl.ledger import Ledger

State = Literal["ok", "warning", "problem"]
"""``warning``: somebody should look at it. ``problem``: something does not work, or data is at risk."""


class Finding(NamedTuple):
    """A row of the report. ``hint`` is the way out."""

    check: str
    state: State
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What a diagnosis is about. ``now`` is aware. ``fault`` is what is wrong with the settings' file, which
    is then left out of ``settings``. ``transcripts`` are the directories in which Claude Code keeps them."""

    ledger: Ledger
    settings: Settings
    now: datetime
    fault: str = ""
    transcripts: tuple[Path, ...] = ()
    root: Path = Path("/")
    """Where the machine's own settings stand; tests have another one."""


def plural(count: int, one: str, many: str = "") -> str:
    """``1 file``, ``2,000 files``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def length(seconds: float) -> str:
    """A length of time in one unit, rounded down: ``3 hours``."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(int(seconds // size), unit)
    return plural(max(int(seconds), 0), "second")


def size(count: int) -> str:
    """Bytes for people: ``1.5 GB``."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return plural(count, "byte")
