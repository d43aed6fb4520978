"""Our own checkpoint, and the way back when one was cut short.

DuckDB's checkpoint rewrites a live block in place. A process killed inside that single write leaves a file
that cannot be opened. So the automatic checkpoints are off, and ours keeps a copy of the file until it is
done. The copy is made by another process: closing a descriptor of the file in this one drops DuckDB's lock.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from costctl.ledger.errors import LedgerError
from costctl.ledger.files import Files, sync
from costctl.ledger.phases import phase

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SMALLEST_LOG = 16 * 2**20
"""A write-ahead log of up to this many bytes is left alone, or up to a tenth of the ledger. Tests lower it
with ``COSTCTL_CHECKPOINT_BYTES`` in the environment."""


PATIENCE = 8
"""How many times longer the log may grow while the same command goes on writing."""


def is_due(files: Files, more_comes: bool = False) -> bool:
    """Whether the log has grown so large that opening the ledger would be slow; if ``more_comes``, that can
    wait."""
    try:
        log, ledger = files.log.stat().st_size, files.ledger.stat().st_size
    except FileNotFoundError:
        return False
    smallest = int(os.environ.get("COSTCTL_CHECKPOINT_BYTES", SMALLEST_LOG))
    return log > max(smallest, ledger // 10) * (PATIENCE if more_comes else 1)


def checkpoint(connection: DuckDBPyConnection, files: Files) -> None:
    """Write the log into the ledger's file, with a copy beside it as long as that takes.

    ``connection`` is the only one of the ledger, outside a transaction. Raises :class:`LedgerError` if the
    copy cannot be made: the log then stays as it is, and nothing is lost. Raises
    :class:`duckdb.FatalException` if the checkpoint itself fails: the connection is then of no more use; the
    copy stays for the next opening.
    """
    import subprocess

    phase("copy")
    try:
        files.partial_backup.unlink(missing_ok=True)
        copy = ["cp", "-p", "--", str(files.ledger), str(files.partial_backup)]
        subprocess.run(copy, check=True, capture_output=True, text=True)
        sync(files.partial_backup)
        files.partial_backup.replace(files.backup)
        sync(files.ledger.parent)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        raise LedgerError(
            f"no checkpoint: cannot copy the ledger: {reason.strip()}",
            hint="the data is safe in the log; free some space beside the ledger",
            file=files.ledger,
        ) from error
    finally:
        files.partial_backup.unlink(missing_ok=True)
    phase("checkpoint")
    connection.execute("FORCE CHECKPOINT")
    phase("checkpointed")
    files.backup.unlink()


def restore(files: Files) -> None:
    """Put the copy of an unfinished checkpoint in the place of a ledger that cannot be read.

    The log stays: it was not emptied yet. The bad file is set aside as ``files.damaged``.
    """
    # Killed between the two, this leaves no ledger but its copy: it is then put in place at the next opening.
    if files.ledger.exists():
        files.ledger.replace(files.damaged)
    files.backup.replace(files.ledger)
    sync(files.ledger.parent)
