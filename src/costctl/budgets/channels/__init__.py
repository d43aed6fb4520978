"""Where alerts are sent to. Imported only when there is something to send."""

from __future__ import annotations

from importlib import import_module

from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.message import Message
from costctl.budgets.model import ChannelSettings

__all__ = ["DEADLINE_S", "TYPES", "Sent", "send"]

TYPES = {
    "slack": "slack",
    "email": "mail",
    "dingtalk": "dingtalk",
    "teams": "teams",
    "webhook": "webhook",
    "command": "command",
    "stdout": "stdout",
    "apprise": "apprise",
}
"""``type`` in budgets.yaml, and the module that sends to such a channel."""

DEADLINE_S = 20.0
"""What one attempt may take."""


def send(channel: ChannelSettings, message: Message, deadline: float = DEADLINE_S) -> Sent:
    """One attempt to send ``message``, over in ``deadline`` seconds. Raises nothing: whatever goes wrong is a
    :class:`Sent` that is not ok, and of an error nobody thought of only its class is told, since its text
    may hold an address or a password."""
    try:
        module = import_module(f"{__name__}.{TYPES[channel.type]}")
        sent: Sent = module.send(Settings(channel.settings), message, deadline)
        return sent
    except Exception as error:
        return Sent(False, f"not sent: {type(error).__name__}")
