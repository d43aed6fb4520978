"""The canonical call: every column's name, type, unit and meaning, in one table.

One row is one billed call, or one bucket of an aggregated export. The token columns are **disjoint**: the
prompt is ``input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens`` and no token
is counted twice. Everything that needs to know a column (the ledger's schema, filters, ``--by``, formats,
reports) derives it from :data:`COLUMNS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["identity", "time", "label", "tokens", "units", "money", "fact"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the canonical call.

    ``name`` is the ledger's; ``public`` is what people type and read (only ``user_id`` differs: ``user``).
    """

    name: str
    type: str
    role: Role
    unit: str
    meaning: str
    public: str = ""

    def __post_init__(self) -> None:
        if not self.public:
            object.__setattr__(self, "public", self.name)


def _tokens(name: str, meaning: str) -> Column:
    return Column(name, "BIGINT", "tokens", "tokens", meaning)


def _label(name: str, meaning: str, public: str = "") -> Column:
    return Column(name, "VARCHAR", "label", "", meaning, public)


COLUMNS: tuple[Column, ...] = (
    Column("call_key", "UUID", "identity", "", "identity in the whole ledger: hash of the source's own id"),
    Column("ts", "TIMESTAMP", "time", "µs, UTC", "when the call began; of a bucket, its start"),
    Column("grain", "VARCHAR", "fact", "", "call or bucket"),
    Column("requests", "BIGINT", "fact", "calls", "how many calls the row stands for; NULL where unknown"),
    _label("provider", "as the source names it"),
    _label("model", "as the source names it"),
    _label("team", "what the source said; NULL unknown"),
    _label("project", "what the source said; NULL unknown"),
    _label("user_id", "what the source said; NULL unknown", public="user"),
    _label("agent", "what the source said; NULL unknown"),
    _label("session", "what the source said; NULL unknown"),
    _label("api_key", "what the source said, shortened and hashed where it looks like a secret"),
    _label("workspace", "what the source said; NULL unknown"),
    Column("tags", "MAP(VARCHAR, VARCHAR)", "fact", "", "free labels, keys sorted"),
    _label("mode", "standard, batch, flex, priority or fast: the tier that SERVED the call"),
    _label("region", "where the source states it and it changes the price"),
    _label("context_tier", "where the source states it and it changes the price"),
    _label("billing", "metered, subscription, byok or unknown"),
    Column("replay", "BOOLEAN", "fact", "", "a copy of another call's line (sidechain, fork)"),
    _tokens("input_tokens", "uncached input only"),
    _tokens("cache_read_tokens", "input read from the provider's prompt cache"),
    _tokens("cache_write_5m_tokens", "cache writes at the default lifetime (5 minutes or unspecified)"),
    _tokens("cache_write_1h_tokens", "cache writes at a lifetime of 1 hour"),
    _tokens("output_tokens", "all billed output, reasoning included"),
    _tokens("reasoning_tokens", "the part of output that was reasoning; never added again"),
    Column("other_units", "MAP(VARCHAR, BIGINT)", "units", "", "rare billed units, disjoint, keys sorted"),
    Column("latency_ms", "BIGINT", "fact", "ms", "NULL unknown; of N calls, their mean"),
    Column("success", "BOOLEAN", "fact", "", "NULL unknown"),
    Column("error_type", "VARCHAR", "fact", "", "NULL unknown"),
    Column("reported_cost_pico", "BIGINT", "money", "pico-USD", "what the source itself says it cost"),
    Column("cost_pico", "BIGINT", "money", "pico-USD", "our cost; NULL when a unit has no price"),
    Column("price_id", "INTEGER", "money", "", "the price row used"),
    Column("source_id", "INTEGER", "identity", "", "the ingested file"),
)

CHARGES: tuple[Column, ...] = (
    Column("period_start", "TIMESTAMP", "time", "µs, UTC", "from when the charge is"),
    Column("period_end", "TIMESTAMP", "time", "µs, UTC", "until when, itself not in it; NULL unknown"),
    _label("provider", "as the source names it"),
    _label("model", "as the source names it"),
    _label("project", "what the source said; NULL unknown"),
    _label("workspace", "what the source said; NULL unknown"),
    _label("api_key", "what the source said, shortened and hashed where it looks like a secret"),
    _label("mode", "standard, batch, flex, priority or fast; NULL unknown"),
    _label("line_item", "what is charged for, in the source's words"),
    Column("amount_pico", "BIGINT", "money", "pico-units of the currency", "negative where it is given back"),
    _label("currency", "ISO 4217, in capitals"),
    _label("kind", "usage, credit, discount, tax or fee"),
)
"""A line of a bill, as a cost report or an invoice states it. Charges stand beside the calls: no report of
usage adds them."""

KINDS: tuple[str, ...] = ("usage", "credit", "discount", "tax", "fee")

BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}
BY_PUBLIC: dict[str, Column] = {column.public: column for column in COLUMNS}

LABELS: tuple[str, ...] = ("team", "project", "user_id", "agent", "session", "api_key", "workspace")
"""Labels that a source, a flag or an allocation rule fills."""

INPUT_TOKENS: tuple[str, ...] = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)
"""The disjoint parts of the prompt: their sum is the call's total input."""

PRICED_TOKENS: tuple[str, ...] = (*INPUT_TOKENS, "output_tokens")
"""The disjoint token columns that a price row prices one by one."""

MODES: tuple[str, ...] = ("standard", "batch", "flex", "priority", "fast")
BILLINGS: tuple[str, ...] = ("metered", "subscription", "byok", "unknown")
GRAINS: tuple[str, ...] = ("call", "bucket")

MAX_TOKENS = 10**12
"""A token count above this is no token count: the line is rejected."""

FREE_UNITS: frozenset[str] = frozenset({"web_fetch_requests"})
"""Units of ``other_units`` that vendors state but do not charge for (price 0)."""
