"""The benchmarks' own logic: what counts as missed, what is measured, and what the inputs hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from benchmarks import cache_trace, call_log, exports, shapes, transcripts
from benchmarks.__main__ import main
from benchmarks.call_time import of_calls, percentile
from benchmarks.place import Place, place
from benchmarks.processes import BenchmarkError, Run, run, script
from benchmarks.results import Pairs, Result, of_pairs, table
from benchmarks.works import appended, bytes_a_call, peaks


def _runs(*seconds: float) -> list[Run]:
    return [Run(each, each, 0, "") for each in seconds]


# Verdicts


def test_the_ratio_is_of_the_quickest_runs_and_its_median_of_the_pairs() -> None:
    pairs = Pairs(floors=_runs(2.0, 4.0, 2.5), ours=_runs(3.0, 5.0, 10.0))
    assert pairs.ratio == 1.5  # 3 / 2
    assert pairs.median_ratio == 1.5  # of 1.5, 1.25 and 4


@pytest.mark.parametrize(("ours", "missed"), [(2.6, False), (2.61, True)])
def test_a_goal_is_met_up_to_its_multiple_of_the_floor(ours: float, missed: bool) -> None:
    result = of_pairs("ingest", Pairs(_runs(2.0, 9.0), _runs(9.0, ours)), 1.3)  # 1.3 × 2.0 = 2.6
    assert result.missed is missed
    assert (result.floor, result.goal) == ("2.00 s", "<= 1.3 ×")


@pytest.mark.parametrize(("ours", "missed"), [(0.69, False), (0.71, True)])
def test_one_percent_more_may_take_a_twentieth_of_the_first_ingest_and_a_start(
    ours: float, missed: bool
) -> None:
    # 0.05 × 10 s + 0.2 s = 0.7 s
    assert appended(10.0, [0.3, 0.2], [1.0, ours]).missed is missed


@pytest.mark.parametrize(("nanoseconds", "missed"), [(200_000, False), (200_001, True)])
def test_a_call_is_timed_in_microseconds(nanoseconds: int, missed: bool) -> None:
    taken = [1_000, nanoseconds, 900_000]
    result = of_calls("log_api_usage, median", percentile(taken, 50), 200)
    assert (result.goal, result.missed) == ("<= 200 µs", missed)
    # of 0, 1, … 100 µs, 99 % took 99 at most
    assert percentile([each * 1000 for each in range(101)], 99) == 99


@pytest.mark.parametrize(
    ("once", "four", "missed"),
    [
        ([300_000_000, 400_000_000], 499_000_000, [False, False]),  # 1.25 × 400 MB = 500 MB
        ([300_000_000, 400_000_000], 501_000_000, [False, True]),
        ([950_000_000], 1_000_000_000, [False, False]),  # 1.05 ×, and not above 1 GB
        ([950_000_000], 1_000_000_001, [False, True]),
        ([1_000_000_001], 900_000_000, [True, False]),
    ],
)
def test_memory_has_a_limit_and_does_not_grow_with_the_file(
    once: list[int], four: int, missed: list[bool]
) -> None:
    assert [result.missed for result in peaks(2_000_000, once, four)] == missed


def test_a_ledger_may_take_forty_bytes_a_call() -> None:
    assert not bytes_a_call("all with ids", 80_000, 2_000).missed
    assert bytes_a_call("all with ids", 80_001, 2_000).missed


# The command


def _fixed(*missed: bool) -> list[Result]:
    return [Result(f"work {n}", "1 s", "1 s", "1 ×", "<= 1 ×", each) for n, each in enumerate(missed)]


def test_a_missed_goal_is_marked_on_its_line_only() -> None:
    head, *lines = table(_fixed(False, True)).splitlines()
    assert head.split() == ["work", "measured", "floor", "ratio", "goal"]
    assert [line.split()[:2] for line in lines] == [["work", "0"], ["work", "1"]]
    assert [line.endswith("MISSED") for line in lines] == [False, True]


@pytest.mark.parametrize(
    ("named", "code", "shown"), [([], 4, "MISSED"), (["bad"], 4, "MISSED"), (["good"], 0, "work 0")]
)
def test_a_missed_goal_exits_4(
    named: list[str], code: int, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    works = {"good": lambda _: _fixed(False), "bad": lambda _: _fixed(True)}
    assert main([*named, "--keep", str(tmp_path)], works) == code
    assert shown in capsys.readouterr().out


def test_a_command_that_fails_is_no_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(where: Place) -> list[Result]:
        where.costctl("no-such-command")
        return _fixed(False)

    works = {"good": lambda _: _fixed(False), "broken": broken}
    assert main(["--keep", str(tmp_path)], works) == 1
    shown = capsys.readouterr()
    assert "no-such-command" in shown.err
    assert "work 0" in shown.out  # what was measured before is not lost


@pytest.mark.parametrize("arguments", [["no-such-work"], ["--scale", "0"], ["--scale", "11"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


# Processes


MEASURING = """
import sys
from pathlib import Path
from benchmarks.processes import run

