"""``costctl budgets check``, ``history`` and ``silence`` as cron and monitors run them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.analysis.by_hand import USD, fill
from tests.budgets.channels.receivers import Answer, WebReceiver, web
from tests.conftest import Costctl
from tests.ledger.processes import holder

from costctl.ledger import Ledger

NOW = ("--now", "2024-10-10T12:00Z")
CANARY = "CANARY-9f1c"

BUDGETS = """
budgets:
- name: search
  scope: {team: search}
  amounts: {month: 100}
  channels: [ops, log]
channels:
  ops: {type: webhook, url: "${OPS_URL}"}
  log: {type: webhook, url: "${LOG_URL}"}
"""


def spend(costctl: Costctl, usd: int, team: str = "search") -> None:
    """Have a ledger in which that was spent on the morning of 2024-10-10."""
    call = {"ts": "2024-10-10 08:00:00", "cost_pico": usd * USD, "team": team}
    fill(Ledger(costctl.ledger), [call])


def state(costctl: Costctl) -> Path:
    return costctl.ledger.with_name("state.sqlite")


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with web() as found:
        yield found


@pytest.fixture
def watched(costctl: Costctl, receiver: WebReceiver) -> Costctl:
    """A ledger with 100 of 100 spent, its budgets, and a receiver for their two channels."""
    spend(costctl, 100)
    (costctl.cwd / "budgets.yaml").write_text(BUDGETS)
    costctl.environment = {
        "OPS_URL": f"{receiver.url}/ops?token={CANARY}",
        "LOG_URL": f"{receiver.url}/log",
    }
    return costctl


def paths(receiver: WebReceiver) -> list[str]:
    return sorted(each.path.partition("?")[0] for each in receiver.received)


def keys(receiver: WebReceiver) -> set[str]:
    return {each.headers["idempotency-key"] for each in receiver.received}


# --- the line, the code, what is printed ------------------------------------------------------------------


@pytest.mark.parametrize(("usd", "code", "word"), [(79, 0, "OK"), (80, 1, "WARNING"), (95, 2, "CRITICAL")])
def test_the_exit_code_and_the_line(watched: Costctl, usd: int, code: int, word: str) -> None:
    spend(watched, usd)
    done = watched("budgets", "check", *NOW)
    assert done.code == code
    assert done.out.startswith(f"COSTCTL {word}: ")
    assert done.out.count("\n") == 1
    assert done.err == ""


def test_json_tells_the_same(watched: Costctl) -> None:
    done = watched("budgets", "check", *NOW, "--format", "json")
    assert done.code == 2
    found = done.json
    assert (found["command"], found["status"], found["exit_code"]) == ("budgets check", "CRITICAL", 2)
    assert (found["alerts"], found["delivered"], found["undelivered"], found["data_age"]) == (
        1,
        2,
        0,
        4 * 3600,
    )
    (row,) = found["rows"]
    assert (row["budget"], row["scope"], row["period"], row["threshold"]) == (
        "search",
        "team=search",
        "month",
        "exceeded",
    )
    assert (row["spent"], row["amount"], row["share"]) == (100, 100, 1)


def test_quiet_prints_only_news(watched: Costctl) -> None:
    first = watched("budgets", "check", "--quiet", *NOW)
    assert first.code == 2
    assert first.out.startswith("COSTCTL CRITICAL: ")
    again = watched("budgets", "check", "--quiet", "--now", "2024-10-10T12:05Z")
    assert (again.code, again.out, again.err) == (2, "", "")


def test_a_dry_run_sends_and_writes_nothing(watched: Costctl, receiver: WebReceiver) -> None:
    done = watched("budgets", "check", "--dry-run", *NOW)
    assert done.code == 2
    assert [line.partition(":")[0] for line in done.err.splitlines()] == [
        "would be sent to ops",
        "would be sent to log",
    ]
    assert "'undelivered'=0;" in done.out  # nothing was put where it could wait
    assert receiver.received == []
    assert not state(watched).exists()


def test_a_channel_that_is_down_changes_no_exit_code_and_hides_nothing(
    watched: Costctl, receiver: WebReceiver
) -> None:
    watched.environment["OPS_URL"] = f"http://127.0.0.1:9/{CANARY}"
    done = watched("budgets", "check", *NOW)
    assert done.code == 2
    assert "'undelivered'=1;;;0" in done.out
    assert done.err.startswith("channel ops: connection refused; attempt 1 in a row, the next after 5")
    assert paths(receiver) == ["/log"]
    assert CANARY not in done.out + done.err


# --- everything that goes wrong is UNKNOWN ----------------------------------------------------------------


def unknown(costctl: Costctl, *arguments: str) -> str:
    """What is said by a check that cannot be made."""
    done = costctl("budgets", "check", *NOW, *arguments)
    assert done.code == 3, done
    assert done.out.startswith("COSTCTL UNKNOWN: ")
    assert done.out.count("\n") == 1
    assert CANARY not in done.out + done.err
    return done.out.removeprefix("COSTCTL UNKNOWN: ").strip()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-agee", "1h"], "no such option"),
        (["extra"], "unexpected extra argument"),
        (["--max-age", "soon"], "--max-age: 'soon' is not a length of time"),
        (["--max-age"], "--max-age"),
        (["--now", "yesterday-ish"], "--now: 'yesterday-ish' is not a time"),
        (["--tz", "Mars/Olympus"], "Mars/Olympus"),
        (["--format", "xml"], "'xml' is no format"),
        (["--wait", "ages"], "'ages' is not a number of seconds"),
        (["--budgets", "elsewhere.yaml"], "elsewhere.yaml"),
        (["--db", "elsewhere.duckdb"], "there is no ledger at"),
        (["--out", "line.nonsense"], "line.nonsense"),
    ],
)
def test_wrong_usage(watched: Costctl, arguments: list[str], said: str) -> None:
    assert said.lower() in unknown(watched, *arguments).lower()


def test_without_budgets(costctl: Costctl) -> None:
    spend(costctl, 1)
    assert unknown(costctl) == "there are no budgets: no budgets.yaml beside costctl.yaml, or here"


def test_without_a_ledger(watched: Costctl) -> None:
    watched.ledger.unlink()
    assert unknown(watched).startswith("there is no ledger at")
    assert not state(watched).exists()


def test_with_a_ledger_that_is_none(watched: Costctl) -> None:
    watched.ledger.write_text("a,b\n1,2\n")
    assert "is not a costctl ledger" in unknown(watched)


@pytest.mark.heavy
def test_with_a_ledger_that_is_locked(watched: Costctl) -> None:
    with holder(Ledger(watched.ledger), "writing") as process:
        assert f"is held by process {process.pid}" in unknown(watched, "--wait", "0")


@pytest.mark.parametrize(
    "text",
    [
        "budgets: [",
        "budgets: []",
        "budgets: [{name: a, scope: all, amounts: {month: 0}}]",
        "budgets: !!python/object/apply:os.system [true]",
        "[" * 50_000,
        BUDGETS + "chanels: {}",
    ],
)
def test_with_a_broken_file(watched: Costctl, text: str) -> None:
    (watched.cwd / "budgets.yaml").write_text(text)
    assert "budgets.yaml:" in unknown(watched)


def test_with_a_secret_that_is_not_set(watched: Costctl) -> None:
    del watched.environment["LOG_URL"]
    assert "the environment variable LOG_URL is not set" in unknown(watched)


def test_with_a_secret_that_is_no_address(watched: Costctl) -> None:
    watched.environment["OPS_URL"] = CANARY
    assert "channels.ops" in unknown(watched)


def test_with_a_state_that_is_none(watched: Costctl) -> None:
    state(watched).write_text("not a database" * 100)
    assert "is not costctl's state" in unknown(watched)


def test_with_a_state_that_leads_elsewhere(watched: Costctl, tmp_path: Path) -> None:
    state(watched).symlink_to(tmp_path / "elsewhere")
    assert "is a link" in unknown(watched)
    assert not (tmp_path / "elsewhere").exists()


def test_with_a_fault_of_the_program_itself(watched: Costctl) -> None:
    """A message in the outbox that no version has ever written. What it holds is not shown."""
    watched(
        "budgets", "check", *NOW, env={"OPS_URL": "http://127.0.0.1:9/", "LOG_URL": "http://127.0.0.1:9/"}
    )
    with closing(sqlite3.connect(state(watched))) as connection:
        connection.execute("UPDATE outbox SET body = ?", [f'{{"{CANARY}'])
        connection.commit()
    done = watched("budgets", "check", "--now", "2024-10-10T13:00Z")
    assert done.code == 3
    assert done.out == "COSTCTL UNKNOWN: internal error: JSONDecodeError\n"
    assert "outbox.py" in done.err
    assert CANARY not in done.out + done.err


def test_an_error_is_json_where_that_is_asked_for(watched: Costctl) -> None:
    done = watched("budgets", "check", "--max-age", "soon", "--format", "json")
    assert done.code == 3
    assert done.error["code"] == "usage"


def test_old_data(watched: Costctl) -> None:
    assert unknown(watched, "--max-age", "3h").startswith("the newest call is 4.0 h old, more than 3.0 h | ")
    assert watched("budgets", "check", *NOW, "--max-age", "4h").code == 2


def test_a_reader_that_went_away_changes_no_exit_code(watched: Costctl) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as stdout:
        process = watched.start("budgets", "check", *NOW, stdout=stdout, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (2, b"")


# --- history and silences ---------------------------------------------------------------------------------


def test_history_and_acknowledging(watched: Costctl) -> None:
    (watched.cwd / "budgets.yaml").write_text(BUDGETS)
    watched("budgets", "check", *NOW, env={"LOG_URL": "http://127.0.0.1:9/"})
    without = BUDGETS.replace(", log]", "]").replace('  log: {type: webhook, url: "${LOG_URL}"}\n', "")
    (watched.cwd / "budgets.yaml").write_text(without)
    done = watched("budgets", "check", "--now", "2024-10-10T13:00Z")
    assert done.code == 2
    assert "was given up after 1 attempts (connection refused)" in done.err
    rows = watched("budgets", "history", "--format", "json").json["rows"]
    assert [(row["channel"], row["delivery"]) for row in rows if row["channel"]] == [
        ("log", "dead"),
        ("ops", "sent"),
    ]
    acknowledged = watched("budgets", "history", "--acknowledge")
    assert "acknowledged: 1 message that was given up" in acknowledged.err
    assert watched("budgets", "check", "--now", "2024-10-10T14:00Z").err == ""


def test_history_without_a_state_is_empty_and_makes_none(costctl: Costctl) -> None:
    assert costctl("budgets", "history", "--format", "json").json["rows"] == []
    assert not state(costctl).exists()


def test_a_silence_from_its_beginning_to_its_end(watched: Costctl, receiver: WebReceiver) -> None:
    made = watched(
        "budgets", "silence", "search", "--until", "4h", "--reason", "load test", *NOW, "--format", "json"
    )
    (row,) = made.json["rows"]
    assert (row["match"], row["state"], row["reason"]) == ("budget=search", "holds", "load test")
    assert (row["starts"], row["ends"]) == ("2024-10-10T12:00:00+00:00", "2024-10-10T16:00:00+00:00")
    assert row["who"]
    done = watched("budgets", "check", *NOW)
    assert done.code == 2
    assert "silenced until 2024-10-10 16:00" in done.out
    assert receiver.received == []
    watched("budgets", "silence", "search", "--end", "--now", "2024-10-10T13:00Z")
    watched("budgets", "check", "--now", "2024-10-10T13:00Z")
    assert paths(receiver) == ["/log", "/ops"]
    (row,) = watched("budgets", "silence", "--format", "json").json["rows"]
    assert (row["state"], row["ended_at"]) == ("ended", "2024-10-10T13:00:00+00:00")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serch", "--until", "4h", "--reason", "x"], "did you mean search?"),
        (["search"], "a silence needs --until and --reason"),
        (["search", "--until", "4h"], "a silence needs --until and --reason"),
        (["search", "--until", "2024-10-09", "--reason", "x"], "is over"),
        (["search", "--until", "never", "--reason", "x"], "never"),
        (["search", "--end", "--until", "4h"], "leave out --until"),
        (["--until", "4h"], "a silence needs a budget"),
    ],
)
def test_a_silence_that_cannot_be(watched: Costctl, arguments: list[str], said: str) -> None:
    done = watched("budgets", "silence", *arguments, *NOW)
    assert done.code == 2
    assert said in done.err


# --- processes --------------------------------------------------------------------------------------------


@pytest.mark.heavy
def test_two_checks_started_together_tell_once(watched: Costctl, receiver: WebReceiver) -> None:
    for _ in range(50):
        for each in state(watched).parent.glob("state.sqlite*"):
            each.unlink()
        receiver.received.clear()
        pair = [watched.start("budgets", "check", *NOW, stdout=subprocess.PIPE) for _ in range(2)]
        outs = [process.communicate(timeout=60)[0] for process in pair]
        assert [process.returncode for process in pair] == [2, 2], outs
        assert paths(receiver) == ["/log", "/ops"], "exactly one post a channel"


MARKS = ["look", "record", "recorded", "claimed", "sent", "marked"]


@pytest.mark.heavy
@pytest.mark.parametrize("mark", MARKS)
def test_a_check_that_is_killed_repeats_at_most_once_and_with_the_same_id(
    watched: Costctl, receiver: WebReceiver, mark: str, tmp_path: Path
) -> None:
    """Every mark is written to a pipe, for which the program waits until somebody reads it. It is killed
    while it waits to say ``mark``. The lease has run out when it is run again."""
    pipe = tmp_path / "marks"
    os.mkfifo(pipe)
    process = watched.start(
        "budgets",
        "check",
        *NOW,
        env=watched.variables({"COSTCTL_PHASES": str(pipe)}),
        stdout=subprocess.DEVNULL,
    )
    for expected in MARKS[: MARKS.index(mark)]:
        assert pipe.read_text() == f"{expected}\n"
    _wait_until(lambda: _has_come_to(mark, watched, receiver))
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    before = len(receiver.received)
    watched("budgets", "check", "--now", "2024-10-10T12:03Z")
    watched("budgets", "check", "--now", "2024-10-10T12:06Z")
    sent = paths(receiver)
    assert sent in (["/log", "/ops"], ["/log", "/log", "/ops"], ["/log", "/ops", "/ops"])
    assert len(sent) == (3 if mark == "sent" else 2), "sent and not marked: once more, and only then"
    assert before == (mark in ("sent", "marked"))
    assert len(keys(receiver)) == 2, "one id a channel"


def _has_come_to(mark: str, costctl: Costctl, receiver: WebReceiver) -> bool:
    """Whether what comes before ``mark`` has been done: no more follows until it is read."""
    facts = {
        "recorded": "SELECT count(*) = 2 FROM outbox",
        "claimed": "SELECT count(claim) = 1 FROM outbox",
        "marked": "SELECT count(*) = 1 FROM outbox WHERE status = 'sent'",
    }
    if mark not in facts:
        return mark != "sent" or len(receiver.received) == 1
    with closing(sqlite3.connect(state(costctl))) as connection:
        return bool(connection.execute(facts[mark]).fetchone()[0])


def _wait_until(done: Callable[[], bool]) -> None:
    for _ in range(3000):
        if done():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


@pytest.mark.heavy
def test_six_hours_of_outage_lose_nothing(watched: Costctl) -> None:
    with web(Answer(503)) as broken:
        watched.environment["OPS_URL"] = broken.url
        for half_hours in range(12):
            moment = f"2024-10-10T{12 + half_hours // 2}:{half_hours % 2 * 30:02}Z"
            assert watched("budgets", "check", "--now", moment).code == 2
        assert len(broken.received) <= 12
        broken.answers[:] = [Answer(200)]
        broken.received.clear()
        watched("budgets", "check", "--now", "2024-10-10T18:30Z")
    (received,) = broken.received
    body = json.loads(received.body)
    assert body["delayed_s"] == 6 * 3600 + 1800
    assert [item["threshold"] for item in body["alerts"]] == ["exceeded"]


@pytest.mark.heavy
def test_a_state_that_is_lost_repeats_with_the_same_ids(watched: Costctl, receiver: WebReceiver) -> None:
    watched("budgets", "check", *NOW)
    for each in state(watched).parent.glob("state.sqlite*"):
        each.unlink()
    watched("budgets", "check", "--now", "2024-10-10T13:00Z")
    assert paths(receiver) == ["/log", "/log", "/ops", "/ops"]
    assert len(keys(receiver)) == 2
