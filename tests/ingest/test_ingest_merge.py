"""Another ledger as input: several machines' usage in one place, each call once."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.ingest.usage_files import BOOK, Desk, call, turn

from costctl.ingest import Given, forget


@pytest.fixture
def laptop(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "laptop")


@pytest.fixture
def office(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "office")


def usage(desk: Desk) -> None:
    """Two equal calls without an id, one call of a transcript, one in another mode."""
    desk.write(
        "log.jsonl", call(team="search"), call(team="search"), call(mode="batch", tags={"env": "prod"})
    )
    desk.write("session.jsonl", turn("A", 30))
    desk.ingest()


def test_a_merged_ledger_has_every_call_of_both_once(laptop: Desk, office: Desk) -> None:
    usage(laptop)
    office.write("ads.jsonl", call(team="ads", output_tokens=99))
    office.write("session.jsonl", turn("A", 20))
    office.ingest("ads.jsonl", "session.jsonl")
    done = office.ingest(laptop.ledger.path)
    # 3 lines of the log are new; message A is known, and more complete in the merged ledger.
    assert (done["files"], done["rows_new"], done["rows_improved"], done["rows_known"]) == (1, 3, 1, 0)
    assert office.outputs() == [10, 10, 10, 30, 99]
    ours = set(map(repr, office.everything()))
    assert set(map(repr, laptop.everything())) <= ours


def test_merging_again_adds_nothing_and_merging_later_what_is_new(laptop: Desk, office: Desk) -> None:
    usage(laptop)
    office.ingest(laptop.ledger.path)
    before = office.everything()
    again = office.ingest(laptop.ledger.path)
    assert (again["rows_new"], again["rows_improved"]) == (0, 0)
    assert office.everything() == before == laptop.everything()
    laptop.append("session.jsonl", turn("B", 7) + "\n")
    laptop.ingest()
    assert office.ingest(laptop.ledger.path)["rows_new"] == 1
    assert office.everything() == laptop.everything()


def test_two_machines_that_merge_each_other_have_the_same(laptop: Desk, office: Desk) -> None:
    usage(laptop)
    office.write("session.jsonl", turn("A", 20), turn("C", 5))
    office.ingest()
    office.ingest(laptop.ledger.path)
    laptop.ingest(office.ledger.path)
    assert office.everything() == laptop.everything()


def test_merged_calls_keep_their_prices(laptop: Desk, office: Desk) -> None:
    usage(laptop)
    office.ingest(laptop.ledger.path)
    prices = (
        "SELECT cost_pico, CAST(content AS VARCHAR) FROM calls LEFT JOIN prices USING (price_id) ORDER BY ALL"
    )
    assert office.rows(prices) == laptop.rows(prices)
    assert None not in office.calls("cost_pico")


def test_sources_tell_formats_apart_and_forget_takes_all_of_a_ledger(laptop: Desk, office: Desk) -> None:
    usage(laptop)
    office.write("own.jsonl", call(output_tokens=1))
    office.ingest("own.jsonl")
    office.ingest(laptop.ledger.path)
    path = str(laptop.ledger.path)
    assert office.rows("SELECT path, format, rows FROM sources WHERE path LIKE '%#%' ORDER BY path") == [
        (f"{path}#claude-code", "claude-code", 1),
        (f"{path}#costctl", "costctl", 3),
    ]
    forget(office.ledger, [path], book=BOOK)
    assert office.outputs() == [1]


def test_charges_are_merged_once(laptop: Desk, office: Desk) -> None:
    page: dict[str, Any] = {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": 1730419200,
                "end_time": 1730505600,
                "results": [
                    {
                        "object": "organization.costs.result",
                        "amount": {"value": 0.06, "currency": "usd"},
                        "line_item": None,
                        "project_id": None,
                    }
                ],
            }
        ],
    }
    laptop.write("costs.jsonl", json.dumps(page))
    assert laptop.ingest()["charges_new"] == 1
    assert office.ingest(laptop.ledger.path)["charges_new"] == 1
    assert office.ingest(laptop.ledger.path)["charges_new"] == 0
    charges = "SELECT amount_pico FROM charges"
    assert office.rows(charges) == laptop.rows(charges) == [(60_000_000_000,)]  # 0.06 dollars


def test_the_ledger_itself_and_what_is_no_ledger_are_not_merged(laptop: Desk, office: Desk) -> None:
    usage(laptop)
    assert laptop.ingest(laptop.ledger.path)["rows_new"] == 0
    with duckdb.connect(str(office.files / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    done = office.ingest("other.duckdb")
    assert done.failed
    assert done.told("is not a costctl ledger")


def day(date: str, tokens: int) -> str:
    """A page of OpenAI's Usage API: one bucket of a day."""
    start = int(datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp())
    result = {
        "object": "organization.usage.completions.result",
        "input_tokens": tokens,
        "output_tokens": 1,
        "num_model_requests": 2,
        "model": "gpt-4o-2024-08-06",
    }
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": [result]}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None})


