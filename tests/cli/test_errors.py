"""What goes wrong is said on standard error, with what helps; the exit code says of which kind it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.program import Costctl

# --- wrong usage: exit code 2 -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("fromats", "no such command 'fromats'", "did you mean formats?"),
        ("xyzzy", "no such command 'xyzzy'", "see costctl --help"),
        ("--nope", "no such option: --nope", "see costctl --help"),
        ("report --tpo 3", "no such option: --tpo", "did you mean --top?"),
        ("report -z", "no such option: -z", "see costctl report --help"),
        ("report now", "got unexpected extra argument(s) (now)", "see costctl report --help"),
        (
            "report --format xml",
            "--format: 'xml' is no format",
            "use one of table, json, csv, md",
        ),
        ("report --wait long", "--wait: 'long' is not a number of seconds", "from 0 to 86400"),
        ("report --top few", "--top: 'few' is not a number", "as in --top 10"),
        (
            "report --tz Europe/Berlim",
            "--tz: unknown time zone 'Europe/Berlim'",
            "did you mean Europe/Berlin?",
        ),
        ("bill --budget -5", "--budget: '-5' is not an amount in USD", "as in --budget 50000"),
        ("prices", "missing command", "see costctl prices --help"),
        ("prices nope", "no such command 'nope'", "see costctl prices --help"),
        ("prices show", "missing argument 'MODEL'", "see costctl prices show --help"),
        ("prices explain gpt-5 --input many", "--input: 'many' is not a number", "as in --input 12000"),
        ("ingest", "nothing to read", "name a PATH, or --claude-code, or list sources in costctl.yaml"),
        ("ingest x --as opnai", "--as: 'opnai' is no format", "did you mean openai?"),
        ("ingest x --billing free", "--billing: 'free' is none", "use one of metered, subscription"),
        ("ingest x --tag env", "--tag: 'env' is not KEY=VALUE", "as in --tag env=prod"),
        ("ingest x --time noon", "--time: 'noon' is not a time", "as in 2024-10-01T12:00Z"),
        (
            "ingest x --assume-tz Europe/Berlim",
            "unknown time zone 'Europe/Berlim'",
            "did you mean Europe/Berlin?",
        ),
        ("report --last 7x", "--last '7x' is not a length of time", "as in 24h, 7d, 3w, 2m or 1y"),
        (
            "report --last 7d --month 2024-10",
            "--last and --month contradict each other",
            "give one of them",
        ),
        ("report --now soon", "--now: 'soon' is not a time", "as in 2024-10-01T12:00Z"),
        ("report --where taem=search", "unknown column 'taem' in a filter", "did you mean team?"),
        (
            "report --by taem",
            "unknown dimension 'taem'",
            "did you mean team?",
        ),
    ],
)
def test_wrong_usage(costctl: Costctl, line: str, message: str, hint: str) -> None:
    run = costctl(*line.split())
    assert (run.code, run.out) == (2, "")
    said, helped = run.err.splitlines()
    assert said == f"error: {message}"
    assert helped.startswith(f"hint: {hint}")

    if "--format" in line:
        return  # a format that is none is told in words
    document = costctl(*line.split(), env={"COSTCTL_FORMAT": "json"})
    assert (document.code, document.out) == (2, "")
    assert document.error["code"] == "usage"
    assert document.error["message"] == message
    assert document.error["hint"].startswith(hint)
    assert (document.error["file"], document.error["line"]) == (None, None)


def test_a_missing_value(costctl: Costctl) -> None:
    run = costctl("report", "--by")
    assert (run.code, run.out) == (2, "")
    assert run.err.splitlines()[0] == "error: option '--by' requires an argument"


def test_a_variable_that_cannot_be_read(costctl: Costctl) -> None:
    run = costctl("formats", env={"COSTCTL_WAIT": "long"})
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("error: COSTCTL_WAIT: 'long' is not a number of seconds\n")


# --- the format of errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--format", "json"], ["--format=json"], ["--format", "csv", "--format", "json"]]
)
def test_errors_are_json_where_the_output_is(costctl: Costctl, arguments: list[str]) -> None:
    run = costctl("report", *arguments)
    assert (run.code, run.out) == (1, "")
    assert run.err.count("\n") == 1
    assert run.error == {
        "code": "ledger_missing",
        "message": f"there is no ledger at {costctl.ledger}",
        "file": str(costctl.ledger),
        "line": None,
        "hint": "make one with `costctl ingest PATH`, or name another with --db",
    }


def test_errors_are_json_where_the_settings_say_so(costctl: Costctl) -> None:
    (costctl.cwd / "costctl.yaml").write_text("format: json\n")
    assert costctl("report").error["code"] == "ledger_missing"
    assert costctl("report", "--nope").error["code"] == "usage"


def test_a_format_after_two_dashes_is_no_option(costctl: Costctl) -> None:
    assert costctl("formats", "--", "--format=json").err.startswith("error: got unexpected extra argument")


def test_the_error_is_coloured_only_where_asked_for(costctl: Costctl) -> None:
    assert costctl("report", env={"FORCE_COLOR": "1"}).err.startswith("\x1b[1;31merror:\x1b[0m there is no")
    assert "\x1b" not in costctl("report").err


# --- files ------------------------------------------------------------------------------------------------


def test_every_fault_of_a_file_is_told_with_its_line(costctl: Costctl) -> None:
    file = costctl.cwd / "costctl.yaml"
    file.write_text("wait: long\nfromat: json\n")
    run = costctl("formats")
    assert (run.code, run.out) == (1, "")
    errors = [line for line in run.err.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith(f"error: {file}:1: ")
    assert errors[1].startswith(f"error: {file}:2: ")
    assert "hint: did you mean format?" in run.err


def test_a_fault_of_a_file_as_json(costctl: Costctl) -> None:
    file = costctl.cwd / "costctl.yaml"
    file.write_text("tz: UTC\nfromat: json\n")
    error = costctl("formats", "--format", "json").error
    assert (error["code"], error["file"], error["line"]) == ("document", str(file), 2)


def test_a_settings_file_of_the_current_directory_names_no_ledger_elsewhere(costctl: Costctl) -> None:
    file = costctl.cwd / "costctl.yaml"
    file.write_text("db: /srv/ledger.duckdb\n")
    run = costctl("report")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"error: {file}:1: a costctl.yaml in the current directory may only name")


def test_verbose_names_the_settings_and_the_ledger(costctl: Costctl) -> None:
    assert costctl("formats", "--verbose").err == f"settings: none\nledger: {costctl.ledger}\n"
    file = costctl.cwd / "costctl.yaml"
    file.write_text("db: own.duckdb\n")
    assert costctl("formats", "-v").err == f"settings: {file}\nledger: {costctl.cwd / 'own.duckdb'}\n"


def test_a_ledger_error_names_the_settings_that_chose_the_ledger(costctl: Costctl) -> None:
    file = costctl.cwd / "costctl.yaml"
    file.write_text("db: own.duckdb\n")
    assert f"the ledger is named in {file}" in costctl("report").err
    assert str(file) not in costctl("report", "--db", "other.duckdb").err
    assert str(file) not in costctl("report", env={"COSTCTL_DB": "other.duckdb"}).err


def test_a_ledger_that_is_none(costctl: Costctl) -> None:
    (costctl.cwd / "notes.txt").write_text("not a ledger\n" * 500)
    run = costctl("report", "--db", "notes.txt")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"error: {costctl.cwd / 'notes.txt'} is not a costctl ledger\n")


def test_names_in_errors_are_printable(costctl: Costctl) -> None:
    run = costctl("report", "--by", "team\x1b[2J\u202e")
    assert run.code == 2
    assert "\x1b" not in run.err
    assert "\u202e" not in run.err
    run = costctl("re\x1b[2Jport")
    assert run.code == 2
    assert "\x1b" not in run.err


# --- --out ------------------------------------------------------------------------------------------------


def test_out_writes_a_file_and_says_so(costctl: Costctl) -> None:
    run = costctl("formats", "--out", "formats.json")
    assert (run.code, run.out, run.err) == (0, "", "wrote formats.json\n")
    assert json.loads((costctl.cwd / "formats.json").read_text())["command"] == "formats"


def test_out_replaces_only_by_force(costctl: Costctl) -> None:
    kept: Path = costctl.cwd / "formats.csv"
    kept.write_text("kept")
    run = costctl("formats", "--out", "formats.csv", "--format", "json")
    assert (run.code, run.out) == (1, "")
    assert (run.error["code"], run.error["hint"]) == ("output", "use --force to replace it")
    assert kept.read_text() == "kept"
    run = costctl("formats", "--out", "formats.csv", "--force", "--quiet")
    assert (run.code, run.out, run.err) == (0, "", "")
    assert kept.read_text().startswith('"name","title","shapes"\n')


def test_out_refuses_before_the_work(costctl: Costctl) -> None:
    """The ledger is not there either, but what is wrong with --out is told first."""
    run = costctl("report", "--out", "report.xlsx")
    assert run.code == 2
    assert "no known ending" in run.err