small = run(sys.executable, "-c", "print('done')", directory=Path("."))
large = run(sys.executable, "-c", "held = b'x' * 200_000_000", directory=Path("."))
assert small.output == "done\\n"
assert small.seconds > 0
assert small.processor > 0
assert 200_000_000 < large.peak < 400_000_000, large.peak
"""
"""A program of its own: a process begins with the peak of the one that starts it."""


def test_a_run_is_measured_whole(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", MEASURING], cwd=tmp_path, env=environment, check=True)


def test_a_failed_run_says_what_it_wrote(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"exit 3\n.*out of luck"):
        run(
            sys.executable,
            "-c",
            "import sys; print('out of luck', file=sys.stderr); sys.exit(3)",
            directory=tmp_path,
        )


def test_a_run_sees_no_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTCTL_DB", "/elsewhere")
    seen = run(
        sys.executable,
        "-c",
        "import os; print(os.environ.get('COSTCTL_DB'), os.environ['HOME'], os.getcwd())",
        directory=tmp_path,
    )
    assert seen.output.split() == ["None", str(tmp_path), str(tmp_path)]


# Places


def test_a_kept_place_stays_and_another_does_not(tmp_path: Path) -> None:
    with place(tmp_path / "kept", 1) as kept:
        (kept.directory / "calls.jsonl").write_text("from an earlier run\n")
        assert kept.call_log().read_text() == "from an earlier run\n"
    with place(tmp_path / "kept", 0.5) as smaller:
        assert smaller.directory == tmp_path / "kept" / "scale-0.5"
    with place(None, 0.001) as passing:
        directory = passing.directory
        assert directory.is_dir()
    assert (tmp_path / "kept" / "calls.jsonl").exists()
    assert not directory.exists()


def test_a_log_grows_by_the_lines_that_come_next(tmp_path: Path) -> None:
    short = Place(tmp_path, 0.0005).call_log("short.jsonl")
    whole = Place(tmp_path, 0.001).call_log("whole.jsonl")
    Place(tmp_path, 0.0005).append(short, 1000, 1000)
    assert short.read_bytes() == whole.read_bytes()


# Inputs


@pytest.mark.parametrize(("ids", "with_id"), [("none", 0), ("some", 100), ("all", 300)])
def test_a_call_log_holds_calls_of_the_book(ids: str, with_id: int, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    call_log.write(file, 300, 1, ids)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 300
    assert len({line["id"] for line in lines if "id" in line}) == with_id
    assert {line["model"] for line in lines} == set(call_log.MODELS)
    assert all(0 <= line["cached_tokens"] <= line["input_tokens"] for line in lines)
    assert all(line["success"] == (line["error_type"] is None) for line in lines)
    assert all(set(line["tags"]) == {"environment", "feature", "complexity"} for line in lines)
    assert [line["timestamp"] for line in lines] == sorted(line["timestamp"] for line in lines)
    assert 340 < file.stat().st_size / 300 < 400


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 transcripts of together some 4,800 lines: 12 sessions, 2 forks, 2 sub-agents'."""
    directory = tmp_path_factory.mktemp("transcripts")
    transcripts.write(directory, 16, 4800, 1)
    return directory


def test_transcripts_repeat_their_messages_as_real_ones_do(sessions: Path) -> None:
    files = sorted(sessions.rglob("*.jsonl"))
    lines = [[json.loads(line) for line in file.read_text().splitlines()] for file in files]
    assert len(files) == 16
    assert 4600 < sum(map(len, lines)) < 5000

    of_message = defaultdict(list)
    for file in lines:
        for line in file:
            if line["type"] == "assistant":
                of_message[line["message"]["id"]].append(line)
    in_sessions = Counter(len({line["sessionId"] for line in each}) for each in of_message.values())
    assert set(in_sessions) == {1, 2}  # a fork's copies have the fork's own sessionId

    alone = [
        [line for line in each if not line["isSidechain"]]
        for each in of_message.values()
        if len({line["sessionId"] for line in each}) == 1 and not all(line["isSidechain"] for line in each)
    ]
    assert 1.7 < sum(map(len, alone)) / len(alone) < 1.9
    for each in alone:
        tokens = [line["message"]["usage"]["output_tokens"] for line in each]
        assert tokens == sorted(tokens)
        assert len({line["requestId"] for line in each}) == 1
    replayed = [each for each in of_message.values() if len({line["requestId"] for line in each}) == 2]
    assert replayed
    assert all(any(line["isSidechain"] for line in each) for each in replayed)
    assert len([file for file in files if file.parent.name == "subagents"]) == 2


