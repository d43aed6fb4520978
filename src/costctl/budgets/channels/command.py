"""A program of one's own, which gets the alert as JSON on its standard input.

No shell, and nothing of an alert among its arguments or in its environment, of which only what a program
needs to run is passed on. What it prints goes nowhere.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

from costctl.budgets.channels.deadline import NO_ANSWER
from costctl.budgets.channels.document import document
from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.message import Message

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL")


def send(settings: Settings, message: Message, deadline: float) -> Sent:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        process = subprocess.Popen(
            settings.list("command"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environment, **settings.texts("environment")},
            start_new_session=True,  # a group of its own, to end it with all that it started
        )
    except FileNotFoundError:
        return Sent(False, "the command is not there", final=True)
    except (OSError, ValueError) as error:
        return Sent(False, f"the command cannot be started: {type(error).__name__}", final=True)
    with process:
        try:
            process.communicate(document(message) + b"\n", timeout=deadline)
        except subprocess.TimeoutExpired:
            _end(process)
            return NO_ANSWER
        except BaseException:
            _end(process)
            raise
    code = process.returncode
    return Sent(code == 0, f"exit {code}" if code >= 0 else f"ended by signal {-code}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
