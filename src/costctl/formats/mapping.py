"""A format that a user describes: ``mapping.yaml`` says where the ledger's columns stand in any file of
records, in which units, and which records are calls. Its shape is ``costctl/schemas/mapping.json``.

What it says becomes a :class:`Format` like any other, of the same fields with the same faults; a fault names
the ledger's column. Names, paths and words get into SQL by :mod:`.quoting` alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from costctl.formats import fields
from costctl.formats.fields import Fault, Field
from costctl.formats.format import Format
from costctl.formats.identity import response_id
from costctl.formats.paths import Extraction, places
from costctl.formats.quoting import literal
from costctl.formats.sample import JSON
from costctl.records import BILLINGS, MODES

CACHED = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
COUNTS = ("input_tokens", *CACHED, "output_tokens", "reasoning_tokens")
LABELS = ("team", "project", "user", "agent", "session", "workspace")

WORDS: Mapping[str, tuple[str, ...]] = {
    "mode": MODES,
    "billing": BILLINGS,
    "success": ("true", "false"),
    "replay": ("true", "false"),
}
"""Columns of few words, and these."""

UNIX = {"unix_s": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}
"""Formats of times that are numbers, and how many of them make a second."""

PER_DOLLAR = {"dollars": 1, "cents": 100, "micro": 10**6, "nano": 10**9}
_IN_MS = {"s": "1000", "us": "0.001"}

_IS_OBJECT = "coalesce(starts_with(CAST(record AS VARCHAR), '{'), FALSE)"
_FIGURES = tuple(
    f"raw_{name}" for name in (*COUNTS, "requests", "latency_ms", "reported_cost", "other_units")
)


def read(path: Path) -> str:
    """What the file ``path`` says, as a text from which :func:`format_of` makes the format: JSON with sorted
    keys, so that another order or comment is no change. Raises :class:`costctl.documents.DocumentError` with
    all faults of the file."""
    from costctl.documents import DocumentError
    from costctl.documents import read as read_document
    from costctl.formats.mapping_faults import faults

    document = read_document(path, "mapping")
    if found := list(faults(document)):
        raise DocumentError.of(found)
    return json.dumps(document.data, ensure_ascii=False, sort_keys=True)


def zone_of(text: str) -> str:
    """The zone of times that name none; "" where the mapping does not say."""
    return Source.of(json.loads(text)["columns"]["ts"]).zone


def constants_of(text: str) -> dict[str, str]:
    """The labels and tags that a mapping gives to every record, by label or ``tag:NAME``."""
    return {name: value for name, _, _, value in _constants(json.loads(text))}


def without_constants(text: str, values: Collection[str]) -> str:
    """A mapping that gives none of ``values`` to every record."""
    said = json.loads(text)
    for _, section, name, value in list(_constants(said)):
        if value in values:
            del said[section][name]
    if said.get("tags") == {}:
        del said["tags"]
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def _constants(said: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Label or ``tag:NAME``, section of the file, key in it, and value."""
    for section, mark in (("columns", ""), ("tags", "tag:")):
        within = said.get(section)
        for name, each in within.items() if isinstance(within, Mapping) else ():
            if (mark or name in (*LABELS, "api_key")) and (value := Source.of(each).value):
                yield f"{mark}{name}", section, name, value


