"""Levers in files: what each key says, and where a fault stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from costctl import filters
from costctl.documents import Document, DocumentError, read
from costctl.simulate import batch, eliminate, summarise, trim
from costctl.simulate.batch import Batch
from costctl.simulate.cuts import Cut
from costctl.simulate.eliminate import Eliminate
from costctl.simulate.summarise import Summarise
from costctl.simulate.trim import Trim, Trimming
from costctl.simulate.waiting import Burst, Hours, Rule, Waiting

ROOT = Path(__file__).parents[2]

Written = Callable[[str, str], Document]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def document(schema: str, text: str) -> Document:
        file = tmp_path / f"{schema}.yaml"
        file.write_text(text, encoding="utf-8")
        return read(file, schema)

    return document


def test_the_example_of_batches() -> None:
    rules = (
        Rule(tuple(map(filters.parse, ("team=finance", "tag:environment=production"))), Hours(18, 8)),
        Rule((filters.parse("tag:environment=development,staging"),)),
    )
    never = (Rule((filters.parse("team=support"),)),)
    usual = Waiting(rules, never, timedelta(hours=24), Burst(20, timedelta(minutes=1)), Hours(22, 6))
    assert batch.of_document(read(ROOT / "batch.example.yaml", "batch")) == Batch(usual, "tagged", "kept")


def test_the_example_of_cuts() -> None:
    assert trim.of_document(read(ROOT / "trim.example.yaml", "trim")) == Trim(
        (
            Trimming((filters.parse("team=support"),), 4_000, Cut("length", 3_200)),
            Trimming(
                tuple(map(filters.parse, ("model~opus", "team!=research"))),
                prompt=Cut("percentage", Fraction(3, 10)),
                output=Cut("percentile", 95),
            ),
            Trimming(prompt=Cut("percentile", 99)),
        )
    )


def test_an_empty_file_says_what_is_usual(written: Written) -> None:
    assert batch.of_document(written("batch", "")) == Batch()
    assert eliminate.of_document(written("eliminate", "")) == Eliminate()


def test_every_key_of_batches(written: Written) -> None:
    text = """
wait: 2h
night: none
burst: {calls: 5, within: 30m}
bound: likely
cache: lost
tagged: []
"""
    waiting = Waiting((), (), timedelta(hours=2), Burst(5, timedelta(minutes=30)), None)
    assert batch.of_document(written("batch", text)) == Batch(waiting, "likely", "lost")


def test_every_key_of_eliminate_and_summarise(written: Written) -> None:
    found = eliminate.of_document(written("eliminate", "calls: [repeated]\nwithin: 1h\nprompt_tag: sha"))
    assert found == Eliminate(("repeated",), timedelta(hours=1), "sha")
    text = "model: haiku\nextract: 4000\nwhere: [team=legal]\nabove: 10000"
    legal = Summarise("haiku", 4_000, (filters.parse("team=legal"),), 10_000)
    assert summarise.of_document(written("summarise", text)) == legal


@pytest.mark.parametrize(
    ("schema", "text", "line", "message", "hint"),
    [
        ("trim", "rules:\n  - prompt: 62%", 2, "rules[0].prompt: '62%' does not say", "by: -62%"),
        ("trim", "rules:\n  - where: [team=a]\n    above: 9", 2, "rules[0] cuts nothing", "say prompt"),
        (
            "trim",
            "rules:\n  - prompt: 9\n    where: [tema=a]",
            3,
            "rules[0].where[0]: unknown column",
            "team",
        ),
        ("batch", "tagged:\n  - where: [team=a]\n    hours: 25-06", 3, "tagged[0].hours: '25-06'", "22-06"),
        ("batch", "\nnight: 6-6", 2, "night: '6-6' are no hours", "as in 22-06"),
        ("batch", "bound: likly", 1, "bound must be one of", "did you mean likely?"),
        ("summarise", "model: h\nextract: 9\nabove: 8", 1, "an extract of 9 tokens", "shorter"),
        ("eliminate", "calls: [failing]", 1, "calls[0] must be one of", "did you mean failed?"),
    ],
)
def test_a_fault_has_its_file_line_and_a_way_out(
    written: Written, schema: str, text: str, line: int, message: str, hint: str
) -> None:
    made = {"trim": trim, "batch": batch, "summarise": summarise, "eliminate": eliminate}[schema]
    with pytest.raises(DocumentError) as told:
        made.of_document(written(schema, text))
    assert (Path(told.value.file).name, told.value.line) == (f"{schema}.yaml", line)
    assert message in str(told.value)
    assert hint in told.value.hint
