"""Conditions of ``--fail-if``: what they mean, to the edge, and what is no condition."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costctl.cli.gate import Measured, condition
from costctl.config import SettingError
from costctl.report import Kind

USD = 10**12
KINDS: dict[str, Kind] = {
    "cost": "money",
    "cache_hit_rate": "percent",
    "mean_latency_ms": "duration",
    "requests": "count",
}

COST = Measured("money", 110 * USD, before=100 * USD)
HITS = Measured("percent", Decimal("0.6"), before=Decimal("0.8"))  # 20 points, a quarter less
LATENCY = Measured("duration", Decimal("980.5"), before=1450)


@pytest.mark.parametrize(
    ("text", "measured", "holds"),
    [
        ("cost > 109.99", COST, True),
        ("cost > $110", COST, False),
        ("cost >= 110", COST, True),
        ("cost>+9.999999%", COST, True),
        ("cost > +10%", COST, False),
        ("cost >= + 10 %", COST, True),
        ("cost > +10", COST, False),
        ("cost > +9.99", COST, True),
        ("cost < -1%", COST, False),
        ("cache_hit_rate < 70%", HITS, True),
        ("cache_hit_rate < 0.6", HITS, False),
        ("cache_hit_rate < -24%", HITS, True),
        ("cache_hit_rate < -25%", HITS, False),
        ("cache_hit_rate < -19pp", HITS, True),
        ("cache_hit_rate < -0.2", HITS, False),
        ("mean_latency_ms < 981", LATENCY, True),
        ("mean_latency_ms <= -469.5", LATENCY, True),
        ("requests > +5%", Measured("count", 105, before=0), None),  # a part of nothing
        ("requests > +5%", Measured("count", 0, before=0), False),
        ("requests > +5", Measured("count", 105, before=0), True),
        ("requests > +5", Measured("count", 105), None),
        ("requests > 5", Measured("count", None), None),
    ],
)
def test_a_condition_holds(text: str, measured: Measured, holds: bool | None) -> None:
    assert condition(text, KINDS, against="before").holds(measured) is holds


def test_a_number_alone() -> None:
    # 5 of 1000 is half a percent.
    measured = Measured("money", 5 * USD, whole=1000 * USD)
    for text, holds in (
        ("0.5%", False),
        ("0.49%", True),
        ("5", False),
        ("4.99", True),
        ("cost >= 0.5%", True),
    ):
        assert condition(text, KINDS, against="whole", alone="cost").holds(measured) is holds


@pytest.mark.parametrize(
    ("text", "measured", "said"),
    [
        ("cost > +10%", COST, "it is +10.00%"),
        ("cost > +1", COST, "it is +$10.00"),
        ("cost > 1", COST, "it is $110.00"),
        ("cost > 1", Measured("money", 12_345_678), "it is $0.000012"),
        ("cache_hit_rate < -1%", HITS, "it is -25.00%"),
        ("cache_hit_rate < -1pp", HITS, "it is -20.00pp"),
        ("cache_hit_rate < 1%", HITS, "it is 60.00%"),
        ("mean_latency_ms > 1", LATENCY, "it is 980.50"),
        ("cost > 1", Measured("money", None), "it cannot be told"),
    ],
)
def test_what_was_found_is_said_in_the_conditions_terms(text: str, measured: Measured, said: str) -> None:
    assert condition(text, KINDS, against="before").said(measured) == said


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a lot", "'a lot' is no condition", 'as in --fail-if "cost > +10%"'),
        ("10%", "'10%' is no condition", 'as in --fail-if "cost > +10%"'),
        ("cost = 10", "is no condition", "as in"),
        ("cost > 1e3", "is no condition", "as in"),
        (
            "costs > 10",
            "nothing called 'costs' is measured",
            "did you mean cost? known are cost, cache_hit_rate",
        ),
        ("cost > 10%", "10% of what is not said", 'a change has a sign: "cost > +10%"'),
        ("cost > +10pp", "only a share changes by points", 'as in "cost > +10%"'),
    ],
)
def test_what_is_no_condition(text: str, message: str, hint: str) -> None:
    with pytest.raises(SettingError) as error:
        condition(text, KINDS, against="before")
    assert message in str(error.value)
    assert hint in error.value.hint


def test_what_has_no_before_has_no_sign() -> None:
    with pytest.raises(SettingError, match="cost is no change, so it has no sign"):
        condition("cost > +10", KINDS)
