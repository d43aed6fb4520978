"""``costctl pull``: from a vendor's API into the ledger, by the command line."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.program import Costctl
from tests.pull.vendor_server import (
    ANTHROPIC_KEY,
    OPENAI_KEY,
    Answer,
    Request,
    VendorServer,
    anthropic_error,
    serving,
)

NOW = ("--now", "2026-10-10T12:00Z")
HAIKU = "claude-haiku-3-20250307"
"""0.25 USD per million tokens of input and 1.25 of output (the book's chapter on costs, its price table)."""

USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
CLAUDE_CODE = "/v1/organizations/usage_report/claude_code"
COMPLETIONS = "/v1/organization/usage/completions"
COSTS = "/v1/organization/costs"


def usage(output: int, key: str = "apikey_01Search") -> dict[str, Any]:
    return {
        "uncached_input_tokens": 1_000_000,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "cache_read_input_tokens": 0,
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": 0},
        "api_key_id": key,
        "workspace_id": "wrkspc_01Search",
        "account_id": None,
        "service_account_id": None,
        "model": HAIKU,
        "service_tier": "standard",
        "context_window": "0-200k",
        "inference_geo": None,
        "speed": None,
    }


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with serving(VendorServer(date(2026, 10, 10))) as running:
        yield running


@pytest.fixture
def puller(costctl: Costctl, vendor: VendorServer) -> Costctl:
    """The program with both keys, and the vendors on the loopback."""
    costctl.environment |= {
        "ANTHROPIC_ADMIN_KEY": ANTHROPIC_KEY,
        "OPENAI_ADMIN_KEY": OPENAI_KEY,
        "COSTCTL_ANTHROPIC_URL": vendor.url,
        "COSTCTL_OPENAI_URL": vendor.url,
    }
    return costctl


def by(costctl: Costctl, column: str) -> dict[str, Decimal]:
    report = costctl("report", "--by", column, "--columns", "cost", "--format", "json").json
    return {row[column]: row["cost"] for row in report["rows"]}


def test_usage_and_costs_are_in_the_ledger(puller: Costctl, vendor: VendorServer) -> None:
    # A day's million in and 400,000 out: 0.25 + 0.4 x 1.25 = 0.75 USD.
    vendor.results[USAGE] = lambda day, _: [usage(400_000)] if day >= date(2026, 10, 9) else []
    vendor.results[COST] = lambda day, _: (
        [
            {"amount": "75.5", "currency": "USD", "description": "Claude Haiku Usage - Input Tokens",
             "cost_type": "tokens", "token_type": "uncached_input_tokens", "model": HAIKU,
             "workspace_id": "wrkspc_01Search", "context_window": "0-200k", "service_tier": "standard"}
        ]
        if day == date(2026, 10, 9)
        else []
    )  # fmt: skip
    run = puller("pull", "anthropic", "--since", "2026-10-01", *NOW, "--format", "json")
    assert (run.code, run.err) == (0, "")
    done = run.json
    assert (done["command"], done["vendor"], done["since"]) == ("pull", "anthropic", "2026-10-01")
    assert (done["reports"], done["pages"]) == (2, 2)
    assert (done["rows_new"], done["charges_new"], done["rows_rejected"]) == (2, 1, 0)
    assert done["cost"] == Decimal("1.50")
    assert by(puller, "day") == {"2026-10-09": Decimal("0.75"), "2026-10-10": Decimal("0.75")}
    assert by(puller, "workspace") == {"wrkspc_01Search": Decimal("1.50")}
    charges = puller("sql", "SELECT amount_pico, workspace FROM charges", "--format", "json").json["rows"]
    # 75.5 cents.
    assert charges == [{"amount_pico": 755_000_000_000, "workspace": "wrkspc_01Search"}]
    directory = puller.ledger.parent / "pulls"
    assert sorted(path.name for path in directory.iterdir()) == [
        "anthropic-cost_2026-10-01_2026-10-10.json",
        "anthropic-usage_2026-10-01_2026-10-10.json",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_pulled_again_a_bucket_is_replaced(puller: Costctl, vendor: VendorServer) -> None:
    vendor.results[USAGE] = lambda day, _: [usage(400_000)] if day == date(2026, 10, 9) else []
    vendor.today = date(2026, 10, 9)
    puller("pull", "anthropic", "--report", "usage", "--now", "2026-10-09T12:00Z", "--since", "2026-10-09")
    vendor.today = date(2026, 10, 10)
    # The day went on: 0.25 + 0.8 x 1.25 = 1.25 USD, and somebody else began: 0.25 + 0.1 x 1.25 = 0.375 USD.
    vendor.results[USAGE] = lambda day, _: (
        [usage(800_000), usage(100_000, "apikey_02Ads")] if day == date(2026, 10, 9) else []
    )
    again = puller("pull", "anthropic", "--report", "usage", *NOW, "--format", "json").json
    assert vendor.requests[-1].one("starting_at") == "2026-10-06T00:00:00Z"
    assert (again["rows_new"], again["rows_improved"]) == (1, 1)
    assert by(puller, "api_key") == {"apikey_01Search": Decimal("1.25"), "apikey_02Ads": Decimal("0.375")}
    unchanged = puller("pull", "anthropic", "--report", "usage", *NOW, "--format", "json").json
    assert (unchanged["rows_new"], unchanged["rows_known"]) == (0, 2)


def test_openai(puller: Costctl, vendor: VendorServer) -> None:
    def completions(_: date, request: Request) -> list[dict[str, Any]]:
        assert request.all("group_by[]")[3] == "model"
        return [
            {"object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 500,
             "input_cached_tokens": 400, "num_model_requests": 5, "project_id": "proj_ads",
             "user_id": "user-ana", "api_key_id": "key_1", "model": "gpt-4o-2024-08-06", "batch": False,
             "service_tier": "default"}
        ]  # fmt: skip

    vendor.results[COMPLETIONS] = completions
    vendor.results[COSTS] = lambda *_: [
        {"object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"},
         "line_item": "gpt-4o-2024-08-06, input", "project_id": "proj_ads", "api_key_id": "key_1"}
    ]  # fmt: skip
    run = puller("pull", "openai", "--since", "2026-10-10", *NOW, "--format", "json")
    assert (run.code, run.err) == (0, "")
    assert (run.json["reports"], run.json["rows_new"], run.json["charges_new"]) == (10, 1, 1)
    rows = puller(
        "sql", "SELECT requests, input_tokens, cache_read_tokens, project FROM calls", "--format", "json"
    ).json["rows"]
    assert rows == [{"requests": 5, "input_tokens": 600, "cache_read_tokens": 400, "project": "proj_ads"}]


def test_claude_code_by_an_option(puller: Costctl, vendor: VendorServer) -> None:
    vendor.results[CLAUDE_CODE] = lambda day, _: [
        {"date": f"{day}T00:00:00Z", "actor": {"type": "user_actor", "email_address": "ana@example.com"},
         "customer_type": "api", "terminal_type": "vscode", "model_breakdown": [
             {"model": HAIKU, "tokens": {"input": 1_000_000, "output": 0, "cache_read": 0,
                                         "cache_creation": 0},
              "estimated_cost": {"amount": 25, "currency": "USD"}}]}
    ]  # fmt: skip
    run = puller("pull", "anthropic", "--report", "claude-code", "--since", "yesterday", *NOW)
    assert run.code == 0, run.err
    assert {request.path for request in vendor.requests} == {CLAUDE_CODE}
    assert by(puller, "user") == {"ana@example.com": Decimal("0.50")}


def test_what_did_not_come_is_told(puller: Costctl, vendor: VendorServer) -> None:
    vendor.results[USAGE] = lambda *_: [usage(400_000)]
    vendor.broken = lambda request: (
        anthropic_error(403, "permission_error", "No access to costs") if request.path == COST else None
    )
    run = puller("pull", "anthropic", "--since", "2026-10-10", *NOW)
    assert run.code == 1
    assert "not pulled: cost, none of it: HTTP 403: No access to costs" in run.out
    assert "error: not all that was asked for could be pulled" in run.err
    assert by(puller, "day") == {"2026-10-10": Decimal("0.75")}


def test_a_refused_key(puller: Costctl) -> None:
    run = puller(
        "pull", "anthropic", *NOW, "--format", "json", "--verbose", env={"ANTHROPIC_ADMIN_KEY": OPENAI_KEY}
    )
    assert (run.code, run.out) == (1, "")
    assert OPENAI_KEY not in run.err
    assert "invalid x-api-key" in run.err
    assert not puller.ledger.exists()


def test_without_a_key(puller: Costctl, vendor: VendorServer) -> None:
    run = puller("pull", "openai", *NOW, "--format", "json", env={"OPENAI_ADMIN_KEY": None})
    assert run.code == 1
    assert run.error["code"] == "not_pulled"
    assert run.error["message"] == "openai: OPENAI_ADMIN_KEY is not set"
    assert vendor.requests == []


def test_a_dry_run_asks_nobody(puller: Costctl, vendor: VendorServer) -> None:
    run = puller("pull", "anthropic", "--dry-run", "--since", "2026-10-09", *NOW, "--format", "json")
    assert run.code == 0
    rows = run.json["rows"]
    assert [(row["report"], row["since"]) for row in rows] == [
        ("usage", "2026-10-09"),
        ("cost", "2026-10-09"),
    ]
    assert rows[1]["request"] == (
        f"{vendor.url}/v1/organizations/cost_report?starting_at=2026-10-09T00:00:00Z&bucket_width=1d&limit=31"
        "&group_by[]=workspace_id&group_by[]=description"
    )
    assert ANTHROPIC_KEY not in run.out
    assert vendor.requests == []
    assert not puller.ledger.exists()


def test_pages_of_a_pull_that_was_not_read_in_are_read_by_the_next(
    puller: Costctl, vendor: VendorServer
) -> None:
    """As when the ledger was held by somebody else: here it is not ours to write."""
    vendor.results[USAGE] = lambda day, _: [usage(400_000)] if day == date(2026, 9, 20) else []
    pulls = puller.cwd / "pulls"
    options = ("pull", "anthropic", "--report", "usage", "--to", pulls, *NOW)
    puller.ledger.parent.mkdir(parents=True)
    puller.ledger.write_text("no ledger")
    assert puller(*options).code == 1
    puller.ledger.unlink()
    assert puller(*options).code == 0
    assert vendor.requests[-1].one("starting_at") == "2026-10-07T00:00:00Z"
    assert by(puller, "day") == {"2026-09-20": Decimal("0.75")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["anthropc"], "no vendor"),
        (["anthropic", "--report", "usages"], "did you mean usage?"),
        (["openai", "--group-by", "model"], "--group-by"),
        (["anthropic", "--group-by", "model,sped"], "did you mean speed?"),
        (["anthropic", "--group-by", "speed"], "add model"),
        (
            ["anthropic", "--group-by", "model,speed,service_tier,context_window,account_id,workspace_id"],
            "5 at",
        ),
        (["anthropic", "--since", "2026-10-12"], "still to come"),
        (["anthropic", "--since", "soon"], "--since"),
    ],
)
def test_wrong_usage(puller: Costctl, vendor: VendorServer, arguments: list[str], message: str) -> None:
    run = puller("pull", *arguments, *NOW)
    assert run.code == 2
    assert message in run.err
    assert vendor.requests == []


def test_waiting_is_told_unless_quiet(puller: Costctl, vendor: VendorServer) -> None:
    busy = anthropic_error(429, "rate_limit_error", "busy", **{"retry-after": "0"})

    def once(_: Request) -> Answer:
        return busy

    vendor.faults = [once]
    assert "anthropic: HTTP 429: busy; trying again in" in puller("pull", "anthropic", *NOW).err
    vendor.faults = [once]
    assert puller("pull", "anthropic", *NOW, "--quiet").err == ""


def test_progress_is_shown_on_a_terminal_only(puller: Costctl) -> None:
    run = puller.on_a_terminal("pull", "anthropic", "--since", "2026-10-09", *NOW, stream="stderr")
    assert "from 2026-10-09" in run.err
    assert puller("pull", "anthropic", "--since", "2026-10-09", *NOW).err == ""
