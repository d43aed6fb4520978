"""What is found, read, passed over and refused; and oddities of files that are no faults."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_files import MODEL, Desk, Given, call, packed, text, turn

CSV = b"timestamp,model,input_tokens,output_tokens\n2024-11-05T10:00:00Z,m,100,1\n"
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BOM + text(call()), id="byte order mark"),
        pytest.param(BOM + CSV, id="byte order mark in CSV"),
        pytest.param(gzip.compress(BOM + text(call())), id="byte order mark, packed"),
        pytest.param(text(call()).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(CSV.replace(b"\n", b"\r\n"), id="CRLF in CSV"),
        pytest.param(text(call())[:-1], id="no line end"),
        pytest.param(CSV[:-1], id="no line end in CSV"),
        pytest.param(gzip.compress(text(call())[:-1]), id="no line end, packed"),
        pytest.param(b"\n \n\t\r\n" + text(call()) + b"\n\n", id="blank lines"),
        pytest.param(b"\n" + CSV.replace(b"\n", b"\n\n"), id="blank lines in CSV"),
        pytest.param(text(call()[:-1] + ', "model": "other"}'), id="duplicate key"),
        pytest.param(packed("x.gz", text(call())), id="packed under a plain name"),
        pytest.param(packed("x.zst", text(call())), id="packed by zstd under a plain name"),
    ],
)
def test_no_fault_of_a_file(desk: Desk, data: bytes) -> None:
    desk.write_bytes("log.jsonl", data)
    done = desk.ingest()
    assert (done["rows_new"], done["rows_rejected"], done.failed) == (1, 0, False)
    assert desk.rejects() == []
    if b"other" in data:
        assert desk.calls("model") == [MODEL]  # the first of two counts


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.jsonl.zst", "log.csv.gz"])
def test_a_plain_file_under_a_packed_name(desk: Desk, name: str) -> None:
    desk.write_bytes(name, CSV if "csv" in name else text(call()))
    assert desk.ingest()["rows_new"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "*.jsonl",
        "[a]?.jsonl",
        "a'b\"c.jsonl",
        "a\nb.jsonl",
        "team=search/a.jsonl",
        "ü 日本.jsonl",
        "{a,b}.jsonl",
        "-.jsonl",
    ],
)
def test_names_mean_nothing(desk: Desk, name: str) -> None:
    desk.write(name, call(id="a"))
    desk.write("b?.jsonl", call(id="decoy"))
    done = desk.ingest(name)
    assert (done["rows_new"], done.failed) == (1, False)
    assert desk.calls("team") == [None]
    assert desk.sources() == [name]


def test_a_directory_named_like_a_column_is_no_column_of_parquet_either(desk: Desk) -> None:
    path = desk.files / "team=search" / "log.parquet"
    path.parent.mkdir()
    columns = {
        "timestamp": ["2024-11-05T10:00:00Z"],
        "model": [MODEL],
        "input_tokens": [1],
        "output_tokens": [1],
    }
    pq.write_table(pa.table(columns), path)
    assert desk.ingest()["rows_new"] == 1
    assert desk.calls("team") == [None]


def test_a_directory_is_walked_for_data_files(desk: Desk) -> None:
    for number, name in enumerate(
        (
            "a.jsonl",
            "deep/er/b.json",
            "c.ndjson.gz",
            "d.log",
            "e.txt",
            "f.jsonl.1",
            "f.jsonl.2.gz",
            "g.jsonl-20241105",
            "h.log.2024-11-05_10",
        )
    ):
        desk.write(name, call(id=str(number)))
    for name in ("program.py", "README.md", "data.bin", ".hidden.jsonl", ".git/x.jsonl"):
        desk.write(name, call(id=name))
    done = desk.ingest()
    assert (done["rows_new"], done["files"], done["files_skipped"]) == (9, 9, 0)


def test_an_empty_file_is_passed_over(desk: Desk) -> None:
    desk.write("empty.jsonl")
    desk.write_bytes("blank.jsonl", b"\n \n")
    desk.write_bytes("packed.jsonl.gz", gzip.compress(b""))
    desk.write("log.jsonl", call())
    done = desk.ingest()
    assert (done["rows_new"], done["files_skipped"], done.failed, done.attention) == (1, 3, False, False)
    assert len(done.told("empty")) >= 3
    assert not desk.ingest("empty.jsonl").failed


@pytest.mark.parametrize(
    "page",
    [
        {"data": [], "has_more": False, "next_page": None},
        {"data": [{"date": "2026-03-01", "results": []}], "has_more": False},
        {"object": "page", "data": [], "has_more": False, "next_page": None},
        {"data": [], "meta": {"page": 1, "totalItems": 0}},
        [],
    ],
)
def test_a_page_of_a_day_without_usage_is_empty_and_no_error(desk: Desk, page: Any) -> None:
    # A timer that fetches a day's page and names it is not to fail on a quiet day.
    desk.write("page.json", json.dumps(page, indent=2))
    desk.write("pages.jsonl", json.dumps(page), json.dumps(page))
    done = desk.ingest("page.json", *(["pages.jsonl"] if page else []))
    assert not done.failed
    assert len(done.told("empty")) == (2 if page else 1)


def test_a_page_that_is_not_empty_is_not_taken_for_one(desk: Desk) -> None:
    desk.write("page.json", json.dumps({"data": [{"results": [{"id": 1}]}]}))
    assert desk.ingest("page.json").failed


def test_a_file_of_no_known_format_is_skipped_in_a_walk_and_fails_when_named(desk: Desk) -> None:
    desk.write("notes.txt", "buy milk")
    desk.write("log.jsonl", call())
    walked = desk.ingest()
    assert (walked["rows_new"], walked["files_skipped"], walked.failed) == (1, 1, False)
    assert walked.told("skipped: ")[0].endswith(
        "notes.txt: of no format that costctl knows: `costctl ingest --explain` says what is near"
    )
    assert not desk.ingest("*.txt").failed
    desk.append("log.jsonl", text(call(id="a")))
    named = desk.ingest("notes.txt", "log.jsonl")
    assert (named["rows_new"], named.failed) == (1, True)
    assert named.told("not read: ")


def test_what_is_not_there_fails_after_the_others_are_in(desk: Desk) -> None:
    desk.write("log.jsonl", call())
    done = desk.ingest("gone.jsonl", "log.jsonl", "*.csv")
    assert (done["rows_new"], done.failed) == (1, True)
    assert len(done.told("no such file or directory") + done.told("no file matches this pattern")) == 2


def test_a_glob_takes_files_and_directories(desk: Desk) -> None:
    desk.write("a1.jsonl", call(id="1"))
    desk.write("a2/deep/log.jsonl", call(id="2"))
    desk.write("b.jsonl", call(id="3"))
    assert desk.ingest("a*")["rows_new"] == 2
    assert desk.ingest("**/*.jsonl")["rows_new"] == 1


def test_a_file_is_read_once_however_often_it_is_named(desk: Desk) -> None:
    desk.write("log.jsonl", call())
    (desk.files / "link.jsonl").symlink_to("log.jsonl")
    done = desk.ingest("log.jsonl", ".", "link.jsonl", "l*")
    assert (done["files"], done["rows_new"]) == (1, 1)


def test_a_loop_of_directories_ends(desk: Desk) -> None:
    desk.write("a/b/log.jsonl", call())
    (desk.files / "a" / "b" / "back").symlink_to(desk.files)
    (desk.files / "broken.jsonl").symlink_to("nowhere")
    done = desk.ingest()
    assert (done["rows_new"], done["files_skipped"], done.failed) == (1, 1, False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_or_directory(desk: Desk) -> None:
    desk.write("log.jsonl", call())
    secret, closed = desk.write("secret.jsonl", call(id="a")), desk.write("closed/x.jsonl", call()).parent
    secret.chmod(0)
    closed.chmod(0)
    try:
        walked = desk.ingest()
        assert (walked["rows_new"], walked["files_skipped"], walked.failed) == (1, 2, False)
        assert desk.ingest("secret.jsonl").failed
        assert desk.ingest("closed").failed
    finally:
        secret.chmod(0o600)
        closed.chmod(0o700)


def test_a_name_that_is_no_text_is_told_and_stops_nothing(desk: Desk) -> None:
    odd = os.fsencode(desk.files) + b"/\xff.jsonl"
    with open(odd, "wb") as file:
        file.write(text(call()))
    desk.write("log.jsonl", call())
    done = desk.ingest()
    assert (done["rows_new"], done.failed) == (1, False)
    assert done.told(r"\xff.jsonl: its name is not UTF-8")
    assert desk.ingest(Path(os.fsdecode(odd))).failed


def test_a_pipe_is_read_when_named_and_left_alone_in_a_walk(desk: Desk) -> None:
    pipe = desk.files / "pipe.jsonl"
    os.mkfifo(pipe)
    desk.write("log.jsonl", call(id="a"))
    assert desk.ingest()["rows_new"] == 1
    writer = threading.Thread(target=pipe.write_bytes, args=(text(call(id="b")),))
    writer.start()
    done = desk.ingest("pipe.jsonl")
    writer.join()
    assert (done["rows_new"], done.failed) == (1, False)


READ_STANDARD_INPUT = """
import sys
from usage_files import Desk
from pathlib import Path
desk = Desk.__new__(Desk)
desk.files = Path(sys.argv[1])
from costctl.ledger import Ledger
desk.ledger = Ledger(desk.files.parent / "ledger" / "ledger.duckdb")
done = desk.ingest(*sys.argv[2:])
print(done["rows_new"], done["rows_rejected"], done["files_unchanged"], done.failed)
"""


def from_standard_input(desk: Desk, data: bytes, *paths: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READ_STANDARD_INPUT, desk.files, *paths],
        input=data,
        capture_output=True,
        cwd=Path(__file__).parent,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode().strip()


def test_standard_input_is_a_source_of_its_content(desk: Desk) -> None:
    data = gzip.compress(text(call(id="a"), "{bad", call(id="b"), call(id="c")[:20])[:-1])
    # Nobody goes on writing it, so the half line at the end is a reject.
    assert from_standard_input(desk, data, "-") == "2 2 0 False"
    assert from_standard_input(desk, data, "-") == "0 0 1 False"
    assert from_standard_input(desk, text(call(id="d"), call(id="e")[:20])[:-1], "-") == "1 1 0 False"
    assert all(name.startswith("stdin:") for name in desk.sources())


def test_standard_input_by_its_device(desk: Desk) -> None:
    assert from_standard_input(desk, text(call(id="a")), "/dev/stdin") == "1 0 0 False"


def test_the_ledgers_own_files_are_never_read(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a"))
    home = desk.files.parent
    # What a dry run or a process at work has lying about.
    for name in ("ledger.duckdb.tmp/reading-1/lines-x.jsonl", "ledger.duckdb.tmp/y.jsonl"):
        desk.write(f"../ledger/{name}", call(id=name))
    done = desk.ingest(home)
    assert (done["rows_new"], done.failed) == (1, False)
    assert desk.sources() == ["log.jsonl"]
    named = desk.ingest(desk.ledger.path, home / "ledger")
    assert (named["rows_new"], named.failed) == (0, True)
    assert named.told("the ledger's own file")
    assert desk.ingest(home / "ledger" / "*.duckdb*")["files_skipped"] > 0


def test_two_claims_on_a_file_are_told_and_a_word_of_the_user_decides(desk: Desk) -> None:
    both = call(id="a", sessionId="s1", uuid="u1", type="assistant")
    desk.write("both.jsonl", both)
    desk.write("log.jsonl", call(id="b"))
    done = desk.ingest("both.jsonl", "log.jsonl")
    assert (done["rows_new"], done.failed) == (1, True)
    (told,) = done.told("two formats claim it")
    assert "costctl" in told
    assert "claude-code" in told
    # Also where it is only found: there are calls in it that nobody counts.
    assert desk.ingest().failed
    assert desk.ingest("both.jsonl", given=Given(format="costctl"))["rows_new"] == 1


def test_a_format_that_the_user_names(desk: Desk) -> None:
    # Nothing in its beginning is a call.
    desk.write("log.jsonl", "{bad", *["[]"] * 20_000, call(id="a"))
    desk.write("table.csv", "a,b", "1,2")
    done = desk.ingest(given=Given(format="costctl"))
    assert (done["rows_new"], done["rows_rejected"]) == (1, 20_002)
    transcript = desk.ingest("table.csv", given=Given(format="claude-code"))
    assert transcript.told("no jsonl, which claude-code is")
    assert transcript.failed


def test_a_session_that_begins_with_other_lines_is_recognised(desk: Desk) -> None:
    desk.write("s.jsonl", '{"type": "queue-operation", "operation": "enqueue"}', turn("a", 5))
    assert desk.ingest()["rows_new"] == 1


def test_a_session_whose_first_call_comes_late_is_recognised(desk: Desk) -> None:
    other = '{"type": "queue-operation", "operation": "enqueue"}'
    desk.write("s.jsonl", *[other] * 40, turn("a", 5))
    assert desk.ingest()["rows_new"] == 1


class Overtaken:
    """Progress that sees another ingest of the same files come first."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def start(self, total_bytes: int) -> None:  # noqa: ARG002
        self.desk.ingest()

    def advance(self, bytes: int, rows: int) -> None: ...

    def stop(self) -> None: ...


def test_what_another_ingest_has_read_meanwhile_is_unchanged(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a"), "{bad", call(id="b", model="hal-9000"))
    done = desk.ingest(progress=Overtaken(desk))
    assert (done["files"], done["files_unchanged"], done["rows_new"]) == (0, 1, 0)
    assert done.told("1 line was rejected in earlier ingests of these files")
    assert done.told("1 call has no price yet, from earlier ingests of these files")
    assert done.attention
