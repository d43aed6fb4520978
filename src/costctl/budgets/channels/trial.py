"""A message that only says that it is a test."""

from __future__ import annotations

import secrets

from costctl.budgets.addresses import is_open
from costctl.budgets.channels import Sent, send
from costctl.budgets.channels.settings import Settings
from costctl.budgets.message import Message
from costctl.budgets.model import ChannelSettings
from costctl.report import Column, Outcome


def trial(channel: ChannelSettings) -> tuple[Sent, Outcome]:
    """Send a test to ``channel``, under an id of its own, and what came of it."""
    sent = send(channel, Message(secrets.token_hex(16), (), test=True))
    columns = [Column(name, "text") for name in ("channel", "type", "sent", "status")]
    columns += [Column("retry_after", "number", "s"), Column("final", "text")]
    values = (channel.name, channel.type, sent.ok, sent.status, _whole(sent.retry_after), sent.final)
    notes: tuple[str, ...] = ()
    if is_open(Settings(channel.settings).text("url")):
        notes = ("its address is http: who listens on the way reads the alerts, and the address itself",)
    return sent, Outcome("budgets test-channel", tuple(columns), values, notes)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
