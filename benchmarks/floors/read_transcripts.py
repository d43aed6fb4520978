"""Floor of a first ingest of transcripts: a typed read of what the ledger keeps of
them, each message once, summed by model.

python read_transcripts.py DIRECTORY
"""

import sys
from pathlib import Path

import duckdb

files = sorted(str(path) for path in Path(sys.argv[1]).rglob("*.jsonl"))
with duckdb.connect() as connection:
    rows = connection.execute(
        """
        WITH
        lines AS (
            SELECT *
            FROM read_json($files, format = 'newline_delimited', maximum_object_size = 67108864, columns = {
                type: 'VARCHAR', timestamp: 'TIMESTAMP', sessionId: 'VARCHAR', uuid: 'VARCHAR',
                cwd: 'VARCHAR', gitBranch: 'VARCHAR', isSidechain: 'BOOLEAN', agentId: 'VARCHAR',
                message: 'STRUCT(id VARCHAR, model VARCHAR, usage STRUCT(
                    input_tokens BIGINT, cache_creation_input_tokens BIGINT, cache_read_input_tokens BIGINT,
                    cache_creation STRUCT(ephemeral_5m_input_tokens BIGINT, ephemeral_1h_input_tokens BIGINT),
                    output_tokens BIGINT, output_tokens_details STRUCT(thinking_tokens BIGINT),
                    server_tool_use STRUCT(web_search_requests BIGINT, web_fetch_requests BIGINT),
                    service_tier VARCHAR, speed VARCHAR, inference_geo VARCHAR))'
            })
            WHERE message.usage.output_tokens IS NOT NULL
        ),
        calls AS (
            SELECT min(timestamp) AS ts, arg_max(lines, message.usage.output_tokens).message AS message
            FROM lines
            GROUP BY message.id
        )
        SELECT
            message.model, count(*), min(ts), sum(message.usage.input_tokens),
            sum(message.usage.cache_creation.ephemeral_5m_input_tokens),
            sum(message.usage.cache_creation.ephemeral_1h_input_tokens),
            sum(message.usage.cache_read_input_tokens), sum(message.usage.output_tokens)
        FROM calls
        GROUP BY message.model
        ORDER BY message.model
        """,
        {"files": files},
    ).fetchall()
for row in rows:
    print(*row, sep="\t")
