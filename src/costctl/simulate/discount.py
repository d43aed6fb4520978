"""The lever *discount*: what a contract takes off the price of calls, whatever they are by then.

It acts last, on the cost that all other levers have left, so that nobody is promised a share of money that is
not spent any more. A discount that the price book already has (``prices.yaml``) is in the ledger's costs, and
would be taken twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from costctl import filters
from costctl.analysis import QuestionError
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.simulate.rules import conditions
from costctl.simulate.state import Change, Kind, Setting

if TYPE_CHECKING:
    from costctl.documents import Document


@dataclass(frozen=True, slots=True)
class Discounted:
    """A rule: calls that pass all of ``where`` cost less by the share ``by``, above 0 and at most 1."""

    by: Fraction
    where: tuple[Filter, ...] = ()

    def __str__(self) -> str:
        which = f" with {' and '.join(map(str, self.where))}" if self.where else ""
        return f"calls{which} cost {float(self.by * 100):g} % less"


@dataclass(frozen=True, slots=True)
class Discount:
    """A call has the discount of the first of the ``rules`` that it passes. Raises :class:`QuestionError`
    where there is none."""

    rules: tuple[Discounted, ...]

    def __post_init__(self) -> None:
        if not self.rules:
            raise QuestionError("nothing says what is discounted", "say by how much")

    @property
    def name(self) -> str:
        return "discount"

    @property
    def kind(self) -> Kind:
        return "discount"

    def assumptions(self) -> tuple[str, ...]:
        return (
            *(f"discount: {rule}" for rule in self.rules),
            "discount: it is taken off what is left after all other levers, and off no call that is priced "
            "with it already; each call's cost is rounded to the nearest pico-dollar",
        )

    def change(self, state: str, number: int, setting: Setting) -> Change:
        cases: list[str] = []
        parameters: list[str] = []
        for place, rule in enumerate(self.rules):
            condition, bound = filters.sql(rule.where, tag=(setting.calls.engine.tag(), tag_path))
            cases.append(f"WHEN {condition} THEN {place}")
            parameters += bound
        which = f"CASE {' '.join(cases)} END"
        cost, added = (self._left(column) for column in ("cost_pico", "added_pico"))
        return Change(
            source=f"SELECT *, {which} AS rule_{number} FROM {state}",  # noqa: S608 (constants)
            reached=f"rule_{number} IS NOT NULL AND coalesce(cost_pico + added_pico > 0, FALSE)",
            values={"added_pico": added.format(rule=f"rule_{number}")},
            cost=cost.format(rule=f"rule_{number}"),
            parameters=tuple(parameters),
        )

    def _left(self, column: str) -> str:
        """SQL for what the discounts leave of an amount; ``{rule}`` is to be filled in."""
        cases = [
            f"WHEN {{rule}} = {place} THEN {_of(column, 1 - rule.by)}"
            for place, rule in enumerate(self.rules)
        ]
        return f"CASE {' '.join(cases)} ELSE {column} END"


def _of(amount: str, share: Fraction) -> str:
    """SQL for ``amount``, a BIGINT not below 0, times ``share``, at most 1, to the nearest, halves up. The
    whole multiples of the denominator are set apart, so that no product is beyond a BIGINT."""
    over, times = share.denominator, share.numerator
    return f"(({amount} // {over}) * {times} + (({amount} % {over}) * {2 * times} + {over}) // {2 * over})"


def of_document(document: Document) -> Discount:
    """The lever that a document of the schema ``discount`` says. Raises
    :class:`costctl.documents.DocumentError`."""
    rules = []
    for number, said in enumerate(document.data["rules"]):
        text = str(said["by"])
        by = Fraction(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if not 0 < by <= 1:
            message = f"rules[{number}].by must be above 0 and at most 100%, not {text}"
            raise document.error(("rules", number, "by"), message, "as in 10% or 0.10")
        rules.append(Discounted(by, conditions(document, ("rules", number), said)))
    return Discount(tuple(rules))
