"""Floor of a first ingest of OpenAI's usage pages: DuckDB's own typed read of what the ledger keeps of them,
a row a result, into a new database file.

python read_openai_usage.py FILE DATABASE
"""

import sys

import duckdb

file, database = sys.argv[1:]
with duckdb.connect(database) as connection:
    connection.execute(
        """
        CREATE TABLE results AS
        WITH
        buckets AS (
            SELECT unnest(data) AS bucket
            FROM read_json($file, format = 'newline_delimited', columns = {
                data: 'STRUCT(
                    start_time BIGINT, end_time BIGINT,
                    results STRUCT(
                        object VARCHAR, input_tokens BIGINT, input_cached_tokens BIGINT,
                        input_cache_write_tokens BIGINT, output_tokens BIGINT, input_audio_tokens BIGINT,
                        input_cached_audio_tokens BIGINT, output_audio_tokens BIGINT,
                        input_image_tokens BIGINT, input_cached_image_tokens BIGINT,
                        output_image_tokens BIGINT, num_model_requests BIGINT, project_id VARCHAR,
                        user_id VARCHAR, api_key_id VARCHAR, model VARCHAR, batch BOOLEAN,
                        service_tier VARCHAR)[])[]'
            })
        )
        SELECT bucket.start_time, bucket.end_time, unnest(bucket.results) AS result
        FROM buckets
        """,
        {"file": file},
    )
