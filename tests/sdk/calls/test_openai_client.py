"""The real ``openai`` package, wrapped, against a server on the loopback that speaks as OpenAI does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from tests.sdk.calls import said
from tests.sdk.calls.conftest import Lines
from tests.sdk.calls.vendor import Say, Vendor, vendor

from costctl.sdk import CostTracker

CHAT: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
RESPONSES: Any = {"model": "gpt-5", "input": "Hello"}
USAGE: Any = {
    "prompt_tokens": 1117,
    "completion_tokens": 46,
    "total_tokens": 1163,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
}

CHAT_LINE = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "input_tokens": 93,
    "cache_read_tokens": 1024,
    "output_tokens": 46,
    "success": True,
}
RESPONSE_LINE = {
    "id": "resp_1",
    "model": "gpt-5",
    "input_tokens": 228,
    "cache_read_tokens": 100,
    "output_tokens": 52,
    "reasoning_tokens": 40,
    "success": True,
}

Client = Callable[..., openai.OpenAI]


@pytest.fixture
def client(tracker: CostTracker) -> Iterator[Client]:
    """Makes a wrapped client of a vendor; what it opened is closed in the end."""
    opened: list[openai.OpenAI] = []

    def make(served: Vendor, wrap: dict[str, Any] | None = None, **options: Any) -> openai.OpenAI:
        raw = openai.OpenAI(api_key="k", base_url=served.url, **options)
        opened.append(raw)
        return tracker.wrap(raw, **(wrap or {}))

    yield make
    for each in opened:
        each.close()


def without_time(line: dict[str, Any]) -> dict[str, Any]:
    assert line.pop("latency_ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    return line


def _create(client: Any) -> None:
    assert client.chat.completions.create(**CHAT).choices[0].message.content == "Hi"


def _parse(client: Any) -> None:
    client.chat.completions.parse(**CHAT)


def _raw(client: Any) -> None:
    assert client.chat.completions.with_raw_response.create(**CHAT).parse().id == "chatcmpl-1"


def _streamed_body(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        assert response.parse().id == "chatcmpl-1"


@pytest.mark.parametrize("way", [_create, _parse, _raw, _streamed_body])
def test_a_chat_is_a_line(client: Client, lines: Lines, way: Callable[[Any], None]) -> None:
    with vendor(Say(said.completion(**USAGE), packed=True)) as served:
        way(client(served))
    assert [without_time(each) for each in lines()] == [CHAT_LINE]


def _chunks(client: Any) -> None:
    for _ in client.chat.completions.create(**CHAT, stream=True):
        pass


def _chunks_managed(client: Any) -> None:
    with client.chat.completions.stream(**CHAT) as stream:
        stream.until_done()


def _raw_chunks(client: Any) -> None:
    for _ in client.chat.completions.with_raw_response.create(**CHAT, stream=True).parse():
        pass


@pytest.mark.parametrize("way", [_chunks, _chunks_managed, _raw_chunks])
def test_a_streamed_chat_can_be_made_to_state_its_usage(
    client: Client, lines: Lines, way: Callable[[Any], None]
) -> None:
    with vendor(Say(events=said.completion_events("chatcmpl-1", USAGE))) as served:
        way(client(served, {"include_usage": True}))
    assert served.asked[0]["stream_options"] == {"include_usage": True}
    assert [without_time(each) for each in lines()] == [CHAT_LINE]


def test_a_streamed_chat_that_states_no_usage_is_unpriced(client: Client, lines: Lines) -> None:
    """OpenAI says nothing unless it is asked to; the request stays the application's."""
    with vendor(Say(events=said.completion_events("chatcmpl-1"))) as served:
        _chunks(client(served))
    assert "stream_options" not in served.asked[0]
    assert [without_time(each) for each in lines()] == [
        {
            "id": "chatcmpl-1",
            "model": "gpt-4o-2024-08-06",
            "input_tokens": 0,
            "output_tokens": 0,
            "other_units": {"calls_without_usage": 1},
            "success": True,
        }
    ]


