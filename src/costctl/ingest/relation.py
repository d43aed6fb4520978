"""Files as a relation of judged rows: raw text in, canonical calls or reasons out."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costctl.formats import CANONICAL, Format
from costctl.formats.quoting import identifier, literal
from costctl.formats.wrapper import struct
from costctl.ingest.lines import LONGEST_LINE, Reading
from costctl.ingest.pseudonyms import replaced
from costctl.ingest.sources import Given

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MOST_BYTES = LONGEST_LINE // 2 + 4096
"""DuckDB's reader has buffers of twice that, and takes a line that fills one."""

_LAYOUTS = {"jsonl": "newline_delimited", "array": "array", "document": "unstructured"}
"""DuckDB's names of the shapes."""

_WHOLE = "records = 'false', "
"""Has the reader give each JSON value whole, rather than by its members."""

_LEAST_BYTES, _USUAL_BYTES = 2**20, 2**24
"""How long lines are thought to be, at most, until one is longer. Buffers are twice as large: small ones are
faster, and give each thread a part of a small file. The greater is DuckDB's default."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A SELECT with the parameters that it binds by name. Its columns are source_id, line, id, content,
    reason, extra and the canonical ones; ``reason`` is NULL for a good row."""

    sql: str
    parameters: Mapping[str, Any]


_MORE_MEMORY = "600MB"
"""DuckDB's limit where that of other writing would make it spill, or fail."""


def take_memory(connection: DuckDBPyConnection) -> None:
    """Let DuckDB have more memory until the connection is closed: for a reader that goes on after bad lines,
    each thread of which has a buffer of 64 MB, and where much is held at once."""
    connection.execute(f"SET memory_limit = '{_MORE_MEMORY}'")


def set_zone(connection: DuckDBPyConnection, given: Given) -> None:
    """Have times without a zone read as the flags say, UTC where they do not."""
    zone = (given.zone or "UTC").replace("'", "''")
    connection.execute(f"SET TimeZone = '{zone}'")


def name_type(connection: DuckDBPyConnection, format: Format) -> None:
    """Name the type of a format's records, which the relation of several files asks for.

    DuckDB parses the types of all columns again for each file: of a thousand small files that took longer
    than reading them.
    """
    if not format.whole:
        connection.execute(f"CREATE OR REPLACE TEMP TYPE {_type_name(format)} AS {struct(format.raw)}")


def _type_name(format: Format) -> str:
    return f"raw_{format.name.replace('-', '_')}"


def judged(
    format: Format, readings: Sequence[tuple[int, Reading]], given: Given, numbered: bool = False
) -> Relation:
    """The rows of some files of one format, shape and packing, each with the id of its source. Of several
    files the type of the records must have its name (:func:`name_type`).

    ``numbered``: ``line`` counts the rows of the raw file, from 1; only one file may then be read, and it
    takes a quarter longer. Else ``line`` is NULL, but of a format in order.
    """
    raw = raw_rows(format, readings, given, numbered)
    return filled(format, given, Relation(f"{raw.sql}\n{format.select()}", raw.parameters))


def filled(format: Format, given: Given, judged: Relation) -> Relation:
    """The rows of a format's SELECT, names as pseudonyms, with what flags say where a row does not."""
    parameters = dict(judged.parameters)
    values = _filled(given, {name for name, _ in format.canonical}, parameters)
    return Relation(f"SELECT * {values} FROM (\n{judged.sql}\n)", parameters) if values else judged


def call_names(format: Format, readings: Sequence[tuple[int, Reading]], given: Given) -> Relation:
    """The providers and models of some files' calls, the bad ones' too."""
    raw = raw_rows(format, readings, given)
    return Relation(f"{raw.sql}\n{format.names()}", raw.parameters)


def raw_rows(
    format: Format, readings: Sequence[tuple[int, Reading]], given: Given, numbered: bool = False
) -> Relation:
    """The beginning of a statement: the relation ``raw`` that a format's SELECT is over."""
    shape = readings[0][1].shape
    line = "row_number() OVER ()" if numbered or format.in_order else "CAST(NULL AS BIGINT)"
    time = "CAST($time AS VARCHAR)" if given.time else "CAST(NULL AS VARCHAR)"
    model = "CAST($model AS VARCHAR)" if given.model else "CAST(NULL AS VARCHAR)"
    if shape == "parquet":
        assert len(readings) == 1  # their columns may differ
        source, line = "CAST($sources AS INTEGER[])[1]", "file_row_number + 1" if numbered else line
        columns = _parquet_columns(format, readings[0][1].path)
        if format.whole:
            columns = _parquet_record(readings[0][1].path)
        reader = "read_parquet($files, file_row_number = TRUE, hive_partitioning = FALSE)"
    else:
        source = "CAST($sources AS INTEGER[])[CAST(file_index AS BIGINT) + 1]"
        record = len(readings) > 1 and not format.whole
        if record:
            columns = ", ".join(f"record.{identifier(name)}" for name in format.raw)
            types = f"'record': '{_type_name(format)}'"
        else:
            columns = ", ".join(identifier(name) for name in format.raw)
            types = ", ".join(f"'{name}': '{kind}'" for name, kind in format.raw.items())
        most = _usual_bytes(readings)
        goes_on = numbered or any(reading.goes_on for _, reading in readings)
        if shape == "document":
            most = max(most, *(reading.path.stat().st_size + _LEAST_BYTES for _, reading in readings))
        reader = (
            f"read_json($files, format = '{_LAYOUTS[shape]}', "
            f"ignore_errors = {goes_on and shape == 'jsonl'}, "
            # By its bytes, not its name; and a directory "team=search" is a directory.
            f"compression = '{readings[0][1].packing}', hive_partitioning = FALSE, "
            f"{_WHOLE if record or format.whole else ''}"
            f"maximum_object_size = {max(_MOST_BYTES, most) if goes_on else most}, columns = {{{types}}})"
        )
    parameters: dict[str, Any] = {
        "files": [_literal(reading.path) for _, reading in readings],
        "sources": [source_id for source_id, _ in readings],
    }
    if given.time:
        parameters["time"] = given.time
    if given.model:
        parameters["model"] = given.model
    sql = f"""WITH raw AS (
    SELECT {source} AS source_id, {line} AS line, {time} AS given_time, {model} AS given_model,
        {columns}
    FROM {reader}
)"""
    return Relation(sql, parameters)


