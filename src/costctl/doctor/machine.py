"""What can be told without opening the ledger: settings, zone, files, modes, disk, who holds it."""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from costctl.doctor.finding import Case, Finding, size
from costctl.state import files as state_files

_LEAST_FREE = 10**9
BUDGETS = "budgets.yaml"


def settings(case: Case) -> Iterator[Finding]:
    """The settings' file, and the files that it names."""
    from costctl.allocation import read as read_allocation
    from costctl.currency import read as read_rates
    from costctl.documents import DocumentError
    from costctl.documents import read as read_document
    from costctl.formats.mapping import read as read_mapping
    from costctl.pricing.book import PriceBook

    def read_budgets(path: Path) -> object:
        # As far as its schema goes. What it takes from the environment may be another's.
        return read_document(path, "budgets", environment=None)

    chosen = case.settings
    if case.fault:
        yield Finding("settings", "problem", case.fault, "until it is put right, this goes without it")
    else:
        yield Finding("settings", "ok", str(chosen.file) if chosen.file else "no costctl.yaml, which is fine")
    named: list[tuple[Path | None, Callable[[Path], object]]] = [
        (chosen.prices, PriceBook.load),
        (chosen.allocation, read_allocation),
        (chosen.budgets, read_budgets),
        (chosen.currency_file, read_rates),
    ]
    named += [(Path(source.map), read_mapping) for source in chosen.sources if source.map]
    for path, read in named:
        if path is not None:
            try:
                read(path)
            except DocumentError as error:
                yield Finding("settings", "problem", str(error), error.hint)
            except OSError as error:
                yield Finding("settings", "problem", f"{path}: {error.strerror}")
    for source in chosen.sources:
        if source.path and not _leads_somewhere(source.path):
            what = f"sources: nothing is at {source.path}"
            yield Finding("settings", "warning", what, "put it right in costctl.yaml, or take it out")


def _leads_somewhere(path: str) -> bool:
    import glob

    if glob.has_magic(path) and next(glob.iglob(path, recursive=True), None):  # noqa: PTH207 - as ingest does
        return True
    return Path(path).exists()


def zone(case: Case) -> Iterator[Finding]:
    """The zone of days and months, and whether the machine's own clock agrees."""
    from importlib.metadata import version

    from costctl.periods import PeriodError
    from costctl.periods import zone as zone_of

    try:
        found = zone_of(case.settings.tz) if case.settings.tz else zone_of(root=case.root)
    except PeriodError as error:
        yield Finding("zone", "warning", str(error), error.hint or "name it with --tz or COSTCTL_TZ")
        return
    whose = "as set" if case.settings.tz else "the machine's"
    yield Finding("zone", "ok", f"{found.key}, {whose}; rules of tzdata {version('tzdata')}")
    ours, its = case.now.astimezone(found).utcoffset(), time.localtime(case.now.timestamp()).tm_gmtoff
    if not case.settings.tz and ours is not None and ours.total_seconds() != its:
        should = ours.total_seconds() / 3600
        what = f"the machine's clock is {its / 3600:+g} h from UTC, {found.key} is {should:+g} h"
        yield Finding("zone", "warning", what, "the machine's tz database is old, or TZ is no zone's name")


def holder(case: Case) -> Iterator[Finding]:
    """Who has the ledger open now."""
    from costctl.ledger import LedgerLocked
    from costctl.ledger.ledger import quiet
    from costctl.ledger.locks import Patience, held

    ledger = case.ledger
    if not ledger.exists:
        return
    try:
        with held(ledger.files, exclusive=True, patience=Patience(ledger.files, 0, quiet)):
            pass
    except LedgerLocked as error:
        who = error.message.partition("is held by ")[2]
        yield Finding("holder", "ok", f"held by {who}{_name_of(who)} now")
    else:
        yield Finding("holder", "ok", "no costctl process")


def _name_of(who: str) -> str:
    """The name of ``process 123``, where the machine tells it."""
    with suppress(OSError):
        name = Path("/proc", who.removeprefix("process "), "comm").read_text("utf-8", "replace").strip()
        return f" ({name})"
    return ""


