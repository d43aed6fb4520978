"""The router: the book's table, its score, its fixed mapping, its words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from costctl.documents import DocumentError
from costctl.routing import DEFAULT, Complexity, Number, Policy, read
from costctl.sdk import ModelRouter

HAIKU, SONNET, OPUS = "claude-haiku-3-20250307", "claude-sonnet-4-20250514", "claude-opus-4-20250514"
EXAMPLE = Path(__file__).parents[2] / "policy.example.yaml"

# What each model passes: (suitable for, multiplier, latency), by the book's table.
TABLE = {
    HAIKU: ({"simple"}, 1, 500),
    SONNET: ({"simple", "moderate"}, 12, 1200),
    OPUS: ({"moderate", "complex"}, 60, 2000),
}

# By quality priority, the order in which the models stand when all are candidates. The scores are
# haiku q/3 + (1-q) 59/60, sonnet 5q/6 + (1-q) 4/5, opus q:
#   0     .9833  .8     0         0.2   .8533  .8067  .2
#   0.5   .6583  .8167  .5        0.8   .4633  .8267  .8
#   0.9   .3983  .83    .9        1     .3333  .8333  1
ORDER: dict[Number, list[str]] = {
    0: [HAIKU, SONNET, OPUS],
    0.2: [HAIKU, SONNET, OPUS],
    0.5: [SONNET, HAIKU, OPUS],
    0.8: [SONNET, OPUS, HAIKU],
    0.9: [OPUS, SONNET, HAIKU],
    1: [OPUS, SONNET, HAIKU],
}


LIMITS = list(product((None, 0, 1, 11.9, 12, 60), (None, 0, 499, 500, 1200, 1999, 2000)))


@pytest.mark.parametrize("complexity", ["simple", "moderate", "complex"])
@pytest.mark.parametrize("quality", ORDER)
def test_every_combination(complexity: str, quality: Number) -> None:
    for max_cost, max_latency in LIMITS:
        left = [
            model
            for model, (suitable, multiplier, latency) in TABLE.items()
            if complexity in suitable
            and (max_cost is None or multiplier <= max_cost)
            and (max_latency is None or latency <= max_latency)
        ]
        expected = next((model for model in ORDER[quality] if model in left), HAIKU)
        chosen = ModelRouter().select_model(complexity, max_cost, max_latency, quality)
        assert chosen == expected, (max_cost, max_latency)


@pytest.mark.parametrize(
    ("complexity", "quality", "model"),
    [
        # haiku = sonnet where q/3 + (1-q) 59/60 = 5q/6 + (1-q) 4/5, so q/2 = (1-q) 11/60: q = 11/41 = 0.26829
        ("simple", 0.2682, HAIKU),
        ("simple", Fraction(11, 41), HAIKU),  # a tie goes to the cheaper
        ("simple", 0.2683, SONNET),
        # sonnet = opus where 5q/6 + (1-q) 4/5 = q, so q/6 = (1-q) 4/5: q = 24/29 = 0.82759
        ("moderate", 0.8275, SONNET),
        ("moderate", Fraction(24, 29), SONNET),
        ("moderate", 0.8276, OPUS),
        # the only candidate
        ("complex", 0, OPUS),
        ("complex", 0.5, OPUS),
        ("complex", 1, OPUS),
    ],
)
def test_thresholds_of_the_quality_priority(complexity: str, quality: Number, model: str) -> None:
    assert ModelRouter().select_model(complexity, quality_priority=quality) == model


def test_scores_at_the_default_priority() -> None:
    # haiku 1/6 + 59/120 = 0.658, sonnet 5/12 + 2/5 = 0.817
    assert ModelRouter().choose("simple").explain() == (
        f"{SONNET}: the best for a simple task at quality priority 0.5\n"
        f"  {SONNET}: scores 0.817\n"
        f"  {HAIKU}: scores 0.658\n"
        f"  {OPUS}: not suitable for simple tasks"
    )


def test_worked_examples() -> None:
    router = ModelRouter()
    assert router.select_model(Complexity.SIMPLE, max_latency_ms=800) == HAIKU
    assert router.select_model(Complexity.COMPLEX, quality_priority=0.9) == OPUS
    assert router.auto_select("请将以下客戶反馈分类为：投诉、建议、咨询", "short") == HAIKU


def test_a_limit_of_nothing_is_a_limit() -> None:
    choice = ModelRouter().choose("moderate", max_cost=0, max_latency_ms=0)
    assert choice.model == HAIKU
    assert choice.is_fallback
    assert choice.explain() == (
        f"{HAIKU}: the fallback, for no model may have this moderate task\n"
        f"  {HAIKU}: not suitable for moderate tasks, its cost of 1 is above 0, its 500 ms are above 0\n"
        f"  {SONNET}: its cost of 12 is above 0, its 1200 ms are above 0\n"
        f"  {OPUS}: its cost of 60 is above 0, its 2000 ms are above 0"
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"quality_priority": -0.1},
        {"quality_priority": 1.1},
        {"quality_priority": float("nan")},
        {"max_cost": -1},
        {"max_cost": Decimal("NaN")},
        {"max_latency_ms": float("nan")},
        {"max_latency_ms": -0.5},
    ],
)
def test_numbers_that_mean_nothing_are_refused(limits: dict[str, Number]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        ModelRouter().select_model("simple", **limits)


def test_a_complexity_that_is_none_is_refused() -> None:
    assert ModelRouter().select_model("COMPLEX") == OPUS
    with pytest.raises(ValueError, match="is no complexity"):
        ModelRouter().select_model("hard")


# --- prompts ----------------------------------------------------------------------------------------------

COMPLEX_WORDS = ["分析", "推理", "创作", "創作", "设计", "設計", "规划", "規劃", "解释为什么", "解釋為什麼"]
SIMPLE_WORDS = ["查詢", "查询", "分类", "分類", "是否", "true/false", "yes/no", "選擇", "选择"]
BY_LENGTH = {
    # length: complex word, simple word, no word
    "short": (OPUS, HAIKU, HAIKU),
    "medium": (OPUS, SONNET, SONNET),
    "long": (OPUS, SONNET, OPUS),
}


@pytest.mark.parametrize("length", BY_LENGTH)
@pytest.mark.parametrize("place", ["{}", "请{}一下", "Please {} it", "{}，谢谢", "YES? {}"])
def test_words_and_lengths(place: str, length: str) -> None:
    router = ModelRouter()
    with_complex, with_simple, without = BY_LENGTH[length]
    for word in [*COMPLEX_WORDS, "analyze", "Analysis", "DESIGN", "explain why"]:
        assert router.auto_select(place.format(word), length) == with_complex, word
    for word in [*SIMPLE_WORDS, "True/False", "classify", "WHETHER", "look up"]:
        assert router.auto_select(place.format(word), length) == with_simple, word
    assert router.auto_select(place.format("你好 hello"), length) == without


def test_complex_words_come_first() -> None:
    choice = ModelRouter().choose_for("先分类，再分析", "short")
    assert choice.model == OPUS
    assert choice.explain() == f"{OPUS}: '分析' and a short answer make a complex task"


@pytest.mark.parametrize("prompt", ["a plant", "a redesigned house", "selected works", "plané", "planner_7"])
def test_a_part_of_a_latin_word_is_not_a_key_word(prompt: str) -> None:
    choice = ModelRouter().choose_for(prompt)
    assert choice.explain() == f"{SONNET}: no key word and a medium answer make a moderate task"


@pytest.mark.parametrize("prompt", ["请plan一下", "plan.", "the-plan", "PLAN"])
def test_a_latin_word_may_stand_beside_anything_else(prompt: str) -> None:
    assert ModelRouter().auto_select(prompt) == OPUS


def test_a_length_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no length"):
        ModelRouter().auto_select("hello", "tiny")


# --- counting ---------------------------------------------------------------------------------------------


def test_every_choice_is_counted() -> None:
    router = ModelRouter()
    assert router.usage == {HAIKU: 0, SONNET: 0, OPUS: 0}
    router.select_model("simple")  # sonnet
    router.select_model("complex", max_cost=0)  # the fallback: haiku
    router.auto_select("分析")  # opus
    router.choose_for("分析")  # opus
    router.choose("complex")  # opus
    with pytest.raises(ValueError, match="quality_priority"):
        router.select_model("complex", quality_priority=2)
    assert router.usage == {HAIKU: 1, SONNET: 1, OPUS: 3}


def test_threads_count_together() -> None:
    router = ModelRouter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: router.select_model("complex"), range(2000)))
    assert router.usage[OPUS] == 2000


# --- the file ---------------------------------------------------------------------------------------------


def policy(path: Path, text: str) -> Policy:
    path.write_text(text)
    return read(path)


def test_the_example_is_the_default() -> None:
    assert read(EXAMPLE) == DEFAULT


def test_what_a_file_does_not_say_is_as_by_default(tmp_path: Path) -> None:
    assert policy(tmp_path / "policy.yaml", "") == DEFAULT
    short = policy(tmp_path / "policy.yaml", "words: {simple: [klassifiziere]}\n")
    assert short.complexity_of("Klassifiziere das", "short") == (Complexity.SIMPLE, "klassifiziere")
    assert short.complexity_of("分类", "medium") == (Complexity.MODERATE, "")
    assert short.complexity_of("分析", "short") == (Complexity.COMPLEX, "分析")
    assert short.models == DEFAULT.models


OWN = """\
models:
  - {model: large, capability: 10, cost_multiplier: 20, suitable_for: [moderate, complex]}
  - {model: small, capability: 4, cost_multiplier: 2, avg_latency_ms: 300, suitable_for: [simple, moderate]}
