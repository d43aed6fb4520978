"""router.yaml: what it means, and each fault with its line."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from costctl import filters
from costctl.documents import DocumentError
from costctl.routing import DEFAULT
from costctl.simulate.router import Router, Rule
from costctl.simulate.router_file import by_complexity, read

EXAMPLE = Path(__file__).parents[2] / "router.example.yaml"
SONNET, HAIKU = "claude-sonnet-4-20250514", "claude-haiku-3-20250307"


@pytest.fixture
def routers(tmp_path: Path) -> Callable[[str], Router]:
    def made(text: str) -> Router:
        file = tmp_path / "router.yaml"
        file.write_text(text, encoding="utf-8")
        return read(file)

    return made


def where(*texts: str) -> tuple[filters.Filter, ...]:
    return tuple(map(filters.parse, texts))


def test_the_example() -> None:
    assert read(EXAMPLE) == Router(
        (
            Rule(where("model~opus", "tag:complexity=simple"), HAIKU, share=Fraction(4, 5), latency_ms=500),
            Rule(
                where("model~opus", "tag:complexity=moderate"),
                SONNET,
                escalate=Fraction(3, 20),
                token_ratio=Fraction(11, 10),
                context_window=200_000,
            ),
        )
    )


def test_an_empty_file_is_the_default_policy(routers: Callable[[str], Router]) -> None:
    assert routers("") == by_complexity(DEFAULT)


def test_what_is_said_for_all_rules(routers: Callable[[str], Router]) -> None:
    found = routers(
        "token_ratio: 1.2\nseed: 7\nrules:\n- {to: a}\n- {to: b, token_ratio: 0.5, provider: p}\n"
    )
    assert found == Router(
        (
            Rule((), "a", token_ratio=Fraction(6, 5)),
            Rule((), "b", token_ratio=Fraction(1, 2), provider="p"),
        ),
        seed=7,
    )


def test_a_policy_beside_the_file(routers: Callable[[str], Router], tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        "models: [{model: m, capability: 1, cost_multiplier: 1, avg_latency_ms: 9.5, "
        "suitable_for: [simple]}]\n"
    )
    found = routers("policy: ours.yaml\ncomplexity:\n- {where: [team=faq], is: simple}\n")
    assert found.rules == (Rule(where("team=faq"), "m", usual_latency_ms=10),)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("rules:\n- where: [team=a]\n", 2, "to"),
        ("rules:\n- to: a\n  share: 1.5\n", 3, "1.5"),
        ("rules:\n- to: a\n  where: [nonsense]\n", 3, "'nonsense' is not a filter"),
        ("rules:\n- to: a\n- to: b\n  token_ratio: 1.234567\n", 3, "1.23457 is no ratio of tokens"),
        ("rules:\n- to: a\nmax_cost: 3\n", 3, "max_cost has no meaning beside rules"),
        ("token_ratio: 2\n", 1, "a token_ratio is of rules"),
        ("seed: 2\n", 1, "a seed is of rules"),
        ("quality_priority: 2\n", 1, "2"),
        ("policy: nowhere.yaml\n", 1, "is no file"),
        ("complexity:\n- where: [team=a]\n  is: hard\n", 3, "one of simple, moderate, complex"),
        ("rulez: []\n", 1, "rules"),
    ],
)
def test_a_fault_says_its_line(routers: Callable[[str], Router], text: str, line: int, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        routers(text)
    assert (says in f"{caught.value} {caught.value.hint}", caught.value.line) == (True, line)
