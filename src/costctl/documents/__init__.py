"""Read the YAML files that people write for us: one schema a file, every fault with its line.

YAML guesses types (``NO`` is false, ``010`` is 8, ``12:30`` is 750), keeps the last of two equal keys, and a
file of 300 bytes may expand to gigabytes. So :mod:`.nodes` reads only PyYAML's *events*, under limits, and a
scalar stays text until the JSON schema of the file (``costctl/schemas/NAME.json``, the same that editors
use) says what it is: :mod:`.schema`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from costctl.documents.nodes import DocumentError, Node, compose
from costctl.documents.schema import SCHEMAS, Schema, load, understand, validate
from costctl.documents.secrets import Secret

__all__ = ["SCHEMAS", "Document", "DocumentError", "Secret", "read"]


@dataclass(frozen=True, slots=True)
class Document:
    """A file that keeps its schema. ``data`` is made of dict, list, str, int, Decimal, bool, None, date,
    datetime (always with an offset) and :class:`Secret`; keys that the file does not hold are not in it."""

    path: Path
    data: Any
    root: Node = field(repr=False)

    def line(self, *path: str | int) -> int:
        """The line (from 1) of the entry at ``path``, e.g. ``line("sources", 2, "team")``; where that is
        absent, of the nearest entry around it."""
        return self._place(path).line

    def error(self, path: Sequence[str | int], message: str, hint: str = "") -> DocumentError:
        """A fault at ``path`` that only the caller can see (two budgets of one name), ready to be raised."""
        place = self._place(path)
        return DocumentError(str(self.path), place.line, place.column, message, hint)

    def _place(self, path: Sequence[str | int]) -> Node:
        node = place = self.root
        for step in path:
            if isinstance(step, str) and node.entries is not None and step in node.entries:
                place, node = node.entries[step]
            elif isinstance(step, int) and node.items is not None and 0 <= step < len(node.items):
                place = node = node.items[step]
            else:
                break
        return place


def read(
    path: str | os.PathLike[str],
    schema: str | Schema = "costctl",
    environment: Mapping[str, str] | None = os.environ,
) -> Document:
    """The document in ``path``, checked against the schema of that name (or against ``schema`` itself).

    ``environment`` fills ``${NAME}`` in the fields that the schema marks ``x-env`` or ``x-secret``; with None
    they stay as written, and nothing is looked up. An empty file is an empty map. Raises
    :class:`DocumentError`, which carries every fault of the file, and ValueError for a schema that uses a
    keyword we do not check.
    """
    if isinstance(schema, str):
        rules = load(schema)
    else:
        rules = schema
        understand(rules)
    file = Path(path)
    root, errors = compose(file)
    if root.null:
        root = Node(1, 1, entries={})
    data = validate(root, rules, file, environment, errors)
    if errors:
        raise DocumentError.of(errors)
    return Document(file, data, root)
