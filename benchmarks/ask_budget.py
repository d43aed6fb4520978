"""Times ``should_allow_request``: each answer's nanoseconds, one a line, after a first one that opens the
counters. Each call is settled, which is not timed.

python ask_budget.py DIRECTORY CALLS PAUSE
"""

from __future__ import annotations

import sys
import time

from costctl.sdk import BudgetThrottler


def main(directory: str, calls: int, pause: float) -> None:
    throttler = BudgetThrottler(
        f"{directory}/budgets.yaml", team="search", ledger=f"{directory}/ledger.duckdb", zone="UTC"
    )
    taken = []
    for number in range(calls + 1):
        begun = time.perf_counter_ns()
        answer = throttler.should_allow_request(user=f"user-{number % 600}", estimate="0.01")
        taken.append(time.perf_counter_ns() - begun)
        if not answer.allowed:
            sys.exit(answer.reason)
        throttler.settle(answer, "0.0117")
        if pause:
            time.sleep(pause)
    print("\n".join(map(str, taken[1:])))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
