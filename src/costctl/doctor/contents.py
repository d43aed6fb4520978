"""What the ledger's own contents tell: whether it is whole, what is told twice, what has no price, clocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from costctl.doctor.finding import Case, Finding, length, plural, size
from costctl.money import rounded
from costctl.periods.zones import PeriodError, instant_at, microseconds
from costctl.records import INPUT_TOKENS

if TYPE_CHECKING:
    from costctl.ledger import Engine

_SECOND = 1_000_000
_TOLERANCE = timedelta(minutes=5)
"""Two machines' clocks may differ by as much."""
_FORMATS_NAMED = 5
_MODELS_NAMED = 3
_OLD_DAYS = 90
"""Of the shipped prices."""
_STALE_DAYS = 7
"""Of all data together."""


def _zone(case: Case) -> ZoneInfo:
    """The zone that times are shown in: UTC where the machine's is not known, which is told elsewhere."""
    try:
        return case.settings.zone
    except PeriodError:
        return ZoneInfo("UTC")


def contents(case: Case, engine: Engine) -> Iterator[Finding]:
    """What there is."""
    ((calls, buckets),) = engine.rows(
        "SELECT CAST(count(*) FILTER (grain = 'call') AS BIGINT), "
        "CAST(count(*) FILTER (grain = 'bucket') AS BIGINT) FROM calls"
    )
    told = plural(calls, "call") + (f", {plural(buckets, 'bucket')}" if buckets else "")
    on_disk = case.ledger.path.stat().st_size
    yield Finding("ledger", "ok", f"{told}, {size(on_disk)}, {case.ledger.path}")


def blocks(case: Case) -> Iterator[Finding]:
    """Whether every block can be read."""
    case.ledger.read_through()
    yield Finding("ledger's blocks", "ok", "every one can be read")


def clocks(case: Case, engine: Engine) -> Iterator[Finding]:
    """Times that are still to come: of calls, or of the ledger's own last change."""
    now = microseconds(case.now + _TOLERANCE)
    rows = engine.rows(
        "SELECT s.format, CAST(count(*) AS BIGINT) AS many, max(epoch_us(c.ts)) FROM calls AS c "
        "LEFT JOIN sources AS s ON s.source_id = c.source_id WHERE epoch_us(c.ts) > ? "
        "GROUP BY s.format ORDER BY many DESC, s.format",
        [now],
    )
    for format, many, latest in rows[:_FORMATS_NAMED]:
        what = f"{format}: {plural(many, 'call')} up to {length((latest - now) // _SECOND)} in the future"
        hint = "its times may be of another zone: see --assume-tz; or this machine's clock is slow"
        yield Finding("clock", "warning", what, hint)
    commit = _meta(engine, "last_commit")
    changed = datetime.fromisoformat(commit) if commit else None
    if changed is not None and changed > case.now + _TOLERANCE:
        ahead = length((changed - case.now).total_seconds())
        what = f"the ledger was last changed {ahead} in the future"
        yield Finding("clock", "problem", what, "this machine's clock is wrong, or was when that was done")
    elif not rows:
        yield Finding(
            "clock", "ok", f"{case.now.astimezone(_zone(case)):%Y-%m-%d %H:%M}, after all that is told"
        )


def _meta(engine: Engine, key: str) -> str:
    rows = engine.rows("SELECT value FROM meta WHERE key = ?", [key])
    return str(rows[0][0]) if rows else ""


def grains(case: Case, engine: Engine) -> Iterator[Finding]:  # noqa: ARG001
    """Usage that calls and reports, or several reports, tell of: what is left out, by which rule."""
    from costctl.analysis.grain import doubt, doubtful, left_out, note

    rule = "of a provider's day, calls count before buckets, and of several reports the one with most tokens"
    for each in left_out(engine, "auto", "TRUE", []):
        yield Finding("told twice", "ok", note(each), rule)
    for each in doubtful(engine, "auto", "TRUE", []):
        yield Finding("told twice", "warning", doubt(each), "their sums differ, so that both count")


# Equal in provider, model, minute, input and output. Those of one format are told apart by its own ids.
_SAME = f"""
WITH told AS (
    SELECT coalesce(p.provider, c.provider) AS provider, coalesce(p.model, c.model) AS model,
        epoch_us(c.ts) - epoch_us(c.ts) % {60 * _SECOND} AS minute,
        {" + ".join(f"coalesce(c.{name}, 0)" for name in INPUT_TOKENS)} AS tokens_in,
        coalesce(c.output_tokens, 0) AS tokens_out, s.format, c.cost_pico
    FROM calls AS c
    JOIN sources AS s ON s.source_id = c.source_id
    LEFT JOIN prices AS p ON p.price_id = c.price_id
    WHERE c.grain = 'call' AND c.output_tokens > 0
),
by_format AS (
    SELECT provider, model, minute, tokens_in, tokens_out, format,
        CAST(count(*) AS BIGINT) AS calls, coalesce({{cost}}, 0) AS cost
    FROM told GROUP BY ALL
),
alike AS (
    SELECT provider, model, minute, tokens_in, tokens_out, min(format) AS one, max(format) AS other,
        CAST(sum(calls) - max(calls) AS BIGINT) AS again, sum(cost) - max(cost) AS cost
    FROM by_format GROUP BY ALL HAVING count(*) > 1
)
SELECT one, other, CAST(sum(again) AS BIGINT) AS calls, CAST(sum(cost) AS BIGINT)
FROM alike GROUP BY one, other ORDER BY calls DESC, one, other
"""  # noqa: S608 (constants of this module)


