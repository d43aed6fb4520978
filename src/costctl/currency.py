"""Exchange rates, for showing amounts in another currency. The ledger and every figure stay in USD.

The user's ``currency.yaml``; its shape is ``costctl/schemas/currency.json``. A rate is how much of the
currency one USD is, from its day on until the next one's.
"""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, Inexact
from pathlib import Path

USD = "USD"

_EXACT = Context(prec=200, traps=[Inexact])
"""Room for every product of an amount and a rate that a file may state; a rounded one would be an error."""


class CurrencyError(ValueError):
    """A currency or a day without a rate; ``hint`` says what there is."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Rate:
    """One USD is ``per_usd`` of ``currency``, from ``day`` on. ``source`` says where that is from."""

    currency: str
    per_usd: Decimal
    day: date
    source: str = ""

    def of(self, pico: int) -> Decimal:
        """The exact amount in this currency of ``pico`` pico-dollars."""
        return _EXACT.multiply(Decimal(pico), self.per_usd).scaleb(-12, _EXACT)


@dataclass(frozen=True, slots=True)
class Rates:
    """A ``currency.yaml``: each currency's rates by their first day, in the order of time."""

    path: Path
    rates: Mapping[str, tuple[tuple[date, Decimal], ...]]
    source: str = ""

    def on(self, currency: str, day: date) -> Rate:
        """The rate of ``currency`` that is in force on ``day``. Raises :class:`CurrencyError`."""
        rates = self.rates.get(currency)
        if rates is None:
            near = difflib.get_close_matches(currency, self.rates, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(self.rates))}"
            raise CurrencyError(f"{self.path} has no rate of {currency}", hint)
        number = bisect_right(rates, day, key=lambda rate: rate[0])
        if number == 0:
            first = rates[0][0]
            message = f"{self.path} has no rate of {currency} for {day}: the first one is of {first}"
            raise CurrencyError(message, f"add one from {day} on, or from before")
        begins, per_usd = rates[number - 1]
        return Rate(currency, per_usd, begins, self.source)


def read(path: Path) -> Rates:
    """The rates in ``path``. Raises :class:`costctl.documents.DocumentError` with every fault of the file."""
    from costctl.documents import read as read_document

    document = read_document(path, "currency")
    said = document.data["rates"]
    if USD in said:
        raise document.error(("rates", USD), "USD has no rate: all amounts are in USD", "leave it out")
    rates = {
        currency: tuple(sorted((date.fromisoformat(day), Decimal(rate)) for day, rate in by_day.items()))
        for currency, by_day in said.items()
    }
    return Rates(path, rates, document.data.get("source", ""))
