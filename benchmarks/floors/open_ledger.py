"""Floor of an ingest that finds nothing new: the imports, and the ledger opened for one small answer.

python open_ledger.py LEDGER
"""

import sys

import duckdb
import rich  # noqa: F401
import typer  # noqa: F401

with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(connection.execute("SELECT 1").fetchall())
