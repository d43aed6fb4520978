"""What calls can be grouped by: labels, tags, and units of time.

Names come from a fixed list, so nothing that a user types becomes SQL; names of tags are bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from costctl import filters
from costctl.analysis.questions import QuestionError, unknown
from costctl.ledger import Engine, tag_path
from costctl.periods import Unit, bucket, bucket_label
from costctl.records import BY_PUBLIC
from costctl.report import Column

TIMES: tuple[Unit, ...] = ("hour", "day", "week", "month")

NAMES: tuple[str, ...] = (*filters.COLUMNS, *TIMES)
"""Every dimension, besides ``tag:NAME``."""

_BETWEEN_COMMAS = re.compile(r"(?:^|,)((?:[^,\\]|\\.|\\$)*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

Value = str | int | None
"""Of a dimension in SQL: a label, the number of a unit of time, or unknown."""

Key = tuple[Value, ...]
"""A value of each dimension of a question, in its order: what a group of calls has in common."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """``name`` is one of :data:`NAMES` or ``tag:NAME``; ``unit`` is set where it is time."""

    name: str
    unit: Unit | None = None

    @property
    def is_time(self) -> bool:
        return self.unit is not None

    @property
    def column(self) -> Column:
        return Column(self.name, "time" if self.is_time else "text", title=self.name)

    def sql(
        self, engine: Engine, span: tuple[datetime, datetime] | None, zone: ZoneInfo
    ) -> tuple[str, list[str]]:
        """The SQL of a call's value, and what its ``?`` stand for. ``span`` holds all calls that count;
        None, where there are none, and where it is not about time."""
        if self.unit is not None:
            return bucket(self.unit, *span, zone) if span else "0", []
        if self.name.startswith("tag:"):
            return f"nullif({engine.tag()}, '')", [tag_path(self.name[4:])]
        return BY_PUBLIC[self.name].name, []

    def label(self, value: Value) -> str | None:
        """``value`` as people read it; None is unknown."""
        if self.unit is not None:
            assert isinstance(value, int)
            return bucket_label(self.unit, value)
        assert not isinstance(value, int)
        return value


def dimension(name: str) -> Dimension:
    """The dimension called ``name``. Raises :class:`QuestionError`."""
    if name.startswith("tag:"):
        if name == "tag:":
            raise QuestionError("tag: needs a name", "as in tag:env")
        return Dimension(name)
    if name not in NAMES:
        raise unknown("dimension", name, (*NAMES, "tag:NAME"))
    return Dimension(name, next((unit for unit in get_args(Unit) if unit == name), None))


def dimensions(by: str | Iterable[str]) -> tuple[Dimension, ...]:
    """The dimensions called ``by``; a text has them between commas, and a backslash takes the next character
    literally. Raises :class:`QuestionError`."""
    names = _names(by) if isinstance(by, str) else list(by)
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise QuestionError(f"dimension {twice[0]!r} is asked for twice")
    return tuple(map(dimension, names))


def _names(text: str) -> list[str]:
    return [_ESCAPE.sub(r"\1", name.strip()) for name in _BETWEEN_COMMAS.findall(text)]


def title(what: str, by: Sequence[Dimension]) -> str:
    """``Cost by team, model and day``."""
    names = [each.name for each in by]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{what} by {listed}" if names else what


def other(count: int, width: int) -> tuple[str | None, ...]:
    """The labels of the row that stands for ``count`` others."""
    return (f"other ({count:,} row{'' if count == 1 else 's'})", *(None for _ in range(width - 1)))
