"""An answer that takes more than a second says on a terminal that it is being worked on."""

from __future__ import annotations

import pytest
from tests.program import Costctl

SLOW = "SELECT count(*) AS n FROM range(24000) AS a(x), range(24000) AS b(y) WHERE x * y % 7 = 3"


def counted() -> int:
    """By the rests of both factors alone."""
    of = [len(range(rest, 24_000, 7)) for rest in range(7)]
    return sum(of[a] * of[b] for a in range(7) for b in range(7) if a * b % 7 == 3)


@pytest.mark.heavy
def test_it_is_on_a_terminal_and_beside_the_answer(costctl: Costctl) -> None:
    (costctl.cwd / "calls.jsonl").write_text(
        '{"timestamp": "2024-10-07T10:00:00Z", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}\n'
    )
    assert costctl("ingest", "calls.jsonl").code == 0
    shown = costctl.on_a_terminal("sql", SLOW, "--format", "csv", stream="stderr")
    assert (shown.code, shown.out) == (0, f'"n"\r\n{counted()}\r\n')
    assert "asking the ledger" in shown.err
    away = costctl("sql", SLOW, "--format", "csv")
    assert (away.code, away.out, away.err) == (0, shown.out, "")
