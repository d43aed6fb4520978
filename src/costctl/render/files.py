"""``--out FILE``: a report in a file whose ending names the format, whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from costctl.render.csv import write_csv
from costctl.render.json import write_json
from costctl.render.markdown import write_markdown
from costctl.render.table import write_table
from costctl.report import Outcome, Report
from costctl.terminal import DEFAULT_WIDTH

ENDINGS: tuple[str, ...] = (".json", ".csv", ".md", ".parquet", ".txt")


class OutputError(Exception):
    """A file that cannot be written as asked, before anything was. ``hint`` says what can be done;
    ``is_usage``: no file of that name ever could be."""

    def __init__(self, message: str, path: Path, hint: str = "", *, is_usage: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.hint = hint
        self.is_usage = is_usage


def write(
    report: Report | Outcome,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    refuse: Collection[Path] = (),
) -> Path:
    """Write ``report`` to ``path`` in the format of its ending: a table of 100 columns for ``.txt``.

    The text goes to a new file beside ``path``, which takes its place once it is whole and on the disk; a
    link is replaced, never written through. What is there already is replaced only with ``force`` (a file
    keeps its mode), and what ``refuse`` lists (the ledger, inputs) never. Returns ``path``. Raises
    :class:`OutputError` before anything is written, and :class:`OSError` where the disk fails; ``path`` is
    untouched then.
    """
    target = Path(path)
    check(target, force=force, refuse=refuse)
    with replaced(target) as stream:
        _write(report, stream, target.suffix.lower())
    return target


@contextmanager
def replaced(target: Path) -> Iterator[BinaryIO]:
    """A stream to a new file beside ``target``, which takes its place at the end of the block. Raises
    :class:`OSError` where the disk fails; ``target`` is untouched then, and where the block raises."""
    temporary = target.with_name(f".costctl-{os.urandom(8).hex()}.tmp")
    # Mode 0666 less the umask, as of any file that a user makes; O_EXCL follows no link.
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        error.filename = str(target)  # the name that people know
        raise
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            if target.is_file() and not target.is_symlink():
                os.fchmod(stream.fileno(), stat.S_IMODE(target.stat().st_mode))
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(target.parent)


def check(
    path: Path,
    *,
    force: bool = False,
    refuse: Collection[Path] = (),
    endings: Collection[str] = ENDINGS,
) -> None:
    """Raise :class:`OutputError` where :func:`write` would refuse ``path``: commands ask before they work for
    long.
    """
    if path.suffix.lower() not in endings:
        hint = f"use one of {', '.join(endings)}"
        raise OutputError(f"{path}: no known ending", path, hint, is_usage=True)
    if path.is_dir():
        raise OutputError(f"{path} is a directory", path, "name a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"{path.parent} is no directory", path, "make it first")
    if any(_same(path, other) for other in refuse):
        raise OutputError(f"{path} is read by this command", path, "name another file")
    if os.path.lexists(path):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise OutputError(f"{path} is no regular file", path, "name another file")
        if not force:
            raise OutputError(f"{path} exists", path, "use --force to replace it")


def _write(report: Report | Outcome, stream: BinaryIO, ending: str) -> None:
    if ending == ".parquet":
        from costctl.render.parquet import write_parquet

        write_parquet(report, stream)
        return
    text = TextIOWrapper(stream, encoding="utf-8", newline="")
    if ending == ".json":
        write_json(report, text)
    elif ending == ".csv":
        write_csv(report, text)
    elif ending == ".md":
        write_markdown(report, text)
    else:
        write_table(report, text, width=DEFAULT_WIDTH, color=False)
    text.flush()
    text.detach()


def _same(path: Path, other: Path) -> bool:
    """Whether both name one file, by any link, also where it does not exist yet."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    try:
        return path.samefile(other)
    except OSError:
        return False


def _sync_directory(directory: Path) -> None:
    """Make the rename last through a power cut; some file systems cannot, and the file is good without."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