def left_behind(case: Case) -> Iterator[Finding]:
    """Files that only stand beside the ledger while something is done, or since something went wrong."""
    files = case.ledger.files
    meanings = {
        files.backup: ("a checkpoint was cut short, or is being made", "the next command puts it right"),
        files.partial_backup: ("a copy that was cut short, or is being made", "the next ingest removes it"),
        files.new: ("a ledger whose making was cut short", "the next ingest makes it anew"),
        files.damaged: (
            "unreadable since a checkpoint was cut short; its copy took its place",
            "remove it once all is there",
        ),
    }
    found = False
    for path, (meaning, hint) in meanings.items():
        if path.exists():
            found = True
            yield Finding("files", "warning", f"{path.name}: {meaning}", hint)
    if files.log.exists() and not case.ledger.exists:
        found = True
        yield Finding(
            "files", "problem", f"{files.log.name}: a log without its ledger", "put the ledger back"
        )
    if files.spill.is_dir():
        for left in files.spill.glob("reading-*"):
            if not Path("/proc", left.name.removeprefix("reading-")).exists():
                found = True
                what = f"{left}: of an ingest that was cut short"
                yield Finding("files", "warning", what, "the next ingest removes it")
    if not found and case.ledger.exists:
        yield Finding("files", "ok", "nothing was left behind")


def modes(case: Case) -> Iterator[Finding]:
    """What other users could read, or change."""
    ledger = case.ledger
    base = case.settings.file.parent if case.settings.file else Path.cwd()
    pulls = ledger.path.parent / "pulls"
    budgets = case.settings.budgets or base / BUDGETS
    private = [*ledger.files.all, *state_files(ledger.path), ledger.files.spill, budgets, pulls]
    open_to_others = []
    for path in private:
        with suppress(OSError):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                open_to_others.append(path)
    for path in open_to_others:
        what = f"{path.name}: other users may read it"
        yield Finding("modes", "warning", what, f"chmod go= {path}")
    settings_files = [each for each in (case.settings.file, case.settings.prices) if each]
    for path in settings_files:
        with suppress(OSError):
            if path.stat().st_mode & stat.S_IWOTH:
                what = f"{path.name}: every user may change it"
                yield Finding("modes", "warning", what, f"chmod o-w {path}")
                open_to_others.append(path)
    if not open_to_others and ledger.exists:
        yield Finding("modes", "ok", "only you may read the ledger's files")


def state(case: Case) -> Iterator[Finding]:
    """Whether what alerts remember can be read."""
    from costctl.state import State, StateError, beside

    path = beside(case.ledger.path)
    if not path.exists():
        return
    try:
        with State.rehearsal(path, wait=case.ledger.wait) as copy:
            faults = [said for (said,) in copy.rows("PRAGMA quick_check(1)") if said != "ok"]
    except StateError as error:
        yield Finding("state", "problem", error.message, error.hint)
        return
    if faults:
        hint = "move it away: a new one is made, and alerts are then told once more"
        yield Finding("state", "problem", f"{path} is damaged: {faults[0]}", hint)
    else:
        yield Finding("state", "ok", f"{path.name} can be read")


def disk(case: Case) -> Iterator[Finding]:
    """Room for the ledger to grow, and for the copy beside it while its log is written into it."""
    place = case.ledger.path.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    with suppress(OSError):
        ledger = case.ledger.path.stat().st_size
        if free < ledger:
            what = f"{size(free)} free, and the ledger has {size(ledger)}"
            hint = "its log cannot be written into it: free some space beside it"
            yield Finding("disk", "problem", what, hint)
            return
    if free < _LEAST_FREE:
        yield Finding("disk", "warning", f"{size(free)} free beside the ledger", "free some space")
    else:
        yield Finding("disk", "ok", f"{size(free)} free")


CHECKS: Mapping[str, Callable[[Case], Iterator[Finding]]] = {
    "settings": settings,
    "zone": zone,
    "disk": disk,
    "files": left_behind,
    "modes": modes,
    "holder": holder,
    "state": state,
}
