"""Messages on their way: kept before they are sent, sent at least once, each channel for itself.

A message is claimed in one short transaction, sent while nothing is held, and marked in another. Who dies
between sending and marking leaves a claim that runs out; the message is then sent once more, with its id.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from costctl.budgets.alerts import Told, digest
from costctl.budgets.message import Item, Message
from costctl.budgets.model import ChannelSettings
from costctl.ledger.phases import phase
from costctl.state import State

LEASE_S = 120
"""How long a claim holds. More than :data:`DEADLINE_S`, so that no message is taken over while it is sent."""
DEADLINE_S = 20.0
"""What one attempt may take."""
TURN_S = 60.0
"""What a channel may take in a run before the next one has its turn."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 60, 3600
LONGEST_REQUEST_S = 6 * 3600
"""How long a receiver may ask us to wait."""
PATIENCE_S, PATIENT_FAILURES = 72 * 3600, 8
"""A message that is older than this, on a channel that has failed this often in a row, is given up."""


class Attempt(Protocol):
    """How an attempt ended, as :class:`costctl.budgets.channels.Sent` tells."""

    @property
    def ok(self) -> bool: ...
    @property
    def status(self) -> str: ...
    @property
    def retry_after(self) -> float | None: ...
    @property
    def final(self) -> bool: ...
    @property
    def incomplete(self) -> bool: ...


Send = Callable[[ChannelSettings, Message, float], Attempt]
"""Sends a message to a channel within seconds."""


@dataclass(slots=True)
class Delivery:
    """What a run did with the outbox."""

    sent: list[str] = field(default_factory=list)
    """Ids of messages."""
    said: list[str] = field(default_factory=list)
    """Sentences about what went wrong."""
    failed: int = 0
    """Attempts that ended in nothing."""


def message_id(channel: str, items: Iterable[Item]) -> str:
    """The id of a message: of its channel and events alone, the same at every attempt and in every state."""
    return digest(("msg1", channel, *sorted(item.event_id for item in items)))


def put(connection: sqlite3.Connection, told: Iterable[Told], file: str, now: int) -> list[str]:
    """Keep what was told, one message a channel; returns their ids. One that is known and was sent or given
    up is due again: its events are told anew because their alerts were forgotten."""
    items: dict[str, list[Item]] = {}
    for each in told:
        for channel in each.channels:
            items.setdefault(channel, []).append(each.item)
    messages = {name: Message(message_id(name, found), tuple(found)) for name, found in items.items()}
    for name, message in messages.items():
        _insert(connection, message, name, file, created=now, queued=now)
    return [message.msg_id for message in messages.values()]


def pending_events(connection: sqlite3.Connection, file: str) -> set[str]:
    """The ids of the events in messages of the budgets.yaml ``file`` that were not sent yet."""
    bodies = connection.execute("SELECT body FROM outbox WHERE status = 'pending' AND file = ?", [file])
    return {item["event_id"] for (body,) in bodies for item in json.loads(body)["items"]}


def undelivered(state: State) -> int:
    """How many messages wait, or were given up and not acknowledged."""
    ((count,),) = state.rows(
        "SELECT count(*) FROM outbox WHERE status = 'pending' OR (status = 'dead' AND NOT acknowledged)"
    )
    return int(count)


def given_up(state: State) -> list[str]:
    """A sentence for each message that was given up, until it is acknowledged."""
    rows = state.rows(
        """SELECT msg_id, channel, attempts, error FROM outbox
        WHERE status = 'dead' AND NOT acknowledged ORDER BY number"""
    )
    return [
        f"an alert was not delivered: message {msg_id} to channel {channel} was given up after "
        f"{attempts} attempts ({error}); `costctl budgets history` shows it, --acknowledge ends this warning"
        for msg_id, channel, attempts, error in rows
    ]


def acknowledge(connection: sqlite3.Connection) -> int:
    """Say no more of the messages that were given up; returns how many they were."""
    return connection.execute(
        "UPDATE outbox SET acknowledged = 1 WHERE status = 'dead' AND NOT acknowledged"
    ).rowcount


