"""Floor of a simulated cache: one window over a table of accesses to blocks, for the tokens found in it.

python window.py ACCESSES.parquet SECONDS
"""

import sys

import duckdb

file, seconds = sys.argv[1:]
with duckdb.connect() as connection:
    ((tokens,),) = connection.execute(
        """
        SELECT sum(tokens) FILTER (WHERE gap <= $ttl)
        FROM (
            SELECT tokens, timestamp - lag(timestamp) OVER (PARTITION BY hash ORDER BY row) AS gap
            FROM read_parquet($file)
        )
        """,
        {"file": file, "ttl": int(seconds) * 1000},
    ).fetchall()
print(int(tokens))
