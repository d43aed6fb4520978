"""How many requests were asked for, and how many admitted, in the last minute."""

from __future__ import annotations

from decimal import Decimal
from struct import Struct

SECONDS = 60

STEP = 100_000
"""Microseconds that are one to a window: it is exact for times a tenth of a second apart, and bounded however
many requests there are."""

_STEPS = SECONDS * 1_000_000 // STEP

_TOTALS = Struct("<QQ")
_ENTRY = Struct("<qII")


class Window:
    """The requests of the last 60 s, up to ``now`` (microseconds since 1970). ``text`` is what
    :meth:`to_bytes` gave earlier."""

    def __init__(self, text: bytes, now: int) -> None:
        self.asked: int = 0
        self.admitted: int = 0
        if text:
            self.asked, self.admitted = _TOTALS.unpack_from(text)
        self._now = step(now)
        self._entries = bytearray(text[_TOTALS.size :])
        self._forget()

    def ask(self) -> None:
        """Count a request that is asked for."""
        self.asked += 1
        self._count(1, 0)

    def admit(self) -> None:
        """Count a request that is let through."""
        self.admitted += 1
        self._count(0, 1)

    def has_room(self, rate: Decimal) -> bool:
        """Whether one more may be let through: fewer than ``rate`` of those asked for, but always one."""
        return self.admitted < max(Decimal(1), rate * self.asked)

    def to_bytes(self) -> bytes:
        return _TOTALS.pack(self.asked, self.admitted) + self._entries

    def _forget(self) -> None:
        gone = 0
        while gone < len(self._entries):
            at, asked, admitted = _ENTRY.unpack_from(self._entries, gone)
            # One far ahead was counted by a clock that was wrong; it would not leave for as long as that.
            if is_recent(at, self._now) and at <= self._now + _STEPS:
                break
            self.asked -= asked
            self.admitted -= admitted
            gone += _ENTRY.size
        del self._entries[:gone]

    def _count(self, asked: int, admitted: int) -> None:
        if self._entries:
            last = len(self._entries) - _ENTRY.size
            at, before, let_through = _ENTRY.unpack_from(self._entries, last)
            if at >= self._now:  # this step, or that of another machine's clock, which is ahead
                _ENTRY.pack_into(self._entries, last, at, before + asked, let_through + admitted)
                return
        self._entries += _ENTRY.pack(self._now, asked, admitted)


def step(now: int) -> int:
    """The number of the step that ``now`` belongs to."""
    return now // STEP


def is_recent(step: int, now: int) -> bool:
    """Whether a step is within the window that ends with the step ``now``."""
    return step > now - _STEPS
