"""A trace of requests with the hashes of their prompts' blocks, and as a table of accesses to blocks.

Conversations of four turns, of 12, 22, 32 and 42 blocks of 512 tokens, each beginning with the one before and
all with the same block; about half of the turns come within five minutes of the one before.

    python cache_trace.py FILE requests|accesses REQUESTS SEED
"""

from __future__ import annotations

import sys
from pathlib import Path

BLOCKS_A_REQUEST = 27
"""The mean of the four turns."""

_REQUESTS = """
SELECT row, row * 3 AS timestamp, blocks * 512 - CAST(hash(row, $seed) % 512 AS BIGINT) AS input_length,
    [0] || list_transform(range(1, blocks), lambda place: conversation * 64 + place) AS hash_ids
FROM (
    SELECT row, 12 + 10 * turn AS blocks,
        (row * [7919, 104729, 1299709, 15485863][turn + 1] + $seed) % $conversations AS conversation
    FROM (SELECT row, row // $conversations AS turn FROM range($requests) AS r(row))
)
"""

_TABLES = {
    "requests": f"SELECT timestamp, input_length, hash_ids FROM ({_REQUESTS}) ORDER BY row",  # noqa: S608
    "accesses": "SELECT row, timestamp, least(512, input_length - 512 * pos) AS tokens, hash FROM ("  # noqa: S608
    "SELECT row, timestamp, input_length, unnest(hash_ids) AS hash, unnest(range(len(hash_ids))) AS pos "
    f"FROM ({_REQUESTS})) ORDER BY row, pos",
}


def write(file: Path, table: str, requests: int, seed: int) -> None:
    """Write ``table``, a key of the tables: requests as JSON lines, accesses as Parquet."""
    import duckdb

    conversations = requests // 4
    form = "json" if table == "requests" else "parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY ({_TABLES[table]}) TO $file (FORMAT {form})",
            {"file": str(file), "seed": seed, "conversations": conversations, "requests": 4 * conversations},
        )


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
