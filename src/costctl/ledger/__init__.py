"""The ledger: one DuckDB file of priced calls, that no crash tears and no two writers share."""

from costctl.ledger.engine import Engine, tag_path
from costctl.ledger.errors import LedgerError, LedgerLocked, LedgerMissing
from costctl.ledger.ledger import Ledger

__all__ = ["Engine", "Ledger", "LedgerError", "LedgerLocked", "LedgerMissing", "tag_path"]
