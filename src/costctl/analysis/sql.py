"""One SELECT of the user's own over the ledger's tables, in a process that can do nothing else."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING

from costctl.analysis.provenance import stamped
from costctl.analysis.questions import QuestionError
from costctl.analysis.sandbox import Answer, Request
from costctl.ledger import LedgerError
from costctl.report import Cell, Column, Kind, Report

if TYPE_CHECKING:
    from costctl.ledger import Engine, Ledger

LIMIT_ROWS = 100_000
SECONDS = 60.0
MEMORY = 1000

_ANSWERED = "SELECT and EXPLAIN are, over the ledger's own tables; files, settings and network are closed"


def query(
    ledger: Ledger,
    statement: str,
    *,
    limit_rows: int = LIMIT_ROWS,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> Report:
    """The answer of one SELECT or EXPLAIN: its first ``limit_rows`` rows, with a note if there are more.

    It may take ``seconds`` and ``memory`` (MB). Whole numbers become ``count``, other numbers ``number``
    (exact; a float's shortest decimal text), times ISO 8601 text in UTC, all else text. The ledger is held
    as a reader meanwhile. Raises :class:`QuestionError` for a statement that cannot be answered, and
    :class:`LedgerError` where it is stopped at a limit, or for the ledger's own reasons.
    """
    with ledger.reading() as engine:
        request = Request(str(ledger.path), statement, limit_rows, math.ceil(seconds) + 5, memory)
        answer = _run(request, seconds)
        if answer.fault:
            raise _explained(answer, engine, request)
        return stamped(_report(answer, limit_rows), engine)


def _run(request: Request, seconds: float) -> Answer:
    # -P: a module of that name in the current directory is not ours.
    command = [sys.executable, "-P", "-m", "costctl.analysis.sandbox"]
    try:
        done = subprocess.run(
            command, input=json.dumps(asdict(request)), capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise LedgerError(
            f"the query was stopped after {seconds:g} seconds", hint="select less, or allow more time"
        ) from None
    if done.returncode:
        # Where memory runs out in the wrong place, the process ends instead of the query.
        return Answer(fault="ended", message=str(done.returncode))
    return Answer(**json.loads(done.stdout))


def _report(answer: Answer, limit_rows: int) -> Report:
    columns = tuple(Column(name, kind) for name, kind in answer.columns)
    notes: list[str] = []
    if answer.more:
        notes.append(f"only the first {limit_rows:,} rows are shown; there are more")
    rows = [
        tuple(_cell(kind, cell) for (_, kind), cell in zip(answer.columns, row, strict=True))
        for row in answer.rows
    ]
    lost = sum(
        cell is not None and shown is None
        for row, shown_row in zip(answer.rows, rows, strict=True)
        for cell, shown in zip(row, shown_row, strict=True)
    )
    if lost:
        notes.append(f"{lost:,} results that are infinite or no number are shown as unknown")
    return Report("sql", "Query", columns, rows, notes=tuple(notes))


def _cell(kind: Kind, cell: int | str | None) -> Cell:
    if kind != "number" or not isinstance(cell, str):
        return cell
    number = Decimal(cell)
    return number if number.is_finite() else None


def _explained(answer: Answer, engine: Engine, request: Request) -> Exception:
    """What hindered the answer, in our words, or in DuckDB's without the places where it looked."""
    match answer.fault:
        case "several":
            number = int(answer.message)
            return QuestionError(
                f"these are {number} statements" if number else "there is no statement",
                hint="one SELECT is answered at a time",
            )
        case "forbidden" if answer.message == "MULTI":
            return QuestionError("a PIVOT needs its values here", hint="write PIVOT … ON column IN (…)")
        case "forbidden":
            return QuestionError(f"{answer.message} is not answered", hint=_ANSWERED)
        case "PermissionException":
            return QuestionError("the query reaches outside of the ledger", hint=_ANSWERED)
        case "large":
            return LedgerError("the answer is larger than 64 MB", hint="select fewer rows or columns")
        case "ended" | "OutOfMemoryException":
            return LedgerError(
                f"the query was stopped: it needs more than {request.memory} MB of memory",
                hint="select less, or add it up by fewer columns",
            )
    message = " ".join(answer.message.partition("\n\nLINE ")[0].split())
    message = message.partition(" Error: ")[2] or message
    message = message.replace(request.ledger, "the ledger")
    hint = ""
    if answer.fault == "BinderException":
        hint = _known(engine, request.statement)
    elif message.startswith("Table with name"):
        hint = _known(engine)
    return QuestionError(message, hint)


def _known(engine: Engine, statement: str = "") -> str:
    """The columns of the tables that ``statement`` names, or else the tables."""
    tables: dict[str, list[str]] = {}
    for table, column in engine.rows(
        """SELECT table_name, column_name FROM duckdb_columns()
        WHERE NOT internal AND table_name NOT IN ('meta', 'stored_calls', 'allocations')
        ORDER BY table_name, column_index"""
    ):
        tables.setdefault(table, []).append(column)
    named = [table for table in tables if re.search(rf"\b{table}\b", statement, re.IGNORECASE)]
    if not named:
        return f"tables: {', '.join(tables)}"
    return "; ".join(f"columns of {table}: {', '.join(tables[table])}" for table in named)
