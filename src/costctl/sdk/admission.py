"""What a throttler answers, and in which words."""

from __future__ import annotations

from typing import Literal

from costctl.money import rounded
from costctl.sdk.accounts import Account, Span
from costctl.sdk.balance import Balance

Refusal = Literal["", "exceeded", "slowed", "unknown"]


class Admission(tuple[bool, str]):
    """``(allowed, reason)``; true if it is allowed.

    ``reservation`` is what to settle when the call has been made, or to ask again with. ``refusal`` says in a
    word why it was refused: a budget is ``exceeded``, requests are ``slowed`` down, or the spend is
    ``unknown``, because the counters or the ledger cannot be read.
    """

    reservation: str
    refusal: Refusal

    def __new__(cls, allowed: bool, reason: str, reservation: str = "", refusal: Refusal = "") -> Admission:
        self = super().__new__(cls, (allowed, reason))
        self.reservation = reservation
        self.refusal = refusal
        return self

    def __getnewargs__(self) -> tuple[bool, str, str, Refusal]:
        return (*self, self.reservation, self.refusal)

    def __bool__(self) -> bool:
        return self[0]

    @property
    def allowed(self) -> bool:
        return self[0]

    @property
    def reason(self) -> str:
        return self[1]


def exceeded(account: Account, span: Span, counted: Balance, limit: int) -> str:
    """Why a request is refused whose budget is used up."""
    spent = counted.spent(span)
    held = f" and {_usd(counted.held)} held for calls under way" if spent < limit else ""
    return f"budget {account.title}: {_usd(spent)} spent{held}, of {_usd(limit)} USD for {_period(span)}"


def slowed(account: Account) -> str:
    """Why a request is refused whose budget is critical."""
    rate = account.budget.throttle_rate
    return f"budget {account.title} is critical: requests are slowed down to {rate} of their rate"


def _period(span: Span) -> str:
    return f"the last {span.kind[:-1]} days" if span.is_rolling else f"the {span.kind}"


def _usd(pico: int) -> str:
    return str(rounded(pico, 2 if pico % 10**10 == 0 else 4))
