"""Where the benchmarks work: generated inputs, ledgers, and the runs that more than one work needs."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from benchmarks.cache_trace import BLOCKS_A_REQUEST
from benchmarks.processes import COSTCTL, BenchmarkError, Run, run, script
from benchmarks.results import Pairs

CALLS = 2_000_000
TRANSCRIPT_LINES = 1_000_000
TRANSCRIPTS = 200
RECORDS = 500_000
ACCESSES = 10_000_000
SEED = 1
LONG, SHORT = 2, 7
"""How many pairs of runs: of works that take seconds, and of those that take a part of one."""

BYTES_NEEDED = 18_000_000_000


def say(text: str) -> None:
    """Tell what is going on; the table has stdout for itself."""
    print(text, file=sys.stderr, flush=True)


class Place:
    """A directory for one run, at ``scale`` times the full amount of calls. Numbers of files stay."""

    def __init__(self, directory: Path, scale: float) -> None:
        self.directory = directory
        self.calls = max(1000, int(CALLS * scale))
        self.records = max(1000, int(RECORDS * scale))
        self.accesses = max(1000, int(ACCESSES * scale))
        self._transcript_lines = max(10 * TRANSCRIPTS, int(TRANSCRIPT_LINES * scale))

    # Inputs

    def call_log(self, name: str = "calls.jsonl", ids: str = "some", times: int = 1) -> Path:
        """The call log of ``times`` the scale's calls; it is made if there is none of that name."""
        return self._made(name, "call_log", str(self.calls * times), str(SEED), ids)

    def transcripts(self) -> Path:
        """The directory of transcripts; it is made if there is none."""
        return self._made(
            "transcripts", "transcripts", str(TRANSCRIPTS), str(self._transcript_lines), str(SEED)
        )

    def recut_transcripts(self, files: int) -> Path:
        """The directory of the same transcripts in another number of files; it is made if there is none."""
        return self._made(f"transcripts-in-{files}", "shapes", str(self.transcripts()), str(files))

    def export(self, kind: str) -> Path:
        """An export of the scale's records; it is made if there is none. ``kind`` is of exports.py."""
        return self._made(f"{kind}.jsonl", "exports", kind, str(self.records), str(SEED))

    def cache_trace(self, table: str) -> Path:
        """A trace with the scale's accesses to blocks of a prompt cache; it is made if there is none.
        ``table`` is of cache_trace.py."""
        ending = "jsonl" if table == "requests" else "parquet"
        requests = str(self.accesses // BLOCKS_A_REQUEST)
        return self._made(f"cache-{table}.{ending}", "cache_trace", table, requests, str(SEED))

    def append(self, log: Path, first: int, lines: int) -> None:
        """Let the call log ``log`` of ``first`` lines grow by ``lines`` that would have come next."""
        tail = self.directory / "tail.jsonl"
        self._generate("call_log", tail, str(lines), str(SEED), "some", str(first))
        with open(log, "ab") as target, open(tail, "rb") as source:
            shutil.copyfileobj(source, target)
        tail.unlink()

    def _made(self, name: str, generator: str, *arguments: str) -> Path:
        path = self.directory / name
        if not path.exists():
            say(f"writing {name} …")
            unfinished = self.directory / f"{name}.unfinished"
            remove(unfinished)
            self._generate(generator, unfinished, *arguments)
            unfinished.rename(path)
        return path

    def _generate(self, generator: str, path: Path, *arguments: str) -> None:
        script(generator, path, *arguments, directory=self.directory)

    # Commands

    def costctl(self, *arguments: str | os.PathLike[str]) -> Run:
        return run(COSTCTL, *arguments, directory=self.directory)

    def floor(self, name: str, *arguments: str | os.PathLike[str]) -> Run:
        return script(f"floors/{name}", *arguments, directory=self.directory)

    def in_turns(self, pairs: int, floor: Callable[[], Run], ours: Callable[[], Run]) -> Pairs:
        """Floor, ours, floor, ours …"""
        runs = [(floor(), ours()) for _ in range(pairs)]
        return Pairs([pair[0] for pair in runs], [pair[1] for pair in runs])

    def new_ledger(self, name: str) -> Path:
        """A path for a ledger; whatever has that name is removed."""
        ledger = self.directory / f"{name}.duckdb"
        for file in ledger_files(ledger):
            remove(file)
        return ledger

    def first_ingest(self, source: Path, ledger: Path) -> Run:
        """Ingest ``source`` into a new ledger at the path ``ledger``."""
        self.new_ledger(ledger.stem)
        return self.costctl("ingest", source, "--db", ledger)

    def content(self, ledger: Path) -> str:
        """What the ledger holds by model, as ``content.py`` writes it."""
        return script("content", ledger, directory=self.directory).output

    def questions(self, ledger: Path) -> Path:
        """A file with the SQL that ``costctl report --by team,model`` runs on the ledger."""
        file = self.directory / "questions.json"
        file.write_text(script("questions", ledger, directory=self.directory).output)
        return file

    def expect_calls(self, ledger: Path, expected: int) -> None:
        """Raise :class:`BenchmarkError` unless the ledger holds so many calls."""
        held = sum(int(line.split("\t")[1]) for line in self.content(ledger).splitlines())
        if held != expected:
            raise BenchmarkError(f"{ledger.name} holds {held:,} calls; {expected:,} were given")

    # Runs that several works need

    @property
    def calls_ledger(self) -> Path:
        """The ledger of :meth:`call_log`."""
        self.ingest_of_calls  # noqa: B018 (makes it)
        return self.directory / "calls.duckdb"

    @property
    def transcripts_ledger(self) -> Path:
        """The ledger of :meth:`transcripts`."""
        self.ingest_of_transcripts  # noqa: B018 (makes it)
        return self.directory / "transcripts.duckdb"

    @cached_property
    def ingest_of_calls(self) -> Pairs:
        """First ingests of the call log, against DuckDB's typed read of it into a new file."""
        log, ledger = self.call_log(), self.directory / "calls.duckdb"
        say(f"ingesting {self.calls:,} calls …")
        pairs = self.in_turns(
            LONG,
            lambda: self.floor("read_call_log", log, self.new_ledger("floor")),
            lambda: self.first_ingest(log, ledger),
        )
        self.new_ledger("floor")
        self.expect_calls(ledger, self.calls)
        return pairs

    def ingest_of_export(self, kind: str) -> Pairs:
        """First ingests of an export, against DuckDB's typed read of it into a new file."""
        export, ledger = self.export(kind), self.directory / f"{kind}.duckdb"
        say(f"ingesting {export.name} …")
        pairs = self.in_turns(
            LONG,
            lambda: self.floor(f"read_{kind.replace('-', '_')}", export, self.new_ledger("floor")),
            lambda: self.first_ingest(export, ledger),
        )
        self.new_ledger("floor")
        self.expect_calls(ledger, self.records)
        self.new_ledger(kind)
        return pairs

    @cached_property
    def ingest_of_transcripts(self) -> Pairs:
        """First ingests of the transcripts, against DuckDB's typed read, dedupe and sums."""
        directory, ledger = self.transcripts(), self.directory / "transcripts.duckdb"
        say(f"ingesting {TRANSCRIPTS} transcripts …")
        pairs = self.in_turns(
            LONG,
            lambda: self.floor("read_transcripts", directory),
            lambda: self.first_ingest(directory, ledger),
        )
        held = self.content(ledger)
        if held != pairs.floors[0].output:
            raise BenchmarkError(f"the ledger holds\n{held}where the floor read\n{pairs.floors[0].output}")
        return pairs


def ledger_files(ledger: Path) -> list[Path]:
    """The ledger's file and every file beside it: log, lock, copy."""
    return sorted(ledger.parent.glob(f"{ledger.name}*"))


def remove(path: Path) -> None:
    """Remove a file or a directory, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def place(keep: Path | None, scale: float) -> Iterator[Place]:
    """The directory ``keep``, which stays (other scales than 1 have a directory of their own in it); without
    it a temporary one on a disk, which is removed."""
    if keep is not None:
        directory = keep.resolve() if scale == 1 else keep.resolve() / f"scale-{scale:g}"
        directory.mkdir(parents=True, exist_ok=True)
        yield Place(directory, scale)
        return
    with tempfile.TemporaryDirectory(prefix="costctl-benchmarks-", dir=roomy(scale)) as temporary:
        yield Place(Path(temporary), scale)


def roomy(scale: float) -> Path:
    """The first usual place for temporary files that is on a disk, not in memory, and has room enough."""
    needed = BYTES_NEEDED * scale
    for candidate in (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()):
        if candidate.is_dir() and not _in_memory(candidate) and shutil.disk_usage(candidate).free > needed:
            return candidate
    raise BenchmarkError(f"no place on a disk with {needed / 1e9:.1f} GB free: name one with --keep DIR")


def _in_memory(directory: Path) -> bool:
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return False
    kinds = {}
    for line in mounts.read_text().splitlines():
        _, at, kind, *_ = line.split()
        kinds[Path(at)] = kind
    real = directory.resolve()
    return next(kinds[at] for at in (real, *real.parents) if at in kinds) in ("tmpfs", "ramfs")
