"""One call as the tracker returns it: what was used, by whom, and what it costs, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from costctl.money import usd
from costctl.pricing.price import Usage


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call that was logged. ``usage`` has its time (naive UTC), tier and counts, disjoint as in the ledger.

    Money is in pico-dollars (1e-12 USD), and in USD as a Decimal: ``input_pico`` is the prompt's, cached or
    not, ``output_pico`` the answer's, ``cost_pico`` all that is billed (searches, fees by the call and the
    calls in ``further`` too). All three are None where something has no price; ``unpriced_reason`` says what.

    ``further`` are calls that the vendor made for this one and bills beside it, such as Anthropic's advisor:
    they are lines of their own in the log.
    """

    id: str
    provider: str | None
    model: str
    user_id: str | None
    team_id: str | None
    project_id: str | None
    agent_id: str | None
    tags: Mapping[str, object]
    usage: Usage
    latency_ms: int | None
    success: bool
    error_type: str | None
    input_pico: int | None
    output_pico: int | None
    cost_pico: int | None
    unpriced_reason: str | None
    further: tuple[CallRecord, ...] = ()

    @property
    def timestamp(self) -> datetime:
        """When the call began."""
        return self.usage.ts.replace(tzinfo=UTC)

    @property
    def total_input_tokens(self) -> int:
        """The whole prompt: the book's input_tokens."""
        return self.usage.total_input

    @property
    def cached_tokens(self) -> int:
        """What was read from the vendor's cache."""
        return self.usage.cache_read_tokens

    @property
    def output_tokens(self) -> int:
        return self.usage.output_tokens

    @property
    def input_cost(self) -> Decimal | None:
        return _usd(self.input_pico)

    @property
    def output_cost(self) -> Decimal | None:
        return _usd(self.output_pico)

    @property
    def total_cost(self) -> Decimal | None:
        return _usd(self.cost_pico)

    def line(self) -> dict[str, object]:
        """The call's line in the log, without what is unknown or 0; its facts only: the ledger prices it."""
        usage = self.usage
        needed: dict[str, object] = {
            "id": self.id,
            "timestamp": f"{usage.ts.isoformat(timespec='microseconds')}Z",
            "model": self.model,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "success": self.success,
        }
        maybe: dict[str, object] = {
            "provider": self.provider,
            "user_id": self.user_id,
            "team_id": self.team_id,
            "project_id": self.project_id,
            "agent_id": self.agent_id,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_5m_tokens": usage.cache_write_5m_tokens,
            "cache_write_1h_tokens": usage.cache_write_1h_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "other_units": usage.other_units,
            "mode": None if usage.mode == "standard" else usage.mode,
            "region": usage.region,
            "error_type": self.error_type,
            "tags": self.tags,
        }
        line = needed | {name: value for name, value in maybe.items() if value}
        if self.latency_ms is not None:
            line["latency_ms"] = self.latency_ms
        return line


def total(parts: Iterable[int | None]) -> int | None:
    """Their sum, None if one is unknown."""
    whole = 0
    for each in parts:
        if each is None:
            return None
        whole += each
    return whole


def _usd(pico: int | None) -> Decimal | None:
    return None if pico is None else usd(pico)
