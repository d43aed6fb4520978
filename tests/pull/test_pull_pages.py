"""Pages of the vendors' reports, from a server that speaks their protocols into files."""

from __future__ import annotations

import json
import shutil
import ssl
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from tests.pull.vendor_server import (
    ANTHROPIC_KEY,
    OPENAI_KEY,
    Answer,
    Request,
    VendorServer,
    anthropic_error,
    openai_error,
    serving,
)

from costctl.pull import VENDORS, Patience, Pulled, PullError, plan, pull, pulled_files

NOW = datetime(2026, 10, 10, 12, tzinfo=UTC)
QUICK = Patience(connect=2, read=0.4, page=0.6, first_pause=0.01, longest_pause=5, tries=4)
KEYS = {"anthropic": ANTHROPIC_KEY, "openai": OPENAI_KEY}


class Puller:
    """Pulls into a directory, and keeps what was said meanwhile."""

    def __init__(self, vendor: VendorServer, directory: Path) -> None:
        self.vendor = vendor
        self.directory = directory
        self.said: list[str] = []

    def __call__(
        self,
        name: str = "anthropic",
        *reports: str,
        start: date | None = date(2026, 10, 8),
        end: date | None = None,
        now: datetime = NOW,
        key: str | None = None,
        url: str = "",
        group: tuple[str, ...] = (),
    ) -> Pulled:
        chosen = VENDORS[name]
        wanted = [each for each in chosen.reports if (each.name in reports if reports else each.by_default)]
        return pull(
            chosen,
            plan(chosen, wanted, self.directory, start, end, now, group),
            self.directory,
            key=KEYS[name] if key is None else key,
            url=url or self.vendor.url,
            now=now,
            say=self.said.append,
            patience=QUICK,
        )


@pytest.fixture
def puller(vendor: VendorServer, tmp_path: Path) -> Puller:
    return Puller(vendor, tmp_path / "pulls")


def names(pulled: Pulled) -> list[str]:
    return [path.name for path in pulled.files]


def failing(*answers: Answer) -> list[Callable[[Request], Answer | None]]:
    return [lambda _, each=each: each for each in answers]


# --- what is asked ----------------------------------------------------------------------------------------


def test_anthropics_usage_is_asked_as_documented(puller: Puller, vendor: VendorServer) -> None:
    puller("anthropic", "usage", start=date(2026, 10, 1), end=date(2026, 10, 4))
    (request,) = vendor.requests
    assert request.path == "/v1/organizations/usage_report/messages"
    assert (request.headers["x-api-key"], request.headers["anthropic-version"]) == (
        ANTHROPIC_KEY,
        "2023-06-01",
    )
    assert request.headers["user-agent"].startswith("costctl/")
    assert "authorization" not in request.headers
    assert request.one("starting_at") == "2026-10-01T00:00:00Z"
    assert request.one("ending_at") == "2026-10-04T00:00:00Z"
    assert (request.one("bucket_width"), request.one("limit")) == ("1d", "31")
    # Five at most: https://github.com/PostHog/posthog/issues/72556.
    assert request.all("group_by[]") == [
        "model",
        "service_tier",
        "context_window",
        "workspace_id",
        "api_key_id",
    ]


def test_anthropics_costs_are_grouped_by_all_that_there_is(puller: Puller, vendor: VendorServer) -> None:
    puller("anthropic", "cost")
    (request,) = vendor.requests
    assert request.path == "/v1/organizations/cost_report"
    assert request.all("group_by[]") == ["workspace_id", "description"]


def test_the_end_that_is_still_to_come_is_not_asked_of_anthropic(
    puller: Puller, vendor: VendorServer
) -> None:
    puller("anthropic", "usage", "cost")
    assert [request.one("ending_at") for request in vendor.requests] == [None, None]


def test_claude_code_is_asked_day_by_day(puller: Puller, vendor: VendorServer) -> None:
    pulled = puller("anthropic", "claude-code", start=date(2026, 10, 9))
    assert [request.one("starting_at") for request in vendor.requests] == ["2026-10-09", "2026-10-10"]
    assert {request.one("limit") for request in vendor.requests} == {"1000"}
    assert {request.path for request in vendor.requests} == {"/v1/organizations/usage_report/claude_code"}
    assert names(pulled) == [
        "anthropic-claude-code_2026-10-09_2026-10-09.json",
        "anthropic-claude-code_2026-10-10_2026-10-10.json",
    ]


