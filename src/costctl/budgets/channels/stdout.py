"""Standard output: for cron, which mails what a job prints, and for trying things out."""

from __future__ import annotations

import sys

from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.channels.words import text
from costctl.budgets.message import Message
from costctl.terminal import make_writable

MOST_BYTES = 64 * 1024


def send(settings: Settings, message: Message, deadline: float) -> Sent:  # noqa: ARG001
    make_writable(sys.stdout)
    try:
        print(text(message, MOST_BYTES), flush=True)
    except OSError as error:
        return Sent(False, f"standard output cannot be written to: {type(error).__name__}")
    return Sent(True, "written")
