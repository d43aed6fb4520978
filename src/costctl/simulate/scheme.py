"""Ways to choose a model at a quality priority: a policy by complexity, or a table of quality by task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from costctl.analysis import QuestionError
from costctl.filters import Filter
from costctl.pricing.book import PriceBook
from costctl.pricing.price import Usage, row_of
from costctl.routing import DEFAULT, Complexity, Number, Policy, Profile
from costctl.simulate.quality import QualityTable
from costctl.simulate.router import Router, Rule
from costctl.simulate.router_file import Told, by_complexity, chosen

PRIORITY = Decimal("0.5")
"""Of quality, where nothing is said, as in :mod:`costctl.routing`."""

_TASK = Complexity.SIMPLE
"""Stands for any task where a policy is made for one task only."""


class Scheme(Protocol):
    """One way; ``quality_priority`` None is what it takes where nothing is said."""

    def router(self, quality_priority: Number | None = None) -> Router:
        """Where calls go. Raises :class:`costctl.analysis.QuestionError`."""
        ...

    def policy(self, quality_priority: Number | None = None) -> Policy:
        """The same for the live router. Raises :class:`costctl.analysis.QuestionError` where a policy cannot
        say it."""
        ...


@dataclass(frozen=True)
class ByPolicy:
    """The policy's fixed models; its score where a quality priority or a limit is given."""

    base: Policy = DEFAULT
    told: tuple[Told, ...] = ()
    max_cost: Number | None = None
    max_latency_ms: Number | None = None

    def router(self, quality_priority: Number | None = None) -> Router:
        return by_complexity(
            self.base,
            self.told,
            quality_priority=quality_priority,
            max_cost=self.max_cost,
            max_latency_ms=self.max_latency_ms,
        )

    def policy(self, quality_priority: Number | None = None) -> Policy:
        targets = chosen(self.base, quality_priority, self.max_cost, self.max_latency_ms)
        return Policy(self.base.models, self.base.fallback, targets, self.base.words)


@dataclass(frozen=True)
class ByTable:
    """Each task goes to the best model of its row by the score of :mod:`costctl.routing`: capability is the
    quality there; the multiplier, the ratio of output prices to the cheapest model's (``multipliers``)."""

    table: QualityTable
    multipliers: Mapping[str, Fraction]
    max_cost: Number | None = None
    token_ratio: Fraction = Fraction(1)

    @classmethod
    def of(
        cls,
        table: QualityTable,
        book: PriceBook,
        at: datetime,
        max_cost: Number | None = None,
        token_ratio: Fraction = Fraction(1),
    ) -> ByTable:
        """At the prices of ``at`` (aware). Raises :class:`costctl.analysis.QuestionError` for a model without
        one."""
        when = Usage(at.astimezone(UTC).replace(tzinfo=None))
        prices: dict[str, int] = {}
        for model in table.models:
            row = row_of(book.rows_for([(None, model)])[(None, model)], when)
            if row is None or not row.output:
                hint = "name models as calls do, or give them prices in prices.yaml"
                raise QuestionError(f"{table.source}: {model!r} has no price", hint)
            prices[model] = row.output
        least = min(prices.values())
        return cls(
            table, {model: Fraction(price, least) for model, price in prices.items()}, max_cost, token_ratio
        )

    def choices(self, quality_priority: Number | None = None) -> dict[str, str]:
        """The model of each task. Raises :class:`costctl.analysis.QuestionError`."""
        quality = PRIORITY if quality_priority is None else quality_priority
        found = {}
        for task, row in self.table.tasks.items():
            best = max(row.values())
            models = tuple(
                Profile(
                    model, worth if best else Decimal(1), self._multiplier(model), None, frozenset({_TASK})
                )
                for model, worth in row.items()
            )
            policy = Policy(models, min(models, key=lambda each: each.multiplier).model, {})
            try:
                found[task] = policy.choose(_TASK, self.max_cost, None, quality).model
            except ValueError as error:
                raise QuestionError(str(error), "a quality priority lies between 0 and 1") from None
        return found

    def router(self, quality_priority: Number | None = None) -> Router:
        rules = tuple(
            Rule((Filter(self.table.by, "=", ((task,),)),), model, token_ratio=self.token_ratio)
            for task, model in self.choices(quality_priority).items()
        )
        quality = PRIORITY if quality_priority is None else quality_priority
        return Router(
            rules,
            told=(
                f"a call's task is its {self.table.by}; each goes where {self.table.source} and the prices "
                f"give the highest score at quality priority {float(quality):g}",
            ),
        )

    def policy(self, quality_priority: Number | None = None) -> Policy:
        try:
            tasks = {Complexity.of(task): task for task in self.table.tasks}
        except ValueError:
            hint = "a policy knows tasks by complexity: simple, moderate, complex"
            raise QuestionError(f"{self.table.source} is of other tasks than a policy", hint) from None
        choices = self.choices(quality_priority)
        models = []
        for model in self.table.models:
            known = {
                complexity: self.table.tasks[task][model]
                for complexity, task in tasks.items()
                if model in self.table.tasks[task]
            }
            mean = (sum(known.values(), Decimal(0)) / len(known)).quantize(_LEAST)
            models.append(Profile(model, max(mean, _LEAST), self._multiplier(model), None, frozenset(known)))
        cheapest = min(models, key=lambda each: each.multiplier).model
        fixed = {complexity: choices[task] for complexity, task in tasks.items()}
        return Policy(tuple(models), cheapest, fixed, DEFAULT.words)

    def _multiplier(self, model: str) -> Decimal:
        ratio = self.multipliers[model]
        return (Decimal(ratio.numerator) / ratio.denominator).quantize(_LEAST)


_LEAST = Decimal("0.0001")
"""To how many places the figures of a policy are written."""


def text(policy: Policy, said: str) -> str:
    """``policy`` as a policy.yaml, which :func:`costctl.routing.read` reads as the same again; ``said`` is
    where it is from."""
    import yaml

    models = [
        {
            "model": each.model,
            "capability": _number(each.capability),
            "cost_multiplier": _number(each.multiplier),
            **({} if each.latency_ms is None else {"avg_latency_ms": _number(each.latency_ms)}),
            "suitable_for": [str(name) for name in Complexity if name in each.suitable_for],
        }
        for each in policy.models
    ]
    content: dict[str, object] = {
        "models": models,
        "fallback": policy.fallback,
        "auto": {str(name): policy.auto[name] for name in Complexity if name in policy.auto},
    }
    if dict(policy.words) != dict(DEFAULT.words):
        content["words"] = {str(name): list(words) for name, words in policy.words.items()}
    body: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    return f"# {said}\n# For costctl.sdk.ModelRouter; policy.example.yaml says what each key is.\n{body}"


def _number(number: Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)
