"""The catalogue against genai-prices itself: the same calls, priced by both, to the pico-dollar.

The calls are drawn when the test runs. First one for every period, time of day and tier of every model in
every context (its edges preferred), using every kind that has a price; so each compiled price is multiplied
by something in some call. Then more, on the edges, up to 5,000. ORACLE_SEED repeats a run;
ORACLE_CATALOGUE names the directory of another catalogue to judge.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from genai_prices import data_snapshot, types
from genai_prices.data import providers
from genai_prices.data_units import unit_data

from costctl.pricing import price, sql
from costctl.pricing.book import PriceBook
from costctl.pricing.catalogue import FILES, Catalogue
from costctl.pricing.price import Usage
from costctl.pricing.rows import PriceRow

CALLS = 5_000
SEED = int(os.environ.get("ORACLE_SEED", random.SystemRandom().randrange(10**9)))
DIRECTORY = Path(os.environ.get("ORACLE_CATALOGUE", FILES))
MICROSECOND = timedelta(microseconds=1)

# What one unit of ours is in genai-prices' inclusive usage: it counts in each of these. Written from its
# data_units.py: every unit whose dimensions are a subset of the first one's.
INCLUSIVE = {
    "input_tokens": ["input_tokens"],
    "cache_read_tokens": ["cache_read_tokens", "input_tokens"],
    "cache_write_5m_tokens": ["cache_write_5m_tokens", "cache_write_tokens", "input_tokens"],
    "cache_write_1h_tokens": ["cache_write_1h_tokens", "cache_write_tokens", "input_tokens"],
    "output_tokens": ["output_tokens"],
    "reasoning_tokens": ["output_reasoning_tokens"],  # already in output_tokens, there as here
    "input_audio_tokens": ["input_audio_tokens", "input_tokens"],
    "input_image_tokens": ["input_image_tokens", "input_tokens"],
    "input_video_tokens": ["input_video_tokens", "input_tokens"],
    "cache_audio_read_tokens": [
        "cache_audio_read_tokens",
        "input_audio_tokens",
        "cache_read_tokens",
        "input_tokens",
    ],
    "cache_image_read_tokens": [
        "cache_image_read_tokens",
        "input_image_tokens",
        "cache_read_tokens",
        "input_tokens",
    ],
    "cache_video_read_tokens": [
        "cache_video_read_tokens",
        "input_video_tokens",
        "cache_read_tokens",
        "input_tokens",
    ],
    "output_audio_tokens": ["output_audio_tokens", "output_tokens"],
    "output_image_tokens": ["output_image_tokens", "output_tokens"],
    "output_video_tokens": ["output_video_tokens", "output_tokens"],
    "output_citation_tokens": ["output_citation_tokens", "output_tokens"],
    "audio_seconds": ["audio_seconds"],
    "input_audio_seconds": ["input_audio_seconds", "audio_seconds"],
    "input_characters": ["input_characters"],
    "input_text_messages": ["input_text_messages"],
    "input_document_pages": ["input_document_pages"],
    "input_annotated_document_pages": ["input_annotated_document_pages", "input_document_pages"],
    "web_search_requests": ["web_searches"],
    "file_search_requests": ["storage_searches"],
}
PROMPT = [kind for kind, units in INCLUSIVE.items() if "input_tokens" in units]
COLUMNS = {field.name for field in fields(Usage)}
PRICE_KEY = {unit: definition["price_key"] for unit, definition in unit_data.items()}
PER = {definition["price_key"]: definition["per"] for definition in unit_data.values()}

CONTEXTS = {  # genai-prices' request context: our mode and region
    (): ("standard", None),
    ("processing", "batch"): ("batch", None),
    ("service_tier", "flex"): ("flex", None),
    ("service_tier", "priority"): ("priority", None),
    ("service_tier", "fast"): ("fast", None),
    ("service_tier", "default"): ("standard", None),
    ("speed", "fast"): ("fast", None),
    ("search_type", "fast"): ("fast", None),
    ("search_type", "web"): ("standard", None),
    ("route", "mistral/eu"): ("standard", "mistral/eu"),
}


@dataclass(frozen=True)
class Draw:
    """A call: as genai-prices sees it (provider, model, context, inclusive counts), and as we do."""

    provider: types.Provider
    model: types.ModelInfo
    name: str | None
    """A name that genai-prices' matcher takes for the model; None where another model always comes first."""
    context: Mapping[str, str]
    inclusive: Mapping[str, int]
    usage: Usage


