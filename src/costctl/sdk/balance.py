"""What the counters of an account say: what was spent and is held, and how a call changes that.

Counters, by name: ``b:KIND`` what the ledger had of a period, and where its limits lie; ``s:DAY`` what calls
of that day cost that the ledger does not have; ``c:DAY`` and ``n:DAY`` what those that were settled cost, and
how many they were; ``h:STEP`` what is held for calls under way, until that step; ``w`` the requests of the
last minute while it slows down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from costctl.sdk.accounts import Span
from costctl.sdk.store import Counters

HOLD_STEP = 10_000_000
"""Microseconds: holds end together, at the end of such a step."""

WINDOW = "w"

_LAPSED = 2
"""Days after which what the ledger had of rolling days is too old to be taken for those of today."""


_LONGEST = 366 + 31
"""Days that a period may last, and be told of afterwards."""
_USUAL = 7
"""Days whose calls tell the usual cost."""


class Base(NamedTuple):
    """What the ledger had of a period that began on the day ``first``, pico-dollars; limits None where there
    are none."""

    first: int
    spent: int
    limit: int | None
    critical: int | None

    def to_bytes(self) -> bytes:
        return " ".join("-" if each is None else str(each) for each in self).encode()

    @classmethod
    def of(cls, text: bytes) -> Base:
        first, spent, *limits = text.decode().split()
        return cls(int(first), int(spent), *(None if each == "-" else int(each) for each in limits))


class Balance:
    """The counters of an account at ``now`` (microseconds)."""

    def __init__(self, counters: Counters, now: int) -> None:
        self._counters = counters
        self._step = now // HOLD_STEP
        self._bases: dict[str, Base] = {}
        self._settled: dict[int, int] = {}
        self.held = 0
        for name, value in counters.items():
            match name[:2]:
                case "h:" if int(name[2:]) > self._step:
                    self.held += max(int(value), 0)
                case "s:":
                    self._settled[int(name[2:])] = int(value)
                case "b:":
                    assert isinstance(value, bytes)
                    self._bases[name[2:]] = Base.of(value)

    @property
    def window(self) -> bytes:
        """The window's text, empty where there is none."""
        value = self._counters.get(WINDOW, b"")
        assert isinstance(value, bytes)
        return value

    def spent(self, span: Span) -> int:
        """What calls of the period cost: those of the ledger, and those that it does not have yet."""
        base = self._base(span)
        days = (cost for day, cost in self._settled.items() if span.first <= day < span.after)
        return (base.spent if base else 0) + sum(days)

    def taken(self, span: Span) -> int:
        """What was spent in the period, and what is held."""
        return self.spent(span) + self.held

    def limits(self, span: Span) -> tuple[int | None, int | None]:
        """The amount and the critical threshold; of those that the file does not say, as last looked up."""
        if span.fixed:
            return span.limit, span.critical
        base = self._base(span)
        return (base.limit, base.critical) if base else (None, None)

    def is_critical(self, span: Span) -> bool:
        """Whether the critical threshold of the period is reached."""
        _, critical = self.limits(span)
        return critical is not None and self.taken(span) >= critical

    def usual_cost(self) -> int:
        """The mean cost of the calls that were settled on the last day that has any; 0 without one."""
        days = sorted((int(name[2:]) for name in self._counters if name.startswith("n:")), reverse=True)
        return (
            int(self._counters.get(f"c:{days[0]}", 0)) // int(self._counters[f"n:{days[0]}"]) if days else 0
        )

    def over(self, day: int) -> list[str]:
        """The names of counters that count no more on ``day``: of holds that have ended, and of days long
        ago."""
        kept = {"s:": day - _LONGEST, "c:": day - _USUAL, "n:": day - _USUAL, "h:": self._step + 1}
        return [name for name in self._counters if name[:2] in kept and int(name[2:]) < kept[name[:2]]]

    def _base(self, span: Span) -> Base | None:
        base = self._bases.get(span.kind)
        if base is None:
            return None
        if span.is_rolling:
            return base if 0 <= span.first - base.first <= _LAPSED else None
        return base if base.first == span.first else None


def hold(ends: int) -> str:
    """The counter of what is held until the step ``ends``."""
    return f"h:{ends}"


def hold_end(until: int) -> int:
    """The step whose beginning is the first at or after ``until`` (microseconds)."""
    return -(-until // HOLD_STEP)


def settling(day: int, cost: int) -> Iterator[tuple[str, int]]:
    """What to add to which counters for a call of ``day`` that was settled."""
    yield settled(day), cost
    yield f"c:{day}", cost
    yield f"n:{day}", 1


def settled(day: int) -> str:
    """The counter of what calls of a day cost that the ledger does not have."""
    return f"s:{day}"


def base(kind: str) -> str:
    """The counter of what the ledger had of a period."""
    return f"b:{kind}"