def deliver(
    state: State,
    channels: Mapping[str, ChannelSettings],
    send: Send,
    *,
    file: str,
    now: int,
    clock: Callable[[], float] = time.monotonic,
) -> Delivery:
    """Send what waits for ``channels``, those of the budgets.yaml ``file``, as at ``now`` (seconds). Every
    channel has its turn: its oldest message first, up to its first failure.

    ``clock`` measures how long this takes: claims reach beyond it.
    """
    began = clock()
    delivery = Delivery()
    _bury(state, channels, file, now, delivery)
    for name in _waiting(state, file):
        turn = clock()
        while clock() - turn < TURN_S:
            moment = now + int(clock() - began)
            claimed = _claim(state, name, file, moment)
            if claimed is None:
                break
            phase("claimed")
            try:
                ended: Attempt | None = send(channels[name], claimed.message, DEADLINE_S)
                error = ""
            except Exception as fault:  # one channel's fault is not another's; its text may hold a secret
                ended, error = None, f"not sent: {type(fault).__name__}"
            phase("sent")
            if ended is not None and ended.ok:
                _mark_sent(state, claimed, now, delivery)
                if ended.incomplete:
                    delivery.said.append(f"channel {name}: {ended.status}")
            else:
                delivery.failed += 1
                _mark_failed(state, claimed, ended, error, channels[name], now, delivery)
                break
    return delivery


@dataclass(frozen=True, slots=True)
class _Claimed:
    message: Message
    file: str
    channel: str
    token: str


def _waiting(state: State, file: str) -> list[str]:
    """The channels that something waits for, by the age of what waits."""
    rows = state.rows(
        """SELECT channel FROM outbox WHERE status = 'pending' AND file = ?
        GROUP BY channel ORDER BY min(created), channel""",
        [file],
    )
    return [name for (name,) in rows]


def _claim(state: State, channel: str, file: str, now: int) -> _Claimed | None:
    """Take the oldest message of a channel; None where it has none, must not be tried yet, or is another
    run's turn. A claim or a pause that reaches further than they ever do was made by a wrong clock."""
    with state.transaction() as connection:
        paused = connection.execute(
            "SELECT 1 FROM channel WHERE file = ? AND name = ? AND next_at > ? AND next_at <= ?",
            [file, channel, now, now + LONGEST_REQUEST_S],
        ).fetchone()
        busy = connection.execute(
            """SELECT 1 FROM outbox
            WHERE status = 'pending' AND file = ? AND channel = ? AND claim_until > ? AND claim_until <= ?""",
            [file, channel, now, now + LEASE_S],
        ).fetchone()
        if paused or busy:
            return None
        row = connection.execute(
            """SELECT number, body, created FROM outbox
            WHERE status = 'pending' AND channel = ? AND file = ? ORDER BY created, number LIMIT 1""",
            [channel, file],
        ).fetchone()
        if row is None:
            return None
        number, body, created = row
        token = secrets.token_hex(8)
        connection.execute(
            "UPDATE outbox SET claim = ?, claim_until = ? WHERE number = ?", [token, now + LEASE_S, number]
        )
    return _Claimed(Message.from_json(json.loads(body), max(0, now - created)), file, channel, token)


def _mark_sent(state: State, claimed: _Claimed, now: int, delivery: Delivery) -> None:
    with state.transaction() as connection:
        marked = connection.execute(
            """UPDATE outbox SET status = 'sent', attempts = attempts + 1, ended_at = ?, error = '',
                claim = NULL, claim_until = NULL
            WHERE msg_id = ? AND claim = ?""",
            [now, claimed.message.msg_id, claimed.token],
        ).rowcount
        if marked:
            connection.execute(
                "REPLACE INTO channel VALUES (?, ?, 0, 0, ?, '')", [claimed.file, claimed.channel, now]
            )
    phase("marked")
    delivery.sent.append(claimed.message.msg_id)


