"""``simulate-trim``: what shorter prompts and answers, two stages of summarising, or calls that are not made
would have saved. Each is a plan of one lever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from costctl.analysis import QuestionError
from costctl.analysis.calls import Calls, filters_of
from costctl.analysis.dimensions import dimensions, title
from costctl.analysis.grain import grain_of
from costctl.filters import Filter
from costctl.money import rounded, share
from costctl.periods import Period
from costctl.pricing.book import PriceBook
from costctl.pricing.price import Usage, cost, row_of
from costctl.report import Cell, Chart, Column, Report
from costctl.simulate.before_after import BeforeAfter, notes
from costctl.simulate.cuts import Cut
from costctl.simulate.eliminate import Eliminate
from costctl.simulate.state import Change, Kind, Setting, States
from costctl.simulate.summarise import Summarise
from costctl.simulate.techcorp import beside
from costctl.simulate.trim import Trim, Trimming

if TYPE_CHECKING:
    from costctl.ledger import Ledger

COMMAND = "simulate-trim"

DOCUMENTS = 1000
"""How many :func:`simulate_document` counts: what one costs is a few cents."""

_TITLES: dict[type, str] = {
    Trim: "What shorter prompts and answers would have saved",
    Summarise: "What summarising in two stages would have saved",
    Eliminate: "What calls that need not be made cost",
}
_COSTS = ("cost_before", "cost_after", "saving", "saving_share")
_MEASURES: dict[type, tuple[str, ...]] = {
    Trim: (
        "requests_before",
        "changed",
        "mean_prompt_before",
        "mean_prompt_after",
        "mean_output_before",
        "mean_output_after",
        *_COSTS,
    ),
    Summarise: ("requests_before", "changed", "mean_prompt_before", "mean_prompt_after", "added", *_COSTS),
    Eliminate: ("requests_before", "requests_after", *_COSTS),
}


def simulate_trim(
    ledger: Ledger,
    lever: Trim | Summarise | Eliminate,
    by: str | Iterable[str] = ("model",),
    *,
    book: PriceBook,
    period: Period,
    where: Iterable[str | Filter] = (),
    grain: str = "auto",
) -> Report:
    """What the calls cost and would have cost under ``lever``, a row for each combination of ``by`` (labels,
    ``tag:NAME``, units of time; as before the lever). Of two stages, figures say what reading alone costs,
    the answers being the same both ways.

    Raises :class:`QuestionError`, FilterError and LedgerError.
    """
    asked, of_grain, names = dimensions(by), grain_of(grain), _MEASURES[type(lever)]
    with ledger.reading() as engine:
        states = States.of(Calls(engine, period, filters_of(where), of_grain), book, [lever])
        found = BeforeAfter.of(states, asked)
        figures = list(_reading(states, lever, found)) if isinstance(lever, Summarise) else []
        report = Report(
            command=COMMAND,
            title=title(_TITLES[type(lever)], asked),
            columns=found.columns(names),
            rows=found.rows(names),
            totals=found.totals(names),
            charts=(Chart("bar", "saving"),) if found.whole.saving > 0 else (),
            figures={column.name: value for column, value in figures},
            figure_columns=tuple(column for column, _ in figures),
            notes=(*notes(found.whole, lever.name), *_beside_the_book(states, lever, found.whole.saving)),
        )
        return states.told(report)


BOOKS = Trim((Trimming(prompt=Cut("mean", 3200)),))
"""The book's trimming of October's prompts, which have a mean of 8,500 tokens."""

BOOKS_SAVING = 6_550
"""What it prints for it, in USD."""


def _beside_the_book(states: States, lever: Trim | Summarise | Eliminate, saving: int) -> Iterator[str]:
    """The book's figure, where its trimming is asked of its own bill."""
    if lever != BOOKS:
        return
    cost = f"coalesce({states.calls.engine.money_sum('spent_0')}, 0)"
    costs = states.rows(f"SELECT was_model, {cost} FROM state GROUP BY was_model")  # noqa: S608 (constants)
    if beside({model: int(pico) for model, pico in costs}):
        yield (
            f"this is the October bill of the book's TechCorp; ${rounded(saving):,} is what follows from the "
            f"calls of these files, re-priced one by one. The book prints ${BOOKS_SAVING:,} for it, beside "
            "its router and its cache and without a method"
        )


