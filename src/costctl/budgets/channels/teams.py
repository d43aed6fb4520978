"""Microsoft Teams: a webhook of the Workflows app ("When a Teams webhook request is received").

Success is 2xx (a workflow says 202). An old connector's address answered 200 to faults as well, with the
true status in the text: ``… returned HTTP error 429 …``. A message may have 28 KB.
Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
and https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run (no Markdown in a TextRun).
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from costctl.budgets.channels.http import Answer, by_status, post
from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.channels.words import text
from costctl.budgets.message import Message

MOST_BYTES = 8_000
"""Of text: in JSON a character may take three times the bytes, and each line adds its own frame."""

_FAULT = re.compile(rb"HTTP error (\d{3})", re.IGNORECASE)


def send(settings: Settings, message: Message, deadline: float) -> Sent:
    heading, *lines = text(message, MOST_BYTES).split("\n")
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [_paragraph(heading, weight="Bolder"), *(_paragraph(line) for line in lines)],
        "msteams": {"width": "Full"},
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    body = {"type": "message", "attachments": [attachment]}
    return post(settings.text("url"), json.dumps(body).encode(), {}, deadline, _judge)


def _paragraph(words: str, **style: str) -> dict[str, object]:
    """Runs of text, not a TextBlock: that would read Markdown, and so a link, out of a name."""
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": words, **style}]}


def _judge(answer: Answer) -> Sent:
    if answer.accepted and (fault := _FAULT.search(answer.content)):
        return replace(by_status(Answer(int(fault[1]))), ok=False)
    return by_status(answer)