def rounded(price: Decimal, per: int) -> Decimal:
    """A price in USD for ``per`` units, so that one unit costs a whole number of pico-dollars (half-even)."""
    with localcontext(prec=60):
        each = (price * 10**12 / per).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        return each * per / 10**12


def round_prices(prices: types.ModelPrice) -> int:
    """Round in place, as the build script documents; the number of prices that this changed."""
    changed = 0
    for key, value in vars(prices).items():
        if isinstance(value, types.TieredPrices):
            tiers = [types.Tier(tier.start, rounded(tier.price, PER[key])) for tier in value.tiers]
            whole: Any = types.TieredPrices(rounded(value.base, PER[key]), tiers)
        else:
            whole = rounded(value, PER[key])
        changed += whole != value
        setattr(prices, key, whole)
    return changed


@pytest.fixture(scope="module")
def snapshot() -> data_snapshot.DataSnapshot:
    """genai-prices' data with the prices rounded that are not whole: 56 (28 of float noise, 28 per hour)."""
    copies = deepcopy(providers)
    changed = 0
    for provider in copies:
        for model in provider.models:
            conditional = model.prices if isinstance(model.prices, list) else []
            standard = [each.prices for each in conditional] or [model.prices]
            variants = [each.prices for each in model.price_variants or ()]
            changed += sum(round_prices(each) for each in (*standard, *variants))
    assert changed == 56
    return data_snapshot.DataSnapshot(copies, from_auto_update=False)


def name_of(
    snapshot: data_snapshot.DataSnapshot, provider: types.Provider, model: types.ModelInfo
) -> str | None:
    def texts(clause: Any) -> Iterator[str]:
        for value in vars(clause).values():
            if isinstance(value, str):
                yield value
            else:
                for each in value:
                    yield from texts(each)

    for name in (model.id, *texts(model.match)):
        try:
            found = snapshot.find_provider_model(name, None, provider.id, None)
        except LookupError:
            continue
        if found[1] is model:
            return name
    return None


def constraints_of(model: types.ModelInfo, context: Mapping[str, str]) -> list[Any]:
    found = [each.constraint for each in model.prices] if isinstance(model.prices, list) else []
    return found + [each.constraint for each in model.price_variants or () if each.when == context]


def days_of(model: types.ModelInfo, context: Mapping[str, str]) -> list[date]:
    """The days on which a price may change."""
    constraints = constraints_of(model, context)
    return sorted({each.start_date for each in constraints if isinstance(each, types.StartDateConstraint)})


def hours_of(model: types.ModelInfo, context: Mapping[str, str]) -> list[timedelta]:
    """The times of day at which a price may change."""
    return sorted(
        {
            timedelta(hours=each.hour, minutes=each.minute, seconds=each.second)
            for constraint in constraints_of(model, context)
            if isinstance(constraint, types.TimeOfDateConstraint)
            for each in (constraint.start_time, constraint.end_time)
        }
    )


def thresholds_of(prices: types.ModelPrice) -> list[int]:
    """The prompt sizes above which a price changes."""
    tiered = [value for value in vars(prices).values() if isinstance(value, types.TieredPrices)]
    return sorted({tier.start for value in tiered for tier in value.tiers})


def has_a_price(model: types.ModelInfo) -> bool:
    conditional = model.prices if isinstance(model.prices, list) else []
    standard = [each.prices for each in conditional] if conditional else [model.prices]
    variants = [each.prices for each in model.price_variants or ()]
    return any(value is not None for each in (*standard, *variants) for value in vars(each).values())


def instants(
    model: types.ModelInfo, context: Mapping[str, str], draw: random.Random
) -> list[tuple[datetime, ...]]:
    """For each period and part of the day between changes: its last and its first two microseconds, and one
    that is anywhere in it."""
    bounds = [date(2023, 1, 1), *days_of(model, context), date(2028, 1, 1)]
    parts = [timedelta(0), *hours_of(model, context), timedelta(days=1)]
    found = []
    for start, end in pairwise(bounds):
        for opens, closes in pairwise(parts):
            first = datetime.combine(start, time()) + opens
            last = datetime.combine(end - timedelta(days=1), time()) + closes - MICROSECOND
            day = start + timedelta(days=draw.randrange((end - start).days))
            inside = opens + (closes - opens) * draw.random()
            found.append((last, first, first + MICROSECOND, datetime.combine(day, time()) + inside))
    return found


