"""budgets.yaml: what it may say, and what is said about its faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.program import Costctl

from costctl.budgets import Budget, Budgets, load
from costctl.budgets.model import Amount, Scope, Threshold
from costctl.documents import SCHEMAS, DocumentError, Secret
from costctl.filters import parse

USD = 10**12
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "budgets.example.yaml"
SECRETS = {
    "SLACK_URL": "https://slack.example/T1/canary-1",
    "SMTP_PASSWORD": "canary-2",
    "DINGTALK_URL": "https://dingtalk.example/send?access_token=canary-3",
    "DINGTALK_SECRET": "canary-4",
}

Reading = Callable[..., Budgets]


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    def read(text: str, **environment: str) -> Budgets:
        file = tmp_path / "budgets.yaml"
        file.write_text(text)
        return load(file, environment)

    return read


@pytest.fixture
def one(reading: Reading) -> Callable[..., Budget]:
    """The budget of a file that says this of it; a name, a scope and an amount unless they are said."""

    def read(said: str = "", scope: str = "scope: all", amount: str = "monthly_budget: 100") -> Budget:
        lines = "\n    ".join(part for part in (scope, amount, said) if part)
        return reading(f"budgets:\n  - name: b\n    {lines}\n").budgets[0]

    return read


# --- what it may say --------------------------------------------------------------------------------------


def test_the_books_budget_is_accepted_under_its_names(reading: Reading) -> None:
    text = """
budgets:
  - name: support
    dimension: team
    dimension_id: support
    monthly_budget: 11500
    daily_budget: 600
    warning_threshold: 0.7
    critical_threshold: 0.9
    auto_throttle: false
    throttle_rate: 0.25
