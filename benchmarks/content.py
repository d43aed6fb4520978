"""What a ledger holds, in the words of ``floors/read_transcripts.py``: a work that was not done is not fast.

python content.py LEDGER
"""

import sys

import duckdb

with duckdb.connect(sys.argv[1], read_only=True) as connection:
    rows = connection.execute(
        """
        SELECT
            model, count(*), min(ts), sum(input_tokens), sum(cache_write_5m_tokens),
            coalesce(sum(cache_write_1h_tokens), 0), sum(cache_read_tokens), sum(output_tokens)
        FROM calls
        GROUP BY model
        ORDER BY model
        """
    ).fetchall()
for row in rows:
    print(*row, sep="\t")
