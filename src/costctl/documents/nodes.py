"""A YAML file as nodes: text, lists and maps with their places, nothing guessed, everything bounded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 100_000
"""Counted with every alias expanded."""
MAX_ALIASES = 100
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"

NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML does not count as printable."""


class DocumentError(Exception):
    """A fault in a file that somebody wrote. ``str()`` is ``FILE:LINE: message``.

    ``line`` and ``column`` count from 1; line 0 is the file as a whole. ``errors`` are all faults that were
    found in the file, this one (the first) included.
    """

    def __init__(self, file: str, line: int, column: int, message: str, hint: str = "") -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint
        self.errors: tuple[DocumentError, ...] = (self,)

    def __reduce__(self) -> tuple[type[DocumentError], tuple[object, ...], dict[str, object]]:
        return (
            type(self),
            (self.file, self.line, self.column, self.message, self.hint),
            {"errors": self.errors},
        )

    @classmethod
    def of(cls, errors: Iterable[DocumentError]) -> DocumentError:
        """The first of ``errors`` in the file's order, carrying all of them; equal ones are told once."""
        distinct: dict[tuple[object, ...], DocumentError] = {}
        for each in errors:
            distinct.setdefault((each.file, each.line, each.column, each.message), each)
        first, *rest = sorted(distinct.values(), key=lambda each: (each.file, each.line, each.column))
        first.errors = (first, *rest)
        return first


@dataclass(slots=True)
class Node:
    """Text, a list (``items``) or a map (``entries``: key -> its node and the value's), and where it stands.

    ``plain`` is text without quotes. ``height`` counts the levels below, ``size`` the nodes in it, itself
    included; ``closed`` is false while the node is being read.
    """

    line: int
    column: int
    text: str = ""
    plain: bool = False
    items: list[Node] | None = None
    entries: dict[str, tuple[Node, Node]] | None = None
    height: int = 0
    size: int = 1
    closed: bool = True

    @property
    def kind(self) -> Literal["object", "array", "scalar"]:
        """In JSON schema's words; a scalar's type only the schema knows."""
        return "object" if self.entries is not None else "array" if self.items is not None else "scalar"

    @property
    def null(self) -> bool:
        """Whether this is nothing at all, ``~`` or ``null``, unquoted."""
        return self.kind == "scalar" and self.plain and self.text in ("", "~", "null", "Null", "NULL")


def compose(file: Path) -> tuple[Node, list[DocumentError]]:
    """The root of ``file`` and its doubled keys, as errors (of each, the first value stands).

    An alias is the very node of its anchor. Raises :class:`DocumentError` for a file that cannot be read, is
    no YAML, breaks a limit, or uses tags, merge keys, keys that are no text, or several documents.
    """
    import yaml  # here, so that commands without a YAML file do not pay for it

    text = _text(file)
    # Composing deep input crashes the C loader; its events are sound at any depth, and ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    composer = _Composer(str(file))
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        message = ", ".join(part for part in (error.context, error.problem) if part)
        if "nesting depth" in message:  # libyaml's own limit: it looks far ahead of its events
            raise DocumentError(str(file), line, column, TOO_DEEP) from None
        hint = "see to the indentation, and put texts that hold a colon or begin with a sign into quotes"
        if "\\t" in message:
            hint = "YAML is indented with spaces, not tabs"
        raise DocumentError(str(file), line, column, f"this is not YAML: {message}", hint) from None
    return composer.root, composer.errors


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(str(file), 0, 0, f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise DocumentError(str(file), 0, 0, "is larger than 1 MiB", "shorten it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError(str(file), line, 1, "this is not UTF-8 text", "save the file as UTF-8") from None
    if odd := NOT_TEXT.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        column = odd.start() - text.rfind("\n", 0, odd.start())
        raise DocumentError(str(file), line, column, f"control character U+{ord(odd[0]):04X}")
    return text


@dataclass(slots=True)
class _Open:
    """A collection that is being read, and of a map the key whose value comes next."""

    node: Node
    nodes_before: int
    key: Node | None = None


class _Composer:
    """Builds nodes from events and stops at the first broken limit, before anything is expanded."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root = Node(1, 1, plain=True)
        self.errors: list[DocumentError] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = self._aliases = self._documents = 0
        self._line = self._column = 1

    def take(self, event: Any) -> None:
        self._line, self._column = event.start_mark.line + 1, event.start_mark.column + 1
        match type(event).__name__:
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    raise self._error("a second document begins here; a file holds one", "remove the ---")
            case "ScalarEvent":
                if odd := NOT_TEXT.search(event.value):  # written as an escape, "\\0"
                    raise self._error(f"control character U+{ord(odd[0]):04X}")
                self._add(self._new(event, text=event.value, plain=not event.style))
            case "SequenceStartEvent":
                self._open(self._new(event, items=[], closed=False))
            case "MappingStartEvent":
                self._open(self._new(event, entries={}, closed=False))
            case "SequenceEndEvent" | "MappingEndEvent":
                done = self._stack.pop()
                done.node.closed, done.node.size = True, self._nodes - done.nodes_before
                self._add(done.node)
            case "AliasEvent":
                self._add(self._alias(event.anchor))

    def _error(self, message: str, hint: str = "") -> DocumentError:
        return DocumentError(self.file, self._line, self._column, message, hint)

    def _new(self, event: Any, **content: Any) -> Node:
        if event.tag is not None:
            raise self._error(f"the tag {event.tag} is not allowed here", "remove it")
        node = Node(self._line, self._column, **content)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._count(1)
        return node

    def _alias(self, name: str) -> Node:
        node = self._anchors.get(name)
        if node is None:
            raise self._error(f"the alias *{name} has no anchor before it")
        if not node.closed:
            raise self._error(f"the alias *{name} stands inside its own anchor")
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._error(f"more than {MAX_ALIASES} aliases", "write out what they stand for")
        self._count(node.size)
        return node

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES:,} values (aliases counted in full)"
            raise self._error(message, "shorten the file, or use fewer aliases")

    def _open(self, node: Node) -> None:
        self._stack.append(_Open(node, self._nodes - 1))
        self._check_depth(node)

    def _check_depth(self, node: Node) -> None:
        # With the height of an alias: 100 of them, each at the bottom of the next, would be 3,200 levels.
        if len(self._stack) + node.height > MAX_DEPTH:
            raise self._error(TOO_DEEP)

    def _add(self, node: Node) -> None:
        """Put a complete node where it belongs: at the root, in a list, or as a map's next key or value."""
        if not self._stack:
            self.root = node
            return
        self._check_depth(node)
        parent = self._stack[-1]
        parent.node.height = max(parent.node.height, node.height + 1)
        if parent.node.items is not None:
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._checked_key(node)
        elif parent.node.entries is not None:
            first = parent.node.entries.setdefault(parent.key.text, (parent.key, node))[0]
            if first is not parent.key:
                where = f"lines {first.line} and {parent.key.line}"
                message = f"the key {parent.key.text!r} is given twice, in {where}"
                self.errors.append(
                    DocumentError(self.file, parent.key.line, parent.key.column, message, "keep one of them")
                )
            parent.key = None

    def _checked_key(self, key: Node) -> Node:
        if key.kind != "scalar" or key.null:
            raise self._error("a key must be text")
        if key.plain and key.text == "<<":
            raise self._error("merge keys (<<) are not allowed", "write the keys out")
        return key
