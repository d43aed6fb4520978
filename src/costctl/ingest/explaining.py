"""`ingest --explain`: how a file would be read, told by its first records. No ledger is touched."""

from __future__ import annotations

import errno
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costctl.formats import FORMATS, Format, Sample, claims, secrets
from costctl.formats.described import GIVEN, Made, in_words, made, nearest, noted, paths, word_of
from costctl.ingest import lines, plan, rejected, task
from costctl.ingest.discover import STREAM, discover
from costctl.ingest.insert import insert_each
from costctl.ingest.lines import Reading
from costctl.ingest.merge import is_ledger
from costctl.ingest.plan import File, Skipped
from costctl.ingest.prices import name_prices
from costctl.ingest.relation import Relation, filled, raw_rows, set_zone
from costctl.ingest.sources import Given
from costctl.ingest.task import Task
from costctl.ledger import Ledger
from costctl.money import usd
from costctl.pricing.book import PriceBook
from costctl.records import BY_NAME
from costctl.report import Cell, Column, Report

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINES = 1000
"""Of a file on lines, the first ones are looked at; of any other, all of it."""
_BYTES = 64 * 2**20
SAMPLES = 3
_REJECTS = 5
_NEAR = 6
_LONGEST = 120
"""Characters of a value that are shown."""

_PRICE = """(
    SELECT concat_ws(', ', provider || '/' || model, mode, region, source) FROM prices
    WHERE prices.price_id = calls.price_id
)"""

_FILLED = {"team": "team", "project": "project", "user_id": "user", "agent": "agent", "billing": "billing"}
"""Columns that flags fill, and their flags."""


@dataclass(slots=True)
class _Seen:
    """What the first records came to."""

    samples: list[dict[str, str]] = field(default_factory=list)
    """Of each sample the canonical values by column, with ``cost`` and ``price``."""
    lines: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    records: int = 0
    good: int = 0
    no_calls: int = 0
    rejects: list[tuple[int, str]] = field(default_factory=list)


def explain(path: str, given: Given, book: PriceBook) -> Report:
    """How the file ``path`` (or ``-``, standard input) would be read with the flags ``given``.

    A row is a canonical column: the file's fields that it is made of, the rule in SQL, and its value in
    three sample calls; then their cost and price. Figures are the format and why, and each sample's own text,
    as far as it is read at all. Names are shown as the file has them, whatever is to become a pseudonym.
    Raises :class:`OSError` for a file that cannot be read.
    """
    given = replace(given, pseudonymize=())
    if path != str(STREAM) and Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, "a directory; --explain is of one file", path)
    with tempfile.TemporaryDirectory(prefix="costctl-explain-") as directory:
        spill = Path(directory) / "ledger.spill" / "reading"
        discovery = discover([path], ())
        for name, why in discovery.failed:
            raise FileNotFoundError(errno.ENOENT, why, name)
        (file,) = plan.files(discovery, given, spill)
        return _Explanation(file, book, Path(directory), spill).report()


