"""Floor of a first ingest of OTLP spans: DuckDB's own typed read of what the ledger keeps of them, a row a
span with its attributes as they stand, into a new database file.

python read_otlp.py FILE DATABASE
"""

import sys

import duckdb

file, database = sys.argv[1:]
with duckdb.connect(database) as connection:
    connection.execute(
        """
        CREATE TABLE spans AS
        WITH
        resources AS (
            SELECT unnest(resourceSpans) AS resource
            FROM read_json($file, format = 'newline_delimited', columns = {
                resourceSpans: 'STRUCT(
                    resource STRUCT(
                        attributes STRUCT("key" VARCHAR, "value" STRUCT(stringValue VARCHAR))[]),
                    scopeSpans STRUCT(
                        scope STRUCT(name VARCHAR),
                        spans STRUCT(
                            traceId VARCHAR, spanId VARCHAR, parentSpanId VARCHAR,
                            startTimeUnixNano BIGINT, endTimeUnixNano BIGINT, status STRUCT(code BIGINT),
                            attributes STRUCT("key" VARCHAR, "value" STRUCT(
                                stringValue VARCHAR, intValue BIGINT, doubleValue DOUBLE,
                                boolValue BOOLEAN))[])[])[])[]'
            })
        ),
        scopes AS (
            SELECT resource.resource.attributes AS resource, unnest(resource.scopeSpans) AS scope
            FROM resources
        )
        SELECT resource, scope.scope.name AS scope, unnest(scope.spans) AS span
        FROM scopes
        """,
        {"file": file},
    )
