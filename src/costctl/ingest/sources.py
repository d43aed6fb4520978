"""The flags of an ingest, and what is written down about each file that was read."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from costctl.ledger.sources import Source, compared

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Change = Literal["new", "unchanged", "grown", "changed"]


@dataclass(frozen=True, slots=True)
class Given:
    """The flags of an ingest: they fill what a file does not say. ``format`` overrides recognition."""

    format: str = ""
    team: str = ""
    project: str = ""
    user: str = ""
    agent: str = ""
    billing: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    time: str = ""
    zone: str = ""
    model: str = ""
    pseudonymize: tuple[str, ...] = ()
    """Labels and ``tag:NAME`` whose values become pseudonyms; those that are e-mail addresses always do."""
    map: str = ""
    """What a mapping says (:func:`costctl.formats.mapping.read`): with it a file can be read again, whatever
    has become of the mapping's own file."""

    def to_json(self) -> str:
        """Only what was given, keys sorted: equal flags are equal texts."""
        return json.dumps({key: value for key, value in asdict(self).items() if value}, sort_keys=True)

    @property
    def of_calls(self) -> tuple[str, ...]:
        """The flags that change what a record becomes, though it states everything, as they are typed."""
        flags = {"format": "--as", "tags": "--tag"}
        neither = ("time", "zone", "model")
        said = (each.name for each in fields(self) if each.name not in neither and getattr(self, each.name))
        return tuple(flags.get(name, f"--{name}") for name in said)

    @property
    def constants(self) -> dict[str, str]:
        """What its mapping gives to every record, by label or ``tag:NAME``: people may be named there."""
        if not self.map:
            return {}
        from costctl.formats.mapping import constants_of

        return constants_of(self.map)

    def without_constants(self, names: Collection[str]) -> Given:
        """The same with a mapping that gives none of ``names`` to every record."""
        if not any(value in names for value in self.constants.values()):
            return self
        from costctl.formats.mapping import without_constants

        return replace(self, map=without_constants(self.map, names))

    @classmethod
    def from_json(cls, text: str) -> Given:
        said = json.loads(text)
        return cls(**{**said, "pseudonymize": tuple(said.get("pseudonymize", ()))})


def save(connection: DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Write ``sources`` in place of the rows of their ids."""
    bound = {each.name: [getattr(source, each.name) for source in sources] for each in fields(Source)}
    connection.execute(_DELETE, {"source_id": bound["source_id"]})
    connection.execute(_INSERT, bound)


_TEXTS = ("path", "format", "given", "head", "tail")
_VALUES = ", ".join(
    f"unnest(CAST(${each.name} AS {'VARCHAR' if each.name in _TEXTS else 'BIGINT'}[])) AS {each.name}"
    for each in fields(Source)
)
_DELETE = "DELETE FROM sources WHERE source_id IN (SELECT unnest(CAST($source_id AS INTEGER[])))"
_INSERT = f"""
INSERT INTO sources
SELECT * EXCLUDE (first_us, last_us),
    make_timestamp(first_us), make_timestamp(last_us), make_timestamp(epoch_us(now()))
FROM (SELECT {_VALUES})
"""


def change(path: Path, known: Source | None, given: Given, full: bool) -> Change:
    """What has become of the file at ``path`` since ``known`` was written (:func:`compared`)."""
    if known is None:
        return "new"
    if full or known.given != given.to_json():
        return "changed"
    if known.is_stream:
        return "unchanged"
    return compared(path, known)


def described(
    name: str,
    source_id: int,
    format: str,
    given: Given,
    read_to: int,
    edges: tuple[str, str],
    status: os.stat_result,
) -> Source:
    """The source ``name``: a file read up to ``read_to`` bytes, which had ``status`` before that; ``edges``
    are of :func:`costctl.ledger.sources.edges`."""
    head, tail = edges
    return Source(
        source_id,
        name,
        format,
        given.to_json(),
        status.st_size,
        status.st_mtime_ns,
        status.st_dev,
        status.st_ino,
        read_to,
        head,
        tail,
    )
