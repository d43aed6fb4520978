"""Floor of a first ingest of LiteLLM's spend logs: DuckDB's own typed read of what the ledger keeps of them,
nested as it stands, into a new database file.

python read_litellm.py FILE DATABASE
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
            request_id: 'VARCHAR', call_type: 'VARCHAR', api_key: 'VARCHAR', spend: 'DECIMAL(18, 12)',
            total_tokens: 'BIGINT', prompt_tokens: 'BIGINT', completion_tokens: 'BIGINT',
            startTime: 'TIMESTAMP', endTime: 'TIMESTAMP', request_duration_ms: 'BIGINT', model: 'VARCHAR',
            custom_llm_provider: 'VARCHAR', user: 'VARCHAR', team_id: 'VARCHAR', organization_id: 'VARCHAR',
            end_user: 'VARCHAR', agent_id: 'VARCHAR', session_id: 'VARCHAR', cache_hit: 'VARCHAR',
            request_tags: 'VARCHAR[]', status: 'VARCHAR',
            metadata: 'STRUCT(
                user_api_key_alias VARCHAR, user_api_key_team_id VARCHAR, user_api_key_team_alias VARCHAR,
                user_api_key_project_id VARCHAR, user_api_key_user_id VARCHAR, user_api_key_org_id VARCHAR,
                spend_logs_metadata MAP(VARCHAR, VARCHAR),
                error_information STRUCT(error_class VARCHAR, error_code VARCHAR),
                usage_object STRUCT(
                    prompt_tokens BIGINT, completion_tokens BIGINT, total_tokens BIGINT,
                    cache_creation_input_tokens BIGINT, cache_read_input_tokens BIGINT,
                    service_tier VARCHAR, speed VARCHAR, inference_geo VARCHAR,
                    prompt_tokens_details STRUCT(
                        cached_tokens BIGINT, cache_creation_tokens BIGINT, audio_tokens BIGINT),
                    completion_tokens_details STRUCT(reasoning_tokens BIGINT, audio_tokens BIGINT)))'
        })
        """,
        {"file": file},
    )
