"""What can wait, and which caches cool, against a second count that goes through drawn calls one by one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.by_hand import ALWAYS, Call, fill

from costctl import filters
from costctl.analysis.calls import Calls
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.simulate.batch import Batch
from costctl.simulate.state import States
from costctl.simulate.waiting import Burst, Hours, Rule, Waiting

pytestmark = pytest.mark.heavy

SONNET = "claude-sonnet-4-20250514"
START = datetime(2024, 10, 7, 21, 30)
MINUTE = timedelta(minutes=1)

WAITING = Waiting(
    tagged=(Rule((filters.parse("tag:batch=true"),)),),
    never=(Rule((filters.parse("team=support"),)),),
    wait=10 * MINUTE,
    burst=Burst(3, 2 * MINUTE),
    night=Hours(22, 6),
)

CALLS = st.lists(
    st.fixed_dictionaries(
        {
            # Many near each other, so that there are bursts, and some around 22 o'clock.
            "ts": (st.integers(0, 8) | st.integers(0, 90)).map(lambda minutes: START + minutes * MINUTE),
            "session": st.sampled_from([None, None, *"abcdefghijkl"]),
            "user_id": st.sampled_from(["ada", "ada", "ada", None]),
            "project": st.sampled_from(["x"] * 5 + ["y"]),
            "team": st.sampled_from([None] * 7 + ["support"]),
            "tags": st.sampled_from([{}] * 7 + [{"batch": "true"}]),
            "mode": st.sampled_from(["standard"] * 9 + ["batch"]),
            "cache_read_tokens": st.sampled_from([0, 100]),
        }
    ),
    min_size=12,
    max_size=40,
)


def is_alone(call: Call, calls: list[Call]) -> bool:
    """No other of its session is within the wait."""
    return call["session"] is None or not any(
        other is not call
        and other["session"] == call["session"]
        and abs(other["ts"] - call["ts"]) <= WAITING.wait
        for other in calls
    )


def kind(call: Call) -> tuple[Any, ...]:
    return tuple(str(call[name]) for name in ("user_id", "project", "team", "tags", "mode"))


def bound_of(call: Call, calls: list[Call]) -> int:
    if call["team"] == "support":
        return 0
    if call["tags"]:
        return 1
    if call["mode"] != "standard" or not is_alone(call, calls):
        return 0
    if call["session"] is not None and (call["ts"].hour >= 22 or call["ts"].hour < 6):
        return 2
    if call["session"] is not None or call["user_id"] is not None:
        like = [
            other["ts"]
            for other in calls
            if kind(other) == kind(call)
            and is_alone(other, calls)
            and (other["session"] is not None or other["user_id"] is not None)
        ]
        for begin in like:
            end = begin + WAITING.burst.within
            if (
                begin <= call["ts"] <= end
                and sum(begin <= time <= end for time in like) >= WAITING.burst.calls
            ):
                return 2
    return 3


@settings(max_examples=60)
@given(calls=CALLS)
def test_bounds(tmp_path_factory: pytest.TempPathFactory, calls: list[Call]) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("drawn") / "l.duckdb")
    fill(ledger, calls)
    with ledger.reading() as engine:
        sql, parameters = WAITING.sql(engine, ALWAYS, Calls(engine, ALWAYS).span)
        statement = f"WITH {sql} SELECT bound FROM waiting ORDER BY call_key"  # noqa: S608
        found = [bound for (bound,) in engine.rows(statement, parameters)]
    assert found == [bound_of(call, calls) for call in calls]


def cools(number: int, goes: list[bool], calls: list[Call]) -> bool:
    """The call before it that used its cache was at most 5 minutes earlier, and no call that stays was."""
    call, warm = calls[number], timedelta(minutes=5)
    same = [
        (other["ts"], place)
        for place, other in enumerate(calls)
        if (other["project"], other["team"]) == (call["project"], call["team"])
        and (other["ts"], place) < (call["ts"], number)
    ]
    soon = [place for time, place in same if call["ts"] - time <= warm]
    return bool(soon) and all(goes[place] for place in soon)


@settings(max_examples=60)
@given(calls=CALLS)
def test_caches_that_cool(
    tmp_path_factory: pytest.TempPathFactory, book: PriceBook, calls: list[Call]
) -> None:
    """Of the models' prices nothing is asked here, only which calls are changed, and how."""
    ledger = Ledger(tmp_path_factory.mktemp("drawn") / "l.duckdb")
    fill(ledger, [{**call, "model": SONNET, "cost_pico": 1} for call in calls])
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [Batch(WAITING, "likely")])
        select = "SELECT mode, cache_write_5m_tokens FROM state ORDER BY call_key"
        found = states.rows(select)
    goes = [call["mode"] == "standard" and bound_of(call, calls) in (1, 2) for call in calls]
    for number, (call, (mode, written)) in enumerate(zip(calls, found, strict=True)):
        assert (mode == "batch") == (goes[number] or call["mode"] == "batch")
        cooled = not goes[number] and call["cache_read_tokens"] > 0 and cools(number, goes, calls)
        assert written == (100 if cooled else 0)
