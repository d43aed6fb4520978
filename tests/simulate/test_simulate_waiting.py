"""Which calls could have waited for a batch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.analysis.by_hand import Call, at, fill

from costctl import filters
from costctl.analysis import QuestionError
from costctl.analysis.calls import Calls
from costctl.ledger import Ledger
from costctl.periods import Period
from costctl.simulate.waiting import Burst, Hours, Rule, Waiting, length, said

TAGGED, LIKELY, MAXIMUM = 1, 2, 3


def rule(*where: str, hours: str | None = None) -> Rule:
    return Rule(tuple(map(filters.parse, where)), Hours.parse(hours) if hours else None)


@pytest.fixture
def bounds(tmp_path: Path) -> Callable[..., list[int]]:
    """The bound of each of the calls given, in their order; 0 for one that cannot wait."""

    def of(waiting: Waiting, *calls: Call, period: Period | None = None) -> list[int]:
        ledger = Ledger(tmp_path / "ledger.duckdb")
        fill(ledger, calls)
        asked = period or at()
        with ledger.reading() as engine:
            sql, parameters = waiting.sql(engine, asked, Calls(engine, asked).span)
            statement = f"WITH {sql} SELECT CAST(call_key AS VARCHAR), bound FROM waiting WHERE bound > 0"  # noqa: S608
            rows = engine.rows(statement, parameters)
        found = {int(key[-12:], 16): bound for key, bound in rows}
        return [found.get(number, 0) for number in range(1, len(calls) + 1)]

    return of


def call(time: str, session: str | None = None, **more: object) -> Call:
    """A call on 7 October 2024, or on another day where ``time`` says so."""
    return {"ts": time if "-" in time else f"2024-10-07 {time}", "session": session, **more}


def test_a_tag_says_that_a_call_may_wait(bounds: Callable[..., list[int]]) -> None:
    found = bounds(
        Waiting(),
        call("12:00:00", "s", tags={"interactive": "false"}),
        call("12:00:01", "s", tags={"batch": "true"}),
        call("12:00:02", "s", tags={"interactive": "true"}),
    )
    assert found == [TAGGED, TAGGED, 0], "what is said holds within a session too"


def test_rules_of_labels_and_hours(bounds: Callable[..., list[int]]) -> None:
    """22-06 in Taipei (UTC+8) is 14 to 22 o'clock in UTC."""
    night = Waiting(tagged=(rule("team=finance", hours="22-06"),), night=None)
    calls = [call(f"{hour}:59:59", str(hour), team="finance") for hour in (13, 14, 21, 22)]
    found = bounds(night, *calls, call("15:00:00", "x", team="search"), period=at("Asia/Taipei"))
    assert found == [MAXIMUM, TAGGED, TAGGED, MAXIMUM, MAXIMUM]


def test_never_is_stronger_than_everything(bounds: Callable[..., list[int]]) -> None:
    waiting = Waiting(never=(rule("team=support"),))
    assert bounds(waiting, call("23:00:00", "s", team="support", tags={"batch": "true"})) == [0]


def test_a_call_that_is_followed_in_its_session_cannot_wait(bounds: Callable[..., list[int]]) -> None:
    """24 hours to the microsecond are still within the wait. The last call of a loop is no job either."""
    found = bounds(
        Waiting(night=None),
        call("2024-10-07 12:00:00", "a"),
        call("2024-10-08 12:00:00", "a"),
        call("2024-10-07 12:00:00", "b"),
        call("2024-10-08 12:00:00.000001", "b"),
    )
    assert found == [0, 0, MAXIMUM, MAXIMUM]


def test_what_follows_counts_though_it_is_not_asked_for(bounds: Callable[..., list[int]]) -> None:
    """The session goes on in November, in another model."""
    october = at(month="2024-10")
    followed = [call("2024-10-31 23:59:00", "a"), call("2024-11-01 00:10:00", "a", model="haiku")]
    assert bounds(Waiting(night=None), *followed, period=october) == [0, 0]
    late = [call("2024-10-31 12:00:00", "a"), call("2024-11-01 12:00:01", "a")]
    assert bounds(Waiting(night=None), *late, period=october) == [MAXIMUM, MAXIMUM]


def test_a_burst_of_like_calls(bounds: Callable[..., list[int]]) -> None:
    """Three like calls within 60 s: those at 0, 40 and 60 s are a burst, with the one at 100 s from 40 on;
    200 s is alone, another project's is not like them."""
    waiting = Waiting(burst=Burst(3, timedelta(seconds=60)), night=None)
    times = ("00", "00:40", "01:00", "01:40", "03:20")
    calls = [
        call(f"12:{time if ':' in time else '00:' + time}", f"s{time}", project="tags") for time in times
    ]
    found = bounds(waiting, *calls, call("12:00:30", "other", project="chat"))
    assert found == [LIKELY, LIKELY, LIKELY, LIKELY, MAXIMUM, MAXIMUM]


def test_a_burst_in_one_session_is_an_agent_at_work(bounds: Callable[..., list[int]]) -> None:
    waiting = Waiting(burst=Burst(2), night=None)
    assert bounds(waiting, call("12:00:00", "s"), call("12:00:10", "s")) == [0, 0]


def test_without_a_session_a_burst_needs_a_user(bounds: Callable[..., list[int]]) -> None:
    waiting = Waiting(burst=Burst(2))
    assert bounds(waiting, call("12:00:00", user_id="u"), call("12:00:10", user_id="u")) == [LIKELY, LIKELY]
    assert bounds(waiting, call("12:00:00"), call("12:00:10")) == [MAXIMUM, MAXIMUM]
    assert bounds(waiting, call("23:00:00")) == [MAXIMUM], "someone may wait at night"


def test_at_night(bounds: Callable[..., list[int]]) -> None:
    found = bounds(
        Waiting(), *(call(time, time) for time in ("21:59:59", "22:00:00", "05:59:59", "06:00:00"))
    )
    assert found == [MAXIMUM, LIKELY, LIKELY, MAXIMUM]


def test_what_was_served_at_a_price_for_speed_and_buckets(bounds: Callable[..., list[int]]) -> None:
    fast, bucket = call("23:00:00", "a", mode="priority"), call("00:00:00", grain="bucket", requests=7)
    assert bounds(Waiting(), fast, bucket) == [0, 0]
    by_rule = Waiting(tagged=(rule("model=opus"),))
    assert bounds(by_rule, fast, bucket) == [TAGGED, TAGGED], "a rule says so"


def test_hours_and_lengths() -> None:
    assert (Hours.parse("22-06"), Hours.parse("9-24")) == (Hours(22, 6), Hours(9, 24))
    hours = [length(text) // timedelta(minutes=30) for text in ("90m", "24h", "2d")]
    assert hours == [3, 48, 96], "half hours"
    assert [said(length(text)) for text in ("90m", "24h", "2d")] == ["90m", "24h", "2d"]
    for text in ("24-6", "6-6", "6", "x"):
        with pytest.raises(QuestionError, match="no hours"):
            Hours.parse(text)
    for text in ("0h", "1w", "h", "1.5h"):
        with pytest.raises(QuestionError, match="no length of time"):
            length(text)
