"""``sql`` answers SELECTs exactly, and can do nothing else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pytest

from costctl.analysis.questions import QuestionError
from costctl.analysis.sandbox import Request
from costctl.analysis.sql import query
from costctl.ledger import Ledger, LedgerError, LedgerMissing

ENDLESS = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a ledger of three calls in ``home``, and files that are none of its business."""
    place = tmp_path_factory.mktemp("sql")
    (place / "home").mkdir()
    (place / "a.csv").write_text("secret\ncanary\n")
    (place / "a.json").write_text('{"secret": "canary"}\n')
    with Ledger(place / "home" / "ledger.duckdb").writing() as connection:
        connection.execute(
            """INSERT INTO stored_calls (ts, model, team, requests, success, tags, cost_pico) VALUES
            ('2024-10-01 00:00:00', 'claude', 'search', 1, true, '{"env": "prod"}', 9223372036854775807),
            ('2024-10-01 12:30:00.000001', 'claude', 'chat', 2, false, NULL, 9223372036854775807),
            ('2024-10-02 00:00:00', 'o3', NULL, NULL, NULL, NULL, NULL)"""
        )
        connection.execute("INSERT INTO meta VALUES ('last_commit', '2024-10-03T00:00:00+00:00')")
    import duckdb

    with duckdb.connect(str(place / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'canary' AS secret")
    return place


@pytest.fixture
def ledger(place: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.chdir(place)
    return Ledger(place / "home" / "ledger.duckdb")


def contents(place: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in place.rglob("*") if path.is_file() and path.suffix != ".lock"
    }


def answer(ledger: Ledger, statement: str) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
    report = query(ledger, statement)
    return [(column.name, column.kind) for column in report.columns], list(report.rows)


def test_numbers_are_exact_whatever_their_size(ledger: Ledger) -> None:
    columns, rows = answer(
        ledger,
        """SELECT team, sum(requests) AS requests, sum(cost_pico) AS cost_pico, max(cost_usd) AS cost_usd
        FROM calls GROUP BY ALL ORDER BY team NULLS LAST""",
    )
    assert columns == [
        ("team", "text"),
        ("requests", "count"),
        ("cost_pico", "count"),
        ("cost_usd", "number"),
    ]
    dollars = Decimal("9223372.036854775807")
    assert rows == [
        ("chat", 2, 9223372036854775807, dollars),
        ("search", 1, 9223372036854775807, dollars),
        (None, None, None, None),
    ]
    # 2 x (2^63 - 1) is beyond a BIGINT.
    assert answer(ledger, "SELECT sum(cost_pico) FROM calls")[1] == [(18446744073709551614,)]


def test_every_type_has_its_kind(ledger: Ledger) -> None:
    columns, rows = answer(
        ledger,
        """SELECT true AS flag, 1.50::DECIMAL(5, 2) AS price, 0.1::DOUBLE AS rate, 1e300 AS huge,
        TIMESTAMP '2024-10-01 12:30:00.000001' AS ts, TIMESTAMPTZ '2024-10-01 02:00:00+02' AS zoned,
        TIMESTAMP_NS '2024-10-01 00:00:00.123456789' AS fine, DATE '2024-10-01' AS day,
        'infinity'::TIMESTAMP AS unbounded, [1, 2] AS list, MAP {'a': 1} AS map, NULL AS nothing,
        -170141183460469231731687303715884105728 AS least, '=1+1' AS text""",
    )
    assert dict(columns) == {
        "flag": "text",
        "price": "number",
        "rate": "number",
        "huge": "number",
        "ts": "time",
        "zoned": "time",
        "fine": "time",
        "day": "time",
        "unbounded": "time",
        "list": "text",
        "map": "text",
        "nothing": "text",
        "least": "count",
        "text": "text",
    }
    assert rows == [
        (
            "true",
            Decimal("1.50"),
            Decimal("0.1"),
            Decimal("1e300"),
            "2024-10-01T12:30:00.000001+00:00",
            "2024-10-01T00:00:00+00:00",
            "2024-10-01T00:00:00.123456789+00:00",
            "2024-10-01",
            "infinity",
            "[1, 2]",
            "{a=1}",
            None,
            -170141183460469231731687303715884105728,
            "=1+1",
        )
    ]


def test_what_is_no_number_is_unknown_and_said(ledger: Ledger) -> None:
    report = query(ledger, "SELECT 'nan'::DOUBLE AS a, '-inf'::FLOAT AS b, 2.5 AS c")
    assert report.rows == [(None, None, Decimal("2.5"))]
    assert report.notes == ("2 results that are infinite or no number are shown as unknown",)


def test_columns_of_equal_names_are_told_apart(ledger: Ledger) -> None:
    columns, rows = answer(ledger, "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a")
    assert [name for name, _ in columns] == ["a", "a_2", "a_2_2", "a_3"]
    assert rows == [(1, 2, 3, 4)]


def test_order_is_the_statements(ledger: Ledger) -> None:
    statement = "SELECT model, ts FROM calls ORDER BY ts DESC"
    assert [model for model, _ in answer(ledger, statement)[1]] == ["o3", "claude", "claude"]


def test_semicolons_and_comments_around_a_statement_are_no_others(ledger: Ledger) -> None:
    statement = "; -- the first; of them\nSELECT 'naïve; ' AS a /* and; */ ; -- the last;\n;"
    assert answer(ledger, statement) == ([("a", "text")], [("naïve; ",)])


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("FROM calls SELECT count(*)", (3,)),
        ("WITH c AS (SELECT 7 AS n) SELECT n FROM c", (7,)),
        ("VALUES (1, 'a')", (1, "a")),
        ("SHOW TABLES", ("calls",)),
        ("DESCRIBE rejects", ("source_id", "INTEGER", "YES", None, None, None)),
        (
            "PIVOT calls ON team IN ('chat') USING sum(requests) GROUP BY success ORDER BY success",
            ("false", 2),
        ),
        ("SELECT tags['env'] FROM calls WHERE tags IS NOT NULL", ("prod",)),
    ],
)
def test_every_form_of_a_select_is_answered(
    ledger: Ledger, statement: str, first: tuple[object, ...]
) -> None:
    assert answer(ledger, statement)[1][0] == first


def test_explain_is_answered(ledger: Ledger) -> None:
    columns, rows = answer(ledger, "EXPLAIN SELECT count(*) FROM calls")
    assert columns == [("explain_key", "text"), ("explain_value", "text")]
    assert rows


def test_rows_beyond_the_limit_are_left_out_and_said(ledger: Ledger) -> None:
    report = query(ledger, "SELECT range FROM range(11) ORDER BY range", limit_rows=10)
    assert report.rows == [(n,) for n in range(10)]
    assert report.notes == ("only the first 10 rows are shown; there are more",)
    assert query(ledger, "FROM range(10)", limit_rows=10).notes == ()


def test_report_says_what_it_stands_on(ledger: Ledger) -> None:
    report = query(ledger, "SELECT 1")
    assert report.command == "sql"
    assert report.as_of == "2024-10-03T00:00:00+00:00"


FORBIDDEN = [
    # files
    "COPY calls TO 'out.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "EXPLAIN ANALYZE COPY calls TO 'out.csv'",
    "EXPORT DATABASE 'out'",
    "IMPORT DATABASE 'out'",
    "FROM 'a.csv'",
    "SELECT * FROM 'a.json'",
    "SELECT * FROM read_csv('a.csv')",
    "SELECT * FROM read_json_objects('a.json')",
    "SELECT content FROM read_text('/etc/passwd')",
    "SELECT content FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('a.csv')",
    "SELECT * FROM parquet_metadata('a.parquet')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
    "ATTACH 'other.duckdb' AS other",
    "ATTACH ':memory:' AS other",
    "SELECT * FROM read_duckdb('other.duckdb')",
    "DETACH ledger",
    "SELECT getenv('HOME')",
    # the network and extensions
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
    "LOAD httpfs",
    "LOAD '/tmp/some.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "FROM 'http://127.0.0.1:9/a.csv'",
    "CREATE SECRET s (TYPE http)",
    # settings
    "SET memory_limit = '10GB'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET log_query_path = 'log'",
    "SET VARIABLE a = 1",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "CALL enable_logging(storage = 'file', storage_config = {'path': 'log'})",
    "SELECT * FROM enable_logging(storage = 'file', storage_config = {'path': 'log'})",
    # changes
    "INSERT INTO rejects VALUES (1, 1, '', '')",
    "DELETE FROM stored_calls",
    "WITH gone AS (DELETE FROM rejects RETURNING *) SELECT * FROM gone",
    "UPDATE meta SET value = '9'",
    "DROP TABLE stored_calls",
    "CREATE TABLE t (a INTEGER)",
    "CREATE TEMP TABLE t (a INTEGER)",
    "CREATE MACRO m() AS 1",
    "TRUNCATE rejects",
    "CHECKPOINT",
    "VACUUM",
    "SELECT * FROM force_checkpoint()",
    # more than one statement, or none
    "SELECT 1; DROP TABLE stored_calls",
    "SELECT 1; SELECT 2",
    "PREPARE p AS SELECT 1",
    "BEGIN",
    "",
    "-- nothing",
    # what the program itself holds
    "SELECT * FROM request",
    "SELECT * FROM sys",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM arrow_scan(1::POINTER, 1::POINTER, 1::POINTER)",
]


@pytest.mark.heavy
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_nothing_else_is_done(ledger: Ledger, place: Path, statement: str) -> None:
    before = contents(place)
    with pytest.raises(QuestionError) as caught:
        query(ledger, statement)
    assert contents(place) == before
    said = str(caught.value) + caught.value.hint
    assert str(place) not in said
    assert "canary" not in said


def test_files_of_the_current_directory_are_not_run(ledger: Ledger, place: Path) -> None:
    """A Python module there does not take the place of one of ours."""
    for name in ("json.py", "duckdb.py", "costctl.py"):
        (place / name).write_text("open('run', 'w')")
    try:
        assert query(ledger, "SELECT 1").rows == [(1,)]
        assert not (place / "run").exists()
    finally:
        for name in ("json.py", "duckdb.py", "costctl.py"):
            (place / name).unlink()


def test_unknown_names_are_answered_with_the_known_ones(ledger: Ledger) -> None:
    with pytest.raises(QuestionError) as caught:
        query(ledger, "SELECT * FROM cals")
    assert str(caught.value) == 'Table with name cals does not exist! Did you mean "calls"?'
    assert caught.value.hint == "tables: calls, charges, prices, rejects, sources"
    with pytest.raises(QuestionError) as caught:
        query(ledger, "SELECT lin FROM rejects")
    assert str(caught.value).startswith('Referenced column "lin" not found')
    assert caught.value.hint == "columns of rejects: source_id, line, reason, raw"


def test_syntax_error_says_where(ledger: Ledger) -> None:
    with pytest.raises(QuestionError, match=r'^syntax error at or near "calls"$'):
        query(ledger, "SELECT 1 FORM calls")


def test_missing_ledger_is_told_as_by_every_command(tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing):
        query(Ledger(tmp_path / "ledger.duckdb"), "SELECT 1")


def test_answer_too_large_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="larger than 64 MB"):
        query(ledger, "SELECT repeat('x', 70000000)")


