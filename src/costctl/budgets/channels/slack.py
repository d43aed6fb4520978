"""Slack's incoming webhooks, and servers that speak as they do (Mattermost).

Success is 200 with the body ``ok``; faults are words in the body, of which only Slack's own are repeated.
Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://docs.slack.dev/messaging/formatting-message-text (``&``, ``<`` and ``>`` are all that is escaped).
"""

from __future__ import annotations

import json

from costctl.budgets.channels.http import Answer, by_status, post
from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.channels.words import text
from costctl.budgets.message import Message

MOST_BYTES = 4_000
"""Slack breaks a longer text in two."""

_FAULTS = frozenset(
    {
        "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_payload", "invalid_token",
        "no_active_hooks", "no_service", "no_service_id", "no_team", "no_text",
        "posting_to_general_channel_denied", "rollup_error", "team_disabled", "too_many_attachments",
        "user_not_found",
    }
)  # fmt: skip


def send(settings: Settings, message: Message, deadline: float) -> Sent:
    body = {
        "text": text(message, MOST_BYTES, escape),
        "mrkdwn": False,
        "link_names": False,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return post(settings.text("url"), json.dumps(body).encode(), {}, deadline, _judge)


def escape(words: str) -> str:
    """What would be a mention (``<!channel>``), a link or an entity is text."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _judge(answer: Answer) -> Sent:
    said = answer.content.strip().decode("ascii", "replace")
    if answer.status == 200 and said != "ok":
        return Sent(False, f"HTTP 200, {said if said in _FAULTS else 'not ok'}", final=True)
    sent = by_status(answer)
    if answer.accepted or said not in _FAULTS:
        return sent
    return Sent(False, f"{sent.status}, {said}", sent.retry_after, sent.final)
