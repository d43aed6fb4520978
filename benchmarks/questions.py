"""What ``costctl report --by team,model`` asks of the ledger: SQL and parameters, as JSON.

python questions.py LEDGER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

from costctl.analysis import P95, summary
from costctl.ledger import Ledger
from costctl.periods import Period


class Noting:
    """An engine that notes every question before it passes it on."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.asked: list[tuple[str, list[object]]] = []

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        self.asked.append((sql, list(parameters)))
        rows: list[tuple[Any, ...]] = self._engine.rows(sql, parameters)
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class Noted(Ledger):
    """A ledger whose engine notes what it is asked."""

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with super().reading() as engine:
            self.engine = Noting(engine)
            yield self.engine


ledger = Noted(sys.argv[1])
# As the command asks for a table that has no room for the percentile.
summary(ledger, "team,model", period=Period(None, None, ZoneInfo("UTC"), "all time"), omit=(P95,))
print(json.dumps(ledger.engine.asked, indent=1))
