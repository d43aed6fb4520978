"""One process writes or many read; the others wait, say for whom, and give up when told to."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest
from tests.ledger.processes import HOLD, HOLD_WITH_DUCKDB, Said, ask, holder, let_go, run

from costctl.ledger import LedgerLocked


def lets_go_when_told(ledger: Said, process: subprocess.Popen[str]) -> Callable[[str], None]:
    """Keeps what the ledger says, and ends the other process's hold when it says anything."""

    def say(text: str) -> None:
        ledger.said.append(text)
        let_go(process)

    return say


@pytest.mark.parametrize(
    ("theirs", "ours"), [("reading", "writing"), ("writing", "reading"), ("writing", "writing")]
)
def test_who_comes_later_waits_and_names_the_holder(ledger: Said, theirs: str, ours: str) -> None:
    with holder(ledger, theirs) as process:
        ledger.say = lets_go_when_told(ledger, process)
        with getattr(ledger, ours)():
            assert process.wait(timeout=30) == 0, "they have left before we came in"
    assert ledger.said == [f"waiting for the ledger, held by process {process.pid} …"]


def test_readers_do_not_wait_for_readers(ledger: Said) -> None:
    ledger.wait = 0
    with holder(ledger, "reading"), holder(ledger, "reading"), ledger.reading() as engine:
        assert engine.rows("SELECT count(*) FROM rejects") == [(3,)]
    assert ledger.said == []


@pytest.mark.parametrize(("theirs", "ours"), [("reading", "writing"), ("writing", "reading")])
def test_wait_of_0_tries_once_and_names_the_holder(ledger: Said, theirs: str, ours: str) -> None:
    ledger.wait = 0
    with holder(ledger, theirs) as process:
        with pytest.raises(LedgerLocked) as caught, getattr(ledger, ours)():
            pass
        assert caught.value.message == f"the ledger {ledger.path} is held by process {process.pid}"
        assert "--wait" in caught.value.hint
    assert ledger.said == []


def test_a_process_that_is_forked_meanwhile_keeps_nobody_out(ledger: Said) -> None:
    done = run(
        """
import os, sys
from costctl.ledger import Ledger
ledger = Ledger(sys.argv[1], wait=0)
reads, writes = os.pipe()
with ledger.reading():
    if not os.fork():
        os.close(writes)
        os.read(reads, 1)  # until the parent has ended
        os._exit(0)
with ledger.writing():
    print("inside")
""",
        ledger.path,
    )
    assert (done.stdout, done.stderr) == ("inside\n", "")


def test_waiting_ends_when_its_time_is_over(ledger: Said) -> None:
    ledger.wait = 0.2
    with holder(ledger, "writing") as process, pytest.raises(LedgerLocked), ledger.reading():
        pass
    assert ledger.said == [f"waiting for the ledger, held by process {process.pid} …"]


def test_holder_that_has_left_is_not_named(ledger: Said) -> None:
    """Two readers, of whom the one that the lock file named is gone: the other holds it, namelessly."""
    ledger.wait = 0
    with holder(ledger, "reading") as stays:
        with holder(ledger, "reading") as leaves:
            let_go(leaves)
            assert leaves.wait(timeout=30) == 0
        with pytest.raises(LedgerLocked) as caught, ledger.writing():
            pass
        assert stays.poll() is None
    assert caught.value.message == f"the ledger {ledger.path} is held by another process"


def test_lock_of_a_killed_process_is_free(ledger: Said) -> None:
    with holder(ledger, "writing") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        ledger.wait = 0
        with ledger.writing() as connection:
            assert connection.execute("SELECT count(*) FROM rejects").fetchall() == [(3,)]
    assert ledger.said == []


@pytest.mark.parametrize(
    ("theirs", "ours"), [("reading", "writing"), ("writing", "reading"), ("writing", "writing")]
)
def test_another_programs_hold_is_waited_for_and_named(ledger: Said, theirs: str, ours: str) -> None:
    """Another program knows nothing of our gate; DuckDB's own lock keeps us out."""
    with holder(ledger, theirs, HOLD_WITH_DUCKDB) as process:
        ledger.say = lets_go_when_told(ledger, process)
        with getattr(ledger, ours)():
            assert process.wait(timeout=30) == 0
    [said] = ledger.said
    assert said.startswith("waiting for the ledger, held by ")
    assert f"(PID {process.pid})" in said


def test_another_programs_hold_is_named_when_the_wait_is_over(ledger: Said) -> None:
    ledger.wait = 0
    with holder(ledger, "writing", HOLD_WITH_DUCKDB) as process:
        with pytest.raises(LedgerLocked) as caught, ledger.reading():
            pass
        assert f"(PID {process.pid})" in caught.value.message


def test_error_within_the_block_opens_the_gate(ledger: Said) -> None:
    ledger.wait = 0
    for opening in (ledger.writing, ledger.reading):
        with pytest.raises(ZeroDivisionError), opening():
            raise ZeroDivisionError
    assert ask(ledger, "SELECT count(*) FROM rejects") == [[3]]


def test_writer_keeps_duckdbs_own_lock_through_a_checkpoint(ledger: Said) -> None:
    """Closing a descriptor of the ledger's file in the process that has it open would drop that lock."""
    code = HOLD.replace(
        "with getattr(ledger, sys.argv[2])():",
        """with ledger.writing() as connection:
    connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(100000)")
    from costctl.ledger import checkpoint
    checkpoint.checkpoint(connection, ledger.files)""",
    )
    duckdb_alone = """
import sys, duckdb
try:
    duckdb.connect(sys.argv[1], read_only=True)
except duckdb.IOException as error:
    print("PID" in str(error))
"""
    with holder(ledger, "writing", code):
        assert run(duckdb_alone, ledger.path).stdout == "True\n"
