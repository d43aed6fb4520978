"""Money survives JSON, CSV and Parquet digit by digit; names survive JSON, Parquet and defused CSV."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
import samples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from costctl.render import Format, render
from costctl.render.cells import exact
from costctl.render.csv import defused, restored, write_csv
from costctl.render.json import error_document, plain
from costctl.render.parquet import write_parquet
from costctl.render.printable import UNPRINTABLE, printable
from costctl.report import REPORT_KEYS, Cell, Column, Outcome, Report

PICO = Decimal("1E-12")

pico = st.integers(-(10**37), 10**37)
"""As wide as decimal128(38, 12) holds, and beyond a BIGINT."""


def text_of(report: Report | Outcome, format: Format) -> str:
    stream = io.StringIO()
    render(report, format, stream=stream, width=100, color=False)
    return stream.getvalue()


def table_of(report: Report | Outcome) -> list[dict[str, object]]:
    stream = io.BytesIO()
    write_parquet(report, stream)
    rows: list[dict[str, object]] = pq.read_table(io.BytesIO(stream.getvalue())).to_pylist()
    return rows


def exactly(amount: int) -> Decimal:
    """``amount`` times 1e-12 by the decimal module alone; 60 digits lose nothing of 38."""
    sign, digits = int(amount < 0), tuple(map(int, str(abs(amount))))
    return Decimal((sign, digits, -12))


@given(st.lists(st.none() | pico, max_size=8))
@settings(deadline=None, max_examples=60)
@example([0, 1, -1, 10**10, 10**11, 2**63 - 1, 10**37])
def test_money_round_trips(amounts: list[int | None]) -> None:
    report = Report("report", "", (Column("cost", "money"),), [(amount,) for amount in amounts])
    expected = [None if amount is None else exactly(amount) for amount in amounts]

    document = json.loads(text_of(report, "json"), parse_float=Decimal)
    assert [row["cost"] for row in document["rows"]] == expected
    assert all(row["cost"] is None or isinstance(row["cost"], Decimal) for row in document["rows"])

    cells = [row[0] if row else "" for row in csv.reader(io.StringIO(text_of(report, "csv")), strict=True)]
    assert [Decimal(cell) if cell else None for cell in cells[1:]] == expected

    assert [row["cost"] for row in table_of(report)] == expected


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "0.00"),
        (100_000_000_000, "0.10"),
        (1, "0.000000000001"),
        (-5_200_000_000_000, "-5.20"),
        (127_850 * 10**12, "127850.00"),
        (312_500_000_000, "0.3125"),
        (10**27, "1000000000000000.00"),
    ],
)
def test_money_has_one_canonical_form(amount: int, written: str) -> None:
    assert exact(Column("cost", "money"), amount) == written


@pytest.mark.parametrize("kind", ["money", "tokens", "count", "percent", "number", "duration"])
@pytest.mark.parametrize("format", ["table", "json", "csv", "md"])
def test_floats_and_texts_are_no_numbers(kind: str, format: Format) -> None:
    for value in (0.1, "0.1", True):
        report = Report("report", "", (Column("x", kind),), [(value,)])  # type: ignore[arg-type,list-item]
        with pytest.raises(TypeError, match=r"column x"):
            text_of(report, format)


def test_what_is_not_finite_is_no_number() -> None:
    for value in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(ValueError, match="no number"):
            text_of(Report("report", "", (Column("x", "number"),), [(Decimal(value),)]), "json")


def test_a_number_is_no_text() -> None:
    for format in ("table", "json", "csv", "md"):
        with pytest.raises(TypeError, match="column x"):
            text_of(Report("report", "", (Column("x", "text"),), [(5,)]), format)  # type: ignore[arg-type]


def test_a_row_of_the_wrong_length_is_refused() -> None:
    for format in ("json", "csv", "md"):
        with pytest.raises(ValueError, match="shorter"):
            text_of(Report("report", "", (Column("x", "text"), Column("y", "text")), [("a",)]), format)  # type: ignore[arg-type]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
@settings(deadline=None)
@example(Decimal("1E+10"))
@example(Decimal("1E-30"))
@example(Decimal("0.250000"))
def test_decimals_keep_their_digits(value: Decimal) -> None:
    written = exact(Column("x", "number"), value)
    assert Decimal(written) == value
    assert "E" not in written.upper()
    assert json.loads(written, parse_float=Decimal, parse_int=Decimal) == value


def test_json_has_every_key_in_order() -> None:
    text = text_of(samples.bill(), "json")
    document = json.loads(text, parse_float=Decimal)
    assert list(document) == [*REPORT_KEYS, "growth", "annualised", "payback"]
    assert document["schema_version"] == 1
    assert document["period"] == {
        "start": "2024-10-01T00:00:00+00:00",
        "end": "2024-11-01T00:00:00+00:00",
        "timezone": "UTC",
    }
    assert document["columns"][1] == {"name": "cost", "kind": "money", "unit": "USD"}
    assert document["rows"][0]["cost"] == Decimal("89450.00")
    assert document["totals"]["cost"] == Decimal("127850")
    assert document["totals"]["model"] is None
    assert document["unpriced"] == {"calls": 3, "tokens": 1234, "models": ["gpt-x", "gpt-y"]}
    assert document["complete"] is False
    assert document["annualised"] == Decimal("1534200")  # 127,850 x 12


def test_json_of_an_outcome_is_flat() -> None:
    document = json.loads(text_of(samples.ingest(), "json"), parse_float=Decimal)
    assert document == {
        "schema_version": 1,
        "command": "ingest",
        "files": 3,
        "rows_new": 12_000,
        "rejects_by_reason": {"bad time": 2, "=cmd [b]": 1},
        "first_ts": "2024-09-01T00:00:00Z",
        "last_ts": None,
        "complete": True,
        "cost": Decimal("123.45"),
        "notes": ["3 lines were rejected"],
    }


def test_an_outcome_is_one_row_of_csv_and_parquet() -> None:
    header, row = csv.reader(io.StringIO(text_of(samples.ingest(), "csv")), strict=True)
    assert dict(zip(header, row, strict=True))["cost"] == "123.45"
    [values] = table_of(samples.ingest())
    assert values["rejects_by_reason"] == '{"bad time": 2, "=cmd [b]": 1}'
    assert values["cost"] == Decimal("123.45")
    assert values["rows_new"] == 12_000


def test_errors_are_one_line_with_every_key() -> None:
    line = error_document("bad_price", "no\nprice \x1b[2J", file="prices.yaml", line=7, hint=None)
    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line) == {
        "error": {
            "code": "bad_price",
            "message": "no\nprice \x1b[2J",
            "file": "prices.yaml",
            "line": 7,
            "hint": None,
        }
    }


def test_json_takes_no_float() -> None:
    with pytest.raises(TypeError, match="float"):
        plain({"x": [0.5]})


texts = st.text(st.characters()) | st.sampled_from(samples.HOSTILE)


@given(st.lists(texts, max_size=6))
@settings(deadline=None, max_examples=60)
def test_json_carries_every_text_exactly(names: list[str]) -> None:
    rows: list[tuple[Cell, ...]] = [(name,) for name in names]
    text = text_of(Report("report", "".join(names), (Column("team", "text"),), rows), "json")
    assert not UNPRINTABLE.search(text.replace("\n", ""))
    document = json.loads(text)
    # Two lone surrogates side by side are a pair in JSON; UTF-16 makes the comparison see the same.
    assert [utf16(row["team"]) for row in document["rows"]] == [utf16(name) for name in names]


def utf16(text: str) -> bytes:
    return text.encode("utf-16", "surrogatepass")


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(deadline=None, max_examples=60)
def test_parquet_carries_every_text_exactly(name: str) -> None:
    [row] = table_of(Report("report", "", (Column("team", "text"),), [(name,)]))
    assert row["team"] == name


@given(st.lists(texts | st.text("='+-@\t\r\n ＝＋－＠a\u3000"), min_size=1, max_size=6))
@settings(deadline=None)
def test_csv_defusing_is_reversible(names: list[str]) -> None:
    rows: list[tuple[Cell, ...]] = [(name, -520 * 10**10) for name in names]
    report = Report("report", "", (Column("team", "text"), Column("cost", "money")), rows)
    written = text_of(report, "csv")
    assert not UNPRINTABLE.search(written.replace("\t", "").replace("\r", "").replace("\n", ""))
    records = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert [restored(record[0]) for record in records[1:]] == [
        printable(name, keep="\t\r\n") for name in names
    ]
    assert {record[1] for record in records[1:]} == {"-5.20"}
    for record in records:
        assert not record[0].lstrip()[:1] or record[0].lstrip()[0] not in "=+-@＝＋－＠"
        assert record[0][:1] not in {"\t", "\r", "\n"}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1", "'=1"),
        ("-5.00", "'-5.00"),
        ("'=1", "''=1"),
        ("'plain", "'plain"),
        ("  @x", "'  @x"),
        ("＝cmd", "'＝cmd"),
        ("\tx", "'\tx"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_csv_defuses_what_a_spreadsheet_runs(name: str, cell: str) -> None:
    assert defused(name) == cell
    assert restored(cell) == name


def test_csv_keeps_unknown_apart_from_empty_and_defuses_headers() -> None:
    columns = (Column("=tag", "text"), Column("b", "text"), Column("cost", "money"))
    assert text_of(Report("report", "", columns, [("", None, None)]), "csv") == (
        '"\'=tag","b","cost"\r\n"",,\r\n'
    )
    stream = io.StringIO()
    write_csv(Report("report", "", columns, [("=1", 'a"b', -1)]), stream, defuse=False)
    assert stream.getvalue() == '"=tag","b","cost"\r\n"=1","a""b",-0.000000000001\r\n'


def test_parquet_types_and_metadata() -> None:
    stream = io.BytesIO()
    write_parquet(samples.bill(), stream)
    schema = pq.read_schema(io.BytesIO(stream.getvalue()))
    assert [str(kind) for kind in schema.types] == [
        "string",
        "decimal128(38, 12)",
        "decimal128(38, 12)",
        "int64",
        "int64",
        "decimal128(38, 12)",
        "decimal128(38, 12)",
    ]
    assert schema.field("cost").metadata == {b"kind": b"money", b"unit": b"USD"}
    document = json.loads(schema.metadata[b"costctl"], parse_float=Decimal)
    assert document["rows"] == []
    assert document["totals"]["cost"] == Decimal("127850")
    assert document["annualised"] == Decimal("1534200")


def test_parquet_rounds_only_what_is_no_money() -> None:
    third = Decimal(1) / Decimal(3)
    [row] = table_of(Report("report", "", (Column("x", "number"),), [(third,)]))
    assert row["x"] == Decimal("0.333333333333")


def test_parquet_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"precision|decimal"):
        table_of(Report("report", "", (Column("cost", "money"),), [(10**39,)]))
