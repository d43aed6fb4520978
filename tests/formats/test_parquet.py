"""A call log in Parquet: the same calls, whatever types its writer has chosen."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.formats.conftest import Expected, Ingest, compare

SONNET = "claude-sonnet-4-20250514"
CALLS = [
    {"ts": "2026-05-04 08:00:00.25", "model": SONNET, "team": "search", "input_tokens": 100,
     "cache_read_tokens": 20000, "output_tokens": 350, "latency_ms": 1200, "success": True,
     "tags": {"environment": "production", "feature": "faq"}, "reported_cost_pico": 123_000_000,
     "mode": "standard", "billing": "metered"},
    {"ts": "2026-05-04 08:00:01", "model": SONNET, "input_tokens": 900, "output_tokens": 0, "success": False,
     "mode": "standard", "billing": "metered"},
]  # fmt: skip

TIMES = [datetime(2026, 5, 4, 8, 0, 0, 250_000), datetime(2026, 5, 4, 8, 0, 1)]
TAGS = {"feature": "faq", "environment": "production"}


def columns(**changed: Any) -> dict[str, Any]:
    return {
        "timestamp": pa.array(TIMES, pa.timestamp("us")),
        "model": pa.array([SONNET, SONNET]),
        "team_id": pa.array(["search", ""]),
        "input_tokens": pa.array([20100, 900], pa.int64()),
        "cached_tokens": pa.array([20000, None], pa.int32()),
        "output_tokens": pa.array([350, 0], pa.uint64()),
        "latency_ms": pa.array([1200, None], pa.int64()),
        "success": pa.array([True, False]),
        "tags": pa.array([list(TAGS.items()), None], pa.map_(pa.string(), pa.string())),
        "total_cost": pa.array([Decimal("0.000123"), None], pa.decimal128(12, 6)),
        **changed,
    }


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="exact types"),
        pytest.param(
            {
                "input_tokens": pa.array([20100.0, 900.0]),
                "cached_tokens": pa.array([20000.0, float("nan")]),
                "latency_ms": pa.array([1200.4, None]),
                "total_cost": pa.array([0.000123, None]),
            },
            id="floats, as pandas keeps whole numbers among unknown ones",
        ),
        pytest.param(
            {"timestamp": pa.array([each.replace(tzinfo=UTC) for each in TIMES], pa.timestamp("ns", "UTC"))},
            id="times with a zone, in nanoseconds",
        ),
        pytest.param(
            {"timestamp": pa.array(["2026-05-04T10:00:00.250+02:00", "2026-05-04T08:00:01Z"])},
            id="times as text",
        ),
        pytest.param({"tags": pa.array([TAGS, None])}, id="tags as a struct"),
        pytest.param(
            {"tags": pa.array(['{"feature":"faq","environment":"production"}', "{}"])}, id="tags as JSON text"
        ),
        pytest.param({"model": pa.array([SONNET, SONNET]).dictionary_encode()}, id="a dictionary of models"),
    ],
)
def test_the_same_calls_in_other_types(tmp_path: Path, held: Ingest, changed: dict[str, Any]) -> None:
    path = tmp_path / "calls.parquet"
    pq.write_table(pa.table(columns(**changed)), path)
    found = held(path)
    compare(found, Expected(CALLS))
    assert found.rejects == []


def test_a_bad_row_is_named_by_its_place(tmp_path: Path, held: Ingest) -> None:
    path = tmp_path / "calls.parquet"
    pq.write_table(pa.table(columns(input_tokens=pa.array([20100.0, 1.5]))), path)
    found = held(path)
    compare(found, Expected(CALLS[:1], rejects=[[2, "input_tokens: not a whole number"]]))
