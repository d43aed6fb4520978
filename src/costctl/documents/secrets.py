"""Values that a file only names: ``${NAME}`` of the environment, ``${file:PATH}`` of a file of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

MAX_BYTES = 64 * 1024

_REFERENCE = re.compile(r"\$\{([^{}]*)(\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secret:
    """A value that must not be shown: of a field that the schema marks ``x-secret``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def interpolated(text: str, directory: Path, environment: Mapping[str, str]) -> str:
    """``text`` with its references filled in, once: what comes in is not searched for further ones.

    A relative ``${file:PATH}`` starts at ``directory``; a last newline of the file is cut. Raises ValueError
    whose message names the variable or the path, never a value.
    """

    def filled(match: re.Match[str]) -> str:
        name, closed = match.groups()
        if not closed:
            raise ValueError("a ${ without its }")
        if name.startswith("file:"):
            return _content(directory / Path(name.removeprefix("file:")).expanduser())
        if not _VARIABLE.fullmatch(name):
            raise ValueError("between ${ and } stands the name of a variable or file:PATH")
        if name not in environment:
            raise ValueError(f"the environment variable {name} is not set")
        return environment[name]

    return _REFERENCE.sub(filled, text)


def _content(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} is larger than 64 KiB")
    return text.removesuffix("\n").removesuffix("\r")
