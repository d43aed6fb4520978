"""The state's file: made for its owner only, versioned by part, one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from costctl.state import APPLICATION_ID, Part, State, StateError, beside

NOTES = Part("notes", (("CREATE TABLE note (text TEXT NOT NULL) STRICT",),))
NOTES_2 = Part("notes", (*NOTES.steps, ("ALTER TABLE note ADD COLUMN pages INTEGER NOT NULL DEFAULT 1",)))
COUNTS = Part("counts", (("CREATE TABLE tally (n INTEGER NOT NULL) STRICT",),))


def write_both(state: State, *texts: str | None) -> None:
    with state.transaction() as connection:
        for text in texts:
            connection.execute("INSERT INTO note (text) VALUES (?)", [text])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "state.sqlite"


def write(state: State, text: str) -> None:
    with state.transaction() as connection:
        connection.execute("INSERT INTO note (text) VALUES (?)", [text])


def test_it_stands_beside_the_ledger(tmp_path: Path) -> None:
    assert beside(tmp_path / "ledger.duckdb") == tmp_path / "state.sqlite"
    assert beside(tmp_path / "other.duckdb") == tmp_path / "other.duckdb.state.sqlite"


def test_what_is_committed_is_there_for_the_next(path: Path) -> None:
    with State(path, NOTES) as state:
        write(state, "one")
    with State(path, NOTES) as state:
        assert state.rows("SELECT text FROM note") == [("one",)]


def test_a_transaction_that_raises_leaves_nothing(path: Path) -> None:
    with State(path, NOTES) as state:
        with pytest.raises(sqlite3.IntegrityError):
            write_both(state, "half", None)
        assert state.rows("SELECT * FROM note") == []
        write(state, "whole")
        assert state.rows("SELECT * FROM note") == [("whole",)]


def test_each_part_has_a_version_of_its_own(path: Path) -> None:
    with State(path, NOTES) as state:
        write(state, "old")
    with State(path, COUNTS, NOTES_2) as state:
        assert state.rows("SELECT text, pages FROM note") == [("old", 1)]
        assert state.rows("SELECT * FROM tally") == []
        assert state.rows("SELECT * FROM parts ORDER BY name") == [("counts", 1), ("notes", 2)]


def test_newer_tables_are_refused(path: Path) -> None:
    State(path, NOTES_2).close()
    with pytest.raises(StateError, match="newer costctl"):
        State(path, NOTES)
    State(path, COUNTS).close()  # whose own tables are not newer


def test_the_file_is_the_owners_whatever_the_umask(path: Path) -> None:
    previous = os.umask(0)
    try:
        with State(path, NOTES) as state:
            write(state, "one")
            modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    finally:
        os.umask(previous)
    assert modes == {"state.sqlite": 0o600, "state.sqlite-wal": 0o600, "state.sqlite-shm": 0o600}


def test_a_file_open_to_others_is_closed_to_them(path: Path) -> None:
    State(path).close()
    path.chmod(0o644)
    said: list[str] = []
    State(path, say=said.append).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert said == [f"{path} was open to other users: its mode is now 0600"]


@pytest.mark.parametrize("name", ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"])
def test_a_planted_link_is_not_followed(path: Path, name: str) -> None:
    target = path.parent / "target"
    path.with_name(name).symlink_to(target)
    with pytest.raises(StateError, match="is a link"):
        State(path)
    assert not target.exists()


def test_a_directory_where_all_may_write_is_refused(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(StateError, match="other users could replace files"):
        State(path)
    path.parent.chmod(0o700)


def test_what_is_no_state_is_refused_and_kept(path: Path) -> None:
    path.write_text("my notes, no database at all\n" * 100)
    with pytest.raises(StateError, match="is not costctl's state"):
        State(path)
    assert path.read_text().startswith("my notes")


def test_another_programs_database_is_refused_and_kept(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StateError, match="is not costctl's state"):
        State(path, NOTES)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    other.close()


def test_a_rehearsal_leaves_the_file_as_it_is(path: Path) -> None:
    with State(path, NOTES) as state:
        write(state, "one")
    before = path.read_bytes()
    with State.rehearsal(path, NOTES_2) as state:
        write(state, "two")
        assert state.rows("SELECT text FROM note") == [("one",), ("two",)]
    assert path.read_bytes() == before
    with State(path, NOTES) as state:
        assert state.rows("SELECT text FROM note") == [("one",)]


def test_a_rehearsal_makes_no_file(path: Path) -> None:
    with State.rehearsal(path, NOTES) as state:
        write(state, "one")
    assert list(path.parent.iterdir()) == []


def test_a_held_state_is_said_to_be_held(path: Path) -> None:
    with State(path, NOTES) as holder, State(path, NOTES, wait=0.05) as state, holder.transaction():
        with pytest.raises(StateError, match="held by another process"), state.transaction():
            pass
        assert state.rows("SELECT * FROM note") == [], "reading does not wait"


@pytest.mark.parametrize("question", [1, 2, 3])
def test_a_file_that_another_makes_ours_between_two_questions_is_ours(
    question: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    class Overtaken(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            nonlocal asked
            if not self.in_transaction and any(
                name in sql for name in ("sqlite_master", "application_id", "user_version")
            ):
                asked += 1
                if asked == question:
                    with State(path, NOTES) as other:
                        write(other, "first")
            return super().execute(sql, *values)

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        monkeypatch.undo()  # the other connects as usual
        return sqlite3.connect(*arguments, factory=Overtaken, **options)

    monkeypatch.setattr("costctl.state.sqlite3.connect", connect)
    with State(path, NOTES) as state:
        write(state, "second")
        assert asked >= question
        assert state.rows("SELECT text FROM note") == [("first",), ("second",)]


OPEN = """
import sys
from costctl.state import Part, State
part = Part("notes", (("CREATE TABLE note (text TEXT NOT NULL) STRICT",),))
sys.stdin.readline()
with State(sys.argv[1], part) as state, state.transaction() as connection:
    connection.execute("INSERT INTO note VALUES ('here')")
"""


@pytest.mark.heavy
def test_processes_that_open_a_new_state_together_all_get_in(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for number in range(10):
        path = tmp_path / f"{number}.sqlite"
        command = [sys.executable, "-c", OPEN, path]
        processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
        for process in processes:
            process.communicate(timeout=60)
            assert process.returncode == 0
        with State(path, NOTES) as state:
            assert state.rows("SELECT count(*) FROM note") == [(4,)]
            assert state.rows("PRAGMA application_id") == [(APPLICATION_ID,)]
