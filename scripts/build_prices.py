"""Compile the price catalogue that costctl ships, from the pinned genai-prices package.

    python scripts/build_prices.py [DIRECTORY]

writes ``index.json``, one ``PROVIDER.json`` a provider and ``context_windows.json``, by default over
src/costctl/pricing/catalogue/, and prints what it rounded. Two runs write the same bytes. genai-prices (MIT,
Pydantic Services Inc.) is needed here only: it takes 0.4 s to import and 80 µs to price a call, so what it
knows becomes plain rows.

What is ours, and says so in each row's source:

- claude-haiku-3-20250307, the one model of our own;
- batch prices for the time before genai-prices states them ("earlier batch history is not modelled"): each
  kind's own batch ratio, applied to the price of the day.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from genai_prices import types
from genai_prices.data import providers as PROVIDERS  # noqa: N812
from genai_prices.data_units import unit_data

PINNED = "0.2.3"
SOURCE = f"genai-prices {PINNED}"
AS_OF = "2026-11-09"
"""The newest change of a price that it states as past: how old the catalogue is."""
CATALOGUE = Path(__file__).resolve().parents[1] / "src" / "costctl" / "pricing" / "catalogue"
DAY = 86_400
BASE = -1
"""The lower bound of the base tier: every prompt, an empty one too, is above it."""
PICO = 10**12

MODES = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast",
    ("speed", "fast"): "fast",
    ("search_type", "fast"): "fast",
    ("service_tier", "default"): "standard",
    ("search_type", "web"): "standard",
}
"""genai-prices' request contexts as our modes. A route is a region; any other context is refused."""

BATCH_HISTORY = ("anthropic", "openai", "google")
"""Providers whose batch discount is older than genai-prices' record of it, at the same ratios."""

ANTHROPIC_BATCH = Fraction(1, 2)
"""Anthropic halves every token kind of every model, retired ones too
(https://platform.claude.com/docs/en/build-with-claude/batch-processing#pricing)."""

TOKEN_KINDS = {
    "input_tokens": "input",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "output_tokens": "output",
    "output_reasoning_tokens": "reasoning",
    "requests": "request",
    "web_searches": "web_search_requests",
    "storage_searches": "file_search_requests",
    "social_searches": "social_search_requests",
    "rerank_searches": "rerank_requests",
    "code_executions": "code_execution_requests",
}
"""genai-prices' units under our names; the others keep theirs."""

OURS = {
    "model": "claude-haiku-3-20250307",
    "match": ["equals", "claude-haiku-3-20250307"],
    # USD per million tokens. Input, output and cached input are the book's; it has no price for cache writes,
    # so they are Anthropic's rule for every other model: 1.25 x and 2 x input.
    "usd_per_million": {
        "input": "0.25",
        "cache_read": "0.025",
        "cache_write_5m": "0.3125",
        "cache_write_1h": "0.50",
        "output": "1.25",
    },
    "source": "costctl: a model of our own; cache writes are 1.25 x and 2 x input",
}

Prices = Mapping[str, int]
Row = dict[str, Any]


@dataclass
class Rounding:
    """What was not a whole number of pico-dollars and had to be rounded, by reason."""

    lines: dict[str, list[str]] = field(default_factory=lambda: {"float noise": [], "per hour": []})

    def whole(self, price: Decimal, per: int, where: str) -> int:
        """The pico-dollars of a single unit, from a price in USD for ``per`` units, rounded half-even.

        Only two reasons to round are known: a float's repr (14 or more digits, such as 0.18000000000000002),
        and a price per hour that is stated for a second. Raises :class:`ValueError` for any other.
        """
        exact = Fraction(price) * PICO / per
        if exact.denominator == 1:
            return int(exact)
        reason = "per hour" if per == 3600 else "float noise" if len(price.as_tuple().digits) >= 14 else ""
        if not reason:
            raise ValueError(f"{where}: {price} USD for {per} is not a whole number of pico-dollars")
        rounded = round(exact)  # half-even
        self.lines[reason].append(f"{where}: {price} USD for {per:,} = {rounded} pico-dollars each")
        return rounded


def half_even(price: Fraction, where: str) -> int:
    if price.denominator != 1:
        raise ValueError(f"{where}: {price} is not a whole number of pico-dollars")
    return int(price)


