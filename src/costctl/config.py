"""Settings: defaults < costctl.yaml < environment < the command's flags; and where files live."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from costctl.documents import Document

FILE_NAME = "costctl.yaml"
ALLOCATION_NAME = "allocation.yaml"
BUDGETS_NAME = "budgets.yaml"
CURRENCY_NAME = "currency.yaml"
FORMATS = ("table", "json", "csv", "md")
DEFAULT_WAIT = 30.0
"""Seconds."""
MAX_WAIT = 86_400.0

_WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class SettingError(ValueError):
    """A setting in the environment or a flag that cannot be read; ``hint`` says what could be."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SourceEntry(NamedTuple):
    """One of the ``sources:`` that an ingest without a path reads. Empty texts were not given."""

    path: str = ""
    """A file, a directory or a glob, absolute."""
    claude_code: bool = False
    format: str = ""
    team: str = ""
    project: str = ""
    user: str = ""
    agent: str = ""
    model: str = ""
    tags: Mapping[str, str] = MappingProxyType({})
    assume_tz: str = ""
    pseudonymize: tuple[str, ...] = ()
    map: str = ""
    """A mapping.yaml, absolute."""
    place: str = ""
    """FILE:LINE of its format, where it names one."""


class Settings(NamedTuple):
    """What holds for one command. ``file`` is the costctl.yaml that was read, None if there is none."""

    db: Path
    tz: str | None = None
    format: str = "table"
    prices: Path | None = None
    allocation: Path | None = None
    budgets: Path | None = None
    currency: str = "USD"
    """In which amounts are shown, an ISO 4217 code."""
    currency_file: Path | None = None
    wait: float = DEFAULT_WAIT
    """Seconds to wait for a ledger that another process holds."""
    quiet: bool = False
    sources: tuple[SourceEntry, ...] = ()
    file: Path | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The zone of every report. Raises :class:`costctl.periods.PeriodError` for a name that is none."""
        from costctl.periods import zone

        return zone(self.tz)


class Found(NamedTuple):
    """A settings file. ``chosen``: the user put it where only they choose, so it may name any ledger."""

    path: Path
    chosen: bool


def find(environment: Mapping[str, str] = os.environ, directory: Path | None = None) -> Found | None:
    """The settings file that holds: COSTCTL_CONFIG, else ``costctl.yaml`` in ``directory`` (the current one),
    else in the user's configuration directory; None if there is none.
    """
    if named := environment.get("COSTCTL_CONFIG"):
        return Found(Path(named).expanduser().absolute(), chosen=True)
    here = (directory or Path.cwd()) / FILE_NAME
    own = own_file()
    if here.is_file():
        return Found(here, chosen=own.exists() and here.samefile(own))
    return Found(own, chosen=True) if own.is_file() else None


def own_file() -> Path:
    """``costctl.yaml`` in the user's configuration directory, whether it is there or not."""
    from platformdirs import user_config_path

    return user_config_path("costctl", appauthor=False) / FILE_NAME


def default_ledger() -> Path:
    """``ledger.duckdb`` in the user's data directory."""
    from platformdirs import user_data_path

    return user_data_path("costctl", appauthor=False) / "ledger.duckdb"


def load(
    environment: Mapping[str, str] = os.environ,
    directory: Path | None = None,
    *,
    db: str | os.PathLike[str] | None = None,
    tz: str | None = None,
    format: str | None = None,
    prices: str | os.PathLike[str] | None = None,
    allocation: str | os.PathLike[str] | None = None,
    budgets: str | os.PathLike[str] | None = None,
    currency: str | None = None,
    wait: float | str | None = None,
    quiet: bool | None = None,
) -> Settings:
    """The settings of a command with these flags (None: not given), run in ``directory`` (the current one).

    Raises :class:`SettingError` for a flag or variable that cannot be read, and
    :class:`costctl.documents.DocumentError` for a fault in costctl.yaml: there, a file that is only found
    because it lies in the current directory may not name files elsewhere, since it may be somebody else's.
    """
    directory = directory or Path.cwd()
    found = find(environment, directory)
    document = _read(found, environment)
    said: dict[str, Any] = document.data if document else {}
    base = found.path.parent if found else directory

    def variable(name: str) -> str | None:
        return environment.get(f"COSTCTL_{name}") or None  # an empty variable is as good as none

    def path(key: str, flag: str | os.PathLike[str] | None) -> Path | None:
        given = flag or variable(key.upper())
        if given is not None:
            return directory / Path(given).expanduser()
        if document is None or found is None or key not in said:
            return None
        return _own_path(document, found, (key,), said[key])

    return Settings(
        db=path("db", db) or default_ledger(),
        tz=_zone(tz, variable("TZ"), document),
        format=_format(format, variable("FORMAT"), said),
        prices=path("prices", prices),
        allocation=path("allocation", allocation) or _beside(base, ALLOCATION_NAME),
        budgets=path("budgets", budgets) or _beside(base, BUDGETS_NAME),
        currency=_currency(currency, variable("CURRENCY"), said),
        currency_file=path("currency_file", None) or _beside(base, CURRENCY_NAME),
        wait=_wait(wait, variable("WAIT"), said),
        quiet=_quiet(quiet, variable("QUIET"), said),
        sources=tuple(_source(document, number, found) for number in range(len(said.get("sources", ())))),
        file=found.path if found else None,
    )


