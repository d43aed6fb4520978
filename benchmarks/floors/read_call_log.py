"""Floor of a first ingest of a call log: DuckDB's own typed read of it, into a new database file.

The types are those of the canonical call: numbers, a time, a truth and, for the free labels, a MAP.

    python read_call_log.py FILE DATABASE
"""

import sys

import duckdb

file, database = sys.argv[1:]
with duckdb.connect(database) as connection:
    connection.execute(
        """
        CREATE TABLE calls AS
        SELECT *
        FROM read_json($file, format = 'newline_delimited', columns = {
            id: 'VARCHAR', timestamp: 'TIMESTAMP', user_id: 'VARCHAR', team_id: 'VARCHAR',
            project_id: 'VARCHAR', agent_id: 'VARCHAR', model: 'VARCHAR', input_tokens: 'BIGINT',
            output_tokens: 'BIGINT', cached_tokens: 'BIGINT', latency_ms: 'BIGINT', success: 'BOOLEAN',
            error_type: 'VARCHAR', tags: 'MAP(VARCHAR, VARCHAR)'
        })
        """,
        {"file": file},
    )
