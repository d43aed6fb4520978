"""allocation.yaml: what it may say, which rule holds, and how a shared cost is split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.allocation import Allocation, Shared, read
from costctl.documents import DocumentError

FILE = """\
rules:
  - when: api_key=key_search
    set: { team: search, project: ranker }
  - when: ["tag:cwd~/home/*/shop*", model~opus]
    set: { user: ada, tags: { cost_center: "4711" } }
    override: true
  - when: source^=/srv/gateway/
    set: { agent: gateway }
  - set: { team: other }
shared:
  - when: team=platform
    split: { search: 60%, ads: 39.9%, labs: 0.1% }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "allocation.yaml"
    path.write_text(FILE)
    return path


def faults(path: Path, text: str) -> list[tuple[int, str, str]]:
    """Line, message and hint of every fault of a file of this content."""
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        read(path)
    return [(each.line, each.message, each.hint) for each in caught.value.errors]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ({"api_key": "key_search", "model": "opus", "tags": {"cwd": "/home/x/shop"}}, 2),
        ({"model": "claude-opus-4", "tags": {"cwd": "/home/x/shop/api"}}, 4),
        ({"model": "haiku", "tags": {"cwd": "/home/x/shop"}}, 9),
        ({"source": "/srv/gateway/a.jsonl", "tags": {}}, 7),
        ({"source": None}, 9),
    ],
)
def test_the_first_rule_that_holds_counts(file: Path, call: dict[str, object], line: int) -> None:
    rule = read(file).rule_of(call)
    assert rule is not None
    assert rule.line == line


def test_where_no_rule_holds_there_is_none(file: Path) -> None:
    file.write_text("rules: [{when: team=a, set: {project: p}}]")
    assert read(file).rule_of({"team": "b"}) is None


def test_a_rule_fills_what_is_unknown_or_goes_before_what_is_said(file: Path) -> None:
    fills, overrides, *_ = read(file).rules
    assert (fills.label("team", None), fills.label("team", ""), fills.label("team", "ads")) == (
        "search",
        "search",
        "ads",
    )
    assert (overrides.label("user_id", "bob"), overrides.label("tag:cost_center", None)) == ("ada", "4711")
    # What it does not give stays.
    assert overrides.label("team", "ads") == "ads"


def test_it_says_what_it_looks_at_and_what_it_gives(file: Path) -> None:
    found = read(file)
    assert found.by == ("api_key", "model", "source", "tag:cwd")
    assert found.names == ("team", "project", "user_id", "agent", "tag:cost_center")


def test_as_a_text_it_is_the_same_again(file: Path) -> None:
    found = read(file)
    assert Allocation.from_json(found.to_json()) == found
    assert Allocation.from_json(Allocation().to_json()) == Allocation()


def test_every_fault_is_told_with_its_line(file: Path) -> None:
    assert faults(
        file,
        """\
rules:
  - when: teem=search
    set: { team: a }
  - when: [team=search, "team"]
    set: { teams: b }
""",
    )[0] == (5, "unknown key rules[1].set.teams", "did you mean team?")
    found = faults(
        file,
        """\
rules:
  - when: teem=search
    set: { team: a }
  - when:
      - team=search
      - team
    set: { team: b }
shared:
  - when: source=x
    split: { a: 100% }
""",
    )
    assert [(line, message) for line, message, _ in found] == [
        (2, "unknown column 'teem' in a filter"),
        (6, "'team' is not a filter"),
        (9, "unknown column 'source' in a filter"),  # shared costs are found by labels only
    ]
    assert found[0][2] == "did you mean team?"


