"""What an ingest did, in figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """What an ingest did. Rows are calls (or buckets); times are µs since 1970, UTC."""

    files: int = 0
    unchanged: int = 0
    new: int = 0
    known: int = 0
    improved: int = 0
    charges: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    rejected_before: int = 0
    equal_lines: int = 0
    withdrawn: int = 0
    unpriced: int = 0
    first_us: int | None = None
    last_us: int | None = None
    cost_pico: int = 0

    def add(self, other: Tally) -> None:
        """Count ``other`` in."""
        for name in (
            "files",
            "unchanged",
            "new",
            "known",
            "improved",
            "charges",
            "rejected_before",
            "equal_lines",
            "withdrawn",
            "unpriced",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.cost_pico += other.cost_pico
        self.rejected += other.rejected
        self.first_us = min((us for us in (self.first_us, other.first_us) if us is not None), default=None)
        self.last_us = max((us for us in (self.last_us, other.last_us) if us is not None), default=None)


def subject(count: int, one: str, many: str) -> str:
    """``1 call has``, ``2,000 calls have``: how a note begins."""
    return f"{count:,} {one if count == 1 else many}"
