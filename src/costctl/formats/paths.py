"""Where a mapping finds a value in a record: a column's name, or a path into JSON."""

from __future__ import annotations

import json
import re

from costctl.formats.quoting import literal, pointer

Path = tuple[str, ...]
"""Names, and places in lists (from 0, in digits), from the record inwards."""

_STEP = re.compile(
    r"""(?:^|\.) (?P<name> [^.\[\]"']+ )
    | \[ (?P<place> [0-9]{1,9} ) \]
    | \[ (?P<quoted> "(?:[^"\\]|\\.)*" ) \]
    | \[ ' (?P<single> [^'\\]* ) ' \]""",
    re.VERBOSE,
)


def places(text: str) -> tuple[Path, ...]:
    """What ``text`` may mean, in the order in which it is tried: the column of that very name, then the path.

    A text that begins with ``$.`` or ``$[`` is a path only. Raises :class:`ValueError` where it is none.
    """
    if text.startswith(("$.", "$[")):
        return (_path("." + text[1:].removeprefix(".") if text.startswith("$.") else text[1:], text),)
    try:
        path = _path(text, text)
    except ValueError:
        return ((text,),)  # "cost [USD]" is a column's name and no path
    return ((text,), path) if path != (text,) else (path,)


def _path(rest: str, text: str) -> Path:
    steps: list[str] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None or (found["name"] is not None and at == 0 and rest[0] != "." and text[0] == "$"):
            raise ValueError(f"{text!r} is no path")
        if found["quoted"] is not None:
            step = json.loads(found["quoted"], strict=False)
            if "\0" in step or any("\ud800" <= letter <= "\udfff" for letter in step):
                raise ValueError(f"{text!r} is no path")
        else:
            step = next(part for part in (found["name"], found["place"], found["single"]) if part is not None)
        steps.append(step)
        at = found.end()
    if not steps:
        raise ValueError(f"{text!r} is no path")
    return tuple(steps)


class Extraction:
    """All values that are taken out of a record, which is parsed once for them."""

    def __init__(self) -> None:
        self._paths: dict[Path, int] = {}

    def value(self, path: Path) -> str:
        """SQL for the text at ``path``, over a relation with the column ``found``. A column may itself hold
        JSON as text, as in a CSV file."""
        plain = self._found(path)
        if len(path) == 1:
            return plain
        column = self._found(path[:1])
        inner = f"json_extract_string({column}, {literal(pointer(path[1:]))})"
        return f"coalesce({plain}, CASE WHEN json_valid({column}) THEN {inner} END)"

    @property
    def found(self) -> str:
        """SQL over the JSON text ``record`` for the list ``found``."""
        listed = ", ".join(literal(pointer(path)) for path in self._paths)
        return f"json_extract_string(record, [{listed}])"

    def _found(self, path: Path) -> str:
        return f"found[{self._paths.setdefault(path, len(self._paths) + 1)}]"
