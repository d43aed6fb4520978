"""What calls would have cost: the states through which levers lead the calls of a question, in one statement.

A *state* is a relation with one row per call. No lever removes a row or adds one: an eliminated call stays,
with no tokens, no requests and a cost of 0. So what is before and after, by anything, and the cost after each
of several levers, are sums over one pass, and add up exactly.

A *lever* says which calls it reaches, and what they become. What it changes is priced again in one place,
here, at the price of the call's own date, tier, region and mode; all else keeps the cost that the ledger has.
Where the call as it would become has no price, it stays as it was, and the state says so (``missed_N``).
Calls that have no price in the ledger are part of every state and reached by no lever.

    states = States.of(calls, book, [Trim(...), Router(...)])
    states.rows("SELECT model, sum(cost_pico + added_pico) FROM state GROUP BY model ORDER BY model")
    states.costs()  # after no lever, after the first, …

Columns of a state, beside those of the canonical call (tags as ``tags_json``):

- ``cost_pico``: of the call as it is in this state; ``added_pico``: what was paid beside it;
- ``added_model``: the model that was tried before the call's own (the first try of a cascade), else NULL;
- ``spent_0``, ``spent_1``, …: cost and what was paid beside it, after so many levers; NULL if unpriced;
- ``missed_1``, …: why the lever of that number left the call, where it was to change it;
- ``changed_1``, …: whether the lever of that number changed it;
- ``was_model`` and the like (:data:`CHANGEABLE`): the call as it is in the ledger; ``took_ms`` and ``timed``:
  how long its requests took there together, and how many of them say so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, get_args, runtime_checkable

from costctl.analysis.calls import Calls, Sums, merged
from costctl.analysis.dimensions import Dimension, Key, dimension
from costctl.analysis.provenance import with_provenance
from costctl.ledger.engine import Row
from costctl.pricing import sql
from costctl.pricing.book import CallNames, PriceBook
from costctl.pricing.rows import PriceRow
from costctl.records import LABELS, PRICED_TOKENS
from costctl.simulate.summed import Alike, kinds, summed_calls

if TYPE_CHECKING:
    from costctl.report import Report

Kind = Literal["eliminate", "trim", "route", "cache", "batch", "discount"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Of levers, in the order in which they act on a call."""

CHANGEABLE: tuple[str, ...] = (
    "provider",
    "model",
    "mode",
    "requests",
    *PRICED_TOKENS,
    "reasoning_tokens",
    "other_units",
    "latency_ms",
)
"""The columns that a lever may give another value."""

FIXED: tuple[str, ...] = (
    "call_key",
    "ts",
    "grain",
    *LABELS,
    "tags_json",
    "region",
    "context_tier",
    "billing",
    "success",
    "error_type",
)

_TIMES = ("took_ms", "timed")
_TOLD = (
    *("rows", "buckets", "requests", "cost", "subscribed", "uncounted", "latency", "timed"),
    *("unpriced_rows", "unpriced_requests", "unpriced_calls", "unpriced_tokens"),
)

SEED = 1