def _usual_bytes(readings: Sequence[tuple[int, Reading]]) -> int:
    size = sum(reading.read_to - reading.start for _, reading in readings)
    return min(max(size // 16, _LEAST_BYTES), _USUAL_BYTES)


def _filled(given: Given, columns: Collection[str], parameters: dict[str, Any]) -> str:
    """The REPLACE list by which names become pseudonyms, and flags fill what a row does not say; a row's own
    tags go before given ones."""
    own = {column: column for column in columns}
    if given.pseudonymize:
        own |= replaced(given.pseudonymize, columns, parameters)
    values = {column: value for column, value in own.items() if value != column}
    for flag, column in (
        ("team", "team"),
        ("project", "project"),
        ("user", "user_id"),
        ("agent", "agent"),
    ):
        if column in columns and (value := getattr(given, flag)):
            parameters[flag] = value
            values[column] = f"coalesce({own[column]}, CAST(${flag} AS VARCHAR))"
    if "billing" in columns and given.billing:
        parameters["billing"] = given.billing
        values["billing"] = "CAST($billing AS VARCHAR)"
    if "tags" in columns and given.tags:
        parameters["tags"] = json.dumps(
            dict(sorted(given.tags.items())), ensure_ascii=False, separators=(",", ":")
        )
        # The inner patch takes out what is null: it would take away the given tag of that name.
        values["tags"] = (
            "CASE WHEN tags IS NULL THEN CAST($tags AS VARCHAR) WHEN reason IS NULL THEN "
            "CAST(json_merge_patch(CAST($tags AS VARCHAR), "
            f"json_merge_patch('{{}}', {own['tags']})) AS VARCHAR) END"
        )
    listed = ", ".join(f"{value} AS {column}" for column, value in values.items())
    return f"REPLACE ({listed})" if listed else ""


def _parquet_columns(format: Format, path: Path) -> str:
    """The raw columns as text, NULL where the file lacks them."""
    import pyarrow.parquet
    import pyarrow.types

    types = {each.name: each.type for each in pyarrow.parquet.read_schema(path)}
    columns = []
    for name in format.raw:
        if (kind := types.get(name)) is None:
            text = "CAST(NULL AS VARCHAR)"
        elif pyarrow.types.is_nested(kind):
            text = f"CAST(to_json({identifier(name)}) AS VARCHAR)"
        else:
            text = _parquet_text(name, kind)
        columns.append(f"{text} AS {identifier(name)}")
    return ", ".join(columns)


def _parquet_record(path: Path) -> str:
    """All columns as one JSON object: the flat ones as text."""
    import pyarrow.parquet
    import pyarrow.types

    members = [
        f"{literal(each.name)}, "
        + (
            f"to_json({identifier(each.name)})"
            if pyarrow.types.is_nested(each.type)
            else _parquet_text(each.name, each.type)
        )
        for each in pyarrow.parquet.read_schema(path)
        if each.name
    ]
    return f"json_object({', '.join(members)}) AS record"


def _parquet_text(name: str, kind: Any) -> str:
    """A flat column as text; ``kind`` is its type in Arrow."""
    import pyarrow.types

    quoted = identifier(name)
    if pyarrow.types.is_timestamp(kind) and kind.tz:
        # The same text whatever the session's zone: it is part of the call's identity.
        return f"CAST({quoted} AT TIME ZONE 'UTC' AS VARCHAR) || '+00'"
    if pyarrow.types.is_floating(kind):
        # Whole numbers among unknown ones are often kept as floats.
        whole = f"{quoted} = trunc({quoted}) AND abs({quoted}) < 1e15"
        return (
            f"CASE WHEN {whole} THEN CAST(TRY_CAST({quoted} AS BIGINT) AS VARCHAR) "
            f"WHEN NOT isnan({quoted}) THEN CAST({quoted} AS VARCHAR) END"
        )
    return f"CAST({quoted} AS VARCHAR)"


def _literal(path: Path) -> str:
    """``path`` as DuckDB takes it: it reads every path as a glob."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))


COLUMNS = tuple(name for name, _ in CANONICAL)
"""The canonical columns of a judged row, in order."""
