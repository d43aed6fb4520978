"""Input whose ingest does everything that an ingest can do, in two steps; seeded, so always the same."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path

MODELS = ("claude-sonnet-4-20250514", "gpt-4o-mini", "a-model-without-a-price")
TEAMS = ("search", "support", "chat")


def first_step(directory: Path) -> None:
    """What the ledger knows already: a call log, a part of a transcript."""
    directory.mkdir()
    (directory / "calls.jsonl").write_text("".join(_calls(1, 3000)))
    (directory / "session.jsonl").write_text("".join(_transcript(0, 1000)))


def second_step(directory: Path) -> None:
    """What is new: appended lines, a file that is no longer as it was, new files of three shapes."""
    with open(directory / "calls.jsonl", "a") as log:
        log.writelines(_calls(2, 8000))
    (directory / "session.jsonl").write_text("".join(_transcript(0, 3000)))
    with gzip.open(directory / "packed.jsonl.gz", "wt") as packed:
        packed.writelines(_calls(3, 8000))
    with open(directory / "rows.csv", "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(
            file, ("id", "timestamp", "model", "team_id", "input_tokens", "output_tokens")
        )
        writer.writeheader()
        draw = random.Random(4)
        writer.writerows(_call(draw, number) | {"id": f"row-{number}"} for number in range(2000))


def _call(draw: random.Random, number: int) -> dict[str, object]:
    second = draw.randrange(86_400)
    time = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return {
        "timestamp": f"2024-10-{1 + number % 28:02}T{time}",
        "model": draw.choice(MODELS),
        "team_id": draw.choice(TEAMS),
        "input_tokens": draw.randrange(1, 20_000),
        "output_tokens": draw.randrange(1, 2_000),
    }


def _calls(part: int, count: int) -> list[str]:
    """Lines of a call log: with an id and without, some twice, some bad."""
    draw = random.Random(part)
    lines: list[str] = []
    for number in range(count):
        call = _call(draw, number)
        if number % 3:
            call["id"] = f"call-{part}-{number}"
        if number % 10 == 1:  # another version of a call of the part before
            call["id"] = f"call-{part - 1}-{number + 1}"
        if number % 5 == 0:
            call["tags"] = {"env": "prod", "n": str(number % 7)}
        line = json.dumps(call) + "\n"
        if number % 100 == 50:
            line = draw.choice(["not JSON\n", line.replace("input_tokens", "in"), line[:40] + "\n"])
        lines.append(line)
        if number % 50 == 0:
            lines.append(line)
    return lines


def _transcript(first: int, count: int) -> list[str]:
    """A Claude Code session: of each message two lines, the first less complete."""
    lines = []
    for number in range(first, count):
        for tokens in (1, 100 + number % 50):
            message = {
                "id": f"msg_{number:05}",
                "type": "message",
                "role": "assistant",
                "model": MODELS[0],
                "content": [{"type": "text", "text": "…"}],
                "usage": {
                    "input_tokens": 3,
                    "cache_creation_input_tokens": 500,
                    "cache_read_input_tokens": 10_000 + number,
                    "output_tokens": tokens,
                },
            }
            line = {
                "type": "assistant",
                "uuid": f"{number:05}-{tokens}",
                "sessionId": "11111111-2222-3333-4444-555555555555",
                "requestId": f"req_{number:05}",
                "timestamp": f"2024-10-05T10:{number // 60 % 60:02}:{number % 60:02}.000Z",
                "cwd": "/home/ann/search",
                "version": "1.0.0",
                "message": message,
            }
            lines.append(json.dumps(line) + "\n")
    return lines