def prices_at(model: types.ModelInfo, context: Mapping[str, str], ts: datetime) -> types.ModelPrice | None:
    """genai-prices' prices; None where it does not know the context and would take the standard ones."""
    active = not context or any(
        each.when == context and (each.constraint is None or each.constraint.active(ts))
        for each in model.price_variants or ()
    )
    return model.get_prices(ts, context) if active else None


def totals(prices: types.ModelPrice, draw: random.Random) -> list[tuple[int, ...]]:
    """For each tier, the prompts nearest to its bounds, and one that is anywhere in it."""
    bounds = [len(PROMPT), *(start + 1 for start in thresholds_of(prices)), 2_000_000]
    return [(high - 2, high - 1, low, draw.randrange(low, high)) for low, high in pairwise(bounds)]


def counts_for(prices: types.ModelPrice, total: int, draw: random.Random) -> dict[str, int]:
    """Every kind that has a price of its own, and some that carry an ancestor's, with a count of 1 or more;
    the prompt's add up to ``total``."""
    own, carried = [], []
    for kind, (unit, *ancestors) in INCLUSIVE.items():
        ancestors = ["output_tokens"] if kind == "reasoning_tokens" else ancestors
        unit = "cache_write_tokens" if kind == "cache_write_5m_tokens" else unit
        if getattr(prices, PRICE_KEY[unit]) is not None:
            own.append(kind)
        elif any(getattr(prices, PRICE_KEY[ancestor]) is not None for ancestor in ancestors):
            carried.append(kind)
    kinds = own + [kind for kind in carried if draw.random() < 0.3]
    # At least 11: Groq bills a clip of less than 10 seconds as 10, which is no price and is not modelled.
    counts = {kind: draw.randrange(11, 9_000) for kind in kinds}
    prompt = [kind for kind in kinds if kind in PROMPT]
    if prompt:
        cuts = sorted(draw.sample(range(1, total), len(prompt) - 1)) if len(prompt) > 1 else []
        counts |= {
            kind: high - low for kind, low, high in zip(prompt, [0, *cuts], [*cuts, total], strict=True)
        }
    if "reasoning_tokens" in counts and "output_tokens" in counts:
        counts["output_tokens"] += counts["reasoning_tokens"]
    return counts


def a_draw(
    provider: types.Provider,
    model: types.ModelInfo,
    name: str | None,
    context: Mapping[str, str],
    ts: datetime,
    counts: Mapping[str, int],
) -> Draw:
    inclusive: dict[str, int] = {}
    for kind, count in counts.items():
        for unit in INCLUSIVE[kind]:
            inclusive[unit] = inclusive.get(unit, 0) + count
    mode, region = CONTEXTS[next(iter(context.items()), ())]
    columns: dict[str, Any] = {kind: count for kind, count in counts.items() if kind in COLUMNS}
    units = {kind: count for kind, count in counts.items() if kind not in COLUMNS}
    usage = Usage(ts=ts, mode=mode, region=region, other_units=units, **columns)
    return Draw(provider, model, name, context, inclusive, usage)


@pytest.fixture(scope="module")
def draws(snapshot: data_snapshot.DataSnapshot) -> list[Draw]:
    print(f"ORACLE_SEED={SEED}")
    draw = random.Random(SEED)
    drawn: list[Draw] = []
    edges: list[tuple[Any, ...]] = []
    for provider in snapshot.providers:
        for model in provider.models:
            name = name_of(snapshot, provider, model)
            contexts = [{}] + [each.when for each in model.price_variants or ()]
            for context in [dict(items) for items in dict.fromkeys(tuple(each.items()) for each in contexts)]:
                for moments in instants(model, context, draw):
                    prices = prices_at(model, context, moments[1])
                    if prices is None or not any(value is not None for value in vars(prices).values()):
                        continue
                    tiers = totals(prices, draw)
                    for sizes in tiers:
                        counts = counts_for(prices, draw.choice(sizes), draw)
                        drawn.append(a_draw(provider, model, name, context, draw.choice(moments), counts))
                        if len(tiers) > 1 or context or moments[1] > datetime(2023, 1, 1):
                            edges.append((provider, model, name, context, prices, moments[:-1], sizes[:-1]))
    while len(drawn) < CALLS:
        *who, prices, moments, sizes = draw.choice(edges)
        drawn.append(a_draw(*who, draw.choice(moments), counts_for(prices, draw.choice(sizes), draw)))
    assert len(drawn) == CALLS
    return drawn


