"""Text measured, shortened, wrapped and padded by terminal cells: a CJK character or an emoji takes two."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import combining

ELLIPSIS = "…"

_JOINS = frozenset("\u200c\u200d\ufe0e\ufe0f")
_CODE_POINTS_PER_CELL = 8
"""More than an honest character needs; a label of nothing but combining marks is cut here."""


def measure(text: str) -> int:
    """How many terminal cells ``text`` (printable) takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # for its Unicode tables; most reports never need them

    return cell_len(text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """``text`` filled with spaces to ``width`` cells; ``right`` aligns it to the right."""
    space = " " * (width - measure(text))
    return space + text if right else text + space


def shorten(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells: names lose their middle, sentences their end, marked by ``…``."""
    if len(text) <= _CODE_POINTS_PER_CELL * width and measure(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    if " " in text:
        return _beginning(text, width - 1).rstrip() + ELLIPSIS
    end = _end(text, (width - 1) // 2)
    return _beginning(text, width - 1 - measure(end)) + ELLIPSIS + end


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` cells (at least 2), broken at spaces, a longer word anywhere."""
    lines: list[str] = []
    line = ""
    for word in _pieces(text, max(width, 2)):
        if line and measure(line) + 1 + measure(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def longest_word(text: str) -> int:
    return max(map(measure, text.split()), default=0)


def _pieces(text: str, width: int) -> Iterator[str]:
    for word in text.split():
        while len(word) > _CODE_POINTS_PER_CELL * width or measure(word) > width:
            piece = _beginning(word, width) or word[0]
            yield piece
            word = word[len(piece) :]
        if word:
            yield word


def _beginning(text: str, width: int) -> str:
    """The longest beginning of at most ``width`` cells that splits no joined characters."""
    low, high = 0, min(len(text), _CODE_POINTS_PER_CELL * width)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    while 0 < low < len(text) and _joined(text[low - 1], text[low]):
        low -= 1
    return text[:low]


def _end(text: str, width: int) -> str:
    """The longest end of at most ``width`` cells that splits no joined characters."""
    low, high = 0, min(len(text), _CODE_POINTS_PER_CELL * width)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[-middle:]) <= width:
            low = middle
        else:
            high = middle - 1
    start = len(text) - low
    while 0 < start < len(text) and _joined(text[start - 1], text[start]):
        start += 1
    return text[start:]


def _joined(left: str, right: str) -> bool:
    return (
        left == "\u200d" or right in _JOINS or combining(right) > 0 or "\U0001f3fb" <= right <= "\U0001f3ff"
    )
