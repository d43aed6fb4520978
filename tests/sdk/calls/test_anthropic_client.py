"""The real ``anthropic`` package, wrapped, against a server on the loopback that speaks as Anthropic does."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import pytest
from tests.sdk.calls import said
from tests.sdk.calls.conftest import Lines
from tests.sdk.calls.vendor import Say, Vendor, vendor

from costctl.sdk import CallRecord, CostTracker

ASKED: Any = {"model": said.SONNET, "max_tokens": 64, "messages": [{"role": "user", "content": "Returns?"}]}

Client = Callable[..., anthropic.Anthropic]


@pytest.fixture
def client(tracker: CostTracker) -> Iterator[Client]:
    """Makes a wrapped client of a vendor; what it opened is closed in the end."""
    opened: list[anthropic.Anthropic] = []

    def make(served: Vendor, wrap: dict[str, Any] | None = None, **options: Any) -> anthropic.Anthropic:
        raw = anthropic.Anthropic(api_key="k", base_url=served.url, **options)
        opened.append(raw)
        return tracker.wrap(raw, **(wrap or {}))

    yield make
    for each in opened:
        each.close()


def without_time(line: dict[str, Any]) -> dict[str, Any]:
    assert line.pop("latency_ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    return line


CACHED = {
    "input_tokens": 100,
    "cache_read_input_tokens": 20_000,
    "cache_creation_input_tokens": 3_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 2_000, "ephemeral_1h_input_tokens": 1_000},
}
LINE = {
    "id": "msg_01",
    "model": said.SONNET,
    "provider": "anthropic",
    "input_tokens": 100,
    "cache_read_tokens": 20_000,
    "cache_write_5m_tokens": 2_000,
    "cache_write_1h_tokens": 1_000,
    "output_tokens": 350,
    "success": True,
}


def test_a_call_is_a_line(client: Client, lines: Lines) -> None:
    with vendor(Say(said.message(**CACHED))) as served:
        labels = {"team_id": "search", "tags": {"feature": "faq"}}
        message = client(served, labels).messages.create(**ASKED)
    assert message.content[0].text == "Within 30 days."
    assert isinstance(message, anthropic.types.Message)
    assert [without_time(each) for each in lines()] == [LINE | labels]


def _create(client: Any) -> None:
    client.messages.create(**ASKED)


def _raw(client: Any) -> None:
    raw = client.messages.with_raw_response.create(**ASKED)
    assert raw.parse().id == "msg_01"


def _streamed_body(client: Any) -> None:
    with client.messages.with_streaming_response.create(**ASKED) as response:
        assert response.parse().id == "msg_01"


def _beta(client: Any) -> None:
    client.beta.messages.create(**ASKED, betas=["context-1m-2025-08-07"])


def _copied(client: Any) -> None:
    client.with_options(timeout=20).messages.create(**ASKED)


@pytest.mark.parametrize("way", [_create, _raw, _streamed_body, _beta, _copied])
def test_whichever_way_it_is_made(client: Client, lines: Lines, way: Callable[[Any], None]) -> None:
    with vendor(Say(said.message(**CACHED), packed=True)) as served:
        way(client(served))
    assert [without_time(each) for each in lines()] == [LINE]


def _events(client: Any) -> None:
    kinds = [event.type for event in client.messages.create(**ASKED, stream=True)]
    assert kinds[-1] == "message_stop"


def _text(client: Any) -> None:
    with client.messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == "Within 30 days."


def _raw_events(client: Any) -> None:
    raw = client.messages.with_raw_response.create(**ASKED, stream=True)
    assert [event.type for event in raw.parse()][-1] == "message_stop"


def _streamed_events(client: Any) -> None:
    with client.messages.with_streaming_response.create(**ASKED, stream=True) as response:
        assert b"message_stop" in b"".join(response.iter_bytes())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("way", [_events, _text, _raw_events, _streamed_events])
def test_a_stream_is_a_line_when_it_has_ended(
    client: Client, lines: Lines, way: Callable[[Any], None], packed: bool
) -> None:
    events = said.message_events("msg_01", **CACHED)
    with vendor(Say(events=events, packed=packed)) as served:
        way(client(served))
    assert [without_time(each) for each in lines()] == [LINE]


def test_a_stream_that_the_network_breaks_off_costs_what_was_said_by_then(
    client: Client, lines: Lines
) -> None:
    """The prompt is told at the start, of the answer one token."""
    with (
        vendor(Say(events=said.message_events("msg_01", **CACHED)[:4], cut=True)) as served,
        pytest.raises(Exception, match="peer closed connection"),
    ):
        _events(client(served))
    broken = LINE | {"output_tokens": 1, "success": False, "error_type": "RemoteProtocolError"}
    assert [without_time(each) for each in lines()] == [broken]


def test_a_stream_that_its_reader_leaves(client: Client, lines: Lines) -> None:
    with (
        vendor(Say(events=said.message_events("msg_01", **CACHED), waits=4)) as served,
        client(served).messages.stream(**ASKED) as stream,
    ):
        assert next(stream.text_stream) == "Within "
    left = LINE | {"output_tokens": 1, "success": False, "error_type": "stream_closed"}
    assert [without_time(each) for each in lines()] == [left]


def test_a_stream_that_is_forgotten_is_a_call_too(client: Client, lines: Lines) -> None:
    with vendor(Say(events=said.message_events(), waits=1)) as served:
        stream = client(served).messages.create(**ASKED, stream=True)
        stream.response.close()
        del stream
        gc.collect()
    (line,) = lines()
    assert (line["success"], line["error_type"]) == (False, "stream_closed")
    assert line["other_units"] == {"calls_without_usage": 1}  # nobody knows what it cost


def test_an_error_in_the_middle_of_a_stream(client: Client, lines: Lines) -> None:
    events = [*said.message_events("msg_01", **CACHED)[:4], ("error", said.refused("overloaded_error"))]
    with vendor(Say(events=events)) as served, pytest.raises(anthropic.APIStatusError):
        _events(client(served))
    broken = LINE | {"output_tokens": 1, "success": False, "error_type": "overloaded_error"}
    assert [without_time(each) for each in lines()] == [broken]


def test_an_error_before_a_stream_began_is_not_billed(client: Client, lines: Lines) -> None:
    with (
        vendor(Say(events=[("error", said.refused("overloaded_error"))])) as served,
        pytest.raises(anthropic.APIStatusError),
    ):
        _events(client(served))
    (line,) = lines()
    assert (line["error_type"], line["input_tokens"], line["output_tokens"]) == ("overloaded_error", 0, 0)
    assert "other_units" not in line


def test_what_the_package_tries_again_is_one_call(client: Client, lines: Lines) -> None:
    """Anthropic bills no errors, so only the answer counts."""
    refused = Say(said.refused("overloaded_error"), status=529, headers={"retry-after-ms": "5"})
    with vendor(refused, refused, Say(said.message(**CACHED))) as served:
        client(served, max_retries=2).messages.create(**ASKED)
        assert len(served.asked) == 3
    assert [without_time(each) for each in lines()] == [LINE]


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "rate_limit_error"), (400, "invalid_request_error"), (500, "api_error")]
)
def test_a_call_that_fails_is_a_line_and_costs_nothing(
    client: Client, lines: Lines, status: int, kind: str
) -> None:
    with vendor(Say(said.refused(kind), status=status)) as served, pytest.raises(anthropic.APIStatusError):
        client(served, {"team_id": "search"}, max_retries=0).messages.create(**ASKED)
    (line,) = lines()
    assert len(line.pop("id")) == 32
    assert without_time(line) == {
        "model": said.SONNET,
        "team_id": "search",
        "input_tokens": 0,
        "output_tokens": 0,
        "success": False,
        "error_type": kind,
    }


def test_a_call_that_runs_out_of_time_may_be_billed(client: Client, lines: Lines) -> None:
    with vendor(Say(silent=True)) as served, pytest.raises(anthropic.APITimeoutError):
        client(served, max_retries=0, timeout=0.2).messages.create(**ASKED)
    (line,) = lines()
    assert (line["error_type"], line["other_units"]) == ("APITimeoutError", {"calls_without_usage": 1})


def test_a_call_that_reaches_nobody_is_not_billed(client: Client, lines: Lines) -> None:
    with vendor(Say()) as gone:
        pass
    with pytest.raises(anthropic.APIConnectionError):
        client(gone, max_retries=0).messages.create(**ASKED)
    (line,) = lines()
    assert line["error_type"] == "APIConnectionError"
    assert "other_units" not in line


def test_counting_tokens_is_no_call(client: Client, calls: Path) -> None:
    with vendor(Say({"input_tokens": 5})) as served:
        asked = {name: ASKED[name] for name in ("model", "messages")}
        assert client(served).messages.count_tokens(**asked).input_tokens == 5
    assert not calls.exists()


def test_labels_of_the_block_stand_before_the_clients(
    client: Client, tracker: CostTracker, lines: Lines
) -> None:
    with vendor(Say(said.message())) as served:
        asking = client(served, {"team_id": "search", "user_id": "nobody"})
        with tracker.labels(user_id="ana"):
            asking.messages.create(**ASKED)
    assert (lines()[0]["team_id"], lines()[0]["user_id"]) == ("search", "ana")


def test_each_record_goes_to_who_asked_for_it(client: Client) -> None:
    records: list[CallRecord] = []
    with vendor(Say(events=said.message_events(**CACHED))) as served:
        _text(client(served, {"on_record": records.append}))
    # 100 × 3 + 20,000 × 0.3 + 2,000 × 3.75 + 1,000 × 6 + 350 × 15 = 25,050
    assert [each.total_cost for each in records] == [Decimal("0.02505")]


def test_who_asked_for_records_and_fails_fails_no_call(
    client: Client, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(record: CallRecord) -> None:
        raise RuntimeError(record.id)

    with vendor(Say(said.message())) as served:
        assert client(served, {"on_record": fail}).messages.create(**ASKED).id == "msg_01"
    assert len(lines()) == 1
    assert [each.getMessage() for each in caplog.records if each.name == "costctl.sdk"] == [
        "on_record failed; the call is logged"
    ]


def test_a_log_that_cannot_be_written_fails_no_call(
    client: Client, calls: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls.write_text("no directory")
    with vendor(Say(said.message())) as served:
        assert client(served).messages.create(**ASKED).id == "msg_01"
    assert [(each.levelno, each.getMessage()) for each in caplog.records if each.name == "costctl.sdk"] == [
        (logging.ERROR, "a call could not be logged")
    ]


@pytest.mark.parametrize("usage", [{"input_tokens": -5}, {"input_tokens": "many"}, {"iterations": 7}])
def test_an_answer_that_cannot_be_read_is_unpriced(
    client: Client, lines: Lines, usage: dict[str, Any]
) -> None:
    with vendor(Say(said.message(**usage))) as served:
        client(served).messages.create(**ASKED)
    assert lines()[0]["other_units"] == {"calls_without_usage": 1}


@pytest.mark.parametrize(
    "odd",
    [
        "no json",
        [1, 2],
        {"type": "message_start", "message": "none"},
        {"type": "message_delta", "usage": 7},
        {"choices": 7},
        {"type": "response.created", "response": 7},
    ],
)
def test_events_that_nobody_expects_break_nothing(client: Client, lines: Lines, odd: object) -> None:
    events = said.message_events("msg_01", **CACHED)
    with vendor(Say(events=[*events[:3], ("unheard_of", odd), *events[3:]])) as served:
        raw = client(served).messages.with_streaming_response
        with raw.create(**ASKED, stream=True) as response:
            assert len(b"".join(response.iter_bytes())) > 100
    assert [without_time(each) for each in lines()] == [LINE]


# Asynchronous


@pytest.fixture
def run(tracker: CostTracker) -> Callable[..., None]:
    """Runs a task with a wrapped asynchronous client."""

    def running(served: Vendor, task: Callable[[Any], Any], **options: Any) -> None:
        async def main() -> None:
            async with anthropic.AsyncAnthropic(api_key="k", base_url=served.url, **options) as raw:
                await task(tracker.wrap(raw, team_id="search"))

        asyncio.run(main())

    return running


def test_an_asynchronous_call_is_a_line(run: Callable[..., None], lines: Lines) -> None:
    async def task(client: anthropic.AsyncAnthropic) -> None:
        assert (await client.messages.create(**ASKED)).id == "msg_01"

    with vendor(Say(said.message(**CACHED))) as served:
        run(served, task)
    assert [without_time(each) for each in lines()] == [LINE | {"team_id": "search"}]


def test_an_asynchronous_stream_is_a_line(run: Callable[..., None], lines: Lines) -> None:
    async def task(client: anthropic.AsyncAnthropic) -> None:
        async with client.messages.stream(**ASKED) as stream:
            assert await stream.get_final_text() == "Within 30 days."

    with vendor(Say(events=said.message_events("msg_01", **CACHED), packed=True)) as served:
        run(served, task)
    assert [without_time(each) for each in lines()] == [LINE | {"team_id": "search"}]


def test_an_asynchronous_stream_that_is_broken_off(run: Callable[..., None], lines: Lines) -> None:
    async def cut(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(Exception, match="peer closed connection"):
            async for _ in await client.messages.create(**ASKED, stream=True):
                pass

    async def left(client: anthropic.AsyncAnthropic) -> None:
        async with client.messages.stream(**ASKED) as stream:
            async for text in stream.text_stream:
                assert text == "Within "
                break

    events = said.message_events("msg_01", **CACHED)
    with vendor(Say(events=events[:4], cut=True)) as served:
        run(served, cut)
    with vendor(Say(events=events, waits=4)) as served:
        run(served, left)
    assert [(each["error_type"], each["cache_read_tokens"], each["output_tokens"]) for each in lines()] == [
        ("RemoteProtocolError", 20_000, 1),
        ("stream_closed", 20_000, 1),
    ]


def test_a_task_that_is_cancelled_may_be_billed(run: Callable[..., None], lines: Lines) -> None:
    async def task(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.messages.create(**ASKED), 0.2)

    with vendor(Say(silent=True)) as served:
        run(served, task)
    (line,) = lines()
    assert (line["error_type"], line["other_units"]) == ("CancelledError", {"calls_without_usage": 1})


# What can be wrapped


def test_only_clients_can_be_wrapped_and_only_once(tracker: CostTracker) -> None:
    with pytest.raises(TypeError, match="str is no client of anthropic or openai"):
        tracker.wrap("anthropic")
    with anthropic.Anthropic(api_key="k") as raw:
        wrapped = tracker.wrap(raw)
        assert isinstance(wrapped, anthropic.Anthropic)
        with pytest.raises(ValueError, match="logs its calls already"):
            tracker.wrap(wrapped)


def test_bedrocks_own_streams_cannot_be_followed(tracker: CostTracker) -> None:
    with (
        anthropic.AnthropicBedrock(aws_access_key="a", aws_secret_key="b", aws_region="us-east-1") as raw,
        pytest.raises(TypeError, match="ingest its invocation logs"),
    ):
        tracker.wrap(raw)


LEAVING = """
import os, sys
import anthropic
from costctl.sdk import CostTracker
client = CostTracker(sys.argv[1]).wrap(anthropic.Anthropic(api_key="k", base_url=sys.argv[2]))
question = [{"role": "user", "content": "Returns?"}]
stream = client.messages.create(model=sys.argv[3], max_tokens=64, messages=question, stream=True)
next(iter(stream))
"""
"""Begins to read a stream."""


def test_a_stream_that_the_end_of_the_program_breaks_off(calls: Path, lines: Lines) -> None:
    with vendor(Say(events=said.message_events("msg_01", **CACHED), waits=4)) as served:
        arguments = [str(calls), served.url, said.SONNET]
        subprocess.run(
            [sys.executable, "-c", LEAVING + "sys.exit()", *arguments], check=True, capture_output=True
        )
    left = LINE | {"output_tokens": 1, "success": False, "error_type": "stream_closed"}
    assert [without_time(each) for each in lines()] == [left]


FORKING = """
child = os.fork()
if not child:
    sys.exit()
os.waitpid(child, 0)
for event in stream:
    ...
"""


def test_a_stream_is_not_broken_off_by_the_end_of_a_forked_process(calls: Path, lines: Lines) -> None:
    with vendor(Say(events=said.message_events("msg_01", **CACHED))) as served:
        arguments = [str(calls), served.url, said.SONNET]
        command = [sys.executable, "-c", LEAVING + FORKING, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert [each["success"] for each in lines()] == [True]


def test_the_client_itself_stays_as_it_was(tracker: CostTracker, calls: Path) -> None:
    with vendor(Say(said.message())) as served, anthropic.Anthropic(api_key="k", base_url=served.url) as raw:
        tracker.wrap(raw)
        raw.messages.create(**ASKED)
    assert not calls.exists()
