"""An alert in words for people: plain text, of which nothing is a link, a mention or a command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from costctl.budgets.message import Item, Message
from costctl.money import share
from costctl.render.cells import money
from costctl.render.printable import printable

MOST_ITEMS = 50
"""Alerts that are written out; the rest is counted."""

MOST_OF_A_NAME = 120

_TOLD_DELAY_S = 3600


def subject(message: Message) -> str:
    """One line that says what it is about."""
    prefix = _delay(message)
    if message.test:
        return f"{prefix}costctl: test of a channel"
    if len(message.items) == 1:
        item = message.items[0]
        of = f" of {money(item.limit_pico)}" if item.limit_pico is not None else ""
        return f"{prefix}costctl: {_state(item)}: {_whose(item)}, {money(_reached(item))}{of}"
    over = sum(item.event == "resolve" for item in message.items)
    begun = len(message.items) - over
    told = f"{begun or over} budget alert" + ("s" if (begun or over) != 1 else "")
    if over:
        told += f", {over} over" if begun else " over"
    return f"{prefix}costctl: {told}"


def line(item: Item) -> str:
    """One alert: who, when, how much of how much."""
    reached, of = _reached(item), ""
    if item.limit_pico is not None:
        part = share(reached, item.limit_pico)
        of = f" of {money(item.limit_pico)}" + (f" ({part:,.1%})" if part is not None else "")
    elif item.threshold_pico:
        of = f", which is {money(item.threshold_pico)} or more" if item.event != "resolve" else ""
    sentences = [f"{_state(item)}: {_whose(item)}, {_period(item)}: "]
    if item.basis == "forecast":
        sentences[0] += f"{money(reached)} expected{of}, {money(item.spent_pico)} spent so far"
    else:
        sentences[0] += f"{money(reached)} spent{of}"
        if item.forecast_pico is not None and item.event != "resolve":
            sentences[0] += f", {money(item.forecast_pico)} expected"
    if item.unpriced:
        calls = "1 call has" if item.unpriced == 1 else f"{item.unpriced:,} calls have"
        sentences.append(f"a lower bound: {calls} no price")
    if item.late:
        sentences.append("late: the period was over when this became known")
    if item.reason:
        sentences.append(_name(item.reason))
    return "; ".join(sentences)


def text(message: Message, most_bytes: int, escape: Callable[[str], str] = str) -> str:
    """The whole message, escaped, in at most ``most_bytes`` of UTF-8: what has no room is counted."""
    if message.test:
        return escape(f"{subject(message)}\nThis is a test. No budget is concerned.")
    if len(message.items) == 1:
        return escape(f"{_delay(message)}costctl: {line(message.items[0])}")
    heading = escape(subject(message))
    lines = [heading]
    room = most_bytes - len(heading.encode()) - len("\nand 1,000,000 more")
    for number, item in enumerate(message.items):
        written = escape(line(item))
        room -= len(written.encode()) + 1
        if number == MOST_ITEMS or room < 0:
            lines.append(f"and {len(message.items) - number:,} more")
            break
        lines.append(written)
    return "\n".join(lines)


def _state(item: Item) -> str:
    """``critical``, ``still critical``, ``no longer critical``; of a forecast, that it is one."""
    before = {"fire": "", "repeat": "still ", "resolve": "no longer "}[item.event]
    return before + _name(item.threshold) + (" by forecast" if item.basis == "forecast" else "")


def _whose(item: Item) -> str:
    return f"budget {_name(item.budget)}" + (f" ({_name(item.scope)})" if item.scope else "")


def _period(item: Item) -> str:
    """Its first and last day: the name of its kind would not say where a month begins."""
    first, last = item.period_start.date(), (item.period_end - timedelta(microseconds=1)).date()
    return first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}"


def _reached(item: Item) -> int:
    if item.basis == "forecast" and item.forecast_pico is not None:
        return item.forecast_pico
    return item.spent_pico


def _delay(message: Message) -> str:
    if message.delayed_s <= _TOLD_DELAY_S:
        return ""
    hours = message.delayed_s // 3600
    return f"delayed {hours} h: " if hours < 72 else f"delayed {hours // 24} days: "


def _name(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= MOST_OF_A_NAME else shown[: MOST_OF_A_NAME - 1] + "…"
