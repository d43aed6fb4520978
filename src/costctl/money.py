"""Money is an integer of pico-dollars (1e-12 USD); Decimal for people; never a float.

Every genuine per-token price is a whole number of pico-dollars, so products and sums of integers are exact.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

PICO_PER_USD = 10**12
_PLACES = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""Decimal places of the currencies of ISO 4217 that have not two."""

MAX_PICO = 2**63 - 1
"""A single row's cost is a BIGINT: about 9.2 million dollars."""


def to_pico(usd: Decimal | int | str) -> int:
    """Whole pico-dollars of an amount in USD.

    Raises :class:`ValueError` if ``usd`` is not a finite decimal number or has more than 12 decimal places.
    """
    try:
        amount = Decimal(usd)
    except InvalidOperation as error:
        raise ValueError(f"{usd!r} is not an amount of money") from error
    if not amount.is_finite():
        raise ValueError(f"{usd!r} is not an amount of money")
    sign, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    shift = exponent + 12
    value = int("".join(map(str, digits)) or "0")
    if shift >= 0:
        value *= int(10**shift)
    else:
        value, rest = divmod(value, 10**-shift)
        if rest:
            raise ValueError(f"{usd} has more than 12 decimal places")
    return -value if sign else value


def usd(pico: int) -> Decimal:
    """The exact amount in USD of ``pico`` pico-dollars, without trailing zeros beyond the cents."""
    sign = "-" if pico < 0 else ""
    whole, rest = divmod(abs(pico), PICO_PER_USD)
    decimals = f"{rest:012d}".rstrip("0").ljust(2, "0")
    return Decimal(f"{sign}{whole}.{decimals}")


def rounded(pico: int, places: int = 2) -> Decimal:
    """``pico`` pico-dollars in USD, rounded half-even to ``places`` decimal places (0 to 12), for display."""
    unit = 10 ** (12 - places)
    quotient, rest = divmod(abs(pico), unit)
    if rest * 2 > unit or (rest * 2 == unit and quotient % 2):
        quotient += 1
    return Decimal(-quotient if pico < 0 else quotient).scaleb(-places)


def decimal_places(currency: str) -> int:
    """How many decimal places amounts in ``currency`` have for people: 2 of USD, 0 of JPY, 3 of KWD."""
    return _PLACES.get(currency, 2)


def share(part: int, whole: int) -> Decimal | None:
    """``part / whole`` as a fraction with six decimal places, half-even; None where ``whole`` is 0."""
    if whole == 0:
        return None
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.000001"), rounding=ROUND_HALF_EVEN)
