"""The same lines in another number of files, even in size: a JSONL file or a directory of them, cut anew.

Lines keep their order, so the bytes are the same, file after file.

    python shapes.py DIRECTORY SOURCE FILES
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path


def write(directory: Path, source: Path, files: int) -> None:
    """Write what the files under ``source`` hold into at most ``files`` files under ``directory``: fewer
    where there are not as many lines."""
    sources = sorted(source.rglob("*.jsonl"))
    most = sum(file.stat().st_size for file in sources) / files
    directory.mkdir(parents=True)
    lines = (line for file in sources for line in _lines(file))
    written = 0
    line = next(lines, b"")
    for number in range(1, files + 1):
        if not line:
            return
        with open(directory / f"{number:04d}.jsonl", "wb") as file:
            while line and (file.tell() == 0 or written < number * most):
                file.write(line)
                written += len(line)
                line = next(lines, b"")


def _lines(file: Path) -> Iterator[bytes]:
    with open(file, "rb") as lines:
        yield from lines


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
