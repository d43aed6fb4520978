"""Errors that other programs made with Anthropic's reports and exports, each with the numbers of its report.

Prices are those of the catalogue in USD per million tokens: claude-sonnet-4-5 3 in, 15 out, 0.30 cache read,
3.75 and 6 cache writes (5 minutes, 1 hour); above 200,000 tokens of input 6 in; in a batch half of all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.formats.conftest import Ingest

from costctl.ledger import Ledger

SONNET = "claude-sonnet-4-5-20250929"
DAY = {"starting_at": "2026-04-17T00:00:00Z", "ending_at": "2026-04-18T00:00:00Z"}
CENT = 10_000_000_000
"""In pico-dollars."""


def page(path: Path, *results: Any, **bucket: str) -> Path:
    """A page of one bucket, as an Admin API gives it."""
    data = [{**DAY, **bucket, "results": list(results)}]
    path.write_text(json.dumps({"data": data, "has_more": False, "next_page": None}), encoding="utf-8")
    return path


def cost(amount: str, **dimensions: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD", **dimensions}


def usage(input: int, output: int, **more: Any) -> dict[str, Any]:
    return {"uncached_input_tokens": input, "output_tokens": output, "model": SONNET, **more}


def written(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def test_langwatch_6977_amounts_of_the_cost_report_are_cents(tmp_path: Path, held: Ingest) -> None:
    # The vendor's example, "41280.000000", is $412.80; a test of theirs held 1234.567890123 for dollars.
    found = held(
        page(
            tmp_path / "a.json",
            cost("41280.000000", token_type="output_tokens"),
            cost("1234.567890123", token_type="uncached_input_tokens"),
        )
    )
    # 412.80 and 12.34567890123 dollars, in units of 10⁻¹².
    assert [charge["amount_pico"] for charge in found.charges] == [412_800_000_000_000, 12_345_678_901_230]


def test_claude_code_51198_a_week_of_42_dollars_is_no_3147(tmp_path: Path, held: Ingest) -> None:
    # Shown as $845.72, $1,100.68 and $331.57; the tokens of those days cost $8.44, $11 and $3.30.
    days = [("2026-04-17", "845.72"), ("2026-04-18", "1100.68"), ("2026-04-19", "331.57")]
    found = held(
        *(
            page(tmp_path / f"{day}.json", cost(amount), starting_at=f"{day}T00:00:00Z")
            for day, amount in days
        )
    )
    # 8.4572, 11.0068 and 3.3157 dollars.
    assert [charge["amount_pico"] for charge in found.charges] == [
        8_457_200_000_000,
        11_006_800_000_000,
        3_315_700_000_000,
    ]


def test_codexbar_1035_two_amounts_of_a_day_add_up_to_148_45(tmp_path: Path, held: Ingest) -> None:
    # Not $14,845.
    found = held(page(tmp_path / "a.json", cost("12345.00", model="a"), cost("2500.00", model="b")))
    assert sum(charge["amount_pico"] for charge in found.charges) == 148_450_000_000_000


def test_langwatch_7287_cache_writes_are_nested_and_are_not_zero(tmp_path: Path, held: Ingest) -> None:
    # A flat cache_creation_input_tokens, which the report does not have, was read, with 0 for its default.
    writes = {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500}
    found = held(
        page(tmp_path / "a.json", usage(1500, 500, cache_read_input_tokens=200, cache_creation=writes))
    )
    # 1,500 × 3 + 200 × 0.30 + 500 × 3.75 + 1,000 × 6 + 500 × 15 = 19,935 dollars per million.
    assert found.costs == [19_935_000_000]


def test_langwatch_7287_batch_and_long_context_are_rows_of_their_own(tmp_path: Path, held: Ingest) -> None:
    found = held(
        page(
            tmp_path / "a.json",
            usage(100_000, 0, service_tier="standard", context_window="0-200k"),
            usage(100_001, 0, service_tier="batch", context_window="0-200k"),
            usage(300_000, 0, service_tier="standard", context_window="200k-1M"),
        )
    )
    # 100,000 × 3, 100,001 × 1.50 and 300,000 × 6 dollars per million.
    assert found.costs == [300_000_000_000, 150_001_500_000, 1_800_000_000_000]


def test_a_bucket_of_many_small_calls_is_no_long_context(tmp_path: Path, held: Ingest) -> None:
    # The tier of one call was chosen by the sum of many (control-tower#1218).
    found = held(page(tmp_path / "a.json", usage(9_000_000, 0, context_window="0-200k")))
    # 9,000,000 × 3 dollars per million; 54 at the price above 200,000.
    assert found.costs == [27_000_000_000_000]


def test_a_day_that_was_not_over_is_replaced_and_not_added(tmp_path: Path, held: Ingest) -> None:
    # Recent buckets still change: the newer report counts, in whatever order the two are read.
    newer = page(tmp_path / "newer.json", usage(250, 25, service_tier="standard"))
    older = page(tmp_path / "older.json", usage(100, 10, service_tier="standard"))
    os.utime(older, (1_776_400_000, 1_776_400_000))
    os.utime(newer, (1_776_490_000, 1_776_490_000))
    held(newer)
    found = held(older)
    assert [(call["input_tokens"], call["output_tokens"]) for call in found.calls] == [(250, 25)]
    bills = tmp_path / "bills"
    bills.mkdir()
    early = page(bills / "b.json", cost("100", description="Claude Sonnet 4.5 Usage"))
    late = page(bills / "a.json", cost("250", description="Claude Sonnet 4.5 Usage"))
    os.utime(early, (1_776_400_000, 1_776_400_000))
    os.utime(late, (1_776_490_000, 1_776_490_000))
    assert [charge["amount_pico"] for charge in held(early).charges] == [100 * CENT]
    assert [charge["amount_pico"] for charge in held(late).charges] == [250 * CENT]
    assert [charge["amount_pico"] for charge in held(early).charges] == [250 * CENT]


def test_no_report_says_how_many_requests_a_bucket_is(tmp_path: Path, held: Ingest) -> None:
    record = {
        "date": "2026-04-17",
        "actor": {"type": "api_actor", "api_key_name": "k"},
        "customer_type": "api",
        "model_breakdown": [{"model": SONNET, "tokens": {"input": 1, "output": 1}}],
    }
    held(
        page(tmp_path / "a.json", usage(1, 1)),
        written(tmp_path / "b.jsonl", json.dumps(record)),
        written(
            tmp_path / "c.csv",
            "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_output_tokens",
            f"2026-04-17,{SONNET},1,1",
        ),
    )
    with Ledger(tmp_path / "ledger.duckdb").reading() as engine:
        assert engine.rows("SELECT DISTINCT requests, count(*) FROM calls GROUP BY ALL") == [(None, 3)]


def test_a_subscriptions_estimate_is_no_metered_cost(tmp_path: Path, held: Ingest) -> None:
    # Estimated cost of subscription customers is not billed by token.
    lines = [
        {
            "date": "2026-04-17",
            "actor": {"type": "user_actor", "email_address": f"{kind}@example.com"},
            "customer_type": kind,
            "model_breakdown": [
                {
                    "model": SONNET,
                    "tokens": {"input": 1, "output": 1},
                    "estimated_cost": {"amount": 186, "currency": "USD"},
                }
            ],
        }
        for kind in ("api", "subscription")
    ]
    found = held(written(tmp_path / "a.jsonl", *map(json.dumps, lines)))
    assert sorted((call["user_id"], call["billing"], call["reported_cost_pico"]) for call in found.calls) == [
        ("api@example.com", "metered", 186 * CENT),
        ("subscription@example.com", "subscription", 186 * CENT),
    ]


TOKENS = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache"
)


def test_the_less_or_equal_sign_survives_any_spreadsheet(tmp_path: Path, held: Ingest) -> None:
    # As exported, with a byte order mark; read as Windows-1252 and saved again; without Unicode.
    header = TOKENS + ",usage_output_tokens"
    row = f"2026-03-22,{SONNET},%s,Default,standard,%s 200k,300000,0"
    found = held(
        written(tmp_path / "a.csv", header, row % ("a", "≤"), encoding="utf-8-sig"),
        written(tmp_path / "b.csv", header, row % ("b", "≤".encode().decode("cp1252"))),
        written(tmp_path / "c.csv", header, row % ("c", "<=")),
        written(tmp_path / "d.csv", header, row % ("d", ">")),
    )
    tiers = {call["api_key"]: call["context_tier"] for call in found.calls}
    assert tiers == {"a": "0-200k", "b": "0-200k", "c": "0-200k", "d": "200k-1M"}
    # 300,000 × 3 dollars per million, above 200,000 of input × 6.
    assert sorted(amount or 0 for amount in found.costs) == [900_000_000_000] * 3 + [1_800_000_000_000]


def test_a_day_that_an_older_header_told_is_the_same_day_in_a_newer(tmp_path: Path, held: Ingest) -> None:
    older = written(
        tmp_path / "older.csv",
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd",
        "2026-03-15,Claude Opus 4.6,Default,nightly,message,≤ 200k,output,0.13",
    )
    newer = written(
        tmp_path / "newer.csv",
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,"
        "cost_type,inference_geo,speed,api_key_id,api_key_status",
        "2026-03-15,Claude Opus 4.6,Default,nightly,message,≤ 200k,output,0.15,0.30,token,global,,"
        "apikey_01,active",
    )
    os.utime(older, (1_776_400_000, 1_776_400_000))
    # 15 cents, no 28: and what was billed, not the list price.
    assert [charge["amount_pico"] for charge in held(older, newer).charges] == [15 * CENT]


def test_rows_of_one_day_that_differ_in_nothing_are_all_counted(tmp_path: Path, held: Ingest) -> None:
    # Two keys of one name.
    found = held(
        written(
            tmp_path / "a.csv",
            "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd",
            "2026-03-15,Claude Opus 4.6,Default,nightly,message,≤ 200k,output,0.10",
            "2026-03-15,Claude Opus 4.6,Default,nightly,message,≤ 200k,output,0.10",
        )
    )
    assert sum(charge["amount_pico"] for charge in found.charges) == 20 * CENT
