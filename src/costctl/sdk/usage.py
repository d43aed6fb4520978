"""What a call used, out of a vendor's own words: its usage object, or its whole answer.

The vendors differ in what their counts include; here every count is disjoint, as in the ledger. The rules are
those by which ``costctl ingest`` reads raw answers, in Python; a test holds the two equal. An object may be a
mapping or one of an SDK, known or unknown to it: parts are looked up by name.

Facts: anthropic-sdk-python ``types/usage.py``, platform.claude.com "Prompt caching" (input_tokens excludes
the cache); openai-openapi CompletionUsage and ResponseUsage (prompt_tokens and input_tokens include it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from costctl.records import MAX_TOKENS, MODES

UNREPORTED = "calls_without_usage"
"""A unit without a price: the call may be billed, but nobody said for how much, so it stays unpriced."""

UNKNOWN_TIER = "calls_in_unknown_tier"
"""The same of a call that a tier served of which we do not know what it is."""

_XAI_TOOLS = {
    "code_interpreter_calls": "code_interpreter_requests",
    "document_search_calls": "document_search_requests",
    "file_search_calls": "file_search_requests",
    "image_generation_calls": "image_generation_requests",
    "web_search_calls": "web_search_requests",
    "x_search_calls": "x_search_requests",
}


class UsageError(ValueError):
    """Counts that no call can have, or an object that states none."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one call used: tokens, disjoint except that reasoning is a part of the output, and rare units."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    other_units: Mapping[str, int] = field(default_factory=dict)
    mode: str = "standard"
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One billed call of an answer. ``suffix`` is "" of the answer's own; of a further one (Anthropic's
    advisor and compactions are billed beside the message) what follows the answer's id."""

    model: str | None
    counts: Counts
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's answer: ``id`` and ``provider`` None where it does not say; ``error_type`` of a failed
    one."""

    id: str | None
    provider: str | None
    calls: tuple[Call, ...]
    error_type: str | None = None


UNKNOWN_COUNTS = Counts(other_units={UNREPORTED: 1})


def part(value: Any, *path: str) -> Any:
    """What stands at ``path`` in a mapping or object; None where there is nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        if value is None:
            return None
    return value


def counts_of(usage: Any, model: str | None = None) -> Counts:
    """The counts of a vendor's usage object: Anthropic's, or OpenAI's of either API, which many vendors write
    too. Raises :class:`UsageError`."""
    if part(usage, "prompt_tokens") is not None or part(usage, "input_tokens_details") is not None:
        return _openai(usage, model)
    return _anthropic(usage)


def answer_of(answer: Any) -> Answer:
    """What a Message, a ChatCompletion, a Response or an embedding says. One without usage has
    :data:`UNKNOWN_COUNTS`. Raises :class:`UsageError`."""
    usage, id, model = part(answer, "usage"), _text(answer, "id"), _text(answer, "model")
    if usage is None:
        usage = part(answer, "x_groq", "usage")  # the last chunk of a stream
    if part(answer, "type") == "message":
        return Answer(id, _claude_provider(id, model), tuple(_messages(usage, model)))
    counts = UNKNOWN_COUNTS if usage is None else _openai(usage, model)
    tier = _text(answer, "service_tier")
    counts = _at(counts, "standard" if tier in (None, "auto", "default", "on_demand") else str(tier))
    counts = _with_units(counts, _tools_seen(part(answer, "output"), counts.other_units))
    failed = part(answer, "status") in ("failed", "cancelled")
    error = (_text(answer, "error", "code") or str(part(answer, "status"))) if failed else None
    return Answer(id, _openai_provider(answer, id), (Call(model, counts),), error)


def count(name: str, value: Any) -> int:
    """A whole number from 0 to a million million; None is 0. Raises :class:`UsageError`."""
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{name}: {value!r} is no whole number")
    if not 0 <= value <= MAX_TOKENS:
        raise UsageError(f"{name}: {value} is {'negative' if value < 0 else 'too large'}")
    return value


def _anthropic(usage: Any) -> Counts:
    if part(usage, "input_tokens") is None or part(usage, "output_tokens") is None:
        raise UsageError("the usage states no input_tokens and output_tokens")

    def counted(*path: str) -> int:
        return count(path[-1], part(usage, *path))

    one_hour = counted("cache_creation", "ephemeral_1h_input_tokens")
    five_minutes = counted("cache_creation", "ephemeral_5m_input_tokens")
    output = counted("output_tokens")
    searches = ("web_fetch_requests", "web_search_requests")
    geo, speed = _text(usage, "inference_geo"), _text(usage, "speed")
    tier = _text(usage, "service_tier")
    counts = Counts(
        input_tokens=counted("input_tokens"),
        cache_read_tokens=counted("cache_read_input_tokens"),
        # The breakdown may fall short of its total (streamed server tools): the rest is at the default
        # lifetime.
        cache_write_5m_tokens=max(counted("cache_creation_input_tokens") - one_hour, five_minutes),
        cache_write_1h_tokens=one_hour,
        output_tokens=output,
        reasoning_tokens=min(counted("output_tokens_details", "thinking_tokens"), output),
        other_units=_some({name: counted("server_tool_use", name) for name in searches}),
        region=None if geo in (None, "global", "not_available") else geo,
    )
    if speed == "fast":
        return _at(counts, "fast")
    return _at(counts, "standard" if tier in (None, "default", "standard") else str(tier))


