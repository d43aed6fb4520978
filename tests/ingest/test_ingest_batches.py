"""Several transactions, none at all, files that move, and what happens when one of many fails."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from usage_files import CALL_COST, Desk, Given, call, text, turn

from costctl.ingest import duplicates, plan


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction a kilobyte of files."""
    monkeypatch.setattr(plan, "BATCH_BYTES", 1000)


def commits(desk: Desk) -> int:
    ((number,),) = desk.rows("SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'commit'")
    return int(number)


@pytest.mark.usefixtures("small_batches")
def test_several_batches_are_several_transactions_of_one_ingest(desk: Desk) -> None:
    # 131 bytes a line: a and b are 393 bytes each, and c would be too much; d is too large for any other.
    for name in "abc":
        desk.write(f"{name}.jsonl", *(call(id=f"{name}{number}") for number in range(3)))
    desk.write("d.jsonl", *(call(id=f"d{number}") for number in range(30)), call(id="a0"))
    desk.write("e.jsonl", call(id="a1", output_tokens=20), "{bad")
    done = desk.ingest()
    assert (done["files"], done["rows_new"], done["rows_known"], done["rows_improved"]) == (5, 39, 1, 1)
    # 39 calls, of which one was counted again with 10 output tokens more.
    assert done["cost"] == 39 * CALL_COST + CALL_COST + 10 * 15_000_000
    assert done["rows_rejected"] == 1
    assert commits(desk) == 4


@pytest.mark.usefixtures("small_batches")
def test_batches_give_the_ledger_of_one_transaction(desk: Desk, tmp_path: Path) -> None:
    def fill(each: Desk) -> None:
        for number in range(6):
            each.write(
                f"{number}.jsonl", turn("a", number * 10, at=f"10:00:0{9 - number}"), turn(f"b{number}", 5)
            )
            each.write(f"log-{number}.jsonl", *[call()] * number, call(id="x", output_tokens=number))

    fill(desk)
    desk.ingest()
    assert commits(desk) > 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "BATCH_BYTES", 2**20)
        other = Desk(tmp_path / "other")
        fill(other)
        other.ingest()
    assert commits(other) == 1
    assert other.everything() == desk.everything()


def test_many_keys_and_many_copies_give_the_ledger_of_few(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are grouped in parts, and copies dropped at once, where there are many; here from one on."""

    def fill(each: Desk) -> dict[str, object]:
        # Seven calls: of the four without an id two are equal. Then all of them again, and two more lines.
        lines = [
            call(),
            call(),
            call(output_tokens=7),
            call(output_tokens=8),
            *(call(id=f"{n}") for n in range(3)),
        ]
        each.write("a.jsonl", *lines)
        assert each.ingest()["rows_new"] == 7
        each.write("b.jsonl", *lines, call(), call(id="0", output_tokens=99))
        return each.ingest()

    other = Desk(tmp_path / "other")
    few = fill(other)
    # New is the third of the equal lines; better known is call 0.
    assert (few["rows_new"], few["rows_improved"], few["rows_known"]) == (1, 1, 6)
    monkeypatch.setattr(duplicates, "_KEYS_AT_ONCE", 2)
    monkeypatch.setattr(duplicates, "_MANY", 1)
    assert fill(desk) == few
    assert desk.everything() == other.everything()


def digest(desk: Desk) -> dict[str, str]:
    """Hashes of all files beside the ledger, but the lock."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(desk.ledger.path.parent.iterdir())
        if path.suffix != ".lock"
    }


def test_a_dry_run_tells_the_same_and_leaves_the_ledger_as_it_was(desk: Desk) -> None:
    desk.write("log.jsonl", call(), call(id="a"), "{bad")
    desk.ingest()
    desk.append("log.jsonl", text(call(), call(id="b"), call(model="hal-9000"), "{bad"))
    desk.write("more.jsonl", call(id="a", output_tokens=20))
    before = digest(desk)
    rehearsed = desk.ingest(dry_run=True)
    assert digest(desk) == before
    done = desk.ingest()
    assert rehearsed.figures == done.figures
    assert rehearsed.notes == ("dry run: the ledger is as it was", *done.notes)
    assert rehearsed.attention == done.attention


def test_a_dry_run_of_many_rows_does_not_let_the_ledger_grow(desk: Desk) -> None:
    desk.write("a.jsonl", call())
    desk.ingest()
    # More than a row group, which DuckDB writes before it commits.
    desk.write("b.jsonl", *(call(id=f"{number}-{number:x}") for number in range(150_000)))
    before = digest(desk)
    assert desk.ingest(dry_run=True)["rows_new"] == 150_000
    assert digest(desk) == before


