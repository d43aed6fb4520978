"""An ingest that is killed, interrupted or out of disk leaves whole transactions; the next run adds the rest.

The program marks how far it has come (``COSTCTL_PHASES``), here into a pipe that this test reads. What it was
doing when it died is told by the last mark that it has left.
"""

from __future__ import annotations

import hashlib
import os
import random
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Costctl
from tests.ingest import crash_input

from costctl.ledger import Ledger

pytestmark = pytest.mark.heavy

KILLS = 4
"""In each phase."""
TRIES = 40
"""Runs in which a phase must be hit that often: a kill may come too late."""

BEFORE, AFTER = frozenset(["before"]), frozenset(["after"])
PHASES = {
    # reading
    "look": BEFORE,
    "read": BEFORE,
    # inserting
    "insert": BEFORE,
    # between insert and commit
    "fold": BEFORE,
    "commit": BEFORE | AFTER,
    # in the checkpoint
    "copy": AFTER,
    "checkpoint": AFTER,
    # between commit and exit
    "committed": AFTER,
    "checkpointed": AFTER,
}
"""What the ledger may hold after a kill in each phase."""

DIGESTED = (
    """SELECT s.path, p.content, c.* EXCLUDE (source_id, price_id) FROM stored_calls AS c
    LEFT JOIN sources AS s ON s.source_id = c.source_id LEFT JOIN prices AS p ON p.price_id = c.price_id""",
    "SELECT * EXCLUDE (source_id, ingested_at) FROM sources",
    """SELECT s.path, r.* EXCLUDE (source_id) FROM rejects AS r
    LEFT JOIN sources AS s ON s.source_id = r.source_id""",
    "SELECT * EXCLUDE (price_id) FROM prices",
)


def digest(ledger: Path) -> str:
    """A hash over all rows, whatever their order and whatever numbers stand for files and prices."""
    found = hashlib.sha256()
    with Ledger(ledger).reading() as engine:
        for sql in DIGESTED:
            rows = engine.rows(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql})")  # noqa: S608
            found.update("\n".join(sorted(map(repr, rows))).encode())
    return found.hexdigest()


@dataclass(frozen=True)
class World:
    """The input; a ledger that has read its first step; what the ledger holds ``before`` and ``after`` the
    second, when nothing disturbs it; and how many seconds each phase takes."""

    costctl: Costctl
    input: Path
    old: Path
    states: dict[str, str]
    seconds: dict[str, float]

    def ledger(self, at: Path) -> Path:
        """A copy of the old ledger in the new directory ``at``."""
        shutil.copytree(self.old.parent, at)
        return at / self.old.name

    def state(self, ledger: Path) -> str:
        found = digest(ledger)
        return next((name for name, known in self.states.items() if known == found), "something else")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    place = tmp_path_factory.mktemp("crash")
    (place / "home").mkdir()
    costctl = Costctl(place / "home", place)
    source, old = place / "input", place / "old" / "ledger.duckdb"
    crash_input.first_step(source)
    assert costctl("ingest", source, "--db", old).code == 0
    before = digest(old)

    crash_input.second_step(source)
    world = World(costctl, source, old, {"before": before}, {})
    peace = world.ledger(place / "peace")
    with started(world, peace, checkpoint=True) as run:
        world.seconds.update(run.timed())
    assert run.process.returncode == 0
    world.states["after"] = digest(peace)
    assert world.states["after"] != before
    return world


class Run:
    """An ingest of the second step that is under way, and its marks."""

    def __init__(self, process: subprocess.Popen[bytes], marks: int) -> None:
        self.process = process
        self._marks = marks
        self._rest = ""
        self.last = ""
        """The last mark."""

    def next(self) -> str | None:
        """The next mark, None if the process has ended without another."""
        while "\n" not in self._rest:
            ended = self.process.poll() is not None
            if select.select([self._marks], [], [], 0 if ended else 0.02)[0]:
                self._rest += os.read(self._marks, 4096).decode()
            elif ended:
                return None
        self.last, _, self._rest = self._rest.partition("\n")
        return self.last

    def reach(self, phase: str) -> bool:
        """Wait for a mark; False if the process ends before."""
        while self.last != phase:
            if self.next() is None:
                return False
        return True

    def end(self) -> str:
        """Wait for the process's end; its last mark."""
        while self.next() is not None:
            pass
        return self.last

    def timed(self) -> dict[str, float]:
        """How long each phase takes, to the end of the process."""
        seconds: dict[str, float] = {}
        phase, since = "start", time.monotonic()
        while (mark := self.next()) is not None:
            now = time.monotonic()
            seconds[phase] = now - since
            phase, since = mark, now
        return seconds | {phase: time.monotonic() - since}


