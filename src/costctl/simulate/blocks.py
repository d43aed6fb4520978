"""A prompt cache replayed call by call: for what no window over the calls says, a limited capacity and
lifetimes that reading does not renew. (Without them :mod:`costctl.simulate.traces` counts the same in SQL.)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Read(NamedTuple):
    """What one call found in the cache: so many tokens of its beginning, in so many blocks."""

    tokens: int
    blocks: int


class _Entry(NamedTuple):
    expires: int
    tokens: int


@dataclass
class Cache:
    """Blocks by their hash. Times are milliseconds, ``block`` tokens.

    A block lives while t <= its last use (or, without ``refresh``, its writing) + ``ttl``. Of more than
    ``capacity`` blocks the one that was used longest ago goes; of one prompt's blocks the last goes first,
    since the beginning is of use without the end, and the end is not without the beginning.
    """

    ttl: int
    block: int
    capacity: int | None = None
    refresh: bool = True
    kept: int = 0
    """Tokens x milliseconds that were kept."""
    _entries: OrderedDict[int, _Entry] = field(default_factory=OrderedDict, repr=False)

    def read(self, time: int, length: int, hashes: Sequence[int]) -> Read:
        """What a call at ``time`` with a prompt of ``length`` tokens finds; then all its blocks are there."""
        found = self._found(time, hashes)
        size = self.block
        for number in range(len(hashes) - 1, -1, -1):
            tokens = min(size, length - size * number)
            self._use(time, hashes[number], tokens)
        if self.capacity is not None:
            while len(self._entries) > self.capacity:
                _, gone = self._entries.popitem(last=False)
                self.kept -= gone.tokens * max(gone.expires - time, 0)
        return Read(min(length, size * found), found)

    def _found(self, time: int, hashes: Sequence[int]) -> int:
        """How many blocks from the first on are there, up to the first that is not."""
        for number, each in enumerate(hashes):
            entry = self._entries.get(each)
            if entry is None or time > entry.expires:
                return number
        return len(hashes)

    def _use(self, time: int, block: int, tokens: int) -> None:
        before = self._entries.get(block)
        expires = time + self.ttl
        if before is not None and before.expires >= time:
            if not self.refresh:
                expires = before.expires
            self.kept += tokens * max(expires - before.expires, 0)
        else:
            self.kept += tokens * self.ttl
        self._entries[block] = _Entry(expires, tokens)
        self._entries.move_to_end(block)


def replayed(
    requests: Iterable[tuple[int, int, Sequence[int]]], cache: Cache, minimum: int = 0
) -> Iterator[Read]:
    """What each of ``requests`` (time, length of the prompt in tokens, hashes of its blocks) finds in
    ``cache``, in their order. A prompt below the ``minimum`` is neither looked up nor written."""
    for time, length, hashes in requests:
        yield Read(0, 0) if length < minimum else cache.read(time, length, hashes)
