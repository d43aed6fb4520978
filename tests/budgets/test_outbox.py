"""Kept before it is sent, sent at least once, never while something is held; each channel for itself."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.budgets.alert_world import FILE, Run, World, seconds

from costctl.budgets import memory, outbox, record
from costctl.budgets.channels import Sent
from costctl.budgets.message import Message
from costctl.budgets.model import ChannelSettings
from costctl.state import State

OK = Sent(True, "HTTP 200")
WEB = {"web": ChannelSettings("web", "webhook")}
MINUTE = 60
OPERATIONS = 30
"""More than the statements of one run that tells one alert."""


def deliver(state: State, hour: float, send: Any = lambda *_: OK, **values: Any) -> outbox.Delivery:
    options: dict[str, Any] = {"file": str(FILE), "clock": lambda: 0.0, **values}
    return outbox.deliver(state, options.pop("channels", WEB), send, now=seconds(hour), **options)


def answers(answer: Sent) -> Any:
    return lambda *_: answer


def one(state: State, columns: str) -> tuple[Any, ...]:
    """``columns`` of the only message."""
    (row,) = state.rows(f"SELECT {columns} FROM outbox")  # noqa: S608
    return row


# --- the three transactions -------------------------------------------------------------------------------


def test_what_is_kept_waits_with_its_facts_and_no_address(tmp_path: Path) -> None:
    world = World.make(tmp_path, channels={"web": {"url": "https://example.com/TOKEN"}})
    with world.open() as state:
        world.record(state, Run(0, 100))
        body, status, created = one(state, "body, status, created")
    assert (status, created) == ("pending", seconds(0))
    assert "TOKEN" not in body
    (item,) = json.loads(body)["items"]
    assert (item["event"], item["threshold"]) == ("fire", "exceeded")
    assert (item["spent_pico"], item["limit_pico"]) == (100 * 10**12, 100 * 10**12)


def test_nothing_is_held_while_a_message_is_sent(tmp_path: Path) -> None:
    check_nothing_is_held(tmp_path)


def check_nothing_is_held(directory: Path) -> None:
    world = World.make(directory)
    held: list[str] = []

    def send(*_: object) -> Sent:
        try:
            with State(world.path, memory.PART, wait=0) as other, other.transaction():
                pass
        except Exception as error:
            held.append(str(error))
        return OK

    with world.open() as state:
        world.record(state, Run(0, 100))
        deliver(state, 0, send)
    assert held == []


def test_who_lost_its_claim_marks_nothing(tmp_path: Path) -> None:
    check_lost_claim(tmp_path)


def check_lost_claim(directory: Path) -> None:
    """A sender takes so long that its claim runs out; another run sends the message; then the first hears
    that it has failed."""
    world = World.make(directory)

    def slow(*_: object) -> Sent:
        with world.open() as other:
            assert len(deliver(other, 121 / 3600).sent) == 1, "the lease of 120 s is over"
        return Sent(False, "no answer in time")

    with world.open() as state:
        world.record(state, Run(0, 100))
        deliver(state, 0, slow)
        assert one(state, "status, attempts, error") == ("sent", 1, "")
        assert state.rows("SELECT failures FROM channel") == [(0,)]


def test_a_living_claim_is_another_runs_turn(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.open() as state:
        world.record(state, Run(0, 100))
        _killed_while_sending(state, 0)
        assert deliver(state, 119 / 3600).sent == []
        assert len(deliver(state, 121 / 3600).sent) == 1


def _killed_while_sending(state: State, hour: float) -> None:
    def killed(*_: object) -> Sent:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(state, hour, killed)


def test_the_claim_reaches_beyond_the_time_that_the_run_has_taken(tmp_path: Path) -> None:
    """200 s into a run, a claim made then must hold for 120 s from then, not from the run's start."""
    world = World.make(tmp_path, channels={"slow": {}, "web": {}})
    seconds_passed = iter([0, 0, 0, 0, 200, 200, 200, 200, 200, 200])
    claims: list[int] = []

    def send(channel: ChannelSettings, *_: object) -> Sent:
        claims.append(state.rows("SELECT claim_until FROM outbox WHERE channel = ?", [channel.name])[0][0])
        return OK

    with world.open() as state:
        world.record(state, Run(0, 100))
        deliver(state, 0, send, channels=world.channels, clock=lambda: float(next(seconds_passed)))
    assert claims == [seconds(0) + 120, seconds(0) + 200 + 120]


