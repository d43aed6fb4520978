"""What each report looks like in each format, held in golden/ as a reader sees it.

To accept a change: ``COSTCTL_REGENERATE=1 pytest tests/render/test_render_golden.py``, then review the
difference in version control line by line, as if written by hand: the files are the specification.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import samples

from costctl.render import FORMATS, Format, render

GOLDEN = Path(__file__).parent / "golden"

CASES: list[tuple[str, Format, int, bool]] = [
    (name, format, 100, False)
    for name in ("bill", "trend", "pivot", "empty", "names_to_review", "ingest")
    for format in FORMATS
]
CASES += [(name, "table", width, False) for name in ("bill", "names_to_review") for width in (40, 160)]
CASES += [("bill", "table", 100, True)]


@pytest.mark.parametrize(("name", "format", "width", "color"), CASES)
def test_output_is_as_reviewed(name: str, format: Format, width: int, color: bool) -> None:
    stream = io.StringIO()
    render(getattr(samples, name)(), format, stream=stream, width=width, color=color)
    written = stream.getvalue().encode()
    ending = f"{width}{'.color' if color else ''}.txt" if format == "table" else format
    golden = GOLDEN / f"{name}.{ending}"
    if os.environ.get("COSTCTL_REGENERATE"):
        golden.write_bytes(written)
    assert written == golden.read_bytes()
