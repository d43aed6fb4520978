"""What a cache finds of a trace: against the figures of a published one, and against a second count that
walks the requests one by one and shares no code with either way that the program has."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.analysis import QuestionError
from costctl.documents import DocumentError
from costctl.simulate.cache_of_trace import of_trace
from costctl.simulate.cache_profiles import Lifetime, Rules, load
from costctl.simulate.traces import Replay, reading

MOONCAKE = Path(__file__).with_name("mooncake_2k.jsonl")
BLOCK = 512

ANY = Rules(0, 1, Fraction(1, 10), (Lifetime("5m", 300, Fraction(5, 4)),))
"""Every prefix is cached."""


# Mooncake's first 2,000 requests


def test_the_first_2000_requests_of_mooncake() -> None:
    """Figures of a walk over the requests in the order of the file, made outside of this project."""
    with reading(MOONCAKE) as trace:
        (replay,) = trace.replay([300], ANY)
    found = replay.whole
    assert (found.requests, found.input_tokens, found.hit_tokens) == (2000, 27_441_774, 7_527_700)
    assert (found.hit_blocks, found.blocks, found.hits) == (14_709, 54_559, 1_999)
    assert found.written_tokens == 27_441_774 - 7_527_700


def test_its_saving_is_net_of_what_writing_costs() -> None:
    report = of_trace(MOONCAKE, load(), seconds=[300])
    row = dict(zip((each.name for each in report.columns), report.rows[0], strict=True))
    assert row["hit_ratio"] == Decimal("0.274315")  # 7,527,700 / 27,441,774
    # 1 - (0.1 x 7,527,700 + 1.25 x 19,914,074) / 27,441,774
    assert row["input_saving"] == Decimal("0.065463")
    assert row["verdict"] == "saves"
    # 0.9 x 27.4315 %
    assert any("without that premium 24.69% would be claimed" in note for note in report.notes)


def test_an_hour_loses_money_on_it_and_says_so() -> None:
    report = of_trace(MOONCAKE, load(), seconds=[3600])
    assert report.rows[0][-1] == "loses money"
    assert any("caching LOSES" in note and "52.63% would have to be" in note for note in report.notes)


def test_a_capacity_that_holds_everything_is_none() -> None:
    with reading(MOONCAKE) as trace:
        (limited,) = trace.replay([300], ANY, capacity=54_559)
        (unlimited,) = trace.replay([300], ANY)
    assert limited.whole == unlimited.whole


# Against a second count


@dataclass(frozen=True)
class Request:
    time: int
    length: int
    hashes: tuple[int, ...]


def walk(
    requests: Sequence[Request],
    ttl: int,
    minimum: int = 0,
    increment: int = 1,
    capacity: int | None = None,
    refresh: bool = True,
) -> list[int]:
    """The tokens that each request finds, by the rules as they are written down: two lists, no cleverness."""
    alive: dict[int, int] = {}
    order: list[int] = []
    found = []
    for request in requests:
        if request.length < minimum:
            found.append(0)
            continue
        tokens = 0
        for number, each in enumerate(request.hashes):
            if each not in alive or request.time > alive[each]:
                break
            tokens += min(BLOCK, request.length - BLOCK * number)
        found.append(tokens - tokens % increment if tokens >= minimum else 0)
        for each in reversed(request.hashes):
            if refresh or each not in alive or request.time > alive[each]:
                alive[each] = request.time + ttl
            if each in order:
                order.remove(each)
            order.append(each)
        while capacity is not None and len(order) > capacity:
            del alive[order.pop(0)]
    return found


@st.composite
def traces(draw: st.DrawFn) -> list[Request]:
    """Few hashes, so that they are met again: in chains, as a prompt's are, or as they come."""
    requests, time = [], 0
    chained = draw(st.booleans())
    for _ in range(draw(st.integers(1, 25))):
        time += draw(st.sampled_from([0, 0, 1, 999, 1000, 1001, 2500]))
        blocks = draw(st.integers(0, 5))
        if chained:
            of = draw(st.integers(0, 2))
            turn = draw(st.integers(0, 5))
            hashes = tuple(100 * of + number for number in range(min(blocks, turn)))
            hashes += tuple(1000 + 10 * len(requests) + number for number in range(blocks - len(hashes)))
        else:
            hashes = tuple(draw(st.lists(st.integers(0, 6), min_size=blocks, max_size=blocks)))
        missing = draw(st.sampled_from([0, 0, 1, BLOCK - 1])) if blocks else 0
        requests.append(Request(time, BLOCK * blocks - missing, hashes))
    return requests