def written(desk: Desk, name: str, at: str) -> None:
    when = datetime.fromisoformat(f"{at}+00:00").timestamp()
    os.utime(desk.files / name, (when, when))


@pytest.mark.parametrize("is_first", [True, False])
def test_an_old_report_stays_old_beside_a_newer_file_of_its_ledger(
    laptop: Desk, office: Desk, is_first: bool
) -> None:
    """The laptop pulled October 1 early, and October 5 last of all: its October 1 is not the newest."""
    laptop.write("first.jsonl", day("2024-10-01", 1000))
    laptop.write("fifth.jsonl", day("2024-10-05", 500))
    written(laptop, "first.jsonl", "2024-10-01T20:00:00")
    written(laptop, "fifth.jsonl", "2024-10-06T00:00:00")
    laptop.ingest()
    office.write("first.jsonl", day("2024-10-01", 3000))
    written(office, "first.jsonl", "2024-10-03T20:00:00")
    for what in (laptop.ledger.path, "first.jsonl") if is_first else ("first.jsonl", laptop.ledger.path):
        office.ingest(what)
    buckets = "SELECT CAST(ts AS DATE)::VARCHAR, input_tokens FROM calls ORDER BY ts"
    newest = [("2024-10-01", 3000), ("2024-10-05", 500)]
    assert office.rows(buckets) == newest
    laptop.ingest(office.ledger.path)
    office.ingest(laptop.ledger.path)
    assert laptop.rows(buckets) == office.rows(buckets) == newest


def test_ledgers_that_merge_each_other_count_rejected_lines_once(laptop: Desk, office: Desk) -> None:
    laptop.write("log.jsonl", call(), "not JSON")
    laptop.ingest()
    office.write("other.jsonl", call(team="ads"), "nor this", "nor that")
    office.ingest()
    for _ in range(3):
        office.ingest(laptop.ledger.path)
        laptop.ingest(office.ledger.path)
    # One line of the laptop's and two of the office's, on either side.
    rejected = "SELECT CAST(sum(rejected) AS BIGINT) FROM sources"
    assert laptop.rows(rejected) == office.rows(rejected) == [(3,)]


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        (Given(pseudonymize=("user",)), "--pseudonymize"),
        (Given(team="search"), "--team"),
        (Given(tags={"env": "prod"}), "--tag"),
        (Given(format="openai"), "--as"),
    ],
)
def test_flags_that_a_ledger_does_not_follow_are_refused(
    laptop: Desk, office: Desk, given: Given, flag: str
) -> None:
    """A name that was to be a pseudonym would come in as it is."""
    laptop.write("log.jsonl", call(user="ada"))
    laptop.ingest()
    done = office.ingest(laptop.ledger.path, given=given)
    assert (done["files"], done["rows_new"]) == (0, 0)
    assert done.failed
    assert f"without {flag}:" in done.notes[0]


def test_a_ledger_without_its_log_is_told(laptop: Desk, office: Desk, tmp_path: Path) -> None:
    usage(laptop)
    copy = tmp_path / "copy.duckdb"
    shutil.copy(laptop.ledger.path, copy)
    done = office.ingest(copy)
    assert done["rows_new"] == 0
    assert f"skipped: {copy}: nothing is in it; a ledger is copied together with its log" in done.notes[0]


def test_progress_is_told_of_a_ledger_as_of_a_file(laptop: Desk, office: Desk) -> None:
    told: list[tuple[str, int]] = []

    class Watch:
        def start(self, total_bytes: int) -> None:
            told.append(("start", total_bytes))

        def advance(self, bytes: int, rows: int) -> None:  # noqa: ARG002
            told.append(("advance", bytes))

        def stop(self) -> None:
            told.append(("stop", 0))

    usage(laptop)
    size = laptop.ledger.path.stat().st_size
    office.ingest(laptop.ledger.path, progress=Watch())
    assert (told[0], told[-1]) == (("start", size), ("stop", 0))
    assert sum(bytes for what, bytes in told if what == "advance") == size
