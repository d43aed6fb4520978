"""Floor of ``costctl report --by team,model``: its measures in one query of a bare DuckDB script.

python report.py LEDGER
"""

import sys

import duckdb

with duckdb.connect(sys.argv[1], read_only=True) as connection:
    rows = connection.execute(
        """
        SELECT
            team, model,
            sum(cost_pico::HUGEINT), sum(requests), sum(input_tokens), sum(cache_read_tokens),
            sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(output_tokens),
            sum(requests) FILTER (success), sum(requests) FILTER (success IS NOT NULL),
            sum(latency_ms * requests) FILTER (latency_ms IS NOT NULL),
            sum(requests) FILTER (latency_ms IS NOT NULL),
            quantile_disc(latency_ms, 0.95),
            sum(requests) FILTER (cache_read_tokens > 0),
            count(*) FILTER (cost_pico IS NULL), min(ts), max(ts)
        FROM calls
        GROUP BY team, model
        ORDER BY 3 DESC, team, model
        """
    ).fetchall()
for row in rows:
    print(*row, sep="\t")
