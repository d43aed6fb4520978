"""Alerts to send, and channels to send them to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from costctl.budgets.channels import Sent, send
from costctl.budgets.message import Item, Message
from costctl.budgets.model import ChannelSettings

TAIPEI = ZoneInfo("Asia/Taipei")
DOLLAR = 10**12

CRITICAL = Item(
    event_id="e1",
    event="fire",
    budget="search",
    scope="team=search",
    kind="month",
    period_start=datetime(2026, 11, 1, tzinfo=TAIPEI),
    period_end=datetime(2026, 12, 1, tzinfo=TAIPEI),
    threshold="critical",
    basis="actual",
    spent_pico=96_200_000_000_001,  # 96.200000000001 USD
    limit_pico=100 * DOLLAR,
    threshold_pico=95 * DOLLAR,
    forecast_pico=128 * DOLLAR,
)


def alert(**changes: Any) -> Item:
    return replace(CRITICAL, **changes)


def message(*items: Item, **changes: Any) -> Message:
    return replace(Message("0123456789abcdef0123456789abcdef", items or (CRITICAL,)), **changes)


def send_to(
    kind: str, settings: Mapping[str, object], what: Message | None = None, deadline: float = 10.0
) -> Sent:
    return send(ChannelSettings("ops", kind, settings), what or message(), deadline)
