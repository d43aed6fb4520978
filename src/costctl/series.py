"""Daily series in plain Python: what a period will come to, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["weekdays", "trailing mean", "run rate"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a period will come to, in the unit of its series (pico-dollars), between ``low`` and ``high`` in
    four cases of five. ``method`` follows from the length of the history, in whole days."""

    value: int
    low: int
    high: int
    days_of_history: int
    method: Method = "weekdays"

    @property
    def is_rough(self) -> bool:
        """Whether the history was too short to know weekdays."""
        return self.method != "weekdays"
