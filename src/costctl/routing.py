"""Which model gets a task: by its complexity, its limits and how much quality counts, or by its prompt.

A policy is data: models with what is known of them, and key words. The default one is the book's, its words
in both Chinese scripts and English; a user's ``policy.yaml`` (``costctl/schemas/policy.json``) replaces what
it names. The same policy chooses for a live call and in a simulation.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cache, cached_property
from math import isnan
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from costctl.documents import Document, DocumentError

FILE_NAME = "policy.yaml"

Length = Literal["short", "medium", "long"]
"""How long an answer is expected to be."""

Number = int | float | Decimal | Fraction


class Complexity(StrEnum):
    """How hard a task is."""

    SIMPLE = "simple"
    MODERATE = "moderate"
    COMPLEX = "complex"

    @classmethod
    def of(cls, said: str) -> Complexity:
        """The one of that name, in any case. Raises ValueError."""
        try:
            return cls(said.lower())
        except ValueError:
            raise ValueError(f"{said!r} is no complexity: simple, moderate or complex") from None


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a model. ``capability`` is on any one scale, ``multiplier`` its cost as a multiple of
    any common base, ``latency_ms`` the mean; None is unknown and passes no limit."""

    model: str
    capability: Decimal
    multiplier: Decimal
    latency_ms: Decimal | None
    suitable_for: frozenset[Complexity]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was considered: its ``score``, or why it is ``out``."""

    profile: Profile
    score: Fraction | None
    out: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The ``model`` that was chosen, and ``because``. ``candidates`` are all that were considered, the best
    first; none where the choice is fixed by the prompt's words, of which ``word`` decided ("": none did)."""

    model: str
    complexity: Complexity
    because: str
    candidates: tuple[Candidate, ...] = ()
    word: str = ""
    is_fallback: bool = False

    def explain(self) -> str:
        """The choice in sentences, a line for each model that was considered."""
        lines = [f"{self.model}: {self.because}"]
        for each in self.candidates:
            said = each.out if each.score is None else f"scores {float(each.score):.3f}"
            lines.append(f"  {each.profile.model}: {said}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Policy:
    """Models to choose from and words to tell a prompt's complexity by.

    ``fallback`` is the model for a task that no other may have, ``auto`` the model of each complexity where
    there is a prompt; all are names among ``models``.
    """

    models: tuple[Profile, ...]
    fallback: str
    auto: Mapping[Complexity, str]
    words: Mapping[Complexity, tuple[str, ...]] = field(default_factory=dict)

    def choose(
        self,
        complexity: Complexity,
        max_cost: Number | None = None,
        max_latency_ms: Number | None = None,
        quality_priority: Number = 0.5,
    ) -> Choice:
        """The best of the models that are suitable for ``complexity``, with a cost multiplier of at most
        ``max_cost`` and a mean latency of at most ``max_latency_ms`` (None: no limit; 0 is one); without any,
        the fallback.

        The score is q x capability / best + (1 - q) x (1 - multiplier / highest), exact; of equal ones the
        cheaper is chosen. Raises ValueError for a quality priority outside 0 to 1 and a limit below 0.
        """
        quality = _exact("quality_priority", quality_priority)
        if quality > 1:
            raise ValueError(f"quality_priority must lie between 0 and 1, not {quality_priority}")
        limits = (
            None if max_cost is None else _exact("max_cost", max_cost),
            None if max_latency_ms is None else _exact("max_latency_ms", max_latency_ms),
        )
        considered = [self._considered(profile, complexity, *limits, quality) for profile in self.models]
        considered.sort(
            key=lambda each: (each.score is None, -(each.score or 0), each.profile.multiplier)
        )  # a stable sort: of models alike in all, the first of the file
        best = considered[0]
        if best.score is None:
            because = f"the fallback, for no model may have this {complexity} task"
            return Choice(self.fallback, complexity, because, tuple(considered), is_fallback=True)
        because = f"the best for a {complexity} task at quality priority {_short(quality)}"
        return Choice(best.profile.model, complexity, because, tuple(considered))

    def choose_for(self, prompt: str, expected_output_length: Length = "medium") -> Choice:
        """The model for ``prompt``, by its key words and the length of the answer. Raises ValueError for a
        length that is none."""
        complexity, word = self.complexity_of(prompt, expected_output_length)
        told = f"{word!r} and" if word else "no key word and"
        because = f"{told} a {expected_output_length} answer make a {complexity} task"
        return Choice(self.auto[complexity], complexity, because, word=word)

    def complexity_of(self, prompt: str, expected_output_length: Length = "medium") -> tuple[Complexity, str]:
        """How hard the task of ``prompt`` is, and the key word that told it, "" if none did.

        A complex word: complex. Else a simple word: simple if the answer is short, moderate if it is not.
        Without either, by the length: short is simple, medium is moderate, long is complex.
        """
        if expected_output_length not in get_args(Length):
            raise ValueError(f"{expected_output_length!r} is no length: short, medium or long")
        text = prompt.lower()
        if word := self._found(Complexity.COMPLEX, text):
            return Complexity.COMPLEX, word
        if word := self._found(Complexity.SIMPLE, text):
            is_short = expected_output_length == "short"
            return Complexity.SIMPLE if is_short else Complexity.MODERATE, word
        return _BY_LENGTH[expected_output_length], ""

    def _considered(
        self,
        profile: Profile,
        complexity: Complexity,
        max_cost: Fraction | None,
        max_latency: Fraction | None,
        quality: Fraction,
    ) -> Candidate:
        out = []
        if complexity not in profile.suitable_for:
            out.append(f"not suitable for {complexity} tasks")
        if max_cost is not None and profile.multiplier > max_cost:
            out.append(f"its cost of {_short(profile.multiplier)} is above {_short(max_cost)}")
        if max_latency is not None:
            if profile.latency_ms is None:
                out.append("its latency is not known")
            elif profile.latency_ms > max_latency:
                out.append(f"its {_short(profile.latency_ms)} ms are above {_short(max_latency)}")
        if out:
            return Candidate(profile, None, ", ".join(out))
        capability = Fraction(profile.capability) / self._best
        cheapness = 1 - Fraction(profile.multiplier) / self._highest
        return Candidate(profile, quality * capability + (1 - quality) * cheapness)

    @cached_property
    def _best(self) -> Fraction:
        return Fraction(max(profile.capability for profile in self.models))

    @cached_property
    def _highest(self) -> Fraction:
        return Fraction(max(profile.multiplier for profile in self.models))

    def _found(self, complexity: Complexity, text: str) -> str:
        """The first key word that stands in ``text``, which is in lower case."""
        return next((word for word in self.words.get(complexity, ()) if _stands(word.lower(), text)), "")


def read(path: str | os.PathLike[str]) -> Policy:
    """The policy in ``path``, over the default one. Raises :class:`costctl.documents.DocumentError` with
    every fault of the file."""
    from costctl.documents import DocumentError
    from costctl.documents import read as read_document

    document = read_document(path, "policy", None)
    said = document.data
    models = tuple(_profiles(said["models"])) if "models" in said else DEFAULT.models
    if faults := list(_unknown_names(document, models)):
        raise DocumentError.of(faults)
    words = {Complexity.of(name): tuple(texts) for name, texts in said.get("words", {}).items()}
    fixed = {Complexity.of(name): model for name, model in said.get("auto", {}).items()}
    by_default = {each: _usual(each, models) for each in Complexity} if "models" in said else DEFAULT.auto
    cheapest = min(models, key=lambda each: each.multiplier).model
    return Policy(
        models=models,
        fallback=said.get("fallback", cheapest if "models" in said else DEFAULT.fallback),
        auto={**by_default, **fixed},
        words={**DEFAULT.words, **words},
    )


def _profiles(entries: Sequence[Mapping[str, object]]) -> Iterator[Profile]:
    for entry in entries:
        latency = entry.get("avg_latency_ms")
        suitable = entry["suitable_for"]
        assert isinstance(suitable, list)
        yield Profile(
            model=str(entry["model"]),
            capability=Decimal(str(entry["capability"])),
            multiplier=Decimal(str(entry["cost_multiplier"])),
            latency_ms=None if latency is None else Decimal(str(latency)),
            suitable_for=frozenset(map(Complexity.of, suitable)),
        )


def _unknown_names(document: Document, models: Sequence[Profile]) -> Iterator[DocumentError]:
    """Faults for models that are named twice, and for names that are of none."""
    names = [profile.model for profile in models]
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"a second model is called {name!r}"
            yield document.error(("models", number, "model"), message, "leave one of them out")
    places: list[tuple[str, ...]] = [("fallback",)] if "fallback" in document.data else []
    places += [("auto", complexity) for complexity in document.data.get("auto", {})]
    for place in places:
        name = document.data["fallback"] if place == ("fallback",) else document.data["auto"][place[1]]
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(dict.fromkeys(names))}"
            yield document.error(place, f"{'.'.join(place)}: {name!r} is none of the models", hint)


