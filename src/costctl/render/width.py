"""Text measured, shortened, wrapped and padded by terminal cells: a CJK character or an emoji takes two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import category

ELLIPSIS = "…"

_ONE_CELL_EACH = re.compile("[ -~\u00a1-\u00ac\u00ae-\u02ff–—…─▁-█▉-▏]*")
"""Latin letters, and what tables are drawn with. Of all else rich knows the width."""

_LONGEST_CLUSTER = 16
"""Code points; more than any language or emoji needs. A letter under a hundred marks is cut here."""


def measure(text: str) -> int:
    """How many terminal cells ``text`` (printable) takes."""
    if _ONE_CELL_EACH.fullmatch(text):
        return len(text)
    from rich.cells import cell_len  # for its Unicode tables; most reports never need them

    return cell_len(text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """``text`` filled with spaces to ``width`` cells; ``right`` aligns it to the right."""
    space = " " * (width - measure(text))
    return space + text if right else text + space


def shorten(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells: names lose their middle, sentences their end, marked by ``…``."""
    if _fits(text, width):
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
    """The words of ``text``; one that is wider than ``width`` in parts."""
    for word in text.split():
        if _fits(word, width):
            yield word
            continue
        piece, taken = "", 0
        for cluster in _clusters(word):
            size = _size(cluster)
            if piece and taken + size > width:
                yield piece
                piece, taken = "", 0
            piece += cluster
            taken += size
        yield piece


def _fits(text: str, width: int) -> bool:
    return len(text) <= _LONGEST_CLUSTER * width and measure(text) <= width


def _beginning(text: str, width: int) -> str:
    """The longest beginning of at most ``width`` cells."""
    return text[: _length(_clusters(text), width)]


def _end(text: str, width: int) -> str:
    """The longest end of at most ``width`` cells."""
    # Of clusters that take a cell or more each, no more than this can fit.
    clusters = list(_clusters(text[-_LONGEST_CLUSTER * (width + 1) :]))
    return text[len(text) - _length(reversed(clusters), width) :]


def _length(clusters: Iterator[str], width: int) -> int:
    """Code points of as many clusters as fit."""
    length = 0
    for cluster in clusters:
        width -= _size(cluster)
        if width < 0:
            break
        length += len(cluster)
    return length


def _size(cluster: str) -> int:
    """Cells of a cluster; of marks without a letter one, so that no width holds endlessly many."""
    return max(measure(cluster), 1)


def _clusters(text: str) -> Iterator[str]:
    """``text`` in characters as people see them: a letter with its marks, an emoji of several joined ones."""
    start = 0
    for index in range(1, len(text)):
        if index - start >= _LONGEST_CLUSTER or not _joined(text[index - 1], text[index]):
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


def _joined(left: str, right: str) -> bool:
    if right.isascii():
        return left == "\u200d"
    return (
        left == "\u200d"
        or right in "\u200c\u200d"
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # the skin tones
        or category(right).startswith("M")
    )
