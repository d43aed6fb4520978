"""A critical budget slows its requests down to a part of their rate, whoever asks in whatever way."""

from __future__ import annotations

import heapq
import random
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import pytest
from tests.sdk.conftest import Brake, Clock

MINUTES = 30
END = MINUTES * 60.0


class Asked(NamedTuple):
    at: float
    request: int
    admitted: bool


def steady() -> Iterator[float]:
    """One a second."""
    yield from (float(second) for second in range(1, MINUTES * 60))


def quick() -> Iterator[float]:
    """Three a second."""
    yield from (number / 3 for number in range(1, MINUTES * 180))


def bursts() -> Iterator[float]:
    """Forty at once, within two seconds, then nothing for 43."""
    chance = random.Random(1)
    for begin in range(0, MINUTES * 60, 45):
        yield from sorted(begin + 2 * chance.random() for _ in range(40))


def irregular() -> Iterator[float]:
    """Poisson's, with a rate that doubles and halves at random between 0.05 and 8 a second."""
    chance = random.Random(7)
    at, rate = 0.0, 1.0
    while (at := at + chance.expovariate(rate)) < END:
        yield at
        if chance.random() < 0.05:
            rate = min(8.0, max(0.05, rate * chance.choice([0.5, 2])))


def sparse() -> Iterator[float]:
    """One every 70 seconds."""
    yield from (float(second) for second in range(1, MINUTES * 60, 70))


CALLERS = {each.__name__: each for each in (steady, quick, bursts, irregular, sparse)}


def ask(
    brake: Brake, clock: Clock, times: Iterator[float], scope: str, rate: str = "0.5", tries: int = 1
) -> list[Asked]:
    """What becomes of requests at these times; one that is refused asks ``tries`` times, each two seconds
    after the other. The day's budget of 10 USD is critical from 9.50 on, and 9.60 are spent."""
    column, value = scope.split("=")
    throttler = brake(
        f"  - {{name: b, scope: {{{column}: {value}}}, daily_budget: 10, throttle_rate: {rate}}}\n",
        **{column: value},
    )
    throttler.settle(throttler.should_allow_request(), "9.60")
    waiting = [(at, number, "", tries) for number, at in enumerate(times)]
    done = []
    while waiting:
        at, number, reservation, left = heapq.heappop(waiting)
        clock.now = Clock.NOON + at
        answer = throttler.should_allow_request(reservation or None, estimate=0)
        done.append(Asked(at, number, answer.allowed))
        if not answer.allowed:
            assert answer.refusal == "slowed"
            if left > 1:
                heapq.heappush(waiting, (at + 2, number, answer.reservation, left - 1))
    return done


def windows(done: list[Asked]) -> Iterator[tuple[float, int, int]]:
    """The end, the requests and the admitted ones of every window of 60 s from the 60th second on that ends
    with a request, a thousandth before one leaves it, or with a full second. A request counts when it first
    asks."""
    begun: dict[int, float] = {}
    for each in done:
        begun.setdefault(each.request, each.at)
    asked = sorted(begun.values())
    admitted = [each.at for each in done if each.admitted]
    ends = {*asked, *admitted, *(at + 59.999 for at in asked), *map(float, range(60, MINUTES * 60 + 1))}
    for end in sorted(end for end in ends if 60 <= end <= END):
        yield end, _within(asked, end), _within(admitted, end)


def _within(times: list[float], end: float) -> int:
    return bisect_right(times, end) - bisect_right(times, end - 60)


@pytest.mark.parametrize(
    ("caller", "scope"),
    [
        *((caller, "team=search") for caller in CALLERS),
        ("bursts", "project=ranker"),
        ("irregular", "user=ada"),
    ],
)
def test_half_of_the_requests_are_let_through(brake: Brake, clock: Clock, caller: str, scope: str) -> None:
    done = ask(brake, clock, CALLERS[caller](), scope)
    full = 0
    for end, requests, admitted in windows(done):
        if requests >= 30:
            full += 1
            assert 0.45 <= admitted / requests <= 0.56, (end, requests, admitted)
    assert full > 500 or caller == "sparse"


@pytest.mark.parametrize("caller", CALLERS)
def test_always_one_is_let_through(brake: Brake, clock: Clock, caller: str) -> None:
    done = ask(brake, clock, CALLERS[caller](), "team=search")
    times = [each.at for each in done]
    for each in done:
        begin = bisect_right(times, each.at - 60)
        assert any(other.admitted for other in done[begin : bisect_right(times, each.at)]), each


@pytest.mark.parametrize("caller", ["steady", "quick", "bursts"])
def test_retries_of_a_request_count_once(brake: Brake, clock: Clock, caller: str) -> None:
    done = ask(brake, clock, CALLERS[caller](), "team=search", tries=3)
    assert sum(each.admitted for each in done) > len({each.request for each in done}) * 0.45
    for end, requests, admitted in windows(done):
        if requests >= 30:
            assert 0.45 <= admitted / requests <= 0.56, (end, requests, admitted)


def test_stubborn_retries_do_not_open_the_brake(brake: Brake, clock: Clock) -> None:
    """Without the reservation each retry would count: 3 tries a request would let all of them through."""
    requests = 300
    done = ask(brake, clock, (float(2 * number) for number in range(requests)), "team=search", tries=25)
    assert sum(each.admitted for each in done) <= requests * 0.56