def test_a_rule_that_is_never_used_is_a_fault(file: Path) -> None:
    found = faults(
        file,
        """\
rules:
  - when: team=a
    set: { project: p }
  - when: [model~opus, team=a]
    set: { project: q }
  - set: { project: r }
  - when: team=b
    set: { project: s }
""",
    )
    assert [(line, message) for line, message, _ in found] == [
        (4, "rules[1] is never used: rules[0], in line 2, holds wherever it would"),
        (7, "rules[3] is never used: rules[2], in line 6, holds for every call"),
    ]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("{ a: 60%, b: 30% }", "shared[0].split comes to 90%, not to 100%"),
        ("{ a: 33.33%, b: 33.33%, c: 33.33% }", "shared[0].split comes to 99.99%, not to 100%"),
        ("{ a: 100%, b: 0% }", "b bears nothing"),
        ("{ a: 60, b: 40 }", r"shared[0].split.a must match ^[0-9]{1,3}(\.[0-9]{1,2})?%$, not '60'"),
        ("{}", "shared[0].split must not be empty"),
    ],
)
def test_shares_come_to_exactly_all(file: Path, split: str, message: str) -> None:
    assert message in [fault[1] for fault in faults(file, f"shared: [{{when: team=x, split: {split}}}]")]


def test_what_is_left_goes_to_the_largest_remainders() -> None:
    thirds = Shared((), (("a", 1), ("b", 1), ("c", 1)))
    # 5 / 3 = 1 each, 2 left; all remainders are equal, so the first names get them.
    assert thirds.split(5) == {"a": 2, "b": 2, "c": 1}
    # 7 × 79 / 200 = 2.765, 7 × 120 / 200 = 4.2, 7 / 200 = 0.035: one is left, for the remainder of 0.765.
    assert Shared((), (("ads", 79), ("search", 120), ("zoo", 1))).split(7) == {
        "ads": 3,
        "search": 4,
        "zoo": 0,
    }


def shared_costs() -> st.SearchStrategy[Shared]:
    parts = st.lists(st.integers(1, 10_000), min_size=1, max_size=6)
    return parts.map(lambda each: Shared((), tuple((f"t{number}", part) for number, part in enumerate(each))))


@given(shared_costs(), st.integers(0, 2**63 - 1))
def test_a_split_is_all_of_the_cost_and_fair_to_one_pico_dollar(shared: Shared, cost: int) -> None:
    split = shared.split(cost)
    assert sum(split.values()) == cost
    for team, parts in shared.shares:
        # |share - cost × parts / whole| < 1, without a division.
        assert abs(split[team] * shared.whole - cost * parts) < shared.whole


@given(shared_costs(), st.data())
def test_calls_of_one_remainder_are_split_at_once_as_one_by_one(shared: Shared, data: st.DataObject) -> None:
    residue = data.draw(st.integers(0, shared.whole - 1))
    costs = [
        residue + shared.whole * each
        for each in data.draw(st.lists(st.integers(0, 10**12), min_size=1, max_size=5))
    ]
    one_by_one: Counter[str] = Counter()
    for cost in costs:
        one_by_one.update(shared.split(cost))
    assert one_by_one == Counter(shared.split_each(len(costs), sum(costs), residue))


def test_a_person_is_taken_out_of_rules(file: Path) -> None:
    file.write_text("""\
rules:
  - when: user=ada
    set: { team: a }
  - when: user=ada,bob
    set: { team: b }
  - when: [team=x, user!=ada]
    set: { team: c, user: ada, tags: { lead: ada, floor: "3" } }
  - when: team=y
    set: { user: ada }
shared:
  - when: user=ada
    split: { a: 100% }
""")
    file.with_name("left.yaml").write_text("""\
rules:
  - when: user=bob
    set: { team: b }
  - when: team=x
    set: { team: c, tags: { floor: "3" } }
""")
    assert read(file).without_person("ada") == read(file.with_name("left.yaml"))
    assert read(file).without_person("ad") == read(file)


def test_the_example_is_sound() -> None:
    example = read(Path(__file__).parent.parent / "allocation.example.yaml")
    moved = example.rule_of({"team": "search", "project": "ranking-labels"})
    assert moved is not None
    assert (moved.label("team", "search"), moved.tags) == ("data", {"cost_center": "4200"})
    assert [shared.whole for shared in example.shared] == [
        20,
        10_000,
    ]  # 40, 25, 25 and 10 %; hundredths of a %
