"""Reading the YAML files that people write: what is accepted, what is refused, and what the refusal says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from costctl.documents import SCHEMAS, Document, DocumentError, Secret, read
from costctl.documents.schema import understand

ANY: dict[str, Any] = {}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


@pytest.fixture(params=["C", "Python"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here holds with libyaml and without it."""
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")


@pytest.fixture
def reading(tmp_path: Path) -> Callable[..., Document]:
    def read_text(text: str | bytes, schema: Any = ANY, **environment: str) -> Document:
        file = tmp_path / "x.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(file, schema, environment)

    return read_text


@pytest.fixture
def faults(reading: Callable[..., Document]) -> Callable[..., list[tuple[int, str, str]]]:
    """The faults of a text as (line, message, hint)."""

    def of_text(text: str | bytes, schema: Any = ANY, **environment: str) -> list[tuple[int, str, str]]:
        with pytest.raises(DocumentError) as caught:
            reading(text, schema, **environment)
        return [(each.line, each.message, each.hint) for each in caught.value.errors]

    return of_text


# --- types come from the schema, not from YAML -----------------------------------------------------------


@pytest.mark.parametrize("text", ["NO", "010", "12:30", "1e3", "2024-10-01", "1_000", "0x1F", ".inf", "yes"])
def test_text_stays_text(reading: Callable[..., Document], text: str) -> None:
    assert reading(f"name: {text}", of(name={"type": "string"})).data == {"name": text}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("100.10", {"type": "number"}, Decimal("100.10")),
        ("0.000001", {"type": "number"}, Decimal("0.000001")),
        ("1e3", {"type": "number"}, Decimal(1000)),
        (".5", {"type": "number"}, Decimal("0.5")),
        ("12", {"type": "number"}, Decimal(12)),
        ("12", {"type": "integer"}, 12),
        ("-3", {"type": "integer"}, -3),
        ("true", {"type": "boolean"}, True),
        ("False", {"type": "boolean"}, False),
        ("2024-02-29", {"type": "string", "format": "date"}, date(2024, 2, 29)),
        (
            "2024-10-01T02:00:00.5+02:00",
            {"type": "string", "format": "date-time"},
            datetime(2024, 10, 1, 0, 0, 0, 500_000, UTC),
        ),
        ("~", {"type": ["string", "null"]}, None),
        ("", {"type": ["string", "null"]}, None),
        ("'~'", {"type": ["string", "null"]}, "~"),
        ("auto", {"type": ["number", "string"]}, "auto"),
        ("7", {"type": ["number", "string"]}, Decimal(7)),
        ("'7'", {"type": ["number", "string"]}, "7"),
        ("b", {"enum": ["a", "b"]}, "b"),
        ("[a, 'b']", {"type": "array", "items": {"type": "string"}}, ["a", "b"]),
        ("{a: 1}", {"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}),
    ],
)
def test_a_scalar_has_the_type_of_its_schema(
    reading: Callable[..., Document], text: str, schema: dict[str, Any], value: object
) -> None:
    got = reading(f"key: {text}", of(key=schema)).data["key"]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("text", "schema", "message"),
    [
        ("1_000", {"type": "number"}, "key must be a number, not '1_000'"),
        ("1,000", {"type": "number"}, "key must be a number, not '1,000'"),
        ("'5'", {"type": "number"}, "key must be a number, not '5'"),
        (".inf", {"type": "number"}, "key must be a number, not '.inf'"),
        ("nan", {"type": "number"}, "key must be a number, not 'nan'"),
        ("1e999", {"type": "number"}, "key must be a number, not '1e999'"),
        ("٣", {"type": "number"}, "key must be a number, not '٣'"),
        (".", {"type": "number"}, "key must be a number, not '.'"),
        ("010", {"type": "integer"}, "key must be a whole number, not '010'"),
        ("1.5", {"type": "integer"}, "key must be a whole number, not '1.5'"),
        ("12:30", {"type": "integer"}, "key must be a whole number, not '12:30'"),
        ("NO", {"type": "boolean"}, "key must be true or false, not 'NO'"),
        ("1", {"type": "boolean"}, "key must be true or false, not '1'"),
        ("", {"type": "string"}, "key must be text, not empty"),
        ("null", {"type": "string"}, "key must be text, not empty"),
        ("[]", {"type": "string"}, "key must be text, not a list"),
        ("a", {"type": "array"}, "key must be a list, not 'a'"),
        ("2024-02-30", {"type": "string", "format": "date"}, "key must be a date, not '2024-02-30'"),
        ("20240201", {"type": "string", "format": "date"}, "key must be a date, not '20240201'"),
        (
            "2024-10-01T00:00:00",
            {"type": "string", "format": "date-time"},
            "key must be a date-time, not '2024-10-01T00:00:00'",
        ),
        ("-1", {"type": "number", "minimum": 0}, "key must be at least 0, not '-1'"),
        ("0", {"type": "number", "exclusiveMinimum": 0}, "key must be greater than 0, not '0'"),
        ("3", {"type": "integer", "maximum": 2}, "key must be at most 2, not '3'"),
        ("1.0", {"type": "number", "exclusiveMaximum": 1}, "key must be less than 1, not '1.0'"),
        ("c", {"enum": ["a", "b"]}, "key must be one of a, b, not 'c'"),
        ("2", {"const": 1}, "key must be 1, not '2'"),
        ('"EUR\\n"', {"type": "string", "pattern": "^[A-Z]+$"}, "key must match ^[A-Z]+$, not 'EUR\\n'"),
        ("''", {"type": "string", "minLength": 1}, "key must not be empty"),
        ("abc", {"type": "string", "maxLength": 2}, "key must have at most 2 characters, not 3"),
        ("[]", {"type": "array", "minItems": 1}, "key must have at least 1 entries, not 0"),
        ("[a, a]", {"type": "array", "maxItems": 1}, "key must have at most 1 entries, not 2"),
        ("[a, b, a]", {"type": "array", "uniqueItems": True}, "key[2] repeats key[0]"),
        ("{}", {"type": "object", "minProperties": 1}, "key must not be empty"),
        ("{A: 1}", {"propertyNames": {"pattern": "^[a-z]"}}, "the key key.A must match ^[a-z], not 'A'"),
        (
            "x",
            {"anyOf": [{"type": "number"}, {"enum": ["auto", "none"]}]},
            "key must be a number or be one of auto, none, not 'x'",
        ),
        (
            "[]",
            {"anyOf": [{"type": "number"}, {"type": "string"}]},
            "key must be a number or text, not a list",
        ),
        (
            "2024-10-01",
            {"oneOf": [{"type": "string"}, {"type": "string", "format": "date"}]},
            "key can be read in 2 ways",
        ),
    ],
)
def test_what_breaks_the_schema_is_named(
    faults: Callable[..., list[tuple[int, str, str]]], text: str, schema: dict[str, Any], message: str
) -> None:
    assert [each[:2] for each in faults(f"\nkey: {text}", of(key=schema))] == [(2, message)]