def test_a_claim_of_a_wrong_clock_does_not_hold(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.open() as state:
        world.record(state, Run(10, 100))
        _killed_while_sending(state, 10)
        assert len(deliver(state, 9).sent) == 1, "until 10:02 is more than a lease from 9:00"


@pytest.mark.parametrize("operation", range(1, OPERATIONS + 1))
def test_a_crash_at_any_operation_loses_nothing_and_changes_no_id(operation: int, tmp_path: Path) -> None:
    check_crash(operation, tmp_path)


def check_crash(operation: int, directory: Path) -> None:
    """The n-th operation on the state fails as if the process had died there. The next run, after the lease,
    makes up for it: the message arrives, at most once more, and always with one id."""
    world = World.make(directory)
    state = world.open()
    state._connection = _Failing(state._connection, operation)  # type: ignore[assignment]
    try:
        world.record(state, Run(0, 100))
        world.deliver(state, Run(0, 100))
    except _Died:
        assert operation < OPERATIONS, "the last one is more than there are"
    finally:
        state.close()
    world.run(Run(1, 100))
    world.run(Run(2, 100))
    assert [world.words(*each) for each in world.received] in (["fire x"], ["fire x", "fire x"])
    assert len({message.msg_id for _, message in world.received}) == 1
    with world.open() as state:
        assert one(state, "status") == ("sent",)


class _Died(Exception):  # noqa: N818
    pass


class _Failing:
    """A connection that dies at its n-th statement, and does nothing any more."""

    def __init__(self, connection: sqlite3.Connection, left: int) -> None:
        self._connection = connection
        self._left = left

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            raise _Died

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.executemany(*arguments)

    def close(self) -> None:
        self._connection.close()


# --- pauses -----------------------------------------------------------------------------------------------


def test_six_hours_of_outage_take_twelve_attempts_at_most_and_lose_nothing(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    told = []
    for tick in range(7 * 12 + 1):  # every 5 minutes
        spent = 85 if tick < 24 else 101
        hour = tick / 12
        down = frozenset({"web"}) if hour < 6 else frozenset[str]()
        if words := world.run(Run(hour, spent, down=down)):
            told.append((hour, words))
    ((hour, words),) = told
    assert 6 <= hour < 7
    assert words == "fire w; fire x"
    assert world.attempts - 2 <= 12
    assert {message.delayed_s // 3600 for _, message in world.received} == {6, 4}


def test_pauses_double_up_to_an_hour_and_differ_between_channels() -> None:
    for failures, longest in [
        (1, 60),
        (2, 120),
        (3, 240),
        (4, 480),
        (5, 960),
        (6, 1920),
        (7, 3600),
        (99, 3600),
    ]:
        pause = outbox.pause_s("web", failures)
        assert longest * 0.9 <= pause <= longest
        assert pause == outbox.pause_s("web", failures), "not by chance"
    assert len({outbox.pause_s(f"channel {number}", 7) for number in range(20)}) > 5


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (Sent(False, "HTTP 503"), MINUTE),
        (Sent(False, "HTTP 429", retry_after=1800), 30 * MINUTE),
        (Sent(False, "HTTP 429", retry_after=1), MINUTE),
        (Sent(False, "HTTP 503", retry_after=999_999), 6 * 60 * MINUTE),
        (Sent(False, "HTTP 404", final=True), 60 * MINUTE),
    ],
)
def test_when_a_channel_is_tried_again(answer: Sent, waits: int, tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.open() as state:
        world.record(state, Run(0, 100))
        deliver(state, 0, answers(answer))
        tried: list[int] = []

        def send(*_: object) -> Sent:
            tried.append(1)
            return OK

        deliver(state, (waits * 0.89) / 3600, send)
        assert not tried
        deliver(state, waits / 3600, send)
        assert tried


def test_a_success_makes_all_that_waits_due(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.open() as state:
        for hour, spent in enumerate((80, 95, 100)):
            world.record(state, Run(hour, spent))
        deliver(state, 2, answers(Sent(False, "HTTP 503")))
        assert len(deliver(state, 2 + 1 / 60).sent) == 3
        assert state.rows("SELECT failures, next_at FROM channel") == [(0, 0)]


def test_receivers_that_did_not_take_it_are_told_of_and_it_is_not_sent_again(tmp_path: Path) -> None:
    partly = Sent(True, "SMTP 250, but 1 of the receivers refused with 550", incomplete=True)
    world = World.make(tmp_path)
    with world.open() as state:
        world.record(state, Run(0, 100))
        first = deliver(state, 0, answers(partly))
        assert first.said == ["channel web: SMTP 250, but 1 of the receivers refused with 550"]
        assert one(state, "status") == ("sent",)
        assert deliver(state, 1, answers(partly)).sent == []


def test_the_oldest_fails_first_and_ends_the_turn(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    tried: list[str] = []

    def send(_: ChannelSettings, message: Message, __: float) -> Sent:
        tried.append(message.items[0].threshold)
        return Sent(False, "HTTP 500")

    with world.open() as state:
        for hour, spent in enumerate((80, 95, 100)):
            world.record(state, Run(hour, spent))
        deliver(state, 3, send)
    assert tried == ["warning"]


def test_a_pause_of_a_wrong_clock_is_over(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.open() as state:
        world.record(state, Run(20, 100))
        deliver(state, 20, answers(Sent(False, "HTTP 503")))
        assert len(deliver(state, 10).sent) == 1, "20:01 is more than six hours after 10:00"


def test_a_channel_that_breaks_is_told_by_its_class_alone(tmp_path: Path) -> None:
    def broken(channel: ChannelSettings, *_: object) -> Sent:
        if channel.name == "web":
            raise ValueError("https://example.com/TOKEN")
        return OK

    world = World.make(tmp_path, channels={"web": {}, "mail": {}})
    with world.open() as state:
        world.record(state, Run(0, 100))
        done = deliver(state, 0, broken, channels=world.channels)
        assert len(done.sent) == 1
        assert done.failed == 1
        assert done.said[0].startswith("channel web: not sent: ValueError; attempt 1 in a row")
        assert "TOKEN" not in str(done) + str(state.rows("SELECT * FROM outbox"))


# --- giving up --------------------------------------------------------------------------------------------


def test_what_was_given_up_is_said_until_it_is_acknowledged(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    for hour in range(75):
        world.run(Run(hour, 100, down=frozenset({"web"})))
    with world.open() as state:
        (sentence,) = outbox.given_up(state)
        assert "to channel web was given up after 73 attempts (HTTP 503)" in sentence
        assert outbox.undelivered(state) == 1
        with state.transaction() as connection:
            assert outbox.acknowledge(connection) == 1
        assert outbox.given_up(state) == []
        assert outbox.undelivered(state) == 0


def test_age_alone_gives_nothing_up(tmp_path: Path) -> None:
    """Cron was off for four days: the channel has not been tried often enough to be called dead."""
    world = World.make(tmp_path)
    world.run(Run(0, 100, down=frozenset({"web"})))
    world.run(Run(96, 100, down=frozenset({"web"})))
    assert world.run(Run(97, 100)) == "fire x"


def test_a_fallback_that_fails_too_falls_back_no_further(tmp_path: Path) -> None:
    world = World.make(
        tmp_path, channels={"web": {"fallback": "spare"}, "spare": {"fallback": "web"}}, told=("web",)
    )
    for hour in range(200):
        world.run(Run(hour, 100, down=frozenset({"web", "spare"})))
    with world.open() as state:
        assert state.rows("SELECT channel, status FROM outbox ORDER BY number") == [
            ("web", "dead"),
            ("spare", "dead"),
        ]


def test_a_channel_that_left_the_file_is_given_up_at_once_and_loudly(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    with world.open() as state:
        world.record(state, Run(0, 100))
        done = deliver(state, 0, channels={})
        assert done.said == ["1 messages were given up: there is no channel web any more"]
        assert one(state, "status, error") == ("dead", "no such channel")


def test_only_the_file_that_an_alert_came_from_sends_it(tmp_path: Path) -> None:
    """Two budgets.yaml of one ledger, each with its own channel "web"."""
    world = World.make(tmp_path)
    with world.open() as state:
        world.record(state, Run(0, 100))
        assert deliver(state, 0, file="/etc/costctl/other.yaml") == outbox.Delivery()
        assert len(deliver(state, 0).sent) == 1


def test_two_files_with_a_budget_and_a_channel_of_equal_names_both_tell(tmp_path: Path) -> None:
    """What one file has told, and that its channel is down, is nothing to the other."""
    world = World.make(tmp_path)
    other = "/etc/costctl/other.yaml"
    assert world.run(Run(0, 100, down=frozenset({"web"}))) == ""
    look, budgets = world.look(Run(0, 100))
    with world.open() as state:
        done = record.record(
            state, look, replace(budgets, path=Path(other)), zone=ZoneInfo("UTC"), now=seconds(0)
        )
        assert [each.item.threshold for each in done.told] == ["exceeded"]
        assert deliver(state, 0, file=other).sent == list(done.messages)
        assert state.rows("SELECT file, status FROM outbox ORDER BY number") == [
            (str(FILE), "pending"),
            (other, "sent"),
        ]
    assert world.run(Run(1, 100)) == "fire x"


def test_another_files_budgets_are_left_alone(tmp_path: Path) -> None:
    world = World.make(tmp_path, send_resolved=True)
    assert world.run(Run(0, 100)) == "fire x"
    look, budgets = world.look(Run(1, 0))
    others = replace(budgets, path=Path("/etc/costctl/other.yaml"), budgets=())
    with world.open() as state:
        record.record(state, replace(look, spent=()), others, zone=ZoneInfo("UTC"), now=seconds(1))
        assert state.rows("SELECT threshold, state FROM alert WHERE told IS NOT NULL") == [
            ("exceeded", "firing")
        ]
    assert world.run(Run(2, 10)) == "resolve x"


# --- ids --------------------------------------------------------------------------------------------------


def test_ids_are_hashes_of_facts(tmp_path: Path) -> None:
    """SHA-256 of the facts with U+001F between them, its first 32 digits: stated here once more."""
    import hashlib

    world = World.make(tmp_path)
    world.run(Run(0, 100))
    ((channel, message),) = world.received
    facts = (
        "alert1\x1f5f0c8f2e-0000-4000-8000-000000000001\x1fb\x1f\x1fmonth\x1f2024-09-01\x1fexceeded\x1factual"
        "\x1ffire\x1f100000000000000\x1f0\x1f0"
    )
    event = hashlib.sha256(facts.encode()).hexdigest()[:32]
    assert message.items[0].event_id == event
    assert message.msg_id == hashlib.sha256(f"msg1\x1fweb\x1f{event}".encode()).hexdigest()[:32]
    assert channel == "web"
