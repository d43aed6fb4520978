"""A checkpoint that is cut short, at whatever point, costs no committed row."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.ledger.processes import COMMIT, Said, ask, run

from costctl.ledger import LedgerError, checkpoint

FIRST_BLOCK = 12288
"""Where the block begins that a checkpoint may write in place, after three headers of 4 kB."""

CUT_SHORT = """
import os, sys, duckdb
from costctl.ledger import Ledger, checkpoint
ledger = Ledger(sys.argv[1])
with ledger.writing() as connection:
    connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(1000)")
    connection.execute("SET debug_checkpoint_abort = 'before_header'")
    try:
        checkpoint.checkpoint(connection, ledger.files)
    except duckdb.FatalException:
        os.kill(os.getpid(), 9)
"""
"""The process dies in a checkpoint that wrote its blocks, but not the header that makes them count."""

KILLED_AT = """
import os, sys
from costctl.ledger import Ledger, checkpoint
checkpoint.phase = lambda name: os.kill(os.getpid(), 9) if name == sys.argv[2] else None
ledger = Ledger(sys.argv[1])
with ledger.writing() as connection:
    connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(1000)")
    checkpoint.checkpoint(connection, ledger.files)
"""
"""A checkpoint whose process dies at the given mark."""

ROWS = "SELECT source_id, count(*) FROM rejects GROUP BY ALL ORDER BY ALL"
COMMITTED = [[1, 3], [2, 1000]]


@pytest.fixture
def interrupted(ledger: Said) -> Said:
    """A ledger with a first checkpoint behind it, whose second was cut short by a kill."""
    with ledger.writing() as connection:
        checkpoint.checkpoint(connection, ledger.files)
    assert run(CUT_SHORT, ledger.path).returncode == -9
    assert ledger.files.backup.exists()
    assert ledger.files.log.exists()
    return ledger


def tear(path: Path, block: int = FIRST_BLOCK) -> None:
    """Leave a block of 64 kB as a write does that ends after its first 4 kB."""
    with open(path, "r+b") as file:
        file.seek(block + 4096)
        file.write(b"\xa5" * (65536 - 4096))


@pytest.mark.parametrize("opening", ["reading", "writing"])
def test_torn_checkpoint_loses_nothing(interrupted: Said, opening: str) -> None:
    tear(interrupted.path)
    with getattr(interrupted, opening)():
        pass
    [said] = interrupted.said
    assert f"the last checkpoint of {interrupted.path} was cut short" in said
    assert "nothing is lost" in said
    assert "ledger.duckdb.damaged" in said
    assert interrupted.files.damaged.exists()
    assert not interrupted.files.backup.exists()
    assert ask(interrupted, ROWS) == COMMITTED


def test_ledger_restored_from_a_torn_checkpoint_goes_on(interrupted: Said) -> None:
    tear(interrupted.path)
    assert run(COMMIT, interrupted.path, 3, 5).returncode == 0
    with interrupted.writing() as connection:
        checkpoint.checkpoint(connection, interrupted.files)
    assert not interrupted.files.log.exists()
    assert ask(interrupted, ROWS) == [*COMMITTED, [3, 5]]


def test_unfinished_checkpoint_that_tore_nothing_needs_no_copy(interrupted: Said) -> None:
    with interrupted.reading():
        pass
    assert interrupted.said == []
    assert not interrupted.files.backup.exists()
    assert not interrupted.files.damaged.exists()
    assert ask(interrupted, ROWS) == COMMITTED


@pytest.mark.parametrize("mark", ["copy", "checkpoint", "checkpointed"])
def test_checkpoint_killed_at_any_mark_loses_nothing(ledger: Said, mark: str) -> None:
    assert run(KILLED_AT, ledger.path, mark).returncode == -9
    assert ask(ledger, ROWS) == COMMITTED
    with ledger.writing():
        pass
    assert ledger.said == []
    assert not ledger.files.backup.exists()


def test_copy_from_before_a_finished_checkpoint_never_takes_its_place(ledger: Said) -> None:
    """The log is gone, so the copy lacks what the checkpoint wrote. Whatever else damaged the file later."""
    assert run(KILLED_AT, ledger.path, "checkpointed").returncode == -9
    assert not ledger.files.log.exists()
    tear(ledger.path)
    with pytest.raises(LedgerError, match="is damaged"), ledger.writing():
        pass
    assert ledger.files.backup.exists()
    assert not ledger.files.damaged.exists()


def test_killed_while_the_copy_takes_the_ledgers_place(interrupted: Said) -> None:
    tear(interrupted.path)
    interrupted.path.rename(interrupted.files.damaged)
    assert interrupted.exists
    with interrupted.reading():
        pass
    assert ask(interrupted, ROWS) == COMMITTED


def test_half_a_copy_is_never_used(ledger: Said) -> None:
    """The copy gets its name when it is whole: a process killed in between leaves it under another."""
    ledger.files.partial_backup.write_bytes(b"half")
    with ledger.writing() as connection:
        assert not ledger.files.partial_backup.exists()
        connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(1000)")
    assert ask(ledger, ROWS) == COMMITTED


def test_damage_without_a_copy_is_a_clear_error(ledger: Said) -> None:
    with ledger.writing() as connection:
        checkpoint.checkpoint(connection, ledger.files)
    tear(ledger.path)
    for opening in (ledger.reading, ledger.writing):
        with pytest.raises(LedgerError) as caught, opening():
            pass
        assert caught.value.message.startswith(f"the ledger {ledger.path} is damaged: ")
        assert "ingest again" in caught.value.hint
        assert caught.value.file == ledger.path


def test_damaged_log_is_a_clear_error_whose_hint_helps(interrupted: Said) -> None:
    """Neither the ledger nor its copy is at fault, so no copy is put in place."""
    log = bytearray(interrupted.files.log.read_bytes())
    third = len(log) // 3
    log[third : 2 * third] = bytes(byte ^ 0xFF for byte in log[third : 2 * third])
    interrupted.files.log.write_bytes(log)
    with pytest.raises(LedgerError, match=r"log .* is damaged") as caught, interrupted.reading():
        pass
    assert caught.value.hint.startswith("move it away")
    assert not interrupted.files.damaged.exists()

    interrupted.files.log.rename(interrupted.path.with_name("moved"))
    assert ask(interrupted, ROWS) == [[1, 3]]


def test_log_without_its_ledger_is_kept(ledger: Said, tmp_path: Path) -> None:
    assert run(COMMIT, ledger.path, 2, 1000).returncode == 0
    ledger.path.rename(tmp_path / "moved")
    with pytest.raises(LedgerError, match=r"a log .* without its ledger"), ledger.writing():
        pass
    (tmp_path / "moved").rename(ledger.path)
    assert ask(ledger, ROWS) == COMMITTED


def test_nothing_is_checkpointed_before_it_is_due(ledger: Said) -> None:
    """Neither a commit, however large, nor closing, nor opening moves the log into the file."""
    size = ledger.path.stat().st_size
    logs = []
    for _ in range(3):
        with ledger.writing() as connection:
            connection.execute("INSERT INTO rejects SELECT 2, range, 'r' || range, NULL FROM range(100000)")
            ledger.checkpoint_if_due(connection)
        logs.append(ledger.files.log.stat().st_size)
    assert logs == sorted(set(logs))
    assert ledger.path.stat().st_size == size


def test_due_above_16_mb_and_a_tenth_of_the_ledger(ledger: Said) -> None:
    def sizes(log: int, of: int) -> bool:
        for path, size in ((ledger.files.log, log), (ledger.path, of)):
            with open(path, "wb") as file:
                file.truncate(size)
        return checkpoint.is_due(ledger.files)

    mb = 2**20
    assert not sizes(log=16 * mb, of=mb)
    assert sizes(log=16 * mb + 1, of=mb)
    assert not sizes(log=100 * mb, of=1000 * mb)
    assert sizes(log=100 * mb + 1, of=1000 * mb)
    ledger.files.log.unlink()
    assert not checkpoint.is_due(ledger.files)


def test_due_checkpoint_empties_the_log_and_removes_its_copy(
    ledger: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    monkeypatch.setenv("COSTCTL_CHECKPOINT_BYTES", "1000")
    monkeypatch.setenv("COSTCTL_PHASES", str(marks))
    with ledger.writing() as connection:
        connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(1000)")
        ledger.checkpoint_if_due(connection)
        connection.execute("INSERT INTO rejects VALUES (3, 1, 'not JSON', NULL)")
    assert marks.read_text().split() == ["copy", "checkpoint", "checkpointed"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "ledger.duckdb",
        "ledger.duckdb.lock",
        "ledger.duckdb.wal",
        "marks",
    }
    assert ask(ledger, ROWS) == [*COMMITTED, [3, 1]]


def test_copy_is_whole_and_private(ledger: Said) -> None:
    assert run(KILLED_AT, ledger.path, "checkpoint").returncode == -9
    copy = ledger.files.backup
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.read_bytes() == ledger.path.read_bytes()


def test_checkpoint_without_space_for_its_copy_is_put_off_with_a_word(ledger: Said) -> None:
    """A limit on the size of files stands for the full disk here: the copy is cut off in its middle."""
    code = """