def test_all_faults_of_a_file_are_reported_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "costctl.yaml"
    file.write_text("format: jsno\ntaem: x\nsources:\n- a.jsonl\n- path: b\n  tema: search\nwait: -1\n")
    with pytest.raises(DocumentError) as caught:
        read(file)
    assert [str(each) for each in caught.value.errors] == [
        f"{file}:1: format must be one of table, json, csv, md, not 'jsno'",
        f"{file}:2: unknown key taem",
        f"{file}:6: unknown key sources[1].tema",
        f"{file}:7: wait must be at least 0, not '-1'",
    ]
    assert str(caught.value) == f"{file}:1: format must be one of table, json, csv, md, not 'jsno'"
    assert [each.hint for each in caught.value.errors[:3]] == [
        "did you mean json?",
        "known here: db, tz, format, prices, budgets, allocation, currency, currency_file, wait, quiet, "
        "sources",
        "did you mean team?",
    ]


def test_a_missing_key_is_reported_where_its_map_begins(faults: Callable[..., Any]) -> None:
    schema = of(
        budgets={"type": "array", "items": {**of(name={"description": "its name"}), "required": ["name"]}}
    )
    assert faults("budgets:\n  - {name: a}\n  - {}\n", schema) == [
        (3, "budgets[1] lacks the key name", "its name")
    ]


