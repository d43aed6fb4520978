"""What was told to whom, what was not and why; and silences: made, listed, ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from costctl.budgets import memory
from costctl.budgets.alerts import Alert
from costctl.budgets.message import Message
from costctl.budgets.silences import Silence
from costctl.filters import Filter
from costctl.report import Cell, Column, Report
from costctl.state import State

COLUMNS = (
    Column("time", "time"),
    Column("event", "text"),
    Column("budget", "text"),
    Column("scope", "text"),
    Column("period", "text"),
    Column("start", "time"),
    Column("threshold", "text"),
    Column("basis", "text", wide=True),
    Column("spent", "money"),
    Column("limit", "money"),
    Column("late", "text", wide=True),
    Column("channel", "text"),
    Column("delivery", "text"),
    Column("delivered_at", "time", wide=True),
    Column("attempts", "count"),
    Column("error", "text", wide=True),
    Column("event_id", "text", wide=True),
    Column("msg_id", "text", wide=True),
)

SILENCE_COLUMNS = (
    Column("id", "count"),
    Column("match", "text"),
    Column("starts", "time"),
    Column("ends", "time"),
    Column("state", "text"),
    Column("who", "text"),
    Column("created", "time", wide=True),
    Column("reason", "text"),
    Column("ended_at", "time", wide=True),
    Column("ended_by", "text", wide=True),
)


def history(state: State, zone: ZoneInfo, budget: str | None = None) -> Report:
    """Every alert that was told, for each channel, and those that nobody heard of; the newest first. Only
    those of ``budget`` where one is named. Times are shown in ``zone``.

    ``delivery`` is pending, sent or dead; of alerts that nobody heard of it says why: silenced, covered by a
    higher threshold, or that the budget has no channel.
    """
    rows: list[tuple[tuple[int, int], tuple[Cell, ...]]] = []
    with state.transaction() as connection:
        outbox = connection.execute(
            """SELECT number, msg_id, channel, created, body, status, attempts, ended_at, error FROM outbox
            ORDER BY number"""
        ).fetchall()
        unheard = [each for each in memory.every_alert(connection) if each.told is None]
    for number, msg_id, channel, created, body, status, attempts, ended_at, error in outbox:
        sent_at = _time(ended_at, zone) if status == "sent" else None
        for item in message(body).items:
            cells: tuple[Cell, ...] = (
                _time(created, zone),
                item.event,
                item.budget,
                item.scope,
                item.kind,
                item.period_start.isoformat(),
                item.threshold,
                item.basis,
                item.spent_pico,
                item.threshold_pico,
                _yes(item.late),
                channel,
                status,
                sent_at,
                attempts,
                error or None,
                item.event_id,
                msg_id,
            )
            rows.append(((created, number), cells))
    rows += [((alert.fired_at, 0), _unheard(alert, zone)) for alert in unheard]
    rows.sort(key=lambda each: each[0], reverse=True)
    shown = [cells for _, cells in rows if budget in (None, cells[2])]
    return Report("budgets history", "Alerts", COLUMNS, shown)


def message(body: str) -> Message:
    """The message that the outbox keeps as this text."""
    return Message.from_json(json.loads(body))


def silence(state: State, budget: str, until: datetime, *, now: datetime, who: str, reason: str) -> None:
    """Silence a budget from ``now`` until then."""
    moment = int(now.timestamp())
    new = Silence(
        id=0,
        match=(Filter("budget", "=", ((budget,),)),),
        starts=moment,
        ends=int(until.timestamp()),
        who=who,
        created=moment,
        reason=reason,
    )
    with state.transaction() as connection:
        memory.silence(connection, new)


def end_silences(state: State, budget: str, *, now: datetime, who: str) -> int:
    """End those that hold for a budget; returns how many they were."""
    moment = int(now.timestamp())
    with state.transaction() as connection:
        found = [
            each.id
            for each in memory.silences(connection)
            if each.holds(moment) and each.match == (Filter("budget", "=", ((budget,),)),)
        ]
        memory.end_silences(connection, found, moment, who)
    return len(found)


def silences(state: State, now: datetime, zone: ZoneInfo) -> Report:
    """Every silence there was, and whether it holds ``now``; times are shown in ``zone``."""
    moment = int(now.timestamp())
    with state.transaction() as connection:
        found = memory.silences(connection)
    rows: list[tuple[Cell, ...]] = [
        (
            each.id,
            " ".join(map(str, each.match)),
            _time(each.starts, zone),
            _time(each.ends, zone),
            "holds" if each.holds(moment) else "ended" if each.ended_at is not None else "over",
            each.who,
            _time(each.created, zone),
            each.reason,
            None if each.ended_at is None else _time(each.ended_at, zone),
            each.ended_by or None,
        )
        for each in found
    ]
    return Report("budgets silence", "Silences", SILENCE_COLUMNS, rows)


def _unheard(alert: Alert, zone: ZoneInfo) -> tuple[Cell, ...]:
    why = "silenced" if alert.silenced_by is not None else "no channel" if alert.owed else "covered"
    return (
        _time(alert.fired_at, zone),
        "fire",
        alert.key.budget,
        alert.key.scope,
        alert.key.kind,
        _time(alert.start, zone),
        alert.key.threshold,
        alert.key.basis,
        alert.spent,
        alert.limit,
        _yes(alert.late),
        None,
        why,
        None,
        0,
        None,
        None,
        None,
    )


def _time(seconds: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat()


def _yes(value: bool) -> str:
    return "yes" if value else "no"
