"""A ledger is made whole or not at all, is its owner's alone, and is opened by no program that is too old."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from tests.ledger.processes import Said, ask, ask_duckdb, run

from costctl.ledger import Ledger, LedgerError, LedgerMissing, schema
from costctl.pricing import sql as pricing

AS_ROOT = os.geteuid() == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o277])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    previous = os.umask(request.param)
    yield request.param
    os.umask(previous)


def test_new_ledger_and_everything_beside_it_is_its_owners_alone_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    ledger = Ledger(tmp_path / "new" / "ledger.duckdb")
    with ledger.writing() as connection:
        connection.execute("INSERT INTO rejects VALUES (1, 1, 'not JSON', NULL)")
        modes = {path.name: mode(path) for path in ledger.path.parent.iterdir()}
    assert modes == {"ledger.duckdb": 0o600, "ledger.duckdb.lock": 0o600, "ledger.duckdb.wal": 0o600}
    assert mode(ledger.path.parent) == 0o700
    assert os.umask(umask) == umask, "the umask is as it was"


def test_what_spills_is_its_owners_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    with ledger.writing() as connection:
        connection.execute("SET memory_limit = '40MB'")
        connection.execute(
            "CREATE TEMP TABLE wide AS SELECT range AS a, md5(range::VARCHAR) FROM range(2000000)"
        )
        spilled = [ledger.spill_directory, *ledger.spill_directory.iterdir()]
        assert len(spilled) > 1
        assert {mode(path) & 0o077 for path in spilled} == {0}


def test_new_ledger_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """A process killed while it makes one leaves none, and nothing that bars the next from making it."""
    code = """
import os, sys
from costctl.ledger import Ledger, schema
made = schema.create
def killed(connection):
    made(connection)
    connection.execute("CHECKPOINT ledger")
    os.kill(os.getpid(), 9)
schema.create = killed
with Ledger(sys.argv[1]).writing():
    pass
"""
    path = tmp_path / "ledger.duckdb"
    assert run(code, path).returncode == -9
    assert not path.exists()
    assert (tmp_path / "ledger.duckdb.new").exists()
    with Ledger(path).writing() as connection:
        assert connection.execute("SELECT count(*) FROM stored_calls").fetchall() == [(0,)]
    assert {file.name for file in tmp_path.iterdir()} == {"ledger.duckdb", "ledger.duckdb.lock"}


def test_missing_ledger_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing) as caught, Ledger(tmp_path / "ledger.duckdb").reading():
        pass
    assert caught.value.message == f"there is no ledger at {tmp_path / 'ledger.duckdb'}"
    assert "costctl ingest" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_new_ledger_names_itself_and_its_schema(ledger: Ledger) -> None:
    with ledger.reading() as engine:
        meta = dict(engine.rows("SELECT key, value FROM meta"))
    assert meta.keys() == {"version", "ledger_id", "commit"}
    assert meta["version"] == "1"
    assert meta["commit"] == "0"
    assert len(meta["ledger_id"]) == 36


def test_price_table_is_the_one_that_pricing_joins() -> None:
    assert schema.PRICE_COLUMNS == pricing.COLUMNS


def test_wider_mode_is_repaired_with_a_word(ledger: Said) -> None:
    ledger.path.chmod(0o644)
    ledger.files.lock.chmod(0o666)
    with ledger.reading():
        pass
    assert mode(ledger.path) == 0o600
    assert mode(ledger.files.lock) == 0o600
    assert sorted(ledger.said) == [
        f"{ledger.path} was open to other users: its mode is now 0600",
        f"{ledger.files.lock} was open to other users: its mode is now 0600",
    ]
    ledger.said.clear()
    with ledger.writing():
        pass
    assert ledger.said == []


def test_ledger_may_be_named_through_a_link(ledger: Ledger, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(ledger.path)
    assert Ledger(link).path == ledger.path
    with Ledger(link).writing() as connection:
        assert connection.execute("SELECT count(*) FROM rejects").fetchall() == [(3,)]
    assert not list(tmp_path.glob("elsewhere.*"))


@pytest.mark.parametrize("ending", [".lock", ".wal", ".bak", ".bak.partial", ".new", ".tmp"])
def test_planted_link_is_refused_and_its_target_untouched(
    ledger: Ledger, tmp_path: Path, ending: str
) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    planted = ledger.path.with_name(ledger.path.name + ending)
    planted.unlink(missing_ok=True)
    planted.symlink_to(target)
    for opening in (ledger.reading, ledger.writing):
        with pytest.raises(LedgerError, match=r"is a link") as caught, opening():
            pass
        assert str(planted) in caught.value.message
    assert target.read_text() == "precious"


@pytest.mark.skipif(not AS_ROOT, reason="only root can give files to another user")
@pytest.mark.parametrize("ending", ["", ".lock", ".wal"])
def test_file_of_another_user_is_refused(ledger: Ledger, ending: str) -> None:
    foreign = ledger.path.with_name(ledger.path.name + ending)
    foreign.touch()
    os.chown(foreign, 12345, -1)
    for opening in (ledger.reading, ledger.writing):
        with pytest.raises(LedgerError, match=r"belongs to another user \(uid 12345\)"), opening():
            pass


def test_directory_that_everybody_writes_is_refused_unless_sticky(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    ledger = Ledger(open_to_all / "ledger.duckdb")
    with pytest.raises(LedgerError, match="other users could replace files"), ledger.writing():
        pass
    assert list(open_to_all.iterdir()) == []
    open_to_all.chmod(0o1777)
    with ledger.writing():
        pass


@pytest.mark.skipif(not AS_ROOT, reason="only root can act as another user")
def test_directory_of_another_user_is_refused() -> None:
    # Not under pytest's own, into which no other user may look.
    with tempfile.TemporaryDirectory() as directory:
        refused_as_that_of_another_user(Path(directory))


def refused_as_that_of_another_user(theirs: Path) -> None:
    theirs.chmod(0o775)
    os.chown(theirs, 12345, 54321)
    code = """