class _Explanation:
    def __init__(self, file: File, book: PriceBook, directory: Path, spill: Path) -> None:
        self.file = file
        self.book = book
        self.directory = directory
        self.spill = spill
        self.notes: list[str] = []

    def report(self) -> Report:
        if is_ledger(self.file.path):
            return self._report(
                None, "a DuckDB file: `costctl ingest` merges another costctl ledger", _Seen()
            )
        left_out = Skipped()
        found = task.task_of(self.file, None, "new", left_out)
        if found is None:
            (_, why), *_ = left_out.failed + left_out.skipped
            return self._report(None, why.partition(": `costctl ingest --explain`")[0], _Seen())
        seen = self._seen(self._beginning(found))
        return self._report(found, self._why(found), seen)

    # --- which format --------------------------------------------------------------------------------------

    def _why(self, found: Task) -> str:
        if self.file.given.map:
            return "--map says so"
        if self.file.given.format:
            return "--as says so"
        sampled, _ = lines.sample(self.file.path, found.packing)
        told = claims(sampled) or claims(lines.sample_of_short_lines(self.file.path, found.packing))
        return told.get(found.format.name, "")

    def _unclaimed(self) -> Iterator[str]:
        """What is near where no format claims the file, or more than one does."""
        sampled, head = lines.sample(self.file.path, lines.packing_of(self.file.path))
        told = claims(sampled)
        for name, why in told.items():
            yield f"{name} claims it: {why}"
        if told or not (head or sampled.names):
            return
        near = nearest(sampled, FORMATS.values())
        for each in near:
            if each.why:
                shapes = " or ".join(each.format.shapes)
                yield f"{each.format.name} would claim it ({each.why}), were it {shapes}, not {sampled.shape}"
            else:
                names = ", ".join(each.shared[:_NEAR])
                more = f" and {len(each.shared) - _NEAR} more" if len(each.shared) > _NEAR else ""
                yield f"near is {each.format.name} ({each.format.title}): the file has {names}{more}"
        if not near:
            yield f"its names are those of no format: {', '.join(_names(sampled)) or 'none'}"
        yield "with a mapping it can be read all the same: --map mapping.yaml"

    # --- what becomes of it --------------------------------------------------------------------------------

    def _beginning(self, found: Task) -> Task:
        """The same of the file's first lines, where it has lines."""
        if found.shape not in ("jsonl", "csv"):
            return found
        target, size = lines.temporary(self.spill), 0
        count = 0
        with lines.unpacked(self.file.path, found.packing) as stream, open(target, "wb") as copy:
            try:
                for line in lines.split_lines(stream):
                    if count == LINES or size > _BYTES:
                        self.notes.append(f"these are the file's first {count:,} lines")
                        break
                    count, size = count + 1, size + len(line)
                    copy.write(line)
            except EOFError as error:
                self.notes.append(f"line {count + 1:,}: {error}")
        file = replace(self.file, path=target, status=target.stat())
        return replace(found, file=file, packing="none")

    def _seen(self, found: Task) -> _Seen:
        import duckdb

        seen = _Seen()
        reading = task.read(found, self.spill)
        with Ledger(self.directory / "ledger.duckdb").writing() as connection:
            try:
                self._judge(connection, found.format, reading)
            except duckdb.Error as error:
                if found.shape not in ("jsonl", "csv"):
                    self.notes.append(f"it cannot be read: {str(error).partition(chr(10))[0]}")
                    return seen
                reading = lines.rewritten(reading, self.spill)
                self._judge(connection, found.format, reading)
            self._count(connection, found.format, reading, seen)
            self._sample(connection, found.format, reading, seen)
        return seen

    def _judge(self, connection: DuckDBPyConnection, format: Format, reading: Reading) -> None:
        """The table ``seen`` of the format's rows, numbered; ``judged`` of what they come to."""
        set_zone(connection, self.file.given)
        raw = raw_rows(format, [(0, reading)], self.file.given, numbered=True)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE seen AS {raw.sql} "
            "SELECT rows.* REPLACE (row_number() OVER (ORDER BY rows.line) AS line), "
            f"rows.line AS place_in_file FROM {format.rows} AS rows",
            dict(raw.parameters),
        )
        over = replace(format, rows="seen")
        relation = filled(over, self.file.given, Relation(over.select(), {}))
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE judged AS {relation.sql}", dict(relation.parameters)
        )

    def _count(self, connection: DuckDBPyConnection, format: Format, reading: Reading, seen: _Seen) -> None:
        (seen.records,) = connection.execute("SELECT count(DISTINCT place_in_file) FROM seen").fetchone() or (
            0,
        )
        (seen.good,) = connection.execute("SELECT count(*) FROM judged WHERE reason IS NULL").fetchone() or (
            0,
        )
        (seen.no_calls,) = connection.execute(
            "SELECT count(DISTINCT place_in_file) FROM seen WHERE place_in_file NOT IN "
            "(SELECT place_in_file FROM judged JOIN seen USING (line))"
        ).fetchone() or (0,)
        self.notes += _silent(connection, format) if format.whole and seen.records else ()
        bad = rejected.rejects(connection, format, 0, reading, self.file.given, bad_rows=True)
        seen.rejects = sorted((line, reason) for line, reason, _ in bad)

    def _sample(self, connection: DuckDBPyConnection, format: Format, reading: Reading, seen: _Seen) -> None:
        rows = connection.execute(
            "SELECT judged.line, place_in_file FROM judged JOIN seen USING (line) WHERE reason IS NULL "
            f"ORDER BY judged.line LIMIT {SAMPLES}"
        ).fetchall()
        numbers = self._physical(reading, [place for _, place in rows])
        seen.lines = [numbers[place] for _, place in rows]
        seen.raw = [self._raw(connection, format, line) for line, _ in rows]
        if format.yields == "charges":
            seen.samples = self._values(connection, format, "judged", [line for line, _ in rows])
            return
        sampled = (
            "SELECT * REPLACE (CAST(line AS INTEGER) AS source_id) FROM judged "
            f"WHERE reason IS NULL AND line <= {max((line for line, _ in rows), default=0)}"
        )
        names = connection.execute(f"SELECT DISTINCT provider, model FROM ({sampled})").fetchall()
        name_prices(connection, self.book, names)
        insert_each(connection, Relation(sampled, {}))
        seen.samples = self._values(connection, format, "calls", [line for line, _ in rows])

    def _physical(self, reading: Reading, places: Sequence[int]) -> Mapping[int, int]:
        """The line of each record that is wanted; of a file that is not on lines, its number."""
        if reading.shape != "jsonl":
            return {place: place for place in places}
        wanted = set(places)
        last = max(wanted, default=0)
        found = {}
        for place, (number, _) in enumerate(lines.numbered(reading), start=1):
            if place > last:
                break
            if place in wanted:
                found[place] = number
        return found

    def _raw(self, connection: DuckDBPyConnection, format: Format, line: int) -> str:
        """What of a record is read, as JSON. Of what holds more than a value, only that it is there."""
        found: dict[str, str] = {}
        parts = {part: each.column for each in made(format) for part in each.parts if part not in GIVEN}
        for part in (*paths(format.id), *format.words):
            parts.setdefault(part, "")
        for part, column in parts.items():
            word = word_of(format, part)
            if word and (value := _value(connection, part, line, column, is_mapped=format.whole)):
                found[word] = value
        return json.dumps(found, ensure_ascii=False)

    def _values(
        self, connection: DuckDBPyConnection, format: Format, relation: str, wanted: Sequence[int]
    ) -> list[dict[str, str]]:
        key = "source_id" if relation == "calls" else "line"
        columns = [_as_text(name, kind) for name, kind in format.canonical]
        names = [name for name, _ in format.canonical]
        more = "CAST(NULL AS BIGINT), NULL, NULL"
        if relation == "calls":
            more = f"cost_pico, unpriced_reason, {_PRICE}"
        result = []
        for line in wanted:
            row = connection.execute(
                f"SELECT {more}, {', '.join(columns)} FROM {relation} WHERE {key} = ?", [line]
            ).fetchone()
            if row is None:
                continue
            cost, unpriced, source, *values = row
            sample = {
                name: str(value) for name, value in zip(names, values, strict=True) if value is not None
            }
            for column in ("reported_cost_pico", "amount_pico"):
                if column in sample:
                    sample[column] = f"{usd(int(sample[column])):f}"
            if cost is not None:
                sample["cost"] = f"{usd(cost):f}"
            if price := unpriced or source:
                sample["price"] = price
            result.append(sample)
        return result

    # --- the report ----------------------------------------------------------------------------------------

    def _report(self, found: Task | None, why: str, seen: _Seen) -> Report:
        format = found.format if found else None
        if found is None and not is_ledger(self.file.path):
            self.notes += self._unclaimed()
        place = "line" if found is None or found.shape in ("jsonl", "csv") else "record"
        self.notes += _of_rejects(seen, place)
        figures: list[tuple[Column, Cell]] = [
            (Column("claimed_by", "text", title="format"), format.name if format else None),
            (Column("why", "text"), why),
            (Column("shape", "text"), found.shape if found else None),
            (Column("records", "count"), seen.records),
            (Column("good", "count"), seen.good),
            (Column("rejected", "count"), len(seen.rejects)),
            (Column("no_calls", "count", title="are no calls"), seen.no_calls),
        ]
        samples = []
        for number in range(SAMPLES):
            line = seen.lines[number] if number < len(seen.lines) else None
            if line:
                samples.append(Column(f"sample_{number + 1}", "text"))
                figures.append(
                    (Column(f"raw_{number + 1}", "text", title=f"sample {number + 1}"), seen.raw[number])
                )
        return Report(
            command="ingest",
            title=f"How {self.file.name} is read",
            columns=(
                Column("column", "text"),
                Column("from", "text"),
                Column("rule", "text", wide=True),
                *samples,
            ),
            rows=[(place, "", None, *map(str, seen.lines)), *self._rows(format, seen)] if format else [],
            price_books=self.book.identifiers,
            notes=tuple(self.notes),
            figures={column.name: value for column, value in figures},
            figure_columns=tuple(column for column, _ in figures),
        )

    def _rows(self, format: Format, seen: _Seen) -> Iterator[tuple[Cell, ...]]:
        for each in made(format):
            rule = in_words(format, each.rule) or None
            yield self._row(each.column, self._origin(format, each), rule, seen)
        if format.yields == "calls":
            yield self._row("cost", "the price book", None, seen)
            yield self._row("price", "the price book", None, seen)

    def _row(self, column: str, origin: str, rule: str | None, seen: _Seen) -> tuple[Cell, ...]:
        known = BY_NAME.get(column)
        name = known.public if known else column
        return (name.removesuffix("_pico"), origin, rule, *(each.get(column) for each in seen.samples))

    def _origin(self, format: Format, each: Made) -> str:
        given = self.file.given
        words = [noted(format, part) for part in each.parts if part not in GIVEN]
        words += [flag for part, flag in GIVEN.items() if part in each.parts and getattr(given, flag[2:])]
        if (flag := _FILLED.get(each.column)) and getattr(given, flag):
            words.append(f"--{flag}")
        if each.column == "tags" and given.tags:
            words.append("--tag")
        if words:
            return ", ".join(dict.fromkeys(words))
        return "always so" if each.rule or each.column in format.usual else "not stated"


