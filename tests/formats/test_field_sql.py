"""Fields: what a value becomes, what is wrong with it, and that the quick test of a row is only quicker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.formats import FORMATS, Format
from costctl.formats.fields import last_of_path

CALL_LOG = FORMATS["costctl"]
GOOD = {"timestamp": "2026-01-01T00:00:00", "model": "m", "input_tokens": "5", "output_tokens": "5"}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def judge(
    connection: duckdb.DuckDBPyConnection, format: Format, row: dict[str, str | None], columns: str
) -> tuple[Any, ...]:
    """``columns`` of the format's SELECT over one raw row of texts."""
    raw = ", ".join(
        f'CAST(json_extract_string($row, \'$."{name}"\') AS {kind}) AS "{name}"'
        for name, kind in format.raw.items()
    )
    raw = f"SELECT 1 AS source_id, NULL AS line, NULL AS given_time, NULL AS given_model, {raw}"
    sql = f"WITH raw AS ({raw}) SELECT {columns} FROM ({format.select()})"  # noqa: S608
    found = connection.execute(sql, {"row": json.dumps(row)}).fetchone()
    assert found is not None
    return tuple(found)


def reason(connection: duckdb.DuckDBPyConnection, format: Format, **changed: str | None) -> str | None:
    return judge(connection, format, {**GOOD, **changed}, "reason")[0]


ODD_TEXTS = [
    None, "", "0", "1", "-1", "007", "1.0", "1.5", "1e3", "1e400", "nan", "inf", " 1", "+1", "0x1F",
    "1_000", "true", "True", "ten", "{}", "[]", '{"a":1}', '{"a":', '{"a":"b"}', "9223372036854775807",
    "1000000000000", "1000000000001", "99999999999999999999", "2026-01-01",
    "2026-01-01T00:00:00Z", "1999-12-31T23:59:59",
    "standard", "batch", "bucket", "metered", "sk-1", "\u0000", "北京", "infinity", "-0", "1.0000", "5.",
]  # fmt: skip
WITHOUT_QUICK_TEST = replace(CALL_LOG, fields=tuple(replace(each, good="FALSE") for each in CALL_LOG.fields))


@pytest.mark.heavy
@settings(max_examples=100, deadline=None)
@given(
    row=st.dictionaries(
        st.sampled_from([name for name in CALL_LOG.raw if name != "id"]),
        st.sampled_from(ODD_TEXTS),
        max_size=4,
    )
)
def test_the_quick_test_of_a_sound_row_changes_no_reason(
    connection: duckdb.DuckDBPyConnection, row: dict[str, str | None]
) -> None:
    quick, slow = (reason(connection, each, **row) for each in (CALL_LOG, WITHOUT_QUICK_TEST))
    assert quick == slow


@pytest.mark.parametrize(
    ("text", "time"),
    [
        # One of the three lengths without a zone, which take the quick way …
        ("2026-03-01T10:00:00", "2026-03-01 10:00:00"),
        ("2026-03-01T10:00:00.5", "2026-03-01 10:00:00.5"),
        ("2026-03-01T10:00:00.125", "2026-03-01 10:00:00.125"),
        ("2026-03-01T10:00:00.123456", "2026-03-01 10:00:00.123456"),
        # … and texts of these lengths with one.
        ("2026-03-01T10:00+02", "2026-03-01 08:00:00"),
        ("2026-03-01 10:00:00.125+02", "2026-03-01 08:00:00.125"),
        ("2026-03-01T10:00:00.125-02", "2026-03-01 12:00:00.125"),
        ("2026-03-01T10:00:00 UTC", "2026-03-01 10:00:00"),
        # Offsets, both ways and over midnight.
        ("2026-03-01T10:00:00Z", "2026-03-01 10:00:00"),
        ("2026-03-01T01:00:00+08:00", "2026-02-28 17:00:00"),
        ("2026-03-01T23:00:00-0330", "2026-03-02 02:30:00"),
        ("2026-03-01 10:00:00 America/New_York", "2026-03-01 15:00:00"),
        # Finer than a microsecond is cut, as DuckDB does; a date is its midnight.
        ("2026-03-01T10:00:00.9799609Z", "2026-03-01 10:00:00.97996"),
        ("2026-03-01", "2026-03-01 00:00:00"),
    ],
)
def test_a_time_becomes_utc(connection: duckdb.DuckDBPyConnection, text: str, time: str) -> None:
    row = judge(connection, CALL_LOG, {**GOOD, "timestamp": text}, "CAST(ts AS VARCHAR), reason")
    assert row == (time, None)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-07-01T10:00:00", "2026-07-01 08:00:00"),  # Berlin's summer: two hours ahead
        ("2026-01-01T10:00:00.250", "2026-01-01 09:00:00.25"),  # its winter: one
        ("2026-07-01T10:00:00Z", "2026-07-01 10:00:00"),
        ("2026-07-01T10:00:00-05:00", "2026-07-01 15:00:00"),
    ],
)
def test_an_assumed_zone_is_for_times_without_one(text: str, time: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Europe/Berlin'")
        assert judge(connection, CALL_LOG, {**GOOD, "timestamp": text}, "CAST(ts AS VARCHAR)") == (time,)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("3", 3),
        ("3.0", 3),
        ("3.00", 3),
        ("3000.0000", 3000),
        ("1.000", None),
        ("12.000", None),
        ("3,0", None),
    ],
)
def test_a_thousand_in_another_countrys_writing_is_not_one(
    connection: duckdb.DuckDBPyConnection, text: str, tokens: int | None
) -> None:
    row = judge(connection, CALL_LOG, {**GOOD, "input_tokens": text}, "input_tokens, reason")
    assert row == (tokens, None) if tokens else row[1] == "input_tokens: not a whole number"