def test_openai_is_asked_as_documented(puller: Puller, vendor: VendorServer) -> None:
    puller("openai", start=date(2026, 10, 8))
    assert [request.path.removeprefix("/v1/organization/") for request in vendor.requests] == [
        "usage/completions",
        "usage/embeddings",
        "usage/images",
        "usage/audio_speeches",
        "usage/audio_transcriptions",
        "usage/web_search_calls",
        "usage/file_search_calls",
        "usage/code_interpreter_sessions",
        "usage/vector_stores",
        "costs",
    ]
    assert {request.headers["authorization"] for request in vendor.requests} == {f"Bearer {OPENAI_KEY}"}
    assert not any("x-api-key" in request.headers for request in vendor.requests)
    completions, costs = vendor.requests[0], vendor.requests[-1]
    # 2026-10-08T00:00Z is 1791417600 s since 1970, three days later 1791676800: a bucket ends with its day.
    assert (completions.one("start_time"), completions.one("end_time")) == ("1791417600", "1791676800")
    assert completions.all("group_by[]") == [
        "project_id",
        "user_id",
        "api_key_id",
        "model",
        "batch",
        "service_tier",
    ]
    assert completions.one("limit") == "31"
    assert costs.all("group_by[]") == ["project_id", "line_item", "api_key_id"]
    assert costs.one("limit") == "180"


def test_grouping_by_speed_takes_the_beta_header(puller: Puller, vendor: VendorServer) -> None:
    group = ("model", "speed", "inference_geo")
    pulled = puller("anthropic", "usage", "cost", group=group)
    usage, cost = vendor.requests
    assert usage.headers["anthropic-beta"] == "fast-mode-2026-02-01"
    assert usage.all("group_by[]") == list(group)
    assert cost.all("group_by[]") == ["workspace_id", "description"]
    assert not pulled.failed
    assert names(pulled)[0] == "anthropic-usage+inference_geo+model+speed_2026-10-08_2026-10-10.json"


def test_other_groups_of_the_same_report_are_refused(puller: Puller) -> None:
    puller("anthropic", "usage")
    with pytest.raises(PullError, match="counted twice"):
        puller("anthropic", "usage", group=("model", "speed"))
    # Said in another order, they are the same.
    puller(
        "anthropic", "usage", group=("api_key_id", "model", "service_tier", "workspace_id", "context_window")
    )


# --- which days -------------------------------------------------------------------------------------------


def test_the_first_pull_reaches_thirty_days_back(puller: Puller, vendor: VendorServer) -> None:
    puller("anthropic", "cost", start=None)
    assert vendor.requests[0].one("starting_at") == "2026-09-10T00:00:00Z"


def test_the_next_pull_begins_three_days_before_the_last_day(puller: Puller, vendor: VendorServer) -> None:
    puller("anthropic", "usage", start=date(2026, 10, 1), end=date(2026, 10, 6))
    puller("anthropic", "usage", "cost", start=None)
    _, usage, cost = vendor.requests
    assert usage.one("starting_at") == "2026-10-02T00:00:00Z"  # the 5th was the last day, minus three
    assert cost.one("starting_at") == "2026-09-10T00:00:00Z"  # of the other report nothing was pulled yet


def test_days_to_come_are_not_asked_for(puller: Puller, vendor: VendorServer) -> None:
    puller("openai", "costs", start=date(2026, 10, 10), end=date(2027, 1, 1))
    assert vendor.requests[0].one("end_time") == "1791676800"  # 2026-10-11T00:00Z


# --- pages ------------------------------------------------------------------------------------------------


def test_pages_follow_each_other_and_stand_in_files_of_their_days(
    puller: Puller, vendor: VendorServer
) -> None:
    vendor.page_size = 2
    pulled = puller("anthropic", "usage", start=date(2026, 10, 6))
    assert names(pulled) == [
        "anthropic-usage_2026-10-06_2026-10-07.json",
        "anthropic-usage_2026-10-08_2026-10-09_p2.json",
        "anthropic-usage_2026-10-10_2026-10-10_p3.json",
    ]
    first, second, third = vendor.requests
    assert first.one("page") is None
    assert second.one("page") != third.one("page")
    without_page = [[each for each in request.parameters if each[0] != "page"] for request in vendor.requests]
    assert without_page[0] == without_page[1] == without_page[2]