@lru_cache(maxsize=64)
def format_of(text: str) -> Format:
    """The format of a mapping, from what :func:`read` returned."""
    return _Mapped(json.loads(text)).format()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a column comes from: the first of ``names`` that says something, or ``value``."""

    names: tuple[str, ...]
    value: str
    values: Mapping[str, str]
    unit: str
    format: str
    zone: str

    @classmethod
    def of(cls, said: str | Sequence[str] | Mapping[str, Any]) -> Source:
        whole: Mapping[str, Any] = said if isinstance(said, Mapping) else {"from": said}
        names = whole.get("from", ())
        return cls(
            (names,) if isinstance(names, str) else tuple(names),
            whole.get("value", ""),
            whole.get("values", {}),
            whole.get("unit", ""),
            whole.get("format", "iso"),
            whole.get("zone", ""),
        )

    @property
    def words(self) -> str:
        """Its fields, for people."""
        return " or ".join(self.names)

    @property
    def notes(self) -> str:
        """What is done with them, for people."""
        notes = [f"the value {self.value}" if self.value else "", self.unit]
        notes += [self.format if self.format != "iso" else "", self.zone]
        notes += [f"{word} is {meaning}" for word, meaning in self.values.items()]
        return ", ".join(filter(None, notes))


class _Mapped:
    """The format of one mapping, in the making: ``rows`` are its columns of text and the SQL of each,
    ``words`` and ``notes`` what these are in the file. A column may stand on an earlier one."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = said
        self.columns: Mapping[str, Any] = said["columns"]
        self.is_bucket = said.get("grain") == "bucket"
        self.extraction = Extraction()
        self.rows: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self.notes: dict[str, str] = {}

    def format(self) -> Format:
        name = f"map:{self.said['name']}"
        worked_out = (*self._fields(), *self._tags(), *self._units())
        dimensions = tuple(
            each for each in self.rows if each.startswith("raw_") and not each.startswith(_FIGURES)
        )
        calls = self._calls()
        id = response_id(self._row("id", self.said["id"]), name) if "id" in self.said else ""
        return Format(
            name=name,
            title="what a mapping says",
            shapes=(*JSON, "csv", "parquet"),
            claims=lambda _: "",
            raw={"record": "JSON"},
            whole=True,
            rows=self._rows(),
            empty=f"NOT {_IS_OBJECT}",
            calls=calls,
            fields=worked_out,
            columns=dict(self._canonical()),
            faults=tuple(self._faults()),
            id=id or "CAST(NULL AS VARCHAR)",
            content=("'bucket'", *dimensions) if self.is_bucket else ("CAST(record AS VARCHAR)",),
            lines_stand_alone=not self.is_bucket,
            words=self.words,
            notes=self.notes,
        )

    def _row(self, column: str, said: str | Sequence[str] | Mapping[str, Any]) -> str:
        """The name of the column of text that is made of what ``column`` is mapped to."""
        source = Source.of(said)
        plain = self._text(source)
        if (used := _used(source, f"plain_{column}")) == f"plain_{column}":
            return self._named(f"raw_{column}", plain, source.words, source.notes)
        self._named(f"plain_{column}", plain, source.words, "")
        return self._named(f"raw_{column}", used, source.words, source.notes)

    def _named(self, name: str, sql: str, words: str, notes: str) -> str:
        self.rows[name], self.words[name], self.notes[name] = sql, words, notes
        return name

    def _text(self, source: Source) -> str:
        if source.value:
            return literal(source.value)
        paths = dict.fromkeys(path for text in source.names for path in places(text))
        return fields.first_of(*(self.extraction.value(path) for path in paths))

    def _rows(self) -> str:
        listed = ",\n            ".join(f"{sql} AS {name}" for name, sql in self.rows.items())
        return f"""(
        SELECT source_id, line, given_time, given_model, record,
            {listed}
        FROM (SELECT *, {self.extraction.found} AS found FROM raw)
    )"""  # noqa: S608 (quoted, each part)

    def _fields(self) -> Iterator[Field]:
        yield Field("record", _IS_OBJECT, "f_record", (("NOT f_record", "not an object"),))
        yield self._time()
        yield fields.model(*([self._row("model", self.columns["model"])] if "model" in self.columns else ()))
        for column, said in self.columns.items():
            if column not in ("ts", "model"):
                yield self._field(column, self._row(column, said))

    def _field(self, column: str, raw: str) -> Field:
        if column in COUNTS:
            return fields.count(column, raw)
        if column in LABELS:
            return fields.label("user_id" if column == "user" else column, raw)
        match column:
            case "requests":
                return fields.count(column, raw, least=0 if self.is_bucket else 1)
            case "api_key":
                return fields.api_key(raw)
            case "mode":
                return fields.one_of(column, raw, MODES, "standard")
            case "billing":
                return fields.one_of(column, raw, BILLINGS, "unknown")
            case "success" | "replay":
                return fields.truth(column, raw)
            case "latency_ms":
                return fields.milliseconds(column, raw)
            case "reported_cost":
                unit = Source.of(self.columns[column]).unit or "dollars"
                return fields.amount(column, raw, per_dollar=PER_DOLLAR[unit])
        return fields.text(column, raw)

    def _time(self) -> Field:
        source = Source.of(self.columns["ts"])
        raw = self._row("ts", self.columns["ts"])
        told = f"coalesce({raw}, given_time)"
        if source.format == "iso":
            return fields.moment(told, said="ts")
        if source.format in UNIX:
            value = fields.epoch(raw, UNIX[source.format])
        else:
            # The cast has a time without a zone be in the session's.
            parsed = f"CAST(try_strptime({raw}, {literal(source.format)}) AS TIMESTAMPTZ)"
            value = f"TRY(make_timestamp(epoch_us({parsed})))"
        value = f"CASE WHEN {raw} IS NULL THEN {fields.instant('given_time')} ELSE {value} END"
        return fields.moment(told, said="ts", value=value)

    def _tags(self) -> Iterator[Field]:
        said = self.said.get("tags")
        if isinstance(said, Mapping):
            yield fields.tags(self._object("tags", said))
        elif said:
            yield fields.tags(self._row("tags", said))

    def _units(self) -> Iterator[Field]:
        if "other_units" in self.said:
            yield fields.units("other_units", self._object("other_units", self.said["other_units"]))

    def _object(self, column: str, said: Mapping[str, Any]) -> str:
        """The same for a JSON object of several values; those that a record lacks are not in it."""
        sources = {name: Source.of(said[name]) for name in sorted(said)}
        rows = [self._row(f"{column}_{number}", said[name]) for number, name in enumerate(sources)]
        members = ", ".join(f"{literal(name)}, {row}" for name, row in zip(sources, rows, strict=True))
        # A patch takes out what is null.
        known = f"CAST(json_merge_patch('{{}}', json_object({members})) AS VARCHAR)"
        notes = ", ".join(f"{name}: {source.words or source.notes}" for name, source in sources.items())
        return self._named(f"raw_{column}", f"nullif({known}, '{{}}')", "", notes)

    def _calls(self) -> str:
        conditions = []
        for number, said in enumerate(self.said.get("calls", ())):
            raw = self._row(f"calls_{number}", said["from"])
            if "known" in said:
                conditions.append(f"{raw} IS {'NOT ' if said['known'] else ''}NULL")
                continue
            negated = "is_not" in said
            words = said["is_not" if negated else "is"]
            listed = ", ".join(literal(word) for word in ([words] if isinstance(words, str) else words))
            holds = f"coalesce({raw} IN ({listed}), FALSE)"
            conditions.append(f"NOT {holds}" if negated else holds)
        return f"{_IS_OBJECT} AND {' AND '.join(conditions)}" if conditions else "TRUE"

    def _within(self) -> tuple[str, ...]:
        """The columns that input_tokens includes."""
        said = self.said.get("input", "exclusive")
        if isinstance(said, str):
            said = CACHED if said == "inclusive" else ()
        return tuple(column for column in CACHED if column in said and column in self.columns)

    def _canonical(self) -> Iterator[tuple[str, str]]:
        if self.is_bucket:
            yield "grain", "'bucket'"
        if "requests" in self.columns:
            yield "requests", "f_requests" if self.is_bucket else "coalesce(f_requests, CAST(1 AS BIGINT))"
        elif self.is_bucket:
            yield "requests", "CAST(NULL AS BIGINT)"
        if within := self._within():
            parts = " - ".join(f"coalesce(f_{column}, 0)" for column in within)
            yield "input_tokens", f"f_input_tokens - {parts}"
        if self.said.get("output") == "exclusive":
            yield (
                "output_tokens",
                "coalesce(f_output_tokens + f_reasoning_tokens, f_output_tokens, f_reasoning_tokens)",
            )
        if "reported_cost" in self.columns:
            yield "reported_cost_pico", "f_reported_cost"

    def _faults(self) -> Iterator[Fault]:
        units = [f"f_{column}" for column in COUNTS if column in self.columns]
        units += ["f_other_units"] if "other_units" in self.said else []
        yield " AND ".join(f"{unit} IS NULL" for unit in units), "tokens: missing"
        if within := self._within():
            total = " + ".join(f"coalesce(f_{column}, 0)" for column in within)
            yield f"f_input_tokens IS NULL AND {total} > 0", "input_tokens: missing"
            yield f"{total} > f_input_tokens", f"{within[0]}: more than input_tokens, which includes it"
        if self.said.get("output") == "inclusive":
            yield "f_reasoning_tokens > f_output_tokens", "reasoning_tokens: more than output_tokens"


def _used(source: Source, plain: str) -> str:
    """SQL for the text ``plain`` in costctl's words and units."""
    if source.values:
        cases = " ".join(f"WHEN {literal(word)} THEN {literal(to)}" for word, to in source.values.items())
        return f"CASE {plain} {cases} ELSE {plain} END"
    if source.unit in _IN_MS:
        ms = f"TRY(TRY_CAST({plain} AS DECIMAL(38, 9)) * {_IN_MS[source.unit]})"
        return f"coalesce(CAST({ms} AS VARCHAR), {plain})"
    return plain
