"""TechCorp's sample data, recomputed from the files alone.

The reader and the prices below are this test's own: nothing of costctl and nothing of the generator is
used, so that they check each other. Prices and month figures are the book's: what TechCorp's case states
for September to November 2024.
"""

from __future__ import annotations

import csv
import fnmatch
import gzip
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

ROOT = Path(__file__).parent.parent
SAMPLE_DATA = ROOT / "sample_data"
OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"

# The book's price table, USD per million tokens: input, output; cached input costs 0.1 x input.
PRICES = {
    OPUS: (Decimal("15.00"), Decimal("75.00")),
    SONNET: (Decimal("3.00"), Decimal("15.00")),
    HAIKU: (Decimal("0.25"), Decimal("1.25")),
}
MILLION = Decimal(1_000_000)
SEPTEMBER, OCTOBER, NOVEMBER = "2024-09", "2024-10", "2024-11"
MONTHS = (SEPTEMBER, OCTOBER, NOVEMBER)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: ``requests`` like calls; ``prompt`` is all input, ``cached`` a part of it."""

    file: str
    ts: datetime
    team: str
    project: str
    user: str
    agent: str
    model: str
    prompt: int
    cached: int
    output: int
    latency_ms: int
    success: bool
    error_type: str | None
    tags: dict[str, str]
    requests: int
    id: str | None = None

    @property
    def month(self) -> str:
        return f"{self.ts:%Y-%m}"

    @property
    def cost(self) -> Decimal:
        """USD: (prompt - cached) x input + cached x 0.1 x input + output x output, per million."""
        per_input, per_output = PRICES[self.model]
        effective_input = self.prompt - self.cached + self.cached * Decimal("0.1")
        return (effective_input * per_input + self.output * per_output) / MILLION


def utc(text: str) -> datetime:
    """ISO time as UTC; in a call log a time without zone is UTC."""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def call_log_jsonl(path: Path) -> Iterator[Line]:
    """The book's names: input_tokens includes cached_tokens; without ``requests`` a line is one call."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            yield Line(
                path.name,
                utc(row["timestamp"]),
                *(row[name] for name in ("team_id", "project_id", "user_id", "agent_id", "model")),
                prompt=row["input_tokens"],
                cached=row["cached_tokens"],
                output=row["output_tokens"],
                latency_ms=row["latency_ms"],
                success=row["success"],
                error_type=row["error_type"],
                tags=row["tags"],
                requests=row.get("requests", 1),
            )


def call_log_csv(path: Path) -> Iterator[Line]:
    """Our names: input_tokens is the uncached part only; tags are JSON text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cached = int(row["cache_read_tokens"])
            yield Line(
                path.name,
                utc(row["ts"]),
                *(row[name] for name in ("team", "project", "user", "agent", "model")),
                prompt=int(row["input_tokens"]) + cached,
                cached=cached,
                output=int(row["output_tokens"]),
                latency_ms=int(row["latency_ms"]),
                success={"true": True, "false": False}[row["success"]],
                error_type=row["error_type"] or None,
                tags=json.loads(row["tags"]),
                requests=int(row["requests"]),
            )


def call_log_parquet(path: Path) -> Iterator[Line]:
    """Our names, as in CSV; tags are a map, which Arrow gives as pairs."""
    for row in pq.read_table(path).to_pylist():
        yield Line(
            path.name,
            row["ts"].replace(tzinfo=UTC),
            *(row[name] for name in ("team", "project", "user", "agent", "model")),
            prompt=row["input_tokens"] + row["cache_read_tokens"],
            cached=row["cache_read_tokens"],
            output=row["output_tokens"],
            latency_ms=row["latency_ms"],
            success=row["success"],
            error_type=row["error_type"],
            tags=dict(row["tags"]),
            requests=row["requests"],
        )


def anthropic_messages(path: Path) -> Iterator[Line]:
    """Wrapped responses, one call each: usage.input_tokens excludes what was read from the cache."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            message = row["response"]
            usage = message["usage"]
            assert message["type"] == "message"
            assert usage["service_tier"] == "standard"
            assert usage["cache_creation_input_tokens"] == 0
            yield Line(
                path.name,
                utc(row["timestamp"]),
                *(row[name] for name in ("team", "project", "user", "agent")),
                model=message["model"],
                prompt=usage["input_tokens"] + usage["cache_read_input_tokens"],
                cached=usage["cache_read_input_tokens"],
                output=usage["output_tokens"],
                latency_ms=row["latency_ms"],
                success=True,
                error_type=None,
                tags=row["tags"],
                requests=1,
                id=message["id"],
            )


