"""The ledger depends on what was read, never on how often, in what order, or in which files."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from usage_files import CALL_COST, Desk, Given, call, packed, text, turn

# Few ids and few minutes, so that versions, copies and equal lines are common.
IDS = ("a", "b", "c")
MINUTES = ("10:00:00", "10:00:01", "10:01:00")

WITH_ID = st.builds(
    lambda id, minute, output, team: call(
        id=id, timestamp=f"2024-11-05T{minute}Z", output_tokens=output, team=team
    ),
    st.sampled_from(IDS),
    st.sampled_from(MINUTES),
    st.sampled_from((1, 10, 20)),
    st.sampled_from(("search", "ads")),
)
WITHOUT_ID = st.builds(
    lambda minute, output: call(timestamp=f"2024-11-05T{minute}Z", output_tokens=output),
    st.sampled_from(MINUTES),
    st.sampled_from((1, 10)),
)
TURN = st.builds(
    lambda id, minute, output, session, side, tier: turn(
        id, output, at=minute, session=session, isSidechain=side, cwd=f"/src/{tier}"
    ),
    st.sampled_from(IDS),
    st.sampled_from(MINUTES),
    st.sampled_from((1, 10, 20)),
    st.sampled_from(("s1", "s2")),
    st.booleans(),
    st.sampled_from(("x", "y")),
)
OTHER = st.just('{"type": "user", "uuid": "u1", "sessionId": "s1", "timestamp": "2024-11-05T10:00:00.000Z"}')

LOGS = st.lists(st.lists(st.one_of(WITH_ID, WITHOUT_ID), min_size=1, max_size=8), min_size=1, max_size=3)
TRANSCRIPTS = st.lists(st.lists(st.one_of(TURN, TURN, OTHER), min_size=1, max_size=8), max_size=2)


def written(desk: Desk, name: str, data: bytes) -> None:
    desk.write_bytes(name, packed(name, data))


def shuffled_history(desk: Desk, files: list[list[str]], chance: random.Random) -> None:
    """Ten ingests, at the end of which everything in ``files`` has been seen: files that grow by pieces of
    any length, copies, packed copies, rotated and renamed ones, and single lines in other files."""
    contents = [text(*lines) for lines in files]
    seen = [0] * len(files)
    names = [f"log-{number}.jsonl" for number in range(len(files))]
    steps = [chance.choice(("grow", "copy", "pack", "rename", "single", "again", "full")) for _ in range(9)]
    for step, action in enumerate([*steps, "all"]):
        number = chance.randrange(len(files))
        data = contents[number]
        if action == "grow":
            seen[number] = chance.randint(seen[number], len(data))
            written(desk, names[number], data[: seen[number]])
        elif action == "copy":
            written(desk, f"{step}.jsonl", data)
        elif action == "pack":
            written(desk, f"{step}.jsonl{chance.choice(('.gz', '.zst'))}", data)
        elif action == "rename" and seen[number]:
            rotated = f"{names[number]}.{step}"
            (desk.files / names[number]).rename(desk.files / rotated)
            names[number] = rotated
        elif action == "single":
            written(desk, f"{step}.jsonl", text(chance.choice(files[number])))
        elif action == "all":
            for name, whole in zip(names, contents, strict=True):
                written(desk, name, whole)
        desk.ingest(full=action == "full")


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(logs=LOGS, transcripts=TRANSCRIPTS, chance=st.randoms(use_true_random=False))
def test_ten_ingests_in_any_order_give_the_ledger_of_one(
    logs: list[list[str]], transcripts: list[list[str]], chance: random.Random
) -> None:
    compare_with_one_ingest([*logs, *transcripts], chance)


@pytest.mark.heavy
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(logs=LOGS, transcripts=TRANSCRIPTS, chance=st.randoms(use_true_random=False))
def test_ten_ingests_in_any_order_give_the_ledger_of_one_many_times(
    logs: list[list[str]], transcripts: list[list[str]], chance: random.Random
) -> None:
    compare_with_one_ingest([*logs, *transcripts], chance)


def compare_with_one_ingest(files: list[list[str]], chance: random.Random) -> None:
    with tempfile.TemporaryDirectory() as directory:
        once, often = Desk(Path(directory) / "once"), Desk(Path(directory) / "often")
        for number, lines in enumerate(files):
            once.write(f"{number}.jsonl", *lines)
        once.ingest()
        shuffled_history(often, files, chance)
        assert often.everything() == once.everything()
        again = often.ingest(full=True)
        assert (again["rows_new"], again["rows_improved"], again["rows_rejected"]) == (0, 0, 0)


def test_of_equal_lines_without_an_id_the_ledger_holds_as_many_as_the_file_with_most_of_them(
    desk: Desk,
) -> None:
    desk.write("two.jsonl", call(), call())
    first = desk.ingest("two.jsonl")
    assert (first["rows_new"], first["cost"]) == (2, 2 * CALL_COST)
    assert first.told("1 line without an id is equal to an earlier line of the file")
    desk.write("three.jsonl", call(), call(), call(output_tokens=7), call())
    second = desk.ingest("three.jsonl")
    assert (second["rows_new"], second["rows_known"]) == (2, 2)
    assert desk.outputs() == [7, 10, 10, 10]
    desk.write("one.jsonl", call())
    third = desk.ingest()
    assert (third["rows_new"], third["rows_known"], third["files_unchanged"]) == (0, 1, 2)


def test_a_tail_with_a_known_line_without_an_id_makes_its_file_be_read_whole(desk: Desk) -> None:
    desk.write("log.jsonl", call(), call(output_tokens=7))
    desk.ingest()
    desk.append("log.jsonl", text(call(), call(output_tokens=8)))
    done = desk.ingest()
    # The second like call is one more; a line of a file read from the middle could not tell.
    assert done["rows_new"] == 2
    assert desk.outputs() == [7, 8, 10, 10]
    assert desk.rows("SELECT rows, equal_lines FROM sources") == [(4, 1)]


def test_a_file_that_must_be_read_whole_after_its_tail_may_have_bad_lines_in_both(desk: Desk) -> None:
    desk.write("log.jsonl", call(), "{bad")
    desk.ingest()
    desk.append("log.jsonl", text("{worse", call()))
    done = desk.ingest()
    assert (done["rows_new"], done["rows_known"], done.failed) == (1, 1, False)
    assert desk.rejects() == [(2, "not JSON"), (3, "not JSON")]


def test_a_tail_of_new_lines_is_read_alone(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a"), "{bad", call(output_tokens=7))
    desk.ingest()
    # As the old part is not read again, its line changed to another of its length stays unseen.
    whole = (desk.files / "log.jsonl").read_bytes()
    filler = text(*(call(id=f"f{n}") for n in range(100)))
    desk.append("log.jsonl", filler)
    desk.ingest()
    grown = (desk.files / "log.jsonl").read_bytes()
    at = len(whole) + 4096
    assert at < len(grown) - 4096
    hidden = grown[:at] + grown[at:].replace(b'"f50"', b'"g50"') + text(call(id="z"), "{worse")
    desk.write_bytes("log.jsonl", hidden)
    done = desk.ingest()
    assert (done["rows_new"], done["rows_known"], done["rows_rejected"]) == (1, 0, 1)
    assert desk.rows("SELECT rows, rejected FROM sources") == [(103, 2)]
    # The reject's number counts the lines before the tail: 3 + 100 + 1, then its own.
    assert desk.rejects() == [(2, "not JSON"), (105, "not JSON")]


def test_a_line_that_is_being_written_waits_for_its_end(desk: Desk) -> None:
    half, rest = call(id="b")[:40], call(id="b")[40:]
    desk.write("log.jsonl", call(id="a"), half, end="")
    first = desk.ingest()
    assert (first["rows_new"], first["rows_rejected"], first.attention) == (1, 0, False)
    assert desk.rows("SELECT size - read_to FROM sources") == [(40,)]
    assert desk.ingest()["files_unchanged"] == 1
    desk.append("log.jsonl", rest)  # whole now, though without its line end
    assert desk.ingest()["rows_new"] == 1
    desk.append("log.jsonl", "\n" + call(id="c") + "\n{bad\n")
    third = desk.ingest()
    assert (third["rows_new"], third["rows_rejected"]) == (1, 1)
    assert desk.rejects() == [(4, "not JSON")]


def test_nothing_but_half_a_line_is_no_call_yet(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a")[:-1], end="")
    told = Given(format="costctl")
    assert desk.ingest(given=told)["rows_rejected"] == 0
    desk.append("log.jsonl", "}\n")
    assert desk.ingest(given=told)["rows_new"] == 1


def test_a_truncated_file_takes_no_calls_away(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a"), call(id="b"))
    desk.ingest()
    desk.write("log.jsonl", call(id="c"))
    assert desk.ingest()["rows_new"] == 1
    desk.write("log.jsonl")
    emptied = desk.ingest()
    assert (emptied["rows_new"], emptied.failed) == (0, False)
    assert len(desk.outputs()) == 3


def test_a_file_rewritten_in_place_at_its_old_size_is_read(desk: Desk) -> None:
    path = desk.write("log.jsonl", call(id="a"))
    desk.ingest()
    before = path.stat()
    desk.write("log.jsonl", call(id="b"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    after = path.stat()
    assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)
    assert desk.ingest()["rows_new"] == 1


def test_of_the_lines_of_one_message_the_most_complete_one_stays_whole_at_the_earliest_time(
    desk: Desk,
) -> None:
    desk.write(
        "session.jsonl",
        turn("a", 1, at="10:00:00", cwd="/first"),
        turn("a", 25, at="10:00:02", cwd="/last"),
        turn("a", 10, at="10:00:01", cwd="/middle"),
    )
    assert desk.ingest()["rows_new"] == 1
    columns = ("CAST(ts AS VARCHAR)", "output_tokens", "project")
    assert desk.calls(*columns) == [("2024-11-05 10:00:00", 25, "last")]
    # A session that goes on in another file, with the message's first line under another name.
    desk.write("forked.jsonl", turn("a", 1, at="09:59:59", session="s2"), turn("a", 30, session="s2"))
    done = desk.ingest()
    assert (done["rows_new"], done["rows_known"], done["rows_improved"]) == (0, 0, 1)
    assert desk.calls(*columns) == [("2024-11-05 09:59:59", 30, None)]


def test_a_sidechains_replay_goes_behind_its_original_however_long(desk: Desk) -> None:
    desk.write("agent.jsonl", turn("a", 99, isSidechain=True))
    desk.ingest()
    desk.write("main.jsonl", turn("a", 5, isSidechain=False))
    assert desk.ingest()["rows_improved"] == 1
    assert desk.calls("output_tokens", "replay") == [(5, False)]


def test_one_call_in_a_call_log_and_a_transcript_is_one_call(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="msg_a", output_tokens=25))
    desk.write("session.jsonl", turn("a", 24), turn("a", 1))
    done = desk.ingest()
    assert done["rows_new"] == 1
    assert desk.outputs() == [25]


def test_the_time_of_an_earlier_version_prices_the_call_whichever_came_first(tmp_path: Path) -> None:
    # deepseek-chat costs 0.27 and 1.10 USD a million until 16:30 UTC, then half of that until 00:30.
    versions = [
        call(id="a", model="deepseek-chat", timestamp="2025-04-01T16:29:59Z", output_tokens=1),
        call(id="a", model="deepseek-chat", timestamp="2025-04-01T16:30:01Z", output_tokens=2),
    ]
    ledgers = []
    for order in (versions, versions[::-1]):
        desk = Desk(tmp_path / str(len(ledgers)))
        for number, line in enumerate(order):
            desk.write(f"{number}.jsonl", line)
            desk.ingest()
        ledgers.append(desk.everything())
    assert ledgers[0] == ledgers[1]
    at_once = Desk(tmp_path / "at-once")
    at_once.write("log.jsonl", *versions)
    at_once.ingest()
    assert at_once.everything() == ledgers[0]
    # The longer version, at the time of the earlier one: 100 × 0.27 + 2 × 1.10 USD a million.
    assert at_once.calls("CAST(ts AS VARCHAR)", "cost_pico") == [("2025-04-01 16:29:59", 29_200_000)]
