"""plan.yaml: a key for each lever, each with what its own file says."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import build_plan_schema
import pytest

from costctl.documents import DocumentError
from costctl.simulate.discount import Discount
from costctl.simulate.plan_file import read
from costctl.simulate.waterfall import natural

ROOT = Path(__file__).parents[2]


def written(directory: Path, text: str) -> Path:
    file = directory / "plan.yaml"
    file.write_text(text)
    return file


def test_the_schema_is_made_of_those_of_the_levers() -> None:
    made = (ROOT / "src/costctl/schemas/plan.json").read_text(encoding="utf-8")
    assert made == build_plan_schema.text(), "run scripts/build_plan_schema.py"


def test_a_lever_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_text("rules: [{by: 15%}]\n")
    (lever,) = read(written(tmp_path, "discount: contract.yaml\n"))
    assert isinstance(lever, Discount)
    assert lever.rules[0].by == Fraction(15, 100)


def test_a_fault_has_the_line_of_the_file_it_stands_in(tmp_path: Path) -> None:
    plan = written(tmp_path, "# two rules\ndiscount:\n  rules:\n    - by: 10%\n    - by: 200%\n")
    with pytest.raises(DocumentError, match=r"plan\.yaml:5: rules\[1\]\.by must be above 0"):
        read(plan)
    (tmp_path / "contract.yaml").write_text("rules:\n  - by: 200%\n")
    with pytest.raises(DocumentError, match=r"contract\.yaml:2: rules\[0\]\.by must be above 0"):
        read(written(tmp_path, "discount: contract.yaml\n"))


def test_the_order_of_the_file_changes_nothing(tmp_path: Path) -> None:
    """The natural order, whatever the file's; on the calls it is tested in test_waterfall.py."""
    said = {
        "eliminate": "{calls: [failed]}",
        "trim": "{rules: [{prompt: -10%}]}",
        "summarise": "{model: claude-haiku-3-20250307, extract: 4000}",
        "route": "{rules: [{to: claude-haiku-3-20250307}]}",
        "cache": "{ttl: 1h}",
        "batch": "{bound: likely}",
        "discount": "{rules: [{by: 5%}]}",
    }
    plans = {
        natural(read(written(tmp_path, "".join(f"{key}: {said[key]}\n" for key in order))))
        for order in itertools.islice(itertools.permutations(said), 0, None, 61)
    }
    (plan,) = plans
    assert [lever.name for lever in plan] == list(said)


@pytest.mark.parametrize(
    ("text", "fault", "hint"),
    [
        ("discounts: {rules: [{by: 1%}]}", "unknown key discounts", "did you mean discount?"),
        ("{}", "the file must not be empty", "a key for each lever"),
        ("discount: {rules: []}", "discount.rules must have at least 1 entries", "add one"),
        ("discount: 5", "discount must match", "name.yaml"),
    ],
)
def test_faults(tmp_path: Path, text: str, fault: str, hint: str) -> None:
    with pytest.raises(DocumentError) as raised:
        read(written(tmp_path, text))
    assert fault in str(raised.value)
    assert hint in raised.value.hint