def test_files_are_the_bytes_that_came_for_their_owner_only(puller: Puller, vendor: VendorServer) -> None:
    body = b'{"data": [ ],   "has_more":false, "next_page": null}\n'
    vendor.faults = failing(Answer(200, body))
    (path,) = puller("anthropic", "cost").files
    assert path.read_bytes() == body
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    # Without a bucket, the days are those that were asked for.
    assert path.name == "anthropic-cost_2026-10-08_2026-10-10.json"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_records_of_one_day_on_several_pages(puller: Puller, vendor: VendorServer) -> None:
    path = "/v1/organizations/usage_report/claude_code"
    vendor.results[path] = lambda day, _: [{"date": f"{day}T00:00:00Z", "actor": {}} for _ in range(3)]
    vendor.page_size = 2
    assert names(puller("anthropic", "claude-code", start=date(2026, 10, 10))) == [
        "anthropic-claude-code_2026-10-10_2026-10-10.json",
        "anthropic-claude-code_2026-10-10_2026-10-10_p2.json",
    ]


def test_pages_that_lead_back_end(puller: Puller, vendor: VendorServer) -> None:
    page = b'{"data": [], "has_more": true, "next_page": "page_again"}'
    vendor.broken = lambda _: Answer(200, page)
    (failure,) = puller("anthropic", "cost").failed
    assert "lead back" in str(failure.error)
    assert len(vendor.requests) == 2


# --- faults that pass -------------------------------------------------------------------------------------


def test_too_many_requests_are_repeated_when_the_vendor_says(puller: Puller, vendor: VendorServer) -> None:
    said = {"retry-after": "1"}
    vendor.faults = failing(anthropic_error(429, "rate_limit_error", "Too many requests", **said))
    pulled = puller("anthropic", "cost")
    assert (len(pulled.files), pulled.failed) == (1, [])
    assert len(vendor.requests) == 2
    assert puller.said == ["anthropic: HTTP 429: Too many requests; trying again in 1 s"]


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)},
        {"anthropic-ratelimit-requests-reset": "2001-01-01T00:00:00Z"},
        {"retry-after": "soon", "anthropic-ratelimit-requests-reset": "later"},
        {},
    ],
)
def test_other_ways_to_say_when(puller: Puller, vendor: VendorServer, headers: dict[str, str]) -> None:
    """A date, Anthropic's own header, which comes without the other one (PostHog/posthog#78268), or none."""
    vendor.faults = failing(anthropic_error(429, "rate_limit_error", "slow", **headers))
    assert not puller("anthropic", "cost").failed


def test_who_asks_to_wait_for_hours_is_not_waited_for(puller: Puller, vendor: VendorServer) -> None:
    vendor.broken = lambda _: openai_error(429, "Rate limit reached", retry_after="7200")
    (failure,) = puller("openai", "costs").failed
    assert len(vendor.requests) == 1
    assert "7200 s" in failure.error.hint


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408])
def test_the_servers_own_faults_are_repeated(puller: Puller, vendor: VendorServer, status: int) -> None:
    vendor.faults = failing(*[anthropic_error(status, "api_error", "Internal server error")] * 3)
    assert not puller("anthropic", "cost").failed
    assert len(vendor.requests) == 4


