"""``costctl sql``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from costctl.cli.session import LEDGER, OUTPUT, Session, command
from costctl.cli.values import count

app = typer.Typer()

LIMITS = "Limits"

Statement = Annotated[
    str, typer.Argument(metavar="SELECT", help="One SELECT or EXPLAIN; - reads it from standard input.")
]
Rows = Annotated[
    str,
    typer.Option("--rows", metavar="N", help="Show as many rows at most.", rich_help_panel=LIMITS),
]
Seconds = Annotated[
    str,
    typer.Option("--seconds", metavar="N", help="Stop the query after this time.", rich_help_panel=LIMITS),
]
Memory = Annotated[
    str,
    typer.Option(
        "--memory", metavar="MB", help="Stop the query where it needs more.", rich_help_panel=LIMITS
    ),
]


@command(
    app,
    "sql",
    OUTPUT,
    LEDGER,
    doing="asking the ledger",
    examples="""
costctl sql "SELECT model, sum(cost_usd) AS cost FROM calls GROUP BY model ORDER BY cost DESC"
costctl sql "SELECT path, rows, rejected FROM sources" --format csv
costctl sql - < question.sql
""",
)
def sql(
    session: Session,
    statement: Statement,
    rows: Rows = "100000",
    seconds: Seconds = "60",
    memory: Memory = "1000",
) -> None:
    """Ask the ledger in SQL, which cannot change it.

    The tables are calls, charges, prices, sources and rejects, in DuckDB's dialect. The query runs in a
    process of its own that can neither write nor reach files or the network.
    """
    from costctl.analysis.sql import query

    session.show(
        query(
            session.ledger,
            sys.stdin.buffer.read().decode(errors="replace") if statement == "-" else statement,
            limit_rows=count("--rows", rows, 1000),
            seconds=count("--seconds", seconds, 60),
            memory=count("--memory", memory, 1000),
        )
    )
