"""Which columns of a report a terminal shows, and how wide each is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from costctl.render.cells import UNKNOWN, display
from costctl.render.printable import printable
from costctl.render.width import longest_word, measure, shorten
from costctl.report import TEXT_KINDS, Column, Report

GAP = 2
"""Blank cells between two columns."""

BAR_WIDTH = 12

_COMFORTABLE_LABEL = 32
"""Labels are shortened to this, if need be, for the sake of bars, ``wide`` columns and exact tokens."""
_LABEL = 16
"""Labels are shortened to this before a column is left out..."""
_SHORT_LABEL = 8
"""... and to this at last."""
_TRIES = ((False, _COMFORTABLE_LABEL), (True, _COMFORTABLE_LABEL), (True, _LABEL), (True, _SHORT_LABEL))
"""Whether tokens are written as 1.2M, and to what labels are shortened, in turn: a name says more than the
last digits of a count."""
_TITLE_WORD = 16
"""A longer word in a title (a model's name over a pivot's column) goes on in the next line after a hyphen, or
else is shortened."""


@dataclass(frozen=True, slots=True)
class Place:
    """A column's place in the table. ``texts`` are its cells for people, one a row; ``bar`` follows it as a
    picture of this many cells, 0 for none."""

    index: int
    column: Column
    title: str
    texts: list[str]
    total: str
    width: int
    bar: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    places: tuple[Place, ...]
    left_out: tuple[Column, ...]
    """Columns that should be shown but do not fit; ``wide`` ones are not among them."""


@dataclass(slots=True)
class _Candidate:
    index: int
    column: Column
    title: str
    texts: list[str]
    total: str
    width: int

    @property
    def is_text(self) -> bool:
        return self.column.kind in TEXT_KINDS

    def yields(self, label: int) -> bool:
        """Whether it can be shortened to ``label``: numbers never, times only to the last resort, 1."""
        return self.column.kind == "text" or (self.is_text and label <= 1)

    def least(self, label: int) -> int:
        """The narrowest it may become."""
        return min(self.width, max(label, 1)) if self.yields(label) else self.width


def lay_out(report: Report, width: int) -> Layout:
    """Places that take at most ``width`` cells together (gaps included), in the order of the report's
    columns.

    In turn: tokens are written as 1.2M, labels shortened below what a model's name takes, columns left out
    from the right, but never the first one nor, while it fits, the main one: a pivot's total, else the first
    money. Bars, then ``wide`` columns, take what room remains.
    """
    shown = [index for index, column in enumerate(report.columns) if not (column.wide or column.hidden)]
    if not shown:
        return Layout((), ())
    if len(shown) * (1 + GAP) <= width + GAP:  # else the texts of some thousand columns are made for nothing
        for compact, label in _TRIES:
            candidates = [_candidate(report, index, compact) for index in shown]
            if _taken(candidates, label) <= width:
                return Layout(_with_extras(report, candidates, width, label, compact), ())
    candidates = _those_that_fit(report, shown, width)
    kept = {candidate.index for candidate in candidates}
    left_out = tuple(report.columns[index] for index in shown if index not in kept)
    return Layout(tuple(_place(candidate) for candidate in candidates), left_out)


def _those_that_fit(report: Report, shown: Sequence[int], width: int) -> list[_Candidate]:
    first = shown[0]
    main = [index for index in shown[1:] if report.columns[index].name == "total"]
    main += [index for index in shown[1:] if report.columns[index].kind == "money"]
    kept = [_candidate(report, first, compact=True)]
    if main:
        candidate = _candidate(report, main[0], compact=True)
        if _taken([*kept, candidate], 1) <= width:
            kept.append(candidate)
    for index in shown[1:]:
        if index not in main[:1]:
            candidate = _candidate(report, index, compact=True)
            if _taken([*kept, candidate], _SHORT_LABEL) > width:
                break
            kept.append(candidate)
    kept.sort(key=lambda candidate: candidate.index)
    _squeeze(kept, width, _SHORT_LABEL if _taken(kept, _SHORT_LABEL) <= width else 1)
    if len(kept) == 1:
        kept[0].width = min(kept[0].width, width)
    return kept


def _with_extras(
    report: Report, base: list[_Candidate], width: int, label: int, compact: bool
) -> tuple[Place, ...]:
    candidates = list(base)
    room = width - _taken(base, _COMFORTABLE_LABEL)
    charted = {chart.column for chart in report.charts if chart.form == "bar"}
    bars = [candidate.index for candidate in base if candidate.column.name in charted]
    bars = bars[: max(room, 0) // (GAP + BAR_WIDTH)]
    room -= len(bars) * (GAP + BAR_WIDTH)
    for index, column in enumerate(report.columns):
        if column.wide and not column.hidden and room > GAP:
            candidate = _candidate(report, index, compact)
            room -= GAP + candidate.least(_COMFORTABLE_LABEL)
            if room < 0:
                break
            candidates.append(candidate)
    candidates.sort(key=lambda candidate: candidate.index)
    _squeeze(candidates, width - len(bars) * (GAP + BAR_WIDTH), label)
    return tuple(_place(each, BAR_WIDTH if each.index in bars else 0) for each in candidates)


def _taken(candidates: Sequence[_Candidate], label: int | None = None) -> int:
    """Cells of the candidates side by side, their labels shortened to ``label`` where given."""
    widths = (each.width if label is None else each.least(label) for each in candidates)
    return sum(widths) + GAP * (len(candidates) - 1)


def _squeeze(candidates: Sequence[_Candidate], width: int, label: int) -> None:
    """Make the widest labels narrower until all fits or every label is at ``label``."""
    texts = [each for each in candidates if each.yields(label)]
    fixed = sum(each.width for each in candidates if not each.yields(label))
    room = width - fixed - GAP * (len(candidates) - 1)
    # The greatest common limit that fits: short labels keep their width, long ones share what is left.
    limit = max(room, label)
    while limit > label and sum(min(each.width, limit) for each in texts) > room:
        limit -= 1
    spare = room - sum(min(each.width, limit) for each in texts)
    for candidate in texts:
        grown = 1 if candidate.width > limit and spare > 0 else 0
        spare -= grown
        candidate.width = min(candidate.width, limit + grown)


def _candidate(report: Report, index: int, compact: bool) -> _Candidate:
    column = report.columns[index]
    texts = [display(column, row[index], compact=compact) for row in report.rows]
    total = "" if report.totals is None else _total(report, index, compact)
    width = max(1, measure(total), *map(measure, texts))
    room = max(width, _TITLE_WORD)
    title = " ".join(part for word in printable(column.title).split() for part in _parts(word, room))
    return _Candidate(index, column, title, texts, total, max(width, longest_word(title)))


def _parts(word: str, width: int) -> list[str]:
    """A word of a title in parts of at most ``width`` cells, each as long as its hyphens let it be."""
    parts = [""]
    for piece in re.findall(r"[^-]*-|[^-]+", word) if measure(word) > width else [word]:
        if measure(parts[-1] + piece) <= width:
            parts[-1] += piece
        else:
            parts.append(shorten(piece, width))
    return [part for part in parts if part]


def _total(report: Report, index: int, compact: bool) -> str:
    """A total for people. A label has no total; the first column says what the row is."""
    assert report.totals is not None
    column, value = report.columns[index], report.totals[index]
    if value is None and column.kind in TEXT_KINDS:
        return "total" if index == 0 else ""
    return display(column, value, compact=compact)


def _place(candidate: _Candidate, bar: int = 0) -> Place:
    return Place(
        candidate.index,
        candidate.column,
        candidate.title,
        [_fitted(candidate, text) for text in candidate.texts],
        _fitted(candidate, candidate.total),
        candidate.width,
        bar,
    )


def _fitted(candidate: _Candidate, text: str) -> str:
    """``text`` in the column's width. A number that does not fit is hidden: part of one would be a lie."""
    if candidate.is_text or measure(text) <= candidate.width:
        return shorten(text, candidate.width)
    return shorten(UNKNOWN if text == UNKNOWN else "…", candidate.width)