def _mark_failed(
    state: State,
    claimed: _Claimed,
    ended: Attempt | None,
    error: str,
    settings: ChannelSettings,
    now: int,
    delivery: Delivery,
) -> None:
    status = ended.status if ended else error
    with state.transaction() as connection:
        marked = connection.execute(
            """UPDATE outbox SET attempts = attempts + 1, error = ?, claim = NULL, claim_until = NULL
            WHERE msg_id = ? AND claim = ?""",
            [status, claimed.message.msg_id, claimed.token],
        ).rowcount
        if not marked:  # another run has taken it over, and knows better
            return
        row = connection.execute(
            "SELECT failures, last_ok FROM channel WHERE file = ? AND name = ?",
            [claimed.file, claimed.channel],
        )
        before, last_ok = row.fetchone() or (0, None)
        failures = before + 1
        pause = pause_s(claimed.channel, failures)
        if ended and ended.final:
            pause = LONGEST_PAUSE_S
        if ended and ended.retry_after is not None:
            pause = min(max(pause, int(ended.retry_after)), LONGEST_REQUEST_S)
        connection.execute(
            "REPLACE INTO channel VALUES (?, ?, ?, ?, ?, ?)",
            [claimed.file, claimed.channel, failures, now + pause, last_ok, status],
        )
        if failures >= PATIENT_FAILURES:
            _give_up(connection, claimed, settings, now)
    delivery.said.append(
        f"channel {claimed.channel}: {status}; attempt {failures} in a row, the next after {pause} s"
    )


def pause_s(channel: str, failures: int) -> int:
    """Seconds until a channel that has failed so often in a row is tried again: doubled each time, up to an
    hour, less up to a tenth that differs between channels. Never more than the hour, so that an hourly run
    does not come too early every other time."""
    longest = min(FIRST_PAUSE_S << min(failures - 1, 16), LONGEST_PAUSE_S)
    spread = hashlib.sha256(f"{channel}\x1f{failures}".encode("utf-8", "surrogatepass")).digest()[0]
    return longest - longest * spread // 2560


def _give_up(connection: sqlite3.Connection, claimed: _Claimed, settings: ChannelSettings, now: int) -> None:
    """Give up what has waited too long, and give it once to the channel's fallback, where it has one."""
    old = connection.execute(
        """SELECT number, body, created, fallback_of FROM outbox
        WHERE status = 'pending' AND file = ? AND channel = ? AND queued <= ? ORDER BY created, number""",
        [claimed.file, claimed.channel, now - PATIENCE_S],
    ).fetchall()
    fallback = settings.settings.get("fallback")
    for number, body, created, fallback_of in old:
        connection.execute(
            """UPDATE outbox SET status = 'dead', ended_at = ?, claim = NULL, claim_until = NULL
            WHERE number = ?""",
            [now, number],
        )
        if isinstance(fallback, str) and not fallback_of:
            message = Message.from_json(json.loads(body))
            renamed = Message(message_id(fallback, message.items), message.items)
            _insert(connection, renamed, fallback, claimed.file, created, now, fallback_of=message.msg_id)


def _bury(
    state: State, channels: Mapping[str, ChannelSettings], file: str, now: int, delivery: Delivery
) -> None:
    """Give up at once what waits for a channel that the file no longer has, and after its time what waits in
    another file's name: only that file says where its channels lead."""
    waiting = state.rows("SELECT number, channel, file, queued FROM outbox WHERE status = 'pending'")
    lost = [
        (number, name)
        for number, name, origin, queued in waiting
        if (name not in channels if origin == file else queued <= now - PATIENCE_S)
    ]
    if not lost:
        return
    with state.transaction() as connection:
        connection.executemany(
            """UPDATE outbox SET status = 'dead', ended_at = ?, claim = NULL, claim_until = NULL,
                error = CASE WHEN error = '' THEN 'no such channel' ELSE error END
            WHERE number = ? AND status = 'pending'""",
            [(now, number) for number, _ in lost],
        )
    names = ", ".join(sorted({name for _, name in lost}))
    delivery.said.append(f"{len(lost)} messages were given up: there is no channel {names} any more")


def _insert(
    connection: sqlite3.Connection,
    message: Message,
    channel: str,
    file: str,
    created: int,
    queued: int,
    fallback_of: str = "",
) -> None:
    connection.execute(
        """INSERT INTO outbox (msg_id, channel, file, created, queued, body, status, fallback_of)
        VALUES (?, ?, ?, ?, ?, ?, 'pending', ?)
        ON CONFLICT (file, msg_id) DO UPDATE SET
            status = 'pending', created = excluded.created, queued = excluded.queued,
            body = excluded.body, attempts = 0, ended_at = NULL, error = '', acknowledged = 0
        WHERE outbox.status <> 'pending'""",
        [
            message.msg_id,
            channel,
            file,
            created,
            queued,
            json.dumps(message.to_json(), ensure_ascii=False),
            fallback_of,
        ],
    )
