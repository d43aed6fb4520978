"""Generated call logs: one call a line under the book's names, about 360 bytes each.

Every value is a hash of the line's number and the seed, so the same numbers give the same bytes and any part
can be made alone.

    python call_log.py FILE LINES SEED IDS [FIRST]
"""

from __future__ import annotations

import sys
from pathlib import Path

MODELS = {
    "claude-sonnet-4-20250514": 24,
    "claude-opus-4-20250514": 12,
    "claude-haiku-3-20250307": 16,
    "claude-3-5-sonnet-20241022": 8,
    "claude-3-5-haiku-20241022": 8,
    "claude-3-haiku-20240307": 4,
    "claude-3-opus-20240229": 2,
    "gpt-4o": 8,
    "gpt-4o-mini": 10,
    "gpt-4-turbo": 2,
    "o1-mini": 2,
    "gpt-3.5-turbo": 4,
}
"""Model: its share of the calls in percent."""

TEAMS = ("search", "support", "marketing", "platform", "risk", "sales", "legal", "research")
PROJECTS = ("assistant", "summaries", "review", "triage")
AGENTS = ("router", "retriever", "summarizer", "reviewer", "translator", "classifier")
FEATURES = (
    "answer-questions", "summarize-thread", "draft-reply", "extract-fields", "rank-results", "translate-text",
    "review-contract", "explain-code", "classify-ticket", "find-duplicates",
)  # fmt: skip

SECONDS_BETWEEN = 3.93
"""Two million calls fill September to November 2024."""

IDS = {"none": "FALSE", "some": "n % 3 = 0", "all": "TRUE"}
"""Which lines carry an ``id`` of their own."""


def _texts(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def _draw(salt: int) -> str:
    # The hash of one integer: of several, the last one would only be a pattern over the same bits.
    return f"hash($seed * 1000000000000 + n * 16 + {salt})"


def _pick(values: str, salt: int) -> str:
    return f"{values}[1 + ({_draw(salt)} % len({values})::UBIGINT)::BIGINT]"


def lines_sql(ids: str) -> str:
    """The SELECT of lines ``$first`` to ``$first + $lines - 1``."""
    models = tuple(name for name, share in MODELS.items() for _ in range(share))
    return f"""
WITH
numbers AS (SELECT range AS n FROM range($first, $first + $lines)),
drawn AS (
    SELECT
        n,
        epoch_us(TIMESTAMP '2024-09-01') + n * {int(SECONDS_BETWEEN * 1_000_000)}
            + ({_draw(1)} % 900000)::BIGINT AS us,
        ({_draw(2)} % 600)::BIGINT AS person,
        {_pick(_texts(models), 3)} AS model,
        -- A product of uniform draws has the long right side of real prompts: 24 to 40,000 tokens.
        (24 + 40000 * pow(({_draw(4)} % 10000) / 10000.0, 3))::BIGINT AS input,
        (8 + 4000 * pow(({_draw(5)} % 10000) / 10000.0, 3))::BIGINT AS output,
        {_draw(6)} % 100 AS caching,
        {_draw(7)} % 1000 AS luck,
        {_pick(_texts(PROJECTS), 8)} AS project,
        {_pick(_texts(AGENTS), 9)} AS agent,
        {_pick(_texts(FEATURES), 10)} AS feature,
        {_pick("['simple', 'moderate', 'complex']", 11)} AS complexity,
        {_pick("['production', 'production', 'production', 'staging', 'development']", 12)} AS environment
    FROM numbers
),
calls AS (
    SELECT *, {_texts(TEAMS)}[1 + person % {len(TEAMS)}] AS team, luck >= 18 AS success FROM drawn
)
SELECT
    '{{' || CASE WHEN {IDS[ids]} THEN '"id":"req_' || printf('%016x', {_draw(13)}) || '",' ELSE '' END
    || '"timestamp":"' || strftime(make_timestamp(us), '%Y-%m-%dT%H:%M:%S.%f')
    || '","user_id":"user-' || printf('%04d', person)
    || '","team_id":"' || team
    || '","project_id":"' || team || '-' || project
    || '","agent_id":"' || agent || printf('-%02d', person % 7)
    || '","model":"' || model
    || '","input_tokens":' || input
    || ',"output_tokens":' || CASE WHEN success THEN output ELSE 0 END
    || ',"cached_tokens":' || CASE WHEN caching < 45 THEN 0 ELSE input * caching // 110 END
    || ',"latency_ms":' || (280 + output * 9 // 10 + ({_draw(14)} % 400)::BIGINT)
    || ',"success":' || success
    || ',"error_type":' || CASE WHEN success THEN 'null' WHEN luck < 9 THEN '"rate_limit_error"'
        WHEN luck < 14 THEN '"overloaded_error"' ELSE '"timeout"' END
    || ',"tags":{{"environment":"' || environment || '","feature":"' || feature
    || '","complexity":"' || complexity || '"}}}}' AS line
FROM calls"""  # noqa: S608 (constants of this module)


def write(file: Path, lines: int, seed: int, ids: str = "some", first: int = 0) -> None:
    """Write ``lines`` lines from number ``first`` on. ``ids`` is a key of :data:`IDS`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(
            f"COPY ({lines_sql(ids)}) TO $file "
            "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01')",
            {"file": str(file), "seed": seed, "first": first, "lines": lines},
        )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], *map(int, sys.argv[5:]))