def main(directory: Path = CATALOGUE) -> None:
    if version("genai-prices") != PINNED:
        raise SystemExit(f"genai-prices {PINNED} is needed, {version('genai-prices')} is installed")
    rounding = Rounding()
    directory.mkdir(parents=True, exist_ok=True)
    for stale in directory.glob("*.json"):
        stale.unlink()

    digest = hashlib.sha256()
    index: dict[str, Any] = {}
    rows = ours = 0
    for provider in PROVIDERS:
        models = list(models_of(provider, rounding))
        rows += sum(len(model["rows"]) for model in models)
        ours += sum("source" in row for model in models for row in model["rows"])
        content = written(models)
        digest.update(f"{provider.id}\n{content}".encode())
        (directory / f"{provider.id}.json").write_text(content, "utf-8", newline="\n")
        index[provider.id] = finding(provider)
    digest.update(json.dumps(index).encode())
    (directory / "index.json").write_text(
        "{\n"
        f'"source": "{SOURCE}",\n'
        f'"as_of": "{AS_OF}",\n'
        f'"sha256": "{digest.hexdigest()}",\n'
        '"providers": {\n'
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in index.items())
        + "\n}}\n",
        "utf-8",
        newline="\n",
    )
    # Beside the prices, and no part of their hash.
    windows = {provider.id: dict(windows_of(provider)) for provider in PROVIDERS}
    (directory / "context_windows.json").write_text(
        "{\n"
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in windows.items() if each)
        + "\n}\n",
        "utf-8",
        newline="\n",
    )
    print(f"{SOURCE}: {len(index)} providers, {rows:,} rows, {ours} of them ours")
    for reason, lines in rounding.lines.items():
        print(f"rounded half-even, {reason}: {len(lines)}")
        for line in lines:
            print(f"  {line}")


def windows_of(provider: types.Provider) -> Iterator[tuple[str, int]]:
    """The models whose context is stated: how many tokens of prompt and answer it holds."""
    for model in provider.models:
        if model.context_window:
            yield model.id, model.context_window


def finding(provider: types.Provider) -> Row:
    """What finds a provider, and the providers whose models it resells."""
    entry: Row = {}
    if provider.provider_match:
        entry["match"] = rule(provider.provider_match)
    if provider.model_match:
        entry["model_match"] = rule(provider.model_match)
    if provider.fallback_model_providers:
        entry["resells"] = provider.fallback_model_providers
    return entry


def rule(clause: Any) -> list[Any]:
    """A clause as a list (see costctl.pricing.matching); all but regular expressions in lower case."""
    if isinstance(clause, types.ClauseOr):
        return ["or", *map(rule, clause.or_)]
    if isinstance(clause, types.ClauseAnd):
        return ["and", *map(rule, clause.and_)]
    ((kind, text),) = vars(clause).items()
    return [kind, text if kind == "regex" else text.lower()]


def written(models: list[Row]) -> str:
    """JSON with one model's head or one price row a line, so that a diff of two catalogues can be read."""
    texts = []
    for model in models:
        head = json.dumps({"model": model["model"], "match": model["match"]}, ensure_ascii=False)
        lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in model["rows"])
        texts.append(f'{head[:-1]}, "rows": [\n{lines}\n]}}' if lines else f'{head[:-1]}, "rows": []}}')
    return "[\n" + ",\n".join(texts) + "\n]\n"


def models_of(provider: types.Provider, rounding: Rounding) -> Iterator[Row]:
    seen: set[str] = set()
    if provider.id == "anthropic":
        prices = {
            kind: rounding.whole(Decimal(usd), 10**6, OURS["model"])
            for kind, usd in OURS["usd_per_million"].items()
        }
        yield {"model": OURS["model"], "match": OURS["match"], "rows": list(own_rows(prices))}
    for model in provider.models:
        if model.id in seen:
            raise ValueError(f"{provider.id} has two models {model.id}")
        seen.add(model.id)
        yield {
            "model": model.id,
            "match": rule(model.match),
            "rows": [
                row for context in contexts(model) for row in rows_of(provider, model, context, rounding)
            ],
        }


def own_rows(prices: Prices) -> Iterator[Row]:
    yield {"prices": dict(prices), "source": OURS["source"]}
    halved = {kind: half_even(price * ANTHROPIC_BATCH, OURS["model"]) for kind, price in prices.items()}
    yield {"mode": "batch", "prices": halved, "source": OURS["source"] + "; batch halves every token kind"}


