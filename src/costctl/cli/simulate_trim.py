"""``costctl simulate-trim``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costctl.cli.session import FILTER, LEDGER, MONEY, OUTPUT, PERIOD, PRICES, Session, command
from costctl.cli.values import count
from costctl.config import SettingError

if TYPE_CHECKING:
    from costctl.report import Report
    from costctl.simulate.cuts import Cut
    from costctl.simulate.eliminate import Eliminate
    from costctl.simulate.summarise import Summarise
    from costctl.simulate.trim import Trim

app = typer.Typer()

CUT, STAGES, ELIMINATE, SHAPE = (
    "Shorter prompts and answers",
    "Two stages",
    "Calls that are not made",
    "Shape",
)

Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="CUT",
        help="How far prompts are cut: 3200 (to a length), -62% (by a percentage), p90 (above a percentile, "
        "to it), mean:3200 (all in one proportion, to a mean).",
        rich_help_panel=CUT,
    ),
]
Output = Annotated[
    str | None,
    typer.Option("--output", metavar="CUT", help="How far answers are cut: the same.", rich_help_panel=CUT),
]
Above = Annotated[
    str | None,
    typer.Option(
        "--above",
        metavar="TOKENS",
        help="Only calls with a longer prompt than this. Also of two stages.",
        rich_help_panel=CUT,
    ),
]
Rules = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="A trim.yaml: rules for some calls and for others.",
        rich_help_panel=CUT,
    ),
]
SummariseWith = Annotated[
    str | None,
    typer.Option(
        "--summarise-with",
        metavar="MODEL",
        help="This model reads the prompts and writes an extract, which the call's own model reads.",
        rich_help_panel=STAGES,
    ),
]
Extract = Annotated[
    str | None,
    typer.Option(
        "--extract",
        metavar="TOKENS",
        help="How long the extract is; with --document several lengths, as in 2000,4000.",
        rich_help_panel=STAGES,
    ),
]
DocumentLength = Annotated[
    str | None,
    typer.Option(
        "--document",
        metavar="TOKENS",
        help="Of one document of this length instead of the ledger's calls; needs --model.",
        rich_help_panel=STAGES,
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="Who reads the --document.", rich_help_panel=STAGES),
]
EliminateOption = Annotated[
    str | None,
    typer.Option(
        "--eliminate",
        metavar="WHICH",
        help="failed, repeated or both: failed,repeated.",
        rich_help_panel=ELIMINATE,
    ),
]
Within = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="LENGTH",
        help="How long an answer would be kept for a call that comes again: 30m, 24h, 2d.",
        show_default="24h",
        rich_help_panel=ELIMINATE,
    ),
]
PromptTag = Annotated[
    str | None,
    typer.Option(
        "--prompt-tag",
        metavar="NAME",
        help="The tag with a hash of each call's prompt. Without it, equal lengths stand for equal prompts.",
        rich_help_panel=ELIMINATE,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        help="What a row stands for: model, team, any other label, tag:NAME, day, or several.",
        show_default="model",
        rich_help_panel=SHAPE,
    ),
]


@command(
    app,
    "simulate-trim",
    PERIOD,
    FILTER,
    OUTPUT,
    MONEY,
    LEDGER,
    PRICES,
    doing="pricing the calls anew",
    examples="""