def charged(snapshot: data_snapshot.DataSnapshot, each: Draw) -> int:
    """What genai-prices charges, in pico-dollars."""
    usage, ts, context = types.Usage(**each.inclusive), each.usage.ts.replace(tzinfo=UTC), each.context
    if each.name is None:
        found = each.model.calc_price(usage, each.provider, genai_request_timestamp=ts, price_context=context)
    else:
        found = snapshot.calc(usage, each.name, each.provider.id, None, ts, context)
    pico = found.total_price * 10**12
    assert pico == int(pico), each
    return int(pico)


@pytest.fixture(scope="module")
def expected(snapshot: data_snapshot.DataSnapshot, draws: list[Draw]) -> list[int]:
    return [charged(snapshot, each) for each in draws]


def rows_of_draws(draws: Sequence[Draw]) -> dict[tuple[str | None, str], Sequence[PriceRow]]:
    """Our price rows by (provider, name), as ingest asks for them."""
    catalogue = Catalogue(DIRECTORY)
    found = dict(PriceBook(catalogue).rows_for((each.provider.id, each.name) for each in draws if each.name))
    for each in draws:
        if each.name is None:
            names = (each.provider.id, "hidden " + each.model.id)
            found[names] = tuple(catalogue.rows(each.provider.id, each.model.id))
    return found


def names_of(each: Draw) -> tuple[str, str]:
    return each.provider.id, each.name if each.name is not None else "hidden " + each.model.id


@pytest.fixture(scope="module")
def our_rows(draws: list[Draw]) -> list[PriceRow | None]:
    rows = rows_of_draws(draws)
    return [price.row_of(rows[names_of(each)], each.usage) for each in draws]


def differing(draws: Sequence[Draw], expected: Sequence[int], ours: Sequence[int | None]) -> list[str]:
    return [
        f"{each.provider.id} {each.model.id} {dict(each.context)} {each.usage}: "
        f"{theirs} pico-dollars, not {cost}"
        for each, theirs, cost in zip(draws, expected, ours, strict=True)
        if cost != theirs
    ]


def told(wrong: Sequence[str]) -> str:
    return f"seed {SEED}: {len(wrong)} of {CALLS} calls differ, the first: {wrong[0]}"


def test_the_calls_stand_on_every_kind_of_edge(
    snapshot: data_snapshot.DataSnapshot, draws: list[Draw]
) -> None:
    """Of all providers and contexts; on both sides of dates, times of day and tiers, and on the edge."""
    priced = [each.id for each in snapshot.providers if any(map(has_a_price, each.models))]
    assert {each.provider.id for each in draws} == set(priced)
    assert len(priced) == len(providers) == 47
    assert {next(iter(each.context.items()), ()) for each in draws} == CONTEXTS.keys()
    sides: Counter[tuple[str, int]] = Counter()
    for each in draws:
        usage, prices = each.usage, prices_at(each.model, each.context, each.usage.ts)
        assert prices is not None
        for start in days_of(each.model, each.context):
            distance = (usage.ts - datetime.combine(start, time())) // MICROSECOND
            sides["date", distance] += 1
        for clock in hours_of(each.model, each.context):
            distance = (usage.ts - datetime.combine(usage.ts, time()) - clock) // MICROSECOND
            sides["hour", distance] += 1
        for start in thresholds_of(prices):
            sides["tier", usage.total_input - start] += 1
    for edge in ("date", "hour", "tier"):
        assert all(sides[edge, distance] for distance in (-1, 0, 1)), f"seed {SEED}: no call at {edge}"


def test_a_model_has_price_rows_where_it_has_prices(snapshot: data_snapshot.DataSnapshot) -> None:
    """genai-prices lets a model without any price cost 0; with us its calls are unpriced."""
    catalogue = Catalogue(DIRECTORY)
    without = 0
    for provider in snapshot.providers:
        for model in provider.models:
            rows = list(catalogue.rows(provider.id, model.id))
            assert bool(rows) is has_a_price(model)
            without += not rows
    assert without == 179


def test_python_prices_as_genai_prices_does(
    draws: list[Draw], expected: list[int], our_rows: list[PriceRow | None]
) -> None:
    ours = [price.cost(row, each.usage) for row, each in zip(our_rows, draws, strict=True)]
    assert not (wrong := differing(draws, expected, ours)), told(wrong)