def test_a_dry_run_without_a_ledger_makes_none(desk: Desk) -> None:
    desk.write("log.jsonl", call())
    done = desk.ingest(dry_run=True)
    assert (done["rows_new"], done["cost"]) == (1, CALL_COST)
    assert not desk.ledger.path.parent.exists()


def test_nothing_is_left_beside_the_ledger(desk: Desk) -> None:
    desk.write_bytes("log.jsonl", b"\xef\xbb\xbf" + text(call(), "{bad"))
    desk.ingest()
    desk.append("log.jsonl", text(call(), "{bad"))
    desk.ingest(dry_run=True)
    desk.ingest()
    names = {path.name for path in desk.ledger.path.parent.iterdir()}
    assert names <= {"ledger.duckdb", "ledger.duckdb.wal", "ledger.duckdb.lock"}


def test_an_unchanged_file_is_not_read(desk: Desk) -> None:
    path = desk.write("log.jsonl", call())
    desk.ingest()
    status = path.stat()
    # Its content in other words, at the same size and time: only who reads it would know.
    desk.write_bytes("log.jsonl", text(call()).replace(b"100", b"999"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = desk.ingest()
    assert (again["files"], again["files_unchanged"], again["rows_new"]) == (0, 1, 0)
    assert commits(desk) == 1
    assert desk.ingest(full=True)["rows_new"] == 1


def source_ids(desk: Desk) -> dict[str, int]:
    return dict(
        zip(
            desk.sources(),
            [row[0] for row in desk.rows("SELECT source_id FROM sources ORDER BY path")],
            strict=True,
        )
    )


def test_a_rotated_log_stays_the_source_that_it_was(desk: Desk) -> None:
    log = desk.write("log.jsonl", call(id="a"))
    desk.ingest()
    first = source_ids(desk)["log.jsonl"]
    desk.append("log.jsonl", text(call(id="b")))  # after the last ingest, before it was rotated
    log.rename(desk.files / "log.jsonl.1")
    desk.write("log.jsonl", call(id="c"))
    done = desk.ingest()
    assert (done["files"], done["rows_new"], done["rows_known"]) == (2, 2, 0)
    ids = source_ids(desk)
    assert (len(ids), ids["log.jsonl.1"]) == (2, first)
    assert desk.ingest()["files_unchanged"] == 2


def test_a_row_of_rotated_logs_moves_up_at_once(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="now"))
    desk.write("log.jsonl.1", call(id="before"))
    desk.ingest()
    before = source_ids(desk)
    (desk.files / "log.jsonl.1").rename(desk.files / "log.jsonl.2")
    (desk.files / "log.jsonl").rename(desk.files / "log.jsonl.1")
    moved = desk.ingest()
    assert (moved["files"], moved["files_unchanged"]) == (0, 2)
    after = source_ids(desk)
    assert after == {"log.jsonl.1": before["log.jsonl"], "log.jsonl.2": before["log.jsonl.1"]}


def test_a_file_moved_over_another_counts_all_the_same(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="now"))
    desk.write("log.jsonl.1", call(id="before"))
    desk.ingest()
    (desk.files / "log.jsonl").rename(desk.files / "log.jsonl.1")
    desk.write("log.jsonl", call(id="new"))
    done = desk.ingest()
    assert done["rows_new"] == 1
    assert len(desk.outputs()) == 3
    assert desk.sources() == ["log.jsonl", "log.jsonl.1"]


def test_a_hard_link_is_not_a_move(desk: Desk) -> None:
    log = desk.write("log.jsonl", call(id="a"))
    desk.ingest()
    (desk.files / "link.jsonl").hardlink_to(log)
    done = desk.ingest()
    assert (done["files"], done["rows_known"]) == (1, 1)
    assert desk.sources() == ["link.jsonl", "log.jsonl"]


def test_a_moved_file_with_other_flags_is_labelled_anew(desk: Desk) -> None:
    log = desk.write("log.jsonl", call(id="a"))
    desk.ingest()
    log.rename(desk.files / "old.jsonl")
    assert desk.ingest(given=Given(team="search"))["rows_improved"] == 1
    assert desk.calls("team") == ["search"]
    assert desk.sources() == ["old.jsonl"]


def test_the_span_and_the_number_of_new_calls(desk: Desk) -> None:
    desk.write(
        "log.jsonl", call(timestamp="2024-10-01T00:00:00Z"), call(timestamp="2024-12-31T23:59:59.999999Z")
    )
    done = desk.ingest()
    assert (done["first_ts"], done["last_ts"]) == ("2024-10-01T00:00:00Z", "2024-12-31T23:59:59.999999Z")
    again = desk.ingest()
    assert (again["first_ts"], again["last_ts"], again["cost"]) == (None, None, 0)