@contextmanager
def started(world: World, ledger: Path, checkpoint: bool) -> Iterator[Run]:
    """An ingest of the second step into ``ledger``, with a checkpoint at its end or without."""
    pipe = ledger.with_name("marks")
    os.mkfifo(pipe)
    marks = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    variables = {"COSTCTL_PHASES": str(pipe), "COSTCTL_CHECKPOINT_BYTES": "1" if checkpoint else "1000000000"}
    process = world.costctl.start(
        "ingest",
        world.input,
        "--db",
        ledger,
        env=world.costctl.variables(variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield Run(process, marks)
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
        os.close(marks)
        pipe.unlink()


def finish(world: World, ledger: Path) -> None:
    """The next run ends in peace, and leaves the ledger and its lock; perhaps its log, and half a copy, which
    the next change removes."""
    done = world.costctl("ingest", world.input, "--db", ledger)
    assert done.code == 0, done.err
    assert world.state(ledger) == "after"
    left = {file.name.removeprefix(ledger.name) for file in ledger.parent.iterdir()}
    assert left - {".wal", ".bak.partial"} == {"", ".lock"}


@pytest.mark.parametrize("phase", PHASES)
def test_killed_ingest_loses_and_doubles_nothing(world: World, tmp_path: Path, phase: str) -> None:
    """The program is killed at a random moment of the phase, and run again."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    kills = tries = 0
    while kills < KILLS:
        tries += 1
        assert tries <= TRIES, f"only {kills} of {tries - 1} kills came within {phase}"
        ledger = world.ledger(tmp_path / str(tries))
        with started(world, ledger, checkpoint=phase != "committed") as run:
            assert run.reach(phase), f"the ingest ended before {phase}"
            time.sleep(draw.uniform(0, world.seconds.get(phase, 0) / 2) if tries % 2 else 0)
            run.process.send_signal(signal.SIGKILL)
            died = run.end()
        if run.process.returncode != -signal.SIGKILL:
            continue
        kills += died == phase
        assert world.state(ledger) in PHASES[died]
        finish(world, ledger)


@pytest.mark.parametrize("phase", ["look", "insert", "fold", "copy", "checkpoint"])
def test_interrupted_ingest_says_so_and_leaves_whole_transactions(
    world: World, tmp_path: Path, phase: str
) -> None:
    """Ctrl-C reaches every process of the terminal, so also the one that copies the ledger."""
    for tries in range(TRIES):
        ledger = world.ledger(tmp_path / str(tries))
        with started(world, ledger, checkpoint=True) as run:
            assert run.reach(phase)
            os.killpg(run.process.pid, signal.SIGINT)
            run.end()
            assert run.process.stderr is not None
            said = run.process.stderr.read().decode()
        if run.process.returncode != 0:
            break
    assert run.process.returncode == 130, said
    assert said.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in said
    assert world.state(ledger) in BEFORE | AFTER
    finish(world, ledger)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, whose size is changed by :func:`resize`."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", str(directory)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def resize(disk: Path, free: int) -> None:
    """Leave ``free`` bytes of the disk, in blocks of 4 kB."""
    status = os.statvfs(disk)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    size = f"remount,size={used + free}"
    subprocess.run(["mount", "-o", size, str(disk)], check=True)


@pytest.mark.parametrize("kb", [0, 64, 400, 1000])
def test_full_disk_is_said_and_the_same_command_completes_later(world: World, disk: Path, kb: int) -> None:
    ledger = world.ledger(disk / "ledgers")
    resize(disk, kb * 1024)
    command = ("ingest", world.input, "--db", ledger)
    failed = world.costctl(*command)
    assert failed.code == 1
    assert "space" in failed.err, failed.err
    assert "Traceback" not in failed.err
    assert world.state(ledger) == "before"
    report = world.costctl("report", "--db", ledger, "--format", "json", "--by", "model")
    assert report.code == 0, report.err
    assert len(report.json["rows"]) == len(crash_input.MODELS)

    resize(disk, 32 * 2**20)
    finish(world, ledger)


def test_ingests_at_once_add_nothing_twice(world: World, tmp_path: Path) -> None:
    """Each looks at the ledger before it waits for its turn, and finds it changed then."""
    ledger = world.ledger(tmp_path / "shared")
    running = [
        world.costctl.start(
            "ingest", *paths, "--db", ledger, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for paths in (
            [world.input],
            [world.input / "calls.jsonl", world.input / "packed.jsonl.gz"],
            [world.input / "rows.csv", world.input / "session.jsonl"],
            [world.input],
        )
    ]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    assert world.state(ledger) == "after"
