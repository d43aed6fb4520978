"""What was spent of budgets: by hand, and against a second count over the calls one by one."""

from __future__ import annotations

import json
import tempfile
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.by_hand import USD, fill

from costctl.budgets.model import Amount, Budget, Budgets, Scope, Threshold
from costctl.budgets.spend import Look, Spent, look
from costctl.currency import CurrencyError, Rates
from costctl.filters import matches, parse
from costctl.ledger import Ledger
from costctl.periods import zone

Ask = Callable[..., list[Spent]]


def budget(kind: str = "month", usd: int | None = 100, **said: Any) -> Budget:
    amount = Amount(kind, None if usd is None else usd * USD)
    return Budget(**{"name": "b", "scope": Scope(), "amounts": (amount,), **said})


def call(ts: str, usd: int | None = 1, **said: Any) -> dict[str, Any]:
    return {"ts": ts, "cost_pico": None if usd is None else usd * USD, **said}


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """The spend of budgets at a time, of a ledger that has these calls."""

    def asked(
        calls: Sequence[dict[str, Any]], *budgets: Budget, now: str, tz: str = "UTC", **more: Any
    ) -> list[Spent]:
        return list(_look(tmp_path / "l.duckdb", calls, budgets, now, tz, **more).spent)

    return asked


def _look(
    path: Path, calls: Sequence[dict[str, Any]], budgets: Sequence[Budget], now: str, tz: str, **more: Any
) -> Look:
    ledger = Ledger(path)
    fill(ledger, calls)
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    return look(ledger, Budgets(Path("budgets.yaml"), tuple(budgets)), moment, zone(tz), **more)


def _us(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()) * 10**6


def current(found: Sequence[Spent]) -> list[tuple[str, Fraction]]:
    """Scope and dollars of the current periods."""
    return [(each.scope_value, Fraction(each.spent_pico, USD)) for each in found if not each.late]


# --- periods ----------------------------------------------------------------------------------------------


def test_what_was_spent_of_the_month_until_now(ask: Ask) -> None:
    calls = [
        call("2024-09-30 23:59:59.999999", 1000),
        call("2024-10-01 00:00:00", 1),
        call("2024-10-15 12:00:00", 2),  # at this very moment
        call("2024-10-15 12:00:00.000001", 50),  # not yet
        call("2024-11-01 00:00:00", 50),
    ]
    [found] = ask(calls, budget(), now="2024-10-15 12:00:00")
    assert (found.kind, found.spent_pico, found.limit_pico) == ("month", 3 * USD, 100 * USD)
    assert (found.start, found.end) == (datetime(2024, 10, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC))
    assert not found.late


def test_days_are_those_of_the_budgets_own_zone(ask: Ask) -> None:
    # Berlin's 27 October 2024 had 25 hours: from 22:00 UTC on the day before until 23:00 UTC.
    calls = [
        call(f"2024-10-{ts}", usd) for ts, usd in (("26 21:59:59", 1), ("26 22:00:00", 2), ("27 22:59:59", 4))
    ]
    [found, _] = ask(calls, budget("day", zone="Europe/Berlin"), now="2024-10-27 22:59:59")
    assert found.spent_pico == 6 * USD
    assert found.end - found.start.astimezone(UTC) == timedelta(hours=25)
    assert found.start.isoformat() == "2024-10-27T00:00:00+02:00"
    # The same moment is in the same day of New York, and all three calls are.
    assert current(ask(calls, budget("day"), now="2024-10-27 22:59:59", tz="America/New_York")) == [("", 4)]


