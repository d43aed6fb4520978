"""The lever *batch*: calls that can wait are sent in batches, at the prices of batches.

What a batched call costs is what the price book says for its model's mode ``batch`` on its date, never a
half: some vendors discount no cached tokens, and none discounts web searches.

Two things happen to prompt caches. Within a batch, hits are best effort: ``cache`` says what is assumed. And
calls that go no longer keep caches warm for those that stay: a call that stays loses its hit, and writes
again what it read, where in the five minutes before it only calls that go used the same cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from costctl.analysis.calls import Calls
from costctl.periods.zones import SECOND
from costctl.simulate.rules import Place, conditions, understood
from costctl.simulate.state import Change, Kind, Setting
from costctl.simulate.waiting import BOUNDS, SAID_BY_TAGS, Bound, Burst, Hours, Rule, Waiting, length

if TYPE_CHECKING:
    from costctl.documents import Document

CacheInBatch = Literal["kept", "lost", "hour"]
CACHES: tuple[CacheInBatch, ...] = get_args(CacheInBatch)

WARM = 300 * SECOND
"""Microseconds that a cache lives after its last use, by default."""

_SAME_CACHE = ("provider", "model", "team", "project", "agent", "api_key", "workspace")

_TOKENS: Mapping[CacheInBatch, Mapping[str, str]] = {
    "kept": {},
    "lost": {
        "input_tokens": "coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) "
        "+ coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)",
        "cache_read_tokens": "0",
        "cache_write_5m_tokens": "0",
        "cache_write_1h_tokens": "0",
    },
    "hour": {
        "cache_write_5m_tokens": "0",
        "cache_write_1h_tokens": "coalesce(cache_write_1h_tokens, 0) + coalesce(cache_write_5m_tokens, 0)",
    },
}
"""What the tokens of a batched call become."""

_COOLED = {
    "cache_read_tokens": "0",
    "cache_write_5m_tokens": "coalesce(cache_write_5m_tokens, 0) + coalesce(cache_read_tokens, 0)",
}
"""What the tokens of a call become that stays and loses its hit."""

_IS_COOLED = f"""moment - lag(moment) OVER of_cache <= {WARM}
            AND coalesce(moment - max(CASE WHEN NOT leaves THEN moment END) OVER before > {WARM}, TRUE)"""
"""Whether only calls that go used a call's cache in the time in which it stays warm."""

