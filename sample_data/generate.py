"""Makes TechCorp's sample usage data, September to November 2024.

    python sample_data/generate.py [DIRECTORY]

Everything is drawn from one seed, so two runs write the same bytes. It works from the top down: ``PLAN``
fixes requests, tokens and money per month and model, ``draw_lines`` invents the lines that share them, and
``apportion`` hands out the tokens in whole numbers, so that every total is exact by construction and no line
is bent at the end to make a sum fit.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

SEED = "TechCorp 2024"
QUIET_HOURS = 8
"""No call within this many hours of a month's end: a month's total is the same from UTC-8 to UTC+8."""

OPUS, SONNET, HAIKU = "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-haiku-3-20250307"
COMPLEXITIES = ("simple", "moderate", "complex")


@dataclass(frozen=True)
class Price:
    """Pico-USD (1e-12 USD) per token; a cache read costs a tenth of uncached input."""

    input: int
    cache_read: int
    output: int


PRICES = {
    OPUS: Price(15_000_000, 1_500_000, 75_000_000),
    SONNET: Price(3_000_000, 300_000, 15_000_000),
    HAIKU: Price(250_000, 25_000, 1_250_000),
}


@dataclass(frozen=True)
class Share:
    """What one model has of one month: requests, those with a cache read, tokens, and USD.

    ``prompt`` is all input, cached included; ``output`` is what the money leaves, and must be whole.
    """

    requests: int
    hits: int
    prompt: int
    cached: int
    cost: Decimal

    def output(self, price: Price) -> int:
        left = int(self.cost.scaleb(12)) - (self.prompt - self.cached) * price.input
        tokens, rest = divmod(left - self.cached * price.cache_read, price.output)
        if rest:
            raise ValueError(f"{self} is not a whole number of output tokens")
        return tokens


@dataclass(frozen=True)
class Month:
    """Shares by model, mean latency in ms, and the share of requests that fail."""

    shares: dict[str, Share]
    latency_ms: int
    failing: float


# October by model: every Opus price is a multiple of 3 pico-USD and 89,450 USD is none, so Opus cannot come
# out exactly. Further, the three prompts have to add up to 8,500 x 3,600,000, a multiple of 5, while each
# prompt is congruent (mod 5) to cost / input price. So Opus is moved by +10, Sonnet by -3 (1 token) and
# Haiku by -7 (28 tokens) millionths of a dollar: all three right to the cent, their sum exact.
PLAN = {
    (2024, 9): Month(
        {
            OPUS: Share(184_000, 0, 1_067_200_000, 0, Decimal(24_000)),
            SONNET: Share(436_000, 0, 2_616_000_000, 0, Decimal(11_700)),
            HAIKU: Share(1_040_000, 0, 6_344_000_000, 0, Decimal(2_500)),
        },
        latency_ms=1_200,
        failing=0.012,
    ),
    (2024, 10): Month(
        {
            OPUS: Share(560_000, 0, 4_311_999_999, 0, Decimal("89450.000010")),
            SONNET: Share(940_000, 0, 8_083_999_999, 0, Decimal("32099.999997")),
            HAIKU: Share(2_100_000, 0, 18_204_000_002, 0, Decimal("6299.999993")),
        },
        latency_ms=1_450,
        failing=0.026,
    ),
    (2024, 11): Month(
        {
            OPUS: Share(214_200, 149_940, 1_071_000_000, 375_000_000, Decimal(23_400)),
            SONNET: Share(1_468_800, 1_175_040, 4_847_040_000, 2_400_000_000, Decimal(17_850)),
            HAIKU: Share(1_377_000, 1_061_820, 3_873_960_000, 2_100_000_000, Decimal(1_050)),
        },
        latency_ms=980,
        failing=0.015,
    ),
}

CALLS_PER_LINE = {"simple": (150, 200), "moderate": (100, 180), "complex": (40, 90)}
"""Like calls are logged together, fewer of them the harder they are."""
OPUS_GROUP = 0.8
"""Opus calls are logged in smaller groups, so that no line weighs more than 0.1 % of its month."""
PROMPT_SIZE = {"simple": 0.7, "moderate": 1.0, "complex": 1.6}
OUTPUT_SIZE = {"simple": 0.5, "moderate": 1.0, "complex": 1.9}
LATENCY_MS = {OPUS: 2_000, SONNET: 1_200, HAIKU: 500}

HABIT = {
    OPUS: {"simple": 1.00, "moderate": 1.00, "complex": 1.00},
    SONNET: {"simple": 1.00, "moderate": 1.00, "complex": 0.40},
    HAIKU: {"simple": 1.00, "moderate": 0.25, "complex": 0.01},
}
"""Until October people pick a model by habit: Haiku is spared hard work, but Opus is spared nothing."""
ROUTED = {
    OPUS: {"simple": 0.04, "moderate": 0.25, "complex": 1.00},
    SONNET: {"simple": 0.40, "moderate": 1.00, "complex": 0.15},
    HAIKU: {"simple": 1.00, "moderate": 0.15, "complex": 0.01},
}
"""From November a router sends the work where it belongs, with some overrides."""

ENVIRONMENTS = {"production": 86, "staging": 9, "development": 5}
ERRORS = {"rate_limit_error": 46, "overloaded_error": 28, "timeout": 16, "api_error": 10}
ERROR_LATENCY_MS = {"rate_limit_error": 180, "overloaded_error": 420, "timeout": 9_000, "api_error": 700}

WEEKDAY = (1.0, 1.06, 1.08, 1.04, 0.88, 0.24, 0.19)
NIGHTLY_WEEKDAY = (1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.5)
HOUR = (4, 7, 9, 9, 8, 8, 10, 14, 18, 20, 19, 17, 18, 19, 18, 15, 11, 7, 5, 4, 3, 2, 2, 2)
NIGHTLY_HOUR = (20, 24, 26, 22, 12, 6, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 6, 10, 14, 18)


@dataclass(frozen=True)
class Project:
    """A project: relative volume on (opus, sonnet, haiku), its calls by complexity, and how it behaves.

    ``agents`` and ``features`` are words, one feature for each complexity; ``prompt`` is the relative prompt
    size, ``reuse`` how readily prompts hit the cache; ``nightly`` work runs in batches at night; ``single``
    calls are logged one by one.
    """

    team: str
    name: str
    agents: str
    features: str
    volume: tuple[int, int, int]
    work: tuple[int, int, int]
    prompt: float
    reuse: float
    nightly: bool = False
    single: bool = False

    def feature(self, complexity: str) -> str:
        return self.features.split()[COMPLEXITIES.index(complexity)]


# fmt: off
PROJECTS = (
    Project("support", "helpdesk-chat", "triage-bot reply-writer",
            "ticket-routing reply-draft escalation-analysis", (24, 20, 20), (60, 32, 8), 1.0, 1.3),
    Project("support", "faq-assistant", "faq-bot",
            "faq-lookup faq-answer policy-comparison", (12, 14, 22), (82, 16, 2), 1.3, 2.0),
    Project("support", "call-summaries", "call-summariser",
            "call-tagging call-summary complaint-analysis", (5, 8, 6), (35, 55, 10), 1.3, 0.7),
    Project("search", "query-rewrite", "query-rewriter",
            "spelling query-expansion intent-analysis", (6, 8, 24), (88, 11, 1), 0.6, 1.6),
    Project("search", "ranking-labels", "relevance-judge",
            "relevance-label relevance-rationale guideline-review", (5, 7, 13), (62, 33, 5), 0.8, 1.4, True),
    Project("engineering", "code-review", "diff-reviewer security-reviewer",
            "lint-comment diff-review design-review", (17, 15, 3), (22, 48, 30), 1.5, 0.9),
    Project("engineering", "test-writer", "test-writer",
            "fixture unit-test property-test", (8, 9, 2), (30, 52, 18), 1.2, 1.0),
    Project("engineering", "incident-notes", "incident-scribe",
            "log-label timeline root-cause", (3, 4, 3), (48, 36, 16), 1.6, 0.5),
    Project("marketing", "copy-studio", "copywriter translator",
            "headline product-copy campaign-concept", (11, 9, 4), (46, 44, 10), 0.7, 0.8),
    Project("marketing", "campaign-insights", "insight-analyst",
            "survey-label segment-summary attribution-analysis", (5, 5, 2), (40, 42, 18), 1.1, 0.7),
    Project("finance", "invoice-extraction", "invoice-reader",
            "field-extraction line-matching dispute-analysis", (7, 9, 14), (70, 27, 3), 1.1, 1.1, True),
    Project("finance", "contract-analysis", "contract-analyst",
            "clause-label clause-summary risk-analysis", (8, 4, 1), (12, 40, 48), 1.7, 0.6),
    Project("research", "paper-digest", "paper-reader",
            "paper-label abstract literature-review", (2, 2, 2), (28, 46, 26), 1.6, 0.6, True, True),
    Project("research", "prototype-lab", "probe-a probe-b",
            "probe prototype evaluation", (2, 2, 2), (34, 40, 26), 0.9, 0.8, False, True),
)
# fmt: on

USERS = {
    "support": "aisha ben carla chen dmitri elif femi grace hana igor jia",
    "search": "kofi lena marek nadia oskar priya",
    "engineering": "quinn rafael sana tomas uma viktor wei xenia yusuf zoe",
    "marketing": "amara bruno camille diego emi farid greta",
    "finance": "hugo ines jonas keiko liam mina",
    "research": "noor olga pavel rosa sven",
}


@dataclass(slots=True)
class Line:
    """One line of usage: ``requests`` like calls with their token totals and mean latency in ms.

    ``prompt`` is all input, ``cached`` the part of it read from the cache. The weights are relative sizes
    in thousandths, integers so that no rounding of floats reaches a token.
    """

    ts: datetime
    model: str
    project: Project
    agent: str
    user: str
    complexity: str
    environment: str
    requests: int
    error: str | None
    latency_ms: int
    prompt_weight: int
    output_weight: int
    cached_weight: int
    prompt: int = 0
    output: int = 0
    cached: int = 0

    @property
    def tags(self) -> dict[str, str]:
        return {
            "complexity": self.complexity,
            "environment": self.environment,
            "feature": self.project.feature(self.complexity),
        }


def spread(random: Random, sigma: float, low: float, high: float) -> float:
    """A log-normal factor around 1, clipped so that no line dwarfs its month."""
    return min(max(random.lognormvariate(0, sigma), low), high)


def draw_time(random: Random, year: int, month: int, nightly: bool, growth: float) -> datetime:
    """A moment of the month by weekday, hour and daily ``growth`` (0.02: 2 % more each day), UTC."""
    days = monthrange(year, month)[1]
    weekday = NIGHTLY_WEEKDAY if nightly else WEEKDAY
    hours = NIGHTLY_HOUR if nightly else HOUR
    weights = [
        weekday[datetime(year, month, day).weekday()] * math.exp(growth * day) for day in range(1, days + 1)
    ]
    day = random.choices(range(1, days + 1), weights)[0]
    first = QUIET_HOURS if day == 1 else 0
    last = 24 - QUIET_HOURS if day == days else 24
    hour = random.choices(range(first, last), hours[first:last])[0]
    return datetime(year, month, day, hour) + timedelta(milliseconds=random.randrange(3_600_000))


def draw_line(
    random: Random, when: tuple[int, int], model: str, hit: bool, failing: float, most: int
) -> Line:
    """One line of ``model`` with at most ``most`` requests.

    ``hit``: its calls read the cache; ``failing``: how likely they fail.
    """
    tuned = when >= (2024, 11)
    fit = (ROUTED if tuned else HABIT)[model]
    column = (OPUS, SONNET, HAIKU).index(model)
    appetite = [
        project.volume[column] * (1 if not tuned else project.reuse if hit else 1 / project.reuse)
        for project in PROJECTS
    ]
    project = random.choices(PROJECTS, appetite)[0]
    work = [
        share * fit[complexity] / sum(CALLS_PER_LINE[complexity])
        for share, complexity in zip(project.work, COMPLEXITIES, strict=True)
    ]
    complexity = random.choices(COMPLEXITIES, work)[0]
    users = USERS[project.team].split()
    user = random.choices(users, [1 / (rank + 2) for rank in range(len(users))])[0]
    ts = draw_time(random, *when, project.nightly, -0.004 if tuned else 0.028 if model == OPUS else 0.021)
    requests = 1 if project.single or random.random() < 0.04 else random.randint(*CALLS_PER_LINE[complexity])
    if model == OPUS:
        requests = math.ceil(requests * OPUS_GROUP)
    requests = min(requests, most)

    error = None
    if not project.single and random.random() < failing:
        error = random.choices(list(ERRORS), list(ERRORS.values()))[0]
    size = spread(random, 0.25, 0.6, 1.4)
    length = spread(random, 0.25, 0.6, 1.4)
    # Until the prompts were trimmed they grew from week to week, as each fix added a paragraph.
    bloat = 1.0 if tuned else math.exp(0.012 * ts.day)
    prompt = requests * PROMPT_SIZE[complexity] * project.prompt * size * bloat
    output = requests * OUTPUT_SIZE[complexity] * length
    latency = LATENCY_MS[model] * (0.4 + 0.6 * OUTPUT_SIZE[complexity] * length) * spread(random, 0.2, 0.6, 2)
    if error:
        latency = ERROR_LATENCY_MS[error] * spread(random, 0.2, 0.6, 2)
        # A refused call bills nothing; one that timed out bills its prompt and what it had written by then.
        prompt, output = (prompt, 0.3 * output) if error == "timeout" else (0, 0)
    return Line(
        ts=ts,
        model=model,
        project=project,
        agent=random.choice(project.agents.split()),
        user=user,
        complexity=complexity,
        environment=random.choices(list(ENVIRONMENTS), list(ENVIRONMENTS.values()))[0],
        requests=requests,
        error=error,
        latency_ms=round(latency),
        prompt_weight=round(1000 * prompt),
        output_weight=round(1000 * output),
        cached_weight=round(1000 * random.uniform(0.85, 1.15)) if hit else 0,
    )


def draw_lines(random: Random, when: tuple[int, int], model: str, share: Share, failing: float) -> list[Line]:
    """Lines whose requests add up to the share's, hits and misses each; the last of each takes the rest."""
    lines = []
    for requests, hit in ((share.hits, True), (share.requests - share.hits, False)):
        # Only a call without a cache read can fail, so that a hit is a hit by its tokens.
        chance = 0.0 if hit else failing * share.requests / requests
        while requests:
            line = draw_line(random, when, model, hit, chance, requests)
            requests -= line.requests
            lines.append(line)
    return lines


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to ``weights`` whose sum is exactly ``total`` (largest remainders)."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def fill_tokens(lines: Sequence[Line], share: Share, price: Price) -> None:
    """Gives every line its tokens; the sums are the share's, to the token."""
    prompts = apportion(share.prompt, [line.prompt_weight for line in lines])
    outputs = apportion(share.output(price), [line.output_weight for line in lines])
    cached = [0] * len(lines)
    if share.cached:
        sizes = [prompt * line.cached_weight for prompt, line in zip(prompts, lines, strict=True)]
        cached = apportion(share.cached, sizes)
    for line, line.prompt, line.output, line.cached in zip(lines, prompts, outputs, cached, strict=True):
        if line.cached > line.prompt:
            raise ValueError(f"more cached than input: {line}")


