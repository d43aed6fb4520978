"""Zones: by name or the machine's own, and the offsets that they had.

Rules come from the tzdata package, never from the machine's own database: that one may be years old, or
built with other rules for the same name, and two machines would put one call into different days.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata

SECOND = 1_000_000
"""Microseconds, the unit of every integer time here; they count from 1970-01-01."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PROBE = 3 * 24 * 3600
"""Seconds. The shortest time that a zone of the tz database went to another offset and came back is 6 days 23
hours (Recife, Noronha and Boa Vista in October 2000), so nothing hides between two probes."""


class PeriodError(ValueError):
    """A period or zone that cannot be read; ``hint`` says what could be."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def zone(
    name: str | None = None, environment: Mapping[str, str] = os.environ, root: Path = Path("/")
) -> ZoneInfo:
    """The zone called ``name`` (``Europe/Berlin``); without a name the machine's. One name, one object.

    The machine's is what TZ says, else where ``/etc/localtime`` points, else the name in ``/etc/timezone``,
    else UTC. ``root`` is where ``etc`` stands. Raises :class:`PeriodError` for a name that is no zone, and
    for a machine whose zone has no name.
    """
    if name is not None:
        return _named(name, "")
    if "TZ" in environment:
        said = environment["TZ"].removeprefix(":")
        return _named(_tail(said) if said.startswith("/") else said or "UTC", "the environment's TZ: ")
    localtime, timezone = root / "etc/localtime", root / "etc/timezone"
    if localtime.is_symlink():
        return _named(_tail(str(localtime.resolve())), f"{localtime}: ")
    if timezone.is_file():
        return _named(timezone.read_text(encoding="utf-8", errors="replace").strip(), f"{timezone}: ")
    if localtime.exists():
        raise PeriodError(f"{localtime} does not say the zone's name", "name it with --tz or COSTCTL_TZ")
    return _named("UTC", "")


_DATABASE = Path(tzdata.__file__).parent


@cache
def zone_names() -> frozenset[str]:
    """Every name that :func:`zone` knows."""
    return frozenset((_DATABASE / "zones").read_text(encoding="ascii").split())


@cache
def _loaded(name: str) -> ZoneInfo:
    with (_DATABASE / "zoneinfo" / name).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def _tail(path: str) -> str:
    """The zone's name at the end of a path into a tz database."""
    name = path.rpartition("/zoneinfo/")[2]
    return name.removeprefix("posix/").removeprefix("right/")


def _named(name: str, origin: str) -> ZoneInfo:
    if name in zone_names():
        return _loaded(name)
    known = {each.casefold(): each for each in sorted(zone_names())}
    cities = {each.rpartition("/")[2]: each for each in known}
    wanted = name.casefold().replace(" ", "_")
    near = difflib.get_close_matches(wanted, [*known, *cities], n=1, cutoff=0.75)
    hint = f"did you mean {known[cities.get(near[0], near[0])]}?" if near else "as in Europe/Berlin or UTC"
    raise PeriodError(f"{origin}unknown time zone {name!r}", hint)


def microseconds(instant: datetime) -> int:
    """Microseconds of an aware ``instant`` since 1970-01-01T00:00Z, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant_at(microseconds: int) -> datetime:
    """The instant in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def offset_changes(start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[int, int]]:
    """The offsets of ``zone`` within [start, end), as (from, offset) in microseconds.

    The first holds from ``start``; each later one begins at the second at which the offset changed.
    """
    first, last = microseconds(start) // SECOND, -(-microseconds(end) // SECOND)
    changes = [(microseconds(start), _offset(first, zone) * SECOND)]
    before = first
    while before < last - 1:
        after = min(before + PROBE, last - 1)
        changes.extend((at * SECOND, _offset(at, zone) * SECOND) for at in _changes(before, after, zone))
        before = after
    return changes


def _offset(second: int, zone: ZoneInfo) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)


def _changes(before: int, after: int, zone: ZoneInfo) -> Iterator[int]:
    """The seconds in (before, after] from which another offset holds than in the second before."""
    if before >= after or _offset(before, zone) == _offset(after, zone):
        return
    if after - before == 1:
        yield after
        return
    middle = (before + after) // 2
    yield from _changes(before, middle, zone)
    yield from _changes(middle, after, zone)
