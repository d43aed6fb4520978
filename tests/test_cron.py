"""The lines of docs/cron.md for cron, systemd and Kubernetes, run as they stand there, in another place."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.conftest import Costctl
from tests.program import SCRIPT

PAGE = (Path(__file__).parent.parent / "docs" / "cron.md").read_text(encoding="utf-8")
BUDGETS = """
budgets: [{name: all, scope: all, amounts: {month: 1}, channels: [print]}]
channels: {print: {type: stdout}}
"""


def block(language: str, beginning: str) -> str:
    """The block of that language that begins so."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (text,) = [each for each in found if each.startswith(beginning)]
    return str(text)


@pytest.fixture
def host(costctl: Costctl) -> Costctl:
    """A machine with settings, a budget of one dollar and a call of this very minute that cost two."""
    usage = costctl.cwd / "usage.csv"
    date = subprocess.run(
        ["date", "-u", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True, check=True
    ).stdout
    usage.write_text(
        "timestamp,model,input_tokens,output_tokens\n" + f"{date.strip()},claude-opus-4-20250514,0,26667\n"
    )
    (costctl.cwd / "costctl.yaml").write_text("sources: [usage.csv]\n")
    (costctl.cwd / "budgets.yaml").write_text(BUDGETS)
    return costctl


def moved(text: str, host: Costctl) -> str:
    """``text`` with the places of this machine."""
    return (
        text.replace("/etc/costctl", str(host.cwd))
        .replace("/var/lib/costctl", str(host.home))
        .replace("/usr/local/bin/costctl", str(SCRIPT))
        .replace("/usr/local/bin", str(SCRIPT.parent))
    )


def run(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A line as cron and containers run it: by sh, with hardly any variables."""
    return subprocess.run(
        ["/bin/sh", "-c", line], env=environment, cwd="/", capture_output=True, text=True, timeout=60
    )


def test_the_crontab(host: Costctl) -> None:
    lines = moved(block("crontab", "MAILTO"), host).splitlines()
    environment = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    (job,) = [line for line in lines if line.startswith("*/15 ")]
    assert "%" not in job, "cron makes a line's end of it"
    command = job.split(None, 5)[5]
    first = run(command, {"HOME": str(host.home), **environment})
    assert first.returncode == 2
    assert first.stderr == ""
    alert, line = first.stdout.splitlines()
    assert alert.startswith("costctl: exceeded: budget all")
    assert line.startswith("COSTCTL CRITICAL: ")
    again = run(command, {"HOME": str(host.home), **environment})
    assert (again.returncode, again.stdout, again.stderr) == (2, "", ""), "nothing to mail"


def test_the_cronjob_of_kubernetes(host: Costctl) -> None:
    job = yaml.safe_load(moved(block("yaml", "apiVersion"), host))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["/bin/sh", "-c"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    environment |= {"HOME": "/nonexistent", "PATH": f"{SCRIPT.parent}:/usr/bin:/bin"}
    done = run(container["args"][0], environment)
    assert done.returncode == 0, "a budget that is over is no failed job"
    assert "COSTCTL CRITICAL: " in done.stdout
    (host.cwd / "budgets.yaml").write_text("budgets: [")
    assert run(container["args"][0], environment).returncode == 1, "UNKNOWN is one"


def test_the_service_of_systemd(host: Costctl) -> None:
    unit = moved(block("ini", "[Unit]\nDescription=Read LLM usage and check budgets\n"), host)
    environment = dict(each.split("=", 1) for each in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE))
    ingest, check = re.findall(r"^ExecStart=(-?)(.*)$", unit, re.MULTILINE)
    assert ingest[0] == "-"
    assert run(ingest[1], {"HOME": "/nonexistent", **environment}).returncode == 0
    assert re.search(r"^SuccessExitStatus=1 2$", unit, re.MULTILINE)
    assert run(check[1], {"HOME": "/nonexistent", **environment}).returncode == 2


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_units(host: Costctl, tmp_path: Path) -> None:
    units = {
        "costctl.service": block("ini", "[Unit]\nDescription=Read LLM usage and check budgets\n"),
        "costctl.timer": block("ini", "[Unit]\nDescription=Read LLM usage and check budgets every"),
    }
    for name, text in units.items():
        (tmp_path / name).write_text(moved(text, host))
    command = ["systemd-analyze", "verify", *(tmp_path / name for name in units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_line_of_a_monitor(host: Costctl) -> None:
    host("ingest", "usage.csv", env={"COSTCTL_DB": str(host.home / "ledger.duckdb")})
    line = moved(block("ini", "command["), host).strip()
    done = run(line.partition("=")[2], {"HOME": "/nonexistent"})
    assert done.returncode == 2
