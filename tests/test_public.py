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


MODULES_FIRST = """
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
import costctl

rooms = [import_module(each.name) for each in walk_packages(costctl.__path__, "costctl.")]
names = [(room, name) for room in rooms for name in getattr(room, "__all__", ())]
print(len(names) > 50, [f"{room.__name__}.{name}" for room, name in names
                        if isinstance(getattr(room, name), ModuleType)])
"""


def test_a_name_of_a_room_is_not_taken_by_a_module_that_was_imported_first() -> None:
    assert subprocess.check_output([sys.executable, "-c", MODULES_FIRST], text=True) == "True []\n"
