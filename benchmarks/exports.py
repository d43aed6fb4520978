"""Generated exports of nested records: LiteLLM's spend logs, OTLP spans, pages of OpenAI's Usage API.

Every value is a hash of the record's number and the seed, as in call_log.py.

- ``litellm``: one row of the table a line, its metadata an object, about 2,500 bytes.
- ``otlp``: ten model calls and the agent's span around them a line, about 1,380 bytes a call.
- ``openai-usage``: a page a line, of 24 hours with 40 results each, about 420 bytes a result.

    python exports.py FILE KIND RECORDS SEED
"""

from __future__ import annotations

import sys
from pathlib import Path

SPANS_A_LINE = 10
RESULTS_A_BUCKET, BUCKETS_A_PAGE = 40, 24


def _draw(salt: int) -> str:
    return f"hash($seed * 1000000000000 + n * 16 + {salt})"


def _pick(values: str, salt: int) -> str:
    return f"{values}[1 + ({_draw(salt)} % len({values})::UBIGINT)::BIGINT]"


def _number(salt: int, least: int, most: int) -> str:
    """A whole number, more often a small one than a large one."""
    return f"({least} + {most - least} * pow(({_draw(salt)} % 10000) / 10000.0, 3))::BIGINT"


_OPENAI = "['gpt-4o-2024-08-06', 'gpt-4o-mini-2024-07-18', 'gpt-4.1-2025-04-14', 'gpt-4.1-mini-2025-04-14']"
_ANTHROPIC = "['claude-sonnet-4-5-20250929', 'claude-opus-4-1-20250805', 'claude-haiku-4-5-20251001']"

# Every third call is Anthropic's. A second and a half lies between two.
_CALLS = f"""
numbers AS (SELECT range AS n FROM range($records)),
calls AS (
    SELECT
        n,
        n % 3 = 0 AS is_claude,
        CASE WHEN n % 3 = 0 THEN {_pick(_ANTHROPIC, 1)} ELSE {_pick(_OPENAI, 1)} END AS model,
        epoch_us(TIMESTAMP '2025-09-01') + n * 1500000 + ({_draw(2)} % 900000)::BIGINT AS us,
        {_number(3, 24, 40000)} AS input,
        {_number(4, 8, 4000)} AS output,
        {_draw(5)} % 100 AS caching,
        {_draw(6)} % 100 AS luck,
        ({_draw(7)} % 600)::BIGINT AS person,
        ({_draw(8)} % 12)::BIGINT AS team,
        md5(concat_ws('-', n, $seed)) AS m
    FROM numbers
),
counted AS (
    SELECT
        *,
        CASE WHEN caching < 45 THEN 0 ELSE input * caching::BIGINT // 110 END AS cached,
        CASE WHEN is_claude AND caching >= 80 THEN input // 12 ELSE 0 END AS written,
        CASE WHEN NOT is_claude AND caching % 4 = 0 THEN output // 2 ELSE 0 END AS reasoning,
        400 + output * 9 + ({_draw(9)} % 400)::BIGINT AS ms
    FROM calls
)"""  # noqa: S608 (constants of this module)

_ISO = "'%Y-%m-%dT%H:%M:%S.%fZ'"

