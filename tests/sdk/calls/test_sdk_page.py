"""The programs of docs/sdk.md, each by itself and as it stands, beside vendors on the loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sdk.calls import said
from tests.sdk.calls.vendor import Say, vendor

PAGE = Path(__file__).parents[3] / "docs" / "sdk.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def answer(path: str, asked: dict[str, object]) -> Say:
    """What either vendor answers."""
    streamed = bool(asked.get("stream"))
    if path.endswith("/messages"):
        return Say(events=said.message_events()) if streamed else Say(said.message())
    if path.endswith("/responses"):
        return Say(said.response())
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    return Say(events=said.completion_events(usage=usage)) if streamed else Say(said.completion())


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_runs_as_it_stands(number: int, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
    with vendor(answer) as served:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAMS[number]],
            cwd=tmp_path,
            env=kept
            | {
                "HOME": str(tmp_path),
                "ANTHROPIC_API_KEY": "k",
                "ANTHROPIC_BASE_URL": served.url,
                "OPENAI_API_KEY": "k",
                "OPENAI_BASE_URL": served.url,
            },
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    # What a comment says that is printed, is.
    for shown in re.findall(r"^print\(.*\)  # (.*)$", PROGRAMS[number], re.MULTILINE):
        assert shown in done.stdout.splitlines()
