"""The works and their goals. Each takes a place and gives the lines of the table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.brake_time import ask_budget
from benchmarks.call_time import log_usage
from benchmarks.place import CALLS, LONG, SHORT, TRANSCRIPTS, Place, ledger_files, say
from benchmarks.processes import BenchmarkError, Run
from benchmarks.results import Pairs, Result, megabytes, of_pairs, seconds

Work = Callable[[Place], list[Result]]

MEMORY = 1_000_000_000
GROWTH = 1.25
"""The peak of four times the lines may be this much higher: DuckDB's limit bounds it, and only the greater
ingest comes near that."""
BYTES_A_CALL = 40
NESTED = 2
SHAPES = (3000, 3)
"""The numbers of files, many small ones and a few large ones, that the transcripts are cut into."""
SHAPE = 1.1
"""The same bytes may take as long as in 200 even files; a tenth more is noise."""
APPENDED = 0.05
"""Reading 1 % more may take this part of the first ingest, besides the start: an ingest of nothing new."""


DRAWN = 3
"""A comparison with its intervals may take so many times a plain report."""
ROUTED = 3
"""A router over calls may take so many times the plain report of them."""
MANY = 5
"""Times the scale's calls that are routed."""
WINDOW = 3
"""A replay of a trace may take so many times the window over its accesses."""


def ingest_calls(place: Place) -> list[Result]:
    return [of_pairs(f"ingest {place.calls:,} calls", place.ingest_of_calls, 1.3)]


def ingest_transcripts(place: Place) -> list[Result]:
    return [of_pairs("ingest 200 transcripts", place.ingest_of_transcripts, 1.6)]


def ingest_export(kind: str, records: str) -> Work:
    """The work of an export, whose ``kind`` is of exports.py; ``records`` are what people call its parts."""
    return lambda place: [
        of_pairs(f"ingest {place.records:,} {records}", place.ingest_of_export(kind), NESTED)
    ]


def ingest_shapes(place: Place) -> list[Result]:
    directories = {TRANSCRIPTS: place.transcripts()}
    directories |= {files: place.recut_transcripts(files) for files in SHAPES}
    ledger = place.directory / "shapes.duckdb"
    runs: dict[int, list[Run]] = {files: [] for files in directories}
    held = set()
    say("ingesting transcripts in few and in many files …")
    for _ in range(LONG):
        for files, directory in directories.items():
            runs[files].append(place.first_ingest(directory, ledger))
            held.add(place.content(ledger))
    if len(held) > 1:
        raise BenchmarkError("the ledgers of the same lines hold\n" + "\n".join(held))
    place.new_ledger("shapes")
    return [
        of_pairs(f"ingest transcripts in {files:,} files", Pairs(runs[TRANSCRIPTS], runs[files]), SHAPE)
        for files in SHAPES
    ]


def ingest_again(place: Place) -> list[Result]:
    directory, ledger = place.transcripts(), place.transcripts_ledger
    say("ingesting them again …")
    pairs = place.in_turns(
        SHORT,
        lambda: place.floor("open_ledger", ledger),
        lambda: place.costctl("ingest", directory, "--db", ledger),
    )
    return [of_pairs("ingest 200 unchanged files", pairs, 1.4)]


def ingest_appended(place: Place) -> list[Result]:
    first = min(run.seconds for run in place.ingest_of_calls.ours)
    log = place.directory / "growing.jsonl"
    shutil.copyfile(place.call_log(), log)
    ledger = place.directory / "growing.duckdb"
    say("ingesting a log that grows …")
    place.first_ingest(log, ledger)
    lines, step = place.calls, place.calls // 100
    starts, ours = [], []
    for _ in range(3):
        place.append(log, lines, step)
        lines += step
        ours.append(place.costctl("ingest", log, "--db", ledger).seconds)
        starts.append(place.costctl("ingest", log, "--db", ledger).seconds)
    place.expect_calls(ledger, lines)
    log.unlink()
    place.new_ledger("growing")
    return [appended(first, starts, ours)]


def appended(first: float, starts: list[float], ours: list[float]) -> Result:
    """1 % more lines, against a part of the ``first`` ingest and a start (all in seconds)."""
    start, taken = min(starts), min(ours)
    most = APPENDED * first + start
    return Result(
        "ingest 1 % appended",
        seconds(taken),
        f"{APPENDED:.0%} of {seconds(first)} + {seconds(start)}",
        f"{taken / most:.2f} ×",
        "<= 1 ×",
        taken > most,
    )


def report(place: Place) -> list[Result]:
    ledger = place.calls_ledger
    say("reporting …")
    questions = place.questions(ledger)
    pairs = place.in_turns(
        SHORT,
        lambda: place.floor("report", ledger, questions),
        lambda: place.costctl("report", "--by", "team,model", "--db", ledger),
    )
    if f"{place.calls:,}" not in pairs.ours[0].output:
        raise BenchmarkError(f"the report does not speak of {place.calls:,} calls:\n{pairs.ours[0].output}")
    return [of_pairs("report --by team,model", pairs, 1.4)]


def compare(place: Place) -> list[Result]:
    """Two months by team with intervals, beside the plain report of all calls."""
    ledger = place.calls_ledger
    months = ("--base", "2024-09", "--with", "2024-10")
    say("comparing …")
    pairs = place.in_turns(
        SHORT,
        lambda: place.costctl("report", "--by", "team,model", "--db", ledger),
        lambda: place.costctl("compare", *months, "--by", "team", "--db", ledger, "--format", "json"),
    )
    if json.loads(pairs.ours[0].output)["saving_low"] is None and place.calls >= CALLS:
        raise BenchmarkError(f"compare drew no days:\n{pairs.ours[0].output}")
    return [of_pairs("compare two months by team", pairs, DRAWN)]