"""
    assert reading(text).budgets == (
        Budget(
            name="support",
            scope=Scope("team", ("support",)),
            amounts=(Amount("month", 11500 * USD), Amount("day", 600 * USD)),
            thresholds=(
                Threshold("warning", 0, Decimal("0.7")),
                Threshold("critical", 1, Decimal("0.9"), severity="critical"),
                Threshold("exceeded", 2, Decimal(1), severity="critical"),
            ),
            auto_throttle=False,
            throttle_rate=Decimal("0.25"),
            line=3,
        ),
    )


def test_what_is_not_said_is_the_books_default(one: Callable[..., Budget]) -> None:
    found = one()
    assert [(each.name, each.share) for each in found.thresholds] == [
        ("warning", Decimal("0.8")),
        ("critical", Decimal("0.95")),
        ("exceeded", Decimal(1)),
    ]
    assert (found.auto_throttle, found.throttle_rate, found.on_unpriced) == (True, Decimal("0.5"), "warning")
    assert (found.start_day, found.zone, found.repeat_interval, found.send_resolved) == (1, None, None, False)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("scope: all", Scope()),
        ("scope: {team: search}", Scope("team", ("search",))),
        ("scope: {user: [ann, bob]}", Scope("user", ("ann", "bob"))),
        ("scope: {model: claude-opus-*}", Scope("model", ("claude-opus-*",))),
        ("scope: {provider: [anthropic, open*]}", Scope("provider", ("anthropic", "open*"))),
        ("scope: {agent: each}", Scope("agent", each=True)),
        ("scope: {team: [each]}", Scope("team", ("each",))),  # a team of that name
        ("scope: {tag:env: prod}", Scope("tag:env", ("prod",))),
        ('scope: {"tag:a b": each}', Scope("tag:a b", each=True)),
        ('scope: {project: ""}', Scope("project", ("",))),
        ("dimension: user\n    dimension_id: 42", Scope("user", ("42",))),
        ("dimension: tag:env\n    dimension_id: a*", Scope("tag:env", ("a\\*",))),  # no glob
    ],
)
def test_scopes(one: Callable[..., Budget], scope: str, expected: Scope) -> None:
    assert one(scope=scope).scope == expected


def test_conditions_on_top_of_a_scope(one: Callable[..., Budget]) -> None:
    assert one("where: tag:env=prod").where == (parse("tag:env=prod"),)
    assert one("where: [model~opus, billing!=subscription]").where == (
        parse("model~opus"),
        parse("billing!=subscription"),
    )


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("monthly_budget: 99.50", [Amount("month", 99 * USD + USD // 2)]),
        ("amounts: {week: 5, 30d: 7, quarter: 9}",
         [Amount("week", 5 * USD), Amount("30d", 7 * USD), Amount("quarter", 9 * USD)]),
        ("amounts: {month: last_period × 1.1}", [Amount("month", factor_of_last=Decimal("1.1"))]),
        ("amounts: {month: last_period*2}", [Amount("month", factor_of_last=Decimal(2))]),
        ("daily_budget: last_period x 0.95", [Amount("day", factor_of_last=Decimal("0.95"))]),
        ("daily_budget: last_period", [Amount("day", factor_of_last=Decimal(1))]),
        ("daily_budget: [{amount: 5},{amount: 6, from: 2024-10-15}, {amount: last_period, from: 2025-01-01}]",
         [Amount("day", 5 * USD), Amount("day", 6 * USD, since=date(2024, 10, 15)),
          Amount("day", factor_of_last=Decimal(1), since=date(2025, 1, 1))]),
    ],
)  # fmt: skip
def test_amounts(one: Callable[..., Budget], amount: str, expected: list[Amount]) -> None:
    assert list(one(amount=amount).amounts) == expected


def test_thresholds_of_ones_own(one: Callable[..., Budget]) -> None:
    said = """thresholds:
      - {name: half, share: 0.5}
      - {name: soon, share: 1, basis: forecast, min_history_days: 21}
      - {name: over, share: 1.0}
      - {name: double, share: 2, severity: warning}"""
    assert one(said).thresholds == (
        Threshold("half", 0, Decimal("0.5")),
        Threshold("soon", 1, Decimal(1), basis="forecast", min_history_days=21),
        Threshold("over", 1, Decimal(1), severity="critical"),  # where the forecast's lies
        Threshold("double", 2, Decimal(2)),
    )


def test_a_forecast_is_ranked_by_where_it_lies(one: Callable[..., Budget]) -> None:
    said = "thresholds: [{name: a, share: 0.5}, {name: b, share: 1}, {name: f, share: 0.9, basis: forecast}]"
    assert [(each.name, each.rank) for each in one(said).thresholds] == [("a", 0), ("f", 1), ("b", 2)]
    assert one(said).thresholds[1].min_history_days == 14


def test_thresholds_by_amount_and_by_share_go_together_where_their_order_is_known(
    one: Callable[..., Budget],
) -> None:
    # Of 100: 50, 80, 95.
    said = "thresholds: [{name: a, share: 0.5}, {name: b, amount: 80}, {name: c, share: 0.95}]"
    assert [each.rank for each in one(said).thresholds] == [0, 1, 2]
    # Of 1,000 the first would be 500, beyond 80.
    two = "amounts: {day: 100, month: 1000}"
    with pytest.raises(DocumentError, match="'b' does not lie above 'a'"):
        one(said, amount=two)
    with pytest.raises(DocumentError, match="do not go together with an amount of the last period"):
        one(said, amount="monthly_budget: last_period")


def test_a_limit_lies_where_its_share_is_reached() -> None:
    third = Threshold("t", 0, Decimal("0.3333"))
    assert third.limit_pico(10) == 4  # 3.333: at 3 it is not reached yet
    assert Threshold("t", 0, Decimal("0.8")).limit_pico(10) == 8


def test_other_settings(one: Callable[..., Budget]) -> None:
    found = one(
        "repeat_interval: 4h\n    send_resolved: true\n    tz: Europe/Berlin\n    start_day: 25\n    "
        "on_unpriced: unknown\n    formerly: a"
    )
    assert (found.repeat_interval, found.send_resolved) == (timedelta(hours=4), True)
    assert (found.zone, found.start_day, found.on_unpriced, found.formerly) == (
        "Europe/Berlin",
        25,
        "unknown",
        "a",
    )


# --- its faults -------------------------------------------------------------------------------------------


def faults(read: Callable[[], object]) -> list[tuple[int, str, str]]:
    with pytest.raises(DocumentError) as caught:
        read()
    return [(each.line, each.message, each.hint) for each in caught.value.errors]


FAULTS = [
    block.splitlines()
    for block in (Path(__file__).parent / "faults.txt").read_text(encoding="utf-8").split("\n\n")[1:]
]


@pytest.mark.parametrize(("said", "message", "hint"), FAULTS, ids=[block[0] for block in FAULTS])
def test_faults_have_their_line_and_a_way_out(
    one: Callable[..., Budget], said: str, message: str, hint: str
) -> None:
    assert faults(lambda: one(said)) == [(5, message.strip(), hint.strip(" -"))]


def test_an_amount_has_one_name(one: Callable[..., Budget]) -> None:
    hint = "keep one: monthly_budget is another name of amounts.month"
    assert faults(lambda: one("amounts: {month: 5}")) == [
        (4, "budgets[0] says what a month may cost twice", hint)
    ]


@pytest.mark.parametrize(
    ("scope", "message", "hint"),
    [
        ("scope: al", "budgets[0].scope must be all, not 'al'", "did you mean all?"),
        ("scope: {taem: x}", "unknown key budgets[0].scope.taem", "did you mean team?"),
        (
            "scope: {team: a, user: b}",
            "budgets[0].scope names more than one label",
            "put the other into where, as in where: user=…",
        ),
        (
            "scope: {team: [a, a]}",
            "budgets[0].scope.team[1] repeats budgets[0].scope.team[0]",
            "leave one of them out",
        ),
        (
            "dimension: taem\n    dimension_id: x",
            "budgets[0].dimension must be one of team, project, user, agent, model, provider or match "
            "^tag:., not 'taem'",
            "did you mean team?",
        ),
        ("dimension: team", "budgets[0] has a dimension without its dimension_id", "name the value"),
        ("dimension_id: x", "budgets[0] has a dimension_id without its dimension", "as in dimension: team"),
        ("", "budgets[0] says no scope", "scope: all is every call, {team: search} those of a team"),
    ],
)  # fmt: skip
def test_faults_of_a_scope(one: Callable[..., Budget], scope: str, message: str, hint: str) -> None:
    [(_, said, way_out)] = faults(lambda: one(scope=scope))
    assert (said, way_out) == (message, hint)


def test_a_budget_needs_an_amount(one: Callable[..., Budget]) -> None:
    hint = "as in monthly_budget: 1000, or amounts: {week: 250}"
    assert faults(lambda: one(amount="")) == [(2, "budgets[0] has no amount", hint)]


def test_forecasts_and_start_days_are_for_periods_of_the_calendar(one: Callable[..., Budget]) -> None:
    rolling = "amounts: {30d: 5}"
    said = "thresholds: [{name: x, share: 1, basis: forecast}]"
    message = "the threshold 'x' is on a forecast, but the last days, which roll on, have none"
    assert [each[1] for each in faults(lambda: one(said, amount=rolling))] == [message]
    message = "budgets[0].start_day is for months, quarters and years; its amounts: 30d"
    assert [each[1] for each in faults(lambda: one("start_day: 5", amount=rolling))] == [message]


def test_names_are_unique_and_channels_there(reading: Reading) -> None:
    text = """budgets:
  - {name: a, scope: all, monthly_budget: 1, channels: [opps]}
  - {name: b, scope: all, monthly_budget: 1, formerly: c}
  - {name: a, scope: all, monthly_budget: 1}
  - {name: c, scope: all, monthly_budget: 1}