def test_a_fault_that_stays_is_told_and_what_came_is_kept(puller: Puller, vendor: VendorServer) -> None:
    vendor.page_size = 1
    second_day = lambda request: request.path.endswith("/messages") and request.one("page")  # noqa: E731
    vendor.broken = lambda request: Answer(500, b"<html>") if second_day(request) else None
    pulled = puller("anthropic", "usage", "cost")
    assert names(pulled) == [
        "anthropic-usage_2026-10-08_2026-10-08.json",
        "anthropic-cost_2026-10-08_2026-10-08.json",
        "anthropic-cost_2026-10-09_2026-10-09_p2.json",
        "anthropic-cost_2026-10-10_2026-10-10_p3.json",
    ]
    (failure,) = pulled.failed
    assert (failure.report, failure.reached, str(failure.error)) == ("usage", date(2026, 10, 8), "HTTP 500")
    assert len(vendor.of("/messages")) == 1 + QUICK.tries
    # The next pull goes on where it stopped, and three days before.
    vendor.broken = lambda _: None
    puller("anthropic", "usage", start=None)
    assert vendor.of("/messages")[-6].one("starting_at") == "2026-10-05T00:00:00Z"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"data": [{"starting_at": "2026-10-08T00', "Unterminated string"),
        (b"<html>Sign in to the hotel's network</html>", "Expecting value"),
        (b'{"has_more": false}', "no data"),
        (b'{"data": []}', "whether there is more"),
        (b'{"data": [], "has_more": true, "next_page": null}', "what comes next"),
        (b"[" * 100_000, "nested too deep"),
        (b"\xff\xfe\x00\x80", "codec"),
    ],
)
def test_a_page_that_is_none_is_asked_for_again(
    puller: Puller, vendor: VendorServer, body: bytes, why: str
) -> None:
    vendor.faults = failing(Answer(200, body))
    assert not puller("anthropic", "cost").failed
    vendor.broken = lambda _: Answer(200, body)
    before = len(vendor.requests)
    pulled = puller("anthropic", "cost")
    assert pulled.files == []
    assert why in str(pulled.failed[0].error)
    assert len(vendor.requests) - before == QUICK.tries


def test_a_connection_that_is_cut_is_made_again(puller: Puller, vendor: VendorServer) -> None:
    vendor.faults = failing(Answer(200, b'{"data": [], "has_more": false}', cut_after=9))
    assert not puller("anthropic", "cost").failed
    assert len(vendor.requests) == 2


def test_an_answer_that_does_not_come_is_not_waited_for(puller: Puller, vendor: VendorServer) -> None:
    body = b'{"data": [], "has_more": false, "next_page": null}'
    vendor.broken = lambda _: Answer(200, body, drip=1.0)
    (failure,) = puller("anthropic", "cost").failed
    assert str(failure.error) == "no answer in time"


def test_an_answer_that_drips_ends_too(puller: Puller, vendor: VendorServer) -> None:
    """Each byte comes in time, the page does not."""
    vendor.broken = lambda _: Answer(200, b" " * 100, drip=0.1)
    (failure,) = puller("anthropic", "cost").failed
    assert "its end in time" in str(failure.error)


def test_nobody_there(puller: Puller) -> None:
    (failure,) = puller("anthropic", "cost", url="http://127.0.0.1:9").failed
    assert str(failure.error).startswith("no connection to 127.0.0.1:9")


# --- the key ----------------------------------------------------------------------------------------------


def everything(pulled: Pulled | PullError, said: list[str]) -> str:
    failures = [pulled] if isinstance(pulled, PullError) else [each.error for each in pulled.failed]
    parts: list[Any] = [*said]
    for error in failures:
        parts += [error, repr(error), error.hint, error.__cause__, repr(error.__dict__)]
    return " ".join(map(str, parts))


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_key_that_is_refused_ends_the_pull_and_is_not_shown(
    puller: Puller, vendor: VendorServer, name: str
) -> None:
    pulled = puller(name, key="sk-admin-somebody-elses-key-Wx")
    assert len(vendor.requests) == 1
    assert pulled.files == []
    first, *others = pulled.failed
    assert str(first.error).startswith("HTTP 401")
    assert VENDORS[name].key_variable in first.error.hint
    assert [each.error for each in others] == [first.error] * len(others)
    assert "somebody" not in everything(pulled, puller.said)
    assert "9Zw" not in everything(pulled, puller.said)  # as OpenAI quotes it


def test_a_key_that_comes_back_in_an_error_is_not_shown(puller: Puller, vendor: VendorServer) -> None:
    echo = anthropic_error(500, "api_error", f"bad header x-api-key: {ANTHROPIC_KEY}\n\x1b[31m")
    vendor.broken = lambda _: echo
    pulled = puller("anthropic", "cost")
    assert "bad header" in everything(pulled, puller.said)
    assert ANTHROPIC_KEY not in everything(pulled, puller.said)


