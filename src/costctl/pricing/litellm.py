"""LiteLLM's table of prices, ``model_prices_and_context_window.json``.

It is one JSON object: a name a model, and of each the prices of a single token as numbers like ``3e-06``, in
keys whose names are made of the kind, the tier and the mode, as in
``cache_read_input_token_cost_above_200k_tokens_priority``. A tier holds for a prompt of more tokens, cached
ones counted, and for all of it; what a mode does not state costs what it costs in the standard mode. These
rules are LiteLLM's own (its ``llm_cost_calc/utils.py``). The table has no dates.

Only prices per token in keys that are understood are taken; the others are named.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costctl.money import PICO_PER_USD
from costctl.pricing.rows import ANCESTORS, NO_LIMIT, NO_TIER, PriceRow, first, priced

if TYPE_CHECKING:
    from costctl.documents import DocumentError

SAMPLE = "sample_spec"
"""An entry that is no model: it explains the others."""

_KINDS: Mapping[str, str] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "input_audio_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "cache_read_input_audio_token_cost": "cache_audio_read_tokens",
    "input_cost_per_image_token": "input_image_tokens",
    "output_cost_per_image_token": "output_image_tokens",
    "cache_read_input_image_token_cost": "cache_image_read_tokens",
    "input_cost_per_video_token": "input_video_tokens",
    "output_cost_per_video_token": "output_video_tokens",
}
_MODES: Mapping[str | None, str] = {
    None: "standard",
    "batches": "batch",
    "flex": "flex",
    "priority": "priority",
}
_KEY = re.compile(
    rf"({'|'.join(sorted(_KINDS, key=len, reverse=True))})"
    r"(?:_above_([0-9]{1,6})k_tokens)?(?:_(batches|flex|priority))?"
)
_CHANGES_PRICES = ("cost", "pricing", "multiplier", "provider_specific_entry")
"""Parts of the names of keys that may say something about money."""

_WHOLE_TABLES = ("tiered_pricing", "off_peak_pricing")
"""Keys beside which the prices of the other keys do not hold for every call."""

_REGION = re.compile(r"us|eu|[a-z]{2}(-gov)?-[a-z]+-[0-9]")
_FAMILIES = {
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "bedrock_mantle": "bedrock",
    "cohere_chat": "cohere",
    "text-completion-codestral": "codestral",
    "text-completion-inception": "inception",
    "text-completion-openai": "openai",
}
"""Providers that LiteLLM tells apart by the interface only."""

_INCLUSIVE = {"xai"}
"""Providers whose tiers begin at their threshold, not above it."""

_NOISE_DIGITS = 14
"""A number of as many digits is what a floating-point product has left: 1.8000000000000002e-07."""

_FINEST = 40
"""Decimal places."""

_TOO_FINE = "a price finer than a pico-dollar"

_CACHE_HIT = "input_cost_per_token_cache_hit"
"""DeepSeek's word for a cache read, beside LiteLLM's own."""

Prices = Mapping[str, int]
"""Pico-dollars for one token, by kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The prices of one model in one mode: ``tiers`` are each lower bound and its prices, the base first."""

    mode: str
    tiers: tuple[tuple[int, Prices], ...]
    borrowed: frozenset[tuple[int, str]] = frozenset()
    """Lower bound and kind of what is not stated, but the standard mode's."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the table: LiteLLM's ``name`` of it, and the provider, model and region that this names.
    ``left_out`` are its keys about money that are not understood; ``rounded`` those with noise in their last
    digit, which is rounded half-even to a whole pico-dollar."""

    name: str
    provider: str
    model: str
    region: str | None
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...] = ()
    rounded: tuple[str, ...] = ()

    def rows(self, source: str) -> Iterator[PriceRow]:
        """Its price rows."""
        for entry in self.entries:
            (_, base), *_ = entry.tiers
            bounds = [above for above, _ in entry.tiers[1:]]
            for (above, prices), up_to in zip(entry.tiers, [*bounds, NO_LIMIT], strict=True):
                yield priced(
                    {**base, **prices},
                    provider=self.provider,
                    model=self.model,
                    source=source,
                    mode=entry.mode,
                    region=self.region,
                    tier_above=above,
                    tier_to=up_to,
                )


@dataclass(frozen=True, slots=True)
class Table:
    """A file's models, and the names of the others by the reason for which they are left out.

    ``identifier`` is the file's name and the hash of its bytes."""

    identifier: str
    models: tuple[Listed, ...]
    left_out: Mapping[str, tuple[str, ...]]


def read(path: Path) -> Table:
    """The table in ``path``. Raises :class:`costctl.documents.DocumentError` for a file that cannot be read
    or is not LiteLLM's."""
    content, data = _json(path)
    models: list[Listed] = []
    left_out: dict[str, list[str]] = {}
    for name, said in data.items():
        if name == SAMPLE:
            continue
        try:
            models.append(_listed(name, said))
        except ValueError as reason:
            left_out.setdefault(str(reason), []).append(name)
    identifier = f"{path.name} sha256:{hashlib.sha256(content).hexdigest()[:16]}"
    return Table(identifier, tuple(models), {reason: tuple(names) for reason, names in left_out.items()})


