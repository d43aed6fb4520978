"""Calls and buckets of the same usage: one of them counts, and the answer says which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from by_hand import ALWAYS, USD, Call

from costctl.analysis import QuestionError, summary
from costctl.ledger import Ledger

LedgerOf = Callable[..., Ledger]

REPORTS = {1: "claude-code", 2: "anthropic-usage", 3: "anthropic-console-tokens", 4: "anthropic-usage"}
"""Formats of the files by their ids."""


def call(day: int, dollars: int, **more: Any) -> Call:
    return {"ts": f"2024-10-{day:02} 12:00:00", "cost_pico": dollars * USD, "output_tokens": dollars, **more}


def bucket(day: int, dollars: int, **more: Any) -> Call:
    return {
        **call(day, dollars, source_id=2),
        "ts": f"2024-10-{day:02} 00:00:00",
        "grain": "bucket",
        "requests": None,
        **more,
    }


def told(ledger: Ledger) -> Ledger:
    """``ledger`` with the formats of its files."""
    with ledger.writing() as connection:
        connection.executemany(
            "INSERT INTO sources (source_id, path, format, rejected) VALUES (?, ?, ?, 0)",
            [[number, f"/{number}", format] for number, format in REPORTS.items()],
        )
    return ledger


def cost(ledger: Ledger, grain: str = "auto") -> Any:
    """In dollars."""
    (total,) = summary(ledger, (), period=ALWAYS, columns=["cost"], grain=grain).totals or ()
    return total // USD


def notes(ledger: Ledger, grain: str = "auto") -> tuple[str, ...]:
    return summary(ledger, (), period=ALWAYS, grain=grain).notes


def test_on_a_day_with_calls_the_buckets_of_that_provider_do_not_count(ledger_of: LedgerOf) -> None:
    ledger = told(
        ledger_of(
            call(7, 3),
            bucket(7, 4),
            bucket(8, 5),
            bucket(7, 6, provider="openai"),
            bucket(7, 7, billing="subscription"),
        )
    )
    # 3 + 5 + 6 + 7: the calls of the 7th sum up the bucket of that day, but no other day's, no other
    # provider's, and none of another way to pay.
    assert cost(ledger) == 21
    assert cost(ledger, "call") == 3
    assert cost(ledger, "bucket") == 22
    (left_out, *_) = notes(ledger)
    assert left_out == (
        "1 bucket of anthropic (anthropic-usage, $4.00) on 1 day left out: calls tell of them; --grain bucket"
    )


def test_a_call_that_names_no_provider_is_of_the_one_whose_price_it_has(ledger_of: LedgerOf) -> None:
    ledger = told(ledger_of(call(7, 3, provider=None), bucket(7, 4)))
    with ledger.writing() as connection:
        connection.execute("DELETE FROM prices")
        connection.execute("INSERT INTO prices (price_id, provider, model) VALUES (1, 'anthropic', 'opus')")
    assert cost(ledger) == 3


def test_of_two_reports_of_a_day_the_one_with_most_tokens_counts(ledger_of: LedgerOf) -> None:
    ledger = told(
        ledger_of(
            bucket(7, 4),
            bucket(7, 5),
            # The console's export of the same day, without what came after it was made.
            bucket(7, 8, source_id=3),
        )
    )
    for grain in ("auto", "bucket"):
        assert cost(ledger, grain) == 9
        assert notes(ledger, grain)[0] == (
            "1 bucket of anthropic (anthropic-console-tokens, $8.00) on 1 day left out: "
            "another report tells of them"
        )


def test_a_day_is_of_utc_whatever_the_zone(ledger_of: LedgerOf) -> None:
    ledger = told(ledger_of(call(7, 3, ts="2024-10-07 23:59:59"), bucket(8, 4)))
    assert cost(ledger) == 7


def test_a_ledger_of_calls_says_nothing_of_buckets(ledger_of: LedgerOf) -> None:
    ledger = told(ledger_of(call(7, 3)))
    assert notes(ledger) == ()
    assert cost(ledger, "bucket") == 0


def test_what_counts_as_buckets_is_said_with_the_answer(ledger_of: LedgerOf) -> None:
    report = summary(told(ledger_of(bucket(7, 4), bucket(8, 5))), (), period=ALWAYS)
    assert report.calls == 2
    assert report.notes == (
        "2 rows are buckets of a usage report, at the tier that it states, else the base one",
    )


def test_an_unknown_grain_is_an_error(ledger_of: LedgerOf) -> None:
    with pytest.raises(QuestionError, match="'buckets'"):
        summary(ledger_of(), (), period=ALWAYS, grain="buckets")


def test_a_day_that_two_files_group_in_two_ways_is_counted_once(ledger_of: LedgerOf) -> None:
    # By model: 9. By model and workspace: 5 and 4, to the same sum of tokens.
    ledger = told(
        ledger_of(
            bucket(7, 9, source_id=4),
            bucket(7, 5, workspace="a"),
            bucket(7, 4, workspace="b"),
            # The next day is in one of them alone.
            bucket(8, 2, source_id=4),
        )
    )
    for grain in ("auto", "bucket"):
        assert cost(ledger, grain) == 11
        assert notes(ledger, grain)[0] == (
            "1 bucket of anthropic (anthropic-usage, $9.00) on 1 day left out: another report tells of them"
        )


def test_two_groupings_of_other_sums_are_counted_and_doubted(ledger_of: LedgerOf) -> None:
    # The default workspace has no name, so that its bucket is the one of all: the file that came later, by
    # model, has taken its place. 9 are all of the day; the 5 of workspace a are among them.
    ledger = told(ledger_of(bucket(7, 9, source_id=4), bucket(7, 5, workspace="a")))
    assert cost(ledger) == 14
    assert notes(ledger)[0] == (
        "1 bucket of anthropic (anthropic-usage, $5.00) on 1 day may be told twice: another file groups them "
        "in another way; `costctl forget` the file that should not count"
    )


def test_two_files_that_group_alike_tell_of_two_things(ledger_of: LedgerOf) -> None:
    # Exports of one workspace each, and pages of which each has a part of the day.
    ledger = told(
        ledger_of(
            bucket(7, 5, workspace="a"),
            bucket(7, 4, source_id=4, workspace="b"),
            bucket(7, 2, source_id=4, ts="2024-10-07 06:00:00"),
        )
    )
    assert cost(ledger) == 11
    assert [note for note in notes(ledger) if "twice" in note or "left out" in note] == []
