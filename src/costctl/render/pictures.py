"""Bars and sparklines of unicode blocks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil

Amount = int | Decimal | None

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"


def bar(value: Amount, greatest: int | Decimal, width: int) -> str:
    """``value`` as a bar in eighths of a cell, ``greatest`` filling ``width`` cells; nothing for unknown or
    <= 0.

    What is not zero shows at least the thinnest bar.
    """
    if value is None or value <= 0 or greatest <= 0:
        return ""
    eighths = min(max(round(Fraction(value) / Fraction(greatest) * width * 8), 1), width * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def shade(value: Amount, gone: Amount, greatest: int | Decimal, width: int) -> str:
    """What :func:`bar` of ``value`` is continued by where ``gone`` has been taken away: light cells, of which
    one that is begun is shown whole."""
    if value is None or gone is None or gone <= 0 or greatest <= 0:
        return ""
    end = min(ceil(Fraction(value + gone) / Fraction(greatest) * width), width)
    return "░" * (end - len(bar(value, greatest, width)))


def sparkline(values: Sequence[Amount], width: int) -> str:
    """``values`` in order as at most ``width`` blocks from zero (or the least, if negative) to the greatest.

    Where there are more values than cells, a cell shows the mean of its values. Unknown is a blank.
    """
    means = [_mean(part) for part in _parts(values, width)]
    known = [mean for mean in means if mean is not None]
    low = min([*known, Fraction(0)])
    height = max([*known, Fraction(0)]) - low
    return "".join(_level(mean, low, height) for mean in means)


def _level(mean: Fraction | None, low: Fraction, height: Fraction) -> str:
    if mean is None:
        return " "
    return _LEVELS[round((mean - low) / height * 7) if height else 0]


def _parts(values: Sequence[Amount], width: int) -> list[Sequence[Amount]]:
    """``values`` cut into at most ``width`` runs whose lengths differ by at most one."""
    count = min(len(values), max(width, 1))
    bounds = [len(values) * index // count for index in range(count + 1)] if count else [0]
    return [values[start:end] for start, end in pairwise(bounds)]


def _mean(values: Sequence[Amount]) -> Fraction | None:
    known = [Fraction(value) for value in values if value is not None]
    return sum(known, Fraction(0)) / len(known) if known else None
