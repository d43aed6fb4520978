"""Pseudonyms in the place of people's names, on their way in.

A name becomes ``person-`` and 16 hexadecimal digits of its HMAC-SHA256 (RFC 2104) under the ledger's own key.
The same name, letter by letter, has the same pseudonym in the whole ledger. Calls are known by their source's
words, so a pseudonym makes no other call.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from costctl.ingest.sources import Given
from costctl.ledger.errors import LedgerError
from costctl.ledger.key import KEY, fingerprint
from costctl.records import BY_NAME, LABELS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PREFIX = "person-"
_DIGITS = 16
_BLOCK = 64
"""Bytes of a block of SHA-256."""

NAMES: tuple[str, ...] = tuple(BY_NAME[label].public for label in LABELS)
"""What can be pseudonymised, besides ``tag:NAME``."""

E_MAIL = r"([^@]*<)?[^@\s<>]+@[^@\s<>:/]+\.[^@\s<>:/]+>?"
"""What looks like an e-mail address, perhaps with a name before it. It is read alike by Python and RE2."""


def pseudonym(key: bytes, name: str) -> str:
    """The pseudonym of ``name``."""
    return PREFIX + hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


def of_flags(given: Given, key: bytes) -> Given:
    """``given`` without the names that its own flags say. Raises :class:`LedgerError` for a mapping that says
    one itself: it is kept as it is."""

    def kept(name: str, value: str) -> str:
        named = name in given.pseudonymize or re.fullmatch(E_MAIL, value) is not None
        return pseudonym(key, value) if value and named else value

    for name, value in given.constants.items():
        if kept(name, value) != value:
            raise LedgerError(
                f"a mapping gives every record the same {name}, which is to be kept as a pseudonym only",
                hint=f"take {name} out of the mapping, and give it as an option instead",
            )
    return replace(
        given,
        team=kept("team", given.team),
        project=kept("project", given.project),
        user=kept("user", given.user),
        agent=kept("agent", given.agent),
        tags={name: kept(f"tag:{name}", value) for name, value in given.tags.items()},
    )


def set_key(connection: DuckDBPyConnection, key: bytes) -> None:
    """Have :func:`replaced` use ``key`` in this connection, and note in the open transaction that it was."""
    padded = key.ljust(_BLOCK, b"\0")
    for name, pad in (("inner", 0x36), ("outer", 0x5C)):
        digits = bytes(byte ^ pad for byte in padded).hex()
        connection.execute(f"SET VARIABLE pseudonym_{name} = unhex('{digits}')")
    connection.execute("DELETE FROM meta WHERE key = ?", [KEY])
    connection.execute("INSERT INTO meta VALUES (?, ?)", [KEY, fingerprint(key)])


def replaced(
    names: Iterable[str], columns: Collection[str], parameters: dict[str, object]
) -> Mapping[str, str]:
    """SQL by column, of those in ``columns`` that may hold names: the labels and tags that ``names`` says,
    and whatever looks like an e-mail address. ``parameters`` gets what it binds."""
    asked = list(names)
    found: dict[str, str] = {}
    for column in LABELS:
        if column in columns:
            is_named = BY_NAME[column].public in asked
            found[column] = _of(column, f"{column} <> ''" if is_named else _is_e_mail(column))
    if "tags" in columns:
        parameters["named_tags"] = [name[4:] for name in asked if name.startswith("tag:")]
        value = "tags ->> ('/' || replace(replace(name, '~', '~0'), '/', '~1'))"
        named = "list_contains(CAST($named_tags AS VARCHAR[]), name)"
        entry = _of(f"({value})", f"{named} OR {_is_e_mail(f'({value})')}")
        # Of two equal names in an object the first counts.
        found["tags"] = (
            "CASE WHEN tags IS NOT NULL AND reason IS NULL "
            "THEN CAST(to_json(map_from_entries(list_transform(list_sort(list_distinct(json_keys(tags))), "
            f"lambda name: {{'key': name, 'value': {entry}}}))) AS VARCHAR) END"
        )
    if any("$e_mail" in value for value in found.values()):
        parameters["e_mail"] = E_MAIL
    return found


def _is_e_mail(value: str) -> str:
    return f"(contains({value}, '@') AND regexp_full_match({value}, CAST($e_mail AS VARCHAR)))"


def _of(value: str, condition: str) -> str:
    """SQL for the pseudonym of ``value`` where ``condition`` holds."""
    inner = f"unhex(sha256(getvariable('pseudonym_inner') || encode({value})))"
    digest = f"sha256(getvariable('pseudonym_outer') || {inner})"
    return f"CASE WHEN {condition} THEN '{PREFIX}' || left({digest}, {_DIGITS}) ELSE {value} END"
