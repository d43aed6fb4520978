"""``router.yaml``, and routing by the complexity of a task as the live router does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from costctl.analysis import QuestionError
from costctl.documents import Document
from costctl.documents import read as read_document
from costctl.filters import Filter
from costctl.routing import DEFAULT, Complexity, Number, Policy, Profile
from costctl.routing import read as read_policy
from costctl.simulate.router import Router, Rule
from costctl.simulate.rules import conditions, understood
from costctl.simulate.state import SEED

TAG = "tag:complexity"

Told = tuple[tuple[Filter, ...], Complexity]
"""Conditions, and how hard the task of a call that passes them is."""


def read(path: Path) -> Router:
    """The router in ``path``. Raises OSError and :class:`costctl.documents.DocumentError` with every fault of
    its form, or the first one of what it means."""
    return of_document(read_document(path, "router"))


def of_document(document: Document) -> Router:
    """The router that a document of the schema ``router`` says. Raises
    :class:`costctl.documents.DocumentError`."""
    said = document.data
    seed = said.get("seed", SEED)
    if "rules" not in said:
        return by_complexity(
            policy_of(document),
            told_by(document),
            quality_priority=said.get("quality_priority"),
            max_cost=said.get("max_cost"),
            max_latency_ms=said.get("max_latency_ms"),
        )
    for key in ("complexity", "policy", "quality_priority", "max_cost", "max_latency_ms"):
        if key in said:
            hint = "leave out the one or the other"
            raise document.error((key,), f"{key} has no meaning beside rules", hint)
    ratio = said.get("token_ratio", 1)
    rules = [
        understood(
            document,
            ("rules", number),
            _rule,
            conditions(document, ("rules", number), entry),
            entry,
            ratio,
        )
        for number, entry in enumerate(said["rules"])
    ]
    return Router(tuple(rules), seed=seed)


def policy_of(document: Document) -> Policy:
    """The policy that the document, which has no rules, names, or the default one. Raises
    :class:`costctl.documents.DocumentError`, of the file that has the fault."""
    for key in ("token_ratio", "seed"):
        if key in document.data:
            raise document.error((key,), f"a {key} is of rules", "leave it out, or say rules")
    if "policy" not in document.data:
        return DEFAULT
    path = document.path.parent / Path(document.data["policy"]).expanduser()
    if not path.is_file():
        raise document.error(("policy",), f"policy: {path} is no file", "name a policy.yaml beside this file")
    return read_policy(path)


def told_by(document: Document) -> tuple[Told, ...]:
    """How the document tells a task's complexity; nothing where it leaves that to the tag. Raises
    :class:`costctl.documents.DocumentError`."""
    return tuple(
        (conditions(document, ("complexity", number), entry), Complexity.of(entry["is"]))
        for number, entry in enumerate(document.data.get("complexity", ()))
    )


def by_complexity(
    policy: Policy = DEFAULT,
    told: Sequence[Told] = (),
    *,
    quality_priority: Number | None = None,
    max_cost: Number | None = None,
    max_latency_ms: Number | None = None,
) -> Router:
    """Each call goes to the policy's fixed model for its complexity (``told``; by the tag ``complexity``
    where that is empty); by the policy's score, where any of the last three is given. Its tokens are its own,
    and what it read from a cache it reads there too.

    Raises :class:`costctl.analysis.QuestionError` for numbers that the score does not take.
    """
    targets = chosen(policy, quality_priority, max_cost, max_latency_ms)
    profiles = {profile.model: profile for profile in policy.models}
    rules = [
        Rule(where, targets[complexity], usual_latency_ms=_latency(profiles.get(targets[complexity])))
        for where, complexity in told or _by_tag()
    ]
    scored = any(each is not None for each in (quality_priority, max_cost, max_latency_ms))
    return Router(
        tuple(rules),
        cache="kept",
        told=_said(policy, targets, quality_priority, (max_cost, max_latency_ms), scored, bool(told)),
    )


def chosen(
    policy: Policy,
    quality_priority: Number | None = None,
    max_cost: Number | None = None,
    max_latency_ms: Number | None = None,
) -> dict[Complexity, str]:
    """The model of each complexity. Raises :class:`costctl.analysis.QuestionError`."""
    if quality_priority is None and max_cost is None and max_latency_ms is None:
        return dict(policy.auto)
    quality = Decimal("0.5") if quality_priority is None else quality_priority
    try:
        return {each: policy.choose(each, max_cost, max_latency_ms, quality).model for each in Complexity}
    except ValueError as error:
        raise QuestionError(str(error), "a quality priority lies between 0 and 1") from None


def never_from(
    policy: Policy,
    complexity: Complexity,
    max_cost: Number | None = None,
    max_latency_ms: Number | None = None,
) -> tuple[str, Fraction] | None:
    """The cheapest model that may have a task of ``complexity`` within the limits, and the quality priority
    from which on none reaches it; None where there is none such: it is the only one, or the best too.

    The score is a straight line in the quality priority, so that two models' lines cross once.
    """
    considered = policy.choose(complexity, max_cost, max_latency_ms).candidates
    suitable = [each.profile for each in considered if each.score is not None]
    if not suitable:
        return None
    cheapest = min(suitable, key=lambda each: each.multiplier)
    best = Fraction(max(each.capability for each in policy.models))
    highest = Fraction(max(each.multiplier for each in policy.models))
    crossings = []
    for other in suitable:
        gain = (Fraction(other.capability) - Fraction(cheapest.capability)) / best
        price = (Fraction(other.multiplier) - Fraction(cheapest.multiplier)) / highest
        if gain > 0 and price > 0:
            crossings.append(price / (gain + price))
    return (cheapest.model, min(crossings)) if crossings else None


def _by_tag() -> list[Told]:
    """The words of :class:`Complexity`, as people write them."""
    return [
        ((Filter(TAG, "=", tuple((text,) for text in (each, each.title(), each.upper()))),), each)
        for each in Complexity
    ]


def _latency(profile: Profile | None) -> int | None:
    return None if profile is None or profile.latency_ms is None else round(profile.latency_ms)


def _said(
    policy: Policy,
    targets: Mapping[Complexity, str],
    quality_priority: Number | None,
    limits: tuple[Number | None, Number | None],
    scored: bool,
    by_rules: bool,
) -> tuple[str, ...]:
    told = "rules" if by_rules else TAG
    sentences = [
        f"a task's complexity is what {told} say; a call of which they say nothing stays"
        if by_rules
        else f"a task's complexity is what {told} says; a call without it stays",
    ]
    if scored:
        quality = 0.5 if quality_priority is None else float(quality_priority)
        where = ", ".join(f"{each} to {model}" for each, model in targets.items())
        sentences.append(f"the policy's score at quality priority {quality:g} sends {where}")
        if fallen := [each for each in targets if policy.choose(each, *limits).is_fallback]:
            sentences.append(
                f"within the limits no model is suitable for {' and '.join(fallen)} tasks: they go to the "
                f"policy's fallback, {policy.fallback}"
            )
        simple = Complexity.SIMPLE
        if (found := never_from(policy, simple, *limits)) is not None:
            cheapest, bound = found
            up = -(-bound * 100 // 1) / 100
            sentences.append(
                f"from quality priority {float(up):.2f} on no {simple} call reaches {cheapest} (exactly: "
                f"above {float(bound):.4f})"
            )
    else:
        sentences.append("the policy's fixed model for each complexity is taken")
    sentences.append("that the new models' answers do as well is the policy's word; nothing here measures it")
    return tuple(sentences)


def _rule(where: tuple[Filter, ...], entry: Mapping[str, Any], ratio: Decimal | int) -> Rule:
    return Rule(
        where,
        entry["to"],
        share=Fraction(entry.get("share", 1)),
        escalate=Fraction(entry.get("escalate", 0)),
        token_ratio=Fraction(entry.get("token_ratio", ratio)),
        latency_ms=entry.get("latency_ms"),
        context_window=entry.get("context_window"),
        provider=entry.get("provider"),
    )
