"""Names of people that never reach the ledger, and a person that is taken out of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from pathlib import Path

import pytest
from usage_files import Desk, Given, Input, call

from costctl.allocation import read
from costctl.ingest import allocate, forget, forget_person
from costctl.ledger import LedgerError
from costctl.pricing.book import PriceBook

USER = Given(pseudonymize=("user",))


def pseudonym(desk: Desk, name: str) -> str:
    """By RFC 2104, from the key in its file."""
    key = bytes.fromhex(Path(f"{desk.ledger.path}.key").read_text())
    return "person-" + hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:16]


def test_a_user_becomes_a_pseudonym_by_the_ledgers_key(desk: Desk) -> None:
    desk.write("log.jsonl", call(output_tokens=1, user_id="ada"), call(output_tokens=2, user_id="Zoë 李"))
    desk.write("more.jsonl", call(output_tokens=3, user_id="ada", agent="bot"), call(output_tokens=4))
    desk.ingest(given=USER)
    ada, zoe = pseudonym(desk, "ada"), pseudonym(desk, "Zoë 李")
    assert desk.calls("user_id", "agent") == [(ada, None), (zoe, None), (ada, "bot"), (None, None)]
    assert b"Zo" not in desk.ledger.path.read_bytes() + Path(f"{desk.ledger.path}.wal").read_bytes()


def test_the_key_is_beside_the_ledger_and_its_owners_alone(desk: Desk) -> None:
    desk.write("log.jsonl", call(user_id="ada"))
    desk.ingest()
    key = Path(f"{desk.ledger.path}.key")
    assert not key.exists()
    desk.ingest(given=USER)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(bytes.fromhex(key.read_text())) == 32
    assert key.read_text() not in str(desk.rows("SELECT value FROM meta"))


def test_e_mail_addresses_become_pseudonyms_wherever_they_are_labels(desk: Desk) -> None:
    mail = "ada@example.com"
    desk.write(
        "log.jsonl",
        call(
            agent=mail,
            session="Ada L. <ada@example.com>",
            team="search",
            tags={
                "owner": mail,
                "lead": "ada",
                "repo": "git@github.com:acme/shop",
                "it's": mail,
                "none": "@",
            },
        ),
    )
    desk.ingest(given=USER)
    ((agent, session, team, tags),) = desk.calls("agent", "session", "team", "tags_json")
    assert (agent, session, team) == (
        pseudonym(desk, mail),
        pseudonym(desk, "Ada L. <ada@example.com>"),
        "search",
    )
    assert json.loads(tags) == {
        "owner": agent,
        "lead": "ada",
        "repo": "git@github.com:acme/shop",
        "it's": agent,
        "none": "@",
    }


def test_other_labels_and_tags_by_name(desk: Desk) -> None:
    desk.write("log.jsonl", call(user_id="ada", agent="bot", tags={"lead": "ada", "floor": "3"}))
    desk.ingest(given=Given(pseudonymize=("agent", "tag:lead")))
    ((user, agent, tags),) = desk.calls("user_id", "agent", "tags_json")
    assert (user, agent) == ("ada", pseudonym(desk, "bot"))
    assert json.loads(tags) == {"lead": pseudonym(desk, "ada"), "floor": "3"}


def test_flags_are_names_too(desk: Desk) -> None:
    desk.write("log.jsonl", call(output_tokens=1), call(output_tokens=2, user_id="ada"))
    given = Given(user="bob", tags={"owner": "bob@example.com"}, pseudonymize=("user",))
    desk.ingest(given=given)
    assert desk.calls("user_id") == [pseudonym(desk, "bob"), pseudonym(desk, "ada")]
    ((said,),) = desk.rows("SELECT given FROM sources")
    assert "bob" not in said
    assert desk.ingest(given=given)["files_unchanged"] == 1


def test_a_pseudonym_makes_no_other_call(desk: Desk) -> None:
    desk.write("log.jsonl", call(user_id="ada"), call(user_id="bob"), call(id="x", user_id="ada"))
    desk.ingest()
    keys = sorted(desk.calls("CAST(call_key AS VARCHAR)"))
    done = desk.ingest(given=USER)
    assert (done["rows_new"], done["rows_improved"]) == (0, 3)
    assert sorted(desk.calls("CAST(call_key AS VARCHAR)")) == keys
    assert set(desk.calls("user_id")) == {pseudonym(desk, "ada"), pseudonym(desk, "bob")}


def test_a_file_that_was_read_so_once_is_read_so_again(desk: Desk) -> None:
    path = desk.write("log.jsonl", call(output_tokens=1, user_id="ada"))
    desk.ingest(given=USER)
    desk.append("log.jsonl", call(output_tokens=2, user_id="ada") + "\n")
    desk.ingest()
    desk.ingest(full=True)
    path.rename(path.with_name("log.jsonl.1"))
    desk.append("log.jsonl.1", call(output_tokens=3, user_id="ada") + "\n")
    assert desk.ingest()["rows_new"] == 1
    assert desk.calls("user_id") == [pseudonym(desk, "ada")] * 3


def test_files_that_are_read_again_by_forget_keep_pseudonyms(desk: Desk) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        desk.write(name, call(id="same", user_id="ada"))
    desk.ingest(given=USER)
    forget(desk.ledger, [str(desk.files / "a.jsonl")], book=PriceBook())
    assert desk.calls("user_id") == [pseudonym(desk, "ada")]


def test_rejected_lines_are_not_kept(desk: Desk) -> None:
    desk.write("log.jsonl", call(), '{"user": "ada"')
    desk.ingest(given=USER, keep_rejects=True)
    assert desk.rows("SELECT raw FROM rejects") == [(None,)]


def test_a_dry_run_makes_no_key(desk: Desk) -> None:
    desk.write("log.jsonl", call(user_id="ada"))
    assert desk.ingest(given=USER, dry_run=True)["rows_new"] == 1
    assert not Path(f"{desk.ledger.path}.key").exists()


@pytest.mark.parametrize("becomes", ["gone", "another"])
def test_without_its_key_a_ledger_gets_no_other_pseudonyms(desk: Desk, becomes: str) -> None:
    desk.write("log.jsonl", call(user_id="ada"))
    desk.ingest(given=USER)
    key = Path(f"{desk.ledger.path}.key")
    if becomes == "gone":
        key.unlink()
    else:
        key.write_text("00" * 32)
    desk.write("more.jsonl", call(output_tokens=2, user_id="ada"))
    with pytest.raises(LedgerError, match=becomes):
        desk.ingest(given=USER)
    assert len(desk.calls("user_id")) == 1


# --- forget --user ---------------------------------------------------------------------------------------


def test_a_person_is_taken_out_of_everything(desk: Desk) -> None:
    path = desk.write(
        "log.jsonl",
        call(output_tokens=1, user_id="ada", tags={"owner": "ada", "env": "prod"}),
        call(output_tokens=2, user_id="bob", tags={"owner": "ada"}),
        call(output_tokens=3, user_id="Ada"),
        call(output_tokens=4),
        '{"user": "ada", ',
    )
    desk.ingest(Input(str(path), Given(user="ada")), keep_rejects=True)
    rules = desk.files.parent / "allocation.yaml"
    rules.write_text("rules: [{when: 'user=ada,bob', set: {team: t}}, {set: {user: ada}}]")
    allocate(desk.ledger, read(rules), apply=True)
    cost = desk.rows("SELECT count(*), sum(cost_pico) FROM calls")
    done = forget_person(desk.ledger, "ada")
    assert dict(zip((column.name for column in done.columns), done.values, strict=True)) == {
        "calls": 2,  # the first and, by the flag, the fourth
        "tagged_calls": 2,
        "rejected_lines": 1,
        "sources": 1,
        "rules": 2,
    }
    assert desk.calls("user_id", "team", "tags_json") == [
        (None, None, '{"env":"prod"}'),
        ("bob", "t", None),
        ("Ada", None, None),
        (None, None, None),
    ]
    assert desk.rows("SELECT count(*), sum(cost_pico) FROM calls") == cost
    for table in ("stored_calls", "sources", "rejects", "meta", "allocations"):
        assert "ada" not in str(desk.rows(f"SELECT CAST(row(t) AS VARCHAR) FROM {table} AS t"))  # noqa: S608


def test_unchanged_files_do_not_bring_the_name_back(desk: Desk) -> None:
    desk.write("log.jsonl", call(user_id="ada"))
    desk.ingest()
    forget_person(desk.ledger, "ada")
    assert desk.ingest()["files_unchanged"] == 1
    assert desk.calls("user_id") == [None]
    desk.ingest(full=True)
    assert desk.calls("user_id") == ["ada"]


def test_a_person_is_found_behind_the_pseudonym(desk: Desk) -> None:
    desk.write("log.jsonl", call(output_tokens=1, user_id="ada"), call(output_tokens=2, user_id="bob"))
    desk.ingest(given=USER)
    forget_person(desk.ledger, "ada")
    assert desk.calls("user_id") == [None, pseudonym(desk, "bob")]


def test_a_name_that_is_nowhere_is_an_error(desk: Desk) -> None:
    desk.write("log.jsonl", call(user_id="ada"))
    desk.ingest()
    with pytest.raises(LedgerError, match="knows no 'Ada'") as caught:
        forget_person(desk.ledger, "Ada")
    assert caught.value.hint == "did you mean ada?"
    assert desk.calls("user_id") == ["ada"]
