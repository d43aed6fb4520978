"""`forget --user`: a person's name taken out of the ledger; the calls and what they cost stay."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from costctl.allocation import NOTHING
from costctl.ingest.allocated import applied, set_rules
from costctl.ingest.commit import commit
from costctl.ingest.pseudonyms import pseudonym
from costctl.ingest.sources import Given
from costctl.ledger import Ledger, LedgerError
from costctl.ledger.engine import DuckDBEngine
from costctl.ledger.key import existing
from costctl.ledger.phases import phase
from costctl.report import Column, Outcome

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_IS_NAME = "list_contains(CAST($names AS VARCHAR[]), {value})"

_UNNAME = f"UPDATE stored_calls SET user_id = NULL WHERE {_IS_NAME.format(value='user_id')}"

_TAG = "tags ->> ('/' || replace(replace(name, '~', '~0'), '/', '~1'))"
_HAS_TAG = f"list_bool_or(list_transform(json_keys(tags), lambda name: {_IS_NAME.format(value=_TAG)}))"
_UNTAG = f"""
UPDATE stored_calls SET tags = nullif(CAST(to_json(map_from_entries(list_transform(
    list_filter(
        list_sort(list_distinct(json_keys(tags))),
        lambda name: NOT coalesce({_IS_NAME.format(value=_TAG)}, FALSE)
    ),
    lambda name: {{'key': name, 'value': {_TAG}}}
))) AS VARCHAR), '{{}}')
WHERE tags IS NOT NULL AND {_HAS_TAG}
"""

# A line may write letters of a name as escapes.
_UNQUOTE = """
UPDATE rejects SET raw = NULL
WHERE list_bool_or(list_transform(CAST($spellings AS VARCHAR[]), lambda name: contains(raw, name)))
"""

_KNOWN = "SELECT DISTINCT user_id FROM stored_calls WHERE user_id IS NOT NULL"


def forget_person(ledger: Ledger, name: str) -> Outcome:
    """Take the person ``name``, letter by letter, out of the ledger, and the pseudonym that the ledger's key
    gives that name: as a call's user and as the value of a tag, in the texts of rejected lines, in the flags
    that a source was read with, and in the rules of allocation.

    Figures: ``calls`` that had the user, ``tagged_calls``, ``rejected_lines`` whose text was dropped,
    ``sources`` whose flags named them, ``rules`` that did. Raises :class:`LedgerError` where the name is
    nowhere, :class:`LedgerMissing`.
    """
    with ledger.reading():
        pass  # a ledger that is not there is not made
    key = existing(ledger)
    names = [name] if key is None else [name, pseudonym(key, name)]
    with ledger.writing() as connection:
        connection.execute("BEGIN")
        spellings = {each for one in names for each in (one, json.dumps(one)[1:-1])}
        figures = (
            _count(connection, _UNNAME, {"names": names}),
            _count(connection, _UNTAG, {"names": names}),
            _count(connection, _UNQUOTE, {"spellings": sorted(spellings)}),
            _sources(connection, names),
            _rules(connection, names),
        )
        if not any(figures):
            known = [row[0] for row in connection.execute(_KNOWN).fetchall()]
            connection.execute("ROLLBACK")
            near = difflib.get_close_matches(name, known, n=1) or [
                each for each in known if each.casefold() == name.casefold()
            ]
            raise LedgerError(
                f"the ledger knows no {name!r}",
                hint=f"did you mean {near[0]}?" if near else "names are compared letter by letter",
            )
        phase("commit")
        commit(connection)
        ledger.checkpoint_if_due(connection)
    return Outcome(
        "forget",
        tuple(
            Column(each, "count") for each in ("calls", "tagged_calls", "rejected_lines", "sources", "rules")
        ),
        figures,
        ("files that are read again whole bring the name back, unless it is taken out of them too",),
    )


def _count(connection: DuckDBPyConnection, update: str, bound: dict[str, list[str]]) -> int:
    (count,) = connection.execute(update, bound).fetchone() or (0,)
    return int(count)


def _sources(connection: DuckDBPyConnection, names: Collection[str]) -> int:
    """Take the names out of the flags that sources were read with; of how many sources."""
    changed = 0
    for source_id, text in connection.execute("SELECT source_id, given FROM sources").fetchall():
        given = Given.from_json(text)
        tags = {each: value for each, value in given.tags.items() if value not in names}
        left = given.without_constants(names)
        left = replace(left, user="" if given.user in names else given.user, tags=tags)
        if left != given:
            connection.execute(
                "UPDATE sources SET given = ? WHERE source_id = ?", [left.to_json(), source_id]
            )
            changed += 1
    return changed


def _rules(connection: DuckDBPyConnection, names: Collection[str]) -> int:
    """Take the names out of the rules that were applied, and out of what they gave; of how many rules."""
    before = after = applied(DuckDBEngine(connection))
    for name in names:
        after = after.without_person(name)
    if before != NOTHING:
        set_rules(connection, after)  # anew in any case: the name may be in what rules looked at
    kept = (*after.rules, *after.shared)
    return sum(each not in kept for each in (*before.rules, *before.shared))
