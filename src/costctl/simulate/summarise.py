"""The lever *summarise in two stages*: a cheap model reads the document and writes an extract of a stated
length, and the call's own model reads only the extract.

Both are paid: the reading of the whole prompt and the writing of the extract at the cheap model's price
(beside the call), and the call with a prompt as long as the extract. Its answer stays as long as it was.

Of 50,000 tokens on Sonnet (3 USD a million) with an extract of 4,000 by Haiku (0.25 and 1.25): 0.0125 + 0.005
+ 0.012 = 0.0295 USD in the place of 0.15, or -80.3 % of what reading costs; -86 % with 2,000, -77.5 % with
5,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costctl import filters
from costctl.analysis import QuestionError
from costctl.filters import Filter
from costctl.ledger import tag_path
from costctl.pricing import sql
from costctl.records import INPUT_TOKENS, MAX_TOKENS
from costctl.simulate.rules import conditions, understood
from costctl.simulate.state import Change, Kind, Setting
from costctl.simulate.trim import PROMPT

if TYPE_CHECKING:
    from costctl.documents import Document

_CACHED = INPUT_TOKENS[1:]


@dataclass(frozen=True, slots=True)
class Summarise:
    """Of calls that pass all of ``where`` and whose prompt has more than ``above`` tokens (by default, than
    the extract), ``model`` makes an extract of ``extract`` tokens. Raises :class:`QuestionError` for an
    extract of no length, and one that is longer than the prompts it is made of."""

    model: str
    extract: int
    where: tuple[Filter, ...] = ()
    above: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.extract <= MAX_TOKENS:
            raise QuestionError(f"an extract of {self.extract:,} tokens is none", "as in 4000")
        if self.above is not None and self.above < self.extract:
            raise QuestionError(
                f"an extract of {self.extract:,} tokens of prompts from {self.above + 1:,} tokens on is none",
                "make the extract shorter, or take longer prompts only",
            )

    @property
    def name(self) -> str:
        return "summarise"

    @property
    def kind(self) -> Kind:
        return "trim"

    @property
    def _above(self) -> int:
        return self.extract if self.above is None else self.above

    def assumptions(self) -> tuple[str, ...]:
        of = f" of {', '.join(map(str, self.where))}" if self.where else ""
        return (
            f"summarise: {self.model} reads prompts{of} of more than {self._above:,} tokens and writes an "
            f"extract of {self.extract:,} tokens, which the call's own model reads in their place; both are "
            "paid",
            "summarise: answers stay as long as they were and nothing is read from a cache; what the detour "
            "takes in time and quality is not known",
        )

    def change(self, state: str, number: int, setting: Setting) -> Change:
        of, names = f"_{number}", (None, self.model)
        if setting.book.resolve(*names) is None:
            raise QuestionError(f"no price for model {self.model}", "costctl prices list shows known ones")
        condition, parameters = filters.sql(self.where, tag=(setting.calls.engine.tag(), tag_path))
        long = f"coalesce({PROMPT} > TRY({self._above} * requests), FALSE)"
        written = f"TRY({self.extract} * requests)"
        relations = f"""chosen{of} AS (
    SELECT *, ({condition}) AND {long} AND model <> extract_model AND {written} IS NOT NULL AS is_chosen
    FROM {state} CROSS JOIN (SELECT CAST(? AS VARCHAR) AS extract_model) AS named
),
extract{of} AS (
    SELECT call_key, ts, grain, requests, region, mode, context_tier, other_units,
        CAST(NULL AS VARCHAR) AS provider, extract_model AS model,
        {PROMPT} AS input_tokens, {written} AS output_tokens,
        {", ".join(f"CAST(0 AS BIGINT) AS {name}" for name in (*_CACHED, "reasoning_tokens"))}
    FROM chosen{of} WHERE is_chosen
),
extracted{of} AS (
    SELECT extract.call_key, {sql.cost("extract", "offered")} AS extract_pico
    FROM extract{of} AS extract LEFT JOIN offered ON {sql.on("extract", "offered")}
)"""  # noqa: S608 (constants; values are bound)
        return Change(
            source="SELECT chosen.*, extracted.extract_pico\n"
            f"FROM chosen{of} AS chosen LEFT JOIN extracted{of} AS extracted USING (call_key)",
            reached="is_chosen AND extract_pico IS NOT NULL",
            refused="CASE WHEN is_chosen AND extract_pico IS NULL THEN 'no price for ' || extract_model || "
            "CASE WHEN coalesce(mode, 'standard') = 'standard' THEN '' ELSE ' in mode ' || mode END || "
            "coalesce(' in region ' || region, '') END",
            values={
                "input_tokens": written,
                **dict.fromkeys(_CACHED, "0"),
                "added_pico": "TRY(added_pico + extract_pico)",
            },
            relations=relations,
            parameters=(*parameters, self.model),
            names=(names,),
        )


def of_document(document: Document) -> Summarise:
    """The lever that a document of the schema ``summarise`` says. Raises
    :class:`costctl.documents.DocumentError`."""
    said = document.data
    where = conditions(document, (), said)
    return understood(document, (), Summarise, said["model"], said["extract"], where, said.get("above"))