def _of_rejects(seen: _Seen, place: str) -> Iterator[str]:
    for line, reason in seen.rejects[:_REJECTS]:
        yield f"{place} {line:,} is rejected: {reason}"
    if len(seen.rejects) > _REJECTS:
        yield f"{len(seen.rejects) - _REJECTS:,} more are rejected"


def _silent(connection: DuckDBPyConnection, format: Format) -> Iterator[str]:
    """The fields of a mapping that are in no record: their names may be misspelt."""
    for name, words in format.words.items():
        if words and name.startswith("raw_"):
            (told,) = connection.execute(f"SELECT count({name}) FROM seen").fetchone() or (0,)
            if not told:
                column = re.sub(r"_\d+$", "", name.removeprefix("raw_"))
                yield f"{words}, named for {column}, says nothing in any record"


def _names(sampled: Sample) -> list[str]:
    return list(sampled.names or dict.fromkeys(name for each in sampled.objects for name in each))[:20]


def _value(connection: DuckDBPyConnection, part: str, line: int, column: str, is_mapped: bool) -> str:
    """A part of a row as text; "" where it says nothing, or is no part of it at all but a word of SQL."""
    import duckdb

    text = f"CAST({part} AS VARCHAR)"
    text = secrets.api_key(text) if column == "api_key" else secrets.label(text)
    try:
        row: tuple[Any, ...] | None = connection.execute(
            f"SELECT typeof({part}), {text} FROM seen WHERE line = ?", [line]
        ).fetchone()
    except duckdb.Error:
        return ""
    kind, value = row or ("", None)
    if value is None:
        return ""
    holds_more = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "JSON"))
    if holds_more or (value.startswith(("{", "[")) and not is_mapped):
        return "…"
    return str(value) if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"


def _as_text(name: str, kind: str) -> str:
    if name == "tags":
        return "tags_json"
    if kind == "TIMESTAMP":
        return f"CAST({name} AS VARCHAR) || 'Z'"
    return f"CAST(to_json({name}) AS VARCHAR)" if kind.startswith("MAP") else f"CAST({name} AS VARCHAR)"
