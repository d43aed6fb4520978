"""What Anthropic and OpenAI say, after their references: platform.claude.com "Streaming messages", and
openai-openapi (CreateChatCompletionResponse, CreateChatCompletionStreamResponse, Response,
ResponseStreamEvent).
"""

from __future__ import annotations

from typing import Any

SONNET = "claude-sonnet-4-20250514"


def message(id: str = "msg_01", **usage: Any) -> dict[str, Any]:
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": SONNET,
        "content": [{"type": "text", "text": "Within 30 days."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 350, "service_tier": "standard", **usage},
    }


def message_events(id: str = "msg_02", output: int = 350, **usage: Any) -> list[tuple[str, object]]:
    """``usage`` is said at the start; at the end the output."""
    started = message(id, **{"output_tokens": 1, **usage}) | {"content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Within "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "30 days."}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": output, "input_tokens": None, "cache_read_input_tokens": None},
        },
        {"type": "message_stop"},
    ]
    return [(str(each["type"]), each) for each in events]


def refused(kind: str, text: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": text}}


def completion(id: str = "chatcmpl-1", **usage: Any) -> dict[str, Any]:
    return {
        "id": id,
        "object": "chat.completion",
        "created": 1741570283,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi"},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 1117, "completion_tokens": 46, "total_tokens": 1163, **usage},
        "service_tier": "default",
    }


def completion_events(
    id: str = "chatcmpl-2", usage: dict[str, Any] | None = None
) -> list[tuple[str, object]]:
    def chunk(**more: Any) -> dict[str, Any]:
        return {
            "id": id,
            "object": "chat.completion.chunk",
            "created": 1741570283,
            "model": "gpt-4o-2024-08-06",
            **more,
        }

    def choice(delta: dict[str, Any], finish: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]

    events: list[object] = [
        chunk(choices=choice({"role": "assistant", "content": ""})),
        chunk(choices=choice({"content": "Hi"})),
        chunk(choices=choice({}, "stop")),
    ]
    if usage is not None:
        events.append(chunk(choices=[], usage=usage))
    return [("", each) for each in (*events, "[DONE]")]


def response(id: str = "resp_1", status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "object": "response",
        "created_at": 1741476777,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-5",
        "output": [
            {
                "type": "message",
                "id": "msg_x",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 328,
            "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0},
            "output_tokens": 52,
            "output_tokens_details": {"reasoning_tokens": 40},
            "total_tokens": 380,
        },
        **more,
    }


def response_events(id: str = "resp_2") -> list[tuple[str, object]]:
    events: list[dict[str, Any]] = [
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": response(id, "in_progress", output=[], usage=None),
        },
        {
            "type": "response.output_item.added",
            "sequence_number": 1,
            "output_index": 0,
            "item": {
                "type": "message",
                "id": "msg_x",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            },
        },
        {
            "type": "response.content_part.added",
            "sequence_number": 2,
            "item_id": "msg_x",
            "output_index": 0,
            "content_index": 0,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        {
            "type": "response.output_text.delta",
            "sequence_number": 3,
            "item_id": "msg_x",
            "output_index": 0,
            "content_index": 0,
            "delta": "Hi",
            "logprobs": [],
        },
        {"type": "response.completed", "sequence_number": 4, "response": response(id)},
    ]
    return [(str(each["type"]), each) for each in events]
