"""``costctl reconcile``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.gate import GATE, Measured, condition, gate
from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, PRICES, CommandError, Session, command
from costctl.cli.values import count
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.filters import Filter
    from costctl.ledger import Ledger
    from costctl.periods import Period
    from costctl.report import Report

app = typer.Typer()

SHAPE = "Shape"

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE",
        help="Cost reports and invoice exports, in any format that holds charges; a usage report beside them "
        "gives evidence of tokens. They do not enter the ledger. Default: the charges in the ledger.",
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="What a row stands for: day, week, month, provider, model, project, workspace, api_key, or "
        "several. With --reported: source, source_format, model, provider and any label.",
        show_default="day,model; with --reported source,model",
        rich_help_panel=SHAPE,
    ),
]
Top = Annotated[
    str | None,
    typer.Option(
        "--top",
        metavar="N",
        help="The N rows with the greatest difference, and one for the rest.",
        rich_help_panel=SHAPE,
    ),
]
Reported = Annotated[
    bool,
    typer.Option(
        "--reported",
        help="Compare with the costs that the sources of calls state themselves, instead of a bill.",
        rich_help_panel=SHAPE,
    ),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Only this provider's bill, as in anthropic.",
        rich_help_panel="Filter",
    ),
]
FailIf = Annotated[
    str | None,
    typer.Option(
        "--fail-if",
        metavar="MUCH",
        help='Exit 4 where the whole difference is more than this: "0.5%" of theirs, or an amount in USD.',
        rich_help_panel=GATE,
    ),
]

# The days of a bill are its own, in no zone of ours.
_DATES = {name: option for name, option in PERIOD.items() if name != "tz"}


@command(
    app,
    "reconcile",
    FILTER,
    _DATES,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    doing="comparing",
    examples="""
costctl reconcile
costctl reconcile cost_report.json --month 2024-10
costctl reconcile cost.csv usage.csv --by model --fail-if 0.5%
costctl reconcile --reported
""",
)
def reconcile(
    session: Session,
    files: Files = None,
    by: By = None,
    top: Top = None,
    reported: Reported = False,
    provider: Provider = None,
    fail_if: FailIf = None,
) -> None:
    """Compare our costs with a provider's cost report or invoice export.

    A row shows ours, theirs, the difference (ours - theirs) and how much of it has which cause: calls that
    are missing or too many, another price or mode, another time zone, rounding, credits, taxes, items beside
    tokens. What nothing gives evidence of is unexplained. Days are those of the bill.
    """
    limit = None
    if fail_if is not None:
        limit = condition(fail_if, {"difference": "money"}, against="whole", alone="difference")
    where: list[str | Filter] = list(session.given["where"] or ())
    if provider is not None:
        from costctl.filters import Filter

        where.append(Filter("provider", "=", ((provider,),)))
    if reported:
        if files or top is not None:
            raise SettingError("--reported compares what is in the ledger", "leave out FILE and --top")
        from costctl import analysis

        answer = analysis.reported(session.ledger, by or "source,model", period=_dates(session), where=where)
        theirs = "reported"
    else:
        answer = _against_bill(session, files or [], by or "day,model", top, where)
        theirs = "theirs"
    session.show(answer)
    if not answer.rows:
        session.say(_where_bills_are(reported, bool(files)))
    if limit is not None:
        gate(session, limit, [_measured(answer, theirs)])


def _against_bill(
    session: Session, files: list[str], by: str, top: str | None, where: list[str | Filter]
) -> Report:
    from costctl import analysis

    rows = None if top is None else count("--top", top)
    with _bills(session, files) if files else nullcontext() as bills:
        return analysis.reconcile(
            session.ledger,
            by,
            book=session.book,
            period=_dates(session),
            where=where,
            grain=session.grain,
            top=rows,
            bills=bills,
        )


@contextmanager
def _bills(session: Session, files: list[str]) -> Iterator[Ledger]:
    """A ledger of ``files`` alone, for the length of the block."""
    from costctl.ingest import ingest
    from costctl.ledger import Ledger

    with tempfile.TemporaryDirectory(prefix="costctl-") as directory:
        ledger = Ledger(Path(directory) / "bills.duckdb", say=session.say)
        done = ingest(ledger, files, book=session.book)
        values = dict(zip((column.name for column in done.outcome.columns), done.outcome.values, strict=True))
        if done.failed:
            raise CommandError(
                "not all that was named could be read", "; ".join(done.outcome.notes), "not_read"
            )
        if rejected := values.get("rows_rejected"):
            session.say(
                f"{rejected} lines of these files could not be read; `costctl ingest` says which and why"
            )
        yield ledger


def _dates(session: Session) -> Period:
    """The period in dates of no zone; UTC stands for it."""
    from zoneinfo import ZoneInfo

    from costctl.periods import period

    names = ("since", "until", "last", "month")
    return period(**{name: session.given[name] for name in names}, zone=ZoneInfo("UTC"), now=session.now)


def _measured(answer: Report, theirs: str) -> Measured:
    """The whole difference, whichever side has more."""
    from costctl.money import share, usd

    if not answer.rows:
        return Measured("money", None, said="there is nothing to compare")
    difference, whole = _total(answer, "difference"), _total(answer, theirs)
    part = share(difference, whole)
    sign = "-" if difference < 0 else ""
    said = f"the difference is {sign}${abs(usd(difference)):,}" + (
        f" ({part:.2%})" if part is not None else ""
    )
    return Measured("money", abs(difference), whole=whole, said=said)


def _total(answer: Report, name: str) -> int:
    assert answer.totals is not None
    value = answer.totals[[column.name for column in answer.columns].index(name)]
    assert isinstance(value, int)
    return value


def _where_bills_are(reported: bool, files: bool) -> str:
    if reported:
        return "no source of these calls states what they cost"
    if files:
        return "these files hold no charges of this period"
    return "the ledger holds no charges of this period: costctl reconcile FILE compares with a cost report"
