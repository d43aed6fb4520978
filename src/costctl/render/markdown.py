"""A report as GitHub Flavored Markdown, for pull requests and wikis: rounded for people, labels in full.

Texts from data are only ever text. Punctuation is escaped by a backslash. GitHub would still make links,
images and calls to people of addresses, mentions and emoji codes, so a word that holds one (``@``, ``://``,
``www.``, ``#1``, ``:tada:``) stands in a code span, where nothing is live.
"""

from __future__ import annotations

import re
from typing import TextIO

from costctl.render.captions import figures, header, outcome_figures, remarks
from costctl.render.cells import display
from costctl.render.printable import printable
from costctl.report import TEXT_KINDS, Cell, Column, Outcome, Report

_PUNCTUATION = re.compile(r"[\\`*_\[\]<>#!|~&$]|^[-+=]+$")
_ORDINAL = re.compile(r"^(\d+)([.)])(?= |$)")
_LIVE = re.compile(r"@|://|www\.|#\d|:[\w+-]+:", re.IGNORECASE)


def write_markdown(report: Report | Outcome, stream: TextIO) -> None:
    """Write header, table (numbers to the right, totals bold), figures and footer.

    Raises :class:`TypeError` and :class:`ValueError` where a cell is not of its column's kind.
    """
    if isinstance(report, Outcome):
        blocks = [_table(["figure", "value"], [False, True], outcome_figures(report))]
    else:
        blocks = [f"{escaped(line.strip())}\n" for line in header(report)]
        if report.title.strip():
            blocks[0] = f"**{blocks[0].rstrip()}**\n"
        if report.rows:
            blocks.append(_rows(report))
        else:
            blocks.append("Nothing to show.\n")
        if report.figures:
            blocks.append(_table(["figure", "value"], [False, True], figures(report)))
    if footer := remarks(report):
        blocks.append("".join(f"- {escaped(sentence)}\n" for sentence in footer))
    stream.write("\n".join(blocks))


def escaped(text: str) -> str:
    """``text`` so that Markdown shows it letter for letter on one line, printable, with no live part."""
    return _ORDINAL.sub(r"\1\\\2", " ".join(map(_escaped_word, printable(text).split(" "))))


def _escaped_word(word: str) -> str:
    if not _LIVE.search(word):
        return _PUNCTUATION.sub(r"\\\g<0>", word)
    # A pipe ends a cell even in a code span, so it stands between two spans.
    return r"\|".join(map(_code, word.split("|")))


def _code(text: str) -> str:
    """``text`` in a code span: its fence is longer than any run of backticks in it."""
    if not text:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def _rows(report: Report) -> str:
    columns = [column for column in report.columns if not column.hidden]
    rows = [[_cell(*pair) for pair in _shown(report, row)] for row in report.rows]
    if report.totals is not None:
        totals = [
            "" if value is None and column.kind in TEXT_KINDS else _cell(column, value)
            for column, value in _shown(report, report.totals)
        ]
        if totals[0] == "":
            totals[0] = "total"
        rows.append([f"**{total}**" if total else "" for total in totals])
    titles = [escaped(column.title) for column in columns]
    return _lines(titles, [column.kind not in TEXT_KINDS for column in columns], rows)


def _shown(report: Report, row: tuple[Cell, ...]) -> list[tuple[Column, Cell]]:
    """The cells of a row that people see, each with its column."""
    pairs = zip(report.columns, row, strict=True)
    return [(column, value) for column, value in pairs if not column.hidden]


def _table(titles: list[str], right: list[bool], pairs: list[tuple[str, str]]) -> str:
    return _lines(titles, right, [[escaped(name), escaped(value)] for name, value in pairs])


def _lines(titles: list[str], right: list[bool], rows: list[list[str]]) -> str:
    rule = ["---:" if numbers else "---" for numbers in right]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [titles, rule, *rows])


def _cell(column: Column, value: Cell) -> str:
    shown = display(column, value)
    return escaped(shown) if column.kind in TEXT_KINDS else shown
