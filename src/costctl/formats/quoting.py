"""What users write, in SQL: the only place where it gets there, and where a parameter cannot be bound."""

from __future__ import annotations

from collections.abc import Iterable


def literal(text: str) -> str:
    """``text`` as an SQL literal. Raises :class:`ValueError` for a NUL, at which a statement would end."""
    return f"'{_sound(text).replace(chr(39), chr(39) * 2)}'"


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier. Raises :class:`ValueError` for a NUL and for no name at all."""
    if not name:
        raise ValueError("an identifier needs a name")
    quote = '"'
    return f"{quote}{_sound(name).replace(quote, quote * 2)}{quote}"


def pointer(steps: Iterable[str]) -> str:
    """The JSON pointer (RFC 6901) that leads from an object by ``steps``: names, and places in lists, which
    count from 0. It is a text, not yet a literal."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _sound(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL in a text for SQL")
    text.encode()  # half of a surrogate pair is no text either
    return text