def test_transcripts_cut_anew_are_the_same_bytes(sessions: Path, tmp_path: Path) -> None:
    def text(directory: Path) -> bytes:
        return b"".join(file.read_bytes() for file in sorted(directory.rglob("*.jsonl")))

    for files in (3, 300):
        shapes.write(tmp_path / str(files), sessions, files)
        sizes = [file.stat().st_size for file in (tmp_path / str(files)).iterdir()]
        assert len(sizes) == files
        assert sum(sizes) == len(text(sessions))
        assert text(tmp_path / str(files)) == text(sessions)
        assert max(sizes) < sum(sizes) / files + 45_000  # a line is at most so long
    shapes.write(tmp_path / "more", tmp_path / "3", 100_000)
    assert len(list((tmp_path / "more").iterdir())) == text(sessions).count(b"\n")


@pytest.mark.parametrize("kind", exports.KINDS)
def test_an_export_is_the_same_each_time(kind: str, tmp_path: Path) -> None:
    for name in ("first", "second"):
        exports.write(tmp_path / name, kind, 960, 1)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def _export(kind: str, records: int, tmp_path: Path) -> list[Any]:
    exports.write(tmp_path / "export.jsonl", kind, records, 1)
    return [json.loads(line) for line in (tmp_path / "export.jsonl").read_text().splitlines()]


def test_spend_logs_have_the_cached_part_in_the_prompt(tmp_path: Path) -> None:
    rows = _export("litellm", 500, tmp_path)
    assert len({row["request_id"] for row in rows}) == 500
    for row in rows:
        usage = row["metadata"]["usage_object"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        assert 0 <= cached + usage["cache_creation_input_tokens"] <= row["prompt_tokens"]
        assert usage["completion_tokens_details"]["reasoning_tokens"] <= row["completion_tokens"]
    assert {row["custom_llm_provider"] for row in rows} == {"openai", "anthropic"}
    assert 1700 < (tmp_path / "export.jsonl").stat().st_size / 500 < 2600


def test_spans_are_calls_of_an_agent(tmp_path: Path) -> None:
    lines = _export("otlp", 500, tmp_path)
    assert len(lines) == 50  # ten calls a line
    for line in lines:
        (resource,) = line["resourceSpans"]
        *calls, agent = resource["scopeSpans"][0]["spans"]
        assert len(calls) == 10
        assert {call["parentSpanId"] for call in calls} == {agent["spanId"]}
        assert {call["traceId"] for call in calls} == {agent["traceId"]}
        ended = [int(call["endTimeUnixNano"]) for call in calls]
        assert int(agent["endTimeUnixNano"]) == max(ended)


def test_pages_of_usage_have_each_key_once_an_hour(tmp_path: Path) -> None:
    pages = _export("openai-usage", 2000, tmp_path)
    hours = [hour for page in pages for hour in page["data"]]
    assert [len(page["data"]) for page in pages] == [24, 24, 2]  # 2,000 results, 40 an hour
    assert [hour["start_time"] for hour in hours] == [1704067200 + 3600 * n for n in range(50)]
    for hour in hours:
        assert len({result["api_key_id"] for result in hour["results"]}) == 40
        assert all(result["input_cached_tokens"] <= result["input_tokens"] for result in hour["results"])


def test_a_trace_is_the_same_as_requests_and_as_accesses(tmp_path: Path) -> None:
    """Four requests a conversation, of 12, 22, 32 and 42 blocks, each of which holds the one before: 108."""
    import duckdb

    requests, accesses = tmp_path / "requests.jsonl", tmp_path / "accesses.parquet"
    cache_trace.write(requests, "requests", 41, 1)
    cache_trace.write(accesses, "accesses", 41, 1)
    lines = [json.loads(line) for line in requests.read_text().splitlines()]
    assert len(lines) == 40
    for line in lines:
        assert len(line["hash_ids"]) == -(-line["input_length"] // 512)
    by_length = {len(line["hash_ids"]): line["hash_ids"] for line in lines if line["hash_ids"][1] == 65}
    assert sorted(by_length) == [12, 22, 32, 42]
    assert by_length[42][:32] == by_length[32]
    table = duckdb.read_parquet(str(accesses))
    ((count, tokens),) = table.aggregate("count(*), sum(tokens)").fetchall()
    assert (count, tokens) == (10 * 108, sum(line["input_length"] for line in lines))


def test_the_floor_of_a_cache_finds_what_was_used_within_its_lifetime(tmp_path: Path) -> None:
    import duckdb

    accesses = tmp_path / "accesses.parquet"
    duckdb.execute(
        f"""COPY (FROM (VALUES (0, 0, 512, 1), (1, 1000, 500, 1), (2, 2001, 512, 1), (3, 2001, 7, 2))
        AS accesses(row, timestamp, tokens, hash)) TO '{accesses}' (FORMAT parquet)"""
    )
    assert script("floors/window", accesses, "1", directory=tmp_path).output == "500\n"


# Floors


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("litellm", 960), ("otlp", 960 + 96), ("openai-usage", 960)],  # of spans each agent's too
)
def test_the_floor_of_an_export_has_a_row_a_record(kind: str, rows: int, tmp_path: Path) -> None:
    import duckdb

    exports.write(tmp_path / "export", kind, 960, 1)
    database = tmp_path / "floor.duckdb"
    script(f"floors/read_{kind.replace('-', '_')}", tmp_path / "export", database, directory=tmp_path)
    tokens = {
        "litellm": "metadata.usage_object.prompt_tokens FROM calls",
        "otlp": "len(span.attributes) FROM spans",
        "openai-usage": "result.input_tokens FROM results",
    }
    with duckdb.connect(str(database), read_only=True) as connection:
        read = connection.execute(f"SELECT {tokens[kind]}").fetchall()
    assert len([value for (value,) in read if value > 0]) == rows