FILES = {
    "support-search-2024-09.jsonl.gz": call_log_jsonl,
    "support-search-2024-10.jsonl.gz": call_log_jsonl,
    "support-search-2024-11.jsonl.gz": call_log_jsonl,
    "engineering-marketing.csv.gz": call_log_csv,
    "finance.parquet": call_log_parquet,
    "research-messages.jsonl.gz": anthropic_messages,
}


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return [line for name, read in FILES.items() for line in read(SAMPLE_DATA / name)]


@pytest.fixture(scope="module")
def months(lines: list[Line]) -> dict[str, list[Line]]:
    return {month: [line for line in lines if line.month == month] for month in MONTHS}


def cost(lines: list[Line]) -> Decimal:
    return sum((line.cost for line in lines), Decimal(0))


def requests(lines: list[Line]) -> int:
    return sum(line.requests for line in lines)


def of_model(lines: list[Line], model: str) -> list[Line]:
    return [line for line in lines if line.model == model]


# --- what the book states -------------------------------------------------------------------------------


@pytest.mark.parametrize(("month", "usd"), [(SEPTEMBER, "38200"), (OCTOBER, "127850"), (NOVEMBER, "42300")])
def test_each_month_costs_what_the_book_says_exactly(
    months: dict[str, list[Line]], month: str, usd: str
) -> None:
    # 89,450 + 32,100 + 6,300 = 127,850. Not only to the cent: to the last decimal of a token's price.
    assert cost(months[month]) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "usd", "exact"),
    [
        # 89,450 / 0.000015 = 5,963,333,333.33 input tokens. No whole number of Opus tokens costs 89,450:
        # every Opus price is a multiple of 0.0000015 = 3 x 0.0000005, and 89,450 is not divisible by 3.
        # 5,963,333,334 x 0.000015 = 89,450.000010.
        (OPUS, "89450.00", "89450.000010"),
        # 32,100 / 0.000003 = 10,700,000,000 input tokens, less one.
        (SONNET, "32100.00", "32099.999997"),
        # 6,300 / 0.00000025 = 25,200,000,000 input tokens, less 28: 28 x 0.00000025 = 0.000007.
        (HAIKU, "6300.00", "6299.999993"),
    ],
)
def test_october_by_model_is_right_to_the_cent(
    months: dict[str, list[Line]], model: str, usd: str, exact: str
) -> None:
    spent = cost(of_model(months[OCTOBER], model))
    assert spent == Decimal(exact)
    assert spent.quantize(Decimal("0.01")) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "count", "percent"), [(OPUS, 214_200, 7), (SONNET, 1_468_800, 48), (HAIKU, 1_377_000, 45)]
)
def test_novembers_mix_by_requests(
    months: dict[str, list[Line]], model: str, count: int, percent: int
) -> None:
    # 3,060,000 requests, 15 % fewer than October's 3,600,000, of which
    # 7 % = 214,200, 48 % = 1,468,800 and 45 % = 1,377,000.
    assert requests(months[OCTOBER]) == 3_600_000
    assert requests(months[NOVEMBER]) == 3_060_000
    assert requests(of_model(months[NOVEMBER], model)) == count
    assert count * 100 == percent * 3_060_000


@pytest.mark.parametrize(
    ("month", "hits"),
    # 78 % of 3,060,000 = 2,386,800; the book's hit rate before is 0.
    [(SEPTEMBER, 0), (OCTOBER, 0), (NOVEMBER, 2_386_800)],
)
def test_requests_with_a_cache_read(months: dict[str, list[Line]], month: str, hits: int) -> None:
    assert requests([line for line in months[month] if line.cached > 0]) == hits


@pytest.mark.parametrize(
    ("month", "mean", "tokens"),
    # 8,500 x 3,600,000 = 30,600,000,000 and 3,200 x 3,060,000 = 9,792,000,000.
    [(OCTOBER, 8_500, 30_600_000_000), (NOVEMBER, 3_200, 9_792_000_000)],
)
def test_mean_prompt(months: dict[str, list[Line]], month: str, mean: int, tokens: int) -> None:
    assert sum(line.prompt for line in months[month]) == tokens
    assert tokens == mean * requests(months[month])