def simulate_router(place: Place) -> list[Result]:
    """Every call on the model of its complexity, beside the plain report of the same calls."""
    calls = MANY * place.calls
    log, ledger = place.call_log("many.jsonl", times=MANY), place.directory / "many.duckdb"
    say(f"ingesting {calls:,} calls …")
    place.first_ingest(log, ledger)
    place.expect_calls(ledger, calls)
    say("routing …")
    pairs = place.in_turns(
        SHORT,
        lambda: place.costctl("report", "--by", "team,model", "--db", ledger),
        lambda: place.costctl("simulate-router", "--db", ledger, "--format", "json"),
    )
    totals = json.loads(pairs.ours[0].output)["totals"]
    place.new_ledger("many")
    if not totals["requests_before"] == totals["requests_after"] == calls:
        raise BenchmarkError(f"the router speaks of {totals['requests_after']:,} calls, not of {calls:,}")
    return [of_pairs(f"simulate-router, {calls:,} calls", pairs, ROUTED)]


def simulate_cache(place: Place) -> list[Result]:
    requests, accesses = place.cache_trace("requests"), place.cache_trace("accesses")
    say("replaying a trace …")
    pairs = place.in_turns(
        SHORT,
        lambda: place.floor("window", accesses, "300"),
        lambda: place.costctl("simulate-cache", "--trace", requests, "--ttl", "300s", "--format", "json"),
    )
    (row,) = json.loads(pairs.ours[0].output)["rows"]
    if row["hit_tokens"] != int(pairs.floors[0].output):
        raise BenchmarkError(f"the cache finds {row['hit_tokens']}, its floor {pairs.floors[0].output}")
    return [of_pairs(f"simulate-cache, {row['blocks']:,} accesses", pairs, WINDOW)]


def start(place: Place) -> list[Result]:
    pairs = place.in_turns(SHORT, lambda: place.floor("imports"), lambda: place.costctl("--help"))
    return [of_pairs("costctl --help", pairs, 1.3)]


def memory(place: Place) -> list[Result]:
    once = [run.peak for run in place.ingest_of_calls.ours]
    log = place.call_log("four-times.jsonl", times=4)
    ledger = place.directory / "four-times.duckdb"
    say(f"ingesting {4 * place.calls:,} calls …")
    four = place.first_ingest(log, ledger).peak
    place.expect_calls(ledger, 4 * place.calls)
    place.new_ledger("four-times")
    return peaks(place.calls, once, four)


def peaks(calls: int, once: list[int], four: int) -> list[Result]:
    """Peaks in bytes of ingests of ``calls`` lines and of one of four times as many.

    The highest of ``once`` is what four times the lines are held against: so what the peak varies by from run
    to run is not taken for growth.
    """
    highest, limit = max(once), f"<= {megabytes(MEMORY)}"
    return [
        Result(f"peak memory, {calls:,} calls", megabytes(highest), "", "", limit, highest > MEMORY),
        Result(
            f"peak memory, {4 * calls:,} calls",
            megabytes(four),
            megabytes(highest),
            f"{four / highest:.2f} ×",
            f"{limit}, {GROWTH} ×",
            four > min(MEMORY, GROWTH * highest),
        ),
    ]


def size(place: Place) -> list[Result]:
    found = [bytes_a_call("a third with ids", _bytes(place.calls_ledger), place.calls)]
    for ids in ("none", "all"):
        log = place.call_log(f"ids-{ids}.jsonl", ids=ids)
        ledger = place.directory / f"ids-{ids}.duckdb"
        say(f"ingesting {place.calls:,} calls, {ids} with an id …")
        place.first_ingest(log, ledger)
        place.expect_calls(ledger, place.calls)
        found.append(bytes_a_call(f"{ids} with ids", _bytes(ledger), place.calls))
        place.new_ledger(ledger.stem)
    return found


def _bytes(ledger: Path) -> int:
    return sum(file.stat().st_size for file in ledger_files(ledger) if file.is_file())


def bytes_a_call(which: str, taken: int, calls: int) -> Result:
    """The ``taken`` bytes of a ledger of ``calls`` calls, its log included."""
    each = taken / calls
    return Result(
        f"ledger, {which}",
        f"{each:.1f} bytes a call",
        "",
        "",
        f"<= {BYTES_A_CALL} bytes",
        each > BYTES_A_CALL,
    )


WORKS: dict[str, Work] = {
    "ingest-calls": ingest_calls,
    "ingest-transcripts": ingest_transcripts,
    "ingest-transcripts-shapes": ingest_shapes,
    "ingest-litellm": ingest_export("litellm", "LiteLLM rows"),
    "ingest-otlp": ingest_export("otlp", "OTLP spans"),
    "ingest-openai-usage": ingest_export("openai-usage", "usage results"),
    "ingest-again": ingest_again,
    "ingest-appended": ingest_appended,
    "report": report,
    "compare": compare,
    "simulate-router": simulate_router,
    "simulate-cache": simulate_cache,
    "help": start,
    "log-usage": log_usage,
    "ask-budget": ask_budget,
    "memory": memory,
    "size": size,
}