def level_latency(lines: Sequence[Line], mean: int) -> None:
    """Scales latencies so that their mean over requests is exactly ``mean`` ms.

    Scaling down to whole milliseconds leaves a rest; one more millisecond on a line takes off as much as the
    line has requests, and the many lines of one request take off the last of it.
    """
    target = mean * sum(line.requests for line in lines)
    drawn = sum(line.requests * line.latency_ms for line in lines)
    for line in lines:
        line.latency_ms = line.latency_ms * target // drawn
    rest = target - sum(line.requests * line.latency_ms for line in lines)
    for line in sorted(lines, key=lambda line: -line.requests):
        if line.requests <= rest:
            line.latency_ms += 1
            rest -= line.requests
    if rest:
        raise ValueError(f"latencies cannot be levelled: {rest} ms left")


def usage() -> list[Line]:
    """All lines of the three months, in the order of time."""
    lines: list[Line] = []
    for (year, month), plan in PLAN.items():
        random = Random(f"{SEED} {year}-{month}")
        of_month: list[Line] = []
        for model, share in plan.shares.items():
            of_model = draw_lines(random, (year, month), model, share, plan.failing)
            fill_tokens(of_model, share, PRICES[model])
            of_month += of_model
        level_latency(of_month, plan.latency_ms)
        lines += of_month
    return sorted(lines, key=lambda line: (line.ts, line.project.name, line.model, line.user))


