"""The 95th percentile of the latency: by nearest rank, a row of N calls counting N times."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from costctl.analysis.calls import Calls
from costctl.analysis.dimensions import Dimension, Key

PERCENT = 95


def latencies(calls: Calls, by: Sequence[Dimension] = ()) -> dict[Key, int]:
    """The 95th percentile of each group that states a latency, in milliseconds."""
    timed, parameters = _timed(calls, by)
    select = calls.engine.percentile("timed", _names(by), PERCENT)
    return {tuple(row[:-1]): row[-1] for row in calls.engine.rows(f"{timed}\n{select}", parameters)}


def rest_latency(calls: Calls, by: Sequence[Dimension], without: Collection[Key]) -> int | None:
    """The 95th percentile over all groups but those in ``without`` (one at least), in milliseconds."""
    timed, parameters = _timed(calls, by)
    names = _names(by)
    casts = (f"CAST(? AS {'BIGINT' if dimension.is_time else 'VARCHAR'})" for dimension in by)
    shown = ", ".join([f"({', '.join(casts)})"] * len(without))
    same = " AND ".join(f"timed.{name} IS NOT DISTINCT FROM shown.{name}" for name in names)
    # S608: the columns' names are ours; values are bound.
    relations = f"""{timed},
shown AS (SELECT * FROM (VALUES {shown}) AS shown ({", ".join(names)})),
rest AS (SELECT value, weight FROM timed WHERE NOT EXISTS (SELECT 1 FROM shown WHERE {same}))"""  # noqa: S608
    bound = [*parameters, *(value for key in without for value in key)]
    rows = calls.engine.rows(f"{relations}\n{calls.engine.percentile('rest', (), PERCENT)}", bound)
    return rows[0][0] if rows else None


def _names(by: Sequence[Dimension]) -> list[str]:
    return [f"key_{number}" for number in range(len(by))]


def _timed(calls: Calls, by: Sequence[Dimension]) -> tuple[str, list[str]]:
    """A WITH clause of the relation ``timed``: keys, latency and requests of each call; its parameters."""
    keys, condition, parameters = calls.selection(by)
    columns = ", ".join((*keys, "latency_ms AS value", "requests AS weight"))
    return f"WITH timed AS (SELECT {columns} FROM calls WHERE {condition})", parameters  # noqa: S608
