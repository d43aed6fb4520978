"""Any course of spend, with outages and deaths of the program: every new height is told, in order, once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Thread

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.budgets.alert_world import FILE, LETTERS, Run, World, seconds
from tests.budgets.test_outbox import OPERATIONS, _Died, _Failing

from costctl.budgets import outbox
from costctl.budgets.channels import Sent
from costctl.budgets.message import Message
from costctl.budgets.model import ChannelSettings

STEPS = st.lists(
    st.tuples(
        st.integers(0, 130),  # spent
        st.booleans(),  # whether the channel is down
        st.integers(0, OPERATIONS + 10),  # the statement at which the program dies; it may come through
    ),
    min_size=1,
    max_size=12,
)


def heights(spent: list[int]) -> list[str]:
    """What a reader must hear, by the amount of 100: each threshold that is a new height when reached."""
    told, highest = [], 0
    for each in spent:
        reached = (each >= 80) + (each >= 95) + (each >= 100)
        if reached > highest:
            highest = reached
            told.append("wcx"[reached - 1])
    return told


@given(STEPS)
@settings(max_examples=60)
def test_every_new_height_is_told_in_order_and_only_a_death_repeats(
    steps: list[tuple[int, bool, int]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World.make(Path(directory))
        deaths = 0
        for hour, (spent, is_down, dies_at) in enumerate(steps):
            down = frozenset({"web"}) if is_down else frozenset[str]()
            run = Run(hour, spent, down=down)
            deaths += _dies(world, run, dies_at)
            world.run(Run(hour + 0.05, spent, down=down))  # cron's next: the lease is over
        world.run(Run(len(steps) + 2, steps[-1][0]))
        first_seen = dict.fromkeys(
            (message.msg_id, LETTERS[message.items[0].threshold]) for _, message in world.received
        )
        assert [letter for _, letter in first_seen] == heights([spent for spent, _, _ in steps])
        assert len(world.received) - len(first_seen) <= deaths
        with world.open() as state:
            assert outbox.undelivered(state) == 0


def _dies(world: World, run: Run, operation: int) -> bool:
    """A run that dies at an operation, if there are as many."""
    state = world.open()
    state._connection = _Failing(state._connection, operation + 1)  # type: ignore[assignment]
    try:
        world.record(state, run)
        world.deliver(state, run)
    except _Died:
        return True
    finally:
        state.close()
    return False


def test_several_that_deliver_together_send_each_message_once_and_in_order(tmp_path: Path) -> None:
    world = World.make(tmp_path, channels={"web": {}, "mail": {}})
    with world.open() as state:
        for month in range(10):  # each with its own alert
            world.record(state, Run(month * 24 * 31, 100))
    taken: list[tuple[str, str]] = []

    def send(channel: ChannelSettings, message: Message, _: float) -> Sent:
        taken.append((channel.name, message.items[0].period_start.isoformat()))
        return Sent(True, "HTTP 200")

    def deliver() -> None:
        with world.open() as state:
            outbox.deliver(state, world.channels, send, file=str(FILE), now=seconds(10 * 24 * 31))

    threads = [Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("web", "mail"):
        of_channel = [start for channel, start in taken if channel == name]
        assert len(of_channel) == 10
        assert of_channel == sorted(set(of_channel))
