"""Exchange rates: which one is in force, and amounts at it, exact to the last digit."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.currency import CurrencyError, Rate, Rates, read
from costctl.documents import DocumentError

EXAMPLE = Path(__file__).parents[1] / "currency.example.yaml"


@pytest.fixture
def rates(tmp_path: Path) -> Rates:
    path = tmp_path / "currency.yaml"
    path.write_text(
        "source: closing rates\n"
        "rates:\n"
        "  TWD: {2024-11-01: 32.00, 2024-10-01: 31.65}\n"  # in any order
        "  EUR: {2024-10-01: 0.9}\n"
    )
    return read(path)


@pytest.mark.parametrize(
    ("day", "per_usd", "since"),
    [
        (date(2024, 10, 1), "31.65", date(2024, 10, 1)),
        (date(2024, 10, 31), "31.65", date(2024, 10, 1)),
        (date(2024, 11, 1), "32.00", date(2024, 11, 1)),
        (date(2031, 1, 1), "32.00", date(2024, 11, 1)),
    ],
)
def test_the_rate_in_force_is_the_last_one_that_has_begun(
    rates: Rates, day: date, per_usd: str, since: date
) -> None:
    assert rates.on("TWD", day) == Rate("TWD", Decimal(per_usd), since, "closing rates")


@pytest.mark.parametrize(
    ("currency", "day", "message", "hint"),
    [
        ("TWN", date(2024, 10, 1), "has no rate of TWN", "did you mean TWD?"),
        ("CHF", date(2024, 10, 1), "has no rate of CHF", "it has EUR, TWD"),
        (
            "TWD",
            date(2024, 9, 30),
            "has no rate of TWD for 2024-09-30: the first one is of 2024-10-01",
            "add one from 2024-09-30 on, or from before",
        ),
    ],
)
def test_no_rate_is_made_up(rates: Rates, currency: str, day: date, message: str, hint: str) -> None:
    with pytest.raises(CurrencyError, match=message) as caught:
        rates.on(currency, day)
    assert caught.value.hint == hint


def test_an_amount_is_the_exact_product() -> None:
    rate = Rate("TWD", Decimal("31.65"), date(2024, 10, 1))
    # 127,850 x 31.65 = 4,046,452.5
    assert rate.of(127_850 * 10**12) == Decimal("4046452.50")
    assert rate.of(1) == Decimal("0.00000000003165")
    assert rate.of(-2 * 10**12) == Decimal("-63.30")


@given(
    st.integers(-(10**30), 10**30),
    st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=40),
)
def test_every_amount_is_exact(pico: int, per_usd: Decimal) -> None:
    """Up to a quintillion dollars, at any rate that a file may state."""
    amount = Rate("TWD", per_usd, date(2024, 10, 1)).of(pico)
    assert Fraction(amount) == Fraction(pico, 10**12) * Fraction(per_usd)


@given(st.lists(st.integers(0, 10**20)), st.decimals(min_value=0, max_value=1000, places=6))
def test_amounts_add_up_in_either_currency(picos: list[int], per_usd: Decimal) -> None:
    rate = Rate("TWD", per_usd, date(2024, 10, 1))
    assert sum(Fraction(rate.of(pico)) for pico in picos) == Fraction(rate.of(sum(picos)))


@given(st.sets(st.integers(0, 1000), min_size=1), st.integers(0, 1000))
def test_the_rate_of_a_day_is_the_nearest_before_it(days: set[int], asked: int) -> None:
    first = date(2024, 1, 1)
    dated = tuple((first + timedelta(days=each), Decimal(each + 1)) for each in sorted(days))
    rates = Rates(Path("currency.yaml"), {"TWD": dated})
    begun = [each for each in days if each <= asked]
    if begun:
        assert rates.on("TWD", first + timedelta(days=asked)).per_usd == max(begun) + 1
    else:
        with pytest.raises(CurrencyError):
            rates.on("TWD", first + timedelta(days=asked))


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["1: the file lacks the key rates"]),
        ("rates: {}\n", ["1: rates must not be empty"]),
        ("rates:\n  twd: {2024-10-01: 31}\n", ["2: the key rates.twd must match ^[A-Z]{3}$, not 'twd'"]),
        ("rates:\n  TWD: 31.65\n", ["2: rates.TWD must be a map, not '31.65'"]),
        (
            "rates:\n  TWD:\n    2024-10-01: 31.65\n    2024-13-01: 0\n",
            [
                "4: the key rates.TWD.2024-13-01 must be a date, not '2024-13-01'",
                "4: rates.TWD.2024-13-01 must be greater than 0, not '0'",
            ],
        ),
        (
            "rates:\n  TWD:\n    2024-10-01: 31.65\n    2024-10-01: 32\n",
            ["4: the key '2024-10-01' is given twice, in lines 3 and 4"],
        ),
        ("rates:\n  TWD: {2024-10-01: '31.65'}\n", ["2: rates.TWD.2024-10-01 must be a number, not '31.65'"]),
        (
            "rates:\n  EUR: {2024-10-01: 1}\n  USD: {2024-10-01: 1}\n",
            ["3: USD has no rate: all amounts are in USD"],
        ),
    ],
)
def test_faults_have_their_lines(tmp_path: Path, text: str, faults: list[str]) -> None:
    path = tmp_path / "currency.yaml"
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        read(path)
    assert [f"{each.line}: {each.message}" for each in caught.value.errors] == faults


def test_the_example_is_right() -> None:
    rate = read(EXAMPLE).on("TWD", date(2024, 10, 31))
    assert (rate.per_usd, rate.source) == (Decimal("31.65"), "closing rates of our bank")
