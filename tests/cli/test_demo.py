"""The demonstration: sample data in a ledger that is thrown away, from a checkout or an installed wheel."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.program import Costctl, Run

ROOT = Path(__file__).parent.parent.parent


def check(run: Run) -> None:
    """What the book of the sample data asserts (its README): October's total and its split by model."""
    assert (run.code, run.err) == (0, "")
    bill, by_team, by_day = run.out.split("\n$ ")
    assert bill.startswith("$ costctl bill --month 2024-10\n")
    assert "$127,850.00  100.0%" in bill
    for model, cost, share in (
        ("claude-opus-4-20250514", "$89,450.00", "70.0%"),
        ("claude-sonnet-4-20250514", "$32,100.00", "25.1%"),
        ("claude-haiku-3-20250307", "$6,300.00", "4.9%"),
    ):
        line = next(line for line in bill.splitlines() if line.startswith(model))
        assert cost in line
        assert share in line
    # 127,850 over September's 38,200: (127850 - 38200) / 38200 = 2.3469, and 12 x 127,850 = 1,534,200.
    assert "month before  $38,200.00" in bill
    assert "234.7%" in bill
    assert "$1,534,200.00" in bill
    assert by_team.startswith("costctl report --by team --month 2024-10\n")
    assert "$127,850.00" in by_team
    assert by_day.startswith("costctl report --by day,model --pivot --month 2024-10\n")
    assert "2024-10-31" in by_day
    assert "costctl ingest PATH" in by_day.splitlines()[-2]


def test_demo_in_a_checkout_leaves_nothing_behind(costctl: Costctl, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    run = costctl("demo", env={"TMPDIR": str(temporary)})
    check(run)
    assert "--claude-code" not in run.out, "there is none in this home"
    assert list(temporary.iterdir()) == []
    assert list(costctl.cwd.iterdir()) == []
    assert not costctl.ledger.parent.exists(), "nobody's own ledger is touched"


def test_demo_names_claude_code_where_it_is(costctl: Costctl) -> None:
    (costctl.home / ".claude" / "projects").mkdir(parents=True)
    assert "  costctl ingest --claude-code\n" in costctl("demo").out


@pytest.mark.heavy
def test_demo_of_an_installed_wheel(costctl: Costctl, tmp_path: Path) -> None:
    """Away from any checkout. What costctl depends on is taken from where the tests run."""
    wheels, environment = tmp_path / "wheels", tmp_path / "environment"
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", wheels, ROOT],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True, timeout=120)
    pip = [
        environment / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    ]
    subprocess.run(pip, check=True, capture_output=True, timeout=120)
    (site,) = (environment / "lib").glob("python*/site-packages")
    # A path of its own, whose .pth files (that of a checkout among them) are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    installed = subprocess.run(
        [environment / "bin" / "python", "-c", "import costctl; print(costctl.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=costctl.cwd,
    ).stdout.strip()
    assert installed == str(site / "costctl" / "__init__.py")
    done = subprocess.run(
        [environment / "bin" / "costctl", "demo"],
        capture_output=True,
        text=True,
        env=costctl.variables(),
        cwd=costctl.cwd,
        timeout=120,
    )
    check(Run(done.returncode, done.stdout, done.stderr))