def iso(ts: datetime) -> str:
    return ts.isoformat(timespec="milliseconds")


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def book_jsonl(lines: Iterable[Line]) -> bytes:
    """Call log with the book's names: ``input_tokens`` includes ``cached_tokens``; zoneless UTC."""
    rows = []
    for line in lines:
        row = {
            "timestamp": iso(line.ts),
            "user_id": line.user,
            "team_id": line.project.team,
            "project_id": line.project.name,
            "agent_id": line.agent,
            "model": line.model,
            "input_tokens": line.prompt,
            "output_tokens": line.output,
            "cached_tokens": line.cached,
            "latency_ms": line.latency_ms,
            "success": line.error is None,
            "error_type": line.error,
            "tags": line.tags,
        }
        if line.requests > 1:
            row["requests"] = line.requests
        rows.append(compact(row) + "\n")
    return "".join(rows).encode()


def canonical(line: Line) -> dict[str, object]:
    """A call log's row with our names: ``input_tokens`` is the uncached part only."""
    return {
        "ts": line.ts,
        "user": line.user,
        "team": line.project.team,
        "project": line.project.name,
        "agent": line.agent,
        "model": line.model,
        "input_tokens": line.prompt - line.cached,
        "cache_read_tokens": line.cached,
        "output_tokens": line.output,
        "latency_ms": line.latency_ms,
        "success": line.error is None,
        "error_type": line.error,
        "tags": line.tags,
        "requests": line.requests,
    }