@pytest.mark.parametrize(
    ("rate", "first"),
    [
        # Allowed while admitted < max(1, rate x asked), the request itself among those asked.
        ("0.5", "+-+-+-+-+-"),
        ("0.25", "+---+---+-"),  # 1 < 0.25 x 5 is the next
        ("0.9", "+++++++++-"),  # 8 < 0.9 x 9, but not 9 < 0.9 x 10
        ("1", "++++++++++"),
    ],
)
def test_the_first_ten_by_rate(brake: Brake, clock: Clock, rate: str, first: str) -> None:
    done = ask(brake, clock, (number / 10 for number in range(10)), "team=search", rate)
    assert "".join("+" if each.admitted else "-" for each in done) == first


def test_a_window_is_the_last_60_seconds(brake: Brake, clock: Clock) -> None:
    throttler = brake("  - {name: b, scope: all, daily_budget: 10}\n")
    throttler.settle(throttler.should_allow_request(), "9.60")
    allowed = []
    for at in (0, 1, 59.9, 60, 61, 62):
        # 0: the first. 1: 1 < 1 not. 59.9: 1 < 1.5. 60: the first has left; 3 asked, 1 admitted: 1 < 1.5.
        # 61: that of 1 has left; 3 asked, 2 admitted: 2 < 1.5 not. 62: 4 asked, 2 admitted: 2 < 2 not.
        clock.now = Clock.NOON + at
        allowed.append(throttler.should_allow_request(estimate=0).allowed)
    assert allowed == [True, False, True, True, False, False]


def test_requests_before_the_budget_was_critical_do_not_count(brake: Brake, clock: Clock) -> None:
    """Else the brake would let nothing through for half a minute, then everything for as long."""
    throttler = brake("  - {name: b, scope: all, daily_budget: 10}\n")
    for second in range(60):
        clock.now = Clock.NOON + second
        assert throttler.should_allow_request(estimate=0).allowed
    throttler.settle(throttler.should_allow_request(estimate=0), "9.60")
    allowed = []
    for second in range(60, 66):
        clock.now = Clock.NOON + second
        allowed.append(throttler.should_allow_request(estimate=0).allowed)
    assert allowed == [True, False, True, False, True, False]


def test_a_budget_may_say_that_it_never_slows_down(brake: Brake) -> None:
    throttler = brake("  - {name: b, scope: all, daily_budget: 10, auto_throttle: false}\n")
    throttler.settle(throttler.should_allow_request(), "9.99")
    assert all(throttler.should_allow_request(estimate=0).allowed for _ in range(20))
    throttler.settle(throttler.should_allow_request(estimate=0), "0.01")
    assert throttler.should_allow_request() == (False, "budget b: 10.00 spent, of 10.00 USD for the day")


def test_slowing_may_be_passed_by_but_not_the_budget(brake: Brake) -> None:
    throttler = brake("  - {name: b, scope: all, daily_budget: 10}\n")
    throttler.settle(throttler.should_allow_request(), "9.60")
    assert all(throttler.should_allow_request(estimate=0, ignore_slowing=True).allowed for _ in range(20))
    throttler.settle(throttler.should_allow_request(estimate=0, ignore_slowing=True), "0.40")
    assert not throttler.should_allow_request(ignore_slowing=True).allowed


def test_two_critical_budgets_both_have_to_have_room(brake: Brake) -> None:
    throttler = brake(
        "  - {name: fast, scope: all, daily_budget: 10, throttle_rate: 0.5}\n"
        "  - {name: slow, scope: {team: search}, daily_budget: 10, throttle_rate: 0.25}\n",
        team="search",
    )
    throttler.settle(throttler.should_allow_request(), "9.60")
    answers = [throttler.should_allow_request(estimate=0) for _ in range(8)]
    assert [answer.allowed for answer in answers] == [True, False, False, False, True, False, False, False]
    assert answers[2].reason == "budget slow is critical: requests are slowed down to 0.25 of their rate"


@pytest.mark.parametrize(
    ("thresholds", "spent", "slows"),
    [
        # The default: 0.95.
        ("", "9.49", False),
        ("", "9.50", True),
        # The book's name of it.
        (", critical_threshold: 0.9", "9.00", True),
        # The one of that name, by share or by amount.
        (", thresholds: [{name: critical, share: 0.5}, {name: x, share: 0.7}]", "5", True),
        (", thresholds: [{name: critical, amount: 7}]", "6.99", False),
        (", thresholds: [{name: critical, amount: 7}]", "7", True),
        # Without it the lowest that is critical; one on a forecast is none.
        (", thresholds: [{name: a, share: 0.5}, {name: b, share: 0.6, severity: critical}]", "5.99", False),
        (", thresholds: [{name: a, share: 0.5}, {name: b, share: 0.6, severity: critical}]", "6", True),
        (", thresholds: [{name: critical, share: 0.5, basis: forecast}]", "9.99", False),
    ],
)
def test_where_it_becomes_critical(brake: Brake, thresholds: str, spent: str, slows: bool) -> None:
    throttler = brake(f"  - {{name: b, scope: all, daily_budget: 10{thresholds}}}\n")
    throttler.settle(throttler.should_allow_request(), Decimal(spent))
    assert any(not throttler.should_allow_request(estimate=0).allowed for _ in range(2)) is slows
