"""A report as a table, JSON, CSV, Markdown or Parquet.

``render`` writes to a stream, ``write`` to a file. Importing this loads neither rich nor PyArrow.
"""

from __future__ import annotations

import sys
from typing import Literal, TextIO, get_args

from costctl.render.captions import remarks, warnings
from costctl.render.csv import write_csv
from costctl.render.files import ENDINGS, OutputError, check, replaced, write
from costctl.render.json import error_document, write_json
from costctl.render.markdown import write_markdown
from costctl.render.printable import printable
from costctl.render.table import write_table
from costctl.report import Outcome, Report
from costctl.terminal import closed_pipe_ends_quietly, has_color, make_writable, width_of

__all__ = [
    "ENDINGS",
    "FORMATS",
    "Format",
    "OutputError",
    "check",
    "closed_pipe_ends_quietly",
    "error_document",
    "has_color",
    "printable",
    "remarks",
    "render",
    "replaced",
    "warnings",
    "write",
]

Format = Literal["table", "json", "csv", "md"]

FORMATS: tuple[Format, ...] = get_args(Format)


def render(
    report: Report | Outcome,
    format: Format = "table",
    *,
    stream: TextIO | None = None,
    width: int | None = None,
    color: bool | None = None,
) -> None:
    """Write ``report`` to ``stream`` (standard output) and flush it. The same report gives the same bytes.

    ``width`` and ``color`` are the table's; None asks the stream and the environment
    (:mod:`costctl.terminal`). Raises :class:`ValueError` for an unknown format, :class:`TypeError` and
    :class:`ValueError` where a cell is not of its column's kind, :class:`BrokenPipeError` where the reader
    went away (see :func:`closed_pipe_ends_quietly`).
    """
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: use one of {', '.join(FORMATS)}")
    stream = sys.stdout if stream is None else stream
    # JSON and CSV are UTF-8 whatever the terminal's encoding is: programs read them.
    make_writable(stream, encoding="utf-8" if format in {"json", "csv"} else None)
    if format == "json":
        write_json(report, stream)
    elif format == "csv":
        write_csv(report, stream)
    elif format == "md":
        write_markdown(report, stream)
    else:
        write_table(
            report,
            stream,
            width=width_of(stream) if width is None else width,
            color=has_color(stream) if color is None else color,
        )
    stream.flush()
