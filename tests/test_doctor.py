"""What the doctor finds: each fault is made, and told."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from costctl import ingest
from costctl.config import Settings, SourceEntry
from costctl.doctor import Case, Diagnosis, Finding, doctor
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.state import Part, State, beside

HAIKU = "claude-haiku-3-20250307"
"""0.25 USD per million tokens of input and 1.25 of output (the book's chapter on costs, its price table)."""

NOW = datetime.now(UTC)
"""The ledger notes the clock's time at each change, so a diagnosis is of now."""
TODAY = NOW - timedelta(hours=3)


@pytest.fixture(autouse=True)
def _as_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that comes late in a long run is of its own time."""
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "NOW", datetime.now(UTC))
    monkeypatch.setattr(module, "TODAY", datetime.now(UTC) - timedelta(hours=3))


def call(**fields: Any) -> str:
    """A line of a call log: 1,000,000 tokens in and 400,000 out, so 0.25 + 0.50 = 0.75 USD."""
    line = {
        "timestamp": TODAY.isoformat(),
        "team_id": "search",
        "provider": "anthropic",
        "model": HAIKU,
        "input_tokens": 1_000_000,
        "output_tokens": 400_000,
    }
    return json.dumps({**line, **fields}) + "\n"


class Patient:
    """A ledger with files beside it, and its diagnosis."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.home.mkdir(mode=0o700)
        self.ledger = Ledger(self.home / "ledger.duckdb", wait=0)
        self.settings = Settings(db=self.ledger.path, tz="UTC")
        self.transcripts: tuple[Path, ...] = ()
        self.fault = ""

    def file(self, name: str, content: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def ingest(self, *paths: Path) -> None:
        done = ingest.ingest(self.ledger, [str(path) for path in paths], book=PriceBook())
        assert not done.failed, done.outcome.notes

    def diagnosis(self, now: datetime | None = None) -> Diagnosis:
        return doctor(
            Case(
                self.ledger,
                self.settings,
                now or NOW + timedelta(minutes=1),
                self.fault,
                self.transcripts,
                root=self.directory,
            )
        )

    def found(self, check: str, now: datetime | None = None) -> list[Finding]:
        return [each for each in self.diagnosis(now).findings if each.check == check]

    def one(self, check: str, now: datetime | None = None) -> Finding:
        (finding,) = self.found(check, now)
        return finding


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


def told(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(each.state, each.what) for each in findings]


# --- the whole --------------------------------------------------------------------------------------------


def test_a_ledger_in_good_health(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call(id="a")))
    done = patient.diagnosis()
    # The shipped prices grow old by themselves.
    attention = [each for each in done.findings if each.state != "ok" and each.check != "price books"]
    assert (attention, done.unreadable) == ([], False)
    assert [each.check for each in done.findings] == [
        "settings",
        "zone",
        "disk",
        "files",
        "modes",
        "holder",
        "ledger",
        "newest data",
        "clock",
        "same calls",
        "prices",
        "price books",
        "rejects",
        "ledger's blocks",
        "not read yet",
        "gone",
    ]


def test_the_report_has_hints_as_a_column_and_in_a_table_as_notes(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call(model="unheard-of")))
    done = patient.diagnosis()
    report = done.report()
    assert [column.name for column in report.columns] == ["check", "state", "what", "hint"]
    assert report.notes == ()
    hint = "`costctl prices check` says why; a prices.yaml can name them"
    assert ("prices", "warning", "1 call without one: unheard-of", hint) in report.rows
    narrow = done.report(narrow=True)
    assert [column.name for column in narrow.columns] == ["check", "state", "what"]
    assert f"prices: {hint}" in narrow.notes


def test_without_a_ledger(patient: Patient) -> None:
    done = patient.diagnosis()
    finding = next(each for each in done.findings if each.check == "ledger")
    assert (finding.state, done.attention, done.unreadable) == ("warning", True, False)
    assert "costctl ingest PATH" in finding.hint


