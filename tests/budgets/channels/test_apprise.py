"""Every other service, by apprise: behind the same deadline, without redirects, and silent."""

from __future__ import annotations

import json

import pytest
from tests.budgets.channels.messages import alert, message, send_to
from tests.budgets.channels.receivers import Answer, closed_port, web

from costctl.budgets.channels import Sent
from costctl.documents import Secret

pytest.importorskip("apprise")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's own


def there(url: str, path: str = "/hook") -> dict[str, object]:
    return {"url": Secret(url.replace("http://", "json://") + path)}


def test_it_arrives_as_plain_text() -> None:
    with web() as receiver:
        sent = send_to("apprise", there(receiver.url), message(alert(budget="<b>&")))
        assert sent == Sent(True, "sent by apprise")
    (received,) = receiver.received
    body = json.loads(received.body)
    assert body["title"] == "costctl: critical: budget <b>& (team=search), $96.20 of $100.00"
    assert "budget <b>& (team=search)" in body["message"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_its_target_is_never_asked(status: int) -> None:
    with web() as target, web(Answer(status, headers={"Location": f"{target.url}/target"})) as receiver:
        assert send_to("apprise", there(receiver.url)) == Sent(False, "apprise could not send it")
        assert target.received == []


@pytest.mark.parametrize("status", [404, 429, 500])
def test_a_refusal(status: int) -> None:
    with web(Answer(status)) as receiver:
        assert send_to("apprise", there(receiver.url)) == Sent(False, "apprise could not send it")


def test_a_port_that_refuses() -> None:
    sent = send_to("apprise", there(f"http://127.0.0.1:{closed_port()}"))
    assert sent == Sent(False, "apprise could not send it")


@pytest.mark.parametrize("answer", [Answer(silent=True), Answer(drip_body=True, body=b" " * 1000)])
def test_the_deadline_is_overall(answer: Answer) -> None:
    with web(answer) as receiver:
        assert send_to("apprise", there(receiver.url), deadline=1.0) == Sent(False, "no answer in time")


@pytest.mark.parametrize("url", ["nosuchservice://x", "", "http://["])
def test_what_apprise_does_not_know(url: str) -> None:
    sent = send_to("apprise", {"url": Secret(url)})
    assert sent == Sent(False, "the url is none that apprise knows", final=True)
