"""SQL for one field of a raw row: its value, and what may be wrong with it.

Everything arrives as text, because a typed column would turn 1.5 into 2, true into 1 and "ten" into NULL
without a word. An empty text counts as a missing one throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

from costctl.formats import secrets
from costctl.records import MAX_TOKENS

Fault = tuple[str, str]
"""An SQL condition and the reason that a rejected line gets where it holds."""

EARLIEST, LATEST = "2000-01-01", "2100-01-01"
"""A call outside these years is a fault of its clock or of its unit."""

WHOLE = "[0-9]+([.](0|00|0000+))?"
"""What a whole number looks like. Not 1.000, which is a thousand where a spreadsheet separates them so."""

_PICO = 10**12


@dataclass(frozen=True, slots=True)
class Field:
    """``value`` is SQL over the raw row, NULL where the row does not say.

    The rest is SQL over the raw row and the values of all fields, which it knows as ``f_`` and their names.
    ``faults`` are what may be wrong. ``good`` is a cheaper test that no sound row fails: where it holds, no
    fault does; "" where nothing can be wrong. It need not hold where ``unless`` is NULL, if that is given.
    ``kept`` is what goes on into the column of the field's name, the value itself if "".
    """

    name: str
    value: str
    good: str = ""
    faults: tuple[Fault, ...] = ()
    kept: str = ""
    unless: str = ""


def first_of(*texts: str) -> str:
    """SQL: the first of some texts that is not empty."""
    given = [f"nullif({text}, '')" for text in texts]
    return f"coalesce({', '.join(given)})" if len(given) > 1 else given[0]


def last_of_path(raw: str) -> str:
    """SQL for the last part of a path of either system."""
    # The function halves the time, and gives nothing where a slash ends the path.
    named = f"nullif(parse_filename({raw}, FALSE, 'both_slash'), '')"
    return f"coalesce({named}, regexp_extract({raw}, '([^/\\\\]+)[/\\\\]*$', 1))"


def text(name: str, *texts: str, required: bool = False) -> Field:
    """Any text."""
    known = f"f_{name}"
    if not required:
        return Field(name, first_of(*texts))
    return Field(name, first_of(*texts), f"{known} IS NOT NULL", ((f"{known} IS NULL", f"{name}: missing"),))


def model(*texts: str) -> Field:
    """The model, which a flag may name where the row does not."""
    return text("model", *texts, "given_model", required=True)


def label(name: str, *texts: str) -> Field:
    """A text that calls are grouped by; one that begins like a secret is kept as its end and a hash."""
    return Field(name, first_of(*texts), kept=secrets.label(f"f_{name}"))


def api_key(*texts: str) -> Field:
    """The name or id of an API key; one that looks like the key itself is kept as its end and a hash."""
    return Field("api_key", first_of(*texts), kept=secrets.api_key("f_api_key"))


def count(
    name: str, raw: str, *, said: str = "", required: bool = False, least: int = 0, most: int = MAX_TOKENS
) -> Field:
    """A whole number from ``least`` to ``most``; it may stand in quotes, or as 3.0 where a program has
    written its whole numbers so, but not as 1.5 or true."""
    known, said = f"f_{name}", said or name
    sound = f"CAST({known} AS VARCHAR) = {raw} AND {known} BETWEEN {least} AND {most}"
    too_small = "negative" if least == 0 else f"less than {least}"
    return Field(
        name,
        f"TRY_CAST({raw} AS BIGINT)",
        sound,
        (
            *(((f"{raw} IS NULL OR {raw} = ''", f"{said}: missing"),) if required else ()),
            (
                f"{raw} <> '' AND NOT regexp_full_match({raw}, '-?{WHOLE}')",
                f"{said}: not a whole number",
            ),
            (f"{known} < {least} OR ({known} IS NULL AND starts_with({raw}, '-'))", f"{said}: {too_small}"),
            # A number of more digits than a BIGINT holds.
            (f"{known} > {most} OR ({known} IS NULL AND {raw} <> '')", f"{said}: too large"),
        ),
        unless="" if required else raw,
    )


def instant(raw: str) -> str:
    """SQL for a time in ISO 8601, to the microsecond, UTC. One without a zone is in the session's zone.

    A cast to TIMESTAMP would not do: it drops an offset without a word. The cast that minds it takes four
    times as long for a text without one, of which most programs write one of three lengths.
    """
    plain = f"try_strptime({raw}, ['%Y-%m-%dT%H:%M:%S.%f', '%Y-%m-%dT%H:%M:%S'])"
    is_plain = f"strlen({raw}) IN (19, 23, 26) AND current_setting('TimeZone') = 'UTC'"
    zoned = f"make_timestamp(epoch_us(TRY_CAST({raw} AS TIMESTAMPTZ)))"
    return f"coalesce(CASE WHEN {is_plain} THEN {plain} END, {zoned})"


def unix(raw: str) -> str:
    """SQL for a time in seconds since 1970."""
    return f"TRY(make_timestamp(TRY_CAST(floor(TRY_CAST({raw} AS DOUBLE)) AS BIGINT) * 1000000))"


def epoch(raw: str, per_second: int) -> str:
    """SQL for a time in units since 1970, of which a second has ``per_second`` (a power of ten up to 10^9),
    to the microsecond."""
    us = str(1_000_000 // per_second) if per_second <= 1_000_000 else f"0.{'1':0>{len(str(per_second)) - 7}}"
    return f"TRY(make_timestamp(TRY_CAST(floor(TRY_CAST({raw} AS DECIMAL(38, 9)) * {us}) AS BIGINT)))"


def moment(raw: str, *, said: str, value: str = "") -> Field:
    """When the call began: ``raw`` is its text, ``value`` its time if that is no :func:`instant`."""
    return Field(
        "ts",
        value or instant(raw),
        f"f_ts >= TIMESTAMP '{EARLIEST}' AND f_ts < TIMESTAMP '{LATEST}'",
        (
            (f"{raw} IS NULL", f"{said}: missing"),
            ("f_ts IS NULL", f"{said}: not a time"),
            (
                f"f_ts < TIMESTAMP '{EARLIEST}' OR f_ts >= TIMESTAMP '{LATEST}'",
                f"{said}: before 2000 or after 2099",
            ),
        ),
    )


def truth(name: str, raw: str) -> Field:
    """true or false; also yes and no, t and f, 1 and 0, in any case."""
    known = f"f_{name}"
    return Field(
        name,
        f"TRY_CAST({raw} AS BOOLEAN)",
        f"{known} IS NOT NULL",
        ((f"{raw} <> '' AND {known} IS NULL", f"{name}: not true or false"),),
        unless=raw,
    )


def milliseconds(name: str, raw: str) -> Field:
    """A duration in milliseconds, rounded to whole ones."""
    known = f"f_{name}"
    return Field(
        name,
        f"TRY_CAST({raw} AS BIGINT)",
        f"{known} >= 0",
        (
            (f"{raw} <> '' AND {known} IS NULL", f"{name}: not a number"),
            (f"{known} < 0", f"{name}: negative"),
        ),
        unless=raw,
    )


def dollars(name: str, raw: str, *, said: str = "") -> Field:
    """An amount in USD as whole pico-dollars; a fraction of one is rounded."""
    return amount(name, raw, said=said)


def amount(name: str, raw: str, *, per_dollar: int = 1, signed: bool = False, said: str = "") -> Field:
    """An amount in dollars, or in the parts of which a dollar has ``per_dollar``, as whole pico-dollars; a
    fraction of one is rounded. Only a ``signed`` one may be negative."""
    known, said = f"f_{name}", said or name
    pico = f"TRY(CAST(TRY_CAST({raw} AS DECIMAL(38, 14)) * {_PICO // per_dollar} AS BIGINT))"
    least = -(2**63) if signed else 0
    unit = "USD" if per_dollar == 1 else f"1/{per_dollar} USD"
    return Field(
        name,
        f"CASE WHEN {raw} IS NOT NULL THEN {pico} END",
        f"{known} >= {least}",
        (
            (f"{raw} <> '' AND {known} IS NULL", f"{said}: not an amount in {unit}"),
            *(() if signed else ((f"{known} < 0", f"{said}: negative"),)),
        ),
        unless=raw,
    )


def tags(raw: str) -> Field:
    """Free labels: a JSON object, kept as its text; an empty one is unknown."""
    is_object = f"starts_with({raw}, '{{') AND json_valid({raw})"
    return Field(
        "tags",
        raw,
        f"{raw} IS NULL OR ({is_object})",
        ((f"{raw} <> '' AND NOT ({is_object})", "tags: not an object"),),
        f"CASE WHEN {raw} NOT IN ('', '{{}}') THEN {raw} END",
    )


def units(name: str, raw: str) -> Field:
    """A JSON object of whole numbers by the names of their units; a null one is not there."""
    given = f"map_entries(TRY(from_json({raw}, '\"MAP(VARCHAR, VARCHAR)\"')))"
    wrong = (
        f"entry.value IS NOT NULL AND (NOT regexp_full_match(entry.value, '{WHOLE}') "
        f"OR coalesce(TRY_CAST(entry.value AS BIGINT), {MAX_TOKENS} + 1) > {MAX_TOKENS})"
    )
    counted = "{'key': entry.key, 'value': TRY_CAST(entry.value AS BIGINT)}"
    known = f"list_filter({given}, lambda entry: entry.value IS NOT NULL)"
    return Field(
        name,
        raw,
        f"{raw} IS NULL",
        (
            (
                f"{raw} <> '' AND coalesce(len(list_filter({given}, lambda entry: {wrong})) > 0, TRUE)",
                f"{name}: not an object of whole numbers",
            ),
        ),
        f"CASE WHEN {raw} <> '' AND len({known}) > 0 THEN "
        f"map_from_entries(list_sort(list_transform({known}, lambda entry: {counted}))) END",
    )


def one_of(name: str, raw: str, values: tuple[str, ...], default: str) -> Field:
    """One of a few words; ``default`` where the row does not say."""
    known = f"f_{name}"
    listed = ", ".join(f"'{value}'" for value in values)
    return Field(
        name,
        f"coalesce(nullif({raw}, ''), '{default}')",
        f"{known} IN ({listed})",
        ((f"{known} NOT IN ({listed})", f"{name}: not one of {', '.join(values)}"),),
        unless=raw,
    )
