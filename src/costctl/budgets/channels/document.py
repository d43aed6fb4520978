"""The JSON of an alert for programs: a webhook's body, a command's standard input."""

from __future__ import annotations

from decimal import Decimal

from costctl.budgets.channels.words import subject
from costctl.budgets.message import Item, Message
from costctl.money import usd
from costctl.render.json import plain

SCHEMA_VERSION = 1
"""Keys are only ever added."""


def document(message: Message) -> bytes:
    """One line of UTF-8: every alert, money in USD with its exact digits, times with their offset."""
    return plain(
        {
            "schema_version": SCHEMA_VERSION,
            "msg_id": message.msg_id,
            "test": message.test,
            "delayed_s": message.delayed_s,
            "subject": subject(message),
            "currency": "USD",
            "alerts": [_alert(item) for item in message.items],
        }
    ).encode()


def _alert(item: Item) -> dict[str, object]:
    return {
        "event_id": item.event_id,
        "event": item.event,
        "budget": item.budget,
        "scope": item.scope,
        "period": {
            "kind": item.kind,
            "start": item.period_start.isoformat(),
            "end": item.period_end.isoformat(),
        },
        "threshold": item.threshold,
        "basis": item.basis,
        "spent": _dollars(item.spent_pico),
        "limit": _dollars(item.limit_pico),
        "threshold_amount": _dollars(item.threshold_pico),
        "forecast": _dollars(item.forecast_pico),
        "late": item.late,
        "unpriced_calls": item.unpriced,
        "reason": item.reason,
    }


def _dollars(pico: int | None) -> Decimal | None:
    return None if pico is None else usd(pico)
