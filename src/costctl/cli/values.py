"""Texts of options as values. Each function raises :class:`SettingError` naming its option."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from costctl.config import SettingError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,12})?", re.ASCII)


def instant(option: str, text: str, zone: ZoneInfo) -> datetime:
    """A time in ISO 8601, aware; one without an offset is in ``zone``."""
    from costctl.periods import instant_of

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"{option}: {text!r} is not a time", "as in 2024-10-01T12:00Z") from None
    return instant_of(moment, zone) if moment.tzinfo is None else moment


def count(option: str, text: str, example: int = 10) -> int:
    """A whole number that is not negative, of 13 digits at most."""
    digits = text.replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 14):
        raise SettingError(f"{option}: {text!r} is not a number", f"as in {option} {example}")
    return int(digits)


def amount(option: str, text: str) -> Decimal:
    """An amount in USD that is not negative."""
    if not _AMOUNT.fullmatch(text):
        raise SettingError(f"{option}: {text!r} is not an amount in USD", f"as in {option} 50000")
    return Decimal(text)


def pairs(option: str, texts: Iterable[str], example: str) -> dict[str, str]:
    """``KEY=VALUE`` texts; neither part is empty, the last value of a key counts."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise SettingError(f"{option}: {text!r} is not KEY=VALUE", f"as in {option} {example}")
        found[key] = value
    return found