def _json(path: Path) -> tuple[bytes, dict[str, dict[str, Any]]]:
    from costctl.documents import DocumentError

    def fault(message: str, line: int = 0, column: int = 0) -> DocumentError:
        hint = "LiteLLM's is called model_prices_and_context_window.json"
        return DocumentError(str(path), line, column, message, hint)

    try:
        content = path.read_bytes()
        # By its digits: a float would make 3e-06 something else.
        data = json.loads(content, parse_float=Decimal)
    except OSError as error:
        raise DocumentError(str(path), 0, 0, f"cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise fault(f"this is not JSON: {error.msg}", error.lineno, error.colno) from None
    except (ValueError, RecursionError):
        raise fault("this is not JSON") from None
    if not isinstance(data, dict) or not any(
        isinstance(said, dict) and "litellm_provider" in said for said in data.values()
    ):
        raise fault("this is not LiteLLM's table of prices: no entry has a litellm_provider")
    return content, data


def _listed(name: str, said: Any) -> Listed:
    """What the table says of one model. Raises ValueError with the reason for which it is left out."""
    if not isinstance(said, dict) or not isinstance(said.get("litellm_provider"), str):
        raise ValueError("no litellm_provider")
    if "*" in name or not name.isprintable():
        raise ValueError("a name that stands for several")
    if table := next((key for key in _WHOLE_TABLES if said.get(key)), None):
        raise ValueError(f"{table}, which is not understood")
    found: dict[tuple[str, int], dict[str, int]] = {}
    left_out: list[str] = []
    rounded: list[str] = []
    for key, value in said.items():
        match = _KEY.fullmatch(key)
        if match is None or isinstance(value, bool) or not isinstance(value, int | Decimal):
            if value and any(part in key for part in _CHANGES_PRICES):
                left_out.append(key)
            continue
        kind, thousands, mode = match.groups()
        pico, is_noise = _pico(value)
        if is_noise:
            rounded.append(key)
        above = NO_TIER
        if thousands:
            above = int(thousands) * 1000 - (said["litellm_provider"] in _INCLUSIVE)
        found.setdefault((_MODES[mode], above), {})[_KINDS[kind]] = pico
    standard = found.get(("standard", NO_TIER), {})
    if not {"input", "output"} & standard.keys():
        raise ValueError("no price per token")
    if not any(price for prices in found.values() for price in prices.values()):
        raise ValueError("0 for every token, which may mean unknown")
    _leave_out_what_follows(found)
    if isinstance(hit := said.get(_CACHE_HIT), int | Decimal) and standard.get("cache_read") == _pico(hit)[0]:
        left_out = [key for key in left_out if key != _CACHE_HIT]  # the same in other words
    entries = []
    for word, mode in _MODES.items():
        if mode == "standard" or "input" in found.get((mode, NO_TIER), {}):
            entries.append(_entry(mode, found))
        else:
            left_out += [key for key in said if (match := _KEY.fullmatch(key)) and match[3] == word]
    where = _named(name, said["litellm_provider"])
    return Listed(name, *where, tuple(entries), tuple(left_out), tuple(rounded))


def _leave_out_what_follows(found: Mapping[tuple[str, int], dict[str, int]]) -> None:
    """Take out each kind that costs what its wider kind costs, such as reasoning: where the one has another
    price in a tier or mode, the other has it too."""
    base = found["standard", NO_TIER]
    for where, prices in sorted(found.items(), key=lambda item: item[0] != ("standard", NO_TIER)):
        below = found.get((where[0], NO_TIER), {})
        for kind in ANCESTORS:
            is_told_apart = prices is not base and (kind in base or (prices is not below and kind in below))
            wider = [prices[each] for each in first(ANCESTORS[kind], prices)]
            if not is_told_apart and kind in prices and [prices[kind]] == wider:
                del prices[kind]


def _entry(mode: str, found: Mapping[tuple[str, int], Prices]) -> Entry:
    """The tiers of ``mode``, as LiteLLM takes them: what it does not state is the standard mode's; but a
    batch has no other tiers than its own, and what one of them does not state costs what it costs below."""
    below = found.get((mode, NO_TIER), {})
    with_tiers = {mode} if mode == "batch" else {mode, "standard"}
    tiers = []
    borrowed: set[tuple[int, str]] = set()
    for above in sorted({above for of, above in found if of in with_tiers}):
        prices = dict(found.get(("standard", above), {}))
        if mode == "batch" and above != NO_TIER:
            prices = {kind: price for kind, price in prices.items() if kind not in below}
        stated = found.get((mode, above), {})
        borrowed |= {(above, kind) for kind in prices if kind not in stated}
        tiers.append((above, {**prices, **stated}))
    return Entry(mode, tuple(tiers), frozenset(borrowed))


def _pico(usd: int | Decimal) -> tuple[int, bool]:
    """Pico-dollars of a price in USD, and whether noise was rounded away. Raises ValueError for what is no
    price of a token."""
    if not 0 <= usd <= 1:
        raise ValueError("a price that is none")
    if usd and Decimal(usd).adjusted() < -_FINEST:  # before there is a fraction of a million digits
        raise ValueError(_TOO_FINE)
    exact = Fraction(usd) * PICO_PER_USD
    if exact.denominator == 1:
        return int(exact), False
    if len(Decimal(usd).as_tuple().digits) < _NOISE_DIGITS:
        raise ValueError(_TOO_FINE)
    return round(exact), True  # half-even


def _named(name: str, provider: str) -> tuple[str, str, str | None]:
    """Provider, model and region: ``bedrock/us-east-1/anthropic.claude-v1`` of ``bedrock_converse`` is
    bedrock's anthropic.claude-v1 in us-east-1. Vertex AI's are one provider, whoever made the model."""
    family = "vertex_ai" if provider.startswith("vertex_ai-") else _FAMILIES.get(provider, provider)
    first, slash, rest = name.partition("/")
    if slash and first in (provider, family):
        name = rest
    region, slash, rest = name.partition("/")
    if slash and _REGION.fullmatch(region):
        return family, rest, region
    return family, name, None
