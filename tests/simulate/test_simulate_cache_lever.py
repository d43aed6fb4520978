"""The lever cache: by hand to the pico-dollar, and against a second count that walks the calls one by one and
shares no code with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.by_hand import ALWAYS, Call, at, fill

from costctl.analysis import QuestionError
from costctl.analysis.calls import Calls
from costctl.documents import read
from costctl.filters import parse
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.report import Report
from costctl.simulate.cache import Cache, CacheRule, of_document
from costctl.simulate.cache_actual import actual
from costctl.simulate.cache_of_calls import chosen, of_calls
from costctl.simulate.cache_profiles import load
from costctl.simulate.state import States

SONNET, HAIKU = "claude-sonnet-4-20250514", "claude-haiku-4-5"
"""Sonnet: 3 USD a million tokens in, 0.30 read from the cache, 3.75 written to it for five minutes, 6 for an
hour; at least 1,024 tokens. Haiku 4.5: at least 4,096."""
GPT = "gpt-4o"
"""2.50 USD a million in, 1.25 cached; nothing for writing; in steps of 128 tokens."""

MICRO = 10**6
"""Pico-dollars of a millionth of a dollar: a token of Sonnet's input is 3 of them, a read one 0.3."""

START = datetime(2024, 10, 7, 12)

Made = Callable[..., Ledger]


def call(second: int, prompt: int, **said: Any) -> Call:
    """A call of Sonnet's, so many seconds after the start, that costs 3 millionths of a dollar a token."""
    time = (START + timedelta(seconds=second)).isoformat(sep=" ")
    return {
        "ts": time,
        "model": SONNET,
        "input_tokens": prompt,
        "cost_pico": prompt * 3 * MICRO,
        "project": "p",
        **said,
    }


def split(ledger: Ledger, book: PriceBook, lever: Cache) -> list[tuple[int, int, int, int]]:
    """Of each call: plain input, read, written for five minutes, written for an hour."""
    with ledger.reading() as engine:
        states = States.of(Calls(engine, ALWAYS), book, [lever])
        return states.rows(
            "SELECT input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens FROM state "
            "ORDER BY call_key"
        )


def costs(ledger: Ledger, book: PriceBook, lever: Cache) -> tuple[int, ...]:
    with ledger.reading() as engine:
        return States.of(Calls(engine, ALWAYS), book, [lever]).costs()


def records(report: Report) -> list[dict[str, Any]]:
    names = [each.name for each in report.columns]
    return [dict(zip(names, row, strict=True)) for row in report.rows]


# By hand


def test_a_session_reads_the_prompt_before_and_writes_the_rest(ledger_of: Made, book: PriceBook) -> None:
    """2,000 tokens written; 2,000 read and 1,000 written; 301 s later all is gone: 5,000 written."""
    ledger = ledger_of(
        call(0, 2000, session="s", output_tokens=0),
        call(300, 3000, session="s"),
        call(601, 5000, session="s"),
    )
    assert split(ledger, book, Cache()) == [(0, 0, 2000, 0), (0, 2000, 1000, 0), (0, 0, 5000, 0)]
    # 8,000 written x 3.75 + 2,000 read x 0.30 = 30,600 millionths, against 10,000 x 3 = 30,000
    assert costs(ledger, book, Cache()) == (30_000 * MICRO, 30_600 * MICRO)
    # For an hour: 2,000; 2,000 read, 1,000; 3,000 read, 2,000 written: 5,000 x 6 + 5,000 x 0.30
    assert split(ledger, book, Cache(ttl=3600)) == [(0, 0, 0, 2000), (0, 2000, 0, 1000), (0, 3000, 0, 2000)]
    assert costs(ledger, book, Cache(ttl=3600)) == (30_000 * MICRO, 31_500 * MICRO)