@pytest.mark.parametrize("key", ["", "  ", "sk-admin two", "sk-admin\nX-Other: 1", "sk-ädmin"])
def test_what_can_be_no_key_is_not_sent(puller: Puller, vendor: VendorServer, key: str) -> None:
    with pytest.raises(PullError, match="OPENAI_ADMIN_KEY") as error:
        puller("openai", key=key)
    assert "admin two" not in everything(error.value, puller.said)
    assert vendor.requests == []


def test_a_redirect_is_not_followed(puller: Puller, vendor: VendorServer) -> None:
    with serving(VendorServer(date(2026, 10, 10))) as other:
        for status in (301, 302, 307, 308):
            target = f"{other.url}/v1/organizations/cost_report"
            vendor.broken = lambda _, status=status, target=target: Answer(status, b"", {"location": target})
            pulled = puller("anthropic", "cost")
            assert "redirected to 127.0.0.1, where the key is not sent" in str(pulled.failed[0].error)
        assert other.requests == []
    assert len(vendor.requests) == 4


def test_what_is_for_this_machine_goes_through_no_proxy(
    puller: Puller, vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(VendorServer(date(2026, 10, 10))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert not puller("anthropic", "cost").failed
        assert proxy.requests == []
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ftp://127.0.0.1",
        "api.example.com",
        "https://user:secret@api.example.com",
        "https://api.example.com?x=1",
        "file:///etc/passwd",
    ],
)
def test_addresses_that_the_key_is_not_sent_to(puller: Puller, url: str) -> None:
    with pytest.raises(PullError, match="COSTCTL_ANTHROPIC_URL") as error:
        puller("anthropic", url=url)
    assert "secret" not in everything(error.value, [])


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
         "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


@pytest.mark.heavy
def test_a_certificate_that_nobody_vouches_for_is_refused(
    puller: Puller, self_signed: ssl.SSLContext
) -> None:
    with serving(VendorServer(date(2026, 10, 10)), self_signed) as server:
        pulled = puller("anthropic", "cost", url=server.url)
        assert server.requests == []
    assert "cannot be trusted" in str(pulled.failed[0].error)
    assert puller.said == []  # and not tried again


# --- other refusals ---------------------------------------------------------------------------------------


def test_a_report_that_is_not_permitted_does_not_stop_the_others(
    puller: Puller, vendor: VendorServer
) -> None:
    def refuse(request: Request) -> Answer | None:
        if request.path.endswith("/costs"):
            return openai_error(403, "Missing scopes: api.usage.read")
        return None

    vendor.broken = refuse
    pulled = puller("openai", "completions", "costs", "vector-stores")
    assert names(pulled) == [
        "openai-completions_2026-10-08_2026-10-10.json",
        "openai-vector-stores_2026-10-08_2026-10-10.json",
    ]
    assert [(each.report, str(each.error)) for each in pulled.failed] == [
        ("costs", "HTTP 403: Missing scopes: api.usage.read")
    ]
    assert len(vendor.of("/costs")) == 1


def test_what_the_vendor_says_is_one_short_line(puller: Puller, vendor: VendorServer) -> None:
    vendor.broken = lambda _: openai_error(400, "a\n b  c" + "x" * 1000)
    (failure,) = puller("openai", "costs").failed
    assert str(failure.error) == "HTTP 400: a b c" + "x" * 195 + "…"


def test_a_page_that_is_too_large_is_not_kept(
    puller: Puller, vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costctl.pull.client.MOST_BYTES", 2**20)
    vendor.broken = lambda _: Answer(200, b" " * (2**20 + 1))
    pulled = puller("anthropic", "cost")
    assert pulled.files == []
    assert "larger than 1 MB" in str(pulled.failed[0].error)
    assert len(vendor.requests) == 1


def test_files_that_are_not_ours_are_not_taken_for_pages(tmp_path: Path) -> None:
    for name in (
        "anthropic-usage_2026-10-08_2026-10-10.json",
        "anthropic-usage_2026-13-08_2026-10-10.json",
        "openai-costs_2026-10-08_2026-10-10.json",
        "anthropic-usage_2026-10-08_2026-10-10.json.bak",
        ".pull-x",
        "notes.txt",
    ):
        (tmp_path / name).write_text(json.dumps({}))
    (found,) = pulled_files(tmp_path, "anthropic")
    assert (found.report, found.first, found.last) == ("usage", date(2026, 10, 8), date(2026, 10, 10))
    assert pulled_files(tmp_path / "missing", "anthropic") == []
