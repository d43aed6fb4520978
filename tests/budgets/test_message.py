"""A message waits in the outbox as JSON and comes out as it went in."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from costctl.budgets.message import Item, Message

TAIPEI = ZoneInfo("Asia/Taipei")
ITEM = Item(
    event_id="e1",
    event="fire",
    budget="search",
    scope="team=search",
    kind="month",
    period_start=datetime(2026, 11, 1, tzinfo=TAIPEI),
    period_end=datetime(2026, 12, 1, tzinfo=TAIPEI),
    threshold="critical",
    basis="actual",
    spent_pico=2**70,
    limit_pico=100 * 10**12,
    threshold_pico=95 * 10**12,
)


def test_money_of_any_size_and_times_survive_json() -> None:
    message = Message("m1", (ITEM,), test=True)
    text = json.dumps(message.to_json())
    assert "1180591620717411303424" in text  # 2**70
    assert "2026-11-01T00:00:00+08:00" in text
    assert Message.from_json(json.loads(text)) == message


def test_the_delay_is_told_when_it_is_sent() -> None:
    body = Message("m1", (ITEM,), delayed_s=7).to_json()
    assert "delayed_s" not in body
    assert Message.from_json(body, delayed_s=3600).delayed_s == 3600


def test_a_key_of_a_later_version_is_passed_over_and_a_missing_one_is_not() -> None:
    body = ITEM.to_json()
    assert Item.from_json({**body, "added_later": 1}) == ITEM
    del body["budget"]
    with pytest.raises(TypeError, match="budget"):
        Item.from_json(body)
