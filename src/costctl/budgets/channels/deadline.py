"""An end for what cannot be given one: looking up a name, a greeting that comes byte by byte."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from costctl.budgets.channels.sent import Sent

NO_ANSWER = Sent(False, "no answer in time")


def within(seconds: float, attempt: Callable[[], Sent]) -> Sent:
    """What ``attempt`` returns, or that there was no answer ``seconds`` after the start, whatever it does.

    An attempt that is not over by then is left alone; it does not keep the program from ending. What it
    raises is raised here.
    """
    outcome: queue.SimpleQueue[Sent | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put(attempt())
        except BaseException as error:  # told where somebody waits for it
            outcome.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        result = outcome.get(timeout=seconds)
    except queue.Empty:
        return NO_ANSWER
    if isinstance(result, BaseException):
        raise result
    return result