def test_of_several_forms_the_one_meant_is_explained(faults: Callable[..., Any]) -> None:
    slack = {**of(type={"const": "slack"}, url={"type": "string"}), "required": ["type", "url"]}
    mail = {**of(type={"const": "mail"}, to={"type": "string"}), "required": ["type", "to"]}
    schema = of(channel={"$ref": "#/$defs/channel"}) | {"$defs": {"channel": {"oneOf": [slack, mail]}}}
    assert faults("channel:\n  type: mail\n  url: x\n", schema) == [
        (2, "channel lacks the key to", ""),
        (3, "unknown key channel.url", "known here: type, to"),
    ]


def test_a_form_that_there_is_not_names_those_there_are(faults: Callable[..., Any]) -> None:
    slack = {**of(type={"const": "slack"}, url={"type": "string"}), "required": ["type", "url"]}
    mail = {**of(type={"const": "mail"}, to={"type": "string"}), "required": ["type", "to"]}
    schema = of(channel={"$ref": "#/$defs/channel"}) | {"$defs": {"channel": {"anyOf": [slack, mail]}}}
    assert faults("channel:\n  type: mial\n  url: x\n", schema) == [
        (2, "channel.type must be one of slack, mail, not 'mial'", "did you mean mail?")
    ]
    assert faults("channel:\n  url: x\n", schema) == [(2, "channel lacks the key type", "one of slack, mail")]


def test_keys_may_be_of_a_pattern(reading: Callable[..., Any], faults: Callable[..., Any]) -> None:
    amounts = of(month={"type": "integer"}) | {"patternProperties": {"^[0-9]+d$": {"type": "integer"}}}
    assert reading("month: 1\n30d: 2\n", amounts).data == {"month": 1, "30d": 2}
    assert faults("30d: x\nmonths: 1\n", amounts) == [
        (
            1,
            "30d must be a whole number, not 'x'",
            "digits only, as in 1000 or 0.25, without quotes or leading zeros",
        ),
        (2, "unknown key months", "did you mean month?"),
    ]


# --- YAML's traps -----------------------------------------------------------------------------------------


def test_a_key_given_twice_names_both_lines(faults: Callable[..., Any]) -> None:
    assert faults("a: 100\nb: 1\na: 999\n") == [
        (3, "the key 'a' is given twice, in lines 1 and 3", "keep one of them")
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge keys (<<) are not allowed"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            1,
            "the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("a: !!str 1\n", 1, "the tag tag:yaml.org,2002:str is not allowed here"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here"),
        ("a: &a\n  - *a\n", 2, "the alias *a stands inside its own anchor"),
        ("a: *b\n", 1, "the alias *b has no anchor before it"),
        ("? [a]\n: 1\n", 1, "a key must be text"),
        ("a:\n- b\n c: 1\n", 3, "this is not YAML: "),
        ("a:\n\tb: 1\n", 2, "this is not YAML: "),
        ('a: "\\0"\n', 1, "control character U+0000"),
        ("a: 1\nb: \x1b[2J\n", 2, "control character U+001B"),
        (b"a: 1\nb: \xff\n", 2, "this is not UTF-8 text"),
        ("a: 1".encode("utf-16"), 1, "this is not UTF-8 text"),
        ("- " * 40 + "a\n", 1, "nested deeper than 32 levels"),
        ("[" * 100_000, 1, "nested deeper than 32 levels"),
        ("a: " + "{b: " * 50_000, 1, "nested deeper than 32 levels"),
        ("- 1\n" * 100_001, 100_000, "more than 100,000 values"),
        ("a: &a x\nb: [" + "*a, " * 101 + "]\n", 2, "more than 100 aliases"),
    ],
)
def test_refused(faults: Callable[..., Any], text: str | bytes, line: int, message: str) -> None:
    [(at, said, _)] = faults(text)
    assert at == line
    assert said.startswith(message)


