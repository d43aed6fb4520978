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


HEAVY = (
    # Each starts servers, or the program dozens of times.
    "budgets/channels/", "pull/", "sdk/calls/", "cli/test_allocate", "cli/test_another_currency",
    "cli/test_budgets_ch", "cli/test_compare", "cli/test_demo", "cli/test_doctor", "cli/test_errors",
    "cli/test_explain", "cli/test_guard", "cli/test_pull", "cli/test_prices", "cli/test_reconcile",
    "cli/test_simulate", "ingest/test_ingest_batches", "ingest/test_ingest_merge", "test_benchmarks",
    "test_cron", "test_docs",
    # Each fills dozens of ledgers.
    "analysis/test_analysis_anomalies", "analysis/test_analysis_compare", "analysis/test_analysis_forecast",
    "budgets/test_check", "budgets/test_status", "formats/test_known_errors_", "formats/test_mapping",
    "formats/test_shapes", "sdk/test_sdk_reconcile", "simulate/test_router_lever",
    "simulate/test_simulate_batch", "simulate/test_simulate_router", "simulate/test_simulate_trim",
    "test_doctor",
    # Each holds against a second count of many drawn cases.
    "analysis/test_analysis_reconcile", "analysis/test_reconcile_causes", "budgets/test_alert_properties",
    "budgets/test_spend", "sdk/test_slowing", "simulate/test_one_lever", "simulate/test_plan_prices",
    "simulate/test_waterfall", "test_sample_data",
)  # fmt: skip
"""How the paths of test files begin that are heavy as a whole."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of :data:`HEAVY`."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(HEAVY):
            item.add_marker(pytest.mark.heavy)


@pytest.fixture
def costctl(tmp_path: Path) -> Costctl:
    """The program in a temporary home and an empty current directory."""
    home, cwd = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    cwd.mkdir()
    return Costctl(home, cwd)
