"""How questions reach the calls: SQL and parameters in, rows out.

The same questions are to run on other engines too, so analysis writes SQL in a common subset (plain joins,
CTEs, windows, GROUP BY, FILTER) and asks here for the few things that engines spell differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

Row = tuple[Any, ...]


class Engine(Protocol):
    """Answers SELECTs over ``calls`` (the canonical columns, and ``tags_json``), ``sources``, ``rejects`` and
    ``prices``. Times leave it as integers or text, keys as hex text."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of a SELECT; ``?`` stand for ``parameters``, in order."""
        ...

    def batches(self, sql: str) -> pyarrow.RecordBatchReader:
        """The rows of a SELECT as they come, for another engine."""
        ...

    def money_sum(self, expression: str) -> str:
        """SQL for the exact sum of a pico-dollar expression; reaches Python as an int, or None."""
        ...

    def percentile(self, relation: str, by: Sequence[str], percent: int) -> str:
        """A SELECT of the columns ``by`` and ``percentile``: the nearest rank of ``value`` in each group.

        ``relation`` names a table or CTE with the columns ``by``, ``value`` and ``weight``; a row stands for
        ``weight`` calls and counts that many times. A group without any value has no row; without ``by``
        there is one row, and None where there is no value.
        """
        ...

    def tag(self) -> str:
        """SQL for the value of one tag, whose place (:func:`tag_path`) is bound as the next parameter."""
        ...


class DuckDBEngine:
    """The ledger's own engine."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._connection.execute(sql, list(parameters)).fetchall()

    def batches(self, sql: str) -> pyarrow.RecordBatchReader:
        return self._connection.sql(sql).to_arrow_reader()

    def money_sum(self, expression: str) -> str:
        # sum(BIGINT) is a HUGEINT: no realistic ledger overflows it.
        return f"sum({expression})"

    def percentile(self, relation: str, by: Sequence[str], percent: int) -> str:
        # Groups of single calls, the usual case, are left to quantile_disc: it is the nearest rank, and eight
        # times as fast. In others it is the smallest value up to which there are percent of the calls, equal
        # values being added up first: there are few of them beside the calls.
        keys = "".join(f"{column}, " for column in by)
        groups = f"PARTITION BY {', '.join(by)}" if by else ""
        same = " AND ".join(f"counted.{key} IS NOT DISTINCT FROM heavy.{key}" for key in by) or "true"
        # S608: columns and the relation's name are ours; values are bound inside the relation.
        return f"""SELECT {keys}CAST(max(value) AS BIGINT) AS percentile
FROM (
    WITH counted AS (
        SELECT {keys}value, weight FROM {relation} WHERE value IS NOT NULL AND weight > 0
    ),
    light AS (
        SELECT {keys}quantile_disc(value, {percent / 100:.2f}) AS value
        FROM counted GROUP BY ALL HAVING max(weight) = 1
    ),
    heavy AS (
        SELECT {keys}max(weight) AS most FROM counted GROUP BY ALL HAVING max(weight) > 1
    ),
    added AS (
        SELECT {keys}value, CAST(sum(weight) AS BIGINT) AS weight
        FROM counted SEMI JOIN heavy ON {same}
        GROUP BY ALL
    ),
    ranked AS (
        SELECT {keys}value,
            sum(weight) OVER ({groups} ORDER BY value ROWS UNBOUNDED PRECEDING) AS calls_up_to,
            sum(weight) OVER ({groups}) AS calls
        FROM added
    )
    SELECT * FROM light
    UNION ALL
    SELECT {keys}min(value) FROM ranked WHERE calls_up_to * 100 >= calls * {percent:d} GROUP BY ALL
)
GROUP BY ALL"""  # noqa: S608

    def tag(self) -> str:
        return "json_extract_string(tags_json, ?)"


def tag_path(name: str) -> str:
    """The JSON pointer (RFC 6901) of the tag ``name``."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
