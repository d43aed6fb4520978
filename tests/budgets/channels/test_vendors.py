"""What each vendor is sent, and by which rule its answer is read."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64encode
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.budgets.channels.messages import CRITICAL, DOLLAR, alert, message, send_to
from tests.budgets.channels.receivers import Answer, Received, web

from costctl.budgets.channels import Sent
from costctl.budgets.channels.dingtalk import signature
from costctl.documents import Secret


def body_of(received: Received) -> Any:
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("costctl/")
    return json.loads(received.body, parse_float=Decimal)


# --- Slack ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"ok", Sent(True, "HTTP 200")),
        (200, b"invalid_payload", Sent(False, "HTTP 200, invalid_payload", final=True)),
        (200, b"", Sent(False, "HTTP 200, not ok", final=True)),
        (200, b"<html>a login page</html>", Sent(False, "HTTP 200, not ok", final=True)),
        (404, b"no_service", Sent(False, "HTTP 404, no_service", final=True)),
        (410, b"channel_is_archived", Sent(False, "HTTP 410, channel_is_archived", final=True)),
        (403, b"words of a proxy", Sent(False, "HTTP 403", final=True)),
        (500, b"rollup_error", Sent(False, "HTTP 500, rollup_error")),
        (500, b"ok", Sent(False, "HTTP 500")),
    ],
)
def test_slack_says_ok(status: int, body: bytes, expected: Sent) -> None:
    with web(Answer(status, body)) as receiver:
        assert send_to("slack", {"url": Secret(receiver.url)}) == expected


def test_nothing_in_a_name_is_a_mention_or_a_link_for_slack() -> None:
    evil = alert(budget="<!channel>", scope="team=<http://evil.example|bank> & @here", threshold="<@U1>")
    with web(Answer(body=b"ok")) as receiver:
        assert send_to("slack", {"url": Secret(receiver.url)}, message(evil)).ok
    body = body_of(receiver.received[0])
    assert "<" not in body["text"]
    assert ">" not in body["text"]
    assert "budget &lt;!channel&gt; (team=&lt;http://evil.example|bank&gt; &amp; @here)" in body["text"]
    assert body["mrkdwn"] is False
    assert body["link_names"] is False
    assert body["parse"] == "none"
    assert body["unfurl_links"] is False
    assert body["unfurl_media"] is False


# --- DingTalk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"errcode":0,"errmsg":"ok"}', Sent(True, "errcode 0")),
        (200, b'{"errcode":310000,"errmsg":"sign not match"}', Sent(False, "errcode 310000", final=True)),
        (200, b'{"errcode":300001}', Sent(False, "errcode 300001", final=True)),
        (200, b'{"errcode":-1,"errmsg":"busy"}', Sent(False, "errcode -1")),
        # 20 messages a minute, then none for ten minutes
        (200, b'{"errcode":130101}', Sent(False, "errcode 130101, too many messages", retry_after=600.0)),
        (200, b'{"errcode":"0"}', Sent(False, "HTTP 200 without an errcode", final=True)),
        (200, b'{"errcode":false}', Sent(False, "HTTP 200 without an errcode", final=True)),
        (200, b'{"errcode":0.0}', Sent(False, "HTTP 200 without an errcode", final=True)),
        (200, b"[]", Sent(False, "HTTP 200 without an errcode", final=True)),
        (200, b"null", Sent(False, "HTTP 200 without an errcode", final=True)),
        (200, b"", Sent(False, "HTTP 200 without an errcode", final=True)),
        (200, b"[" * 60_000, Sent(False, "HTTP 200 without an errcode", final=True)),
        (200, b"\xff\xfe", Sent(False, "HTTP 200 without an errcode", final=True)),
        (204, b"", Sent(False, "HTTP 204 without an errcode", final=True)),
        (500, b'{"errcode":0}', Sent(False, "HTTP 500")),
    ],
)
def test_dingtalk_answers_200_to_errors(status: int, body: bytes, expected: Sent) -> None:
    with web(Answer(status, body)) as receiver:
        assert send_to("dingtalk", {"url": Secret(receiver.url)}) == expected


def test_dingtalk_gets_plain_text_and_calls_nobody() -> None:
    with web(Answer(body=b'{"errcode":0}')) as receiver:
        url = f"{receiver.url}/robot/send?access_token=T0"
        assert send_to("dingtalk", {"url": Secret(url)}, message(alert(budget="@all ![x](http://e)"))).ok
    assert receiver.received[0].path == "/robot/send?access_token=T0"
    body = body_of(receiver.received[0])
    assert body["msgtype"] == "text"
    assert "costctl" in body["text"]["content"]  # a key word that a robot may ask for
    assert body["at"] == {"atMobiles": [], "isAtAll": False}


def test_dingtalks_signature_by_hand() -> None:
    # printf '1700000000011\nSECabc' | openssl dgst -sha256 -hmac SECabc -binary | base64
    # gives xExLZuBAxaIrop0wGL20/+du634TRY5oq4uQ3Y9B5rw=; / is %2F, + is %2B, = is %3D, each once.
    sign = "xExLZuBAxaIrop0wGL20%2F%2Bdu634TRY5oq4uQ3Y9B5rw%3D"
    assert signature("SECabc", 1_700_000_000_011) == f"timestamp=1700000000011&sign={sign}"


@pytest.mark.parametrize("query", ["", "?access_token=T0"])
def test_a_server_that_decodes_once_finds_dingtalks_signature(query: str) -> None:
    secret = "SEC0123456789abcdef"
    before = int(time.time() * 1000)
    with web(Answer(body=b'{"errcode":0}')) as receiver:
        for _ in range(20):  # some of twenty signatures hold a + or a /
            url = Secret(f"{receiver.url}/robot/send{query}")
            assert send_to("dingtalk", {"url": url, "secret": Secret(secret)}).ok
            time.sleep(0.002)
    for received in receiver.received:
        values = parse_qs(urlsplit(received.path).query, strict_parsing=True)
        (timestamp,), (sign,) = values["timestamp"], values["sign"]
        assert before <= int(timestamp) <= time.time() * 1000
        digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
        assert sign == b64encode(digest).decode()
        assert ("access_token" in values) is bool(query)


# --- Teams ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, b"", Sent(True, "HTTP 202")),
        (200, b"1", Sent(True, "HTTP 200")),
        (
            200,
            b"Webhook message delivery failed with error: Teams endpoint returned HTTP error 429 with",
            Sent(False, "HTTP 429"),
        ),
        (200, b"... returned HTTP error 413 with ContextId", Sent(False, "HTTP 413", final=True)),
        (200, b"... returned HTTP error 200 with", Sent(False, "HTTP 200")),
        (400, b"Bad payload", Sent(False, "HTTP 400", final=True)),
    ],
)
def test_teams_takes_2xx_unless_the_text_says_otherwise(status: int, body: bytes, expected: Sent) -> None:
    with web(Answer(status, body)) as receiver:
        assert send_to("teams", {"url": Secret(receiver.url)}) == expected


def test_teams_gets_runs_of_text_in_which_nothing_is_markdown() -> None:
    evil = alert(budget="[bank](http://evil.example) **x** <at>all</at>")
    with web(Answer(202)) as receiver:
        assert send_to("teams", {"url": Secret(receiver.url)}, message(evil, CRITICAL)).ok
    body = body_of(receiver.received[0])
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.2")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert runs[0]["text"] == "costctl: 2 budget alerts"
    assert "budget [bank](http://evil.example) **x** <at>all</at> (team=search)" in runs[1]["text"]
    assert len(runs) == 3


def test_a_message_of_many_long_names_has_room_in_teams() -> None:
    items = [alert(budget="預" * 120, scope="算" * 120, event_id=str(n)) for n in range(500)]
    with web(Answer(202)) as receiver:
        assert send_to("teams", {"url": Secret(receiver.url)}, message(*items)).ok
    assert len(receiver.received[0].body) < 28_000


# --- the generic webhook ----------------------------------------------------------------------------------


def test_a_webhook_gets_every_fact_exactly() -> None:
    late = alert(event_id="e2", event="resolve", late=True, unpriced=3, reason="below", forecast_pico=None)
    late_hours = message(CRITICAL, late, delayed_s=7200)
    with web() as receiver:
        assert send_to("webhook", {"url": Secret(f"{receiver.url}/hook?a=1")}, late_hours).ok
    (received,) = receiver.received
    assert received.path == "/hook?a=1"
    assert b'"spent": 96.200000000001,' in received.body
    first = {
        "event_id": "e1",
        "event": "fire",
        "budget": "search",
        "scope": "team=search",
        "period": {
            "kind": "month",
            "start": "2026-11-01T00:00:00+08:00",
            "end": "2026-12-01T00:00:00+08:00",
        },
        "threshold": "critical",
        "basis": "actual",
        "spent": Decimal("96.200000000001"),
        "limit": Decimal("100.00"),
        "threshold_amount": Decimal("95.00"),
        "forecast": Decimal("128.00"),
        "late": False,
        "unpriced_calls": 0,
        "reason": "",
    }
    second = {**first, "event_id": "e2", "event": "resolve", "late": True, "unpriced_calls": 3,
              "reason": "below", "forecast": None}  # fmt: skip
    assert body_of(received) == {
        "schema_version": 1,
        "msg_id": "0123456789abcdef0123456789abcdef",
        "test": False,
        "delayed_s": 7200,
        "subject": "delayed 2 h: costctl: 1 budget alert, 1 over",
        "currency": "USD",
        "alerts": [first, second],
    }


def test_a_webhook_gets_all_alerts_however_many() -> None:
    items = [alert(event_id=str(n), spent_pico=n * DOLLAR) for n in range(200)]
    with web() as receiver:
        assert send_to("webhook", {"url": Secret(receiver.url)}, message(*items)).ok
    assert [each["event_id"] for each in body_of(receiver.received[0])["alerts"]] == [
        str(n) for n in range(200)
    ]


def test_the_id_is_the_same_at_every_attempt_and_the_signature_is_new() -> None:
    secret = "whsec-of-a-test"
    settings = {
        "url": "",
        "secret": Secret(secret),
        "headers": {
            "Authorization": Secret("Bearer abc"),
            "idempotency-key": Secret("not this one"),
            "X-Costctl-Signature": Secret("nor this"),
        },
    }
    with web(Answer(500), Answer(200)) as receiver:
        settings["url"] = Secret(receiver.url)
        assert not send_to("webhook", settings).ok
        time.sleep(1.1)
        assert send_to("webhook", settings).ok
    signatures = []
    for received in receiver.received:
        assert received.headers["idempotency-key"] == "0123456789abcdef0123456789abcdef"
        assert received.headers["authorization"] == "Bearer abc"
        seconds, signed = received.headers["x-costctl-signature"].removeprefix("t=").split(",v1=")
        expected = hmac.new(
            secret.encode(), seconds.encode() + b"." + received.body, hashlib.sha256
        ).hexdigest()
        assert signed == expected
        assert abs(time.time() - int(seconds)) < 300
        signatures.append(signed)
    assert signatures[0] != signatures[1]


def test_without_a_secret_nothing_is_signed() -> None:
    with web() as receiver:
        assert send_to("webhook", {"url": Secret(receiver.url)}).ok
    assert "x-costctl-signature" not in receiver.received[0].headers


@pytest.mark.parametrize("kind", ["slack", "dingtalk", "teams", "webhook"])
def test_a_test_says_that_it_is_one(kind: str) -> None:
    with web() as receiver:
        send_to(kind, {"url": Secret(receiver.url)}, message(test=True))
    assert b"test of a channel" in receiver.received[0].body
    assert b"budget search" not in receiver.received[0].body


@pytest.mark.parametrize("kind", ["slack", "dingtalk", "teams"])
def test_names_are_printable_wherever_people_read_them(kind: str) -> None:
    evil = alert(budget="a\x1b]0;title\x07\u202egnp", scope="team=\ud800")
    with web() as receiver:
        send_to(kind, {"url": Secret(receiver.url)}, message(evil))
    shown = json.dumps(body_of(receiver.received[0]), ensure_ascii=False)
    assert r"a\\x1b]0;title\\x07\\u202egnp (team=\\ud800)" in shown


def test_programs_get_names_as_they_are_in_bytes_that_no_terminal_obeys() -> None:
    name = "a\x1b]0;title\x07\u202egnp"
    with web() as receiver:
        send_to("webhook", {"url": Secret(receiver.url)}, message(alert(budget=name)))
    assert body_of(receiver.received[0])["alerts"][0]["budget"] == name
    assert not set(receiver.received[0].body.decode()) & set("\x1b\x07\u202e")
