"""One run of check: its line and exit code, what it tells, what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.analysis.by_hand import USD, fill
from tests.budgets.channels.receivers import Answer, web
from tests.ledger.processes import holder

from costctl.budgets import history, load, memory
from costctl.budgets.channels import Sent
from costctl.budgets.check import Checked, check
from costctl.budgets.message import Message
from costctl.budgets.model import ChannelSettings
from costctl.ledger import Ledger, LedgerLocked
from costctl.state import State, beside

SEARCH = """
budgets:
- name: search
  scope: {team: search}
  amounts: {month: 100}
  channels: [web]
channels:
  web: {type: webhook, url: "http://127.0.0.1:9/"}
"""


def call(ts: str, usd: int | None, team: str = "search", **more: Any) -> dict[str, Any]:
    return {"ts": ts, "cost_pico": None if usd is None else usd * USD, "team": team, **more}


@dataclass
class Desk:
    """A ledger, its budgets.yaml and what was received, in a directory of their own."""

    directory: Path
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    received: list[tuple[str, Message]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.directory.chmod(0o700)
        self.ledger = Ledger(self.directory / "ledger.duckdb", wait=0)
        self.file = self.directory / "budgets.yaml"
        self.write(SEARCH)

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def spend(self, *calls: Mapping[str, Any], commit: int | None = None) -> None:
        fill(self.ledger, calls)
        if commit is not None:
            with self.ledger.writing() as connection:
                connection.execute("UPDATE meta SET value = ? WHERE key = 'commit'", [str(commit)])

    def state(self) -> State:
        return State(beside(self.ledger.path), memory.PART)

    def send(self, channel: ChannelSettings, message: Message, _: float) -> Sent:
        if channel.name in self.down:
            return Sent(False, "HTTP 503")
        self.received.append((channel.name, message))
        return Sent(True, "HTTP 200")

    def check(self, now: str, **options: Any) -> Checked:
        moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
        with self.state() as state:
            return check(
                self.ledger, state, load(self.file, {}), moment, zone=self.zone, send=self.send, **options
            )

    def told(self, now: str, **options: Any) -> list[str]:
        """What is received in a check at ``now``."""
        before = len(self.received)
        self.check(now, **options)
        return [
            " ".join(
                filter(None, (item.event, item.threshold, item.scope, item.kind, "late" if item.late else ""))
            )
            for _, message in self.received[before:]
            for item in message.items
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# --- the line and the code --------------------------------------------------------------------------------


WHO = "search team=search month"


@pytest.mark.parametrize(
    ("usd", "code", "said"),
    [
        (79, 0, "OK: all below their thresholds, 1 budget"),
        (80, 1, f"WARNING: 1 warning of 1 budget; {WHO} 80.0 % (80.00 of 100.00 USD)"),
        (95, 2, f"CRITICAL: 1 critical of 1 budget; {WHO} 95.0 % (95.00 of 100.00 USD)"),
        (356, 2, f"CRITICAL: 1 critical of 1 budget; {WHO} 356.0 % (356.00 of 100.00 USD)"),
    ],
)
def test_the_line_and_the_exit_code(desk: Desk, usd: int, code: int, said: str) -> None:
    desk.spend(call("2024-10-10 12:00:00", usd))
    found = desk.check("2024-10-10 12:07:00")
    assert found.code == code
    # the newest call is 7 minutes old; warning from 80, critical from 95
    measures = f"'search team:search month USD'={usd}.00;80.00;95.00;0;100.00 'data_age'=420s;;;0"
    assert found.line == f"COSTCTL {said} | {measures} 'undelivered'=0;;;0"
    figures = found.report.figures
    assert (figures["exit_code"], figures["data_age"], figures["undelivered"]) == (code, 420, 0)


def test_certain_and_bad_comes_before_unknown_before_warning(desk: Desk) -> None:
    desk.write(
        """
