"""What an input format is: how it is recognised, and the SELECT that makes calls of its raw rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from costctl.formats.fields import Fault, Field
from costctl.formats.sample import Sample, Shape
from costctl.records import CHARGES, COLUMNS

COMPUTED = ("call_key", "cost_pico", "price_id", "source_id")
"""Canonical columns that ingest fills, not a format."""

CANONICAL: tuple[tuple[str, str], ...] = tuple(
    (column.name, "VARCHAR" if column.name == "tags" else column.type)
    for column in COLUMNS
    if column.name not in COMPUTED
)
"""Name and type of the columns that a format's SELECT yields, beside source_id, line, id, content, reason and
extra. Tags are the text of a JSON object."""

CANONICAL_CHARGES: tuple[tuple[str, str], ...] = tuple((column.name, column.type) for column in CHARGES)
"""The same of a format that yields charges."""

UNREADABLE = "unreadable"
"""The reason of a row of which nothing was read, where rows may be no calls: the line is no JSON object, and
ingest says what it is instead; or it is one without any of the format's names, and no call."""


@dataclass(frozen=True, slots=True)
class Format:
    """An input format.

    ``claims`` says in a few words why a sample is of this format, or returns "".
    ``raw`` are the columns to read and their DuckDB types: VARCHAR, or STRUCTs and lists of it.
    ``whole``: the one column of ``raw`` is all of the record instead, as a JSON object.
    ``rows`` is the relation that all else is over: ``raw``, or a SELECT of it that brings together what its
    rows have in different places, or makes several rows of one. It keeps source_id, line, given_time and
    given_model, and a row for each raw row of which nothing was read; ``empty`` is SQL over it for that, if
    it does not have all columns of ``raw``.
    ``yields`` says what a row becomes.
    ``calls`` is SQL over the raw row for whether it is about a call at all; other rows are skipped.
    ``fields`` are worked out of the raw row; ``columns`` is SQL over them for each canonical column (a column
    that is not there is the field of its own name, else NULL); ``faults`` are conditions over them.
    ``id`` is SQL over the raw row for the source's own id, in its name space; NULL where it has none.
    ``content`` are the raw row's parts that tell id-less rows apart, ``rarely`` those that few rows have, by
    name. They are part of every such call's identity: ``content`` never changes, ``rarely`` may only grow at
    its end. Of a bucket or a charge they are what it is about, without its figures.
    ``lines_stand_alone``: a file's tail may be read without its head.
    ``in_order``: a line's meaning hangs on those before it. ``line`` then grows from line to line and from
    file to file.
    ``repeats``: a call is often told by several lines.
    ``extra`` is SQL over the raw row for text that tells of further calls; ``further`` is a SELECT that makes
    rows of it from the table ``staged``, giving each its own ``extra_id``.
    ``words`` say what columns of the rows are in the file, where their own names do not ("" for none of it),
    and ``notes`` what is done to them on the way.
    """

    name: str
    title: str
    shapes: tuple[Shape, ...]
    claims: Callable[[Sample], str]
    raw: Mapping[str, str]
    fields: tuple[Field, ...]
    id: str
    content: tuple[str, ...]
    rarely: Mapping[str, str] = field(default_factory=dict)
    rows: str = "raw"
    empty: str = ""
    calls: str = "TRUE"
    yields: Literal["calls", "charges"] = "calls"
    columns: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    lines_stand_alone: bool = True
    in_order: bool = False
    repeats: bool = False
    extra: str = ""
    further: str = ""
    whole: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def select(self) -> str:
        """A SELECT over a relation ``raw`` (columns ``source_id``, ``line``, ``given_time``, ``given_model``
        and those of :attr:`raw`) that yields source_id, line, id, content, reason, extra and the
        :attr:`canonical` columns, a row a call or charge.

        ``reason`` is NULL for a good row; for a bad one it is :data:`UNREADABLE` or "FIELD: FAULT", and the
        rest has no meaning.
        """
        values = [f"{each.value} AS f_{each.name}" for each in self.fields]
        columns = [f"{self._column(name, kind)} AS {name}" for name, kind in self.canonical]
        return f"""SELECT
    source_id, line, own_id AS id, content, {self._reason()} AS reason, extra,
    {_LINES.join(columns)}
FROM (
    SELECT
    rows.*, {self.id} AS own_id, {self._content()} AS content, {self.extra or _NO_TEXT} AS extra,
    {_LINES.join(values)}
    FROM {self.rows} AS rows
    WHERE {self.calls if self.every_row_is_a_call else f"{self.calls} OR ({self._empty()})"}
)"""  # noqa: S608 (constants of the formats)

    def names(self) -> str:
        """A SELECT of ``provider`` and ``model`` over the same relation, the bad calls' too: a small part of
        :meth:`select`, which takes long to plan."""
        columns = [f"{self._column(name, 'VARCHAR')} AS {name}" for name in ("provider", "model")]
        told = " ".join(columns)
        values = "".join(
            f", {each.value} AS f_{each.name}" for each in self.fields if f"f_{each.name}" in told
        )
        return f"""SELECT {", ".join(columns)}
FROM (SELECT rows.*{values} FROM {self.rows} AS rows WHERE {self.calls})"""  # noqa: S608 (constants of the formats)

    @property
    def canonical(self) -> tuple[tuple[str, str], ...]:
        """Name and type of the columns that :meth:`select` yields, beside its own."""
        return CANONICAL_CHARGES if self.yields == "charges" else CANONICAL

    @property
    def usual(self) -> Mapping[str, str]:
        """SQL for the canonical columns that have a value where a format says nothing of them."""
        return _DEFAULTS_OF_CHARGES if self.yields == "charges" else _DEFAULTS

    @property
    def every_row_is_a_call(self) -> bool:
        """Whether a line that says nothing known is a bad call rather than no call."""
        return self.calls == "TRUE"

    def _empty(self) -> str:
        return self.empty or " AND ".join(f'"{name}" IS NULL' for name in self.raw)

    def _reason(self) -> str:
        """A sound row passes one test of all its fields; only the others are asked what is wrong."""
        good = " AND ".join(self._good())
        faults = [fault for each in self.fields for fault in each.faults]
        if not self.every_row_is_a_call:
            faults.insert(0, (self._empty(), UNREADABLE))
        return f"CASE WHEN {good} THEN {_case(self.faults)} ELSE {_case([*faults, *self.faults])} END"

    def _good(self) -> Iterator[str]:
        """What holds for every sound row. Most rows have none of the rare parts, and one look tells."""
        rare = [f"({each.unless} IS NULL OR {each.good})" for each in self.fields if self._is_rare(each)]
        if rare:
            yield f"({self._has_nothing_rare()} OR ({' AND '.join(rare)}))"
        for each in self.fields:
            if each.good and not self._is_rare(each):
                yield f"({each.unless} IS NULL OR {each.good})" if each.unless else f"({each.good})"

    def _is_rare(self, field: Field) -> bool:
        return field.unless.strip('"') in self.rarely

    def _has_nothing_rare(self) -> str:
        return f"coalesce({', '.join(self.rarely.values())}) IS NULL"

    def _content(self) -> str:
        """SQL for the text that identifies an id-less row. A rare part is only there with its name before it,
        so that one more of them leaves all older texts as they were."""
        parts = ", chr(31), ".join(self.content)
        named = ", ".join(f"chr(31) || '{name}=' || {part}" for name, part in self.rarely.items())
        if named:
            parts += f", CASE WHEN NOT ({self._has_nothing_rare()}) THEN concat({named}) END"
        return f"CASE WHEN own_id IS NULL THEN concat({parts}) END"

    def _column(self, name: str, kind: str) -> str:
        if name in self.columns:
            # Of a bad row the counts may be too large to reckon with.
            return f"TRY({self.columns[name]})"
        for each in self.fields:
            if each.name == name:
                return each.kept or f"f_{name}"
        if name in self.usual:
            return self.usual[name]
        return f"CAST(NULL AS {kind})"


_DEFAULTS = {"grain": "'call'", "requests": "CAST(1 AS BIGINT)", "mode": "'standard'", "billing": "'unknown'"}
_DEFAULTS_OF_CHARGES = {"period_start": "f_ts", "currency": "'USD'", "kind": "'usage'"}


_LINES = ",\n    "
_NO_TEXT = "CAST(NULL AS VARCHAR)"


def _case(faults: Iterable[Fault]) -> str:
    whens = " ".join(f"WHEN {condition} THEN '{reason}'" for condition, reason in faults)
    return f"CASE {whens} END" if whens else _NO_TEXT