def test_a_streamed_chat_that_is_broken_off(client: Client, lines: Lines) -> None:
    """Its usage would have come last: what it cost is not known."""
    with (
        vendor(Say(events=said.completion_events("chatcmpl-1", USAGE)[:2], cut=True)) as served,
        pytest.raises(Exception, match=r"peer closed connection|Connection error"),
    ):
        _chunks(client(served, {"include_usage": True}))
    (line,) = lines()
    assert (line["id"], line["success"], line["error_type"]) == ("chatcmpl-1", False, "RemoteProtocolError")
    assert line["other_units"] == {"calls_without_usage": 1}


def test_an_error_in_the_middle_of_a_streamed_chat(client: Client, lines: Lines) -> None:
    error = {"error": {"message": "no", "type": "server_error", "code": None, "param": None}}
    with (
        vendor(Say(events=[*said.completion_events("chatcmpl-1")[:2], ("", error)])) as served,
        pytest.raises(openai.APIError),
    ):
        _chunks(client(served))
    (line,) = lines()
    assert (line["success"], line["error_type"]) == (False, "server_error")


def test_a_response_is_a_line(client: Client, lines: Lines) -> None:
    with vendor(Say(said.response("resp_1"))) as served:
        assert client(served).responses.create(**RESPONSES).output_text == "Hi"
    assert [without_time(each) for each in lines()] == [RESPONSE_LINE]


def _events(client: Any) -> None:
    kinds = [event.type for event in client.responses.create(**RESPONSES, stream=True)]
    assert kinds[-1] == "response.completed"


def _managed(client: Any) -> None:
    with client.responses.stream(**RESPONSES) as stream:
        assert stream.get_final_response().output_text == "Hi"


@pytest.mark.parametrize("way", [_events, _managed])
def test_a_streamed_response_is_a_line(client: Client, lines: Lines, way: Callable[[Any], None]) -> None:
    with vendor(Say(events=said.response_events("resp_1"))) as served:
        way(client(served))
    assert [without_time(each) for each in lines()] == [RESPONSE_LINE]


def test_a_streamed_response_that_its_reader_leaves(client: Client, lines: Lines) -> None:
    with (
        vendor(Say(events=said.response_events("resp_1"), waits=2)) as served,
        client(served).responses.create(**RESPONSES, stream=True) as stream,
    ):
        next(iter(stream))
    (line,) = lines()
    assert (line["id"], line["success"], line["error_type"]) == ("resp_1", False, "stream_closed")
    assert line["other_units"] == {"calls_without_usage": 1}


def test_a_response_that_failed_says_why(client: Client, lines: Lines) -> None:
    failed = said.response("resp_1", "failed", error={"code": "server_error", "message": "no"})
    with vendor(Say(failed)) as served:
        client(served).responses.create(**RESPONSES)
    line = without_time(lines()[0])
    assert line == RESPONSE_LINE | {"success": False, "error_type": "server_error"}


def test_what_runs_in_the_background_is_logged_by_who_fetches_it(
    client: Client, tracker: CostTracker, lines: Lines
) -> None:
    with vendor(Say(said.response("resp_1", "queued", usage=None, output=[]))) as served:
        queued = client(served).responses.create(**RESPONSES, background=True)
    assert queued.status == "queued"
    tracker.log_response(openai.types.responses.Response.model_validate(said.response("resp_1")))
    assert [{name: line[name] for name in RESPONSE_LINE} for line in lines()] == [RESPONSE_LINE]


def test_an_embedding_is_a_line_without_output(client: Client, lines: Lines) -> None:
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    with vendor(Say(body)) as served:
        client(served).embeddings.create(model="text-embedding-3-small", input="x", encoding_format="float")
    (line,) = lines()
    assert (line["model"], line["input_tokens"], line["output_tokens"]) == ("text-embedding-3-small", 8, 0)


