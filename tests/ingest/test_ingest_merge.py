"""Another ledger as input: several machines' usage in one place, each call once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.ingest.usage_files import BOOK, Desk, call, turn

from costctl.ingest.forget import forget


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
