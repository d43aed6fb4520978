"""``costctl simulate-batch``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, PRICES, Session, command
from costctl.cli.values import count
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.simulate.batch import Batch
    from costctl.simulate.waiting import Burst, Rule

app = typer.Typer()

T = TypeVar("T")

WAITING, SHAPE = "Which calls can wait", "Shape"

Tagged = Annotated[
    list[str] | None,
    typer.Option(
        "--tagged",
        metavar="CONDITION",
        help="Calls like these can wait: team=finance, tag:environment=staging. Repeatable: any of them.",
        show_default="tag:interactive=false or tag:batch=true",
        rich_help_panel=WAITING,
    ),
]
Never = Annotated[
    list[str] | None,
    typer.Option(
        "--never",
        metavar="CONDITION",
        help="Calls like these cannot, whatever else is true of them. Repeatable.",
        rich_help_panel=WAITING,
    ),
]
Wait = Annotated[
    str | None,
    typer.Option(
        "--answer-within",
        metavar="LENGTH",
        help="How long an answer may take. A call that another of its session follows sooner cannot wait.",
        show_default="24h",
        rich_help_panel=WAITING,
    ),
]
BurstOption = Annotated[
    str | None,
    typer.Option(
        "--burst",
        metavar="N/LENGTH",
        help="What looks like a job: so many like calls within a time, each of a session of its own.",
        show_default="20/1m",
        rich_help_panel=WAITING,
    ),
]
Night = Annotated[
    str | None,
    typer.Option(
        "--night",
        metavar="HOURS",
        help="When nobody is expected to wait, in the zone of the report; none: no hours.",
        show_default="22-06",
        rich_help_panel=WAITING,
    ),
]
Rules = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="A batch.yaml, which says all of this; --bound and --cache count before what it says.",
        rich_help_panel=WAITING,
    ),
]
BoundOption = Annotated[
    str | None,
    typer.Option(
        "--bound",
        metavar="tagged|likely|maximum",
        help="Whose saving is the saving: what rules say, also what looks like a job, or all that is alone.",
        show_default="tagged",
        rich_help_panel=SHAPE,
    ),
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="kept|lost|hour",
        help="What becomes of cached tokens in a batch, where hits are best effort: kept, lost, or kept and "
        "written for an hour.",
        show_default="kept",
        rich_help_panel=SHAPE,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="A row for each model, team, other label, tag:NAME or day within --bound, instead of bounds.",
        rich_help_panel=SHAPE,
    ),
]


@command(
    app,
    "simulate-batch",
    PERIOD,
    FILTER,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    doing="pricing the calls anew",
    examples="""
costctl simulate-batch --last 30d
costctl simulate-batch --tagged team=finance --tagged tag:environment=staging --month 2024-10
costctl simulate-batch --bound likely --by team,model --last 30d
costctl simulate-batch --rules batch.yaml --cache lost --format json
""",
)
def simulate_batch(
    session: Session,
    tagged: Tagged = None,
    never: Never = None,
    answer_within: Wait = None,
    burst: BurstOption = None,
    night: Night = None,
    rules: Rules = None,
    bound: BoundOption = None,
    cache: Cache = None,
    by: By = None,
) -> None:
    """Say what batches would have saved, within three bounds.

    Calls that rules name can wait; calls that are alone in their session likely can where they are one of a
    burst or made at night, and at most all that are alone. Each is priced as its model's batches are.
    """
    from dataclasses import replace

    from costctl.cli.report import say_where_calls_are
    from costctl.simulate.batch import CACHES
    from costctl.simulate.batch_report import simulate_batch as simulated
    from costctl.simulate.waiting import BOUNDS

    if rules is not None:
        if tagged or never or answer_within or burst or night:
            raise SettingError("--rules says which calls can wait", "leave out what it says")
        from costctl.documents import read
        from costctl.simulate.batch import of_document

        lever = of_document(read(Path(rules).expanduser(), "batch"))
    else:
        lever = _lever(tagged, never, answer_within, burst, night)
    if bound is not None:
        lever = replace(lever, bound=_one_of("--bound", bound, BOUNDS))
    if cache is not None:
        lever = replace(lever, cache=_one_of("--cache", cache, CACHES))
    answer = simulated(
        session.ledger,
        lever,
        by or (),
        book=session.book,
        period=session.period,
        where=session.filters,
        grain=session.grain,
    )
    session.show(answer)
    if not answer.calls:
        say_where_calls_are(session, answer)


def _lever(
    tagged: list[str] | None, never: list[str] | None, wait: str | None, burst: str | None, night: str | None
) -> Batch:
    from costctl.simulate.batch import Batch
    from costctl.simulate.waiting import Hours, Waiting, length

    usual = Waiting()
    waiting = Waiting(
        usual.tagged if tagged is None else _rules(tagged),
        _rules(never or ()),
        usual.wait if wait is None else _read("--answer-within", length, wait),
        usual.burst if burst is None else _burst(burst),
        usual.night if night is None else None if night == "none" else _read("--night", Hours.parse, night),
    )
    return Batch(waiting)


def _rules(conditions: Sequence[str]) -> tuple[Rule, ...]:
    from costctl.filters import parse
    from costctl.simulate.waiting import Rule

    return tuple(Rule((parse(text),)) for text in conditions)


def _burst(text: str) -> Burst:
    from costctl.simulate.waiting import Burst, length

    number, slash, within = text.partition("/")
    calls = count("--burst", number, 20) if re.fullmatch(r"[\d,_]+", number) and slash else 0
    if not 2 <= calls <= 10**6:
        raise SettingError(f"--burst: {text!r} is no burst", "at least two calls, as in --burst 20/1m")
    return Burst(calls, _read("--burst", length, within))


def _read(option: str, read: Callable[[str], T], text: str) -> T:
    from costctl.analysis import QuestionError

    try:
        return read(text)
    except QuestionError as error:
        raise SettingError(f"{option}: {error}", error.hint) from None


def _one_of(option: str, text: str, known: tuple[T, ...]) -> T:
    for each in known:
        if each == text:
            return each
    raise SettingError(
        f"{option}: {text!r} is none of {', '.join(map(str, known))}", f"as in {option} {known[0]}"
    )
