"""Each format's files against rows that were written by hand, before the format ran.

NAME.expected.json stands beside each example, a file or directory; README.md says where its facts are from.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.formats.conftest import HERE, Ingest, compare, expected

EXAMPLES = sorted(HERE.glob("*/*.expected.json"))


def example_of(path: Path) -> Path:
    """The file or directory that ``NAME.expected.json`` is about."""
    name = path.name.removesuffix(".expected.json")
    (example,) = (each for each in path.parent.iterdir() if each.name.split(".")[0] == name and each != path)
    return example


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_example_becomes_the_calls_and_rejects_that_its_description_says(path: Path, held: Ingest) -> None:
    calls, rejects, given = expected(path)
    found = held(example_of(path), **given)
    compare(found, calls)
    assert found.rejects == rejects


def test_every_format_has_an_example() -> None:
    from costctl.formats import FORMATS

    folders = {"costctl": "call_log"}
    assert {folders.get(name, name.replace("-", "_")) for name in FORMATS} == {
        path.parent.name for path in EXAMPLES
    }