@dataclass(frozen=True)
class Context:
    """A mode and region, and what genai-prices calls it (empty: the standard prices)."""

    mode: str
    region: str | None
    when: Mapping[str, str]


def contexts(model: types.ModelInfo) -> list[Context]:
    """The contexts that change a price of ``model``; a context that only names the standard is left out."""
    found = {("standard", None): Context("standard", None, {})}
    for variant in model.price_variants or ():
        ((key, value),) = variant.when.items()
        if key == "route":
            found["standard", value] = Context("standard", value, variant.when)
            continue
        mode = MODES[key, value]
        if mode == "standard":
            if own_prices(variant.prices):
                raise ValueError(f"{model.id}: {key}={value} is not the standard price")
            continue
        known = found.setdefault((mode, None), Context(mode, None, variant.when))
        if known.when != variant.when:
            raise ValueError(f"{model.id} has two contexts for mode {mode}")
    return list(found.values())


def own_prices(prices: types.ModelPrice) -> dict[str, Any]:
    return {key: price for key, price in vars(prices).items() if price is not None}


def variants(model: types.ModelInfo, context: Context) -> list[types.PriceVariant]:
    return [each for each in model.price_variants or () if each.when == context.when]


@dataclass(frozen=True)
class Segment:
    """A period, half-open in UTC days, and a part of the day, half-open in seconds."""

    start: date | None
    end: date | None
    window: tuple[int, int]

    @property
    def instant(self) -> datetime:
        """A moment inside: everything that genai-prices knows is constant over the segment."""
        day = self.start or (self.end - timedelta(days=1) if self.end else date(2020, 1, 1))
        return datetime.combine(day, time(), UTC) + timedelta(seconds=self.window[0])


def segments(model: types.ModelInfo, context: Context) -> Iterator[Segment]:
    """The model's time cut at every date and every time of day at which one of its prices may change."""
    constraints = [each.constraint for each in model.prices] if isinstance(model.prices, list) else []
    constraints += [each.constraint for each in variants(model, context)]
    days: set[date] = set()
    seconds = {0, DAY}
    for constraint in constraints:
        if isinstance(constraint, types.StartDateConstraint):
            days.add(constraint.start_date)
        elif isinstance(constraint, types.TimeOfDateConstraint):
            # A window that wraps midnight simply gives two cuts: both parts take its price.
            seconds |= {second_of_day(constraint.start_time), second_of_day(constraint.end_time)}
    starts = [None, *sorted(days)]
    cuts = sorted(seconds)
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        for window in pairwise(cuts):
            yield Segment(start, end, window)


def second_of_day(moment: time) -> int:
    if moment.tzinfo not in (None, UTC) or moment.microsecond:
        raise ValueError(f"{moment} is not a whole second in UTC")
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def rows_of(
    provider: types.Provider, model: types.ModelInfo, context: Context, rounding: Rounding
) -> Iterator[Row]:
    """The rows of one model in one mode and region: by segment and tier, equal neighbours joined."""
    where = f"{provider.id} {model.id} {context.mode}"
    found: list[tuple[Segment, str, list[tuple[int, Prices]]]] = []
    for segment in segments(model, context):
        source, tiers = "", []
        active = [
            each
            for each in variants(model, context)
            if each.constraint is None or each.constraint.active(segment.instant)
        ]
        if active or not context.when:
            tiers = tiers_of(model.get_prices(segment.instant, context.when), where, rounding)
        elif context.mode == "batch" and provider.id in BATCH_HISTORY:
            standard = tiers_of(model.get_prices(segment.instant), where, rounding)
            ratios = batch_ratios(model, context, where)
            tiers = [
                (above, scaled(prices, ratios.get(above, ratios[BASE]), where)) for above, prices in standard
            ]
            source = "costctl: the model's batch ratio of the price of the day"
        if any(prices for _, prices in tiers):
            found.append((segment, source, tiers))
    yield from rows_from(joined(found), context)
    if not context.when and provider.id == "anthropic" and not any(map(is_batch, model.price_variants or ())):
        source = "costctl: batch halves every token kind"
        halves = [
            (segment, source, [(above, halved(prices, where)) for above, prices in tiers])
            for segment, _, tiers in found
        ]
        yield from rows_from(joined(halves), Context("batch", None, {}))


def is_batch(variant: types.PriceVariant) -> bool:
    return variant.when == {"processing": "batch"}