_IN_CACHE = {
    "kept": "as many tokens are read from the cache in a batch as before",
    "lost": "no token is read from the cache in a batch, and none is written",
    "hour": "in a batch the cache is written for an hour, and as many tokens are read from it as before",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch of a provider may hold; None: not stated."""

    requests: int | None
    bytes: int | None


LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        # platform.claude.com, build-with-claude/batch-processing: 100,000 requests or 256 MB; most end within
        # an hour, what is not done after 24 hours expires and is not billed.
        "anthropic": Limits(100_000, 256 * 10**6),
        # developers.openai.com, guides/batch: 50,000 requests, a file of 200 MB; within 24 hours.
        "openai": Limits(50_000, 200 * 10**6),
        # learn.microsoft.com, Azure OpenAI, global batch: 100,000 requests, a file of 200 MB.
        "azure": Limits(100_000, 200 * 10**6),
        # docs.mistral.ai, resources/known-limitations: 100,000 requests, a file of 512 MB.
        "mistral": Limits(100_000, 512 * 10**6),
        # ai.google.dev, gemini-api/docs/rate-limits: a file of 2 GB.
        "google": Limits(None, 2 * 10**9),
    }
)

BYTES_PER_TOKEN = 4
"""Of a prompt in a batch's file, about; the ledger holds no text."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls within ``bound`` of ``waiting`` go into batches. ``cache``: see the module."""

    waiting: Waiting = field(default_factory=Waiting)
    bound: Bound = "tagged"
    cache: CacheInBatch = "kept"

    @property
    def name(self) -> str:
        return "batch"

    @property
    def kind(self) -> Kind:
        return "batch"

    def assumptions(self) -> tuple[str, ...]:
        return (
            f"batch: {self.bound} calls are sent in batches, at their models' prices for batches; answers "
            "may take 24 hours",
            *(f"batch: {each}" for each in self.waiting.assumptions(self.bound)),
            f"batch: {_IN_CACHE[self.cache]}; a call that stays loses its hit where only calls that go used "
            "the same cache in the 5 minutes before",
        )

    def change(self, state: str, number: int, setting: Setting) -> Change:
        calls, of = setting.calls, f"_{number}"
        waiting, parameters = self.waiting.sql(calls.engine, calls.period, calls.span, of)
        bound = BOUNDS.index(self.bound) + 1
        # A model without a price for batches stays, and goes on keeping caches warm.
        batched = [each for each, rows in setting.book.rows_for(setting.names).items()
                   if any(row.mode == "batch" for row in rows)]  # fmt: skip
        known = " OR ".join(["(provider IS NOT DISTINCT FROM ? AND model = ?)"] * len(batched)) or "FALSE"
        same, is_called = ", ".join(_SAME_CACHE), f"bound BETWEEN 1 AND {bound}"
        relations = f"""{waiting},
caches{of} AS (
    SELECT kind, coalesce(mode, 'standard') <> 'batch' AND ({known}) AS has_batches,
        dense_rank() OVER (ORDER BY {same}) AS cache
    FROM kinds{of}
),
left{of} AS (
    SELECT call_key, moment, cache, {is_called} AS is_called, {is_called} AND has_batches AS leaves
    FROM waiting{of} JOIN caches{of} USING (kind)
),
warmed{of} AS (
    SELECT call_key, is_called, {_IS_COOLED if _reads(calls) else "FALSE"} AS is_cooled
    FROM left{of}
    WINDOW of_cache AS (PARTITION BY cache ORDER BY moment, call_key),
        before AS (
            PARTITION BY cache ORDER BY moment, call_key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
)"""  # noqa: S608 (constants; values are bound)
        can_go = "is_called AND coalesce(s.mode, 'standard') NOT IN ('batch', 'flex')"
        paid = "coalesce(billing, '') <> 'subscription'"
        # A row of many calls keeps its own cache warm.
        cools = "is_cooled AND s.grain = 'call' AND coalesce(s.requests, 1) = 1 AND s.cache_read_tokens > 0"
        return Change(
            source=f"SELECT s.*, coalesce({can_go}, FALSE) AS could_go, coalesce({cools}, FALSE) AS cools,\n"
            f"    could_go AND {paid} AS goes\n"
            f"FROM {state} AS s LEFT JOIN warmed{of} AS w ON w.call_key = s.call_key",
            reached="goes OR cools",
            refused=f"CASE WHEN could_go AND NOT {paid} THEN 'a subscription has no batches' END",
            values=self._values(),
            relations=relations,
            parameters=(*parameters, *(each for names in batched for each in names)),
        )

    def _values(self) -> dict[str, str]:
        values = {"mode": "CASE WHEN goes THEN 'batch' ELSE mode END"}
        batched = _TOKENS[self.cache]
        for name in dict.fromkeys((*batched, *_COOLED)):
            values[name] = f"CASE WHEN goes THEN {batched.get(name, name)} ELSE {_COOLED.get(name, name)} END"
        return values


def _reads(calls: Calls) -> bool:
    """Whether any of ``calls`` reads from a cache; else nothing can cool."""
    _, condition, parameters = calls.selection(())
    some = f"SELECT 1 FROM calls WHERE {condition} AND cache_read_tokens > 0 LIMIT 1"  # noqa: S608
    return bool(calls.engine.rows(some, parameters))


def of_document(document: Document) -> Batch:
    """The lever that a document of the schema ``batch`` says. Raises
    :class:`costctl.documents.DocumentError`."""
    said, usual = document.data, Waiting()
    wait, burst, night = usual.wait, usual.burst, usual.night
    if "wait" in said:
        wait = understood(document, ("wait",), length, said["wait"])
    if "burst" in said:
        within = understood(document, ("burst", "within"), length, said["burst"]["within"])
        burst = Burst(said["burst"]["calls"], within)
    if "night" in said:
        of_night = said["night"]
        night = None if of_night == "none" else understood(document, ("night",), Hours.parse, of_night)
    tagged = _rules(document, "tagged") if "tagged" in said else SAID_BY_TAGS
    waiting = Waiting(tagged, _rules(document, "never"), wait, burst, night)
    return Batch(waiting, said.get("bound", "tagged"), said.get("cache", "kept"))


def _rules(document: Document, key: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(conditions(document, (key, number), entry), _hours(document, (key, number), entry))
        for number, entry in enumerate(document.data.get(key, ()))
    )


def _hours(document: Document, place: Place, entry: Mapping[str, Any]) -> Hours | None:
    if "hours" not in entry:
        return None
    return understood(document, (*place, "hours"), Hours.parse, entry["hours"])