def test_an_alias_bomb_is_refused_before_it_is_expanded(faults: Callable[..., Any]) -> None:
    # Nine levels of nine aliases are 9^9 values. Each list has 9 x the size of the one before, plus 1:
    # 10, 91, 820, 7,381, 66,430 are 74,732 in all; the sixth, in line 7, would add 597,871.
    text = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    [(line, message, _)] = faults(text)
    assert (line, message) == (7, "more than 100,000 values (aliases counted in full)")


def test_depth_counts_through_aliases(faults: Callable[..., Any]) -> None:
    # Each of the lists is 11 deep and ends in the one before: 3 are more than 32 levels.
    text = "".join(f"a{n}: &a{n} {'[' * 11}{f'*a{n - 1}' if n else 'x'}{']' * 11}\n" for n in range(3))
    assert [each[:2] for each in faults(text)] == [(3, "nested deeper than 32 levels")]


def test_an_alias_is_the_value_of_its_anchor(reading: Callable[..., Document]) -> None:
    assert reading("a: &x [1, 2]\nb: *x\n").data == {"a": ["1", "2"], "b": ["1", "2"]}


def test_a_file_above_one_mebibyte_is_refused(faults: Callable[..., Any]) -> None:
    assert faults("a: " + "x" * 2**20) == [(0, "is larger than 1 MiB", "shorten it")]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: cannot be read: No such file or directory$"):
        read(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match="cannot be read: Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_is_an_empty_map(reading: Callable[..., Document], text: str) -> None:
    assert reading(text, "costctl").data == {}


def test_a_byte_order_mark_and_crlf_are_no_fault(reading: Callable[..., Document]) -> None:
    document = reading("\ufefftz: UTC\r\nquiet: true\r\n", "costctl")
    assert document.data == {"tz": "UTC", "quiet": True}
    assert document.line("quiet") == 2


# --- places -----------------------------------------------------------------------------------------------


def test_line_of_an_entry(reading: Callable[..., Document]) -> None:
    document = reading("a:\n  - b: 1\n    c:\n      long\n  - 2\n")
    assert [document.line(*path) for path in [(), ("a",), ("a", 0), ("a", 0, "c"), ("a", 1)]] == [
        1,
        1,
        2,
        3,
        5,
    ]
    assert document.line("a", 7, "x") == 1, "the nearest entry around what is absent"


def test_a_fault_that_only_the_caller_sees(reading: Callable[..., Document]) -> None:
    document = reading("a:\n  - b\n  - b\n")
    error = document.error(["a", 1], "a second b", hint="rename it")
    assert (error.line, error.column, error.hint) == (3, 5, "rename it")
    assert str(error) == f"{document.path}:3: a second b"


def test_faults_of_several_rooms_are_told_as_one() -> None:
    late, early = DocumentError("f", 9, 1, "late"), DocumentError("f", 2, 1, "early")
    first = DocumentError.of([late, early, DocumentError("f", 9, 1, "late")])
    assert first is early
    assert first.errors == (early, late)


# --- the environment --------------------------------------------------------------------------------------

CHANNEL = of(
    url={"type": "string", "x-secret": True},
    host={"type": "string", "x-env": True, "pattern": "^https?:"},
    name={"type": "string"},
)
CANARY = "hunter2-canary"


def test_references_are_filled_where_the_schema_says_so(
    reading: Callable[..., Document], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t0k\n")
    text = "url: https://x/${TOKEN}/${file:token}\nhost: http://${HOST}:80\n"
    data = reading(text, CHANNEL, TOKEN="${HOST}", HOST="h").data
    assert data["url"] == Secret("https://x/${HOST}/t0k"), "what comes in is not read again"
    assert data["url"].reveal() == "https://x/${HOST}/t0k"
    assert data["host"] == "http://h:80"


def test_without_an_environment_references_stay_as_written(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("url: ${NOT_THERE}\nhost: ${file:/nowhere/x}\n")
    assert read(file, CHANNEL, None).data == {"url": Secret("${NOT_THERE}"), "host": "${file:/nowhere/x}"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("url: ${NOT_THERE}", "url: the environment variable NOT_THERE is not set"),
        ("url: x${TOKEN", "url: a ${ without its }"),
        ("url: ${TOKEN:-x}", "url: between ${ and } stands the name of a variable or file:PATH"),
        ("url: ${file:/nowhere/x}", "url: /nowhere/x cannot be read: No such file or directory"),
        (f"url: {CANARY}", "url must come from the environment or a file of its own"),
        ("name: ${TOKEN}", "name cannot take a value from the environment"),
        ("host: ${TOKEN}", "host must match ^https?:, not its value"),
        (f"host: {CANARY}", "host must match ^https?:, not its value"),
        (f"url: [{CANARY}]", "url must be text, not a list"),
        (f"passwrod: {CANARY}", "unknown key passwrod"),
    ],
)
def test_a_secret_is_in_no_message(
    faults: Callable[..., list[tuple[int, str, str]]], text: str, message: str
) -> None:
    [(_, said, hint)] = faults(text, CHANNEL, TOKEN=CANARY)
    assert said == message
    assert CANARY not in said + hint


def test_a_secret_is_not_shown_by_accident() -> None:
    secret = Secret(CANARY)
    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["***", "***", "***", "[***]"]


# --- schemas ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(SCHEMAS.glob("*.json")), ids=lambda file: file.stem)
def test_schemas_are_valid_and_checked_whole(file: Path) -> None:
    schema = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    understand(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"multipleOf": 2}}},
        {"items": {"format": "email"}},
        {"$ref": "#/$defs/none"},
        {"$ref": "#/$defs/a", "type": "string", "$defs": {"a": {}}},
        {"type": "text"},
        {"type": "number", "x-env": True},
        {"type": ["string", "null"], "enum": ["a"]},
    ],
)
def test_a_schema_that_would_not_be_checked_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        understand(schema)