def test_the_join_prices_as_genai_prices_does(draws: list[Draw], expected: list[int]) -> None:
    columns = [field.name for field in fields(Usage) if field.name != "other_units"]
    types_ = ["TIMESTAMP", *["VARCHAR"] * 4, *["BIGINT"] * 7]
    calls = [
        (
            number,
            *names_of(each),
            *(
                str(getattr(each.usage, name)) if name == "ts" else getattr(each.usage, name)
                for name in columns
            ),
            "{" + ", ".join(f"{unit}={count}" for unit, count in each.usage.other_units.items()) + "}",
        )
        for number, each in enumerate(draws)
    ]
    heads = ["number BIGINT", "provider VARCHAR", "model VARCHAR"]
    heads += [f"{name} {kind}" for name, kind in zip(columns, types_, strict=True)]
    heads += ["other_units MAP(VARCHAR, BIGINT)"]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE calls ({', '.join(heads)})")
        lists = [list(column) for column in zip(*calls, strict=True)]
        unnest = ", ".join(f"unnest(${number}::{_text(each)}[])" for number, each in enumerate(lists, 1))
        connection.execute(f"INSERT INTO calls SELECT {unnest}", lists)
        connection.execute(
            f"CREATE TABLE priced AS SELECT 1 AS price_id, * FROM ({sql.relation()})",  # noqa: S608
            sql.parameters(rows_of_draws(draws)),
        )
        ours = connection.execute(
            f"SELECT c.number, {sql.cost('c', 'p')} FROM calls c LEFT JOIN priced p ON {sql.on('c', 'p')} "  # noqa: S608
            "ORDER BY c.number"
        ).fetchall()
    assert [number for number, _ in ours] == list(range(CALLS))
    assert not (wrong := differing(draws, expected, [cost for _, cost in ours])), told(wrong)


def _text(column: list[Any]) -> str:
    return "BIGINT" if any(isinstance(each, int) for each in column) else "VARCHAR"


PRICE_FIELDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning", "request")


def test_every_compiled_price_is_judged(draws: list[Draw], our_rows: list[PriceRow | None]) -> None:
    """Each row that comes from genai-prices prices some drawn call, and that call uses each price that the
    file states for it: so a change of any one of them by one pico-dollar changes a cost."""
    catalogue = Catalogue(DIRECTORY)
    used: dict[Any, set[str]] = {}
    for row, each in zip(our_rows, draws, strict=True):
        assert row is not None
        used.setdefault(row.content, set()).update(
            term.kind for term in price.terms(row, each.usage) if term.count
        )
    unjudged = []
    for provider in catalogue.providers:
        for model, entry in catalogue.models(provider).items():
            for stated, row in zip(entry["rows"], catalogue.rows(provider, model), strict=True):
                if not row.source.startswith("costctl"):
                    missed = stated["prices"].keys() - used.get(row.content, set())
                    unjudged += [(provider, model, row.mode, kind) for kind in missed]
    assert not unjudged


def test_one_pico_dollar_is_noticed(
    draws: list[Draw], expected: list[int], our_rows: list[PriceRow | None]
) -> None:
    """Of every price column and rare unit, and of dated, tiered, time-of-day and variant rows: one price
    moved by one pico-dollar makes our cost differ from genai-prices'."""
    seen: set[str] = set()
    for each, cost, row in zip(draws, expected, our_rows, strict=True):
        assert row is not None
        for kind in {term.kind for term in price.terms(row, each.usage)}:
            seen.add(kind)
            if kind in PRICE_FIELDS:
                moved = replace(row, **{kind: getattr(row, kind) + 1})
            else:
                moved = replace(
                    row, other_units=tuple((unit, pico + (unit == kind)) for unit, pico in row.other_units)
                )
            assert price.cost(moved, each.usage) != cost
        seen |= {
            row.mode,
            "tier" if row.tier_above >= 0 else "base",
            "dated" if row.effective_from else "undated",
            "window" if (row.window_start, row.window_end) != (0, 86_400) else "all day",
            "region" if row.region else "no region",
        }
    assert seen >= {*PRICE_FIELDS, "web_search_requests", "file_search_requests", "input_audio_tokens"}
    assert seen >= {"audio_seconds", "output_citation_tokens", "cache_image_read_tokens"}
    assert seen >= {"batch", "flex", "priority", "fast", "tier", "dated", "window", "region"}
