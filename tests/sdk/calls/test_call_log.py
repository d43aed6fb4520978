"""The call log: lines arrive whole, whoever writes at the same time, and whatever happens to a writer."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from costctl.sdk import CallLog, CallLogError

NOON = 20749 * 86_400 + 12 * 3600
"""2026-10-23 12:00 UTC."""


def lines(directory: Path) -> list[dict[str, object]]:
    texts = [file.read_text("utf-8") for file in sorted(directory.iterdir())]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_a_line_is_json_in_the_file_of_its_day(tmp_path: Path) -> None:
    CallLog(tmp_path / "calls", lambda: NOON).append({"id": "a", "user_id": "安娜\nx"})
    file = tmp_path / "calls" / "calls-2026-10-23.jsonl"
    assert file.read_bytes() == '{"id":"a","user_id":"安娜\\nx"}\n'.encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_new_day_in_utc_begins_a_new_file(tmp_path: Path) -> None:
    now = [NOON + 12 * 3600 - 1]
    log = CallLog(tmp_path, lambda: now[0])
    log.append({"n": 1})
    now[0] += 1
    log.append({"n": 2})
    assert [(file.name, file.read_text()) for file in sorted(tmp_path.iterdir())] == [
        ("calls-2026-10-23.jsonl", '{"n":1}\n'),
        ("calls-2026-10-24.jsonl", '{"n":2}\n'),
    ]


def test_a_file_that_was_removed_is_begun_anew(tmp_path: Path) -> None:
    log = CallLog(tmp_path, lambda: NOON)
    log.append({"n": 1})
    log.file(20_749).unlink()
    log.append({"n": 2})
    assert lines(tmp_path) == [{"n": 2}]


def test_half_a_line_of_a_writer_that_died_does_not_swallow_the_next(tmp_path: Path) -> None:
    log = CallLog(tmp_path, lambda: NOON)
    log.file(20_749).write_text('{"n":1}\n{"n":')
    log.append({"n": 3})
    assert log.file(20_749).read_text() == '{"n":1}\n{"n":\n{"n":3}\n'


def test_half_a_surrogate_pair_is_a_question_mark(tmp_path: Path) -> None:
    CallLog(tmp_path).append({"user_id": "a\ud83d"})
    assert lines(tmp_path) == [{"user_id": "a?"}]


def test_what_is_no_json_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    log = CallLog(tmp_path)
    with pytest.raises(ValueError, match="JSON compliant"):
        log.append({"tags": {"share": float("nan")}})
    with pytest.raises(TypeError):
        log.append({"tags": {"share": object()}})
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CallLogError, match=r"cannot append to .*calls-2026-10-23.jsonl: Not a directory"
    ) as caught:
        CallLog(tmp_path / "file" / "calls", lambda: NOON).append({"n": 1})
    assert caught.value.file.name == "calls-2026-10-23.jsonl"


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "calls-2026-10-23.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CallLogError):
        CallLog(tmp_path / "calls", lambda: NOON).append({"n": 1})
    assert not (tmp_path / "elsewhere").exists()


def test_threads_share_a_log(tmp_path: Path) -> None:
    log = CallLog(tmp_path)

    def write(thread: int) -> None:
        for number in range(100):
            log.append({"thread": thread, "number": number, "text": "x" * (number * 100)})

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(tmp_path)
    assert {(each["thread"], each["number"]) for each in found} == {
        (t, n) for t in range(8) for n in range(100)
    }
    assert len(found) == 800


FORKING = """
import os, sys, threading
from costctl.sdk import CallLog
log, over = CallLog(sys.argv[1]), threading.Event()

def write():
    while not over.is_set():
        log.append({"who": "thread"})

thread = threading.Thread(target=write)
thread.start()
for number in range(100):
    child = os.fork()
    if child == 0:
        log.append({"who": number})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
over.set()
thread.join()
"""


def test_a_forked_process_goes_on_with_it(tmp_path: Path) -> None:
    """Even if it was forked while another thread was writing."""
    arguments = [sys.executable, "-c", FORKING, str(tmp_path / "calls")]
    subprocess.run(arguments, check=True, capture_output=True, timeout=60)
    found = [each["who"] for each in lines(tmp_path / "calls")]
    assert [each for each in found if each != "thread"] == list(range(100))


def test_a_long_line_waits_for_those_who_are_writing(tmp_path: Path) -> None:
    log = CallLog(tmp_path, lambda: NOON)
    log.append({"n": 1})
    with open(log.file(20_749), "rb") as writing:
        fcntl.flock(writing, fcntl.LOCK_SH)
        log.append({"n": 2})
        thread = threading.Thread(target=log.append, args=({"n": 3, "text": "x" * 5000},))
        thread.start()
        time.sleep(0.2)  # enough for one that does not wait
        assert [each["n"] for each in lines(tmp_path)] == [1, 2]
        fcntl.flock(writing, fcntl.LOCK_UN)
        thread.join()
    assert [each["n"] for each in lines(tmp_path)] == [1, 2, 3]


def _write(directory: Path, process: int, count: int) -> None:
    log = CallLog(directory)
    for number in range(count):
        # A tenth of the lines is longer than one write may be.
        log.append({"process": process, "number": number, "text": "x" * (9000 if number % 10 == 0 else 300)})


@pytest.mark.heavy
def test_eight_processes_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write, args=(tmp_path, process, 500)) for process in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = lines(tmp_path)  # a blank line would be no JSON
    assert len(found) == 8 * 500
    assert {(each["process"], each["number"]) for each in found} == {
        (p, n) for p in range(8) for n in range(500)
    }


WRITER = """
import sys
from pathlib import Path
from costctl.sdk import CallLog
log, process, number = CallLog(Path(sys.argv[1])), sys.argv[2], 0
while True:
    log.append({"process": process, "number": number, "text": "x" * (9000 if number % 3 == 0 else 700)})
    number += 1
    print(number, flush=True)
"""


@pytest.mark.heavy
def test_killed_writers_cost_no_line_of_another(tmp_path: Path) -> None:
    """Each line that was said to be written is there, whole, and at most one broken line a kill."""
    told: dict[str, int] = {}
    directory = tmp_path / "calls"
    for turn in range(10):
        command = [sys.executable, "-c", WRITER, str(directory)]
        writers = [
            (f"{turn}-{n}", subprocess.Popen([*command, f"{turn}-{n}"], stdout=subprocess.PIPE))
            for n in range(3)
        ]
        time.sleep(0.4 + turn * 0.013)
        for name, writer in writers:
            writer.send_signal(signal.SIGKILL)
            output, _ = writer.communicate()
            told[name] = len(output.splitlines())
    whole: dict[object, set[object]] = {}
    broken = 0
    for file in directory.iterdir():
        for line in file.read_bytes().splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                broken += 1
                continue
            whole.setdefault(found["process"], set()).add(found["number"])
    assert sum(told.values()) > 100
    for name, count in told.items():
        assert whole.get(name, set()) >= set(range(count)), name
    assert broken <= len(told)
