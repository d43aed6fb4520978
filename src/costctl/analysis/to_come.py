"""What a period will come to, by the days that the ledger knows: for reports and for budgets alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from costctl.analysis.daily import cost, costs
from costctl.analysis.known import DAY, Known
from costctl.series import MOST_HISTORY, Forecast, Method, forecast

_HOURS_OF = 28
"""Days from which it is known how much of a day has come by a time."""


class Spent(Protocol):
    """What a day cost, in pico-dollars."""

    @property
    def cost(self) -> int: ...

    @property
    def come(self) -> int:
        """Of it, what had come by the time of day until which today is known."""
        ...

    @property
    def untimed(self) -> int:
        """Of it, what stands in buckets (:func:`costctl.analysis.known.come_by`)."""
        ...


def to_come(
    days: Mapping[date, Spent], known: Known, first: date, after: date, method: Method | None = None
) -> Forecast | None:
    """What the days of [first, after) come to, by what is ``known`` of some calls; None without any history.

    ``days`` are those that have calls; such as lie more than :data:`costctl.series.MOST_HISTORY` back may
    stand together under the first of them. A day in progress counts what it has, and what usually comes after
    that time of day; where that is not told, at least what is expected of it.
    """
    today = known.today
    start = max(first, today)
    counts_today = start == today < after
    return forecast(
        costs(days, today - MOST_HISTORY * DAY, today),
        known.last,
        [start + number * DAY for number in range((after - start).days)],
        spent=cost(days, first, min(today, after)),
        begun=cost(days, today, today + DAY) if counts_today else 0,
        elapsed=part_come(days, known) if counts_today else None,
        method=method,
        so_far=max(0, (min(today, after) - max(first, known.first)).days),
    )


def part_come(days: Mapping[date, Spent], known: Known) -> float | None:
    """Which part of a day's cost usually has come by the time of day until which today is known; None where
    nothing is known of today, and where the last four weeks do not tell."""
    if not known.has_begun:
        return None
    recent = [each for day, each in days.items() if known.today - _HOURS_OF * DAY <= day < known.today]
    whole = sum(each.cost for each in recent)
    if not whole or any(each.untimed for each in recent):
        return None
    return sum(each.come for each in recent) / whole
