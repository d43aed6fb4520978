"""How the view of the calls shows the labels that allocation gives, beside what the sources say.

The table ``allocations`` has a row for each combination of what the rules look at, with the labels that they
give; the source's own words stay in ``stored_calls``. Without rules there is neither the table nor a join.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from costctl.ledger.engine import tag_path
from costctl.records import BY_PUBLIC

if TYPE_CHECKING:
    from costctl.ledger.engine import Engine

FILLED = ("team", "project", "user_id", "agent", "tags")
"""The columns that rules may fill."""

RULES, LAYOUT = "allocation", "allocation_layout"
"""The keys of ``meta`` for the rules that were applied, as JSON, and for the layout of the table."""


@dataclass(frozen=True, slots=True)
class Layout:
    """``by``: what rules look at, by public names, ``tag:NAME`` and ``source``. ``fills``: the columns that
    they fill, of :data:`FILLED`. ``overrides``: whether some go before what a source says."""

    by: tuple[str, ...] = ()
    fills: tuple[str, ...] = ()
    overrides: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Layout:
        said = json.loads(text)
        return cls(tuple(said["by"]), tuple(said["fills"]), said["overrides"])

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Name and type of the columns of ``allocations``: ``key_0`` and so on, one for each of ``by``, ""
        where a call does not say; what is filled; and whether that goes before the source's words."""
        kinds = ("INTEGER" if each == "source" else "VARCHAR" for each in self.by)
        return (
            *((f"key_{number}", kind) for number, kind in enumerate(kinds)),
            *((column, "VARCHAR") for column in self.fills),
            ("overrides", "BOOLEAN"),
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the columns for ``by``."""
        return tuple(f"key_{number}" for number in range(len(self.by)))


PLAIN = Layout()
"""No rules."""


def layout(engine: Engine) -> Layout:
    """The layout of the table ``allocations`` of a ledger."""
    found = engine.rows("SELECT value FROM meta WHERE key = ?", [LAYOUT])
    return Layout.from_json(found[0][0]) if found else PLAIN


def rules(engine: Engine) -> str | None:
    """The rules that were applied, as JSON; None where there are none."""
    found = engine.rows("SELECT value FROM meta WHERE key = ?", [RULES])
    return str(found[0][0]) if found else None


def keys(by: Iterable[str], said: Iterable[str] = (), tags: str = "tags") -> str:
    """SQL for the values of ``by``, called ``key_0`` and so on. Of the columns ``said`` the source's words
    are called ``said_…``; ``tags`` is the column of the tags' text."""
    own = {column: f"said_{column}" for column in said}
    values = []
    for number, each in enumerate(by):
        if each == "source":
            value = "source_id"
        elif each.startswith("tag:"):
            # A view has no parameters. The name is a text that one may write in rules: it is quoted.
            pointer = tag_path(each[4:]).replace("'", "''")
            value = f"coalesce(json_extract_string({own.get('tags', tags)}, '{pointer}'), '')"
        else:
            column = BY_PUBLIC[each].name
            value = f"coalesce({own.get(column, column)}, '')"
        values.append(f"{value} AS key_{number}")
    return ", ".join(values)


def labelled(layout: Layout, calls: str, tags: str = "tags", with_said: bool = False) -> str:
    """A SELECT of ``calls`` (what may follow FROM) with the labels of ``layout``, which fills something;
    ``tags`` is the column of the tags' text. ``with_said`` adds ``said_…``, the source's words, for each.

    The keys are made before the join, and the other side is grouped by them: so the engine sees that the join
    finds one row at most, and leaves it out where a question asks for none of the labels.
    """
    shown = {column: tags if column == "tags" else column for column in layout.fills}
    labels = [f"{_label(column, name, layout.overrides)} AS {name}" for column, name in shown.items()]
    said = [f"s.{name} AS said_{column}" for column, name in shown.items()] if with_said else []
    given = [f"any_value({name}) AS given_{name}" for name in (*layout.fills, "overrides")]
    grouped = ", ".join(layout.keys)
    own = f"EXCLUDE ({grouped}) " if grouped else ""
    # S608: names of columns are ours; those of tags are quoted.
    return f"""SELECT {", ".join((f"s.* {own}REPLACE ({', '.join(labels)})", *said))}
FROM (SELECT {", ".join(filter(None, ("*", keys(layout.by, tags=tags))))} FROM {calls}) AS s
LEFT JOIN (
    SELECT {", ".join((*layout.keys, *given))} FROM allocations {f"GROUP BY {grouped}" if grouped else ""}
) AS given ON {" AND ".join(f"s.{key} = given.{key}" for key in layout.keys) or "TRUE"}"""  # noqa: S608


def relation(layout: Layout) -> str:
    """``stored_calls`` under the labels that reports show; for each column that is filled there is also
    ``said_…``, the source's words."""
    if not layout.fills:
        return "stored_calls"
    return f"(\n{labelled(layout, 'stored_calls', with_said=True)}\n) AS stored_calls"


def _label(column: str, name: str, overrides: bool) -> str:
    """SQL for a label, of which the source's words are in ``name``."""
    said, given = f"s.{name}", f"given.given_{column}"
    if column == "tags":
        return _tags(said, given, overrides)
    filled = f"coalesce({said}, {given})"
    return (
        f"CASE WHEN given_overrides THEN coalesce({given}, {said}) ELSE {filled} END" if overrides else filled
    )


def _tags(said: str, given: str, overrides: bool) -> str:
    """Tags are texts of JSON objects. A patch with a null would take a tag away."""
    patch = f"json_merge_patch('{{}}', {said})"
    over = f"WHEN given_overrides THEN CAST(json_merge_patch({patch}, {given}) AS VARCHAR) "
    return (
        f"CASE WHEN {given} IS NULL THEN {said} WHEN {said} IS NULL THEN {given} {over if overrides else ''}"
        f"ELSE CAST(json_merge_patch({given}, {patch}) AS VARCHAR) END"
    )