@pytest.mark.parametrize(
    ("month", "mean", "total"),
    # 1,450 x 3,600,000 = 5,220,000,000 ms and 980 x 3,060,000 = 2,998,800,000 ms.
    [(OCTOBER, 1_450, 5_220_000_000), (NOVEMBER, 980, 2_998_800_000)],
)
def test_mean_latency_over_requests(months: dict[str, list[Line]], month: str, mean: int, total: int) -> None:
    assert sum(line.latency_ms * line.requests for line in months[month]) == total
    assert total == mean * requests(months[month])


# --- what keeps it honest -------------------------------------------------------------------------------


def test_no_line_is_a_lump(months: dict[str, list[Line]]) -> None:
    for lines in months.values():
        limit = cost(lines) / 1000  # 0.1 % of the month: 38.20, 127.85 and 42.30
        assert max(line.cost for line in lines) <= limit
        assert all(1 <= line.requests <= 200 for line in lines)


def test_every_line_is_a_plausible_call(lines: list[Line]) -> None:
    assert 30_000 <= len(lines) <= 60_000
    for line in lines:
        assert line.tags["complexity"] in {"simple", "moderate", "complex"}
        assert line.tags["environment"] in {"production", "staging", "development"}
        assert line.tags["feature"]
        assert line.team
        assert line.project
        assert line.user
        assert line.agent
        assert 0 <= line.cached <= line.prompt
        assert line.prompt <= 200_000 * line.requests  # the models' context window
        assert line.output >= 0
        assert line.latency_ms > 0
        assert line.success == (line.error_type is None)
        if line.success:
            assert line.prompt > 0
            assert line.output > 0


def test_no_call_is_in_two_lines(lines: list[Line]) -> None:
    ids = [line.id for line in lines if line.id is not None]
    assert len(ids) > 1_000
    assert len(set(ids)) == len(ids)
    assert all(id.startswith("msg_") for id in ids)
    moments = Counter((line.ts, line.project, line.user, line.agent, line.model) for line in lines)
    assert [moment for moment, count in moments.items() if count > 1] == []
    # A team's calls are in the files of one format, and the first three files part the months.
    readers = {(line.team, FILES[line.file]) for line in lines}
    assert len(readers) == len({line.team for line in lines})
    for month in MONTHS:
        file = f"support-search-{month}.jsonl.gz"
        assert {line.month for line in lines if line.file == file} == {month}


def test_months_are_the_same_from_utc_minus_8_to_utc_plus_8(lines: list[Line]) -> None:
    for line in lines:
        for hours in (-8, 8):
            assert f"{line.ts + timedelta(hours=hours):%Y-%m}" == line.month
    assert {line.month for line in lines} == set(MONTHS)


def test_it_is_a_company(lines: list[Line]) -> None:
    assert len({line.team for line in lines}) >= 5
    assert len({line.project for line in lines}) >= 10
    assert len({line.user for line in lines}) >= 40
    assert len({line.agent for line in lines}) >= 10
    assert len({line.ts.hour for line in lines}) == 24


def test_weekdays_are_busier_than_weekends_and_october_grows(months: dict[str, list[Line]]) -> None:
    october: Counter[int] = Counter()
    for line in months[OCTOBER]:
        october[line.ts.day] += line.requests
    # 1 October 2024 was a Tuesday: the 5th a Saturday; the weeks compared run Monday to Sunday.
    weekend = sum(october[day] for day in (5, 6, 12, 13, 19, 20, 26, 27)) / 8
    working = sum(october[day] for day in (7, 8, 9, 10, 11, 14, 15, 16, 17, 18)) / 10
    assert working > 2 * weekend
    first, second, third = (sum(october[day] for day in range(start, start + 7)) for start in (7, 14, 21))
    assert first < second < third


@pytest.mark.parametrize("month", MONTHS)
def test_one_to_three_percent_of_requests_fail(months: dict[str, list[Line]], month: str) -> None:
    failed = requests([line for line in months[month] if not line.success])
    assert 0.01 <= failed / requests(months[month]) <= 0.03


