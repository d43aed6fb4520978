"""Times ``log_api_usage``: each call's nanoseconds, one a line, after a first call that loads the prices.

python log_usage.py DIRECTORY CALLS
"""

from __future__ import annotations

import sys
import time

from costctl.sdk import CostTracker


def main(directory: str, calls: int, pause: float) -> None:
    tracker = CostTracker(directory)
    taken = []
    for number in range(calls + 1):
        begun = time.perf_counter_ns()
        tracker.log_api_usage(
            user_id=f"user-{number % 600}",
            team_id="search",
            project_id="assistant",
            agent_id="router",
            model="claude-sonnet-4-20250514",
            input_tokens=20_100,
            cached_tokens=20_000,
            output_tokens=350,
            latency_ms=1200,
            tags={"environment": "production", "feature": "answer-questions"},
        )
        taken.append(time.perf_counter_ns() - begun)
        if pause:
            time.sleep(pause)
    print("\n".join(map(str, taken[1:])))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
