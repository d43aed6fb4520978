"""DingTalk's custom robots.

Every answer is 200; success is ``errcode`` 0 in it. With ``secret``, the robot's signature: HMAC-SHA256 of
``TIMESTAMP\\nSECRET`` with the secret as key, in base64, URL-encoded once; the timestamp is in milliseconds
and may be an hour off. A robot takes 20 messages a minute, then none for ten minutes.
Source: https://open.dingtalk.com/document/group/custom-robot-access
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote_plus

from costctl.budgets.channels.http import Answer, by_status, post
from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.channels.words import text
from costctl.budgets.message import Message

MOST_BYTES = 16_000
"""DingTalk takes 20,000 bytes."""

_TOO_FAST = frozenset({90030, 130101})
_BUSY = -1
_PAUSE_S = 600.0


def send(settings: Settings, message: Message, deadline: float) -> Sent:
    # Text, not Markdown: a name can neither be a link nor an image; and nobody is called to it.
    body = {
        "msgtype": "text",
        "text": {"content": text(message, MOST_BYTES)},
        "at": {"atMobiles": [], "isAtAll": False},
    }
    url = settings.text("url")
    if secret := settings.text("secret"):
        url += ("&" if "?" in url else "?") + signature(secret, int(time.time() * 1000))
    return post(url, json.dumps(body).encode(), {}, deadline, _judge)


def signature(secret: str, timestamp_ms: int) -> str:
    """The two parameters that sign a request."""
    said = f"{timestamp_ms}\n{secret}".encode()
    sign = base64.b64encode(hmac.digest(secret.encode(), said, hashlib.sha256))
    return f"timestamp={timestamp_ms}&sign={quote_plus(sign)}"


def _judge(answer: Answer) -> Sent:
    if answer.status != 200:
        return by_status(answer) if not answer.accepted else _not_read(answer)
    try:
        read: Any = json.loads(answer.content)
        code = read["errcode"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return _not_read(answer)
    if type(code) is not int or abs(code) >= 10**9:
        return _not_read(answer)
    if code == 0:
        return Sent(True, "errcode 0")
    if code in _TOO_FAST:
        return Sent(False, f"errcode {code}, too many messages", retry_after=_PAUSE_S)
    return Sent(False, f"errcode {code}", final=code != _BUSY)


def _not_read(answer: Answer) -> Sent:
    return Sent(False, f"HTTP {answer.status} without an errcode", final=True)
