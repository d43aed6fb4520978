"""Many calls in one row: a cost is linear in tokens under one price row, so calls that are alike may be added
up before they are priced, and cost the same to the pico-dollar.

Calls are *alike* where the levers look at nothing that tells them apart, and where every price that they may
have is the same: provider, model, mode, region, between the same two changes of a price and hours of the day.
Tiers and contexts depend on a call's size: a call that is above the lowest of them stays alone, and so does
one with rare units, one that does not say how many calls it is, and a bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import Dimension
from costctl.ledger import tag_path
from costctl.periods.zones import microseconds
from costctl.pricing.rows import DAY_SECONDS, NO_LIMIT, PriceRow
from costctl.records import BY_PUBLIC, PRICED_TOKENS

MOST_KINDS = 10_000
"""Of more combinations of labels there are hardly fewer rows than calls."""

_SECOND = "epoch_us(ts) // 1000000 % 86400"
_SIZE = " + ".join(f"coalesce({name}, 0)" for name in PRICED_TOKENS)
_SAME = ("provider", "model", "mode", "region")


@dataclass(frozen=True, slots=True)
class Alike:
    """What a lever looks at beside what prices depend on: ``labels``, public names and ``tag:NAME``; at
    whether a call has more than ``tokens``, prompt and answer (None: at no size); and at conditions on its
    key (``draws``, SQL without parameters), which any one call of a row then answers for all."""

    labels: tuple[str, ...] = ()
    tokens: int | None = None
    draws: tuple[str, ...] = ()


def kinds(calls: Calls, alike: Iterable[Alike], by: Iterable[Dimension]) -> tuple[str, ...] | None:
    """The columns of the labels that tell calls apart, the tags being one; None where there are too many
    combinations of them for sums to be worth it."""
    labels = dict.fromkeys((*(name for each in alike for name in each.labels), *_labels(by)))
    columns = tuple(
        dict.fromkeys("tags_json" if name.startswith("tag:") else BY_PUBLIC[name].name for name in labels)
    )
    columns = tuple(name for name in columns if name not in _SAME)
    if columns:
        _, condition, parameters = calls.selection(())
        distinct = f"SELECT DISTINCT {', '.join(columns)} FROM calls WHERE {condition} LIMIT {MOST_KINDS + 1}"  # noqa: S608
        ((count,),) = calls.engine.rows(f"SELECT count(*) FROM ({distinct}) AS kinds", parameters)  # noqa: S608
        if count > MOST_KINDS:
            return None
    return columns


def _labels(by: Iterable[Dimension]) -> list[str]:
    return [each.name for each in by if not each.is_time]


def summed_calls(
    calls: Calls,
    prices: Sequence[PriceRow],
    alike: Sequence[Alike],
    by: Sequence[Dimension],
    columns: Sequence[str],
    every: Sequence[str],
) -> tuple[str, str, list[str]]:
    """A relation ``kinds`` for a WITH clause ("" where none is needed), a SELECT of the calls' columns
    ``every`` (what tells no calls apart is NULL) with cost_pico, took_ms and timed, and the parameters of
    both. ``columns`` is from :func:`kinds`; ``prices`` are all that the calls may come to have.
    """
    assert calls.span is not None
    _, condition, asked = calls.selection(())
    tags = dict.fromkeys(
        name
        for name in (*(name for each in alike for name in each.labels), *_labels(by))
        if name.startswith("tag:")
    )
    relation, joined, parameters = "", "calls", []
    if "tags_json" in columns:
        # Tags are read once for each distinct text, not for each call; of those with the same tags that
        # anybody looks at, one stands for all.
        read = ", ".join(f"{calls.engine.tag()} AS tag_{place}" for place, _ in enumerate(tags))
        of_all = ", ".join(f"tag_{place}" for place, _ in enumerate(tags))
        relation = f"""texts AS (
    SELECT DISTINCT tags_json FROM calls WHERE {condition} AND tags_json IS NOT NULL
),
read AS (SELECT tags_json, {read} FROM texts),
kinds AS (SELECT tags_json AS text, min(tags_json) OVER (PARTITION BY {of_all}) AS kind FROM read)"""  # noqa: S608
        parameters = [*asked, *(tag_path(tag[4:]) for tag in tags)]
        joined = "calls LEFT JOIN kinds ON kinds.text = calls.tags_json"
    plain = [name for name in columns if name != "tags_json"]
    keys = [
        *_SAME,
        *plain,
        *(["kind"] if relation else []),
        *_times(calls, by),
        *_moments(calls, prices),
        *(f"coalesce({name}, 0) > 0" for name in _unpriced_kinds(prices)),
        *dict.fromkeys(draw for each in alike for draw in each.draws),
        "cost_pico IS NULL",
        f"CASE WHEN {_alone(prices, alike)} THEN call_key END",
    ]
    numbered = ", ".join(f"{key} AS k_{place}" for place, key in enumerate(keys))
    known = {name: f"k_{place}" for place, name in enumerate(keys)}
    if relation:
        known["tags_json"] = known["kind"]
    timed = "TRY(latency_ms * requests)"
    sums = {
        **{name: f"sum({name})" for name in ("requests", *PRICED_TOKENS)},
        "reasoning_tokens": "sum(least(reasoning_tokens, output_tokens))",
        "call_key": "min(call_key)",
        "ts": "min(ts)",
        "grain": "min(grain)",
        "context_tier": "min(context_tier)",
        "other_units": "any_value(other_units)",
        "latency_ms": "NULL",
    }
    chosen = [f"{sums.get(name) or known.get(name) or 'NULL'} AS {name}" for name in every]
    select = f"""SELECT {", ".join(chosen)},
    sum(cost_pico) AS cost_pico, sum({timed}) AS took_ms,
    sum(requests) FILTER (WHERE {timed} IS NOT NULL) AS timed
