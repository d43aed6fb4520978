"""The clients of the oldest packages that the extras allow, in an environment of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TESTS = ("test_anthropic_client.py", "test_openai_client.py", "test_cache.py")


@pytest.mark.heavy
def test_the_oldest_packages_that_are_allowed_are_logged_too(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = []
    for name in ("anthropic", "openai"):
        (said,) = project["optional-dependencies"][name]
        bound = re.fullmatch(rf"{name}>=([0-9.]+)", said)
        assert bound, said
        oldest.append(f"{name}=={bound[1]}")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    needed = [*oldest, *project["dependencies"], "hypothesis", "pytest", "pytest-timeout", "pytest-xdist"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *needed], check=True)
    tests = [Path(__file__).with_name(name) for name in TESTS]
    options = ["-n", "0", "-m", "", "-p", "no:cacheprovider", "-o", "pythonpath=src scripts ."]
    done = subprocess.run(
        [python, "-m", "pytest", "-q", *options, *tests],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},  # for programs that a test starts
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
