"""The summary of one team's, project's or user's costs that application code asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from costctl.analysis.calls import Calls, merged
from costctl.analysis.dimensions import dimension as dimension_called
from costctl.analysis.measures import Group, Measure, measures
from costctl.analysis.questions import QuestionError
from costctl.filters import Filter
from costctl.money import usd
from costctl.periods import Period

if TYPE_CHECKING:
    from costctl.ledger import Ledger

_UTC = ZoneInfo("UTC")

_SUMMARY = {
    "total_cost": "cost",
    "total_requests": "requests",
    "total_input_tokens": "total_input_tokens",
    "total_output_tokens": "output_tokens",
    "total_cached_tokens": "cache_read_tokens",
    "success_rate": "success_rate",
    "avg_latency_ms": "mean_latency_ms",
    "caching_rate": "caching_rate",
    "avg_cost_per_request": "cost_per_request",
}
_MODEL = {
    "requests": "requests",
    "cost": "cost",
    "input_tokens": "total_input_tokens",
    "output_tokens": "output_tokens",
}


def cost_summary(
    ledger: Ledger, dimension: str, id: str | None, start: datetime, end: datetime
) -> dict[str, Any]:
    """What the calls of one ``team``, ``project``, ``user`` (or another label, or ``tag:NAME``) called ``id``
    cost from ``start`` up to, not including, ``end``; None are the calls that do not say.

    ::

        {"summary": {"total_cost", "total_requests", "total_input_tokens", "total_output_tokens",
                     "total_cached_tokens", "success_rate", "avg_latency_ms", "caching_rate",
                     "avg_cost_per_request"},
         "by_model": {model: {"requests", "cost", "input_tokens", "output_tokens"}},
         "period": {"start", "end", "days"}}

    Costs are exact Decimals in USD, rates Decimal fractions, counts integers; what no call says is None.
    Input is all input, cached or not; cached tokens are those read from the cache. Calls without a price cost
    nothing here: :func:`costctl.analysis.summary` says how many there are. Times without a zone are UTC.
    Models stand in the order of their cost. Raises :class:`QuestionError` for an unknown dimension, what
    is no datetime, and an ``end`` before ``start``, :class:`costctl.ledger.LedgerError`.
    """
    asked = dimension_called(dimension)
    if asked.is_time:
        raise QuestionError(f"{asked.name} is no one's costs", "as in team, project, user, tag:env")
    for each in (start, end):
        if not isinstance(each, datetime):
            raise QuestionError(f"{each!r} is no datetime", "as in datetime(2024, 10, 1, tzinfo=UTC)")
    start, end = _aware(start), _aware(end)
    if end < start:
        raise QuestionError(f"the end {end.isoformat()} is before the start {start.isoformat()}")
    one = Filter(asked.name, "=", ((id,) if id else (),))
    with ledger.reading() as engine:
        calls = Calls(engine, Period(start, end, _UTC, ""), (one,))
        by_model = calls.sums((dimension_called("model"),))
    whole = merged(by_model.values())
    models = sorted(by_model, key=lambda key: (-by_model[key].cost, str(key[0])))
    return {
        "summary": _values(_SUMMARY, Group(whole, whole.cost)),
        "by_model": {str(key[0]): _values(_MODEL, Group(by_model[key], whole.cost)) for key in models},
        "period": {"start": start.isoformat(), "end": end.isoformat(), "days": (end - start).days},
    }


def _values(names: dict[str, str], group: Group) -> dict[str, Any]:
    asked = zip(names, measures(names.values()), strict=True)
    return {name: _value(measure, group) for name, measure in asked}


def _value(measure: Measure, group: Group) -> Any:
    value = measure.value(group)
    return usd(value) if measure.kind == "money" and isinstance(value, int) else value


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
