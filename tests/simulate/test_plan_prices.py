"""What a whole plan leaves of TechCorp's calls, priced one by one by the price of one call in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from tests.analysis.by_hand import at

from costctl import filters
from costctl.analysis.calls import Calls
from costctl.ledger import Ledger
from costctl.pricing.book import PriceBook
from costctl.pricing.price import Usage, cost, row_of
from costctl.simulate.batch import Batch
from costctl.simulate.cache import Cache
from costctl.simulate.cuts import Cut
from costctl.simulate.eliminate import Eliminate
from costctl.simulate.router import Router, Rule
from costctl.simulate.state import Lever
from costctl.simulate.trim import Trim, Trimming
from costctl.simulate.waiting import Rule as Waits
from costctl.simulate.waiting import Waiting
from costctl.simulate.waterfall import waterfall

EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)

LEVERS: tuple[Lever, ...] = (
    Eliminate(),
    Trim((Trimming(prompt=Cut.parse("-12.5%"), output=Cut.parse("p95")),)),
    Router((Rule((filters.parse("model~opus"),), "claude-sonnet-4-20250514", share=Fraction(2, 3)),)),
    Cache(),
    Batch(Waiting(tagged=(Waits((filters.parse("team=finance,search"),)),))),
)


def test_every_call_of_the_last_state_has_its_price(techcorp: Ledger, book: PriceBook) -> None:
    with techcorp.reading() as engine:
        found = waterfall(Calls(engine, at(month="2024-10")), book, LEVERS)
        rows = found.states.rows(
            "SELECT epoch_us(ts), provider, model, mode, requests, input_tokens, cache_read_tokens, "
            "cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_pico "
            "FROM state"
        )
    assert all(found.changed), found.changed
    prices = book.rows_for({(row[1], row[2]) for row in rows})
    spent = 0
    for moment, provider, model, mode, requests, *tokens, pico in rows:
        fresh, read, write, write_1h, out, reasoning = (each or 0 for each in tokens)
        usage = Usage(
            ts=EPOCH + timedelta(microseconds=moment),
            mode=mode,
            requests=requests,
            input_tokens=fresh,
            cache_read_tokens=read,
            cache_write_5m_tokens=write,
            cache_write_1h_tokens=write_1h,
            output_tokens=out,
            reasoning_tokens=reasoning,
        )
        assert cost(row_of(prices[provider, model], usage), usage) == pico
        spent += pico
    assert spent == found.costs[-1]
    assert sum(found.steps) == found.costs[0] - spent == found.saving
