"""What an alert says: facts only, without a secret or an address, so that it can wait in the outbox as JSON
and be put into a channel's own words when it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

Event = Literal["fire", "repeat", "resolve"]
Basis = Literal["actual", "forecast"]

EVENTS: tuple[Event, ...] = get_args(Event)


@dataclass(frozen=True, slots=True)
class Item:
    """One event of one threshold. Money in pico-dollars, periods half-open with aware ends."""

    event_id: str
    event: Event
    budget: str
    """Its name."""
    scope: str
    """The value that the budget is for, as ``team=search``; empty for everything."""
    kind: str
    """``day``, ``week``, ``month``, ``quarter``, ``year``, or rolling days as ``30d``."""
    period_start: datetime
    period_end: datetime
    threshold: str
    """Its name."""
    basis: Basis
    spent_pico: int
    limit_pico: int | None
    """The budget's amount for the whole period; None where there is none."""
    threshold_pico: int
    """The amount at which this threshold lies."""
    forecast_pico: int | None = None
    """Of the whole period; None where no forecast was made."""
    late: bool = False
    """The period was over when the spend became known."""
    unpriced: int = 0
    """Calls in scope without a price: the spend is then a lower bound."""
    reason: str = ""
    """Why something was resolved: ``below``, ``edited``, ``repriced``, ``new period``."""

    def to_json(self) -> dict[str, object]:
        """The item as values of JSON: money as integers, times in ISO 8601 with their offset."""
        return {
            field.name: value.isoformat() if isinstance(value, datetime) else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Item:
        """The item that :meth:`to_json` wrote; keys of a later version are passed over. Raises TypeError
        where one without a default is missing, ValueError where a time is none."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        for name in ("period_start", "period_end"):
            if name in known:
                known[name] = datetime.fromisoformat(known[name])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is sent in one go.

    ``msg_id`` is the same at every attempt, so that a receiver can drop repeats. ``delayed_s``: seconds since
    it should have been sent, known only when it is. ``test``: somebody tries the channel.
    """

    msg_id: str
    items: tuple[Item, ...]
    delayed_s: int = 0
    test: bool = False

    def to_json(self) -> dict[str, object]:
        """The message as values of JSON, for the outbox. The delay is not among them."""
        return {"msg_id": self.msg_id, "items": [item.to_json() for item in self.items], "test": self.test}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], delayed_s: int = 0) -> Message:
        """The message that :meth:`to_json` wrote."""
        items = tuple(Item.from_json(item) for item in values["items"])
        return cls(str(values["msg_id"]), items, delayed_s, bool(values.get("test", False)))