"""


def test_models_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(OWN)
    router = ModelRouter(path)
    # moderate at 0.5: small 0.5 x 4/10 + 0.5 x (1 - 2/20) = 0.65, large 0.5 x 1 + 0.5 x 0 = 0.5
    assert router.select_model("moderate") == "small"
    # large from 0.4 q + 0.9 (1 - q) = q on: q = 0.6
    assert router.select_model("moderate", quality_priority=0.61) == "large"
    # A latency that is not known passes no limit: the cheapest is the fallback.
    choice = router.choose("complex", max_latency_ms=60_000)
    assert (choice.model, choice.is_fallback) == ("small", True)
    assert "large: its latency is not known" in choice.explain()
    # The cheapest that is for nothing harder; for complex ones the only one.
    assert router.auto_select("是否", "short") == "small"
    assert router.auto_select("hello") == "small"
    assert router.auto_select("分析") == "large"


def test_faults_have_lines(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    with pytest.raises(DocumentError) as caught:
        policy(
            path,
            "fallback: claude-haiku-3\n"
            "models:\n"
            "  - {model: a, capability: 1, cost_multiplier: 1, suitable_for: [simple]}\n"
            "  - {model: a, capability: 1, cost_multiplier: 1, suitable_for: [simple]}\n"
            "auto: {complex: b}\n",
        )
    assert [(each.line, each.message, each.hint) for each in caught.value.errors] == [
        (1, "fallback: 'claude-haiku-3' is none of the models", "they are a"),
        (4, "a second model is called 'a'", "leave one of them out"),
        (5, "auto.complex: 'b' is none of the models", "they are a"),
    ]
    with pytest.raises(DocumentError, match="cost_multiplier"):
        policy(path, "models: [{model: a, capability: 1, cost_multiplier: 0, suitable_for: [simple]}]\n")
