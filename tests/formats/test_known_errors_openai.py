"""Errors that other programs made with OpenAI's exports and with answers of its shape, each with the numbers
of its report.

Prices are those of the catalogue in USD per million tokens: grok-3-mini 0.30 in, 0.50 out; gpt-5-mini 0.25
in, 2 out, 0.025 cached, in a batch half of all. A web search is a cent.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.formats.conftest import Ingest
from tests.program import Costctl

CHAT = {"object": "chat.completion", "created": 1772359200}
DAY = {"object": "bucket", "start_time": 1772323200, "end_time": 1772409600}
"""1 March 2026, UTC."""
MINUTES = (
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,"
    "batch,service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens"
)


def answers(path: Path, *usages: dict[str, Any], **more: Any) -> Path:
    """A log of answers, each with one of the usages."""
    lines = ({**CHAT, "id": f"a{place}", **more, "usage": usage} for place, usage in enumerate(usages))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def page(path: Path, kind: str, *results: dict[str, Any]) -> Path:
    """A page of one day, as the Usage and Costs APIs give it."""
    full = [{"object": f"organization.{kind}.result", **result} for result in results]
    content = {"object": "page", "data": [{**DAY, "results": full}], "has_more": False, "next_page": None}
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return path


def lines(path: Path, *rows: str) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def tokens(calls: list[dict[str, Any]], *names: str) -> list[tuple[int | None, ...]]:
    return [tuple(call.get(name) for name in names) for call in calls]


def test_vercel_ai_12425_xais_reasoning_is_beside_its_completion(tmp_path: Path, held: Ingest) -> None:
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 1,
        "total_tokens": 399,
        "completion_tokens_details": {"reasoning_tokens": 386},
    }
    found = held(answers(tmp_path / "a.jsonl", usage, model="grok-3-mini"))
    assert tokens(found.calls, "output_tokens", "reasoning_tokens") == [(387, 386)]
    # 12 × 0.30 + 387 × 0.50 = 197.1; the completion alone gives 4.1.
    assert found.costs == [197_100_000]


def test_openais_reasoning_is_inside_its_completion_still(tmp_path: Path, held: Ingest) -> None:
    # OpenAI's total is that of prompt and completion; so is xAI's in the Responses API.
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 387,
        "total_tokens": 399,
        "completion_tokens_details": {"reasoning_tokens": 386},
    }
    found = held(answers(tmp_path / "a.jsonl", usage, model="gpt-5-mini"))
    assert tokens(found.calls, "output_tokens", "reasoning_tokens") == [(387, 386)]


def test_googles_answers_of_openais_shape_leave_thoughts_to_the_total(tmp_path: Path, held: Ingest) -> None:
    # discuss.ai.google.dev/98760: 758 and 102 of 1,725.
    usage = {"prompt_tokens": 758, "completion_tokens": 102, "total_tokens": 1725}
    found = held(answers(tmp_path / "a.jsonl", usage, model="gemini-2.5-pro"))
    assert tokens(found.calls, "input_tokens", "output_tokens", "reasoning_tokens") == [(758, 967, 865)]


@pytest.mark.parametrize("is_byok", [{"is_byok": False}, {}])
def test_lean_ctx_746_preloop_224_openrouters_cost_is_not_doubled(
    tmp_path: Path, held: Ingest, is_byok: dict[str, bool]
) -> None:
    # cost and upstream_inference_cost, both 0.000001979964, were added: twice what was charged.
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "cost": 0.000001979964,
        "cost_details": {"upstream_inference_cost": 0.000001979964},
        **is_byok,
    }
    found = held(answers(tmp_path / "a.jsonl", usage, id="gen-1", model="deepseek/deepseek-v4-flash"))
    (call,) = found.calls
    assert call["reported_cost_pico"] == 1_979_964
    assert (call["provider"], call["billing"]) == ("openrouter", "metered")


def test_forgecode_1641_with_an_own_key_the_vendor_is_paid_not_openrouter(
    tmp_path: Path, held: Ingest
) -> None:
    # Shown as $0.
    usage = {
        "prompt_tokens": 9171,
        "completion_tokens": 113,
        "total_tokens": 9284,
        "cost": 0,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.0360795},
        "completion_tokens_details": {"reasoning_tokens": 55},
    }
    found = held(answers(tmp_path / "a.jsonl", usage, id="gen-1", model="anthropic/claude-sonnet-4.5"))
    (call,) = found.calls
    assert (call["reported_cost_pico"], call["billing"]) == (36_079_500_000, "byok")


def test_pi_8075_kimi_states_what_was_cached_in_a_place_of_its_own(tmp_path: Path, held: Ingest) -> None:
    usage = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32, "cached_tokens": 12}
    found = held(answers(tmp_path / "a.jsonl", usage, model="kimi-k2.5"))
    assert tokens(found.calls, "input_tokens", "cache_read_tokens", "output_tokens") == [(7, 12, 13)]


def test_pi_agent_rust_121_deepseeks_prompt_includes_what_was_cached(tmp_path: Path, held: Ingest) -> None:
    usage = {
        "prompt_tokens": 172_405,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 172_288},
        "prompt_cache_hit_tokens": 172_288,
        "prompt_cache_miss_tokens": 117,
    }
    found = held(answers(tmp_path / "a.jsonl", usage, model="deepseek-v4-pro"))
    assert tokens(found.calls, "input_tokens", "cache_read_tokens") == [(117, 172_288)]
    assert found.calls[0]["provider"] == "deepseek"


def test_litellm_14884_a_batchs_own_usage_is_the_sum_of_its_answers(tmp_path: Path, held: Ingest) -> None:
    path = answers(tmp_path / "a.jsonl", {"prompt_tokens": 5, "completion_tokens": 7}, model="gpt-5")
    batch = {
        "id": "batch_1",
        "object": "batch",
        "created_at": 1757679709,
        "model": "gpt-5-2025-08-07",
        "usage": {
            "completion_tokens": 0,
            "prompt_tokens": 0,
            "total_tokens": 51279835,
            "input_tokens": 31493594,
            "output_tokens": 19786241,
        },
    }
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(batch) + "\n")
    found = held(path)
    assert tokens(found.calls, "input_tokens", "output_tokens") == [(5, 7)]
    assert found.rejects == []


def test_codexbar_999_superplane_5873_an_amount_may_be_a_text(tmp_path: Path, held: Ingest) -> None:
    # Refused by the one, taken for 0.00 by the other.
    found = held(
        page(
            tmp_path / "a.json",
            "costs",
            {"amount": {"value": "12.50", "currency": "usd"}, "line_item": "Text tokens"},
            {"amount": {"value": 0.06, "currency": "usd"}},
        )
    )
    assert sorted(charge["amount_pico"] for charge in found.charges) == [60_000_000_000, 12_500_000_000_000]


def test_openais_amounts_are_dollars_not_cents(tmp_path: Path, held: Ingest) -> None:
    # Anthropic's cost report has the same word for cents.
    found = held(page(tmp_path / "a.json", "costs", {"amount": {"value": 18.4025, "currency": "usd"}}))
    assert [charge["amount_pico"] for charge in found.charges] == [18_402_500_000_000]


def test_askui_303_a_buckets_input_includes_what_was_cached(tmp_path: Path, held: Ingest) -> None:
    # 1,000 with 400 cached are 600; counted as 1,400 it was up to five times the cost.
    result = {"input_tokens": 1000, "input_cached_tokens": 400, "output_tokens": 500, "num_model_requests": 5}
    found = held(page(tmp_path / "a.json", "usage.completions", {**result, "model": "gpt-5-mini"}))
    assert tokens(found.calls, "input_tokens", "cache_read_tokens") == [(600, 400)]
    # 600 × 0.25 + 400 × 0.025 + 500 × 2 = 1,160; read as exclusive: 1,260.
    assert found.costs == [1_160_000_000]


def test_a_bucket_of_batches_costs_half(tmp_path: Path, held: Ingest) -> None:
    result = {
        "input_tokens": 12_000,
        "input_cached_tokens": 2_000,
        "output_tokens": 3_000,
        "num_model_requests": 20,
        "model": "gpt-5-mini",
        "batch": True,
    }
    found = held(page(tmp_path / "a.json", "usage.completions", result))
    # 10,000 × 0.125 + 2,000 × 0.0125 + 3,000 × 1 = 4,275; at the standard price 8,550.
    assert found.costs == [4_275_000_000]


def test_the_requests_that_searched_are_counted_once(tmp_path: Path, held: Ingest) -> None:
    # The three requests of the searches are among the seven of the completions.
    completions = {"input_tokens": 1, "output_tokens": 1, "num_model_requests": 7, "model": "gpt-5"}
    searches = {"num_model_requests": 3, "num_requests": 5, "model": "gpt-5"}
    found = held(
        page(tmp_path / "a.json", "usage.completions", completions),
        page(tmp_path / "b.json", "usage.web_searches", searches),
    )
    assert [call.get("requests") for call in found.calls if "input_tokens" in call] == [7]
    (searched,) = (call for call in found.calls if "input_tokens" not in call)
    assert searched["other_units"] == {"web_search_requests": 5}
    # Five searches at a cent.
    assert found.costs[found.calls.index(searched)] == 50_000_000_000


def test_two_keys_in_one_minute_are_two_buckets(tmp_path: Path, held: Ingest) -> None:
    # Of a dashboard's export of 27 October 2025: to take one row a minute loses 5,904 of 10,116.
    start = "1761523800,1761523860,2025-10-27T00:10:00+00:00,2025-10-27T00:11:00+00:00,proj_1,3.0,,"
    path = lines(
        tmp_path / "a.csv",
        MINUTES,
        "1761523740,1761523800,2025-10-27T00:09:00+00:00,2025-10-27T00:10:00+00:00,,,,,,,,,,,",
        f"{start}key_3QRCYbJRFQ0G4ycm,gpt-4o-mini,,,4212,1673,0,4212",
        f"{start}key_Y0r9whvwK8Gilt6s,gpt-4o-mini,,,5904,1419,0,5904",
    )
    found = held(path)
    assert sum(call["input_tokens"] for call in found.calls) == 10_116
    assert sum(call["output_tokens"] for call in found.calls) == 3_092
    assert sum(call["requests"] for call in found.calls) == 6
    assert found.rejects == []


def test_an_exports_cached_tokens_are_in_its_input(tmp_path: Path, held: Ingest) -> None:
    # Of the same export: 7,162 are 1,280 and 5,882.
    row = (
        "1761523440,1761523500,2025-10-27T00:04:00+00:00,2025-10-27T00:05:00+00:00,proj_1,2.0,,key_1,"
        "gpt-4o-mini,,,7162,100,1280,5882"
    )
    found = held(lines(tmp_path / "a.csv", MINUTES, row))
    assert tokens(found.calls, "input_tokens", "cache_read_tokens") == [(5_882, 1_280)]


def test_a_later_report_of_a_day_replaces_the_earlier_one(tmp_path: Path, held: Ingest) -> None:
    # The last days of a report still grow.
    def day(name: str, requests: int) -> Path:
        result = {"input_tokens": 100 * requests, "output_tokens": requests, "num_model_requests": requests}
        return page(
            tmp_path / name, "usage.completions", {**result, "model": "gpt-5", "project_id": "proj_1"}
        )

    early, late = day("early.json", 4), day("late.json", 9)
    for age, path in enumerate((late, early)):
        os.utime(path, (1772500000 - age, 1772500000 - age))
    assert [call["requests"] for call in held(late).calls] == [9]
    assert [call["requests"] for call in held(early).calls] == [9]


def test_an_export_of_the_dashboard_takes_no_bucket_out_of_a_page(tmp_path: Path, costctl: Costctl) -> None:
    # The page has embeddings too, the newer export completions alone: of the day one report counts, whole.
    # gpt-5: 1,000,000 at 1.25 and 200,000 at 10; embeddings: 1,000,000 at 0.02. 1.25 + 2.00 + 0.02
    gpt = {"input_tokens": 1_000_000, "output_tokens": 200_000, "num_model_requests": 5, "model": "gpt-5"}
    embedded = {"input_tokens": 1_000_000, "num_model_requests": 5, "model": "text-embedding-3-small"}
    paths = (
        page(tmp_path / "completions.json", "usage.completions", {**gpt, "project_id": "proj_1"}),
        page(tmp_path / "embeddings.json", "usage.embeddings", embedded),
        lines(
            tmp_path / "export.csv",
            MINUTES,
            "1772323200.0,1772409600.0,2026-03-01T00:00:00,2026-03-02T00:00:00,proj_1,5.0,,,gpt-5,,,"
            "1000000,200000,,",
        ),
    )
    assert costctl("ingest", *paths).code == 0
    report = costctl("report", "--by", "model", "--columns", "cost", "--format", "json").json
    assert [str(row["cost"]) for row in report["rows"]] == ["3.25", "0.02"]
    assert report["notes"][0] == (
        "1 bucket of openai (openai-usage-csv, $3.25) on 1 day left out: another report tells of them"
    )


def test_a_later_report_of_costs_replaces_the_earlier_one(tmp_path: Path, held: Ingest) -> None:
    def day(name: str, value: str) -> Path:
        amount = {"value": value, "currency": "usd"}
        return page(
            tmp_path / name, "costs", {"amount": amount, "line_item": "gpt-5, input", "project_id": "proj_1"}
        )

    early, late = day("early.json", "1.5"), day("late.json", "2.25")
    for age, path in enumerate((late, early)):
        os.utime(path, (1772500000 - age, 1772500000 - age))
    assert [charge["amount_pico"] for charge in held(late, early).charges] == [2_250_000_000_000]


def test_deepseeks_day_of_two_prices_is_one_sum(tmp_path: Path, held: Ingest) -> None:
    # Of an export of August 2026, when peak prices began: a type has a row for each price.
    day = "u,2026-08-20T00:00:00+08:00,2026-08-21T00:00:00+08:00,deepseek-v4-flash,k,sk"
    path = lines(
        tmp_path / "amount.csv",
        "user_id,start_time_iso,end_time_iso,model,api_key_name,api_key,type,price,amount",
        f"{day},input_cache_hit_tokens,0.00000005,61626240",
        f"{day},input_cache_hit_tokens,0.0000001,79207296",
        f"{day},input_cache_miss_tokens,0.0000015,647614",
        f"{day},input_cache_miss_tokens,0.000003,207677",
    )
    found = held(path)
    assert tokens(found.calls, "cache_read_tokens", "input_tokens") == [(140_833_536, 855_291)]
    # The day began in China.
    assert found.calls[0]["ts"] == "2026-08-19 16:00:00"


def test_aiusage_2_deepseek_may_charge_in_yuan(tmp_path: Path, held: Ingest) -> None:
    path = lines(
        tmp_path / "cost.csv",
        "user_id,start_time_iso,end_time_iso,model,wallet_type,cost,currency",
        "u,2026-08-21T00:00:00+08:00,2026-08-22T00:00:00+08:00,deepseek-v4-flash,Paid,93.8802776000000000,CNY",
    )
    (charge,) = held(path).charges
    assert (charge["amount_pico"], charge["currency"]) == (93_880_277_600_000, "CNY")
