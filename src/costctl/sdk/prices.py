"""What a call costs at the moment it is made, by the price books that ingest uses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from costctl import config
from costctl.money import MAX_PICO, usd
from costctl.pricing.book import PriceBook
from costctl.pricing.price import Term, Usage, cost, row_of, terms
from costctl.pricing.rows import INPUT_TOKEN_UNITS, PriceRow
from costctl.records import PRICED_TOKENS
from costctl.sdk.forks import Lock

_MODELS_KEPT = 1000
_INPUT = frozenset({"input", "cache_read", "cache_write_5m", "cache_write_1h", *INPUT_TOKEN_UNITS})
_OUTPUT = frozenset(
    {"output", "reasoning", "output_audio_tokens", "output_image_tokens", "output_video_tokens"}
)
_COLUMNS = {name.removesuffix("_tokens"): name for name in (*PRICED_TOKENS, "reasoning_tokens")}

_log = logging.getLogger("costctl.sdk")


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs, in pico-dollars: its prompt, its answer, and all of it; None, with the ``reason``,
    where something has no price."""

    input: int | None
    output: int | None
    cost: int | None
    reason: str | None


class CallPrices:
    """The price book ``book``, or that of the settings (a ``prices.yaml`` over the shipped prices), which is
    read when the first call is priced and once only: new prices hold from the next start. Where it cannot be
    read, all calls are unpriced."""

    def __init__(self, book: PriceBook | Path | str | None = None) -> None:
        self._given = book
        self._book: PriceBook | None = None
        self._fault = ""
        self._rows: dict[tuple[str | None, str], Sequence[PriceRow]] = {}
        self._lock = Lock(waits=10)
        self._said: set[str] = set()

    def price(self, provider: str | None, model: str, usage: Usage) -> Price:
        """What a call that names ``provider`` and ``model`` costs. What has no price is said, once a reason,
        by the logger ``costctl.sdk``."""
        rows = self._of(provider, model)
        if rows is None:
            return Price(None, None, None, self._fault)
        row = row_of(rows, usage)
        found = terms(row, usage)
        whole = cost(row, usage)
        if whole is None:
            reason = _reason(provider, model, usage, row, found)
            self._say(reason)
            return Price(None, None, None, reason)
        return Price(_sum(found, _INPUT), _sum(found, _OUTPUT), whole, None)

    def _of(self, provider: str | None, model: str) -> Sequence[PriceRow] | None:
        names = (provider, model)
        rows = self._rows.get(names)
        if rows is None:
            with self._lock:
                if len(self._rows) >= _MODELS_KEPT:
                    self._rows.clear()
                if self._book is None and not self._fault:
                    self._book = self._read()
                if self._book is None:
                    return None
                rows = self._rows[names] = self._book.rows_for([names])[names]
        return rows

    def _read(self) -> PriceBook | None:
        if isinstance(self._given, PriceBook):
            return self._given
        try:
            return PriceBook.load(config.load().prices if self._given is None else Path(self._given))
        except Exception as error:  # whatever is wrong with the files: the calls have been made
            self._fault = f"the prices cannot be read: {error}"
            _log.error("no call is priced until the next start, for %s", self._fault)
            return None

    def _say(self, reason: str) -> None:
        if reason not in self._said and len(self._said) < _MODELS_KEPT:
            self._said.add(reason)
            _log.warning("a call is unpriced: %s", reason)


def _sum(found: Sequence[Term], kinds: frozenset[str]) -> int:
    return sum(term.amount or 0 for term in found if term.kind in kinds)


def _reason(
    provider: str | None, model: str, usage: Usage, row: PriceRow | None, found: Sequence[Term]
) -> str:
    """In the words of the ledger's ``unpriced_reason``."""
    if row is None:
        where = "" if (usage.mode or "standard") == "standard" else f" in mode {usage.mode}"
        where += f" in region {usage.region}" if usage.region else ""
        return f"no price for model {provider + '/' if provider else ''}{model}{where}"
    unpriced = " ".join(_COLUMNS.get(term.kind, term.kind) for term in found if term.price is None)
    return (
        f"no price for {unpriced}" if unpriced else f"a cost above {usd(MAX_PICO).to_integral_value():,} USD"
    )