def same_calls(case: Case, engine: Engine) -> Iterator[Finding]:  # noqa: ARG001
    """Calls of two formats that look like the same ones, under ids that are not."""
    ((formats,),) = engine.rows("SELECT CAST(count(DISTINCT format) AS BIGINT) FROM sources WHERE rows > 0")
    found = engine.rows(_SAME.format(cost=engine.money_sum("cost_pico"))) if formats > 1 else []
    for one, other, calls, cost in found[:_FORMATS_NAMED]:
        what = f"{one} and {other}: {plural(calls, 'call')}, ${rounded(cost):,}, may be told by both"
        hint = (
            "equal in provider, model, minute and tokens, but without an id in common: all of them count; "
            "`costctl forget` the source that should not"
        )
        yield Finding("same calls", "warning", what, hint)
    if not found:
        yield Finding("same calls", "ok", "no two formats tell of calls that look the same")


def unpriced(case: Case, engine: Engine) -> Iterator[Finding]:  # noqa: ARG001
    """Calls without a price, by model."""
    rows = engine.rows(
        "SELECT model, CAST(sum(coalesce(requests, 1)) AS BIGINT) AS calls FROM calls "
        "WHERE cost_pico IS NULL GROUP BY model ORDER BY calls DESC, model"
    )
    if not rows:
        yield Finding("prices", "ok", "every call has one")
        return
    named = ", ".join(model for model, _ in rows[:_MODELS_NAMED]) + (
        ", …" if len(rows) > _MODELS_NAMED else ""
    )
    what = f"{plural(sum(calls for _, calls in rows), 'call')} without one: {named}"
    yield Finding("prices", "warning", what, "`costctl prices check` says why; a prices.yaml can name them")


def books(case: Case, engine: Engine) -> Iterator[Finding]:
    """The price books that hold now, and whether calls were priced by others."""
    from costctl.pricing.book import PriceBook

    book = PriceBook.load(case.settings.prices)
    used = json.loads(_meta(engine, "price_books") or "[]")
    now = list(book.identifiers)
    names = ", ".join(each.partition(" sha256:")[0] for each in now)
    age = (case.now.date() - book.as_of).days if book.as_of else 0
    if age > _OLD_DAYS:
        what = f"{names}, whose prices are known up to {book.as_of}, {age} days ago"
        yield Finding("price books", "warning", what, "a newer costctl has newer ones; so may a prices.yaml")
    elif used and used != now:
        what = f"{names}; the last ingest had others"
        yield Finding("price books", "ok", what, "`costctl reprice` shows what they would change")
    else:
        yield Finding("price books", "ok", f"{names}, up to {book.as_of}" if book.as_of else names)


def rejects(case: Case, engine: Engine) -> Iterator[Finding]:  # noqa: ARG001
    """Lines that could not be read."""
    ((lines, files),) = engine.rows(
        "SELECT CAST(coalesce(sum(rejected), 0) AS BIGINT), CAST(count(*) FILTER (rejected > 0) AS BIGINT) "
        "FROM sources"
    )
    if lines:
        what = f"{plural(lines, 'line')} of {plural(files, 'file')} could not be read"
        yield Finding("rejects", "warning", what, "`costctl rejects` lists them")
    else:
        yield Finding("rejects", "ok", "every line could be read")


def newest(case: Case, engine: Engine) -> Iterator[Finding]:
    """The newest data of each format, and its age."""
    rows = engine.rows(
        "SELECT format, CAST(count(*) AS BIGINT), max(epoch_us(last_ts)) FROM sources GROUP BY format "
        "ORDER BY max(epoch_us(last_ts)) DESC NULLS LAST, format"
    )
    zone = _zone(case)
    for format, files, last in rows:
        told = f"in {plural(files, 'source')}"
        if last is None:
            yield Finding("newest data", "ok", f"{format}: none {told}")
            continue
        age = (microseconds(case.now) - last) // _SECOND
        when = f"{instant_at(last).astimezone(zone):%Y-%m-%d %H:%M}"
        told = f"{format}: {when}, {length(age)} old, {told}" if age >= 0 else f"{format}: {when}, {told}"
        yield Finding("newest data", "ok", told)
    latest = max((last for _, _, last in rows if last is not None), default=None)
    if latest is not None and microseconds(case.now) - latest > _STALE_DAYS * 86_400 * _SECOND:
        what = f"nothing is newer than {length((microseconds(case.now) - latest) // _SECOND)}"
        yield Finding("newest data", "warning", what, "`costctl ingest` or `costctl pull` what came since")


CHECKS: Mapping[str, Callable[[Case, Engine], Iterator[Finding]]] = {
    "ledger": contents,
    "newest data": newest,
    "clock": clocks,
    "told twice": grains,
    "same calls": same_calls,
    "prices": unpriced,
    "price books": books,
    "rejects": rejects,
}
