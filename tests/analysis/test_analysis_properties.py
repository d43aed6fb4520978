"""Any calls, grouped by anything, against the same sums in plain Python, which shares no code with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from by_hand import at, fill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costctl.analysis import summary
from costctl.ledger import Ledger
from costctl.report import Report

ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"]
START = datetime(2024, 10, 25, tzinfo=UTC)

_names = st.sampled_from([None, "a", "b", "B", "ä", "[x]"])
_counts = st.integers(0, 10**12)
_few = st.integers(0, 3)

calls = st.lists(
    st.fixed_dictionaries(
        {
            # Around the change of the clocks in Europe and America, and a month's end.
            "ts": st.integers(0, 12 * 86400).map(lambda seconds: START + timedelta(seconds=seconds)),
            "team": _names,
            "model": st.sampled_from(["opus", "haiku"]),
            "tags": st.sampled_from([None, {}, {"env": "prod"}, {"env": ""}, {"env": "test", "a/b": "1"}]),
            "requests": st.one_of(st.just(1), st.integers(1, 200), st.none()),
            "input_tokens": _counts,
            "cache_read_tokens": st.one_of(st.just(0), _counts),
            "cache_write_5m_tokens": _few,
            "cache_write_1h_tokens": _few,
            "output_tokens": _counts,
            "latency_ms": st.one_of(st.none(), st.integers(0, 5), st.integers(0, 10**6)),
            "success": st.sampled_from([None, True, False]),
            "cost_pico": st.one_of(st.none(), st.integers(0, 2**63 - 1)),
        }
    ),
    max_size=25,
)

DIMENSIONS: dict[str, Callable[[dict[str, Any], ZoneInfo], Any]] = {
    "team": lambda call, _: call["team"],
    "model": lambda call, _: call["model"],
    "tag:env": lambda call, _: (call["tags"] or {}).get("env") or None,
    "day": lambda call, zone: f"{call['ts'].astimezone(zone):%Y-%m-%d}",
    "month": lambda call, zone: f"{call['ts'].astimezone(zone):%Y-%m}",
    "hour": lambda call, zone: (
        call["ts"].astimezone(zone).isoformat(" ")[:14] + "00" + call["ts"].astimezone(zone).isoformat()[19:]
    ),
}


def rounded(value: Fraction | None, places: int) -> Decimal | None:
    """To ``places`` decimal places, half to even. Python's own ``round`` of a Fraction is exact."""
    return None if value is None else Decimal(round(value * 10**places)).scaleb(-places)


