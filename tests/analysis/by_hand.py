"""Rows of calls stated by hand, and the periods to ask about them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from costctl.ledger import Ledger
from costctl.periods import Period, period, zone

USD = 10**12
"""Pico-dollars."""

Call = Mapping[str, Any]

CALL: dict[str, Any] = {
    "ts": "2024-10-07 12:00:00",
    "grain": "call",
    "requests": 1,
    "provider": "anthropic",
    "model": "opus",
    "mode": "standard",
    "billing": "metered",
    "replay": False,
    "input_tokens": 0,
    "cache_read_tokens": 0,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": 0,
    "cost_pico": 0,
    "price_id": 1,
    "source_id": 1,
}
"""What a call is where a test does not say otherwise."""


def fill(ledger: Ledger, calls: Iterable[Call]) -> None:
    """Put ``calls`` in the place of those in the ledger. ``tags`` is a dict; absent columns are unknown."""
    numbers = itertools.count(1)
    with ledger.writing() as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM stored_calls")
        for each in calls:
            row = {"call_key": UUID(int=next(numbers)), **CALL, **each}
            if "tags" in row:
                row["tags"] = json.dumps(row["tags"])
            # S608: the columns' names are the tests' own.
            connection.execute(
                f"INSERT INTO stored_calls ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
                list(row.values()),
            )
        connection.execute("COMMIT")


def at(tz: str = "UTC", **said: str) -> Period:
    """A period as the options of a command give it; all time without any."""
    return period(zone=zone(tz), now=datetime(2024, 12, 1, tzinfo=UTC), **said)


ALWAYS = at()
