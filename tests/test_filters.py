"""What a filter finds, the same in SQL and in Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from costctl.filters import COLUMNS, Filter, FilterError, Wild, matches, parse, sql
from costctl.records import BY_PUBLIC

CALLS: list[dict[str, Any]] = [
    {"team": "search", "model": "claude-opus-4", "user_id": "ann", "tags": {"env": "prod"}},
    {"team": "ads", "model": "claude-haiku-4", "user_id": "bob", "tags": {"env": "dev", "a=b": "x"}},
    {"team": "search,ads", "model": "gpt-4o", "user_id": None, "tags": {}},
    {"team": None, "model": "gpt_4o", "user_id": "50%_off [a]*", "tags": None},
]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE calls"
            " (n INTEGER, team VARCHAR, model VARCHAR, user_id VARCHAR, tags MAP(VARCHAR, VARCHAR))"
        )
        for n, call in enumerate(CALLS):
            connection.execute("INSERT INTO calls VALUES (?, ?, ?, ?, ?)", [n, *call.values()])
        yield connection


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("team=search", {0}),
        ("team=search,ads", {0, 1}),
        (r"team=search\,ads", {2}),
        ("team = search , ads", {0, 1}),
        ("team!=search", {1, 2, 3}),
        ("team!=search,ads", {2, 3}),
        ("team=", {3}),
        ("team!=", {0, 1, 2}),
        ("team=ads,", {1, 3}),
        ("team=SEARCH", set()),
        ("model~opus", {0}),
        ("model~opus,haiku", {0, 1}),
        ("model!~claude", {2, 3}),
        ("model~claude", {0, 1}),
        ("model~claude*", {0, 1}),
        ("model~*4", {0, 1}),
        ("model~gpt?4o", {2, 3}),
        ("model~gpt_4o", {3}),
        ("model~opus*", set()),
        ("team~*", {0, 1, 2}),
        ("team!~*", {3}),
        ("model^=claude-", {0, 1}),
        ("model!^=claude-", {2, 3}),
        ("model^=gpt_", {3}),
        ("user=ann", {0}),
        ("user=50%_off [a]*", {3}),
        ("user~%_off", {3}),
        (r"user~*[a]\*", {3}),
        ("user!=ann", {1, 2, 3}),
        ("tag:env=prod", {0}),
        ("tag:env!=prod", {1, 2, 3}),
        ("tag:env=", {2, 3}),
        ("tag:env~*", {0, 1}),
        ("tag:env^=p,d", {0, 1}),
        (r"tag:a\=b=x", {1}),
        ("tag:none=x", set()),
    ],
)
def test_found(connection: duckdb.DuckDBPyConnection, text: str, found: set[int]) -> None:
    filter = parse(text)
    assert {n for n, call in enumerate(CALLS) if matches(filter, call)} == found
    condition, values = sql([filter])
    rows = connection.execute(f"SELECT n FROM calls WHERE {condition}", values).fetchall()  # noqa: S608
    assert {n for (n,) in rows} == found


def test_repeated_filters_must_all_hold(connection: duckdb.DuckDBPyConnection) -> None:
    condition, values = sql([parse("team=search,ads"), parse("tag:env=dev")], table="c")
    assert connection.execute(f"SELECT n FROM calls c WHERE {condition}", values).fetchall() == [(1,)]  # noqa: S608


def test_an_engine_may_read_tags_its_own_way() -> None:
    place = {"env": "$.env", "a=b": "$.x"}.__getitem__
    assert sql([parse("tag:env=a"), parse(r"tag:a\=b=")], tag=("tag_of(?)", place)) == (
        "(tag_of(?) IS NOT NULL AND tag_of(?) = ?) AND (tag_of(?) IS NULL OR tag_of(?) = '')",
        ["$.env", "$.env", "a", "$.x", "$.x"],
    )


def test_no_filter_finds_all() -> None:
    assert sql([]) == ("true", [])


def test_the_public_name_of_a_row_is_enough() -> None:
    assert matches(parse("user=ann"), {"user": "ann"})
    assert matches(parse("user="), {})


def test_the_text_of_the_condition() -> None:
    """The text is read by two engines, so its shape is part of the promise."""
    assert sql([parse("user=a,b")]) == (
        "(user_id IS NOT NULL AND user_id = ? OR user_id IS NOT NULL AND user_id = ?)",
        ["a", "b"],
    )
    assert sql([parse("tag:env!~50%*")]) == (
        "NOT (tags[?] IS NOT NULL AND tags[?] LIKE ? ESCAPE '^')",
        ["env", "env", "50^%%"],
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("taem=search", "unknown column 'taem' in a filter", "did you mean team?"),
        ("user_id=x", "unknown column 'user_id' in a filter", "did you mean user?"),
        ("cost=1", "unknown column 'cost' in a filter", f"known are {', '.join(COLUMNS)} and tag:NAME"),
        ("team); DROP TABLE calls; --=x", "unknown column 'team); DROP TABLE calls; --' in a filter", None),
        ("team", "'team' is not a filter", None),
        ("", "'' is not a filter", None),
        ("=x", "'=x' is not a filter", None),
        ("tag:=x", "tag: needs a name", "as in tag:env=prod"),
        ("model~", "'model~' compares with nothing", "model= finds what is unknown"),
        ("model^=a,,b", "'model^=a,,b' compares with nothing", "model= finds what is unknown"),
        ("team=\ud800", "a filter must be valid Unicode text", ""),
    ],
)
def test_refused(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert str(caught.value) == message
    assert hint is None or caught.value.hint == hint


def test_every_column_is_one_of_the_ledger() -> None:
    assert {BY_PUBLIC[name].type for name in COLUMNS} == {"VARCHAR"}
    assert "user" in COLUMNS


def test_many_stars_do_not_backtrack() -> None:
    """With a plain ``.*`` for each star this takes longer than a life; so it ends, or the test never does."""
    filter = parse("model~" + "*a" * 24 + "*b")
    assert not matches(filter, {"model": "a" * 5_000})


# --- the two implementations agree ------------------------------------------------------------------------

NASTY = st.text(st.sampled_from(list("ab'\"%_[]^\\$1?*,; \n\0é😀e\u0301\u202e-")), max_size=6)
TEXTS = NASTY | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
LITERALS = TEXTS.filter(bool)
WILD = st.sampled_from(Wild)


def merged(parts: list[str | Wild]) -> tuple[str | Wild, ...]:
    """Neighbouring texts as one, neighbouring stars as one: the form of a pattern."""
    result: list[str | Wild] = []
    for part in parts:
        if result and part is Wild.ANY and result[-1] is Wild.ANY:
            continue
        if result and isinstance(part, str) and isinstance(result[-1], str):
            result[-1] += part
        else:
            result.append(part)
    return tuple(result)


GLOBS = (
    st.lists(WILD | LITERALS, min_size=1, max_size=5)
    .map(merged)
    .filter(lambda p: not all(isinstance(x, str) for x in p))
)
PATTERNS = {
    "=": st.one_of(st.just(()), LITERALS.map(lambda text: (text,))),
    "^=": LITERALS.map(lambda text: (text, Wild.ANY)),
    "~": LITERALS.map(lambda text: (Wild.ANY, text, Wild.ANY)) | GLOBS,
}
FIELDS = st.sampled_from(COLUMNS) | LITERALS.map(lambda name: f"tag:{name}")


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    operator = draw(st.sampled_from(["=", "^=", "~"]))
    patterns = draw(st.lists(PATTERNS[operator], min_size=1, max_size=3, unique=True))
    return Filter(draw(FIELDS), operator, tuple(patterns), draw(st.booleans()))


@st.composite
def filters_with_values(draw: st.DrawFn) -> tuple[Filter, str | None]:
    """A filter, and a value that is likely to fit it: one of its patterns with its wildcards filled."""
    filter = draw(filters())
    pattern = draw(st.sampled_from(filter.patterns))
    filled = "".join(
        part
        if isinstance(part, str)
        else draw(TEXTS if part is Wild.ANY else st.characters(exclude_categories=["Cs"]))
        for part in pattern
    )
    return filter, draw(st.sampled_from([filled, filled, filled + "x", filled[1:], None]) | TEXTS)


@given(filters())
def test_the_text_of_a_filter_reads_as_the_filter(filter: Filter) -> None:
    assert parse(str(filter)) == filter


def test_sql_and_python_agree(connection: duckdb.DuckDBPyConnection) -> None:
    seen = set()

    @settings(max_examples=1_000, deadline=None)
    @given(filters_with_values())
    @example((parse("team='; DROP TABLE calls;--"), "'; DROP TABLE calls;--"))
    @example((parse("team=$1"), "$1"))
    @example((parse("tag:]='\"=x"), "x"))
    @example((parse("team~\0*"), "\0\n"))
    def agree(case: tuple[Filter, str | None]) -> None:
        filter, value = case
        if filter.column.startswith("tag:"):
            name, content = "tags", None if value is None else {filter.column[4:]: value}
        else:
            name, content = BY_PUBLIC[filter.column].name, value
        expected = matches(filter, {name: content})
        condition, values = sql([filter])
        kind = "MAP(VARCHAR, VARCHAR)" if name == "tags" else "VARCHAR"
        query = f"SELECT {condition} FROM (SELECT ?::{kind} AS {name})"  # noqa: S608
        assert connection.execute(query, [*values, content]).fetchone() == (expected,)
        seen.add((filter.operator, filter.negated, expected))

    agree()
    assert len(seen) == 12, "each operator, negated or not, both passed and failed"
