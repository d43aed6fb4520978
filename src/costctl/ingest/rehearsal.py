"""A dry run's ledger: a copy, thrown away afterwards."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from costctl.ledger import Ledger, LedgerError


@contextmanager
def rehearsal(ledger: Ledger) -> Iterator[Ledger]:
    """A copy of ``ledger`` beside it, or a new ledger where there is none yet.

    A transaction that is rolled back would not do: what it had inserted makes the file grow. Raises
    :class:`LedgerError` if the copy cannot be made.
    """
    beside = ledger.path.parent if ledger.exists else None
    with tempfile.TemporaryDirectory(prefix=f"{ledger.path.name}.dry-run-", dir=beside) as directory:
        copy = Ledger(Path(directory) / "ledger.duckdb", ledger.wait, ledger.say)
        if ledger.exists:
            # Readers keep writers out; and it is another process that opens the file.
            with ledger.reading():
                _copy(ledger.files.ledger, copy.files.ledger)
                if ledger.files.log.exists():
                    _copy(ledger.files.log, copy.files.log)
                if ledger.files.key.exists():
                    _copy(ledger.files.key, copy.files.key)
        yield copy


def _copy(file: Path, to: Path) -> None:
    done = subprocess.run(["cp", "--", str(file), str(to)], capture_output=True, text=True)
    if done.returncode:
        raise LedgerError(
            f"no dry run: cannot copy the ledger: {done.stderr.strip()}",
            hint="free some space beside the ledger",
            file=file,
        )
