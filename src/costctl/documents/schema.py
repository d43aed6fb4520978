"""Nodes to plain values, by a JSON schema (draft 2020-12, the keywords below, no others)."""

from __future__ import annotations

import difflib
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from costctl.documents.nodes import DocumentError, Node
from costctl.documents.secrets import Secret, interpolated

SCHEMAS = Path(__file__).parent.with_name("schemas")
"""The directory of the schemas, one JSON file for each kind of document."""

Schema = Mapping[str, Any]

_NOTES = {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated"}
_CHECKED = {
    "$ref", "type", "enum", "const", "anyOf", "oneOf",
    "properties", "patternProperties", "required", "additionalProperties", "propertyNames", "minProperties",
    "items", "minItems", "maxItems", "uniqueItems",
    "pattern", "minLength", "maxLength", "format", "x-env", "x-secret",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
}  # fmt: skip
_TYPES = {
    "object": "a map", "array": "a list", "string": "text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false", "null": "empty",
}  # fmt: skip
_LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("at least", operator.ge),
    "maximum": ("at most", operator.le),
    "exclusiveMinimum": ("greater than", operator.gt),
    "exclusiveMaximum": ("less than", operator.lt),
}

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,39})")
# Bounded, since 1e999999999 is a short text and a number that fills the memory.
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,39})?(\.[0-9]{1,40})?(?<=[0-9])([eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MUST = re.compile(r" must (?=be |match |have |not |come )")
_SIMPLE_KEY = re.compile(r"[\w-]+")
_REFERENCES = "${NAME} is taken from the environment, ${file:PATH} from a file"


@cache
def load(name: str) -> Schema:
    """The schema ``schemas/NAME.json``, its numbers as int and Decimal. ValueError if we cannot check it."""
    text = (SCHEMAS / f"{name}.json").read_text(encoding="utf-8")
    schema: Schema = json.loads(text, parse_float=Decimal)
    understand(schema)
    return schema


def understand(schema: Schema, root: Schema | None = None) -> None:
    """Refuse a schema with a keyword or a use of one that :func:`validate` would pass over in silence."""
    root = schema if root is None else root
    if unknown := schema.keys() - _CHECKED - _NOTES:
        raise ValueError(f"schema keyword {sorted(unknown)[0]!r} is not checked")
    if "$ref" in schema:
        if schema.keys() - _NOTES - {"$ref"}:
            raise ValueError("beside $ref a schema may only have annotations")
        if _definition(schema, root) is None:
            raise ValueError(f"$ref {schema['$ref']!r} is not one of #/$defs")
    if not set(_types(schema)) <= _TYPES.keys():
        raise ValueError(f"unknown type in {schema['type']!r}")
    if schema.get("format", "date") not in ("date", "date-time"):
        raise ValueError(f"format {schema['format']!r} is not checked")
    if "null" in _types(schema) and None not in schema.get("enum", (None,)):
        raise ValueError("an enum of a type that allows null must list null")
    if ("x-env" in schema or "x-secret" in schema) and _types(schema) != ["string"]:
        raise ValueError("x-env and x-secret are for text alone")
    for part in ("$defs", "properties", "patternProperties"):
        for inner in schema.get(part, {}).values():
            understand(inner, root)
    for part in ("anyOf", "oneOf"):
        for inner in schema.get(part, ()):
            understand(inner, root)
    for part in ("additionalProperties", "propertyNames", "items"):
        if isinstance(schema.get(part), Mapping):
            understand(schema[part], root)


def validate(
    root: Node, schema: Schema, file: Path, environment: Mapping[str, str] | None, errors: list[DocumentError]
) -> Any:
    """The plain value of ``root``; faults are appended to ``errors``; with any, it means nothing."""
    return _Validation(schema, file, environment, errors).value(root, schema, "")


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """A schema's pattern in ECMAScript's sense: ``\\d`` is ASCII, ``$`` is the very end."""
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", text), re.ASCII)


def _definition(schema: Schema, root: Schema) -> Schema | None:
    defined: Schema | None = root.get("$defs", {}).get(schema["$ref"].removeprefix("#/$defs/"))
    return defined


def _types(schema: Schema) -> list[str]:
    """The types a schema allows; where it does not say, those of its enum or const, else none (any)."""
    if "type" in schema:
        return [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    names = {str: "string", int: "integer", Decimal: "number", bool: "boolean", type(None): "null"}
    return list(dict.fromkeys(names[type(value)] for value in values))


def _kinds(schema: Schema) -> set[str]:
    """The kinds of node that a schema's types may stand for; empty is any."""
    return {each if each in ("object", "array") else "scalar" for each in _types(schema)}


def _unlike(node: Node, branch: Schema) -> int:
    """How many of the keys that tell a map's forms apart (``type: slack``) say it is not this one."""
    told = {name: each["const"] for name, each in branch.get("properties", {}).items() if "const" in each}
    entries = node.entries or {}
    return sum(name not in entries or entries[name][1].text != str(const) for name, const in told.items())


def _fits(node: Node, branch: Schema, branches: Iterable[Schema]) -> bool:
    """Whether a scalar may mean this form: a number means those that take numbers, if there are such."""
    if _typed(node, ["number"]) is None:
        return True
    numbers = [{"number", "integer"}.intersection(_types(each)) for each in branches]
    return not any(numbers) or bool({"number", "integer"}.intersection(_types(branch)))


def _telling(branches: Iterable[Schema]) -> tuple[str, list[Any]] | None:
    """The key whose value tells all forms of a map apart, and these values."""
    told = [
        {name: each["const"] for name, each in branch.get("properties", {}).items() if "const" in each}
        for branch in branches
    ]
    names = set(told[0]).intersection(*told)
    return next(((name, [each[name] for each in told]) for name in sorted(names)), None)


class _Validation:
    def __init__(
        self, schema: Schema, file: Path, environment: Mapping[str, str] | None, errors: list[DocumentError]
    ) -> None:
        self.schema = schema
        self.file = file
        self.environment = environment
        self.errors = errors

    def value(self, node: Node, schema: Schema, where: str) -> Any:
        """``where`` names the node in messages, as ``budgets[2].name``; empty at the root."""
        schema = self._resolved(schema)
        for one_of in ("anyOf", "oneOf"):
            if one_of in schema:
                chosen = self._branch(node, schema[one_of], where, only_one=one_of == "oneOf")
                if not _types(schema) and "properties" not in schema:
                    return chosen
        types = _types(schema)
        if types and node.kind != "scalar" and node.kind not in types:
            return self._wrong_type(node, types, where)
        if node.entries is not None:
            return self._object(node, node.entries, schema, where)
        if node.items is not None:
            return self._array(node, node.items, schema, where)
        return self._scalar(node, schema, types, where)

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = _definition(schema, self.schema) or {}
        return schema

    def _fault(self, node: Node, message: str, hint: str = "") -> None:
        self.errors.append(DocumentError(str(self.file), node.line, node.column, message, hint))

    def _branch(self, node: Node, branches: Sequence[Schema], where: str, only_one: bool) -> Any:
        """The value by the branch that fits; else the faults of the branch that was most likely meant."""
        outcomes: list[tuple[list[DocumentError], Any]] = []
        for branch in branches:
            trial = _Validation(self.schema, self.file, self.environment, [])
            value = trial.value(node, branch, where)
            outcomes.append((trial.errors, value))
        fitting = [value for errors, value in outcomes if not errors]
        if len(fitting) > 1 and only_one:
            self._fault(node, f"{where or 'the file'} can be read in {len(fitting)} ways")
        if fitting:
            return fitting[0]
        meant = [
            (_unlike(node, branch), errors)
            for branch, (errors, _) in zip(map(self._resolved, branches), outcomes, strict=True)
            if node.kind in (_kinds(branch) or (node.kind,))
            and (node.kind != "scalar" or _fits(node, branch, map(self._resolved, branches)))
        ]
        if not meant:
            return self._wrong_type(
                node, [t for each in branches for t in _types(self._resolved(each))], where
            )
        if len(meant) > 1 and node.kind == "scalar":
            parts = [_MUST.split(errors[0].message)[-1].partition(", not ") for _, errors in meant]
            wanted = " or ".join(dict.fromkeys(part[0] for part in parts))
            hints = dict.fromkeys(errors[0].hint for _, errors in meant if errors[0].hint)
            hint = next((each for each in hints if each.startswith("did you mean")), "; or ".join(hints))
            self._fault(node, f"{where or 'the file'} must {wanted}{parts[0][1]}{parts[0][2]}", hint)
        elif (told := _telling(map(self._resolved, branches))) and min(unlike for unlike, _ in meant):
            name, forms = told
            if name in (node.entries or {}):
                self.value((node.entries or {})[name][1], {"enum": forms}, f"{where}.{name}".lstrip("."))
            else:
                choice = ", ".join(map(str, forms))
                self._fault(node, f"{where or 'the file'} lacks the key {name}", f"one of {choice}")
        else:
            self.errors.extend(min(meant, key=lambda each: (each[0], len(each[1])))[1])
        return None

    def _wrong_type(self, node: Node, types: Sequence[str], where: str, shown: str = "") -> None:
        wanted = [_TYPES[each] for each in dict.fromkeys(types)]
        found = shown or _TYPES.get(node.kind) or ("empty" if node.null else _quoted(node.text))
        hint = "give it a value, or leave the key out" if node.null else ""
        if node.kind == "scalar" and not node.null and not shown:
            if "number" in types or "integer" in types:
                hint = "digits only, as in 1000 or 0.25, without quotes or leading zeros"
            elif "boolean" in types:
                hint = "write true or false, without quotes"
            elif "array" in types:
                hint = "as in [first, second]"
            elif "object" in types:
                hint = "as in {key: value}"
        self._fault(node, f"{where or 'the file'} must be {' or '.join(wanted)}, not {found}", hint)

    # --- maps and lists --------------------------------------------------------------------------------

    def _object(
        self, node: Node, entries: Mapping[str, tuple[Node, Node]], schema: Schema, where: str
    ) -> dict[str, Any]:
        properties: Mapping[str, Schema] = schema.get("properties", {})
        patterns: Mapping[str, Schema] = schema.get("patternProperties", {})
        others = schema.get("additionalProperties", True)
        result: dict[str, Any] = {}
        for name, (key, value) in entries.items():
            inner = f"{where}." * bool(where) + (name if _SIMPLE_KEY.fullmatch(name) else _quoted(name))
            if "propertyNames" in schema:
                self.value(key, schema["propertyNames"], f"the key {inner}")
            inner_schema = properties.get(name) or next(
                (patterns[each] for each in patterns if _pattern(each).search(name)), None
            )
            if inner_schema is not None:
                result[name] = self.value(value, inner_schema, inner)
            elif others is False:
                near = difflib.get_close_matches(name, properties, n=1)
                hint = f"did you mean {near[0]}?" if near else "known here: " + ", ".join(properties)
                if not near and patterns and "description" in schema:  # there are more than can be listed
                    hint += f". {schema['description']}"
                self._fault(key, f"unknown key {inner}", hint)
            else:
                result[name] = self.value(value, others if isinstance(others, Mapping) else {}, inner)
        for name in schema.get("required", ()):
            if name not in entries:
                meaning = self._resolved(properties.get(name, {})).get("description", "")
                self._fault(node, f"{where or 'the file'} lacks the key {name}", meaning)
        if len(entries) < schema.get("minProperties", 0):
            self._fault(node, f"{where or 'the file'} must not be empty", schema.get("description", ""))
        return result

    def _array(self, node: Node, items: Sequence[Node], schema: Schema, where: str) -> list[Any]:
        name = where or "the file"
        if len(items) < schema.get("minItems", 0):
            message = f"{name} must have at least {schema['minItems']} entries, not {len(items)}"
            self._fault(node, message, schema.get("description", "add one, or leave the key out"))
        if len(items) > schema.get("maxItems", len(items)):
            self._fault(node, f"{name} must have at most {schema['maxItems']} entries, not {len(items)}")
        values: list[Any] = []
        for index, item in enumerate(items):
            value = self.value(item, schema.get("items", {}), f"{where}[{index}]")
            if schema.get("uniqueItems") and value in values:
                message = f"{where}[{index}] repeats {where}[{values.index(value)}]"
                self._fault(item, message, "leave one of them out")
            values.append(value)
        return values

    # --- scalars ---------------------------------------------------------------------------------------

    def _scalar(self, node: Node, schema: Schema, types: Sequence[str], where: str) -> Any:
        name = where or "the file"
        # What may hold a secret, in this form of the file or in another, is never quoted in a message.
        secret = bool(schema.get("x-secret"))
        hidden = "its value" if secret or schema.get("x-env") else ""
        if node.null and types:
            return None if "null" in types else self._wrong_type(node, types, where)
        value = _typed(node, types)
        if value is None:
            return self._wrong_type(node, types, where, hidden)
        if secret and "${" not in node.text:
            hint = "write ${NAME} and set NAME, or ${file:/run/secrets/name}"
            return self._fault(node, f"{name} must come from the environment or a file of its own", hint)
        if hidden:
            if self.environment is None and "${" in node.text:
                return Secret(node.text) if secret else node.text
            try:
                value = interpolated(node.text, self.file.parent, self.environment or {})
            except ValueError as error:
                return self._fault(node, f"{name}: {error}", _REFERENCES)
        elif types and "${" in node.text:
            return self._fault(node, f"{name} cannot take a value from the environment", "write it out")
        shown = hidden or _quoted(node.text)
        allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if allowed is not None and value not in allowed:
            near = difflib.get_close_matches(str(value), [str(each) for each in allowed], n=1)
            choice = ", ".join("null" if each is None else str(each) for each in allowed)
            wanted = f"one of {choice}" if len(allowed) > 1 else choice
            self._fault(
                node,
                f"{name} must be {wanted}, not {shown}",
                f"did you mean {near[0]}?" if near else schema.get("description", ""),
            )
            return None
        if isinstance(value, str):
            return self._string(node, value, schema, name, shown)
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            for keyword, (words, holds) in _LIMITS.items():
                if keyword in schema and not holds(value, schema[keyword]):
                    hint = schema.get("description", "")
                    self._fault(node, f"{name} must be {words} {schema[keyword]}, not {shown}", hint)
        return value

    def _string(self, node: Node, value: str, schema: Schema, name: str, shown: str) -> Any:
        meaning = schema.get("description", "")
        if len(value) < schema.get("minLength", 0):
            least = schema["minLength"]
            self._fault(
                node,
                f"{name} must " + ("not be empty" if least == 1 else f"have {least} characters"),
                meaning,
            )
        elif len(value) > schema.get("maxLength", len(value)):
            most = schema["maxLength"]
            self._fault(node, f"{name} must have at most {most} characters, not {len(value)}", meaning)
        elif "pattern" in schema and not _pattern(schema["pattern"]).search(value):
            self._fault(node, f"{name} must match {schema['pattern']}, not {shown}", meaning)
        if schema.get("format") == "date":
            try:
                return date.fromisoformat(value if _DATE.fullmatch(value) else "")
            except ValueError:
                self._fault(node, f"{name} must be a date, not {shown}", "as in 2024-10-01")
        elif schema.get("format") == "date-time":
            try:
                return datetime.fromisoformat(value.upper() if _DATE_TIME.fullmatch(value) else "")
            except ValueError:
                hint = "with its offset, as in 2024-10-01T00:00:00Z"
                self._fault(node, f"{name} must be a date-time, not {shown}", hint)
        return Secret(value) if schema.get("x-secret") else value


def _typed(node: Node, types: Sequence[str]) -> Any:
    """The scalar as the first type it fits; None if it fits none. Quoted text is only ever text."""
    if node.plain:
        if "boolean" in types and node.text in ("true", "True", "TRUE"):
            return True
        if "boolean" in types and node.text in ("false", "False", "FALSE"):
            return False
        if "integer" in types and _INTEGER.fullmatch(node.text):
            return int(node.text)
        if "number" in types and _NUMBER.fullmatch(node.text):
            return Decimal(node.text)
    return node.text if "string" in types or not types else None


def _quoted(text: str) -> str:
    """The text for a message: one line, at most 60 characters, nothing that a terminal would obey."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
