"""Time downwards, another dimension to the right, one measure in the cells."""

from __future__ import annotations

from collections.abc import Sequence

from costctl.analysis.calls import Calls, Sums, merged
from costctl.analysis.dimensions import Dimension, Value, title
from costctl.analysis.measures import P95, Group, Measure
from costctl.analysis.provenance import with_provenance
from costctl.analysis.questions import QuestionError
from costctl.filters import Filter
from costctl.report import Cell, Column, Report


def pivoted(calls: Calls, by: Sequence[Dimension], cells: Sequence[Measure], top: int | None) -> Report:
    """One row for each hour, day, week or month, one column for each value of the other dimension, the
    greatest cost first, ``top`` of them and one for the rest; then their total.

    A column is named as the filter that finds its calls, ``model=claude-opus-4``; those of unknown value
    ``model=``. Raises :class:`QuestionError`.
    """
    times = [dimension for dimension in by if dimension.is_time]
    others = [dimension for dimension in by if not dimension.is_time]
    if len(times) != 1 or len(others) != 1:
        raise QuestionError("a pivot is of two dimensions, one of them time", "as in day,model")
    if len(cells) != 1:
        raise QuestionError("a pivot shows one measure", f"not {', '.join(cell.name for cell in cells)}")
    (time,), (across,), (measure,) = times, others, cells
    if measure.name == P95:
        raise QuestionError(f"a pivot cannot show {P95}", f"without pivot, {time.name},{across.name} can")
    found = calls.sums((time, across))
    whole = merged(found.values())
    columns, values = _across(found, across, measure, top)

    def row(moments: Sequence[Value]) -> list[Cell]:
        """The measure over ``moments``, in each column and in total."""
        parts = [
            merged(found.get((moment, each), Sums()) for moment in moments for each in those)
            for those in values
        ]
        return [measure.value(Group(sums, whole.cost)) for sums in (*parts, merged(parts))]

    moments = calls.every(time)
    report = Report(
        command="report",
        title=title(measure.column(True).title.capitalize(), (time, across)),
        columns=(time.column, *columns, Column("total", measure.kind, measure.unit)),
        rows=[(time.label(moment), *row([moment])) for moment in moments],
        totals=(None, *row(moments)),
    )
    return with_provenance(report, calls, whole)


def _across(
    found: dict[tuple[Value, ...], Sums], across: Dimension, measure: Measure, top: int | None
) -> tuple[list[Column], list[list[Value]]]:
    """The columns to the right, and the values that each of them stands for."""
    by_value: dict[Value, list[Sums]] = {}
    for (_, value), sums in found.items():
        by_value.setdefault(value, []).append(sums)
    names = sorted(by_value, key=lambda value: (value is None, str(value)))
    names.sort(key=lambda value: -sum(sums.cost for sums in by_value[value]))
    shown, rest = names[:top], names[top:] if top is not None else []
    columns = []
    for value in shown:
        label = across.label(value)
        filter = Filter(across.name, "=", ((label,) if label else (),))
        columns.append(Column(str(filter), measure.kind, measure.unit, title=label or "unknown"))
    if rest:
        columns.append(Column("other", measure.kind, measure.unit, title=f"other ({len(rest):,})"))
    return columns, [*([value] for value in shown), *([rest] if rest else [])]