_TYPES = {
    **dict.fromkeys(("provider", "model", "mode"), "VARCHAR"),
    **dict.fromkeys(("requests", *PRICED_TOKENS, "reasoning_tokens", "latency_ms"), "BIGINT"),
    "other_units": "MAP(VARCHAR, BIGINT)",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What a lever does to a state, as SQL.

    ``source`` is a SELECT of all columns of the state, and of whatever the other expressions need;
    ``relations`` are named relations for a WITH clause that it stands on (names of its own, without WITH).
    ``parameters`` are theirs, in the order of the text; no other part has any.

    ``reached`` is a condition (not NULL) for a call to become what ``values`` say: an expression a column of
    :data:`CHANGEABLE`, or of ``added_pico``, over the columns of ``source``. ``beside``: where it is true,
    the changed call was made beside the one that stays as it is (the first try of a cascade): its cost is
    added, and only its latency is taken over. ``cost``: BIGINT pico-dollars, of a lever that knows it without
    a price row (a discount). ``refused``: text, not NULL where a call that was to be changed is not reached,
    and why ("its prompt is longer than the context of x"). ``names`` are the providers and models that
    ``values`` may name.
    """

    source: str
    reached: str
    values: Mapping[str, str]
    beside: str = "FALSE"
    cost: str | None = None
    refused: str = "NULL"
    relations: str = ""
    parameters: tuple[object, ...] = ()
    names: tuple[CallNames, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """What a lever may know of the question: its calls, the prices, and the providers and ``names`` of models
    in the state. ``latencies``: of the calls of the ledger by name, the sum of milliseconds, and over how
    many requests."""

    calls: Calls
    book: PriceBook
    names: tuple[CallNames, ...]
    latencies: Mapping[CallNames, tuple[int, int]]

    def mean_latency(self, names: Iterable[CallNames]) -> int | None:
        """Of the calls of these names, to the millisecond; None where none says how long it took."""
        known = [self.latencies[each] for each in names if each in self.latencies]
        total, timed = (sum(column) for column in zip(*known, strict=True)) if known else (0, 0)
        return (2 * total + timed) // (2 * timed) if timed else None


class Lever(Protocol):
    """One way to spend less; its parts are plain values. ``name`` is for people."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted, as sentences."""
        ...

    def change(self, state: str, number: int, setting: Setting) -> Change:
        """What it does to the calls of the relation ``state``; its own relations have ``number`` in their
        names, so that no two levers have the same."""
        ...


@runtime_checkable
class Summable(Lever, Protocol):
    """A lever that may look at many calls in one row."""

    def alike(self, setting: Setting) -> Alike | None:
        """What it tells calls apart by; None where it has to look at each."""
        ...


@dataclass(frozen=True)
class States:
    """The calls of a question under some levers, one after the other. ``relations`` are those of a WITH
    clause, the last being ``state``, where all levers have acted; ``parameters`` are theirs. ``sums``: those
    of the ledger's calls that say what an answer stands on."""

    calls: Calls
    book: PriceBook
    levers: tuple[Lever, ...]
    sums: Sums
    relations: str
    parameters: tuple[object, ...] = field(repr=False)

    @classmethod
    def of(
        cls,
        calls: Calls,
        book: PriceBook,
        levers: Iterable[Lever],
        by: Sequence[Dimension] | None = None,
    ) -> States:
        """The states of ``calls`` under ``levers``, in their order, at the prices of ``book``.

        With ``by``, a row may stand for many calls that are of one value of each: for sums by them, and by
        what the levers change, in a tenth of the time and to the same pico-dollar. Costs and tokens are then
        sums of no bounds.
        """
        levers = tuple(levers)
        found = calls.sums([dimension("provider"), dimension("model")], _TOLD)
        latencies = {_names(key): (sums.latency, sums.timed) for key, sums in found.items()}
        priced = (_names(key) for key, sums in found.items() if sums.unpriced_rows < sums.rows)
        names = tuple(sorted(priced, key=lambda each: (each[0] or "", each[1])))
        parts: list[str] = []
        parameters: list[object] = []
        for number, lever in enumerate(levers, 1):
            change = lever.change(f"state_{number - 1}", number, Setting(calls, book, names, latencies))
            names = tuple(dict.fromkeys((*names, *change.names)))
            parts += _step(change, number)
            parameters += change.parameters
        bound = sql.parameters(book.rows_for(names)) if levers else {}
        if levers:
            # An engine's parameters have places, not names; those of both are in the order of the columns.
            parts.insert(0, f"offered AS (\n{re.sub(_NAMED, '?', sql.relation())}\n)")
        setting = Setting(calls, book, names, latencies)
        first, asked = _summed(setting, levers, by) or _first(calls)
        parts = [*first, *parts, f"state AS (SELECT * FROM state_{len(levers)})"]  # noqa: S608
        relations, bound_all = ",\n".join(parts), (*asked, *bound.values(), *parameters)
        return cls(calls, book, levers, merged(found.values()), relations, bound_all)

    def rows(self, select: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of a SELECT from ``state``; it may begin with relations of its own (``WITH`` is there
        already: ``more AS (…) SELECT …``), after a comma."""
        joint = ", " if re.match(r"\w+ AS ", select) else "\n"
        return self.calls.engine.rows(
            f"WITH {self.relations}{joint}{select}", [*self.parameters, *parameters]
        )

    def costs(self) -> tuple[int, ...]:
        """The pico-dollars that the priced calls cost after no lever, after the first, and so on."""
        money = self.calls.engine.money_sum
        sums = ", ".join(f"coalesce({money(f'spent_{each}')}, 0)" for each in range(len(self.levers) + 1))
        return tuple(int(each) for each in self.rows(f"SELECT {sums} FROM state")[0])  # noqa: S608

    @cached_property
    def missed(self) -> tuple[dict[str, int], ...]:
        """By lever: how many calls it was to change and did not, by the reason ("no price for x")."""
        found: tuple[dict[str, int], ...] = tuple({} for _ in self.levers)
        columns = [f"missed_{number}" for number in range(1, len(found) + 1)]
        if not columns:
            return found
        missed = " OR ".join(f"{column} IS NOT NULL" for column in columns)
        # S608: constants.
        for *reasons, calls in self.rows(
            f"SELECT {', '.join(columns)}, sum(coalesce(was_requests, 1)) FROM state "  # noqa: S608
            f"WHERE {missed} GROUP BY ALL ORDER BY ALL"
        ):
            for each, reason in zip(found, reasons, strict=True):
                if reason is not None:
                    each[reason] = each.get(reason, 0) + int(calls)
        return found

    def told(self, report: Report, missed: Sequence[Mapping[str, int]] | None = None) -> Report:
        """``report``, an answer of these states, with what it stands on: the levers' assumptions, calls that
        had no price to move to (:attr:`missed`, where they are not known already), calls without a price, and
        the price books."""
        notes = [*report.notes, *(each for lever in self.levers for each in lever.assumptions())]
        for lever, left in zip(self.levers, self.missed if missed is None else missed, strict=True):
            for reason, calls in left.items():
                stay = "call stays" if calls == 1 else "calls stay"
                notes.append(f"{lever.name}: {reason}; {calls:,} {stay} as before")
        told = with_provenance(replace(report, notes=tuple(notes)), self.calls, self.sums)
        if foreign := [each for each in told.price_books if each not in self.book.identifiers]:
            note = f"the ledger is priced by {', '.join(foreign)} too, which the calls that change are not"
            told = replace(told, notes=(*told.notes, note))
        books = dict.fromkeys((*told.price_books, *self.book.identifiers))
        return replace(told, price_books=tuple(books))


def drawn(share: Fraction, lever: str, seed: int = SEED) -> str:
    """A condition that holds for a ``share`` (0 to 1) of all calls, the same in every run: those whose
    (n x m + b) mod 2^32 is below share x 2^32, n being the last 8 hex digits of ``call_key``, itself a hash,
    and m (odd) and b from the SHA-256 of the seed and the name of the ``lever``."""
    if share >= 1:
        return "TRUE"
    if share <= 0:
        return "FALSE"
    digest = hashlib.sha256(f"{seed} {lever}".encode()).digest()
    factor = int.from_bytes(digest[:3], "big") * 2 + 1
    start = int.from_bytes(digest[3:7], "big")
    below = share.numerator * 2**32 // share.denominator
    number = "CAST('0x' || substr(CAST(call_key AS VARCHAR), 29, 8) AS BIGINT)"
    return f"(({number} * {factor} + {start}) % {2**32} < {below})"


def of_share(tokens: str, share: Fraction) -> str:
    """SQL for ``tokens``, a whole number not below 0, times ``share``, rounded to the nearest, halves up.
    What no BIGINT holds is NULL."""
    over = share.denominator
    if share == 1:
        return tokens
    return f"TRY((CAST({tokens} AS BIGINT) * {2 * share.numerator} + {over}) // {2 * over})"


_NAMED = re.compile(r"\$\w+")
_COLUMNS = ", ".join(
    (
        *FIXED,
        *CHANGEABLE,
        *(f"{name} AS was_{name}" for name in CHANGEABLE),
        "cost_pico, CAST(0 AS BIGINT) AS added_pico, CAST(NULL AS VARCHAR) AS added_model",
        "cost_pico AS spent_0",
    )
)
_TOOK = "TRY(latency_ms * requests)"
_TIMED = f"CASE WHEN {_TOOK} IS NOT NULL THEN requests END"


def _names(key: Key) -> CallNames:
    provider, model = key
    assert isinstance(model, str)
    assert provider is None or isinstance(provider, str)
    return provider, model


def _first(calls: Calls) -> tuple[list[str], list[str]]:
    """The relation of the calls as they are, and its parameters."""
    _, condition, parameters = calls.selection(())
    columns = f"{_COLUMNS}, {_TOOK} AS took_ms, {_TIMED} AS timed"
    return [f"state_0 AS (\nSELECT {columns}\nFROM calls WHERE {condition}\n)"], parameters


def _summed(
    setting: Setting, levers: Sequence[Lever], by: Sequence[Dimension] | None
) -> tuple[list[str], list[str]] | None:
    """The relations of the calls added up, and their parameters; None where that cannot be, or is not asked
    for."""
    calls = setting.calls
    if by is None or calls.span is None:
        return None
    found: list[Alike] = []
    for lever in levers:
        alike = lever.alike(setting) if isinstance(lever, Summable) else None
        if alike is None:
            return None
        found.append(alike)
    columns = kinds(calls, found, by)
    if columns is None:
        return None
    prices: list[PriceRow] = [row for rows in setting.book.rows_for(setting.names).values() for row in rows]
    relation, select, parameters = summed_calls(calls, prices, found, by, columns, (*FIXED, *CHANGEABLE))
    summed = f"SELECT {_COLUMNS}, {', '.join(_TIMES)} FROM summed"  # noqa: S608
    return [
        *([relation] if relation else []),
        f"summed AS (\n{select}\n)",
        f"state_0 AS (\n{summed}\n)",
    ], parameters


def _step(change: Change, number: int) -> list[str]:
    """The relations that lead from the state before to ``state_{number}``, the only place that prices.

    The changed call stands under the names of the canonical call, since these are what prices are joined to;
    the call that it was is ``kept_…``. An unreached call has no model, so that it finds no price.
    """
    before = number - 1
    changed = [name for name in CHANGEABLE if name in change.values]
    passed = [
        *FIXED,
        *_TIMES,
        *(f"was_{name}" for name in CHANGEABLE),
        *(f"spent_{each}" for each in range(number)),
    ]
    passed += [f"{word}_{each}" for each in range(1, number) for word in ("missed", "changed")]
    same = [name for name in CHANGEABLE if name not in changed and name not in ("model", "latency_ms")]
    model = change.values.get("model", "asked.model")
    columns = [
        *(f"asked.{name}" for name in (*passed, *same)),
        *(f"asked.{name} AS kept_{name}" for name in (*changed, "cost_pico", "added_pico", "added_model")),
        *(f"CAST({change.values[name]} AS {_TYPES[name]}) AS {name}" for name in changed if name != "model"),
        f"CASE WHEN {change.reached} THEN {model} END AS model",
        f"({change.reached}) AND asked.spent_{before} IS NOT NULL AS is_reached",
        f"({change.beside}) AS is_beside",
        f"CAST({change.refused} AS VARCHAR) AS refused",
        f"{change.values.get('added_pico', 'asked.added_pico')} AS added_pico",
    ]
    if "model" not in changed:
        columns.append("asked.model AS kept_model")
    if "latency_ms" not in changed:
        columns += ["asked.latency_ms", "asked.latency_ms AS kept_latency_ms"]
    if change.cost is not None:
        columns.append(f"CAST({change.cost} AS BIGINT) AS new_cost")
        priced = f"SELECT tried.* FROM tried_{number} AS tried"  # noqa: S608
    else:
        priced = (
            f"SELECT tried.*, {sql.cost('tried', 'offered')} AS new_cost\n"
            f"FROM tried_{number} AS tried LEFT JOIN offered ON {sql.on('tried', 'offered')}"
        )
    # A sum beyond a BIGINT is no cost.
    total = "TRY(new_cost + CASE WHEN is_beside THEN kept_cost_pico ELSE 0 END + added_pico)"
    moved = "(is_changed AND NOT is_beside)"
    taken = [name for name in CHANGEABLE if name in changed or name == "model"]
    parts = [
        f"asked_{number} AS (\n{change.source}\n)",
        f"tried_{number} AS (\nSELECT {', '.join(columns)}\nFROM asked_{number} AS asked\n)",
        f"priced_{number} AS (\n{priced}\n)",
        f"judged_{number} AS (\n"
        f"SELECT *, {total} AS total, is_reached AND {total} IS NOT NULL AS is_changed\n"
        f"FROM priced_{number}\n)",
    ]
    after = [
        *passed,
        *same,
        *(
            f"CASE WHEN {moved} THEN {name} ELSE kept_{name} END AS {name}"
            for name in taken
            if name != "latency_ms"
        ),
        "CASE WHEN is_changed THEN latency_ms ELSE kept_latency_ms END AS latency_ms",
        f"CASE WHEN {moved} THEN new_cost ELSE kept_cost_pico END AS cost_pico",
        "CASE WHEN is_changed THEN added_pico + CASE WHEN is_beside THEN new_cost ELSE 0 END "
        "ELSE kept_added_pico END AS added_pico",
        "CASE WHEN is_changed AND is_beside THEN model ELSE kept_added_model END AS added_model",
        f"CASE WHEN is_changed THEN total ELSE spent_{before} END AS spent_{number}",
        "CASE WHEN is_reached AND NOT is_changed THEN 'no price for ' || model "
        "|| CASE WHEN coalesce(mode, 'standard') = 'standard' THEN '' ELSE ' in mode ' || mode END "
        f"|| coalesce(' in region ' || region, '') ELSE refused END AS missed_{number}",
        f"is_changed AS changed_{number}",
    ]
    parts.append(f"state_{number} AS (\nSELECT {', '.join(after)}\nFROM judged_{number}\n)")
    return [*([change.relations] if change.relations else []), *parts]
