"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# The settings of whoever runs the tests are none of theirs.
for name in [name for name in os.environ if name.startswith("COSTCTL_") and name != "COSTCTL_REGENERATE"]:
    del os.environ[name]