def canonical_csv(lines: Iterable[Line]) -> bytes:
    """Call log with our names; tags as JSON text."""
    text = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for line in lines:
        row = canonical(line)
        row |= {"ts": f"{iso(line.ts)}Z", "success": str(row["success"]).lower(), "tags": compact(line.tags)}
        if writer is None:
            writer = csv.DictWriter(text, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return text.getvalue().encode()


CANONICAL_SCHEMA = pa.schema(
    [
        ("ts", pa.timestamp("us")),
        *((name, pa.string()) for name in ("user", "team", "project", "agent", "model")),
        *(
            (name, pa.int64())
            for name in ("input_tokens", "cache_read_tokens", "output_tokens", "latency_ms")
        ),
        ("success", pa.bool_()),
        ("error_type", pa.string()),
        ("tags", pa.map_(pa.string(), pa.string())),
        ("requests", pa.int64()),
    ]
)


def canonical_parquet(lines: Iterable[Line]) -> bytes:
    """Call log with our names and typed columns; tags as a map; zoneless UTC."""
    rows = [canonical(line) | {"tags": list(line.tags.items())} for line in lines]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, CANONICAL_SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def anthropic_messages(lines: Iterable[Line]) -> bytes:
    """Raw Anthropic Messages responses, each wrapped with its time and labels; the text is left out."""
    random = Random(f"{SEED} ids")
    letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    rows = []
    for line in lines:
        message = {
            "id": "msg_01" + "".join(random.choices(letters, k=22)),
            "type": "message",
            "role": "assistant",
            "model": line.model,
            "content": [],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": line.prompt - line.cached,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": line.cached,
                "output_tokens": line.output,
                "service_tier": "standard",
            },
        }
        row = {
            "timestamp": f"{iso(line.ts)}Z",
            "team": line.project.team,
            "project": line.project.name,
            "user": line.user,
            "agent": line.agent,
            "latency_ms": line.latency_ms,
            "tags": line.tags,
            "response": message,
        }
        rows.append(compact(row) + "\n")
    return "".join(rows).encode()


def gzipped(content: bytes) -> bytes:
    """Without the time of writing, which would make every run's bytes differ."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def files() -> dict[str, bytes]:
    """Content by file name. Teams part the calls, so none is in two files."""
    lines = usage()

    def of(*teams: str, month: int | None = None) -> list[Line]:
        return [line for line in lines if line.project.team in teams and month in (None, line.ts.month)]

    logs = {
        f"support-search-{year}-{month:02}.jsonl.gz": gzipped(
            book_jsonl(of("support", "search", month=month))
        )
        for year, month in PLAN
    }
    return logs | {
        "engineering-marketing.csv.gz": gzipped(canonical_csv(of("engineering", "marketing"))),
        "finance.parquet": canonical_parquet(of("finance")),
        "research-messages.jsonl.gz": gzipped(anthropic_messages(of("research"))),
    }


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, content in files().items():
        (directory / name).write_bytes(content)


if __name__ == "__main__":
    main()
