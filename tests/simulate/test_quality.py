"""Quality: the published labels of two models, the arithmetic of APGR and CPT, and tables out of files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from costctl.documents import DocumentError
from costctl.pricing.book import PriceBook
from costctl.simulate.quality import Pair, QualityTable, read

LABELS = Path(__file__).parent / "data" / "routellm_labels.csv"


def labels(bench: str) -> list[tuple[Decimal, Decimal, int]]:
    with open(LABELS, encoding="utf-8", newline="") as lines:
        return [
            (Decimal(row["weak_score"]), Decimal(row["strong_score"]), 1)
            for row in csv.DictReader(lines)
            if row["bench"].startswith(bench)
        ]


def rounded(number: Fraction | None) -> float:
    assert number is not None
    return round(float(number), 6)


@pytest.mark.parametrize(
    ("bench", "rows", "weak", "strong", "oracle", "better"),
    [
        ("gsm8k", 1319, 0.638362, 0.856710, 0.928734, 0.290371),
        ("mmlu", 14042, 0.680815, 0.805797, 0.858638, 0.177824),
        ("mt-bench", 160, 8.340625, 9.228125, 9.346875, 0.33125),
    ],
)
def test_the_published_labels_of_routellm(
    bench: str, rows: int, weak: float, strong: float, oracle: float, better: float
) -> None:
    """Mixtral 8x7B and GPT-4: what RouteLLM's own files say (lm-sys/RouteLLM at 0b64fda)."""
    tasks = labels(bench)
    pair = Pair.of(tasks)
    assert len(tasks) == rows
    assert [rounded(each) for each in (pair.weak, pair.strong, pair.oracle, pair.better)] == [
        weak,
        strong,
        oracle,
        better,
    ]


def test_the_best_that_a_router_of_gsm8k_could_do() -> None:
    """Of 1,319 tasks the strong model alone is right on 383 (0.290371), the weak one alone on 95 (0.928734 -
    0.856710 = 0.072024): the gap is 288. PGR rises to 383 / 288 over the first 383 tasks, stays over the 841
    on which both do alike, and falls to 1 over the last 95."""
    pair = Pair.of(labels("gsm8k"))
    top = Fraction(383, 288)
    area = (Fraction(383) * top / 2 + 841 * top + 95 * (top + 1) / 2) / 1319
    assert pair.apgr == area
    assert rounded(pair.apgr) == 1.124905
    # Half of the gap are 144 tasks, four fifths 230.4.
    assert pair.cpt(Fraction(1, 2)) == Fraction(144, 1319)
    assert pair.cpt(Fraction(4, 5)) == Fraction(2304, 13190)


def test_tasks_that_all_gain_the_same_are_as_good_as_drawn_by_lot() -> None:
    pair = Pair.of([(Decimal(1), Decimal(3), 2), (Decimal(2), Decimal(4), 1)])
    assert (pair.apgr, pair.cpt(Fraction(1, 2))) == (Fraction(1, 2), Fraction(1, 2))


def test_tasks_count_as_often_as_they_are_asked() -> None:
    # One task of three gains 2, two gain 0: all is recovered at a third, so APGR is 1/3 x 1/2 + 2/3.
    pair = Pair.of([(Decimal(0), Decimal(2), 1), (Decimal(1), Decimal(1), 2)])
    assert (pair.weak, pair.strong, pair.better) == (Fraction(2, 3), Fraction(4, 3), Fraction(1, 3))
    assert (pair.apgr, pair.cpt(Fraction(1))) == (Fraction(5, 6), Fraction(1, 3))


def test_a_strong_model_that_is_no_stronger_has_no_gap() -> None:
    pair = Pair.of([(Decimal(2), Decimal(2), 1)])
    assert (pair.apgr, pair.cpt(Fraction(1, 2))) == (None, None)


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], QualityTable]:
    def made(text: str) -> QualityTable:
        file = tmp_path / "quality.csv"
        file.write_text(text, encoding="utf-8")
        return read(file, "tag:feature")

    return made


def test_a_table_out_of_a_file(table: Callable[[str], QualityTable]) -> None:
    found = table("\ufefftask, model,quality,note\nfaq,a,0.9,x\nfaq,b,0.95,\nlaw,a,0.4,\n")
    assert found.tasks == {
        "faq": {"a": Decimal("0.9"), "b": Decimal("0.95")},
        "law": {"a": Decimal("0.4")},
    }
    assert (found.models, found.by, found.source) == (("a", "b"), "tag:feature", "quality.csv")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "no column task"),
        ("task,model\nfaq,a\n", 1, "no column quality"),
        ("task,model,quality\n", 1, "no rows"),
        ("task,model,quality\nfaq,a,good\n", 2, "'good' is no number"),
        ("task,model,quality\nfaq,a,1\nfaq,b,-1\n", 3, "'-1' is no number"),
        ("task,model,quality\nfaq,a,NaN\n", 2, "'NaN' is no number"),
        ("task,model,quality\nfaq,a,1\nfaq,a,2\n", 3, "a second row for faq on a"),
        ("task,model,quality\nfaq,,2\n", 2, "needs a task and a model"),
        ("task,model,quality\nfaq,a\n", 2, "None is no number"),
    ],
)
def test_a_fault_of_a_table_says_its_line(
    table: Callable[[str], QualityTable], text: str, line: int, says: str
) -> None:
    with pytest.raises(DocumentError, match=says) as caught:
        table(text)
    assert caught.value.line == line
    assert caught.value.hint


def test_what_a_change_of_models_does_to_quality(book: PriceBook) -> None:
    """Two days; of 4 requests of faq 3 move from 0.8 to 0.6, one stays; of law nothing is known."""
    table = QualityTable({"faq": {"a": Decimal("0.8"), "b": Decimal("0.6")}}, "project", "t.csv")
    day = 86_400 * 10**6
    judged = table.judge(
        [
            (book, "faq", "a", "b", 0, 3),
            (book, "faq", "a", "a", day, 1),
            (book, "law", "a", "b", day, 6),
        ]
    )
    assert judged is not None
    assert (judged.before, judged.after) == (Fraction(8, 10), Fraction(65, 100))
    assert (judged.judged, judged.requests) == (4, 10)
    assert table.judge([(book, "law", "a", "b", 0, 1)]) is None


def test_another_name_of_a_model_has_its_quality(book: PriceBook) -> None:
    table = QualityTable({"faq": {"claude-opus-4-0": Decimal(3)}}, "project", "t.csv")
    judged = table.judge([(book, "faq", "claude-opus-4-20250514", "claude-opus-4-0", 0, 1)])
    assert judged is not None
    assert judged.before == judged.after == 3
