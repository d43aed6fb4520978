"""Ingested files and their state, rejected lines, calls without a price."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from costctl.analysis import rejects, sources, unpriced
from costctl.ledger import Ledger, LedgerError
from costctl.ledger.sources import edges
from costctl.render import warnings
from costctl.report import Unpriced

Make = Callable[..., Ledger]


def record(ledger: Ledger, path: Path, read_to: int | None = None, **said: Any) -> None:
    """What an ingest writes down of the file at ``path`` when it has read it up to ``read_to``."""
    status = path.stat()
    read_to = status.st_size if read_to is None else read_to
    head, tail = edges(path, read_to)
    row = {
        "source_id": 1,
        "path": str(path),
        "format": "costctl",
        "given": "{}",
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "device": status.st_dev,
        "inode": status.st_ino,
        "read_to": read_to,
        "head": head,
        "tail": tail,
        "rows": 1,
        "rejected": 0,
        "equal_lines": 0,
        "ingested_at": "2024-11-01 00:00:00",
        **said,
    }
    with ledger.writing() as connection:
        connection.execute(
            # S608: the columns' names are the tests' own.
            f"INSERT INTO sources ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
            list(row.values()),
        )


def state(ledger: Ledger) -> tuple[Any, Any]:
    (row,) = sources(ledger).rows
    return row[-2:]


def test_the_columns_of_a_source(ledger_of: Make, tmp_path: Path) -> None:
    file = tmp_path / "[red]calls.jsonl"
    file.write_bytes(b"{}\n" * 5)
    ledger = ledger_of()
    record(
        ledger, file, rows=3, rejected=2, first_ts="2024-10-01 06:00:00", last_ts="2024-12-01 00:00:00.000001"
    )
    report = sources(ledger, zone=ZoneInfo("Europe/Berlin"))
    assert [column.name for column in report.columns] == [
        *("source", "format", "rows", "rejected", "first_ts", "last_ts", "read_to", "state", "waiting")
    ]
    times = ("2024-10-01T08:00:00+02:00", "2024-12-01T01:00:00.000001+01:00")
    assert report.rows == [(str(file), "costctl", 3, 2, *times, 15, "current", 0)]
    assert report.rejected_lines == 2
    assert report.command == "sources"


def test_sources_stand_in_the_order_of_their_paths(ledger_of: Make, tmp_path: Path) -> None:
    ledger = ledger_of()
    for number, name in enumerate(["b", "c", "a"]):
        (tmp_path / name).write_bytes(b"{}\n")
        record(ledger, tmp_path / name, source_id=number)
    assert [row[0] for row in sources(ledger).rows] == [str(tmp_path / name) for name in "abc"]
    assert sources(ledger_of()).rows == []


def test_a_file_is_current_until_it_changes(ledger_of: Make, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_bytes(b'{"a": 1}\n' * 1000)
    ledger = ledger_of()
    record(ledger, file)
    assert state(ledger) == ("current", 0)
    with open(file, "ab") as appended:
        appended.write(b'{"b": 2}\n' * 3)
    assert state(ledger) == ("grown", 27)  # three lines of 9 bytes
    content = bytearray(file.read_bytes())
    content[0:1] = b"["
    file.write_bytes(content)
    assert state(ledger) == ("changed", None)
    file.unlink()
    assert state(ledger) == ("gone", None)


def test_a_line_without_its_end_waits(ledger_of: Make, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_bytes(b'{"a": 1}\n{"b": ')
    ledger = ledger_of()
    record(ledger, file, read_to=9)
    assert state(ledger) == ("current", 6)


def test_a_file_that_shrank_or_was_replaced_has_changed(ledger_of: Make, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_bytes(b'{"a": 1}\n' * 10)
    ledger = ledger_of()
    record(ledger, file)
    os.truncate(file, 9)
    assert state(ledger) == ("changed", None)
    file.write_bytes(b'{"c": 1}\n' * 10)
    assert state(ledger) == ("changed", None)


def test_a_file_in_the_place_of_its_directory_is_gone(ledger_of: Make, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    file = tmp_path / "logs" / "calls.jsonl"
    file.write_bytes(b"{}\n")
    ledger = ledger_of()
    record(ledger, file)
    file.unlink()
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").write_bytes(b"")
    assert state(ledger) == ("gone", None)


# --- rejects -----------------------------------------------------------------------------------------------


@pytest.fixture
def rejecting(ledger_of: Make) -> Ledger:
    ledger = ledger_of()
    with ledger.writing() as connection:
        connection.execute(
            """INSERT INTO sources (source_id, path, format, ingested_at, rows, rejected, read_to) VALUES
            (1, '/old', 'costctl', TIMESTAMP '2024-10-01', 9, 2, 1),
            (2, '/new', 'costctl', TIMESTAMP '2024-10-02', 9, 3, 1)"""
        )
        connection.execute(
            """INSERT INTO rejects VALUES
            (1, 9, 'not JSON', NULL), (1, 2, 'ts: missing', NULL),
            (2, 10, 'not JSON', '{"[red]'), (2, 9, 'not JSON', NULL), (2, 100, 'model: missing', '=1+1')"""
        )
    return ledger


def test_rejects_of_the_newest_source_come_first(rejecting: Ledger) -> None:
    report = rejects(rejecting)
    assert report.command == "rejects"
    assert [column.name for column in report.columns] == ["source", "line", "reason", "raw"]
    assert report.rows == [
        ("/new", 9, "not JSON", None),
        ("/new", 10, "not JSON", '{"[red]'),
        ("/new", 100, "model: missing", "=1+1"),
        ("/old", 2, "ts: missing", None),
        ("/old", 9, "not JSON", None),
    ]
    assert report.notes == ("3 × not JSON", "1 × model: missing", "1 × ts: missing")
    assert report.rejected_lines == 5
    assert warnings(report) == ["5 lines were rejected and not counted"]
    assert warnings(sources(rejecting)) == ["5 lines were rejected and not counted: see costctl rejects"]


def test_rejects_of_some_sources(rejecting: Ledger) -> None:
    assert [row[1] for row in rejects(rejecting, sources=["/old"]).rows] == [2, 9]
    assert warnings(rejects(rejecting, sources=["/old"])) == ["2 lines were rejected and not counted"]
    assert len(rejects(rejecting, sources=["/old", "/new"]).rows) == 5
    for other in ("/older", "/old' OR 1=1 --"):
        with pytest.raises(LedgerError, match="is not in the ledger"):
            rejects(rejecting, sources=[other])


def test_many_reasons_are_not_all_named(ledger_of: Make) -> None:
    ledger = ledger_of()
    with ledger.writing() as connection:
        connection.execute("INSERT INTO sources (source_id, path) VALUES (1, '/a')")
        connection.execute("INSERT INTO rejects SELECT 1, n, 'reason ' || n // 2, NULL FROM range(30) t(n)")
    notes = rejects(ledger).notes
    assert len(notes) == 11
    assert notes[-1] == "10 for 5 more reasons"  # 15 reasons, two lines each


# --- unpriced ----------------------------------------------------------------------------------------------

GAP = {"cost_pico": None, "price_id": None}


def test_calls_without_a_price_by_model_and_reason(ledger_of: Make) -> None:
    ledger = ledger_of(
        {"provider": "openai", "model": "gpt-x", "input_tokens": 5, "requests": 4, **GAP},
        {"provider": "openai", "model": "gpt-x", "output_tokens": 6, "mode": "batch", **GAP},
        {"provider": None, "model": "mine", "cache_read_tokens": 1, "requests": None, **GAP},
        {"model": "opus", "cost_pico": 0, "input_tokens": 1000},
    )
    report = unpriced(ledger)
    assert [column.name for column in report.columns] == ["provider", "model", "reason", "calls", "tokens"]
    assert report.rows == [
        ("openai", "gpt-x", "no price for model openai/gpt-x in mode batch", 1, 6),
        ("openai", "gpt-x", "no price for model openai/gpt-x", 4, 5),
        (None, "mine", "no price for model mine", 1, 1),
    ]
    assert report.totals == (None, None, None, 6, 12)
    assert report.unpriced == Unpriced(6, 12, ("gpt-x", "mine"))
    assert not report.complete


def test_all_priced(ledger_of: Make) -> None:
    report = unpriced(ledger_of({"model": "opus"}))
    assert report.rows == []
    assert report.complete
