"""A mapping says how a file of any other kind is read: every unit, every form of time, every kind of file.

Prices are those of the catalogue in USD per million tokens: gpt-4o 2.50 in, 10 out, 1.25 cached.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.conftest import Held, Ingest, key_of

from costctl.documents import DocumentError
from costctl.formats.format import CANONICAL
from costctl.formats.mapping import UNIX, format_of, read, zone_of
from costctl.formats.mapping_faults import SPECIFIERS
from costctl.formats.paths import Extraction, places
from costctl.formats.quoting import identifier, literal, pointer
from costctl.ingest import Given, forget, forget_person, ingest
from costctl.ledger import Ledger, LedgerError
from costctl.pricing.book import PriceBook
from costctl.records import BY_NAME

BASE = """
name: gateway
columns:
  ts: when
  provider: { value: openai }
  model: model
  input_tokens: in
  output_tokens: out
"""
ROW = {"when": "2026-03-01T10:00:00Z", "model": "gpt-4o", "in": 1000, "out": 50}
CALL = {
    "ts": "2026-03-01 10:00:00",
    "provider": "openai",
    "model": "gpt-4o",
    "mode": "standard",
    "billing": "unknown",
    "input_tokens": 1000,
    "output_tokens": 50,
}


@pytest.fixture
def mapped(tmp_path: Path, held: Ingest) -> Any:
    """``mapped(MAPPING, ROW, …)``: the rows, as JSON lines, read by the mapping."""

    def run(mapping: str, *rows: Any, name: str = "a.jsonl", **flags: Any) -> Held:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return held(path, **by(tmp_path, mapping), **flags)

    return run


def by(directory: Path, mapping: str) -> dict[str, str]:
    """The flags of an ingest by a mapping."""
    path = directory / "mapping.yaml"
    path.write_text(mapping, encoding="utf-8")
    text = read(path)
    return {"map": text, "zone": zone_of(text)}


def faults(directory: Path, mapping: str) -> list[tuple[int, str, str]]:
    with pytest.raises(DocumentError) as caught:
        by(directory, mapping)
    return [(each.line, each.message, each.hint) for each in caught.value.errors]


def without_key(call: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "call_key"}


def column(found: Held, name: str) -> list[Any]:
    return [call.get(name) for call in found.calls]


# --- units ------------------------------------------------------------------------------------------------


def test_a_row_becomes_a_call(mapped: Any) -> None:
    found = mapped(BASE, ROW)
    assert [without_key(call) for call in found.calls] == [CALL]
    # 1,000 × 2.50 + 50 × 10 = 3,000 dollars per million.
    assert found.costs == [3_000_000_000]


@pytest.mark.parametrize(
    ("input", "uncached", "cost"),
    [
        # 400 × 2.50 + 600 × 1.25 + 50 × 10 = 2,250 per million.
        ("inclusive", 400, 2_250_000_000),
        ("[cache_read_tokens]", 400, 2_250_000_000),
        # 1,000 × 2.50 + 600 × 1.25 + 50 × 10 = 3,750: the same row, read the other way.
        ("exclusive", 1000, 3_750_000_000),
    ],
)
def test_cached_tokens_are_in_the_input_or_beside_it(
    mapped: Any, input: str, uncached: int, cost: int
) -> None:
    found = mapped(f"{BASE}  cache_read_tokens: cached\ninput: {input}\n", {**ROW, "cached": 600})
    assert column(found, "input_tokens") == [uncached]
    assert column(found, "cache_read_tokens") == [600]
    assert found.costs == [cost]


@pytest.mark.parametrize(
    ("input", "uncached"), [("inclusive", 100), ("[cache_read_tokens]", 400), ("exclusive", 1000)]
)
def test_writes_may_be_beside_an_input_that_includes_reads(mapped: Any, input: str, uncached: int) -> None:
    more = "  cache_read_tokens: read\n  cache_write_5m_tokens: short\n  cache_write_1h_tokens: long\n"
    row = {**ROW, "read": 600, "short": 200, "long": 100}
    found = mapped(f"{BASE}{more}input: {input}\n", row)
    assert column(found, "input_tokens") == [uncached]
    assert column(found, "cache_write_5m_tokens") == [200]
    assert column(found, "cache_write_1h_tokens") == [100]


@pytest.mark.parametrize(("output", "all_of_it"), [("inclusive", 50), ("exclusive", 80)])
def test_reasoning_is_in_the_output_or_beside_it(mapped: Any, output: str, all_of_it: int) -> None:
    found = mapped(f"{BASE}  reasoning_tokens: thought\noutput: {output}\n", {**ROW, "thought": 30})
    assert column(found, "output_tokens") == [all_of_it]
    assert column(found, "reasoning_tokens") == [30]


@pytest.mark.parametrize(
    ("unit", "said", "pico"),
    [
        ("dollars", 0.0035, 3_500_000_000),
        ("cents", 0.35, 3_500_000_000),
        ("micro", 3500, 3_500_000_000),
        ("nano", 3500000, 3_500_000_000),
        ("cents", "3.5e-01", 3_500_000_000),
        ("dollars", 0.35, 350_000_000_000),
    ],
)
def test_a_cost_is_in_the_unit_that_is_said(mapped: Any, unit: str, said: Any, pico: int) -> None:
    found = mapped(f"{BASE}  reported_cost: {{ from: price, unit: {unit} }}\n", {**ROW, "price": said})
    assert column(found, "reported_cost_pico") == [pico]


@pytest.mark.parametrize(
    ("unit", "said", "ms"),
    [("ms", 812.4, 812), ("s", 0.8124, 812), ("us", 812400, 812), ("s", "1.5", 1500)],
)
def test_a_latency_is_in_the_unit_that_is_said(mapped: Any, unit: str, said: Any, ms: int) -> None:
    found = mapped(f"{BASE}  latency_ms: {{ from: took, unit: {unit} }}\n", {**ROW, "took": said})
    assert column(found, "latency_ms") == [ms]


# --- time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "format", "zone", "ts"),
    [
        ("2026-03-01T10:00:00.25Z", "iso", "", "2026-03-01 10:00:00.25"),
        ("2026-03-01 10:00:00", "iso", "Europe/Berlin", "2026-03-01 09:00:00"),
        ("2026-07-01 10:00:00", "iso", "Europe/Berlin", "2026-07-01 08:00:00"),
        ("2026-03-01 10:00:00+05:30", "iso", "Europe/Berlin", "2026-03-01 04:30:00"),
        # 1,772,359,200 is 2026-03-01 10:00 UTC, whatever the zone.
        (1772359200, "unix_s", "Europe/Berlin", "2026-03-01 10:00:00"),
        ("1772359200.5", "unix_s", "", "2026-03-01 10:00:00.5"),
        (1772359200250, "unix_ms", "", "2026-03-01 10:00:00.25"),
        (1772359200250001, "unix_us", "", "2026-03-01 10:00:00.250001"),
        (1772359200250001999, "unix_ns", "", "2026-03-01 10:00:00.250001"),
        ("01/03/2026 10:00", "%d/%m/%Y %H:%M", "", "2026-03-01 10:00:00"),
        ("03/01/2026 10:00", "%d/%m/%Y %H:%M", "", "2026-01-03 10:00:00"),
        ("01/03/2026 10:00", "%d/%m/%Y %H:%M", "America/New_York", "2026-03-01 15:00:00"),
        ("Mar 1, 2026, 1:05 PM", "%b %-d, %Y, %-I:%M %p", "", "2026-03-01 13:05:00"),
        ("01.03.2026 10:00:00 +0200", "%d.%m.%Y %H:%M:%S %z", "Europe/Berlin", "2026-03-01 08:00:00"),
        ("it's 2026-03-01", "it''s %Y-%m-%d", "", "2026-03-01 00:00:00"),
    ],
)
def test_a_time_is_in_the_form_and_zone_that_are_said(
    mapped: Any, said: Any, format: str, zone: str, ts: str
) -> None:
    named = f", zone: {zone}" if zone else ""
    mapping = BASE.replace("ts: when", f"ts: {{ from: when, format: '{format}'{named} }}")
    found = mapped(mapping, {**ROW, "when": said})
    assert found.rejects == []
    assert column(found, "ts") == [ts]


@pytest.mark.parametrize(
    ("said", "format", "reason"),
    [
        ("soon", "iso", "ts: not a time"),
        ("soon", "unix_s", "ts: not a time"),
        # Milliseconds taken for seconds are the year 58134.
        (1772359200250, "unix_s", "ts: before 2000 or after 2099"),
        (1772359200, "unix_ms", "ts: before 2000 or after 2099"),
        ("2026-03-01", "%d/%m/%Y", "ts: not a time"),
        (None, "unix_s", "ts: missing"),
        ("", "%d/%m/%Y", "ts: missing"),
    ],
)
def test_a_time_of_another_form_is_a_fault(mapped: Any, said: Any, format: str, reason: str) -> None:
    mapping = BASE.replace("ts: when", f"ts: {{ from: when, format: '{format}' }}")
    assert mapped(mapping, {**ROW, "when": said}).rejects == [[1, reason]]


def test_duckdb_knows_every_specifier_that_a_pattern_may_have() -> None:
    for specifier in SPECIFIERS:
        duckdb.execute(f"SELECT try_strptime('', '%{specifier}')").fetchall()


# --- where a value stands ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "record"),
    [
        ("usage.prompt", {"usage": {"prompt": 7}}),
        ("$.usage.prompt", {"usage": {"prompt": 7}}),
        ("usage.prompt", {"usage.prompt": 7}),
        ("usage.prompt", {"usage.prompt": 7, "usage": {"prompt": 8}}),
        ("$.usage.prompt", {"usage.prompt": 8, "usage": {"prompt": 7}}),
        ("items[1].n", {"items": [{"n": 1}, {"n": 7}]}),
        ("$[\"a.b\"]['c d'][0]", {"a.b": {"c d": [7]}}),
        ("cost [USD]", {"cost [USD]": 7}),
        ('it\'s "/~" `x`', {'it\'s "/~" `x`': 7}),
        ("'; DROP TABLE stored_calls; --", {"'; DROP TABLE stored_calls; --": 7}),
        ("$1", {"$1": 7}),
        ("line", {"line": 7}),
        ("file_index", {"file_index": 7}),
        ("record", {"record": 7}),
        ("f_ts", {"f_ts": 7, "F_TS": 8}),
        ("Model", {"Model": 7}),
        ("usage.prompt", {"usage": '{"prompt": 7}'}),
        ("größe.値", {"größe": {"値": 7}}),
    ],
)
def test_a_field_is_found_by_its_name_or_path(mapped: Any, place: str, record: dict[str, Any]) -> None:
    mapping = BASE.replace("input_tokens: in", f"input_tokens: {json.dumps(place, ensure_ascii=False)}")
    found = mapped(mapping, {**ROW, **record})
    assert found.rejects == []
    assert column(found, "input_tokens") == [7]


def test_of_several_fields_the_first_that_says_something_counts(mapped: Any) -> None:
    mapping = BASE.replace("input_tokens: in", "input_tokens: [usage.prompt, usage.input, in]")
    rows = [{"usage": {"prompt": 7, "input": 8}}, {"usage": {"prompt": None, "input": 8}}, {"usage": ""}]
    found = mapped(mapping, *({**ROW, **row} for row in rows))
    assert sorted(column(found, "input_tokens")) == [7, 8, 1000]


def test_words_of_the_file_are_translated(mapped: Any) -> None:
    more = """
  mode: { from: tier, values: { "on demand": standard, it's batch: batch } }
  success: { from: status, values: { ok: true, failed: false } }
"""
    rows = [("on demand", "ok"), ("it's batch", "failed"), ("flex", None), ("cheap", "ok"), ("flex", "odd")]
    found = mapped(
        BASE + more,
        *(
            {**ROW, "in": number, "tier": tier, "status": status}
            for number, (tier, status) in enumerate(rows)
        ),
    )
    assert column(found, "mode") == ["standard", "batch", "flex"]
    assert column(found, "success") == [True, False, None]
    assert found.rejects == [
        [4, "mode: not one of standard, batch, flex, priority, fast"],
        [5, "success: not true or false"],
    ]


def test_labels_tags_and_units(mapped: Any) -> None:
    mapping = f"""{BASE}
  user: who.mail
  team: {{ value: it's "ours" }}
  api_key: key
  error_type: error
tags:
  env: who.env
  it's a "tag": who.more
  fixed: {{ value: yes }}
other_units:
  web_search_requests: tools.search
  images: tools.images
"""
    found = mapped(
        mapping,
        {**ROW, "who": {"mail": "ada@example.com", "env": "prod"}, "key": "sk-0123456789abcdef"}
        | {"tools": {"search": 3, "images": None}, "error": "", "messages": [{"content": "secret"}]},
        {**ROW, "in": 2000, "tools": {"search": 1.5}},
    )
    (call,) = found.calls
    digest = hashlib.sha256(b"sk-0123456789abcdef").hexdigest()[:8]
    assert without_key(call) == {
        **CALL,
        "user_id": "ada@example.com",
        "team": 'it\'s "ours"',
        "api_key": f"…cdef#{digest}",
        "tags": {"env": "prod", "fixed": "yes"},
        "other_units": {"web_search_requests": 3},
    }
    assert found.rejects == [[2, "other_units: not an object of whole numbers"]]


def test_tags_may_be_an_object_of_the_file(mapped: Any) -> None:
    rows = [{**ROW, "meta": {"env": "prod", "n": 5}}, {**ROW, "in": 2000, "meta": "odd"}]
    found = mapped(f"{BASE}tags: meta\n", *rows)
    assert column(found, "tags") == [{"env": "prod", "n": "5"}]
    assert found.rejects == [[2, "tags: not an object"]]


# --- which records are calls ------------------------------------------------------------------------------


def test_conditions_say_which_records_are_calls(mapped: Any) -> None:
    conditions = """
calls:
  - { from: kind, is: [completion, it's] }
  - { from: meta.status, is_not: [failed, 500] }
  - { from: usage, known: true }
  - { from: parent, known: false }
"""
    good = {**ROW, "kind": "completion", "usage": {}, "meta": {"status": 200}}
    rows: list[Any] = [
        good,
        {**good, "kind": "it's", "in": 1001, "meta": None, "parent": ""},
        {**good, "kind": "embedding"},
        {**good, "kind": None},
        {**good, "meta": {"status": 500}},
        {**good, "usage": None},
        {**good, "parent": "x"},
        {},
        5,
        {**good, "in": "ten"},
    ]
    found = mapped(BASE + conditions, *rows)
    assert column(found, "input_tokens") == [1000, 1001]
    # What is no call is passed over; what is no object, and a bad call, are told.
    assert found.rejects == [[9, "not an object"], [10, "input_tokens: not a whole number"]]


@pytest.mark.parametrize(
    ("more", "row", "reason"),
    [
        ("", {"in": 1.5}, "input_tokens: not a whole number"),
        ("", {"in": True}, "input_tokens: not a whole number"),
        ("", {"in": -1}, "input_tokens: negative"),
        ("", {"in": 10**13}, "input_tokens: too large"),
        ("", {"in": None, "out": ""}, "tokens: missing"),
        ("", {"model": None}, "model: missing"),
        ("  cache_read_tokens: c\ninput: inclusive\n", {"c": 1001},
         "cache_read_tokens: more than input_tokens, which includes it"),
        ("  cache_read_tokens: c\ninput: inclusive\n", {"c": 5, "in": None}, "input_tokens: missing"),
        ("  reasoning_tokens: r\noutput: inclusive\n", {"r": 51},
         "reasoning_tokens: more than output_tokens"),
        ("  reported_cost: p\n", {"p": "dear"}, "reported_cost: not an amount in USD"),
        ("  reported_cost: p\n", {"p": -1}, "reported_cost: negative"),
        ("  latency_ms: { from: l, unit: s }\n", {"l": "long"}, "latency_ms: not a number"),
        ("  requests: n\n", {"n": 0}, "requests: less than 1"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_a_fault(mapped: Any, more: str, row: dict[str, Any], reason: str) -> None:
    found = mapped(BASE + more, {**ROW, **row}, ROW)
    assert found.rejects == [[1, reason]]
    assert len(found.calls) == 1


def test_lines_that_are_no_json_are_told_as_ever(tmp_path: Path, held: Ingest) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(ROW)}\nnot JSON\n[1]\n\n", encoding="utf-8")
    found = held(path, **by(tmp_path, BASE))
    assert len(found.calls) == 1
    assert found.rejects == [[2, "not JSON"], [3, "not an object"]]


# --- kinds of files ---------------------------------------------------------------------------------------


def test_every_kind_of_file_gives_the_same_calls(tmp_path: Path) -> None:
    nested = BASE.replace("in\n", "usage.in\n").replace("out\n", "usage.out\n")
    rows = [
        {"when": ROW["when"], "model": "gpt-4o", "usage": {"in": 10 + number, "out": 5}} for number in (0, 1)
    ]
    flat = "when;model;usage\n" + "".join(
        f'{row["when"]};{row["model"]};"{json.dumps(row["usage"]).replace(chr(34), chr(34) * 2)}"\n'
        for row in rows
    )
    texts = {
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "b.json": json.dumps(rows),
        "c.json": "\n".join(json.dumps(row, indent=1) for row in rows),
        "d.csv": flat,
    }
    flags = by(tmp_path, nested)
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "e.parquet")
    for name in (*texts, "e.parquet"):
        ledger = Ledger(tmp_path / f"{name}.duckdb")
        done = ingest(ledger, [str(tmp_path / name)], book=PriceBook(), given=Given(**flags))
        assert not done.failed, done
        with ledger.reading() as engine:
            calls = engine.rows(
                "SELECT CAST(ts AS VARCHAR), provider, model, input_tokens, output_tokens "
                "FROM calls ORDER BY 4"
            )
        assert calls == [
            ("2026-03-01 10:00:00", "openai", "gpt-4o", 10, 5),
            ("2026-03-01 10:00:00", "openai", "gpt-4o", 11, 5),
        ], name


def test_parquet_times_floats_and_odd_names(tmp_path: Path, held: Ingest) -> None:
    from datetime import UTC, datetime

    table = pyarrow.table(
        {
            'it\'s "when"': [datetime(2026, 3, 1, 10, tzinfo=UTC)],
            "model": ["gpt-4o"],
            "in": pyarrow.array([1000.0]),
            "out": pyarrow.array([50], pyarrow.int32()),
            "line": ["not ours"],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    mapping = BASE.replace("ts: when", 'ts: it\'s "when"')
    found = held(tmp_path / "a.parquet", **by(tmp_path, mapping))
    assert [without_key(call) for call in found.calls] == [CALL]


# --- identity ---------------------------------------------------------------------------------------------


def test_an_id_is_in_the_mapping_s_own_name_space_unless_a_provider_gave_it(mapped: Any) -> None:
    found = mapped(f"{BASE}id: [answer, n]\n", {**ROW, "n": 5}, {**ROW, "answer": "chatcmpl-1", "in": 1001})
    assert column(found, "call_key") == [key_of("map:gateway:5"), key_of("openai:chatcmpl-1")]


def test_equal_records_without_an_id_are_as_many_calls_and_a_copy_adds_none(mapped: Any) -> None:
    assert len(mapped(BASE, ROW, ROW).calls) == 2
    assert len(mapped(BASE, ROW, ROW, name="copy.jsonl").calls) == 2


def test_buckets_are_known_by_time_and_labels_not_by_figures(mapped: Any) -> None:
    mapping = f"{BASE}  requests: n\n  team: team\ngrain: bucket\ntags: {{ env: env }}\n"
    rows = [{**ROW, "n": 10, "team": team, "env": "prod"} for team in ("a", "b")]
    first = mapped(mapping, *rows)
    assert column(first, "grain") == ["bucket", "bucket"]
    assert column(first, "requests") == [10, 10]
    later = mapped(mapping, {**rows[0], "in": 2000, "n": 0}, rows[1], name="b.jsonl")
    assert [(call["team"], call["input_tokens"], call["requests"]) for call in later.calls] == [
        ("b", 1000, 10),
        ("a", 2000, 0),
    ]


# --- a mapping that is kept -------------------------------------------------------------------------------


def test_a_file_is_read_again_by_its_mapping_whatever_became_of_that_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.duckdb")
    path, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    other.write_text(json.dumps({**ROW, "in": 5}) + "\n")
    flags = by(tmp_path, BASE)
    ingest(ledger, [str(path), str(other)], book=PriceBook(), given=Given(**flags))
    (tmp_path / "mapping.yaml").unlink()

    def tokens() -> list[int]:
        with ledger.reading() as engine:
            return [row[0] for row in engine.rows("SELECT input_tokens FROM calls ORDER BY 1")]

    # It grows, and its directory is read without a word of a mapping.
    with path.open("a") as file:
        file.write(json.dumps({**ROW, "in": 2000}) + "\n")
    done = ingest(ledger, [str(tmp_path)], book=PriceBook())
    assert tokens() == [5, 1000, 2000]
    assert not done.failed
    # It is rotated away.
    path.rename(tmp_path / "a.jsonl.1")
    done = ingest(ledger, [str(tmp_path)], book=PriceBook())
    assert tokens() == [5, 1000, 2000]
    assert [sentence for sentence in done.outcome.notes if "a.jsonl" in sentence] == []
    # Another file is forgotten, so it is read again.
    forget(ledger, [str(other)], book=PriceBook())
    assert tokens() == [1000, 2000]


def test_a_changed_mapping_reads_again_and_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.duckdb")
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({**ROW, "in": n, "n": n, "k": "x"}) + "\n" for n in (1, 2, 3)))

    def read_by(mapping: str) -> tuple[int, ...]:
        done = ingest(ledger, [str(path)], book=PriceBook(), given=Given(**by(tmp_path, mapping)))
        names = ("files", "rows_new", "rows_known", "rows_improved")
        figures = dict(zip((each.name for each in done.outcome.columns), done.outcome.values, strict=True))
        notes.append(list(done.outcome.notes))
        return tuple(int(str(figures[name])) for name in names)

    def held() -> list[tuple[Any, ...]]:
        with ledger.reading() as engine:
            return engine.rows("SELECT input_tokens, team FROM calls ORDER BY ts, input_tokens")

    notes: list[list[str]] = []
    assert read_by(BASE) == (1, 3, 0, 0)
    # A comment, another order: no change.
    assert read_by(f"# mine\n{BASE}") == (0, 0, 0, 0)
    # A label more: the same calls.
    assert read_by(f"{BASE}  team: k\n") == (1, 0, 0, 3)
    assert held() == [(1, "x"), (2, "x"), (3, "x")]
    # Other ids: other calls, and the old ones are gone.
    assert read_by(f"{BASE}id: n\n") == (1, 3, 0, 0)
    assert held() == [(1, None), (2, None), (3, None)]
    assert notes[-1] == [
        "3 calls are gone that an earlier reading of these files, by another mapping, had given"
    ]
    # A condition: what is no call any more is gone.
    assert read_by(f"{BASE}id: n\ncalls: [{{ from: n, is: ['1', '2'] }}]\n") == (1, 0, 0, 2)
    assert held() == [(1, None), (2, None)]


NAMED = f"{BASE}  user: {{ value: ada }}\n  team: {{ value: search }}\ntags:\n  owner: {{ value: ada }}\n"


def test_a_person_whom_a_mapping_names_is_forgotten_there_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.duckdb")
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    ingest(ledger, [str(path)], book=PriceBook(), given=Given(**by(tmp_path, NAMED)))
    forget_person(ledger, "ada")
    with ledger.reading() as engine:
        assert engine.rows("SELECT user_id, team, tags_json FROM calls") == [(None, "search", None)]
        ((kept,),) = engine.rows("SELECT given FROM sources")
    assert "ada" not in kept
    # What is left of the mapping is one, and reads the file again.
    path.write_text(json.dumps({**ROW, "in": 5}) + "\n")
    ingest(ledger, [str(path)], book=PriceBook())
    with ledger.reading() as engine:
        rows = engine.rows("SELECT input_tokens, user_id, team FROM calls ORDER BY 1")
    assert rows == [(5, None, "search"), (1000, None, "search")]


@pytest.mark.parametrize("asked", [("user",), ("tag:owner",)])
def test_a_mapping_that_names_a_person_is_refused_where_names_are_to_be_pseudonyms(
    tmp_path: Path, asked: tuple[str, ...]
) -> None:
    ledger = Ledger(tmp_path / "l.duckdb")
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    given = Given(**by(tmp_path, NAMED), pseudonymize=asked)
    with pytest.raises(LedgerError, match=f"gives every record the same {asked[0]}"):
        ingest(ledger, [str(path)], book=PriceBook(), given=given)


# --- what is wrong with a mapping -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "line", "message", "hint"),
    [
        ("name: x\ncolumns:\n  ts: a\n  cache_write_tokens: b\n", 4,
         "unknown key columns.cache_write_tokens", "did you mean cache_write_5m_tokens?"),
        ("columns:\n  ts: a\n", 1, "the file lacks the key name", None),
        ("name: X\ncolumns:\n  ts: a\n  input_tokens: b\n", 1,
         "name must match ^[a-z][a-z0-9_-]{0,39}$, not 'X'", None),
        (f"{BASE}  cache_read_tokens: c\n", 9,
         "nothing says whether input_tokens includes cache_read_tokens",
         "write input: inclusive if it does, input: exclusive if it does not"),
        (f"{BASE}  reasoning_tokens: c\n", 9,
         "nothing says whether output_tokens includes reasoning_tokens", None),
        (f"{BASE}input: [cache_read_tokens]\n", 9,
         "input names cache_read_tokens, which columns does not have", None),
        ("name: x\ninput: inclusive\ncolumns: { ts: a, output_tokens: b }\n", 2,
         "input_tokens is not among the columns", None),
        ("name: x\ncolumns:\n  ts: a\n  model: b\n", 2, "columns has no tokens", None),
        (f"{BASE}  team: {{}}\n", 9, "columns.team must not be empty", None),
        (f"{BASE}  team: {{ values: {{ a: b }} }}\n", 9,
         "columns.team must have one of from and value", None),
        (f"{BASE}  team: {{ from: a, value: b }}\n", 9,
         "columns.team must have one of from and value", None),
        (f"{BASE}  team: $.a[\n", 9, "columns.team: '$.a[' is no path", None),
        (f'{BASE}  team: $["\\ud800"]\n', 9, "columns.team: '$[\"\\\\ud800\"]' is no path", None),
        (f'{BASE}  team: $["\\u0000"]\n', 9, "columns.team: '$[\"\\\\u0000\"]' is no path", None),
        (f"{BASE}  team: $.\n", 9, "columns.team: '$.' is no path", None),
        (f"{BASE}  mode: {{ value: bach }}\n", 9, "columns.mode: 'bach' is none",
         "use one of standard, batch, flex, priority, fast"),
        (f"{BASE}  requests: {{ value: many }}\n", 9,
         "columns.requests: 'many' is not a whole number", None),
        (f"{BASE}  reported_cost: {{ from: a, unit: cent }}\n", 9,
         "columns.reported_cost.unit must be one of dollars, cents, micro, nano, not 'cent'",
         "did you mean cents?"),
        (BASE.replace("ts: when", "ts: { from: when, format: unix }"), 4,
         "columns.ts.format: 'unix' is none", None),
        (BASE.replace("ts: when", "ts: { from: when, format: '%Y-%Q' }"), 4,
         "columns.ts.format: %Q is unknown to strptime", None),
        (BASE.replace("ts: when", "ts: { from: when, zone: Europe/Berln }"), 4, None,
         "did you mean Europe/Berlin?"),
        (f"{BASE}calls:\n  - {{ from: a }}\n", 10, "calls[0] must have one of is, is_not and known", None),
        (f"{BASE}calls:\n  - {{ from: a, is: b, known: true }}\n", 10,
         "calls[0] must have one of is, is_not and known", None),
        (f"{BASE}grain: bucket\nid: n\n", 10, "a bucket has no id", None),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(
    tmp_path: Path, mapping: str, line: int, message: str | None, hint: str | None
) -> None:
    (found,) = faults(tmp_path, mapping)
    assert found[0] == line
    if message is not None:
        assert found[1] == message
    if hint is not None:
        assert hint in found[2]


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    mapping = f"{BASE}  cache_read_tokens: $.\n  mode: {{ value: x }}\n"
    assert [line for line, _, _ in faults(tmp_path, mapping)] == [9, 9, 10]


def test_the_schema_knows_every_column_that_a_format_may_give() -> None:
    schema = json.loads((Path(read.__code__.co_filename).parents[1] / "schemas/mapping.json").read_text())
    known = set(schema["properties"]["columns"]["properties"])
    given_otherwise = {"grain", "tags", "other_units"}
    expected = {BY_NAME[name].public for name, _ in CANONICAL} - given_otherwise
    assert known == {name.removesuffix("_pico") for name in expected}
    assert "unix_s" in UNIX


# --- what users write, in SQL -----------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
ODD = st.text(st.sampled_from("'\"\\$/~.[]{}%;-`\n éaA0"), max_size=15)


@given(TEXTS | ODD)
def test_a_literal_is_the_text(text: str) -> None:
    assert duckdb.execute(f"SELECT {literal(text)}").fetchone() == (text,)


@given((TEXTS | ODD).filter(bool))
def test_an_identifier_is_the_name(name: str) -> None:
    quoted = identifier(name)
    result = duckdb.execute(f"SELECT x.{quoted} FROM (SELECT 5 AS {quoted}) AS x")  # noqa: S608
    assert [column[0] for column in result.description or ()] == [name]
    assert result.fetchone() == (5,)


@given(st.lists((TEXTS | ODD).filter(bool), min_size=1, max_size=4))
def test_a_pointer_leads_where_its_steps_say(steps: list[str]) -> None:
    record: Any = "here"
    for step in reversed(steps):
        record = {step: record}
    extraction = Extraction()
    value = extraction.value(tuple(steps))
    sql = f"SELECT {value} FROM (SELECT {extraction.found} AS found FROM (SELECT $record AS record))"  # noqa: S608
    assert duckdb.execute(sql, {"record": json.dumps(record)}).fetchone() == ("here",)
    assert pointer(steps).count("/") == len(steps)


@given((TEXTS | ODD).filter(bool))
def test_any_text_is_a_name_or_a_path_or_refused(text: str) -> None:
    try:
        found = places(text)
    except ValueError:
        assert text.startswith(("$.", "$["))
        return
    assert all(path and all(isinstance(step, str) for step in path) for path in found)
    if not text.startswith(("$.", "$[")):
        assert found[0] == (text,)


@settings(max_examples=25)
@given(ODD.filter(lambda text: text.strip() and not text.startswith(("$.", "$["))), ODD.filter(bool))
def test_no_name_and_no_word_gets_out_of_its_quotes(name: str, word: str) -> None:
    said = {
        "name": "x",
        "columns": {"ts": {"from": name, "format": f"%Y{word.replace('%', '%%')}"}, "input_tokens": name,
                    "mode": {"from": name, "values": {word: "batch"}}, "provider": {"value": word}},
        "calls": [{"from": name, "is": word}, {"from": name, "is_not": [word]}],
        "tags": {word: name},
        "id": name,
    }  # fmt: skip
    format = format_of(json.dumps(said, sort_keys=True))
    record = json.dumps({name: word})
    sql = (
        "WITH raw AS (SELECT 1 AS source_id, 1 AS line, NULL AS given_time, NULL AS given_model, "
        f"$record::JSON AS record)\n{format.select()}"
    )
    duckdb.execute(sql, {"record": record}).fetchall()


@pytest.mark.parametrize("quote", [literal, identifier])
@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_is_no_text_is_refused(quote: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        quote(text)


def test_an_identifier_needs_a_name() -> None:
    with pytest.raises(ValueError, match="name"):
        identifier("")


def test_the_example_says_all_that_a_mapping_may() -> None:
    schema = json.loads((Path(read.__code__.co_filename).parents[1] / "schemas/mapping.json").read_text())
    said = json.loads(read(Path(__file__).parents[2] / "mapping.example.yaml"))
    assert said.keys() == schema["properties"].keys()
    left_out = schema["properties"]["columns"]["properties"].keys() - said["columns"].keys()
    assert left_out == {"requests", "region", "context_tier", "replay"}
    assert format_of(json.dumps(said)).name == "map:gateway"
