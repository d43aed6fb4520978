"""A receiver of one's own: JSON, an id by which it can drop repeats, and a signature.

``Idempotency-Key`` is the message's id at every attempt. With ``secret``, ``X-Costctl-Signature:
t=SECONDS,v1=HEX``: HMAC-SHA256 with the secret over the seconds, a point and the body's bytes, anew at every
attempt.
"""

from __future__ import annotations

import hashlib
import hmac
import time

from costctl.budgets.channels.document import document
from costctl.budgets.channels.http import post
from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.message import Message


def send(settings: Settings, message: Message, deadline: float) -> Sent:
    body = document(message)
    headers = settings.texts("headers")
    ours = {"Idempotency-Key": message.msg_id}
    if secret := settings.text("secret"):
        ours["X-Costctl-Signature"] = signature(secret, int(time.time()), body)
    taken = {name.lower() for name in ours}
    kept = {name: value for name, value in headers.items() if name.lower() not in taken}
    return post(settings.text("url"), body, {**kept, **ours}, deadline)


def signature(secret: str, seconds: int, body: bytes) -> str:
    """The header's value for a body that is sent at ``seconds`` since 1970."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={signed.hexdigest()}"