FROM (SELECT *, {numbered} FROM {joined} WHERE {condition}) AS numbered
GROUP BY {", ".join(f"k_{place}" for place, _ in enumerate(keys))}"""  # noqa: S608
    return relation, select, [*parameters, *asked]


def _times(calls: Calls, by: Iterable[Dimension]) -> list[str]:
    return [each.sql(calls.engine, calls.span, calls.period.zone)[0] for each in by if each.is_time]


def _moments(calls: Calls, prices: Iterable[PriceRow]) -> list[str]:
    """Between which changes of a price a call is, and between which hours of the day."""
    assert calls.span is not None
    start, end = (_naive(each) for each in calls.span)
    changes = {each for row in prices for each in (row.effective_from, row.effective_to) if each}
    found = [_steps("epoch_us(ts)", sorted(_microseconds(each) for each in changes if start < each < end))]
    hours = {each for row in prices for each in (row.window_start, row.window_end)}
    found.append(_steps(_SECOND, sorted(hours - {0, DAY_SECONDS})))
    return [each for each in found if each]


def _steps(number: str, bounds: Sequence[int]) -> str:
    """How many of ``bounds`` a number has reached; "" without any."""
    if not bounds:
        return ""
    cases = " ".join(f"WHEN {number} < {bound} THEN {place}" for place, bound in enumerate(bounds))
    return f"CASE {cases} ELSE {len(bounds)} END"


def _unpriced_kinds(prices: Iterable[PriceRow]) -> list[str]:
    """The columns of tokens that have no price somewhere: none of them needs one."""
    return [
        name
        for name in PRICED_TOKENS
        if any(getattr(row, name.removesuffix("_tokens")) is None for row in prices)
    ]


def _alone(prices: Iterable[PriceRow], alike: Iterable[Alike]) -> str:
    conditions = ["other_units IS NOT NULL", "requests IS NULL", "requests < 1", "grain <> 'call'"]
    sizes = [row.tier_to for row in prices if row.tier_to < NO_LIMIT]
    sizes += [each.tokens for each in alike if each.tokens is not None]
    if sizes:
        conditions.append(f"{_SIZE} > {min(sizes)} * requests")
    return " OR ".join(conditions)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _microseconds(naive: datetime) -> int:
    return microseconds(naive.replace(tzinfo=UTC))