channels:
  ops: {type: stdout}
"""
    assert faults(lambda: reading(text)) == [
        (2, "budgets[0].channels[0]: there is no channel 'opps'", "did you mean ops?"),
        (3, "'c', as 'b' was formerly called, is still a budget", "leave out one of them"),
        (
            4,
            "a second budget is called 'a'; the first is in line 2",
            "alerts are known by the name: give it another",
        ),
    ]


def test_channels_are_of_a_known_type(reading: Reading) -> None:
    text = "budgets: [{name: a, scope: all, monthly_budget: 1}]\nchannels:\n  ops: {type: emial, to: x}\n"
    types = "slack, email, dingtalk, teams, webhook, command, stdout, apprise"
    assert faults(lambda: reading(text)) == [
        (3, f"channels.ops.type must be one of {types}, not 'emial'", "did you mean email?")
    ]


# Each list holds the one before it nine times: 2, 19, 172, 1,549, 13,942 and, in line 6, 125,479 values.
BOMB = "a: &a0 [x]\n" + "".join(f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("budgets: [{name: a, scope: all, monthly_budget: 1}\n", 2),  # not closed
        (BOMB, 6),
        ("budgets: !!python/object/apply:os.system [ls]\n", 1),
        ("- 1\n", 1),
        ("", 1),
        ("budgets: []\n", 1),
    ],
)  # fmt: skip
def test_files_that_are_no_budgets(reading: Reading, text: str, line: int) -> None:
    assert faults(lambda: reading(text))[0][0] == line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml", {})


# --- the example ------------------------------------------------------------------------------------------


def test_the_example_is_real() -> None:
    found = load(EXAMPLE, SECRETS)
    assert [each.name for each in found.budgets][:3] == ["company", "support", "engineering"]
    company, support = found.budgets[:2]
    assert (company.scope, company.amounts) == (Scope(), (Amount("month", 28_000 * USD),))
    assert support.amounts == (Amount("month", 11_500 * USD), Amount("day", 600 * USD))
    slack = found.channels["ops-slack"]
    assert (slack.type, slack.settings["url"]) == ("slack", Secret(SECRETS["SLACK_URL"]))
    teams = [each for each in found.budgets if each.scope.column == "team" and not each.scope.each]
    # Together the teams' months are the company's: 11,500 + 7,000 + 3,500 + 3,000 + 2,900 + 100.
    assert sum(each.amounts[0].pico or 0 for each in teams) == 28_000 * USD


def test_the_example_names_every_key_that_there_is() -> None:
    schema = json.loads((SCHEMAS / "budgets.json").read_text())
    text = EXAMPLE.read_text()
    for key in schema["$defs"]["budget"]["properties"]:
        assert f"{key}:" in text, key


def test_no_secret_is_in_what_is_shown_of_budgets() -> None:
    assert "canary" not in repr(load(EXAMPLE, SECRETS))


def test_a_fingerprint_changes_with_the_file(reading: Reading) -> None:
    text = "budgets: [{name: a, scope: all, monthly_budget: 1}]\n"
    assert reading(text).fingerprint == reading(text).fingerprint != reading(text + "#\n").fingerprint


# --- the command line -------------------------------------------------------------------------------------


def test_validate(costctl: Costctl) -> None:
    done = costctl("budgets", "validate", "--budgets", EXAMPLE, "--format", "json", env=SECRETS)
    assert (done.code, done.err) == (0, "")
    assert (done.json["budgets"], done.json["channels"]) == (12, 4)
    assert "canary" not in done.out
    done = costctl("budgets", "validate", "--budgets", EXAMPLE)
    assert done.code == 1
    assert f"error: {EXAMPLE}:" in done.err
    assert "channels.ops-slack.url: the environment variable SLACK_URL is not set" in done.err
    assert costctl("budgets", "validate", "--budgets", EXAMPLE, "--without-secrets").code == 0


def test_validate_looks_up_the_rates_of_currencies(costctl: Costctl) -> None:
    file = costctl.cwd / "budgets.yaml"
    file.write_text("budgets:\n  - {name: a, scope: all, monthly_budget: 5, currency: EUR}\n")
    none = costctl("budgets", "validate")
    assert none.code == 1
    assert f"{file}:2: the budget 'a' is in EUR, and there are no exchange rates" in none.err
    rates = costctl.cwd / "currency.yaml"
    rates.write_text("rates:\n  CHF:\n    2024-01-01: 0.9\n")
    other = costctl("budgets", "validate")
    assert other.code == 1
    assert f"{file}:2: the budget 'a' is in EUR, and {rates} has no rate of EUR" in other.err
    rates.write_text("rates:\n  EUR:\n    2024-01-01: 0.9\n")
    assert costctl("budgets", "validate").code == 0


def test_validate_names_every_fault(costctl: Costctl) -> None:
    (costctl.cwd / "budgets.yaml").write_text("budgets:\n  - name: a\n    scop: all\n    daily_budget: 0\n")
    done = costctl("budgets", "validate")
    assert done.code == 1
    file = costctl.cwd / "budgets.yaml"
    assert done.err.splitlines() == [
        f"error: {file}:3: unknown key budgets[0].scop",
        "hint: did you mean scope?",
        f"error: {file}:4: budgets[0].daily_budget must be greater than 0, not '0'",
        "hint: an amount above 0, as in 1000 or 99.50",
    ]
    failed = costctl("budgets", "validate", "--format", "json").error
    assert (failed["file"], failed["line"]) == (str(file), 3)


def test_without_a_file_it_is_said_where_it_is_looked_for(costctl: Costctl) -> None:
    done = costctl("budgets", "validate")
    assert done.code == 1
    assert "no budgets.yaml beside costctl.yaml, or here" in done.err


def test_the_schema_is_the_one_in_use(costctl: Costctl) -> None:
    done = costctl("budgets", "schema")
    assert (done.code, json.loads(done.out)) == (0, json.loads((SCHEMAS / "budgets.json").read_text()))
