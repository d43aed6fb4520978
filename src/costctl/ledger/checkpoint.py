"""Our own checkpoint, and the way back when one was cut short.

DuckDB's checkpoint rewrites a live block in place. A process killed inside that single write leaves a file
that cannot be opened. So the automatic checkpoints are off, and ours keeps a copy of the file until it is
done. The copy is made by another process: closing a descriptor of the file in this one drops DuckDB's lock.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from costctl.ledger.errors import LedgerError
from costctl.ledger.phases import phase

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SMALLEST_LOG = 16 * 2**20
"""A write-ahead log up to this many bytes is left alone; or up to a tenth of the ledger."""


def log_file(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".wal")


def backup_file(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".bak")


def is_due(ledger: Path) -> bool:
    """Whether the log has grown so large that opening the ledger would be slow."""
    try:
        log = log_file(ledger).stat().st_size
    except FileNotFoundError:
        return False
    smallest = int(os.environ.get("COSTCTL_CHECKPOINT_BYTES", SMALLEST_LOG))
    return log > max(smallest, ledger.stat().st_size // 10 if smallest == SMALLEST_LOG else 0)


def checkpoint(connection: DuckDBPyConnection, ledger: Path) -> None:
    """Write the log into the ledger's file, with a copy beside it as long as that takes.

    ``connection`` is the only one of the ledger. Raises :class:`LedgerError` if the copy cannot be made; the
    log then stays as it is, and nothing is lost.
    """
    backup = backup_file(ledger)
    partial = ledger.with_name(ledger.name + ".bak.partial")
    phase("copy")
    try:
        subprocess.run(
            ["cp", "--reflink=auto", "--preserve=mode", "--", str(ledger), str(partial)],
            check=True,
            capture_output=True,
            text=True,
        )
        subprocess.run(["sync", "--", str(partial)], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        partial.unlink(missing_ok=True)
        reason = getattr(error, "stderr", "") or str(error)
        raise LedgerError(
            f"no checkpoint: cannot copy the ledger: {reason.strip()}",
            hint="the data is safe in the log; free some space beside the ledger",
            file=ledger,
        ) from error
    os.replace(partial, backup)
    _sync_directory(ledger.parent)
    phase("checkpoint")
    connection.execute("FORCE CHECKPOINT")
    phase("checkpointed")
    backup.unlink()


def restore(ledger: Path) -> Path:
    """Put the copy of an unfinished checkpoint in the place of a ledger that cannot be opened.

    Returns where the bad file was set aside. The log stays: it was not emptied yet. Raises
    :class:`LedgerError` if there is no copy.
    """
    backup = backup_file(ledger)
    if not backup.exists():
        raise LedgerError(
            f"the ledger {ledger} is damaged and there is no copy {backup.name} beside it",
            hint="restore it from your own backup, or move it away and ingest again",
            file=ledger,
        )
    aside = ledger.with_name(ledger.name + ".damaged")
    os.replace(ledger, aside)
    os.replace(backup, ledger)
    _sync_directory(ledger.parent)
    return aside


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
