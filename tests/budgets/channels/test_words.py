"""What people read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.budgets.channels.messages import CRITICAL, DOLLAR, alert, message

from costctl.budgets.channels.slack import escape
from costctl.budgets.channels.words import line, subject, text


def test_an_alert_says_who_when_and_how_much_of_how_much() -> None:
    # 96.200000000001 of 100 is 96.2 %; November has 30 days.
    assert line(CRITICAL) == (
        "critical: budget search (team=search), 2026-11-01 to 2026-11-30: "
        "$96.20 spent of $100.00 (96.2%), $128.00 expected"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event": "repeat"}, "still critical: budget search"),
        ({"event": "resolve", "reason": "below"}, "no longer critical: budget search"),
        ({"event": "resolve", "reason": "below"}, "$96.20 spent of $100.00 (96.2%); below"),
        # 128 of 100 is 128 %
        (
            {"basis": "forecast"},
            "critical by forecast: budget search (team=search), 2026-11-01 to 2026-11-30: "
            "$128.00 expected of $100.00 (128.0%), $96.20 spent so far",
        ),
        # 12,345 of 10 is 123,450 %
        (
            {"spent_pico": 12_345 * DOLLAR, "limit_pico": 10 * DOLLAR},
            "$12,345.00 spent of $10.00 (123,450.0%)",
        ),
        ({"unpriced": 1}, "; a lower bound: 1 call has no price"),
        ({"unpriced": 1200}, "; a lower bound: 1,200 calls have no price"),
        ({"late": True}, "; late: the period was over when this became known"),
        ({"scope": ""}, "critical: budget search, 2026-11-01 to"),
        ({"limit_pico": None, "forecast_pico": None}, "$96.20 spent, which is $95.00 or more"),
        ({"period_end": datetime(2026, 11, 2, tzinfo=CRITICAL.period_start.tzinfo)}, "search), 2026-11-01: "),
        # under a cent two digits are shown
        ({"spent_pico": 1_234_000_000, "forecast_pico": None}, "$0.0012 spent of"),
    ],
)
def test_what_else_it_says(changes: dict[str, object], said: str) -> None:
    assert said in line(alert(**changes))


def test_one_alert_is_the_subject_several_are_counted() -> None:
    over = alert(event="resolve")
    assert subject(message()) == "costctl: critical: budget search (team=search), $96.20 of $100.00"
    assert subject(message(CRITICAL, over, CRITICAL)) == "costctl: 2 budget alerts, 1 over"
    assert subject(message(over, over)) == "costctl: 2 budget alerts over"
    assert subject(message(test=True)) == "costctl: test of a channel"


@pytest.mark.parametrize(
    ("delayed_s", "begins"),
    [
        (3600, "costctl"),
        (3601, "delayed 1 h: costctl"),
        (6 * 3600 + 59, "delayed 6 h: costctl"),
        (71 * 3600 + 3599, "delayed 71 h: costctl"),
        (72 * 3600, "delayed 3 days: costctl"),
    ],
)
def test_a_late_delivery_says_so_first(delayed_s: int, begins: str) -> None:
    assert text(message(), 4000) == f"costctl: {line(CRITICAL)}"
    for items in ((CRITICAL,), (CRITICAL, CRITICAL)):
        assert text(message(*items, delayed_s=delayed_s), 4000).startswith(begins)
        assert subject(message(*items, delayed_s=delayed_s)).startswith(begins)


def test_names_are_printable_and_short() -> None:
    evil = alert(budget="a\x1b[2J\u202eb\nc", scope="team=" + "x" * 500, threshold="\u009bt", reason="r\r\n")
    said = text(message(evil), 4000)
    assert r"a\x1b[2J\u202eb\nc" in said
    assert r"\x9bt: budget" in said
    assert said.endswith(r"; r\r\n")
    assert "team=" + "x" * 114 + "…)" in said  # 120 characters
    assert len(said.splitlines()) == 1


def test_no_more_than_fifty_are_written_out() -> None:
    said = text(message(*[alert(event_id=str(n)) for n in range(200)]), 1_000_000).split("\n")
    assert said[0] == "costctl: 200 budget alerts"
    assert len(said) == 52
    assert said[-1] == "and 150 more"


@pytest.mark.parametrize("most", [2_000, 4_000, 16_000])
def test_what_has_no_room_is_counted(most: int) -> None:
    items = [alert(budget="&" * 120, event_id=str(n)) for n in range(60)]
    said = text(message(*items), most, escape)
    assert len(said.encode()) <= most
    *written, last = said.split("\n")[1:]
    assert last == f"and {60 - len(written)} more"
    assert all(line.count("&amp;") == 120 for line in written)


def test_rolling_days_show_their_first_and_last() -> None:
    rolling = alert(
        kind="7d",
        period_start=datetime(2026, 11, 3, tzinfo=UTC),
        period_end=datetime(2026, 11, 10, tzinfo=UTC),
    )
    assert "2026-11-03 to 2026-11-09" in line(rolling)