budgets:
- {name: fine, scope: {team: a}, amounts: {month: 100}}
- {name: near, scope: {team: b}, amounts: {month: 100}}
- {name: open, scope: {team: c}, amounts: {month: 100}, on_unpriced: unknown}
- {name: over, scope: {team: d}, amounts: {month: 100}}
"""
    )
    day = "2024-10-10 12:00:00"
    near, unpriced, over = call(day, 85, "b"), call(day, None, "c"), call(day, 100, "d")
    desk.spend(near, unpriced, over)
    assert desk.check(day).line.startswith(
        "COSTCTL CRITICAL: 1 critical, 1 unknown, 1 warning of 4 budgets; over "
    )
    desk.spend(near, unpriced)
    assert desk.check(day).code == 3
    desk.spend(near)
    assert desk.check(day).code == 1


def test_no_name_ends_the_line_or_begins_its_data(desk: Desk) -> None:
    desk.write("budgets: [{name: \"a|b='c'\\nd\", scope: all, amounts: {month: 100}}]")
    desk.spend(call("2024-10-10 12:00:00", 100))
    said, _, measured = desk.check("2024-10-10 12:00:00").line.partition(" | ")
    assert "\n" not in said + measured
    assert "|" not in said + measured
    assert measured.startswith("'a/b:''c'' d month USD'=100.00;")


# --- when nothing is known --------------------------------------------------------------------------------


def test_old_data_is_unknown_however_little_was_spent(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 1))
    age = timedelta(hours=26)
    assert desk.check("2024-10-11 14:00:00", max_age=age).code == 0
    found = desk.check("2024-10-11 14:00:01", max_age=age)
    assert found.code == 3
    assert found.line.startswith("COSTCTL UNKNOWN: the newest call is 26.0 h old, more than 26.0 h | ")
    assert found.is_news


def test_old_data_moves_no_alert(desk: Desk) -> None:
    desk.write(SEARCH + "\n")
    desk.spend(call("2024-10-10 12:00:00", 100))
    assert desk.told("2024-10-12 12:00:00", max_age=timedelta(hours=1)) == []
    assert desk.told("2024-10-12 12:00:00") == ["fire exceeded team=search month"]


def test_old_data_holds_back_no_message(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    desk.down = {"web"}
    assert desk.told("2024-10-10 12:00:00") == []
    desk.down = set()
    assert desk.told("2024-10-10 14:00:00", max_age=timedelta(hours=1)) == ["fire exceeded team=search month"]


def test_an_empty_ledger_is_unknown(desk: Desk) -> None:
    desk.spend()
    found = desk.check("2024-10-10 12:00:00")
    assert found.code == 3
    assert found.line == "COSTCTL UNKNOWN: the ledger holds no calls | 'undelivered'=0;;;0"


@pytest.mark.heavy
def test_a_locked_ledger_holds_back_no_message(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    desk.down = {"web"}
    desk.check("2024-10-10 12:00:00")
    desk.down = set()
    with holder(desk.ledger, "writing"), pytest.raises(LedgerLocked):
        desk.check("2024-10-10 12:10:00")
    assert len(desk.received) == 1


@pytest.mark.parametrize(("unpriced", "code"), [("ok", 0), ("warning", 1), ("unknown", 3)])
def test_calls_without_a_price(desk: Desk, unpriced: str, code: int) -> None:
    desk.write(SEARCH.replace("  channels", f"  on_unpriced: {unpriced}\n  channels"))
    desk.spend(call("2024-10-10 12:00:00", 50), call("2024-10-10 12:00:00", None))
    found = desk.check("2024-10-10 12:00:00")
    assert found.code == code
    assert ("at least 50.0 % (50.00 of 100.00 USD), 1 call without a price" in found.line) == bool(code)


def test_a_lower_bound_that_has_reached_a_limit_has_reached_it(desk: Desk) -> None:
    desk.write(SEARCH.replace("  channels", "  on_unpriced: unknown\n  send_resolved: true\n  channels"))
    unpriced = call("2024-10-10 12:00:00", None)
    desk.spend(call("2024-10-10 12:00:00", 100), unpriced)
    assert desk.told("2024-10-10 12:00:00") == ["fire exceeded team=search month"]
    assert desk.check("2024-10-10 12:00:00").code == 2
    desk.spend(call("2024-10-10 12:00:00", 10), unpriced)
    assert desk.told("2024-10-10 13:00:00") == [], "what is below by what is known is not known to be below"


# --- what is told -----------------------------------------------------------------------------------------


def test_each_value_of_a_scope_has_its_alerts(desk: Desk) -> None:
    desk.write(SEARCH.replace("{team: search}", "{team: each}") + "\n")
    desk.spend(call("2024-10-10 12:00:00", 100, "a"), call("2024-10-10 12:00:00", 85, "b"))
    assert desk.told("2024-10-10 12:00:00") == [
        "fire exceeded team=a month",
        "fire warning team=b month",
    ]
    assert len(desk.received) == 1, "one message"
    desk.spend(call("2024-10-10 12:00:00", 100, "a"), call("2024-10-10 12:00:00", 95, "b"))
    assert desk.told("2024-10-10 13:00:00") == ["fire critical team=b month"]


def test_a_value_whose_calls_are_gone_is_below(desk: Desk) -> None:
    """Allocated to another team since."""
    desk.write(SEARCH.replace("{team: search}", "{team: each}\n  send_resolved: true") + "\n")
    desk.spend(call("2024-10-10 12:00:00", 100, "a"))
    assert desk.told("2024-10-10 12:00:00") == ["fire exceeded team=a month"]
    desk.spend(call("2024-10-10 12:00:00", 70, "b"))
    assert desk.told("2024-10-10 13:00:00") == ["resolve exceeded team=a month"]
    assert desk.told("2024-10-10 14:00:00") == []


def test_a_day_and_a_month_are_told_apart(desk: Desk) -> None:
    desk.write(SEARCH.replace("{month: 100}", "{day: 10, month: 100}"))
    desk.spend(call("2024-10-10 12:00:00", 10))
    assert desk.told("2024-10-10 12:00:00") == ["fire exceeded team=search day"]
    desk.spend(*[call(f"2024-10-{day} 12:00:00", 10) for day in range(10, 18)])  # 80 in the month
    assert desk.told("2024-10-17 12:00:00") == [
        "fire exceeded team=search day",
        "fire exceeded team=search day late",  # of the 16th, at which nobody looked
        "fire warning team=search month",
    ]


def test_rolling_days_tell_once_until_they_fall(desk: Desk) -> None:
    desk.write(SEARCH.replace("{month: 100}", "{7d: 100}\n  send_resolved: true"))
    desk.spend(call("2024-10-01 12:00:00", 60), call("2024-10-03 12:00:00", 40))
    assert desk.told("2024-10-03 12:00:00") == ["fire exceeded team=search 7d"]
    for day in range(4, 8):  # the first falls out of the seven days with the 8th
        assert desk.told(f"2024-10-0{day} 12:00:00") == []
    assert desk.told("2024-10-08 12:00:00") == ["resolve exceeded team=search 7d"]
    desk.spend(call("2024-10-03 12:00:00", 40), call("2024-10-09 12:00:00", 60))
    assert desk.told("2024-10-09 12:00:00") == ["fire exceeded team=search 7d"]


def test_a_rolling_sum_that_plays_about_its_limit_tells_once(desk: Desk) -> None:
    desk.write(SEARCH.replace("{month: 100}", "{2d: 100}\n  send_resolved: true"))
    spent = {1: 50, 2: 50, 3: 46, 4: 55, 5: 44}  # in two days: 50, 100, 96, 101, 99
    desk.spend(*[call(f"2024-10-0{day} 12:00:00", usd) for day, usd in spent.items()])
    told = [desk.told(f"2024-10-0{day} 12:00:00") for day in spent]
    assert told == [[], ["fire exceeded team=search 2d"], [], [], []]


def test_a_former_name_keeps_the_alerts(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    assert desk.told("2024-10-10 12:00:00") == ["fire exceeded team=search month"]
    desk.write(SEARCH.replace("name: search", "name: find\n  formerly: search"))
    assert desk.told("2024-10-10 13:00:00") == []
    desk.write(SEARCH.replace("name: search", "name: find"))
    assert desk.told("2024-10-10 14:00:00") == ["fire exceeded team=search month"], "it is another budget"


def test_a_budget_that_was_taken_out_and_put_back_tells_nothing_twice(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    assert desk.told("2024-10-10 12:00:00") == ["fire exceeded team=search month"]
    desk.write(
        "budgets: [{name: other, scope: all, amounts: {month: 1000}}]\n"
        + SEARCH.partition("channels: [web]")[2]
    )
    assert desk.told("2024-10-10 13:00:00") == []
    desk.write(SEARCH)
    assert desk.told("2024-10-10 14:00:00") == []


def test_a_channel_that_is_named_while_it_fires_hears_of_it(desk: Desk) -> None:
    desk.write(SEARCH.replace("  channels: [web]\n", ""))
    desk.spend(call("2024-10-10 12:00:00", 100))
    assert desk.told("2024-10-10 12:00:00") == []
    desk.write(SEARCH)
    assert desk.told("2024-10-10 13:00:00") == ["fire exceeded team=search month"]


def test_late_calls_of_a_period_that_ended_weeks_ago(desk: Desk) -> None:
    """Told when a file that came later raises it; without such a file, nobody looks back so far."""
    old = [call("2024-09-20 12:00:00", 70), call("2024-10-25 12:00:00", 1)]
    desk.spend(*old)
    _commit(desk, 1, "2024-10-25T12:00:00.000000Z")
    assert desk.told("2024-10-25 13:00:00") == []
    desk.spend(*old, call("2024-09-21 12:00:00", 30))
    assert desk.told("2024-10-25 14:00:00") == []
    with desk.ledger.writing() as connection:
        # As ingest notes a commit with late calls: when it was, and from when on they are.
        connection.execute(
            """INSERT INTO meta VALUES ('late', '[[' || epoch_us(TIMESTAMP '2024-10-25 15:00:00') || ', '
            || epoch_us(TIMESTAMP '2024-09-21 12:00:00') || ']]')"""
        )
    assert desk.told("2024-10-25 15:30:00") == ["fire exceeded team=search month late"]
    assert desk.told("2024-10-25 16:00:00") == []


def _commit(desk: Desk, number: int, time: str) -> None:
    with desk.ledger.writing() as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'commit'", [str(number)])
        connection.execute("INSERT INTO meta VALUES ('last_commit', ?)", [time])


# --- the calendar and the clock ---------------------------------------------------------------------------


def test_another_zone_makes_no_new_alert(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    assert desk.told("2024-10-10 12:00:00") == ["fire exceeded team=search month"]
    desk.zone = ZoneInfo("Asia/Taipei")
    assert desk.told("2024-10-10 13:00:00") == []


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("Europe/Berlin", "2024-10-26 22:00:00"),  # the 27th has 25 hours, from 22:00 UTC
        ("America/Santiago", "2024-09-08 04:00:00"),  # has no midnight: it begins at 01:00, 04:00 UTC
        ("UTC", "2024-02-29 00:00:00"),
        ("UTC", "2024-03-01 00:00:00"),
        ("UTC", "2025-01-01 00:00:00"),
    ],
)
def test_a_new_day_begins_when_the_zone_says(desk: Desk, zone: str, ends: str) -> None:
    desk.zone = ZoneInfo(zone)
    desk.write(SEARCH.replace("{month: 100}", "{day: 100}\n  send_resolved: true"))
    end = datetime.fromisoformat(ends)
    last, first = str(end - timedelta(seconds=1)), str(end)
    desk.spend(call(last, 100), call(first, 5))
    assert desk.told(last) == ["fire exceeded team=search day"]
    assert desk.told(first) == ["resolve exceeded team=search day"]
    ((_, message),) = desk.received[1:]
    assert message.items[0].reason == "new period"


def test_a_clock_that_went_back_far_is_believed_and_said(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    assert desk.told("2034-10-10 12:00:00") == []
    said = desk.check("2024-10-10 12:00:00").said
    assert said == ("the clock went back by 87648 hours: 0 alerts were forgotten",)  # 10 years, 2 leap days
    assert len(desk.received) == 1


# --- other runs -------------------------------------------------------------------------------------------


def test_a_ledger_that_was_put_back_from_a_copy_is_believed(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 70), commit=9)
    assert desk.told("2024-10-10 12:00:00") == []
    desk.spend(call("2024-10-10 12:00:00", 100), commit=5)
    assert desk.told("2024-10-10 12:05:00") == ["fire exceeded team=search month"]
    assert desk.check("2024-10-10 12:10:00").said == ()


def test_a_look_that_was_overtaken_is_taken_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """While this run looks at 70, another ingests up to 100 and checks: what was seen is old."""
    from costctl.budgets import check as module

    desk.spend(call("2024-10-10 12:00:00", 70), commit=5)
    plain = module.look

    def slow(*arguments: Any, **options: Any) -> Any:
        found = plain(*arguments, **options)
        monkeypatch.setattr(module, "look", plain)
        desk.spend(call("2024-10-10 12:00:00", 100), commit=6)
        desk.check("2024-10-10 12:00:00")
        return found

    monkeypatch.setattr(module, "look", slow)
    found = desk.check("2024-10-10 12:00:00")
    assert found.code == 2
    assert found.said == ()
    assert len(desk.received) == 1


def test_budgets_that_were_edited_meanwhile_are_left_to_the_next_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from costctl.budgets import check as module

    desk.spend(call("2024-10-10 12:00:00", 100))
    plain = module.look

    def slow(*arguments: Any, **options: Any) -> Any:
        desk.write(SEARCH.replace("month: 100", "month: 1000"))
        return plain(*arguments, **options)

    monkeypatch.setattr(module, "look", slow)
    found = desk.check("2024-10-10 12:00:00")
    assert found.said == (f"{desk.file} was changed meanwhile: it is evaluated by the next run",)
    assert desk.received == []
    monkeypatch.undo()
    assert desk.told("2024-10-10 12:05:00") == []


# --- silences, rehearsals, history ------------------------------------------------------------------------


def test_a_silence_is_said_and_changes_no_exit_code(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    start, end = (datetime(2024, 10, 10, hour, tzinfo=UTC) for hour in (12, 16))
    with desk.state() as state:
        history.silence(state, "search", end, now=start, who="ada", reason="load test")
    found = desk.check("2024-10-10 12:00:00")
    assert found.code == 2
    assert "(100.00 of 100.00 USD), silenced until 2024-10-10 16:00 UTC | " in found.line
    assert desk.received == []
    assert desk.told("2024-10-10 16:00:00") == ["fire exceeded team=search month"]


def test_a_silence_that_is_ended_ends(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    start, end = (datetime(2024, 10, 10, hour, tzinfo=UTC) for hour in (12, 16))
    with desk.state() as state:
        history.silence(state, "search", end, now=start, who="ada", reason="load test")
        assert desk.told("2024-10-10 12:30:00") == []
        at = datetime(2024, 10, 10, 13, tzinfo=UTC)
        assert history.end_silences(state, "search", now=at, who="bob") == 1
        ((number, match, starts, ends, held, who, _, reason, ended_at, ended_by),) = history.silences(
            state, at, ZoneInfo("UTC")
        ).rows
    assert (number, match, held, who, reason, ended_by) == (
        1,
        "budget=search",
        "ended",
        "ada",
        "load test",
        "bob",
    )
    assert (starts, ends) == ("2024-10-10T12:00:00+00:00", "2024-10-10T16:00:00+00:00")
    assert ended_at == "2024-10-10T13:00:00+00:00"
    assert desk.told("2024-10-10 13:00:00") == ["fire exceeded team=search month"]


def test_a_rehearsal_says_what_would_be_sent_and_does_nothing(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    moment = datetime(2024, 10, 10, 12, tzinfo=UTC)
    with State.rehearsal(beside(desk.ledger.path), memory.PART) as state:
        found = check(desk.ledger, state, load(desk.file, {}), moment, zone=desk.zone, dry_run=True)
    assert found.code == 2
    (sentence,) = found.said
    assert sentence.startswith(
        "would be sent to web: exceeded: budget search (team=search), 2024-10-01 to 2024-10-31"
    )
    assert not beside(desk.ledger.path).exists()
    assert desk.told("2024-10-10 12:00:00") == ["fire exceeded team=search month"]


def test_history_tells_what_was_told_and_what_was_not(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    desk.check("2024-10-10 12:00:00")
    with desk.state() as state:
        report = history.history(state, ZoneInfo("UTC"))
    names = [column.name for column in report.columns]
    rows = [dict(zip(names, row, strict=True)) for row in report.rows]
    told, *others = rows
    assert (told["event"], told["threshold"], told["channel"], told["delivery"]) == (
        "fire",
        "exceeded",
        "web",
        "sent",
    )
    assert (told["time"], told["spent"], told["limit"]) == ("2024-10-10T12:00:00+00:00", 100 * USD, 100 * USD)
    assert sorted((each["threshold"], each["delivery"]) for each in others) == [
        ("critical", "covered"),
        ("warning", "covered"),
    ]


def test_only_news_is_news(desk: Desk) -> None:
    desk.spend(call("2024-10-10 12:00:00", 100))
    assert desk.check("2024-10-10 12:00:00").is_news
    assert not desk.check("2024-10-10 12:05:00").is_news, "still CRITICAL, and said already"


# --- a real receiver --------------------------------------------------------------------------------------


def test_the_body_is_the_same_at_every_attempt(desk: Desk) -> None:
    with web(Answer(503), Answer(200)) as receiver:
        desk.write(SEARCH.replace("http://127.0.0.1:9/", receiver.url))
        desk.spend(call("2024-10-10 12:00:00", 100))
        _really(desk, "2024-10-10 12:00:00")
        found = _really(desk, "2024-10-10 12:05:00")
    first, second = receiver.received
    sent = [json.loads(each.body) for each in (first, second)]
    assert [each.pop("delayed_s") for each in sent] == [0, 300]
    assert sent[0] == sent[1]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert found.report.figures["delivered"] == 1


def _really(desk: Desk, now: str) -> Checked:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    with desk.state() as state:
        return check(desk.ledger, state, load(desk.file, {}), moment, zone=desk.zone)
