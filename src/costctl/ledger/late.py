"""Calls that came in late: a commit with calls of more than three days ago says so, for some weeks."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from costctl.ledger.engine import Engine

KEY = "late"
"""Of ``meta``: a JSON list of [when the commit was, when its first call began], in microseconds (UTC)."""

LATE_US = 3 * 86_400 * 1_000_000
_KEPT_US = 40 * 86_400 * 1_000_000
_MOST = 500


def note(connection: DuckDBPyConnection, first_us: int) -> None:
    """Keep that the open transaction brings calls from ``first_us`` on, if those are late."""
    ((now,),) = connection.execute("SELECT epoch_us(now())").fetchall()
    if first_us > now - LATE_US:
        return
    found = connection.execute("SELECT value FROM meta WHERE key = $key", {"key": KEY}).fetchall()
    kept = [each for each in (json.loads(found[0][0]) if found else []) if each[0] > now - _KEPT_US]
    kept.append([now, first_us])
    if len(kept) > _MOST:  # the oldest ones as one: rather too much is looked at again than too little
        old, kept = kept[:-_MOST], kept[-_MOST:]
        kept[0][1] = min(each[1] for each in (*old, kept[0]))
    connection.execute("DELETE FROM meta WHERE key = $key", {"key": KEY})
    connection.execute(
        "INSERT INTO meta VALUES ($key, CAST($value AS VARCHAR))", {"key": KEY, "value": json.dumps(kept)}
    )


def since(engine: Engine, known: datetime) -> int | None:
    """When the first of the calls began that came in late after the commit at ``known`` (aware), in
    microseconds (UTC); None where there were none."""
    from costctl.periods.zones import microseconds

    found = engine.rows("SELECT value FROM meta WHERE key = ?", [KEY])
    commits = json.loads(found[0][0]) if found else []
    return min((first for when, first in commits if when > microseconds(known)), default=None)
