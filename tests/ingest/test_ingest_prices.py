"""Calls get their price when they come in, or as soon as there is one; and keep it."""

from __future__ import annotations

from pathlib import Path

import pytest
from usage_files import BOOK, CALL_COST, MODEL, Desk, call

from costctl.ingest import Given
from costctl.pricing.book import PriceBook

OWN_PRICES = """\
prices:
  - model: hal-9000
    input: {input}
    output: 10
"""


def own_book(directory: Path, input: str, model: str = "hal-9000") -> PriceBook:
    path = directory / f"prices-{input}.yaml"
    path.write_text(OWN_PRICES.format(input=input).replace("hal-9000", model))
    return PriceBook.load(path)


def test_the_cost_of_a_call_is_exact(desk: Desk) -> None:
    desk.write("log.jsonl", call())
    # 100 × 3.00 + 10 × 15.00 USD a million = 0.000450 USD
    assert desk.ingest()["cost"] == 450_000_000
    assert desk.calls("CAST(cost_usd AS VARCHAR)") == ["0.000450000000"]


def test_a_model_without_a_price_is_priced_once_there_is_one_though_no_file_has_changed(
    desk: Desk, tmp_path: Path
) -> None:
    desk.write("log.jsonl", call(model="hal-9000"), call())
    first = desk.ingest()
    assert (first["unpriced_calls"], first["cost"], first.attention) == (1, CALL_COST, True)
    assert desk.calls("model", "cost_pico") == [("hal-9000", None), (MODEL, CALL_COST)]
    # A file of no format among the inputs does not keep it from being priced.
    desk.write("notes.txt", "nothing")
    second = desk.ingest(book=own_book(tmp_path, "5"))
    assert (second["files_unchanged"], second.attention) == (1, False)
    # 100 × 5.00 + 10 × 10.00 USD a million
    assert desk.calls("cost_pico") == [600_000_000, CALL_COST]
    # Priced calls stay as they are, though the book says otherwise now.
    desk.ingest(book=own_book(tmp_path, "7"), full=True)
    assert desk.calls("cost_pico") == [600_000_000, CALL_COST]
    desk.write("more.jsonl", call(model="hal-9000", id="new"))
    assert desk.ingest(book=own_book(tmp_path, "7"))["cost"] == 800_000_000


def test_priced_calls_never_move(desk: Desk, tmp_path: Path) -> None:
    desk.write("log.jsonl", call(id="a"), call())
    desk.ingest()
    dearer = own_book(tmp_path, "30", model=MODEL)
    done = desk.ingest(book=dearer, full=True)
    assert (done["rows_known"], done["rows_improved"]) == (2, 0)
    assert desk.calls("cost_pico") == [CALL_COST] * 2
    # A call that turns out to be longer is another amount, at the prices of the book in use:
    # 100 × 30.00 + 20 × 10.00 USD a million.
    desk.write("more.jsonl", call(id="a", output_tokens=20))
    assert desk.ingest(book=dearer)["rows_improved"] == 1
    assert desk.calls("cost_pico") == [CALL_COST, 3_200_000_000]


def test_a_model_that_comes_late_in_a_large_file_is_priced(desk: Desk) -> None:
    # Far beyond the first 64 kB, of which the names of models are taken beforehand.
    desk.write("log.jsonl", *(call(id=str(n)) for n in range(3000)), call(id="x", model="gpt-4o-2024-08-06"))
    done = desk.ingest()
    # gpt-4o-2024-08-06: 100 × 2.50 + 10 × 10.00 USD a million
    assert (done["unpriced_calls"], done["cost"]) == (0, 3000 * CALL_COST + 350_000_000)


def test_the_price_row_of_a_call_is_kept_with_it(desk: Desk) -> None:
    desk.write("log.jsonl", call(), call(id="a"))
    desk.ingest()
    ((rows,),) = desk.rows(
        "SELECT count(*) FROM calls JOIN prices USING (price_id) WHERE prices.input_pico = 3000000"
    )
    assert rows == 2
    # Kept once, however often it is used.
    desk.ingest(full=True)
    ((rows, kinds),) = desk.rows("SELECT count(*), count(DISTINCT content) FROM prices")
    assert rows == kinds


def test_a_bad_line_may_be_of_any_model(desk: Desk) -> None:
    desk.write("log.jsonl", call(), call(model="hal-9000", input_tokens=-1))
    assert desk.ingest()["unpriced_calls"] == 0


@pytest.mark.parametrize(
    ("requests", "cost"),
    [
        # claude-sonnet-4-5-20250929: 3 and 15 USD a million, 6 and 22.50 above 200,000 tokens of input.
        (1, 400_002 * 6_000_000 + 30 * 22_500_000),
        (2, 400_002 * 6_000_000 + 30 * 22_500_000),  # 200,001 each
        (3, 400_002 * 3_000_000 + 30 * 15_000_000),  # 133,334 each
    ],
)
def test_of_several_calls_in_a_line_the_tokens_are_totals_and_the_tier_is_that_of_one(
    desk: Desk, requests: int, cost: int
) -> None:
    desk.write(
        "log.jsonl",
        call(
            model="claude-sonnet-4-5-20250929",
            timestamp="2025-10-01T00:00:00Z",
            input_tokens=400_002,
            output_tokens=30,
            requests=requests,
        ),
    )
    assert desk.ingest()["cost"] == cost
    assert desk.calls("requests", "output_tokens") == [(requests, 30)]


def test_exactly_at_the_threshold_is_not_above_it(desk: Desk) -> None:
    line = {"model": "claude-sonnet-4-5-20250929", "timestamp": "2025-10-01T00:00:00Z", "output_tokens": 0}
    desk.write("log.jsonl", call(input_tokens=400_000, requests=2, **line))
    assert desk.ingest()["cost"] == 400_000 * 3_000_000
    desk.write("more.jsonl", call(input_tokens=400_001, requests=2, **line))
    assert desk.ingest()["cost"] == 400_001 * 6_000_000


def test_the_books_in_use_are_written_down(desk: Desk) -> None:
    desk.write("log.jsonl", call())
    desk.ingest()
    ((books,),) = desk.rows("SELECT value FROM meta WHERE key = 'price_books'")
    assert all(identifier in books for identifier in BOOK.identifiers)


def test_unpriced_calls_are_told_once_as_new_or_as_of_before(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a", model="hal-9000"))
    desk.ingest()
    desk.append("log.jsonl", call(id="b", model="hal-9000") + "\n" + call(id="c", model="hal-9000") + "\n")
    done = desk.ingest()
    assert done["unpriced_calls"] == 2
    assert done.told("2 calls have no price: `costctl prices check` says why")
    assert done.told("1 call has no price yet, from earlier ingests of these files")
    # With other flags they are new again, all of them.
    again = desk.ingest(given=Given(team="search"))
    assert (again["unpriced_calls"], again.told("no price yet")) == (3, [])


def test_what_keeps_a_call_from_being_priced_is_told(desk: Desk) -> None:
    # 10^12 tokens at 15 USD a million are 15 million USD; 2^63 pico-dollars are 9.2 million.
    desk.write(
        "log.jsonl", call(output_tokens=10**12), call(other_units={"moons": 1}), call(model="hal-9000")
    )
    assert desk.ingest()["unpriced_calls"] == 3
    assert desk.rows("SELECT model, unpriced_reason FROM calls ORDER BY ALL") == [
        (MODEL, "a cost above 9,223,372 USD"),
        (MODEL, "no price for moons"),
        ("hal-9000", "no price for model hal-9000"),
    ]
