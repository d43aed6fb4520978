"""What holds for every test, and the program in a home of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.program import Costctl

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# The settings of whoever runs the tests are none of theirs.
for name in [name for name in os.environ if name.startswith("COSTCTL_") and name != "COSTCTL_REGENERATE"]:
    del os.environ[name]


@pytest.fixture
def costctl(tmp_path: Path) -> Costctl:
    """The program in a temporary home and an empty current directory."""
    home, cwd = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    cwd.mkdir()
    return Costctl(home, cwd)
