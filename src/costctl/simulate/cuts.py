"""How far a prompt or an answer is cut: to a length, by a percentage, above a percentile, or to a mean.

=============  =========================================================================================
``3200``       to a length: at most 3,200 tokens a call
``-62.35%``    by a percentage: each loses 62.35 % of its tokens
``p90``        above a percentile: what is longer than the 90th percentile is cut to it
``mean:3200``  all in one proportion, so that their mean becomes 3,200 tokens; a lower mean stays
=============  =========================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from costctl.records import MAX_TOKENS

Kind = Literal["length", "percentage", "percentile", "mean"]

_FORM = re.compile(
    r"(?P<mean>mean:)?(?P<tokens>\d[\d,_]{0,18})"
    r"|-(?P<percentage>\d{1,2}(?:\.\d{1,4})?)%"
    r"|p(?P<percentile>[1-9]\d?)",
    re.ASCII,
)
_FORMS = "3200 (to a length), -62% (by a percentage), p90 (above a percentile), mean:3200 (all in proportion)"


class CutError(ValueError):
    """A text that says no cut; ``hint`` shows what would."""

    def __init__(self, message: str, hint: str = _FORMS) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Cut:
    """``amount`` is tokens a call (a length, a mean), the share that is taken away (a percentage), or the
    percentile, 1 to 99."""

    kind: Kind
    amount: int | Fraction

    @classmethod
    def parse(cls, text: str) -> Cut:
        """The cut that ``text`` says, in the module's grammar. Raises :class:`CutError`."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            if re.fullmatch(r"\d+(\.\d+)?%", text.strip(), re.ASCII):
                raise CutError(f"{text!r} does not say whether it is cut by or to that", f"by: -{text}")
            raise CutError(f"{text!r} says no cut")
        if found["percentile"]:
            return cls("percentile", int(found["percentile"]))
        if found["percentage"]:
            share = Fraction(found["percentage"]) / 100
            if not share:
                raise CutError(f"{text!r} cuts nothing")
            return cls("percentage", share)
        tokens = int(re.sub("[,_]", "", found["tokens"]))
        if not 0 < tokens <= MAX_TOKENS:
            raise CutError(f"{text!r}: a length is 1 token at least and {MAX_TOKENS:,} at most")
        return cls("mean" if found["mean"] else "length", tokens)

    def __str__(self) -> str:
        """A text that :meth:`parse` reads as this cut again."""
        match self.kind:
            case "length":
                return str(self.amount)
            case "percentage":
                return f"-{_percent(Fraction(self.amount))}%"
            case "percentile":
                return f"p{self.amount}"
            case "mean":
                return f"mean:{self.amount}"

    def said(self, what: str) -> str:
        """A sentence's end: ``prompts are cut to at most 3,200 tokens a call``."""
        match self.kind:
            case "length":
                return f"{what} are cut to at most {self.amount:,} tokens a call"
            case "percentage":
                return f"{what} lose {_percent(Fraction(self.amount))} % of their tokens"
            case "percentile":
                return f"{what} longer than the {self.amount} % percentile of their lengths are cut to it"
            case "mean":
                return f"{what} shrink in one proportion until their mean is {self.amount:,} tokens a call"


def _percent(share: Fraction) -> str:
    return f"{float(share * 100):.4f}".rstrip("0").rstrip(".")
