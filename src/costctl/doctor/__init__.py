"""What is wrong, or soon will be, with the ledger, its files and what feeds it. Each check stands alone: one
that fails is a row too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costctl.doctor import contents, machine, origins
from costctl.doctor.finding import Case, Finding
from costctl.ledger import LedgerError, LedgerMissing
from costctl.ledger.sources import Source, load
from costctl.report import Cell, Column, Report

if TYPE_CHECKING:
    from costctl.ledger import Engine

__all__ = ["Case", "Diagnosis", "Finding", "doctor"]

_COLUMNS = (
    Column("check", "text"),
    Column("state", "text"),
    Column("what", "text"),
    Column("hint", "text"),
)

_ROOM = 70
"""Cells that a table of the usual width has for what a check found."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found; ``unreadable``: there is a ledger, but it cannot be read."""

    findings: tuple[Finding, ...]
    unreadable: bool

    @property
    def attention(self) -> bool:
        """Whether a check asks for somebody's."""
        return any(each.state != "ok" for each in self.findings)

    def report(self, *, narrow: bool = False) -> Report:
        """The findings, one a row. ``narrow``: for a table, whose lines have no room for hints: these follow
        as notes, with what the lines have no room for either."""
        columns = _COLUMNS[:-1] if narrow else _COLUMNS
        rows: list[tuple[Cell, ...]] = [tuple(each)[: len(columns)] for each in self.findings]
        notes = tuple(map(_note, filter(_needs_note, self.findings))) if narrow else ()
        return Report("doctor", "Checks", columns, rows, notes=notes)


def _needs_note(finding: Finding) -> bool:
    return bool(finding.hint or len(finding.what) > _ROOM)


def _note(finding: Finding) -> str:
    told = f"{finding.what}: {finding.hint}" if len(finding.what) > _ROOM else finding.hint
    return f"{finding.check}: {told}".removesuffix(": ")


def doctor(case: Case) -> Diagnosis:
    """Look at all that there is to look at. Nothing is changed but what every opening of the ledger puts
    right, after it was looked at: modes, and a checkpoint that was cut short."""
    findings = [finding for name, check in machine.CHECKS.items() for finding in _tried(name, check, case)]
    unreadable = False
    try:
        sources, told = _contents(case)
        findings += told
        for name, check in origins.CHECKS.items():
            findings += _tried(name, check, case, sources)
    except LedgerMissing as error:
        findings.append(Finding("ledger", "warning", error.message, error.hint))
    except LedgerError as error:
        findings.append(Finding("ledger", "problem", error.message, error.hint))
        unreadable = True
    return Diagnosis(tuple(findings), unreadable)


def _contents(case: Case) -> tuple[dict[str, Source], list[Finding]]:
    """The ledger's sources, and what the checks of its contents found. Raises :class:`LedgerError`."""
    findings: list[Finding] = []
    with case.ledger.reading() as engine:
        sources = load(engine)
        for name, check in contents.CHECKS.items():
            findings += _tried(name, check, case, engine)
    findings += _tried("ledger's blocks", contents.blocks, case)
    return sources, findings


def _tried(
    name: str, check: Callable[..., Iterable[Finding]], *about: Case | Engine | dict[str, Source]
) -> Iterator[Finding]:
    """What a check finds; if it fails, that."""
    try:
        yield from check(*about)
    except Exception as error:
        said = " ".join(str(error).split())
        yield Finding(name, "problem", f"could not be checked: {said or type(error).__name__}")
