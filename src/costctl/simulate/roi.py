"""Whether an investment pays: payback, net present value, return, and how they move with what was assumed.

The investment is paid at once; month ``t`` (1, 2, …) then brings ``b(t) = saving(t) - running cost``. Where
prices fall, the saving of month ``t`` is the first one's times ``(1 - decay) ^ ((t - 1) / 12)``; what it
costs to run stays. A month's discount rate is ``(1 + yearly rate) ^ (1/12) - 1``, not a twelfth of the yearly
rate. Paybacks are the first moment when the sum of the benefits, evenly over their month, reaches the
investment. All is computed with 50 digits; amounts are then rounded half-even to whole pico-dollars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from itertools import accumulate

DAYS_A_MONTH = 30
"""A payback's days are counted at 30 a month."""

LONGEST = 1200
"""Months; what has not paid back by then never does."""

_EXACT = Context(prec=50)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is put in and comes out, in USD: once, and each month of the first year at its beginning's prices.
    ``discount_rate`` and ``price_decay`` are fractions a year, the decay below 1."""

    investment: Decimal
    saving: Decimal
    running_cost: Decimal = Decimal(0)
    discount_rate: Decimal = Decimal("0.10")
    price_decay: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.investment <= 0:
            raise ValueError("an investment is more than 0")

    @property
    def benefit(self) -> Decimal:
        """What the first month brings."""
        return _EXACT.subtract(self.saving, self.running_cost)


@dataclass(frozen=True, slots=True)
class Appraisal:
    """``payback`` and ``discounted_payback`` are months, None is never. ``npv`` in USD, one for each number
    of months asked for; the returns are fractions of the investment in the first year; ``irr`` is the rate a
    month at which the benefits up to the last of those months are worth the investment, None where there is
    not exactly one; ``benefit_cost_ratio`` is over the same months."""

    payback: Decimal | None
    discounted_payback: Decimal | None
    npv: tuple[Decimal, ...]
    gross: Decimal
    net: Decimal
    benefit_cost_ratio: Decimal
    irr: Decimal | None


def appraise(terms: Terms, months: Sequence[int]) -> Appraisal:
    """``terms`` over each of ``months``, ascending, at most :data:`LONGEST`."""
    with localcontext(_EXACT):
        whole = list(benefits(terms, LONGEST))
        rate = (1 + terms.discount_rate) ** (Decimal(1) / 12) - 1
        present = list(_discounted(whole, rate))
        npv = tuple(sum(present[:month], Decimal(0)) - terms.investment for month in months)
        gross = sum(whole[:12], Decimal(0)) / terms.investment
        return Appraisal(
            payback=_payback(terms.investment, whole),
            discounted_payback=_payback(terms.investment, present),
            npv=npv,
            gross=gross,
            net=gross - 1,
            benefit_cost_ratio=(npv[-1] + terms.investment) / terms.investment,
            irr=_irr(terms.investment, whole[: months[-1]]),
        )


def benefits(terms: Terms, months: int) -> Iterator[Decimal]:
    """What each of the first ``months`` brings, in USD."""
    with localcontext(_EXACT):
        monthly = (1 - terms.price_decay) ** (Decimal(1) / 12)
        savings = accumulate(range(1, months), lambda saving, _: saving * monthly, initial=terms.saving)
        yield from [saving - terms.running_cost for saving in savings]


def implied_saving(terms: Terms, gross: Decimal) -> Decimal:
    """The monthly saving in USD at which the gross yearly return would be ``gross``."""
    with localcontext(_EXACT):
        months = sum(benefits(_of_one(terms), 12), Decimal(0))
        return (gross * terms.investment + 12 * terms.running_cost) / months


def _of_one(terms: Terms) -> Terms:
    """A saving of 1 a month that costs nothing to run."""
    return Terms(terms.investment, Decimal(1), price_decay=terms.price_decay)


def roundest(low: Decimal, high: Decimal) -> Decimal:
    """The number from ``low`` to ``high`` with the fewest digits before its zeros; the lower of two."""
    with localcontext(_EXACT):
        step = Decimal(1).scaleb(max(abs(low), abs(high), Decimal(1)).adjusted() + 1)
        while True:
            found = (low / step).to_integral_value(ROUND_CEILING) * step
            if found <= high:
                return found
            step /= 10


def _payback(investment: Decimal, benefits: Sequence[Decimal]) -> Decimal | None:
    reached = Decimal(0)
    for month, benefit in enumerate(benefits):
        if benefit <= 0:  # they never rise again
            return None
        if reached + benefit >= investment:
            return month + (investment - reached) / benefit
        reached += benefit
    return None


def _discounted(benefits: Sequence[Decimal], rate: Decimal) -> Iterator[Decimal]:
    worth = Decimal(1)
    for benefit in benefits:
        worth /= 1 + rate
        yield benefit * worth


def _irr(investment: Decimal, benefits: Sequence[Decimal]) -> Decimal | None:
    """By bisection, to 12 decimal places. None where the flows do not change sign exactly once."""
    if min(benefits) < 0 or max(benefits) <= 0:
        return None
    low, high = Decimal("-0.999"), max(sum(benefits, Decimal(0)) / investment, Decimal(1))
    if sum(_discounted(benefits, low), Decimal(0)) < investment:
        return None
    while high - low > Decimal("1e-12"):
        middle = (low + high) / 2
        worth = sum(_discounted(benefits, middle), Decimal(0))
        low, high = (middle, high) if worth > investment else (low, middle)
    return high
