"""Other processes that use a ledger.

DuckDB keeps one instance a path within a process, so what a file holds is asked of a fresh process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from costctl.ledger import Ledger

HOLD = """
import sys
from costctl.ledger import Ledger
ledger = Ledger(sys.argv[1])
with getattr(ledger, sys.argv[2])():
    print("inside", flush=True)
    sys.stdin.readline()
"""

HOLD_WITH_DUCKDB = """
import sys
import duckdb
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading"):
    print("inside", flush=True)
    sys.stdin.readline()
"""

COMMIT = """
import sys
from costctl.ledger import Ledger
with Ledger(sys.argv[1]).writing() as connection:
    connection.execute("INSERT INTO rejects SELECT ?, range, 'not JSON', NULL FROM range(?)", sys.argv[2:4])
"""
"""Commits that many rejects of that source."""


class Said(Ledger):
    """A ledger that keeps what it says in ``said``."""

    def __init__(self, path: Path, wait: float = 30.0) -> None:
        self.said: list[str] = []
        super().__init__(path, wait, self.said.append)


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh process."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def ask(ledger: Ledger, sql: str) -> Any:
    """The rows of ``sql`` as a fresh process reads them."""
    code = """
import json, sys
from costctl.ledger import Ledger
with Ledger(sys.argv[1], say=lambda text: print(text, file=sys.stderr)).reading() as engine:
    print(json.dumps(engine.rows(sys.argv[2])))
"""
    done = run(code, ledger.path, sql)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ask_duckdb(ledger: Ledger, sql: str) -> Any:
    """The rows of ``sql`` as DuckDB reads them by itself, in a fresh process."""
    code = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
"""
    done = run(code, ledger.path, sql)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def holder(ledger: Ledger, what: str, code: str = HOLD) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the ledger for the block, or until :func:`let_go`."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(ledger.path), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "inside\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def let_go(process: subprocess.Popen[str]) -> None:
    """End the block of a holder."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
