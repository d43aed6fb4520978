"""Each of these faults, put into the code, breaks a test: what looks like care is needed, and tested."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from tests.budgets.test_outbox import OPERATIONS, check_crash, check_lost_claim, check_nothing_is_held
from tests.budgets.test_scenarios import SCENARIOS, check

from costctl.budgets import alerts, memory, outbox, record

Check = Callable[[Path], None]


def scenario(number: str) -> Check:
    """The scenario of that number."""
    (found,) = [each for each in SCENARIOS if each.name.startswith(f"{number}:")]
    return lambda directory: check(found, directory)


def a_crash_anywhere(directory: Path) -> None:
    for operation in range(1, OPERATIONS + 1):
        place = directory / str(operation)
        place.mkdir()
        check_crash(operation, place)


MUTATIONS: dict[str, tuple[FunctionType, str, str, Check]] = {
    "states and messages in two transactions": (
        record.record,
        "        messages = outbox.put(",
        '        connection.execute("COMMIT"); connection.execute("BEGIN IMMEDIATE")\n'
        "        messages = outbox.put(",
        a_crash_anywhere,
    ),
    "messages are not kept": (
        outbox.put,
        "_insert(connection, message, name, file, created=now, queued=now)",
        "pass",
        scenario("2"),
    ),
    "states are not kept": (memory.keep, "for alert in changed", "for alert in ()", scenario("2")),
    "what was told is not noted": (
        alerts._fire,
        'owed=None, told="fire", notified_at=at.latest',
        'owed="fire", told=None, notified_at=at.latest',
        scenario("2"),
    ),
    "claims are not checked when marking": (
        outbox._mark_failed,
        "WHERE msg_id = ? AND claim = ?",
        "WHERE msg_id = ? AND ? <> ''",
        check_lost_claim,
    ),
    "commit numbers are not compared": (
        record.record,
        "look.commit < commit",
        "False",
        scenario("16"),
    ),
    "closed is not terminal": (
        alerts._moved,
        'if old.reason != "removed" or spent.late:\n            return old',
        "if False:\n            return old",
        scenario("5"),
    ),
    "ids hold a clock": (
        alerts.event_id,
        '"alert1",',
        '"alert1", str(alert.fired_at),',
        scenario("18"),
    ),
    "sent inside a transaction": (
        outbox.deliver,
        "                ended: Attempt | None = send(",
        "                with state.transaction(): ended = send(",
        check_nothing_is_held,
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_fault_breaks_a_test(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function, old, new, breaks = MUTATIONS[name]
    (tmp_path / "sound").mkdir()
    breaks(tmp_path / "sound")
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, "the place of the fault"
    found: dict[str, Any] = {}
    exec(compile(source.replace(old, new), "<fault>", "exec"), function.__globals__, found)
    module = inspect.getmodule(function)
    monkeypatch.setattr(module, function.__name__, found[function.__name__])
    (tmp_path / "faulty").mkdir()
    with pytest.raises(AssertionError):
        breaks(tmp_path / "faulty")
