"""Which calls could have waited for a batch: what is said of them, what they look like, what is possible.

- *tagged*: a rule says so (a tag, a team, hours, …);
- *likely*: also a call that is alone in its session and one of a burst of like calls, or made at night;
- *maximum*: also every other call that is alone in its session.

Each holds the one before it. A call is alone if no other of its session is within the wait before or after
it: an agent's next step needs the answer of the one before. A call without a session may be one of any: it
is in the maximum only, or in a burst if it names its user, since nobody makes so many calls by hand. Buckets
of usage reports, and calls served at a price for speed, wait only where a rule says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from costctl import filters
from costctl.analysis import QuestionError
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.periods import Period, bucket
from costctl.periods.zones import SECOND

if TYPE_CHECKING:
    from costctl.ledger import Engine

Bound = Literal["tagged", "likely", "maximum"]
BOUNDS: tuple[Bound, ...] = get_args(Bound)

_HOUR = 3600 * SECOND
ALIKE = (
    "provider",
    "model",
    "team",
    "project",
    "user_id",
    "agent",
    "api_key",
    "workspace",
    "tags_json",
    "mode",
)
"""What like calls have in common."""

_LENGTH = re.compile(r"([1-9]\d{0,3})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_HOURS = re.compile(r"(\d{1,2})-(\d{1,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hours:
    """From the hour ``first`` up to, not including, ``end``, 0 to 24, of the local day; over midnight where
    ``end`` is not later."""

    first: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Hours:
        """What ``22-06`` says. Raises :class:`QuestionError`."""
        found = _HOURS.fullmatch(text.strip())
        if found is None or not (
            int(found[1]) < 24 and int(found[2]) <= 24 and int(found[1]) != int(found[2])
        ):
            raise QuestionError(f"{text!r} are no hours of a day", "as in 22-06")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.first:02d}-{self.end:02d}"

    def sql(self, hour: str) -> str:
        """A condition on ``hour``, SQL for the microseconds from midnight to the call's hour."""
        begun, before = f"{hour} >= {self.first * _HOUR}", f"{hour} < {self.end * _HOUR}"
        return f"({begun} {'AND' if self.first < self.end else 'OR'} {before})"


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls that pass all of ``where`` and, where there are ``hours``, were made in them."""

    where: tuple[Filter, ...] = ()
    hours: Hours | None = None

    def __str__(self) -> str:
        parts = [*map(str, self.where), *([f"hours {self.hours}"] if self.hours else [])]
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Burst:
    """At least ``calls`` like calls, each of a session of its own, ``within`` a time."""

    calls: int = 20
    within: timedelta = timedelta(minutes=1)


def length(text: str) -> timedelta:
    """The time that ``90m``, ``24h`` or ``2d`` says. Raises :class:`QuestionError`."""
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise QuestionError(f"{text!r} is no length of time", "as in 30m, 24h or 2d")
    return int(found[1]) * _UNITS[found[2]]


def said(time: timedelta) -> str:
    """``time``, whole minutes, as :func:`length` reads it."""
    whole = [(unit, one) for unit, one in _UNITS.items() if not time % one and time // one > (unit == "d")]
    unit, one = whole[-1]
    return f"{time // one}{unit}"


SAID_BY_TAGS = (Rule((filters.parse("tag:interactive=false"),)), Rule((filters.parse("tag:batch=true"),)))
"""What is taken for a word on it, where no rule is given."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rules, and what is looked for where they say nothing. ``night``: None looks for no hours."""

    tagged: tuple[Rule, ...] = SAID_BY_TAGS
    never: tuple[Rule, ...] = ()
    wait: timedelta = timedelta(hours=24)
    burst: Burst = field(default_factory=Burst)
    night: Hours | None = Hours(22, 6)

    def assumptions(self, bound: Bound) -> tuple[str, ...]:
        """What is assumed of the calls within ``bound``, as sentences."""
        tagged = " or ".join(map(str, self.tagged)) or "none"
        sentences = [f"tagged are calls with {tagged}"]
        if self.never:
            sentences.append(f"never in a batch: {' or '.join(map(str, self.never))}")
        if bound == "tagged":
            return tuple(sentences)
        alone = f"a call is alone if no other of its session is within {said(self.wait)} of it"
        burst = f"{self.burst.calls:,} like calls within {said(self.burst.within)}"
        night = f", or made at {self.night}" if self.night else ""
        sentences.append(f"{alone}; likely to be a job's are those of a burst ({burst}){night}")
        if bound == "maximum":
            sentences.append("the maximum is every call that is alone, also where it names no session")
        return tuple(sentences)

    def sql(
        self, engine: Engine, period: Period, span: tuple[datetime, datetime] | None, suffix: str = ""
    ) -> tuple[str, list[str]]:
        """Relations for a WITH clause, the last of which, ``waiting``, has the calls of ``period`` and those
        around it, with ``call_key``, ``bound`` (1 tagged, 2 likely, 3 maximum, 0 cannot wait), ``moment``
        (microseconds) and ``kind``, a number for what a call has in common with others: ``kinds`` has the
        columns :data:`ALIKE` of each. And their parameters. ``suffix`` ends their names.

        What is looked at are the ledger's calls, whatever a question leaves out: a session goes on in other
        models' calls, and after the period. ``span``: from the first call of the period to the last.
        """
        hour = f"({bucket('hour', *span, period.zone)}) % {24 * _HOUR}" if span else "0"
        hour = f"({hour} - {hour} % {_HOUR})"
        tagged, of_tagged = _any(self.tagged, engine, hour)
        never, of_never = _any(self.never, engine, hour)
        night = self.night.sql(hour) if self.night else "FALSE"
        wait, within = self.wait // timedelta(microseconds=1), self.burst.within // timedelta(microseconds=1)
        alike, more = ", ".join(ALIKE), self.burst.calls - 1
        same = " AND ".join(f"c.{name} IS NOT DISTINCT FROM k.{name}" for name in ALIKE)
        # Windows over numbers alone: over ten labels they take six times as long.
        sql = f"""around{suffix} AS (
    SELECT call_key, epoch_us(ts) AS moment, session, {alike},
        grain = 'call' AND coalesce(mode, 'standard') = 'standard' AS is_plain,
        {tagged} AS is_tagged, {never} AS is_never, {night} AS is_at_night
    FROM calls
    WHERE {_around(period, self.wait).sql()}
),
kinds{suffix} AS (
    SELECT *, row_number() OVER (ORDER BY {alike}) AS kind FROM (SELECT DISTINCT {alike} FROM around{suffix})
),
numbered{suffix} AS (
    SELECT call_key, moment, session, kind, c.user_id IS NOT NULL AS has_user, is_plain, is_tagged, is_never,
        is_at_night
    FROM around{suffix} AS c JOIN kinds{suffix} AS k ON {same}
),
spaced{suffix} AS (
    SELECT *, is_plain AND (session IS NULL OR (
            coalesce(moment - lag(moment) OVER of_session > {wait}, TRUE)
            AND coalesce(lead(moment) OVER of_session - moment > {wait}, TRUE)
        )) AS is_alone
    FROM numbered{suffix}
    WINDOW of_session AS (PARTITION BY session ORDER BY moment)
),
begun{suffix} AS (
    SELECT call_key, kind, moment,
        coalesce(lead(moment, {more}) OVER alike - moment <= {within}, FALSE) AS begins
    FROM spaced{suffix}
    WHERE is_alone AND (session IS NOT NULL OR has_user)
    WINDOW alike AS (PARTITION BY kind ORDER BY moment, call_key)
),
bursts{suffix} AS (
    SELECT call_key, max(CASE WHEN begins THEN 1 ELSE 0 END) OVER alike = 1 AS is_in_burst
    FROM begun{suffix}
    WINDOW alike AS (
        PARTITION BY kind ORDER BY moment, call_key ROWS BETWEEN {more} PRECEDING AND CURRENT ROW
    )
),
waiting{suffix} AS (
    SELECT call_key, moment, kind, CASE
            WHEN is_never THEN 0
            WHEN is_tagged THEN 1
            WHEN is_alone AND (coalesce(is_in_burst, FALSE) OR (session IS NOT NULL AND is_at_night)) THEN 2
            WHEN is_alone THEN 3
            ELSE 0
        END AS bound
    FROM spaced{suffix} LEFT JOIN bursts{suffix} USING (call_key)
)"""  # noqa: S608 (constants; values are bound)
        return sql, [*of_tagged, *of_never]


def _around(period: Period, wait: timedelta) -> Period:
    start = None if period.start is None else period.start - wait
    end = None if period.end is None else period.end + wait
    return Period(start, end, period.zone, period.label)


def _any(rules: Sequence[Rule], engine: Engine, hour: str) -> tuple[str, list[str]]:
    conditions: list[str] = []
    parameters: list[str] = []
    for rule in rules:
        text, bound = filters.sql(rule.where, tag=(engine.tag(), tag_path))
        hours = f" AND grain = 'call' AND {rule.hours.sql(hour)}" if rule.hours else ""
        conditions.append(f"({text}{hours})")
        parameters += bound
    return (f"({' OR '.join(conditions)})" if conditions else "FALSE"), parameters