import os, resource, sys
from costctl.ledger import Ledger
os.environ["COSTCTL_CHECKPOINT_BYTES"] = "1000"
ledger = Ledger(sys.argv[1], say=print)
with ledger.writing() as connection:
    connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(1000)")
    resource.setrlimit(resource.RLIMIT_FSIZE, (50000, resource.RLIM_INFINITY))
    ledger.checkpoint_if_due(connection)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    connection.execute("INSERT INTO rejects VALUES (3, 1, 'not JSON', NULL)")
"""
    done = run(code, ledger.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no checkpoint: cannot copy the ledger: ")
    assert "the data is safe in the log" in done.stdout
    assert {path.name for path in ledger.path.parent.iterdir()} == {
        "ledger.duckdb",
        "ledger.duckdb.lock",
        "ledger.duckdb.wal",
    }
    assert ask(ledger, ROWS) == [*COMMITTED, [3, 1]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(directory)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """A file that takes all the space that is left."""
    filler = directory / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


@pytest.mark.heavy
def test_full_disk_leaves_the_ledger_good(small_disk: Path) -> None:
    full = f"the ledger could not be written: no space is left on the disk of {small_disk}"
    ledger = Said(small_disk / "ledger.duckdb")
    with ledger.writing() as connection:
        connection.execute("INSERT INTO rejects SELECT 1, range, 'not JSON', NULL FROM range(3)")
    reserve = small_disk / "reserve"
    reserve.write_bytes(bytes(2 * 2**20))
    with pytest.raises(LedgerError) as in_statement, ledger.writing() as connection:
        connection.execute("INSERT INTO rejects SELECT 9, range, uuid()::VARCHAR, NULL FROM range(1000000)")
    assert in_statement.value.message == full
    assert in_statement.value.hint.startswith("free some space, then run the same command again")

    filler = fill(small_disk)
    assert ask(ledger, ROWS) == [[1, 3]], "it can be read while the disk is full"
    with pytest.raises(LedgerError) as in_commit, ledger.writing() as connection:
        connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(1000)")
    assert in_commit.value.message == full

    filler.unlink()
    reserve.unlink()
    assert run(COMMIT, ledger.path, 2, 1000).returncode == 0
    assert ask(ledger, ROWS) == COMMITTED


@pytest.mark.heavy
def test_checkpoint_on_a_full_disk_is_put_off(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTCTL_CHECKPOINT_BYTES", "1000")
    ledger = Said(small_disk / "ledger.duckdb")
    with ledger.writing() as connection:
        connection.execute("INSERT INTO rejects SELECT 1, range, 'not JSON', NULL FROM range(3)")
        connection.execute("INSERT INTO rejects SELECT 2, range, 'not JSON', NULL FROM range(1000)")
        filler = fill(small_disk)
        ledger.checkpoint_if_due(connection)
        [said] = ledger.said
        assert "No space left on device" in said
        assert not ledger.files.partial_backup.exists()
        filler.unlink()
        ledger.checkpoint_if_due(connection)
    assert not ledger.files.log.exists()
    assert ask(ledger, ROWS) == COMMITTED