def tiers_of(prices: types.ModelPrice, where: str, rounding: Rounding) -> list[tuple[int, Prices]]:
    """Each tier's lower bound (BASE: none) with the prices of every kind in it."""
    own = own_prices(prices)
    tiered = [price for price in own.values() if isinstance(price, types.TieredPrices)]
    starts = {tier.start for price in tiered for tier in price.tiers}
    tiers: list[tuple[int, Prices]] = []
    for above in [BASE, *sorted(starts)]:
        tier = {
            kind: rounding.whole(price_above(price, above), per, f"{where} {kind}")
            for key, price in own.items()
            for kind, per in [KINDS[key]]
        }
        if not tiers or tier != tiers[-1][1]:
            tiers.append((above, tier))
    return tiers


def price_above(price: Any, above: int) -> Decimal:
    if not isinstance(price, types.TieredPrices):
        return Decimal(price)
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return reached[-1] if reached else price.base


KINDS = {unit["price_key"]: (TOKEN_KINDS.get(usage, usage), unit["per"]) for usage, unit in unit_data.items()}
"""Our name and the number of units, by genai-prices' name of a price."""


def batch_ratios(model: types.ModelInfo, context: Context, where: str) -> dict[int, dict[str, Fraction]]:
    """The ratio of batch to standard by tier and kind, on the first day for which batch prices are stated."""
    starts = [each.constraint for each in variants(model, context) if each.constraint is not None]
    instant = datetime.combine(min(each.start_date for each in starts), time(), UTC)
    standard = tiers_of(model.get_prices(instant), where, Rounding())
    batch = tiers_of(model.get_prices(instant, context.when), where, Rounding())
    ratios = {}
    for above, before in standard:
        after = next(prices for start, prices in reversed(batch) if start <= above)
        ratios[above] = {kind: Fraction(after[kind], price or 1) for kind, price in before.items()}
    return ratios


def scaled(prices: Prices, ratios: Mapping[str, Fraction], where: str) -> Prices:
    return {kind: half_even(price * ratios[kind], f"{where} {kind}") for kind, price in prices.items()}


def halved(prices: Prices, where: str) -> Prices:
    tokens = set(TOKEN_KINDS.values()) - {"request"}
    return {
        kind: half_even(price * ANTHROPIC_BATCH, f"{where} {kind}")
        if kind in tokens and not kind.endswith("_requests")
        else price
        for kind, price in prices.items()
    }


Found = tuple[Segment, str, list[tuple[int, Prices]]]


def joined(found: list[Found]) -> list[Found]:
    """Segments with equal prices joined: first parts of one day, then days of equal parts."""
    days: dict[tuple[date | None, date | None], list[Found]] = {}
    for segment, source, tiers in found:
        parts = days.setdefault((segment.start, segment.end), [])
        if parts and parts[-1][1:] == (source, tiers) and parts[-1][0].window[1] == segment.window[0]:
            window = (parts[-1][0].window[0], segment.window[1])
            parts[-1] = (Segment(segment.start, segment.end, window), source, tiers)
        else:
            parts.append((segment, source, tiers))
    periods: list[list[Found]] = []
    for parts in days.values():
        if periods and alike(periods[-1], parts):
            start, end = periods[-1][0][0].start, parts[0][0].end
            periods[-1] = [(Segment(start, end, each[0].window), *each[1:]) for each in parts]
        else:
            periods.append(parts)
    return [each for parts in periods for each in parts]


def alike(left: list[Found], right: list[Found]) -> bool:
    return left[0][0].end == right[0][0].start and [(each[0].window, *each[1:]) for each in left] == [
        (each[0].window, *each[1:]) for each in right
    ]


def rows_from(found: list[Found], context: Context) -> Iterator[Row]:
    for segment, source, tiers in found:
        bounds = [above for above, _ in tiers]
        for (above, prices), up_to in zip(tiers, [*bounds[1:], None], strict=True):
            row: Row = {}
            if context.mode != "standard":
                row["mode"] = context.mode
            if context.region is not None:
                row["region"] = context.region
            if segment.start is not None:
                row["from"] = segment.start.isoformat()
            if segment.end is not None:
                row["to"] = segment.end.isoformat()
            if segment.window != (0, DAY):
                row["window_start"], row["window_end"] = segment.window
            if above != BASE:
                row["above"] = above
            if up_to is not None:
                row["up_to"] = up_to
            row["prices"] = dict(sorted(prices.items()))
            if source:
                row["source"] = source
            yield row


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
