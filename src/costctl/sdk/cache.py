"""Asking Anthropic with a prompt whose first part is always the same: cached, and what the cache really
saves."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

from costctl.money import usd
from costctl.pricing.price import Usage
from costctl.sdk.clients import is_logged
from costctl.sdk.forks import Lock
from costctl.sdk.prices import CallPrices
from costctl.sdk.tracker import CostTracker
from costctl.sdk.usage import (
    UNKNOWN_COUNTS,
    UNKNOWN_TIER,
    UNREPORTED,
    Answer,
    Call,
    Counts,
    UsageError,
    answer_of,
)

MODEL = "claude-sonnet-4-20250514"

INSTRUCTIONS = "Answer from the FAQ below. If it holds no answer, say so.\n\n"


class CachedMessage(NamedTuple):
    """A Message, and whether the vendor read any of its prompt from the cache."""

    response: Any
    cache_hit: bool


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache did: calls that were answered, of which ``hits`` read from the cache and ``writes`` wrote
    to it, as the vendor reports (a call may do both; one whose static part is too short to be cached does
    neither).

    Money is in pico-dollars, at each call's own prices: ``read_saving_pico`` is what reading cost less than
    plain input, ``write_premium_pico`` what writing cost more; ``unpriced`` calls are in neither.
    """

    requests: int = 0
    hits: int = 0
    writes: int = 0
    saved_tokens: int = 0
    written_tokens: int = 0
    read_saving_pico: int = 0
    write_premium_pico: int = 0
    unpriced: int = 0

    @property
    def misses(self) -> int:
        return self.requests - self.hits

    @property
    def hit_rate(self) -> Decimal | None:
        """Hits of all requests, as a fraction; None without a request."""
        return Decimal(self.hits) / self.requests if self.requests else None

    @property
    def saved_cost(self) -> Decimal:
        """USD: what reading saved without what writing cost beyond plain input. Negative where a cache is
        written more than it is read."""
        return usd(self.read_saving_pico - self.write_premium_pico)

    def __add__(self, other: CacheStats) -> CacheStats:
        names = [each.name for each in fields(self)]
        return CacheStats(*(getattr(self, name) + getattr(other, name) for name in names))


class PromptCache:
    """Asks by ``client``, an ``anthropic.Anthropic``, and keeps count. With a ``tracker`` every call is
    logged, failed ones too, unless the client logs its calls already; labels are the tracker's. ``ttl`` is
    how long what is written stays after it was last read: 5m or 1h, which costs more to write. Threads may
    share it. Raises TypeError for an asynchronous client.
    """

    def __init__(
        self, client: Any, tracker: CostTracker | None = None, *, ttl: Literal["5m", "1h"] = "5m"
    ) -> None:
        if any(base.__name__ == "AsyncAPIClient" for base in type(client).__mro__):
            raise TypeError("an asynchronous client cannot be asked here: give an anthropic.Anthropic")
        self._client = client if tracker is None or is_logged(client) else tracker.wrap(client)
        self._prices = CallPrices() if tracker is None else tracker.prices
        self._control = {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}
        self._stats = CacheStats()
        self._lock = Lock()

    @property
    def stats(self) -> CacheStats:
        """What was done up to now."""
        return self._stats

    def create_cached_message(
        self, static_context: str, dynamic_query: str, model: str = MODEL, max_tokens: int = 1024, **more: Any
    ) -> CachedMessage:
        """Ask ``dynamic_query`` after ``static_context``, which is marked to be cached. ``more`` goes to
        ``messages.create`` as it is. Raises what that raises: such a call is in no count."""
        response = self._client.messages.create(
            model=model,
            max_tokens=max_tokens,
            system=[{"type": "text", "text": static_context, "cache_control": self._control}],
            messages=[{"role": "user", "content": dynamic_query}],
            **more,
        )
        try:
            answer = answer_of(response)
        except UsageError:  # the answer is paid for all the same
            answer = Answer(None, None, (Call(model, UNKNOWN_COUNTS),))
        own = answer.calls[0]
        with self._lock:
            self._stats += self._done(answer.provider, own.model or model, own.counts)
        return CachedMessage(response, own.counts.cache_read_tokens > 0)

    def _done(self, provider: str | None, model: str, counts: Counts) -> CacheStats:
        read = counts.cache_read_tokens
        written = counts.cache_write_5m_tokens + counts.cache_write_1h_tokens
        usage = Usage(
            datetime.now(UTC).replace(tzinfo=None),
            counts.mode,
            counts.region,
            input_tokens=counts.input_tokens,
            cache_read_tokens=read,
            cache_write_5m_tokens=counts.cache_write_5m_tokens,
            cache_write_1h_tokens=counts.cache_write_1h_tokens,
        )
        not_read = replace(usage, input_tokens=usage.input_tokens + read, cache_read_tokens=0)
        plain = replace(
            not_read,
            input_tokens=not_read.input_tokens + written,
            cache_write_5m_tokens=0,
            cache_write_1h_tokens=0,
        )
        cost, unread, uncached = (
            self._prices.price(provider, model, each).cost for each in (usage, not_read, plain)
        )
        done = CacheStats(
            requests=1, hits=int(read > 0), writes=int(written > 0), saved_tokens=read, written_tokens=written
        )
        unsaid = counts.other_units.keys() & {UNREPORTED, UNKNOWN_TIER}
        if cost is None or unread is None or uncached is None or unsaid:
            return replace(done, unpriced=1)
        return replace(done, read_saving_pico=unread - cost, write_premium_pico=unread - uncached)


class FAQAgent:
    """Answers questions out of one FAQ: a text, or the path of a file, which is read once."""

    def __init__(
        self,
        cache: PromptCache,
        faq: str | Path,
        *,
        instructions: str = INSTRUCTIONS,
        model: str = MODEL,
        max_tokens: int = 1024,
    ) -> None:
        text = faq.read_text(encoding="utf-8") if isinstance(faq, Path) else faq
        self.cache = cache
        self._context = instructions + text
        self._model = model
        self._max_tokens = max_tokens

    def answer_question(self, question: str) -> str:
        """The answer's text. Raises what the client raises."""
        response, _ = self.cache.create_cached_message(self._context, question, self._model, self._max_tokens)
        return "".join(block.text for block in response.content if block.type == "text")
