"""The tables of alerts in ``state.sqlite``: what was told, what waits to be sent, what is silenced."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields, replace

from costctl.budgets.alerts import DAY, Alert, Key
from costctl.budgets.silences import COLUMNS, Silence
from costctl.filters import parse
from costctl.state import Part

ALERTS_KEPT, SENT_KEPT = 400 * DAY, 90 * DAY

PART = Part(
    "budgets",
    (
        (
            "CREATE TABLE alert_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
            # Money is text: pico-dollars of a large budget pass 2^63.
            """CREATE TABLE alert (
                budget TEXT NOT NULL, scope TEXT NOT NULL, kind TEXT NOT NULL, period TEXT NOT NULL,
                threshold TEXT NOT NULL, basis TEXT NOT NULL,
                file TEXT NOT NULL, starts INTEGER NOT NULL, ends INTEGER NOT NULL,
                limit_pico TEXT NOT NULL, amount_pico TEXT, value_pico TEXT NOT NULL,
                spent_pico TEXT NOT NULL, fired_at INTEGER NOT NULL, fired_limit_pico TEXT NOT NULL,
                state TEXT NOT NULL CHECK (state IN ('firing', 'resolved', 'closed')),
                late INTEGER NOT NULL, owed TEXT, told TEXT, notified_at INTEGER,
                repeats INTEGER NOT NULL, episode INTEGER NOT NULL, reason TEXT NOT NULL,
                silenced_by INTEGER,
                PRIMARY KEY (file, budget, scope, kind, period, threshold, basis)
            ) STRICT, WITHOUT ROWID""",
            """CREATE TABLE outbox (
                number INTEGER PRIMARY KEY,
                msg_id TEXT NOT NULL,
                channel TEXT NOT NULL,
                file TEXT NOT NULL,
                created INTEGER NOT NULL,
                queued INTEGER NOT NULL,
                body TEXT NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('pending', 'sent', 'dead')),
                attempts INTEGER NOT NULL DEFAULT 0,
                claim TEXT, claim_until INTEGER,
                ended_at INTEGER,
                error TEXT NOT NULL DEFAULT '',
                fallback_of TEXT NOT NULL DEFAULT '',
                acknowledged INTEGER NOT NULL DEFAULT 0,
                UNIQUE (file, msg_id)
            ) STRICT""",
            "CREATE INDEX outbox_waiting ON outbox (channel, created) WHERE status = 'pending'",
            """CREATE TABLE channel (
                file TEXT NOT NULL, name TEXT NOT NULL,
                failures INTEGER NOT NULL, next_at INTEGER NOT NULL,
                last_ok INTEGER, last_error TEXT NOT NULL,
                PRIMARY KEY (file, name)
            ) STRICT""",
            """CREATE TABLE silence (
                id INTEGER PRIMARY KEY, match TEXT NOT NULL, starts INTEGER NOT NULL, ends INTEGER NOT NULL,
                who TEXT NOT NULL, created INTEGER NOT NULL, reason TEXT NOT NULL,
                ended_at INTEGER, ended_by TEXT NOT NULL
            ) STRICT""",
        ),
    ),
)
"""``file`` is the budgets.yaml, by its path: several may have budgets and channels of equal names, and each
tells its own. ``outbox``: ``created`` is when there was something to say; ``queued`` when this channel was
given it, from which its patience is counted; ``ended_at`` when it was sent or given up. ``channel``: who must
not be tried again before ``next_at``. Times are seconds since 1970."""

_MONEY = frozenset({"limit", "amount", "value", "spent", "fired_limit"})
_FIELDS = tuple(field.name for field in fields(Alert) if field.name != "key")
_COLUMNS = ", ".join(
    (
        *Key._fields,
        *(
            {"start": "starts", "end": "ends"}.get(name, f"{name}_pico" if name in _MONEY else name)
            for name in _FIELDS
        ),
    )
)
_MARKS = ", ".join("?" * (len(Key._fields) + len(_FIELDS)))


def meta(connection: sqlite3.Connection) -> dict[str, str]:
    """What was remembered of evaluations: ``now``, ``ledger_id`` and ``commit`` of the last one, and for each
    budgets.yaml, under its path, the time of the commit that it was last evaluated at."""
    return dict(connection.execute("SELECT key, value FROM alert_meta").fetchall())


def remember(connection: sqlite3.Connection, values: Mapping[str, object]) -> None:
    """Change what :func:`meta` gives."""
    connection.executemany(
        "REPLACE INTO alert_meta VALUES (?, ?)", [(key, str(value)) for key, value in values.items()]
    )


def every_alert(connection: sqlite3.Connection) -> list[Alert]:
    """All alerts, of every budgets.yaml."""
    return [_alert(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM alert")]  # noqa: S608


def alerts(connection: sqlite3.Connection, file: str, since: int) -> list[Alert]:
    """The alerts of the budgets.yaml ``file`` that are not closed or still owe a word, and those of periods
    that end after ``since``."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM alert
        WHERE file = ? AND (state <> 'closed' OR owed IS NOT NULL OR ends > ?)""",  # noqa: S608
        [file, since],
    )
    return [_alert(row) for row in rows]


def keep(connection: sqlite3.Connection, changed: Iterable[Alert]) -> None:
    """Write alerts down, over what was known of them."""
    connection.executemany(
        f"REPLACE INTO alert ({_COLUMNS}) VALUES ({_MARKS})",  # noqa: S608
        [_row(alert) for alert in changed],
    )


def rewind(connection: sqlite3.Connection, now: int) -> int:
    """Forget what a clock that was wrong has left ahead of ``now``; returns how many alerts that were."""
    gone = connection.execute("DELETE FROM alert WHERE starts > ?", [now]).rowcount
    connection.execute("UPDATE alert SET notified_at = min(notified_at, ?)", [now])
    connection.execute("UPDATE alert SET fired_at = min(fired_at, ?)", [now])
    connection.execute("UPDATE outbox SET created = min(created, ?), queued = min(queued, ?)", [now, now])
    return gone


def prune(connection: sqlite3.Connection, now: int) -> None:
    """Drop alerts of long ago and messages that were sent, or given up and acknowledged, long ago."""
    connection.execute("DELETE FROM alert WHERE state = 'closed' AND ends < ?", [now - ALERTS_KEPT])
    connection.execute(
        "DELETE FROM outbox WHERE (status = 'sent' OR acknowledged) AND ended_at < ?", [now - SENT_KEPT]
    )


def silences(connection: sqlite3.Connection) -> tuple[Silence, ...]:
    """All silences, in the order in which they were made."""
    rows = connection.execute(
        "SELECT id, match, starts, ends, who, created, reason, ended_at, ended_by FROM silence ORDER BY id"
    )
    return tuple(
        Silence(number, tuple(parse(text, COLUMNS) for text in json.loads(match)), *rest)
        for number, match, *rest in rows
    )


def silence(connection: sqlite3.Connection, new: Silence) -> Silence:
    """Keep a new silence; returned with its number."""
    values = (json.dumps([str(each) for each in new.match]), *astuple(replace(new, match=()))[2:])
    cursor = connection.execute(
        """INSERT INTO silence (match, starts, ends, who, created, reason, ended_at, ended_by)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        values,
    )
    assert cursor.lastrowid is not None
    return replace(new, id=cursor.lastrowid)


def end_silences(connection: sqlite3.Connection, numbers: Iterable[int], now: int, who: str) -> None:
    """End silences before their time."""
    connection.executemany(
        "UPDATE silence SET ended_at = ?, ended_by = ? WHERE id = ?", [(now, who, each) for each in numbers]
    )


def _row(alert: Alert) -> tuple[object, ...]:
    values = (getattr(alert, name) for name in _FIELDS)
    return (
        *alert.key,
        *(
            str(value) if name in _MONEY and value is not None else value
            for name, value in zip(_FIELDS, values, strict=True)
        ),
    )


def _alert(row: tuple[object, ...]) -> Alert:
    values = dict(zip(_FIELDS, row[len(Key._fields) :], strict=True))
    for name in _MONEY:
        if values[name] is not None:
            values[name] = int(str(values[name]))
    values["late"] = bool(values["late"])
    return Alert(Key(*row[: len(Key._fields)]), **values)  # type: ignore[arg-type]
