"""Calls that came in late: which commits say so, and from when on they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.program import Costctl

from costctl.ledger import Ledger, late

HOUR_US = 3600 * 10**6
NOW = datetime.now(UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "l.duckdb")


def commit(ledger: Ledger, age_hours: int) -> int:
    """Note a commit whose first call began that long ago, and return when."""
    first = int(datetime.now(UTC).timestamp() * 10**6) - age_hours * HOUR_US
    with ledger.writing() as connection:
        connection.execute("BEGIN")
        late.note(connection, first)
        connection.execute("COMMIT")
    return first


def since(ledger: Ledger, known: datetime) -> int | None:
    with ledger.reading() as engine:
        return late.since(engine, known)


def test_calls_of_the_last_three_days_are_not_late(ledger: Ledger) -> None:
    commit(ledger, 71)
    assert since(ledger, NOW - timedelta(days=1)) is None
    first = commit(ledger, 73)
    assert since(ledger, NOW - timedelta(days=1)) == first


def test_what_came_before_is_known(ledger: Ledger) -> None:
    commit(ledger, 2000)
    between = datetime.now(UTC)
    assert since(ledger, between) is None
    second = commit(ledger, 100)
    assert since(ledger, between) == second
    third = commit(ledger, 200)
    assert since(ledger, between) == third  # the earliest of both


def test_of_many_commits_the_oldest_are_kept_as_one(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "_MOST", 3)
    earliest = commit(ledger, 2000)
    for age in (100, 200, 300, 400):
        commit(ledger, age)
    with ledger.reading() as engine:
        ((kept,),) = engine.rows("SELECT value FROM meta WHERE key = 'late'")
    assert len(json.loads(kept)) == 3
    assert since(ledger, NOW - timedelta(days=1)) == earliest  # too much rather than too little


def test_of_a_file_that_grew_only_the_new_lines_count(costctl: Costctl) -> None:
    file = costctl.cwd / "usage.jsonl"

    def add(*days: str) -> None:
        with file.open("a") as stream:
            for day in days:
                call = {"id": day, "timestamp": f"{day}T12:00:00Z", "model": "claude-opus-4-20250514"}
                stream.write(json.dumps({**call, "input_tokens": 1, "output_tokens": 1}) + "\n")

    add("2024-09-01", "2024-11-01")
    assert costctl("ingest", file).code == 0
    between = datetime.now(UTC)
    assert costctl("ingest", file).code == 0  # nothing new
    assert since(Ledger(costctl.ledger), between) is None
    add("2024-10-20", "2024-11-02")
    assert costctl("ingest", file).code == 0
    october = datetime(2024, 10, 20, 12, tzinfo=UTC)
    assert since(Ledger(costctl.ledger), between) == int(october.timestamp()) * 10**6