_ORDER = tuple(Complexity)


def _usual(complexity: Complexity, models: Sequence[Profile]) -> str:
    """The model of a complexity where a file does not say: of the suitable ones, the cheapest of those that
    are for nothing harder, else the cheapest; without one, the most capable of all."""
    suitable = [each for each in models if complexity in each.suitable_for]
    harder = set(_ORDER[_ORDER.index(complexity) + 1 :])
    meant = [each for each in suitable if not harder & each.suitable_for]
    if found := meant or suitable:
        return min(found, key=lambda each: each.multiplier).model
    return max(models, key=lambda each: each.capability).model


def _exact(name: str, number: Number) -> Fraction:
    """``number`` as it is written: 0.3 is three tenths. Raises ValueError unless it is finite and not below
    0."""
    if isinstance(number, float):
        if isnan(number) or number in (float("inf"), float("-inf")):
            raise ValueError(f"{name} must be a number, not {number}")
        return _exact(name, Fraction(repr(number)))
    if isinstance(number, Decimal) and not number.is_finite():
        raise ValueError(f"{name} must be a number, not {number}")
    if number < 0:
        raise ValueError(f"{name} must not be below 0, not {number}")
    return Fraction(number)


def _short(number: Fraction | Decimal) -> str:
    return f"{float(number):g}"


