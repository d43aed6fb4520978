"""What is known of a stream that text goes to: its width, its colour, its encoding, its end.

Outside render, so that help can ask for colour without loading what renders reports.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

DEFAULT_WIDTH = 100
"""Of everything that is no terminal."""

_NARROWEST = 20


def width_of(stream: TextIO) -> int:
    """Cells a line may take: ``COLUMNS``, else the terminal's own width, else 100; at least 20."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return max(int(columns), _NARROWEST)
    if stream.isatty():
        with suppress(OSError, ValueError):
            # A terminal that nobody has told its size says 0.
            return max(os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH, _NARROWEST)
    return DEFAULT_WIDTH


def has_color(stream: TextIO) -> bool:
    """Whether to colour: NO_COLOR forbids it, FORCE_COLOR asks for it, else only on a terminal that is not
    dumb.

    A variable counts where it is not empty (https://no-color.org, https://force-color.org); of both, NO_COLOR
    wins, as in Python's own traceback colours.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def make_writable(stream: TextIO, *, encoding: str | None = None) -> None:
    """Let ``stream`` take any printable text: in ``encoding`` where the format fixes one, else with what its
    own encoding lacks shown as ``\\u2026``. Streams that are not a file's (StringIO) take all text
    already."""
    if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
        if encoding is None:
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding=encoding)


@contextmanager
def closed_pipe_ends_quietly(stream: TextIO) -> Iterator[None]:
    """The one place where a reader that went away (``costctl report | head``) is met: no message, no
    traceback.

    Renderers let :class:`BrokenPipeError` through; a command wraps all it writes to ``stream`` in this. What
    is left of the block is skipped, the program goes on to its exit code, and the interpreter's own last
    flush goes to the null device.
    """
    try:
        yield
        stream.flush()
    except BrokenPipeError:
        discard(stream)


def discard(stream: TextIO) -> None:
    """Send what is left in ``stream`` and all that follows to the null device: nothing of it can be written,
    and the interpreter's last flush would say so."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def say(line: str) -> None:
    """A line on standard error, which must be printable; a reader that went away is no matter."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)
