"""PromptCache and FAQAgent (book.md section 6), with the real ``anthropic`` package and real prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import pytest
from tests.sdk.calls import said
from tests.sdk.calls.conftest import Lines
from tests.sdk.calls.vendor import Say, Vendor, vendor

from costctl.sdk import CostTracker, FAQAgent, PromptCache

WRITES = said.message(cache_creation_input_tokens=20_000, cache_read_input_tokens=0, output_tokens=0)
READS = said.message(cache_creation_input_tokens=0, cache_read_input_tokens=20_000, output_tokens=0)
NEITHER = said.message()

Cache = Callable[..., PromptCache]


@pytest.fixture
def cache(tracker: CostTracker) -> Iterator[Cache]:
    opened: list[anthropic.Anthropic] = []

    def make(served: Vendor, **options: Any) -> PromptCache:
        opened.append(anthropic.Anthropic(api_key="k", base_url=served.url, max_retries=0))
        return PromptCache(opened[-1], tracker, **options)

    yield make
    for each in opened:
        each.close()


def test_the_static_part_is_marked_to_be_cached(cache: Cache) -> None:
    with vendor(Say(WRITES)) as served:
        response, cache_hit = cache(served).create_cached_message("The FAQ", "Returns?")
    assert served.asked == [
        {
            "model": "claude-sonnet-4-20250514",
            "max_tokens": 1024,
            "system": [{"type": "text", "text": "The FAQ", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": "Returns?"}],
        }
    ]
    assert response.content[0].text == "Within 30 days."
    assert cache_hit is False


def test_an_hour_is_asked_for(cache: Cache) -> None:
    with vendor(Say(WRITES)) as served:
        cache(served, ttl="1h").create_cached_message("The FAQ", "Returns?", stop_sequences=["."])
    assert served.asked[0]["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert served.asked[0]["stop_sequences"] == ["."]


def test_hits_and_misses_are_the_vendors_words(cache: Cache) -> None:
    with vendor(Say(WRITES), Say(READS), Say(READS), Say(NEITHER)) as served:
        asking = cache(served)
        hits = [asking.create_cached_message("The FAQ", "Returns?").cache_hit for _ in range(4)]
    assert hits == [False, True, True, False]
    stats = asking.stats
    assert (stats.requests, stats.hits, stats.misses, stats.writes) == (4, 2, 2, 1)
    assert (stats.hit_rate, stats.saved_tokens, stats.written_tokens) == (Decimal("0.5"), 40_000, 20_000)
    # Read: 2 × 20,000 × (3.00 − 0.30) = 108,000; written: 20,000 × (3.75 − 3.00) = 15,000; all / 1e6
    assert (stats.read_saving_pico, stats.write_premium_pico) == (108 * 10**9, 15 * 10**9)
    assert stats.saved_cost == Decimal("0.093")


def test_what_is_written_and_never_read_costs(cache: Cache) -> None:
    hour = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 20_000}
    written = said.message(cache_creation_input_tokens=20_000, cache_creation=hour)
    with vendor(Say(written)) as served:
        asking = cache(served, ttl="1h")
        asking.create_cached_message("The FAQ", "Returns?")
    assert asking.stats.saved_cost == Decimal("-0.06")  # 20,000 × (6.00 − 3.00) / 1e6


def test_each_models_own_price_counts(cache: Cache) -> None:
    """Opus saves five times what Sonnet does; the price is that of the model that answered."""
    with vendor(Say(READS | {"model": "claude-opus-4-20250514"}), Say(READS | {"model": "nobody"})) as served:
        asking = cache(served)
        asking.create_cached_message("The FAQ", "Returns?", model="claude-opus-4-0")
        assert asking.stats.saved_cost == Decimal("0.27")  # 20,000 × (15.00 − 1.50) / 1e6
        asking.create_cached_message("The FAQ", "Returns?", model="nobody")
    assert (asking.stats.saved_cost, asking.stats.unpriced) == (Decimal("0.27"), 1)


def test_the_book_s_example(cache: Cache) -> None:
    """20,000 FAQ and 100 query tokens, 5,000 calls a day, all read: 301.50 without a cache, 31.50 with it."""
    with vendor(Say(READS)) as served:
        asking = cache(served)
        asking.create_cached_message("The FAQ", "Returns?")
    assert asking.stats.saved_cost * 5_000 == Decimal("270")  # 301.50 − 31.50
    assert asking.stats.saved_cost * 5_000 * 30 == Decimal("8100")


@pytest.mark.parametrize("usage", [None, {"input_tokens": -5, "output_tokens": 1}])
def test_an_answer_whose_usage_cannot_be_read_is_an_answer(
    cache: Cache, usage: dict[str, int] | None
) -> None:
    with vendor(Say({**said.message(), "usage": usage})) as served:
        asking = cache(served)
        response, cache_hit = asking.create_cached_message("The FAQ", "Returns?")
    assert (response.id, cache_hit) == ("msg_01", False)
    assert (asking.stats.requests, asking.stats.unpriced, asking.stats.saved_cost) == (1, 1, 0)


def test_an_asynchronous_client_is_refused(tracker: CostTracker) -> None:
    with pytest.raises(TypeError, match="asynchronous"):
        PromptCache(anthropic.AsyncAnthropic(api_key="k"), tracker)


def test_calls_are_logged_failed_ones_too(cache: Cache, tracker: CostTracker, lines: Lines) -> None:
    with vendor(Say(READS), Say(said.refused("overloaded_error"), status=529)) as served:
        asking = cache(served)
        with tracker.labels(team_id="support"):
            asking.create_cached_message("The FAQ", "Returns?")
        with pytest.raises(anthropic.APIStatusError):
            asking.create_cached_message("The FAQ", "Returns?")
    good, bad = lines()
    assert (good["team_id"], good["cache_read_tokens"]) == ("support", 20_000)
    assert (bad["success"], bad["error_type"]) == (False, "overloaded_error")
    assert asking.stats.requests == 1


def test_a_client_that_logs_already_logs_once(tracker: CostTracker, lines: Lines) -> None:
    with vendor(Say(READS)) as served, anthropic.Anthropic(api_key="k", base_url=served.url) as raw:
        PromptCache(tracker.wrap(raw), tracker).create_cached_message("The FAQ", "Returns?")
    assert len(lines()) == 1


def test_without_a_tracker_nothing_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with vendor(Say(READS)) as served, anthropic.Anthropic(api_key="k", base_url=served.url) as raw:
        asking = PromptCache(raw)
        asking.create_cached_message("The FAQ", "Returns?")
    assert asking.stats.saved_cost == Decimal("0.054")  # 20,000 × 2.70 / 1e6
    assert list(tmp_path.iterdir()) == []


def test_an_faq_is_read_once_and_asked_through_the_cache(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "faq.md"
    file.write_text("Returns: within 30 days. 退貨", encoding="utf-8")
    with vendor(Say(WRITES), Say(READS)) as served:
        agent = FAQAgent(cache(served), file, max_tokens=200)
        file.unlink()
        assert [agent.answer_question(each) for each in ("Returns?", "When?")] == ["Within 30 days."] * 2
    first, second = served.asked
    assert first["system"] == second["system"]
    assert first["system"][0]["text"].endswith("Returns: within 30 days. 退貨")
    assert [each["messages"][0]["content"] for each in served.asked] == ["Returns?", "When?"]
    assert agent.cache.stats.hits == 1
