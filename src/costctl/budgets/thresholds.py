"""The thresholds of a budget as its entry in budgets.yaml says them, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from costctl.budgets.model import Amount, Threshold, is_rolling
from costctl.documents import Document, DocumentError
from costctl.money import to_pico

WARNING, CRITICAL, EXCEEDED = "warning", "critical", "exceeded"

_SHARES = {WARNING: Decimal("0.8"), CRITICAL: Decimal("0.95"), EXCEEDED: Decimal(1)}
_BOOKS = {WARNING: "warning_threshold", CRITICAL: "critical_threshold"}
_HISTORY = 14
"""Days: every weekday has then been seen twice."""

Place = tuple[str | int, ...]


def thresholds_of(
    document: Document,
    place: Place,
    entry: Mapping[str, Any],
    amounts: Sequence[Amount],
    faults: list[DocumentError],
) -> tuple[Threshold, ...]:
    """The thresholds of the budget that ``entry`` at ``place`` says, lowest first; what is wrong with them is
    added to ``faults``."""
    if "thresholds" in entry:
        reading = _Listed(document, (*place, "thresholds"), amounts, faults)
        if book := [key for key in _BOOKS.values() if key in entry]:
            hint = "state it in thresholds, as in {name: warning, share: 0.7}"
            faults.append(document.error((*place, book[0]), f"{book[0]} stands beside thresholds", hint))
        return reading.all(entry["thresholds"])
    shares = {name: Decimal(entry.get(_BOOKS.get(name, ""), share)) for name, share in _SHARES.items()}
    where = (*place, _BOOKS[CRITICAL if _BOOKS[CRITICAL] in entry else WARNING])
    if shares[WARNING] >= shares[CRITICAL]:
        message = (
            f"the warning threshold, {shares[WARNING]}, must lie below the critical one, {shares[CRITICAL]}"
        )
        faults.append(document.error(where, message, "0.8 and 0.95 are the defaults"))
    if shares[CRITICAL] > shares[EXCEEDED]:
        message = f"the critical threshold, {shares[CRITICAL]}, lies beyond the whole amount"
        hint = "name thresholds of your own in thresholds, as in {name: double, share: 2}"
        faults.append(document.error(where, message, hint))
    if shares[CRITICAL] == shares[EXCEEDED]:
        del shares[EXCEEDED]
    return tuple(
        Threshold(name, rank, share, severity="warning" if name == WARNING else "critical")
        for rank, (name, share) in enumerate(shares.items())
    )


class _Listed:
    """Thresholds that a budget lists."""

    def __init__(
        self, document: Document, place: Place, amounts: Sequence[Amount], faults: list[DocumentError]
    ) -> None:
        self.document = document
        self.place = place
        self.amounts = amounts
        self.faults = faults

    def all(self, entries: Sequence[Mapping[str, Any]]) -> tuple[Threshold, ...]:
        before = len(self.faults)
        found = [self._one(number, entry) for number, entry in enumerate(entries)]
        names = [each.name for each in found]
        for number, name in enumerate(names):
            if name in names[:number]:
                first = self.document.line(*self.place, names.index(name))
                message = f"a second threshold is called {name!r}; the first is in line {first}"
                self._fault((number, "name"), message, "alerts are known by the name: give it another")
        if len(self.faults) == before:
            self._check_order(found)
        if len(self.faults) == before:
            return self._ranked(found)
        return tuple(found)

    def _one(self, number: int, entry: Mapping[str, Any]) -> Threshold:
        name, basis = entry["name"], entry.get("basis", "actual")
        if ("share" in entry) == ("amount" in entry):
            many = "both share and amount" if "share" in entry else "neither share nor amount"
            self._fault((number,), f"the threshold {name!r} says {many}", "as in share: 0.9, or amount: 500")
        if basis == "actual" and "min_history_days" in entry:
            message = f"the threshold {name!r} looks at what was spent, which needs no history"
            self._fault((number, "min_history_days"), message, "leave it out, or say basis: forecast")
        if basis == "forecast" and self.amounts and all(is_rolling(each.kind) for each in self.amounts):
            message = f"the threshold {name!r} is on a forecast, but the last days, which roll on, have none"
            self._fault((number, "basis"), message, "give the budget an amount for a month, or say actual")
        share = Decimal(entry["share"]) if "share" in entry else None
        whole = basis == "actual" and (share is None or share >= 1)
        usual = "critical" if name in (CRITICAL, EXCEEDED) or whole else "warning"
        return Threshold(
            name,
            number,
            share,
            self._pico(number, entry["amount"]) if "amount" in entry else None,
            basis,
            entry.get("min_history_days", _HISTORY) if basis == "forecast" else 0,
            entry.get("severity", usual),
        )

    def _pico(self, number: int, value: int | Decimal) -> int:
        try:
            return to_pico(value)
        except ValueError as error:
            self._fault((number, "amount"), str(error), "round it")
            return 1

    def _check_order(self, found: Sequence[Threshold]) -> None:
        """A fault for the first one that does not lie above the one before it of the same basis."""
        for number, each in enumerate(found):
            for earlier in (other for other in found[:number] if other.basis == each.basis):
                if any(_limit(each, amount) <= _limit(earlier, amount) for amount in self._wholes(found)):
                    message = (
                        f"the threshold {each.name!r} does not lie above {earlier.name!r}, which is before it"
                    )
                    self._fault((number,), message, "the lowest comes first")
                    return

    def _ranked(self, found: Sequence[Threshold]) -> tuple[Threshold, ...]:
        wholes = self._wholes(found)
        orders = [sorted(found, key=lambda each: _limit(each, whole)) for whole in wholes]
        if any(order != orders[0] for order in orders):
            message = (
                "thresholds by share and by amount come in another order for another amount of the budget"
            )
            self._fault((), message, "state them all by share")
        limits = sorted({_limit(each, wholes[0]) for each in found})
        ranked = (replace(each, rank=limits.index(_limit(each, wholes[0]))) for each in found)
        return tuple(sorted(ranked, key=lambda each: each.rank))

    def _wholes(self, found: Sequence[Threshold]) -> list[int]:
        """Every amount by which shares have to be compared with amounts; any will do where there is nothing
        to compare."""
        if all(each.pico is None for each in found) or all(each.share is None for each in found):
            return [1]
        fixed = [each.pico for each in self.amounts if each.pico is not None]
        if len(fixed) < len(self.amounts) or not fixed:
            message = "thresholds by share and by amount do not go together with an amount of the last period"
            self._fault((), message, "state them all by share")
        return fixed or [1]

    def _fault(self, place: Place, message: str, hint: str) -> None:
        self.faults.append(self.document.error((*self.place, *place), message, hint))


def _limit(threshold: Threshold, whole: int) -> Fraction:
    if threshold.pico is not None:
        return Fraction(threshold.pico)
    return Fraction(threshold.share or 0) * whole