def test_a_smaller_prompt_does_not_hold_the_one_before(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(call(0, 5000, session="s"), call(10, 3000, session="s"))
    assert split(ledger, book, Cache()) == [(0, 0, 5000, 0), (0, 0, 3000, 0)]


def test_below_the_minimum_nothing_is_written_or_read(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        call(0, 1023, session="s"),
        call(10, 2000, session="s"),
        call(0, 4095, session="h", model=HAIKU, cost_pico=4095 * MICRO),
    )
    assert split(ledger, book, Cache()) == [(1023, 0, 0, 0), (0, 0, 2000, 0), (4095, 0, 0, 0)]


def test_openai_reads_whole_steps_and_writes_for_nothing(ledger_of: Made, book: PriceBook) -> None:
    """1,500 tokens are 11 steps of 128 and 92 more: 1,408 are read."""
    of_gpt = {"provider": "openai", "model": GPT, "session": "s"}
    ledger = ledger_of(
        call(0, 1500, **of_gpt, cost_pico=1500 * 2_500_000),
        call(9, 2000, **of_gpt, cost_pico=2000 * 2_500_000),
    )
    # 2.5 x (1,500 + 592) + 1.25 x 1,408
    assert costs(ledger, book, Cache()) == (8_750 * MICRO, 6_990 * MICRO)


def test_a_key_tag_says_what_calls_share(ledger_of: Made, book: PriceBook) -> None:
    """The same prefix of 2,000 tokens, in sessions of any name; of another workspace it is not the same."""
    key = {"prefix_key": "faq", "prefix_tokens": "2000"}
    ledger = ledger_of(
        call(0, 2100, tags=key, session="a"),
        call(10, 2300, tags=key, session="b"),
        call(20, 2300, tags=key, workspace="other"),
        call(30, 2300, tags=key, project="q"),
    )
    first, hit = (100, 0, 2000, 0), (300, 2000, 0, 0)
    assert split(ledger, book, Cache()) == [first, hit, (300, 0, 2000, 0), (300, 0, 2000, 0)]


def test_a_key_without_a_length_is_as_long_as_its_smallest_prompt(ledger_of: Made, book: PriceBook) -> None:
    key = {"prefix": "faq"}
    ledger = ledger_of(call(0, 2100, tags=key), call(10, 2300, tags=key))
    assert split(ledger, book, Cache(key_tag="prefix")) == [(0, 0, 2100, 0), (200, 2100, 0, 0)]


def test_stable_parts_are_an_estimate_from_above_or_stated(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(call(0, 2100), call(10, 2300), call(20, 2200, agent="other"))
    smallest = [(0, 0, 2100, 0), (200, 2100, 0, 0), (0, 0, 2200, 0)]
    assert split(ledger, book, Cache()) == smallest
    stated = [(900, 0, 1200, 0), (1100, 1200, 0, 0), (1000, 0, 1200, 0)]
    assert split(ledger, book, Cache(stable=1200)) == stated
    assert split(ledger, book, Cache(stable="none")) == [(2100, 0, 0, 0), (2300, 0, 0, 0), (2200, 0, 0, 0)]


def test_a_prompt_smaller_than_the_stated_part_does_not_hold_it(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(call(0, 1100), call(10, 1500), call(20, 1600))
    assert split(ledger, book, Cache(stable=1200)) == [(1100, 0, 0, 0), (300, 0, 1200, 0), (400, 1200, 0, 0)]


def test_a_row_of_like_calls_is_one_after_the_other(ledger_of: Made, book: PriceBook) -> None:
    """10 calls of 2,000 tokens: the first writes, nine read; ten later ones all read."""
    ledger = ledger_of(call(0, 20_000, requests=10), call(60, 20_000, requests=10))
    assert split(ledger, book, Cache()) == [(0, 18_000, 2000, 0), (0, 20_000, 0, 0)]


def test_calls_that_use_the_cache_keep_it_warm_and_stay(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        call(0, 0, session="s", cache_write_5m_tokens=2000, cost_pico=7500 * MICRO),
        call(10, 3000, session="s"),
    )
    assert split(ledger, book, Cache()) == [(0, 0, 2000, 0), (0, 2000, 1000, 0)]
    hour = split(ledger, book, Cache(ttl=3600, anew=True))
    assert hour == [(0, 0, 0, 2000), (0, 2000, 0, 1000)]


def test_batches_buckets_and_unknown_models_stay(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        call(0, 3000, mode="batch"),
        call(200_000, 3000, grain="bucket"),
        call(2, 3000, provider="mistral", model="mistral-large-latest"),
        call(3, 3000, cost_pico=None, price_id=None, model="claude-unheard-of"),
    )
    assert [each[0] for each in split(ledger, book, Cache())] == [3000] * 4


def test_rules_give_calls_their_lifetime(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        call(0, 2000, session="a"),
        call(0, 2000, session="b", project="q"),
        call(0, 2000, session="c", project="r"),
    )
    rules = (CacheRule((parse("project=q"),), 3600), CacheRule((parse("project=r"),), None))
    assert split(ledger, book, Cache(rules=rules)) == [(0, 0, 2000, 0), (0, 0, 0, 2000), (2000, 0, 0, 0)]


def test_storage_is_paid_until_the_next_call_or_the_end(
    ledger_of: Made, book: PriceBook, tmp_path: Path
) -> None:
    """3.60 USD for a million tokens an hour are 1,000 pico-dollars a token and second. 2,000 tokens for 60 s
    and then 3,000 for 300 s: 120,000 + 900,000 token seconds, 1,020 millionths of a dollar."""
    file = tmp_path / "cache.yaml"
    file.write_text("profiles: [{name: anthropic, storage_usd_per_mtok_hour: 3.6}]\n")
    ledger = ledger_of(call(0, 2000, session="s"), call(60, 3000, session="s"))
    # 3,000 written x 3.75 + 2,000 read x 0.30 = 11,850
    assert costs(ledger, book, Cache(load(file))) == (15_000 * MICRO, (11_850 + 1_020) * MICRO)
    report = of_calls(ledger, Cache(load(file)), book=book, period=ALWAYS, seconds=[300])
    (row,) = records(report)
    assert (row["storage"], row["write_premium"]) == (1_020 * MICRO, 2_250 * MICRO)
    assert (row["read_saving"], row["saving"]) == (5_400 * MICRO, 2_130 * MICRO)


def test_lifetimes_that_are_not_renewed_are_for_traces(
    ledger_of: Made, book: PriceBook, tmp_path: Path
) -> None:
    file = tmp_path / "cache.yaml"
    file.write_text("profiles: [{name: anthropic, refresh_on_hit: false}]\n")
    with pytest.raises(QuestionError, match="only a trace"):
        costs(ledger_of(call(0, 2000)), book, Cache(load(file)))


# A second count


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    second = 0
    for _ in range(draw(st.integers(1, 12))):
        second += draw(st.sampled_from([0, 1, 299, 300, 301, 3601]))
        prompt = draw(st.sampled_from([0, 500, 1024, 1025, 1500, 2000, 3000]))
        requests = draw(st.sampled_from([1, 1, 1, 3]))
        said: dict[str, Any] = {
            "second": second,
            "prompt": prompt * requests,
            "requests": requests,
            "model": draw(st.sampled_from([SONNET, SONNET, GPT])),
            "project": draw(st.sampled_from(["p", "q", None])),
            "workspace": draw(st.sampled_from([None, None, "w"])),
            "session": draw(st.sampled_from([None, "a", "b"])),
            "agent": draw(st.sampled_from([None, "x"])),
            "cached": draw(st.sampled_from([False, False, False, True])),
            "key": draw(st.sampled_from([None, None, None, "k"])),
            "tokens": draw(st.sampled_from([None, 1200, 1400])),
        }
        calls.append(said)
    return calls


def rows_of(stream: Sequence[Mapping[str, Any]]) -> list[Call]:
    rows = []
    for each in stream:
        plain = 0 if each["cached"] else each["prompt"]
        tags = {"prefix_key": each["key"]} if each["key"] else {}
        if each["tokens"]:
            tags["prefix_tokens"] = str(each["tokens"])
        of_model = {"provider": "openai"} if each["model"] == GPT else {}
        row = call(
            each["second"],
            plain,
            model=each["model"],
            requests=each["requests"],
            cache_read_tokens=each["prompt"] - plain,
            project=each["project"],
            workspace=each["workspace"],
            session=each["session"],
            agent=each["agent"],
            tags=tags,
            **of_model,
        )
        rows.append(row)
    return rows


def walk(
    stream: Sequence[Mapping[str, Any]], ttl: int, stable: int | None, anew: bool
) -> list[tuple[int, int]]:
    """What each call reads and writes, by the rules as the module states them."""
    lifetime = {SONNET: ttl, GPT: 300}  # gpt-4o has no other
    step = {SONNET: 1, GPT: 128}

    def stream_of(each: Mapping[str, Any]) -> tuple[object, ...]:
        if each["key"]:
            kind: tuple[object, ...] = ("key", each["key"])
        elif each["session"] and each["requests"] == 1:
            kind = ("session", each["session"])
        else:
            kind = ("stable", each["agent"])
        apart = each["workspace"] if each["model"] == SONNET else None
        return (*kind, each["model"], each["project"], apart)

    def stated(each: Mapping[str, Any]) -> int | None:
        own: int = each["prompt"] // each["requests"]
        if each["key"]:
            return each["tokens"] or own
        if each["session"] and each["requests"] == 1:
            return None
        return own if stable is None else stable

    members: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, each in enumerate(stream):
        least = stated(each)
        if each["prompt"] > 0 and (least is None or each["prompt"] // each["requests"] >= least):
            members[stream_of(each)].append(place)
    found = [(0, 0)] * len(stream)
    for name, places in members.items():
        before: Mapping[str, Any] | None = None
        shared = min((stated(stream[place]) or 0) for place in places)
        for place in places:
            each = stream[place]
            own = each["prompt"] // each["requests"]
            alive = before is not None and each["second"] - before["second"] <= lifetime[each["model"]]
            one_step = step[each["model"]]
            if name[0] == "session":
                read = 0
                if alive and before is not None and 1024 <= before["prompt"] <= own:
                    read = before["prompt"] - before["prompt"] % one_step
                written = own - read if own >= 1024 else 0
            else:
                part = shared - shared % one_step if shared >= 1024 else 0
                read = part * (each["requests"] if alive else each["requests"] - 1)
                written = 0 if alive else part
            if anew or not each["cached"]:
                found[place] = (read, written)
            before = each
    return found


@pytest.mark.heavy
@given(streams(), st.sampled_from([300, 3600]), st.sampled_from([None, 1100]), st.booleans())
def test_one_window_finds_what_a_walk_finds(
    tmp_path_factory: pytest.TempPathFactory,
    book: PriceBook,
    stream: list[dict[str, Any]],
    ttl: int,
    stable: int | None,
    anew: bool,
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("walk") / "ledger.duckdb")
    fill(ledger, rows_of(stream))
    lever = Cache(ttl=ttl, stable="smallest" if stable is None else stable, anew=anew)
    expected = []
    for each, (reads, writes) in zip(stream, walk(stream, ttl, stable, anew), strict=True):
        if reads + writes == 0:  # it stays as it is
            cached = each["prompt"] if each["cached"] else 0
            expected.append((each["prompt"] - cached, cached, 0))
        else:
            expected.append((each["prompt"] - reads - writes, reads, writes))
    found = [(plain, hit, short + long) for plain, hit, short, long in split(ledger, book, lever)]
    assert found == expected


# The report


@pytest.fixture
def two_projects(ledger_of: Made) -> Ledger:
    """chat: prompts of a session every 10 minutes; once: calls that never come again."""
    return ledger_of(
        *(call(600 * turn, 2000, session="s", project="chat") for turn in range(5)),
        *(call(10_000 * turn, 2000, session=f"{turn}", project="once") for turn in range(3)),
    )


def test_the_best_lifetime_of_each_project(two_projects: Ledger, book: PriceBook) -> None:
    report = of_calls(two_projects, Cache(), book=book, period=ALWAYS)
    rows = {(row["project"], row["lifetime"]): row for row in records(report)}
    # chat, 5m: five times written: 10,000 x 0.75 = 7,500 millionths lost
    assert rows["chat", "5m"]["saving"] == -7_500 * MICRO
    # an hour: written once, 2,000 x 3 = 6,000; read four times, 8,000 x 2.70 = 21,600
    hour = rows["chat", "1h"]
    assert (hour["write_premium"], hour["read_saving"]) == (6_000 * MICRO, 21_600 * MICRO)
    assert (hour["saving"], hour["verdict"]) == (15_600 * MICRO, "best")
    assert (hour["hits"], hour["misses"], hour["hit_tokens"], hour["written_tokens"]) == (4, 1, 8000, 2000)
    assert hour["by_session"] == hour["saving"]
    # once: 6,000 x 0.75, and 6,000 x 3
    assert rows["once", "5m"]["saving"] == -4_500 * MICRO
    assert rows["once", "1h"]["verdict"] == "loses money"
    assert report.figures["saving"] == 15_600 * MICRO
    assert report.figures["cost_before"] == 48_000 * MICRO
    assert any("project once: caching would LOSE money at every lifetime" in note for note in report.notes)
    assert any("estimate" in note for note in report.notes)


def test_what_has_to_be_read_is_that_of_the_prices(two_projects: Ledger, book: PriceBook) -> None:
    rows = records(of_calls(two_projects, Cache(), book=book, period=ALWAYS))
    # 0.25 / 1.15 and 1 / 1.9
    assert {row["lifetime"]: str(row["break_even"]) for row in rows} == {"5m": "0.217391", "1h": "0.526316"}


def test_a_project_has_the_lifetimes_of_its_own_models(ledger_of: Made, book: PriceBook) -> None:
    """Anthropic keeps nothing for a day, and OpenAI nothing for an hour."""
    # 2 USD a million tokens
    gpt = {"provider": "openai", "model": "gpt-4.1", "cost_pico": 2000 * 2 * MICRO}
    ledger = ledger_of(
        call(0, 2000, session="s", project="chat"),
        call(0, 2000, session="t", project="search", **gpt),
    )
    report = of_calls(ledger, Cache(), book=book, period=ALWAYS)
    found = [(row["project"], row["lifetime"]) for row in records(report)]
    assert sorted(found) == [("chat", "1h"), ("chat", "5m"), ("search", "24h"), ("search", "5m")]
    # What is asked for is taken from what each has, and told.
    asked = of_calls(ledger, Cache(), book=book, period=ALWAYS, seconds=[86_400])
    assert f"{SONNET} has no lifetime of 24h: 1h is taken" in asked.notes
    assert not any("gpt-4.1" in note for note in asked.notes)


@pytest.mark.heavy
def test_it_is_a_plan_of_one_lever(two_projects: Ledger, techcorp: Ledger, book: PriceBook) -> None:
    for ledger, period in ((two_projects, ALWAYS), (techcorp, at(month="2024-10"))):
        one = of_calls(ledger, Cache(), book=book, period=period, seconds=[300])
        best = of_calls(ledger, Cache(), book=book, period=period)
        with ledger.reading() as engine:
            calls = Calls(engine, period)
            for report, lever in ((one, Cache()), (best, chosen(Cache(), best))):
                before, after = States.of(calls, book, [lever]).costs()
                assert (report.figures["cost_before"], report.figures["cost_after"]) == (before, after)


def test_without_a_cache_a_project_without_a_name_is_one_too(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(call(0, 2000, project=None), call(9, 2000, project=None))
    report = of_calls(ledger, Cache(), book=book, period=ALWAYS)
    assert records(report)[0]["project"] is None
    with ledger.reading() as engine:
        after = States.of(Calls(engine, ALWAYS), book, [chosen(Cache(), report)]).costs()[1]
    assert after == report.figures["cost_after"]


def test_calls_that_stay_are_told(ledger_of: Made, book: PriceBook) -> None:
    ledger = ledger_of(
        call(0, 100, cache_read_tokens=2000),
        call(1, 3000, provider="mistral", model="mistral-large-latest"),
    )
    notes = of_calls(ledger, Cache(), book=book, period=ALWAYS).notes
    assert any("1 call uses the cache already and stays as it is" in note for note in notes)
    assert any("no cache profile is known for mistral-large-latest" in note for note in notes)


# What it really saved


def test_actual_by_hand(ledger_of: Made) -> None:
    """Read 8,000 x 2.70 = 21,600 saved; written 2,000 x 0.75 + 1,000 x 3 = 4,500 more. The other team wrote
    4,000 and read nothing: 3,000 lost."""
    priced = {"model": SONNET, "price_id": 7}
    ledger = ledger_of(
        {**priced, "team": "a", "cache_read_tokens": 8000, "cost_pico": 2400 * MICRO},
        {
            **priced,
            "team": "a",
            "cache_write_5m_tokens": 2000,
            "cache_write_1h_tokens": 1000,
            "cost_pico": 13_500 * MICRO,
        },
        {**priced, "team": "b", "cache_write_5m_tokens": 4000, "cost_pico": 15_000 * MICRO},
        {**priced, "team": "c", "input_tokens": 10, "cost_pico": 30 * MICRO},
        {**priced, "team": "d", "cache_read_tokens": 10, "cost_pico": None, "price_id": None},
    )
    with ledger.writing() as connection:
        connection.execute(
            "INSERT INTO prices (price_id, input_pico, cache_read_pico, cache_write_5m_pico, "
            "cache_write_1h_pico) VALUES (7, 3000000, 300000, 3750000, 6000000)"
        )
    report = actual(ledger, period=ALWAYS)
    a, b = records(report)
    assert (a["team"], a["read_saving"], a["write_premium"]) == ("a", 21_600 * MICRO, 4_500 * MICRO)
    assert (a["saving"], a["verdict"], a["hits"], a["requests"]) == (17_100 * MICRO, "saves", 1, 2)
    assert (b["team"], b["saving"], b["verdict"]) == ("b", -3_000 * MICRO, "loses money")
    assert report.figures["saving"] == 14_100 * MICRO
    # 2,400 + 13,500 + 15,000 + 30, and 14,100
    assert report.figures["cost_without_cache"] == 45_030 * MICRO
    assert any("b: the cache LOST $0.0030" in note for note in report.notes)
    assert not report.complete


def test_techcorps_cache_in_november(techcorp: Ledger) -> None:
    """As in the book nothing is paid for writing, so each token that is read saves 0.9 of plain input:
    2.4 G of Sonnet x 2.70, 375 M of Opus x 13.50, 2.1 G of Haiku x 0.225 a million."""
    report = actual(techcorp, "model", period=at(month="2024-11"))
    saved = {row["model"].split("-")[1]: row["saving"] // 10**12 for row in records(report)}
    assert saved == {"sonnet": 6480, "opus": 5062, "haiku": 472}
    assert report.figures["saving"] == 12_015 * 10**12
    rows = records(actual(techcorp, period=at(month="2024-11")))
    assert sum(row["saving"] for row in rows) == 12_015 * 10**12
    assert "team" in rows[0]


def test_techcorp_without_a_cache_saved_nothing(techcorp: Ledger) -> None:
    report = actual(techcorp, period=at(month="2024-10"))
    assert (report.rows, report.figures["saving"]) == ([], 0)


# As a file


def test_a_document_of_the_lever(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("profiles: [{name: anthropic, minimum: 1}]\n")
    file = tmp_path / "cache.yaml"
    file.write_text(
        "ttl: 1h\nstable: 1200\nanew: true\nprofiles: own.yaml\nkey_tag: k\n"
        "rules: [{where: [project=q], ttl: none}]\n"
    )
    lever = of_document(read(file, "cache", None))
    assert (lever.ttl, lever.stable, lever.anew, lever.key_tag) == (3600, 1200, True, "k")
    assert lever.rules == (CacheRule((parse("project=q"),), None),)
    assert lever.profiles.named("anthropic").rules.minimum == 1
    file.write_text("")
    assert of_document(read(file, "cache", None)) == Cache()
    assert replace(lever, ttl=None).lifetime() == "project=q: none; else none"
