"""The lever *trim*: shorter prompts and answers, by rules.

A prompt is cut in proportion: each of its parts (uncached, read from a cache, written to one) loses the same
share of its tokens, and the parts add up to the length that is left. Audio, images and other units stay. A
row of N calls is cut as N calls of its mean length, which never saves more than they would one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from costctl import filters
from costctl.analysis import QuestionError
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.records import INPUT_TOKENS
from costctl.simulate.cuts import Cut
from costctl.simulate.rules import conditions, understood
from costctl.simulate.state import Change, Kind, Setting, of_share

if TYPE_CHECKING:
    from costctl.documents import Document
    from costctl.ledger import Engine

PROMPT = "(" + " + ".join(f"coalesce({name}, 0)" for name in INPUT_TOKENS) + ")"
"""SQL for all tokens that went in."""

_PARTS = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "input_tokens")
"""Of a prompt, in the order in which a rest of a token is handed on."""

_LENGTHS = {"prompt": PROMPT, "output": "coalesce(output_tokens, 0)"}


@dataclass(frozen=True, slots=True)
class Trimming:
    """A rule: calls that pass all of ``where``, and whose prompt has more than ``above`` tokens, have their
    prompt and their answer cut."""

    where: tuple[Filter, ...] = ()
    above: int | None = None
    prompt: Cut | None = None
    output: Cut | None = None

    def cuts(self) -> Iterator[tuple[str, Cut]]:
        """What is cut, ``prompt`` or ``output``, and how."""
        for what, cut in (("prompt", self.prompt), ("output", self.output)):
            if cut is not None:
                yield what, cut

    def __str__(self) -> str:
        of = f" of calls with {' and '.join(map(str, self.where))}" if self.where else ""
        above = f" (where the prompt is above {self.above:,} tokens)" if self.above is not None else ""
        words = {"prompt": "prompts", "output": "answers"}
        return "; ".join(cut.said(f"{words[what]}{of}{above}") for what, cut in self.cuts())


@dataclass(frozen=True, slots=True)
class Trim:
    """A call is cut by the first of the ``rules`` that it passes. Raises :class:`QuestionError` where there
    is none, or one that cuts nothing."""

    rules: tuple[Trimming, ...]

    def __post_init__(self) -> None:
        if not self.rules or not all(any(rule.cuts()) for rule in self.rules):
            raise QuestionError("nothing says what is cut", "say how far prompts or outputs are cut")

    @property
    def name(self) -> str:
        return "trim"

    @property
    def kind(self) -> Kind:
        return "trim"

    def assumptions(self) -> tuple[str, ...]:
        rules = [f"trim: {rule}" for rule in self.rules]
        return (
            *rules,
            "trim: all parts of a prompt, cached or not, are cut in one proportion, to the nearest whole "
            "token; shorter prompts are taken to be answered as before, and shorter answers to be enough",
            "trim: a row of several calls is cut as so many of its mean length, which saves no more than "
            "they would",
        )

    def change(self, state: str, number: int, setting: Setting) -> Change:
        engine, of = setting.calls.engine, f"_{number}"
        which, parameters = self._which(engine)
        relations = [f"ruled{of} AS (\nSELECT *, {PROMPT} AS prompt, {which} AS rule FROM {state}\n)"]
        figures: list[str] = []
        for place, rule in enumerate(self.rules):
            for what, cut in rule.cuts():
                figures += self._figures(engine, relations, of, place, what, cut)
        relations.append(f"figures{of} AS (SELECT {', '.join(figures) or '0 AS nothing'})")
        left = ", ".join(f"{self._left(what)} AS {what}_left" for what in _LENGTHS)
        relations.append(
            f"measured{of} AS (\nSELECT ruled.*, {left}\n"
            f"FROM ruled{of} AS ruled CROSS JOIN figures{of} AS figures\n)"
        )
        return Change(
            source=f"SELECT * FROM measured{of}",  # noqa: S608
            reached="coalesce(prompt_left < prompt, FALSE) OR coalesce(output_left < output_tokens, FALSE)",
            values=_values(),
            refused=self._refused(),
            relations=",\n".join(relations),
            parameters=tuple(parameters),
        )

    def _refused(self) -> str:
        """SQL for why a row stays that a rule holds for: only a percentage needs no length of a call."""
        places = [
            str(place)
            for place, rule in enumerate(self.rules)
            if any(cut.kind != "percentage" for _, cut in rule.cuts())
        ]
        if not places:
            return "NULL"
        unknown = f"requests IS NULL AND rule IN ({', '.join(places)})"
        return f"CASE WHEN {unknown} THEN 'rows that do not say how many calls they are have no length' END"

    def _which(self, engine: Engine) -> tuple[str, list[str]]:
        """SQL for the place of the rule that a call is cut by, NULL without one; and its parameters."""
        cases: list[str] = []
        parameters: list[str] = []
        for place, rule in enumerate(self.rules):
            condition, bound = filters.sql(rule.where, tag=(engine.tag(), tag_path))
            if rule.above is not None:
                condition += f" AND coalesce({PROMPT} > TRY({rule.above} * requests), FALSE)"
            cases.append(f"WHEN {condition} THEN {place}")
            parameters += bound
        return f"CASE {' '.join(cases)} END", parameters

    def _figures(
        self, engine: Engine, relations: list[str], of: str, place: int, what: str, cut: Cut
    ) -> Iterator[str]:
        """SQL of the figures of a rule's cut that only all its calls tell; ``relations`` gets what they stand
        on."""
        length, name = _LENGTHS[what], f"{what}_{place}"
        if cut.kind == "percentile":
            lengths = f"{name}_lengths{of}"
            relations.append(
                f"{lengths} AS (\nSELECT ({length} + requests - 1) // requests AS value, requests AS weight\n"
                f"FROM ruled{of} WHERE rule = {place} AND requests > 0\n)"
            )
            select = engine.percentile(lengths, (), int(cut.amount))
            yield f"(SELECT percentile FROM (\n{select}\n) AS ranked) AS {name}_most"  # noqa: S608
        elif cut.kind == "mean":
            counted = f"FROM ruled{of} WHERE rule = {place} AND requests > 0"
            yield f"(SELECT sum({length}) {counted}) AS {name}_tokens"
            yield f"(SELECT {cut.amount} * sum(requests) {counted}) AS {name}_wanted"

    def _left(self, what: str) -> str:
        """SQL for the tokens of ``what`` that its rule leaves; NULL where none cuts it."""
        length = "prompt" if what == "prompt" else _LENGTHS[what]
        cases: list[str] = []
        for place, rule in enumerate(self.rules):
            cut, name = getattr(rule, what), f"{what}_{place}"
            if cut is None:
                continue
            if cut.kind == "length":
                left = f"least({length}, TRY({cut.amount} * nullif(requests, 0)))"
            elif cut.kind == "percentile":
                left = f"least({length}, TRY({name}_most * nullif(requests, 0)))"
            elif cut.kind == "percentage":
                left = of_share(length, 1 - Fraction(cut.amount))
            else:
                whole = f"(2 * {length} * {name}_wanted + {name}_tokens) // (2 * {name}_tokens)"
                too_long = f"{name}_wanted < {name}_tokens AND requests > 0"
                left = f"CASE WHEN {too_long} THEN CAST({whole} AS BIGINT) END"
            cases.append(f"WHEN rule = {place} THEN {left}")
        return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS BIGINT)"


def of_document(document: Document) -> Trim:
    """The lever that a document of the schema ``trim`` says. Raises
    :class:`costctl.documents.DocumentError`."""
    rules = []
    for number, said in enumerate(document.data["rules"]):
        place = ("rules", number)
        cuts = {
            what: understood(document, (*place, what), Cut.parse, str(said[what]))
            for what in _LENGTHS
            if what in said
        }
        if not cuts:
            raise document.error(place, f"rules[{number}] cuts nothing", "say prompt, output or both")
        rules.append(Trimming(conditions(document, place, said), said.get("above"), **cuts))
    return Trim(tuple(rules))


def _values() -> dict[str, str]:
    """The tokens that are left: each part of a prompt ends where its end falls when the whole is shrunk, so
    that they add up."""
    ends = [_shrunk(_sum(_PARTS[:place]), "prompt_left", "prompt") for place in range(1, len(_PARTS))]
    ends.append("prompt_left")
    values: dict[str, str] = {}
    for place, name in enumerate(_PARTS):
        left = ends[place] if place == 0 else f"{ends[place]} - {ends[place - 1]}"
        values[name] = f"CASE WHEN prompt_left < prompt THEN {left} ELSE {name} END"
    shorter = "output_left < output_tokens"
    reasoning = _shrunk("reasoning_tokens", "output_left", "output_tokens")
    values["output_tokens"] = f"CASE WHEN {shorter} THEN output_left ELSE output_tokens END"
    values["reasoning_tokens"] = f"CASE WHEN {shorter} THEN {reasoning} ELSE reasoning_tokens END"
    return values


def _shrunk(part: str, left: str, whole: str) -> str:
    """SQL for ``part * left // whole``, whose product a BIGINT may not hold: of a whole of more than 2^31
    tokens it is right to that many times 2^31."""
    unit = f"({whole} // {2**31} + 1)"
    return f"(({part}) // {unit} * ({left} // {unit}) // nullif({whole} // {unit}, 0) * {unit})"


def _sum(names: Iterable[str]) -> str:
    return " + ".join(f"coalesce({name}, 0)" for name in names)