def test_several_periods_of_one_budget_are_told_apart(ask: Ask) -> None:
    calls = [call("2024-10-01 00:00:00", 1), call("2024-10-13 00:00:00", 2), call("2024-10-15 00:00:00", 4)]
    two = budget(amounts=(Amount("month", 100 * USD), Amount("day", 5 * USD), Amount("3d", 9 * USD)))
    found = ask(calls, two, now="2024-10-15 08:00:00")
    assert [(e.kind, e.spent_pico // USD, e.late) for e in found] == [
        ("month", 7, False),
        ("day", 4, False),
        ("day", 0, True),  # the 14th is over for less than three days
        ("3d", 6, False),  # 13th to 15th; what rolls on has no period before
    ]
    assert [e.is_rolling for e in found] == [False, False, False, True]


def test_a_month_may_begin_on_any_day(ask: Ask) -> None:
    calls = [call("2024-02-28 12:00:00", 1), call("2024-02-29 12:00:00", 2), call("2024-03-30 12:00:00", 4)]
    found = ask(calls, budget(start_day=31), now="2024-03-30 18:00:00")
    # From 29 February, its last day, to 30 March.
    assert current(found) == [("", 6)]


def test_the_period_before_is_looked_at_for_three_days(ask: Ask) -> None:
    calls = [call("2024-10-31 12:00:00", 7), call("2024-11-02 12:00:00", 1)]
    found = ask(calls, budget(), now="2024-11-04 00:00:00")
    assert [(e.spent_pico // USD, e.late) for e in found] == [(1, False), (7, True)]
    assert len(ask(calls, budget(), now="2024-11-04 00:00:01")) == 1


def test_earlier_periods_are_looked_at_where_calls_came_in_late(tmp_path: Path) -> None:
    calls = [call("2024-10-20 12:00:00", 7), call("2024-11-30 12:00:00", 1)]
    path = tmp_path / "l.duckdb"
    fill(Ledger(path), calls)
    with Ledger(path).writing() as connection:
        commits = [[_us("2024-11-30 13:00:00"), _us("2024-10-20 12:00:00")]]
        connection.execute("INSERT INTO meta VALUES ('late', ?)", [json.dumps(commits)])
    known = datetime(2024, 11, 30, 12, 59, tzinfo=UTC)
    days = [budget("week"), budget("month", name="m")]
    found = _look(path, calls, days, "2024-11-30 14:00:00", "UTC", known=known).spent
    late = [(e.budget.name, f"{e.start:%m-%d}", e.spent_pico // USD) for e in found if e.late]
    # Weeks that ended within 35 days, after the first new call; October is over for 30 days.
    assert late == [
        ("b", "11-18", 0),
        ("b", "11-11", 0),
        ("b", "11-04", 0),
        ("b", "10-28", 0),
        ("b", "10-21", 0),
        ("m", "10-01", 7),
    ]
    nothing_new = _look(
        path, calls, days, "2024-11-30 14:00:00", "UTC", known=known + timedelta(hours=1)
    ).spent
    assert not any(e.late for e in nothing_new)


# --- which calls ------------------------------------------------------------------------------------------

TEAMS = [
    call("2024-10-02 00:00:00", 1, team="search"),
    call("2024-10-02 00:00:00", 2, team="ads"),
    call("2024-10-02 00:00:00", 4, team="ml-vision"),
    call("2024-10-02 00:00:00", 8, team="ml-speech", tags={"env": "prod"}),
    call("2024-10-02 00:00:00", 16),
    call("2024-10-02 00:00:00", 32, team="ml*"),
    call("2024-09-02 00:00:00", 64, team="gone"),
    call("2024-08-02 00:00:00", 128, team="long gone"),
]


@pytest.mark.parametrize(
    ("scope", "where", "expected"),
    [
        (Scope(), (), [("", 63)]),
        (Scope("team", ("search",)), (), [("team=search", 1)]),
        (Scope("team", ("search", "ads")), (), [("team=search,ads", 3)]),
        (Scope("team", ("ml-*",)), (), [("team=ml-*", 12)]),
        (Scope("team", ("ads", "ml-*", "se?rch")), (), [("team=ads,ml-*,se?rch", 15)]),
        (Scope("team", ("ml\\*",)), (), [("team=ml\\*", 32)]),
        (Scope("team", ("",)), (), [("team=", 16)]),
        (Scope("team", ("nobody",)), (), [("team=nobody", 0)]),
        (Scope("tag:env", ("prod",)), (), [("tag:env=prod", 8)]),
        (Scope("team", ("ml-*",)), ("tag:env=prod",), [("team=ml-*", 8)]),
        (Scope("team", ("ml-*",)), ("team!=ml-speech", "model~opus"), [("team=ml-*", 4)]),
        # For each: calls without a team belong to none; who spent last month only is named with 0.
        (
            Scope("team", each=True),
            (),
            [
                ("team=ads", 2),
                ("team=gone", 0),
                ("team=ml*", 32),
                ("team=ml-speech", 8),
                ("team=ml-vision", 4),
                ("team=search", 1),
            ],
        ),
        (Scope("team", each=True), ("team~ml-*",), [("team=ml-speech", 8), ("team=ml-vision", 4)]),
        (Scope("tag:env", each=True), (), [("tag:env=prod", 8)]),
    ],
)
def test_scopes(ask: Ask, scope: Scope, where: tuple[str, ...], expected: list[tuple[str, int]]) -> None:
    one = budget(scope=scope, where=tuple(map(parse, where)))
    assert current(ask(TEAMS, one, now="2024-10-20 00:00:00")) == expected


def test_calls_without_a_price_are_counted_beside(ask: Ask) -> None:
    calls = [
        call("2024-10-02 00:00:00", 5, team="a"),
        call("2024-10-03 00:00:00", None, team="a", requests=3),
        call("2024-10-03 00:00:00", None, team="a", requests=None),
        call("2024-10-03 00:00:00", None, team="b"),
        call("2024-09-03 00:00:00", None, team="a"),
    ]
    [found] = ask(calls, budget(scope=Scope("team", ("a",))), now="2024-10-20 00:00:00")
    assert (found.spent_pico, found.unpriced_calls) == (5 * USD, 4)


def test_calls_and_buckets_of_one_usage_count_once(ask: Ask) -> None:
    calls = [
        call("2024-10-02 10:00:00", 5, input_tokens=10),
        call("2024-10-02 00:00:00", 5, grain="bucket", input_tokens=10),
        call("2024-10-03 00:00:00", 7, grain="bucket", input_tokens=10),
    ]
    assert current(ask(calls, budget(), now="2024-10-20 00:00:00")) == [("", 12)]


def test_a_ledger_without_calls_has_spent_nothing(ask: Ask) -> None:
    [found] = ask([], budget(), now="2024-10-20 00:00:00")
    assert (found.spent_pico, found.unpriced_calls, found.forecast) == (0, 0, None)
    assert ask([], budget(scope=Scope("team", each=True)), now="2024-10-20 00:00:00") == []


def test_the_look_says_what_it_looked_at(tmp_path: Path) -> None:
    calls = [call("2024-10-02 00:00:00"), call("2024-10-21 00:00:00")]
    found = _look(tmp_path / "l.duckdb", calls, [budget()], "2024-10-20 00:00:00", "UTC")
    with Ledger(tmp_path / "l.duckdb").reading() as engine:
        meta = dict(engine.rows("SELECT key, value FROM meta"))
    assert (found.ledger_id, found.commit) == (meta["ledger_id"], int(meta["commit"]))
    # 2 October; the later call has not happened yet.
    assert found.newest_us == datetime(2024, 10, 2, tzinfo=UTC).timestamp() * 10**6


# --- amounts ----------------------------------------------------------------------------------------------


def last_period(factor: str, kind: str = "month") -> tuple[Amount, ...]:
    return (Amount(kind, factor_of_last=Decimal(factor)),)


def test_an_amount_may_be_a_multiple_of_the_last_period(ask: Ask) -> None:
    calls = [
        call("2024-08-01 00:00:00", 200),
        call("2024-08-31 23:59:59", 300),
        call("2024-09-01 00:00:00", 100),
        call("2024-09-30 23:59:59", 100),
        call("2024-10-01 00:00:00", 60),
    ]
    found = ask(calls, budget(amounts=last_period("1.1")), now="2024-10-02 00:00:00")
    # 1.1 x (100 + 100); September's own: 1.1 x 500.
    assert [(e.limit_pico, e.late) for e in found] == [(220 * USD, False), (550 * USD, True)]
    # Of the last three days, 1 October is one; of those before them only 29 and 30 September are.
    [rolling] = ask(calls, budget(amounts=last_period("2", "3d")), now="2024-10-03 00:00:00")
    assert (rolling.spent_pico // USD, rolling.limit_pico) == (60, 200 * USD)


@pytest.mark.parametrize(
    ("kind", "first", "limit"),
    [
        # September has 30 days, of which three may be missing.
        ("month", "2024-09-04 12:00:00", 5),
        ("month", "2024-09-05 12:00:00", None),
        # The week from 30 September on must not lack its Monday.
        ("week", "2024-09-30 12:00:00", 5),
        ("week", "2024-10-01 12:00:00", None),
    ],
)
def test_a_multiple_of_what_is_not_in_the_ledger_is_no_amount(
    ask: Ask, kind: str, first: str, limit: int | None
) -> None:
    calls = [call(first, 5), call("2024-10-07 00:00:00")]
    found = ask(calls, budget(amounts=last_period("1", kind)), now="2024-10-10 00:00:00")[0]
    assert found.limit_pico == (None if limit is None else limit * USD)


def test_a_multiple_of_nothing_is_no_amount(ask: Ask) -> None:
    [found] = ask(
        [call("2024-10-01 00:00:00")], budget(amounts=last_period("1.1")), now="2024-10-20 00:00:00"
    )
    assert found.limit_pico is None
    assert found.threshold_pico(Threshold("w", 0, Decimal("0.8"))) is None
    assert found.threshold_pico(Threshold("cap", 0, pico=5)) == 5


@given(st.integers(1, 10**18), st.decimals("0.000001", "9999.999999", places=6))
@settings(max_examples=15)
def test_a_multiple_is_exact(last: int, factor: Decimal) -> None:
    with tempfile.TemporaryDirectory() as directory:
        calls = [{"ts": "2024-09-01 00:00:00", "cost_pico": last}]
        months = budget(amounts=last_period(str(factor)))
        [found] = _look(Path(directory) / "l.duckdb", calls, [months], "2024-10-15 00:00:00", "UTC").spent
    exact = Fraction(last) * Fraction(factor)
    assert abs((found.limit_pico or 0) - exact) <= Fraction(1, 2)


def test_amounts_change_on_their_day(ask: Ask) -> None:
    steps = (
        Amount("month", 10 * USD, since=date(2024, 9, 10)),
        Amount("month", 20 * USD, since=date(2024, 10, 15)),
    )
    calls = [call("2024-10-01 00:00:00")]

    def limits(now: str) -> list[int]:
        return [(e.limit_pico or 0) // USD for e in ask(calls, budget(amounts=steps), now=now)]

    assert limits("2024-09-09 23:59:59") == []  # none holds yet, so there is nothing to look at
    assert limits("2024-09-10 00:00:00") == [10]
    assert limits("2024-10-14 23:59:59") == [10]
    assert limits("2024-10-15 00:00:00") == [20]
    assert limits("2024-11-01 00:00:00") == [20, 20]
    # A period that is over keeps what held on its last day.
    steps = (Amount("month", 10 * USD), Amount("month", 20 * USD, since=date(2024, 11, 1)))
    assert limits("2024-11-01 00:00:00") == [20, 10]


def test_a_budget_in_another_currency_has_the_rate_of_its_first_day(ask: Ask) -> None:
    rates = Rates(
        Path("currency.yaml"), {"TWD": ((date(2024, 9, 1), Decimal(32)), (date(2024, 10, 10), Decimal(64)))}
    )
    one = budget(usd=640, currency="TWD", thresholds=(Threshold("cap", 0, pico=320 * USD),))
    [found] = ask([call("2024-10-11 00:00:00")], one, now="2024-10-20 00:00:00", rates=rates)
    assert found.limit_pico == 20 * USD  # 640 / 32
    assert found.threshold_pico(one.thresholds[0]) == 10 * USD
    with pytest.raises(CurrencyError, match="'b' is in TWD, and there are no rates"):
        ask([], one, now="2024-10-20 00:00:00")


# --- forecasts --------------------------------------------------------------------------------------------


def test_the_forecast_is_what_was_spent_and_what_is_to_come(ask: Ask) -> None:
    # 3 a day since 1 September, a third of it at 6:00; on 11 October at noon 1 so far, 2 of it are to come.
    # 10 days are 30; 20 more are expected at 3.
    every_day = [datetime(2024, 9, 1, 6) + timedelta(days=n) for n in range(40)]
    calls = [call(str(day), 1) for day in every_day] + [call("2024-10-11 06:00:00", 1)]
    calls += [call(str(day + timedelta(hours=12)), 2) for day in every_day]
    [month, year] = ask(
        calls, budget(amounts=(Amount("month", USD), Amount("year", USD))), now="2024-10-11 12:00:00"
    )
    assert month.spent_pico == 31 * USD
    assert month.forecast is not None
    assert (month.forecast.value, month.forecast.days_of_history) == (93 * USD, 40)
    # The year: 120 so far, and from 11 October on 82 days.
    assert year.forecast is not None
    assert year.forecast.value == (120 + 82 * 3) * USD


def test_days_that_are_not_in_the_ledger_yet_are_not_taken_for_empty(ask: Ask) -> None:
    # The same, but nothing was ingested since; the 12th to 31st are still expected at 3.
    every_day = [datetime(2024, 9, 1, 6) + timedelta(days=n) for n in range(40)]
    calls = [call(str(day), 3) for day in every_day]  # until 10 October
    [found] = ask(calls, budget(), now="2024-10-20 12:00:00")
    assert found.forecast is not None
    assert found.forecast.value == 93 * USD
    # Nor in the next month, of which nothing is known.
    [november, _] = ask(calls, budget(), now="2024-11-02 12:00:00")
    assert november.forecast is not None
    assert (november.spent_pico, november.forecast.value) == (0, 90 * USD)


def test_rolling_days_and_periods_that_are_over_have_no_forecast(ask: Ask) -> None:
    calls = [call("2024-10-29 00:00:00"), call("2024-10-30 00:00:00")]
    found = ask(calls, budget(amounts=(Amount("30d", USD), Amount("month", USD))), now="2024-11-01 12:00:00")
    assert [e.forecast is None for e in found] == [True, False, True]
    [without] = ask(calls, budget(), now="2024-10-31 12:00:00", forecasts=False)
    assert (without.spent_pico, without.forecast) == (2 * USD, None)


def test_a_threshold_on_a_forecast_waits_for_its_history(ask: Ask) -> None:
    calls = [call(f"2024-10-0{day} 00:00:00", 3) for day in range(1, 6)]
    [found] = ask(calls, budget(), now="2024-10-05 12:00:00")
    actual = Threshold("a", 0, Decimal(1))
    assert found.reached_pico(actual) == 15 * USD
    after = replace(actual, basis="forecast", min_history_days=4)
    assert found.reached_pico(after) == 93 * USD  # four whole days: 12, and 27 days at 3
    assert found.reached_pico(replace(after, min_history_days=5)) is None


# --- a second count ---------------------------------------------------------------------------------------

KINDS = ("day", "week", "month", "quarter", "year", "1d", "30d")
FIRST_MONTHS = {"month": range(1, 13), "quarter": (1, 4, 7, 10), "year": (1,)}
LABELS = ("", "a", "b", "ab", "a*", "a b", "ä")


def _begins(kind: str, day: date, start_day: int) -> bool:
    if kind in ("day", "week"):
        return kind == "day" or day.isoweekday() == 1
    last = monthrange(day.year, day.month)[1]
    return day.month in FIRST_MONTHS[kind] and (day.day == start_day or day.day == last < start_day)


def _period(kind: str, day: date, start_day: int) -> set[date]:
    """The days of the period that holds ``day``, one by one."""
    if kind.endswith("d"):
        return {day - timedelta(days=n) for n in range(int(kind[:-1]))}
    first = day
    while not _begins(kind, first, start_day):
        first -= timedelta(days=1)
    days = {first}
    after = first + timedelta(days=1)
    while not _begins(kind, after, start_day):
        days.add(after)
        after += timedelta(days=1)
    return days


@dataclass(frozen=True)
class Many:
    ledger: Ledger
    calls: list[dict[str, Any]] = field(repr=False)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Many:
    """Calls over two years, many of them around midnights, changes of clocks and the ends of months."""
    chance = Random(2024)
    edges = [
        datetime(2023, 3, 26, 1), datetime(2023, 10, 29, 1), datetime(2024, 3, 31, 1),
        datetime(2024, 10, 27, 1), datetime(2024, 3, 10, 7), datetime(2024, 11, 3, 6),
        datetime(2024, 2, 29), datetime(2024, 3, 1), datetime(2024, 1, 1), datetime(2024, 10, 1),
        datetime(2024, 10, 31),
    ]  # fmt: skip
    calls = []
    for _ in range(700):
        moment = chance.choice(edges) + timedelta(hours=chance.randrange(-26, 27))
        if chance.random() < 0.5:
            moment = datetime(2023, 1, 1) + timedelta(seconds=chance.randrange(730 * 86400))
        moment += timedelta(microseconds=chance.choice((-1, 0, 1)))
        said = {
            "team": chance.choice(LABELS),
            "user_id": chance.choice(LABELS),
            "model": chance.choice(("opus", "haiku")),
        }
        row = {key: value for key, value in said.items() if value}
        tag = chance.choice(LABELS)
        row |= {"tags": {"env": tag} if tag else {}}
        cost = chance.choice((None, 1, chance.randrange(10**15)))
        calls.append({"ts": str(moment), "cost_pico": cost, **row})
    ledger = Ledger(tmp_path_factory.mktemp("many") / "l.duckdb")
    fill(ledger, calls)
    return Many(ledger, calls)


SCOPES = st.one_of(
    st.just(Scope()),
    st.builds(
        Scope,
        st.sampled_from(["team", "user", "tag:env"]),
        st.lists(
            st.sampled_from([*LABELS, "a*", "?", "*b", "a\\*"]), min_size=1, max_size=3, unique=True
        ).map(tuple),
    ),
    st.sampled_from(["team", "user", "tag:env"]).map(lambda column: Scope(column, each=True)),
)
CONDITIONS = st.sampled_from(["model=opus", "team!=a", "tag:env~a", "user="]).map(parse)
BUDGETS = st.builds(
    Budget,
    name=st.just("b"),
    scope=SCOPES,
    where=st.lists(CONDITIONS, max_size=2, unique=True).map(tuple),
    amounts=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True).map(
        lambda kinds: tuple(Amount(kind, factor_of_last=Decimal(1)) for kind in kinds)
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
    start_day=st.integers(1, 31),
)  # fmt: skip
MOMENTS = st.one_of(
    st.datetimes(datetime(2023, 2, 1), datetime(2025, 1, 1)),
    st.sampled_from([datetime(2024, 10, 27, 1), datetime(2024, 3, 31, 1), datetime(2024, 2, 29, 23, 59, 59)]),
)


@given(st.lists(BUDGETS, min_size=1, max_size=4), MOMENTS)
@settings(max_examples=80)
def test_a_second_count_comes_to_the_same(many: Many, budgets: list[Budget], now: datetime) -> None:
    ledger, calls = many.ledger, many.calls
    found = look(ledger, Budgets(Path("b"), tuple(budgets)), now.replace(tzinfo=UTC), zone("UTC"))
    for each in budgets:
        local = ZoneInfo(each.zone or "UTC")
        today = now.replace(tzinfo=UTC).astimezone(local).date()
        first = min(_local(row, local) for row in calls if datetime.fromisoformat(row["ts"]) <= now)
        passed = [
            (_local(row, local), row)
            for row in calls
            if datetime.fromisoformat(row["ts"]) <= now
            and all(matches(one, row) for one in each.where)
            and _in_scope(each.scope, row)
        ]
        mine = [spent for spent in found.spent if spent.budget is each and not spent.late]
        for kind in each.kinds:
            days = _period(kind, today, each.start_day)
            before = _period(kind, min(days) - timedelta(days=1), each.start_day)
            is_known = sum(day < first for day in before) * 10 <= len(before)
            expected = {} if each.scope.each else {"": (0, 0, 0)}
            for day, row in passed:
                value = _value(each.scope.column, row) if each.scope.each else ""
                if day in days | before:
                    spent, unpriced, last = expected.get(value, (0, 0, 0))
                    cost = row["cost_pico"]
                    expected[value] = (
                        spent + (cost or 0) * (day in days),
                        unpriced + (cost is None and day in days),
                        last + (cost or 0) * (day in before and is_known),
                    )
            assert {
                (s.scope_value.removeprefix(f"{each.scope.column}=") if each.scope.each else ""): (
                    s.spent_pico,
                    s.unpriced_calls,
                    s.limit_pico or 0,
                )
                for s in mine
                if s.kind == kind
            } == expected


def _local(row: dict[str, Any], zone: ZoneInfo) -> date:
    return datetime.fromisoformat(row["ts"]).replace(tzinfo=UTC).astimezone(zone).date()


def _value(column: str, row: dict[str, Any]) -> str:
    if column == "tag:env":
        return str(row["tags"].get("env", ""))
    return str(row.get({"user": "user_id"}.get(column, column), ""))


def _in_scope(scope: Scope, row: dict[str, Any]) -> bool:
    if not scope.column:
        return True
    value = _value(scope.column, row)
    if scope.each:
        return value != ""
    return any(_equals(pattern, value) for pattern in scope.values)


def _equals(pattern: str, value: str) -> bool:
    """The few globs of these tests, each said once more by itself."""
    if not value or not pattern:
        return value == pattern
    match pattern:
        case "a*":
            return value.startswith("a")
        case "?":
            return len(value) == 1
        case "*b":
            return value.endswith("b")
        case "a\\*":
            return value == "a*"
    return value == pattern