def ratio(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def prompt(call: dict[str, Any]) -> int:
    names = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    return sum(call[name] for name in names)


def percentile(group: list[dict[str, Any]]) -> int | None:
    """The latency of the call at 95 of 100, the calls in order of their latency."""
    timed = sorted(
        (call["latency_ms"], call["requests"])
        for call in group
        if call["latency_ms"] is not None and call["requests"] is not None
    )
    rank = ceil(Fraction(95, 100) * sum(weight for _, weight in timed))
    for latency, weight in timed:
        rank -= weight
        if rank <= 0:
            return int(latency)
    return None


def measured(group: list[dict[str, Any]], everything: list[dict[str, Any]]) -> dict[str, Any]:
    def requests(which: Iterable[dict[str, Any]]) -> int:
        return sum(call["requests"] or 0 for call in which)

    def cost(which: Iterable[dict[str, Any]]) -> int:
        return sum(call["cost_pico"] or 0 for call in which)

    def total(name: str) -> int:
        return sum(call[name] for call in group)

    counted = [call for call in group if call["requests"] is not None]
    priced = [call for call in group if call["cost_pico"] is not None]
    both = [call for call in counted if call["cost_pico"] is not None]
    judged = [call for call in counted if call["success"] is not None]
    timed = [call for call in counted if call["latency_ms"] is not None]
    inputs = sum(map(prompt, group))
    slowness = sum(call["latency_ms"] * call["requests"] for call in timed)
    per_request = ratio(cost(both), requests(both))
    per_token = ratio(cost(priced), sum(prompt(call) + call["output_tokens"] for call in priced))
    return {
        # Of calls without a price nobody knows the cost; no calls cost nothing.
        "cost": cost(group) if priced or not group else None,
        "share": rounded(ratio(cost(group), cost(everything)), 6) if priced or not group else None,
        "requests": requests(group),
        "input_tokens": total("input_tokens"),
        "cache_read_tokens": total("cache_read_tokens"),
        "cache_write_tokens": total("cache_write_5m_tokens") + total("cache_write_1h_tokens"),
        "total_input_tokens": inputs,
        "output_tokens": total("output_tokens"),
        "success_rate": rounded(ratio(requests(c for c in judged if c["success"]), requests(judged)), 6),
        "mean_latency_ms": rounded(ratio(slowness, requests(timed)), 3),
        "p95_latency_ms": percentile(group),
        "caching_rate": rounded(ratio(total("cache_read_tokens"), inputs), 6),
        "cache_hit_rate": rounded(
            ratio(requests(call for call in group if call["cache_read_tokens"] > 0), requests(group)), 6
        ),
        "mean_prompt_tokens": rounded(ratio(sum(map(prompt, counted)), requests(counted)), 3),
        "cost_per_request": None if per_request is None else round(per_request),
        "cost_per_mtok": None if per_token is None else round(per_token * 10**6),
    }


def answered(report: Report, width: int) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = [column.name for column in report.columns[width:]]
    return {row[:width]: dict(zip(names, row[width:], strict=True)) for row in report.rows}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    path: Path = tmp_path_factory.mktemp("ledger") / "ledger.duckdb"
    return Ledger(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    calls,
    st.lists(st.sampled_from(sorted(DIMENSIONS)), min_size=1, max_size=3, unique=True),
    st.sampled_from(ZONES),
    st.sampled_from([None, 1, 2]),
)
def test_every_measure_of_every_group(
    ledger: Ledger, made: list[dict[str, Any]], by: list[str], zone_name: str, top: int | None
) -> None:
    zone = ZoneInfo(zone_name)
    fill(ledger, [{**call, "ts": call["ts"].replace(tzinfo=None)} for call in made])
    report = summary(ledger, by, period=at(zone_name), top=top)
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for call in made:
        groups[tuple(DIMENSIONS[name](call, zone) for name in by)].append(call)

    found = answered(report, len(by))
    assert len(found) == len(report.rows)
    if top is not None and len(groups) > top:
        rest = found.popitem()
        left = [call for key, group in groups.items() if key not in found for call in group]
        assert rest[1] == measured(left, made)
        assert len(found) == top
        least = min(row["cost"] or 0 for row in found.values())
        assert all((measured(groups[key], made)["cost"] or 0) <= least for key in groups if key not in found)
    else:
        # A single time dimension also has the units between, which had no calls.
        assert set(groups) <= set(found)
        if len(by) > 1 or by[0] not in ("day", "month", "hour"):
            assert set(groups) == set(found)
    for key, row in found.items():
        assert row == measured(groups.get(key, []), made), key

    assert report.totals is not None
    names = [column.name for column in report.columns]
    assert dict(zip(names[len(by) :], report.totals[len(by) :], strict=True)) == measured(made, made)
    for name in ("cost", "requests", "input_tokens", "cache_read_tokens", "output_tokens"):
        index = names.index(name)
        assert sum(row[index] or 0 for row in report.rows) == (report.totals[index] or 0)  # type: ignore[misc]
    gaps = [call for call in made if call["cost_pico"] is None]
    assert report.complete == (not gaps)
    assert report.unpriced.calls == sum(call["requests"] or 1 for call in gaps)
    assert report.unpriced.tokens == sum(prompt(call) + call["output_tokens"] for call in gaps)
    assert report.calls == sum(call["requests"] or 1 for call in made)
