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
_OF_SAME = "provider IS NOT DISTINCT FROM {0}.provider AND b.subscribed = {0}.subscribed AND b.day = {0}.day"

# Days are told apart by where they begin. A call whose source names no provider is of the one whose price it
# has. A report is known by the format of its file.
_RELATIONS = f"""
    rows AS (
        SELECT calls.call_key, calls.grain, calls.cost_pico,
            coalesce(calls.provider, p.provider) AS provider,
            epoch_us(calls.ts) - epoch_us(calls.ts) % {_DAY_US} AS day,
            coalesce(calls.billing = 'subscription', FALSE) AS subscribed,
            s.format AS report, {_TOKENS} AS tokens
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
    judged AS (
        SELECT b.call_key, b.provider, b.day, b.cost_pico, b.report,
            EXISTS (SELECT 1 FROM covered AS c WHERE b.{_OF_SAME.format("c")}) AS is_covered,
            EXISTS (
                SELECT 1 FROM reports AS r
                WHERE b.{_OF_SAME.format("r")} AND r.report = b.report AND r.rank > 1
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


def note(left_out: LeftOut) -> str:
    """A sentence on what was left out, and the way to see it."""
    of = left_out.provider or "unknown providers"
    buckets = f"{left_out.buckets:,} bucket{'s' if left_out.buckets != 1 else ''} of {of}"
    days = f"{left_out.days:,} day{'s' if left_out.days != 1 else ''}"
    cost = f"${rounded(left_out.cost):,}"
    if left_out.by_calls:
        return f"{buckets} ({left_out.report}, {cost}) on {days} left out: calls tell of them; --grain bucket"
    return f"{buckets} ({left_out.report}, {cost}) on {days} left out: another report tells of them"
