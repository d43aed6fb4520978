"""When is who told what: the cases in which a first version goes wrong, one a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.budgets.alert_world import Run, World

WEB_DOWN = frozenset({"web"})
FALSE_FUTURE = 30 * 365 * 24


@dataclass(frozen=True)
class Scenario:
    """``told`` is what is received in the run of that hour, nothing in all others. ``spread``: the budget's
    further settings."""

    name: str
    runs: list[Run]
    told: Mapping[float, str]
    spread: dict[str, Any] = field(default_factory=dict)
    silent_until: float | None = None
    attempts: int | None = None
    messages: int | None = None
    """How many ids the messages have."""


def hourly(*spent: int, **values: Any) -> list[Run]:
    return [Run(hour, each, **values) for hour, each in enumerate(spent)]


RESOLVED: dict[str, Any] = {"send_resolved": True}

SCENARIOS = [
    Scenario("1: below every threshold", [Run(0, 79)], {}),
    Scenario(
        "2: each threshold once",
        hourly(79, 80, 80, 94, 95, 99, 100, 150),
        {1: "fire w", 4: "fire c", 6: "fire x"},
    ),
    Scenario("3: the highest covers the lower ones", hourly(0, 120, 130), {1: "fire x"}),
    Scenario(
        "4: a new period resolves, once, what spoke",
        [
            Run(29 * 24, 120),
            Run(30 * 24, 1, old=120),
            Run(31 * 24, 81, old=120),
            Run(31 * 24 + 1, 81, old=120),
        ],
        {29 * 24: "fire x", 30 * 24: "resolve x", 31 * 24: "fire w"},
        RESOLVED,
    ),
    Scenario(
        "5: late data that raises a closed period, once",
        [Run(29 * 24, 70), Run(30 * 24, 0, old=70), Run(31 * 24, 0, old=101), Run(32 * 24, 0, old=105)],
        {31 * 24: "fire x late"},
        RESOLVED,
    ),
    Scenario(
        "6: the amount is raised, reached again, and lowered",
        [Run(0, 110), Run(1, 110, amount=150), Run(2, 150, amount=150), Run(3, 150, amount=100)],
        {0: "fire x", 2: "fire x"},
    ),
    Scenario(
        "6b: after a word that it is over, there is a word that it is not",
        [Run(0, 110), Run(1, 110, amount=150), Run(2, 110, amount=100)],
        {0: "fire x", 1: "resolve x", 2: "fire x"},
        RESOLVED,
    ),
    Scenario(
        "7: the amount is lowered",
        [Run(0, 85), Run(1, 85, amount=80), Run(2, 85, amount=70)],
        {0: "fire w", 1: "fire x"},
    ),
    Scenario(
        "8: the clock goes back an hour",
        [Run(10, 100), Run(9, 100), Run(11, 101)],
        {10: "fire x"},
        {"repeat_hours": 4},
    ),
    Scenario(
        "8b: the clock was decades ahead",
        [Run(FALSE_FUTURE, 100), Run(0, 100), Run(1, 100)],
        {FALSE_FUTURE: "fire x", 0: "fire x"},
    ),
    Scenario(
        "9: one channel is down for six hours, the other does not notice",
        [
            Run(tick / 12, 85 if tick < 24 else 101, down=WEB_DOWN if tick < 72 else frozenset())
            for tick in (*range(72), 84)  # a pause is an hour at most, so at 7 h it is over
        ],
        {0: "mail: fire w", 2: "mail: fire x", 7: "web: fire w; web: fire x"},
        {"channels": {"web": {}, "mail": {}}},
    ),
    Scenario(
        "10: repeated while it holds",
        hourly(*[100] * 10),
        {0: "fire x", 4: "repeat x", 8: "repeat x"},
        {"repeat_hours": 4},
    ),
    Scenario(
        "11: silenced, and told when the silence ends", hourly(*[100] * 4), {2: "fire x"}, silent_until=2
    ),
    Scenario(
        "12: silenced, and over before the silence ends",
        hourly(100, 10, 10, 10),
        {},
        RESOLVED,
        silent_until=2,
    ),
    Scenario(
        "13: a forecast that plays about the limit",
        [Run(hour, 50, forecast=each) for hour, each in enumerate((99, 101, 99, 101, 80, 102))],
        {0: "fire c", 1: "fire x", 4: "resolve c, resolve x", 5: "fire x"},
        {"bases": ("forecast",), **RESOLVED},
    ),
    Scenario(
        "14: the forecast, then the spend",
        [Run(0, 50, forecast=120), Run(1, 100, forecast=120)],
        {0: "fire x forecast", 1: "fire x"},
        {"bases": ("actual", "forecast")},
    ),
    Scenario("15: one message for two budgets", [Run(0, 100, other=85)], {0: "fire x, fire w of c"}),
    Scenario(
        "16: a look at an older ledger that comes later takes nothing back",
        [Run(0, 100, commit=5), Run(1, 70, commit=4), Run(2, 100, commit=5)],
        {0: "fire x"},
        RESOLVED,
    ),
    Scenario(
        "17: down for 80 hours: given up after 72, and given to the fallback",
        [Run(hour, 100, down=WEB_DOWN) for hour in range(81)],
        {73: "spare: fire x"},
        {"channels": {"web": {"fallback": "spare"}, "spare": {}}, "told": ("web",)},
        attempts=73 + 1,
    ),
    Scenario(
        "18: the state is lost: told again, with the same id",
        [Run(0, 100), Run(1, 100, without_state=True), Run(2, 100)],
        {0: "fire x", 1: "fire x"},
        messages=1,
    ),
    Scenario(
        "19: crossed between the last look and the period's end",
        [Run(719, 90), Run(720 + 1 / 60, 0, old=101)],
        {719: "fire w", 720 + 1 / 60: "fire x late"},
    ),
    Scenario(
        "20: repriced downwards, then reached again",
        hourly(100, 60, 101),
        {0: "fire x", 1: "resolve x", 2: "fire x"},
        RESOLVED,
    ),
    # and what the reviews of these have found
    Scenario(
        "21: raised while it is over: no news",
        [Run(0, 110), Run(1, 112, amount=105), Run(2, 113, amount=105)],
        {0: "fire x"},
    ),
    Scenario(
        "22: raised, and reached again between two looks",
        [Run(0, 110), Run(1, 151, amount=150)],
        {0: "fire x", 1: "fire x"},
    ),
    Scenario(
        "23: resolved, then in the last hour of the period reached again",
        [Run(700, 100), Run(710, 60), Run(720, 0, old=101), Run(721, 0, old=101)],
        {700: "fire x", 710: "resolve x", 720: "fire x late"},
        RESOLVED,
    ),
    Scenario(
        "24: after all is over, a lower threshold that was covered speaks for itself",
        hourly(120, 10, 85),
        {0: "fire x", 1: "resolve x", 2: "fire w"},
        RESOLVED,
    ),
    Scenario(
        "25: nothing was withdrawn, so a lower threshold is no news",
        hourly(120, 10, 85, 120),
        {0: "fire x"},
    ),
    Scenario(
        "26: only the highest that spoke says that the period is over",
        [Run(0, 85), Run(1, 120), Run(720, 0, old=120), Run(721, 0, old=120)],
        {0: "fire w", 1: "fire x", 720: "resolve x"},
        RESOLVED,
    ),
    Scenario(
        "27: silenced until after the period's end: never told",
        [Run(700, 100), Run(720, 0, old=100), Run(800, 0, old=100)],
        {},
        RESOLVED,
        silent_until=750,
    ),
    Scenario(
        "28: no repeats pile up behind a channel that is down",
        [Run(hour, 100, down=WEB_DOWN if hour < 9 else frozenset()) for hour in range(14)],
        {9: "fire x", 10: "repeat x"},
        {"repeat_hours": 4},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name.partition(":")[0])
def test_who_is_told_what(scenario: Scenario, tmp_path: Path) -> None:
    check(scenario, tmp_path)


def check(scenario: Scenario, directory: Path) -> None:
    world = World.make(directory, **scenario.spread)
    if scenario.silent_until is not None:
        world.silence(scenario.silent_until)
    told = {run.hour: words for run in scenario.runs if (words := world.run(run))}
    assert told == dict(scenario.told)
    if scenario.attempts is not None:
        assert world.attempts == scenario.attempts
    if scenario.messages is not None:
        assert len({message.msg_id for _, message in world.received}) == scenario.messages
