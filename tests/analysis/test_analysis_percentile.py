"""The 95th percentile: nearest rank, each row as often as it stands for calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from by_hand import ALWAYS

from costctl.analysis import summary
from costctl.ledger import Ledger


@pytest.mark.parametrize(
    ("latencies", "p95"),
    [
        # (latency, calls): the smallest latency that at least 95 of 100 calls do not exceed.
        ([(value, 1) for value in range(1, 21)], 19),  # 0.95 x 20 = 19 exactly
        ([(value, 1) for value in range(1, 22)], 20),  # 0.95 x 21 = 19.95
        ([(value, 1) for value in range(1, 101)], 95),
        ([(7, 1)], 7),
        ([(0, 1)], 0),
        ([(10, 95), (5000, 5)], 10),  # rank 95 of 100
        ([(10, 94), (5000, 6)], 5000),
        ([(10, 1), (20, 10**12)], 20),
        ([(10, 10**12), (20, 1)], 10),
        ([(10, 1), (20, None), (None, 5)], 10),  # an unknown number counts none, an unknown latency neither
        ([(30, 2), (10, 2), (20, 1), (10, 2)], 30),  # 10 four times, 20 once, 30 twice; rank 6.65 of 7
        ([(None, 1), (5, None)], None),
        ([], None),
    ],
)
def test_nearest_rank(
    ledger_of: Callable[..., Ledger], latencies: list[tuple[int | None, int | None]], p95: int | None
) -> None:
    calls: list[dict[str, Any]] = [
        {"team": "a", "latency_ms": latency, "requests": requests} for latency, requests in latencies
    ]
    others = [{"team": "b", "latency_ms": 1, "requests": 100}, {"team": None, "latency_ms": 2}]
    report = summary(
        ledger_of(*calls, *others), "team", period=ALWAYS, columns=["p95_latency_ms"], where=["team=a"]
    )
    assert report.rows == ([("a", p95)] if latencies else [])
    assert report.totals == (None, p95)
    every = summary(ledger_of(*calls, *others), "team", period=ALWAYS, columns=["p95_latency_ms"])
    assert dict(every.rows)["b"] == 1
    assert dict(every.rows)[None] == 2


def test_the_rest_of_the_top(ledger_of: Callable[..., Ledger]) -> None:
    ledger = ledger_of(
        {"team": "first", "cost_pico": 99, "latency_ms": 10**6},
        {"team": None, "cost_pico": 98, "latency_ms": 10**5},
        {"team": "b", "cost_pico": 3, "latency_ms": 10, "requests": 9},
        {"team": "c", "cost_pico": 2, "latency_ms": 30, "requests": 10},
        {"team": "d", "cost_pico": 1, "latency_ms": 40},
    )
    report = summary(ledger, "team", period=ALWAYS, top=2, columns=["p95_latency_ms"])
    # The unknown team is shown too. The rest: 10 nine times, 30 ten times, 40 once; rank 19 of 20.
    assert report.rows == [("first", 10**6), (None, 10**5), ("other (3 rows)", 30)]
    by_day = summary(ledger, "day,team", period=ALWAYS, top=2, columns=["p95_latency_ms"])
    assert by_day.rows[-1] == ("other (3 rows)", None, 30)