def _messages(usage: Any, model: str | None) -> Iterable[Call]:
    if usage is None:
        yield Call(model, UNKNOWN_COUNTS)
        return
    yield Call(model, _anthropic(usage))
    seen: dict[str, int] = {}
    for item in part(usage, "iterations") or ():
        kind = {"advisor_message": "advisor", "compaction": "compaction"}.get(str(part(item, "type")))
        if kind is not None:
            counts = _anthropic(item)
            place = seen[kind] = seen.get(kind, -1) + 1
            yield Call(_text(item, "model") or model, counts, f":{kind}:{place}")


def _openai(usage: Any, model: str | None) -> Counts:
    def counted(*paths: tuple[str, ...]) -> int | None:
        for path in paths:
            found = part(usage, *path)
            if found is not None:
                return count(path[-1], found)
        return None

    def of(detail: str, *sides: str) -> tuple[tuple[str, ...], ...]:
        return tuple((f"{side}_tokens_details", detail) for side in sides)

    inputs, outputs = ("prompt", "input"), ("completion", "output")
    prompt = counted(("prompt_tokens",), ("input_tokens",))
    if prompt is None:
        raise UsageError("the usage states no prompt_tokens or input_tokens")
    completion = counted(("completion_tokens",), ("output_tokens",)) or 0  # an embedding has no output
    elsewhere = (("prompt_cache_hit_tokens",), ("cached_tokens",))  # DeepSeek's word, and Kimi's place
    cached = counted(*of("cached_tokens", *inputs), *elsewhere) or 0
    written = counted(*of("cache_write_tokens", *inputs)) or 0
    if cached + written > prompt:
        raise UsageError("cached_tokens: more than the input")
    # How much of the cached part was audio is not said: cached text goes first.
    audio_in = min(counted(*of("audio_tokens", *inputs)) or 0, prompt - cached - written)
    audio_out = counted(*of("audio_tokens", *outputs)) or 0
    if audio_out > completion:
        raise UsageError("audio_tokens: more than the output")
    reasoning = counted(*of("reasoning_tokens", *outputs))
    # All that is billed is in the total. xAI's chat leaves reasoning out of completion_tokens; Google's
    # answers of this shape the thoughts, of which they say nothing else.
    beyond = max((counted(("total_tokens",)) or 0) - prompt - completion, 0)
    if reasoning is None:
        reasoning = beside = beyond if (model or "").startswith("gemini-") else 0
    else:
        beside = reasoning if beyond == reasoning else 0
    output = completion + beside - audio_out
    tools = {
        unit: counted(("server_side_tool_usage_details", name)) or 0 for name, unit in _XAI_TOOLS.items()
    }
    return Counts(
        input_tokens=prompt - cached - written - audio_in,
        cache_read_tokens=cached,
        cache_write_5m_tokens=written,
        output_tokens=output,
        reasoning_tokens=min(reasoning, output),
        other_units=_some({"input_audio_tokens": audio_in, "output_audio_tokens": audio_out, **tools}),
    )


def _tools_seen(output: Any, stated: Mapping[str, int]) -> dict[str, int]:
    """The searches among a Response's items, where its usage does not state them. Opening and searching a
    page that was found are no searches."""
    items = output if isinstance(output, list) else []
    seen = {"web_search_requests": 0, "file_search_requests": 0}
    for item in items:
        if part(item, "type") == "file_search_call":
            seen["file_search_requests"] += 1
        elif part(item, "type") == "web_search_call" and part(item, "action", "type") in (None, "search"):
            seen["web_search_requests"] += 1
    return {unit: number for unit, number in seen.items() if unit not in stated}


def _at(counts: Counts, mode: str) -> Counts:
    if mode not in MODES:
        return _with_units(counts, {UNKNOWN_TIER: 1})
    return replace(counts, mode=mode)


def _with_units(counts: Counts, units: Mapping[str, int]) -> Counts:
    return replace(counts, other_units=_some({**counts.other_units, **units}))


def _some(units: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in sorted(units.items()) if number}


def _claude_provider(id: str | None, model: str | None) -> str | None:
    for start, provider in (("msg_bdrk_", "aws"), ("msg_vrtx_", "google"), ("msg", "anthropic")):
        if id and id.startswith(start):
            return provider
    return "anthropic" if model and model.startswith("claude") else None


def _openai_provider(answer: Any, id: str | None) -> str | None:
    if id and id.startswith("gen-"):
        return "openrouter"
    if part(answer, "x_groq") is not None:
        return "groq"
    if part(answer, "usage", "cost_in_usd_ticks") is not None:
        return "x-ai"
    return None


def _text(value: Any, *path: str) -> str | None:
    found = part(value, *path)
    return found if isinstance(found, str) and found else None
