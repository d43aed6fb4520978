"""What `import costctl` gives."""

from __future__ import annotations

import subprocess
import sys

import pytest

import costctl


def test_every_public_name_is_there() -> None:
    for name in costctl.__all__:
        assert getattr(costctl, name).__name__ == name


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="'helper'"):
        costctl.helper  # noqa: B018


def test_importing_it_imports_no_room() -> None:
    listed = "import costctl, sys; print([name for name in sys.modules if name.startswith('costctl.')])"
    assert subprocess.check_output([sys.executable, "-c", listed], text=True) == "[]\n"
