"""Every other service, by the library apprise (optional: ``pip install 'costctl[apprise]'``).

What it reports is less than the own channels do: whether it went well, not why it did not, and nothing of
how long to wait. It counts any 200 as success.
"""

from __future__ import annotations

import logging
from functools import partial

from costctl.budgets.channels.deadline import within
from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.channels.words import subject, text
from costctl.budgets.message import Message

MOST_BYTES = 4_000


def send(settings: Settings, message: Message, deadline: float) -> Sent:
    # Both log addresses, tokens and passwords, whatever handlers the program has.
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        import apprise  # noqa: F401
    except ImportError:
        return Sent(False, "apprise is not installed: pip install 'costctl[apprise]'", final=True)
    return within(deadline, partial(_attempt, settings.text("url"), message))


def _attempt(url: str, message: Message) -> Sent:
    from apprise import Apprise, AppriseAsset, NotifyFormat

    asset = AppriseAsset(app_id="costctl", app_desc="costctl", app_url="", http_redirects=False)
    service = Apprise(asset=asset)
    try:
        known = service.add(url)
    except ValueError:
        known = False
    if not known:
        return Sent(False, "the url is none that apprise knows", final=True)
    done = service.notify(
        title=subject(message), body=text(message, MOST_BYTES), body_format=NotifyFormat.TEXT
    )
    return Sent(True, "sent by apprise") if done else Sent(False, "apprise could not send it")