def _beside(directory: Path, name: str) -> Path | None:
    """The file of that name in ``directory``; None if there is none."""
    path = directory / name
    return path if path.is_file() else None


def _own_path(document: Document, found: Found, place: tuple[str | int, ...], said: str) -> Path:
    """The path that costctl.yaml says. Raises DocumentError where it may not: errors show a file's lines."""
    base = found.path.parent
    path = base / Path(said).expanduser()
    if not found.chosen and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(base)):
        key = place[-1]
        ways = [] if key == "currency_file" else [f"--{key}"]
        ways += [f"COSTCTL_{str(key).upper()}"] if len(place) == 1 else []
        raise document.error(
            place,
            "a costctl.yaml in the current directory may only name files within that directory",
            f"name it with {' or '.join(ways)}, or move the line to {own_file()}",
        )
    return path


def _read(found: Found | None, environment: Mapping[str, str]) -> Document | None:
    if found is None:
        return None
    from costctl.documents import read

    return read(found.path, "costctl", environment)


def _zone(flag: str | None, variable: str | None, document: Document | None) -> str | None:
    """The zone's name, which is one. Raises :class:`SettingError` or, for the file's, DocumentError."""
    said = document.data.get("tz") if document else None
    name: str | None = flag or variable or said
    if name is None:
        return None
    from costctl.periods import PeriodError, zone

    try:
        return zone(name).key
    except PeriodError as error:
        if document is not None and name == said and not (flag or variable):
            raise document.error(("tz",), str(error), error.hint) from None
        raise SettingError(f"{'--tz' if flag else 'COSTCTL_TZ'}: {error}", error.hint) from None


def _format(flag: str | None, variable: str | None, said: Mapping[str, Any]) -> str:
    name: str = flag or variable or said.get("format", "table")
    if name not in FORMATS:
        origin = "--format" if flag else "COSTCTL_FORMAT"
        raise SettingError(f"{origin}: {name!r} is no format", f"use one of {', '.join(FORMATS)}")
    return name


def _currency(flag: str | None, variable: str | None, said: Mapping[str, Any]) -> str:
    code: str = flag or variable or said.get("currency", "USD")
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        origin = "--currency" if flag else "COSTCTL_CURRENCY"
        raise SettingError(f"{origin}: {code!r} is no currency", "three letters, as in TWD")
    return code.upper()


def _wait(flag: float | str | None, variable: str | None, said: Mapping[str, Any]) -> float:
    text = flag if flag is not None else variable
    if text is None:
        return float(said.get("wait", DEFAULT_WAIT))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT:  # refuses NaN too
        origin = "--wait" if flag is not None else "COSTCTL_WAIT"
        raise SettingError(f"{origin}: {text!r} is not a number of seconds", f"from 0 to {MAX_WAIT:.0f}")
    return seconds


def _quiet(flag: bool | None, variable: str | None, said: Mapping[str, Any]) -> bool:
    if flag is not None:
        return flag
    if variable is None:
        return bool(said.get("quiet", False))
    if variable.lower() not in _WORDS:
        raise SettingError(f"COSTCTL_QUIET: {variable!r} is neither true nor false", "use 1 or 0")
    return _WORDS[variable.lower()]


def _source(document: Document | None, number: int, found: Found | None) -> SourceEntry:
    assert document is not None
    assert found is not None
    base = found.path.parent
    entry: str | Mapping[str, Any] = document.data["sources"][number]
    if isinstance(entry, str):
        entry = {"path": entry}
    if "assume_tz" in entry:
        from costctl.periods import PeriodError, zone

        try:
            zone(entry["assume_tz"])
        except PeriodError as error:
            raise document.error(("sources", number, "assume_tz"), str(error), error.hint) from None
    path = entry.get("path", "")
    mapping = entry.get("map", "")
    if mapping:
        if "as" in entry:
            message = f"sources[{number}] has both as and map, of which each says how it is read"
            raise document.error(("sources", number, "map"), message, "keep one of them")
        mapping = str(_own_path(document, found, ("sources", number, "map"), mapping))
    return SourceEntry(
        path=str(base / Path(path).expanduser()) if path else "",
        claude_code=entry.get("claude_code", False),
        format=entry.get("as", ""),
        team=entry.get("team", ""),
        project=entry.get("project", ""),
        user=entry.get("user", ""),
        agent=entry.get("agent", ""),
        model=entry.get("model", ""),
        tags=dict(entry.get("tags", {})),
        assume_tz=entry.get("assume_tz", ""),
        pseudonymize=tuple(entry.get("pseudonymize", ())),
        map=mapping,
        place=f"{document.path}:{document.line('sources', number, 'as')}" if "as" in entry else "",
    )
