"""Nothing that sends is imported before there is something to send, and then only what that channel needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

SENDERS = ("httpx2", "smtplib", "apprise", "costctl.budgets.channels.")


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import costctl.cli.budgets, costctl.budgets, costctl.budgets.outbox", set()),
        ("import costctl.budgets.check", set()),
        # Not even the client of HTTP before there is an address to ask.
        ("import costctl.budgets.channels.slack", {"costctl.budgets.channels."}),
        ("import costctl.budgets.channels.mail", {"costctl.budgets.channels.", "smtplib"}),
    ],
)
def test_what_is_imported(code: str, loaded: set[str]) -> None:
    code += (
        f"; import sys; print([each for each in {SENDERS} if any(m.startswith(each) for m in sys.modules)])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(eval(printed)) == loaded