def test_the_floor_of_transcripts_counts_each_message_once_at_its_most(sessions: Path) -> None:
    most: dict[str, tuple[int, str]] = {}
    for file in sessions.rglob("*.jsonl"):
        for line in file.read_text().splitlines():
            message = json.loads(line).get("message", {})
            if "usage" in message:
                found = (message["usage"]["output_tokens"], message["model"])
                most[message["id"]] = max(most.get(message["id"], found), found)
    output = script("floors/read_transcripts", sessions, directory=sessions).output
    rows = [line.split("\t") for line in output.splitlines()]
    assert {row[0]: (int(row[1]), int(row[-1])) for row in rows} == {
        model: (
            sum(of == model for _, of in most.values()),
            sum(tokens for tokens, of in most.values() if of == model),
        )
        for model in {model for _, model in most.values()}
    }


def test_the_floor_of_call_logs_reads_every_line(tmp_path: Path) -> None:
    import duckdb

    call_log.write(tmp_path / "calls.jsonl", 1000, 1)
    script("floors/read_call_log", tmp_path / "calls.jsonl", tmp_path / "floor.duckdb", directory=tmp_path)
    with duckdb.connect(str(tmp_path / "floor.duckdb"), read_only=True) as connection:
        read = connection.execute(
            "SELECT count(*), count(timestamp), count(input_tokens), count(tags), count(id) FROM calls"
        )
        assert read.fetchone() == (1000, 1000, 1000, 1000, 334)  # ids: lines 0, 3, …, 999


# All of it


@pytest.mark.heavy
def test_every_work_runs_and_its_ledger_holds_what_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # On so little, the goals say nothing; but each command has to succeed and each ledger to be complete.
    assert main(["--scale", "0.002", "--keep", str(tmp_path)]) in (0, 4), capsys.readouterr().err
    works = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert works == [
        "work",
        "ingest 4,000 calls",
        "ingest 200 transcripts",
        "ingest transcripts in 3,000 files",
        "ingest transcripts in 3 files",
        "ingest 1,000 LiteLLM rows",
        "ingest 1,000 OTLP spans",
        "ingest 1,000 usage results",
        "ingest 200 unchanged files",
        "ingest 1 % appended",
        "report --by team,model",
        "compare two months by team",
        "simulate-router, 20,000 calls",
        "simulate-cache, 19,980 accesses",
        "costctl --help",
        "log_api_usage, median",
        "the same, 99 % of 8 processes",
        "should_allow_request, median",
        "the same, 99 % of 8 processes",
        "peak memory, 4,000 calls",
        "peak memory, 16,000 calls",
        "ledger, a third with ids",
        "ledger, none with ids",
        "ledger, all with ids",
    ]
