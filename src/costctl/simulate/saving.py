"""What is saved a month: a number that somebody states, or the outcome of a simulation or a comparison."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, TypeVar

from costctl.analysis.questions import QuestionError
from costctl.money import usd
from costctl.report import Report

_WIDE = Context(prec=50, rounding=ROUND_HALF_EVEN)
_DAYS = Decimal(365) / 12
"""Of a month, where a period is not of whole months."""

_Read = TypeVar("_Read")

_FORECASTS = "costctl forecast --format json says one"
_WAYS = "--format json of costctl simulate, simulate-router and the like, or compare, says one"


@dataclass(frozen=True, slots=True)
class Saving:
    """``monthly`` in USD; ``basis`` ends the sentence "the saving is …". ``low`` and ``high`` are the ends of
    its interval, where there is one; ``cost`` is what its calls cost a month without it, where that is known.
    ``complete`` is false where calls without a price are left out."""

    monthly: Decimal
    basis: str
    low: Decimal | None = None
    high: Decimal | None = None
    complete: bool = True
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What calls will cost a month, in USD; in four of five cases it lies between ``low`` and ``high``.
    ``basis`` says of what period the forecast is."""

    expected: Decimal
    low: Decimal
    high: Decimal
    basis: str


def read(path: Path) -> Saving:
    """The saving that a report in JSON tells of: one of ``simulate``, ``simulate-…`` or ``compare``.
    Raises OSError and :class:`costctl.documents.DocumentError`."""
    return _understood(path, of_report, _WAYS)


def read_outlook(path: Path) -> Outlook:
    """The forecast that a report of ``forecast`` in JSON tells of. Raises as :func:`read`."""
    return _understood(path, _outlook, _FORECASTS)


def _understood(path: Path, of: Callable[[Mapping[str, Any], str], _Read], ways: str) -> _Read:
    from costctl.documents import DocumentError

    try:
        report = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError:
        raise DocumentError(str(path), 0, 0, "it is no JSON", ways) from None
    except json.JSONDecodeError as error:
        message = f"it is no JSON: {error.msg}"
        raise DocumentError(str(path), error.lineno, error.colno, message, ways) from None
    if not isinstance(report, dict) or not isinstance(report.get("command"), str):
        raise DocumentError(str(path), 0, 0, "it is no report of costctl", ways)
    try:
        return of(report, path.name)
    except QuestionError as error:
        raise DocumentError(str(path), 0, 0, str(error), error.hint) from None


def of_answer(answer: Report, name: str) -> Saving:
    """The saving that ``answer``, which has a figure of that name, tells of. Raises as :func:`of_report`."""
    assert answer.period is not None
    money = {
        key: usd(value)
        for key in ("saving", "saving_low", "saving_high", "cost_before")
        if isinstance(value := answer.figures.get(key), int)
    }
    period = {"start": answer.period.start, "end": answer.period.end}
    said = {"command": answer.command, "complete": answer.complete, "period": period, **money}
    return of_report(said, name)


def of_report(report: Mapping[str, Any], name: str) -> Saving:
    """The saving that ``report``, in the form of its JSON, tells of; ``name`` is where it is from.
    Raises :class:`costctl.analysis.QuestionError` where it tells of none a month."""
    command = report["command"]
    saving, cost = _total(report, "saving"), _total(report, "cost_before")
    if saving is None:
        raise QuestionError(f"a report of {command} says no saving", _WAYS)
    months, length = _months(report)
    complete = report.get("complete", True)
    basis = f"that of {command} in {name}, ${saving:,f} in {length}"
    if command == "compare":
        basis += ", by mix and tokens per call: other volumes and prices are nobody's saving"
    if not complete:
        basis += ", without the calls that have no price"
    ends = [_number(report.get(f"saving_{end}")) for end in ("low", "high")]
    low, high = (None if end is None else _WIDE.divide(end, months) for end in ends)
    cost = None if cost is None else _WIDE.divide(cost, months)
    return Saving(_WIDE.divide(saving, months), basis, low, high, complete, cost)


def _outlook(report: Mapping[str, Any], name: str) -> Outlook:
    rows = report.get("rows")
    whole = report["totals"] if isinstance(report.get("totals"), dict) else None
    if whole is None and isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict):
        whole = rows[0]
    ends = [_number((whole or {}).get(each)) for each in ("forecast", "forecast_low", "forecast_high")]
    if report["command"] != "forecast" or None in ends:
        raise QuestionError(f"a report of {report['command']} that forecasts no period", _FORECASTS)
    months, length = _months(report)
    expected, low, high = (_WIDE.divide(each, months) for each in ends if each is not None)
    return Outlook(expected, low, high, f"{name} (${expected * months:,.2f} in {length})")


def _total(report: Mapping[str, Any], name: str) -> Decimal | None:
    """At the top level, or the total of the rows."""
    totals = report.get("totals")
    found = _number(report.get(name))
    if found is None and isinstance(totals, dict):
        found = _number(totals.get(name))
    return found


def _number(value: object) -> Decimal | None:
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _months(report: Mapping[str, Any]) -> tuple[Decimal, str]:
    """How many months the report's period has, and that in words."""
    period = report.get("period")
    bounds = [period.get(end) if isinstance(period, dict) else None for end in ("start", "end")]
    try:
        start, end = (datetime.fromisoformat(str(bound)).replace(tzinfo=None) for bound in bounds)
    except ValueError:
        message = "its period has no end, so nothing says what is saved a month"
        raise QuestionError(message, "ask it for a period, as in --month 2024-10") from None
    if start >= end:
        raise QuestionError("its period ends before it begins")
    count = (end.year - start.year) * 12 + end.month - start.month
    if start.day == end.day and start.time() == end.time() and count:
        return Decimal(count), "a month" if count == 1 else f"{count} months"
    days = _WIDE.divide(Decimal((end - start) // timedelta(microseconds=1)), Decimal(86_400_000_000))
    return _WIDE.divide(days, _DAYS), f"{days:.4g} days, of which a month has 365/12"
