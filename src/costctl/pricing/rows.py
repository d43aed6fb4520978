"""A price row: every price of one model in one mode, region, period, time of day and tier.

Prices are integer pico-dollars per single token (or per single unit), so products with counts are exact. The
rows of one model, mode and region never overlap: at any instant and any prompt size exactly one holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from costctl.records import FREE_UNITS

DAY_SECONDS = 86_400
NO_TIER = -1
"""``tier_above`` of the base tier: every total input, 0 included, is above it."""
NO_LIMIT = 2**63 - 1

TOKEN_PRICES: tuple[str, ...] = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
)
"""The prices of the canonical token columns, per token; ``cache_write_5m`` is also that of writes whose
lifetime is not stated."""

INPUT_TOKEN_UNITS: tuple[str, ...] = (
    "input_audio_tokens",
    "cache_audio_read_tokens",
    "input_image_tokens",
    "cache_image_read_tokens",
    "input_video_tokens",
    "cache_video_read_tokens",
)
"""Rare units that are part of the prompt: they count towards a tier's threshold."""

ANCESTORS: Mapping[str, tuple[str, ...]] = {
    "cache_read": ("input",),
    "cache_write_5m": ("input",),
    "cache_write_1h": ("cache_write_5m", "input"),
    "reasoning": ("output",),
    "input_audio_tokens": ("input",),
    "cache_audio_read_tokens": ("input_audio_tokens", "cache_read", "input"),
    "input_image_tokens": ("input",),
    "cache_image_read_tokens": ("input_image_tokens", "cache_read", "input"),
    "input_video_tokens": ("input",),
    "cache_video_read_tokens": ("input_video_tokens", "cache_read", "input"),
    "output_audio_tokens": ("output",),
    "output_image_tokens": ("output",),
    "output_video_tokens": ("output",),
    "output_citation_tokens": ("output",),
    "input_audio_seconds": ("audio_seconds",),
    "output_audio_seconds": ("audio_seconds",),
    "input_annotated_document_pages": ("input_document_pages",),
}
"""Whose price a kind without a price of its own carries: the first of these that is priced. It is
genai-prices' rule that a token is billed at its most specific priced kind (its ``decompose.py``)."""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """The prices of ``provider``'s ``model`` (names of the price book) where all of these hold:

    - the call was served in ``mode``, in ``region`` (None: none stated);
    - it began in ``[effective_from, effective_to)``, naive UTC, None being unbounded;
    - its second of the UTC day is in ``[window_start, window_end)``, of 0 to 86,400;
    - its own total input is above ``tier_above`` tokens, strictly, and at most ``tier_to``.

    Prices are pico-dollars per token; ``request`` per call; ``other_units`` per unit, sorted by name. None,
    or a unit that is not there, has no price, which is not 0. ``source`` says for people where they are from.
    """

    provider: str
    model: str
    mode: str
    region: str | None
    effective_from: datetime | None
    effective_to: datetime | None
    window_start: int
    window_end: int
    tier_above: int
    tier_to: int
    input: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output: int | None
    reasoning: int | None
    request: int
    other_units: tuple[tuple[str, int], ...]
    source: str

    @property
    def content(self) -> UUID:
        """The identity of what the row says, its source apart: equal prices from two books are one row."""
        said = [getattr(self, name) for name in self.__slots__ if name != "source"]
        text = json.dumps(said, default=datetime.isoformat)
        return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def priced(
    prices: Mapping[str, int],
    *,
    provider: str,
    model: str,
    source: str,
    mode: str = "standard",
    region: str | None = None,
    effective_from: datetime | None = None,
    effective_to: datetime | None = None,
    window_start: int = 0,
    window_end: int = DAY_SECONDS,
    tier_above: int = NO_TIER,
    tier_to: int = NO_LIMIT,
) -> PriceRow:
    """A row from the ``prices`` that a book states (names of :data:`TOKEN_PRICES`, ``request``, or a unit, to
    pico-dollars), with each kind that has none carrying its ancestor's, and free units at 0."""
    own = dict.fromkeys(FREE_UNITS, 0) | dict(prices)
    full = own | {
        kind: own[ancestor]
        for kind, ancestors in ANCESTORS.items()
        if kind not in own
        for ancestor in first(ancestors, own)
    }
    tokens = {kind: full.pop(kind, None) for kind in TOKEN_PRICES}
    return PriceRow(
        provider=provider,
        model=model,
        mode=mode,
        region=region,
        effective_from=effective_from,
        effective_to=effective_to,
        window_start=window_start,
        window_end=window_end,
        tier_above=tier_above,
        tier_to=tier_to,
        **tokens,
        request=full.pop("request", 0),
        other_units=tuple(sorted(full.items())),
        source=source,
    )


def first(names: Iterable[str], known: Mapping[str, int]) -> tuple[str, ...]:
    """The first of ``names`` that is ``known``, or nothing."""
    return next(((name,) for name in names if name in known), ())
