"""How questions reach the calls: SQL and parameters in, rows out.

The same questions are to run on other engines too, so analysis writes SQL in a common subset (plain joins,
CTEs, windows, GROUP BY, FILTER) and asks here for the few things that engines spell differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = tuple[Any, ...]


class Engine(Protocol):
    """Answers SELECTs over ``calls`` (the canonical columns, and ``tags_json``), ``sources``, ``rejects`` and
    ``prices``. Times leave it as integers or text, keys as hex text."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of a SELECT; ``?`` stand for ``parameters``, in order."""
        ...

    def money_sum(self, expression: str) -> str:
        """SQL for the exact sum of a pico-dollar expression; reaches Python as an int, or None."""
        ...

    def percentile(self, expression: str, weight: str, fraction: float) -> str:
        """SQL for a percentile (nearest rank) of ``expression`` over rows that stand for ``weight`` calls."""
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

    def money_sum(self, expression: str) -> str:
        # sum(BIGINT) is a HUGEINT: no realistic ledger overflows it.
        return f"sum({expression})"

    def percentile(self, expression: str, weight: str, fraction: float) -> str:
        # quantile_disc is the nearest rank; a row of N calls counts N times where N is small enough to repeat.
        return f"quantile_disc({expression}, {fraction:f})"

    def tag(self) -> str:
        return "json_extract_string(tags_json, ?)"


def tag_path(name: str) -> str:
    """The JSON pointer (RFC 6901) of the tag ``name``."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
