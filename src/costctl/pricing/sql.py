"""Pricing as one set-based join, in DuckDB's SQL.

A price table in the ledger has :data:`COLUMNS`. The join's right side is such a table with the columns of
:data:`NAMES` before it: the provider and model *as calls name them*. So names are resolved once for each
distinct pair, and the join is a plain hash join on names, mode and region; date, time of day and tier are
comparisons that pick the one row that holds. (An ASOF join took eight times as long.)

    SELECT c.*, {cost("c", "p")} AS cost_pico, p.price_id
    FROM calls c LEFT JOIN priced p ON {on("c", "p")}

``costctl.pricing.price`` is the same rule in Python and shares no code with this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from costctl.pricing.rows import INPUT_TOKEN_UNITS, TOKEN_PRICES, PriceRow
from costctl.records import INPUT_TOKENS

_UNITS = "MAP(VARCHAR, BIGINT)"

CONTENT: tuple[tuple[str, str], ...] = (
    ("content", "UUID"),
    ("provider", "VARCHAR"),
    ("model", "VARCHAR"),
    ("mode", "VARCHAR"),
    ("region", "VARCHAR"),
    ("effective_from", "TIMESTAMP"),
    ("effective_to", "TIMESTAMP"),
    ("window_start", "INTEGER"),
    ("window_end", "INTEGER"),
    ("tier_above", "BIGINT"),
    ("tier_to", "BIGINT"),
    *((f"{kind}_pico", "BIGINT") for kind in TOKEN_PRICES),
    ("request_pico", "BIGINT"),
    ("other_units_pico", _UNITS),
    ("source", "VARCHAR"),
)
"""Name and type of what a :class:`PriceRow` holds, in order. Unbounded times are -infinity and infinity."""

COLUMNS: tuple[tuple[str, str], ...] = (("price_id", "INTEGER"), *CONTENT)
"""The price table in the ledger: append-only, ``content`` unique."""

NAMES: tuple[tuple[str, str], ...] = (("call_provider", "VARCHAR"), ("call_model", "VARCHAR"))
"""What the join's right side has before :data:`COLUMNS`: a call's own words. A provider may be NULL."""


def relation() -> str:
    """A SELECT of :data:`NAMES` and :data:`CONTENT` over price rows bound as :func:`parameters`.

    The map of other units stays text: a join copies a map for every call, though few calls have such units
    (a third of an ingest's page faults). :func:`cost` makes a map of it where it needs one.
    """
    columns = [(name, "VARCHAR" if kind == _UNITS else kind) for name, kind in (*NAMES, *CONTENT)]
    return "SELECT\n    " + ",\n    ".join(
        f"CAST(unnest(CAST(${name} AS {'BIGINT' if kind == 'BIGINT' else 'VARCHAR'}[])) AS {kind}) AS {name}"
        for name, kind in columns
    )


def parameters(
    rows_for: Mapping[tuple[str | None, str], Iterable[PriceRow]],
) -> dict[str, list[str | int | None]]:
    """The named parameters of :func:`relation`: one list a column, from ``PriceBook.rows_for``."""
    columns = (*NAMES, *CONTENT)
    bound: dict[str, list[str | int | None]] = {name: [] for name, _ in columns}
    for names, rows in rows_for.items():
        for row in rows:
            for (column, _), value in zip(columns, (*names, *values(row)), strict=True):
                bound[column].append(value)
    return bound


def values(row: PriceRow) -> Sequence[str | int | None]:
    """The values of ``row`` in the order of :data:`CONTENT`, as text or integers that cast to its types."""
    return (
        str(row.content),
        row.provider,
        row.model,
        row.mode,
        row.region,
        _time(row.effective_from, "-infinity"),
        _time(row.effective_to, "infinity"),
        str(row.window_start),
        str(row.window_end),
        row.tier_above,
        row.tier_to,
        *(getattr(row, kind) for kind in TOKEN_PRICES),
        row.request,
        "{" + ", ".join(f"{unit}={price}" for unit, price in row.other_units) + "}",
        row.source,
    )


def _time(moment: datetime | None, unbounded: str) -> str:
    return unbounded if moment is None else moment.isoformat()


def on(call: str, price: str) -> str:
    """The join's condition, for the aliases of a relation with the canonical call's columns and of prices.

    Every comparison has the call on one side and the price on the other, which keeps it a hash join.
    """
    second_of_day = f"epoch_us({call}.ts) // 1000000 % 86400"
    return f"""{call}.model = {price}.call_model
    AND {call}.provider IS NOT DISTINCT FROM {price}.call_provider
    AND coalesce({call}.mode, 'standard') = {price}.mode
    AND {call}.region IS NOT DISTINCT FROM {price}.region
    AND {call}.ts >= {price}.effective_from
    AND {call}.ts < {price}.effective_to
    AND {second_of_day} >= {price}.window_start
    AND {second_of_day} < {price}.window_end
    AND {tier_input(call)} > {price}.tier_above
    AND {tier_input(call)} <= {price}.tier_to"""


def total_input(call: str) -> str:
    """The tokens of the prompt: cached or not, of any modality. NULL if they are more than a BIGINT holds."""
    tokens = " + ".join(f"coalesce({call}.{column}, 0)" for column in INPUT_TOKENS)
    units = " + ".join(f"coalesce({call}.other_units['{unit}'], 0)" for unit in INPUT_TOKEN_UNITS)
    return f"TRY({tokens} + CASE WHEN {call}.other_units IS NULL THEN 0 ELSE {units} END)"


def tier_input(call: str) -> str:
    """The input tokens that choose the tier: of one call its own total; of N like calls the total / N,
    rounded up, which is above a whole threshold exactly when the fraction is. A bucket's calls are of
    unknown sizes: it has the tier that its source states as a range ("200k-1M"), else the base."""
    total = total_input(call)
    stated = f"TRY_CAST(regexp_extract({call}.context_tier, '^([0-9]{{1,9}})k-', 1) AS BIGINT)"
    # A bad line's counts may be too large to add up; it gets no price.
    return f"""TRY(CASE
        WHEN {call}.grain = 'bucket' THEN coalesce({stated} * 1000 + 1, 0)
        WHEN {call}.requests > 1 THEN ({total} + {call}.requests - 1) // {call}.requests
        ELSE {total}
    END)"""


def cost(call: str, price: str) -> str:
    """The call's cost, BIGINT pico-dollars, for the aliases of :func:`on` (a LEFT JOIN).

    NULL if a unit that is not 0 has no price, or if the cost exceeds a BIGINT. Units of 0 need no price, so a
    call without any costs 0. Reasoning is part of the output, so it is taken out of it. No term is negative,
    so that a sum overflows only where the cost does.
    """
    reasoning = f"least(coalesce({call}.reasoning_tokens, 0), {call}.output_tokens)"
    terms = [
        *(
            _term(f"{call}.{column}", f"{price}.{column.removesuffix('_tokens')}_pico")
            for column in INPUT_TOKENS
        ),
        _term(f"({call}.output_tokens - {reasoning})", f"{price}.output_pico"),
        _term(reasoning, f"{price}.reasoning_pico"),
        f"CASE WHEN {price}.request_pico > 0 THEN {call}.requests * {price}.request_pico ELSE 0 END",
        _other_units(call, price),
    ]
    return "TRY(\n    " + "\n    + ".join(terms) + "\n)"


def _term(count: str, price: str) -> str:
    return f"CASE WHEN {count} > 0 THEN {count} * {price} ELSE 0 END"


def _other_units(call: str, price: str) -> str:
    units = f"map_entries({call}.other_units)"
    pico = f"CAST({price}.other_units_pico AS {_UNITS})[u.key]"
    unpriced = f"len(list_filter({units}, lambda u: u.value > 0 AND {pico} IS NULL))"
    amounts = f"list_transform({units}, lambda u: u.value * coalesce({pico}, 0))"
    return f"""CASE
        WHEN {call}.other_units IS NULL THEN 0
        WHEN {unpriced} = 0 THEN CAST(coalesce(list_sum({amounts}), 0) AS BIGINT)
    END"""