costctl simulate-trim --prompt mean:3200 --month 2024-10
costctl simulate-trim --prompt p90 --output 800 --by team --last 30d
costctl simulate-trim --summarise-with claude-haiku-4-5 --extract 4000 --above 20000
costctl simulate-trim --document 50000 --model gpt-5 --summarise-with gpt-5-mini --extract 2000,4000
costctl simulate-trim --eliminate failed,repeated --last 30d
""",
)
def simulate_trim(
    session: Session,
    prompt: Prompt = None,
    output: Output = None,
    above: Above = None,
    rules: Rules = None,
    summarise_with: SummariseWith = None,
    extract: Extract = None,
    document: DocumentLength = None,
    model: Model = None,
    eliminate: EliminateOption = None,
    within: Within = None,
    prompt_tag: PromptTag = None,
    by: By = None,
) -> None:
    """Say what shorter prompts or answers would have saved.

    Prompts and answers are cut by rules; or a cheap model makes an extract of each prompt, and both models
    are paid; or calls that failed or came again are not made. One of these at a time: costctl simulate takes
    several, step by step.
    """
    asked = {
        "--prompt, --output, --rules": prompt or output or rules,
        "--summarise-with": summarise_with or extract or document or model,
        "--eliminate": eliminate or within or prompt_tag,
    }
    match [name for name, said in asked.items() if said]:
        case []:
            raise SettingError(
                "nothing says what is cut", "as in --prompt 3200, --prompt -30% or --output p95"
            )
        case [_, _, *_]:
            raise SettingError(
                f"{', '.join(name for name, said in asked.items() if said)}: one at a time",
                "costctl simulate PLAN takes several, step by step",
            )
    if document is not None or model is not None:
        session.refuse_of_ledger("--document")
        for option, said in (("--above", above), ("--by", by)):
            if said is not None:
                raise SettingError("--document asks nothing of the ledger", f"leave out {option}")
        session.show(_document(session, document, model, summarise_with, extract))
        return
    from costctl.cli.report import say_where_calls_are
    from costctl.simulate.trim_report import simulate_trim as simulated

    lever: Trim | Summarise | Eliminate
    if summarise_with or extract:
        lever = _summarise(summarise_with, extract, above)
    elif asked["--eliminate"]:
        lever = _eliminate(eliminate, within, prompt_tag, above)
    else:
        lever = _trim(prompt, output, above, rules)
    answer = simulated(
        session.ledger,
        lever,
        by or "model",
        book=session.book,
        period=session.period,
        where=session.filters,
        grain=session.grain,
    )
    session.show(answer)
    if not answer.calls:
        say_where_calls_are(session, answer)


def _trim(prompt: str | None, output: str | None, above: str | None, rules: str | None) -> Trim:
    from costctl.simulate.trim import Trim, Trimming, of_document

    if rules is not None:
        if prompt or output or above:
            raise SettingError(
                "--rules says how far everything is cut", "leave out --prompt, --output, --above"
            )
        from costctl.documents import read

        return of_document(read(Path(rules).expanduser(), "trim"))
    longer = None if above is None else count("--above", above, 4000)
    return Trim((Trimming((), longer, _cut("--prompt", prompt), _cut("--output", output)),))


def _cut(option: str, text: str | None) -> Cut | None:
    from costctl.simulate.cuts import Cut, CutError

    try:
        return None if text is None else Cut.parse(text)
    except CutError as error:
        raise SettingError(f"{option}: {error}", error.hint) from None


def _summarise(model: str | None, extract: str | None, above: str | None) -> Summarise:
    from costctl.simulate.summarise import Summarise

    maker, lengths = _extract(model, extract)
    if len(lengths) > 1:
        raise SettingError("--extract: one length", "several are for --document")
    return Summarise(maker, lengths[0], (), None if above is None else count("--above", above, 20000))


def _extract(model: str | None, extract: str | None) -> tuple[str, Sequence[int]]:
    if model is None:
        raise SettingError("nothing says who makes the extract", "as in --summarise-with claude-haiku-4-5")
    if extract is None:
        raise SettingError("nothing says how long the extract is", "as in --extract 4000")
    return model, [count("--extract", text.strip(), 4000) for text in extract.split(",")]


def _document(
    session: Session, document: str | None, model: str | None, maker: str | None, extract: str | None
) -> Report:
    if document is None or model is None:
        raise SettingError(
            "--document and --model belong together", "--document 50000 --model claude-sonnet-4-5"
        )
    from costctl.simulate.trim_report import simulate_document

    made_by, lengths = _extract(maker, extract)
    return simulate_document(
        session.book,
        model=model,
        extract_model=made_by,
        document=count("--document", document, 50000),
        extracts=lengths,
        at=session.now.astimezone(UTC).replace(tzinfo=None),
    )


def _eliminate(which: str | None, within: str | None, prompt_tag: str | None, above: str | None) -> Eliminate:
    from costctl.analysis import QuestionError
    from costctl.simulate.eliminate import KEPT, REASONS, Eliminate
    from costctl.simulate.waiting import length

    if above is not None:
        raise SettingError("--above is for prompts that are cut", "leave it out")
    said = [text.strip() for text in (which or "").split(",")]
    if unknown := [text for text in said if text not in REASONS]:
        raise SettingError(
            f"--eliminate: {unknown[0]!r} is none of {', '.join(REASONS)}", "as in failed,repeated"
        )
    reasons = tuple(each for each in REASONS if each in said)
    if "repeated" not in reasons and (within or prompt_tag):
        raise SettingError(
            "--within and --prompt-tag are for calls that come again", "as in --eliminate failed,repeated"
        )
    try:
        kept = KEPT if within is None else length(within)
    except QuestionError as error:
        raise SettingError(f"--within: {error}", error.hint) from None
    return Eliminate(reasons, kept, prompt_tag)