# --- key words --------------------------------------------------------------------------------------------

_LATIN = "a-z0-9_\u00df-\u024f"
"""Letters of words that stand apart from each other; Chinese ones do not."""


def _stands(word: str, text: str) -> bool:
    """Whether ``word`` stands in ``text``; where it begins or ends in a Latin letter, not as a part of a
    longer word."""
    return word in text and _apart(word).search(text) is not None


@cache
def _apart(word: str) -> re.Pattern[str]:
    begins = rf"(?<![{_LATIN}])" if re.match(f"[{_LATIN}]", word) else ""
    ends = rf"(?![{_LATIN}])" if re.match(f"[{_LATIN}]", word[-1]) else ""
    return re.compile(begins + re.escape(word) + ends)


# --- the default policy -----------------------------------------------------------------------------------

_BY_LENGTH: dict[Length, Complexity] = {
    "short": Complexity.SIMPLE,
    "medium": Complexity.MODERATE,
    "long": Complexity.COMPLEX,
}

_HAIKU, _SONNET, _OPUS = "claude-haiku-3-20250307", "claude-sonnet-4-20250514", "claude-opus-4-20250514"

DEFAULT = Policy(
    models=(
        Profile(_HAIKU, Decimal("1.0"), Decimal(1), Decimal(500), frozenset({Complexity.SIMPLE})),
        Profile(
            _SONNET,
            Decimal("2.5"),
            Decimal(12),
            Decimal(1200),
            frozenset({Complexity.SIMPLE, Complexity.MODERATE}),
        ),
        Profile(
            _OPUS,
            Decimal("3.0"),
            Decimal(60),
            Decimal(2000),
            frozenset({Complexity.MODERATE, Complexity.COMPLEX}),
        ),
    ),
    fallback=_HAIKU,
    auto={Complexity.SIMPLE: _HAIKU, Complexity.MODERATE: _SONNET, Complexity.COMPLEX: _OPUS},
    words={
        Complexity.COMPLEX: (
            "分析", "推理", "创作", "創作", "设计", "設計", "规划", "規劃", "解释为什么", "解釋為什麼",
            "analyze", "analyse", "analysis", "reasoning", "infer", "deduce", "creative", "compose",
            "write a story", "write a poem", "design", "plan", "planning", "explain why",
        ),
        Complexity.SIMPLE: (
            "查询", "查詢", "分类", "分類", "是否", "选择", "選擇", "true/false", "yes/no", "true or false",
            "yes or no", "look up", "lookup", "query", "classify", "classification", "categorize",
            "categorise", "whether", "choose", "select",
        ),
    },
)  # fmt: skip
"""The book's. Its multipliers are the ratios of output prices to the cheapest model's."""