def test_complexity_follows_the_work_and_in_october_not_the_model(months: dict[str, list[Line]]) -> None:
    def simple(month: str, model: str) -> float:
        of = of_model(months[month], model)
        return requests([line for line in of if line.tags["complexity"] == "simple"]) / requests(of)

    # The story: in October half of what Opus does is simple; the router leaves it less than a fifth.
    assert simple(OCTOBER, OPUS) >= 0.45
    assert simple(NOVEMBER, OPUS) <= 0.20
    assert simple(NOVEMBER, HAIKU) >= 0.90
    # A feature is one kind of work, whatever model does it.
    work = {(line.tags["feature"], line.tags["complexity"]) for month in MONTHS for line in months[month]}
    assert len(work) == len({feature for feature, _ in work})
    for model in PRICES:
        assert {line.tags["complexity"] for line in of_model(months[OCTOBER], model)} == {
            "simple",
            "moderate",
            "complex",
        }


# --- how it is made -------------------------------------------------------------------------------------


def test_it_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in SAMPLE_DATA.iterdir() if path.is_file()}
    assert sum(sizes.values()) <= 5_000_000
    assert set(sizes) == {*FILES, "README.md", "generate.py"}


def test_the_generator_makes_these_files(tmp_path: Path) -> None:
    command = [sys.executable, str(SAMPLE_DATA / "generate.py")]
    directories = [tmp_path / "once", tmp_path / "again"]
    for directory in directories:
        directory.mkdir()
    runs = [subprocess.Popen([*command, str(directory)]) for directory in directories]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]

    once, again = ({path.name: path.read_bytes() for path in where.iterdir()} for where in directories)
    assert set(once) == set(FILES)
    assert once == again, "two runs differ"
    for name, made in once.items():
        committed = (SAMPLE_DATA / name).read_bytes()
        if name.endswith(".gz"):
            # The compressed bytes are zlib's, which not every Python is built with in the same version.
            assert committed[4:8] == b"\0\0\0\0", "the gzip header holds a time"
            assert gzip.decompress(made) == gzip.decompress(committed), name
        else:
            # A Parquet file names the pyarrow that wrote it and is encoded as that version does.
            assert pq.read_table(io.BytesIO(made)).equals(pq.read_table(io.BytesIO(committed))), name


# --- the example budgets --------------------------------------------------------------------------------


def test_example_budgets_are_techcorps(lines: list[Line]) -> None:
    example = yaml.safe_load((ROOT / "budgets.example.yaml").read_text(encoding="utf-8"))
    by_name = {budget["name"]: budget for budget in example["budgets"]}
    assert len(by_name) == len(example["budgets"])
    assert by_name["company"]["monthly_budget"] == 28_000  # the book's budget
    teams = [budget for budget in by_name.values() if budget.get("dimension") == "team"]
    # 11,500 + 7,000 + 3,500 + 3,000 + 2,900 + 100 = 28,000
    assert sum(budget["monthly_budget"] for budget in teams) == 28_000
    assert {budget["dimension_id"] for budget in teams} == {line.team for line in lines}
    for budget in by_name.values():
        if "dimension" in budget:
            assert budget["dimension_id"] in {getattr(line, budget["dimension"]) for line in lines}
        assert set(budget.get("channels", ())) <= set(example["channels"])
    # What it shows of scopes by glob and by list is of this company, too.
    assert fnmatch.filter({line.model for line in lines}, by_name["opus for customers"]["scope"]["model"])
    assert "ranking-labels" in by_name["outside work"]["scope"]["project"]
    assert "ranking-labels" in {line.project for line in lines}


def test_example_budgets_hold_no_secret() -> None:
    example = yaml.safe_load((ROOT / "budgets.example.yaml").read_text(encoding="utf-8"))
    secrets = [
        channel[key]
        for channel in example["channels"].values()
        for key in ("url", "password", "secret")
        if key in channel
    ]
    addresses = {secret for secret in secrets if not (secret.startswith("${") and secret.endswith("}"))}
    # A mail server's and a webhook's address, without a token in it, are no keys.
    assert addresses == {"smtp://smtp.techcorp.example:587", "https://alerts.techcorp.example/costctl"}
    assert len(secrets) - len(addresses) == 4
