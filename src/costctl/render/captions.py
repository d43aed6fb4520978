"""What stands over and under the rows, as sentences for people: period, provenance, and what the figures
leave out.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from costctl.render.cells import display
from costctl.render.printable import printable
from costctl.render.width import shorten
from costctl.report import Column, Outcome, Report, Span, Unpriced

_MODELS_NAMED = 5
"""How many models a sentence names; JSON names all."""


def header(report: Report, name_width: int | None = None) -> list[str]:
    """The title; period, zone, number of calls and price books; the filters. Printable.

    Names are shortened to ``name_width`` cells where given: a table's reader wants figures, not names.
    """
    facts: list[str] = []
    if report.period is not None:
        facts += [period(report.period), printable(report.period.timezone)]
    if report.calls is not None:
        facts.append(_counted(report.calls, "call"))
    if report.price_books:
        facts.append("prices: " + ", ".join(_name(book, name_width) for book in report.price_books))
    lines = [printable(report.title), " · ".join(facts)]
    if report.filters:
        lines.append("where " + ", ".join(_name(condition, name_width) for condition in report.filters))
    return [line for line in lines if line]


def warnings(report: Report, name_width: int | None = None) -> list[str]:
    """What makes the figures less than the whole truth: calls without a price, rejected lines."""
    sentences = []
    if report.unpriced.calls or report.unpriced.tokens:
        sentences.append(_unpriced(report.unpriced, name_width))
    if report.rejected_lines:
        verb = "was" if report.rejected_lines == 1 else "were"
        lines = _counted(report.rejected_lines, "line")
        where = "" if report.command == "rejects" else ": see costctl rejects"
        sentences.append(f"{lines} {verb} rejected and not counted{where}")
    return sentences


def remarks(report: Report | Outcome) -> list[str]:
    """The footer: the warnings, then the notes. A command says them on standard error where the output has no
    room for them (CSV)."""
    found = warnings(report) if isinstance(report, Report) else []
    return [*found, *map(printable, report.notes)]


def period(span: Span) -> str:
    """``2024-10-01 to 2024-10-31``: the last day included where the bounds are whole days, else both times.

    Raises :class:`ValueError` where a bound is not ISO 8601.
    """
    start = datetime.fromisoformat(span.start) if span.start else None
    end = datetime.fromisoformat(span.end) if span.end else None
    if all(bound is None or bound.time() == time.min for bound in (start, end)):
        first = f"{start:%Y-%m-%d}" if start else ""
        last = f"{end - timedelta(days=1):%Y-%m-%d}" if end else ""
    else:
        first, last = _minute(start), _minute(end)
    if first and last:
        dates = first if first == last else f"{first} to {last}"
    else:
        dates = f"from {first}" if first else f"to {last}" if last else "all time"
    label = printable(span.label)
    return f"{label} ({dates})" if label and label != dates else dates


def figures(report: Report) -> list[tuple[str, str]]:
    """Title and value, for people, of each of the report's single figures."""
    return [
        (printable(column.title), _figure(column, report.figures[column.name]))
        for column in report.figure_columns
        if not column.hidden
    ]


def outcome_figures(outcome: Outcome) -> list[tuple[str, str]]:
    """Title and value of each figure; a dict gives one line a key, titled ``rejects by reason: bad time``."""
    lines = []
    for column, value in zip(outcome.columns, outcome.values, strict=True):
        title = printable(column.title)
        if isinstance(value, dict):
            lines += [
                (f"{title}: {printable(str(key))}", _figure(column, item)) for key, item in value.items()
            ]
        else:
            lines.append((title, _figure(column, value)))
    return lines


def _figure(column: Column, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_figure(column, item) for item in value) or display(column, None)
    if isinstance(value, dict):
        return ", ".join(f"{printable(str(key))} {_figure(column, item)}" for key, item in value.items())
    if isinstance(value, str):
        return printable(value)
    shown = display(column, value)
    worded = value is not None and column.kind in {"count", "number"} and column.unit
    return f"{shown} {printable(column.unit)}" if worded else shown


def _name(text: str, width: int | None) -> str:
    return printable(text) if width is None else shorten(printable(text), width)


def _unpriced(unpriced: Unpriced, name_width: int | None) -> str:
    named = [_name(model, name_width) for model in unpriced.models[:_MODELS_NAMED]]
    more = len(unpriced.models) - len(named)
    models = (f" of {', '.join(named)}" if named else "") + (f" and {more:,} more" if more else "")
    verb = "has" if unpriced.calls == 1 else "have"
    calls, tokens = _counted(unpriced.calls, "call"), _counted(unpriced.tokens, "token")
    return f"{calls} ({tokens}){models} {verb} no price: the cost is a lower bound"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _minute(moment: datetime | None) -> str:
    """``2024-10-01 08:30``, with seconds where there are some; the zone stands beside it in the header."""
    if moment is None:
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"