_LITELLM = f"""
WITH {_CALLS}
SELECT to_json({{
    'request_id': CASE WHEN is_claude THEN 'msg_01' || m[:22] ELSE 'chatcmpl-' || m::UUID END,
    'call_type': 'acompletion',
    'api_key': sha256('key-' || person),
    'spend': (input * 3 + output * 15) / 1e6,
    'total_tokens': input + output,
    'prompt_tokens': input,
    'completion_tokens': output,
    'startTime': strftime(make_timestamp(us), {_ISO}),
    'endTime': strftime(make_timestamp(us + ms * 1000), {_ISO}),
    'completionStartTime': strftime(make_timestamp(us + 400000), {_ISO}),
    'request_duration_ms': ms,
    'model': model,
    'model_id': sha256(model),
    'model_group': model,
    'custom_llm_provider': CASE WHEN is_claude THEN 'anthropic' ELSE 'openai' END,
    'api_base': CASE WHEN is_claude THEN 'https://api.anthropic.com' ELSE 'https://api.openai.com' END,
    'user': printf('user-%04d', person),
    'metadata': {{
        'status': CASE WHEN luck < 2 THEN 'failure' ELSE 'success' END,
        'usage_object': {{
            'prompt_tokens': input, 'completion_tokens': output, 'total_tokens': input + output,
            'prompt_tokens_details': {{
                'text_tokens': NULL, 'audio_tokens': NULL, 'image_tokens': NULL, 'cached_tokens': cached,
                'cache_creation_tokens': written
            }},
            'completion_tokens_details': {{
                'text_tokens': NULL, 'audio_tokens': NULL, 'reasoning_tokens': reasoning
            }},
            'cache_creation_input_tokens': written, 'cache_read_input_tokens': cached
        }},
        'user_api_key': sha256('key-' || person),
        'user_api_key_alias': printf('key-of-user-%04d', person),
        'user_api_key_team_id': md5('team-' || team)::UUID::VARCHAR,
        'user_api_key_team_alias': 'team-' || team,
        'user_api_key_project_id': NULL,
        'user_api_key_org_id': NULL,
        'user_api_key_user_id': printf('user-%04d', person),
        'additional_usage_values': {{'prompt_tokens_details': NULL, 'completion_tokens_details': NULL}},
        'spend_logs_metadata': CASE WHEN luck % 4 = 0 THEN {{'feature': 'feature-' || luck % 10}} END,
        'error_information': CASE WHEN luck < 2 THEN {{
            'error_class': 'RateLimitError', 'error_code': '429', 'llm_provider': 'openai',
            'error_message': 'the organization has sent too many requests in a minute'
        }} END,
        'requester_ip_address': NULL, 'applied_guardrails': [], 'batch_models': NULL,
        'mcp_tool_call_metadata': NULL, 'vector_store_request_metadata': NULL, 'guardrail_information': NULL,
        'model_map_information': {{
            'model_map_key': model,
            'model_map_value': {{
                'key': model, 'max_tokens': 16384, 'max_input_tokens': 128000, 'max_output_tokens': 16384,
                'input_cost_per_token': 3e-06, 'cache_read_input_token_cost': 3e-07,
                'cache_creation_input_token_cost': NULL, 'output_cost_per_token': 1.5e-05, 'mode': 'chat',
                'supports_vision': TRUE, 'supports_function_calling': TRUE, 'supports_prompt_caching': TRUE
            }}
        }}
    }},
    'cache_hit': CASE WHEN luck = 99 THEN 'True' ELSE 'None' END,
    'cache_key': 'Cache OFF',
    'request_tags': ['environment:' || CASE WHEN luck < 80 THEN 'production' ELSE 'staging' END],
    'team_id': md5('team-' || team)::UUID::VARCHAR,
    'organization_id': NULL,
    'end_user': '',
    'requester_ip_address': NULL,
    'messages': '{{}}',
    'response': '{{}}',
    'proxy_server_request': '{{}}',
    'session_id': md5('session-' || n // 7)::UUID::VARCHAR,
    'status': CASE WHEN luck < 2 THEN 'failure' ELSE 'success' END,
    'mcp_namespaced_tool_name': NULL,
    'agent_id': NULL
}})
FROM counted
ORDER BY n"""  # noqa: S608 (constants of this module)


def _text(name: str, value: str) -> str:
    return f"json_object('key', '{name}', 'value', json_object('stringValue', {value}))"


def _integer(name: str, value: str) -> str:
    return f"json_object('key', '{name}', 'value', json_object('intValue', CAST({value} AS VARCHAR)))"


_ATTRIBUTES = ", ".join((
    _text("gen_ai.operation.name", "'chat'"),
    _text("gen_ai.provider.name", "CASE WHEN is_claude THEN 'anthropic' ELSE 'openai' END"),
    _text("gen_ai.request.model", "model"),
    _text("gen_ai.response.model", "model"),
    _text("gen_ai.response.id", "CASE WHEN is_claude THEN 'msg_01' ELSE 'chatcmpl-' END || m[:22]"),
    _text("gen_ai.conversation.id", "'conversation-' || n // 20"),
    _text("gen_ai.output.type", "'text'"),
    _text("server.address", "CASE WHEN is_claude THEN 'api.anthropic.com' ELSE 'api.openai.com' END"),
    _integer("server.port", "443"),
    _integer("gen_ai.request.max_tokens", "4096"),
    _integer("gen_ai.usage.input_tokens", "input"),
    _integer("gen_ai.usage.cache_read.input_tokens", "cached"),
    _integer("gen_ai.usage.cache_creation.input_tokens", "written"),
    _integer("gen_ai.usage.output_tokens", "output"),
    _integer("gen_ai.usage.reasoning.output_tokens", "reasoning"),
))  # fmt: skip

