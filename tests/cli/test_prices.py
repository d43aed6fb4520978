"""Prices that change, by the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

HAIKU = "claude-haiku-3-20250307"
"""0.25 USD per million tokens of input and 1.25 of output."""


@pytest.fixture
def ledger(costctl: Costctl) -> Path:
    """A call of October and one of November, 1,000,000 tokens in and 400,000 out: 0.25 + 0.50 USD each."""
    call = {"model": HAIKU, "input_tokens": 1_000_000, "output_tokens": 400_000}
    usage = costctl.cwd / "usage.jsonl"
    usage.write_text(
        "".join(
            json.dumps({"id": day, "timestamp": f"{day}T12:00:00Z", **call}) + "\n"
            for day in ("2024-10-05", "2024-11-05")
        )
    )
    assert costctl("ingest", usage).code == 0
    (costctl.cwd / "prices.yaml").write_text(f"prices:\n  - {{model: {HAIKU}, input: 1, output: 5}}\n")
    return costctl.ledger


def test_check_says_which_calls_these_books_would_price(costctl: Costctl) -> None:
    """Two calls of one model that prices.yaml names, one of another that nobody does."""
    call = {"ts": "2024-10-05T12:00:00Z", "input_tokens": 1, "output_tokens": 1}
    usage = costctl.cwd / "usage.jsonl"
    models = {"a": "ours", "b": "ours", "c": "lost"}
    lines = (json.dumps({"id": id, "model": model, **call}) for id, model in models.items())
    usage.write_text("\n".join(lines) + "\n")
    (costctl.cwd / "prices.yaml").write_text("prices:\n  - {model: ours, input: 1, output: 5}\n")
    assert costctl("ingest", usage).code == 0
    could = "2 of these calls have a price now: `costctl reprice --unpriced` gives it"
    other = "a prices.yaml can name a price"
    assert costctl("prices", "check").err.startswith(other)
    run = costctl("prices", "check", "--prices", "prices.yaml")
    assert (run.code, run.err.splitlines()[0]) == (4, could)
    assert other in run.err
    assert costctl("reprice", "--unpriced", "--prices", "prices.yaml").code == 0
    assert costctl("prices", "check", "--prices", "prices.yaml").err.startswith(other)


# --- reprice ----------------------------------------------------------------------------------------------


def total(costctl: Costctl) -> Decimal:
    answer: Decimal = costctl("report", "--format", "json").json["totals"]["cost"]
    return answer


@pytest.mark.usefixtures("ledger")
def test_reprice_shows_and_then_applies(costctl: Costctl) -> None:
    own = ("--prices", "prices.yaml")
    for flags in ((), ("--dry-run",), ("--unpriced", "--dry-run")):
        run = costctl("reprice", *own, *flags, "--format", "json")
        assert run.code == 0
        assert total(costctl) == Decimal("1.50")
    run = costctl("reprice", *own)
    assert "nothing is changed yet: `costctl reprice --apply`" in run.out
    run = costctl("reprice", *own, "--since", "2024-11-01", "--apply", "--format", "json")
    # 1,000,000 at 1 USD + 400,000 at 5 = 1 + 2.
    assert (run.code, run.json["calls_repriced"], run.json["cost_after"]) == (0, 1, Decimal("3.00"))
    assert total(costctl) == Decimal("3.75")
    assert costctl("reprice", *own, "--apply").code == 0
    assert total(costctl) == Decimal("6.00")


@pytest.mark.usefixtures("ledger")
def test_reprice_says_on_a_terminal_what_it_is_at(costctl: Costctl) -> None:
    own = ("--prices", "prices.yaml")
    assert "pricing the calls anew" in costctl.on_a_terminal("reprice", *own, stream="stderr").err
    assert costctl.on_a_terminal("reprice", *own, "--quiet", stream="stderr").err == ""
    assert costctl("reprice", *own).err == ""


@pytest.mark.usefixtures("ledger")
def test_reprice_unpriced_applies_at_once_and_leaves_prices_alone(costctl: Costctl) -> None:
    run = costctl("reprice", "--unpriced", "--prices", "prices.yaml")
    assert (run.code, total(costctl)) == (0, Decimal("1.50"))
    assert "nothing was to be changed" in run.out


@pytest.mark.usefixtures("ledger")
def test_reprice_cannot_both_show_and_apply(costctl: Costctl) -> None:
    run = costctl("reprice", "--apply", "--dry-run")
    assert (run.code, run.out) == (2, "")
    assert "--apply and --dry-run contradict each other" in run.err


# --- other price lists ------------------------------------------------------------------------------------

LITELLM = Path(__file__).parents[1] / "pricing" / "litellm.json"


def test_import_writes_to_standard_output_and_talks_on_the_other(costctl: Costctl) -> None:
    run = costctl("prices", "import", "litellm", LITELLM, "gpt-5.4", "azure/*")
    assert run.code == 0
    assert '{ provider: "openai", model: "gpt-5.4", input: 2.50, cache_read: 0.25, output: 15.00,' in run.out
    assert "3 models." in run.err.splitlines()
    assert "regional_processing_uplift_multiplier_eu (1 model)" in run.err
    assert costctl("prices", "import", "litellm", LITELLM, "gpt-5.4", "--quiet").err == ""


def test_import_makes_a_file_that_prices_yaml_includes(costctl: Costctl) -> None:
    command = ("prices", "import", "litellm", LITELLM, "--out", "litellm.yaml")
    run = costctl(*command)
    assert (run.code, run.out) == (0, "")
    assert "a prices.yaml beside it has it by `include: [litellm.yaml]`" in run.err
    (costctl.cwd / "prices.yaml").write_text("include: [litellm.yaml]\n")
    command_show = ("prices", "show", "anthropic.claude-v1", "--provider", "bedrock")
    shown = costctl(*command_show, "--prices", "prices.yaml", "--format", "json")
    # It is a price of us-east-1, and no other is known.
    (row,) = shown.json["rows"]
    assert (row["region"], row["input"], row["output"]) == ("us-east-1", Decimal("8.00"), Decimal("24.00"))
    assert row["source"].startswith("litellm.yaml:")
    again = costctl(*command)
    assert (again.code, again.err.splitlines()[0]) == (1, "error: litellm.yaml exists")
    assert costctl(*command, "--force").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("helicone", LITELLM), 2, "'helicone' is no table of prices that can be imported"),
        (("litellm", LITELLM, "gpt-9"), 1, "has no model gpt-9"),
        (("litellm", LITELLM, "--from", "soon"), 2, "--from: 'soon' is not a day"),
        (("litellm", LITELLM, "--out", "litellm.json"), 2, "litellm.json: no known ending"),
        (("litellm", "no.json"), 1, "no.json: cannot be read: No such file or directory"),
    ],
)
def test_import_refuses(costctl: Costctl, arguments: tuple[str, ...], code: int, message: str) -> None:
    run = costctl("prices", "import", *arguments)
    assert (run.code, run.out) == (code, "")
    assert message in run.err


def test_import_never_takes_the_place_of_the_prices_in_use(costctl: Costctl) -> None:
    (costctl.cwd / "prices.yaml").write_text("prices: []\n")
    (costctl.cwd / "costctl.yaml").write_text("prices: prices.yaml\n")
    run = costctl("prices", "import", "litellm", LITELLM, "--out", "prices.yaml", "--force")
    assert (run.code, (costctl.cwd / "prices.yaml").read_text()) == (1, "prices: []\n")
    assert "is read by this command" in run.err


def test_diff(costctl: Costctl) -> None:
    (costctl.cwd / "theirs.yaml").write_text("prices:\n  - {provider: openai, model: gpt-4o, input: 5}\n")
    run = costctl("prices", "diff", "--against", "theirs.yaml", "--now", "2026-11-01", "--format", "json")
    assert run.code == 0
    # gpt-4o costs 2.50 in, 1.25 cached and 10 out; the file has no other price than for input.
    rows = {row["kind"]: (row["ours"], row["theirs"], row["ratio"]) for row in run.json["rows"]}
    assert rows["input"] == (Decimal("2.50"), Decimal("5.00"), Decimal("2.0000"))
    assert rows["cache_read"] == (Decimal("1.25"), Decimal("5.00"), Decimal("4.0000"))
    assert "output" not in rows
    assert costctl("prices", "diff").code == 2


# --- check ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_check_exits_with_4_for_a_price_that_cannot_be_meant(costctl: Costctl) -> None:
    # In USD for a thousand tokens: 0.00025 and 0.00125.
    (costctl.cwd / "prices.yaml").write_text(
        f"prices:\n  - {{model: {HAIKU}, input: 0.00025, output: 0.00125}}\n"
    )
    run = costctl("prices", "check", "--prices", "prices.yaml")
    assert run.code == 4
    assert "input 0.00025; the catalogue has 0.25" in run.out
    assert "a corrected prices.yaml corrects calls by `costctl reprice`" in run.err


@pytest.mark.usefixtures("ledger")
def test_an_old_catalogue_is_no_reason_for_4(costctl: Costctl) -> None:
    run = costctl("prices", "check", "--now", "2028-01-01")
    assert run.code == 0
    assert "a newer costctl has newer prices" in run.out.replace("\n", " ")
    assert "newer costctl" not in costctl("prices", "check", "--now", "2026-12-01").out