def written(requests: Sequence[Request], directory: Path) -> Path:
    file = directory / "trace.jsonl"
    lines = [
        json.dumps({"timestamp": each.time, "input_length": each.length, "hash_ids": each.hashes})
        for each in requests
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


def hit_tokens(replay: Replay) -> tuple[int, int]:
    return replay.whole.hit_tokens, replay.whole.hits


def expected(found: Sequence[int]) -> tuple[int, int]:
    return sum(found), sum(each > 0 for each in found)


@pytest.mark.heavy
@given(traces(), st.sampled_from([(0, 1), (513, 1), (1024, 128)]))
def test_one_pass_finds_what_a_walk_finds(
    tmp_path_factory: pytest.TempPathFactory, requests: list[Request], rule: tuple[int, int]
) -> None:
    minimum, increment = rule
    rules = Rules(minimum, increment, ANY.read, ANY.lifetimes)
    file = written(requests, tmp_path_factory.mktemp("trace"))
    with reading(file) as trace:
        replays = trace.replay([1, 2, 3600], rules)
    for replay, ttl in zip(replays, [1000, 2000, 3_600_000], strict=True):
        assert hit_tokens(replay) == expected(walk(requests, ttl, minimum, increment))
    cached = sum(each.length for each in requests if each.length >= minimum)
    assert replays[0].whole.written_tokens == cached - replays[0].whole.hit_tokens


@pytest.mark.heavy
@given(traces(), st.integers(0, 8), st.booleans(), st.sampled_from([0, 513]))
def test_a_limited_cache_finds_what_a_walk_finds(
    tmp_path_factory: pytest.TempPathFactory,
    requests: list[Request],
    capacity: int,
    refresh: bool,
    minimum: int,
) -> None:
    file = written(requests, tmp_path_factory.mktemp("trace"))
    rules = Rules(minimum, 1, ANY.read, ANY.lifetimes)
    with reading(file) as trace:
        (replay,) = trace.replay([2], rules, capacity=capacity, refresh=refresh)
    assert hit_tokens(replay) == expected(walk(requests, 2000, minimum, capacity=capacity, refresh=refresh))


@pytest.mark.heavy
@given(traces())
def test_both_ways_keep_the_same(tmp_path_factory: pytest.TempPathFactory, requests: list[Request]) -> None:
    """Storage is paid from each use of a block to its next, or to its end."""
    with reading(written(requests, tmp_path_factory.mktemp("trace"))) as trace:
        one = trace.replay([2], ANY, storage=True)
        other = trace.replay([2], ANY, storage=True, capacity=10**6)
    # A block whose size changes has the one of each use; only hashes that are not chained have such.
    if all(each.length == BLOCK * len(each.hashes) for each in requests):
        assert one == other


def test_storage_by_hand(tmp_path: Path) -> None:
    """One block of 512 tokens, used at 0 s, 1 s and 9 s, and there for 2 s after each use: from 0 to 3 s and
    from 9 to 11 s, 5,000 ms x 512."""
    requests = [Request(0, 512, (1,)), Request(1000, 512, (1,)), Request(9000, 512, (1,))]
    with reading(written(requests, tmp_path)) as trace:
        (replay,) = trace.replay([2], ANY, storage=True)
        # Not renewed: from 0 to 2 s and from 9 to 11 s.
        (fixed,) = trace.replay([2], ANY, storage=True, refresh=False)
    assert (replay.kept, fixed.kept) == (5000 * 512, 4000 * 512)


def test_a_block_lives_up_to_its_lifetime_and_not_longer(tmp_path: Path) -> None:
    requests = [Request(0, 512, (1,)), Request(2000, 512, (1,)), Request(4001, 512, (1,))]
    with reading(written(requests, tmp_path)) as trace:
        (replay,) = trace.replay([2], ANY)
    assert replay.whole.hits == 1


# Money


def test_money_by_each_requests_own_tier(tmp_path: Path) -> None:
    """claude-sonnet-4-5 in January 2026: 3 USD per million tokens of input, 6 above 200,000; reading 0.30 and
    0.60, writing 3.75 and 7.50.

    Two prompts of 102,400 tokens, the second read: 0.1024 x 3 x 2 = 0.6144 without a cache; it saves
    0.1024 x 2.70 = 0.27648 and costs 0.1024 x 0.75 = 0.0768 more to write. One prompt of 204,800, written:
    1.2288 without, 0.3072 more to write. Together 1.8432, saving 0.27648 - 0.384 = -0.10752.
    """
    from datetime import UTC, datetime

    from costctl.pricing.book import PriceBook

    short, long = tuple(range(200)), tuple(range(1000, 1400))
    requests = [Request(0, 102_400, short), Request(1, 102_400, short), Request(2, 204_800, long)]
    report = of_trace(
        written(requests, tmp_path),
        load(),
        seconds=[300],
        model="claude-sonnet-4-5",
        book=PriceBook(),
        at=datetime(2026, 1, 15, tzinfo=UTC),
    )
    row = dict(zip((each.name for each in report.columns), report.rows[0], strict=True))
    assert row["input_cost"] == 1_843_200_000_000
    assert row["read_saving"] == 276_480_000_000
    assert row["write_premium"] == 384_000_000_000
    assert row["saving"] == -107_520_000_000
    assert row["input_saving"] == Decimal("-0.058333")
    assert row["verdict"] == "loses money"


# Files


def test_parquet_and_compressed_lines_are_the_same_trace(tmp_path: Path) -> None:
    import duckdb

    with gzip.open(tmp_path / "trace.jsonl.gz", "wb") as file:
        file.write(MOONCAKE.read_bytes())
    duckdb.connect().execute(
        f"COPY (FROM read_json('{MOONCAKE}')) TO '{tmp_path / 'trace.parquet'}' (FORMAT parquet)"
    )
    for name in ("trace.jsonl.gz", "trace.parquet"):
        with reading(tmp_path / name) as trace:
            assert trace.replay([300], ANY)[0].whole.hit_tokens == 7_527_700


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"timestamp": 1.5, "input_length": 1, "hash_ids": [1]}', "timestamp: not a whole number"),
        ('{"timestamp": -1, "input_length": 1, "hash_ids": [1]}', "timestamp: not a whole number"),
        ('{"input_length": 1, "hash_ids": [1]}', "timestamp is missing"),
        ('{"timestamp": 1, "hash_ids": [1]}', "input_length is missing"),
        ('{"timestamp": 1, "input_length": "ten", "hash_ids": [1]}', "input_length: not a whole number"),
        ('{"timestamp": 1, "input_length": 1}', "hash_ids is missing"),
        ('{"timestamp": 1, "input_length": 1, "hash_ids": [1.2]}', "hash_ids: not a list of whole numbers"),
        ('{"timestamp": 1, "input_length": 1, "hash_ids": ["1"]}', "hash_ids: not a list of whole numbers"),
        ('{"timestamp": 1, "input_length": 1, "hash_ids": [null]}', "hash_ids: not a list of whole numbers"),
        ('{"timestamp": 1, "input_length": 1, "hash_ids": 7}', "hash_ids: not a list of whole numbers"),
        ('{"timestamp": 1, "input_length": 1024, "hash_ids": [1]}', "1 blocks of 512 tokens do not make"),
        ("not JSON", "is no JSON object with a request"),
        ("[1]", "is no JSON object with a request"),
    ],
)
def test_a_fault_names_file_line_and_field(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"timestamp": 0, "input_length": 0, "hash_ids": []}\n\n' + line + "\n")
    with pytest.raises(DocumentError, match=said) as raised, reading(file):
        pass
    assert (raised.value.file, raised.value.line) == (str(file), 3)
    assert raised.value.hint


def test_a_parquet_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    import duckdb

    file = tmp_path / "trace.parquet"
    for columns, said in (
        ("1 AS timestamp", "there is no column input_length"),
        ("1 AS timestamp, 1 AS input_length, [1.5] AS hash_ids", r"hash_ids has the type DECIMAL"),
    ):
        duckdb.connect().execute(f"COPY (SELECT {columns}) TO '{file}' (FORMAT parquet)")
        with pytest.raises(DocumentError, match=said), reading(file):
            pass


def test_a_block_of_no_tokens_is_refused() -> None:
    with pytest.raises(QuestionError, match="a block of 0 tokens is none"), reading(MOONCAKE, 0):
        pass
