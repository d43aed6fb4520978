"""Flags fill what a file does not say, and never make another call of it."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_files import BOOK, CALL_COST, MODEL, Desk, Given, Input, call, turn

LABELS = ("team", "project", "user_id", "agent")


def test_flags_fill_what_the_file_does_not_say(desk: Desk) -> None:
    said = {name: f"own {name}" for name in LABELS}
    desk.write(
        "log.jsonl",
        call(id="a", output_tokens=1, tags={"env": "test"}, **said),
        call(id="b", output_tokens=2, team="", tags=None),
    )
    desk.ingest(given=Given(team="t", project="p", user="u", agent="a", tags={"env": "prod", "shop": "1"}))
    assert desk.calls(*LABELS) == [tuple(said.values()), ("t", "p", "u", "a")]
    assert [json.loads(tags) for tags in desk.calls("tags_json")] == [
        {"env": "test", "shop": "1"},
        {"env": "prod", "shop": "1"},
    ]


def test_billing_of_a_transcript_is_what_the_user_says(desk: Desk) -> None:
    desk.write("s.jsonl", turn("a", 5))
    desk.ingest()
    assert desk.calls("billing") == ["unknown"]
    assert desk.ingest(given=Given(billing="subscription"))["rows_improved"] == 1
    assert desk.calls("billing") == ["subscription"]


def test_a_time_for_lines_without_one(desk: Desk) -> None:
    line = call(id="a", timestamp=...)
    desk.write("log.jsonl", call(id="b", output_tokens=1), line)
    assert desk.ingest()["rows_rejected"] == 1
    done = desk.ingest(given=Given(time="2024-10-01T12:00:00Z"))
    assert (done["rows_new"], done["rows_rejected"]) == (1, 0)
    assert desk.calls("CAST(ts AS VARCHAR)") == ["2024-10-01 12:00:00", "2024-11-05 10:00:00"]


@pytest.mark.parametrize("id", [{"id": "a"}, {}], ids=["with an id", "without"])
def test_a_zone_for_times_without_one_also_when_it_comes_late(desk: Desk, id: dict[str, str]) -> None:
    desk.write("log.jsonl", call(timestamp="2024-11-05T10:00:00", output_tokens=1, **id))
    desk.ingest()
    for zone, hour in (("America/New_York", 15), ("Europe/Berlin", 9), ("", 10)):
        done = desk.ingest(given=Given(zone=zone))
        assert (done["rows_new"], done["rows_improved"]) == (0, 1)
        assert desk.calls("CAST(ts AS VARCHAR)") == [f"2024-11-05 {hour:02}:00:00"]


def test_a_bad_line_is_judged_in_the_zone_that_it_is_read_in(desk: Desk) -> None:
    # Half past midnight in Berlin is still 1999 in UTC.
    desk.write("log.jsonl", call(), call(timestamp="2000-01-01T00:30:00"))
    assert desk.ingest()["rows_rejected"] == 0
    again = desk.ingest(given=Given(zone="Europe/Berlin"))
    assert again["rejects_by_reason"] == {"timestamp: before 2000 or after 2099": 1}
    assert desk.rejects() == [(2, "timestamp: before 2000 or after 2099")]


@pytest.mark.parametrize("kind", ["timestamp with a zone", "timestamp without one"])
def test_a_zone_makes_no_other_call_of_a_row_of_parquet(desk: Desk, kind: str) -> None:
    moment = pa.array([1_730_800_800_000_000], pa.timestamp("us", "UTC" if "with a" in kind else None))
    columns = {"timestamp": moment, "model": [MODEL], "input_tokens": [100], "output_tokens": [10]}
    pq.write_table(pa.table(columns), desk.files / "log.parquet")
    assert desk.ingest()["rows_new"] == 1
    assert desk.ingest(given=Given(zone="America/New_York"))["rows_new"] == 0
    # 2024-11-05 10:00 UTC; read as New York's, five hours later.
    hour = 10 if "with a" in kind else 15
    assert desk.calls("CAST(ts AS VARCHAR)") == [f"2024-11-05 {hour}:00:00"]


def test_the_same_file_with_other_flags_is_labelled_anew(desk: Desk) -> None:
    desk.write("log.jsonl", call(), call(), call(id="a"), call(id="b", team="own"))
    desk.write("s.jsonl", turn("c", 5), turn("c", 6))
    desk.ingest()
    for team in ("search", "ads", ""):
        done = desk.ingest(given=Given(team=team))
        assert (done["rows_new"], done["rows_improved"], done["rows_known"]) == (0, 5, 0)
        assert sorted(desk.calls("team"), key=str) == sorted(["own", *[team or None] * 4], key=str)
        assert desk.ingest(given=Given(team=team))["files_unchanged"] == 2


@pytest.mark.parametrize("first", ["log.jsonl", "copy.jsonl"])
def test_labels_reach_the_calls_also_where_a_copy_brought_them(desk: Desk, first: str) -> None:
    for name in ("log.jsonl", "copy.jsonl"):
        desk.write(name, call(), call(), *(call(id=str(number)) for number in range(20)))
    desk.ingest(first)
    desk.ingest()
    desk.ingest("log.jsonl", given=Given(team="search"))
    assert desk.calls("team") == ["search"] * 22
    # The copy is read again for another reason, and takes nothing away.
    assert desk.ingest("copy.jsonl", full=True)["rows_known"] == 22
    assert desk.calls("team") == ["search"] * 22


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_of_two_copies_with_flags_one_labels_all_calls(desk: Desk, order: tuple[str, str]) -> None:
    for name in order:
        desk.write(f"{name}.jsonl", *(call(id=str(number)) for number in range(20)))
        desk.ingest(f"{name}.jsonl", given=Given(team=name))
    assert set(desk.calls("team")) == {"x"}


def test_labels_move_no_price(desk: Desk) -> None:
    desk.write("log.jsonl", call(), call(id="a"))
    desk.ingest()
    with desk.ledger.writing() as connection:
        connection.execute("UPDATE stored_calls SET cost_pico = 1")
    desk.ingest(given=Given(team="search"))
    assert desk.calls("team", "cost_pico") == [("search", 1)] * 2
    # Another time may have another price.
    desk.write("log.jsonl", call(), call(id="a", output_tokens=11))
    desk.ingest(given=Given(team="search"))
    assert desk.calls("cost_pico") == [1, CALL_COST + 15_000_000]


def test_two_inputs_with_flags_of_their_own(desk: Desk) -> None:
    desk.write("a.jsonl", call(id="a", output_tokens=1))
    desk.write("b.jsonl", call(id="b", output_tokens=2))
    inputs = [Input(str(desk.files / f"{name}.jsonl"), Given(team=name)) for name in "ab"]
    assert desk.ingest(*inputs, book=BOOK)["rows_new"] == 2
    assert desk.calls("team") == ["a", "b"]
    assert desk.ingest(*inputs)["files_unchanged"] == 2


def test_another_format_for_the_same_file_takes_back_what_the_first_one_read(desk: Desk) -> None:
    # A line that two formats can read: the user named the wrong one first.
    answer = {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1772359200,
        "usage": {"prompt_tokens": 7},
    }
    line = call(**answer, model="gpt-4o")
    desk.write("log.jsonl", line)
    desk.ingest(given=Given(format="costctl"))
    assert desk.calls("input_tokens") == [100]
    desk.ingest(given=Given(format="openai"))
    assert desk.calls("input_tokens") == [7]
    # What the file said before it was another one is not taken back.
    desk.write("log.jsonl", call(**{**answer, "id": "gen-2"}, model="gpt-4o"))
    desk.ingest(given=Given(format="costctl"))
    assert sorted(desk.calls("input_tokens")) == [7, 100]
