"""One SELECT over a ledger, in a process that can do nothing else (`python -P -m costctl.analysis.sandbox`).

A request (:class:`Request`) comes on standard input and an :class:`Answer` goes out on standard output, both
as JSON. The process has limits of memory and time, cannot write a file, and its DuckDB is read-only with
every way to files, network, extensions and settings closed. (Read-only alone would still read and write any
file; the database's memory limit alone does not count single large values.)
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement
    from duckdb.sqltypes import DuckDBPyType

    from costctl.report import Kind

OVERHEAD = 768 * 2**20
"""Bytes of address space that Python and DuckDB take before they hold a single row (most is never used)."""

LARGEST_ANSWER = 64 * 2**20
"""An answer of more characters than this is refused."""

WHOLE = re.compile(r"u?(tiny|small|big|huge)int|u?integer")
NUMBERS = re.compile(r"decimal|float|double|bignum")
MOMENTS = re.compile(r"timestamp(_s|_ms|_ns|_us)?( with time zone)?")


@dataclass(frozen=True, slots=True)
class Request:
    """``memory`` is in MB, ``seconds`` is the longest that the process lives."""

    ledger: str
    statement: str
    limit_rows: int
    seconds: int
    memory: int


@dataclass(frozen=True, slots=True)
class Answer:
    """``columns`` are (name, kind of a report's column); cells are whole numbers, texts or null.

    ``fault`` is set instead if there is no answer: the name of an exception class of DuckDB, or ``several``
    (statements), ``forbidden`` (kind of statement) or ``large`` (answer); ``message`` says more.
    """

    columns: list[tuple[str, Kind]] = field(default_factory=list)
    rows: list[list[int | str | None]] = field(default_factory=list)
    more: bool = False
    """There are rows beyond the limit."""
    fault: str = ""
    message: str = ""


def main() -> None:
    request = Request(**json.load(sys.stdin))
    _confine(request)
    text = json.dumps(asdict(_answer(request)))
    if len(text) > LARGEST_ANSWER:
        text = json.dumps(asdict(Answer(fault="large")))
    print(text)


def _confine(request: Request) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(request.seconds)
    for limit, value in (
        (resource.RLIMIT_AS, OVERHEAD + request.memory * 2**20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):  # not every system has every limit
            resource.setrlimit(limit, (value, value))


def _answer(request: Request) -> Answer:
    import duckdb

    try:
        with _locked_down(request) as connection:
            statements = connection.extract_statements(request.statement)
            if len(statements) != 1:
                return Answer(fault="several", message=str(len(statements)))
            kind = _kind(statements[0])
            if kind not in ("SELECT", "EXPLAIN"):
                return Answer(fault="forbidden", message=kind)
            return _result(connection, _unended(statements[0].query), request.limit_rows)
    except duckdb.Error as error:
        return Answer(fault=type(error).__name__, message=str(error))
    except MemoryError:
        return Answer(fault=duckdb.OutOfMemoryException.__name__)


def _locked_down(request: Request) -> DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(
        f"duckdb:{request.ledger}",
        read_only=True,
        config={
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "allow_unsigned_extensions": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "max_temp_directory_size": "0B",
            "memory_limit": f"{request.memory}MB",
            "python_enable_replacements": False,
            "temp_directory": "",
            "threads": 2,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _kind(statement: Statement) -> str:
    try:
        return statement.type.name
    except ValueError:  # newer kinds that the Python client has no name for
        return "this kind of statement"


def _unended(statement: str) -> str:
    """The statement up to its semicolon, which a relation may not have where a comment follows."""
    import duckdb

    text = statement.encode()
    for start, kind in duckdb.tokenize(statement):
        if kind == duckdb.token_type.operator and text[start : start + 1] == b";":
            return text[:start].decode()
    return statement


def _result(connection: DuckDBPyConnection, statement: str, limit_rows: int) -> Answer:
    relation = connection.sql(statement)
    shown = [_shown(number, kind) for number, kind in enumerate(relation.types, start=1)]
    columns = list(zip(_distinct(relation.columns), (kind for kind, _ in shown), strict=True))
    texts = relation.project(", ".join(expression for _, expression in shown))
    fetched: list[tuple[Any, ...]] = texts.limit(limit_rows + 1).fetchall()
    rows = [
        [_moment(cell) if kind == "time" else cell for (kind, _), cell in zip(shown, row, strict=True)]
        for row in fetched[:limit_rows]
    ]
    return Answer(columns, rows, more=len(fetched) > limit_rows)


def _shown(number: int, kind: DuckDBPyType) -> tuple[Kind, str]:
    """The report's kind of the column ``number``, and SQL for its cells as JSON can hold them exactly."""
    if WHOLE.fullmatch(kind.id):
        return "count", f"#{number}"
    text = f"CAST(#{number} AS VARCHAR)"
    if NUMBERS.fullmatch(kind.id):
        return "number", text
    if kind.id == "timestamp with time zone":
        return "time", f"CAST(CAST(#{number} AS TIMESTAMP) AS VARCHAR)"
    return "time" if kind.id == "date" or MOMENTS.fullmatch(kind.id) else "text", text


def _moment(text: str | None) -> str | None:
    """A timestamp in ISO 8601 (UTC); dates and infinity are as they are."""
    if text is None or not re.match(r"\d{4,}-\d\d-\d\d \d", text):
        return text
    return text.replace(" ", "T", 1) + "+00:00"


def _distinct(names: list[str]) -> list[str]:
    """The names, later ones of two equal with a number."""
    found: list[str] = []
    for name in names:
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name}_{number}", number + 1
        found.append(unique)
    return found


if __name__ == "__main__":
    main()
