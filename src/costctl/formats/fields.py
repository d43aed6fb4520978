"""SQL for one field of a raw row: its value, and what may be wrong with it.

Everything arrives as text, because a typed column would turn 1.5 into 2, true into 1 and "ten" into NULL
without a word. Each function returns a :class:`Field` whose faults are conditions over the raw row.
"""

from __future__ import annotations

from dataclasses import dataclass

from costctl.records import MAX_TOKENS

Fault = tuple[str, str]
"""An SQL condition and the reason that a rejected line gets where it holds."""

EARLIEST, LATEST = "2000-01-01", "2100-01-01"
"""A call outside these years is a fault of its clock or of its unit."""


@dataclass(frozen=True, slots=True)
class Field:
    """``value`` is SQL over the raw row, NULL where the row does not say; later SQL knows it as ``name``."""

    name: str
    value: str
    faults: tuple[Fault, ...] = ()


def first_of(*texts: str) -> str:
    """SQL: the first of some texts that is not empty."""
    return f"coalesce({', '.join(f'nullif({text}, {chr(39)}{chr(39)})' for text in texts)})"


def text(name: str, *texts: str, required: bool = False) -> Field:
    """A label: any text; an empty one is unknown."""
    value = first_of(*texts)
    return Field(name, value, ((f"{value} IS NULL", f"{name}: missing"),) if required else ())


def count(
    name: str, raw: str, *, said: str = "", required: bool = False, least: int = 0, most: int = MAX_TOKENS
) -> Field:
    """A whole number from ``least`` to ``most``; JSON may have it in quotes, never as 1.5, 1e3 or true."""
    said = said or name
    value = f"TRY_CAST({raw} AS BIGINT)"
    # A number of more digits than a BIGINT holds is too large, not malformed.
    digits = f"regexp_full_match({raw}, '[0-9]+')"
    faults: list[Fault] = [(f"{raw} IS NULL", f"{said}: missing")] if required else []
    faults += [
        (f"{value} > {most} OR ({value} IS NULL AND {digits})", f"{said}: too large"),
        (
            f"{raw} IS NOT NULL AND CAST({value} AS VARCHAR) IS DISTINCT FROM {raw}",
            f"{said}: not a whole number",
        ),
        (f"{value} < {least}", f"{said}: negative" if least == 0 else f"{said}: less than {least}"),
    ]
    return Field(name, value, tuple(faults))


def moment(name: str, raw: str, *, said: str = "") -> Field:
    """A time in ISO 8601, to the microsecond. One without a zone is in the session's zone."""
    said = said or name
    value = f"CASE WHEN {raw} LIKE '____-__-__%' THEN make_timestamp(epoch_us(TRY_CAST({raw} AS TIMESTAMPTZ))) END"
    return Field(name, value, (*_missing_or_bad(raw, value, said), *_years(value, said)))


def unix_time(name: str, raw: str, *, said: str = "") -> Field:
    """A time in whole seconds since 1970, UTC."""
    said = said or name
    value = f"make_timestamp(TRY_CAST({raw} AS BIGINT) * 1000000)"
    return Field(name, value, (*_missing_or_bad(raw, value, said), *_years(value, said)))


def _missing_or_bad(raw: str, value: str, said: str) -> tuple[Fault, ...]:
    return ((f"{raw} IS NULL", f"{said}: missing"), (f"{value} IS NULL", f"{said}: not a time"))


def _years(value: str, said: str) -> tuple[Fault, ...]:
    outside = f"{value} < TIMESTAMP '{EARLIEST}' OR {value} >= TIMESTAMP '{LATEST}'"
    return ((outside, f"{said}: before 2000 or after 2099"),)


def truth(name: str, raw: str) -> Field:
    """true or false."""
    value = f"CASE lower({raw}) WHEN 'true' THEN TRUE WHEN '1' THEN TRUE WHEN 'false' THEN FALSE WHEN '0' THEN FALSE END"
    return Field(name, value, ((f"{raw} <> '' AND {value} IS NULL", f"{name}: not true or false"),))


def milliseconds(name: str, raw: str, factor: int = 1) -> Field:
    """A duration, which may have a fraction; ``factor`` is how many milliseconds its unit has."""
    value = f"TRY_CAST(round(TRY_CAST(nullif({raw}, '') AS DOUBLE) * {factor}) AS BIGINT)"
    return Field(
        name,
        value,
        (
            (f"{raw} <> '' AND {value} IS NULL", f"{name}: not a number"),
            (f"{value} < 0", f"{name}: negative"),
        ),
    )


def dollars(name: str, raw: str, *, said: str = "") -> Field:
    """An amount in USD, kept as whole pico-dollars."""
    said = said or name
    value = f"TRY_CAST(TRY_CAST(nullif({raw}, '') AS DECIMAL(38, 12)) * 1000000000000 AS BIGINT)"
    return Field(name, value, ((f"{raw} <> '' AND {value} IS NULL", f"{said}: not an amount"),))


def json_object(name: str, raw: str) -> Field:
    """A JSON object, kept as its text; an empty one is unknown."""
    given = f"nullif(nullif({raw}, ''), '{{}}')"
    return Field(
        name,
        given,
        (
            (
                f"{given} IS NOT NULL AND NOT (starts_with({given}, '{{') AND json_valid({given}))",
                f"{name}: not an object",
            ),
        ),
    )


def one_of(name: str, raw: str, values: tuple[str, ...], default: str) -> Field:
    """One of a few words; ``default`` where the row does not say."""
    listed = ", ".join(f"'{value}'" for value in values)
    value = f"coalesce(nullif({raw}, ''), '{default}')"
    return Field(name, value, ((f"{value} NOT IN ({listed})", f"{name}: not one of {', '.join(values)}"),))