@dataclass(frozen=True, slots=True)
class _Silent:
    """The calls that ``lever`` reaches, with no answer: what they cost less is what their answers cost."""

    lever: Summarise

    @property
    def name(self) -> str:
        return "silent"

    @property
    def kind(self) -> Kind:
        return "trim"

    def assumptions(self) -> tuple[str, ...]:
        return ()

    def change(self, state: str, number: int, setting: Setting) -> Change:
        change = self.lever.change(state, number, setting)
        return Change(
            change.source,
            change.reached,
            {"output_tokens": "0", "reasoning_tokens": "0"},
            relations=change.relations,
            parameters=change.parameters,
            names=change.names,
        )


def _reading(states: States, lever: Summarise, found: BeforeAfter) -> Iterator[tuple[Column, Cell]]:
    """What the reading of the prompts that are reached costs, in one stage and in two."""
    changed = states.calls.engine.money_sum("CASE WHEN changed_1 THEN spent_0 END")
    ((reached,),) = states.rows(f"SELECT coalesce({changed}, 0) FROM state")  # noqa: S608 (constants)
    whole, silent = States.of(states.calls, states.book, [_Silent(lever)]).costs()
    before = int(reached) - (whole - silent)
    saving = found.whole.saving
    yield Column("reading_before", "money", title="reading in one stage"), before
    yield Column("reading_after", "money", title="in two stages"), before - saving
    yield Column("reading_change", "percent", title="change"), share(-saving, before)


def simulate_document(
    book: PriceBook, *, model: str, extract_model: str, document: int, extracts: Sequence[int], at: datetime
) -> Report:
    """What it costs that ``model`` reads :data:`DOCUMENTS` documents of so many tokens, and that
    ``extract_model`` makes an extract of each first: a row for each of the lengths ``extracts``. The answer
    is the same both ways and not counted. ``at`` (naive UTC) says of when the prices are. No ledger is asked.
    Raises :class:`QuestionError`."""
    if not all(0 < extract < document for extract in extracts):
        said = ", ".join(f"{extract:,}" for extract in extracts)
        raise QuestionError(f"extracts of {said} tokens of {document:,} are none", "make them shorter")
    before = _cost(book, model, Usage(at, input_tokens=document))
    rows: list[tuple[Cell, ...]] = []
    for extract in extracts:
        made = _cost(book, extract_model, Usage(at, input_tokens=document, output_tokens=extract))
        read = _cost(book, model, Usage(at, input_tokens=extract))
        costs = (before, made, read, made + read, before - made - read)
        rows.append((extract, *(each * DOCUMENTS for each in costs), share(made + read - before, before)))
    return Report(
        command=COMMAND,
        title=f"{DOCUMENTS:,} documents of {document:,} tokens read by {model}, in one stage and in two",
        columns=(
            Column("extract", "tokens"),
            Column("one_stage", "money"),
            Column("making_the_extract", "money"),
            Column("reading_the_extract", "money"),
            Column("two_stages", "money"),
            Column("saving", "money"),
            Column("change", "percent"),
        ),
        rows=rows,
        price_books=book.identifiers,
        notes=(
            f"{extract_model} reads the document and writes the extract, {model} reads only that; the answer "
            "is the same both ways and not counted, and nothing is cached",
            f"prices of {at:%Y-%m-%d}",
        ),
    )


def _cost(book: PriceBook, model: str, usage: Usage) -> int:
    (rows,) = book.rows_for([(None, model)]).values()
    found = cost(row_of(rows, usage), usage)
    if found is None:
        raise QuestionError(
            f"no price for model {model} on {usage.ts:%Y-%m-%d}", "costctl prices list shows all"
        )
    return found
