"""Results on standard output, talk on standard error; readers that go away, full disks, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.program import SCRIPT, Costctl

LONG = ("prices", "list", "--all")
"""A command whose output is far longer than a pipe holds (64 kB)."""


def test_a_result_comes_alone(costctl: Costctl) -> None:
    run = costctl(*LONG, "--format", "csv")
    assert (run.code, run.err) == (0, "")
    assert len(run.out) > 200_000


@pytest.mark.parametrize("format", ["table", "json", "csv", "md"])
def test_a_reader_that_goes_away_is_no_matter(costctl: Costctl, format: str) -> None:
    process = costctl.start(*LONG, "--format", format, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize("arguments", [("--help",), ("formats",), ("prices", "list")])
def test_a_reader_that_was_never_there(costctl: Costctl, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = costctl.start(*arguments, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_errors_without_a_reader(costctl: Costctl) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = costctl.start("report", stdout=subprocess.PIPE, stderr=writing)
    os.close(writing)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, b"")


def test_closed_streams(costctl: Costctl) -> None:
    line = f'exec "{SCRIPT}" formats >&- 2>&-'
    done = subprocess.run(["sh", "-c", line], env=costctl.variables(), cwd=costctl.cwd, timeout=60)
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error(costctl: Costctl) -> None:
    with open("/dev/full", "wb") as full:
        process = costctl.start(*LONG, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, b"error: No space left on device\n")


@pytest.mark.parametrize("format", ["table", "json"])
def test_control_c(costctl: Costctl, format: str) -> None:
    """While standard input is awaited, by an ingest that has begun."""
    process = costctl.start(
        "ingest",
        "-",
        "--format",
        format,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    spill = costctl.ledger.with_name(costctl.ledger.name + ".tmp")
    with process:
        assert process.stdin is not None
        process.stdin.write(b'{"half": ')
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while not spill.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        # Its input stays open: a process that waits for the end of it would wait for ever.
        assert process.wait(timeout=30) == 130
        assert process.stdout is not None
        assert process.stderr is not None
        out, said = process.stdout.read(), process.stderr.read()
    assert out == b""
    if format == "table":
        assert said == b"error: interrupted\n"
    else:
        assert said.startswith(b'{"error": {"code": "interrupted"')
        assert said.count(b"\n") == 1
    assert not spill.exists(), "nothing is left behind"