def test_a_file_that_is_no_ledger(patient: Patient) -> None:
    patient.ledger.path.write_text("notes")
    done = patient.diagnosis()
    assert done.unreadable
    finding = next(each for each in done.findings if each.check == "ledger")
    assert (finding.state, finding.what) == ("problem", f"{patient.ledger.path} is not a costctl ledger")


def test_a_check_that_fails_is_a_row_and_the_others_go_on(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    with duckdb.connect(str(patient.ledger.path)) as connection:
        connection.execute("DROP VIEW calls")
    states = {each.check: each for each in patient.diagnosis().findings}
    assert states["prices"].state == "problem"
    assert states["prices"].what.startswith("could not be checked: Catalog Error")
    assert states["newest data"].state == states["rejects"].state == states["gone"].state == "ok"


# --- the machine ------------------------------------------------------------------------------------------


def test_who_holds_the_ledger(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    with open(patient.ledger.files.lock, "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        done = patient.diagnosis()
    held = next(each for each in done.findings if each.check == "holder")
    assert held.what.startswith(f"held by process {os.getpid()} (")
    assert done.unreadable  # it was waited for, and did not come free
    assert patient.one("holder").what == "no costctl process"


def test_blocks_that_cannot_be_read(patient: Patient) -> None:
    lines = "".join(call(id=str(number), session=os.urandom(200).hex()) for number in range(4000))
    patient.ingest(patient.file("usage.jsonl", lines))
    with patient.ledger.writing() as connection:
        connection.execute("FORCE CHECKPOINT")
    size = patient.ledger.path.stat().st_size
    assert size > 20 * 65536
    with open(patient.ledger.path, "r+b") as file:  # a block of 64 KiB in the middle
        file.seek(size // 2)
        file.write(os.urandom(65536))
    done = patient.diagnosis()
    problems = {each.check for each in done.findings if each.state == "problem"}
    assert "ledger's blocks" in problems
    assert not done.unreadable


def test_what_was_left_behind(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    files = patient.ledger.files
    files.damaged.write_bytes(b"")
    files.new.write_bytes(b"")
    (files.spill / "reading-999999999").mkdir(parents=True)
    assert [each.what.partition(":")[0] for each in patient.found("files")] == [
        "ledger.duckdb.new",
        "ledger.duckdb.damaged",
        str(files.spill / "reading-999999999"),
    ]


def test_files_that_others_may_read(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    settings = patient.file("settings/costctl.yaml", "")
    budgets = patient.file("settings/budgets.yaml", "")
    settings.chmod(0o646)
    budgets.chmod(0o640)
    patient.settings = patient.settings._replace(file=settings)
    patient.ledger.path.chmod(0o644)
    assert told(patient.found("modes")) == [
        ("warning", "ledger.duckdb: other users may read it"),
        ("warning", "budgets.yaml: other users may read it"),
        ("warning", "costctl.yaml: every user may change it"),
    ]


def test_settings_that_cannot_be_read(patient: Patient) -> None:
    patient.fault = "costctl.yaml:3: unknown key dbb"
    prices = patient.file("prices.yaml", "prices: 5\n")
    patient.settings = patient.settings._replace(
        prices=prices, sources=(SourceEntry(path=str(patient.directory / "logs" / "*.jsonl")),)
    )
    first, second, third = patient.found("settings")
    assert (first.state, first.what) == ("problem", "costctl.yaml:3: unknown key dbb")
    assert second.state == "problem"
    assert second.what.startswith(f"{prices}:1:")
    assert (third.state, third.what) == (
        "warning",
        f"sources: nothing is at {patient.directory}/logs/*.jsonl",
    )


def test_every_file_that_the_settings_name_is_looked_at(patient: Patient) -> None:
    budgets = patient.file("b.yaml", "budgts: []\n")
    rates = patient.file("rates.yaml", "rates: {TWD: {2024-10-01: 0}}\n")
    budgets.chmod(0o600)
    mapping = patient.file("gateway.yaml", "name: gateway\n")
    patient.settings = patient.settings._replace(
        budgets=budgets,
        currency_file=rates,
        sources=(SourceEntry(path=str(patient.directory), map=str(mapping)),),
    )
    _, *problems = patient.found("settings")
    assert told(problems) == [
        ("problem", f"{budgets}:1: unknown key budgts"),
        ("problem", f"{rates}:1: rates.TWD.2024-10-01 must be greater than 0, not '0'"),
        ("problem", f"{mapping}:1: the file lacks the key columns"),
    ]


def test_a_ledger_that_was_cut_short(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    with open(patient.ledger.path, "r+b") as file:
        file.truncate(20_000)
    done = patient.diagnosis()
    finding = done.findings[-1]
    assert (finding.check, finding.state) == ("ledger", "problem")
    assert finding.hint.startswith("restore it from your own backup")
    assert done.unreadable


def test_the_state_beside_the_ledger(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    assert patient.found("state") == []
    path = beside(patient.ledger.path)
    rows = "CREATE TABLE seen (name TEXT)", *["INSERT INTO seen VALUES (hex(zeroblob(1500)))"] * 50
    with State(path, Part("alerts", (rows,))):
        pass
    assert told(patient.found("state")) == [("ok", "state.sqlite can be read")]
    with open(path, "r+b") as file:  # pages in the middle; SQLite's are of 4 kB
        file.seek(40_960)
        file.write(os.urandom(40_960))
    finding = patient.one("state")
    assert finding.state == "problem"
    assert finding.hint.startswith("move it away")
    path.write_bytes(b"no database at all")
    assert told(patient.found("state")) == [("problem", f"{path} is not costctl's state")]


def test_a_zone_without_a_name(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    patient.settings = patient.settings._replace(tz=None)
    patient.file("etc/localtime", "TZif")
    finding = patient.one("zone")
    assert (finding.state, finding.hint) == ("warning", "name it with --tz or COSTCTL_TZ")
    assert "does not say the zone's name" in finding.what


def test_the_zone_and_its_rules(patient: Patient) -> None:
    patient.settings = patient.settings._replace(tz="Europe/Berlin")
    assert patient.one("zone").what.startswith("Europe/Berlin, as set; rules of tzdata 20")


# --- contents ---------------------------------------------------------------------------------------------


def test_the_newest_data_of_each_format_and_its_age(patient: Patient) -> None:
    old = datetime(2024, 10, 5, 12, tzinfo=UTC)
    message = {
        "id": "msg_1",
        "type": "message",
        "model": HAIKU,
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "timestamp": (old - timedelta(days=1)).isoformat(),
    }
    log = patient.file("usage.jsonl", call(id="a", timestamp=old.isoformat()))
    patient.ingest(log, patient.file("messages.jsonl", json.dumps(message) + "\n"))
    # 2024-10-07T12:00 to 2024-10-05T12:00.
    at = datetime(2024, 10, 7, 12, tzinfo=UTC)
    assert told(patient.found("newest data", at)) == [
        ("ok", "costctl: 2024-10-05 12:00, 2 days old, in 1 source"),
        ("ok", "anthropic-messages: 2024-10-04 12:00, 3 days old, in 1 source"),
    ]
    # Eight days after the newest.
    late = patient.found("newest data", datetime(2024, 10, 13, 12, tzinfo=UTC))
    assert told(late)[-1] == ("warning", "nothing is newer than 8 days")


def test_times_to_come(patient: Patient) -> None:
    later = NOW + timedelta(hours=8, minutes=30)
    patient.ingest(patient.file("usage.jsonl", call(id="a") + call(id="b", timestamp=later.isoformat())))
    finding = patient.one("clock")
    assert (finding.state, finding.what) == ("warning", "costctl: 1 call up to 8 hours in the future")
    assert "--assume-tz" in finding.hint


def test_a_clock_that_was_set_back(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call(timestamp="2024-10-05T12:00:00Z")))
    finding = patient.one("clock", NOW - timedelta(days=400, hours=1))
    assert (finding.state, finding.what) == ("problem", "the ledger was last changed 400 days in the future")


def test_calls_and_reports_of_one_day(patient: Patient) -> None:
    day = f"{TODAY:%Y-%m-%d}"
    bucket = {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day}T23:59:59Z",
        "results": [{"uncached_input_tokens": 4_000_000, "output_tokens": 0, "model": HAIKU}],
    }
    patient.ingest(
        patient.file("usage.jsonl", call(id="a")),
        patient.file("report.json", json.dumps({"data": [bucket], "has_more": False, "next_page": None})),
    )
    finding = patient.one("told twice")
    # 4 million tokens at 0.25 USD a million.
    assert finding.what == (
        "1 bucket of anthropic (anthropic-usage, $1.00) on 1 day left out: calls tell of them; --grain bucket"
    )
    assert (finding.state, "calls count before buckets" in finding.hint) == ("ok", True)


def test_two_groupings_of_one_day(patient: Patient) -> None:
    def report(name: str, *results: dict[str, Any]) -> Path:
        day = f"{TODAY:%Y-%m-%d}"
        bucket = {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day}T23:59:59Z", "results": [*results]}
        return patient.file(name, json.dumps({"data": [bucket], "has_more": False, "next_page": None}))

    usage = {"output_tokens": 0, "model": HAIKU}
    patient.ingest(
        report("by_model.json", {**usage, "uncached_input_tokens": 8_000_000}),
        report("early.json", {**usage, "uncached_input_tokens": 4_000_000, "workspace_id": "a"}),
    )
    finding = patient.one("told twice")
    # 4 million tokens at 0.25 USD a million.
    assert finding.what.startswith(
        "1 bucket of anthropic (anthropic-usage, $1.00) on 1 day may be told twice"
    )
    assert finding.state == "warning"


def litellm(**fields: Any) -> str:
    """A line of LiteLLM's spend logs about the same call as :func:`call`."""
    line = {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "spend": 0.75,
        "total_tokens": 1_400_000,
        "prompt_tokens": 1_000_000,
        "completion_tokens": 400_000,
        "startTime": TODAY.isoformat(),
        "endTime": TODAY.isoformat(),
        "model": HAIKU,
        "custom_llm_provider": "anthropic",
        "status": "success",
        "metadata": {},
    }
    return json.dumps({**line, **fields}) + "\n"


def test_calls_that_two_formats_may_both_tell_of(patient: Patient) -> None:
    log = call(id="a") + call(id="b") + call(id="c", output_tokens=400_001)
    gateway = litellm(request_id="x") + litellm(
        request_id="y", startTime=(TODAY - timedelta(minutes=2)).isoformat()
    )
    patient.ingest(patient.file("usage.jsonl", log), patient.file("spend.jsonl", gateway))
    # Of a, b and x one is too many; c has other tokens, y is of another minute.
    finding = patient.one("same calls")
    assert (finding.state, finding.what) == (
        "warning",
        "costctl and litellm: 1 call, $0.75, may be told by both",
    )


def test_calls_with_an_id_in_common_are_one_already(patient: Patient) -> None:
    patient.ingest(
        patient.file("usage.jsonl", call(id="chatcmpl-1")),
        patient.file("spend.jsonl", litellm(request_id="chatcmpl-1")),
    )
    assert patient.one("same calls").state == "ok"


def test_shipped_prices_grow_old(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    known = PriceBook().as_of
    assert known is not None
    at = datetime(known.year, known.month, known.day, tzinfo=UTC)
    assert patient.one("price books", at + timedelta(days=90)).state == "ok"
    finding = patient.one("price books", at + timedelta(days=91))
    assert (finding.state, finding.what.partition(", ")[2]) == (
        "warning",
        f"whose prices are known up to {known}, 91 days ago",
    )


def test_books_that_the_ledger_does_not_know_yet(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    prices = patient.file("prices.yaml", f"prices:\n  - model: {HAIKU}\n    input: 1\n    output: 2\n")
    patient.settings = patient.settings._replace(prices=prices)
    finding = patient.one("price books")
    assert (finding.state, finding.hint) == ("ok", "`costctl reprice` shows what they would change")


def test_lines_that_could_not_be_read(patient: Patient) -> None:
    patient.ingest(patient.file("usage.jsonl", call(id="a") + call(id="b", input_tokens=1.5)))
    assert told(patient.found("rejects")) == [("warning", "1 line of 1 file could not be read")]


# --- where usage came from --------------------------------------------------------------------------------


def test_files_that_are_gone_or_have_changed(patient: Patient) -> None:
    first, second, third = (patient.file(f"{name}.jsonl", call(id=name)) for name in "abc")
    patient.ingest(first, second, third)
    first.unlink()
    with second.open("a") as file:
        file.write(call(id="d"))
    assert told(patient.found("gone")) == [("warning", f"1 file: {first}")]
    assert told(patient.found("not read yet")) == [("warning", f"1 file has changed since: {second}")]


def transcript(number: int) -> str:
    message = {
        "id": f"msg_{number}",
        "model": HAIKU,
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "type": "message",
        "role": "assistant",
    }
    line = {
        "type": "assistant",
        "sessionId": "11111111-1111-4111-8111-111111111111",
        "uuid": f"22222222-2222-4222-8222-{number:012d}",
        "timestamp": TODAY.isoformat(),
        "message": message,
    }
    return json.dumps(line) + "\n"


@pytest.fixture
def claude(patient: Patient) -> Path:
    """Claude Code's directory, with transcripts of 24 and of 2 days of age."""
    home = patient.directory / "claude"
    patient.transcripts = (home / "projects",)
    for name, days in (("old", 24), ("new", 2)):
        path = patient.file(f"claude/projects/-work-shop/{name}.jsonl", transcript(days))
        then = (NOW - timedelta(days=days, minutes=5)).timestamp()
        os.utime(path, (then, then))
    return home


def test_transcripts_that_are_about_to_be_deleted(patient: Patient, claude: Path) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    finding = patient.one("transcripts")
    projects = claude / "projects"
    what = f"1 transcript in {projects} that Claude Code may delete within 7 days is not in the ledger"
    assert (finding.state, finding.what) == ("problem", what)
    assert "costctl ingest --claude-code" in finding.hint
    patient.ingest(claude / "projects")
    assert told(patient.found("transcripts")) == [
        ("ok", "Claude Code may delete 1 transcript within 7 days; the ledger has all of them")
    ]
    # When it has, its calls are still there.
    (claude / "projects" / "-work-shop" / "old.jsonl").unlink()
    assert told(patient.found("gone")) == [
        ("ok", "1 transcript that Claude Code has deleted; the ledger has what was in them")
    ]


@pytest.mark.parametrize(
    ("days", "state", "what"),
    [
        (365, "ok", "none in"),
        (31.5, "ok", "none in"),
        (8, "problem", "2 transcripts"),
        (0, "problem", "2 transcripts"),
        ("30", "warning", "no number of days"),
        (True, "warning", "no number of days"),
        (None, "problem", "1 transcript"),
    ],
)
def test_the_days_after_which_claude_code_deletes(
    patient: Patient, claude: Path, days: object, state: str, what: str
) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    (claude / "settings.json").write_text(json.dumps({"cleanupPeriodDays": days}))
    finding = patient.one("transcripts")
    assert finding.state == state
    assert what in finding.what


def test_an_organizations_settings_go_first(patient: Patient, claude: Path) -> None:
    patient.ingest(patient.file("usage.jsonl", call()))
    (claude / "settings.json").write_text('{"cleanupPeriodDays": 365}')
    managed = patient.file("etc/claude-code/managed-settings.json", '{"cleanupPeriodDays": 20}')
    assert str(managed) in patient.one("transcripts").hint
    managed.write_text("{")
    assert patient.one("transcripts").what.startswith(f"{managed} cannot be read")
