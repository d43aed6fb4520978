"""What can go wrong with the ledger's file, in words for its user."""

from __future__ import annotations

from pathlib import Path


class LedgerError(Exception):
    """``message`` says what is wrong, ``hint`` the way out; ``file`` is the ledger."""

    def __init__(self, message: str, hint: str = "", file: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file


class LedgerMissing(LedgerError):  # noqa: N818 - a state that callers ask for by name
    """There is no ledger at that path yet."""


class LedgerLocked(LedgerError):  # noqa: N818
    """Another process has held the ledger longer than we were told to wait."""


class LedgerDamaged(LedgerError):  # noqa: N818
    """The ledger's file cannot be read any more."""
