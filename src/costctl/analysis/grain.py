"""Calls and buckets: where both tell of the same usage, one of them counts.

A bucket is a line of a usage report; it sums up calls that may be in the ledger one by one as well. The rule:
where a provider's calls and buckets are of one day (UTC), the calls count. Where several reports of one
provider (an export of its console and one of its API, say) are of one day, the one with most tokens counts.
What is under a subscription and what is not are looked at apart: no report of the one sums up the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from costctl.analysis.questions import unknown
from costctl.money import rounded
from costctl.records import PRICED_TOKENS

if TYPE_CHECKING:
    from costctl.ledger import Engine

Grain = Literal["auto", "call", "bucket"]
"""Which rows a question is about: calls where there are some and else buckets, or only the ones."""

GRAINS: tuple[Grain, ...] = get_args(Grain)

_DAY_US = 86_400 * 1_000_000
_TOKENS = " + ".join(f"coalesce(calls.{column}, 0)" for column in PRICED_TOKENS)
_COUNTS = ", ".join(f"coalesce(calls.{column}, 0) AS {column}" for column in PRICED_TOKENS)
_GROUPING = " || ".join(
    f"CASE WHEN calls.{column} IS NULL THEN '-' ELSE '+' END"
    for column in ("project", "workspace", "api_key")
)
_SUMS = ", ".join(f"sum({column}) AS {column}" for column in PRICED_TOKENS)
_SAME_SUMS = " AND ".join(f"t.{column} = o.{column}" for column in PRICED_TOKENS)
_OF_SAME = (
    "{0}.provider IS NOT DISTINCT FROM {1}.provider AND {0}.subscribed = {1}.subscribed AND {0}.day = {1}.day"
)

# Days are told apart by where they begin. A call whose source names no provider is of the one whose price it
# has. A report is known by the format of its file.
_RELATIONS = f"""
    rows AS (
        SELECT calls.call_key, calls.grain, calls.cost_pico,
            coalesce(calls.provider, p.provider) AS provider,
            epoch_us(calls.ts) - epoch_us(calls.ts) % {_DAY_US} AS day,
            coalesce(calls.billing = 'subscription', FALSE) AS subscribed,
            s.format AS report, {_TOKENS} AS tokens, calls.source_id, epoch_us(calls.ts) AS began,
            coalesce(p.model, calls.model) AS model, {_GROUPING} AS grouping, {_COUNTS}
        FROM calls
        LEFT JOIN prices AS p ON p.price_id = calls.price_id
        LEFT JOIN sources AS s ON s.source_id = calls.source_id
    ),
    buckets AS (SELECT * FROM rows WHERE grain = 'bucket'),
    covered AS (
        SELECT DISTINCT provider, day, subscribed FROM rows
        WHERE grain = 'call' AND day IN (SELECT day FROM buckets)
    ),
    reports AS (
        SELECT provider, day, subscribed, report,
            row_number() OVER (
                PARTITION BY provider, day, subscribed ORDER BY sum(tokens) DESC, count(*) DESC, report
            ) AS rank
        FROM buckets GROUP BY provider, day, subscribed, report
    ),
    told AS (
        SELECT provider, day, subscribed, report, source_id, count(*) AS lines, min(model) AS first_model,
            max(model) AS last_model, sum(tokens) AS tokens, {_SUMS}
        FROM buckets GROUP BY provider, day, subscribed, report, source_id
    ),
    regrouped AS (
        SELECT t.provider, t.day, t.subscribed, t.report, t.source_id
        FROM told AS t JOIN told AS o ON o.report = t.report AND o.day = t.day AND o.source_id <> t.source_id
        WHERE {_OF_SAME.format("t", "o")} AND t.tokens > 0
            AND {_SAME_SUMS}
            AND o.first_model = t.first_model AND o.last_model = t.last_model
            AND (o.lines > t.lines OR (o.lines = t.lines AND o.source_id < t.source_id))
    ),
    judged AS (
        SELECT b.*,
            EXISTS (SELECT 1 FROM covered AS c WHERE {_OF_SAME.format("b", "c")}) AS is_covered,
            EXISTS (
                SELECT 1 FROM reports AS r
                WHERE {_OF_SAME.format("b", "r")} AND r.report = b.report AND r.rank > 1
            ) OR EXISTS (
                SELECT 1 FROM regrouped AS r
                WHERE {_OF_SAME.format("b", "r")} AND r.report = b.report AND r.source_id = b.source_id
            ) AS is_repeated
        FROM buckets AS b
    )"""  # noqa: S608 (constants of this module)

_CONDITIONS: dict[Grain, str] = {
    "auto": f"(grain = 'call' OR call_key NOT IN (WITH {_RELATIONS} "  # noqa: S608
    "SELECT call_key FROM judged WHERE is_covered OR is_repeated))",
    "call": "grain = 'call'",
    "bucket": f"(grain = 'bucket' AND call_key NOT IN (WITH {_RELATIONS} "  # noqa: S608
    "SELECT call_key FROM judged WHERE is_repeated))",
}


class LeftOut(NamedTuple):
    """Buckets of a ``provider`` that do not count: because its calls are there, or because another report is.
    ``cost`` is in pico-dollars."""

    provider: str | None
    by_calls: bool
    report: str
    buckets: int
    days: int
    cost: int


def grain_of(name: str) -> Grain:
    """The grain called ``name``. Raises :class:`QuestionError`."""
    for each in GRAINS:
        if each == name:
            return each
    raise unknown("grain", name, GRAINS)


def condition(engine: Engine, grain: Grain) -> str:
    """SQL over ``calls`` for the rows that count; "" for all of them."""
    if grain == "call":
        return _CONDITIONS["call"]
    if not has_buckets(engine):
        return "" if grain == "auto" else _CONDITIONS["bucket"]
    return _CONDITIONS[grain]


def has_buckets(engine: Engine) -> bool:
    """Whether the ledger has any bucket."""
    return bool(engine.rows("SELECT 1 FROM calls WHERE grain = 'bucket' LIMIT 1"))


def left_out(engine: Engine, grain: Grain, asked: str, parameters: list[str]) -> list[LeftOut]:
    """What :func:`condition` leaves out of the rows that pass ``asked``, SQL with its ``parameters``."""
    if grain == "call" or not has_buckets(engine):
        return []
    why = "(is_covered OR is_repeated)" if grain == "auto" else "is_repeated"
    by_calls = "is_covered" if grain == "auto" else "FALSE"
    cost = engine.money_sum("cost_pico")
    rows = engine.rows(
        f"""WITH {_RELATIONS}
    SELECT provider, {by_calls} AS by_calls, report, CAST(count(*) AS BIGINT),
        CAST(count(DISTINCT day) AS BIGINT), coalesce({cost}, 0)
    FROM judged
    WHERE {why} AND call_key IN (SELECT call_key FROM calls WHERE grain = 'bucket' AND {asked})
    GROUP BY ALL ORDER BY ALL""",  # noqa: S608
        parameters,
    )
    return [LeftOut(*row) for row in rows]


def doubtful(engine: Engine, grain: Grain, asked: str, parameters: list[str]) -> list[LeftOut]:
    """Of the buckets that count and pass ``asked``, those that may be told twice: another file of the same
    report groups the same model at the same time in another way, and has more tokens."""
    if grain == "call" or not has_buckets(engine):
        return []
    of_one = "PARTITION BY provider, subscribed, report, began, model"
    rows = engine.rows(
        f"""WITH {_RELATIONS},
    counted AS (
        SELECT provider, day, subscribed, report, began, model, source_id, count(*) AS lines,
            sum(tokens) AS tokens, {engine.money_sum("cost_pico")} AS cost, max(grouping) AS grouping
        FROM judged
        WHERE NOT is_repeated AND tokens > 0 {"AND NOT is_covered" if grain == "auto" else ""}
            AND call_key IN (SELECT call_key FROM calls WHERE grain = 'bucket' AND {asked})
        GROUP BY provider, day, subscribed, report, began, model, source_id
    ),
    compared AS (
        SELECT *, min(grouping) OVER ({of_one}) <> max(grouping) OVER ({of_one}) AS differ,
            row_number() OVER ({of_one} ORDER BY tokens DESC, source_id) AS rank
        FROM counted
    )
    SELECT provider, FALSE, report, CAST(sum(lines) AS BIGINT), CAST(count(DISTINCT day) AS BIGINT),
        CAST(coalesce(sum(cost), 0) AS BIGINT)
    FROM compared WHERE differ AND rank > 1
    GROUP BY provider, report ORDER BY provider, report""",  # noqa: S608
        parameters,
    )
    return [LeftOut(*row) for row in rows]


def _said(buckets: LeftOut) -> str:
    of = buckets.provider or "unknown providers"
    lines = f"{buckets.buckets:,} bucket{'s' if buckets.buckets != 1 else ''} of {of}"
    days = f"{buckets.days:,} day{'s' if buckets.days != 1 else ''}"
    return f"{lines} ({buckets.report}, ${rounded(buckets.cost):,}) on {days}"


def doubt(doubtful: LeftOut) -> str:
    """A sentence on what may be told twice, and the way out."""
    return (
        f"{_said(doubtful)} may be told twice: another file groups them in another way; "
        "`costctl forget` the file that should not count"
    )


def note(left_out: LeftOut) -> str:
    """A sentence on what was left out, and the way to see it."""
    if left_out.by_calls:
        return f"{_said(left_out)} left out: calls tell of them; --grain bucket"
    return f"{_said(left_out)} left out: another report tells of them"