WORDS = st.sampled_from(["a", "b", "path", "team", "tags", "30d"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "B", "xyz"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
# A field for text also takes what YAML would call a number, so here such fields allow numbers.
TEXTUAL = ["boolean", "integer", "string"]
RULES = {
    "type": "object",
    "properties": {
        "a": {"type": ["integer", "null"], "minimum": -1, "exclusiveMaximum": 3},
        "b": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"$ref": "#/$defs/leaf"}},
        "path": {"anyOf": [{"type": "boolean"}, {"enum": ["a", "B"]}, {"type": TEXTUAL, "pattern": "^x.z$"}]},
        "tags": {"type": "object", "minProperties": 1, "additionalProperties": {"$ref": "#/$defs/leaf"}},
        "team": {"oneOf": [{"type": TEXTUAL, "minLength": 1}, {"type": ["string"], "maxLength": 0}]},
    },
    "patternProperties": {"^[0-9]+d$": {"$ref": "#/$defs/leaf"}},
    "additionalProperties": False,
    "anyOf": [{"required": ["a"]}, {"required": ["tags"]}, {"required": ["b", "path"]}],
    "$defs": {"leaf": {"type": [*TEXTUAL, "null"], "maxLength": 1}},
}


def test_we_accept_what_another_validator_accepts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """JSON is YAML, and in JSON a scalar's type is plain to see: so an independent validator must agree."""
    file = tmp_path_factory.mktemp("json") / "x.yaml"
    validator = jsonschema.Draft202012Validator(RULES)
    outcomes = set()

    @given(st.dictionaries(WORDS, VALUES, max_size=5))
    def agree(value: dict[str, Any]) -> None:
        file.write_text(json.dumps(value))
        expected = validator.is_valid(value)
        outcomes.add(expected)
        if expected:
            assert read(file, RULES, {}).data == value
        else:
            with pytest.raises(DocumentError):
                read(file, RULES, {})

    agree()
    assert outcomes == {True, False}


def test_importing_costs_no_yaml() -> None:
    code = "import sys, costctl.documents; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
