"""``costctl anomalies``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.gate import GATE, Condition, Measured, condition, gate
from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, Session, command
from costctl.cli.values import amount, count

if TYPE_CHECKING:
    from costctl.report import Kind, Report

app = typer.Typer()

SHAPE, RULES = "Shape", "Rules"

By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="Whose costs are looked at, each by itself, besides all together: team, project, model, user, "
        "agent, tag:NAME or any other label.",
        show_default="team,project,model",
        rich_help_panel=SHAPE,
    ),
]
Top = Annotated[
    str | None,
    typer.Option(
        "--top", metavar="N", help="The N anomalies with the greatest impact.", rich_help_panel=SHAPE
    ),
]
MinImpact = Annotated[
    str | None,
    typer.Option(
        "--min-impact",
        metavar="USD",
        help="Leave out what cost less than this above what was expected; a fifth of that it is at least.",
        show_default="10",
        rich_help_panel=RULES,
    ),
]
Unseen = Annotated[
    str | None,
    typer.Option(
        "--unseen",
        metavar="USD",
        help="A model, user or API key that was never seen before may cost so much on its first day.",
        show_default="50",
        rich_help_panel=RULES,
    ),
]
FailIf = Annotated[
    str | None,
    typer.Option(
        "--fail-if",
        metavar="CONDITION",
        help='Exit 4 where one is like this: "impact > 100" (USD), "cost > 500", "impact_share > 200%"; '
        'or where there are so many: "anomalies > 0".',
        rich_help_panel=GATE,
    ),
]

_KINDS: dict[str, Kind] = {
    "impact": "money",
    "cost": "money",
    "impact_share": "percent",
    "anomalies": "count",
}


@command(
    app,
    "anomalies",
    FILTER,
    PERIOD,
    OUTPUT,
    MONEY,
    LEDGER,
    doing="looking at past days",
    examples="""
costctl anomalies --last 7d
costctl anomalies --by team,user --last 30d --min-impact 100
costctl anomalies --month 2024-10 --top 5
costctl anomalies --last 1d --fail-if "impact > 100"
""",
)
def anomalies(
    session: Session,
    by: By = None,
    top: Top = None,
    min_impact: MinImpact = None,
    unseen: Unseen = None,
    fail_if: FailIf = None,
) -> None:
    """Show days that cost much more than they should have, and who made them so.

    A day is told where it lies far above the level of the two weeks before and its weekday's part of it,
    beyond what such days usually miss it by; where a model's calls cost more than five times what they did;
    and where something costs much that was never seen before. Without a period every day is looked at.
    """
    from costctl import analysis

    limit = None if fail_if is None else condition(fail_if, _KINDS)
    rows = None if top is None else count("--top", top)
    answer = analysis.anomalies(
        session.ledger,
        analysis.SCOPES if by is None else by,
        period=session.period,
        now=session.now,
        where=session.filters,
        grain=session.grain,
        least=analysis.LEAST_IMPACT if min_impact is None else amount("--min-impact", min_impact),
        unseen=analysis.UNSEEN if unseen is None else amount("--unseen", unseen),
        # A gate looks at all of them, whatever is shown.
        top=rows if limit is None else None,
    )
    session.show(answer if rows is None else _greatest(answer, rows))
    if limit is not None:
        gate(session, limit, _measured(answer, limit))


def _greatest(answer: Report, count: int) -> Report:
    """The rows with the greatest impact, in the order in which they are."""
    impact = [column.name for column in answer.columns].index("impact")
    places = sorted(range(len(answer.rows)), key=lambda place: -int(str(answer.rows[place][impact])))
    return replace(answer, rows=[answer.rows[place] for place in sorted(places[:count])])


def _measured(answer: Report, limit: Condition) -> Iterator[Measured]:
    from costctl.money import rounded

    if not answer.figures["days"]:
        yield Measured(_KINDS[limit.name], None, said="it cannot be told: no day of this period is known")
        return
    if limit.name == "anomalies":
        yield Measured("count", len(answer.rows), said=f"there are {len(answer.rows):,}")
        return
    names = [column.name for column in answer.columns]
    for row in answer.rows:
        of = dict(zip(names, row, strict=True))
        value, impact = of[limit.name], of["impact"]
        assert value is None or isinstance(value, int | Decimal)
        assert isinstance(impact, int)
        whose = of["scope"] if of["scope"] == "all" else f"{of['scope']} {of['value'] or '(none)'}"
        said = f"{of['day']}, {whose}: ${rounded(impact):,} above what was expected"
        yield Measured(_KINDS[limit.name], value, said=said)