UUID = "6f1c9d9e-3b0a-4a53-9c38-0d5b1f0a7c11"


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        # Names and ids stay; so does a UUID, and a long name of letters alone or with hyphens.
        ("nightly", "nightly"),
        ("apikey_01Hjk", "apikey_01Hjk"),
        (UUID, UUID),
        ("a" * 40, "a" * 40),
        ("search-team-production-key-number-2026-03", "search-team-production-key-number-2026-03"),
        # Hashes: sha256sum of the text.
        ("sk-ant-api03-0123456789abcdef", "…cdef#7db846d5"),
        ("AKIAIOSFODNN7EXAMPLE", "…MPLE#1a5d44a2"),
        ("0123456789abcdef0123456789abcdef", "…cdef#3eb1bd43"),
    ],
)
def test_an_api_key_that_is_a_secret_is_shortened(
    connection: duckdb.DuckDBPyConnection, key: str, kept: str
) -> None:
    assert judge(connection, CALL_LOG, {**GOOD, "api_key": key}, "api_key") == (kept,)


@pytest.mark.parametrize("beginning", ["sk-", "AIza", "AKIA", "ghp_", "xox", "Bearer"])
@pytest.mark.parametrize(
    ("name", "column"),
    [("team", "team"), ("project_id", "project"), ("user", "user_id"), ("agent", "agent"),
     ("session", "session"), ("workspace", "workspace"), ("api_key_id", "api_key")],
)  # fmt: skip
def test_a_secret_in_any_label_is_shortened(
    connection: duckdb.DuckDBPyConnection, beginning: str, name: str, column: str
) -> None:
    (kept,) = judge(connection, CALL_LOG, {**GOOD, name: f"{beginning}abcdefgh1234"}, column)
    assert kept.startswith("…1234#")
    assert beginning not in kept


def test_a_long_mixture_is_a_secret_only_as_an_api_key(connection: duckdb.DuckDBPyConnection) -> None:
    session = "0123456789abcdef0123456789abcdef"
    assert judge(connection, CALL_LOG, {**GOOD, "session": session}, "session") == (session,)


def test_rows_that_differ_in_any_field_have_different_contents(connection: duckdb.DuckDBPyConnection) -> None:
    contents = {judge(connection, CALL_LOG, GOOD, "content")[0]}
    names = [name for name in CALL_LOG.raw if name != "id"]
    for name in names:
        changed = {**GOOD, name: "2"}
        contents.add(judge(connection, CALL_LOG, changed, "content")[0])
    assert len(contents) == 1 + len(names)


def test_the_content_of_a_line_never_changes(connection: duckdb.DuckDBPyConnection) -> None:
    # It is the identity of lines without an id in every ledger there is.
    row = {**GOOD, "team_id": "search", "cache_read_tokens": "7", "tags": '{"a":"b"}', "id": None}
    (content,) = judge(connection, CALL_LOG, row, "content")
    assert content.split("\x1f") == [
        "2026-01-01T00:00:00", "", "search", "", "", "m", "5", "5", "", "", "", "", '{"a":"b"}',
        "cache_read_tokens=7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/home/dev/shop", "shop"),
        ("/home/dev/shop/", "shop"),
        ("/home/dev/shop//", "shop"),
        ("C:\\dev\\shop", "shop"),
        ("C:\\dev\\shop\\", "shop"),
        ("\\\\host\\share/", "share"),
        ("shop", "shop"),
        ("/", ""),
        ("", ""),
        (None, None),
    ],
)
def test_the_last_of_a_path(
    connection: duckdb.DuckDBPyConnection, path: str | None, last: str | None
) -> None:
    sql = f"SELECT {last_of_path('path')} FROM (SELECT CAST(? AS VARCHAR) AS path)"  # noqa: S608
    assert connection.execute(sql, [path]).fetchone() == (last,)
