"""One cell as text: exact, for programs, and rounded, for people.

The canonical exact form: money has at least two decimal places and no trailing zero beyond them (``0.10``,
``0.000000000001``); an integer has no point; any other Decimal keeps the digits it has, never an exponent.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from costctl.money import decimal_places, usd
from costctl.render.printable import printable
from costctl.report import TEXT_KINDS, Column, Quantity

UNKNOWN = "–"
"""How people see None."""

_PICO_PLACES = 12
"""Decimal places of a pico-dollar; no amount is shown finer."""

_WIDE = Context(prec=400, rounding=ROUND_HALF_EVEN)
"""Room for every finite double written out; the default of 28 digits would refuse the greatest."""

_THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_EVEN)


def exact(column: Column, value: object) -> str:
    """A number of ``column`` with its exact decimal digits: money (integer pico-dollars) in USD, or in its
    own currency; others as they are.

    Raises :class:`TypeError` for what is no number of that kind, above all a float, and :class:`ValueError`
    for a Decimal that is not finite.
    """
    if isinstance(value, Quantity) and column.kind == "mixed":
        return exact(Column(column.name, value.kind, value.unit), value.value)
    if type(value) is int and column.kind != "mixed":
        return f"{usd(value):f}" if column.kind == "money" else str(value)
    converted = column.kind == "money" and not column.unit.startswith("USD")
    if not isinstance(value, Decimal) or (
        column.kind in {"money", "count", "tokens", "mixed"} and not converted
    ):
        raise TypeError(
            f"column {column.name} ({column.kind}) holds {value!r} of type {type(value).__name__}"
        )
    if not value.is_finite():
        raise ValueError(f"column {column.name} holds {value}, which is no number")
    return _at_least_two_places(f"{value:f}") if converted else f"{value:f}"


def _at_least_two_places(digits: str) -> str:
    """The number without trailing zeros beyond the second decimal place."""
    whole, _, decimals = digits.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def text(column: Column, value: object) -> str:
    """A cell of a text or time column. Raises :class:`TypeError` for anything but a ``str``."""
    if not isinstance(value, str):
        raise TypeError(
            f"column {column.name} ({column.kind}) holds {value!r} of type {type(value).__name__}"
        )
    return value


def display(column: Column, value: object, *, compact: bool = False) -> str:
    """A cell for people, printable, rounded half-even; ``compact`` writes tokens as 1.23M.

    Raises as :func:`exact` and :func:`text`.
    """
    if value is None:
        return UNKNOWN
    if column.kind in TEXT_KINDS:
        return printable(text(column, value))
    if isinstance(value, Quantity) and column.kind == "mixed":
        return display(Column(column.name, value.kind, value.unit), value.value, compact=compact)
    exact(column, value)  # refuses what is no number, so that all outputs refuse the same
    if column.kind == "money" and isinstance(value, int | Decimal):
        return money(value, column.unit)
    if isinstance(value, int) and column.kind in {"tokens", "count"}:
        return tokens(value) if compact and column.kind == "tokens" else f"{value:,}"
    assert isinstance(value, int | Decimal)
    amount = Decimal(value)
    if column.kind == "percent":
        return f"{_places(amount.scaleb(2, _WIDE), 1):,f}%"
    return duration(amount) if column.kind == "duration" else number(amount)


def money(amount: int | Decimal, unit: str = "USD") -> str:
    """``$1,234.50``: cents, or two significant digits where a value under a cent is not zero (``$0.0003``).
    ``amount`` is in pico-dollars, as a Decimal in the currency of ``unit``.

    Unit costs (``unit`` like ``USD/call``) under a dollar show four decimal places; a price (``USD/million``)
    shows all it has, up to six. Another currency has its code in place of the dollar sign, and its own
    decimal places in place of cents: ``JPY 1,235``.
    """
    currency, _, per = unit.partition("/")
    value = amount if isinstance(amount, Decimal) else Decimal(amount).scaleb(-_PICO_PLACES, _WIDE)
    smallest = places = decimal_places(currency)
    if per == "million":
        places = 6
    elif value and value.adjusted() < -smallest:
        places = 1 - value.adjusted()
    elif per and abs(value) < 1:
        places = 4
    shown = f"{abs(_places(value, min(places, _PICO_PLACES))):,f}"
    whole, _, decimals = shown.partition(".")
    decimals = decimals.rstrip("0").ljust(smallest, "0")
    symbol = "$" if currency in {"", "USD"} else f"{printable(currency)} "
    return f"{'-' if value < 0 else ''}{symbol}{whole}{'.' if decimals else ''}{decimals}"


def tokens(count: int) -> str:
    """Three significant digits with k, M, B or T; below a thousand the count itself."""
    size = Decimal(abs(count))
    if size < 1000:
        return str(count)
    shown = ""
    for power, suffix in ((3, "k"), (6, "M"), (9, "B"), (12, "T")):
        scaled = _THREE_DIGITS.plus(size.scaleb(-power, _WIDE))
        shown = f"{'-' if count < 0 else ''}{scaled:,f}{suffix}"
        if scaled < 1000:  # asked after rounding: 999,950 is 1.00M, not 1000k
            break
    return shown


def duration(milliseconds: Decimal) -> str:
    """Milliseconds as ``850 ms``, from a second on as ``1.45 s``."""
    if abs(milliseconds) < 1000:
        return f"{_places(milliseconds, 0):f} ms"
    seconds = milliseconds.scaleb(-3, _WIDE)
    return f"{_places(seconds, 2 if abs(seconds) < 100 else 0):,f} s"


def number(value: Decimal) -> str:
    """Up to two decimal places, four below one; very great numbers with an exponent."""
    if abs(value) >= Decimal("1e15"):
        return f"{value:.4g}"
    shown = f"{_places(value, 2 if abs(value) >= 1 else 4):,f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _places(value: Decimal, places: int) -> Decimal:
    """``value`` rounded half-even to ``places`` decimal places, without a negative zero."""
    shown = value.quantize(Decimal(1).scaleb(-places), context=_WIDE)
    return shown if shown else abs(shown)
