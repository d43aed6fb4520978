"""The pricing join and the Python price are two implementations of one rule: they must always agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.pricing import price, sql
from costctl.pricing.price import Usage
from costctl.pricing.rows import DAY_SECONDS, NO_LIMIT, NO_TIER, PriceRow, priced

CALL = {
    "provider": "VARCHAR",
    "model": "VARCHAR",
    "ts": "TIMESTAMP",
    "mode": "VARCHAR",
    "region": "VARCHAR",
    "grain": "VARCHAR",
    "context_tier": "VARCHAR",
    "requests": "BIGINT",
    "input_tokens": "BIGINT",
    "cache_read_tokens": "BIGINT",
    "cache_write_5m_tokens": "BIGINT",
    "cache_write_1h_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "reasoning_tokens": "BIGINT",
    "other_units": "MAP(VARCHAR, BIGINT)",
}
MID = datetime(2026, 3, 13)
NOON = 43_200

PRICES = st.dictionaries(
    st.sampled_from(
        [
            "input",
            "cache_read",
            "cache_write_5m",
            "cache_write_1h",
            "output",
            "reasoning",
            "request",
            "input_audio_tokens",
            "web_search_requests",
            "images",
        ]
    ),
    st.integers(0, 10**9) | st.just(10**15),
)
COUNTS = st.just(0) | st.integers(0, 10**6) | st.integers(0, 10**12)
NEAR = st.sampled_from([0, 1, 1_999, 2_000, 2_001, 3_999, 4_000, 4_001, 5_999, 6_000, 6_001]) | COUNTS
TIMES = st.sampled_from(
    [
        datetime(2026, 3, 12, 23, 59, 59, 999_999),
        MID,
        datetime(2026, 3, 13, 0, 0, 0, 1),
        datetime(2026, 3, 13, 11, 59, 59, 999_999),
        datetime(2026, 3, 13, 12),
    ]
) | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))
USAGES = st.builds(
    Usage,
    ts=TIMES,
    mode=st.sampled_from(["standard", "batch", "priority", None]),
    region=st.sampled_from([None, None, "us"]),
    grain=st.sampled_from(["call", "call", "bucket"]),
    context_tier=st.sampled_from([None, "0-2k", "2k-1M", "1k-2k", "long", "9999999999k-"]),
    requests=st.sampled_from([1, 1, 2, 3, 200, 0, None]),
    input_tokens=NEAR,
    cache_read_tokens=COUNTS,
    cache_write_5m_tokens=COUNTS,
    cache_write_1h_tokens=COUNTS,
    output_tokens=COUNTS,
    reasoning_tokens=COUNTS,
    other_units=st.dictionaries(
        st.sampled_from(["input_audio_tokens", "web_search_requests", "web_fetch_requests", "images"]), COUNTS
    ),
)


@st.composite
def books(draw: st.DrawFn) -> dict[tuple[str | None, str], Sequence[PriceRow]]:
    """Rows of two names, cut by mode, region, date, time of day and tier; some are missing."""
    found: dict[tuple[str | None, str], Sequence[PriceRow]] = {}
    for names in [("acme", "a-1"), (None, "a-1")]:
        rows = []
        for mode, region in draw(
            st.lists(st.sampled_from([("standard", None), ("standard", "us"), ("batch", None)]), unique=True)
        ):
            periods = draw(st.sampled_from([[(None, None)], [(None, MID), (MID, None)], [(MID, None)]]))
            windows = draw(st.sampled_from([[(0, DAY_SECONDS)], [(0, NOON), (NOON, DAY_SECONDS)]]))
            tiers = draw(st.sampled_from([[(NO_TIER, NO_LIMIT)], [(NO_TIER, 2_000), (2_000, NO_LIMIT)]]))
            rows += [
                priced(
                    draw(PRICES),
                    provider="acme",
                    model="a",
                    source="test",
                    mode=mode,
                    region=region,
                    effective_from=start,
                    effective_to=end,
                    window_start=opens,
                    window_end=closes,
                    tier_above=above,
                    tier_to=up_to,
                )
                for start, end in periods
                for opens, closes in windows
                for above, up_to in tiers
            ]
        found[names] = rows
    return found


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(f"CREATE TABLE calls (n BIGINT, {', '.join(' '.join(each) for each in CALL.items())})")
        columns = (("price_id", "INTEGER"), *sql.NAMES, *sql.CONTENT)
        opened.execute(f"CREATE TABLE priced ({', '.join(' '.join(each) for each in columns)})")
        yield opened


def joined(
    connection: duckdb.DuckDBPyConnection,
    book: dict[tuple[str | None, str], Sequence[PriceRow]],
    calls: Sequence[tuple[str | None, str, Usage]],
) -> list[tuple[int | None, Any]]:
    """Cost and content identity of each call, by the join."""
    connection.execute("DELETE FROM calls")
    connection.execute("DELETE FROM priced")
    connection.execute(
        f"INSERT INTO priced SELECT row_number() OVER (), * FROM ({sql.relation()})",  # noqa: S608
        sql.parameters(book),
    )
    rows = []
    for number, (provider, model, usage) in enumerate(calls):
        fields = [getattr(usage, name) for name in CALL if name not in ("provider", "model", "other_units")]
        units = "{" + ", ".join(f"{unit}={count}" for unit, count in usage.other_units.items()) + "}"
        fields[0] = str(fields[0])
        rows.append([number, provider, model, *fields, units if usage.other_units else None])
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO calls VALUES ({marks})", rows)  # noqa: S608
    return connection.execute(
        f"""SELECT {sql.cost("c", "p")}, p.content
        FROM calls c LEFT JOIN priced p ON {sql.on("c", "p")} ORDER BY n"""  # noqa: S608
    ).fetchall()


CALLERS = st.sampled_from([("acme", "a-1"), (None, "a-1"), ("acme", "a-2"), ("other", "a-1")])


@settings(max_examples=100, deadline=None)
@given(book=books(), calls=st.lists(st.tuples(CALLERS, USAGES), min_size=1, max_size=12))
def test_the_join_and_python_agree(
    connection: duckdb.DuckDBPyConnection,
    book: dict[tuple[str | None, str], Sequence[PriceRow]],
    calls: list[tuple[tuple[str | None, str], Usage]],
) -> None:
    expected = []
    for names, usage in calls:
        row = price.row_of(book.get(names, ()), usage)
        expected.append((price.cost(row, usage), row.content if row else None))
    assert joined(connection, book, [(*names, usage) for names, usage in calls]) == expected


def one(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[PriceRow], usage: Usage, model: str = "m"
) -> int | None:
    """The cost by the join, checked to be that of Python too."""
    [(cost, _)] = joined(connection, {(None, "m"): rows}, [(None, model, usage)])
    assert price.cost(price.row_of(rows if model == "m" else (), usage), usage) == cost
    return cost


NOW = datetime(2026, 6, 1)


def flat(**prices: int) -> list[PriceRow]:
    return [priced(prices, provider="p", model="m", source="test")]


def test_a_unit_without_a_price_leaves_the_call_unpriced(connection: duckdb.DuckDBPyConnection) -> None:
    rows = flat(input=3)
    assert one(connection, rows, Usage(NOW, input_tokens=10, output_tokens=1)) is None
    assert one(connection, rows, Usage(NOW, input_tokens=10)) == 30
    assert one(connection, rows, Usage(NOW, input_tokens=10, other_units={"images": 1})) is None
    assert one(connection, rows, Usage(NOW, input_tokens=10, other_units={"images": 0})) == 30


def test_a_price_of_zero_is_a_price(connection: duckdb.DuckDBPyConnection) -> None:
    assert one(connection, flat(input=0, output=0), Usage(NOW, input_tokens=10, output_tokens=5)) == 0


def test_web_fetches_are_free(connection: duckdb.DuckDBPyConnection) -> None:
    usage = Usage(NOW, input_tokens=10, other_units={"web_fetch_requests": 7})
    assert one(connection, flat(input=3), usage) == 30


def test_a_call_without_units_costs_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    assert one(connection, flat(input=3), Usage(NOW)) == 0
    assert one(connection, [], Usage(NOW), model="unheard-of") == 0
    assert one(connection, [], Usage(NOW, output_tokens=1), model="unheard-of") is None


def test_a_price_per_request_counts_requests(connection: duckdb.DuckDBPyConnection) -> None:
    rows = flat(input=3, request=12_000)
    # 2 requests at 12,000 and 10 tokens at 3
    assert one(connection, rows, Usage(NOW, requests=2, input_tokens=10)) == 24_030
    assert one(connection, rows, Usage(NOW, requests=None, input_tokens=10)) is None


def test_a_cost_beyond_a_bigint_is_none(connection: duckdb.DuckDBPyConnection) -> None:
    # 2**63 - 1 = 9,223,372,036,854,775,807
    assert one(connection, flat(input=9_223_372_036_854_775_807), Usage(NOW, input_tokens=1)) == 2**63 - 1
    assert one(connection, flat(input=9_223_372_036_854_775_807), Usage(NOW, input_tokens=2)) is None


def tiered() -> list[PriceRow]:
    base = priced({"input": 1}, provider="p", model="m", source="test", tier_to=1_000)
    return [base, priced({"input": 2}, provider="p", model="m", source="test", tier_above=1_000)]


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(NOW, input_tokens=1_000), 1_000),
        (Usage(NOW, input_tokens=1_001), 2_002),
        # 3 calls of 3,000 tokens: 1,000 each, not above; 3,001: 1,000.33 each, above
        (Usage(NOW, requests=3, input_tokens=3_000), 3_000),
        (Usage(NOW, requests=3, input_tokens=3_001), 6_002),
        # a bucket's calls are of unknown sizes: base, unless the source states the range
        (Usage(NOW, grain="bucket", requests=3, input_tokens=9_000), 9_000),
        (Usage(NOW, grain="bucket", context_tier="0-1k", input_tokens=9_000), 9_000),
        (Usage(NOW, grain="bucket", context_tier="1k-1M", input_tokens=9_000), 18_000),
        (Usage(NOW, grain="bucket", requests=None, input_tokens=9_000), 9_000),
        # the modality of a prompt's tokens does not matter for its size, their price does
        (Usage(NOW, input_tokens=1, other_units={"input_audio_tokens": 1_000}), 2_002),
    ],
)
def test_which_tier(connection: duckdb.DuckDBPyConnection, usage: Usage, cost: int) -> None:
    assert one(connection, tiered(), usage) == cost


def test_the_pricing_join_is_a_hash_join(connection: duckdb.DuckDBPyConnection) -> None:
    query = f"SELECT {sql.cost('c', 'p')} FROM calls c LEFT JOIN priced p ON {sql.on('c', 'p')}"  # noqa: S608
    [(_, plan)] = connection.execute("EXPLAIN " + query).fetchall()
    assert "Hash Join" in plan
    assert "Nested" not in plan
