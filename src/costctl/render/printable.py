"""The one door for text from data on its way to a terminal, Markdown, CSV or standard error."""

from __future__ import annotations

import re

UNPRINTABLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: a terminal obeys them
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or reorders
    "\ud800-\udfff"  # lone surrogates: no encoding can write them
    "\U000e0000-\U000e007f"  # tags: a second text that nobody sees
    "]"
)
"""Code points that never leave as they are. ZWJ and ZWNJ are not among them: emoji and Persian need them."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str, keep: str = "") -> str:
    r"""``text`` with control, invisible and reordering code points shown as ``\n``, ``\x1b``, ``\u202e``.

    Code points in ``keep`` stay as they are. The result is for reading: a backslash in ``text`` is not
    doubled, so it cannot always be turned back. JSON and Parquet carry the exact text.
    """
    return UNPRINTABLE.sub(lambda match: match[0] if match[0] in keep else _visible(match[0]), text)


def _visible(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
