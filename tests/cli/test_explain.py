"""`ingest --explain` says how a file would be read, and `--map` reads it so."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
from tests.formats.conftest import EXAMPLES, example_of, expected
from tests.program import Costctl, Run

from costctl.ingest import Given, explain
from costctl.pricing.book import PriceBook

MAPPING = """
name: gateway
input: inclusive
columns:
  ts: { from: at, format: unix_ms }
  provider: { value: openai }
  model: request.model
  user: who
  latency_ms: { from: took, unit: s }
  mode: { from: tier, values: { cheap: standard } }
  input_tokens: usage.prompt
  cache_read_tokens: usage.cached
  output_tokens: usage.completion
  reported_cost: { from: price, unit: cents }
tags:
  env: environment
calls:
  - { from: kind, is: completion }
"""


def record(**more: Any) -> dict[str, Any]:
    """1,000 tokens in, of which 600 cached, and 50 out, of gpt-4o: 400 × 2.50 + 600 × 1.25 + 50 × 10 = 2,250
    dollars per million, 0.00225 in all."""
    return {
        "at": 1772359200250,
        "kind": "completion",
        "request": {"model": "gpt-4o", "messages": [{"role": "user", "content": "my secret question"}]},
        "who": "sk-0123456789abcdef",
        "usage": {"prompt": 1000, "cached": 600, "completion": 50},
        "price": 0.2,
        "took": 1.5,
        "tier": "cheap",
        "environment": "prod",
        **more,
    }


@pytest.fixture
def gateway(costctl: Costctl) -> Path:
    (costctl.cwd / "mapping.yaml").write_text(MAPPING)
    path = costctl.cwd / "gateway.jsonl"
    rows = [
        record(),
        record(kind="ping"),
        record(usage={"prompt": "ten"}),
        record(request={"model": "unheard-of"}),
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows(run: Run) -> dict[str, dict[str, Any]]:
    return {row["column"]: row for row in run.json["rows"]}


def test_a_mapped_file(costctl: Costctl, gateway: Path) -> None:
    run = costctl("ingest", "--explain", "--map", "mapping.yaml", gateway, "--format", "json")
    assert (run.code, run.err) == (0, "")
    answer = run.json
    assert {name: answer[name] for name in ("claimed_by", "why", "shape", "records", "good")} == {
        "claimed_by": "map:gateway",
        "why": "--map says so",
        "shape": "jsonl",
        "records": 4,
        "good": 2,
    }
    assert (answer["rejected"], answer["no_calls"]) == (1, 1)
    assert answer["notes"] == ["line 3 is rejected: input_tokens: not a whole number"]
    first = answer["rows"][0]
    assert (first["column"], first["sample_1"], first["sample_2"]) == ("line", "1", "4")
    # Only what is read, and no more of a key than its end; the question is not.
    assert json.loads(answer["raw_1"]) == {
        "at": "1772359200250",
        "request.model": "gpt-4o",
        "who": "…cdef#" + json.loads(answer["raw_1"])["who"][-8:],
        "environment": "prod",
        "usage.prompt": "1000",
        "usage.cached": "600",
        "usage.completion": "50",
        "took": "1.5",
        "tier": "cheap",
        "price": "0.2",
        "kind": "completion",
    }
    assert "secret" not in run.out
    assert "sk-0123" not in run.out


def test_what_each_column_became(costctl: Costctl, gateway: Path) -> None:
    found = rows(costctl("ingest", "--explain", "--map", "mapping.yaml", gateway, "--format", "json"))

    def said(column: str) -> tuple[Any, ...]:
        return tuple(found[column][name] for name in ("from", "sample_1", "sample_2"))

    assert said("ts") == ("at (unix_ms)", "2026-03-01 10:00:00.25Z", "2026-03-01 10:00:00.25Z")
    assert said("provider") == ("the value openai", "openai", "openai")
    assert said("input_tokens") == ("usage.prompt, usage.cached", "400", "400")
    assert found["input_tokens"]["rule"] == "input_tokens - coalesce(cache_read_tokens, 0)"
    assert said("cache_read_tokens") == ("usage.cached", "600", "600")
    assert found["cache_read_tokens"]["rule"] == 'TRY_CAST("usage.cached" AS BIGINT)'
    assert said("cache_write_5m_tokens") == ("not stated", None, None)
    assert said("mode") == ("tier (cheap is standard)", "standard", "standard")
    assert said("latency_ms") == ("took (s)", "1500", "1500")
    assert said("billing") == ("always so", "unknown", "unknown")
    assert said("tags") == ("env: environment", '{"env":"prod"}', '{"env":"prod"}')
    assert said("reported_cost") == ("price (cents)", "0.002", "0.002")
    assert said("cost") == ("the price book", "0.00225", None)
    assert found["price"]["sample_1"].startswith("openai/gpt-4o, standard, genai-prices")
    assert found["price"]["sample_2"] == "no price for model openai/unheard-of"


def test_a_field_that_is_in_no_record_is_told(costctl: Costctl, gateway: Path) -> None:
    misspelt = MAPPING.replace("usage.cached", "usage.cahced").replace("from: kind", "from: kynd")
    (costctl.cwd / "mapping.yaml").write_text(misspelt.replace("is: completion", "is_not: ping"))
    answer = costctl("ingest", "--explain", "--map", "mapping.yaml", gateway, "--format", "json").json
    assert answer["notes"][:2] == [
        "usage.cahced, named for cache_read_tokens, says nothing in any record",
        "kynd, named for calls, says nothing in any record",
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_column_that_a_file_lacks_is_told_when_it_is_read(costctl: Costctl, ending: str) -> None:
    """Without a word, 600 cached tokens would be paid for as new ones."""
    (costctl.cwd / "mapping.yaml").write_text(
        "name: gateway\ninput: inclusive\ncolumns: {ts: at, model: [name, model], input_tokens: prompt, "
        "cache_read_tokens: cahced, output_tokens: out}\ntags: {env: labels.env}\n"
    )
    for name in ("one", "two"):
        table = pyarrow.table(
            {
                "at": ["2026-03-01T10:00:00Z"],
                "model": [f"gpt-4o-{name}"],
                "prompt": [1000],
                "cached": [600],
                "out": [5],
                "labels": ['{"team": "ads"}'],
            }
        )
        path = costctl.cwd / f"{name}.{ending}"
        if ending == "parquet":
            pyarrow.parquet.write_table(table, path)
        else:
            pyarrow.csv.write_csv(table, path)
    files = (f"one.{ending}", f"two.{ending}")
    summary = costctl("ingest", "--map", "mapping.yaml", *files, "--format", "json").json
    assert summary["rows_new"] == 2
    assert summary["notes"][0] == (
        f"{costctl.cwd / f'one.{ending}'}, and 1 more file: "
        "no column cahced, which the mapping names for cache_read_tokens"
    )
    # labels is there, though not each has env in it.
    assert not any("labels" in note for note in summary["notes"])


def test_a_ledger_is_merged_not_mapped(costctl: Costctl) -> None:
    (costctl.cwd / "log.jsonl").write_text(
        '{"ts": "2026-03-01T10:00:00Z", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}\n'
    )
    costctl("ingest", "log.jsonl")
    run = costctl("ingest", "--explain", costctl.ledger, "--format", "json")
    assert run.json["why"] == "a DuckDB file: `costctl ingest` merges another costctl ledger"
    assert run.json["notes"] == []


def test_what_is_explained_is_what_is_read(costctl: Costctl, gateway: Path) -> None:
    assert costctl("ingest", "--explain", "--map", "mapping.yaml", gateway).code == 0
    assert not costctl.ledger.exists()
    summary = costctl("ingest", "--map", "mapping.yaml", gateway, "--format", "json").json
    assert (summary["rows_new"], summary["rows_rejected"], summary["unpriced_calls"]) == (2, 1, 1)
    assert str(summary["cost"]) == "0.00225"
    again = costctl("ingest", gateway, "--format", "json").json
    assert (again["files"], again["files_unchanged"]) == (0, 1)


def test_flags_are_said_to_fill_what_the_file_does_not_say(costctl: Costctl, gateway: Path) -> None:
    flags = ["--team", "search", "--tag", "region=eu", "--model", "gpt-4o"]
    found = rows(costctl("ingest", "--explain", "--map", "mapping.yaml", *flags, gateway, "--format", "json"))
    assert (found["team"]["from"], found["team"]["sample_1"]) == ("--team", "search")
    assert found["tags"]["from"] == "env: environment, --tag"
    assert found["tags"]["sample_1"] == '{"region":"eu","env":"prod"}'
    assert found["model"]["from"] == "request.model, --model"


CALL = {"timestamp": "2024-10-05T12:00:00Z", "model": "gpt-4o", "input_tokens": 400, "output_tokens": 50}


def test_a_format_that_claims(costctl: Costctl) -> None:
    path = costctl.cwd / "usage.jsonl"
    path.write_text(json.dumps({**CALL, "cached_tokens": 100, "prompt": "my secret"}) + "\n")
    run = costctl("ingest", "--explain", path, "--format", "json")
    assert run.json["claimed_by"] == "costctl"
    assert run.json["why"] == "has timestamp, model and input_tokens"
    found = rows(run)
    assert found["input_tokens"]["from"] == "input_tokens, cached_tokens"
    assert found["input_tokens"]["sample_1"] == "300"
    # No provider is named: the model's name alone finds the price, 300 × 2.50 + 100 × 1.25 + 50 × 10 = 1,375.
    assert found["cost"]["sample_1"] == "0.001375"
    assert "secret" not in run.out


def test_as_overrides(costctl: Costctl) -> None:
    path = costctl.cwd / "usage.jsonl"
    path.write_text(json.dumps(CALL) + "\n")
    answer = costctl("ingest", "--explain", "--as", "openai", path, "--format", "json").json
    assert (answer["claimed_by"], answer["why"]) == ("openai", "--as says so")
    assert (answer["good"], answer["rejected"], answer["no_calls"]) == (0, 0, 1)


def test_every_claim_of_an_ambiguous_file(costctl: Costctl) -> None:
    path = costctl.cwd / "usage.jsonl"
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": None}
    path.write_text(json.dumps(CALL) + "\n" + json.dumps(answer) + "\n")
    found = costctl("ingest", "--explain", path, "--format", "json").json
    assert found["claimed_by"] is None
    assert found["rows"] == []
    assert "choose one with --as NAME" in found["why"]
    assert found["notes"] == [
        "costctl claims it: has timestamp, model and input_tokens",
        'openai claims it: has object "chat.completion"',
    ]


def test_what_is_near_where_none_claims(costctl: Costctl) -> None:
    path = costctl.cwd / "usage.csv"
    path.write_text("time,model,input_tokens,output_tokens,team\n2026-01-01,gpt-4o,1,1,search\n")
    found = costctl("ingest", "--explain", path, "--format", "json").json
    assert found["claimed_by"] is None
    assert found["why"].startswith("of no format that costctl knows")
    near = [note for note in found["notes"] if note.startswith("near is costctl (")]
    assert near
    assert near[0].endswith("the file has input_tokens, model, output_tokens, team")
    assert found["notes"][-1] == "with a mapping it can be read all the same: --map mapping.yaml"


def test_a_file_whose_names_nobody_knows(costctl: Costctl) -> None:
    path = costctl.cwd / "usage.csv"
    path.write_text("a,b\n1,2\n")
    found = costctl("ingest", "--explain", path, "--format", "json").json
    assert found["notes"][0] == "its names are those of no format: a, b"


@pytest.mark.parametrize("format", ["table", "csv", "md", "json"])
def test_every_output_has_it(costctl: Costctl, gateway: Path, format: str) -> None:
    run = costctl("ingest", "--explain", "--map", "mapping.yaml", gateway, "--format", format)
    assert run.code == 0
    assert "usage.cached" in run.out
    said = (run.err if format == "csv" else run.out).replace("\\", "")
    assert "line 3 is rejected: input_tokens: not a whole number" in said
    if format == "csv":
        table = list(csv.DictReader(io.StringIO(run.out)))
        assert [row["column"] for row in table][:3] == ["line", "ts", "grain"]
        assert {row["column"]: row["sample_1"] for row in table}["input_tokens"] == "400"


def test_standard_input_csv_and_parquet(costctl: Costctl) -> None:
    (costctl.cwd / "mapping.yaml").write_text(
        "name: x\ncolumns: { ts: t, model: m, input_tokens: i, provider: { value: openai } }\n"
    )
    text = "t,m,i\n2026-03-01,gpt-4o,1000\n"
    run = costctl("ingest", "--explain", "--map", "mapping.yaml", "-", "--format", "json", input=text)
    assert (run.json["shape"], rows(run)["line"]["sample_1"], rows(run)["cost"]["sample_1"]) == (
        "csv",
        "2",
        "0.0025",
    )
    path = costctl.cwd / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"t": ["2026-03-01"], "m": ["gpt-4o"], "i": [1000.0]}), path)
    run = costctl("ingest", "--explain", "--map", "mapping.yaml", path, "--format", "json")
    assert (run.json["shape"], rows(run)["record"]["sample_1"]) == ("parquet", "1")
    assert rows(run)["cost"]["sample_1"] == "0.0025"


def test_of_a_long_file_the_beginning_is_looked_at(costctl: Costctl) -> None:
    path = costctl.cwd / "usage.jsonl"
    path.write_text((json.dumps(CALL) + "\n") * 1500)
    answer = costctl("ingest", "--explain", path, "--format", "json").json
    assert answer["records"] == 1000
    assert answer["notes"] == ["these are the file's first 1,000 lines"]


def test_sources_may_be_mapped(costctl: Costctl, gateway: Path) -> None:
    (costctl.cwd / "costctl.yaml").write_text(
        "sources:\n  - path: gateway.jsonl\n    map: mapping.yaml\n    team: search\n"
    )
    assert costctl("ingest", "--format", "json").json["rows_new"] == 2
    report = costctl("report", "--by", "team", "--last", "99y", "--format", "json").json
    assert [row["team"] for row in report["rows"]] == ["search"]
    assert gateway.exists()


def test_a_settings_file_that_is_only_found_names_no_mapping_elsewhere(costctl: Costctl) -> None:
    (costctl.cwd / "costctl.yaml").write_text("sources:\n  - path: a.jsonl\n    map: ../m.yaml\n")
    run = costctl("ingest")
    assert run.code == 1
    assert "costctl.yaml:3: a costctl.yaml in the current directory may only name files within" in run.err
    assert "hint: name it with --map, or move the line" in run.err


def test_wrong_usage(costctl: Costctl, gateway: Path) -> None:
    for arguments, message in (
        (["--explain"], "--explain is of one file"),
        (["--explain", gateway, gateway], "--explain is of one file"),
        (["--as", "openai", "--map", "mapping.yaml", gateway], "--as and --map: each says how"),
    ):
        run = costctl("ingest", *arguments)
        assert run.code == 2
        assert message in run.err
    for path, message in (("none.jsonl", "no such file"), (".", "a directory; --explain is of one file")):
        run = costctl("ingest", "--explain", path)
        assert run.code == 1
        assert message in run.err
    (costctl.cwd / "bad.yaml").write_text(MAPPING.replace("cache_read_tokens", "cached_tokens"))
    run = costctl("ingest", "--map", "bad.yaml", gateway)
    assert run.code == 1
    assert "bad.yaml:12: unknown key columns.cached_tokens" in run.err


@pytest.mark.parametrize(
    "path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name.removesuffix('.expected.json')}"
)
def test_every_example_of_a_format_is_explained(path: Path) -> None:
    wanted, example = expected(path), example_of(path)
    file = (
        example if example.is_file() else next(each for each in sorted(example.rglob("*")) if each.is_file())
    )
    answer = explain(str(file), Given(**wanted.given), PriceBook())
    assert answer.figures["claimed_by"]
    assert answer.figures["why"]
    assert answer.rows
    if example.is_file() and wanted.calls:
        assert answer.figures["good"]