def test_what_the_package_tries_again_is_one_call(client: Client, lines: Lines) -> None:
    refused = Say(
        {"error": {"message": "no", "type": "requests"}}, status=429, headers={"retry-after-ms": "5"}
    )
    with vendor(refused, Say(said.completion(**USAGE))) as served:
        _create(client(served, max_retries=1))
        assert len(served.asked) == 2
    assert [without_time(each) for each in lines()] == [CHAT_LINE]


def test_a_call_that_fails_is_a_line_and_costs_nothing(client: Client, lines: Lines) -> None:
    body = {"error": {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}}
    with vendor(Say(body, status=429)) as served, pytest.raises(openai.RateLimitError):
        _create(client(served, {"team_id": "search"}, max_retries=0))
    line = without_time(lines()[0])
    assert len(line.pop("id")) == 32
    assert line == {
        "model": "gpt-4o",
        "team_id": "search",
        "input_tokens": 0,
        "output_tokens": 0,
        "success": False,
        "error_type": "insufficient_quota",
    }


def test_a_provider_that_nobody_can_tell_is_said(client: Client, lines: Lines) -> None:
    with vendor(Say(said.completion(**USAGE))) as served:
        _create(client(served, {"provider": "azure"}))
    assert lines()[0]["provider"] == "azure"


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.x.ai/v1", "x-ai"),
        ("https://eu.example.org/v1", None),
    ],
)
def test_some_providers_are_told_by_their_address(
    tracker: CostTracker, lines: Lines, address: str, provider: str | None
) -> None:
    """The address is not reached: every request goes to the loopback."""
    # The package's own HTTP client, httpx or httpx2 by its version.
    http: Any = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]

    class Inward(http.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            request.url = http.URL(served.url).copy_with(path=request.url.path)
            return super().handle_request(request)

    with vendor(Say(said.completion(**USAGE))) as served:
        inward = http.Client(transport=Inward())
        with openai.OpenAI(api_key="k", base_url=address, http_client=inward) as raw:
            _create(tracker.wrap(raw))
    assert lines()[0].get("provider") == provider


def test_azure_is_told_by_its_client(tracker: CostTracker, lines: Lines) -> None:
    with (
        vendor(Say(said.completion(**USAGE))) as served,
        openai.AzureOpenAI(api_key="k", azure_endpoint=served.url, api_version="2024-10-21") as raw,
    ):
        _create(tracker.wrap(raw))
    assert served.paths == ["/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"]
    assert [without_time(each) for each in lines()] == [CHAT_LINE | {"provider": "azure"}]


def test_asynchronous_calls_are_lines(tracker: CostTracker, lines: Lines) -> None:
    async def main(served: Vendor) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=served.url) as raw:
            client = tracker.wrap(raw, include_usage=True)
            await client.chat.completions.create(**CHAT)
            async for _ in await client.chat.completions.create(**CHAT, stream=True):
                pass
            async with client.responses.stream(**RESPONSES) as stream:
                await stream.get_final_response()

    with vendor(
        Say(said.completion(**USAGE)),
        Say(events=said.completion_events("chatcmpl-1", USAGE)),
        Say(events=said.response_events("resp_1")),
    ) as served:
        asyncio.run(main(served))
    assert [without_time(each) for each in lines()] == [CHAT_LINE, CHAT_LINE, RESPONSE_LINE]


def test_many_tasks_at_once(tracker: CostTracker, lines: Lines) -> None:
    async def main(served: Vendor) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=served.url) as raw:
            client = tracker.wrap(raw)

            async def one(user: str) -> None:
                with tracker.labels(user_id=user):
                    await client.responses.create(**RESPONSES)

            await asyncio.gather(*(one(f"user-{number}") for number in range(20)))

    with vendor(Say(said.response())) as served:
        asyncio.run(main(served))
    assert sorted(line["user_id"] for line in lines()) == sorted(f"user-{number}" for number in range(20))