_OTLP = f"""
WITH {_CALLS},
spans AS (
    SELECT
        n // {SPANS_A_LINE} AS line,
        min(us) AS first_us, max(us + ms * 1000) AS last_us, sum(input) AS input,
        list(json_object(
            'traceId', md5('trace-' || n // {SPANS_A_LINE}), 'spanId', m[:16],
            'parentSpanId', md5('agent-' || n // {SPANS_A_LINE})[:16], 'name', 'chat ' || model, 'kind', 3,
            'startTimeUnixNano', CAST(us * 1000 AS VARCHAR),
            'endTimeUnixNano', CAST((us + ms * 1000) * 1000 AS VARCHAR),
            'attributes', json_array({_ATTRIBUTES}),
            'status', CASE WHEN luck < 2 THEN json_object('code', 2) ELSE json_object() END
        ) ORDER BY n) AS calls
    FROM counted
    GROUP BY line
)
SELECT json_object('resourceSpans', json_array(json_object(
    'resource', json_object('attributes', json_array(
        {_text("service.name", "'service-' || line % 7")},
        {_text("deployment.environment.name", "'production'")},
        {_text("host.name", "'host-' || line % 3")},
        {_text("telemetry.sdk.language", "'python'")}
    )),
    'scopeSpans', json_array(json_object(
        'scope', json_object('name', 'opentelemetry.instrumentation.genai', 'version', '2.0'),
        'spans', list_append(calls, json_object(
            'traceId', md5('trace-' || line), 'spanId', md5('agent-' || line)[:16], 'parentSpanId', '',
            'name', 'invoke_agent', 'kind', 1, 'startTimeUnixNano', CAST(first_us * 1000 AS VARCHAR),
            'endTimeUnixNano', CAST(last_us * 1000 AS VARCHAR),
            'attributes', json_array(
                {_text("gen_ai.operation.name", "'invoke_agent'")},
                {_integer("gen_ai.usage.input_tokens", "input")}
            ),
            'status', json_object()
        ))
    ))
)))
FROM spans
ORDER BY line"""  # noqa: S608 (constants of this module)

# Of one hour each result is of another user and key.
_OPENAI_USAGE = f"""
WITH
numbers AS (SELECT range AS n FROM range($records)),
results AS (
    SELECT
        n, n // {RESULTS_A_BUCKET} AS hour, n % {RESULTS_A_BUCKET} AS person,
        {_pick(_OPENAI, 1)} AS model,
        {_number(2, 500, 4_000_000)} AS input,
        {_number(3, 100, 400_000)} AS output,
        {_draw(4)} % 100 AS luck
    FROM numbers
),
buckets AS (
    SELECT
        hour,
        list({{
            'object': 'organization.usage.completions.result',
            'input_tokens': input,
            'output_tokens': output,
            'input_cached_tokens': input * luck::BIGINT // 150,
            'input_uncached_tokens': input - input * luck::BIGINT // 150,
            'input_audio_tokens': 0,
            'output_audio_tokens': 0,
            'num_model_requests': 1 + input // 4000,
            'project_id': 'proj_' || md5('project-' || person % 9)[:24],
            'user_id': 'user-' || md5('user-' || person)[:24],
            'api_key_id': 'key_' || md5('key-' || person)[:16],
            'model': model,
            'batch': luck < 10,
            'service_tier': CASE WHEN luck > 90 THEN 'flex' ELSE 'default' END
        }} ORDER BY n) AS results
    FROM results
    GROUP BY hour
)
SELECT to_json({{
    'object': 'page',
    'data': list({{
        'object': 'bucket',
        'start_time': 1704067200 + hour * 3600,
        'end_time': 1704070800 + hour * 3600,
        'results': results
    }} ORDER BY hour),
    'has_more': TRUE,
    'next_page': 'page_' || md5('page-' || hour // {BUCKETS_A_PAGE})[:24]
}})
FROM buckets
GROUP BY hour // {BUCKETS_A_PAGE}
ORDER BY hour // {BUCKETS_A_PAGE}"""  # noqa: S608 (constants of this module)

KINDS = {"litellm": _LITELLM, "otlp": _OTLP, "openai-usage": _OPENAI_USAGE}


def write(file: Path, kind: str, records: int, seed: int) -> None:
    """Write an export of ``records`` calls or results. ``kind`` is a key of :data:`KINDS`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(
            f"COPY ({KINDS[kind]}) TO $file "
            "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01')",
            {"file": str(file), "records": records, "seed": seed},
        )


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
