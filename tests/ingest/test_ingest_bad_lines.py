"""A bad line stops nothing, is never lost, and is named by the number that an editor shows."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usage_files import Desk, Given, call, packed, text, turn

GOOD = call()


def nested(depth: int, **said: str) -> str:
    """A call with a field of that many lists one in another."""
    return call(**said)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"


BAD: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("total: 12", "not JSON"),
    "a comment after it": (GOOD + " // done", "not JSON"),
    "two objects": (GOOD + GOOD, "not JSON"),
    "single quotes": ("{'model': 'm'}", "not JSON"),
    "a no-break space after it": (GOOD + "\u00a0", "not JSON"),
    "half a line": (GOOD[:60], "truncated"),
    "cut in a word": ('{"model": tr', "truncated"),
    "a list": ("[1, 2]", "not an object"),
    "a number": ("17", "not an object"),
    "a string": ('"usage"', "not an object"),
    "null": ("null", "not an object"),
    "nothing in it": ("{}", "timestamp: missing"),
    "a fraction": (call(input_tokens=1.5), "input_tokens: not a whole number"),
    "a truth value": (call(output_tokens=True), "output_tokens: not a whole number"),
    "a word": (call(input_tokens="ten"), "input_tokens: not a whole number"),
    "a list of tokens": (call(input_tokens=[]), "input_tokens: not a whole number"),
    "an object of tokens": (call(output_tokens={}), "output_tokens: not a whole number"),
    "no input": (call(input_tokens=...), "input_tokens: missing"),
    "no output": (call(output_tokens=None), "output_tokens: missing"),
    "no model": (call(model=...), "model: missing"),
    "an empty model": (call(model=""), "model: missing"),
    "no time": (call(timestamp=None), "timestamp: missing"),
    "a bad time": (call(timestamp="yesterday"), "timestamp: not a time"),
    "a 13th month": (call(timestamp="2024-13-01T00:00:00Z"), "timestamp: not a time"),
    "a time before computers": (
        call(timestamp="1024-10-01T00:00:00Z"),
        "timestamp: before 2000 or after 2099",
    ),
    "negative": (call(input_tokens=-1), "input_tokens: negative"),
    "more than anyone can pay": (call(output_tokens=10**12 + 1), "output_tokens: too large"),
    "more than 64 bits": (call(output_tokens=2**64), "output_tokens: too large"),
    "more cached than there is": (call(cached_tokens=101), "cached_tokens: more than input_tokens"),
    "a difference out of range": (call(input_tokens=-(2**63), cached_tokens=5), "input_tokens: negative"),
    "a sum out of range": (
        call(input_tokens=2**63 - 1, cache_read_tokens=2**63 - 1, cache_write_1h_tokens=2**63 - 1),
        "input_tokens: too large",
    ),
    "a NUL": (GOOD.encode()[:-1] + b', "x": "\0"}', "holds a NUL byte"),
    "Latin-1": ('{"team": "caf\u00e9"}'.encode("latin-1"), "not UTF-8"),
    "half a character": (call(team="x").replace('"x"', '"\\ud83d"'), "holds half of a surrogate pair"),
    "tags that are none": (call(tags="blue"), "tags: not an object"),
}


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_among_good_ones(desk: Desk, line: str) -> None:
    bad, reason = BAD[line]
    desk.write("log.jsonl", call(id="a"), "", "  ", bad, call(id="b"))
    done = desk.ingest()
    assert (done["rows_new"], done["rows_rejected"]) == (2, 1)
    assert done["rejects_by_reason"] == {reason: 1}
    assert desk.rejects() == [(4, reason)]
    assert done.attention
    assert not done.failed


def test_all_bad_lines_together_keep_their_numbers(desk: Desk) -> None:
    lines: list[str | bytes] = []
    expected = []
    for number, (bad, reason) in enumerate(BAD.values()):
        lines += [call(id=str(number)), bad, "", b"\t\r"]
        expected.append((4 * number + 2, reason))
    desk.write("log.jsonl", *lines, end="")
    done = desk.ingest()
    assert done["rows_new"] == len(BAD)
    assert done["rejects_by_reason"] == dict(Counter(reason for _, reason in expected))
    assert desk.rejects() == expected
    assert desk.rows("SELECT rows, rejected FROM sources") == [(len(BAD), len(BAD))]


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.jsonl.zst"])
def test_bad_lines_of_a_compressed_file(desk: Desk, name: str) -> None:
    desk.write(name, call(id="a"), "", "{", call(id="b"), call(id="c")[:-5], end="")
    done = desk.ingest()
    # Of a compressed file nobody writes on: half a line at its end is no line to wait for.
    assert done["rows_new"] == 2
    assert desk.rejects() == [(3, "truncated"), (5, "truncated")]


def test_the_text_of_a_bad_line_is_kept_only_if_wanted(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a"), "{bad", call(model="")[:-1] + ', "x": "é"}')
    desk.write_bytes("bytes.jsonl", text(call(id="b")) + b'{"x": "\xff"}\r\n')
    desk.ingest()
    assert desk.rows("SELECT DISTINCT raw FROM rejects") == [(None,)]
    desk.ingest(keep_rejects=True, full=True)
    assert sorted(desk.rows("SELECT raw FROM rejects")) == [
        (call(model="")[:-1] + ', "x": "é"}',),
        ('{"x": "\\xff"}',),
        ("{bad",),
    ]


def test_a_file_mended_takes_its_rejects_back(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a"), "{bad")
    desk.ingest()
    desk.write("log.jsonl", call(id="a"), call(id="b"))
    done = desk.ingest()
    assert (done["rows_new"], done.attention) == (1, False)
    assert desk.rejects() == []


def test_attention_is_for_the_files_of_this_run_also_unchanged_ones(desk: Desk) -> None:
    desk.write("bad.jsonl", call(id="a"), "{bad")
    desk.write("good.jsonl", call(id="b"))
    assert desk.ingest().attention
    again = desk.ingest()
    assert (again["rows_rejected"], again.attention) == (0, True)
    assert not desk.ingest("good.jsonl").attention
    desk.append("bad.jsonl", text(call(id="c")))
    grown = desk.ingest("bad.jsonl")
    assert (grown["rows_new"], grown["rows_rejected"], grown.attention) == (1, 0, True)


def test_attention_is_for_calls_without_a_price_also_known_ones(desk: Desk) -> None:
    desk.write("log.jsonl", call(model="hal-9000"))
    assert desk.ingest()["unpriced_calls"] == 1
    again = desk.ingest()
    assert (again["files_unchanged"], again["unpriced_calls"], again.attention) == (1, 0, True)
    assert desk.ingest(full=True).attention


def test_lines_of_a_transcript_that_are_no_calls_are_no_rejects(desk: Desk) -> None:
    desk.write(
        "session.jsonl",
        '{"type": "summary", "summary": "x", "leafUuid": "u"}',
        '{"type": "user", "sessionId": "s1", "uuid": "u1", "message": {"content": "hello"}}',
        '{"something": "else"}',
        turn("a", 5),
        "{bad",
        turn("b", 5)[:-20],
        turn("c", 5).replace('"s1"', '"\\ud83d"'),
        turn("d", -5),
    )
    done = desk.ingest()
    assert done["rows_new"] == 1
    assert desk.rejects() == [
        (5, "not JSON"),
        (6, "truncated"),
        (7, "holds half of a surrogate pair"),
        (8, "output_tokens: negative"),
    ]


@pytest.mark.parametrize("depth", [126, 127, 1000])
def test_a_call_with_deeply_nested_lists_is_a_call_also_beside_a_bad_line(desk: Desk, depth: int) -> None:
    lines = [call(id="a"), nested(depth, id="b"), call(id="c", tags={"x": "[[[{{{" * 100})]
    desk.write("clean.jsonl", *lines)
    assert desk.ingest()["rows_new"] == 3
    desk.write("log.jsonl", "{bad", *lines, nested(depth, id="d"), nested(depth)[:-3])
    done = desk.ingest("log.jsonl")
    assert (done["rows_new"], done["rows_known"]) == (1, 3)
    assert [line for line, _ in desk.rejects()] == [1, 6]


def test_a_long_first_line_hides_no_format(desk: Desk) -> None:
    picture = json.dumps({"type": "user", "message": {"content": "A" * 200_000}})
    desk.write("session.jsonl", picture, turn("a", 5))
    desk.write("log.jsonl", '{"note": "' + "A" * 100_000, call())
    assert desk.ingest()["rows_new"] == 2
    assert desk.rejects() == [(1, "truncated")]


@pytest.mark.heavy
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("ending", ["", ".zst"])
def test_a_line_of_70_mb(desk: Desk, place: int, ending: str) -> None:
    lines = [call(id="a"), call(id="b")]
    lines.insert(place, call(x="A" * 70 * 2**20))
    desk.write(f"log.jsonl{ending}", *lines)
    desk.write("other.jsonl", call(id="c"))
    done = desk.ingest()
    assert (done["rows_new"], done.failed) == (3, False)
    assert desk.rejects() == [(place + 1, "longer than 64 MB")]


@pytest.mark.heavy
def test_a_line_of_140_mb_in_gzip_and_one_of_70_mb_that_is_appended(desk: Desk) -> None:
    desk.write("log.jsonl.gz", call(id="a"), call(x="A" * 140 * 2**20), call(id="b"))
    desk.write("log.jsonl", call(id="c"))
    assert desk.ingest()["rows_new"] == 3
    assert desk.rejects() == [(2, "longer than 64 MB")]
    desk.append("log.jsonl", text(call(x="A" * 70 * 2**20), call(id="d")))
    assert desk.ingest()["rows_new"] == 1
    assert desk.rejects() == [(2, "longer than 64 MB")] * 2


@pytest.mark.heavy
def test_a_line_of_60_mb_is_a_call(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a"), call(id="b", x="A" * 60 * 2**20))
    assert desk.ingest()["rows_new"] == 2


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_of_a_file_cut_short_what_can_be_read_is_in_and_the_cut_is_a_reject(desk: Desk, ending: str) -> None:
    lines = [call(id=f"{number:064x}"[::-1], output_tokens=number) for number in range(4000)]
    whole = packed(f"log.jsonl{ending}", text(*lines))
    desk.write_bytes(f"log.jsonl{ending}", whole[: len(whole) * 3 // 4])
    desk.write("other.jsonl", call(id="other", output_tokens=5000))
    done = desk.ingest()
    outputs = desk.outputs()
    read = len(outputs) - 1
    assert 0 < read < 4000
    assert outputs == [*range(read), 5000]
    assert done["rejects_by_reason"] == {"the compressed data ends too early": 1}
    assert desk.rejects() == [(read + 1, "the compressed data ends too early")]
    desk.write_bytes(f"log.jsonl{ending}", whole)
    assert desk.ingest()["rows_new"] == 4000 - read
    assert desk.rejects() == []


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_cut_before_its_first_line_is_not_taken_for_an_empty_one(desk: Desk, ending: str) -> None:
    path = desk.write_bytes(f"log.jsonl{ending}", packed(f"x{ending}", text(GOOD))[:10])
    assert desk.ingest()["files_skipped"] == 1
    done = desk.ingest(path)
    assert done.failed
    assert done.told("the compressed data ends too early")


def test_padding_after_compressed_data_is_nothing(desk: Desk) -> None:
    desk.write_bytes("tape.jsonl.gz", gzip.compress(text(call(id="a"))) + bytes(512))
    desk.write_bytes("joined.jsonl.gz", gzip.compress(text(call(id="b"))) + gzip.compress(text(call(id="c"))))
    done = desk.ingest()
    assert (done["rows_new"], done["rows_rejected"]) == (3, 0)


CSV_HEADER = "timestamp,model,input_tokens,output_tokens,team"


def csv_line(output: int, team: str = "search") -> str:
    return f"2024-11-05T10:00:00Z,claude-3-5-sonnet-20241022,100,{output},{team}"


def test_csv_faults(desk: Desk) -> None:
    desk.write(
        "log.csv",
        CSV_HEADER,
        csv_line(1, '"a\nb"'),  # lines 2 and 3: a quoted field may hold a line end
        csv_line(2) + ",more",
        "2024-11-05T10:00:00Z,fewer",
        csv_line(3, "\0"),
        csv_line(4).encode() + b"\xff",
        "",
        csv_line(5, '"x"y'),
        csv_line(-6),
        csv_line(7),
    )
    done = desk.ingest(keep_rejects=True)
    assert done["rows_new"] == 2
    assert desk.calls("output_tokens", "team") == [(1, "a\nb"), (7, "search")]
    assert desk.rejects() == [
        (4, "6 fields under 5 names"),
        (5, "2 fields under 5 names"),
        (6, "holds a NUL byte"),
        (7, "not UTF-8"),
        (9, "not CSV: ',' expected after '\"'"),
        (10, "output_tokens: negative"),
    ]
    raws = dict(desk.rows("SELECT line, raw FROM rejects"))
    assert raws[4] == csv_line(2) + ",more"
    assert raws[10] == csv_line(-6)


def test_a_quote_that_is_never_closed_costs_one_line(desk: Desk) -> None:
    desk.write("log.csv", CSV_HEADER, csv_line(1), csv_line(2, '"open'), *(csv_line(n) for n in range(3, 10)))
    assert desk.ingest()["rows_new"] == 8
    assert desk.rejects() == [(3, "not CSV: unexpected end of data")]


def test_many_quotes_that_are_never_closed_cost_their_lines(desk: Desk) -> None:
    desk.write(
        "log.csv", CSV_HEADER, *(csv_line(n, '"a" b "c') if n % 2 else csv_line(n) for n in range(1500))
    )
    assert desk.ingest()["rows_new"] == 750
    assert [line for line, _ in desk.rejects()] == [n + 2 for n in range(1500) if n % 2]


def test_a_csv_line_that_is_being_written_waits_for_its_end(desk: Desk) -> None:
    desk.write("log.csv", CSV_HEADER, csv_line(1), csv_line(2)[:30], end="")
    first = desk.ingest()
    assert (first["rows_new"], first["rows_rejected"]) == (1, 0)
    desk.append("log.csv", csv_line(2)[30:] + "\n")
    assert desk.ingest()["rows_new"] == 1


def test_a_cut_csv_file(desk: Desk) -> None:
    lines = [csv_line(number, f"{number * 7919:032x}"[::-1]) for number in range(4000)]
    whole = gzip.compress(text(CSV_HEADER, *lines))
    desk.write_bytes("log.csv.gz", whole[: len(whole) * 3 // 4])
    desk.ingest()
    read = len(desk.outputs())
    assert 0 < read < 4000
    assert desk.rejects() == [(read + 2, "the compressed data ends too early")]


def parquet(path: Path, **columns: list[object]) -> None:
    pq.write_table(pa.table(columns), path)


def test_bad_rows_of_a_parquet_file(desk: Desk) -> None:
    parquet(
        desk.files / "log.parquet",
        timestamp=["2024-11-05T10:00:00Z"] * 3 + [None],
        model=["claude-3-5-sonnet-20241022"] * 4,
        input_tokens=[100.0, 1.5, 100.0, 100.0],
        output_tokens=[1, 2, -3, 4],
    )
    done = desk.ingest()
    assert done["rows_new"] == 1
    assert desk.rejects() == [
        (2, "input_tokens: not a whole number"),
        (3, "output_tokens: negative"),
        (4, "timestamp: missing"),
    ]


def test_a_broken_parquet_file_does_not_keep_the_others_out(desk: Desk) -> None:
    good = desk.files / "good.parquet"
    parquet(
        good,
        timestamp=["2024-11-05T10:00:00Z"] * 5000,
        model=["claude-3-5-sonnet-20241022"] * 5000,
        input_tokens=list(range(5000)),
        output_tokens=list(range(5000)),
    )
    data = bytearray(good.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    desk.write_bytes("pages.parquet", bytes(data))
    desk.write_bytes("footer.parquet", good.read_bytes()[:-20] + b"PAR1")
    desk.write("log.jsonl", call(id="a", output_tokens=5000))
    done = desk.ingest()
    assert desk.outputs() == list(range(5001))
    assert done["files"] == 2
    assert done.told("pages.parquet")
    assert done.told("footer.parquet")
    assert desk.ingest("pages.parquet").failed


def test_a_bad_flag_of_tags_meets_bad_tags(desk: Desk) -> None:
    desk.write("log.jsonl", call(id="a", tags="blue"), call(id="b", tags={"env": None, "x": 1}))
    done = desk.ingest(given=Given(tags={"env": "prod"}))
    assert done["rows_rejected"] == 1
    assert [json.loads(tags) for tags in desk.calls("tags_json")] == [{"env": "prod", "x": 1}]


def test_bad_lines_in_many_files_are_read_on_a_machine_of_many_cores(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each thread of the reader that goes on has a buffer of 64 MB.
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    for number in range(8):
        desk.write(f"{number}.jsonl", call(output_tokens=number), GOOD[:60], call(output_tokens=number + 100))
    done = desk.ingest()
    assert (done["rows_new"], done["rows_rejected"]) == (16, 8)
