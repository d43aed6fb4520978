"""Each format's files against rows that were written by hand, before the format ran.

NAME.expected.json stands beside each example, a file or directory; README.md says where its facts are from.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.formats.conftest import EXAMPLES, Ingest, compare, example_of, expected, folder_of

from costctl.formats import FORMATS

FLIPPED = [path for path in EXAMPLES if expected(path).flipped]


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name.split('.')[0]}"


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_example_becomes_the_calls_and_rejects_that_its_description_says(path: Path, held: Ingest) -> None:
    what = expected(path)
    compare(held(example_of(path), **what.given), what)


@pytest.mark.heavy
@pytest.mark.parametrize("path", FLIPPED, ids=name_of)
def test_a_format_that_misunderstands_its_file_does_not_pass(
    path: Path, held: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Input that includes what is cached taken as uncached, or a parent counted beside its children.
    what = expected(path)
    (format,) = (each for each in FORMATS.values() if folder_of(each.name) == path.parent.name)
    changes = {**what.flipped, "columns": {**format.columns, **what.flipped.get("columns", {})}}
    monkeypatch.setitem(FORMATS, format.name, replace(format, **changes))
    found = held(example_of(path), **{**what.given, "format": format.name})
    with pytest.raises(AssertionError):
        compare(found, what)


def test_every_format_has_an_example_and_one_that_is_misunderstood() -> None:
    assert {folder_of(name) for name in FORMATS} == {path.parent.name for path in EXAMPLES}
    assert Counter(path.parent.name for path in FLIPPED).keys() == {folder_of(name) for name in FORMATS}