import os, sys
from costctl.ledger import Ledger, LedgerError
os.setgroups([54321]); os.setgid(54321); os.setuid(12346)
try:
    with Ledger(sys.argv[1]).writing(): pass
except LedgerError as error:
    print(error.message)
"""
    done = run("import duckdb, costctl.ledger.schema\n" + code, theirs / "ledger.duckdb")
    assert done.stdout == f"other users could replace files in {theirs}\n", done.stderr
    assert list(theirs.iterdir()) == []


def test_file_that_is_no_database_is_named_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    path.write_text('{"model": "claude"}\n' * 2000)
    path.chmod(0o644)
    for opening in (Ledger(path).reading, Ledger(path).writing):
        with pytest.raises(LedgerError) as caught, opening():
            pass
        assert caught.value.message == f"{path} is not a costctl ledger"
        assert caught.value.file == path
    assert path.read_text() == '{"model": "claude"}\n' * 2000
    assert mode(path) == 0o644


@pytest.mark.parametrize(
    "content",
    [
        "CREATE TABLE t (a INTEGER)",
        "CREATE TABLE meta (name VARCHAR)",
        "CREATE TABLE meta (key TEXT, value TEXT)",
    ],
)
def test_database_of_another_program_is_named_and_untouched(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(content)
    path.chmod(0o644)
    before = path.read_bytes()
    for opening in (Ledger(path).reading, Ledger(path).writing):
        with pytest.raises(LedgerError) as caught, opening():
            pass
        assert caught.value.message == f"{path} is not a costctl ledger"
    assert path.read_bytes() == before
    assert mode(path) == 0o644


def test_newer_schema_is_refused(ledger: Ledger) -> None:
    with ledger.writing() as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'version'")
    for opening in (ledger.reading, ledger.writing):
        with pytest.raises(LedgerError) as caught, opening():
            pass
        assert caught.value.message == (
            f"the ledger {ledger.path} has schema version 2; this costctl knows up to 1"
        )
        assert "newer costctl" in caught.value.hint


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[str, ...]]:
    """This program at a schema version one higher; the steps that lead there are put in by the test."""
    steps: dict[int, tuple[str, ...]] = {}
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    return steps


@pytest.mark.parametrize("opening", ["reading", "writing"])
def test_older_ledger_is_brought_to_this_version_when_opened(
    ledger: Ledger, next_version: dict[int, tuple[str, ...]], opening: str
) -> None:
    next_version[1] = (
        "ALTER TABLE rejects ADD COLUMN kind VARCHAR",
        "UPDATE rejects SET kind = 'syntax' WHERE reason = 'not JSON'",
    )
    with getattr(ledger, opening)():
        pass
    assert ask_duckdb(ledger, "SELECT value FROM meta WHERE key = 'version'") == [["2"]]
    assert ask_duckdb(ledger, "SELECT DISTINCT kind FROM rejects") == [["syntax"]]


def test_migration_that_fails_leaves_the_old_version_whole(
    ledger: Ledger, next_version: dict[int, tuple[str, ...]]
) -> None:
    next_version[1] = ("ALTER TABLE rejects ADD COLUMN kind VARCHAR", "UPDATE missing SET kind = ''")
    with pytest.raises(duckdb.CatalogException), ledger.writing():
        pass
    assert ask(ledger, "SELECT * FROM rejects ORDER BY line LIMIT 1") == [[1, 1, "not JSON", None]]
    assert ask(ledger, "SELECT value FROM meta WHERE key = 'version'") == [["1"]]


def test_ledger_in_a_place_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ledger = Ledger(tmp_path / "file" / "ledger.duckdb")
    with pytest.raises(LedgerError, match="cannot make the directory"), ledger.writing():
        pass


def test_opening_leaves_nothing_on_the_terminal(ledger: Ledger) -> None:
    """The database's Python client complains on standard error of what an exception keeps alive."""
    code = """
import sys
from costctl.ledger import Ledger, LedgerError
try:
    with Ledger(sys.argv[1]).writing() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO rejects VALUES (9, 9, '', '')")
        raise LedgerError("enough")
except LedgerError:
    print("caught")
"""
    done = subprocess.run([sys.executable, "-c", code, ledger.path], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught\n", "")
    assert ask(ledger, "SELECT count(*) FROM rejects") == [[3]]