@pytest.mark.heavy
@pytest.mark.parametrize(
    "statement",
    [
        # A single list of 3.2 GB, which DuckDB's own limit does not count.
        "SELECT list_sum(range(400000000))",
        "SELECT md5(range::VARCHAR) AS k, count(*) FROM range(100000000) GROUP BY k ORDER BY 2",
        "SELECT length(repeat('x', 2000000000))",
    ],
)
def test_memory_has_a_limit(ledger: Ledger, statement: str) -> None:
    with pytest.raises(LedgerError) as caught:
        query(ledger, statement, memory=300)
    assert str(caught.value) == "the query was stopped: it needs more than 300 MB of memory"


@pytest.mark.heavy
def test_time_has_a_limit_and_the_ledger_is_held_meanwhile(ledger: Ledger) -> None:
    said: list[str] = []

    def ask() -> None:
        try:
            query(ledger, ENDLESS, seconds=6)
        except LedgerError as error:
            said.append(str(error))

    writer = """
import sys
from costctl.ledger import Ledger, LedgerLocked
try:
    with Ledger(sys.argv[1], wait=0).writing(): print("free")
except LedgerLocked: print("held")
"""
    asking = threading.Thread(target=ask)
    asking.start()
    seen = set()
    while asking.is_alive():
        done = subprocess.run([sys.executable, "-c", writer, ledger.path], capture_output=True, text=True)
        seen.add(done.stdout.strip())
    assert said == ["the query was stopped after 6 seconds"]
    assert "held" in seen
    with ledger.writing():
        pass


@pytest.mark.heavy
def test_query_whose_program_was_killed_ends_by_itself(ledger: Ledger) -> None:
    request = Request(str(ledger.path), ENDLESS, limit_rows=1, seconds=1, memory=300)
    done = subprocess.run(
        [sys.executable, "-m", "costctl.analysis.sandbox"],
        input=json.dumps(asdict(request)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGALRM
