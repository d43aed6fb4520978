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


def keys(by: Iterable[str], said: Iterable[str] = ()) -> str:
    """SQL for the values of ``by``, called ``key_0`` and so on. Of the columns ``said`` the source's words
    are called ``said_…``."""
    own = {column: f"said_{column}" for column in said}
    values = []
    for number, each in enumerate(by):
        if each == "source":
            value = "source_id"
        elif each.startswith("tag:"):
            # A view has no parameters. The name is a text that one may write in rules: it is quoted.
            pointer = tag_path(each[4:]).replace("'", "''")
            value = f"coalesce(json_extract_string({own.get('tags', 'tags')}, '{pointer}'), '')"
        else:
            column = BY_PUBLIC[each].name
            value = f"coalesce({own.get(column, column)}, '')"
        values.append(f"{value} AS key_{number}")
    return ", ".join(values)


def relation(layout: Layout) -> str:
    """SQL for ``stored_calls`` under the labels that reports show; for each column that is filled, there is
    also ``said_…``, the source's words.

    The keys are made before the join, and the other side is grouped by them: so the engine sees that the join
    finds one row at most, and leaves it out where a question asks for none of the labels.
    """
    if not layout.fills:
        return "stored_calls"
    fills = [column for column in layout.fills if column != "tags"]
    labels = [f"{_label(column, layout.overrides)} AS {column}" for column in fills]
    if "tags" in layout.fills:
        labels.append(f"{_tags(layout.overrides)} AS tags")
    given = ", ".join(f"any_value({name}) AS given_{name}" for name in (*layout.fills, "overrides"))
    same = " AND ".join(f"s.{key} = given.{key}" for key in layout.keys) or "TRUE"
    grouped = ", ".join(layout.keys)
    # S608: names of columns are ours; those of tags are quoted.
    return f"""(
    SELECT s.* REPLACE ({", ".join(labels)}), {", ".join(f"s.{name} AS said_{name}" for name in layout.fills)}
    FROM (SELECT {", ".join(filter(None, ("*", keys(layout.by))))} FROM stored_calls) AS s
    LEFT JOIN (
        SELECT {", ".join(filter(None, (grouped, given)))} FROM allocations
        {f"GROUP BY {grouped}" if grouped else ""}
    ) AS given ON {same}
) AS stored_calls"""  # noqa: S608


def _label(column: str, overrides: bool) -> str:
    filled = f"coalesce(s.{column}, given.given_{column})"
    if not overrides:
        return filled
    return (
        f"CASE WHEN given.given_overrides THEN coalesce(given.given_{column}, s.{column}) ELSE {filled} END"
    )


def _tags(overrides: bool) -> str:
    """Tags are texts of JSON objects. A patch with a null would take a tag away."""
    given, said = "given.given_tags", "json_merge_patch('{}', s.tags)"
    over = f"WHEN given.given_overrides THEN CAST(json_merge_patch({said}, {given}) AS VARCHAR) "
    return (
        f"CASE WHEN {given} IS NULL THEN s.tags WHEN s.tags IS NULL THEN {given} "
        f"{over if overrides else ''}"
        f"ELSE CAST(json_merge_patch({given}, {said}) AS VARCHAR) END"
    )
